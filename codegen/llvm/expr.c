/* Expressions: one LLVM value each, evaluated once a statement however often it is
 * shared. */
#include "codegen/llvm/emitter.h"

static bool is_float(const Expr *x) {
    return !x->is_index && elem_is_float(x->elem);
}
static bool is_signed(const Expr *x) {
    return x->is_index || x->elem == ELEM_i32;
}

static Value compare(Emitter *e, const Expr *x, LLVMRealPredicate real,
                     LLVMIntPredicate with_sign, LLVMIntPredicate without, Value a,
                     Value b) {
    if (is_float(x)) return LLVMBuildFCmp(e->builder, real, a, b, "");
    return LLVMBuildICmp(e->builder, is_signed(x) ? with_sign : without, a, b, "");
}

static bool is_number(const Expr *x) {
    return x->kind == EXPR_NUM && x->num == x->num;
}

/* `a < b || isnan(a) ? a : b`: the instruction answers its second operand where one is
 * NaN, so a constant goes first and needs no test.  (Of zeros of both signs either may
 * come.) */
static Value extreme_float(Emitter *e, const Expr *x, Value a, Value b) {
    LLVMRealPredicate less = x->op == OP_min ? LLVMRealOLT : LLVMRealOGT;
    if (is_number(x->arg[1]) && !is_number(x->arg[0])) {
        Value t = a;
        a = b;
        b = t;
    }
    Value first = LLVMBuildFCmp(e->builder, less, a, b, "");
    Value y = LLVMBuildSelect(e->builder, first, a, b, "");
    if (is_number(x->arg[0]) || is_number(x->arg[1])) return y;
    Value nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, a, a, "");
    return LLVMBuildSelect(e->builder, nan, a, y, "");
}

static Value extreme(Emitter *e, const Expr *x, Value a, Value b) {
    if (is_float(x)) return extreme_float(e, x, a, b);
    bool min = x->op == OP_min, with_sign = is_signed(x);
    const char *name = min         ? with_sign ? "llvm.smin" : "llvm.umin"
                       : with_sign ? "llvm.smax"
                                   : "llvm.umax";
    return intrinsic(e, name, LLVMTypeOf(a), (Value[]){a, b}, 2);
}

/* k where x is 2^k, all lanes the same; -1: it is not. */
static int power_of_two(const Expr *x) {
    if (x->kind != EXPR_NUM) return -1;
    for (int k = 0; k < 31; k++)
        if (x->num == (double)(1u << k)) return k;
    return -1;
}

/* By 2^k: shifts and masks. */
static Value short_quotient(Emitter *e, const Expr *x, Value a, Value b, int k) {
    LLVMTypeRef type = LLVMTypeOf(a);
    Value below = LLVMBuildSub(e->builder, b, num_const(e, x->elem, x->lanes, 1), "");
    if (x->op == OP_mod) return LLVMBuildAnd(e->builder, a, below, "");
    Value by = int_lanes(e, e->elem[x->elem], x->lanes, k);
    if (!is_signed(x)) return LLVMBuildLShr(e->builder, a, by, "");
    Value negative = LLVMBuildICmp(e->builder, LLVMIntSLT, a, LLVMConstNull(type), "");
    Value up = LLVMBuildSelect(e->builder, negative, below, LLVMConstNull(type), "");
    return LLVMBuildAShr(e->builder, LLVMBuildAdd(e->builder, a, up, ""), by, "");
}

/* Whole numbers divide in f64, which is exact for 32 bits and never traps; by zero
 * they give zero. */
static Value whole_quotient(Emitter *e, const Expr *x, Value a, Value b) {
    LLVMTypeRef wide = lanes_type(e, ELEM_f64, x->lanes);
    LLVMTypeRef i32 = lanes_type(e, ELEM_i32, x->lanes);
    LLVMOpcode widen = is_signed(x) ? LLVMSIToFP : LLVMUIToFP;
    a = LLVMBuildCast(e->builder, widen, a, wide, "");
    b = LLVMBuildCast(e->builder, widen, b, wide, "");
    Value zero = LLVMConstNull(wide), q = LLVMBuildFDiv(e->builder, a, b, "");
    Value by_zero = LLVMBuildFCmp(e->builder, LLVMRealOEQ, b, zero, "");
    if (x->op == OP_mod) {
        q = intrinsic(e, "llvm.floor", wide, &q, 1);
        q = LLVMBuildFSub(e->builder, a, LLVMBuildFMul(e->builder, b, q, ""), "");
    }
    q = LLVMBuildSelect(e->builder, by_zero, zero, q, "");
    Value y = LLVMBuildFPToSI(e->builder, q, i32, "");
    if (x->elem == ELEM_i32) return y;
    return LLVMBuildTrunc(e->builder, y, lanes_type(e, x->elem, x->lanes), "");
}

static Value quotient(Emitter *e, const Expr *x, Value a, Value b) {
    LLVMBuilderRef builder = e->builder;
    if (x->is_index) {
        if (x->op == OP_div) return LLVMBuildUDiv(builder, a, b, "");
        return LLVMBuildURem(builder, a, b, "");
    }
    int power = is_float(x) ? -1 : power_of_two(x->arg[1]);
    if (power >= 0) return short_quotient(e, x, a, b, power);
    if (!is_float(x)) return whole_quotient(e, x, a, b);
    Value q = LLVMBuildFDiv(builder, a, b, "");
    if (x->op == OP_div) return q;
    q = intrinsic(e, "llvm.floor", LLVMTypeOf(q), &q, 1);
    return LLVMBuildFSub(builder, a, LLVMBuildFMul(builder, b, q, ""), "");
}

static Value sign(Emitter *e, const Expr *x, Value a) {
    Value zero = LLVMConstNull(LLVMTypeOf(a));
    Value one = num_const(e, x->elem, x->lanes, 1);
    Value minus = num_const(e, x->elem, x->lanes, x->elem == ELEM_u8 ? 0 : -1);
    Value below = compare(e, x, LLVMRealOLT, LLVMIntSLT, LLVMIntULT, a, zero);
    Value above = compare(e, x, LLVMRealOGT, LLVMIntSGT, LLVMIntUGT, a, zero);
    Value y = LLVMBuildSelect(e->builder, below, minus, zero, "");
    return LLVMBuildSelect(e->builder, above, one, y, "");
}

static Value magnitude(Emitter *e, const Expr *x, Value a) {
    if (is_float(x)) return intrinsic(e, "llvm.fabs", LLVMTypeOf(a), &a, 1);
    if (!is_signed(x)) return a;
    Value minus = LLVMBuildNeg(e->builder, a, "");
    return intrinsic(e, "llvm.smax", LLVMTypeOf(a), (Value[]){a, minus}, 2);
}

static Value scalar(Emitter *e, const Expr *x, Value a, Value b) {
    LLVMBuilderRef builder = e->builder;
    const Expr *arg = x->arg[0];
    LLVMTypeRef type = LLVMTypeOf(a);
    bool real = is_float(arg);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
    switch (x->op) {
    case OP_neg:
        return real ? LLVMBuildFNeg(builder, a, "") : LLVMBuildNeg(builder, a, "");
    case OP_abs: return magnitude(e, x, a);
    case OP_sign: return sign(e, x, a);
    case OP_floor: return intrinsic(e, "llvm.floor", type, &a, 1);
    case OP_round: return intrinsic(e, "llvm.nearbyint", type, &a, 1);
    case OP_sqrt: return intrinsic(e, "llvm.sqrt", type, &a, 1);
    case OP_not: return LLVMBuildNot(builder, a, "");
    case OP_add: return (real ? LLVMBuildFAdd : LLVMBuildAdd)(builder, a, b, "");
    case OP_sub: return (real ? LLVMBuildFSub : LLVMBuildSub)(builder, a, b, "");
    case OP_mul: return (real ? LLVMBuildFMul : LLVMBuildMul)(builder, a, b, "");
    case OP_div:
    case OP_mod: return quotient(e, x, a, b);
    case OP_min:
    case OP_max: return extreme(e, x, a, b);
    case OP_lt: return compare(e, arg, LLVMRealOLT, LLVMIntSLT, LLVMIntULT, a, b);
    case OP_le: return compare(e, arg, LLVMRealOLE, LLVMIntSLE, LLVMIntULE, a, b);
    case OP_gt: return compare(e, arg, LLVMRealOGT, LLVMIntSGT, LLVMIntUGT, a, b);
    case OP_ge: return compare(e, arg, LLVMRealOGE, LLVMIntSGE, LLVMIntUGE, a, b);
    case OP_eq: return compare(e, arg, LLVMRealOEQ, LLVMIntEQ, LLVMIntEQ, a, b);
    case OP_ne: return compare(e, arg, LLVMRealUNE, LLVMIntNE, LLVMIntNE, a, b);
    case OP_and: return LLVMBuildAnd(builder, a, b, "");
    case OP_or: return LLVMBuildOr(builder, a, b, "");
    default: return math_emit(e, x->op, x->elem, x->lanes, a, b);
    }
#pragma GCC diagnostic pop
}

static Value cast(Emitter *e, const Expr *x, Value a) {
    const Expr *arg = x->arg[0];
    LLVMTypeRef to = lanes_type(e, x->elem, x->lanes);
    if (!arg->is_index && arg->elem == x->elem) return a;
    if (x->elem == ELEM_bool) {
        Value zero = LLVMConstNull(LLVMTypeOf(a));
        return compare(e, arg, LLVMRealUNE, LLVMIntNE, LLVMIntNE, a, zero);
    }
    if (elem_is_float(x->elem)) {
        if (is_float(arg)) return LLVMBuildFPCast(e->builder, a, to, "");
        return LLVMBuildCast(e->builder, is_signed(arg) ? LLVMSIToFP : LLVMUIToFP, a, to,
                             "");
    }
    if (is_float(arg)) {
        Value i = LLVMBuildFPToSI(e->builder, a, lanes_type(e, ELEM_i32, x->lanes), "");
        return LLVMBuildIntCast2(e->builder, i, to, true, "");
    }
    return LLVMBuildIntCast2(e->builder, a, to, is_signed(arg), "");
}

static Value choose(Emitter *e, const Expr *x) {
    Value condition = expr_emit(e, x->arg[0]);
    Value a = expr_emit(e, x->arg[1]), b = expr_emit(e, x->arg[2]);
    return LLVMBuildSelect(e->builder, condition, a, b, "");
}

static Value ramp(Emitter *e, const Expr *x) {
    LLVMTypeRef i32 = e->elem[ELEM_i32];
    Value first = LLVMBuildTrunc(e->builder, expr_emit(e, x->arg[0]), i32, "");
    if (x->lanes == 1) return first;
    Value *step = arena_array(e->arena, Value, x->lanes);
    for (uint32_t i = 0; i < x->lanes; i++) step[i] = LLVMConstInt(i32, i, false);
    Value steps = LLVMConstVector(step, x->lanes);
    return LLVMBuildAdd(e->builder, splat(e, first, x->lanes), steps, "");
}

static Value part(Emitter *e, Value x, uint32_t from, uint32_t count) {
    LLVMTypeRef i32 = e->elem[ELEM_i32];
    if (count == 1)
        return LLVMBuildExtractElement(e->builder, x, LLVMConstInt(i32, from, false), "");
    Value *lane = arena_array(e->arena, Value, count);
    for (uint32_t i = 0; i < count; i++) lane[i] = LLVMConstInt(i32, from + i, false);
    Value none = LLVMGetPoison(LLVMTypeOf(x)), mask = LLVMConstVector(lane, count);
    return LLVMBuildShuffleVector(e->builder, x, none, mask, "");
}

/* x with `lanes` - `count` lanes of any value after it. */
static Value widen(Emitter *e, Value x, uint32_t count, uint32_t lanes) {
    Value *lane = arena_array(e->arena, Value, lanes);
    for (uint32_t i = 0; i < lanes; i++)
        lane[i] = LLVMConstInt(e->elem[ELEM_i32], i < count ? i : 0, false);
    Value none = LLVMGetPoison(LLVMTypeOf(x));
    return LLVMBuildShuffleVector(e->builder, x, none, LLVMConstVector(lane, lanes), "");
}

/* Lanes i and i + ceil(lanes / 2) are joined until one is left; a middle one stays. */
static Value reduce(Emitter *e, const Expr *x, Value a, uint32_t lanes) {
    if (lanes == 1) return a;
    uint32_t half = (lanes + 1) / 2, pairs = lanes - half;
    Expr pair = {.kind = EXPR_SCALAR, .elem = x->elem, .lanes = pairs, .op = x->op};
    Expr side = {.kind = EXPR_VAR, .elem = x->elem, .lanes = pairs};
    pair.arg[0] = pair.arg[1] = &side;
    Value y = scalar(e, &pair, part(e, a, 0, pairs), part(e, a, half, pairs));
    if (pairs == half) return reduce(e, x, y, half);
    Value middle = part(e, a, half - 1, 1), at = LLVMConstInt(e->i64, half - 1, false);
    if (pairs == 1)
        y = splat(e, y, half);
    else
        y = widen(e, y, pairs, half);
    return reduce(e, x, LLVMBuildInsertElement(e->builder, y, middle, at, ""), half);
}

static Value variable(Emitter *e, const Var *var) {
    Value value = bindings_get(&e->bound, var);
    if (!value) bug(e->arena, "variable %s is used before it is bound", var->name);
    return value;
}

static Value expr_build(Emitter *e, const Expr *x) {
    switch (x->kind) {
    case EXPR_INT: return index_const(e, x->i);
    case EXPR_NUM: return num_const(e, x->elem, x->lanes, x->num);
    case EXPR_VAR: return variable(e, x->var);
    case EXPR_SCALAR: {
        if (expr_is_affine(x)) return index_emit(e, x);
        Value a = expr_emit(e, x->arg[0]);
        return scalar(e, x, a, x->args > 1 ? expr_emit(e, x->arg[1]) : NULL);
    }
    case EXPR_FMA: {
        Value a = expr_emit(e, x->arg[0]), b = expr_emit(e, x->arg[1]);
        return fma_emit(e, x->elem, x->lanes, a, b, expr_emit(e, x->arg[2]));
    }
    case EXPR_SELECT: return choose(e, x);
    case EXPR_CAST: return cast(e, x, expr_emit(e, x->arg[0]));
    case EXPR_INDEX: {
        bool with_sign = x->arg[0]->elem == ELEM_i32;
        return LLVMBuildIntCast2(e->builder, expr_emit(e, x->arg[0]), e->i64, with_sign,
                                 "");
    }
    case EXPR_LOAD: return load_emit(e, x);
    case EXPR_GATHER: return gather_emit(e, x);
    case EXPR_SPLAT: return splat(e, expr_emit(e, x->arg[0]), x->lanes);
    case EXPR_RAMP: return ramp(e, x);
    case EXPR_REDUCE: return reduce(e, x, expr_emit(e, x->arg[0]), x->arg[0]->lanes);
    case EXPR_BITS: return philox_emit(e, x);
    }
    bug(e->arena, "expression kind %d", (int)x->kind);
}

Value expr_emit(Emitter *e, const Expr *x) {
    if (x->kind == EXPR_INT || x->kind == EXPR_NUM || x->kind == EXPR_VAR)
        return expr_build(e, x);
    Value value = bindings_get(&e->memo, x);
    if (value) return value;
    value = expr_build(e, x);
    bindings_set(e->arena, &e->memo, x, value);
    return value;
}
