/* How often each value is used; what it is computed from. */
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

static bool depends(const Func *func, Val v, Val on, bool *seen) {
    if (v == on) return true;
    if (v < on || seen[v]) return false;
    seen[v] = true;
    const Node *node = graph_node(func, v);
    for (uint32_t i = 0; i < node->args; i++)
        if (depends(func, node->arg[i], on, seen)) return true;
    return false;
}

bool graph_depends(const Func *func, Val v, Val on, Arena *scratch) {
    if (v < on) return false;
    return depends(func, v, on, arena_array(scratch, bool, v + 1));
}
