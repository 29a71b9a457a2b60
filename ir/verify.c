/* The verifier: structure, types and stage of a module.  What it finds is a mistake of a
 * pass, or of a text. */
#include "ir/names.h"
#include "ir/type_rules.h"

typedef struct Verify {
    Arena *scratch;
    const Module *module;
    const char *wrong; /* the first thing found */
} Verify;

static bool wrong(Verify *v, const char *words) {
    if (!v->wrong) v->wrong = words;
    return false;
}

/* Outside of groups, from STAGE_GROUPS on; a reshape is the same memory by another name. */
static bool holds_groups(Op op) {
    return op == OP_param || op == OP_const || op == OP_call || op == OP_get ||
           op == OP_repeat || op == OP_reshape;
}

static bool check_stage(Verify *v, const Func *func, const Node *node) {
    const char *name = op_info[node->op].name;
    Stage stage = v->module->stage;
    if (op_info[node->op].until < stage)
        return wrong(v, arena_print(v->scratch, "@%s: %s at stage %s", func->name, name,
                                    stage_words[stage]));
    if (func->kind == FUNC_GROUP && op_info[node->op].class == CLASS_CONTROL)
        return wrong(v,
                     arena_print(v->scratch, "@%s: %s within a group", func->name, name));
    if (stage >= STAGE_GROUPS && func->kind != FUNC_GROUP && !holds_groups(node->op))
        return wrong(v,
                     arena_print(v->scratch, "@%s: %s outside of any group at stage %s",
                                 func->name, name, stage_words[stage]));
    return true;
}

static bool check_shape(Verify *v, const Func *func, Val value) {
    const Node *node = graph_node(func, value);
    bool is_param = value < func->params.count;
    if ((node->op == OP_param) != is_param)
        return wrong(v, arena_print(v->scratch, "@%s: %%%u is %sa parameter", func->name,
                                    value, is_param ? "not " : ""));
    if (is_param && (node_int(node, ATTR_index, -1) != value ||
                     !type_equal(&node->type, &func->params.at[value].type)))
        return wrong(v, arena_print(v->scratch, "@%s: parameter %u differs from its port",
                                    func->name, value));
    for (uint32_t i = 0; i < node->args; i++)
        if (node->arg[i] >= value)
            return wrong(v,
                         arena_print(v->scratch, "@%s: %%%u uses %%%u before it exists",
                                     func->name, value, node->arg[i]));
    for (uint32_t i = 1; i < node->attrs; i++)
        if (node->attr[i].key <= node->attr[i - 1].key)
            return wrong(v,
                         arena_print(v->scratch, "@%s: attributes of %%%u are unsorted",
                                     func->name, value));
    return true;
}

/* The rule again; what it reports is taken back from the Diag, this is no user's mistake. */
static bool check_type(Verify *v, const Func *func, Val value) {
    const Node *node = graph_node(func, value);
    Diag *diag = v->module->diag;
    uint32_t messages = diag->messages.count, errors = diag->errors;
    Type type = {0};
    if (node->op == OP_param) return true;
    bool typed = node_type(func, node, &type);
    if (typed && type_equal(&type, &node->type)) return true;
    wrong(v, arena_print(v->scratch, "@%s: %%%u: %s", func->name, value,
                         typed ? "its type is not what its rule gives"
                               : diag->messages.at[diag->messages.count - 1].text));
    diag->messages.count = messages;
    diag->errors = errors;
    return false;
}

static bool check_results(Verify *v, const Func *func) {
    if (func->results.count != func->outputs.count)
        return wrong(v, arena_print(v->scratch, "@%s: %u results, %u ports", func->name,
                                    func->results.count, func->outputs.count));
    bool *taken = arena_array(v->scratch, bool, func->params.count);
    for (uint32_t i = 0; i < func->results.count; i++) {
        int32_t alias = func->outputs.at[i].alias;
        if (func->results.at[i] >= func->nodes.count ||
            graph_type(func, func->results.at[i])->parts)
            return wrong(
                v, arena_print(v->scratch, "@%s: result %u is no tensor", func->name, i));
        if (alias < 0) continue;
        if ((uint32_t)alias >= func->params.count || taken[alias] ||
            !type_equal(graph_type(func, func->results.at[i]),
                        &func->params.at[alias].type))
            return wrong(v, arena_print(v->scratch,
                                        "@%s: result %u cannot replace parameter %d",
                                        func->name, i, alias));
        taken[alias] = true;
    }
    return true;
}

static bool check_func(Verify *v, const Func *func) {
    if (func->module != v->module)
        return wrong(v, arena_print(v->scratch, "@%s is of another module", func->name));
    if (func->params.count > func->nodes.count)
        return wrong(v, arena_print(v->scratch, "@%s lacks parameters", func->name));
    for (Val value = 0; value < func->nodes.count; value++)
        if (!check_shape(v, func, value) ||
            !check_stage(v, func, graph_node(func, value)) || !check_type(v, func, value))
            return false;
    return check_results(v, func);
}

const char *graph_verify(const Module *module, Arena *scratch) {
    Verify v = {.scratch = scratch, .module = module};
    FuncSet set = {.arena = scratch};
    func_set_fill(&set, module);
    for (uint32_t i = 0; i < set.list.count; i++)
        if (!check_func(&v, set.list.at[i])) break;
    return v.wrong;
}
