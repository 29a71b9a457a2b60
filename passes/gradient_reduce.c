/* Gradients of reductions: repeated over the axes that went; for an extremum only to the
 * first element that reached it. */
#include "passes/gradient.h"

/* `reduced` spread over the shape of `like`; `axes`, count: those it lacks. */
static Val spread(Sweep *s, Val reduced, const Type *like, const Attr *axes) {
    int64_t kept[MAX_RANK];
    uint32_t count = 0;
    for (uint32_t d = 0; d < like->rank; d++) {
        bool gone = false;
        for (uint32_t i = 0; i < axes->count; i++) gone |= axes->ints[i] == d;
        if (!gone) kept[count++] = d;
    }
    return build_broadcast(&s->b, reduced, like, kept);
}

void grad_sum(Sweep *s, Val v, const Node *node, Val g) {
    const Type x = *graph_type(s->b.func, node->arg[0]);
    sweep_add(s, node->arg[0], spread(s, g, &x, node_attr(node, ATTR_axes)));
}

/* i32 of the shape of `like`: the row-major number over `axes`, as argmax counts. */
static Val number_over(Sweep *s, const Type *like, const Attr *axes) {
    const Type type = type_tensor(ELEM_i32, like->rank, like->dim);
    Val sum = NO_VAL;
    int64_t scale = 1;
    for (uint32_t i = axes->count; i-- > 0;) {
        const Attr attrs[] = {attr_int(ATTR_axis, axes->ints[i]),
                              attr_int(ATTR_elem, ELEM_i32),
                              attr_ints(ATTR_dims, like->dim, like->rank)};
        Val term = build_op(&s->b, OP_iota, NULL, 0, attrs, 3);
        if (scale != 1)
            term = build_mul(&s->b, term, build_fill(&s->b, &type, (double)scale));
        sum = sum == NO_VAL ? term : build_add(&s->b, term, sum);
        const Dim extent = like->dim[axes->ints[i]];
        if (i && !dim_is_const(extent))
            bug(s->b.func->module->arena, "gradient of an extremum over open dimensions");
        scale *= extent;
    }
    return sum;
}

void grad_extremum(Sweep *s, Val v, const Node *node, Val g) {
    const Type x = *graph_type(s->b.func, node->arg[0]);
    const Attr *axes = node_attr(node, ATTR_axes);
    if (!axes->count) {
        sweep_add(s, node->arg[0], g);
        return;
    }
    Val key = node->arg[0];
    if (node->op == OP_reduce_min) key = build_neg(&s->b, key, NO_VAL);
    const Val place = build_reduce(&s->b, OP_argmax, key, axes->ints, axes->count);
    const Val number = number_over(s, &x, axes);
    const Val chosen = build_eq(&s->b, spread(s, place, &x, axes), number);
    const Val all = spread(s, g, &x, axes);
    sweep_add(s, node->arg[0], build_select(&s->b, chosen, all, build_zeros(&s->b, &x)));
}
