/* The order of a function's nodes: as written, but an update of a state parameter waits for
 * those who still read the old value, so that it can be done in place. */
#include "passes/planner.h"

typedef struct Order {
    const Func *func;
    Arena *scratch;
    VEC(Val) list;
    uint8_t *state; /* [nodes] 1: under way, 2: listed */
    VEC(Val) under_way;
} Order;

static Val origin(const Func *func, Val v) {
    const Node *node = graph_node(func, v);
    while (node->op == OP_reshape || node->op == OP_get) {
        v = node->arg[0];
        node = graph_node(func, v);
    }
    return v;
}

static void list_node(Order *o, Val v);

/* Nothing that `u` needs waits for it already. */
static bool is_free(Order *o, Val u) {
    for (uint32_t i = 0; i < o->under_way.count; i++) 
        if (graph_depends(o->func, u, o->under_way.at[i], o->scratch)) return false;

    return true;
}

static void list_readers(Order *o, Val param) {
    for (Val u = 0; u < o->func->nodes.count; u++) {
        const Node *node = graph_node(o->func, u);
        bool reads = false;
        for (uint32_t i = 0; i < node->args; i++)
            reads |= origin(o->func, node->arg[i]) == param;
        if (reads && !o->state[u] && is_free(o, u)) list_node(o, u);
    }
}

static void list_node(Order *o, Val v) {
    const Func *func = o->func;
    if (o->state[v]) return;
    o->state[v] = 1;
    const Node *node = graph_node(func, v);
    for (uint32_t i = 0; i < node->args; i++) list_node(o, node->arg[i]);
    vec_push(o->scratch, &o->under_way, v);
    for (uint32_t i = 0; i < func->results.count; i++) {
        int32_t alias = func->outputs.at[i].alias;
        if (alias >= 0 && origin(func, func->results.at[i]) == v && v != (Val)alias)
            list_readers(o, (Val)alias);
    }
    o->under_way.count--;
    vec_push(o->scratch, &o->list, v);
    o->state[v] = 2;
}

const Val *order_nodes(const Func *func, Arena *scratch, uint32_t *count) {
    Order o = {.func = func, .scratch = scratch};
    o.state = arena_array(scratch, uint8_t, func->nodes.count);
    for (Val v = 0; v < func->nodes.count; v++) list_node(&o, v);
    *count = o.list.count;
    return o.list.at;
}
