/* The program, context and model that the tests of the C API share. */
#include "tests/api.h"
#include "tests/scratch.h"
#include <check.h>
#include <string.h>

const char *const api_text =
    "net line(x: f32[N, 3]) {\n"
    "    logits = x |> dense(2)\n"
    "}\n"
    "loss clean(x: f32[N, 3], y: i32[N]) = mean(cross_entropy(line(x).logits, y))\n"
    "train plain {\n"
    "    data   = synthetic(batch = 8, shape = [3], classes = 2)\n"
    "    loss   = clean\n"
    "    optim  = sgd(rate = 0.5)\n"
    "    epochs = 2\n"
    "    report = { accuracy: accuracy(line) }\n"
    "}\n";

tn_context *context;
tn_program *program;

void api_start(void) {
    scratch_open();
    context = tn_context_new();
    ck_assert_ptr_nonnull(context);
    assert_ok(tn_program_parse(context, "line.tn", api_text, strlen(api_text), &program));
}

void api_stop(void) {
    tn_context_free(context);
    scratch_close();
}

tn_model *compile(const char *name) {
    tn_model *model;
    assert_ok(tn_model_compile(program, &name, 1, &model));
    return model;
}

void write_line(tn_model *model) {
    float weight[] = {1, 2, 3, 4, 5, 6}, bias[] = {10, 20};
    const tn_array w = tn_array_of(TN_F32, weight, 2, (int64_t[]){3, 2}),
                   b = tn_array_of(TN_F32, bias, 1, (int64_t[]){2});
    assert_ok(tn_model_write(model, "logits.weight", &w));
    assert_ok(tn_model_write(model, "logits.bias", &b));
}

tn_model *train(int64_t seed, int threads, int steps, float *loss) {
    assert_ok(tn_context_set_threads(context, threads));
    tn_model *model = compile("plain");
    assert_ok(tn_model_init(model, seed));
    float x[24];
    int32_t y[8];
    for (int i = 0; i < 24; i++) x[i] = (float)(i * 7 % 11) / 5 - 1;
    for (int i = 0; i < 8; i++) y[i] = x[3 * i] > x[3 * i + 1];
    const tn_array in[] = {tn_array_of(TN_F32, x, 2, (int64_t[]){8, 3}),
                           tn_array_of(TN_I32, y, 1, (int64_t[]){8})};
    for (int i = 0; i < steps; i++) {
        const tn_array out = tn_array_of(TN_F32, &loss[i], 0, NULL);
        assert_ok(tn_model_call(model, "plain_step", in, 2, &out, 1));
    }
    return model;
}

void read_weight(tn_model *model, float weight[6]) {
    const tn_array to = tn_array_of(TN_F32, weight, 2, (int64_t[]){3, 2});
    assert_ok(tn_model_read(model, "logits.weight", &to));
}
