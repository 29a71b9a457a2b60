/*
 * Reductions to few elements from many: each task reduces a piece of the range to a part of
 * every element, then a second kernel joins the parts in order and goes on with whatever
 * follows.  Pieces depend on shapes only, so results do not depend on the number of threads.
 */
#include "passes/nest.h"

static bool is_alike(const Func *group, Val u, Val v) {
    const Node *x = graph_node(group, u), *y = graph_node(group, v);
    return (x->op == OP_sum || x->op == OP_reduce_max || x->op == OP_reduce_min) &&
           type_same_shape(graph_type(group, x->arg[0]), graph_type(group, y->arg[0])) &&
           attr_equal(node_attr(x, ATTR_axes), node_attr(y, ATTR_axes));
}

/* The reductions that can be done in the same pass. */
static Partial find_alike(const Func *group, Val heavy, Arena *scratch) {
    Partial partial = {.count = 1, .v = {heavy}};
    for (Val v = 0; v < group->nodes.count && partial.count < MAX_PARTIAL; v++) {
        bool fits = v != heavy && is_alike(group, v, heavy);
        for (uint32_t i = 0; i < partial.count && fits; i++)
            fits = !graph_depends(group, v, partial.v[i], scratch) &&
                   !graph_depends(group, partial.v[i], v, scratch);
        if (fits) partial.v[partial.count++] = v;
    }
    return partial;
}

void lower_reduce(Draft *draft, Val heavy) {
    const Func *group = draft->group;
    Dims *dims = &group->module->dims;
    Partial partial = find_alike(group, heavy, draft->arena);
    NestResult result[MAX_PARTIAL];
    for (uint32_t i = 0; i < partial.count; i++) {
        partial.temp[i] = draft_temp(draft, 0);
        result[i] = (NestResult){partial.v[i], {OPERAND_TEMP, partial.temp[i]}};
    }
    nest_lower(&(Nest){.draft = draft,
                       .suffix = "parts",
                       .results = partial.count,
                       .result = result,
                       .partial = &partial});
    int64_t parts = (dim_max(dims, partial.extent) + partial.piece - 1) / partial.piece;
    for (uint32_t i = 0; i < partial.count; i++) {
        const Type *type = graph_type(group, partial.v[i]);
        int64_t bytes =
            parts * dim_max(dims, type_count(dims, type)) * elem_bytes(type->elem);
        draft->temps.at[partial.temp[i]] = (bytes + 63) / 64 * 64;
    }
    lower_nest(draft, &partial);
}
