/* libFuzzer target of the kernels' text; what is right stays right when it is tidied. */
#include "passes/pass.h"
#include "tests/fuzz/round_trip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *parse(Arena *arena, Diag *diag, uint32_t source) {
    return loop_parse(arena, diag, source);
}
static void print(const void *kernel, Text *text) {
    loop_print(kernel, text);
}
static bool valid(const void *kernel, Arena *arena) {
    return !loop_verify(kernel, arena);
}

/* Whether tidy keeps it right.  It may find out that a place is constant, and so that it
 * lies outside of its buffer: then it did before. */
static bool stays_right(Kernel *kernel, Arena *arena) {
    const char *wrong = loop_verify(tidy(arena, kernel), arena);
    return !wrong || strstr(wrong, "outside of a buffer");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const TextForm form = {parse, print, valid};
    static Guard guard;
    static Arena arena;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) abort();
    Kernel *kernel = round_trip(&form, &arena, data, size);
    if (kernel && !stays_right(kernel, &arena)) abort();
    arena_free(&arena);
    return 0;
}
