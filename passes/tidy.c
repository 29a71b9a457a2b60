/*
 * tidy: simplifies a kernel by what is known of the ranges of its indices.
 *
 *     for i = 0 to 64 step 16 {                       for i = 0 to 64 step 16 {
 *       for j = 0 to 1 {                                let base: index = task*64
 *         let base: index = task*64          ->         y[base + i : 16] = x[i : 16]
 *         if i + j < 64 {                             }
 *           y[base + i + j : 16 active 64 - i] = x[(i + j) % 64 : 16]
 *         }
 *       }
 *     }
 *
 * Method: one walk, outside in, that keeps for every index variable an interval and a
 * number that divides it, narrowed inside of `if`; an operation whose outcome the
 * intervals decide is replaced by it, and the constructors fold what is around it.  A
 * second walk, backwards, drops unused lets and moves those that do not change in a loop
 * in front of it.
 *
 * Needs: a kernel that loop_verify accepts.  Leaves: one that computes the same, bit by
 * bit. Does not: move loads, merge equal expressions, or unroll; LLVM does these well.
 */
#include "passes/pass.h"

/* Far from the ends of int64, so that sums of bounds do not wrap. */
#define FAR ((int64_t)1 << 60)

typedef struct Range {
    int64_t low, high; /* both included; -FAR and FAR: unknown */
} Range;

/* What is known of a variable.  Later facts about it come later and hide earlier ones. */
typedef struct Fact {
    const Var *var;
    const Expr *value; /* takes its place; NULL: it stays */
    Range range;
    int64_t multiple; /* of which it is a multiple; 0: it is 0 */
} Fact;

/* Vars and Buffers; open addressing, at most half full. */
typedef struct Set {
    Arena *arena;
    const void **key;
    uint32_t slots, count;
} Set;

typedef struct Tidy {
    Arena *arena;
    VEC(Fact) facts;
    Set emitted; /* variables of lets: one statement may stand at two places */
} Tidy;

/* Whether `what` is in the set; `add` puts it there. */
static bool set_has(Set *set, const void *key, bool add) {
    if (2 * (set->count + 1) > set->slots) {
        Set old = *set;
        set->slots = old.slots ? 2 * old.slots : 64;
        set->key = arena_array(set->arena, const void *, set->slots);
        set->count = 0;
        for (uint32_t i = 0; i < old.slots; i++)
            if (old.key[i]) set_has(set, old.key[i], true);
    }
    uint32_t i = (uint32_t)((uintptr_t)key >> 4) * 2654435761u & (set->slots - 1);
    while (set->key[i] && set->key[i] != key) i = (i + 1) & (set->slots - 1);
    if (set->key[i]) return true;
    if (add) set->key[i] = key, set->count++;
    return false;
}

static int64_t clamp(__int128 x) {
    return x > FAR ? FAR : x < -FAR ? -FAR : (int64_t)x;
}
static int64_t smaller(int64_t x, int64_t y) {
    return x < y ? x : y;
}
static int64_t larger(int64_t x, int64_t y) {
    return x > y ? x : y;
}
static int64_t gcd(int64_t x, int64_t y) {
    while (y) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return x < 0 ? -x : x;
}

static const Fact *fact_of(const Tidy *t, const Var *var) {
    for (uint32_t i = t->facts.count; i-- > 0;)
        if (t->facts.at[i].var == var) return &t->facts.at[i];
    return NULL;
}

static const Range anywhere = {-FAR, FAR};

static Range range_of(const Tidy *t, const Expr *e);

static Range range_scaled(Range x, Range y) {
    __int128 corner[4] = {(__int128)x.low * y.low, (__int128)x.low * y.high,
                          (__int128)x.high * y.low, (__int128)x.high * y.high};
    Range r = {clamp(corner[0]), clamp(corner[0])};
    for (int i = 1; i < 4; i++) {
        r.low = smaller(r.low, clamp(corner[i]));
        r.high = larger(r.high, clamp(corner[i]));
    }
    return r;
}

static Range range_of_scalar(const Tidy *t, const Expr *e) {
    Range x = range_of(t, e->arg[0]), y = range_of(t, e->arg[1]);
    bool by_constant = y.low == y.high && y.low > 0;
    switch ((int)e->op) {
    case OP_add:
        return (Range){clamp((__int128)x.low + y.low), clamp((__int128)x.high + y.high)};
    case OP_mul: return range_scaled(x, y);
    case OP_min: return (Range){smaller(x.low, y.low), smaller(x.high, y.high)};
    case OP_max: return (Range){larger(x.low, y.low), larger(x.high, y.high)};
    case OP_div: /* of nonnegative by positive */
        if (!by_constant) return (Range){0, larger(x.high, 0)};
        return (Range){larger(x.low, 0) / y.low,
                       x.high >= FAR ? FAR : larger(x.high, 0) / y.low};
    case OP_mod: return (Range){0, smaller(larger(x.high, 0), larger(y.high - 1, 0))};
    default: return anywhere;
    }
}

static Range range_of(const Tidy *t, const Expr *e) {
    Range x, y;
    const Fact *fact;
    if (!e->is_index) return anywhere;
    switch ((int)e->kind) {
    case EXPR_INT: return (Range){clamp(e->i), clamp(e->i)};
    case EXPR_VAR: fact = fact_of(t, e->var); return fact ? fact->range : anywhere;
    case EXPR_SCALAR: return range_of_scalar(t, e);
    case EXPR_SELECT:
        x = range_of(t, e->arg[1]);
        y = range_of(t, e->arg[2]);
        return (Range){smaller(x.low, y.low), larger(x.high, y.high)};
    case EXPR_INDEX:
        if (e->arg[0]->elem == ELEM_u8) return (Range){0, UINT8_MAX};
        return (Range){INT32_MIN, INT32_MAX};
    default: return anywhere;
    }
}

static int64_t multiple_of(const Tidy *t, const Expr *e) {
    const Fact *fact;
    if (!e->is_index) return 1;
    if (e->kind == EXPR_INT) return e->i > -FAR && e->i < FAR ? gcd(e->i, 0) : 1;
    if (e->kind == EXPR_VAR) return (fact = fact_of(t, e->var)) ? fact->multiple : 1;
    if (e->kind == EXPR_SELECT)
        return gcd(multiple_of(t, e->arg[1]), multiple_of(t, e->arg[2]));
    if (e->kind != EXPR_SCALAR) return 1;
    int64_t x = multiple_of(t, e->arg[0]), y = multiple_of(t, e->arg[1]);
    if (e->op == OP_add || e->op == OP_min || e->op == OP_max) return gcd(x, y);
    if (e->op != OP_mul) return 1;
    __int128 product = (__int128)x * y;
    return product < FAR ? (int64_t)product : larger(x, y);
}

/* Indices. */

/* Sorts the terms of a sum: multiples of d, and the others. */
static void split_terms(Tidy *t, const Expr *e, int64_t d, const Expr **multiples,
                        const Expr **others) {
    if (e->kind == EXPR_SCALAR && e->op == OP_add) {
        split_terms(t, e->arg[0], d, multiples, others);
        split_terms(t, e->arg[1], d, multiples, others);
        return;
    }
    const Expr **sum = multiple_of(t, e) % d == 0 ? multiples : others;
    *sum = expr_add(t->arena, *sum, e);
}

/* Division or remainder by d: the multiples of d come out, and what is in [0, d) goes. */
static const Expr *divide(Tidy *t, Op op, const Expr *e, int64_t d) {
    Arena *a = t->arena;
    const Expr *multiples = expr_int(a, 0), *others = expr_int(a, 0),
               *divisor = expr_int(a, d);
    split_terms(t, e, d, &multiples, &others);
    Range rest = range_of(t, others);
    if (rest.low < 0 || range_of(t, multiples).low < 0)
        return expr_scalar(a, op, e, divisor);
    if (rest.high >= d && expr_is_int(multiples, 0))
        return expr_scalar(a, op, others, divisor);
    if (op == OP_mod)
        return rest.high < d ? others : expr_scalar(a, OP_mod, others, divisor);
    const Expr *whole = expr_scalar(a, OP_div, multiples, divisor);
    if (rest.high < d) return whole;
    return expr_add(a, whole, expr_scalar(a, OP_div, others, divisor));
}

static Range gap_of(Tidy *t, const Expr *x, const Expr *y) {
    return range_of(t, expr_scalar(t->arena, OP_sub, x, y));
}

static const Expr *extremum(Tidy *t, Op op, const Expr *x, const Expr *y) {
    Range gap = gap_of(t, x, y);
    if (gap.low >= 0) return op == OP_min ? y : x;
    if (gap.high <= 0) return op == OP_min ? x : y;
    return expr_scalar(t->arena, op, x, y);
}

/* 1, 0, or -1 where the intervals do not tell. */
static int decide(Op op, Range gap) {
    switch ((int)op) {
    case OP_lt: return gap.high < 0 ? 1 : gap.low >= 0 ? 0 : -1;
    case OP_le: return gap.high <= 0 ? 1 : gap.low > 0 ? 0 : -1;
    case OP_gt: return gap.low > 0 ? 1 : gap.high <= 0 ? 0 : -1;
    case OP_ge: return gap.low >= 0 ? 1 : gap.high < 0 ? 0 : -1;
    case OP_eq: return gap.low > 0 || gap.high < 0 ? 0 : gap.low == gap.high ? 1 : -1;
    case OP_ne: return gap.low > 0 || gap.high < 0 ? 1 : gap.low == gap.high ? 0 : -1;
    default: return -1;
    }
}

static const Expr *compare(Tidy *t, Op op, const Expr *x, const Expr *y) {
    int outcome = decide(op, gap_of(t, x, y));
    if (outcome >= 0) return expr_num(t->arena, ELEM_bool, 1, outcome);
    return expr_scalar(t->arena, op, x, y);
}

/* true && x is x, and so on; the constructors fold only constants with constants. */
static const Expr *logic(Tidy *t, Op op, const Expr *x, const Expr *y) {
    const Expr *const side[2] = {x, y};
    for (int i = 0; i < 2; i++)
        if (side[i]->kind == EXPR_NUM && side[i]->lanes == 1 && side[!i]->lanes == 1)
            return (side[i]->num != 0) == (op == OP_and) ? side[!i] : side[i];
    return expr_scalar(t->arena, op, x, y);
}

static const Expr *scalar(Tidy *t, Op op, const Expr *x, const Expr *y) {
    if (op == OP_and || op == OP_or) return logic(t, op, x, y);
    if (!x->is_index) return expr_scalar(t->arena, op, x, y);
    if ((op == OP_div || op == OP_mod) && y->kind == EXPR_INT)
        return y->i > 0 ? divide(t, op, x, y->i) : expr_int(t->arena, 0); /* undefined */
    if (op == OP_min || op == OP_max) return extremum(t, op, x, y);
    if (scalar_info(op).class == SCALAR_C) return compare(t, op, x, y);
    return expr_scalar(t->arena, op, x, y);
}

/* How many lanes are active: NULL when all are. */
static const Expr *activity(Tidy *t, const Expr *active, uint32_t lanes) {
    if (!active) return NULL;
    Range range = range_of(t, active);
    if (range.low >= (int64_t)lanes) return NULL;
    return range.high <= 0 ? expr_int(t->arena, 0) : active;
}

/* Expressions. */

static const Expr *variable(Tidy *t, const Expr *e) {
    const Fact *fact = fact_of(t, e->var);
    if (!fact) return e;
    if (fact->value) return fact->value;
    return fact->range.low == fact->range.high ? expr_int(t->arena, fact->range.low) : e;
}

/* The same operation on other operands. */
static const Expr *rebuild(Tidy *t, const Expr *e, const Expr *const arg[5]) {
    Arena *a = t->arena;
    switch (e->kind) {
    case EXPR_INT:
    case EXPR_NUM:
    case EXPR_VAR: break;
    case EXPR_SCALAR: return scalar(t, e->op, arg[0], arg[1]);
    case EXPR_FMA: return expr_fma(a, arg[0], arg[1], arg[2]);
    case EXPR_SELECT: return expr_select(a, arg[0], arg[1], arg[2]);
    case EXPR_CAST: return expr_cast(a, arg[0], e->elem);
    case EXPR_INDEX: return expr_index(a, arg[0]);
    case EXPR_LOAD:
        return expr_load(a, e->buffer, arg[0], e->lanes, e->i,
                         activity(t, arg[1], e->lanes));
    case EXPR_GATHER: return expr_gather(a, e->buffer, arg[0], arg[1]);
    case EXPR_SPLAT: return expr_splat(a, arg[0], e->lanes);
    case EXPR_RAMP: return expr_ramp(a, arg[0], e->lanes);
    case EXPR_REDUCE: return expr_reduce(a, e->op, arg[0]);
    case EXPR_BITS: return expr_bits(a, arg, arg[4], e->word);
    }
    return e;
}

static const Expr *expression(Tidy *t, const Expr *e) {
    if (!e) return NULL;
    if (e->kind == EXPR_VAR) return variable(t, e);
    if (!e->args) return e;
    const Expr *arg[5] = {NULL};
    for (uint32_t i = 0; i < e->args; i++) arg[i] = expression(t, e->arg[i]);
    const Expr *result = rebuild(t, e, arg);
    return expr_equal(result, e) ? e : result;
}

/* Conditions that hold inside of `if`. */

static Op opposite(Op op) {
    switch ((int)op) {
    case OP_lt: return OP_ge;
    case OP_le: return OP_gt;
    case OP_gt: return OP_le;
    case OP_ge: return OP_lt;
    case OP_eq: return OP_ne;
    default: return op == OP_ne ? OP_eq : op;
    }
}

static Op mirrored(Op op) {
    switch ((int)op) {
    case OP_lt: return OP_gt;
    case OP_le: return OP_ge;
    case OP_gt: return OP_lt;
    case OP_ge: return OP_le;
    default: return op;
    }
}

/* x op y, where x is a variable plus a constant. */
static void narrow(Tidy *t, Op op, const Expr *x, const Expr *y) {
    int64_t offset = 0;
    if (x->kind == EXPR_SCALAR && x->op == OP_add && x->arg[1]->kind == EXPR_INT) {
        offset = x->arg[1]->i;
        x = x->arg[0];
    }
    if (x->kind != EXPR_VAR || x->var->mutable) return;
    const Fact *old = fact_of(t, x->var);
    Fact fact = old ? *old : (Fact){x->var, NULL, anywhere, 1};
    Range limit = range_of(t, y);
    bool below = op == OP_lt || op == OP_le || op == OP_eq;
    bool above = op == OP_gt || op == OP_ge || op == OP_eq;
    if (below && limit.high < FAR)
        fact.range.high = smaller(fact.range.high,
                                  clamp((__int128)limit.high - offset - (op == OP_lt)));
    if (above && limit.low > -FAR)
        fact.range.low =
            larger(fact.range.low, clamp((__int128)limit.low - offset + (op == OP_gt)));
    if (fact.range.low <= fact.range.high) vec_push(t->arena, &t->facts, fact);
}

static void assume(Tidy *t, const Expr *condition, bool truth) {
    if (condition->kind != EXPR_SCALAR) return;
    const Expr *x = condition->arg[0], *y = condition->arg[1];
    Op op = condition->op;
    if (op == (truth ? OP_and : OP_or)) {
        assume(t, x, truth);
        assume(t, y, truth);
    } else if (op == OP_not) {
        assume(t, x, !truth);
    } else if (x->is_index) {
        op = truth ? op : opposite(op);
        narrow(t, op, x, y);
        narrow(t, mirrored(op), y, x);
    }
}

/* Pure arithmetic: may be computed earlier, and where it is not needed. */
static bool is_pure(const Expr *e) {
    if (e->buffer || e->kind == EXPR_INDEX) return false;
    if (e->kind == EXPR_VAR && e->var->mutable) return false;
    bool divides = e->kind == EXPR_SCALAR && (e->op == OP_div || e->op == OP_mod);
    if (divides && !elem_is_float(e->elem) && e->arg[1]->kind != EXPR_INT) return false;
    for (uint32_t i = 0; i < e->args; i++)
        if (!is_pure(e->arg[i])) return false;
    return true;
}

/* Statements, outside in. */

static void statement(Tidy *t, Block *b, const Stmt *s);

static const Stmt *body(Tidy *t, const Stmt *s) {
    if (!s) return NULL;
    Block block = block_new(t->arena);
    uint32_t known = t->facts.count;
    statement(t, &block, s);
    t->facts.count = known;
    return block_end(&block);
}

static void for_statement(Tidy *t, Block *b, const Stmt *s) {
    const Expr *begin = expression(t, s->begin), *end = expression(t, s->end);
    Range first = range_of(t, begin), last = range_of(t, end),
          length = gap_of(t, end, begin);
    if (length.high <= 0) return;
    Fact fact = {s->var,
                 NULL,
                 {first.low, clamp((__int128)last.high - 1)},
                 gcd(s->step, multiple_of(t, begin))};
    if (first.low == first.high && last.high < FAR)
        fact.range.high = first.low + (last.high - 1 - first.low) / s->step * s->step;
    bool once = length.low >= 1 && length.high <= s->step;
    if (once) fact.value = is_pure(begin) ? begin : block_let(b, s->var->name, begin);
    uint32_t known = t->facts.count;
    vec_push(t->arena, &t->facts, fact);
    if (once)
        statement(t, b, s->body);
    else
        block_for(b, s->var, begin, end, s->step, s->unroll, body(t, s->body));
    /* Without the loop its lets live on in this block, and so do their facts. */
    if (!once) t->facts.count = known;
}

/* A variable that a let gave a value before, at another place, gets a successor. */
static const Var *successor(Tidy *t, const Var *var) {
    if (!set_has(&t->emitted, var, true)) return var;
    const Var *fresh = arena_copy(t->arena, var, sizeof *var);
    vec_push(t->arena, &t->facts, (Fact){var, expr_var(t->arena, fresh), anywhere, 1});
    return fresh;
}

static void let_statement(Tidy *t, Block *b, const Stmt *s) {
    const Expr *value = expression(t, s->value);
    Fact fact = {s->var, NULL, range_of(t, value), multiple_of(t, value)};
    bool is_atom = value->kind == EXPR_INT || value->kind == EXPR_NUM ||
                   (value->kind == EXPR_VAR && !value->var->mutable);
    if (is_atom && !s->var->mutable) {
        fact.value = value;
        vec_push(t->arena, &t->facts, fact);
        return;
    }
    Stmt *let = arena_copy(t->arena, s, sizeof *s);
    let->var = fact.var = successor(t, s->var);
    let->value = value;
    block_add(b, let);
    if (s->var->is_index && !s->var->mutable) vec_push(t->arena, &t->facts, fact);
}

static void set_statement(Tidy *t, Block *b, const Stmt *s) {
    const Fact *fact = fact_of(t, s->var);
    const Var *var = fact && fact->value ? fact->value->var : s->var;
    block_set(b, var, expression(t, s->value));
}

static void if_statement(Tidy *t, Block *b, const Stmt *s) {
    const Expr *condition = expression(t, s->value);
    if (condition->kind == EXPR_NUM) {
        const Stmt *taken = condition->num != 0 ? s->body : s->other;
        if (taken) statement(t, b, taken);
        return;
    }
    uint32_t known = t->facts.count;
    assume(t, condition, true);
    const Stmt *then = body(t, s->body);
    t->facts.count = known;
    assume(t, condition, false);
    const Stmt *other = body(t, s->other);
    t->facts.count = known;
    block_if(b, condition, then, other);
}

static void statement(Tidy *t, Block *b, const Stmt *s) {
    const Expr *value, *index;
    switch (s->kind) {
    case STMT_BLOCK:
        for (uint32_t i = 0; i < s->count; i++) statement(t, b, s->at[i]);
        return;
    case STMT_FOR: for_statement(t, b, s); return;
    case STMT_LET: let_statement(t, b, s); return;
    case STMT_SET: set_statement(t, b, s); return;
    case STMT_STORE:
        index = expression(t, s->index);
        value = expression(t, s->value);
        block_store(b, s->buffer, index, value, s->stride,
                    activity(t, expression(t, s->active), value->lanes));
        return;
    case STMT_LOCAL: block_local(b, s->buffer); return;
    case STMT_VIEW:
        index = expression(t, s->index);
        value = expression(t, s->value);
        block_view_if(b, s->buffer, value, s->base, index, s->base2,
                      expression(t, s->index2));
        return;
    case STMT_IF: if_statement(t, b, s); return;
    case STMT_PREFETCH: block_prefetch(b, s->buffer, expression(t, s->index)); return;
    }
}

/* Statements, backwards: what is used, and where it belongs. */

static void use_expr(Set *u, const Expr *e) {
    if (!e) return;
    if (e->var) set_has(u, e->var, true);
    if (e->buffer) set_has(u, e->buffer, true);
    for (uint32_t i = 0; i < e->args; i++) use_expr(u, e->arg[i]);
}

static void use_stmt(Set *u, const Stmt *s) {
    const Expr *const exprs[] = {s->begin, s->end,    s->index,
                                 s->value, s->active, s->index2};
    for (size_t i = 0; i < sizeof exprs / sizeof *exprs; i++) use_expr(u, exprs[i]);
    const Buffer *const buffers[] = {s->buffer, s->base, s->base2};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i]) set_has(u, buffers[i], true);
    if (s->kind == STMT_SET) set_has(u, s->var, true); /* a loop may read it next time */
}

static bool mentions(const Expr *e, Set *defined) {
    if (e->var && set_has(defined, e->var, false)) return true;
    for (uint32_t i = 0; i < e->args; i++)
        if (mentions(e->arg[i], defined)) return true;
    return false;
}

static const Stmt *settle(Set *u, const Stmt *s, Block *before);

/* Takes the lets that do not change in the loop out of its body, in order. */
static const Stmt *hoist_lets(Set *u, const Stmt *loop, Block *before) {
    Block rest = block_new(u->arena);
    Set defined = {.arena = u->arena};
    set_has(&defined, loop->var, true);
    for (uint32_t i = 0; i < loop->body->count; i++) {
        const Stmt *s = loop->body->at[i];
        bool is_let = s->kind == STMT_LET && !s->var->mutable;
        if (is_let && is_pure(s->value) && !mentions(s->value, &defined)) {
            block_add(before, s);
            continue;
        }
        if (s->kind == STMT_LET) set_has(&defined, s->var, true);
        block_add(&rest, s);
    }
    return block_end(&rest);
}

/* A block from its last statement to its first; `lifted` statements stand before theirs.
 */
static const Stmt *settle_block(Set *u, const Stmt *s) {
    VEC(const Stmt *) kept = {0};
    for (uint32_t i = s->count; i-- > 0;) {
        Block before = block_new(u->arena);
        const Stmt *settled = settle(u, s->at[i], &before);
        if (settled) vec_push(u->arena, &kept, settled);
        for (uint32_t k = before.list.count; k-- > 0;)
            vec_push(u->arena, &kept, before.list.at[k]);
    }
    Block block = block_new(u->arena);
    for (uint32_t i = kept.count; i-- > 0;) block_add(&block, kept.at[i]);
    return block_end(&block);
}

static const Stmt *settle(Set *u, const Stmt *s, Block *before) {
    Stmt *copy = arena_copy(u->arena, s, sizeof *s);
    if (s->kind == STMT_BLOCK) return settle_block(u, s);
    if (s->kind == STMT_LET && !set_has(u, s->var, false)) return NULL;
    if (s->kind == STMT_LOCAL || s->kind == STMT_VIEW)
        if (!set_has(u, s->buffer, false)) return NULL;
    if (s->kind == STMT_FOR || s->kind == STMT_IF) {
        copy->body = settle_block(u, s->body);
        copy->other = s->other ? settle_block(u, s->other) : NULL;
        if (copy->other && !copy->other->count) copy->other = NULL;
        if (!copy->body->count && !copy->other) return NULL;
    }
    if (s->kind == STMT_FOR) copy->body = hoist_lets(u, copy, before);
    use_stmt(u, copy);
    return copy;
}

Kernel *tidy(Arena *arena, Kernel *kernel) {
    Tidy t = {.arena = arena, .emitted = {.arena = arena}};
    Kernel *result = arena_copy(arena, kernel, sizeof *kernel);
    vec_push(arena, &t.facts, (Fact){kernel->n, NULL, {0, FAR}, 1});
    result->tasks = expression(&t, kernel->tasks);
    Range tasks = range_of(&t, result->tasks);
    vec_push(arena, &t.facts,
             (Fact){kernel->task, NULL, {0, larger(tasks.high - 1, 0)}, 1});
    Set uses = {.arena = arena};
    result->body = settle_block(&uses, body(&t, kernel->body));
    return result;
}
