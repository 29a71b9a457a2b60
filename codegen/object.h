/*
 * Plans as a library for C programs: a relocatable object that exports NAME_... and needs
 * nothing but libc, linked or archived, and the header that describes it.
 */
#ifndef TN_CODEGEN_OBJECT_H
#define TN_CODEGEN_OBJECT_H

#include "base/target.h"
#include "ir/plan.h"

typedef struct ObjectSpec {
    const Target *target;
    const char *cache;  /* folder of the object cache; NULL: none */
    int threads;        /* that compile; >= 1 */
    const char *name;   /* what exported names begin with: a C identifier */
    const char *source; /* what the header says the object was made from */
    const Layout *layout;
    uint32_t entries, inits;
    const Plan *const *entry; /* exported as NAME_<its name>; of one layout */
    const char *const *words; /* [entries] what the header says of each; NULL: nothing */
    /* Functions of one input, the seed, that NAME_init runs in order: the later ones win.
     * What none of them fills is zero. */
    const Plan *const *init;
    /* A state block [layout->bytes] whose parameters and statistics are embedded: NAME_init
     * copies them.  NULL: none. */
    const void *weights;
    bool order;   /* NAME_order, the shuffle of an epoch, is exported */
    bool guarded; /* calls check that nothing is written beyond the work memory */
} ObjectSpec;

typedef struct Object {
    const char *name;
    const uint8_t *at; /* ELF, relocatable; of the arena */
    size_t count;
    const char *header; /* C99 and C++ */
} Object;

/* On failure `message` (512 bytes) says why: STATUS_INPUT for names that no C program can
 * spell. */
Status object_new(Arena *arena, const ObjectSpec *spec, Object *object, char *message);

/*
 * Writes `path` and, beside it, NAME.h; by the path's end a shared object (.so, linked by
 * the system's cc), an archive (.a) or the object itself (.o).  Both files are replaced in
 * one step or left as they were.  Without a cc the object is left where the shared one was
 * to be, as .o: STATUS_SYSTEM, and the message tells.
 */
Status object_write(Arena *arena, const Object *object, const char *path, char *message);
/* Whether `path` has such an end and its folder exists: before anything is compiled. */
Status object_path_check(const char *path, char *message);

/* "lib/liblenet.so" -> "lenet".  NULL: not one of the three endings. */
const char *object_path_name(Arena *arena, const char *path);

#endif
