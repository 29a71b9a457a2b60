/* Bump allocation with one lifetime an arena: source, module, scratch. */
#ifndef TN_BASE_ARENA_H
#define TN_BASE_ARENA_H

#include "base/status.h"
#include <stddef.h>

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
    ArenaBlock *head;  /* newest first */
    size_t used;       /* bytes handed out of head */
    Guard *guard;      /* where memory that ends, and bug(), unwind to */
    ArenaBlock *spare; /* the largest that was released, for what comes next */
} Arena;

typedef struct ArenaMark {
    ArenaBlock *head;
    size_t used;
} ArenaMark;

void arena_init(Arena *arena, Guard *guard);
void arena_free(Arena *arena);

/* Zeroed, 16-byte aligned.  Never NULL: raises STATUS_MEMORY at the guard. */
void *arena_alloc(Arena *arena, size_t bytes);
void *arena_copy(Arena *arena, const void *data, size_t bytes);
char *arena_string(Arena *arena, const char *text, size_t length); /* adds the NUL */
char *arena_print(Arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

ArenaMark arena_mark(const Arena *arena);
void arena_release(Arena *arena, ArenaMark mark); /* ends all that came after the mark */

/* Our own mistake: unwinds to the arena's guard with STATUS_BUG. */
_Noreturn void bug(Arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define arena_new(arena, T)      ((T *)arena_alloc((arena), sizeof(T)))
#define arena_array(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))

#endif
