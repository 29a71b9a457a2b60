/* Mistakes and what is said of them: tests/errors/NAME.tn with the messages in NAME.txt.
 * UPDATE=1 writes the messages anew, for review. */
#include "frontend/program.h"
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static glob_t files;

static bool find_data(void *context, const DataSpec *spec, DataInfo *info,
                      char *message) {
    if (strcmp(spec->kind, "fashion_mnist")) {
        snprintf(message, 512, "no data set `%s`", spec->kind);
        return false;
    }
    *info =
        (DataInfo){.train_count = 1000, .test_count = 100, .fields = 2, .classes = 10};
    info->field[0] = (DataField){"x", ELEM_u8, 3, {28, 28, 1}};
    info->field[1] = (DataField){"y", ELEM_i32, 0, {0}};
    return true;
}

static const DataLookup lookup = {NULL, find_data};

static char *read_text(Arena *arena, const char *path) {
    FILE *in = fopen(path, "rb");
    if (!in) return "";
    char *text = arena_alloc(arena, 1 << 16);
    text[fread(text, 1, (1 << 16) - 1, in)] = 0;
    fclose(in);
    return text;
}

/* A first line `# train: plain(rate = 1)` asks for that; NULL: there is none. */
static const char *called_block(Arena *arena, const char *path) {
    static const char mark[] = "# train: ";
    char *text = read_text(arena, path);
    if (strncmp(text, mark, sizeof mark - 1)) return NULL;
    text[strcspn(text, "\n")] = 0;
    return text + sizeof mark - 1;
}

/* Loads the file and asks for all that it defines, as far as there is no mistake. */
static void provoke(Arena *arena, Diag *diag, const char *path) {
    static const Binding bindings[] = {{"N", 4, false}};
    static const char *const wrong_set[][2] = {{"epochs", "1 +"}};
    ProgramOptions options = {.lookup = &lookup, .binding = bindings, .bindings = 1};
    if (strstr(path, "setting")) {
        options.settings = 1;
        options.setting = wrong_set;
    }
    Program *program = program_load(arena, diag, path, &options);
    const char *call = called_block(arena, path);
    if (program && call) program_train(program, call);
    for (uint32_t i = 0; program && !call && i < program->trains; i++)
        program_train(program, program->train[i].name);
    for (uint32_t i = 0; program && !diag->errors && i < program->entries; i++)
        program_entry(program, program->entry[i].name);
}

START_TEST(mistake_is_told) {
    Guard guard;
    Arena arena;
    Diag diag;
    Text text;
    ck_assert_msg(!guard_enter(guard), "%s", guard.message);
    ck_assert_int_eq(chdir(SOURCE_DIR "/tests/errors"), 0);
    arena_init(&arena, &guard);
    diag_init(&diag, &arena);
    text_init(&text, &arena);
    const char *path = strrchr(files.gl_pathv[_i], '/') + 1;
    provoke(&arena, &diag, path);
    ck_assert_msg(diag.errors > 0, "%s: no mistake was found", path);
    diag_render(&diag, &text);
    const char *golden = arena_print(&arena, "%.*s.txt", (int)strlen(path) - 3, path);
    if (getenv("UPDATE")) {
        FILE *out = fopen(golden, "wb");
        ck_assert(out && fwrite(text.at, 1, text.length, out) == text.length);
        ck_assert_int_eq(fclose(out), 0);
    }
    ck_assert_str_eq(text.at, read_text(&arena, golden));
    arena_free(&arena);
}
END_TEST

Suite *suite_errors(void);
Suite *suite_errors(void) {
    Suite *suite = suite_create("errors");
    TCase *tcase = tcase_create("golden");
    tcase_set_timeout(tcase, 60);
    if (glob(SOURCE_DIR "/tests/errors/*.tn", 0, NULL, &files) == 0)
        tcase_add_loop_test(tcase, mistake_is_told, 0, (int)files.gl_pathc);
    suite_add_tcase(suite, tcase);
    return suite;
}
