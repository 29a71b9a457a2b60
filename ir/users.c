/* How often each value is used. */
#include "ir/graph.h"

uint32_t *graph_use_counts(const Func *func, Arena *scratch) {
    uint32_t *uses = arena_array(scratch, uint32_t, func->nodes.count);
    for (uint32_t v = 0; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        for (uint32_t i = 0; i < node->args; i++) uses[node->arg[i]]++;
    }
    for (uint32_t i = 0; i < func->results.count; i++) uses[func->results.at[i]]++;
    return uses;
}
