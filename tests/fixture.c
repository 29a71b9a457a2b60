/* The fixture of tests of the compiler (fixture.h). */
#include "tests/fixture.h"
#include "frontend/program.h"
#include "passes/pass.h"
#include <check.h>

Guard guard;
Arena arena;
Diag diag;

void fixture_open(void) {
    if (guard_enter(guard)) ck_abort_msg("%s", guard.message);
    arena_init(&arena, &guard);
    diag_init(&diag, &arena);
}

void fixture_close(void) {
    arena_free(&arena);
}

const char *messages(void) {
    Text text;
    text_init(&text, &arena);
    diag_render(&diag, &text);
    return text.length ? text.at : "";
}

Module *module_of(const char *text) {
    Module *module =
        graph_parse(&arena, &diag, diag_source(&diag, "test", text, strlen(text)));
    ck_assert_msg(module != NULL, "%s", messages());
    return module;
}

const Func *func_of(const char *text) {
    Program *program =
        program_load_text(&arena, &diag, "test.tn", text, strlen(text), NULL);
    ck_assert_msg(program != NULL, "%s", messages());
    const Entry *entry = program_entry(program, "f");
    ck_assert_msg(entry != NULL, "%s", messages());
    Arena scratch;
    arena_init(&scratch, &guard);
    PassContext cx = {.scratch = &scratch};
    ck_assert_msg(pipeline_run(&cx, program->module, "dce"), "%s", messages());
    arena_free(&scratch);
    return entry->func;
}

Array *run_on(const Func *func, Array (*input)(const Port *port)) {
    Array *args = arena_array(&arena, Array, func->params.count);
    for (uint32_t i = 0; i < func->params.count; i++)
        args[i] = input(&func->params.at[i]);
    Array *results = arena_array(&arena, Array, func->results.count);
    eval_func(func, args, NULL, &arena, results);
    return results;
}
