/* The module being written: types, constants, bindings, small instruction helpers. */
#include "codegen/llvm/emitter.h"
#include <stdio.h>

static uint32_t slot_of(const Bindings *b, const void *key) {
    uint64_t h = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
    uint32_t i = (uint32_t)(h >> 32) & (b->capacity - 1);
    while (b->key[i] && b->key[i] != key) i = (i + 1) & (b->capacity - 1);
    return i;
}

static void bindings_grow(Arena *arena, Bindings *b) {
    Bindings old = *b;
    b->capacity = old.capacity ? 2 * old.capacity : 64;
    b->key = arena_array(arena, const void *, b->capacity);
    b->value = arena_array(arena, Value, b->capacity);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (!old.key[i]) continue;
        uint32_t to = slot_of(b, old.key[i]);
        b->key[to] = old.key[i];
        b->value[to] = old.value[i];
    }
}

void bindings_set(Arena *arena, Bindings *b, const void *key, Value value) {
    if (4 * (b->count + 1) > 3 * b->capacity) bindings_grow(arena, b);
    uint32_t i = slot_of(b, key);
    if (!b->key[i]) b->count++;
    b->key[i] = key;
    b->value[i] = value;
}

Value bindings_get(const Bindings *b, const void *key) {
    return b->capacity ? b->value[slot_of(b, key)] : NULL;
}

void bind(Emitter *e, const void *key, Value value) {
    bindings_set(e->arena, &e->bound, key, value);
    if (bindings_get(&e->origin, key)) bindings_set(e->arena, &e->origin, key, NULL);
}

void bindings_clear(Bindings *b) {
    if (b->count) memset(b->key, 0, sizeof *b->key * b->capacity);
    if (b->count) memset(b->value, 0, sizeof *b->value * b->capacity);
    b->count = 0;
}

void memo_clear(Emitter *e) {
    bindings_clear(&e->memo);
    e->random.of = NULL;
}

void emitter_begin(Emitter *e, Arena *arena, const Target *target, const char *name) {
    LLVMContextRef c = LLVMContextCreate();
    *e = (Emitter){.arena = arena, .target = target, .context = c};
    e->has_fma = strstr(target->features, "+fma") != NULL;
    e->has_avx512 = target->vector_bytes == 64;
    e->module = LLVMModuleCreateWithNameInContext(name, c);
    e->builder = LLVMCreateBuilderInContext(c);
    e->elem[ELEM_bool] = LLVMInt1TypeInContext(c);
    e->elem[ELEM_u8] = e->i8 = LLVMInt8TypeInContext(c);
    e->elem[ELEM_i32] = LLVMInt32TypeInContext(c);
    e->elem[ELEM_f32] = LLVMFloatTypeInContext(c);
    e->elem[ELEM_f64] = LLVMDoubleTypeInContext(c);
    e->i16 = LLVMInt16TypeInContext(c);
    e->i64 = LLVMInt64TypeInContext(c);
    e->pointer = LLVMPointerTypeInContext(c, 0);
    e->nothing = LLVMVoidTypeInContext(c);
}

void emitter_end(Emitter *e) {
    LLVMDisposeBuilder(e->builder);
    LLVMDisposeModule(e->module);
    LLVMContextDispose(e->context);
}

static void function_attribute(Emitter *e, Value f, const char *key, const char *value) {
    LLVMAttributeRef a = LLVMCreateStringAttribute(e->context, key, (unsigned)strlen(key),
                                                   value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, a);
}

/* Without "min-legal-vector-width", which would split 512-bit vectors. */
Value function_begin(Emitter *e, const char *name, LLVMTypeRef type) {
    Value f = LLVMGetNamedFunction(e->module, name); /* a driver before may call it */
    if (!f) f = LLVMAddFunction(e->module, name, type);
    char width[16];
    snprintf(width, sizeof width, "%u", 8 * e->target->vector_bytes);
    function_attribute(e, f, "prefer-vector-width", width);
    function_attribute(e, f, "target-cpu", MACHINE_CPU);
    function_attribute(e, f, "tune-cpu", e->target->cpu);
    function_attribute(e, f, "target-features", e->target->features);
    unsigned kind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->context, kind, 0));
    e->function = f;
    e->entry = LLVMAppendBasicBlockInContext(e->context, f, "entry");
    LLVMPositionBuilderAtEnd(e->builder, e->entry);
    bindings_clear(&e->bound);
    bindings_clear(&e->origin);
    memo_clear(e);
    return f;
}

LLVMTypeRef lanes_type(const Emitter *e, Elem elem, uint32_t lanes) {
    return lanes == 1 ? e->elem[elem] : LLVMVectorType(e->elem[elem], lanes);
}

LLVMTypeRef memory_type(const Emitter *e, Elem elem, uint32_t lanes) {
    LLVMTypeRef one = elem == ELEM_bool ? e->i8 : e->elem[elem];
    return lanes == 1 ? one : LLVMVectorType(one, lanes);
}

Value index_const(const Emitter *e, int64_t i) {
    return LLVMConstInt(e->i64, (unsigned long long)i, true);
}

static Value repeat_const(const Emitter *e, Value one, uint32_t lanes) {
    if (lanes == 1) return one;
    Value *all = arena_array(e->arena, Value, lanes);
    for (uint32_t i = 0; i < lanes; i++) all[i] = one;
    return LLVMConstVector(all, lanes);
}

Value int_lanes(const Emitter *e, LLVMTypeRef elem, uint32_t lanes, int64_t i) {
    return repeat_const(e, LLVMConstInt(elem, (unsigned long long)i, true), lanes);
}

Value num_const(const Emitter *e, Elem elem, uint32_t lanes, double num) {
    if (elem_is_float(elem))
        return repeat_const(e, LLVMConstReal(e->elem[elem], num), lanes);
    return int_lanes(e, e->elem[elem], lanes,
                     elem == ELEM_bool ? num != 0 : (int64_t)num);
}

Value splat(Emitter *e, Value x, uint32_t lanes) {
    if (lanes == 1) return x;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(x), lanes);
    Value none = LLVMGetPoison(type), zero = LLVMConstInt(e->elem[ELEM_i32], 0, false);
    Value first = LLVMBuildInsertElement(e->builder, none, x, zero, "");
    Value mask = LLVMConstNull(LLVMVectorType(e->elem[ELEM_i32], lanes));
    return LLVMBuildShuffleVector(e->builder, first, none, mask, "");
}

Value intrinsic(Emitter *e, const char *name, LLVMTypeRef overload, Value *args,
                uint32_t count) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    if (!id) bug(e->arena, "LLVM has no intrinsic %s", name);
    size_t types = overload ? 1 : 0;
    Value f = LLVMGetIntrinsicDeclaration(e->module, id, &overload, types);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, &overload, types);
    return LLVMBuildCall2(e->builder, type, f, args, count, "");
}

/* Where the processor has no fma, llvm.fma would call libm: f32 goes through f64, whose
 * product is exact; f64 rounds twice. */
Value fma_emit(Emitter *e, Elem elem, uint32_t lanes, Value x, Value y, Value z) {
    LLVMTypeRef type = lanes_type(e, elem, lanes);
    if (e->has_fma) return intrinsic(e, "llvm.fma", type, (Value[]){x, y, z}, 3);
    if (elem == ELEM_f32) {
        LLVMTypeRef wide = lanes_type(e, ELEM_f64, lanes);
        x = LLVMBuildFPExt(e->builder, x, wide, "");
        y = LLVMBuildFPExt(e->builder, y, wide, "");
        z = LLVMBuildFPExt(e->builder, z, wide, "");
    }
    Value sum = LLVMBuildFAdd(e->builder, LLVMBuildFMul(e->builder, x, y, ""), z, "");
    return elem == ELEM_f32 ? LLVMBuildFPTrunc(e->builder, sum, type, "") : sum;
}

Value address(Emitter *e, Elem elem, Value base, Value index) {
    return LLVMBuildGEP2(e->builder, memory_type(e, elem, 1), base, &index, 1, "");
}

LLVMTypeRef task_type(const Emitter *e) {
    LLVMTypeRef params[] = {e->pointer, e->i64, e->i64};
    return LLVMFunctionType(e->nothing, params, 3, false);
}
