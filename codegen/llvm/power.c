/* pow: e^(y log|x|) in f64, with the cases that IEEE 754 sets apart. */
#include "codegen/llvm/math.h"
#include <math.h>

static Value both(const Math *m, Value a, Value b) {
    return LLVMBuildAnd(m->b, a, b, "");
}

static Value is(const Math *m, LLVMRealPredicate p, Value a, double b) {
    return LLVMBuildFCmp(m->b, p, a, math_num(m, b), "");
}

/* y is a whole number, and an odd one: half of it is not whole.  Large floats are even.
 */
static Value is_whole(const Math *m, Value y) {
    return LLVMBuildFCmp(m->b, LLVMRealOEQ, math_round(m, y), y, "");
}

Value math_pow(const Math *m, Value x, Value y) {
    Math d = math_of(m->e, ELEM_f64, m->lanes);
    bool single = m->elem == ELEM_f32;
    if (single) x = LLVMBuildFPExt(m->b, x, d.type, "");
    if (single) y = LLVMBuildFPExt(m->b, y, d.type, "");
    Value whole = is_whole(&d, y);
    Value half_whole = is_whole(&d, math_mul(&d, y, math_num(&d, 0.5)));
    Value odd = both(&d, whole, LLVMBuildNot(m->b, half_whole, ""));
    Value p = math_exp(&d, math_mul(&d, y, math_log(&d, math_abs(&d, x))));
    /* A negative base: a whole exponent gives the sign, another NaN. */
    Value negative = LLVMBuildFNeg(m->b, p, "");
    Value sign_bit =
        LLVMBuildICmp(m->b, LLVMIntSLT, math_bits(&d, x), math_int(&d, 0), "");
    p = LLVMBuildSelect(m->b, both(&d, sign_bit, odd), negative, p, "");
    Value finite = is(&d, LLVMRealONE, math_abs(&d, x), INFINITY);
    Value no_root = both(&d, both(&d, is(&d, LLVMRealOLT, x, 0), finite),
                         LLVMBuildNot(m->b, whole, ""));
    p = LLVMBuildSelect(m->b, no_root, math_num(&d, NAN), p, "");
    /* 1 to any power, any to the power 0, -1 to an infinite power: 1. */
    Value one = math_num(&d, 1);
    p = LLVMBuildSelect(m->b, is(&d, LLVMRealOEQ, x, 1), one, p, "");
    p = LLVMBuildSelect(m->b, is(&d, LLVMRealOEQ, y, 0), one, p, "");
    Value same = both(&d, is(&d, LLVMRealOEQ, x, -1),
                      is(&d, LLVMRealOEQ, math_abs(&d, y), INFINITY));
    p = LLVMBuildSelect(m->b, same, one, p, "");
    return single ? LLVMBuildFPTrunc(m->b, p, m->type, "") : p;
}
