/* --library: verbs whose code is called through a shared object give what they give without. */
#include "base/file.h"
#include "tests/command.h"
#include "tests/library.h"
#include "tests/scratch.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM SOURCE_DIR "/tests/programs/small.tn"

/* Libraries go to a folder of the test's own, where what is left behind can be seen. */
static void start(void) {
    scratch_open();
    scratch_text("tmp/keep", "");
    setenv("TMPDIR", scratch_path("tmp"), 1);
}

static void stop(void) {
    ck_assert_int_eq(shell("ls tmp"), 0);
    ck_assert_str_eq(said(), "keep\n");
    unsetenv("TMPDIR");
    scratch_close();
}

static void assert_same(const char *a, const char *b) {
    ck_assert_msg(shell("cmp %s %s", a, b) == 0, "%s", said());
}

START_TEST(training_is_the_same) {
    assert_code(command_run("train " PROGRAM " --out plain --seed 3 --threads 1"), 0);
    assert_code(command_run("train " PROGRAM " --out lib --seed 3 --threads 2 --library"),
                0);
    assert_same("plain/last.safetensors", "lib/last.safetensors");
    assert_same("plain/best.safetensors", "lib/best.safetensors");
    assert_code(command_run("train " PROGRAM " --out begun --seed 3 --set epochs=1"), 0);
    assert_code(command_run("train " PROGRAM " --out begun --resume --library"), 0);
    assert_same("plain/last.safetensors", "begun/last.safetensors");
}
END_TEST

/* Weights are embedded, for eval as for run. */
START_TEST(weights_are_the_same) {
    static const char *const words[] = {
        "eval " PROGRAM " --weights run/last.safetensors --json",
        "run " PROGRAM " small --in x.npy --weights run/last.safetensors",
    };
    static char want[1 << 16];
    assert_code(command_run("train " PROGRAM " --out run --threads 1"), 0);
    scratch_text("x.tn", "fn x(s: i32[]) = reshape(f32(iota(30) * s % 7), [5, 6])\n");
    assert_code(command_run("run x.tn x --in 1 --out x.npy"), 0);
    assert_code(command_run("%s", words[_i]), 0);
    snprintf(want, sizeof want, "%s", command_run("%s", words[_i])->out);
    const Result *r = command_run("%s --library", words[_i]);
    assert_code(r, 0);
    ck_assert(*want);
    ck_assert_str_eq(r->out, want);
}
END_TEST

START_TEST(benchmarks_time_the_opening) {
    const Result *r =
        command_run("bench " PROGRAM " plain --seconds 0.01 --library --jsonl");
    assert_code(r, 0);
    assert_in("\"open_s\":", r->out);
    assert_in("\"init_s\":", r->out);
    r = command_run("bench " PROGRAM " plain --seconds 0.01 --library --profile");
    assert_code(r, 0);
    assert_in("opened in", r->out);
    assert_in("a call, in kernels and copies", r->out);
    r = command_run("bench " PROGRAM " plain --seconds 0.01 --jsonl");
    ck_assert_ptr_null(strstr(r->out, "open_s"));
}
END_TEST

/* What cannot be made is said, and leaves no files either. */
static const struct {
    const char *folder, *path, *words, *err;
} wrongs[] = {
    {"tmp", "", "train " PROGRAM " --library --no-cache", "there is no C compiler `cc`"},
    {"nowhere", NULL, "train " PROGRAM " --library", "nowhere: no folder can be made"},
    {"tmp", NULL, "eval " PROGRAM " --library --weights x.npy", "x.npy"},
    {"tmp", NULL, "eval " PROGRAM " --library --weights wide/last.safetensors",
     "of another net"},
};

START_TEST(what_cannot_be_made_is_said) {
    const char *old = getenv("PATH");
    char path[4096];
    snprintf(path, sizeof path, "%s", old ? old : "");
    ck_assert_int_eq(shell("sed 's/dense(64)/dense(65)/' " PROGRAM " >wide.tn"), 0);
    assert_code(command_run("train wide.tn --out wide --set epochs=1"), 0);
    setenv("TMPDIR", scratch_path(wrongs[_i].folder), 1);
    if (wrongs[_i].path) setenv("PATH", scratch_path("tmp"), 1);
    const Result *r = command_run("%s", wrongs[_i].words);
    setenv("PATH", path, 1);
    assert_code(r, 1);
    assert_in(wrongs[_i].err, r->err);
}
END_TEST

Suite *suite_library(void);
Suite *suite_library(void) {
    Suite *suite = suite_create("library");
    TCase *tcase = tcase_create("library");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, training_is_the_same);
    tcase_add_loop_test(tcase, weights_are_the_same, 0, 2);
    tcase_add_test(tcase, benchmarks_time_the_opening);
    tcase_add_loop_test(tcase, what_cannot_be_made_is_said, 0,
                        sizeof wrongs / sizeof *wrongs);
    suite_add_tcase(suite, tcase);
    return suite;
}
