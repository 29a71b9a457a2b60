/* Loads, gathers and stores of lanes: contiguous, strided, and cut off at `active`. */
#include "codegen/llvm/emitter.h"

static Value lane_const(const Emitter *e, uint32_t lane) {
    return LLVMConstInt(e->elem[ELEM_i32], lane, false);
}

/* Memory that nobody writes while the kernel runs. */
static bool is_constant(const Buffer *b) {
    return b->kind == BUFFER_TABLE ||
           (b->kind == BUFFER_ARG && !b->written && !b->may_alias);
}

static Value load_plain(Emitter *e, const Buffer *b, uint32_t lanes, Value at) {
    Value load = LLVMBuildLoad2(e->builder, memory_type(e, b->elem, lanes), at, "");
    LLVMSetAlignment(load, elem_bytes(b->elem));
    alias_mark(e, b, load);
    if (is_constant(b)) {
        unsigned kind = LLVMGetMDKindIDInContext(e->context, "invariant.load", 14);
        LLVMMetadataRef none = LLVMMDNodeInContext2(e->context, NULL, 0);
        LLVMSetMetadata(load, kind, LLVMMetadataAsValue(e->context, none));
    }
    return load;
}

static void store_plain(Emitter *e, const Buffer *b, Value value, Value at) {
    Value store = LLVMBuildStore(e->builder, value, at);
    LLVMSetAlignment(store, elem_bytes(b->elem));
    alias_mark(e, b, store);
}

/* Booleans are bytes 0 and 1 in memory. */
static Value from_memory(Emitter *e, Elem elem, Value x) {
    if (elem != ELEM_bool) return x;
    return LLVMBuildICmp(e->builder, LLVMIntNE, x, LLVMConstNull(LLVMTypeOf(x)), "");
}

static Value to_memory(Emitter *e, Elem elem, uint32_t lanes, Value x) {
    if (elem != ELEM_bool) return x;
    return LLVMBuildZExt(e->builder, x, memory_type(e, elem, lanes), "");
}

/* The first `count` lanes of x; or x with zeros after its `count` lanes. */
static Value resize(Emitter *e, Value x, uint32_t count, uint32_t lanes) {
    if (count == lanes) return x;
    if (count == 1) {
        LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(x), lanes);
        return LLVMBuildInsertElement(e->builder, LLVMConstNull(type), x,
                                      lane_const(e, 0), "");
    }
    if (lanes == 1) return LLVMBuildExtractElement(e->builder, x, lane_const(e, 0), "");
    Value *mask = arena_array(e->arena, Value, lanes);
    for (uint32_t i = 0; i < lanes; i++) mask[i] = lane_const(e, i < count ? i : count);
    Value zero = LLVMConstNull(LLVMTypeOf(x));
    return LLVMBuildShuffleVector(e->builder, x, zero, LLVMConstVector(mask, lanes), "");
}

/* lane < active, for i32 lanes; `active` is any index. */
static Value mask_of(Emitter *e, Value active, uint32_t lanes) {
    Value most = index_const(e, lanes);
    active = intrinsic(e, "llvm.smin", e->i64, (Value[]){active, most}, 2);
    active = intrinsic(e, "llvm.smax", e->i64, (Value[]){active, index_const(e, 0)}, 2);
    Value count = LLVMBuildTrunc(e->builder, active, e->elem[ELEM_i32], "");
    Value *lane = arena_array(e->arena, Value, lanes);
    for (uint32_t i = 0; i < lanes; i++) lane[i] = lane_const(e, i);
    Value all = lanes == 1 ? lane[0] : LLVMConstVector(lane, lanes);
    return LLVMBuildICmp(e->builder, LLVMIntULT, all, splat(e, count, lanes), "");
}

/* A masked operation on vectors `type` at `at`, a pointer or one for each lane. */
static Value masked(Emitter *e, const char *name, LLVMTypeRef type, Value at,
                    Value args[4]) {
    LLVMTypeRef types[] = {type, LLVMTypeOf(at)};
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    Value f = LLVMGetIntrinsicDeclaration(e->module, id, types, 2);
    LLVMTypeRef signature = LLVMIntrinsicGetType(e->context, id, types, 2);
    return LLVMBuildCall2(e->builder, signature, f, args, 4, "");
}

/* LLVM's masked operations exist for vectors only. */
static Value load_masked(Emitter *e, const Buffer *b, uint32_t lanes, Value at,
                         Value mask) {
    uint32_t width = lanes == 1 ? 2 : lanes;
    if (lanes == 1) mask = resize(e, mask, 1, 2);
    LLVMTypeRef type = memory_type(e, b->elem, width);
    Value align = lane_const(e, elem_bytes(b->elem));
    Value y = masked(e, "llvm.masked.load", type, at,
                     (Value[]){at, align, mask, LLVMConstNull(type)});
    alias_mark(e, b, y);
    return resize(e, y, width, lanes);
}

static void store_masked(Emitter *e, const Buffer *b, uint32_t lanes, Value x, Value at,
                         Value mask) {
    if (lanes == 1) mask = resize(e, mask, 1, 2), x = resize(e, x, 1, 2);
    Value align = lane_const(e, elem_bytes(b->elem));
    alias_mark(
        e, b,
        masked(e, "llvm.masked.store", LLVMTypeOf(x), at, (Value[]){x, at, align, mask}));
}

/* Addresses of lanes `stride` apart. */
static Value strided(Emitter *e, const Buffer *b, Value at, uint32_t lanes,
                     int64_t stride) {
    Value *offset = arena_array(e->arena, Value, lanes);
    for (uint32_t i = 0; i < lanes; i++) offset[i] = index_const(e, stride * i);
    Value all = LLVMConstVector(offset, lanes);
    return LLVMBuildGEP2(e->builder, memory_type(e, b->elem, 1), at, &all, 1, "");
}

static Value gather_masked(Emitter *e, const Buffer *b, uint32_t lanes, Value at,
                           Value mask) {
    LLVMTypeRef type = memory_type(e, b->elem, lanes);
    Value align = lane_const(e, elem_bytes(b->elem));
    return masked(e, "llvm.masked.gather", type, at,
                  (Value[]){at, align, mask, LLVMConstNull(type)});
}

static void scatter_masked(Emitter *e, const Buffer *b, Value x, Value at, Value mask) {
    Value align = lane_const(e, elem_bytes(b->elem));
    alias_mark(e, b,
               masked(e, "llvm.masked.scatter", LLVMTypeOf(x), at,
                      (Value[]){x, at, align, mask}));
}

/* The first `count` lanes, one element at a time. */
static Value load_elements(Emitter *e, const Buffer *b, Value at, uint32_t count,
                           uint32_t lanes, int64_t stride) {
    Value y = LLVMConstNull(memory_type(e, b->elem, lanes));
    for (uint32_t i = 0; i < count; i++) {
        Value one =
            load_plain(e, b, 1, address(e, b->elem, at, index_const(e, stride * i)));
        y = LLVMBuildInsertElement(e->builder, y, one, lane_const(e, i), "");
    }
    return y;
}

/* How many lanes are used, where that is a constant: all of them without `active`. */
static bool constant_active(const Expr *active, uint32_t lanes, uint32_t *count) {
    *count = lanes;
    if (!active) return true;
    if (active->kind != EXPR_INT) return false;
    *count = active->i < 0 ? 0 : active->i < lanes ? (uint32_t)active->i : lanes;
    return true;
}

static Value load_lanes(Emitter *e, const Expr *x, Value at) {
    const Expr *active = x->args > 1 ? x->arg[1] : NULL;
    uint32_t count;
    bool constant = constant_active(active, x->lanes, &count);
    /* A count like 10 would be loads of 8 and of 2 lanes, and shuffles. */
    bool odd = count & (count - 1), has_mask = elem_bytes(x->elem) >= 4;
    if (active && odd && has_mask && x->i == 1 && x->lanes >= 8) constant = false;
    if (constant) {
        if (!count) return LLVMConstNull(memory_type(e, x->elem, x->lanes));
        if (x->lanes > 1 && x->i == 0)
            return resize(e, splat(e, load_plain(e, x->buffer, 1, at), count), count,
                          x->lanes);
        if (x->lanes > 1 && x->i != 1)
            return load_elements(e, x->buffer, at, count, x->lanes, x->i);
        return resize(e, load_plain(e, x->buffer, count, at), count, x->lanes);
    }
    Value mask = mask_of(e, expr_emit(e, active), x->lanes);
    if (x->i == 1 || x->lanes == 1) return load_masked(e, x->buffer, x->lanes, at, mask);
    return gather_masked(e, x->buffer, x->lanes,
                         strided(e, x->buffer, at, x->lanes, x->i), mask);
}

Value load_emit(Emitter *e, const Expr *x) {
    Value at = element_address(e, x->buffer, x->arg[0]);
    return from_memory(e, x->elem, load_lanes(e, x, at));
}

Value gather_emit(Emitter *e, const Expr *x) {
    Value at = element_address(e, x->buffer, x->arg[0]);
    Value offsets = expr_emit(e, x->arg[1]);
    at = address(e, x->elem, at, offsets);
    if (x->lanes == 1) return from_memory(e, x->elem, load_plain(e, x->buffer, 1, at));
    Value mask = int_lanes(e, e->elem[ELEM_bool], x->lanes, 1);
    return from_memory(e, x->elem, gather_masked(e, x->buffer, x->lanes, at, mask));
}

static void store_elements(Emitter *e, const Stmt *s, Value x, Value at, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        Value one = LLVMBuildExtractElement(e->builder, x, lane_const(e, i), "");
        Value to = address(e, s->buffer->elem, at, index_const(e, s->stride * i));
        store_plain(e, s->buffer, one, to);
    }
}

void store_emit(Emitter *e, const Stmt *s) {
    const Buffer *b = s->buffer;
    uint32_t lanes = s->value->lanes, count;
    Value x = to_memory(e, b->elem, lanes, expr_emit(e, s->value));
    Value at = element_address(e, b, s->index);
    if (constant_active(s->active, lanes, &count)) {
        if (!count) return;
        if (lanes > 1 && s->stride != 1) return store_elements(e, s, x, at, count);
        return store_plain(e, b, resize(e, x, lanes, count), at);
    }
    Value mask = mask_of(e, expr_emit(e, s->active), lanes);
    if (s->stride == 1 || lanes == 1) return store_masked(e, b, lanes, x, at, mask);
    scatter_masked(e, b, x, strided(e, b, at, lanes, s->stride), mask);
}
