/*
 * attack: puts attacks in their place.
 *
 * Before   body @region(%x: f32[8], %w: f32[8]) -> (out) { ... }
 *          %2 = attack %x, %w {body = @region}
 *          %3 = get %2 {index = 0}
 * After    %2 = stop %x
 *          %3 = stop %w
 *          ...                  the nodes of @region, reading %2 and %3
 *          %9 = stop %8
 *
 * Method   callees first.  What a region reads from outside is frozen: an outer gradient
 *          finds no way into the attack, and none out of its result, so that nothing of it
 *          is taped and no parameter gets a gradient there.  The mode of the nets inside was
 *          settled when the region was elaborated.
 * Needs    nothing.
 * Leaves   stage FLAT.  What the region computes although it does not depend on the round of
 *          its loops, or as the program around it does, is for hoist and cse.
 */
#include "passes/body.h"
#include "passes/pass.h"

typedef struct Flatten {
    Arena *scratch;
    VEC(Func *) done;
} Flatten;

static Val frozen(Func *to, Val v, Span span) {
    if (!elem_is_float(graph_type(to, v)->elem)) return v;
    return graph_emit(to, OP_stop, &v, 1, NULL, 0, span);
}

/* The results of the region, computed in the function around it. */
static Val *put_region(Arena *scratch, Rewrite *rewrite, const Node *node) {
    const Func *body = body_of(node);
    Func *to = rewrite->to;
    Val *map = arena_array(scratch, Val, body->nodes.count);
    for (uint32_t i = 0; i < node->args; i++)
        map[i] = frozen(to, rewrite->map[node->arg[i]], node->span);
    for (Val v = body->params.count; v < body->nodes.count; v++) {
        const Node *inner = graph_node(body, v);
        Val *arg = arena_array(scratch, Val, inner->args);
        for (uint32_t i = 0; i < inner->args; i++) arg[i] = map[inner->arg[i]];
        map[v] = graph_emit_like(to, inner, arg);
    }
    Val *result = arena_array(scratch, Val, body->results.count);
    for (uint32_t i = 0; i < body->results.count; i++)
        result[i] = frozen(to, map[body->results.at[i]], node->span);
    return result;
}

static void flatten_func(Flatten *f, Func *func) {
    for (uint32_t i = 0; i < f->done.count; i++)
        if (f->done.at[i] == func) return;
    vec_push(f->scratch, &f->done, func);
    for (Val v = 0; v < func->nodes.count; v++) {
        Func *body = body_of(graph_node(func, v));
        if (body) flatten_func(f, body);
    }
    Rewrite rewrite = rewrite_begin(func, f->scratch);
    Val **parts = arena_array(f->scratch, Val *, func->nodes.count);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        if (node->op == OP_attack)
            parts[v] = put_region(f->scratch, &rewrite, node);
        else if (node->op == OP_get && parts[node->arg[0]])
            rewrite.map[v] = parts[node->arg[0]][node_int(node, ATTR_index, 0)];
        else
            rewrite_copy(&rewrite, v);
    }
    rewrite_finish(&rewrite);
}

bool pass_attack(PassContext *cx, Module *module) {
    Flatten f = {.scratch = cx->scratch};
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (module->funcs.at[i]->kind == FUNC_ENTRY)
            flatten_func(&f, module->funcs.at[i]);
    body_collect(module, cx->scratch);
    return true;
}
