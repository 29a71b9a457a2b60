/* Gradients of ops whose places depend on data.  A place that gather reads because it clamped
 * its index gets no gradient: such an index is a mistake in the data. */
#include "passes/gradient.h"

void grad_gather(Sweep *s, Val v, const Node *node, Val g) {
    const Attr *axis = node_attr(node, ATTR_axis), *batch = node_attr(node, ATTR_batch);
    const Dim extent = graph_type(s->b.func, node->arg[0])->dim[axis->i];
    const Val arg[] = {node->arg[1], g};
    const Attr attrs[] = {*axis, *batch, attr_ints(ATTR_dims, &extent, 1)};
    sweep_add(s, node->arg[0], build_op(&s->b, OP_scatter_add, arg, 2, attrs, 3));
}

/* `x` where the index, whose dimensions stand in x from `at` on behind the shared ones, is
 * within [0, extent); zero elsewhere. */
static Val where_inside(Sweep *s, Val x, Val index, int64_t batch, int64_t at,
                        Dim extent) {
    const Type type = *graph_type(s->b.func, x), own = *graph_type(s->b.func, index);
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < own.rank; i++) axes[i] = i < batch ? i : at + i - batch;
    const Val low = build_ge(&s->b, index, build_zeros(&s->b, &own));
    const Val high = build_lt(&s->b, index, build_fill(&s->b, &own, (double)extent));
    const Val inside = build_broadcast(&s->b, build_and(&s->b, low, high), &type, axes);
    return build_select(&s->b, inside, x, build_zeros(&s->b, &type));
}

/* What was added nowhere gets nothing. */
void grad_scatter_add(Sweep *s, Val v, const Node *node, Val g) {
    const Attr *axis = node_attr(node, ATTR_axis), *batch = node_attr(node, ATTR_batch);
    const Dim extent = node_attr(node, ATTR_dims)->ints[0];
    const Val arg[] = {g, node->arg[0]};
    const Attr attrs[] = {*axis, *batch};
    Val taken = build_op(&s->b, OP_gather, arg, 2, attrs, 2);
    if (dim_is_const(extent))
        taken = where_inside(s, taken, node->arg[0], batch->i, axis->i, extent);
    sweep_add(s, node->arg[1], taken);
}

void grad_read_at(Sweep *s, Val v, const Node *node, Val g) {
    const Type stack = *graph_type(s->b.func, node->arg[0]);
    const Val arg[] = {build_zeros(&s->b, &stack), node->arg[1], g};
    sweep_add(s, node->arg[0], build_op(&s->b, OP_write_at, arg, 3, NULL, 0));
}

void grad_write_at(Sweep *s, Val v, const Node *node, Val g) {
    if (sweep_wants(s, node->arg[0])) {
        const Type value = *graph_type(s->b.func, node->arg[2]);
        const Val arg[] = {g, node->arg[1], build_zeros(&s->b, &value)};
        sweep_add(s, node->arg[0], build_op(&s->b, OP_write_at, arg, 3, NULL, 0));
    }
    if (sweep_wants(s, node->arg[2])) {
        const Val arg[] = {g, node->arg[1]};
        sweep_add(s, node->arg[2], build_op(&s->b, OP_read_at, arg, 2, NULL, 0));
    }
}
