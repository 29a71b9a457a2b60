/*
 * The order of a function's nodes.  Operands come first, and whoever reads a state parameter
 * before whoever replaces it, so that the update can be done in place.  Of the nodes that
 * may run next, the one after which least memory is alive; else as written.
 */
#include "passes/planner.h"

typedef struct Edges {
    VEC(Val) to;
} Edges;

typedef struct Order {
    const Func *func;
    Arena *scratch;
    Edges *after;     /* [nodes] that wait for the node */
    uint32_t *before; /* [nodes] how many it still waits for */
    uint32_t *users;  /* [nodes] yet to run, of a value that calls or repeats make */
    bool *done;
} Order;

/* The value whose memory `v` is. */
static Val root_of(const Func *func, Val v) {
    while (graph_node(func, v)->op == OP_reshape) v = graph_node(func, v)->arg[0];
    return v;
}

static Val maker_of(const Func *func, Val v) {
    v = root_of(func, v);
    const Node *node = graph_node(func, v);
    return node->op == OP_get ? node->arg[0] : v;
}

static void add_edge(Order *o, Val from, Val to) {
    vec_push(o->scratch, &o->after[from].to, to);
    o->before[to]++;
}

static bool leads_to(const Order *o, Val from, Val to, bool *seen) {
    if (from == to) return true;
    if (seen[from]) return false;
    seen[from] = true;
    for (uint32_t i = 0; i < o->after[from].to.count; i++)
        if (leads_to(o, o->after[from].to.at[i], to, seen)) return true;
    return false;
}

static bool reads(const Func *func, Val node, Val param) {
    const Node *n = graph_node(func, node);
    for (uint32_t i = 0; i < n->args; i++)
        if (n->op != OP_reshape && root_of(func, n->arg[i]) == param) return true;
    return false;
}

/* Readers of a parameter before its replacement, where that closes no cycle. */
static void add_readers(Order *o, Val param, Val writer) {
    const Func *func = o->func;
    for (Val u = 0; u < func->nodes.count; u++) {
        if (u == writer || !reads(func, u, param)) continue;
        bool *seen = arena_array(o->scratch, bool, func->nodes.count);
        if (!leads_to(o, writer, u, seen)) add_edge(o, u, writer);
    }
}

static void find_edges(Order *o) {
    const Func *func = o->func;
    for (Val v = 0; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        for (uint32_t i = 0; i < node->args; i++) {
            add_edge(o, node->arg[i], v);
            if (node->op != OP_reshape && node->op != OP_get)
                o->users[root_of(func, node->arg[i])]++;
        }
    }
    for (uint32_t i = 0; i < func->results.count; i++) {
        o->users[root_of(func, func->results.at[i])]++;
        int32_t alias = func->outputs.at[i].alias;
        Val writer = maker_of(func, func->results.at[i]);
        if (alias >= 0 && writer != (Val)alias) add_readers(o, (Val)alias, writer);
    }
}

static int64_t bytes_of(const Func *func, Val v) {
    const Type *type = graph_type(func, v);
    Dims *dims = &func->module->dims;
    return dim_max(dims, type_count(dims, type)) * elem_bytes(type->elem);
}

static bool is_replacement(const Func *func, Val v) {
    for (uint32_t i = 0; i < func->results.count; i++)
        if (func->outputs.at[i].alias >= 0 && root_of(func, func->results.at[i]) == v)
            return true;
    return false;
}

/* Bytes more that are alive after the node. */
static int64_t growth(const Order *o, Val v) {
    const Func *func = o->func;
    const Node *node = graph_node(func, v);
    if (node->op != OP_call && node->op != OP_repeat) return INT64_MIN;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < node->args; i++) {
        Val root = root_of(func, node->arg[i]);
        uint32_t own = 0;
        bool first = true;
        for (uint32_t j = 0; j < node->args; j++) {
            bool same = root_of(func, node->arg[j]) == root;
            own += same;
            if (same && j < i) first = false;
        }
        if (first && graph_node(func, root)->op == OP_get && o->users[root] == own)
            bytes -= bytes_of(func, root);
    }
    for (uint32_t i = 0; i < o->after[v].to.count; i++) {
        Val get = o->after[v].to.at[i];
        if (graph_node(func, get)->op == OP_get && !is_replacement(func, get))
            bytes += bytes_of(func, get);
    }
    return bytes;
}

static void run(Order *o, Val v) {
    const Node *node = graph_node(o->func, v);
    o->done[v] = true;
    for (uint32_t i = 0; i < o->after[v].to.count; i++) o->before[o->after[v].to.at[i]]--;
    if (node->op == OP_reshape || node->op == OP_get) return;
    for (uint32_t i = 0; i < node->args; i++) o->users[root_of(o->func, node->arg[i])]--;
}

const Val *order_nodes(const Func *func, Arena *scratch, uint32_t *count) {
    uint32_t nodes = func->nodes.count;
    Order o = {.func = func,
               .scratch = scratch,
               .after = arena_array(scratch, Edges, nodes),
               .before = arena_array(scratch, uint32_t, nodes),
               .users = arena_array(scratch, uint32_t, nodes),
               .done = arena_array(scratch, bool, nodes)};
    find_edges(&o);
    Val *list = arena_array(scratch, Val, nodes + 1);
    for (*count = 0; *count < nodes; ++*count) {
        Val best = NO_VAL;
        int64_t least = INT64_MAX;
        for (Val v = 0; v < nodes && least > INT64_MIN; v++) {
            if (o.done[v] || o.before[v]) continue;
            int64_t bytes = growth(&o, v);
            if (best != NO_VAL && bytes >= least) continue;
            best = v;
            least = bytes;
        }
        if (best == NO_VAL) bug(scratch, "the nodes of @%s wait in a circle", func->name);
        list[*count] = best;
        run(&o, best);
    }
    return list;
}
