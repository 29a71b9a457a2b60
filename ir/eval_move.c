/* Evaluator of the ops that move elements. */
#include "ir/eval_rules.h"

void eval_broadcast(const Case *c) {
    const int64_t *axes = case_ints(c, ATTR_axes);
    const Array *x = c->arg[0];
    Place place = {c->out->rank, c->out->dim, {0}};
    int64_t i = 0, at[MAX_RANK];
    do {
        for (uint32_t k = 0; k < x->rank; k++) at[k] = place.at[axes[k]];
        c->out->at[i++] = x->at[array_index(x, at)];
    } while (place_next(&place));
}

void eval_transpose(const Case *c) {
    const int64_t *axes = case_ints(c, ATTR_axes);
    const Array *x = c->arg[0];
    Place place = {c->out->rank, c->out->dim, {0}};
    int64_t i = 0, at[MAX_RANK];
    do {
        for (uint32_t k = 0; k < x->rank; k++) at[axes[k]] = place.at[k];
        c->out->at[i++] = x->at[array_index(x, at)];
    } while (place_next(&place));
}

void eval_slice(const Case *c) {
    const int64_t *starts = case_ints(c, ATTR_starts);
    const int64_t *strides = case_ints(c, ATTR_strides);
    const Array *x = c->arg[0];
    Place place = {c->out->rank, c->out->dim, {0}};
    int64_t i = 0, at[MAX_RANK];
    do {
        for (uint32_t k = 0; k < x->rank; k++)
            at[k] = starts[k] + place.at[k] * strides[k];
        c->out->at[i++] = x->at[array_index(x, at)];
    } while (place_next(&place));
}

void eval_pad(const Case *c) {
    const int64_t *low = case_ints(c, ATTR_low), *inner = case_ints(c, ATTR_inner);
    const double value = node_attr(c->node, ATTR_value)->reals[0];
    const Array *x = c->arg[0];
    Place place = {x->rank, x->dim, {0}};
    int64_t count = array_count(c->out), i = 0, at[MAX_RANK];
    for (int64_t k = 0; k < count; k++) c->out->at[k] = hold(x->elem, value);
    do {
        for (uint32_t k = 0; k < x->rank; k++)
            at[k] = low[k] + place.at[k] * (inner[k] + 1);
        c->out->at[array_index(c->out, at)] = x->at[i++];
    } while (place_next(&place));
}

void eval_concat(const Case *c) {
    const int64_t axis = node_int(c->node, ATTR_axis, 0);
    int64_t shift = 0;
    for (uint32_t n = 0; n < c->node->args; n++) {
        const Array *x = c->arg[n];
        Place place = {x->rank, x->dim, {0}};
        int64_t i = 0, at[MAX_RANK];
        do {
            for (uint32_t k = 0; k < x->rank; k++) at[k] = place.at[k];
            at[axis] += shift;
            c->out->at[array_index(c->out, at)] = x->at[i++];
        } while (place_next(&place));
        shift += x->dim[axis];
    }
}

/* The place in the whole array of a place among windows: positions, then offsets. */
static int64_t window_source(const Case *c, const Array *whole, const int64_t *place) {
    const Attr *axes = node_attr(c->node, ATTR_axes);
    const int64_t *strides = case_ints(c, ATTR_strides);
    const int64_t *dilations = case_ints(c, ATTR_dilations);
    int64_t at[MAX_RANK];
    for (uint32_t k = 0; k < whole->rank; k++) at[k] = place[k];
    for (uint32_t k = 0; k < axes->count; k++) {
        int64_t axis = axes->ints[k];
        at[axis] = place[axis] * strides[k] + place[whole->rank + k] * dilations[k];
    }
    return array_index(whole, at);
}

void eval_windows(const Case *c) {
    Place place = {c->out->rank, c->out->dim, {0}};
    int64_t i = 0;
    do c->out->at[i++] = c->arg[0]->at[window_source(c, c->arg[0], place.at)];
    while (place_next(&place));
}

void eval_fold(const Case *c) {
    const Array *x = c->arg[0];
    Place place = {x->rank, x->dim, {0}};
    int64_t i = 0;
    do {
        double *to = &c->out->at[window_source(c, c->out, place.at)];
        *to = hold(x->elem, *to + x->at[i++]);
    } while (place_next(&place));
}

/*
 * A place p in gather's result (scatter_add's update) is  p[0..axis) i.. rest..  where
 * index[p[0..batch) i..] takes the place of i.. in the whole array.  Returns the index and
 * leaves the whole array's place in `at`.
 */
static int64_t gather_place(const Case *c, const Array *whole, const Array *index,
                            const int64_t *p, int64_t *at) {
    const uint32_t axis = (uint32_t)node_int(c->node, ATTR_axis, 0);
    const uint32_t batch = (uint32_t)node_int(c->node, ATTR_batch, 0);
    const uint32_t own = index->rank - batch;
    int64_t where[MAX_RANK];
    for (uint32_t k = 0; k < batch; k++) where[k] = p[k];
    for (uint32_t k = 0; k < own; k++) where[batch + k] = p[axis + k];
    for (uint32_t k = 0; k < axis; k++) at[k] = p[k];
    for (uint32_t k = axis + 1; k < whole->rank; k++) at[k] = p[k - 1 + own];
    return at[axis] = (int64_t)index->at[array_index(index, where)];
}

static int64_t clamp(int64_t i, int64_t extent) {
    return i < 0 ? 0 : i >= extent ? extent - 1 : i;
}

void eval_gather(const Case *c) {
    const int64_t axis = node_int(c->node, ATTR_axis, 0);
    const Array *x = c->arg[0];
    Place place = {c->out->rank, c->out->dim, {0}};
    int64_t i = 0, at[MAX_RANK];
    do {
        at[axis] = clamp(gather_place(c, x, c->arg[1], place.at, at), x->dim[axis]);
        c->out->at[i++] = x->at[array_index(x, at)];
    } while (place_next(&place));
}

void eval_scatter_add(const Case *c) {
    const int64_t axis = node_int(c->node, ATTR_axis, 0);
    const Array *update = c->arg[1];
    Place place = {update->rank, update->dim, {0}};
    int64_t i = 0, at[MAX_RANK];
    do {
        double value = update->at[i++];
        int64_t index = gather_place(c, c->out, c->arg[0], place.at, at);
        if (index < 0 || index >= c->out->dim[axis]) continue;
        double *to = &c->out->at[array_index(c->out, at)];
        *to = hold(c->out->elem, *to + value);
    } while (place_next(&place));
}

void eval_read_at(const Case *c) {
    int64_t count = array_count(c->out);
    int64_t i = clamp((int64_t)c->arg[1]->at[0], c->arg[0]->dim[0]);
    memcpy(c->out->at, c->arg[0]->at + i * count, sizeof(double) * (size_t)count);
}

void eval_write_at(const Case *c) {
    const Array *value = c->arg[2];
    int64_t count = array_count(value), i = (int64_t)c->arg[1]->at[0];
    memcpy(c->out->at, c->arg[0]->at, sizeof(double) * (size_t)array_count(c->out));
    if (i < 0 || i >= c->out->dim[0]) return;
    memcpy(c->out->at + i * count, value->at, sizeof(double) * (size_t)count);
}
