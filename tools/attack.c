/* Runs a block's attack over the test part, for each eps of a grid. */
#include "tools/attack.h"
#include "base/alloc.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Status attack_grid(Session *s, double eps[MAX_EPS], uint32_t *count) {
    const char *text = s->options->eps;
    for (*count = 0; text && *text;) {
        char *end;
        const double value = strtod(text, &end);
        if (end == text || (*end && *end != ',') || !(value >= 0) || *count == MAX_EPS)
            return session_fail(s, STATUS_USAGE,
                                "--eps takes up to %d numbers of 0 or more with commas "
                                "between, not '%s'",
                                MAX_EPS, text);
        eps[(*count)++] = value;
        text = end + (*end == ',');
    }
    return STATUS_OK;
}

Status attack_check(const Training *t) {
    Session *s = t->session;
    const bool by_eps = t->block->attack_by_eps;
    if (!t->block->attack && (s->options->eps || s->options->examples))
        return session_fail(s, STATUS_INPUT,
                            "%s goes with an attack, and the block `%s` has none: "
                            "--attack 'pgd(iters = 10)'",
                            s->options->eps ? "--eps" : "--examples", t->block->name);
    if (!t->block->attack) return STATUS_OK;
    if (!s->options->eps && by_eps)
        return session_fail(
            s, STATUS_INPUT,
            "the attack leaves eps open: --eps 0.1,0.2,0.3 gives its values");
    if (s->options->eps && !by_eps)
        return session_fail(s, STATUS_INPUT,
                            "--eps goes with an attack that leaves eps open");
    return STATUS_OK;
}

static Status begin(Attack *a) {
    Session *s = a->t->session;
    const DataInfo *info = &a->t->data->info;
    const int64_t wanted = s->options->examples;
    a->count = info->test_count;
    if (wanted && wanted < a->count) a->count = wanted;
    if (!a->count)
        return session_fail(s, STATUS_INPUT, "the data have no test part to attack");
    if (a->t->data->test[0].elem != ELEM_u8 && a->t->data->test[0].elem != ELEM_f32)
        return session_fail(s, STATUS_INPUT, "an attack wants data of u8 or f32");
    char message[MESSAGE_BYTES];
    int64_t dim[MAX_RANK] = {a->count};
    const DataField *field = &info->field[0];
    memcpy(dim + 1, field->dim, field->rank * sizeof *dim);
    bool ok = tensor_new(&a->image, ELEM_f32, field->rank + 1, dim, message);
    for (int c = 0; c < COLUMNS; c++)
        ok = (a->column[c] = mem_alloc((size_t)a->count * sizeof(float))) && ok;
    ok = (a->label = mem_alloc((size_t)a->count * sizeof(int32_t))) && ok;
    a->entry = session_entry(s, a->t->block->attack);
    return ok ? STATUS_OK : session_fail(s, STATUS_MEMORY, "memory ended");
}

static void end(Attack *a) {
    for (int c = 0; c < COLUMNS; c++) mem_free(a->column[c]);
    mem_free(a->label);
    tensor_free(&a->image);
}

typedef struct Batch {
    float *column[COLUMNS], *image; /* [batch]; owned */
} Batch;

static bool batch_new(Batch *b, const Attack *a) {
    const int64_t pixels = tensor_count(&a->image) / a->count;
    bool ok = true;
    for (int c = 0; c < COLUMNS; c++)
        ok = (b->column[c] = mem_alloc((size_t)a->t->batch * sizeof(float))) && ok;
    return (b->image = mem_alloc((size_t)(a->t->batch * pixels) * sizeof(float))) && ok;
}

static void batch_free(Batch *b) {
    for (int c = 0; c < COLUMNS; c++) mem_free(b->column[c]);
    mem_free(b->image);
}

/* Labels of whole numbers, of any width. */
static Status read_labels(Attack *a) {
    const Tensor *label = &a->t->data->test[1];
    for (int64_t i = 0; i < a->count; i++)
        a->label[i] = label->elem == ELEM_u8 ? ((const uint8_t *)label->data)[i]
                                             : ((const int32_t *)label->data)[i];
    if (label->elem == ELEM_u8 || label->elem == ELEM_i32) return STATUS_OK;
    return session_fail(a->t->session, STATUS_INPUT, "an attack wants whole labels");
}

/* The padding of the last batch is attacked too, and forgotten. */
static Status run_batch(Attack *a, const Batch *b, int64_t at, float eps) {
    Training *t = a->t;
    const void *in[MAX_FIELDS + 1];
    void *out[COLUMNS + 1];
    const uint32_t fields = t->data->info.fields;
    const int64_t valid = a->count - at < t->batch ? a->count - at : t->batch;
    const int64_t pixels = tensor_count(&a->image) / a->count;
    for (int64_t i = 0; i < valid; i++) t->order[i] = at + i;
    training_gather(t, t->data->test, t->order, valid);
    for (uint32_t i = 0; i < fields; i++) in[i] = t->row[i];
    in[fields] = &eps;
    for (int c = 0; c < COLUMNS; c++) out[c] = b->column[c];
    out[COLUMNS] = b->image;
    Status status = session_call(t->session, &a->entry, in, out, t->batch);
    for (int c = 0; c < COLUMNS; c++)
        memcpy(a->column[c] + at, b->column[c], (size_t)valid * sizeof(float));
    memcpy((float *)a->image.data + at * pixels, b->image,
           (size_t)(valid * pixels) * sizeof(float));
    return status;
}

static Status run_eps(Attack *a, const Batch *b, float eps) {
    Status status = STATUS_OK;
    for (int64_t at = 0; at < a->count && status == STATUS_OK; at += a->t->batch)
        status = run_batch(a, b, at, eps);
    return status;
}

static Status run_grid(Attack *a, const Batch *b, json_t *rows, bool prints) {
    AttackFigures figures[MAX_EPS];
    const uint32_t runs = a->grid ? a->grid : 1;
    Status status = STATUS_OK;
    for (uint32_t i = 0; i < runs && status == STATUS_OK; i++) {
        status = run_eps(a, b, (float)a->eps[i]);
        if (status != STATUS_OK) break;
        attack_figures(a, a->grid ? a->eps[i] : (double)NAN, &figures[i]);
        json_array_append_new(rows, attack_row(a, &figures[i]));
        if (prints) attack_print(a, &figures[i]);
    }
    if (status != STATUS_OK) return status;
    attack_warn(figures, runs);
    return attack_keep(a, figures, runs, rows);
}

Status attack_run(Training *t, json_t **rows) {
    json_t *all = json_array();
    Attack a = {.t = t};
    Batch b = {0};
    Status status = attack_grid(t->session, a.eps, &a.grid);
    if (status == STATUS_OK) status = begin(&a);
    if (status == STATUS_OK) status = read_labels(&a);
    if (status == STATUS_OK && !batch_new(&b, &a))
        status = session_fail(t->session, STATUS_MEMORY, "memory ended");
    if (status == STATUS_OK) status = run_grid(&a, &b, all, !rows);
    batch_free(&b);
    end(&a);
    if (rows)
        *rows = all;
    else
        json_decref(all);
    return status;
}
