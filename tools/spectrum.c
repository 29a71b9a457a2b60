/*
 * tenon spectrum: how many dimensions the embedding of a train block takes.
 *
 * Singular values are those of the test part's matrix [examples, D]; the variance ratio at k is
 * the share of the k greatest in the sum of their squares.  For each k examples are projected
 * to the k principal directions of the training part, and a linear classifier of maximal
 * margin, trained on that part, is asked about the test part (Sanyal et al. 2018, section 5).
 */
#include "base/alloc.h"
#include "tools/margin.h"
#include "tools/training.h"
#include <lapacke.h>
#include <math.h>
#include <stdio.h>

typedef struct Embedded {
    int64_t rows;
    int32_t width;
    float *at; /* [rows][width]; owned */
    double
        *projected; /* [rows][width] on the principal directions, greatest first; owned */
    const int32_t *label;
} Embedded;

static const int32_t sizes[] = {1, 2, 3, 5, 10, 20, 50, 100, 200, 500};
#define SIZES (sizeof sizes / sizeof *sizes)

/* Sums of products of columns, [width][width]. */
static void gram(const Embedded *e, double *to) {
    const int32_t d = e->width;
    for (int64_t i = 0; i < (int64_t)d * d; i++) to[i] = 0;
    for (int64_t r = 0; r < e->rows; r++) {
        const float *x = e->at + r * d;
        for (int32_t i = 0; i < d; i++)
            for (int32_t k = 0; k <= i; k++)
                to[(int64_t)i * d + k] += (double)x[i] * (double)x[k];
    }
}

/* Eigenvalues of the Gram matrix, increasing; its vectors take its place as columns. */
static bool principal(const Embedded *e, double *matrix, double *value, char job) {
    gram(e, matrix);
    return !LAPACKE_dsyevd(LAPACK_ROW_MAJOR, job, 'L', e->width, matrix, e->width, value);
}

/* Lengths near 1, so that one cost of the classifier suits all nets. */
static double scale_of(const double *value, int32_t width, int64_t rows) {
    double sum = 0;
    for (int32_t i = 0; i < width; i++) sum += value[i];
    return sum > 0 ? sqrt((double)rows / sum) : 1;
}

static void project(const Embedded *e, const double *vector, double scale) {
    const int32_t d = e->width;
    for (int64_t r = 0; r < e->rows; r++)
        for (int32_t k = 0; k < d; k++) {
            double sum = 0;
            for (int32_t i = 0; i < d; i++)
                sum += (double)e->at[r * d + i] * vector[(int64_t)i * d + d - 1 - k];
            e->projected[r * d + k] = scale * sum;
        }
}

static Points points_of(const Embedded *e, int32_t width) {
    return (Points){e->projected, e->rows, (uint32_t)width, (uint32_t)e->width, e->label};
}

static json_t *row_of(const Embedded *train, const Embedded *test, const double *value,
                      int32_t k, uint32_t classes) {
    double all = 0, kept = 0;
    for (int32_t i = 0; i < test->width; i++) {
        all += fmax(value[i], 0);
        kept += i >= test->width - k ? fmax(value[i], 0) : 0;
    }
    const Points from = points_of(train, k), to = points_of(test, k);
    json_t *row = json_pack("{s:I, s:f}", "dimensions", (json_int_t)k, "variance",
                            all > 0 ? kept / all : 1.0);
    if (classes)
        json_object_set_new(row, "accuracy",
                            json_real(margin_accuracy(&from, &to, classes)));
    return row;
}

static void print_row(const Session *s, const json_t *row) {
    if (s->options->json) {
        json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
        return;
    }
    printf("%10lld  %8.5f",
           (long long)json_integer_value(json_object_get(row, "dimensions")),
           json_number_value(json_object_get(row, "variance")));
    const json_t *accuracy = json_object_get(row, "accuracy");
    if (accuracy) printf("  %8.4f", json_number_value(accuracy));
    putchar('\n');
}

static Status show(Training *t, const Embedded *train, const Embedded *test) {
    Session *s = t->session;
    const int32_t d = train->width;
    const uint32_t classes = train->label ? t->data->info.classes : 0;
    double *matrix = mem_alloc((size_t)d * (size_t)d * sizeof *matrix);
    double *value = mem_alloc((size_t)d * sizeof *value);
    bool ok = matrix && value && principal(train, matrix, value, 'V');
    if (ok) {
        const double scale = scale_of(value, d, train->rows);
        project(train, matrix, scale);
        project(test, matrix, scale);
        ok = principal(test, matrix, value, 'N');
    }
    if (ok && !s->options->json)
        printf("dimensions  variance%s\n", classes ? "  accuracy" : "");
    for (size_t i = 0; i < SIZES && ok; i++) {
        if (sizes[i] >= d && i && sizes[i - 1] >= d) break;
        json_t *row = row_of(train, test, value, sizes[i] < d ? sizes[i] : d, classes);
        print_row(s, row);
        json_decref(row);
    }
    mem_free(matrix);
    mem_free(value);
    return ok ? STATUS_OK
              : session_fail(s, STATUS_MEMORY,
                             "memory ended, or LAPACK found no spectrum");
}

/* NULL: there are none of classes. */
static const int32_t *labels_of(const Training *t, const Tensor *part) {
    const DataInfo *info = &t->data->info;
    bool has = info->fields > 1 && info->classes && part[1].elem == ELEM_i32;
    return has ? (const int32_t *)part[1].data : NULL;
}

static Status embed(Training *t, const Callable *entry, const Tensor *part, int64_t rows,
                    Embedded *e) {
    e->rows = rows;
    e->width = (int32_t)graph_type(entry->func, entry->func->results.at[0])->dim[1];
    const size_t count = (size_t)rows * (size_t)e->width;
    e->at = mem_alloc(count * sizeof *e->at);
    e->projected = mem_alloc(count * sizeof *e->projected);
    if (!e->at || !e->projected)
        return session_fail(t->session, STATUS_MEMORY, "memory ended");
    e->label = labels_of(t, part);
    return training_rows(t, entry, part, rows, (size_t)e->width, e->at);
}

static Status spectrum(Training *t) {
    Session *s = t->session;
    Embedded train = {0}, test = {0};
    if (!t->block->embedding)
        return session_fail(s, STATUS_INPUT,
                            "the block '%s' says no embedding; --set "
                            "'embedding=fn(x, y) = net(x).features'",
                            t->block->name);
    const Callable entry = session_entry(s, t->block->embedding);
    Status status = embed(t, &entry, t->data->train, t->train_count, &train);
    if (status == STATUS_OK)
        status = embed(t, &entry, t->data->test, t->data->info.test_count, &test);
    if (status == STATUS_OK) status = show(t, &train, &test);
    mem_free(train.at);
    mem_free(train.projected);
    mem_free(test.at);
    mem_free(test.projected);
    return status;
}

static Status spectrum_body(Session *s) {
    Training t;
    const List *arg = &s->options->arg;
    Status status = training_begin(&t, s, arg->count > 1 ? arg->at[1] : NULL);
    if (status == STATUS_OK) status = session_init(s, t.block->init, 1);
    if (status == STATUS_OK) status = session_weights(s, s->options->weights);
    if (status == STATUS_OK) status = spectrum(&t);
    training_end(&t);
    return status;
}

Status verb_spectrum(const Options *options) {
    if (!options->weights) {
        fprintf(stderr, "tenon spectrum: needs --weights FILE.safetensors\n");
        return STATUS_USAGE;
    }
    return session_run(options, options->arg.at[0], spectrum_body, NULL);
}
