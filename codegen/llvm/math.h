/* Arithmetic on lanes of one float type, for the functions of math.c, trig.c and power.c.
 */
#ifndef TN_CODEGEN_LLVM_MATH_H
#define TN_CODEGEN_LLVM_MATH_H

#include "codegen/llvm/emitter.h"

typedef struct Math {
    Emitter *e;
    LLVMBuilderRef b;
    Elem elem;
    uint32_t lanes;
    LLVMTypeRef type;    /* of the values */
    LLVMTypeRef integer; /* of the same width */
    uint32_t mantissa;   /* bits stored: 23 or 52 */
    int64_t bias;        /* of the exponent: 127 or 1023 */
} Math;

Math math_of(Emitter *e, Elem elem, uint32_t lanes);
Value math_num(const Math *m, double num);
Value math_int(const Math *m, int64_t i);
Value math_add(const Math *m, Value a, Value b);
Value math_sub(const Math *m, Value a, Value b);
Value math_mul(const Math *m, Value a, Value b);
Value math_div(const Math *m, Value a, Value b);
Value math_fma(const Math *m, Value a, Value b, Value c);
Value math_abs(const Math *m, Value a);
Value math_round(const Math *m, Value a); /* to even */
Value math_if(const Math *m, LLVMRealPredicate p, Value a, Value b, Value yes, Value no);
Value math_clamp(const Math *m, Value a, double low, double high); /* NaN stays */
Value math_copy_sign(const Math *m, Value magnitude, Value sign);
Value math_bits(const Math *m, Value a); /* as integers */
Value math_float(const Math *m, Value bits);
/* c[0] + c[1] x + ... + c[n - 1] x^(n-1), Horner's rule by fma */
Value math_poly(const Math *m, Value x, const double *c, uint32_t n);
Value math_power_of_two(const Math *m, Value n); /* 2^n, normal, n a whole float */
Value math_scale(const Math *m, Value a,
                 Value n); /* a * 2^n, n a whole float; rounds once */

Value math_exp(const Math *m, Value x);
Value math_log(const Math *m, Value x);
Value math_sin(const Math *m, Value x, int quarter); /* sin(x + quarter * pi / 2) */
Value math_pow(const Math *m, Value x, Value y);

#endif
