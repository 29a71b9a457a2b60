/* Random programs: elementwise ops, on intervals where they are defined and well behaved. */
#include "tests/random/maker.h"
#include <math.h>

static Val put(Maker *m, Op op, Val x, Val y, Fact fact) {
    Val v = build_scalar(&m->b, op, x, y);
    note(m, v, fact);
    return v;
}

static Val put_constant(Maker *m, Op op, Val x, double value, Fact fact) {
    return put(m, op, x, constant(m, type_at(m, x), value), fact);
}

static Fact abs_fact(const Fact *f) {
    Fact fact = *f;
    fact.high = bound_of(f);
    fact.low = f->low > 0 ? f->low : f->high < 0 ? -f->high : 0;
    return fact;
}

/* |x| + 1/2 */
static Val away_from_zero(Maker *m, Val x) {
    Val positive = put(m, OP_abs, x, NO_VAL, abs_fact(fact_at(m, x)));
    Fact fact = *fact_at(m, positive);
    fact.low += 0.5;
    fact.high += 0.5;
    if (fact.bits == 0) fact.bits = 1;
    return put_constant(m, OP_add, positive, 0.5, fact);
}

static Val at_most(Maker *m, Val x, double high) {
    Fact fact = *fact_at(m, x);
    if (fact.high <= high) return x;
    fact.high = high;
    fact.low = fmin(fact.low, high);
    return put_constant(m, OP_min, x, high, fact);
}

static Val at_least(Maker *m, Val x, double low) {
    Fact fact = *fact_at(m, x);
    if (fact.low >= low) return x;
    fact.low = low;
    fact.high = fmax(fact.high, low);
    return put_constant(m, OP_max, x, low, fact);
}

static void make_jump(Maker *m, Op op, Val x) {
    const Fact *f = fact_at(m, x);
    if (!is_exact(f)) return;
    if (op == OP_sign)
        put(m, op, x, NO_VAL, exact(-1, 1, 0));
    else
        put(m, op, x, NO_VAL, exact(floor(f->low), ceil(f->high), 0));
}

static void make_bounded(Maker *m, Op op, Val x) {
    put(m, op, x, NO_VAL, rounded(-1, 1, 1.2 * fact_at(m, x)->error + 4 * F32_EPSILON));
}

/* sqrt, rsqrt and log of what is at least 1/2. */
static void make_of_positive(Maker *m, Op op, Val x) {
    x = away_from_zero(m, x);
    const Fact *f = fact_at(m, x);
    double low = f->low, high = f->high;
    if (op == OP_sqrt)
        put(m, op, x, NO_VAL, rounded(sqrt(low), sqrt(high), f->error / sqrt(low)));
    else if (op == OP_rsqrt)
        put(m, op, x, NO_VAL,
            rounded(1 / sqrt(high), 1 / sqrt(low), f->error / (low * sqrt(low))));
    else
        put(m, op, x, NO_VAL,
            rounded(log(low), log(high), f->error / low + 4 * F32_EPSILON));
}

static void make_exp(Maker *m, Val x) {
    x = at_most(m, x, 4);
    const Fact *f = fact_at(m, x);
    put(m, OP_exp, x, NO_VAL,
        rounded(exp(f->low), exp(f->high), 1.1 * exp(f->high) * f->error));
}

static void make_sign_change(Maker *m, Op op, Val x) {
    Fact f = *fact_at(m, x);
    Fact negative = f;
    negative.low = -f.high;
    negative.high = -f.low;
    put(m, op, x, NO_VAL, op == OP_abs ? abs_fact(&f) : negative);
}

void make_unary(Maker *m) {
    static const struct {
        Op op;
        void (*make)(Maker *m, Op op, Val x);
    } rows[] = {
        {OP_neg, make_sign_change},  {OP_abs, make_sign_change},
        {OP_sign, make_jump},        {OP_floor, make_jump},
        {OP_round, make_jump},       {OP_log, make_of_positive},
        {OP_sqrt, make_of_positive}, {OP_rsqrt, make_of_positive},
        {OP_tanh, make_bounded},     {OP_erf, make_bounded},
        {OP_sin, make_bounded},      {OP_cos, make_bounded},
    };
    Val x = any_of(m, ELEM_f32);
    if (x == NO_VAL) return;
    uint32_t row = below(m, sizeof rows / sizeof *rows + 1);
    if (row == sizeof rows / sizeof *rows)
        make_exp(m, x);
    else
        rows[row].make(m, rows[row].op, x);
}

/* Binary rows on floats; each writes the fact of its result. */

static Fact sum_fact(const Fact *f, const Fact *g, double sign) {
    Fact h = hull(f, g);
    h.low = f->low + fmin(sign * g->low, sign * g->high);
    h.high = f->high + fmax(sign * g->low, sign * g->high);
    h.error = f->error + g->error;
    return h;
}

static Fact product_fact(const Fact *f, const Fact *g) {
    double corner[4] = {f->low * g->low, f->low * g->high, f->high * g->low,
                        f->high * g->high};
    Fact h = hull(f, g);
    h.low = fmin(fmin(corner[0], corner[1]), fmin(corner[2], corner[3]));
    h.high = fmax(fmax(corner[0], corner[1]), fmax(corner[2], corner[3]));
    h.error = f->error * bound_of(g) + g->error * bound_of(f);
    h.bits = h.bits >= 0 ? f->bits + g->bits : -1;
    return h;
}

static void make_quotient(Maker *m, Val x, Val y) {
    y = away_from_zero(m, y);
    Fact f = *fact_at(m, x), g = *fact_at(m, y);
    double bound = bound_of(&f) / g.low;
    put(m, OP_div, x, y, rounded(-bound, bound, (f.error + bound * g.error) / g.low));
}

static void make_power(Maker *m, Val x, Val y) {
    x = at_most(m, away_from_zero(m, x), 4);
    y = at_least(m, at_most(m, y, 2), -2);
    Fact f = *fact_at(m, x), g = *fact_at(m, y);
    double high = 16, error = 2 * high / f.low * f.error + high * log(4) * g.error;
    put(m, OP_pow, x, y, rounded(0, high, error + 16 * high * F32_EPSILON));
}

static void make_extremum(Maker *m, Op op, Val x, Val y) {
    Fact f = *fact_at(m, x), g = *fact_at(m, y), h = hull(&f, &g);
    if (op == OP_min) h.high = fmin(f.high, g.high);
    if (op == OP_max) h.low = fmax(f.low, g.low);
    put(m, op, x, y, h);
}

void make_binary(Maker *m) {
    Val x = any_of(m, ELEM_f32);
    if (x == NO_VAL) return;
    Type type = *type_at(m, x);
    Val y = operand(m, &type);
    if (chance(m, 2)) {
        Val swap = x;
        x = y;
        y = swap;
    }
    Fact f = *fact_at(m, x), g = *fact_at(m, y);
    switch (below(m, 8)) {
    case 0: put(m, OP_add, x, y, sum_fact(&f, &g, 1)); return;
    case 1: put(m, OP_sub, x, y, sum_fact(&f, &g, -1)); return;
    case 2:
    case 3: put(m, OP_mul, x, y, product_fact(&f, &g)); return;
    case 4: make_quotient(m, x, y); return;
    case 5: make_power(m, x, y); return;
    case 6: make_extremum(m, chance(m, 2) ? OP_min : OP_max, x, y); return;
    default: break;
    }
    /* The remainder by a power of two is exact. */
    if (is_exact(&f) && f.bits < 12)
        put_constant(m, OP_mod, x, 0.5, exact(0, 0.5, f.bits));
}

void make_compare(Maker *m) {
    static const Op ops[] = {OP_lt, OP_le, OP_gt, OP_ge, OP_eq, OP_ne};
    Val x = any(m);
    if (x == NO_VAL) return;
    Type type = *type_at(m, x);
    Val y = operand(m, &type);
    if (is_exact(fact_at(m, x)) && is_exact(fact_at(m, y)))
        put(m, ops[below(m, 6)], x, y, exact(0, 1, 0));
}

void make_logic(Maker *m) {
    Val x = any_of(m, ELEM_bool);
    if (x == NO_VAL) return;
    Type type = *type_at(m, x);
    if (chance(m, 3))
        put(m, OP_not, x, NO_VAL, exact(0, 1, 0));
    else
        put(m, chance(m, 2) ? OP_and : OP_or, x, operand(m, &type), exact(0, 1, 0));
}

void make_select(Maker *m) {
    Val condition = any_of(m, ELEM_bool);
    if (condition == NO_VAL) {
        make_compare(m);
        return;
    }
    static const Elem elems[] = {ELEM_f32, ELEM_f32, ELEM_i32, ELEM_u8, ELEM_bool};
    Type type = *type_at(m, condition);
    type.elem = elems[below(m, 5)];
    Val x = operand(m, &type), y = operand(m, &type);
    Fact fact = hull(fact_at(m, x), fact_at(m, y));
    note(m, build_select(&m->b, condition, x, y), fact);
}

void make_cast(Maker *m) {
    Val x = any(m);
    if (x == NO_VAL) return;
    Fact f = *fact_at(m, x);
    Elem from = type_at(m, x)->elem, to = (Elem)below(m, ELEM_f64);
    if (to == from || (to != ELEM_f32 && !is_exact(&f))) return;
    /* A negative float has no u8 to become. */
    if (from == ELEM_f32 && to == ELEM_u8 && (f.low < 0 || f.high > 255)) return;
    Fact fact = {true, trunc(f.low), trunc(f.high), 0, 0};
    if (to == ELEM_f32) fact = f;
    if (to == ELEM_u8) fact = exact(0, 255, 0);
    if (to == ELEM_bool) fact = exact(0, 1, 0);
    note(m, build_cast(&m->b, x, to), fact);
}

/* |y| + 1, for division: u8 must not wrap to zero. */
static Val positive(Maker *m, Val y, bool is_u8) {
    Fact f = *fact_at(m, y);
    if (is_u8) return put_constant(m, OP_max, y, 1, exact(1, 255, 0));
    Val magnitude = put(m, OP_abs, y, NO_VAL, abs_fact(&f));
    return put_constant(m, OP_add, magnitude, 1, exact(1, bound_of(&f) + 1, 0));
}

void make_integer(Maker *m) {
    static const Op ops[] = {OP_add, OP_sub, OP_mul, OP_min, OP_max,
                             OP_div, OP_mod, OP_neg, OP_sign};
    bool is_u8 = chance(m, 3);
    Val x = any_of(m, is_u8 ? ELEM_u8 : ELEM_i32), y = NO_VAL;
    if (x == NO_VAL) return;
    Type type = *type_at(m, x);
    Op op = ops[below(m, sizeof ops / sizeof *ops)];
    if (op != OP_neg && op != OP_sign) y = operand(m, &type);
    if (op == OP_div || op == OP_mod) y = positive(m, y, is_u8);
    Fact f = *fact_at(m, x), g = y == NO_VAL ? f : *fact_at(m, y);
    double a = bound_of(&f), b = bound_of(&g), bound = fmax(a, b);
    if (op == OP_add || op == OP_sub) bound = a + b;
    if (op == OP_mul) bound = a * b;
    put(m, op, x, y, is_u8 ? exact(0, 255, 0) : exact(-bound, bound, 0));
}
