/* Scalar rows on numbers: integers in 64 bits, floats in double and then rounded (which
 * is exact for + - * / and sqrt in f32, since a double has more than twice its digits).
 */
#include "ir/scalar.h"
#include <math.h>

static const ScalarInfo infos[OP_COUNT] = {
#define SCALAR(name, args, class, value, da, db)                                         \
    [OP_##name] = {#name, SCALAR_##class, args},
#include "ir/scalar.def"
#undef SCALAR
};

ScalarInfo scalar_info(Op op) {
    return (unsigned)op < OP_COUNT ? infos[op] : infos[OP_param];
}

static int64_t wrap(Elem elem, int64_t x) {
    if (elem == ELEM_bool) return x != 0;
    return elem == ELEM_u8 ? (int64_t)(uint8_t)x
                           : (int64_t)(int32_t)(uint32_t)(uint64_t)x;
}

double scalar_cast(Elem elem, double x) {
    if (elem == ELEM_f64) return x;
    if (elem == ELEM_f32) return (float)x;
    if (elem == ELEM_bool) return x != 0;
    if (!(x > -0x1p62 && x < 0x1p62)) return elem == ELEM_u8 ? 0 : INT32_MIN;
    return (double)wrap(elem, (int64_t)x);
}

/* The rows whose value on integers is not that of the same formula on doubles. */
static double integer_value(Op op, Elem elem, double x, double y, double otherwise) {
    int64_t a = (int64_t)x, b = (int64_t)y;
    if (op == OP_mul) return (double)wrap(elem, a * b);
    if (op == OP_div) return (double)wrap(elem, b ? a / b : 0);
    if (op == OP_mod) return (double)wrap(elem, b ? (a % b + b) % b : 0);
    return scalar_cast(elem, otherwise);
}

static double formula(Op op, double a, double b) {
    switch ((int)op) {
#define SCALAR(name, args, class, value, da, db)                                         \
    case OP_##name:                                                                      \
        return value;
#include "ir/scalar.def"
#undef SCALAR
    default: return NAN;
    }
}

double scalar_value(Op op, Elem elem, double a, double b) {
    ScalarClass class = scalar_info(op).class;
    if (class == SCALAR_C || class == SCALAR_B) return formula(op, a, b);
    if (!elem_is_float(elem)) return integer_value(op, elem, a, b, formula(op, a, b));
    return scalar_cast(elem, formula(op, a, b));
}
