/* libFuzzer target of the graph's text. */
#include "ir/graph.h"
#include "tests/fuzz/round_trip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *parse(Arena *arena, Diag *diag, uint32_t source) {
    return graph_parse(arena, diag, source);
}
static void print(const void *module, Text *text) {
    graph_print(module, text);
}
static bool valid(const void *module, Arena *arena) {
    return !graph_verify(module, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const TextForm form = {parse, print, valid};
    static Guard guard;
    static Arena arena;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) abort();
    round_trip(&form, &arena, data, size);
    arena_free(&arena);
    return 0;
}
