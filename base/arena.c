/* Arenas: a list of blocks, the newest first. */
#include "base/arena.h"
#include "base/alloc.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Header and data in one allocation; data starts 16-byte aligned behind it. */
struct ArenaBlock {
    ArenaBlock *older;
    size_t capacity;
    _Alignas(16) char data[];
};

#define BLOCK_BYTES ((size_t)64 << 10)

void arena_init(Arena *arena, Guard *guard) {
    *arena = (Arena){.guard = guard};
}

void arena_free(Arena *arena) {
    arena_release(arena, (ArenaMark){NULL, 0});
    mem_free(arena->spare);
    arena->spare = NULL;
}

/* Blocks double with the arena, so that a large arena has few. */
static ArenaBlock *block_new(Arena *arena, size_t bytes) {
    size_t capacity = arena->head ? 2 * arena->head->capacity : BLOCK_BYTES;
    if (capacity > ((size_t)8 << 20)) capacity = (size_t)8 << 20;
    if (capacity < bytes) capacity = bytes;
    ArenaBlock *block = mem_alloc_dirty(sizeof *block + capacity);
    if (!block)
        guard_raise(arena->guard, STATUS_MEMORY, "out of memory (%zu bytes wanted)",
                    bytes);
    block->capacity = capacity;
    return block;
}

/* A mark that is taken and released at the end of a block would else allocate each time. */
static void arena_grow(Arena *arena, size_t bytes) {
    ArenaBlock *block = arena->spare;
    if (block && block->capacity >= bytes)
        arena->spare = NULL;
    else
        block = block_new(arena, bytes);
    block->older = arena->head;
    arena->head = block;
    arena->used = 0;
}

void *arena_alloc(Arena *arena, size_t bytes) {
    if (bytes > PTRDIFF_MAX - 4096)
        guard_raise(arena->guard, STATUS_MEMORY, "out of memory (%zu bytes wanted)",
                    bytes);
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (!rounded) rounded = 16;
    if (!arena->head || arena->head->capacity - arena->used < rounded)
        arena_grow(arena, rounded);
    void *at = arena->head->data + arena->used;
    arena->used += rounded;
    return memset(at, 0, rounded); /* a released block may be dirty */
}

void *arena_copy(Arena *arena, const void *data, size_t bytes) {
    void *at = arena_alloc(arena, bytes);
    if (bytes) memcpy(at, data, bytes);
    return at;
}

char *arena_string(Arena *arena, const char *text, size_t length) {
    char *at = arena_alloc(arena, length + 1);
    if (length) memcpy(at, text, length);
    return at;
}

char *arena_print(Arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) bug(arena, "bad format \"%s\"", format);
    char *at = arena_alloc(arena, (size_t)length + 1);
    va_start(args, format);
    vsnprintf(at, (size_t)length + 1, format, args);
    va_end(args);
    return at;
}

ArenaMark arena_mark(const Arena *arena) {
    return (ArenaMark){arena->head, arena->used};
}

void arena_release(Arena *arena, ArenaMark mark) {
    while (arena->head != mark.head) {
        ArenaBlock *block = arena->head, *less = arena->spare;
        arena->head = block->older;
        if (less && less->capacity > block->capacity)
            less = block;
        else
            arena->spare = block;
        mem_free(less);
    }
    arena->used = mark.used;
}

void bug(Arena *arena, const char *format, ...) {
    char words[400];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    guard_raise(arena->guard, STATUS_BUG, "internal error: %s", words);
}
