/* libFuzzer target of the kernels' text: any bytes give a kernel or a message; a kernel that is
 * right prints as text that gives the same kernel, and stays right when it is tidied. */
#include "passes/pass.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Kernel *parse(Arena *arena, Diag *diag, const char *text, size_t length) {
    Kernel *kernel = loop_parse(arena, diag, diag_source(diag, "fuzz", text, length));
    if (!kernel == !diag->errors) abort();
    return kernel;
}

static const char *print(Arena *arena, const Kernel *kernel) {
    Text text;
    text_init(&text, arena);
    loop_print(kernel, &text);
    return text.at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Guard guard;
    static Arena arena;
    Diag diag;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) abort();
    diag_init(&diag, &arena);
    Kernel *kernel =
        parse(&arena, &diag, arena_string(&arena, (const char *)data, size), size);
    if (kernel && !loop_verify(kernel, &arena)) {
        const char *once = print(&arena, kernel);
        Kernel *again = parse(&arena, &diag, once, strlen(once));
        if (!again || strcmp(print(&arena, again), once)) abort();
        if (loop_verify(tidy(&arena, again), &arena)) abort();
    }
    arena_free(&arena);
    return 0;
}
