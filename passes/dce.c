/*
 * dce: drops every value that no result needs, and of a repeat the carries and invariants
 * that only feed themselves.
 *
 * Before   %3 = repeat %x, %y, %w {count = 4, carries = 2, body = @body}
 *          %4 = get %3 {index = 0}            the result; @body uses neither %y nor %w
 * for it After    %2 = repeat %x {count = 4, carries = 1, body = @body} %3 = get %2
 * {index = 0}
 *
 * Method   liveness backwards from the results; for a repeat the smallest set of carries
 *          that holds those asked for and those that the body reads to compute them.
 * Needs    nothing; any op may be dropped, for all are pure.
 * Leaves   every node of every function used; parameters of entries stay, used or not.
 */
#include "passes/body.h"
#include "passes/pass.h"

/* What of a function is needed. */
typedef struct Live {
    bool *node;          /* [nodes] */
    bool **part;         /* [nodes] of a live tuple: which parts */
    struct Live **inner; /* [nodes] of a live repeat: its body */
} Live;

static bool *parts_of(Arena *a, Live *live, const Func *f, Val v) {
    if (!live->part[v]) live->part[v] = arena_array(a, bool, graph_type(f, v)->parts);
    return live->part[v];
}

static void mark(Arena *a, Live *live, const Func *f, Val v) {
    live->node[v] = true;
    const uint32_t parts = graph_type(f, v)->parts;
    if (parts) memset(parts_of(a, live, f, v), true, parts);
}

static Live *live_func(Arena *a, const Func *f, const bool *wanted);

static void live_repeat(Arena *a, Live *live, const Func *f, Val v) {
    const Node *node = graph_node(f, v);
    const Func *body = body_of(node);
    const int64_t carries = node_int(node, ATTR_carries, 0);
    bool *part = parts_of(a, live, f, v);
    if (node_attr(node, ATTR_while)) part[node_int(node, ATTR_while, 0)] = true;
    for (bool grown = true; grown;) {
        live->inner[v] = live_func(a, body, part);
        grown = false;
        for (int64_t k = 0; k < carries; k++)
            if (live->inner[v]->node[1 + k] && !part[k]) part[k] = grown = true;
    }
    for (uint32_t i = 0; i < node->args; i++)
        if (i < carries ? part[i] : live->inner[v]->node[1 + i])
            mark(a, live, f, node->arg[i]);
}

static void live_node(Arena *a, Live *live, const Func *f, Val v) {
    const Node *node = graph_node(f, v);
    if (node->op == OP_get) {
        live->node[node->arg[0]] = true;
        parts_of(a, live, f, node->arg[0])[node_int(node, ATTR_index, 0)] = true;
    } else if (node->op == OP_repeat) {
        live_repeat(a, live, f, v);
    } else {
        for (uint32_t i = 0; i < node->args; i++) mark(a, live, f, node->arg[i]);
    }
}

/* `wanted`: which results; NULL: all. */
static Live *live_func(Arena *a, const Func *f, const bool *wanted) {
    Live *live = arena_new(a, Live);
    live->node = arena_array(a, bool, f->nodes.count);
    live->part = arena_array(a, bool *, f->nodes.count);
    live->inner = arena_array(a, Live *, f->nodes.count);
    for (uint32_t i = 0; i < f->results.count; i++)
        if (!wanted || wanted[i]) mark(a, live, f, f->results.at[i]);
    for (Val v = f->nodes.count; v-- > 0;)
        if (live->node[v]) live_node(a, live, f, v);
    return live;
}

static void copy_live(Arena *a, const Func *from, Func *to, const Live *live, Val *map);

/* The body with the live carries and invariants only. */
static Func *shrink_body(Arena *a, const Func *body, const Live *live, const bool *part) {
    Func *to = body_new(body->module, body->name);
    Val *map = arena_array(a, Val, body->nodes.count);
    for (uint32_t i = 0; i < body->params.count; i++) {
        const Port *port = &body->params.at[i];
        const bool carry = i > 0 && i <= body->results.count;
        if (i == 0 || (carry ? part[i - 1] : live->node[i]))
            map[i] = func_param(to, port->name, port->role, port->type, port->span);
    }
    copy_live(a, body, to, live, map);
    for (uint32_t i = 0; i < body->results.count; i++)
        if (part[i])
            func_result(to, body->outputs.at[i].name, body->outputs.at[i].role,
                        map[body->results.at[i]], -1);
    return to;
}

static Val copy_repeat(Arena *a, const Func *from, Func *to, const Live *live, Val v,
                       const Val *map) {
    const Node *node = graph_node(from, v);
    const int64_t carries = node_int(node, ATTR_carries, 0);
    const Live *inner = live->inner[v];
    Func *body = shrink_body(a, body_of(node), inner, live->part[v]);
    Val *arg = arena_array(a, Val, node->args);
    uint32_t args = 0;
    for (uint32_t i = 0; i < node->args; i++)
        if (i < carries ? live->part[v][i] : inner->node[1 + i])
            arg[args++] = map[node->arg[i]];
    int64_t going = node_int(node, ATTR_while, -1), place = 0;
    for (int64_t i = 0; i < going; i++) place += live->part[v][i];
    return body_repeat(to, body, node_int(node, ATTR_count, 0), going < 0 ? -1 : place,
                       body->results.count, arg, args, node->span);
}

static Val copy_get(const Func *from, Func *to, const Live *live, const Node *node,
                    const Val *map) {
    const Val tuple = node->arg[0];
    int64_t index = node_int(node, ATTR_index, 0), rank = 0;
    for (int64_t i = 0; i < index; i++) rank += live->part[tuple][i];
    if (graph_node(from, tuple)->op != OP_repeat) rank = index;
    const Attr attr = attr_int(ATTR_index, rank);
    return graph_emit(to, OP_get, &map[tuple], 1, &attr, 1, node->span);
}

static void copy_live(Arena *a, const Func *from, Func *to, const Live *live, Val *map) {
    for (Val v = from->params.count; v < from->nodes.count; v++) {
        if (!live->node[v]) continue;
        const Node *node = graph_node(from, v);
        if (node->op == OP_repeat) {
            map[v] = copy_repeat(a, from, to, live, v, map);
        } else if (node->op == OP_get) {
            map[v] = copy_get(from, to, live, node, map);
        } else {
            Val *arg = arena_array(a, Val, node->args);
            for (uint32_t i = 0; i < node->args; i++) arg[i] = map[node->arg[i]];
            map[v] = graph_emit_like(to, node, arg);
        }
    }
}

bool pass_dce(PassContext *cx, Module *module) {
    Arena *a = cx->scratch;
    for (uint32_t i = 0; i < module->funcs.count; i++) {
        Func *func = module->funcs.at[i];
        if (func->kind != FUNC_ENTRY) continue;
        const Live *live = live_func(a, func, NULL);
        Rewrite rewrite = rewrite_begin(func, a);
        copy_live(a, func, rewrite.to, live, rewrite.map);
        rewrite_finish(&rewrite);
    }
    body_collect(module, a);
    return true;
}
