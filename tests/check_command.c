/* The command line: exit codes, help, messages; every verb once. */
#include "tests/command.h"
#include "tests/scratch.h"
#include "tools/command.h"
#include "tools/tensor.h"
#include <check.h>
#include <stdio.h>
#include <string.h>

static const char *const verb_names[] = {
#define VERB(name, ...) #name,
#include "tools/verbs.def"
#undef VERB
};
#define VERBS (int)(sizeof verb_names / sizeof *verb_names)

START_TEST(every_verb_has_help) {
    const Result *r = command_run("%s --help", verb_names[_i]);
    assert_code(r, 0);
    assert_in("usage: tenon", r->out);
    assert_in(verb_names[_i], r->out);
    assert_in("--help", r->out);
    ck_assert_str_eq(r->err, "");
}
END_TEST

START_TEST(every_verb_refuses_unknown_options) {
    const Result *r = command_run("%s --frobnicate", verb_names[_i]);
    assert_code(r, 2);
    assert_in("--frobnicate", r->err);
    ck_assert_str_eq(r->out, "");
}
END_TEST

#define EIGHT " --in=1 --in=1 --in=1 --in=1 --in=1 --in=1 --in=1 --in=1"

static const CommandLine lines[] = {
    {"", 2, "", "usage"},
    {"--help", 0, "train", ""},
    {"--version", 0, "tenon ", ""},
    {"trian", 2, "", "did you mean 'train'"},
    {"check", 2, "", "needs MODEL.tn"},
    {"check a.tn b.tn", 2, "", "'b.tn' is one argument too many"},
    {"check missing.tn", 1, "", "missing.tn"},
    {"emit nowhere good.tn", 2, "", "levels are ast graph"},
    {"emit graph good.tn --after fusee", 2, "", "the nearest is fuse"},
    {"emit loops good.tn --after fuse", 2, "", "--after goes with the level graph"},
    {"train", 2, "", "needs MODEL.tn"},
    {"train good.tn --thread 2", 2, "", "did you mean '--threads'"},
    {"train good.tn --threads 0", 2, "", "--threads takes N, not '0'"},
    {"run line.tn line" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT " --in 1", 2, "",
     "--in may stand 64 times at most"},
    {"train good.tn --threads two", 2, "", "not 'two'"},
    {"train good.tn --threads", 2, "", "--threads needs a value"},
    {"train good.tn --seed -1", 2, "", "--seed takes S"},
    {"train good.tn --set epochs", 2, "", "--set takes NAME=VALUE"},
    {"train good.tn --resume", 2, "", "needs the run's folder"},
    {"train good.tn --resume=yes --out r", 2, "", "takes no value"},
    {"train good.tn", 1, "", "has no train block"},
    {"eval good.tn", 2, "", "needs --weights"},
    {"bench", 2, "", "needs"},
    {"bench good.tn twice --seconds 0", 2, "", "--seconds takes S"},
    {"bench good.tn twise", 1, "", "twice"},
    {"bench good.tn --seconds 0.01", 0, "",
     "'twice' has an open dimension and is left out"},
    {"bench good.tn --seconds 0.01 --bind N<=64", 0, "twice ", ""},
    {"run good.tn twice", 2, "", "takes 1 inputs (x: f32"},
    {"run good.tn twice --in nowhere.npy", 1, "", "nowhere.npy: cannot be opened"},
    {"run good.tn twice --in good.tn", 1, "", "is neither an array"},
    {"run good.tn twise --in x.npy", 1, "", "twice"},
    {"run line.tn line --in 2,3 --in 0.5 --in 1", 0, "f32[2]\n2 2.5\n", ""},
    {"run line.tn line --in 2 --in 0.5 --in 1", 0, "f32[1]\n2\n", ""},
    {"check .", 1, "", "cannot read .: it is no plain file"},
    {"run line.tn line --in 2,3 --in 0.5 --in 1.5", 1, "", "not a whole number"},
    {"run line.tn line --in 2,3 --in 0.5 --in 1,x", 1, "", "1,x: cannot be opened"},
    {"run line.tn line --in numbers.idx --in 1 --in 0", 0, "f32[3]\n1 2 3\n", ""},
    {"check bad.tn", 1, "", "bad.tn:1:"},
    {"check --json bad.tn", 1, "\"line\":1", ""},
    {"check good.tn", 0, "no mistakes", ""},
    {"check blocks.tn", 0, "not checked: away, its data are not here", ""},
    {"check blocks.tn", 0, "not checked: open, it awaits arguments", ""},
    {"check wrong.tn", 1, "", "error: a loss is one number f32[], found f32[4, 4]"},
    {"check wrong.tn", 1, "", "eps is to be 0 or more"},
    {"check wrong.tn", 1, "", "did you mean mnist"},
    {"emit ast good.tn", 0, "twice", ""},
    {"emit graph good.tn twice --bind N=4", 0, "func @", ""},
    {"emit graph good.tn twice --bind N=4 --after dce", 0, "func @", ""},
    {"emit groups good.tn twice --bind N=4", 0, "call", ""},
    {"emit loops good.tn twice --bind N=4", 0, "kernel @", ""},
    {"emit plan good.tn twice --bind N=4", 0, "work", ""},
    {"emit llvm good.tn twice --bind N=4", 0, "define", ""},
    {"emit asm good.tn twice --bind N=4", 0, "ret", ""},
    {"emit loops tiled.tn tiled", 0, "local products", ""},
    {"emit loops tiled.tn tiled --no-winograd", 0, "local sums", ""},
    {"emit graph add.graph", 0, "%1 = add %x, %x", ""},
    {"emit loops add.graph add", 0, "kernel @", ""},
    {"emit loops open.graph open", 1, "", "more than one dimension that is open"},
    {"emit graph one.graph", 0, "%1 = exp %x : f32[1]", ""},
    {"bench one.graph --seconds 0.01", 0, "f ", ""},
    {"bench soft.tn soft --bind N<=1 --seconds 0.01", 0, "soft ", ""},
    {"bench open.graph --seconds 0.01", 1, "", "more than one dimension that is open"},
    {"emit graph add.graph ad", 1, "", "did you mean @add"},
    {"emit graph bad.graph", 1, "", "bad.graph:"},
    {"bench add.graph --seconds 0.01", 0, "add", ""},
    {"bench add.graph --seconds 0.01 --cpu x86-64-v3", 0, "add", ""},
    {"bench add.graph --cpu i8086", 1, "", "no processor 'i8086'"},
    {"emit graph good.tn twice --bind N=4 --bind M=4", 1, "",
     "no entry has an input with a dimension `M`"},
    {"emit graph good.tn twice --bind N=four", 2, "", "--bind takes NAME=SIZE"},
};

static void write_programs(void) {
    static const float x[] = {1, 2, 3, 4, 5, 6};
    static const uint8_t idx[] = {0, 0, 9, 1, 0, 0, 0, 3, 1, 2, 3};
    char message[MESSAGE_BYTES];
    const Tensor tensor = {ELEM_f32, 2, {2, 3}, (void *)x};
    scratch_open();
    scratch_text("good.tn", "fn twice(x: f32[N, 3]) -> f32[N, 3] = x + x\n");
    scratch_text("tiled.tn", "fn tiled(x: f32[8, 16, 16, 32], w: f32[3, 3, 32, 32]) = "
                             "conv2d(x, w, pad = 1)\n");
    scratch_text("line.tn", "fn line(x: f32[K], slope: f32[], from: i32[]) = "
                            "f32(from) + slope * x\n");
    scratch_write("numbers.idx", idx, sizeof idx);
    scratch_text("add.graph", "module\n\nfunc @add(%x: f32[4, 3]) -> (out = %1) {\n"
                              "  %1 = add %x, %x : f32[4, 3]\n}\n");
    scratch_text("soft.tn", "fn soft(x: f32[N]) = softmax(x)\n");
    scratch_text("one.graph",
                 "module\n\nsymbol N max 1\n\nfunc @f(%x: f32[N]) -> (out = %1) "
                 "{\n  %1 = exp %x : f32[N]\n}\n");
    scratch_text("open.graph", "module\n\nsymbol N max 7\nsymbol M max 5\n\n"
                               "func @open(%x: f32[N, M]) -> (out = %1) {\n"
                               "  %1 = add %x, %x : f32[N, M]\n}\n");
    scratch_text("bad.graph", "module\n\nfunc @add(%x: f32[4, 3]) -> (out = %2) {\n}\n");
    scratch_text("bad.tn", "fn twice(x: f32[N, 3]) = x + y\n");
#define NET "net m(x: f32[N, 4]) { logits = dense(x, 3) }\n"
#define BLOCK(data, loss, rest)                                                          \
    "data = " data "; loss = fn(x, y: i32[N]) = " loss "; optim = sgd(rate = 0.1); "     \
    "epochs = 1" rest " }\n"
#define RIGHT   "mean(cross_entropy(m(x).logits, y))"
#define NUMBERS "synthetic(batch = 4, shape = [4], classes = 3)"
    scratch_text("blocks.tn",
                 NET "train here { " BLOCK(NUMBERS, RIGHT, "") "train away { " BLOCK(
                     "npy(\"no.npy\", \"no.npy\", batch = 4)", RIGHT,
                     "") "train open(rate) { " BLOCK(NUMBERS, RIGHT, ""));
    scratch_text(
        "wrong.tn",
        NET "train a { " BLOCK(NUMBERS, "x", "") "train b { " BLOCK(
            NUMBERS, RIGHT,
            "; attack = pgd(eps = -1)") "train c { " BLOCK("mnst(batch = 4)", RIGHT, ""));
    ck_assert(npy_write(scratch_path("x.npy"), &tensor, message));
}

START_TEST(lines_end_as_they_should) {
    command_check(&lines[_i]);
}
END_TEST

START_TEST(run_computes) {
    char message[MESSAGE_BYTES];
    Tensor y;
    const Result *r = command_run("run good.tn twice --in x.npy");
    assert_code(r, 0);
    assert_in("f32[2, 3]\n2 4 6\n8 10 12\n", r->out);
    r = command_run("run good.tn twice --in x.npy --out y.npy");
    assert_code(r, 0);
    ck_assert(npy_read(scratch_path("y.npy"), &y, message));
    ck_assert(((float *)y.data)[5] == 12);
    tensor_free(&y);
    r = command_run("run good.tn twice --in x.npy --out no/such/y.npy");
    assert_code(r, 1);
    assert_in("cannot be written", r->err);
}
END_TEST

/* An archive's array of the input's name, or its only one; all results into one. */
START_TEST(run_takes_archives) {
    scratch_text(
        "pair.tn",
        "fn pair(x: f32[N, 3], y: f32[N, 3]) {\n    both = x + y\n    less = x - y\n}\n"
        "fn again(less: f32[N, 3], both: f32[N, 3]) = less + 2 * both\n");
    assert_code(command_run("run good.tn twice --in x.npy --out one.npz"), 0);
    assert_code(command_run("run pair.tn pair --in one.npz --in x.npy --out two.npz"), 0);
    const Result *r = command_run("run pair.tn again --in two.npz --in two.npz");
    assert_code(r, 0);
    assert_in("f32[2, 3]\n7 14 21\n28 35 42\n", r->out);
    command_refused("two.npz: has no array 'x'; it holds both, less",
                    "run good.tn twice --in two.npz");
    command_refused("no/such.npz: cannot be written",
                    "run pair.tn pair --in x.npy --in x.npy --out no/such.npz");
    scratch_text("zip.npz", "PK\003\004 and no more");
    command_refused("zip.npz: is not a .npz file", "run good.tn twice --in zip.npz");
}
END_TEST

START_TEST(bench_prints_and_compares) {
    const Result *r = command_run(
        "bench good.tn twice --bind N=64 --seconds 0.01 --jsonl --json r.json");
    assert_code(r, 0);
    static const char *const keys[] = {
        "\"peer\":\"tenon\"", "\"case\":\"twice\"", "\"threads\":", "\"min_s\":",
        "\"median_s\":",      "\"calls\":",         "\"peak_mb\":", "\"first_s\":"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) assert_in(keys[i], r->out);
    r = command_run("bench good.tn twice --bind N=64 --seconds 0.01 --compare r.json");
    assert_code(r, 0);
    assert_in("times as fast", r->out);
    r = command_run("bench good.tn twice --bind N=64 --seconds 0.01 --profile");
    assert_code(r, 0);
    assert_in("a call, in kernels", r->out);
    r = command_run("bench good.tn twice --bind N=64 --compare good.tn");
    assert_code(r, 1);
    r = command_run("bench good.tn twice");
    assert_code(r, 1);
    assert_in("--bind", r->err);
}
END_TEST

Suite *suite_command(void);
Suite *suite_command(void) {
    Suite *suite = suite_create("command");
    TCase *t = tcase_create("lines");
    tcase_add_checked_fixture(t, write_programs, scratch_close);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, every_verb_has_help, 0, VERBS);
    tcase_add_loop_test(t, every_verb_refuses_unknown_options, 0, VERBS);
    tcase_add_loop_test(t, lines_end_as_they_should, 0,
                        (int)(sizeof lines / sizeof *lines));
    tcase_add_test(t, run_computes);
    tcase_add_test(t, run_takes_archives);
    tcase_add_test(t, bench_prints_and_compares);
    suite_add_tcase(suite, t);
    return suite;
}
