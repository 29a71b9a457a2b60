/*
 * Index arithmetic, folded where it is built.  Sums are kept as  terms + constant,
 * products as  x * constant: a constant moves outwards and to the right until it meets
 * another. There is no subtraction: x - y is x + y * -1.
 *
 *     (x + 3) + 4    ->  x + 7          (x + 3) * 2       ->  x * 2 + 6
 *     x + (y + 3)    ->  (x + y) + 3    (x * 6 + 7) / 3   ->  x * 2 + 2
 *     x * 2 + x      ->  x * 3          (x * 6 + 7) mod 3 ->  1
 *
 * What needs the range of a variable is left to the pass `tidy`.
 */
#include "ir/loop_fold.h"

static const Expr *node(Arena *a, Op op, const Expr *x, const Expr *y) {
    Expr *e = arena_new(a, Expr);
    e->kind = EXPR_SCALAR;
    e->op = op;
    e->is_index = scalar_info(op).class == SCALAR_N;
    e->elem = e->is_index ? ELEM_i32 : ELEM_bool;
    e->lanes = 1;
    e->args = 2;
    e->arg[0] = x;
    e->arg[1] = y;
    return e;
}

/* Constants wrap as the machine's do: texts may hold any. */
static int64_t plus(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x + (uint64_t)y);
}
static int64_t times(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x * (uint64_t)y);
}

static bool is(const Expr *e, Op op) {
    return e->kind == EXPR_SCALAR && e->op == op;
}

/* e = rest * factor, or rest + offset, with the constant peeled off. */
static const Expr *peel_factor(const Expr *e, int64_t *factor) {
    bool scaled = is(e, OP_mul) && e->arg[1]->kind == EXPR_INT;
    *factor = scaled ? e->arg[1]->i : 1;
    return scaled ? e->arg[0] : e;
}

static const Expr *peel_offset(const Expr *e, int64_t *offset) {
    bool moved = is(e, OP_add) && e->arg[1]->kind == EXPR_INT;
    *offset = moved ? e->arg[1]->i : 0;
    return moved ? e->arg[0] : e;
}

static const Expr *with_offset(Arena *a, const Expr *x, int64_t offset) {
    if (x->kind == EXPR_INT) return expr_int(a, plus(x->i, offset));
    return offset ? node(a, OP_add, x, expr_int(a, offset)) : x;
}

/* `x` (a sum without constant) + y * factor, where y joins its equal in the sum, if any.
 */
static const Expr *join_term(Arena *a, const Expr *x, const Expr *y, int64_t factor) {
    int64_t own;
    const Expr *base = peel_factor(x, &own);
    if (expr_equal(base, y)) return expr_mul(a, y, plus(own, factor));
    if (!is(x, OP_add)) return NULL;
    const Expr *left = join_term(a, x->arg[0], y, factor);
    if (left) return expr_add(a, left, x->arg[1]);
    const Expr *right = join_term(a, x->arg[1], y, factor);
    return right ? expr_add(a, x->arg[0], right) : NULL;
}

static const Expr *fold_add(Arena *a, const Expr *x, const Expr *y) {
    int64_t p, q, factor;
    x = peel_offset(x, &p);
    y = peel_offset(y, &q);
    if (x->kind == EXPR_INT) return with_offset(a, y, plus(x->i, plus(p, q)));
    if (y->kind == EXPR_INT) return with_offset(a, x, plus(y->i, plus(p, q)));
    if (is(y, OP_add)) {
        const Expr *sum = fold_add(a, fold_add(a, x, y->arg[0]), y->arg[1]);
        return fold_add(a, sum, expr_int(a, plus(p, q)));
    }
    const Expr *term = peel_factor(y, &factor);
    const Expr *sum = join_term(a, x, term, factor);
    return with_offset(a, sum ? sum : node(a, OP_add, x, y), plus(p, q));
}

static const Expr *fold_mul(Arena *a, const Expr *x, const Expr *y) {
    if (x->kind == EXPR_INT) {
        const Expr *swap = x;
        x = y;
        y = swap;
    }
    if (y->kind != EXPR_INT) return node(a, OP_mul, x, y);
    if (x->kind == EXPR_INT) return expr_int(a, times(x->i, y->i));
    if (y->i == 0) return y;
    if (y->i == 1) return x;
    int64_t factor, offset;
    const Expr *rest = peel_offset(x, &offset);
    if (offset) return with_offset(a, expr_mul(a, rest, y->i), times(offset, y->i));
    rest = peel_factor(x, &factor);
    return node(a, OP_mul, rest, expr_int(a, times(factor, y->i)));
}

/* Negates term by term, so that equal terms of a difference meet. */
static const Expr *negate(Arena *a, const Expr *x) {
    if (!is(x, OP_add)) return expr_mul(a, x, -1);
    return fold_add(a, negate(a, x->arg[0]), negate(a, x->arg[1]));
}

static const Expr *fold_sub(Arena *a, const Expr *x, const Expr *y) {
    return fold_add(a, x, negate(a, y));
}

static int64_t floor_div(int64_t x, int64_t d) {
    return x / d - (x % d < 0);
}

/* Splits a sum into what `d` divides, over d, and the rest: e = d * whole + rest. */
static void split_multiple(Arena *a, const Expr *e, int64_t d, const Expr **whole,
                           const Expr **rest) {
    int64_t factor;
    if (is(e, OP_add)) {
        const Expr *w[2], *r[2];
        for (int i = 0; i < 2; i++) split_multiple(a, e->arg[i], d, &w[i], &r[i]);
        *whole = expr_add(a, w[0], w[1]);
        *rest = expr_add(a, r[0], r[1]);
        return;
    }
    *whole = expr_int(a, 0);
    *rest = e;
    const Expr *base = peel_factor(e, &factor);
    if (e->kind == EXPR_INT) {
        *whole = expr_int(a, floor_div(e->i, d));
        *rest = expr_int(a, e->i - d * floor_div(e->i, d));
    } else if (factor % d == 0) {
        *whole = expr_mul(a, base, factor / d);
        *rest = expr_int(a, 0);
    }
}

/* A remainder of two or more terms may be negative although the whole is not, and then
 * division would round the other way; a lone constant is in [0, d). */
static const Expr *fold_div(Arena *a, const Expr *x, const Expr *y) {
    if (y->kind != EXPR_INT) return node(a, OP_div, x, y);
    if (y->i <= 0) bug(a, "loop IR: index division by %lld", (long long)y->i);
    if (y->i == 1) return x;
    const Expr *whole, *rest;
    split_multiple(a, x, y->i, &whole, &rest);
    if (rest->kind == EXPR_INT) return whole;
    if (!is(x, OP_div) || x->arg[1]->kind != EXPR_INT) return node(a, OP_div, x, y);
    int64_t both;
    if (__builtin_mul_overflow(x->arg[1]->i, y->i, &both)) return expr_int(a, 0);
    return node(a, OP_div, x->arg[0], expr_int(a, both));
}

static const Expr *fold_mod(Arena *a, const Expr *x, const Expr *y) {
    if (y->kind != EXPR_INT) return node(a, OP_mod, x, y);
    if (y->i <= 0) bug(a, "loop IR: index modulo %lld", (long long)y->i);
    const Expr *whole, *rest;
    split_multiple(a, x, y->i, &whole, &rest);
    if (rest->kind == EXPR_INT) return rest;
    return node(a, OP_mod, x, y);
}

static const Expr *fold_extremum(Arena *a, Op op, const Expr *x, const Expr *y) {
    const Expr *less = op == OP_min ? x : y, *more = op == OP_min ? y : x;
    const Expr *gap = fold_sub(a, y, x);
    if (gap->kind != EXPR_INT) return node(a, op, x, y);
    return gap->i >= 0 ? less : more;
}

static const Expr *fold_compare(Arena *a, Op op, const Expr *x, const Expr *y) {
    const Expr *gap = fold_sub(a, x, y);
    if (gap->kind != EXPR_INT) return node(a, op, x, y);
    return expr_num(a, ELEM_bool, 1, scalar_value(op, ELEM_f64, (double)gap->i, 0));
}

const Expr *loop_fold_index(Arena *a, Op op, const Expr *x, const Expr *y) {
    if (!y || !y->is_index)
        bug(a, "loop IR: %s of an index and a number", scalar_info(op).name);
    switch ((int)op) {
    case OP_add: return fold_add(a, x, y);
    case OP_sub: return fold_sub(a, x, y);
    case OP_mul: return fold_mul(a, x, y);
    case OP_div: return fold_div(a, x, y);
    case OP_mod: return fold_mod(a, x, y);
    case OP_min:
    case OP_max: return fold_extremum(a, op, x, y);
    case OP_lt:
    case OP_le:
    case OP_gt:
    case OP_ge:
    case OP_eq:
    case OP_ne: return fold_compare(a, op, x, y);
    default: bug(a, "loop IR: %s of indices", scalar_info(op).name);
    }
}

const Expr *expr_add(Arena *a, const Expr *x, const Expr *y) {
    return expr_scalar(a, OP_add, x, y);
}

const Expr *expr_mul(Arena *a, const Expr *x, int64_t factor) {
    return expr_scalar(a, OP_mul, x, expr_int(a, factor));
}
