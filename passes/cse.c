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
#include "ir/scalar.h"
#include "passes/body.h"
#include "passes/pass.h"

static bool node_equal(const Node *a, const Node *b) {
    if (a->op != b->op || a->args != b->args || a->attrs != b->attrs) return false;
    for (uint32_t i = 0; i < a->attrs; i++)
        if (!attr_equal(&a->attr[i], &b->attr[i])) return false;
    if (!a->args || !memcmp(a->arg, b->arg, a->args * sizeof(Val))) return true;
    return op_commutes(a->op) && a->arg[0] == b->arg[1] && a->arg[1] == b->arg[0];
}

static uint64_t node_hash(const Node *node) {
    uint64_t hash = node->op * 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < node->args; i++) {
        uint64_t term = (node->arg[i] + 1) * 0xd6e8feb86659fd93u;
        hash = op_commutes(node->op) ? hash + term : (hash ^ term) * 0xff51afd7ed558ccdu;
    }
    for (uint32_t i = 0; i < node->attrs; i++)
        hash = (hash ^ attr_hash(&node->attr[i])) * 0xff51afd7ed558ccdu;
    return hash ^ hash >> 32;
}

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

/* The place of node `v` in the table: an equal one or NO_VAL. */
static Val *slot_of(const Func *func, Val *table, uint32_t mask, Val v) {
    const Node *node = graph_node(func, v);
    uint32_t at = (uint32_t)node_hash(node) & mask;
    while (table[at] != NO_VAL && !node_equal(graph_node(func, table[at]), node))
        at = (at + 1) & mask;
    return &table[at];
}

static void cse_func(Cse *cse, Func *func) {
    uint32_t mask = 63;
    while (mask < 2 * func->nodes.count) mask = 2 * mask + 1;
    Val *table = arena_array(cse->scratch, Val, mask + 1);
    memset(table, 0xff, (mask + 1) * sizeof *table); /* NO_VAL */
    Rewrite rewrite = rewrite_begin(func, cse->scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        Val copy = copy_node(cse, &rewrite, v);
        Val *slot = slot_of(rewrite.to, table, mask, copy);
        if (*slot == NO_VAL)
            *slot = copy;
        else
            rewrite.to->nodes.count = copy; /* taken back: nothing refers to it yet */
        rewrite.map[v] = *slot;
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
