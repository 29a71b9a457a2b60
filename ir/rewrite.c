/*
 * Writing a function anew: `to` starts with the parameters of `from`, a pass re-emits
 * what it keeps, and rewrite_finish hands the new nodes to `from`, so that whoever points
 * at the function (an attribute, the module) sees the new body.
 */
#include "ir/graph.h"

Rewrite rewrite_begin(Func *func, Arena *scratch) {
    Func *to = arena_new(func->module->arena, Func);
    *to = (Func){.module = func->module, .name = func->name, .kind = func->kind};
    Rewrite rewrite = {func, to, arena_array(scratch, Val, func->nodes.count)};
    for (uint32_t v = 0; v < func->nodes.count; v++) rewrite.map[v] = NO_VAL;
    for (uint32_t i = 0; i < func->params.count; i++) {
        const Port *port = &func->params.at[i];
        rewrite.map[i] = func_param(to, port->name, port->role, port->type, port->span);
    }
    return rewrite;
}

Val rewrite_copy(Rewrite *rewrite, Val value) {
    if (rewrite->map[value] != NO_VAL) return rewrite->map[value];
    Arena *arena = rewrite->to->module->arena;
    const Node *node = graph_node(rewrite->from, value);
    Val few[16], *arg = node->args > 16 ? arena_array(arena, Val, node->args) : few;
    for (uint32_t i = 0; i < node->args; i++) {
        arg[i] = rewrite->map[node->arg[i]];
        if (arg[i] == NO_VAL)
            bug(arena, "%s %%%u is copied before its operand %%%u",
                op_info[node->op].name, value, node->arg[i]);
    }
    return rewrite->map[value] = graph_emit_like(rewrite->to, node, arg);
}

/* Results that the pass added to `to` come after those of `from`. */
void rewrite_finish(Rewrite *rewrite) {
    Func *from = rewrite->from, *to = rewrite->to;
    Arena *arena = from->module->arena;
    for (uint32_t i = 0; i < from->results.count; i++) {
        Val value = rewrite->map[from->results.at[i]];
        if (value == NO_VAL)
            bug(arena, "result %u of @%s was not rewritten", i, from->name);
        from->results.at[i] = value;
        from->outputs.at[i].type = *graph_type(to, value);
    }
    for (uint32_t i = 0; i < to->results.count; i++) {
        vec_push(arena, &from->results, to->results.at[i]);
        vec_push(arena, &from->outputs, to->outputs.at[i]);
    }
    from->nesting = to->nesting;
    /* Field by field: each VEC is a type of its own. */
    from->nodes.at = to->nodes.at;
    from->nodes.count = to->nodes.count;
    from->nodes.capacity = to->nodes.capacity;
    from->params.at = to->params.at;
    from->params.count = to->params.count;
    from->params.capacity = to->params.capacity;
}
