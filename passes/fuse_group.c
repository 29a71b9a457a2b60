/* Groups: which of them may store a value beside what they store already. */
#include "passes/fuse.h"

uint32_t group_new(Fuse *f, Val v, Dim count) {
    Group group = {.count = count, .root = v, .contract = NO_VAL};
    vec_push(f->scratch, &group.results, v);
    vec_push(f->scratch, &f->groups, group);
    return f->groups.count - 1;
}

/* Whether what group `from` stores is needed, by any way, in group `to`. */
bool group_reaches(Fuse *f, uint32_t from, uint32_t to) {
    if (from == to) return true;
    if (f->visited[from]) return false;
    f->visited[from] = true;
    const Group *group = &f->groups.at[from];
    for (uint32_t i = 0; i < group->results.count; i++) {
        const UseList *list = &f->uses[group->results.at[i]];
        for (uint32_t j = 0; j < list->count; j++)
            if (list->at[j].group != from && group_reaches(f, list->at[j].group, to))
                return true;
    }
    return false;
}

/* Whether a user of `v` other than group g leads to g: then g cannot store v. */
bool group_closes_cycle(Fuse *f, Val v, uint32_t g) {
    for (uint32_t i = 0; i < f->uses[v].count; i++) {
        uint32_t user = f->uses[v].at[i].group;
        if (user == g) continue;
        memset(f->visited, 0, f->groups.count * sizeof *f->visited);
        if (group_reaches(f, user, g)) return true;
    }
    return false;
}

/* All that the group stores comes after `v`. */
bool group_all_need(const Fuse *f, const Group *group, Val v) {
    for (uint32_t i = 0; i < group->results.count; i++)
        if (!graph_depends(f->func, group->results.at[i], v, f->scratch)) return false;
    return true;
}

/* A group that computes `v` anyway, element by element or row by row. */
bool group_find_computing(Fuse *f, Val v, uint32_t *g) {
    const Node *node = fuse_node(f, v);
    bool takes = op_is_light(f, node) || op_is_reduce(node);
    for (uint32_t i = 0; i < f->uses[v].count && takes; i++) {
        const Use *use = &f->uses[v].at[i];
        const Group *group = &f->groups.at[use->group];
        Dim quotient;
        bool whole =
            fuse_count(f, v) == group->count &&
            (use->relation == SAME || (use->relation == WITHIN && op_is_light(f, node)));
        bool row = use->relation == ROW && fuse_count(f, v) == use->rows &&
                   dim_divides(f->dims, group->count, use->rows, &quotient);
        if (group->count == DIM_OVERFLOW || group->alone || !(whole || row)) continue;
        if (op_is_reduce(node) && group->contract != NO_VAL) continue;
        if (!dim_is_const(group->count) && row && !dim_is_const(quotient)) continue;
        if (group_closes_cycle(f, v, use->group)) continue;
        *g = use->group;
        return true;
    }
    return false;
}

bool group_same_reduction(const Fuse *f, Val u, Val v) {
    const Node *x = fuse_node(f, u), *y = fuse_node(f, v);
    return op_is_reduce(x) && op_is_reduce(y) &&
           type_same_shape(graph_type(f->func, x->arg[0]),
                           graph_type(f->func, y->arg[0])) &&
           attr_equal(node_attr(x, ATTR_axes), node_attr(y, ATTR_axes));
}

/* A reduction that `v` follows element by element; `v` itself; NO_VAL. */
static Val inner_reduction(const Fuse *f, Val v, int depth) {
    const Node *node = fuse_node(f, v);
    if (op_is_reduce(node)) return v;
    if (!depth || (op_info[node->op].class != CLASS_ELEMWISE && node->op != OP_reshape))
        return NO_VAL;
    for (uint32_t i = 0; i < node->args; i++) {
        if (f->anchored[node->arg[i]] && !op_is_reduce(fuse_node(f, node->arg[i])))
            continue;
        Val found = inner_reduction(f, node->arg[i], depth - 1);
        if (found != NO_VAL) return found;
    }
    return NO_VAL;
}

/* A group without part in `v` that walks the same elements of one of its operands. */
bool group_find_sibling(Fuse *f, Val v, uint32_t *g) {
    const Node *node = fuse_node(f, v);
    if (!op_is_light(f, node) && !op_is_reduce(node)) return false;
    Val reduction = inner_reduction(f, v, 4);
    for (uint32_t i = f->groups.count; i-- > 0;) {
        const Group *group = &f->groups.at[i];
        if (group->contract != NO_VAL || group->alone || group->count != fuse_count(f, v))
            continue;
        bool uses = use_is_in(f, v, i), like = false, shares = false;
        for (uint32_t j = 0; j < group->reductions.count && reduction != NO_VAL; j++)
            if (group_same_reduction(f, group->reductions.at[j], reduction))
                like = shares = true;
        for (uint32_t j = 0; j < group->results.count && !uses && !op_is_reduce(node);
             j++) {
            const Node *other = fuse_node(f, group->results.at[j]);
            like |= !group->reduces;
            for (uint32_t k = 0; k < node->args; k++)
                for (uint32_t m = 0; m < other->args; m++)
                    shares |=
                        node->arg[k] == other->arg[m] && fuse_size(f, node->arg[k]) > 1;
        }
        if (uses || !like || !shares || group_closes_cycle(f, v, i)) continue;
        *g = i;
        return true;
    }
    return false;
}
