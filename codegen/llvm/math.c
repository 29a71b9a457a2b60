/*
 * exp, log, tanh, erf and the table of rows: inline polynomials, lane by lane, without
 * libm. tests/check_codegen.c states the error of each in units in the last place (ULP).
 * f64 takes the same reductions with series long enough for it; it serves tests, not
 * speed.
 */
#include "codegen/llvm/math.h"
#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ln 2 in two parts; multiples n of the first are exact for the n that occur. */
typedef struct Parts {
    double high, low;
} Parts;
static const Parts ln2_f32 = {0x1.62e4p-1, 1.42860682030941723212e-6};
static const Parts ln2_f64 = {0x1.62e42feep-1, 0x1.a39ef35793c76p-33};

static Parts ln2_of(const Math *m) {
    return m->elem == ELEM_f64 ? ln2_f64 : ln2_f32;
}

/* (e^r - 1 - r) / r^2 on |r| <= ln2 / 2; least greatest relative error of e^r, 0.06 ULP */
static const double exp_f32[] = {0x1.fffffcp-2, 0x1.55548ap-3, 0x1.555916p-5,
                                 0x1.123fc6p-7, 0x1.6a1a72p-10};
static const double exp_f64[] = {1.0 / 2,          1.0 / 6,           1.0 / 24,
                                 1.0 / 120,        1.0 / 720,         1.0 / 5040,
                                 1.0 / 40320,      1.0 / 362880,      1.0 / 3628800,
                                 1.0 / 39916800.0, 1.0 / 479001600.0, 1.0 / 6227020800.0};

/* x = n ln2 + r; returns e^r - 1. */
static Value exp_parts(const Math *m, Value x, Value *n) {
    Parts ln2 = ln2_of(m);
    *n = math_round(m, math_mul(m, x, math_num(m, 1.4426950408889634)));
    Value r = math_fma(m, *n, math_num(m, -ln2.high), x);
    r = math_fma(m, *n, math_num(m, -ln2.low), r);
    bool is_double = m->elem == ELEM_f64;
    Value q = math_poly(m, r, is_double ? exp_f64 : exp_f32,
                        is_double ? COUNT(exp_f64) : COUNT(exp_f32));
    return math_fma(m, math_mul(m, r, r), q, r);
}

Value math_exp(const Math *m, Value x) {
    Value n;
    bool is_double = m->elem == ELEM_f64;
    x = math_clamp(m, x, is_double ? -746 : -104, is_double ? 710 : 89);
    Value y = math_add(m, exp_parts(m, x, &n), math_num(m, 1));
    return math_scale(m, y, n);
}

/* (log(1 + t) - t + t^2 / 2) / t^3 on sqrt(1/2) <= 1 + t <= sqrt(2), 0.1 ULP of log */
static const double log_f32[] = {0x1.555554p-2,  -0x1.000226p-2, 0x1.99a008p-3,
                                 -0x1.547244p-3, 0x1.22da1cp-3,  -0x1.0d8542p-3,
                                 0x1.055b6cp-3,  -0x1.38b584p-4};
/* (log((1 + s) / (1 - s)) / s - 2) / s^2 as a series in s^2 */
static const double log_f64[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,
                                 2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17,
                                 2.0 / 19, 2.0 / 21, 2.0 / 23};

/* x = 2^e (1 + t), for normal positive x. */
static Value log_split(const Math *m, Value x, Value *e) {
    int64_t root = m->elem == ELEM_f64 ? 0x3fe6a09e667f3bcd : 0x3f3504f3; /* sqrt(1/2) */
    Value bits = LLVMBuildSub(m->b, math_bits(m, x), math_int(m, root), "");
    Value whole = LLVMBuildAShr(m->b, bits, math_int(m, m->mantissa), "");
    whole = LLVMBuildTrunc(m->b, whole, lanes_type(m->e, ELEM_i32, m->lanes), "");
    *e = LLVMBuildSIToFP(m->b, whole, m->type, "");
    Value low = math_int(m, ((int64_t)1 << m->mantissa) - 1);
    bits = LLVMBuildAnd(m->b, bits, low, "");
    bits = LLVMBuildAdd(m->b, bits, math_int(m, root), "");
    return math_sub(m, math_float(m, bits), math_num(m, 1));
}

static Value log1p_reduced(const Math *m, Value t) {
    if (m->elem == ELEM_f32) {
        Value z = math_mul(m, t, t);
        Value p =
            math_mul(m, math_mul(m, z, t), math_poly(m, t, log_f32, COUNT(log_f32)));
        return math_fma(m, z, math_num(m, -0.5), p);
    }
    Value s = math_div(m, t, math_add(m, t, math_num(m, 2))), z = math_mul(m, s, s);
    Value half = math_mul(m, math_mul(m, t, t), math_num(m, 0.5));
    Value p = math_mul(m, z, math_poly(m, z, log_f64, COUNT(log_f64)));
    return math_sub(m, math_mul(m, s, math_add(m, half, p)), half);
}

Value math_log(const Math *m, Value x) {
    double tiny = m->elem == ELEM_f64 ? 0x1p-1022 : 0x1p-126;
    double up = m->elem == ELEM_f64 ? 54 : 25;
    Value smallest = math_num(m, tiny), e;
    Value scaled = math_mul(m, x, math_num(m, ldexp(1, (int)up)));
    Value normal = math_if(m, LLVMRealOLT, x, smallest, scaled, x);
    Value t = log_split(m, normal, &e);
    Value shift = math_if(m, LLVMRealOLT, x, smallest, math_num(m, up), math_num(m, 0));
    e = math_sub(m, e, shift);
    Parts ln2 = ln2_of(m);
    Value y = math_fma(m, e, math_num(m, ln2.low), log1p_reduced(m, t));
    y = math_fma(m, e, math_num(m, ln2.high), math_add(m, y, t));
    Value zero = math_num(m, 0), infinite = math_num(m, INFINITY);
    y = math_if(m, LLVMRealOEQ, x, infinite, x, y);
    y = math_if(m, LLVMRealOEQ, x, zero, math_num(m, -INFINITY), y);
    return math_if(m, LLVMRealULT, x, zero, math_num(m, NAN), y);
}

/* t / (t + 2) with t = e^(2|x|) - 1, which loses nothing near 0. */
static Value math_tanh(const Math *m, Value x) {
    Value n, a = math_clamp(m, math_abs(m, x), 0, m->elem == ELEM_f64 ? 20 : 9.5);
    Value p = exp_parts(m, math_add(m, a, a), &n);
    Value two_n = math_power_of_two(m, n);
    Value t = math_fma(m, two_n, p, math_sub(m, two_n, math_num(m, 1)));
    Value y = math_div(m, t, math_add(m, t, math_num(m, 2)));
    return math_copy_sign(m, y, x);
}

/* erf(x) = 2 / sqrt(pi) x e^-z (1 + 2z/3 (1 + 2z/5 (1 + ...))), z = x^2: all terms
 * positive */
static Value erf_series(const Math *m, Value x) {
    Value a = math_clamp(m, x, -6, 6), z = math_mul(m, a, a);
    Value two_z = math_add(m, z, z), one = math_num(m, 1), sum = one;
    for (int k = 130; k >= 1; k--)
        sum = math_fma(m, math_mul(m, two_z, math_num(m, 1.0 / (2 * k + 1))), sum, one);
    Value e = math_exp(m, LLVMBuildFNeg(m->b, z, ""));
    Value y = math_mul(m, math_mul(m, a, math_num(m, 1.1283791670955126)), e);
    y = math_mul(m, y, sum);
    return math_if(m, LLVMRealOGE, math_abs(m, x), math_num(m, 6),
                   math_copy_sign(m, one, x), y);
}

/* erf(x) / x - 1 in x^2 below 0.93, and -log(erfc(x)) / x in x from there to 4 */
static const double erf_near[] = {0x1.06eba6p-3,  -0x1.8126dcp-2, 0x1.ce1904p-4,
                                  -0x1.b676cap-6, 0x1.46c234p-8,  -0x1.3825c6p-11};
static const double erf_far[] = {0x1.20e682p+0, 0x1.457b92p-1, 0x1.af34bap-4,
                                 -0x1.772a9p-6, 0x1.a5bb94p-9, -0x1.c16c5p-13};

static Value erf_f32(const Math *m, Value x) {
    Value z = math_mul(m, x, x), n;
    Value near = math_fma(m, math_poly(m, z, erf_near, COUNT(erf_near)), x, x);
    Value a = math_clamp(m, math_abs(m, x), 0, 4), one = math_num(m, 1);
    Value power = math_mul(m, a, math_poly(m, a, erf_far, COUNT(erf_far)));
    Value p = math_add(m, exp_parts(m, LLVMBuildFNeg(m->b, power, ""), &n), one);
    Value far = math_fma(m, LLVMBuildFNeg(m->b, p, ""), math_power_of_two(m, n), one);
    far = math_copy_sign(m, far, x);
    return math_if(m, LLVMRealOGT, math_abs(m, x), math_num(m, 0.93), far, near);
}

static Value math_erf(const Math *m, Value x) {
    return m->elem == ELEM_f32 ? erf_f32(m, x) : erf_series(m, x);
}

static Value math_rsqrt(const Math *m, Value x) {
    Value root = intrinsic(m->e, "llvm.sqrt", m->type, &x, 1);
    return math_div(m, math_num(m, 1), root);
}

Value math_emit(Emitter *e, Op op, Elem elem, uint32_t lanes, Value x, Value y) {
    Math m = math_of(e, elem, lanes);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
    switch (op) {
    case OP_exp: return math_exp(&m, x);
    case OP_log: return math_log(&m, x);
    case OP_tanh: return math_tanh(&m, x);
    case OP_erf: return math_erf(&m, x);
    case OP_rsqrt: return math_rsqrt(&m, x);
    case OP_sin: return math_sin(&m, x, 0);
    case OP_cos: return math_sin(&m, x, 1);
    case OP_pow: return math_pow(&m, x, y);
    default: bug(e->arena, "no code for the row %s", op_info[op].name);
    }
#pragma GCC diagnostic pop
}
