/* libFuzzer target of the graph's text: any bytes give a module or a message; a module prints
 * as text that gives the same module. */
#include "ir/graph.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Module *parse(Arena *arena, Diag *diag, const char *text, size_t length) {
    Module *module = graph_parse(arena, diag, diag_source(diag, "fuzz", text, length));
    if (!module == !diag->errors) abort();
    return module;
}

static const char *print(Arena *arena, const Module *module) {
    Text text;
    text_init(&text, arena);
    graph_print(module, &text);
    return text.at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Guard guard;
    static Arena arena;
    Diag diag;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) abort();
    diag_init(&diag, &arena);
    Module *module =
        parse(&arena, &diag, arena_string(&arena, (const char *)data, size), size);
    if (module) {
        const char *once = print(&arena, module);
        Module *again = parse(&arena, &diag, once, strlen(once));
        if (!again || strcmp(print(&arena, again), once)) abort();
    } else {
        Text words;
        text_init(&words, &arena);
        diag_render(&diag, &words);
    }
    arena_free(&arena);
    return 0;
}
