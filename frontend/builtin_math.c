/* Reductions and choices. */
#include "frontend/builtin.h"

/* ---- axes ----------------------------------------------------------------------------- */

/* The axes to reduce: `over`, all but `keep`, or all. */
static bool reduced_axes(Elab *e, const Value *over, const Value *keep, const Type *type,
                         Span span, int64_t *axes, uint32_t *count) {
    if (over->kind != VALUE_missing && keep->kind != VALUE_missing) {
        elab_error(e, span, "`over` and `keep` exclude each other");
        return false;
    }
    if (over->kind != VALUE_missing) return want_axes(e, over, type, span, axes, count);
    int64_t kept[MAX_RANK];
    uint32_t keeps = 0, k = 0;
    if (keep->kind != VALUE_missing && !want_axes(e, keep, type, span, kept, &keeps))
        return false;
    *count = 0;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (k < keeps && kept[k] == i)
            k++;
        else
            axes[(*count)++] = i;
    }
    return true;
}

static bool is_reduced(const int64_t *axes, uint32_t count, uint32_t axis) {
    for (uint32_t i = 0; i < count; i++)
        if (axes[i] == axis) return true;
    return false;
}

/* The result remembers which axes of its operand are left. */
static Value remember(Elab *e, Val val, const Value *x, const int64_t *axes,
                      uint32_t count) {
    Value v = elab_tensor(e, val);
    if (v.kind != VALUE_tensor) return v;
    const Tensor *from = &x->tensor;
    uint32_t rank = tensor_type(x)->rank, k = 0;
    v.tensor.ghost_rank = from->ghost_rank ? from->ghost_rank : (uint8_t)rank;
    for (uint32_t i = 0; i < rank; i++)
        if (!is_reduced(axes, count, i))
            v.tensor.place[k++] = from->ghost_rank ? from->place[i] : (uint8_t)i;
    return v;
}

static Value reduce(Elab *e, Op op, Value x, const int64_t *axes, uint32_t count,
                    Span span) {
    if (tensor_type(&x)->elem == ELEM_bool || tensor_type(&x)->elem == ELEM_u8)
        x = elab_cast(e, x, op == OP_sum ? ELEM_f32 : ELEM_i32, span);
    if (!count && op != OP_argmax) return x;
    Attr attr = attr_ints(ATTR_axes, axes, count);
    Val val = frame_use(e, &x.tensor);
    return remember(e, elab_emit(e, op, &val, 1, &attr, 1, span), &x, axes, count);
}

/* ---- the masked batch of a report ------------------------------------------------------- */

static bool depends_on_input(Elab *e, Val val) {
    const Run *run = e->run;
    const Func *func = run->root->func;
    bool *does = arena_array(e->arena, bool, val + 1);
    for (uint32_t i = 0; i < run->ports.count; i++) {
        const RunPort *port = &run->ports.at[i];
        bool is_data = port->role == ROLE_INPUT && strcmp(port->name, "valid");
        if (is_data && port->placeholder <= val) does[port->placeholder] = true;
    }
    for (Val v = 0; v <= val; v++) {
        const Node *node = graph_node(func, v);
        for (uint32_t i = 0; i < node->args; i++) does[v] |= does[node->arg[i]];
    }
    return does[val];
}

/* In a report the padding of the last batch counts nothing: what is reduced over the batch
 * is made zero there.  *is_masked tells that a mean divides by `valid` along that axis. */
static Value mask_batch(Elab *e, Value x, const int64_t *axes, uint32_t count, Span span,
                        bool *is_masked) {
    const Run *run = e->run;
    *is_masked = false;
    if (!run || run->valid.kind != VALUE_tensor || x.tensor.frame != run->root) return x;
    const Type *type = tensor_type(&x);
    if (!is_reduced(axes, count, 0) || type->dim[0] != run->batch) return x;
    if (!depends_on_input(e, x.tensor.val)) return x;
    *is_masked = true;
    Builder b = elab_builder(e, span);
    Type index = *type;
    index.elem = ELEM_i32;
    Attr attr[] = {attr_int(ATTR_elem, ELEM_i32),
                   attr_ints(ATTR_dims, index.dim, index.rank), attr_int(ATTR_axis, 0)};
    Val iota = elab_emit(e, OP_iota, NULL, 0, attr, 3, span);
    Val valid = build_splat(&b, frame_use(e, &run->valid.tensor), &index);
    Val zero = build_fill(&b, type, 0), here = frame_use(e, &x.tensor);
    Value masked =
        elab_tensor(e, build_select(&b, build_lt(&b, iota, valid), here, zero));
    masked.tensor.ghost_rank = x.tensor.ghost_rank;
    memcpy(masked.tensor.place, x.tensor.place, sizeof x.tensor.place);
    return masked;
}

/* ---- reductions ------------------------------------------------------------------------ */

Value builtin_sum(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axes[MAX_RANK];
    uint32_t count;
    bool masked;
    if (!want_tensor(e, &x, "x", span)) return value_unknown;
    if (!reduced_axes(e, &arg[1], &arg[2], tensor_type(&x), span, axes, &count))
        return value_unknown;
    x = mask_batch(e, x, axes, count, span, &masked);
    return reduce(e, OP_sum, x, axes, count, span);
}

Value builtin_mean(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axes[MAX_RANK];
    uint32_t count;
    bool masked;
    if (!want_tensor(e, &x, "x", span)) return value_unknown;
    if (!elem_is_float(tensor_type(&x)->elem)) x = elab_cast(e, x, ELEM_f32, span);
    if (!reduced_axes(e, &arg[1], &arg[2], tensor_type(&x), span, axes, &count))
        return value_unknown;
    x = mask_batch(e, x, axes, count, span, &masked);
    const Type *type = tensor_type(&x);
    Value total = reduce(e, OP_sum, x, axes, count, span), n = value_int(1);
    for (uint32_t i = masked ? 1 : 0; i < count; i++)
        n = elab_binary(e, BINARY_mul, n, value_from_dim(type->dim[axes[i]]), span);
    if (n.kind == VALUE_int)
        n = value_real(1.0 / (double)n.integer);
    else
        n = elab_binary(e, BINARY_div, value_real(1), n, span);
    total = elab_binary(e, BINARY_mul, total, n, span);
    if (!masked) return total;
    return elab_binary(e, BINARY_div, total, elab_cast(e, e->run->valid, ELEM_f32, span),
                       span);
}

static Value extremum(Elab *e, Op op, Op reduction, const Value *arg, Span span) {
    int64_t axes[MAX_RANK];
    uint32_t count;
    Value x = arg[0];
    if (x.kind == VALUE_unknown || arg[1].kind == VALUE_unknown) return value_unknown;
    if (arg[1].kind != VALUE_missing) return elab_scalar(e, op, arg, 2, span);
    if (!want_tensor(e, &x, "x", span)) return value_unknown;
    if (!reduced_axes(e, &arg[2], &arg[3], tensor_type(&x), span, axes, &count))
        return value_unknown;
    return reduce(e, reduction, x, axes, count, span);
}

static Value extremum_of(Elab *e, const Value *arg, bool is_max, Span span) {
    const Value *x = &arg[0], *y = &arg[1];
    if (x->kind == VALUE_int && y->kind == VALUE_int)
        return (x->integer > y->integer) == is_max ? *x : *y;
    return extremum(e, is_max ? OP_max : OP_min, is_max ? OP_reduce_max : OP_reduce_min,
                    arg, span);
}

Value builtin_max(Elab *e, const Value *arg, Span span) {
    return extremum_of(e, arg, true, span);
}
Value builtin_min(Elab *e, const Value *arg, Span span) {
    return extremum_of(e, arg, false, span);
}

Value builtin_argmax(Elab *e, const Value *arg, Span span) {
    Value x = arg[0];
    int64_t axes[MAX_RANK];
    uint32_t count;
    if (!want_tensor(e, &x, "x", span)) return value_unknown;
    if (!reduced_axes(e, &arg[1], &arg[2], tensor_type(&x), span, axes, &count))
        return value_unknown;
    return reduce(e, OP_argmax, x, axes, count, span);
}

/* ---- choices --------------------------------------------------------------------------- */

Value builtin_where(Elab *e, const Value *arg, Span span) {
    Value v[] = {arg[0], arg[1], arg[2]};
    if (v[0].kind == VALUE_bool) return v[0].truth ? v[1] : v[2];
    if (!elab_align_from(e, v, 3, 1, "where", span)) return value_unknown;
    if (tensor_type(&v[0])->elem != ELEM_bool) {
        elab_error(e, span, "the condition of `where` is %s, not bool",
                   elab_words(e, &v[0]));
        elab_hint(e, "compare it, as x > 0");
        return value_unknown;
    }
    Val val[3];
    for (int i = 0; i < 3; i++) val[i] = frame_use(e, &v[i].tensor);
    Value result = elab_tensor(e, elab_emit(e, OP_select, val, 3, NULL, 0, span));
    result.tensor.ghost_rank = v[1].tensor.ghost_rank;
    memcpy(result.tensor.place, v[1].tensor.place, sizeof v[1].tensor.place);
    return result;
}

static Value stop_leaf(Elab *e, void *context, Value v) {
    Span *span = context;
    if (v.kind != VALUE_tensor) return v;
    Val val = frame_use(e, &v.tensor);
    Value stopped = elab_tensor(e, elab_emit(e, OP_stop, &val, 1, NULL, 0, *span));
    stopped.tensor.ghost_rank = v.tensor.ghost_rank;
    memcpy(stopped.tensor.place, v.tensor.place, sizeof v.tensor.place);
    return stopped;
}

Value builtin_stop(Elab *e, const Value *arg, Span span) {
    return tree_map(e, &arg[0], stop_leaf, &span);
}
