/* The function anew: a call for each group, in the order in which values need each other. */
#include "passes/fuse.h"

typedef struct Writer {
    Fuse *fuse;
    Func *to;
    Val *map;        /* value in `to` */
    VEC(Val) params; /* of the group being written, as values of the old function */
} Writer;

static Val write_value(Writer *w, Val v);

static void find_params(Writer *w, const Group *group, Val v, bool *seen) {
    Fuse *f = w->fuse;
    uint32_t g = (uint32_t)(group - f->groups.at);
    if (seen[v] || (op_is_fill(fuse_node(f, v)) && v != group->results.at[0])) return;
    seen[v] = true;
    if (f->fate[v] == FATE_MAIN || (f->fate[v] == FATE_STORED && f->home[v] != g)) {
        vec_push(f->scratch, &w->params, v);
        return;
    }
    const Node *node = fuse_node(f, v);
    for (uint32_t i = 0; i < node->args; i++) find_params(w, group, node->arg[i], seen);
}

static Val write_member(const Fuse *f, Func *func, Val v, Val *map) {
    if (map[v] != NO_VAL) return map[v];
    const Node *node = fuse_node(f, v);
    Val *arg = arena_array(f->scratch, Val, node->args + 1);
    for (uint32_t i = 0; i < node->args; i++)
        arg[i] = write_member(f, func, node->arg[i], map);
    return map[v] = graph_emit_like(func, node, arg);
}

static const char *group_name(const Fuse *f, const Group *group) {
    Arena *arena = f->func->module->arena;
    Val v = group->contract != NO_VAL ? group->contract : group->results.at[0];
    return arena_print(arena, "%s_%s%u", f->func->name, op_info[fuse_node(f, v)->op].name,
                       v);
}

static void write_group(Writer *w, uint32_t g) {
    Fuse *f = w->fuse;
    Group *group = &f->groups.at[g];
    Module *module = f->func->module;
    uint32_t nodes = f->func->nodes.count;
    bool *seen = arena_array(f->scratch, bool, nodes);
    Val *map = arena_array(f->scratch, Val, nodes);
    w->params.count = 0;
    for (uint32_t i = 0; i < group->results.count; i++)
        find_params(w, group, group->results.at[i], seen);
    uint32_t params = w->params.count;
    Val *outer = arena_copy(f->scratch, w->params.at, sizeof *outer * params);
    Val *arg = arena_array(f->scratch, Val, params + 1);
    for (uint32_t i = 0; i < params; i++) arg[i] = write_value(w, outer[i]);
    Func *func = body_new(module, group_name(f, group));
    func->kind = FUNC_GROUP;
    for (Val v = 0; v < nodes; v++) map[v] = NO_VAL;
    for (uint32_t i = 0; i < params; i++)
        map[outer[i]] = func_param(func, arena_print(module->arena, "a%u", i), ROLE_INPUT,
                                   *graph_type(f->func, outer[i]), (Span){0});
    for (uint32_t i = 0; i < group->results.count; i++)
        func_result(func, arena_print(module->arena, "r%u", i), ROLE_OUTPUT,
                    write_member(f, func, group->results.at[i], map), -1);
    Attr body = attr_func(ATTR_body, func);
    group->func = func;
    group->call = graph_emit(w->to, OP_call, arg, params, &body, 1,
                             fuse_node(f, group->results.at[0])->span);
}

static Val write_value(Writer *w, Val v) {
    Fuse *f = w->fuse;
    if (w->map[v] != NO_VAL) return w->map[v];
    const Node *node = fuse_node(f, v);
    if (f->fate[v] == FATE_MAIN) {
        Val *arg = arena_array(f->scratch, Val, node->args + 1);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = write_value(w, node->arg[i]);
        return w->map[v] = graph_emit_like(w->to, node, arg);
    }
    Group *group = &f->groups.at[f->home[v]];
    if (!group->func) write_group(w, f->home[v]);
    group = &f->groups.at[f->home[v]];
    int64_t index = 0;
    while (group->results.at[index] != v) index++;
    Attr attr = attr_int(ATTR_index, index);
    return w->map[v] = graph_emit(w->to, OP_get, &group->call, 1, &attr, 1, node->span);
}

void fuse_write(Fuse *f) {
    Rewrite rewrite = rewrite_begin((Func *)f->func, f->scratch);
    Writer w = {.fuse = f, .to = rewrite.to, .map = rewrite.map};
    for (Val v = 0; v < f->func->nodes.count; v++)
        if (f->fate[v] == FATE_MAIN || f->fate[v] == FATE_STORED) write_value(&w, v);
    rewrite_finish(&rewrite);
}
