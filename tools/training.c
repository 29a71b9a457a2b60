/* Batches, steps and reports of a training run. */
#include "tools/training.h"
#include "base/alloc.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The data's fields must be what the entry's inputs are. */
static Status check_fields(Training *t, const Func *func, uint32_t more) {
    const Port *port[MAX_PORTS];
    uint32_t inputs = func_inputs(func, port);
    const DataInfo *info = &t->data->info;
    Session *s = t->session;
    if (inputs != info->fields + more)
        return session_fail(s, STATUS_INPUT,
                            "'%s' takes %u arrays, the data set '%s' has %u", func->name,
                            inputs - more, t->block->data.kind, info->fields);
    for (uint32_t i = 0; i < info->fields; i++) {
        const DataField *field = &info->field[i];
        const Type *type = &port[i]->type;
        bool same = type->elem == field->elem && type->rank == field->rank + 1 &&
                    type->dim[0] == t->batch;
        for (uint32_t d = 0; d < field->rank && same; d++)
            same = type->dim[d + 1] == field->dim[d];
        if (!same)
            bug(&s->arena, "'%s' of '%s' is not the data's", port[i]->name, func->name);
    }
    return STATUS_OK;
}

/*
 * The number of classes that labels are compared with, 0 where there is none: labels enter a
 * loss as eq(broadcast y, iota), and a label beyond the iota's extent would silently count
 * as no class at all.
 */
static Val origin(const Func *func, Val v) {
    for (;;) {
        const Node *node = graph_node(func, v);
        bool move =
            node->op == OP_broadcast || node->op == OP_reshape || node->op == OP_cast;
        if (!move) return v;
        v = node->arg[0];
    }
}

static int64_t classes_of(const Func *func, uint32_t labels) {
    for (Val v = 0; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        if (node->op != OP_eq) continue;
        for (int side = 0; side < 2; side++) {
            Val y = origin(func, node->arg[side]), k = origin(func, node->arg[1 - side]);
            const Node *iota = graph_node(func, k);
            if (y != labels || iota->op != OP_iota) continue;
            Dim extent = iota->type.dim[node_int(iota, ATTR_axis, 0)];
            if (dim_is_const(extent)) return extent;
        }
    }
    return 0;
}

static Status check_classes(Training *t) {
    const Func *step = t->block->step;
    const DataInfo *info = &t->data->info;
    uint32_t input = 0;
    for (uint32_t i = 0; i < step->params.count; i++) {
        if (step->params.at[i].role != ROLE_INPUT || input++ != 1) continue;
        int64_t classes = classes_of(step, i);
        if (!classes || info->classes <= classes) break;
        return session_fail(
            t->session, STATUS_INPUT,
            "the data set has labels up to %u, out of range: the network has "
            "%lld classes, 0 to %lld",
            info->classes - 1, (long long)classes, (long long)classes - 1);
    }
    return STATUS_OK;
}

static Status allocate(Training *t) {
    bool ok =
        (t->order = mem_alloc((size_t)t->data->info.train_count * sizeof *t->order));
    for (uint32_t i = 0; i < t->data->info.fields; i++) {
        const DataSet *data = t->data;
        const Tensor *field = data->train[i].data ? &data->train[i] : &data->test[i];
        size_t row = (size_t)(tensor_bytes(field) / field->dim[0]);
        ok = ok && (t->row[i] = mem_alloc(row * (size_t)t->batch));
    }
    return ok ? STATUS_OK : session_fail(t->session, STATUS_MEMORY, "memory ended");
}

static Status count_steps(Training *t) {
    const DataSpec *spec = &t->block->data;
    t->batch = spec->batch;
    t->train_count = t->data->info.train_count - spec->validate;
    if (spec->validate < 0 || t->train_count < t->batch)
        return session_fail(
            t->session, STATUS_INPUT,
            "a batch of %lld and a validation split of %lld do not fit into "
            "%lld examples",
            (long long)t->batch, (long long)spec->validate,
            (long long)t->data->info.train_count);
    t->replay = spec->replay ? spec->replay : 1;
    t->steps = t->train_count / t->batch * t->replay;
    return STATUS_OK;
}

Status training_begin(Training *t, Session *s, const char *name) {
    *t = (Training){.session = s};
    Status status = session_load(s, DATA_LOAD, NULL, 0);
    if (status != STATUS_OK) return status;
    if (!s->program->trains)
        return session_fail(s, STATUS_INPUT, "%s has no train block", s->path);
    t->block = session_want_train(s, name);
    if (!t->block) return STATUS_INPUT;
    char message[MESSAGE_BYTES];
    DataInfo info; /* the frontend has not asked for data that it describes itself */
    if (!data_find(&s->shelf, &t->block->data, &info, message))
        return session_fail(s, STATUS_INPUT, "%s", message);
    t->data = data_shelf_get(&s->shelf, &t->block->data);
    if (t->block->figures > MAX_FIGURES)
        return session_fail(s, STATUS_INPUT, "a block has at most %d reports",
                            MAX_FIGURES - 1);
    status = count_steps(t);
    for (uint32_t i = 0; i < t->block->phases && status == STATUS_OK; i++)
        status = check_fields(t, t->block->phase[i].step, 0);
    if (status == STATUS_OK) status = check_fields(t, t->block->report, 1);
    if (status == STATUS_OK) status = check_classes(t);
    if (status == STATUS_OK) status = allocate(t);
    if (status == STATUS_OK) status = session_compile(s);
    if (status != STATUS_OK) return status;
    t->phase = arena_array(&s->arena, Callable, t->block->phases);
    for (uint32_t i = 0; i < t->block->phases; i++)
        t->phase[i] = session_entry(s, t->block->phase[i].step);
    t->report = session_entry(s, t->block->report);
    return STATUS_OK;
}

void training_end(Training *t) {
    mem_free(t->order);
    mem_free(t->kept);
    for (uint32_t i = 0; i < MAX_FIELDS; i++) mem_free(t->row[i]);
}

void training_gather(Training *t, const Tensor *part, const int64_t *order,
                     int64_t count) {
    for (uint32_t i = 0; i < t->data->info.fields; i++)
        data_gather(&part[i], order, count, t->batch, t->row[i]);
}

const Callable *training_phase(const Training *t) {
    const TrainBlock *block = t->block;
    uint32_t i = 0;
    for (int64_t end = block->phase[0].epochs; t->epoch >= end && i + 1 < block->phases;)
        end += block->phase[++i].epochs;
    return &t->phase[i];
}

Status training_step(Training *t, float *loss) {
    if (t->at == 0) tn_order((uint64_t)t->seed, t->epoch, t->train_count, t->order);
    double start = seconds_now();
    training_gather(t, t->data->train, t->order + t->at / t->replay * t->batch, t->batch);
    void *out[] = {loss};
    Status status = session_call(t->session, training_phase(t),
                                 (const void *const *)t->row, out, t->batch);
    double spent = seconds_now() - start;
    t->seconds += spent;
    t->epoch_s += spent;
    t->at++;
    return status;
}

/* The loss tells of the weights before a step; the last step of an epoch may have spoilt
 * them. */
bool training_is_finite(const Training *t) {
    const Layout *layout = t->session->layout;
    for (uint32_t i = 0; i < layout->slots; i++) {
        const Slot *slot = &layout->slot[i];
        const float *at =
            (const float *)(const void *)((const char *)t->session->state + slot->offset);
        int64_t count = tensor_elements(slot->type.rank, slot->type.dim);
        for (int64_t k = 0; k < count && slot->type.elem == ELEM_f32; k++)
            if (!isfinite(at[k])) return false;
    }
    return true;
}

/* The last batch is padded, and the entries are told how many examples are valid. */
static Status evaluate_part(Training *t, const Tensor *part, int64_t begin, int64_t end,
                            Figures *out) {
    double total[MAX_FIGURES] = {0};
    float sum[MAX_FIGURES];
    void *result[MAX_FIGURES];
    int64_t *rows = t->order; /* of the epoch that is complete: free for use */
    const void *in[MAX_FIELDS + 1];
    *out = (Figures){.there = end > begin};
    for (uint32_t i = 0; i < t->data->info.fields; i++) in[i] = t->row[i];
    for (uint32_t i = 0; i < t->block->figures; i++) result[i] = &sum[i];
    for (int64_t at = begin; at < end; at += t->batch) {
        int32_t valid = (int32_t)(end - at < t->batch ? end - at : t->batch);
        for (int32_t i = 0; i < valid; i++) rows[i] = at + i;
        training_gather(t, part, rows, valid);
        in[t->data->info.fields] = &valid;
        Status status = session_call(t->session, &t->report, in, result, t->batch);
        if (status != STATUS_OK) return status;
        for (uint32_t i = 0; i < t->block->figures; i++) total[i] += (double)sum[i];
    }
    for (uint32_t r = 0; r < t->block->figures && out->there; r++)
        out->value[r] = total[r] / (double)(end - begin);
    return STATUS_OK;
}

Status training_rows(Training *t, const Callable *entry, const Tensor *part,
                     int64_t count, size_t width, float *out) {
    int64_t *rows = t->order;
    const size_t row = width * sizeof *out;
    float *batch = mem_alloc((size_t)t->batch * row);
    if (!batch) return session_fail(t->session, STATUS_MEMORY, "memory ended");
    Status status = STATUS_OK;
    for (int64_t at = 0; at < count && status == STATUS_OK; at += t->batch) {
        const int64_t valid = count - at < t->batch ? count - at : t->batch;
        for (int64_t i = 0; i < valid; i++) rows[i] = at + i;
        training_gather(t, part, rows, valid);
        void *result[] = {batch};
        status = session_call(t->session, entry, (const void *const *)t->row, result,
                              t->batch);
        memcpy(out + (size_t)at * width, batch, (size_t)valid * row);
    }
    mem_free(batch);
    return status;
}

Status training_evaluate(Training *t, Figures *valid, Figures *test) {
    const DataInfo *info = &t->data->info;
    const bool whole =
        t->data->train[0].data != NULL; /* not only a folder to test with */
    Status status = evaluate_part(t, t->data->train, t->train_count,
                                  whole ? info->train_count : t->train_count, valid);
    if (status != STATUS_OK) return status;
    return evaluate_part(t, t->data->test, 0, info->test_count, test);
}

double training_score(const Training *t, const Figures *valid, const Figures *test) {
    const Figures *figures = valid->there ? valid : test;
    for (uint32_t r = 0; r < t->block->figures; r++)
        if (t->block->figure[r].rises) return figures->value[r];
    return -figures->value[0];
}
