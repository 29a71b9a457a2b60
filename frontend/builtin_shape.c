/* Shapes and moves: what changes places and not numbers; sources of indices and chance. */
#include "frontend/builtin.h"
#include <inttypes.h>

static Value dims_value(Elab *e, const Type *type) {
    Value *at = arena_array(e->arena, Value, type->rank + 1);
    for (uint32_t i = 0; i < type->rank; i++) at[i] = value_from_dim(type->dim[i]);
    return (Value){.kind = VALUE_list, .list = {type->rank, at}};
}

Value builtin_shape(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    return want_tensor(e, &x, "x", span) ? dims_value(e, tensor_type(&x)) : value_unknown;
}

Value builtin_rank(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    return want_tensor(e, &x, "x", span) ? value_int(tensor_type(&x)->rank)
                                         : value_unknown;
}

Value builtin_count(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    if (!want_tensor(e, &x, "x", span)) return value_unknown;
    return value_from_dim(type_count(&e->module->dims, tensor_type(&x)));
}

Value builtin_length(Elab *e, const Value *arg, Span span) {
    if (arg[0].kind == VALUE_list) return value_int(arg[0].list.count);
    if (arg[0].kind != VALUE_unknown)
        elab_error(e, span, "`length` wants a list, found %s", elab_words(e, &arg[0]));
    return value_unknown;
}

Value builtin_product(Elab *e, const Value *arg, Span span) {
    Value product = value_int(1);
    if (arg[0].kind == VALUE_unknown) return arg[0];
    if (arg[0].kind != VALUE_list) {
        elab_error(e, span, "`product` wants a list, found %s", elab_words(e, &arg[0]));
        return value_unknown;
    }
    for (uint32_t i = 0; i < arg[0].list.count; i++)
        product = elab_binary(e, BINARY_mul, product, arg[0].list.at[i], span);
    return product;
}

Value builtin_reshape(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    Dim dim[MAX_RANK];
    uint32_t rank;
    if (!want_tensor(e, &x, "x", span) || !want_dims(e, &arg[1], span, dim, &rank))
        return value_unknown;
    Attr attr = attr_ints(ATTR_dims, dim, rank);
    Val val = frame_use(e, &x.tensor);
    return elab_tensor(e, elab_emit(e, OP_reshape, &val, 1, &attr, 1, span));
}

/* All axes of the type, each once. */
static bool want_order(Elab *e, const Value *v, const Type *type, Span span,
                       int64_t *axes) {
    bool has[MAX_RANK] = {false};
    if (v->kind == VALUE_unknown) return false;
    if (v->kind != VALUE_list || v->list.count != type->rank) {
        elab_error(e, span, "`transpose` wants a list of the %u axes of %s, found %s",
                   type->rank, type_text(e, type), elab_words(e, v));
        return false;
    }
    for (uint32_t i = 0; i < type->rank; i++) {
        if (!want_axis(e, &v->list.at[i], type, span, &axes[i])) return false;
        if (has[axes[i]]) {
            elab_error(e, span, "axis %" PRId64 " is given twice", axes[i]);
            return false;
        }
        has[axes[i]] = true;
    }
    return true;
}

Value builtin_transpose(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axes[MAX_RANK];
    if (!want_tensor(e, &x, "x", span)) return value_unknown;
    uint32_t rank = tensor_type(&x)->rank;
    for (uint32_t i = 0; i < rank; i++) axes[i] = rank - 1 - i;
    if (arg[1].kind != VALUE_missing &&
        !want_order(e, &arg[1], tensor_type(&x), span, axes))
        return value_unknown;
    Attr attr = attr_ints(ATTR_axes, axes, rank);
    Val val = frame_use(e, &x.tensor);
    return elab_tensor(e, elab_emit(e, OP_transpose, &val, 1, &attr, 1, span));
}

Value builtin_broadcast(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    Dim dim[MAX_RANK];
    uint32_t rank;
    if (!want_tensor(e, &x, "x", span) || !want_dims(e, &arg[1], span, dim, &rank))
        return value_unknown;
    Type to = type_tensor(tensor_type(&x)->elem, rank, dim);
    return elab_expand(e, x, &to, "`broadcast`", span);
}

static Value emit_slice(Elab *e, const Value *x, int64_t axis, int64_t from, Dim count,
                        int64_t step, Span span) {
    const Type *type = tensor_type(x);
    int64_t starts[MAX_RANK] = {0}, strides[MAX_RANK];
    Dim dims[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++) {
        dims[i] = type->dim[i];
        strides[i] = 1;
    }
    starts[axis] = from;
    dims[axis] = count;
    strides[axis] = step;
    Attr attr[] = {attr_ints(ATTR_starts, starts, type->rank),
                   attr_ints(ATTR_dims, dims, type->rank),
                   attr_ints(ATTR_strides, strides, type->rank)};
    Val val = frame_use(e, &x->tensor);
    return elab_tensor(e, elab_emit(e, OP_slice, &val, 1, attr, 3, span));
}

Value builtin_slice(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axis, from, step = 1;
    Dim count;
    if (!want_tensor(e, &x, "x", span) ||
        !want_axis(e, &arg[1], tensor_type(&x), span, &axis) ||
        !want_int(e, &arg[2], "`from` of `slice`", 0, span, &from) ||
        !elab_dim(e, &arg[3], span, "`count` of `slice`", &count))
        return value_unknown;
    if (arg[4].kind != VALUE_missing &&
        !want_int(e, &arg[4], "`step` of `slice`", 1, span, &step))
        return value_unknown;
    return emit_slice(e, &x, axis, from, count, step, span);
}

/* One position along an axis, which goes; or those of a tensor, in place of the axis. */
Value builtin_take(Elab *e, const Value *arg, Span span) {
    Value x = arg[0], axis_value = arg[2].kind == VALUE_missing ? value_int(0) : arg[2];
    int64_t axis, at;
    if (arg[1].kind == VALUE_tensor) {
        const Value places[] = {x, arg[1], axis_value, {.kind = VALUE_missing}};
        return builtin_gather(e, places, span);
    }
    if (!want_tensor(e, &x, "x", span) ||
        !want_axis(e, &axis_value, tensor_type(&x), span, &axis))
        return value_unknown;
    Value index = arg[1];
    const Dim extent = tensor_type(&x)->dim[axis];
    if (index.kind == VALUE_int && index.integer < 0) { /* from the end */
        if (!dim_is_const(extent) && e->checking) return value_unknown;
        if (dim_is_const(extent) && index.integer >= -extent) index.integer += extent;
    }
    if (!want_int(e, &index, "an index", 0, span, &at)) return value_unknown;
    Value part = emit_slice(e, &x, axis, at, 1, 1, span);
    if (part.kind != VALUE_tensor) return part;
    Type type = *tensor_type(&part);
    for (uint32_t i = (uint32_t)axis; i + 1 < type.rank; i++)
        type.dim[i] = type.dim[i + 1];
    Builder b = elab_builder(e, span);
    return elab_tensor(e, build_reshape(&b, part.tensor.val, type.rank - 1, type.dim));
}

Value builtin_reverse(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axis;
    if (!want_tensor(e, &x, "x", span) ||
        !want_axis(e, &arg[1], tensor_type(&x), span, &axis))
        return value_unknown;
    Dim count = tensor_type(&x)->dim[axis];
    if (!dim_is_const(count)) {
        if (!e->checking) elab_error(e, span, "`reverse` over an axis that is open");
        return value_unknown;
    }
    return emit_slice(e, &x, axis, count - 1, count, -1, span);
}

Value builtin_pad(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axes[MAX_RANK], low[MAX_RANK] = {0}, high[MAX_RANK] = {0},
                            inner[MAX_RANK] = {0};
    int64_t lows[MAX_RANK], highs[MAX_RANK];
    uint32_t count, found;
    if (!want_tensor(e, &x, "x", span) ||
        !want_axes(e, &arg[1], tensor_type(&x), span, axes, &count) ||
        !want_ints(e, &arg[2], "`low` of `pad`", 0, count, span, lows, &found) ||
        !want_ints(e, &arg[3], "`high` of `pad`", 0, count, span, highs, &found))
        return value_unknown;
    for (uint32_t i = 0; i < count; i++) {
        low[axes[i]] = lows[i];
        high[axes[i]] = highs[i];
    }
    double value = arg[4].kind == VALUE_real ? arg[4].real : (double)int_or(&arg[4], 0);
    uint32_t rank = tensor_type(&x)->rank;
    Attr attr[] = {attr_ints(ATTR_low, low, rank), attr_ints(ATTR_high, high, rank),
                   attr_ints(ATTR_inner, inner, rank), attr_reals(ATTR_value, &value, 1)};
    Val val = frame_use(e, &x.tensor);
    return elab_tensor(e, elab_emit(e, OP_pad, &val, 1, attr, 4, span));
}

Value builtin_concat(Elab *e, const Value *arg, Span span) {
    const Value *list = &arg[0];
    int64_t axis;
    if (list->kind == VALUE_unknown) return *list;
    if (list->kind != VALUE_list || !list->list.count) {
        elab_error(e, span, "`concat` wants a list of tensors, found %s",
                   elab_words(e, list));
        return value_unknown;
    }
    Val *val = arena_array(e->arena, Val, list->list.count);
    for (uint32_t i = 0; i < list->list.count; i++) {
        Value x = list->list.at[i];
        if (!want_tensor(e, &x, "list", span)) return value_unknown;
        if (!i && !want_axis(e, &arg[1], tensor_type(&x), span, &axis))
            return value_unknown;
        val[i] = frame_use(e, &x.tensor);
    }
    Attr attr = attr_int(ATTR_axis, axis);
    return elab_tensor(e, elab_emit(e, OP_concat, val, list->list.count, &attr, 1, span));
}

/* ---- windows --------------------------------------------------------------------------- */

/* Strides and dilations, one per axis, 1 where they were left out. */
static bool window_steps(Elab *e, const Value *stride, const Value *dilation,
                         uint32_t count, Span span, int64_t *strides,
                         int64_t *dilations) {
    Value one = value_int(1);
    uint32_t found;
    if (stride->kind == VALUE_missing) stride = &one;
    if (dilation->kind == VALUE_missing) dilation = &one;
    return want_ints(e, stride, "`stride`", 1, count, span, strides, &found) &&
           want_ints(e, dilation, "`dilation`", 1, count, span, dilations, &found);
}

Value builtin_windows(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axes[MAX_RANK], size[MAX_RANK], strides[MAX_RANK], dilations[MAX_RANK];
    uint32_t count, found;
    if (!want_tensor(e, &x, "x", span) ||
        !want_axes(e, &arg[1], tensor_type(&x), span, axes, &count) ||
        !want_ints(e, &arg[2], "`size` of `windows`", 1, count, span, size, &found) ||
        !window_steps(e, &arg[3], &arg[4], count, span, strides, dilations))
        return value_unknown;
    Attr attr[] = {attr_ints(ATTR_axes, axes, count), attr_ints(ATTR_size, size, count),
                   attr_ints(ATTR_strides, strides, count),
                   attr_ints(ATTR_dilations, dilations, count)};
    Val val = frame_use(e, &x.tensor);
    return elab_tensor(e, elab_emit(e, OP_windows, &val, 1, attr, 4, span));
}

Value builtin_fold(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axes[MAX_RANK], strides[MAX_RANK], dilations[MAX_RANK];
    Dim extents[MAX_RANK];
    uint32_t count, found;
    if (!want_tensor(e, &x, "x", span) ||
        !want_axes(e, &arg[1], tensor_type(&x), span, axes, &count) ||
        !want_dims(e, &arg[2], span, extents, &found) ||
        !window_steps(e, &arg[3], &arg[4], count, span, strides, dilations))
        return value_unknown;
    if (found != count) {
        elab_error(e, span, "`fold` over %u axes wants as many extents, found %u", count,
                   found);
        return value_unknown;
    }
    Attr attr[] = {attr_ints(ATTR_axes, axes, count),
                   attr_ints(ATTR_dims, extents, count),
                   attr_ints(ATTR_strides, strides, count),
                   attr_ints(ATTR_dilations, dilations, count)};
    Val val = frame_use(e, &x.tensor);
    return elab_tensor(e, elab_emit(e, OP_fold, &val, 1, attr, 4, span));
}

/* ---- by index -------------------------------------------------------------------------- */

static bool want_index(Elab *e, Value *v, Span span) {
    *v = elab_to_tensor(e, *v, ELEM_i32, span);
    if (v->kind != VALUE_tensor) return false;
    Elem elem = tensor_type(v)->elem;
    if (elem_is_float(elem) || elem == ELEM_bool) {
        elab_error(e, span, "an index is i32, found %s", elab_words(e, v));
        return false;
    }
    *v = elab_cast(e, *v, ELEM_i32, span);
    return true;
}

Value builtin_gather(Elab *e, const Value *arg, Span span) {
    Value x = arg[0], index = arg[1];
    int64_t axis = 0, batch = 0;
    if (!want_tensor(e, &x, "x", span) || !want_index(e, &index, span))
        return value_unknown;
    if (arg[2].kind != VALUE_missing &&
        !want_axis(e, &arg[2], tensor_type(&x), span, &axis))
        return value_unknown;
    if (arg[3].kind != VALUE_missing &&
        !want_int(e, &arg[3], "`batch` of `gather`", 0, span, &batch))
        return value_unknown;
    Attr attr[] = {attr_int(ATTR_axis, axis), attr_int(ATTR_batch, batch)};
    Val val[] = {frame_use(e, &x.tensor), frame_use(e, &index.tensor)};
    return elab_tensor(e, elab_emit(e, OP_gather, val, 2, attr, 2, span));
}

Value builtin_scatter_add(Elab *e, const Value *arg, Span span) {
    Value index = arg[0], update = arg[1];
    Dim extent;
    if (!want_index(e, &index, span) || !want_tensor(e, &update, "update", span) ||
        !elab_dim(e, &arg[2], span, "`extent` of `scatter_add`", &extent))
        return value_unknown;
    Attr attr[] = {attr_int(ATTR_axis, int_or(&arg[3], 0)),
                   attr_int(ATTR_batch, int_or(&arg[4], 0)),
                   attr_ints(ATTR_dims, &extent, 1)};
    Val val[] = {frame_use(e, &index.tensor), frame_use(e, &update.tensor)};
    return elab_tensor(e, elab_emit(e, OP_scatter_add, val, 2, attr, 3, span));
}

/* ---- sources --------------------------------------------------------------------------- */

Value builtin_iota(Elab *e, const Value *arg, Span span) {
    Dim dim;
    if (!elab_dim(e, &arg[0], span, "`count` of `iota`", &dim)) return value_unknown;
    Attr attr[] = {attr_int(ATTR_elem, ELEM_i32), attr_ints(ATTR_dims, &dim, 1),
                   attr_int(ATTR_axis, 0)};
    return elab_tensor(e, elab_emit(e, OP_iota, NULL, 0, attr, 3, span));
}

/* Each round of each loop around draws anew; 0 outside of loops. */
static Val random_turn(Elab *e, Span span) {
    Builder b = elab_builder(e, span);
    const Val turn = frame_turn(e, span);
    return turn != NO_VAL ? turn : build_const(&b, ELEM_i32, 0);
}

Value builtin_random(Elab *e, const Value *arg, Span span) {
    Dim dim[MAX_RANK];
    uint32_t rank;
    if (!want_dims(e, &arg[0], span, dim, &rank)) return value_unknown;
    Value seed = run_seed(e), step = run_step(e);
    Attr attr[] = {attr_ints(ATTR_dims, dim, rank), attr_int(ATTR_site, e->run->sites++)};
    Val val[] = {frame_use(e, &seed.tensor), frame_use(e, &step.tensor),
                 random_turn(e, span)};
    return elab_tensor(e, elab_emit(e, OP_random, val, 3, attr, 2, span));
}
