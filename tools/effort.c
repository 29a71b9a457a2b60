/* How much an entry computes and moves at least, by the groups that it calls. */
#include "tools/bench.h"
#include <string.h>

static double elements(Dims *dims, const Type *type) {
    return (double)dim_max(dims, type_count(dims, type));
}

static double bytes(Dims *dims, const Type *type) {
    return elements(dims, type) * elem_bytes(type->elem);
}

/* Two for each product of a contraction, one for each element of other arithmetic. */
double node_flop(const Func *group, const Node *node) {
    Dims *dims = &group->module->dims;
    double products = 2;
    switch ((int)op_info[node->op].class) {
    case CLASS_ELEMWISE: return elements(dims, &node->type);
    case CLASS_REDUCE: return elements(dims, graph_type(group, node->arg[0]));
    case CLASS_CONTRACT: break;
    default: return 0;
    }
    const Attr *extents = node_attr(node, ATTR_dims);
    for (uint32_t i = 0; i < extents->count; i++)
        products *= (double)dim_max(dims, extents->ints[i]);
    return products;
}

/* Every operand is read once, every result written once. */
static Effort group_effort(const Func *group) {
    Dims *dims = &group->module->dims;
    Effort effort = {0};
    for (Val v = 0; v < group->nodes.count; v++) {
        const Node *node = graph_node(group, v);
        effort.flop += node_flop(group, node);
        if (node->op == OP_param) effort.bytes += bytes(dims, &node->type);
    }
    for (uint32_t i = 0; i < group->results.count; i++)
        effort.bytes += bytes(dims, graph_type(group, group->results.at[i]));
    return effort;
}

Effort step_effort(const Module *module, const PlanStep *step) {
    const Func *group = step->label ? module_find(module, step->label) : NULL;
    return group && group->kind == FUNC_GROUP ? group_effort(group) : (Effort){0};
}

/* A group's kernels follow one another: they count once. */
static Effort steps_effort(const Module *module, const PlanStep *step, uint32_t steps) {
    Effort all = {0};
    const char *label = NULL;
    for (uint32_t i = 0; i < steps; i++) {
        bool repeat = step[i].kind == STEP_REPEAT;
        bool again = label && step[i].label && !strcmp(label, step[i].label);
        label = step[i].label;
        if (again || step[i].kind == STEP_COPY) continue;
        Effort one = repeat ? steps_effort(module, step[i].step, step[i].steps)
                            : step_effort(module, &step[i]);
        double times = repeat ? (double)step[i].count : 1;
        all.flop += times * one.flop;
        all.bytes += times * one.bytes;
    }
    return all;
}

Effort plan_effort(const Module *module, const Plan *plan) {
    return steps_effort(module, plan->step, plan->steps);
}
