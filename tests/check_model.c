/* The C API's models as their users see them: calls, state, errors; several contexts at once;
 * and memory that ends at every allocation of a whole session. */
#include "base/alloc.h"
#include "tests/api.h"
#include "tests/library.h"
#include "tests/scratch.h"
#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- calls ------------------------------------------------------------------------------- */

START_TEST(calls_compute) {
    assert_ok(tn_program_bind(program, "N", 2));
    tn_model *model = compile("line");
    ck_assert_uint_ge(tn_model_state_bytes(model), 8 * sizeof(float));
    write_line(model);
    float store[] = {-1, 1, 0, 0, 0, 1, 2}, *x = store + 1, y[4];
    tn_array in = tn_array_of(TN_F32, x, 2, (int64_t[]){2, 3}),
             out = tn_array_of(TN_F32, y, 2, (int64_t[]){2, 2});
    in.strides = (int64_t[]){3, 1};
    assert_ok(tn_model_call(model, "line", &in, 1, &out, 1));
    const float wanted[] = {11, 22, 23, 36};
    for (int i = 0; i < 4; i++) ck_assert_float_eq(y[i], wanted[i]);
    memset(y, 0, sizeof y);
    in.data = store;
    in.byte_offset = sizeof(float);
    assert_ok(tn_model_call(model, "line", &in, 1, &out, 1));
    ck_assert_float_eq(y[3], 36);
    tn_model_free(model);
    assert_ok(tn_program_bind(program, "N", 1));
    model = compile("line");
    write_line(model);
    in = tn_array_of(TN_F32, x, 2, (int64_t[]){1, 3});
    out = tn_array_of(TN_F32, y, 2, (int64_t[]){1, 2});
    in.strides = (int64_t[]){77, 1}; /* one row: no stride is taken */
    assert_ok(tn_model_call(model, "line", &in, 1, &out, 1));
    ck_assert_float_eq(y[0], 11);
}
END_TEST

/* One compilation answers any batch, and nothing beyond the batch is touched. */
START_TEST(dimensions_stay_open_to_a_maximum) {
    assert_ok(tn_program_bind_most(program, "N", 9));
    tn_model *model = compile("line");
    write_line(model);
    for (int64_t n = 1; n <= 9; n++) {
        float x[27], y[20];
        for (int i = 0; i < 27; i++) x[i] = (float)(i % 5);
        for (int i = 0; i < 20; i++) y[i] = -1;
        tn_array in = tn_array_of(TN_F32, x, 2, (int64_t[]){n, 3}),
                 out = tn_array_of(TN_F32, y, 2, (int64_t[]){n, 2});
        assert_ok(tn_model_call(model, "line", &in, 1, &out, 1));
        for (int64_t i = 0; i < 10; i++) {
            const float *r = &x[3 * (i % 9)];
            ck_assert_float_eq(y[2 * i], i < n ? r[0] + 3 * r[1] + 5 * r[2] + 10 : -1);
            ck_assert_float_eq(y[2 * i + 1],
                               i < n ? 2 * r[0] + 4 * r[1] + 6 * r[2] + 20 : -1);
        }
    }
}
END_TEST

/* Each row spoils one call that is right otherwise. */
typedef struct WrongCall {
    tn_status status;
    const char *words;
    void (*spoil)(tn_array *in, tn_array *out);
} WrongCall;

static int64_t other_shape[] = {2, 4}, flat[] = {6}, nine[] = {9, 3}, none[] = {0, 3},
               three[] = {3, 2}, columns[] = {1, 2}, padded[] = {4, 1};

#define SPOIL(name, what)                                                                \
    static void name(tn_array *in, tn_array *out) {                                      \
        what;                                                                            \
    }
SPOIL(no_data, in->data = NULL)
SPOIL(no_result, out->data = NULL)
SPOIL(no_shape, in->shape = NULL)
SPOIL(odd_data, in->byte_offset = 2)
SPOIL(odd_result, out->byte_offset = 1)
SPOIL(of_f64, in->dtype.bits = 64)
SPOIL(of_i32, in->dtype.code = 0)
SPOIL(of_f16, in->dtype.bits = 16)
SPOIL(of_lanes, in->dtype.lanes = 4)
SPOIL(result_of_i32, out->dtype.code = 0)
SPOIL(wider, in->shape = other_shape)
SPOIL(of_rank_1, (in->ndim = 1, in->shape = flat))
SPOIL(of_rank_9, in->ndim = 9)
SPOIL(of_rank_less, in->ndim = -1)
SPOIL(longer_result, out->shape = three)
SPOIL(over_maximum, in->shape = nine)
SPOIL(no_rows, in->shape = none)
SPOIL(transposed, in->strides = columns)
SPOIL(with_gaps, out->strides = padded)
SPOIL(on_gpu, in->device.type = 2)
SPOIL(over_input, out->data = (float *)in->data + 2)

static const WrongCall wrong_calls[] = {
    {TN_STATUS_NULL, "'x' has no data", no_data},
    {TN_STATUS_NULL, "'logits' has no data", no_result},
    {TN_STATUS_NULL, "'x' has no shape", no_shape},
    {TN_STATUS_ALIGNMENT, "'x' lies at", odd_data},
    {TN_STATUS_ALIGNMENT, "'logits' lies at", odd_result},
    {TN_STATUS_DTYPE, "'x' is f64[2, 3], f32[N, 3] is needed", of_f64},
    {TN_STATUS_DTYPE, "'x' is i32[2, 3]", of_i32},
    {TN_STATUS_DTYPE, "'x' is float16[2, 3]", of_f16},
    {TN_STATUS_DTYPE, "'x' is float32x4[2, 3]", of_lanes},
    {TN_STATUS_DTYPE, "'logits' is i32[2, 2]", result_of_i32},
    {TN_STATUS_SHAPE, "'x' is f32[2, 4], f32[N, 3] is needed", wider},
    {TN_STATUS_SHAPE, "'x' is f32[6]", of_rank_1},
    {TN_STATUS_SHAPE, "'x' has 9 dimensions", of_rank_9},
    {TN_STATUS_SHAPE, "'x' has -1 dimensions", of_rank_less},
    {TN_STATUS_SHAPE, "'logits' is f32[3, 2]", longer_result},
    {TN_STATUS_RANGE, "'x' has N = 9, out of 1 to 8", over_maximum},
    {TN_STATUS_RANGE, "'x' has N = 0", no_rows},
    {TN_STATUS_STRIDES, "'x' has stride 2 in dimension 1", transposed},
    {TN_STATUS_STRIDES, "'logits' has stride 4 in dimension 0", with_gaps},
    {TN_STATUS_DEVICE, "'x' lies on a device of type 2", on_gpu},
    {TN_STATUS_OVERLAP, "'logits' lies over the input 'x'", over_input},
};

START_TEST(wrong_arrays_are_refused) {
    assert_ok(tn_program_bind_most(program, "N", 8));
    tn_model *model = compile("line");
    write_line(model);
    for (size_t i = 0; i < sizeof wrong_calls / sizeof *wrong_calls; i++) {
        _Alignas(8) float x[64] = {1, 2, 3, 4, 5, 6}, y[64] = {-1, -1, -1, -1};
        tn_array in = tn_array_of(TN_F32, x, 2, (int64_t[]){2, 3}),
                 out = tn_array_of(TN_F32, y, 2, (int64_t[]){2, 2});
        wrong_calls[i].spoil(&in, &out);
        assert_status(tn_model_call(model, "line", &in, 1, &out, 1),
                      wrong_calls[i].status);
        assert_said(wrong_calls[i].words);
        for (int k = 0; k < 4; k++) ck_assert_float_eq(y[k], -1);
    }
}
END_TEST

START_TEST(wrong_calls_are_refused) {
    float x[6] = {0}, y[4];
    tn_array in = tn_array_of(TN_F32, x, 2, (int64_t[]){2, 3}),
             out = tn_array_of(TN_F32, y, 2, (int64_t[]){2, 2});
    tn_model *model = NULL;
    const char *names[] = {"line", "line"};
    assert_status(tn_model_compile(program, names, 1, &model), TN_STATUS_OPEN);
    assert_said("`N` of 'line'");
    assert_ok(tn_program_bind(program, "N", 2));
    assert_status(tn_model_compile(program, names, 2, &model), TN_STATUS_ENTRY);
    assert_status(tn_model_compile(program, NULL, 1, &model), TN_STATUS_NULL);
    names[0] = "lnie";
    assert_status(tn_model_compile(program, names, 1, &model), TN_STATUS_ENTRY);
    ck_assert_ptr_null(model);
    model = compile("line");
    assert_status(tn_model_call(model, "line", &in, 1, &out, 1), TN_STATUS_STATE);
    assert_said("'logits.weight'");
    write_line(model);
    assert_status(tn_model_call(model, "clean", &in, 1, &out, 1), TN_STATUS_ENTRY);
    assert_status(tn_model_call(model, NULL, &in, 1, &out, 1), TN_STATUS_NULL);
    assert_status(tn_model_call(model, "line", NULL, 1, &out, 1), TN_STATUS_NULL);
    assert_status(tn_model_call(model, "line", &in, 0, &out, 1), TN_STATUS_COUNT);
    assert_status(tn_model_call(model, "line", &in, 1, &out, 2), TN_STATUS_COUNT);
    assert_said("2 outputs are given, 1 are needed");
    assert_ok(tn_model_call(model, "line", &in, 1, &out, 1));
    ck_assert_int_eq(tn_model_call(NULL, "line", &in, 1, &out, 1), TN_STATUS_NULL);
}
END_TEST

/* ---- state ------------------------------------------------------------------------------- */

START_TEST(training_steps_are_calls) {
    float loss[40], again[40], a[6], b[6];
    read_weight(train(3, 1, 40, loss), a);
    ck_assert_float_lt(loss[39], loss[0] / 2);
    read_weight(train(3, 2, 40, again), b);
    ck_assert_int_eq(memcmp(loss, again, sizeof loss), 0);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    read_weight(train(4, 1, 1, again), b);
    ck_assert_float_ne(loss[0], again[0]);
}
END_TEST

/* An entry's own first values, and none where only a graph is known. */
START_TEST(entries_have_first_values) {
    float a[6], b[6];
    assert_ok(tn_program_bind(program, "N", 1));
    const char *graph;
    assert_ok(tn_program_emit(program, "graph", "line", NULL, &graph));
    const char *path = scratch_text("line.graph", graph);
    tn_model *model = compile("line");
    assert_ok(tn_model_init(model, 3));
    read_weight(model, a);
    assert_ok(tn_model_init(model, 4));
    read_weight(model, b);
    ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
    assert_ok(tn_model_init(model, 3));
    read_weight(model, b);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    assert_ok(tn_program_load(context, path, &program));
    assert_status(tn_model_init(compile("line"), 1), TN_STATUS_ENTRY);
}
END_TEST

START_TEST(slots_are_read_and_written) {
    float loss, weight[6], back[6];
    tn_model *model = train(1, 1, 1, &loss);
    tn_port slot;
    int roles[TN_ROLE_STEP + 1] = {0};
    for (size_t i = 0; i < tn_model_slots(model); i++) {
        assert_ok(tn_model_slot(model, i, &slot));
        roles[slot.role]++;
    }
    ck_assert_int_eq(roles[TN_ROLE_PARAM], 2);
    ck_assert_int_eq(roles[TN_ROLE_SEED], 1);
    ck_assert_int_eq(roles[TN_ROLE_STEP], 1);
    assert_status(tn_model_slot(model, tn_model_slots(model), &slot), TN_STATUS_RANGE);
    int32_t step = 0;
    tn_array number = tn_array_of(TN_I32, &step, 0, NULL);
    assert_ok(tn_model_read(model, "step", &number));
    ck_assert_int_eq(step, 1);
    read_weight(model, weight);
    for (int i = 0; i < 6; i++) weight[i] += 1;
    tn_array array = tn_array_of(TN_F32, weight, 2, (int64_t[]){3, 2});
    assert_ok(tn_model_write(model, "logits.weight", &array));
    read_weight(model, back);
    ck_assert_int_eq(memcmp(weight, back, sizeof back), 0);
    assert_status(tn_model_write(model, "weight", &array), TN_STATUS_NAME);
    assert_status(tn_model_write(model, "step", &array), TN_STATUS_DTYPE);
    array.shape = (int64_t[]){2, 3};
    assert_status(tn_model_read(model, "logits.weight", &array), TN_STATUS_SHAPE);
    assert_status(tn_model_read(model, "logits.weight", NULL), TN_STATUS_NULL);
    assert_status(tn_model_init(model, -1), TN_STATUS_RANGE);
}
END_TEST

START_TEST(weights_go_through_files) {
    float loss[5], weight[6], back[6];
    const char *path = scratch_path("w.safetensors");
    tn_model *model = train(1, 1, 5, loss);
    read_weight(model, weight);
    assert_ok(tn_model_save_weights(model, path));
    assert_ok(tn_program_bind(program, "N", 1));
    tn_model *line = compile("line");
    assert_ok(tn_model_load_weights(line, path));
    read_weight(line, back);
    ck_assert_int_eq(memcmp(weight, back, sizeof back), 0);
    assert_status(tn_model_load_weights(line, scratch_path("")), TN_STATUS_FILE);
    assert_status(tn_model_load_weights(line, scratch_path("none")), TN_STATUS_FILE);
    const char *damaged = scratch_text("damaged.safetensors", "not a header");
    assert_status(tn_model_load_weights(line, damaged), TN_STATUS_WEIGHTS);
    assert_status(tn_model_save_weights(line, scratch_path("no/folder.safetensors")),
                  TN_STATUS_FILE);
    static const char other[] =
        "net wide(x: f32[N, 3]) {\n    logits = x |> dense(4)\n}\n";
    assert_ok(tn_program_parse(context, "wide.tn", other, strlen(other), &program));
    assert_ok(tn_program_bind(program, "N", 1));
    tn_model *wide = compile("wide");
    assert_status(tn_model_load_weights(wide, path), TN_STATUS_WEIGHTS);
    assert_said("logits.weight");
}
END_TEST

START_TEST(the_cache_is_shared) {
    const char *folder = scratch_path("cache");
    float loss[2];
    assert_ok(tn_context_set_cache(context, folder));
    train(1, 1, 1, &loss[0]);
    struct stat facts;
    ck_assert_int_eq(stat(folder, &facts), 0);
    train(1, 1, 1, &loss[1]);
    ck_assert_float_eq(loss[0], loss[1]);
}
END_TEST

/* ---- threads ----------------------------------------------------------------------------- */

static void *whole_session(void *to) {
    float *sum = to, x[3] = {1, 2, 3}, y[2] = {0};
    tn_context *own = tn_context_new();
    tn_program *p = NULL;
    tn_model *m = NULL;
    const char *name = "line", *plain = "plain";
    const tn_array in = tn_array_of(TN_F32, x, 2, (int64_t[]){1, 3}),
                   out = tn_array_of(TN_F32, y, 2, (int64_t[]){1, 2});
    const char *names[] = {name, plain};
    bool right =
        tn_context_set_threads(own, 1) == TN_STATUS_OK &&
        tn_program_parse(own, "a.tn", api_text, strlen(api_text), &p) == TN_STATUS_OK &&
        tn_program_bind(p, "N", 1) == TN_STATUS_OK &&
        tn_model_compile(p, names, 2, &m) == TN_STATUS_OK &&
        tn_model_init(m, 5) == TN_STATUS_OK &&
        tn_model_call(m, name, &in, 1, &out, 1) == TN_STATUS_OK;
    *sum = right ? y[0] + 2 * y[1] : -1;
    tn_context_free(own);
    return NULL;
}

START_TEST(contexts_are_independent) {
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    float sum[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, whole_session, &sum[i]), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    ck_assert_float_ne(sum[0], -1);
    for (int i = 1; i < THREADS; i++) ck_assert_float_eq(sum[i], sum[0]);
}
END_TEST

enum { WRITERS = 6, ROUNDS = 3 };

typedef struct Writer {
    pthread_t thread;
    const char *library, *weights; /* where it writes, as all others do */
    int failed;
} Writer;

static void *write_often(void *to) {
    Writer *w = to;
    tn_context *own = tn_context_new();
    tn_program *p = NULL;
    tn_model *m = NULL;
    const char *name = "line";
    w->failed = tn_context_set_threads(own, 1) ||
                tn_program_parse(own, "a.tn", api_text, strlen(api_text), &p) ||
                tn_program_bind(p, "N", 1) || tn_model_compile(p, &name, 1, &m) ||
                tn_model_init(m, 5);
    for (int i = 0; i < ROUNDS && !w->failed; i++) {
        w->failed += tn_program_compile(p, w->library, NULL, &name, 1, NULL) != 0;
        w->failed += tn_model_save_weights(m, w->weights) != 0;
    }
    tn_context_free(own);
    return NULL;
}

START_TEST(contexts_write_one_file) {
    Writer w[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        w[i].library = i ? w[0].library : scratch_path("libsame.so");
        w[i].weights = i ? w[0].weights : scratch_path("same.safetensors");
        ck_assert_int_eq(pthread_create(&w[i].thread, NULL, write_often, &w[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) pthread_join(w[i].thread, NULL);
    for (int i = 0; i < WRITERS; i++) ck_assert_int_eq(w[i].failed, 0);
    ck_assert_int_ne(shell("ls -d *.new*"), 0);
    assert_ok(tn_program_bind(program, "N", 1));
    tn_model *model = compile("line");
    assert_ok(tn_model_load_weights(model, w[0].weights));
}
END_TEST

/* ---- memory that ends -------------------------------------------------------------------- */

/* What a user does, until a call fails; every call of the API is here. */
static tn_status session(tn_context *own, const char *path) {
    float x[6] = {1, 2, 3}, y[4], loss;
    int32_t labels[8] = {0};
    const tn_signature *s;
    const tn_train *block;
    const char *out_text, *names[] = {"line", "plain"};
    tn_program *p;
    tn_model *m;
    const tn_array in = tn_array_of(TN_F32, x, 2, (int64_t[]){2, 3}),
                   out = tn_array_of(TN_F32, y, 2, (int64_t[]){2, 2}),
                   step_in[] = {tn_array_of(TN_F32, (float[24]){0}, 2, (int64_t[]){8, 3}),
                                tn_array_of(TN_I32, labels, 1, (int64_t[]){8})},
                   step_out = tn_array_of(TN_F32, &loss, 0, NULL),
                   bias = tn_array_of(TN_F32, y, 1, (int64_t[]){2});
    tn_status status;
#define STEP(call)                                                                       \
    if ((status = (call)) != TN_STATUS_OK) return status
    STEP(tn_context_set_cpu(own, NULL));
    STEP(tn_context_set_threads(own, 1));
    STEP(tn_context_set_cache(own, scratch_path("cache")));
    STEP(tn_program_load(own, path, &p));
    STEP(tn_program_set(p, "epochs", "3"));
    STEP(tn_program_train_block(p, NULL, &block));
    STEP(tn_program_signature(p, "plain_step", &s));
    STEP(tn_program_bind(p, "N", 2));
    STEP(tn_program_signature(p, "clean", &s));
    STEP(tn_program_emit(p, "plan", "line", NULL, &out_text));
    STEP(tn_model_compile(p, names, 2, &m));
    STEP(tn_model_init(m, 1));
    STEP(tn_model_call(m, "line", &in, 1, &out, 1));
    STEP(tn_model_call(m, "plain_step", step_in, 2, &step_out, 1));
    STEP(tn_model_write(m, "logits.bias", &bias));
    STEP(tn_model_read(m, "logits.bias", &bias));
    STEP(tn_model_save_weights(m, scratch_path("w.safetensors")));
    STEP(tn_program_compile(p, scratch_path("libx.o"), NULL, names, 2,
                            scratch_path("w.safetensors")));
    STEP(tn_model_load_weights(m, scratch_path("w.safetensors")));
#undef STEP
    return TN_STATUS_OK;
}

/* A mistake must not be taken for a lack of memory, nor the other way. */
static tn_status attempt(const char *path, long fail_at) {
    mem_fail_at(fail_at);
    tn_context *own = tn_context_new();
    tn_status status = own ? session(own, path) : TN_STATUS_MEMORY;
    mem_fail_at(-1);
    if (own && status != TN_STATUS_OK)
        ck_assert_msg(status == TN_STATUS_MEMORY &&
                          strstr(tn_context_error(own), "memory") != NULL,
                      "allocation %ld: %s, %s", fail_at, tn_status_name(status),
                      tn_context_error(own));
    tn_context_free(own);
    return status;
}

START_TEST(sessions_survive_the_end_of_memory) {
    char path[256]; /* scratch keeps the last few only */
    snprintf(path, sizeof path, "%s", scratch_text("line.tn", api_text));
    long calls = mem_calls(), failed = 0;
    ck_assert_int_eq(attempt(path, -1), TN_STATUS_OK);
    const long sites = mem_calls() - calls;
    ck_assert_int_gt(sites, 40);
    for (long n = 0; n < sites; n++) failed += attempt(path, n) != TN_STATUS_OK;
    /* what fails otherwise is an object that is compiled instead of read from the cache */
    ck_assert_int_gt(failed, sites / 2);
    ck_assert_int_eq(attempt(path, -1), TN_STATUS_OK);
}
END_TEST

/* After a failure the same objects are of use. */
START_TEST(failures_leave_the_context_usable) {
    const tn_signature *s;
    tn_model *model = NULL;
    const char *name = "line";
    assert_ok(tn_program_bind(program, "N", 2));
    for (long n = 0; n < 200 && !model; n++) {
        mem_fail_at(n);
        tn_status asked = tn_program_signature(program, "plain_step", &s);
        if (asked == TN_STATUS_OK) asked = tn_model_compile(program, &name, 1, &model);
        mem_fail_at(-1);
        if (asked != TN_STATUS_OK) assert_status(asked, TN_STATUS_MEMORY);
        assert_ok(tn_program_signature(program, "line", &s));
    }
    ck_assert_ptr_nonnull(model);
    write_line(model);
}
END_TEST

Suite *suite_model(void);
Suite *suite_model(void) {
    Suite *suite = suite_create("model");
    TCase *tcase = tcase_create("models");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, api_start, api_stop);
    tcase_add_test(tcase, calls_compute);
    tcase_add_test(tcase, dimensions_stay_open_to_a_maximum);
    tcase_add_test(tcase, wrong_arrays_are_refused);
    tcase_add_test(tcase, wrong_calls_are_refused);
    tcase_add_test(tcase, training_steps_are_calls);
    tcase_add_test(tcase, entries_have_first_values);
    tcase_add_test(tcase, slots_are_read_and_written);
    tcase_add_test(tcase, weights_go_through_files);
    tcase_add_test(tcase, the_cache_is_shared);
    tcase_add_test(tcase, contexts_are_independent);
    tcase_add_test(tcase, contexts_write_one_file);
    tcase_add_test(tcase, sessions_survive_the_end_of_memory);
    tcase_add_test(tcase, failures_leave_the_context_usable);
    suite_add_tcase(suite, tcase);
    return suite;
}
