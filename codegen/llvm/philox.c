/* EXPR_BITS: Philox4x32-10, lane by lane; runtime/philox.h has the scalar form.  The rounds
 * are a loop, and the words of one block share it: unrolled and repeated they took a third of
 * the time that code generation spent on first values. */
#include "codegen/llvm/emitter.h"

enum { ROUNDS = 10 };

/* The 64-bit products of 32-bit lanes, in two words. */
typedef struct Words {
    Value low, high;
} Words;

/* What a round starts from and what it leaves. */
typedef struct State {
    Value c[4], key[2];
} State;

static Words product_wide(Emitter *e, uint32_t lanes, Value x, uint32_t factor) {
    LLVMTypeRef wide = lanes == 1 ? e->i64 : LLVMVectorType(e->i64, lanes);
    LLVMTypeRef narrow = lanes_type(e, ELEM_i32, lanes);
    Value f = int_lanes(e, e->i64, lanes, factor);
    Value p = LLVMBuildMul(e->builder, LLVMBuildZExt(e->builder, x, wide, ""), f, "");
    Value high = LLVMBuildLShr(e->builder, p, int_lanes(e, e->i64, lanes, 32), "");
    return (Words){LLVMBuildTrunc(e->builder, p, narrow, ""),
                   LLVMBuildTrunc(e->builder, high, narrow, "")};
}

/* Pairs of lanes as one of 64 bits, which processors multiply by their lower halves: lanes
 * stay where they are, and nothing is widened. */
static Words product(Emitter *e, uint32_t lanes, Value x, uint32_t factor) {
    if (lanes % 4) return product_wide(e, lanes, x, factor);
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef pairs = LLVMVectorType(e->i64, lanes / 2), narrow = LLVMTypeOf(x);
    Value f = int_lanes(e, e->i64, lanes / 2, factor);
    Value half = int_lanes(e, e->i64, lanes / 2, 32);
    Value lower = int_lanes(e, e->i64, lanes / 2, 0xFFFFFFFF);
    Value upper = LLVMBuildNot(b, lower, "");
    Value both = LLVMBuildBitCast(b, x, pairs, "");
    Value even = LLVMBuildMul(b, LLVMBuildAnd(b, both, lower, ""), f, "");
    Value odd = LLVMBuildMul(b, LLVMBuildLShr(b, both, half, ""), f, "");
    Value low = LLVMBuildOr(b, LLVMBuildAnd(b, even, lower, ""),
                            LLVMBuildShl(b, odd, half, ""), "");
    Value high = LLVMBuildOr(b, LLVMBuildLShr(b, even, half, ""),
                             LLVMBuildAnd(b, odd, upper, ""), "");
    return (Words){LLVMBuildBitCast(b, low, narrow, ""),
                   LLVMBuildBitCast(b, high, narrow, "")};
}

static Value mix(Emitter *e, Value a, Value b, Value c) {
    return LLVMBuildXor(e->builder, LLVMBuildXor(e->builder, a, b, ""), c, "");
}

static State round_emit(Emitter *e, uint32_t lanes, const State *s) {
    static const uint32_t weyl[2] = {0x9E3779B9u, 0xBB67AE85u};
    Words p = product(e, lanes, s->c[0], 0xD2511F53u);
    Words q = product(e, lanes, s->c[2], 0xCD9E8D57u);
    State next = {.c = {mix(e, q.high, s->c[1], s->key[0]), q.low,
                        mix(e, p.high, s->c[3], s->key[1]), p.low}};
    for (int i = 0; i < 2; i++) {
        Value step = int_lanes(e, e->elem[ELEM_i32], lanes, weyl[i]);
        next.key[i] = LLVMBuildAdd(e->builder, s->key[i], step, "");
    }
    return next;
}

/* Phis of what comes from the block before; what the round leaves is added later. */
static State state_phis(Emitter *e, const State *first, LLVMBasicBlockRef before) {
    State s;
    for (int i = 0; i < 6; i++) {
        Value from = i < 4 ? first->c[i] : first->key[i - 4];
        Value phi = LLVMBuildPhi(e->builder, LLVMTypeOf(from), "");
        LLVMAddIncoming(phi, &from, &before, 1);
        *(i < 4 ? &s.c[i] : &s.key[i - 4]) = phi;
    }
    return s;
}

static State rounds_emit(Emitter *e, uint32_t lanes, const State *first) {
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef i32 = e->elem[ELEM_i32];
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b),
                      body = LLVMAppendBasicBlockInContext(e->context, e->function, ""),
                      after = LLVMAppendBasicBlockInContext(e->context, e->function, "");
    LLVMBuildBr(b, body);
    LLVMPositionBuilderAtEnd(b, body);
    Value left = LLVMBuildPhi(b, i32, ""), rounds = LLVMConstInt(i32, ROUNDS, false);
    State s = state_phis(e, first, before), next = round_emit(e, lanes, &s);
    Value rest = LLVMBuildSub(b, left, LLVMConstInt(i32, 1, false), "");
    Value more = LLVMBuildICmp(b, LLVMIntNE, rest, LLVMConstNull(i32), "");
    LLVMBuildCondBr(b, more, body, after);
    LLVMAddIncoming(left, (Value[]){rounds, rest}, (LLVMBasicBlockRef[]){before, body},
                    2);
    for (int i = 0; i < 6; i++)
        LLVMAddIncoming(i < 4 ? s.c[i] : s.key[i - 4],
                        i < 4 ? &next.c[i] : &next.key[i - 4], &body, 1);
    LLVMPositionBuilderAtEnd(b, after);
    return next;
}

/* Those of the last block that was asked for, where x is another word of it. */
static const RandomBlock *block_of(Emitter *e, const Expr *x) {
    RandomBlock *last = &e->random;
    bool same = last->of != NULL;
    for (uint32_t i = 0; same && i < 5; i++)
        same = expr_equal(last->of->arg[i], x->arg[i]);
    if (same) return last;
    State first;
    for (uint32_t i = 0; i < 4; i++) first.c[i] = expr_emit(e, x->arg[i]);
    first.key[0] = expr_emit(e, x->arg[4]);
    first.key[1] = LLVMConstNull(LLVMTypeOf(first.key[0]));
    State s = rounds_emit(e, x->lanes, &first);
    *last = (RandomBlock){.of = x, .word = {s.c[0], s.c[1], s.c[2], s.c[3]}};
    return last;
}

Value philox_emit(Emitter *e, const Expr *x) {
    Value word = block_of(e, x)->word[x->word];
    Value eight = int_lanes(e, e->elem[ELEM_i32], x->lanes, 8);
    Value top = LLVMBuildLShr(e->builder, word, eight, "");
    Value y = LLVMBuildSIToFP(e->builder, top, lanes_type(e, ELEM_f32, x->lanes), "");
    return LLVMBuildFMul(e->builder, y, num_const(e, ELEM_f32, x->lanes, 0x1p-24), "");
}
