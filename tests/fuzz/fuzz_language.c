/* libFuzzer target of the language: any bytes give a program or a message; what was parsed
 * prints as text that parses again; every entry and block elaborates or says why not. */
#include "frontend/ast.h"
#include "frontend/program.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_and_parse(Arena *arena, const char *text, size_t size) {
    Diag diag;
    Text once, twice;
    diag_init(&diag, arena);
    const AstFile *file = ast_parse(arena, &diag, diag_source(&diag, "fuzz", text, size));
    if (diag.errors) return;
    text_init(&once, arena);
    text_init(&twice, arena);
    ast_print(file, &once);
    file = ast_parse(arena, &diag, diag_source(&diag, "once", once.at, once.length));
    ast_print(file, &twice);
    if (diag.errors || strcmp(once.at, twice.at)) abort();
}

static void elaborate(Arena *arena, const char *text, size_t size) {
    static const Binding bindings[] = {{"N", 4, false}, {"M", 3, true}};
    static const ProgramOptions options = {.binding = bindings, .bindings = 2};
    Diag diag;
    Text out;
    diag_init(&diag, arena);
    text_init(&out, arena);
    Program *program = program_load_text(arena, &diag, "fuzz", text, size, &options);
    if (!program == !diag.errors) abort();
    for (uint32_t i = 0; program && i < program->entries; i++)
        program_entry(program, program->entry[i].name);
    for (uint32_t i = 0; program && i < program->trains; i++)
        program_train(program, program->train[i].name);
    if (program && !diag.errors && graph_verify(program->module, arena)) abort();
    diag_render(&diag, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Guard guard;
    static Arena arena;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) abort();
    const char *text = arena_string(&arena, (const char *)data, size);
    if (!strstr(text, "use")) { /* which would read files */
        print_and_parse(&arena, text, size);
        elaborate(&arena, text, size);
    }
    arena_free(&arena);
    return 0;
}
