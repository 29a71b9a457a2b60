/* Type rules of the ops that move elements: views, windows, gather and scatter. */
#include "ir/type_rules.h"
#include <inttypes.h>

/* The attribute of a result's dimensions; NULL when it is refused. */
static const Attr *need_dims(const Func *func, const Node *node) {
    const Attr *dims = need_attr(func, node, ATTR_dims, ANY);
    if (!dims || dims->count <= MAX_RANK) return dims;
    refuse(func, node, "rank %u, at most %d is allowed", dims->count, MAX_RANK);
    return NULL;
}

bool type_broadcast(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0);
    const Attr *dims = need_dims(func, node);
    if (!dims) return false;
    const Attr *axes = need_axes(func, node, dims->count);
    if (!axes || !need_attr(func, node, ATTR_axes, x->rank)) return false;
    *out = type_tensor(x->elem, dims->count, dims->ints);
    for (uint32_t i = 0; i < x->rank; i++)
        if (out->dim[axes->ints[i]] != x->dim[i])
            return refuse(
                func, node,
                "from %s to %s: dimension %" PRId64 " is %s, but %s of the operand",
                type_words(func, x), type_words(func, out), axes->ints[i],
                dim_words(func, out->dim[axes->ints[i]]), dim_words(func, x->dim[i]));
    return true;
}

bool type_reshape(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0);
    const Attr *dims = need_dims(func, node);
    if (!dims) return false;
    *out = type_tensor(x->elem, dims->count, dims->ints);
    Dim from = type_count(func_dims(func), x), to = type_count(func_dims(func), out);
    if (from == to) return true;
    return refuse(func, node, "from %s to %s: %s elements become %s", type_words(func, x),
                  type_words(func, out), dim_words(func, from), dim_words(func, to));
}

bool type_transpose(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0);
    const Attr *axes = need_attr(func, node, ATTR_axes, x->rank);
    uint32_t seen = 0;
    if (!axes) return false;
    *out = *x;
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t axis = axes->ints[i];
        if (axis < 0 || axis >= x->rank || seen >> axis & 1)
            return refuse(func, node, "`axes` is no order of the %u axes of %s", x->rank,
                          type_words(func, x));
        seen |= 1u << axis;
        out->dim[i] = x->dim[axis];
    }
    return true;
}

/* First and last position must lie within the extent for every value of the symbols. */
static bool slice_fits(Dims *dims, Dim extent, int64_t start, Dim count, int64_t stride) {
    Dim steps = dim_sub(dims, count, 1);
    Dim span = stride < 0 ? dim_mul(dims, steps, -stride) : dim_mul(dims, steps, stride);
    Dim below = stride < 0 ? dim_sub(dims, start, span) : start;
    Dim above = stride < 0 ? start : dim_add(dims, start, span);
    Dim room = dim_sub(dims, dim_sub(dims, extent, 1), above);
    return dim_at_least(dims, below, 0) && dim_at_least(dims, room, 0);
}

bool type_slice(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0);
    const Attr *starts = need_attr(func, node, ATTR_starts, x->rank);
    const Attr *dims = starts ? need_attr(func, node, ATTR_dims, x->rank) : NULL;
    const Attr *strides = dims ? need_attr(func, node, ATTR_strides, x->rank) : NULL;
    if (!strides) return false;
    *out = type_tensor(x->elem, x->rank, dims->ints);
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t start = starts->ints[i], stride = strides->ints[i];
        bool sane = start >= 0 && start <= DIM_LIMIT && stride != 0 &&
                    stride <= DIM_LIMIT && stride >= -DIM_LIMIT;
        if (!sane || !slice_fits(func_dims(func), x->dim[i], start, out->dim[i], stride))
            return refuse(func, node,
                          "%s elements from %" PRId64 " in steps of %" PRId64
                          " do not fit dimension %u of %s",
                          dim_words(func, out->dim[i]), start, stride, i,
                          type_words(func, x));
    }
    return true;
}

bool type_pad(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0);
    const Attr *low = need_attr(func, node, ATTR_low, x->rank);
    const Attr *high = low ? need_attr(func, node, ATTR_high, x->rank) : NULL;
    const Attr *inner = high ? need_attr(func, node, ATTR_inner, x->rank) : NULL;
    Dims *dims = func_dims(func);
    if (!inner || !need_attr(func, node, ATTR_value, 1)) return false;
    *out = *x;
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t a = low->ints[i], b = high->ints[i], c = inner->ints[i];
        if (a < 0 || b < 0 || c < 0 || a > DIM_LIMIT || b > DIM_LIMIT || c > DIM_LIMIT)
            return refuse(func, node, "dimension %u of %s is padded by a negative count",
                          i, type_words(func, x));
        Dim between = dim_mul(dims, dim_sub(dims, x->dim[i], 1), c);
        out->dim[i] =
            dim_add(dims, dim_add(dims, x->dim[i], between), dim_add(dims, a, b));
    }
    return true;
}

bool type_concat(const Func *func, const Node *node, Type *out) {
    int64_t axis;
    if (!node->args) return refuse(func, node, "nothing to join");
    *out = *arg_type(func, node, 0);
    if (!out->rank) return refuse(func, node, "scalars have no axis to join by");
    if (!need_int(func, node, ATTR_axis, 0, (int64_t)out->rank - 1, &axis)) return false;
    for (uint32_t i = 1; i < node->args; i++) {
        const Type *next = arg_type(func, node, i);
        Type other = *next;
        if (other.rank == out->rank) other.dim[axis] = out->dim[axis];
        if (!type_equal(&other, out))
            return refuse(
                func, node,
                "operands %s and %s differ elsewhere than in dimension %" PRId64,
                type_words(func, out), type_words(func, next), axis);
        out->dim[axis] = dim_add(func_dims(func), out->dim[axis], next->dim[axis]);
    }
    return true;
}

/* Positions of a window of `size` with `stride` and `dilation` within `extent`. */
static Dim window_count(Dims *dims, Dim extent, int64_t size, int64_t stride,
                        int64_t dilation) {
    Dim reach = dim_mul(dims, size - 1, dilation);
    Dim room = dim_sub(dims, dim_sub(dims, extent, reach), 1);
    return dim_add(dims, dim_floor_div(dims, room, stride), 1);
}

/* The k windowed axes with their sizes, strides and dilations, each in [1, DIM_LIMIT]. */
typedef struct Windows {
    const Attr *axes, *strides, *dilations;
} Windows;

static bool all_positive(const Func *func, const Node *node, const Attr *list) {
    for (uint32_t i = 0; i < list->count; i++)
        if (list->ints[i] < 1 || list->ints[i] > INT32_MAX)
            return refuse(func, node,
                          "`%s` has the entry %" PRId64 ", 1 or more expected",
                          attr_info[list->key].name, list->ints[i]);
    return true;
}

static bool read_windows(const Func *func, const Node *node, uint32_t rank, Windows *w) {
    w->axes = need_axes(func, node, rank);
    if (!w->axes) return false;
    if (!w->axes->count) return refuse(func, node, "no axes");
    w->strides = need_attr(func, node, ATTR_strides, w->axes->count);
    if (!w->strides) return false;
    w->dilations = need_attr(func, node, ATTR_dilations, w->axes->count);
    return w->dilations && all_positive(func, node, w->strides) &&
           all_positive(func, node, w->dilations);
}

bool type_windows(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0);
    Windows w = {0};
    if (!read_windows(func, node, x->rank, &w)) return false;
    const Attr *size = need_attr(func, node, ATTR_size, w.axes->count);
    if (!size || !all_positive(func, node, size)) return false;
    if (x->rank + size->count > MAX_RANK)
        return refuse(func, node, "the result has rank %u, at most %d is allowed",
                      x->rank + size->count, MAX_RANK);
    *out = *x;
    for (uint32_t i = 0; i < size->count; i++) {
        int64_t axis = w.axes->ints[i];
        Dim count = window_count(func_dims(func), x->dim[axis], size->ints[i],
                                 w.strides->ints[i], w.dilations->ints[i]);
        if (!dim_at_least(func_dims(func), count, 1))
            return refuse(func, node,
                          "a window of %" PRId64 " with dilation %" PRId64
                          " does not fit dimension %" PRId64 " of %s",
                          size->ints[i], w.dilations->ints[i], axis, type_words(func, x));
        out->dim[axis] = count;
        out->dim[out->rank++] = size->ints[i];
    }
    return true;
}

bool type_fold(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0);
    const Attr *dims = need_attr(func, node, ATTR_dims, ANY);
    Windows w = {0};
    if (!dims) return false;
    if (dims->count >= x->rank)
        return refuse(func, node, "%s has no %u window dimensions", type_words(func, x),
                      dims->count);
    uint32_t rank = x->rank - dims->count;
    if (!read_windows(func, node, rank, &w) ||
        !need_attr(func, node, ATTR_axes, dims->count))
        return false;
    if (x->elem == ELEM_bool) return refuse(func, node, "bool cannot be added");
    *out = type_tensor(x->elem, rank, x->dim);
    for (uint32_t i = 0; i < dims->count; i++) {
        int64_t axis = w.axes->ints[i];
        Dim size = x->dim[rank + i];
        if (!dim_is_const(size))
            return refuse(func, node, "window size %s is not constant",
                          dim_words(func, size));
        Dim count = window_count(func_dims(func), dims->ints[i], size, w.strides->ints[i],
                                 w.dilations->ints[i]);
        if (count != x->dim[axis])
            return refuse(func, node,
                          "%s in %s windows of dimension %" PRId64
                          ", %s in the operand %s",
                          dim_words(func, dims->ints[i]), dim_words(func, count), axis,
                          dim_words(func, x->dim[axis]), type_words(func, x));
        out->dim[axis] = dims->ints[i];
    }
    return true;
}

/* Without the attribute nothing is shared. */
static bool read_batch(const Func *func, const Node *node, int64_t most, int64_t *batch) {
    *batch = 0;
    return !node_attr(node, ATTR_batch) ||
           need_int(func, node, ATTR_batch, 0, most, batch);
}

/* axis in [0, rank), batch in [0, axis], the first `batch` dimensions shared. */
static bool read_gather(const Func *func, const Node *node, const Type *x,
                        const Type *index, int64_t *axis, int64_t *batch) {
    if (index->elem != ELEM_i32)
        return refuse(func, node, "the index is %s, i32 expected",
                      type_words(func, index));
    if (!x->rank) return refuse(func, node, "a scalar has no axis");
    if (!need_int(func, node, ATTR_axis, 0, (int64_t)x->rank - 1, axis)) return false;
    int64_t most = *axis < index->rank ? *axis : index->rank;
    if (!read_batch(func, node, most, batch)) return false;
    for (uint32_t i = 0; i < *batch; i++)
        if (x->dim[i] != index->dim[i])
            return refuse(func, node,
                          "%s and the index %s differ in dimension %u: %s and %s",
                          type_words(func, x), type_words(func, index), i,
                          dim_words(func, x->dim[i]), dim_words(func, index->dim[i]));
    return true;
}

bool type_gather(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0), *index = arg_type(func, node, 1);
    int64_t axis, batch;
    if (!read_gather(func, node, x, index, &axis, &batch)) return false;
    if (x->rank - 1 + index->rank - batch > MAX_RANK)
        return refuse(func, node, "the result of %s by %s has too high a rank",
                      type_words(func, x), type_words(func, index));
    *out = (Type){.elem = x->elem};
    for (uint32_t i = 0; i < axis; i++) out->dim[out->rank++] = x->dim[i];
    for (uint32_t i = (uint32_t)batch; i < index->rank; i++)
        out->dim[out->rank++] = index->dim[i];
    for (uint32_t i = (uint32_t)axis + 1; i < x->rank; i++)
        out->dim[out->rank++] = x->dim[i];
    return true;
}

bool type_scatter_add(const Func *func, const Node *node, Type *out) {
    const Type *index = arg_type(func, node, 0), *update = arg_type(func, node, 1);
    const Attr *dims = need_attr(func, node, ATTR_dims, 1);
    int64_t axis, batch;
    if (!dims || !need_int(func, node, ATTR_axis, 0, MAX_RANK - 1, &axis) ||
        !read_batch(func, node, index->rank, &batch))
        return false;
    uint32_t own = index->rank - (uint32_t)batch; /* index dimensions inside the update */
    if (update->elem == ELEM_bool) return refuse(func, node, "bool cannot be added");
    if (batch > axis || update->rank < axis + own || update->rank - own >= MAX_RANK)
        return refuse(func, node, "the update %s does not hold the index %s",
                      type_words(func, update), type_words(func, index));
    *out = (Type){.elem = update->elem};
    for (uint32_t i = 0; i < axis; i++) out->dim[out->rank++] = update->dim[i];
    out->dim[out->rank++] = dims->ints[0];
    for (uint32_t i = (uint32_t)axis + own; i < update->rank; i++)
        out->dim[out->rank++] = update->dim[i];
    for (uint32_t i = 0; i < own; i++)
        if (update->dim[axis + i] != index->dim[batch + i])
            return refuse(func, node, "the update %s and the index %s differ: %s and %s",
                          type_words(func, update), type_words(func, index),
                          dim_words(func, update->dim[axis + i]),
                          dim_words(func, index->dim[batch + i]));
    return read_gather(func, node, out, index, &axis, &batch);
}

bool type_read_at(const Func *func, const Node *node, Type *out) {
    const Type *stack = arg_type(func, node, 0);
    if (!stack->rank) return refuse(func, node, "a scalar has no parts");
    *out = type_tensor(stack->elem, stack->rank - 1, stack->dim + 1);
    return need_index(func, node, 1);
}

bool type_write_at(const Func *func, const Node *node, Type *out) {
    const Type *stack = arg_type(func, node, 0), *value = arg_type(func, node, 2);
    if (!stack->rank) return refuse(func, node, "a scalar has no parts");
    Type part = type_tensor(stack->elem, stack->rank - 1, stack->dim + 1);
    if (!type_equal(&part, value))
        return refuse(func, node, "%s into %s, whose parts are %s",
                      type_words(func, value), type_words(func, stack),
                      type_words(func, &part));
    *out = *stack;
    return need_index(func, node, 1);
}
