/* Gradients of ops whose places depend on data.  Indices are taken to be within their
 * extents: an index that gather would clamp gets no gradient. */
#include "passes/gradient.h"

void grad_gather(Sweep *s, Val v, const Node *node, Val g) {
    const Attr *axis = node_attr(node, ATTR_axis), *batch = node_attr(node, ATTR_batch);
    const Dim extent = graph_type(s->b.func, node->arg[0])->dim[axis->i];
    const Val arg[] = {node->arg[1], g};
    const Attr attrs[] = {*axis, batch ? *batch : attr_int(ATTR_batch, 0),
                          attr_ints(ATTR_dims, &extent, 1)};
    sweep_add(s, node->arg[0], build_op(&s->b, OP_scatter_add, arg, 2, attrs, 3));
}

void grad_scatter_add(Sweep *s, Val v, const Node *node, Val g) {
    const Attr *axis = node_attr(node, ATTR_axis), *batch = node_attr(node, ATTR_batch);
    const Val arg[] = {g, node->arg[0]};
    const Attr attrs[] = {*axis, batch ? *batch : attr_int(ATTR_batch, 0)};
    sweep_add(s, node->arg[1], build_op(&s->b, OP_gather, arg, 2, attrs, 2));
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
