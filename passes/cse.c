/*
 * cse: merges values that are computed alike.
 *
 * Before   %2 = exp %x          After   %2 = exp %x
 *          %3 = exp %x                  %3 = add %2, %2
 *          %4 = add %2, %3
 *
 * Method   one hash table a function over (op, operands, attributes); definitions come
 *          before uses, so one walk sees operands merged already.  The operands of a
 *          commutative op are compared in the order of their numbers.  Two repeats are
 *          alike when their bodies are, node by node.
 * Needs    pure ops: a random number is a function of its seed, site and step operands.
 * Leaves   no two nodes of a function alike; the first of equals stays.  What became
 *          unused stays for dce.
 */
#include "passes/body.h"
#include "passes/pass.h"
#include "passes/value_table.h"

static bool func_equal(const Func *a, const Func *b) {
    if (a->nodes.count != b->nodes.count || a->params.count != b->params.count ||
        a->results.count != b->results.count)
        return false;
    for (uint32_t i = 0; i < a->params.count; i++)
        if (!type_equal(&a->params.at[i].type, &b->params.at[i].type)) return false;
    for (Val v = a->params.count; v < a->nodes.count; v++)
        if (!node_equal(graph_node(a, v), graph_node(b, v))) return false;
    return !a->results.count ||
           !memcmp(a->results.at, b->results.at, a->results.count * sizeof(Val));
}

typedef struct Cse {
    Arena *scratch;
    VEC(Func *) done; /* bodies walked already */
    VEC(Func *) same; /* for each the first body equal to it */
} Cse;

static void cse_func(Cse *cse, Func *func);

static Func *cse_body(Cse *cse, Func *body) {
    for (uint32_t i = 0; i < cse->done.count; i++)
        if (cse->done.at[i] == body) return cse->same.at[i];
    cse_func(cse, body);
    Func *same = body;
    for (uint32_t i = 0; i < cse->done.count && same == body; i++)
        if (func_equal(cse->same.at[i], body)) same = cse->same.at[i];
    vec_push(cse->scratch, &cse->done, body);
    vec_push(cse->scratch, &cse->same, same);
    return same;
}

static Val copy_node(Cse *cse, Rewrite *rewrite, Val v) {
    const Node *node = graph_node(rewrite->from, v);
    Func *body = body_of(node);
    if (!body) return rewrite_copy(rewrite, v);
    Func *same = cse_body(cse, body);
    Attr *attr = arena_copy(cse->scratch, node->attr, node->attrs * sizeof(Attr));
    for (uint32_t i = 0; i < node->attrs; i++)
        if (attr[i].key == ATTR_body) attr[i].func = same;
    Val *arg = arena_array(cse->scratch, Val, node->args);
    for (uint32_t i = 0; i < node->args; i++) arg[i] = rewrite->map[node->arg[i]];
    return rewrite->map[v] = graph_emit(rewrite->to, node->op, arg, node->args, attr,
                                        node->attrs, node->span);
}

static void cse_func(Cse *cse, Func *func) {
    Rewrite rewrite = rewrite_begin(func, cse->scratch);
    ValueTable table;
    value_table_init(&table, rewrite.to, cse->scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        const Val copy = copy_node(cse, &rewrite, v);
        rewrite.map[v] = value_table_find(&table, copy)->value;
        /* Taken back, nothing refers to it yet. */
        if (rewrite.map[v] != copy) rewrite.to->nodes.count = copy;
    }
    rewrite_finish(&rewrite);
}

bool pass_cse(PassContext *cx, Module *module) {
    Cse cse = {.scratch = cx->scratch};
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (module->funcs.at[i]->kind == FUNC_ENTRY) cse_func(&cse, module->funcs.at[i]);
    body_collect(module, cx->scratch);
    return true;
}
