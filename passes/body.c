/* Bodies: the functions that `repeat` runs (body.h). */
#include "passes/body.h"

Func *body_of(const Node *node) {
    const Attr *attr = node_attr(node, ATTR_body);
    return attr ? attr->func : NULL;
}

Func *body_new(Module *module, const char *name) {
    Func *func = arena_new(module->arena, Func);
    func->module = module;
    func->name = name;
    func->kind = FUNC_BODY;
    return func;
}

Val body_repeat(Func *func, Func *body, int64_t count, int64_t going, uint32_t carries,
                const Val *arg, uint32_t args, Span span) {
    Attr attrs[4] = {attr_int(ATTR_count, count), attr_int(ATTR_carries, carries),
                     attr_func(ATTR_body, body)};
    if (going >= 0) attrs[3] = attr_int(ATTR_while, going);
    return graph_emit(func, OP_repeat, arg, args, attrs, going < 0 ? 3 : 4, span);
}

const bool *func_live(const Func *func, Arena *scratch) {
    bool *live = arena_array(scratch, bool, func->nodes.count);
    for (uint32_t i = 0; i < func->results.count; i++) live[func->results.at[i]] = true;
    for (Val v = func->nodes.count; v-- > 0;)
        for (uint32_t i = 0; live[v] && i < graph_node(func, v)->args; i++)
            live[graph_node(func, v)->arg[i]] = true;
    return live;
}

void func_compact(Func *func, Arena *scratch) {
    const bool *live = func_live(func, scratch);
    Rewrite rewrite = rewrite_begin(func, scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++)
        if (live[v]) rewrite_copy(&rewrite, v);
    rewrite_finish(&rewrite);
}

typedef VEC(Func *) FuncList;

static bool list_has(const FuncList *list, const Func *func) {
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i] == func) return true;
    return false;
}

static bool name_taken(const FuncList *list, const char *name) {
    for (uint32_t i = 0; i < list->count; i++)
        if (!strcmp(list->at[i]->name, name)) return true;
    return false;
}

static void collect(FuncList *list, Func *func, Arena *scratch) {
    if (list_has(list, func)) return;
    for (uint32_t v = 0; v < func->nodes.count; v++) {
        Func *body = body_of(&func->nodes.at[v]);
        if (body) collect(list, body, scratch);
    }
    vec_push(scratch, list, func);
}

void body_collect(Module *module, Arena *scratch) {
    FuncList list = {0}, named = {0};
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (module->funcs.at[i]->kind == FUNC_ENTRY) {
            collect(&list, module->funcs.at[i], scratch);
            vec_push(scratch, &named, module->funcs.at[i]);
        }
    module->funcs.count = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        Func *func = list.at[i];
        vec_push(module->arena, &module->funcs, func);
        if (func->kind == FUNC_ENTRY) continue;
        const char *base = func->name;
        for (int n = 2; name_taken(&named, func->name); n++)
            func->name = arena_print(module->arena, "%s_%d", base, n);
        vec_push(scratch, &named, func);
    }
}
