/* What the files of shape rules share: simplified builders and the rules' names. */
#ifndef TN_PASSES_SIMPLIFY_SHAPE_H
#define TN_PASSES_SIMPLIFY_SHAPE_H

#include "passes/simplify.h"

Val emit_broadcast(Simplifier *s, Val x, const Type *to, const int64_t *axes);
Val emit_reshape(Simplifier *s, Val x, const Type *to);
Val emit_scalar(Simplifier *s, Op op, Val x, Val y); /* y == NO_VAL: unary */

static inline const Node *operand(const Simplifier *s, const Node *node, uint32_t i) {
    return graph_node(s->b.func, node->arg[i]);
}
static inline const int64_t *node_ints(const Node *node, AttrKey key) {
    return node_attr(node, key)->ints;
}
static inline bool has_axis(const int64_t *axes, uint32_t count, int64_t axis) {
    for (uint32_t i = 0; i < count; i++)
        if (axes[i] == axis) return true;
    return false;
}

/*
 * Where a reshape only adds or drops dimensions of extent 1: place[i] is the dimension of
 * `to` that dimension i of `from` became, -1 for one dropped.
 */
bool units_only(const Type *from, const Type *to, int64_t *place);

/* SHAPE_RULE(name, op): Val shape_<name>.  Tried in this order. */
#define SHAPE_RULES(R)                                                                   \
    /* simplify_move.c */                                                                \
    R(splat_broadcast, broadcast)                                                        \
    R(broadcast_identity, broadcast)                                                     \
    R(broadcast_broadcast, broadcast)                                                    \
    R(broadcast_reshape, broadcast)                                                      \
    R(splat_reshape, reshape)                                                            \
    R(reshape_identity, reshape)                                                         \
    R(reshape_reshape, reshape)                                                          \
    R(splat_transpose, transpose)                                                        \
    R(transpose_identity, transpose)                                                     \
    R(transpose_transpose, transpose)                                                    \
    R(transpose_units, transpose)                                                        \
    R(transpose_broadcast, transpose)                                                    \
    R(splat_slice, slice)                                                                \
    R(slice_all, slice)                                                                  \
    R(slice_slice, slice)                                                                \
    R(slice_pad, slice)                                                                  \
    R(slice_concat, slice)                                                               \
    R(pad_nothing, pad)                                                                  \
    R(pad_pad, pad)                                                                      \
    R(concat_one, concat)                                                                \
    R(cast_same, cast)                                                                   \
    R(cast_cast, cast)                                                                   \
    R(read_write, read_at)                                                               \
    R(write_read, write_at)                                                              \
    R(add_write, add)                                                                    \
    R(mul_broadcasts, mul)                                                               \
    /* simplify_reduce.c */                                                              \
    R(sum_splat, sum)                                                                    \
    R(sum_units, sum)                                                                    \
    R(sum_sum, sum)                                                                      \
    R(sum_centred, sum)                                                                  \
    R(sum_broadcast, sum)                                                                \
    R(sum_scaled, sum)                                                                   \
    R(max_units, reduce_max)                                                             \
    R(min_units, reduce_min)                                                             \
    R(contract_axes, contract)                                                           \
    R(contract_transpose, contract)                                                      \
    R(contract_units, contract)                                                          \
    R(contract_pad, contract)

#define R(name, op) ShapeRule shape_##name;
SHAPE_RULES(R)
#undef R
ShapeRule shape_lift_broadcast;

#endif
