/* sin and cos: the argument is reduced by multiples of pi / 2 in f64, whatever its type.
 */
#include "codegen/llvm/math.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Series of (sin r / r - 1) / r^2 and (cos r - 1) / r^2 in r^2, on |r| <= pi / 4. */
static const double sin_series[] = {
    -1.0 / 6,        1.0 / 120,         -1.0 / 5040,         1.0 / 362880,
    -1.0 / 39916800, 1.0 / 6227020800., -1.0 / 1307674368e3, 1.0 / 355687428096e3};
static const double cos_series[] = {
    -1.0 / 2,       1.0 / 24,         -1.0 / 720,          1.0 / 40320,
    -1.0 / 3628800, 1.0 / 479001600., -1.0 / 87178291200., 1.0 / 20922789888e3};

/* pi / 2 in three parts, each exact in f64 */
static const double half_pi[3] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54,
                                  -0x1.f1976b7ed8fbcp-110};

/* Infinite and too large arguments (2^50 and beyond) give NaN. */
static Value reduce_angle(const Math *d, Value x, Value *turns) {
    Value far = math_if(d, LLVMRealULT, math_abs(d, x), math_num(d, 0x1p50), x,
                        math_num(d, __builtin_nan("")));
    *turns = math_round(d, math_mul(d, far, math_num(d, 0.63661977236758138)));
    Value r = far;
    for (int i = 0; i < 3; i++) r = math_fma(d, *turns, math_num(d, -half_pi[i]), r);
    return r;
}

/* turns + quarter, modulo 4: through 32 bits, which every processor converts in vectors.
 */
static Value quadrant_of(const Math *d, const Math *m, Value turns, int quarter) {
    Value rounds = math_mul(d, turns, math_num(d, 0.25));
    rounds = intrinsic(d->e, "llvm.floor", d->type, &rounds, 1);
    Value left = math_fma(d, rounds, math_num(d, -4), turns);
    LLVMTypeRef i32 = lanes_type(m->e, ELEM_i32, m->lanes);
    Value q = LLVMBuildFPToSI(m->b, left, i32, "");
    return LLVMBuildAdd(m->b, LLVMBuildSExt(m->b, q, m->integer, ""),
                        math_int(m, quarter), "");
}

Value math_sin(const Math *m, Value x, int quarter) {
    Math wide = math_of(m->e, ELEM_f64, m->lanes);
    bool single = m->elem == ELEM_f32;
    Value turns, r = reduce_angle(
                     &wide, single ? LLVMBuildFPExt(m->b, x, wide.type, "") : x, &turns);
    if (single) r = LLVMBuildFPTrunc(m->b, r, m->type, "");
    Value quadrant = quadrant_of(&wide, m, turns, quarter);
    uint32_t terms = single ? 5 : COUNT(sin_series);
    Value z = math_mul(m, r, r);
    Value s = math_fma(m, math_mul(m, math_poly(m, z, sin_series, terms), z), r, r);
    Value c = math_fma(m, math_poly(m, z, cos_series, terms), z, math_num(m, 1));
    Value one = math_int(m, 1), two = math_int(m, 2), zero = math_int(m, 0);
    Value odd =
        LLVMBuildICmp(m->b, LLVMIntNE, LLVMBuildAnd(m->b, quadrant, one, ""), zero, "");
    Value y = LLVMBuildSelect(m->b, odd, c, s, "");
    Value below =
        LLVMBuildICmp(m->b, LLVMIntNE, LLVMBuildAnd(m->b, quadrant, two, ""), zero, "");
    return LLVMBuildSelect(m->b, below, LLVMBuildFNeg(m->b, y, ""), y, "");
}
