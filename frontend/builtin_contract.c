/* Convolution as a contraction: axes n, h, w, (g,) o, kh, kw, c. */
#include "frontend/builtin.h"

typedef struct Conv {
    const Type *x, *filter; /* [N, H, W, C] and [KH, KW, C / groups, O] */
    int64_t stride[2], pad[2], dilation[2], groups;
    Dim out[2];
} Conv;

static bool conv_pair(Elab *e, const Value *v, const char *what, int64_t low,
                      int64_t otherwise, Span span, int64_t *out) {
    uint32_t found;
    out[0] = out[1] = otherwise;
    return v->kind == VALUE_missing || want_ints(e, v, what, low, 2, span, out, &found);
}

static bool conv_settings(Elab *e, const Value *arg, Span span, Conv *conv) {
    conv->groups = 1;
    return conv_pair(e, &arg[2], "`stride`", 1, 1, span, conv->stride) &&
           conv_pair(e, &arg[3], "`pad`", 0, 0, span, conv->pad) &&
           conv_pair(e, &arg[4], "`dilation`", 1, 1, span, conv->dilation) &&
           (arg[5].kind == VALUE_missing ||
            want_int(e, &arg[5], "`groups`", 1, span, &conv->groups));
}

static bool conv_shapes(Elab *e, Conv *conv, Span span) {
    Dims *dims = &e->module->dims;
    const Type *x = conv->x, *f = conv->filter;
    if (x->rank != 4 || f->rank != 4) {
        elab_error(e, span,
                   "`conv2d` of %s by %s: [N, H, W, C] by [KH, KW, C, O] is wanted",
                   type_text(e, x), type_text(e, f));
        return false;
    }
    if (dim_mul(dims, f->dim[2], conv->groups) != x->dim[3]) {
        elab_error(e, span, "`conv2d` of %s by %s: %s channels, but the filter is for %s",
                   type_text(e, x), type_text(e, f), dim_text(e, x->dim[3]),
                   dim_text(e, dim_mul(dims, f->dim[2], conv->groups)));
        return false;
    }
    for (int i = 0; i < 2; i++) {
        Dim reach = dim_mul(dims, dim_sub(dims, f->dim[i], 1), conv->dilation[i]);
        Dim room = dim_sub(dims, dim_add(dims, x->dim[1 + i], 2 * conv->pad[i]),
                           dim_add(dims, reach, 1));
        conv->out[i] = dim_add(dims, dim_floor_div(dims, room, conv->stride[i]), 1);
        if (dim_at_least(dims, conv->out[i], 1)) continue;
        if (!e->checking || dim_is_const(conv->out[i]))
            elab_error(e, span, "a filter of %s does not fit %s with padding %d",
                       dim_text(e, f->dim[i]), dim_text(e, x->dim[1 + i]),
                       (int)conv->pad[i]);
        return false;
    }
    return true;
}

static bool conv_groups(Elab *e, const Conv *conv, Span span, Dim *per_group) {
    if (dim_divides(&e->module->dims, conv->filter->dim[3], conv->groups, per_group))
        return true;
    elab_error(e, span, "%s filters do not divide into %d groups",
               dim_text(e, conv->filter->dim[3]), (int)conv->groups);
    return false;
}

static void set_plain(AffineMap *map, uint32_t dim, uint32_t axis, int64_t coefficient) {
    map->dim[dim].coefficient[axis] = coefficient;
    map->dim[dim].divisor = 1;
}

static Val conv_emit(Elab *e, const Conv *conv, Dim o, const Val *arg, Span span) {
    const Type *x = conv->x, *f = conv->filter;
    uint32_t g = conv->groups > 1, axes = 7 + g, first = 4 + g; /* first: axis of kh */
    Dim dims[8] = {x->dim[0], conv->out[0], conv->out[1]};
    if (g) dims[3] = conv->groups;
    dims[3 + g] = o;
    for (uint32_t i = 0; i < 3; i++) dims[first + i] = f->dim[i];
    AffineMap xm = {axes, 4, {{{0}}}}, fm = xm, om = {axes, 4 + g, {{{0}}}};
    set_plain(&xm, 0, 0, 1);
    for (uint32_t i = 0; i < 2; i++) {
        set_plain(&xm, 1 + i, 1 + i, conv->stride[i]);
        set_plain(&xm, 1 + i, first + i, conv->dilation[i]);
        xm.dim[1 + i].offset = -conv->pad[i];
        set_plain(&fm, i, first + i, 1);
    }
    set_plain(&xm, 3, first + 2, 1);
    set_plain(&fm, 2, first + 2, 1);
    set_plain(&fm, 3, 3 + g, 1);
    if (g) set_plain(&xm, 3, 3, f->dim[2]);
    if (g) set_plain(&fm, 3, 3, o);
    for (uint32_t i = 0; i < 4 + g; i++) set_plain(&om, i, i, 1);
    Attr attr[] = {attr_ints(ATTR_dims, dims, axes), attr_map(ATTR_a, &xm),
                   attr_map(ATTR_b, &fm), attr_map(ATTR_out, &om)};
    return elab_emit(e, OP_contract, arg, 2, attr, 4, span);
}

Value builtin_conv2d(Elab *e, const Value *arg, Span span) {
    Value x = arg[0], filter = arg[1];
    Conv conv;
    Dim o;
    if (!want_tensor(e, &x, "x", span) || !want_tensor(e, &filter, "filter", span) ||
        !conv_settings(e, arg, span, &conv))
        return value_unknown;
    if (!elem_is_float(tensor_type(&x)->elem)) x = elab_cast(e, x, ELEM_f32, span);
    conv.x = tensor_type(&x);
    conv.filter = tensor_type(&filter);
    if (!conv_shapes(e, &conv, span) || !conv_groups(e, &conv, span, &o))
        return value_unknown;
    if (conv.groups > 1 && (!dim_is_const(o) || !dim_is_const(conv.filter->dim[2])))
        return value_unknown;
    Dim out[] = {conv.x->dim[0], conv.out[0], conv.out[1], conv.filter->dim[3]};
    Val val[] = {frame_use(e, &x.tensor), frame_use(e, &filter.tensor)};
    Val y = conv_emit(e, &conv, o, val, span);
    if (y == NO_VAL || conv.groups == 1) return elab_tensor(e, y);
    Builder b = elab_builder(e, span);
    return elab_tensor(e, build_reshape(&b, y, 4, out));
}
