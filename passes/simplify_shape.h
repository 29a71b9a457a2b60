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

/* R(name, op, rule): Val shape_<rule>.  Tried in this order. */
#define SHAPE_RULES(R)                                                                   \
    /* simplify_move.c */                                                                \
    R(splat_broadcast, broadcast, splat_move)                                            \
    R(broadcast_identity, broadcast, same_type)                                          \
    R(broadcast_broadcast, broadcast, broadcast_broadcast)                               \
    R(broadcast_reshape, broadcast, broadcast_reshape)                                   \
    R(splat_reshape, reshape, splat_move)                                                \
    R(reshape_identity, reshape, same_type)                                              \
    R(reshape_reshape, reshape, reshape_reshape)                                         \
    R(splat_transpose, transpose, splat_move)                                            \
    R(transpose_identity, transpose, transpose_identity)                                 \
    R(transpose_transpose, transpose, transpose_transpose)                               \
    R(transpose_units, transpose, transpose_units)                                       \
    R(transpose_broadcast, transpose, transpose_broadcast)                               \
    R(splat_slice, slice, splat_move)                                                    \
    R(slice_all, slice, slice_all)                                                       \
    R(slice_slice, slice, slice_slice)                                                   \
    R(slice_pad, slice, slice_pad)                                                       \
    R(slice_concat, slice, slice_concat)                                                 \
    R(pad_nothing, pad, same_type)                                                       \
    R(pad_pad, pad, pad_pad)                                                             \
    R(concat_one, concat, concat_one)                                                    \
    R(cast_same, cast, same_type)                                                        \
    R(cast_cast, cast, cast_cast)                                                        \
    R(read_write, read_at, read_write)                                                   \
    R(write_read, write_at, write_read)                                                  \
    R(add_write, add, add_write)                                                         \
    R(mul_broadcasts, mul, mul_broadcasts)                                               \
    /* simplify_reduce.c */                                                              \
    R(sum_splat, sum, sum_splat)                                                         \
    R(sum_units, sum, reduce_units)                                                      \
    R(sum_sum, sum, sum_sum)                                                             \
    R(sum_centred, sum, sum_centred)                                                     \
    R(sum_broadcast, sum, sum_broadcast)                                                 \
    R(sum_scaled, sum, sum_scaled)                                                       \
    R(max_units, reduce_max, reduce_units)                                               \
    R(min_units, reduce_min, reduce_units)                                               \
    R(contract_axes, contract, contract_axes)                                            \
    R(contract_transpose, contract, contract_transpose)                                  \
    R(contract_units, contract, contract_units)                                          \
    R(contract_pad, contract, contract_pad)

#define R(name, op, rule) ShapeRule shape_##rule;
SHAPE_RULES(R)
#undef R
ShapeRule shape_lift_broadcast;

#endif
