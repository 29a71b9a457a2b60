/*
 * Integers affine in loop counters and their digits, interned; the arithmetic of places.
 *
 *   (12*h + 2*w2 + d) / 2   ->   6*h + w2        with d in [0, 2)
 *   20*(m / 20) + m % 20    ->   m
 */
#include "passes/emitter.h"

typedef struct Sum {
    int64_t offset;
    uint32_t terms;
    Term term[MAX_TERMS];
} Sum;

/* ---- atoms ---- */

static bool same(const Expr *x, const Expr *y) {
    return x == y || (x && y && expr_equal(x, y));
}

static const Atom *atom_new(Emitter *e, Atom key) {
    for (Atom *a = e->atoms; a; a = a->next)
        if (a->counter == key.counter && a->low == key.low && a->high == key.high &&
            same(a->scalar, key.scalar) && same(a->vector, key.vector))
            return a;
    Atom *atom = arena_new(e->arena, Atom);
    *atom = key;
    atom->id = e->atom_count++;
    atom->next = e->atoms;
    e->atoms = atom;
    return atom;
}

/* (counter % high) / low; NULL when it is always 0. */
static const Atom *atom_digit(Emitter *e, const Counter *c, int64_t low, int64_t high) {
    if (high >= c->extent) high = 0;
    int64_t extent = ((high ? high : c->extent) + low - 1) / low;
    if (extent <= 1) return NULL;
    return atom_new(
        e,
        (Atom){
            .level = c->level, .counter = c, .low = low, .high = high, .extent = extent});
}

static bool atom_varies(const Atom *a) {
    return a->counter ? a->counter->lanes > 1 : a->vector != NULL;
}

/* ---- sums ---- */

static void sum_add(Sum *sum, const Atom *atom, int64_t coefficient, Arena *arena) {
    if (!atom || !coefficient) return;
    for (uint32_t i = 0; i < sum->terms; i++) {
        if (sum->term[i].atom != atom) continue;
        sum->term[i].coefficient += coefficient;
        if (!sum->term[i].coefficient) sum->term[i] = sum->term[--sum->terms];
        return;
    }
    if (sum->terms == MAX_TERMS) bug(arena, "an index of more than %d terms", MAX_TERMS);
    sum->term[sum->terms++] = (Term){atom, coefficient};
}

static Sum sum_of(const Index *x) {
    Sum sum = {.offset = x->offset, .terms = x->terms};
    memcpy(sum.term, x->term, sizeof(Term) * x->terms);
    return sum;
}

/* Joins two digits of one counter that stand side by side; false when there are none. */
static bool join_digits(Emitter *e, Sum *sum) {
    for (uint32_t i = 0; i < sum->terms; i++) {
        for (uint32_t j = 0; j < sum->terms; j++) {
            Term low = sum->term[i], high = sum->term[j];
            const Atom *a = low.atom, *b = high.atom;
            if (i == j || !a->counter || a->counter != b->counter || a->high != b->low ||
                !a->high || a->high % a->low ||
                high.coefficient != low.coefficient * (a->high / a->low))
                continue;
            sum_add(sum, a, -low.coefficient, e->arena);
            sum_add(sum, b, -high.coefficient, e->arena);
            sum_add(sum, atom_digit(e, a->counter, a->low, b->high), low.coefficient,
                    e->arena);
            return true;
        }
    }
    return false;
}

/* c*(x % d) + c*d*(x / d) is c*x where neither has an affine form. */
static bool join_division(Emitter *e, Sum *sum) {
    for (uint32_t i = 0; i < sum->terms; i++) {
        for (uint32_t j = 0; j < sum->terms; j++) {
            Term low = sum->term[i], high = sum->term[j];
            const Atom *a = low.atom, *b = high.atom;
            if (!a->of || a->of != b->of || a->divisor != b->divisor || !a->is_rest ||
                b->is_rest || high.coefficient != low.coefficient * a->divisor)
                continue;
            sum_add(sum, a, -low.coefficient, e->arena);
            sum_add(sum, b, -high.coefficient, e->arena);
            sum->offset += low.coefficient * a->of->offset;
            for (uint32_t k = 0; k < a->of->terms; k++)
                sum_add(sum, a->of->term[k].atom,
                        low.coefficient * a->of->term[k].coefficient, e->arena);
            return true;
        }
    }
    return false;
}

static void sort_terms(Sum *sum) {
    for (uint32_t i = 1; i < sum->terms; i++) {
        Term t = sum->term[i];
        uint32_t j = i;
        for (; j && sum->term[j - 1].atom->id > t.atom->id; j--)
            sum->term[j] = sum->term[j - 1];
        sum->term[j] = t;
    }
}

static const Index *intern(Emitter *e, Sum *sum) {
    while (join_digits(e, sum) || join_division(e, sum)) {
    }
    sort_terms(sum);
    uint64_t hash = (uint64_t)sum->offset * 0x9E3779B97F4A7C15u;
    for (uint32_t i = 0; i < sum->terms; i++)
        hash = (hash ^ sum->term[i].atom->id ^ (uint64_t)sum->term[i].coefficient << 16) *
               0x9E3779B97F4A7C15u;
    const Index **bucket = &e->bucket[hash >> 55];
    for (const Index *x = *bucket; x; x = x->next) {
        if (x->offset != sum->offset || x->terms != sum->terms) continue;
        uint32_t same = 0;
        while (same < x->terms && x->term[same].atom == sum->term[same].atom &&
               x->term[same].coefficient == sum->term[same].coefficient)
            same++;
        if (same == x->terms) return x;
    }
    Index *x = arena_alloc(e->arena, sizeof *x + sizeof(Term) * sum->terms);
    x->offset = sum->offset;
    x->terms = sum->terms;
    memcpy(x->term, sum->term, sizeof(Term) * sum->terms);
    x->next = *bucket;
    return *bucket = x;
}

static const Index *index_atom(Emitter *e, const Atom *atom) {
    Sum sum = {0};
    sum_add(&sum, atom, 1, e->arena);
    return intern(e, &sum);
}

/* ---- construction ---- */

const Index *index_int(Emitter *e, int64_t value) {
    Sum sum = {.offset = value};
    return intern(e, &sum);
}

const Index *index_counter(Emitter *e, const Expr *at, int64_t extent, uint32_t domain,
                           int64_t unit) {
    /* One that does not move is known everywhere. */
    Counter *c = arena_new(e->arena, Counter);
    *c = (Counter){.at = at,
                   .extent = extent,
                   .lanes = 1,
                   .level = at->kind == EXPR_INT ? 0 : emit_level(e),
                   .domain = domain,
                   .unit = unit};
    return index_atom(e, atom_digit(e, c, 1, 0));
}

const Index *index_axis(Emitter *e, const Expr *at, int64_t extent) {
    return index_counter(e, at, extent, 0, 1);
}

const Index *index_opaque(Emitter *e, const Expr *scalar, const Expr *vector,
                          int64_t extent, uint32_t level) {
    if (scalar && scalar->kind == EXPR_INT) return index_int(e, scalar->i);
    return index_atom(e, atom_new(e, (Atom){.level = level,
                                            .scalar = scalar,
                                            .vector = vector,
                                            .extent = extent}));
}

const Index *index_add(Emitter *e, const Index *x, const Index *y) {
    if (!y->terms && !y->offset) return x;
    Sum sum = sum_of(x);
    sum.offset += y->offset;
    for (uint32_t i = 0; i < y->terms; i++)
        sum_add(&sum, y->term[i].atom, y->term[i].coefficient, e->arena);
    return intern(e, &sum);
}

const Index *index_scale(Emitter *e, const Index *x, int64_t factor) {
    if (factor == 1) return x;
    if (!factor) return index_int(e, 0);
    Sum sum = sum_of(x);
    sum.offset *= factor;
    for (uint32_t i = 0; i < sum.terms; i++) sum.term[i].coefficient *= factor;
    return intern(e, &sum);
}

void index_range(const Index *x, int64_t *low, int64_t *high) {
    *low = *high = x->offset;
    for (uint32_t i = 0; i < x->terms; i++) {
        int64_t span = x->term[i].coefficient * (x->term[i].atom->extent - 1);
        *(span < 0 ? low : high) += span;
    }
}

/* ---- facts ---- */

bool index_varies(const Index *x) {
    for (uint32_t i = 0; i < x->terms; i++)
        if (atom_varies(x->term[i].atom)) return true;
    return false;
}

uint32_t index_lanes(const Index *x) {
    for (uint32_t i = 0; i < x->terms; i++) {
        const Atom *a = x->term[i].atom;
        if (a->counter && a->counter->lanes > 1) return a->counter->lanes;
        if (a->vector) return a->vector->lanes;
    }
    return 1;
}

const Counter *index_vector_counter(const Index *x) {
    for (uint32_t i = 0; i < x->terms; i++) {
        const Counter *c = x->term[i].atom->counter;
        if (c && c->lanes > 1) return c;
    }
    return NULL;
}

uint32_t index_level(const Index *x) {
    uint32_t level = 0;
    for (uint32_t i = 0; i < x->terms; i++)
        if (x->term[i].atom->level > level) level = x->term[i].atom->level;
    return level;
}

bool index_stride(const Index *x, int64_t *stride) {
    *stride = 0;
    for (uint32_t i = 0; i < x->terms; i++) {
        const Atom *a = x->term[i].atom;
        if (!atom_varies(a)) continue;
        if (!a->counter || a->low != 1 || a->high) return false;
        *stride += x->term[i].coefficient;
    }
    return true;
}

/* ---- loop expressions ---- */

/* Somebody needs a digit by itself: its run had better be walked by two loops. */
static void ask_cut(Emitter *e, const Counter *c, int64_t place) {
    if (!c->domain || place <= 1) return;
    Cut cut = {c->domain, c->unit * place};
    for (uint32_t i = 0; i < e->cuts.count; i++)
        if (e->cuts.at[i].domain == cut.domain && e->cuts.at[i].unit == cut.unit) return;
    vec_push(e->arena, &e->cuts, cut);
}

static const Expr *atom_scalar(Emitter *e, const Atom *a) {
    if (a->scalar) return a->scalar;
    if (!a->counter) bug(e->arena, "an index of many lanes where one was asked for");
    const Expr *x = a->counter->at;
    ask_cut(e, a->counter, a->low);
    ask_cut(e, a->counter, a->high);
    if (a->high) x = expr_scalar(e->arena, OP_mod, x, expr_int(e->arena, a->high));
    if (a->low > 1) x = expr_scalar(e->arena, OP_div, x, expr_int(e->arena, a->low));
    return x;
}

static const Expr *number(Emitter *e, uint32_t lanes, int64_t value) {
    return expr_num(e->arena, ELEM_i32, lanes, (double)value);
}

static const Expr *atom_vector(Emitter *e, const Atom *a) {
    if (a->vector) return a->vector;
    const Counter *c = a->counter;
    const Expr *x = expr_ramp(e->arena, c->at, c->lanes);
    if (c->active) { /* lanes beyond repeat the last one that is */
        const Expr *last = expr_add(e->arena, c->at, c->active);
        last = expr_add(e->arena, last, expr_int(e->arena, -1));
        x = expr_scalar(e->arena, OP_min, x, expr_cast(e->arena, last, ELEM_i32));
    }
    ask_cut(e, c, a->low);
    ask_cut(e, c, a->high);
    if (a->high) x = expr_scalar(e->arena, OP_mod, x, number(e, c->lanes, a->high));
    if (a->low > 1) x = expr_scalar(e->arena, OP_div, x, number(e, c->lanes, a->low));
    return x;
}

static const Expr *add_term(Emitter *e, const Expr *sum, const Expr *x,
                            int64_t coefficient) {
    x = expr_mul(e->arena, x, coefficient);
    return sum ? expr_add(e->arena, sum, x) : x;
}

const Expr *index_expr(Emitter *e, const Index *x) {
    const Expr *sum = NULL;
    for (uint32_t i = 0; i < x->terms; i++)
        sum = add_term(e, sum, atom_scalar(e, x->term[i].atom), x->term[i].coefficient);
    if (!sum) return expr_int(e->arena, x->offset);
    return expr_add(e->arena, sum, expr_int(e->arena, x->offset));
}

void index_split(Emitter *e, const Index *x, const Expr **start, const Expr **lanes) {
    Sum uniform = {.offset = x->offset};
    *lanes = NULL;
    for (uint32_t i = 0; i < x->terms; i++) {
        const Atom *a = x->term[i].atom;
        if (!atom_varies(a)) {
            sum_add(&uniform, a, x->term[i].coefficient, e->arena);
            continue;
        }
        const Expr *v = atom_vector(e, a);
        v = expr_scalar(e->arena, OP_mul, v, number(e, v->lanes, x->term[i].coefficient));
        *lanes = *lanes ? expr_scalar(e->arena, OP_add, *lanes, v) : v;
    }
    *start = index_expr(e, intern(e, &uniform));
}

const Expr *index_vector(Emitter *e, const Index *x) {
    const Expr *start, *lanes;
    index_split(e, x, &start, &lanes);
    if (!lanes) return expr_cast(e->arena, start, ELEM_i32);
    return expr_scalar(e->arena, OP_add, lanes, expr_cast(e->arena, start, ELEM_i32));
}

const Expr *index_compare(Emitter *e, Op op, const Index *x, const Index *y) {
    if (index_varies(x) || index_varies(y))
        return expr_scalar(e->arena, op, index_vector(e, x), index_vector(e, y));
    return expr_scalar(e->arena, op, index_expr(e, x), index_expr(e, y));
}

/* An op on indices that has no affine form; a quotient or rest knows what it is of. */
static const Index *opaque(Emitter *e, Op op, const Index *x, const Index *y,
                           int64_t extent) {
    uint32_t level = index_level(x) > index_level(y) ? index_level(x) : index_level(y);
    const Expr *result = index_compare(e, op, x, y);
    Atom key = {.level = level, .extent = extent};
    if (result->kind == EXPR_INT) return index_int(e, result->i);
    *(result->is_index ? &key.scalar : &key.vector) = result;
    if (!y->terms && (op == OP_div || op == OP_mod)) {
        key.of = x;
        key.divisor = y->offset;
        key.is_rest = op == OP_mod;
    }
    return index_atom(e, atom_new(e, key));
}

/* ---- division ---- */

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static int64_t gcd(int64_t a, int64_t b) {
    if (a < 0) a = -a;
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* x = divisor * quotient + rest, rest with the terms that do not divide. */
static const Index *parts(Emitter *e, const Index *x, int64_t divisor,
                          const Index **rest) {
    Sum quotient = {0}, other = {0};
    for (uint32_t i = 0; i < x->terms; i++) {
        Term t = x->term[i];
        if (t.coefficient % divisor)
            sum_add(&other, t.atom, t.coefficient, e->arena);
        else
            sum_add(&quotient, t.atom, t.coefficient / divisor, e->arena);
    }
    quotient.offset = floor_div(x->offset, divisor);
    other.offset = x->offset - quotient.offset * divisor;
    *rest = intern(e, &other);
    return intern(e, &quotient);
}

/* The largest g that divides `divisor` with x = g*y + r, r in [0, g); 1: none. */
static int64_t coarse_unit(Emitter *e, const Index *x, int64_t divisor, const Index **y,
                           const Index **r) {
    int64_t best = 1, low, high;
    for (uint32_t i = 0; i < x->terms; i++) {
        int64_t g = gcd(x->term[i].coefficient, divisor);
        const Index *rest, *quotient = parts(e, x, g, &rest);
        index_range(rest, &low, &high);
        if (g <= best || low < 0 || high >= g) continue;
        best = g;
        *y = quotient;
        *r = rest;
    }
    return best;
}

/* The rest of parts(), whose range is not within one multiple of the divisor: / or %. */
static const Index *divide_rest(Emitter *e, Op op, const Index *x, int64_t divisor) {
    int64_t low, high;
    const Index *y, *r;
    int64_t g = coarse_unit(e, x, divisor, &y, &r);
    if (g > 1) { /* (g*y + r) / (g*d) = y / d;  (g*y + r) % (g*d) = g*(y % d) + r */
        if (op == OP_div) return index_div(e, y, divisor / g);
        return index_add(e, index_scale(e, index_mod(e, y, divisor / g), g), r);
    }
    index_range(x, &low, &high);
    const Atom *a = x->terms ? x->term[0].atom : NULL;
    if (x->terms == 1 && x->term[0].coefficient == 1 && !x->offset && a->counter) {
        int64_t place = a->low * divisor;
        if (op == OP_div) return index_atom(e, atom_digit(e, a->counter, place, a->high));
        if (!a->high || a->high % place == 0)
            return index_atom(e, atom_digit(e, a->counter, a->low, place));
    }
    return opaque(e, op, x, index_int(e, divisor),
                  op == OP_div ? high / divisor + 1 : divisor);
}

const Index *index_div(Emitter *e, const Index *x, int64_t divisor) {
    const Index *rest, *quotient = parts(e, x, divisor, &rest);
    int64_t low, high;
    if (divisor == 1) return x;
    index_range(rest, &low, &high);
    if (floor_div(low, divisor) == floor_div(high, divisor))
        return index_add(e, quotient, index_int(e, floor_div(low, divisor)));
    if (low < 0) {
        index_range(x, &low, &high); /* of the rest alone it would be too small */
        return opaque(e, OP_div, x, index_int(e, divisor), high / divisor + 1);
    }
    return index_add(e, quotient, divide_rest(e, OP_div, rest, divisor));
}

const Index *index_mod(Emitter *e, const Index *x, int64_t divisor) {
    const Index *rest;
    int64_t low, high;
    if (divisor == 1) return index_int(e, 0);
    parts(e, x, divisor, &rest);
    index_range(rest, &low, &high);
    if (floor_div(low, divisor) == floor_div(high, divisor))
        return index_add(e, rest, index_int(e, -floor_div(low, divisor) * divisor));
    if (low < 0) return opaque(e, OP_mod, x, index_int(e, divisor), divisor);
    return divide_rest(e, OP_mod, rest, divisor);
}

/* ---- by dimensions, which may depend on n ---- */

static const Index *dim_index(Emitter *e, Dim dim) {
    if (dim_is_const(dim)) return index_int(e, dim);
    return index_opaque(e, emit_dim(e, dim), NULL,
                        dim_max(&e->func->module->dims, dim) + 1, 0);
}

static int64_t high_of(const Index *x) {
    int64_t low, high;
    index_range(x, &low, &high);
    return high;
}

const Index *index_scale_dim(Emitter *e, const Index *x, Dim dim) {
    if (dim_is_const(dim)) return index_scale(e, x, dim);
    if (!x->terms && !x->offset) return x;
    int64_t extent = high_of(x) * dim_max(&e->func->module->dims, dim) + 1;
    return opaque(e, OP_mul, x, dim_index(e, dim), extent);
}

const Index *index_div_dim(Emitter *e, const Index *x, Dim dim) {
    if (dim_is_const(dim)) return index_div(e, x, dim);
    return opaque(e, OP_div, x, dim_index(e, dim), high_of(x) + 1);
}

const Index *index_mod_dim(Emitter *e, const Index *x, Dim dim) {
    if (dim_is_const(dim)) return index_mod(e, x, dim);
    return opaque(e, OP_mod, x, dim_index(e, dim), dim_max(&e->func->module->dims, dim));
}

const Index *index_clamp(Emitter *e, const Index *x, Dim dim) {
    int64_t low, high, extent = dim_max(&e->func->module->dims, dim);
    index_range(x, &low, &high);
    if (low >= 0 && dim_is_const(dim) && high < dim) return x;
    const Index *last = index_add(e, dim_index(e, dim), index_int(e, -1));
    if (low < 0) x = opaque(e, OP_max, x, index_int(e, 0), high < 0 ? 1 : high + 1);
    return opaque(e, OP_min, x, last, extent);
}

void index_unravel(Emitter *e, const Index *linear, const Type *type, const Index **at) {
    for (uint32_t i = type->rank; i-- > 1;) {
        at[i] = index_mod_dim(e, linear, type->dim[i]);
        linear = index_div_dim(e, linear, type->dim[i]);
    }
    if (type->rank) at[0] = linear;
}

const Index *index_ravel(Emitter *e, const Type *type, const Index *const *at) {
    const Index *linear = index_int(e, 0);
    for (uint32_t i = 0; i < type->rank; i++)
        linear = index_add(e, index_scale_dim(e, linear, type->dim[i]), at[i]);
    return linear;
}
