/* EXPR_BITS: Philox4x32-10, lane by lane; runtime/philox.h has the scalar form. */
#include "codegen/llvm/emitter.h"

typedef struct Words {
    Value low, high;
} Words;

/* The 64-bit product of 32-bit lanes, in two words. */
static Words product(Emitter *e, uint32_t lanes, Value x, uint32_t factor) {
    LLVMTypeRef wide = lanes == 1 ? e->i64 : LLVMVectorType(e->i64, lanes);
    LLVMTypeRef narrow = lanes_type(e, ELEM_i32, lanes);
    Value f = int_lanes(e, e->i64, lanes, factor);
    Value p = LLVMBuildMul(e->builder, LLVMBuildZExt(e->builder, x, wide, ""), f, "");
    Value high = LLVMBuildLShr(e->builder, p, int_lanes(e, e->i64, lanes, 32), "");
    return (Words){LLVMBuildTrunc(e->builder, p, narrow, ""),
                   LLVMBuildTrunc(e->builder, high, narrow, "")};
}

static Value mix(Emitter *e, Value a, Value b, Value c) {
    return LLVMBuildXor(e->builder, LLVMBuildXor(e->builder, a, b, ""), c, "");
}

Value philox_emit(Emitter *e, const Expr *x) {
    Value c[4], key[2];
    for (uint32_t i = 0; i < 4; i++) c[i] = expr_emit(e, x->arg[i]);
    key[0] = expr_emit(e, x->arg[4]);
    key[1] = LLVMConstNull(LLVMTypeOf(key[0]));
    const uint32_t weyl[2] = {0x9E3779B9u, 0xBB67AE85u};
    for (int round = 0; round < 10; round++) {
        Words p = product(e, x->lanes, c[0], 0xD2511F53u);
        Words q = product(e, x->lanes, c[2], 0xCD9E8D57u);
        c[0] = mix(e, q.high, c[1], key[0]);
        c[2] = mix(e, p.high, c[3], key[1]);
        c[1] = q.low;
        c[3] = p.low;
        for (int i = 0; i < 2; i++) {
            Value step = int_lanes(e, e->elem[ELEM_i32], x->lanes, weyl[i]);
            key[i] = LLVMBuildAdd(e->builder, key[i], step, "");
        }
    }
    Value eight = int_lanes(e, e->elem[ELEM_i32], x->lanes, 8);
    Value top = LLVMBuildLShr(e->builder, c[x->word], eight, "");
    Value y = LLVMBuildSIToFP(e->builder, top, lanes_type(e, ELEM_f32, x->lanes), "");
    return LLVMBuildFMul(e->builder, y, num_const(e, ELEM_f32, x->lanes, 0x1p-24), "");
}
