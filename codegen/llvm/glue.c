/* Records of runtime/object.h as constants, and functions that pass them on. */
#include "codegen/llvm/glue.h"
#include "codegen/cpu.h"
#include "codegen/header.h"
#include "ir/names.h"

bool slot_is_weight(const Slot *slot) {
    return slot->role == ROLE_PARAM || slot->role == ROLE_STATE;
}

/* Slots have constant shapes, which print the same in any module. */
static const Dims *dims_of(const ObjectSpec *spec) {
    return &spec->entry[0]->entry->module->dims;
}

/* ---- constants ------------------------------------------------------------------------ */

static Value constant(Emitter *e, const char *name, Value value) {
    Value global = LLVMAddGlobal(e->module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

static Value text(Emitter *e, const char *words) {
    size_t length = strlen(words);
    return constant(e, "text",
                    LLVMConstStringInContext2(e->context, words, length, false));
}

static Value record(Emitter *e, Value *fields, unsigned count) {
    return LLVMConstStructInContext(e->context, fields, count, false);
}

#define RECORD(e, ...)                                                                   \
    record(e, (Value[]){__VA_ARGS__}, sizeof((Value[]){__VA_ARGS__}) / sizeof(Value))

/* A table of records, all alike; NULL for none. */
static Value table(Emitter *e, const char *name, Value *rows, uint32_t count) {
    if (!count) return LLVMConstNull(e->pointer);
    return constant(e, name, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, count));
}

static Value numbers(Emitter *e, const int64_t *number, uint32_t count) {
    Value *all = arena_array(e->arena, Value, count);
    for (uint32_t i = 0; i < count; i++) all[i] = index_const(e, number[i]);
    return LLVMConstArray2(e->i64, all, count);
}

static Value param_record(Emitter *e, const Slot *slot) {
    int64_t dim[MAX_RANK] = {0};
    for (uint32_t i = 0; i < slot->type.rank; i++) dim[i] = slot->type.dim[i];
    return RECORD(e, text(e, slot->name), text(e, role_words[slot->role]),
                  text(e, elem_name(slot->type.elem)), index_const(e, slot->type.rank),
                  numbers(e, dim, MAX_RANK),
                  index_const(e, OBJECT_STATE_HEAD + slot->offset),
                  index_const(e, slot->bytes));
}

static Value param_table(Emitter *e, const Layout *layout) {
    Value *rows = arena_array(e->arena, Value, layout->slots + 1);
    for (uint32_t i = 0; i < layout->slots; i++)
        rows[i] = param_record(e, &layout->slot[i]);
    return table(e, "params", rows, layout->slots);
}

static Value weight_table(Emitter *e, const ObjectSpec *spec, uint32_t *count) {
    Value *rows = arena_array(e->arena, Value, spec->layout->slots + 1), data = NULL;
    int64_t at = 0;
    *count = 0;
    for (uint32_t i = 0; i < spec->layout->slots && spec->weights; i++) {
        const Slot *slot = &spec->layout->slot[i];
        if (!slot_is_weight(slot)) continue;
        if (!data) data = LLVMAddGlobal(e->module, e->i8, GLUE_WEIGHTS);
        Value index = index_const(e, at);
        rows[(*count)++] = RECORD(e, LLVMConstGEP2(e->i8, data, &index, 1),
                                  index_const(e, OBJECT_STATE_HEAD + slot->offset),
                                  index_const(e, slot->bytes));
        at += slot->bytes;
    }
    return table(e, "weights", rows, *count);
}

/* Bytes of an element of each input, then of each output. */
static Value align_table(Emitter *e, const Plan *plan) {
    PortList list[] = {entry_inputs(e->arena, plan), entry_outputs(e->arena, plan)};
    Text bytes;
    text_init(&bytes, e->arena);
    text_add(&bytes, "", 0);
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < list[k].count; i++)
            text_add(&bytes, &(char){(char)elem_bytes(list[k].at[i]->type.elem)}, 1);
    return constant(e, "align",
                    LLVMConstStringInContext2(e->context, bytes.at, bytes.length, true));
}

static Value entry_record(Emitter *e, const Plan *plan, const char *symbol,
                          Value object) {
    LLVMTypeRef params[] = {e->pointer, e->pointer, e->pointer, e->pointer, e->pointer};
    LLVMTypeRef type = LLVMFunctionType(e->elem[ELEM_i32], params, 5, false);
    Value run = LLVMGetNamedFunction(e->module, symbol);
    if (!run) run = LLVMAddFunction(e->module, symbol, type);
    return RECORD(e, object, run, index_const(e, plan->work_bytes),
                  index_const(e, plan->has_n ? plan->n_max : 0),
                  index_const(e, entry_inputs(e->arena, plan).count),
                  index_const(e, entry_outputs(e->arena, plan).count),
                  align_table(e, plan));
}

/* ---- functions ------------------------------------------------------------------------ */

typedef struct Forward {
    const char *name; /* behind the object's */
    const char *callee;
    LLVMTypeRef result, param[5];
    unsigned params;
    Value extra; /* the callee's last argument; NULL: none */
} Forward;

static void forward(Emitter *e, const Glue *glue, const Forward *f) {
    LLVMTypeRef params[6];
    Value arg[6];
    unsigned count = f->params;
    memcpy(params, f->param, sizeof f->param);
    const char *name =
        arena_print(e->arena, "%s" GLUE_EXPORT "%s", glue->spec->name, f->name);
    function_begin(e, name, LLVMFunctionType(f->result, params, count, false));
    for (unsigned i = 0; i < count; i++) arg[i] = LLVMGetParam(e->function, i);
    if (f->extra) {
        params[count] = e->pointer;
        arg[count++] = f->extra;
    }
    LLVMTypeRef type = LLVMFunctionType(f->result, params, count, false);
    Value callee = LLVMGetNamedFunction(e->module, f->callee);
    if (!callee) callee = LLVMAddFunction(e->module, f->callee, type);
    Value call = LLVMBuildCall2(e->builder, type, callee, arg, count, "");
    LLVMSetTailCall(call, true);
    if (f->result == e->nothing)
        LLVMBuildRetVoid(e->builder);
    else
        LLVMBuildRet(e->builder, call);
}

static void common_functions(Emitter *e, const Glue *glue, Value object) {
    LLVMTypeRef i32 = e->elem[ELEM_i32], i64 = e->i64, p = e->pointer;
    const Forward all[] = {
        {"state_size", "object_state_size", i64, {0}, 0, object},
        {"work_size", "object_work_size", i64, {i64}, 1, object},
        {"check", "object_check", i32, {i64}, 1, object},
        {"init", "object_init", i32, {p, i64}, 2, object},
        {"params", "object_params", p, {p}, 1, object},
        {"error", "tn_error_text", p, {i32}, 1, NULL},
        {"order", "tn_order", e->nothing, {i64, i64, i64, p}, 4, NULL}, /* the last */
    };
    unsigned count = sizeof all / sizeof *all - !glue->spec->order;
    for (unsigned i = 0; i < count; i++) forward(e, glue, &all[i]);
}

static uint64_t layout_hash(Emitter *e, const ObjectSpec *spec) {
    const Layout *layout = spec->layout;
    Text words;
    text_init(&words, e->arena);
    text_puts(&words, "");
    for (uint32_t i = 0; i < layout->slots; i++) {
        const Slot *slot = &layout->slot[i];
        text_printf(&words, "%s %lld ", slot->name, (long long)slot->offset);
        type_print(dims_of(spec), &slot->type, &words);
    }
    uint64_t hash[2];
    hash_bytes(words.at, words.length, 0, hash);
    return hash[0];
}

/* ORDER ObjectInfo */
static Value info_record(Emitter *e, const Glue *glue, Value init) {
    const ObjectSpec *spec = glue->spec;
    uint32_t weights;
    Value weight = weight_table(e, spec, &weights), param = param_table(e, spec->layout);
    int64_t scratch = OBJECT_STATE_HEAD + spec->layout->bytes, extra = 0;
    for (uint32_t i = 0; i < spec->inits; i++)
        if (spec->init[i]->work_bytes > extra) extra = spec->init[i]->work_bytes;
    uint64_t cpu[CPU_WORDS];
    cpu_needed(spec->target, cpu);
    int64_t bits[CPU_WORDS];
    memcpy(bits, cpu, sizeof bits);
    return RECORD(e, index_const(e, (int64_t)glue->abi),
                  index_const(e, (int64_t)layout_hash(e, spec)),
                  index_const(e, scratch + extra), index_const(e, scratch),
                  index_const(e, object_work(spec)), index_const(e, object_n_max(spec)),
                  index_const(e, spec->guarded), index_const(e, spec->layout->slots),
                  index_const(e, spec->inits), index_const(e, weights), param, init,
                  weight, numbers(e, bits, CPU_WORDS));
}

/* The object's record and its inits' point at each other: its place is made first. */
void glue_emit(Emitter *e, const Glue *glue) {
    const ObjectSpec *spec = glue->spec;
    LLVMTypeRef words = LLVMArrayType2(e->i64, sizeof(ObjectInfo) / sizeof(int64_t));
    Value object = LLVMAddGlobal(e->module, words, "tn_object");
    Value *init = arena_array(e->arena, Value, spec->inits + 1);
    for (uint32_t i = 0; i < spec->inits; i++)
        init[i] = entry_record(e, spec->init[i], glue->init[i], object);
    Value info = info_record(e, glue, table(e, "inits", init, spec->inits));
    Value made = LLVMAddGlobal(e->module, LLVMTypeOf(info), "");
    LLVMSetInitializer(made, info);
    LLVMSetGlobalConstant(made, true);
    LLVMReplaceAllUsesWith(object, made);
    LLVMDeleteGlobal(object);
    LLVMSetValueName2(made, "tn_object", 9);
    common_functions(e, glue, made);
    for (uint32_t i = 0; i < spec->entries; i++) {
        Value row = entry_record(e, spec->entry[i], glue->entry[i], made);
        LLVMTypeRef p = e->pointer;
        Forward f = {.name = c_spelling(e->arena, spec->entry[i]->name),
                     .callee = "object_call",
                     .result = e->elem[ELEM_i32],
                     .param = {p, p, p, p, p},
                     .params = 5,
                     .extra = constant(e, "entry", row)};
        forward(e, glue, &f);
    }
}

/* ---- key ------------------------------------------------------------------------------ */

static void key_plan(Arena *arena, Text *key, const Plan *plan, const char *symbol) {
    text_printf(key, "%s %s %lld %lld", c_spelling(arena, plan->name), symbol,
                (long long)plan->work_bytes, (long long)(plan->has_n ? plan->n_max : 0));
    PortList list[] = {entry_inputs(arena, plan), entry_outputs(arena, plan)};
    for (int k = 0; k < 2; k++) {
        text_puts(key, k ? " ->" : " :");
        for (uint32_t i = 0; i < list[k].count; i++)
            text_printf(key, " %u", elem_bytes(list[k].at[i]->type.elem));
    }
    text_puts(key, "\n");
}

/* The target is part of every key of the cache. */
Key glue_key(Arena *arena, const Glue *glue) {
    const ObjectSpec *spec = glue->spec;
    Text key;
    text_init(&key, arena);
    text_printf(&key, "glue %s %llx %d %d %d\n", spec->name,
                (unsigned long long)glue->abi, spec->order, spec->guarded,
                spec->weights != NULL);
    for (uint32_t i = 0; i < spec->entries; i++)
        key_plan(arena, &key, spec->entry[i], glue->entry[i]);
    text_puts(&key, "inits\n");
    for (uint32_t i = 0; i < spec->inits; i++)
        key_plan(arena, &key, spec->init[i], glue->init[i]);
    for (uint32_t i = 0; i < spec->layout->slots; i++) {
        const Slot *slot = &spec->layout->slot[i];
        text_printf(&key, "%s %s %lld ", slot->name, role_words[slot->role],
                    (long long)slot->offset);
        type_print(dims_of(spec), &slot->type, &key);
        text_puts(&key, "\n");
    }
    Key made = {.at = (const uint8_t *)key.at, .length = key.length};
    hash_bytes(made.at, made.length, 0, made.hash);
    return made;
}
