/* Plans to the bytes of one relocatable object: kernels and drivers compiled apart, then
 * joined with the glue, the embedded numbers and the runtime. */
#include "codegen/object.h"
#include "codegen/embedded.h"
#include "codegen/header.h"
#include "codegen/join.h"
#include "codegen/llvm/object.h"
#include <stdio.h>

static const char *const *driver_symbols(Arena *arena, Units *units,
                                         const Plan *const *plan, uint32_t count) {
    const char **symbol = arena_array(arena, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++) symbol[i] = units_plan(arena, units, plan[i]);
    return symbol;
}

/* "NAME.init" -> "NAME_init". */
static const char *exported(Arena *arena, const void *context, const char *symbol) {
    const char *name = context;
    size_t length = strlen(name);
    if (strncmp(symbol, name, length) != 0 || symbol[length] != *GLUE_EXPORT) return NULL;
    return arena_print(arena, "%s_%s", name, symbol + length + 1);
}

static void add_weights(Join *join, const ObjectSpec *spec) {
    Text bytes;
    text_init(&bytes, join->arena);
    for (uint32_t i = 0; i < spec->layout->slots; i++) {
        const Slot *slot = &spec->layout->slot[i];
        if (slot_is_weight(slot))
            text_add(&bytes, (const char *)spec->weights + slot->offset,
                     (size_t)slot->bytes);
    }
    join_add_data(join, GLUE_WEIGHTS, bytes.at, bytes.length);
}

/* The order of the parts follows from what is in them, so equal programs give equal bytes. */
static bool join_all(Arena *arena, const ObjectSpec *spec, const Units *units,
                     Object *object, char *message) {
    Join join = {.arena = arena};
    for (uint32_t i = 0; i < units->parts.count; i++) {
        LLVMMemoryBufferRef part = units->parts.at[i].object;
        join_add(&join, LLVMGetBufferStart(part), LLVMGetBufferSize(part));
    }
    for (const Embedded *part = embedded_runtime; part->at; part++)
        join_add(&join, part->at, part->count);
    if (spec->weights) add_weights(&join, spec);
    object->at = join_finish(&join, exported, spec->name, &object->count);
    if (!object->at) snprintf(message, 512, "joining objects: %s", join.wrong);
    return object->at != NULL;
}

/* LLVM's buffers are freed before memory that ends is reported to the caller's guard. */
static Status build(Arena *arena, const ObjectSpec *spec, Units *units, Object *object,
                    char *message) {
    Guard *outer = arena->guard, guard;
    Status status;
    arena->guard = &guard;
    if (guard_enter(guard)) {
        status = guard.status;
        snprintf(message, 512, "%s", guard.message);
    } else {
        status = join_all(arena, spec, units, object, message) ? STATUS_OK : STATUS_BUG;
    }
    arena->guard = outer;
    units_free(units);
    return status;
}

Status object_new(Arena *arena, const ObjectSpec *spec, Object *object, char *message) {
    Glue glue = {.spec = spec};
    Units units = {0};
    *object = (Object){.name = spec->name};
    object->header = header_text(arena, spec, &glue.abi, message);
    if (!object->header) return STATUS_INPUT;
    glue.entry = driver_symbols(arena, &units, spec->entry, spec->entries);
    glue.init = driver_symbols(arena, &units, spec->init, spec->inits);
    units_glue(arena, &units, &glue);
    const JitOptions options = {
        .target = spec->target, .cache = spec->cache, .threads = spec->threads};
    Status status = units_compile(arena, &options, &units, message);
    if (status != STATUS_OK) return status;
    return build(arena, spec, &units, object, message);
}
