/* Builders: graph_emit with the attributes of each op spelled out. */
#include "ir/build.h"

/* A refused node is a bug of the pass that built it; the Diag's last message says why. */
Val build_op(Builder *b, Op op, const Val *arg, uint32_t args, const Attr *attr,
             uint32_t attrs) {
    Module *module = b->func->module;
    uint32_t before = module->diag->messages.count;
    Val value = graph_emit(b->func, op, arg, args, attr, attrs, b->span);
    if (value != NO_VAL) return value;
    const Diag *diag = module->diag;
    bug(module->arena, "in @%s: %s", b->func->name,
        diag->messages.count > before ? diag->messages.at[diag->messages.count - 1].text
                                      : op_info[op].name);
}

#define SCALAR(name, ...)                                                                \
    Val build_##name(Builder *b, Val x, Val y) {                                         \
        return build_scalar(b, OP_##name, x, y);                                         \
    }
#include "ir/scalar.def"
#undef SCALAR

Val build_scalar(Builder *b, Op op, Val x, Val y) {
    return build_op(b, op, (Val[]){x, y}, y == NO_VAL ? 1 : 2, NULL, 0);
}

Val build_const(Builder *b, Elem elem, double value) {
    Type type = type_scalar(elem);
    return build_fill(b, &type, value);
}

Val build_fill(Builder *b, const Type *like, double value) {
    Attr attr[] = {attr_int(ATTR_elem, like->elem),
                   attr_ints(ATTR_dims, like->dim, like->rank),
                   attr_reals(ATTR_values, &value, 1)};
    return build_op(b, OP_const, NULL, 0, attr, 3);
}

Val build_select(Builder *b, Val condition, Val x, Val y) {
    return build_op(b, OP_select, (Val[]){condition, x, y}, 3, NULL, 0);
}

Val build_cast(Builder *b, Val x, Elem elem) {
    if (graph_type(b->func, x)->elem == elem) return x;
    Attr attr = attr_int(ATTR_elem, elem);
    return build_op(b, OP_cast, &x, 1, &attr, 1);
}

Val build_broadcast(Builder *b, Val x, const Type *to, const int64_t *axes) {
    uint32_t rank = graph_type(b->func, x)->rank;
    Attr attr[] = {attr_ints(ATTR_dims, to->dim, to->rank),
                   attr_ints(ATTR_axes, axes, rank)};
    return build_op(b, OP_broadcast, &x, 1, attr, 2);
}

Val build_splat(Builder *b, Val scalar, const Type *to) {
    return to->rank ? build_broadcast(b, scalar, to, NULL) : scalar;
}

Val build_reshape(Builder *b, Val x, uint32_t rank, const Dim *dim) {
    Attr attr = attr_ints(ATTR_dims, dim, rank);
    return build_op(b, OP_reshape, &x, 1, &attr, 1);
}

Val build_transpose(Builder *b, Val x, const int64_t *axes) {
    Attr attr = attr_ints(ATTR_axes, axes, graph_type(b->func, x)->rank);
    return build_op(b, OP_transpose, &x, 1, &attr, 1);
}

Val build_slice(Builder *b, Val x, const int64_t *starts, const Dim *dims,
                const int64_t *strides) {
    uint32_t rank = graph_type(b->func, x)->rank;
    Attr attr[] = {attr_ints(ATTR_starts, starts, rank), attr_ints(ATTR_dims, dims, rank),
                   attr_ints(ATTR_strides, strides, rank)};
    return build_op(b, OP_slice, &x, 1, attr, 3);
}

Val build_pad(Builder *b, Val x, const int64_t *low, const int64_t *high,
              const int64_t *inner, double value) {
    uint32_t rank = graph_type(b->func, x)->rank;
    Attr attr[] = {attr_ints(ATTR_low, low, rank), attr_ints(ATTR_high, high, rank),
                   attr_ints(ATTR_inner, inner, rank), attr_reals(ATTR_value, &value, 1)};
    return build_op(b, OP_pad, &x, 1, attr, 4);
}

Val build_concat(Builder *b, const Val *x, uint32_t count, int64_t axis) {
    Attr attr = attr_int(ATTR_axis, axis);
    return build_op(b, OP_concat, x, count, &attr, 1);
}

/* Over no axes a sum, a maximum or a minimum is its operand. */
Val build_reduce(Builder *b, Op op, Val x, const int64_t *axes, uint32_t count) {
    if (!count && op != OP_argmax) return x;
    Attr attr = attr_ints(ATTR_axes, axes, count);
    return build_op(b, op, &x, 1, &attr, 1);
}

Val build_contract(Builder *b, Val x, Val y, uint32_t axes, const Dim *dims,
                   const AffineMap *a_map, const AffineMap *b_map,
                   const AffineMap *out_map) {
    Attr attr[] = {attr_ints(ATTR_dims, dims, axes), attr_map(ATTR_a, a_map),
                   attr_map(ATTR_b, b_map), attr_map(ATTR_out, out_map)};
    return build_op(b, OP_contract, (Val[]){x, y}, 2, attr, 4);
}

Val build_get(Builder *b, Val tuple, int64_t index) {
    Attr attr = attr_int(ATTR_index, index);
    return build_op(b, OP_get, &tuple, 1, &attr, 1);
}
