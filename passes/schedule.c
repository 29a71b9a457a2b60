/*
 * schedule: choose how each group is lowered.
 *
 *   Before   groups
 *   After    groups with a strategy: nest, partial or contract
 *
 * Shapes decide, never the number of threads.  Tiles of contractions follow from their
 * shapes and the target in lower_contract*.c; loops of nests from what values are asked for.
 *
 * Needs: GROUPS.  Leaves: READY.
 * Not done: timing alternatives.
 */
#include "passes/schedule.h"
#include "passes/pass.h"

/* Elements from which on a reduction is shared among tasks. */
#define MUCH 65536

static int64_t size_of(const Func *group, Val v) {
    Dims *dims = &group->module->dims;
    return dim_max(dims, type_count(dims, graph_type(group, v)));
}

/* Much to read for so few results that they alone make too few tasks. */
static bool is_partial(const Func *group, Val v) {
    const Node *node = graph_node(group, v);
    if (node->op != OP_sum && node->op != OP_reduce_max && node->op != OP_reduce_min)
        return false;
    int64_t size = size_of(group, v), from = size_of(group, node->arg[0]), root = 0;
    for (uint32_t i = 0; i < group->results.count; i++) {
        int64_t own = size_of(group, group->results.at[i]);
        if (own > root) root = own;
    }
    const Attr *axes = node_attr(node, ATTR_axes);
    uint32_t rank = graph_type(group, node->arg[0])->rank;
    bool rows = axes->count && axes->ints[axes->count - 1] == rank - 1;
    return size == root && from >= MUCH && from >= 16 * size && size < (rows ? 16 : 2048);
}

static bool reduces(const Func *group) {
    for (Val v = 0; v < group->nodes.count; v++)
        if (op_info[graph_node(group, v)->op].class == CLASS_REDUCE) return true;
    return false;
}

/* Alone, from memory to memory. */
static bool is_scatter(const Func *group, Val v) {
    const Node *node = graph_node(group, v);
    return node->op == OP_scatter_add && group->results.count == 1 &&
           group->results.at[0] == v && node->arg[0] < group->params.count &&
           node->arg[1] < group->params.count;
}

Schedule schedule_of(const Func *group) {
    Schedule schedule = {STRATEGY_NEST, NO_VAL};
    for (Val v = 0; v < group->nodes.count; v++) {
        if (graph_node(group, v)->op == OP_contract)
            return (Schedule){reduces(group) ? STRATEGY_BLOCKS : STRATEGY_CONTRACT, v};
        if (is_scatter(group, v)) return (Schedule){STRATEGY_SCATTER, v};
        if (is_partial(group, v)) schedule = (Schedule){STRATEGY_PARTIAL, v};
    }
    return schedule;
}

bool pass_schedule(PassContext *cx, Module *module) {
    for (uint32_t i = 0; i < module->funcs.count; i++) {
        Func *func = module->funcs.at[i];
        if (func->kind != FUNC_GROUP) continue;
        Schedule *schedule = arena_new(module->arena, Schedule);
        *schedule = schedule_of(func);
        func->schedule = schedule;
    }
    return true;
}
