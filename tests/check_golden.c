/*
 * Golden tests of the passes: tests/golden/<pass>/<case>.graph holds a module, a line
 * "# ----", and the module that the pass makes of it.  UPDATE=1 in the environment rewrites
 * the second part.  Before and after must also mean the same to the evaluator (gradients are
 * compared with differences in check_gradients.c).
 */
#include "passes/pass.h"
#include "passes/simplify_shape.h"
#include "tests/random_arrays.h"
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    bool (*run)(PassContext *cx, Module *module);
    Stage stage; /* that the module has reached with it */
} passes[] = {
#define PASS(name, what) {#name, pass_##name, STAGE_TYPED},
#define STAGE(name)      {NULL, NULL, STAGE_##name},
#include "passes/pipeline.def"
#undef PASS
#undef STAGE
};
static const int pass_count = sizeof passes / sizeof *passes;

static const char ruler[] = "# ----\n";

typedef struct Fixture {
    Guard guard;
    Arena arena, scratch;
    Diag diag;
} Fixture;

static void begin(Fixture *f) {
    arena_init(&f->arena, &f->guard);
    arena_init(&f->scratch, &f->guard);
    diag_init(&f->diag, &f->arena);
}

static void end(Fixture *f) {
    arena_free(&f->scratch);
    arena_free(&f->arena);
}

static char *read_text(Arena *arena, const char *path) {
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    char *text = arena_alloc(arena, 1 << 20);
    const size_t length = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    text[length] = 0;
    return text;
}

static Module *parse(Fixture *f, const char *path, const char *text, size_t length) {
    char *copy = arena_string(&f->arena, text, length);
    Module *module =
        graph_parse(&f->arena, &f->diag, diag_source(&f->diag, path, copy, length));
    if (!module) {
        Text out;
        text_init(&out, &f->arena);
        diag_render(&f->diag, &out);
        ck_abort_msg("%s", out.at);
    }
    return module;
}

static const char *print(Fixture *f, const Module *module) {
    Text out;
    text_init(&out, &f->arena);
    graph_print(module, &out);
    return out.at;
}

static void rewrite_file(const char *path, const char *input, size_t length,
                         const char *output) {
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "%s", path);
    fprintf(file, "%.*s%s%s", (int)length, input, ruler, output);
    fclose(file);
}

/* Of which the evaluator knows nothing. */
static bool has_grad(const Module *module) {
    for (uint32_t i = 0; i < module->funcs.count; i++) {
        const Func *func = module->funcs.at[i];
        for (Val v = 0; v < func->nodes.count; v++)
            if (graph_node(func, v)->op == OP_grad) return true;
    }
    return false;
}

static void check_case(int pass, const char *path) {
    Fixture f;
    if (guard_enter(f.guard)) ck_abort_msg("%s: %s", path, f.guard.message);
    begin(&f);
    const char *text = read_text(&f.arena, path);
    const char *at = strstr(text, ruler);
    const size_t length = at ? (size_t)(at - text) : strlen(text);
    Module *module = parse(&f, path, text, length);
    const Module *before = parse(&f, path, text, length);
    PassContext cx = {.scratch = &f.scratch};
    ck_assert(passes[pass].run(&cx, module));
    for (int i = pass + 1; i < pass_count && !passes[i].name; i++)
        if (module->stage < passes[i].stage) module->stage = passes[i].stage;
    const char *wrong = graph_verify(module, &f.scratch);
    ck_assert_msg(!wrong, "%s: %s", path, wrong);
    const char *output = print(&f, module);
    const char *again = print(&f, parse(&f, path, output, strlen(output)));
    ck_assert_str_eq(output, again);
    if (!has_grad(before)) check_same_meaning(&f.arena, path, before, module);
    if (getenv("UPDATE"))
        rewrite_file(path, text, length, output);
    else if (!at || strcmp(at + strlen(ruler), output))
        ck_abort_msg("%s: the pass gives\n%s", path, output);
    end(&f);
}

START_TEST(passes_make_what_is_written) {
    if (!passes[_i].name) return;
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "%s/tests/golden/%s", SOURCE_DIR, passes[_i].name);
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s", folder);
    int cases = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, ".graph")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_case(_i, path);
        cases++;
    }
    closedir(dir);
    ck_assert_msg(cases >= 3, "%s has %d cases", folder, cases);
}
END_TEST

START_TEST(shape_rules_have_a_case) {
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/simplify/%s.graph", SOURCE_DIR,
             shape_rules[_i].name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    fclose(file);
}
END_TEST

Suite *suite_golden(void);
Suite *suite_golden(void) {
    Suite *suite = suite_create("golden");
    TCase *tcase = tcase_create("golden");
    tcase_add_loop_test(tcase, passes_make_what_is_written, 0, pass_count);
    tcase_add_loop_test(tcase, shape_rules_have_a_case, 0, (int)shape_rule_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
