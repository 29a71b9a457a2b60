/* The part of an object that its callers see: what it says of itself, as data, and the
 * exported functions, which end in those of runtime/object.c. */
#ifndef TN_CODEGEN_LLVM_GLUE_H
#define TN_CODEGEN_LLVM_GLUE_H

#include "codegen/llvm/emitter.h"
#include "codegen/llvm/key.h"
#include "codegen/object.h"

/* Between the object's name and that of what it exports: no name in C has one, so nothing else
 * in the object is called so.  An underscore is put in its place when all is joined. */
#define GLUE_EXPORT "."
/* Where the embedded numbers lie, one after another (join_add_data). */
#define GLUE_WEIGHTS "tn_weights"

typedef struct Glue {
    const ObjectSpec *spec;
    uint64_t abi;
    const char *const *entry; /* [spec->entries] symbols of the drivers */
    const char *const *init;  /* [spec->inits] */
} Glue;

bool slot_is_weight(const Slot *slot); /* what NAME_init takes from spec->weights */
Key glue_key(Arena *arena, const Glue *glue);
void glue_emit(Emitter *e, const Glue *glue);

#endif
