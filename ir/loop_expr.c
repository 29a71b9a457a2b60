/* Constructors of loop expressions other than index arithmetic: types, splats, constants.
 */
#include "ir/loop.h"
#include "ir/loop_fold.h"
#include <math.h>

static Expr *expr_new(Arena *a, ExprKind kind, Elem elem, uint32_t lanes) {
    Expr *e = arena_new(a, Expr);
    e->kind = kind;
    e->elem = elem;
    e->lanes = lanes;
    return e;
}

static void set_args(Expr *e, uint32_t args, const Expr *x, const Expr *y,
                     const Expr *z) {
    const Expr *all[3] = {x, y, z};
    e->args = args;
    for (uint32_t i = 0; i < args; i++) e->arg[i] = all[i];
}

static void need(Arena *a, bool right, const char *what) {
    if (!right) bug(a, "loop IR: %s", what);
}

static bool is_constant(const Expr *e) {
    return e->kind == EXPR_NUM;
}

const Expr *expr_int(Arena *a, int64_t i) {
    Expr *e = expr_new(a, EXPR_INT, ELEM_i32, 1);
    e->is_index = true;
    e->i = i;
    return e;
}

const Expr *expr_num(Arena *a, Elem elem, uint32_t lanes, double num) {
    need(a, lanes > 0, "a constant of no lanes");
    Expr *e = expr_new(a, EXPR_NUM, elem, lanes);
    e->num = scalar_cast(elem, num);
    return e;
}

const Expr *expr_var(Arena *a, const Var *var) {
    Expr *e = expr_new(a, EXPR_VAR, var->elem, var->lanes);
    e->is_index = var->is_index;
    e->var = var;
    return e;
}

/* Both sides as wide as the wider one. */
static void level(Arena *a, const Expr **x, const Expr **y) {
    if ((*x)->lanes == (*y)->lanes) return;
    if ((*x)->lanes == 1)
        *x = expr_splat(a, *x, (*y)->lanes);
    else
        *y = expr_splat(a, *y, (*x)->lanes);
}

static bool class_takes(ScalarClass class, Elem elem) {
    switch (class) {
    case SCALAR_F: return elem_is_float(elem);
    case SCALAR_N: return elem != ELEM_bool;
    case SCALAR_C: return true;
    case SCALAR_B: return elem == ELEM_bool;
    case SCALAR_NONE: break;
    }
    return false;
}

/* x * 1, x / 1 and x - 0 give every bit of x; x + 0 does so on integers only. */
static bool is_right_unit(Op op, const Expr *y) {
    if (!is_constant(y)) return false;
    if (op == OP_mul || op == OP_div) return y->num == 1;
    if (op == OP_sub) return y->num == 0 && !signbit(y->num);
    return op == OP_add && y->num == 0 && !elem_is_float(y->elem);
}

const Expr *expr_scalar(Arena *a, Op op, const Expr *x, const Expr *y) {
    ScalarInfo info = scalar_info(op);
    need(a, info.args == (y ? 2 : 1), "a scalar op with a wrong number of operands");
    if (x->is_index) return loop_fold_index(a, op, x, y);
    if (y) {
        need(a, !y->is_index && x->elem == y->elem, "operands of two types");
        level(a, &x, &y);
    }
    if (!class_takes(info.class, x->elem))
        bug(a, "loop IR: %s of %s", info.name, elem_name(x->elem));
    Elem elem = info.class == SCALAR_C ? ELEM_bool : x->elem;
    if (is_constant(x) && (!y || is_constant(y)))
        return expr_num(a, elem, x->lanes,
                        scalar_value(op, x->elem, x->num, y ? y->num : 0));
    if (y && is_right_unit(op, y)) return x;
    if (y && op == OP_mul && is_right_unit(op, x)) return y;
    Expr *e = expr_new(a, EXPR_SCALAR, elem, x->lanes);
    e->op = op;
    set_args(e, y ? 2 : 1, x, y, NULL);
    return e;
}

const Expr *expr_fma(Arena *a, const Expr *x, const Expr *y, const Expr *z) {
    need(a, !x->is_index && elem_is_float(x->elem), "fma of other than floats");
    need(a, !y->is_index && x->elem == y->elem, "fma of two types");
    need(a, !z->is_index && x->elem == z->elem, "fma of two types");
    level(a, &x, &y);
    level(a, &x, &z);
    level(a, &x, &y);
    if (is_constant(x) && is_constant(y) && is_constant(z)) {
        bool single = x->elem == ELEM_f32;
        double value = single ? fmaf((float)x->num, (float)y->num, (float)z->num)
                              : fma(x->num, y->num, z->num);
        return expr_num(a, x->elem, x->lanes, value);
    }
    Expr *e = expr_new(a, EXPR_FMA, x->elem, x->lanes);
    set_args(e, 3, x, y, z);
    return e;
}

const Expr *expr_select(Arena *a, const Expr *condition, const Expr *x, const Expr *y) {
    need(a, !condition->is_index && condition->elem == ELEM_bool,
         "select by other than bool");
    need(a, x->is_index == y->is_index && (x->is_index || x->elem == y->elem),
         "select of two types");
    level(a, &x, &y);
    if (condition->lanes > 1 && x->lanes == 1 && !x->is_index) {
        x = expr_splat(a, x, condition->lanes);
        y = expr_splat(a, y, condition->lanes);
    }
    need(a, condition->lanes == 1 || condition->lanes == x->lanes,
         "select of unequal lanes");
    if (is_constant(condition)) return condition->num != 0 ? x : y;
    if (expr_equal(x, y)) return x;
    Expr *e = expr_new(a, EXPR_SELECT, x->elem, x->lanes);
    e->is_index = x->is_index;
    set_args(e, 3, condition, x, y);
    return e;
}

const Expr *expr_cast(Arena *a, const Expr *x, Elem elem) {
    if (!x->is_index && x->elem == elem) return x;
    if (x->kind == EXPR_INT) return expr_num(a, elem, 1, (double)x->i);
    if (is_constant(x)) return expr_num(a, elem, x->lanes, x->num);
    need(a, !x->is_index || elem == ELEM_i32 || elem == ELEM_f32,
         "an index is cast to i32 or f32 only");
    Expr *e = expr_new(a, EXPR_CAST, elem, x->lanes);
    set_args(e, 1, x, NULL, NULL);
    return e;
}

const Expr *expr_index(Arena *a, const Expr *x) {
    if (x->is_index) return x;
    need(a, x->lanes == 1 && (x->elem == ELEM_i32 || x->elem == ELEM_u8),
         "an index is made of one i32 or u8");
    if (is_constant(x)) return expr_int(a, (int64_t)x->num);
    if (x->kind == EXPR_CAST && x->elem == ELEM_i32 && x->arg[0]->is_index)
        return x->arg[0];
    Expr *e = expr_new(a, EXPR_INDEX, ELEM_i32, 1);
    e->is_index = true;
    set_args(e, 1, x, NULL, NULL);
    return e;
}

const Expr *expr_load(Arena *a, const Buffer *b, const Expr *index, uint32_t lanes,
                      int64_t stride, const Expr *active) {
    need(a, index->is_index && lanes > 0, "a load at other than an index");
    need(a, !active || active->is_index, "active lanes are counted by an index");
    if (active && active->kind == EXPR_INT && active->i >= (int64_t)lanes) active = NULL;
    if (active && active->kind == EXPR_INT && active->i <= 0)
        return expr_num(a, b->elem, lanes, 0);
    Expr *e = expr_new(a, EXPR_LOAD, b->elem, lanes);
    e->buffer = b;
    e->i = lanes == 1 ? 1 : stride;
    set_args(e, active ? 2 : 1, index, active, NULL);
    return e;
}

const Expr *expr_gather(Arena *a, const Buffer *b, const Expr *index,
                        const Expr *offsets) {
    need(a, index->is_index, "a gather at other than an index");
    need(a, !offsets->is_index && offsets->elem == ELEM_i32, "gather offsets are i32");
    if (offsets->lanes == 1)
        return expr_load(a, b, expr_add(a, index, expr_index(a, offsets)), 1, 1, NULL);
    Expr *e = expr_new(a, EXPR_GATHER, b->elem, offsets->lanes);
    e->buffer = b;
    set_args(e, 2, index, offsets, NULL);
    return e;
}

const Expr *expr_splat(Arena *a, const Expr *x, uint32_t lanes) {
    if (x->lanes == lanes && !x->is_index) return x;
    if (x->is_index || x->lanes != 1 || !lanes)
        bug(a, "loop IR: a splat of %u lanes to %u", x->is_index ? 0 : x->lanes, lanes);
    if (is_constant(x)) return expr_num(a, x->elem, lanes, x->num);
    Expr *e = expr_new(a, EXPR_SPLAT, x->elem, lanes);
    set_args(e, 1, x, NULL, NULL);
    return e;
}

const Expr *expr_ramp(Arena *a, const Expr *first, uint32_t lanes) {
    need(a, first->is_index && lanes > 0, "a ramp from other than an index");
    if (lanes == 1) return expr_cast(a, first, ELEM_i32);
    Expr *e = expr_new(a, EXPR_RAMP, ELEM_i32, lanes);
    set_args(e, 1, first, NULL, NULL);
    return e;
}

const Expr *expr_reduce(Arena *a, Op op, const Expr *x) {
    bool numbers = op == OP_add || op == OP_max || op == OP_min;
    need(a, !x->is_index, "a reduction of an index");
    need(a, numbers ? x->elem != ELEM_bool : op == OP_or && x->elem == ELEM_bool,
         "a reduction by another op than add, max, min, or");
    if (x->lanes == 1) return x;
    Expr *e = expr_new(a, EXPR_REDUCE, x->elem, 1);
    e->op = op;
    set_args(e, 1, x, NULL, NULL);
    return e;
}

const Expr *expr_bits(Arena *a, const Expr *const counter[4], const Expr *key,
                      uint32_t word) {
    uint32_t lanes = key->lanes;
    need(a, word < 4, "random bits have four words");
    for (int i = 0; i < 4; i++)
        if (counter[i]->lanes > lanes) lanes = counter[i]->lanes;
    Expr *e = expr_new(a, EXPR_BITS, ELEM_f32, lanes);
    e->args = 5;
    e->word = word;
    for (int i = 0; i < 5; i++) {
        const Expr *x = i < 4 ? counter[i] : key;
        need(a, !x->is_index && x->elem == ELEM_i32, "random bits come from i32");
        e->arg[i] = expr_splat(a, x, lanes);
    }
    return e;
}

bool expr_equal(const Expr *x, const Expr *y) {
    if (x == y) return true;
    if (x->kind != y->kind || x->is_index != y->is_index || x->elem != y->elem ||
        x->lanes != y->lanes || x->op != y->op || x->args != y->args ||
        x->word != y->word || x->i != y->i || x->var != y->var ||
        x->buffer != y->buffer || memcmp(&x->num, &y->num, sizeof x->num))
        return false;
    for (uint32_t i = 0; i < x->args; i++)
        if (!expr_equal(x->arg[i], y->arg[i])) return false;
    return true;
}
