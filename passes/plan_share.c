/* Whether a result of a group may take the memory of a parameter. */
#include "passes/planner.h"

/* Marks what is read elsewhere than at the element at hand.  `state`: 0 not seen, 1 at the
 * element, 2 elsewhere. */
static void visit(const Func *group, Val v, uint8_t how, uint8_t *state) {
    if (state[v] >= how) return;
    state[v] = how;
    const Node *node = graph_node(group, v);
    Dims *dims = &group->module->dims;
    for (uint32_t i = 0; i < node->args; i++) {
        bool along = op_info[node->op].class == CLASS_ELEMWISE || node->op == OP_reshape;
        if (node->op == OP_broadcast)
            along = type_count(dims, &node->type) ==
                    type_count(dims, graph_type(group, node->arg[i]));
        visit(group, node->arg[i], along ? how : 2, state);
    }
}

bool group_shares(const Func *group, uint32_t param, uint32_t result, Arena *scratch) {
    Dims *dims = &group->module->dims;
    const Type *from = &group->params.at[param].type;
    const Type *to = graph_type(group, group->results.at[result]);
    if (elem_bytes(from->elem) != elem_bytes(to->elem) ||
        type_count(dims, from) != type_count(dims, to))
        return false;
    uint8_t *state = arena_array(scratch, uint8_t, group->nodes.count);
    bool in_time =
        false; /* read at the latest for this result; a later one finds the value */
    for (uint32_t i = 0; i < group->results.count; i++) {
        const Type *other = graph_type(group, group->results.at[i]);
        bool beside = type_count(dims, other) == type_count(dims, to);
        visit(group, group->results.at[i], beside ? 1 : 2, state);
        if (i == result) in_time = state[param] != 0;
    }
    return !state[param] || (state[param] == 1 && in_time);
}
