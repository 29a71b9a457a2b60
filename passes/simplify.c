/*
 * simplify: applies the algebraic rules, folds constants, composes moves.
 *
 * Before   %1 = const {elem = f32, dims = [8], values = [2]}
 *          %2 = pow %x, %1
 *          %3 = broadcast %2 {dims = [4, 8], axes = [1]}
 *          %4 = sum %3 {axes = [0]}
 * After    %5 = mul %x, %x
 *          %6 = const {elem = f32, dims = [8], values = [4]}
 *          %7 = mul %5, %6
 *
 * Method   values are emitted again in order; each is simplified when it is emitted, its
 *          operands being simple already, and so is what a rule emits.  The rules are
 *          tables: scalar_rules over values, shape_rules over attributes.
 * Needs    nothing.
 * Leaves   no value that a rule matches, and none unused but carries of a repeat.
 */
#include "passes/simplify.h"
#include "ir/scalar.h"
#include "passes/body.h"
#include "passes/pass.h"

bool value_is_splat(const Func *func, Val v, double *value) {
    const Node *node = graph_node(func, v);
    if (node->op != OP_const) return false;
    const Attr *values = node_attr(node, ATTR_values);
    *value = values->reals[0];
    return values->count == 1;
}

/* Constants larger than this stay as the ops that make them. */
#define FOLD_LIMIT 4096

static double fold_element(const Func *f, const Node *node, uint32_t i) {
    double x[3] = {0};
    for (uint32_t a = 0; a < node->args; a++) {
        const Attr *values = node_attr(graph_node(f, node->arg[a]), ATTR_values);
        x[a] = values->reals[values->count == 1 ? 0 : i];
    }
    if (node->op == OP_select) return x[0] ? x[1] : x[2];
    if (node->op == OP_cast) return scalar_cast(node->type.elem, x[0]);
    return scalar_value(node->op, graph_type(f, node->arg[0])->elem, x[0], x[1]);
}

/* An elementwise op of constants. */
static Val fold(Simplifier *s, const Node *node) {
    const Func *f = s->b.func;
    uint32_t count = 1;
    if (op_info[node->op].class != CLASS_ELEMWISE || node->op == OP_copy ||
        node->op == OP_stop)
        return NO_VAL;
    for (uint32_t a = 0; a < node->args; a++) {
        if (graph_node(f, node->arg[a])->op != OP_const) return NO_VAL;
        const Attr *values = node_attr(graph_node(f, node->arg[a]), ATTR_values);
        if (values->count > count) count = values->count;
    }
    if (count > FOLD_LIMIT) return NO_VAL;
    double *value = arena_array(s->scratch, double, count);
    for (uint32_t i = 0; i < count; i++) value[i] = fold_element(f, node, i);
    const Attr attrs[] = {attr_int(ATTR_elem, node->type.elem),
                          attr_ints(ATTR_dims, node->type.dim, node->type.rank),
                          attr_reals(ATTR_values, value, count)};
    return build_op(&s->b, OP_const, NULL, 0, attrs, 3);
}

static Val apply_shape_rules(Simplifier *s, const Node *node) {
    const bool elementwise = op_info[node->op].class == CLASS_ELEMWISE;
    for (uint32_t i = 0; i < shape_rule_count; i++) {
        const Op op = shape_rules[i].op;
        if (op != node->op && !(op == OP_COUNT && elementwise)) continue;
        const Val v = shape_rules[i].apply(s, node);
        if (v != NO_VAL) return v;
    }
    return NO_VAL;
}

static Val simpler_value(Simplifier *s, Val v) {
    const Node node = *graph_node(s->b.func, v);
    Val simpler = fold(s, &node);
    if (simpler == NO_VAL && op_info[node.op].class == CLASS_ELEMWISE)
        simpler = scalar_rules_apply(s, v);
    if (simpler == NO_VAL) simpler = apply_shape_rules(s, &node);
    return simpler == NO_VAL ? v : simpler;
}

/* Equal values are one here already: the rules ask whether operands are the same. */
Val simplify_emit(Simplifier *s, Op op, const Val *arg, uint32_t args, const Attr *attr,
                  uint32_t attrs) {
    const Val v = build_op(&s->b, op, arg, args, attr, attrs);
    const ValueEntry known = *value_table_find(&s->table, v);
    if (known.node != v) {
        s->b.func->nodes.count = v;
        return known.value;
    }
    const Val simpler = simpler_value(s, v);
    value_table_find(&s->table, v)->value = simpler;
    return simpler;
}

static void simplify_func(Simplifier *s, Func *func) {
    Rewrite rewrite = rewrite_begin(func, s->scratch);
    s->b.func = rewrite.to;
    value_table_init(&s->table, rewrite.to, s->scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        Val *arg = arena_array(s->scratch, Val, node->args);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = rewrite.map[node->arg[i]];
        s->b.span = node->span;
        rewrite.map[v] =
            simplify_emit(s, node->op, arg, node->args, node->attr, node->attrs);
    }
    rewrite_finish(&rewrite);
    func_compact(func, s->scratch); /* every rule leaves the value it replaced */
}

bool pass_simplify(PassContext *cx, Module *module) {
    Simplifier s = {.scratch = cx->scratch};
    scalar_rules_parse(&s);
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (module->funcs.at[i]->kind != FUNC_GROUP)
            simplify_func(&s, module->funcs.at[i]);
    return true;
}
