/* The arithmetic that the functions of math.c, trig.c and power.c are written in. */
#include "codegen/llvm/math.h"

Math math_of(Emitter *e, Elem elem, uint32_t lanes) {
    bool is_double = elem == ELEM_f64;
    LLVMTypeRef bits = is_double ? e->i64 : e->elem[ELEM_i32];
    return (Math){
        .e = e,
        .b = e->builder,
        .elem = elem,
        .lanes = lanes,
        .type = lanes_type(e, elem, lanes),
        .integer = lanes == 1 ? bits : LLVMVectorType(bits, lanes),
        .mantissa = is_double ? 52 : 23,
        .bias = is_double ? 1023 : 127,
    };
}

Value math_num(const Math *m, double num) {
    return num_const(m->e, m->elem, m->lanes, num);
}

Value math_int(const Math *m, int64_t i) {
    LLVMTypeRef one = m->elem == ELEM_f64 ? m->e->i64 : m->e->elem[ELEM_i32];
    return int_lanes(m->e, one, m->lanes, i);
}

Value math_add(const Math *m, Value a, Value b) {
    return LLVMBuildFAdd(m->b, a, b, "");
}
Value math_sub(const Math *m, Value a, Value b) {
    return LLVMBuildFSub(m->b, a, b, "");
}
Value math_mul(const Math *m, Value a, Value b) {
    return LLVMBuildFMul(m->b, a, b, "");
}
Value math_div(const Math *m, Value a, Value b) {
    return LLVMBuildFDiv(m->b, a, b, "");
}

Value math_fma(const Math *m, Value a, Value b, Value c) {
    return fma_emit(m->e, m->elem, m->lanes, a, b, c);
}

Value math_abs(const Math *m, Value a) {
    return intrinsic(m->e, "llvm.fabs", m->type, &a, 1);
}

Value math_round(const Math *m, Value a) {
    return intrinsic(m->e, "llvm.nearbyint", m->type, &a, 1);
}

Value math_if(const Math *m, LLVMRealPredicate p, Value a, Value b, Value yes, Value no) {
    return LLVMBuildSelect(m->b, LLVMBuildFCmp(m->b, p, a, b, ""), yes, no, "");
}

/* The order of operands is that of minps and maxps, which answer the second one on NaN.
 */
Value math_clamp(const Math *m, Value a, double low, double high) {
    Value h = math_num(m, high), l = math_num(m, low);
    a = math_if(m, LLVMRealOLT, h, a, h, a);
    return math_if(m, LLVMRealOGT, l, a, l, a);
}

Value math_copy_sign(const Math *m, Value magnitude, Value sign) {
    return intrinsic(m->e, "llvm.copysign", m->type, (Value[]){magnitude, sign}, 2);
}

Value math_bits(const Math *m, Value a) {
    return LLVMBuildBitCast(m->b, a, m->integer, "");
}
Value math_float(const Math *m, Value bits) {
    return LLVMBuildBitCast(m->b, bits, m->type, "");
}

Value math_poly(const Math *m, Value x, const double *c, uint32_t n) {
    Value y = math_num(m, c[n - 1]);
    for (uint32_t i = n - 1; i-- > 0;) y = math_fma(m, y, x, math_num(m, c[i]));
    return y;
}

/* Through 32 bits, which every processor converts in vectors. */
static Value whole_number(const Math *m, Value n) {
    Value whole = LLVMBuildFPToSI(m->b, n, lanes_type(m->e, ELEM_i32, m->lanes), "");
    return LLVMBuildSExt(m->b, whole, m->integer, "");
}

static Value from_exponent(const Math *m, Value n) {
    Value biased = LLVMBuildAdd(m->b, n, math_int(m, m->bias), "");
    return math_float(m, LLVMBuildShl(m->b, biased, math_int(m, m->mantissa), ""));
}

Value math_power_of_two(const Math *m, Value n) {
    return from_exponent(m, whole_number(m, n));
}

/* AVX-512 has an instruction for a * 2^n. */
static Value scale_avx512(const Math *m, Value a, Value n) {
    LLVMTypeRef i32 = m->e->elem[ELEM_i32];
    LLVMTypeRef bits = m->lanes == 16 ? m->e->i16 : m->e->i8;
    Value mask = LLVMConstAllOnes(bits), rounding = LLVMConstInt(i32, 4, false);
    Value args[] = {a, n, a, mask, rounding};
    if (m->lanes == 16)
        return intrinsic(m->e, "llvm.x86.avx512.mask.scalef.ps.512", NULL, args, 5);
    return intrinsic(m->e, "llvm.x86.avx512.mask.scalef.ps.256", NULL, args, 4);
}

/* Two factors, so that neither leaves the range of exponents where the result does not:
 * the first product is exact, the second rounds into a denormal or overflows. */
Value math_scale(const Math *m, Value a, Value n) {
    bool fits = m->elem == ELEM_f32 && (m->lanes == 8 || m->lanes == 16);
    if (m->e->has_avx512 && fits) return scale_avx512(m, a, n);
    Value whole = whole_number(m, n);
    Value half = LLVMBuildAShr(m->b, whole, math_int(m, 1), "");
    Value rest = LLVMBuildSub(m->b, whole, half, "");
    a = math_mul(m, a, from_exponent(m, half));
    return math_mul(m, a, from_exponent(m, rest));
}
