/* Shape rules of the moves: a move of a move is one move, a move that changes nothing is
 * nothing, and elementwise ops are done before their operands are repeated. */
#include "passes/simplify_shape.h"

const ShapeRuleRow shape_rules[] = {
#define R(name, op, rule) {#name, OP_##op, shape_##rule},
    SHAPE_RULES(R)
#undef R
        {"lift_broadcast", OP_COUNT, shape_lift_broadcast},
};
const uint32_t shape_rule_count = sizeof shape_rules / sizeof *shape_rules;

Val emit_broadcast(Simplifier *s, Val x, const Type *to, const int64_t *axes) {
    const uint32_t rank = graph_type(s->b.func, x)->rank;
    const Attr attrs[] = {attr_ints(ATTR_dims, to->dim, to->rank),
                          attr_ints(ATTR_axes, axes, rank)};
    return simplify_emit(s, OP_broadcast, &x, 1, attrs, 2);
}

Val emit_reshape(Simplifier *s, Val x, const Type *to) {
    const Attr attr = attr_ints(ATTR_dims, to->dim, to->rank);
    return simplify_emit(s, OP_reshape, &x, 1, &attr, 1);
}

Val emit_scalar(Simplifier *s, Op op, Val x, Val y) {
    return simplify_emit(s, op, (Val[]){x, y}, y == NO_VAL ? 1 : 2, NULL, 0);
}

bool units_only(const Type *from, const Type *to, int64_t *place) {
    uint32_t j = 0;
    for (uint32_t i = 0; i < from->rank; i++) {
        place[i] = -1;
        while (j < to->rank && to->dim[j] == 1 && from->dim[i] != 1) j++;
        if (j < to->rank && to->dim[j] == from->dim[i])
            place[i] = j++;
        else if (from->dim[i] != 1)
            return false;
    }
    for (; j < to->rank; j++)
        if (to->dim[j] != 1) return false;
    return true;
}

/* Constants of one value stay so through any view. */
Val shape_splat_move(Simplifier *s, const Node *node) {
    double value;
    if (!value_is_splat(s->b.func, node->arg[0], &value)) return NO_VAL;
    return build_fill(&s->b, &node->type, value);
}

Val shape_same_type(Simplifier *s, const Node *node) {
    const bool same = type_equal(&node->type, graph_type(s->b.func, node->arg[0]));
    return same ? node->arg[0] : NO_VAL;
}

Val shape_broadcast_broadcast(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_broadcast) return NO_VAL;
    const int64_t *first = node_ints(&inner, ATTR_axes);
    const int64_t *second = node_ints(node, ATTR_axes);
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < graph_type(s->b.func, inner.arg[0])->rank; i++)
        axes[i] = second[first[i]];
    return emit_broadcast(s, inner.arg[0], &node->type, axes);
}

/* The reshape is dropped: broadcast places the dimensions itself. */
Val shape_broadcast_reshape(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_reshape) return NO_VAL;
    const Type from = *graph_type(s->b.func, inner.arg[0]);
    const int64_t *outer = node_ints(node, ATTR_axes);
    int64_t place[MAX_RANK], axes[MAX_RANK];
    if (!units_only(&from, &inner.type, place)) return NO_VAL;
    Type kept = {.elem = from.elem};
    for (uint32_t i = 0; i < from.rank; i++) {
        if (place[i] < 0) continue;
        axes[kept.rank] = outer[place[i]];
        kept.dim[kept.rank++] = from.dim[i];
    }
    if (type_equal(&kept, &inner.type)) return NO_VAL;
    return emit_broadcast(s, emit_reshape(s, inner.arg[0], &kept), &node->type, axes);
}

Val shape_reshape_reshape(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    return inner.op == OP_reshape ? emit_reshape(s, inner.arg[0], &node->type) : NO_VAL;
}

Val shape_transpose_identity(Simplifier *s, const Node *node) {
    const int64_t *axes = node_ints(node, ATTR_axes);
    for (uint32_t i = 0; i < node->type.rank; i++)
        if (axes[i] != i) return NO_VAL;
    return node->arg[0];
}

Val shape_transpose_transpose(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_transpose) return NO_VAL;
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < node->type.rank; i++)
        axes[i] = node_ints(&inner, ATTR_axes)[node_ints(node, ATTR_axes)[i]];
    const Attr attr = attr_ints(ATTR_axes, axes, node->type.rank);
    return simplify_emit(s, OP_transpose, &inner.arg[0], 1, &attr, 1);
}

/* Nothing moves in memory when only dimensions of extent 1 change places. */
Val shape_transpose_units(Simplifier *s, const Node *node) {
    const int64_t *axes = node_ints(node, ATTR_axes);
    int64_t last = -1;
    for (uint32_t i = 0; i < node->type.rank; i++) {
        if (node->type.dim[i] == 1) continue;
        if (axes[i] < last) return NO_VAL;
        last = axes[i];
    }
    return emit_reshape(s, node->arg[0], &node->type);
}

/* Where the operand's dimensions stay in order. */
Val shape_transpose_broadcast(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_broadcast) return NO_VAL;
    const int64_t *order = node_ints(node, ATTR_axes);
    int64_t axes[MAX_RANK], last = -1;
    for (uint32_t i = 0; i < graph_type(s->b.func, inner.arg[0])->rank; i++) {
        for (uint32_t d = 0; d < node->type.rank; d++)
            if (order[d] == node_ints(&inner, ATTR_axes)[i]) axes[i] = d;
        if (axes[i] < last) return NO_VAL;
        last = axes[i];
    }
    return emit_broadcast(s, inner.arg[0], &node->type, axes);
}

Val shape_slice_all(Simplifier *s, const Node *node) {
    for (uint32_t i = 0; i < node->type.rank; i++)
        if (node_ints(node, ATTR_strides)[i] != 1) return NO_VAL;
    return shape_same_type(s, node);
}

static Val emit_slice(Simplifier *s, Val x, const int64_t *starts, const Type *to,
                      const int64_t *strides) {
    const Attr attrs[] = {attr_ints(ATTR_dims, to->dim, to->rank),
                          attr_ints(ATTR_starts, starts, to->rank),
                          attr_ints(ATTR_strides, strides, to->rank)};
    return simplify_emit(s, OP_slice, &x, 1, attrs, 3);
}

Val shape_slice_slice(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_slice) return NO_VAL;
    int64_t starts[MAX_RANK], strides[MAX_RANK];
    for (uint32_t i = 0; i < node->type.rank; i++) {
        const int64_t step = node_ints(&inner, ATTR_strides)[i];
        starts[i] =
            node_ints(&inner, ATTR_starts)[i] + node_ints(node, ATTR_starts)[i] * step;
        strides[i] = node_ints(node, ATTR_strides)[i] * step;
    }
    return emit_slice(s, inner.arg[0], starts, &node->type, strides);
}

/* A slice of exactly what was padded. */
Val shape_slice_pad(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_pad) return NO_VAL;
    for (uint32_t i = 0; i < node->type.rank; i++)
        if (node_ints(node, ATTR_starts)[i] != node_ints(&inner, ATTR_low)[i] ||
            node_ints(node, ATTR_strides)[i] != node_ints(&inner, ATTR_inner)[i] + 1)
            return NO_VAL;
    const bool same = type_equal(&node->type, graph_type(s->b.func, inner.arg[0]));
    return same ? inner.arg[0] : NO_VAL;
}

/* A slice within one operand of the concatenation. */
Val shape_slice_concat(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_concat) return NO_VAL;
    const int64_t axis = node_int(&inner, ATTR_axis, 0);
    const int64_t stride = node_ints(node, ATTR_strides)[axis];
    const Dim count = node->type.dim[axis];
    int64_t starts[MAX_RANK];
    memcpy(starts, node_ints(node, ATTR_starts), node->type.rank * sizeof *starts);
    for (uint32_t i = 0; i < inner.args && stride > 0 && dim_is_const(count); i++) {
        const Dim extent = graph_type(s->b.func, inner.arg[i])->dim[axis];
        if (!dim_is_const(extent) || starts[axis] < 0) return NO_VAL;
        if (starts[axis] + (count - 1) * stride < extent)
            return emit_slice(s, inner.arg[i], starts, &node->type,
                              node_ints(node, ATTR_strides));
        starts[axis] -= extent;
    }
    return NO_VAL;
}

/* Zeros around and between zeros. */
Val shape_pad_pad(Simplifier *s, const Node *node) {
    const Node x = *operand(s, node, 0);
    if (x.op != OP_pad ||
        node_attr(node, ATTR_value)->reals[0] != node_attr(&x, ATTR_value)->reals[0])
        return NO_VAL;
    int64_t low[MAX_RANK], high[MAX_RANK], inner[MAX_RANK];
    for (uint32_t i = 0; i < node->type.rank; i++) {
        const int64_t step = node_ints(node, ATTR_inner)[i] + 1;
        low[i] = node_ints(node, ATTR_low)[i] + node_ints(&x, ATTR_low)[i] * step;
        high[i] = node_ints(node, ATTR_high)[i] + node_ints(&x, ATTR_high)[i] * step;
        inner[i] = (node_ints(&x, ATTR_inner)[i] + 1) * step - 1;
    }
    const Attr attrs[] = {attr_ints(ATTR_low, low, node->type.rank),
                          attr_ints(ATTR_high, high, node->type.rank),
                          attr_ints(ATTR_inner, inner, node->type.rank),
                          *node_attr(&x, ATTR_value)};
    return simplify_emit(s, OP_pad, &x.arg[0], 1, attrs, 4);
}

Val shape_concat_one(Simplifier *s, const Node *node) {
    return node->args == 1 ? node->arg[0] : NO_VAL;
}

/* Whether every number of `from` is one of `to`. */
static bool cast_is_exact(Elem from, Elem to) {
    if (from == to || from == ELEM_bool) return true;
    if (to == ELEM_f64) return true;
    return from == ELEM_u8 && (to == ELEM_i32 || to == ELEM_f32);
}

/* The inner cast lost nothing and, going on, nothing depends on its type. */
Val shape_cast_cast(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_cast) return NO_VAL;
    const Elem from = graph_type(s->b.func, inner.arg[0])->elem;
    if (!cast_is_exact(from, inner.type.elem)) return NO_VAL;
    const Attr attr = attr_int(ATTR_elem, node->type.elem);
    return simplify_emit(s, OP_cast, &inner.arg[0], 1, &attr, 1);
}

Val shape_read_write(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    return inner.op == OP_write_at && inner.arg[1] == node->arg[1] ? inner.arg[2]
                                                                   : NO_VAL;
}

Val shape_write_read(Simplifier *s, const Node *node) {
    const Node value = *operand(s, node, 2);
    const bool same = value.op == OP_read_at && value.arg[0] == node->arg[0] &&
                      value.arg[1] == node->arg[1];
    return same ? node->arg[0] : NO_VAL;
}

/* A sum with zeros but for one place touches that place only: gradients of read_at. */
Val shape_add_write(Simplifier *s, const Node *node) {
    for (uint32_t i = 0; i < 2; i++) {
        const Node write = *operand(s, node, i);
        const Val all = node->arg[1 - i];
        double value;
        if (write.op != OP_write_at || !value_is_splat(s->b.func, write.arg[0], &value) ||
            value != 0)
            continue;
        const Val old =
            simplify_emit(s, OP_read_at, (Val[]){all, write.arg[1]}, 2, NULL, 0);
        const Val sum = emit_scalar(s, OP_add, old, write.arg[2]);
        return simplify_emit(s, OP_write_at, (Val[]){all, write.arg[1], sum}, 3, NULL, 0);
    }
    return NO_VAL;
}

/* Whether the product of `a` and `b` is one of fewer elements, repeated. */
static bool meet_before_broadcast(const Simplifier *s, Val a, Val b) {
    const Func *f = s->b.func;
    const Val side[] = {a, b};
    const Attr *axes[2] = {NULL, NULL};
    for (uint32_t i = 0; i < 2; i++) {
        double value;
        if (value_is_splat(f, side[i], &value)) continue;
        if (graph_node(f, side[i])->op != OP_broadcast) return false;
        axes[i] = node_attr(graph_node(f, side[i]), ATTR_axes);
    }
    if (!axes[0] || !axes[1]) return true;
    const uint32_t wide = axes[1]->count > axes[0]->count;
    for (uint32_t i = 0; i < axes[1 - wide]->count; i++)
        if (!has_axis(axes[wide]->ints, axes[wide]->count, axes[1 - wide]->ints[i]))
            return false;
    return true;
}

/* Factors that are repeated meet before they are: x*s*t is x*(s*t). */
Val shape_mul_broadcasts(Simplifier *s, const Node *node) {
    for (uint32_t i = 0; i < 2; i++) {
        const Node inner = *operand(s, node, i);
        const Val factor = node->arg[1 - i];
        if (inner.op != OP_mul) continue;
        for (uint32_t j = 0; j < 2; j++)
            if (meet_before_broadcast(s, factor, inner.arg[j]) &&
                !meet_before_broadcast(s, factor, inner.arg[1 - j]))
                return emit_scalar(s, OP_mul, inner.arg[1 - j],
                                   emit_scalar(s, OP_mul, inner.arg[j], factor));
    }
    return NO_VAL;
}

/* The operand of highest rank among the broadcasts, when all operands are broadcasts
 * within its dimensions, or constants of one value. */
static const Node *widest_broadcast(const Simplifier *s, const Node *node) {
    const Node *widest = NULL;
    uint32_t rank = 0;
    for (uint32_t i = 0; i < node->args; i++) {
        const Node *x = operand(s, node, i);
        double value;
        if (value_is_splat(s->b.func, node->arg[i], &value)) continue;
        if (x->op != OP_broadcast) return NULL;
        const uint32_t own = node_attr(x, ATTR_axes)->count;
        if (!widest || own > rank) widest = x;
        rank = node_attr(widest, ATTR_axes)->count;
    }
    if (!widest) return NULL;
    const Attr *all = node_attr(widest, ATTR_axes);
    for (uint32_t i = 0; i < node->args; i++) {
        const Node *x = operand(s, node, i);
        const Attr *axes = x->op == OP_broadcast ? node_attr(x, ATTR_axes) : NULL;
        for (uint32_t a = 0; axes && a < axes->count; a++)
            if (!has_axis(all->ints, all->count, axes->ints[a])) return NULL;
    }
    return widest;
}

/* Operand i in the dimensions of the widest. */
static Val narrow_operand(Simplifier *s, const Node *node, uint32_t i, const Node *widest,
                          const Type *to) {
    const Node x = *operand(s, node, i);
    double value;
    Type type = *to;
    type.elem = x.type.elem;
    if (value_is_splat(s->b.func, node->arg[i], &value))
        return build_fill(&s->b, &type, value);
    const Attr *own = node_attr(&x, ATTR_axes), *all = node_attr(widest, ATTR_axes);
    int64_t axes[MAX_RANK];
    for (uint32_t a = 0; a < own->count; a++)
        for (uint32_t d = 0; d < all->count; d++)
            if (all->ints[d] == own->ints[a]) axes[a] = d;
    return emit_broadcast(s, x.arg[0], &type, axes);
}

Val shape_lift_broadcast(Simplifier *s, const Node *node) {
    const Node *found = widest_broadcast(s, node);
    if (!found) return NO_VAL;
    const Node widest = *found;
    const Type to = *graph_type(s->b.func, widest.arg[0]);
    Val arg[3];
    for (uint32_t i = 0; i < node->args; i++)
        arg[i] = narrow_operand(s, node, i, &widest, &to);
    const Val v = simplify_emit(s, node->op, arg, node->args, node->attr, node->attrs);
    return emit_broadcast(s, v, &node->type, node_ints(&widest, ATTR_axes));
}
