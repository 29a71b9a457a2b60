/* Gradients of the moves: each is the transpose of its linear map. */
#include "passes/gradient.h"

static const int64_t *ints(const Node *node, AttrKey key) {
    return node_attr(node, key)->ints;
}

/* The operand's dimensions in the order in which they stand in the result. */
void grad_broadcast(Sweep *s, Val v, const Node *node, Val g) {
    const Type x = *graph_type(s->b.func, node->arg[0]);
    const int64_t *axes = ints(node, ATTR_axes);
    int64_t gone[MAX_RANK], place[MAX_RANK];
    uint32_t count = 0;
    for (uint32_t d = 0; d < node->type.rank; d++) {
        bool kept = false;
        for (uint32_t i = 0; i < x.rank; i++) kept |= axes[i] == d;
        if (!kept) gone[count++] = d;
    }
    bool ordered = true;
    for (uint32_t i = 0; i < x.rank; i++) {
        place[i] = 0;
        for (uint32_t j = 0; j < x.rank; j++) place[i] += axes[j] < axes[i];
        ordered &= place[i] == i;
    }
    if (count) g = build_reduce(&s->b, OP_sum, g, gone, count);
    sweep_add(s, node->arg[0], ordered ? g : build_transpose(&s->b, g, place));
}

void grad_reshape(Sweep *s, Val v, const Node *node, Val g) {
    const Type x = *graph_type(s->b.func, node->arg[0]);
    sweep_add(s, node->arg[0], build_reshape(&s->b, g, x.rank, x.dim));
}

void grad_transpose(Sweep *s, Val v, const Node *node, Val g) {
    const int64_t *axes = ints(node, ATTR_axes);
    int64_t back[MAX_RANK];
    for (uint32_t i = 0; i < node->type.rank; i++) back[axes[i]] = i;
    sweep_add(s, node->arg[0], build_transpose(&s->b, g, back));
}

/* a - b where the difference is known. */
static int64_t difference(Sweep *s, Dim a, Dim b) {
    const Dim d = dim_sub(&s->b.func->module->dims, a, b);
    if (!dim_is_const(d))
        bug(s->b.func->module->arena, "gradient of a slice with an open dimension");
    return d;
}

/* What a slice leaves out becomes zeros: around, and between elements for a stride. */
void grad_slice(Sweep *s, Val v, const Node *node, Val g) {
    const Type x = *graph_type(s->b.func, node->arg[0]);
    const int64_t *starts = ints(node, ATTR_starts), *strides = ints(node, ATTR_strides);
    int64_t low[MAX_RANK], high[MAX_RANK], inner[MAX_RANK], first[MAX_RANK],
        back[MAX_RANK];
    bool reversed = false;
    for (uint32_t i = 0; i < x.rank; i++) {
        const int64_t step = strides[i] < 0 ? -strides[i] : strides[i];
        back[i] = strides[i] < 0 ? -1 : 1;
        reversed |= strides[i] < 0;
        inner[i] = step - 1;
        first[i] = 0;
        low[i] = starts[i];
        if (strides[i] == 1) {
            high[i] = difference(s, x.dim[i], node->type.dim[i]) - starts[i];
            continue;
        }
        const int64_t reach = (node->type.dim[i] - 1) * step;
        if (strides[i] < 0) {
            first[i] = node->type.dim[i] - 1;
            low[i] -= reach;
        }
        high[i] = x.dim[i] - low[i] - reach - 1;
    }
    if (reversed) g = build_slice(&s->b, g, first, node->type.dim, back);
    sweep_add(s, node->arg[0], build_pad(&s->b, g, low, high, inner, 0));
}

void grad_pad(Sweep *s, Val v, const Node *node, Val g) {
    const Type x = *graph_type(s->b.func, node->arg[0]);
    const int64_t *inner = ints(node, ATTR_inner);
    int64_t strides[MAX_RANK];
    for (uint32_t i = 0; i < x.rank; i++) strides[i] = inner[i] + 1;
    sweep_add(s, node->arg[0],
              build_slice(&s->b, g, ints(node, ATTR_low), x.dim, strides));
}

/* g in `parts` equal parts along the axis: they are places of an axis before it. */
static Val apart(Sweep *s, Val g, const Type *part, uint32_t axis, uint32_t parts) {
    Type to = *part;
    memmove(to.dim + axis + 1, part->dim + axis, (part->rank - axis) * sizeof(Dim));
    to.dim[axis] = parts;
    return build_reshape(&s->b, g, part->rank + 1, to.dim);
}

/* Where extents are open, so are the places where parts begin. */
static void grad_concat_open(Sweep *s, const Node *node, uint32_t axis, Val g) {
    const Type part = *graph_type(s->b.func, node->arg[0]);
    int64_t starts[MAX_RANK] = {0}, strides[MAX_RANK];
    for (uint32_t i = 0; i < node->args; i++)
        if (part.rank == MAX_RANK ||
            !type_same_shape(&part, graph_type(s->b.func, node->arg[i]))) {
            diag_error(s->b.func->module->diag, node->span,
                       "no gradient through a concatenation along an open dimension, "
                       "but of equal parts");
            return;
        }
    const Val all = apart(s, g, &part, axis, node->args);
    Type one = *graph_type(s->b.func, all);
    one.dim[axis] = 1;
    for (uint32_t i = 0; i < MAX_RANK; i++) strides[i] = 1;
    for (uint32_t i = 0; i < node->args; i++) {
        starts[axis] = i;
        if (!sweep_wants(s, node->arg[i])) continue;
        const Val mine = build_slice(&s->b, all, starts, one.dim, strides);
        sweep_add(s, node->arg[i], build_reshape(&s->b, mine, part.rank, part.dim));
    }
}

void grad_concat(Sweep *s, Val v, const Node *node, Val g) {
    const uint32_t axis = (uint32_t)node_int(node, ATTR_axis, 0);
    int64_t starts[MAX_RANK] = {0}, strides[MAX_RANK];
    if (!dim_is_const(node->type.dim[axis])) {
        grad_concat_open(s, node, axis, g);
        return;
    }
    for (uint32_t i = 0; i < MAX_RANK; i++) strides[i] = 1;
    for (uint32_t i = 0; i < node->args; i++) {
        const Type x = *graph_type(s->b.func, node->arg[i]);
        if (sweep_wants(s, node->arg[i]))
            sweep_add(s, node->arg[i], build_slice(&s->b, g, starts, x.dim, strides));
        starts[axis] += x.dim[axis];
    }
}

/* windows <-> fold: fold lacks the sizes, which are the last dimensions of its operand,
 * and windows the extents, which are those of its. */
void grad_windows(Sweep *s, Val v, const Node *node, Val g) {
    const Type x = *graph_type(s->b.func, node->arg[0]);
    const Attr *axes = node_attr(node, ATTR_axes);
    Dim dims[MAX_RANK];
    for (uint32_t i = 0; i < axes->count; i++) dims[i] = x.dim[axes->ints[i]];
    const Attr attrs[] = {attr_ints(ATTR_dims, dims, axes->count), *axes,
                          *node_attr(node, ATTR_strides),
                          *node_attr(node, ATTR_dilations)};
    sweep_add(s, node->arg[0], build_op(&s->b, OP_fold, &g, 1, attrs, 4));
}

void grad_fold(Sweep *s, Val v, const Node *node, Val g) {
    const Type x = *graph_type(s->b.func, node->arg[0]);
    const Attr *axes = node_attr(node, ATTR_axes);
    const Attr attrs[] = {
        *axes, *node_attr(node, ATTR_strides), *node_attr(node, ATTR_dilations),
        attr_ints(ATTR_size, &x.dim[x.rank - axes->count], axes->count)};
    sweep_add(s, node->arg[0], build_op(&s->b, OP_windows, &g, 1, attrs, 4));
}
