/* The C API before anything is compiled, and the libraries that it writes. */
#include "codegen/backend.h"
#include "tests/api.h"
#include "tests/scratch.h"
#include <check.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* DLPack 1.0: struct DLTensor. */
_Static_assert(sizeof(tn_array) == 48 && offsetof(tn_array, device) == 8 &&
                   offsetof(tn_array, ndim) == 16 && offsetof(tn_array, dtype) == 20 &&
                   offsetof(tn_array, shape) == 24 && offsetof(tn_array, strides) == 32 &&
                   offsetof(tn_array, byte_offset) == 40,
               "tn_array is laid out as DLTensor");
_Static_assert(sizeof(tn_device) == 8 && sizeof(tn_dtype) == 4 &&
                   offsetof(tn_dtype, bits) == 1 && offsetof(tn_dtype, lanes) == 2,
               "and so are its parts");

/* ---- statuses ---------------------------------------------------------------------------- */

START_TEST(statuses_have_names_and_words) {
    int count = 0;
    for (int i = 0; i < 256; i++) {
        const char *name = tn_status_name((tn_status)i),
                   *words = tn_status_text((tn_status)i);
        bool known = strcmp(name, "TN_STATUS_UNKNOWN") != 0;
        ck_assert_int_eq(known, *words != 0);
        count += known;
    }
    ck_assert_int_eq(count, 22);
    ck_assert_str_eq(tn_status_name(TN_STATUS_STRIDES), "TN_STATUS_STRIDES");
    ck_assert_str_eq(tn_version(), TENON_VERSION);
}
END_TEST

/* ---- programs ---------------------------------------------------------------------------- */

START_TEST(mistakes_are_values) {
    static const char wrong[] = "fn f(x: f32[N, 3]) = relu(y)\n"
                                "fn g(x: f32[4]) = x + zeros([3])\n";
    tn_program *none = program;
    assert_status(tn_program_parse(context, "wrong.tn", wrong, strlen(wrong), &none),
                  TN_STATUS_PROGRAM);
    ck_assert_ptr_null(none);
    assert_said("wrong.tn:1:");
    ck_assert_uint_ge(tn_context_diagnostics(context), 2);
    tn_diagnostic d;
    assert_ok(tn_context_diagnostic(context, 0, &d));
    ck_assert_int_eq(d.severity, TN_SEVERITY_ERROR);
    ck_assert_str_eq(d.path, "wrong.tn");
    ck_assert_uint_eq(d.line, 1);
    ck_assert_uint_eq(d.column, 27);
    ck_assert_ptr_nonnull(strstr(d.message, "`y`"));
    const char *shown = tn_context_diagnostics_text(context);
    ck_assert_ptr_nonnull(strstr(shown, "wrong.tn:1:27: error: "));
    ck_assert_ptr_nonnull(strstr(shown, "= relu(y)\n"));
    ck_assert_ptr_nonnull(strstr(shown, "wrong.tn:2:"));
    ck_assert_int_eq(tn_context_diagnostic(context, 1000, &d), TN_STATUS_RANGE);
    /* the next call that reads a program forgets them */
    assert_ok(tn_program_parse(context, "line.tn", api_text, strlen(api_text), &none));
    ck_assert_uint_eq(tn_context_diagnostics(context), 0);
    ck_assert_str_eq(tn_context_diagnostics_text(context), "");
    ck_assert_str_eq(tn_context_error(context), "");
}
END_TEST

START_TEST(files_are_loaded) {
    tn_program *loaded;
    assert_status(tn_program_load(context, scratch_path("none.tn"), &loaded),
                  TN_STATUS_FILE);
    assert_said("none.tn");
    scratch_text("part.tn", "fn twice(x: f32[N]) = x + x\n");
    const char *path = scratch_text("whole.tn", "use \"part.tn\"\n"
                                                "fn four(x: f32[N]) = twice(twice(x))\n");
    assert_ok(tn_program_load(context, path, &loaded));
    ck_assert_uint_eq(tn_program_entries(loaded), 2);
    const char *graph;
    assert_ok(tn_program_bind(loaded, "N", 2));
    assert_ok(tn_program_emit(loaded, "graph", "four", NULL, &graph));
    path = scratch_text("four.graph", graph);
    tn_program_free(loaded);
    assert_ok(tn_program_load(context, path, &loaded));
    ck_assert_uint_eq(tn_program_entries(loaded), 1);
    ck_assert_str_eq(tn_program_entry(loaded, 0), "four");
}
END_TEST

START_TEST(entries_have_signatures) {
    const tn_signature *s, *again;
    ck_assert_uint_eq(tn_program_entries(program), 2);
    ck_assert_str_eq(tn_program_entry(program, 0), "line");
    ck_assert_str_eq(tn_program_entry(program, 1), "clean");
    ck_assert_ptr_null(tn_program_entry(program, 2));
    assert_ok(tn_program_signature(program, "clean", &s));
    assert_ok(tn_program_signature(program, "clean", &again));
    ck_assert_ptr_eq(s, again);
    ck_assert_uint_eq(s->inputs, 2);
    ck_assert_uint_eq(s->outputs, 1);
    ck_assert_uint_eq(s->slots, 2);
    ck_assert_str_eq(s->input[0].name, "x");
    ck_assert_str_eq(s->input[0].text, "f32[N, 3]");
    ck_assert_int_eq(s->input[0].shape[0], -1);
    ck_assert_int_eq(s->input[0].shape[1], 3);
    ck_assert_int_eq(s->input[0].role, TN_ROLE_INPUT);
    ck_assert_int_eq(s->input[1].elem, TN_I32);
    ck_assert_int_eq(s->input[1].dtype.code, 0);
    ck_assert_int_eq(s->input[1].dtype.bits, 32);
    ck_assert_int_eq(s->output[0].ndim, 0);
    ck_assert_int_eq(s->output[0].role, TN_ROLE_OUTPUT);
    ck_assert_str_eq(s->slot[0].name, "logits.weight");
    ck_assert_int_eq(s->slot[0].role, TN_ROLE_PARAM);
    assert_ok(tn_program_bind(program, "N", 7));
    assert_ok(tn_program_signature(program, "line", &s));
    ck_assert_int_eq(s->input[0].shape[0], 7);
    assert_ok(tn_program_bind_most(program, "N", 9));
    assert_ok(tn_program_signature(program, "line", &s));
    ck_assert_int_eq(s->input[0].shape[0], 9);
    ck_assert_str_eq(s->input[0].text, "f32[N, 3]");
    assert_status(tn_program_signature(program, "lnie", &s), TN_STATUS_ENTRY);
    ck_assert_ptr_null(s);
    ck_assert_ptr_nonnull(strstr(tn_context_diagnostics_text(context), "`line`"));
}
END_TEST

START_TEST(train_blocks_have_entries) {
    const tn_train *train;
    const tn_signature *s;
    ck_assert_uint_eq(tn_program_trains(program), 1);
    ck_assert_str_eq(tn_program_train(program, 0), "plain");
    ck_assert_ptr_null(tn_program_train(program, 1));
    assert_ok(tn_program_train_block(program, NULL, &train));
    ck_assert_str_eq(train->name, "plain");
    ck_assert_str_eq(train->data, "synthetic");
    ck_assert_int_eq(train->batch, 8);
    ck_assert_int_eq(train->epochs, 2);
    ck_assert_uint_eq(train->phases, 1);
    ck_assert_int_eq(train->phase[0].epochs, 2);
    assert_ok(tn_program_signature(program, train->phase[0].step, &s));
    ck_assert_uint_eq(s->inputs, 2);
    ck_assert_str_eq(s->output[0].name, "loss");
    assert_ok(tn_program_signature(program, train->report, &s));
    ck_assert_uint_eq(s->inputs, 3);
    ck_assert_uint_eq(s->outputs, 2);
    ck_assert_str_eq(s->output[1].name, "accuracy");
    assert_ok(tn_program_set(program, "epochs", "5"));
    assert_ok(tn_program_train_block(program, "plain", &train));
    ck_assert_int_eq(train->epochs, 5);
    assert_status(tn_program_train_block(program, "plian", &train), TN_STATUS_ENTRY);
    assert_ok(tn_program_set(program, "epoch", "5"));
    assert_status(tn_program_train_block(program, "plain", &train), TN_STATUS_PROGRAM);
}
END_TEST

/* Each phase has a step; all of them work on one state. */
START_TEST(phases_have_steps) {
    static const char phased[] =
        "net line(x: f32[N, 3]) {\n"
        "    logits = x |> dense(2)\n"
        "}\n"
        "loss clean(x: f32[N, 3], y: i32[N]) = mean(cross_entropy(line(x).logits, y))\n"
        "train two {\n"
        "    data = synthetic(batch = 8, shape = [3], classes = 2)\n"
        "    loss = clean\n"
        "    phase fast { optim = sgd(rate = 0.5); epochs = 1 }\n"
        "    phase slow { optim = sgd(rate = 0.1); epochs = 3 }\n"
        "}\n";
    const tn_train *train;
    const tn_signature *s;
    tn_model *model;
    const char *name = "two";
    assert_ok(tn_program_parse(context, "two.tn", phased, strlen(phased), &program));
    assert_ok(tn_program_train_block(program, "two", &train));
    ck_assert_uint_eq(train->phases, 2);
    ck_assert_int_eq(train->epochs, 4);
    ck_assert_int_eq(train->phase[1].epochs, 3);
    ck_assert_str_ne(train->phase[0].step, train->phase[1].step);
    assert_ok(tn_model_compile(program, &name, 1, &model));
    assert_ok(tn_model_init(model, 1));
    for (int i = 0; i < 2; i++) {
        float x[24] = {1}, loss = -1;
        int32_t y[8] = {0};
        const tn_array in[] = {tn_array_of(TN_F32, x, 2, (int64_t[]){8, 3}),
                               tn_array_of(TN_I32, y, 1, (int64_t[]){8})};
        const tn_array out = tn_array_of(TN_F32, &loss, 0, NULL);
        assert_ok(tn_program_signature(program, train->phase[i].step, &s));
        ck_assert_uint_eq(s->inputs, 2);
        assert_ok(tn_model_call(model, train->phase[i].step, in, 2, &out, 1));
        ck_assert_float_gt(loss, 0);
    }
}
END_TEST

START_TEST(every_level_is_text) {
    static const char *const levels[][2] = {
        {"ast", "net line"},   {"graph", "func @line("}, {"groups", "group @"},
        {"loops", "kernel @"}, {"plan", "plan line: "},  {"llvm", "define "},
        {"asm", "retq"},
    };
    const char *out;
    assert_status(tn_program_emit(program, "plan", "line", NULL, &out), TN_STATUS_OPEN);
    assert_said("`N`");
    assert_ok(tn_program_bind(program, "N", 4));
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        assert_ok(tn_program_emit(program, levels[i][0], "line", NULL, &out));
        ck_assert_msg(strstr(out, levels[i][1]) != NULL, "%s: %s", levels[i][0], out);
    }
    assert_ok(tn_program_emit(program, "graph", NULL, "autodiff", &out));
    ck_assert_ptr_nonnull(strstr(out, "@plain_step"));
    assert_status(tn_program_emit(program, "graph", NULL, "fsue", &out),
                  TN_STATUS_OPTION);
    assert_said("fuse");
    ck_assert_ptr_null(out);
    assert_status(tn_program_emit(program, "plan", NULL, "fuse", &out), TN_STATUS_OPTION);
    assert_status(tn_program_emit(program, "pln", NULL, NULL, &out), TN_STATUS_OPTION);
    assert_status(tn_program_emit(program, "plan", "none", NULL, &out), TN_STATUS_ENTRY);
}
END_TEST

/* Local memory of the two strategies has other names. */
START_TEST(convolutions_are_direct_on_demand) {
    const char text[] = "fn tiled(x: f32[8, 16, 16, 32], w: f32[3, 3, 32, 32]) = "
                        "conv2d(x, w, pad = 1)\n";
    const char *out;
    for (int allowed = 0; allowed <= 1; allowed++) {
        assert_ok(tn_context_set_winograd(context, allowed));
        assert_ok(tn_program_parse(context, "c.tn", text, strlen(text), &program));
        assert_ok(tn_program_emit(program, "loops", "tiled", NULL, &out));
        ck_assert_int_eq(strstr(out, "local products") != NULL, allowed);
    }
}
END_TEST

START_TEST(options_are_checked) {
    assert_ok(tn_context_set_cpu(context, "native"));
    assert_status(tn_context_set_cpu(context, "i8086"), TN_STATUS_OPTION);
    assert_said("i8086");
    assert_status(tn_context_set_threads(context, -1), TN_STATUS_OPTION);
    assert_status(tn_context_set_threads(context, 1025), TN_STATUS_OPTION);
    assert_status(tn_context_set_winograd(context, 2), TN_STATUS_OPTION);
    assert_status(tn_program_bind(program, "N", 0), TN_STATUS_OPTION);
    assert_status(tn_program_bind(program, "N", INT64_MAX), TN_STATUS_OPTION);
    char path[5000];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_status(tn_context_set_cache(context, path), TN_STATUS_OPTION);
    assert_status(tn_context_set_data(context, path), TN_STATUS_OPTION);
    Target target;
    char name[64] = "";
    ck_assert_int_eq(target_find(NULL, &target), STATUS_OK);
    ck_assert(!target_lacks(&target, name));
    strcpy(target.features, "+sse4.2,+abacus");
    ck_assert(target_lacks(&target, name));
    ck_assert_str_eq(name, "abacus");
}
END_TEST

/* ---- libraries --------------------------------------------------------------------------- */

START_TEST(libraries_are_written) {
    float loss;
    const char *path = scratch_path("libline.so"),
               *weights = scratch_path("w.safetensors");
    const char *names[] = {"line", "plain"};
    assert_ok(tn_model_save_weights(train(1, 1, 1, &loss), weights));
    assert_ok(tn_program_bind_most(program, "N", 16));
    assert_ok(tn_program_compile(program, path, NULL, names, 2, weights));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    ck_assert_ptr_nonnull(dlsym(library, "line_line"));
    ck_assert_ptr_nonnull(dlsym(library, "line_plain_step"));
    ck_assert_ptr_null(dlsym(library, "line_clean"));
    dlclose(library);
    ck_assert_int_eq(access(scratch_path("line.h"), R_OK), 0);
    assert_ok(tn_program_compile(program, scratch_path("x.o"), "other", NULL, 0, NULL));
    ck_assert_int_eq(access(scratch_path("other.h"), R_OK), 0);
}
END_TEST

START_TEST(wrong_libraries_are_refused) {
    static const struct {
        tn_status status;
        const char *file, *c_name, *entry, *weights;
    } rows[] = {
        {TN_STATUS_NULL, NULL, NULL, "line", NULL},
        {TN_STATUS_OPTION, "libline.dll", NULL, "line", NULL},
        {TN_STATUS_OPTION, "libmy-line.so", NULL, "line", NULL},
        {TN_STATUS_OPTION, "libline.so", "int", "line", NULL},
        {TN_STATUS_FILE, "none/libline.so", NULL, "line", NULL},
        {TN_STATUS_FILE, "libline.so", NULL, "line", "none.safetensors"},
        {TN_STATUS_WEIGHTS, "libline.so", NULL, "line", "damaged.safetensors"},
        {TN_STATUS_ENTRY, "libline.so", NULL, "lnie", NULL},
        {TN_STATUS_OPEN, "libline.so", NULL, "clean", NULL},
    };
    scratch_text("damaged.safetensors", "no header");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].status == TN_STATUS_WEIGHTS)
            assert_ok(tn_program_bind(program, "N", 1));
        if (rows[i].status == TN_STATUS_OPEN)
            assert_ok(
                tn_program_parse(context, "a.tn", api_text, strlen(api_text), &program));
        assert_status(
            tn_program_compile(program, rows[i].file ? scratch_path(rows[i].file) : NULL,
                               rows[i].c_name, &rows[i].entry, 1,
                               rows[i].weights ? scratch_path(rows[i].weights) : NULL),
            rows[i].status);
        ck_assert_str_ne(tn_context_error(context), "");
        ck_assert_int_ne(access(scratch_path("libline.so"), F_OK), 0);
    }
}
END_TEST

Suite *suite_api(void);
Suite *suite_api(void) {
    Suite *suite = suite_create("api");
    TCase *tcase = tcase_create("programs");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, api_start, api_stop);
    tcase_add_test(tcase, statuses_have_names_and_words);
    tcase_add_test(tcase, mistakes_are_values);
    tcase_add_test(tcase, files_are_loaded);
    tcase_add_test(tcase, entries_have_signatures);
    tcase_add_test(tcase, train_blocks_have_entries);
    tcase_add_test(tcase, phases_have_steps);
    tcase_add_test(tcase, every_level_is_text);
    tcase_add_test(tcase, options_are_checked);
    tcase_add_test(tcase, convolutions_are_direct_on_demand);
    tcase_add_test(tcase, libraries_are_written);
    tcase_add_test(tcase, wrong_libraries_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
