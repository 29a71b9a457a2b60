/* Trains the network of a .tn file on points that this program makes, then classifies the
 * corners of a square with it:  moons moons.tn */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <tenon.h>

enum { BATCH = 100, STEPS = 300 };

/* Two half circles that reach into each other, with a little noise. */
static void make_points(float *x, int32_t *y) {
    for (int i = 0; i < BATCH; i++) {
        float angle = 3.14159265f * (float)rand() / (float)RAND_MAX;
        float noise = 0.1f * (float)rand() / (float)RAND_MAX;
        y[i] = i % 2;
        x[2 * i] = noise + (y[i] ? 1 - cosf(angle) : cosf(angle));
        x[2 * i + 1] = noise + (y[i] ? 0.5f - sinf(angle) : sinf(angle));
    }
}

static tn_status train(tn_model *model) {
    static float x[2 * BATCH];
    static int32_t y[BATCH];
    float loss = 0;
    int64_t rows[] = {BATCH, 2};
    const tn_array in[] = {tn_array_of(TN_F32, x, 2, rows),
                           tn_array_of(TN_I32, y, 1, rows)};
    const tn_array out = tn_array_of(TN_F32, &loss, 0, NULL);
    tn_status status = tn_model_init(model, 1);
    for (int step = 0; step < STEPS && status == TN_STATUS_OK; step++) {
        make_points(x, y);
        status = tn_model_call(model, "plain_step", in, 2, &out, 1);
    }
    if (status == TN_STATUS_OK)
        printf("loss after %d steps: %s\n", STEPS,
               loss < 0.1f ? "below 0.1" : "too large");
    return status;
}

static tn_status classify(tn_model *model) {
    float x[] = {-1, 0, 2, 0.5f, 0, 1, 1, -0.5f}, logits[8];
    int64_t points[] = {4, 2};
    const tn_array in = tn_array_of(TN_F32, x, 2, points);
    const tn_array out = tn_array_of(TN_F32, logits, 2, points);
    tn_status status = tn_model_call(model, "moons", &in, 1, &out, 1);
    for (int i = 0; i < 4 && status == TN_STATUS_OK; i++)
        printf("(%g, %g): moon %d\n", x[2 * i], x[2 * i + 1],
               logits[2 * i + 1] > logits[2 * i]);
    return status;
}

int main(int argc, char **argv) {
    const char *names[] = {"plain", "moons"};
    tn_context *context = tn_context_new();
    tn_program *program;
    tn_model *model;
    if (!context || argc < 2) return 2;
    tn_status status = tn_program_load(context, argv[1], &program);
    if (status == TN_STATUS_OK) status = tn_program_bind_most(program, "N", 1000);
    if (status == TN_STATUS_OK) status = tn_model_compile(program, names, 2, &model);
    if (status == TN_STATUS_OK) status = train(model);
    if (status == TN_STATUS_OK) status = classify(model);
    if (status != TN_STATUS_OK)
        fprintf(stderr, "%s: %s\n%s", tn_status_name(status), tn_context_error(context),
                tn_context_diagnostics_text(context));
    tn_context_free(context);
    return status != TN_STATUS_OK;
}
