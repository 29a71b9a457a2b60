/* Groups that walk the rows of one array, or reduce over the same elements of one. */
#include "passes/fuse.h"

/* A stored operand of `elements` elements that `v` is computed from; NO_VAL. */
static Val big_leaf(const Fuse *f, Val v, bool first, int64_t elements, bool *seen) {
    const Node *node = fuse_node(f, v);
    if (seen[v]) return NO_VAL;
    seen[v] = true;
    if ((!op_is_light(f, node) && !op_is_reduce(node) && !op_is_row_pick(f, node)) ||
        (f->anchored[v] && !first))
        return fuse_size(f, v) == elements ? v : NO_VAL;
    for (uint32_t i = 0; i < node->args; i++) {
        Val leaf = big_leaf(f, node->arg[i], false, elements, seen);
        if (leaf != NO_VAL) return leaf;
    }
    return NO_VAL;
}

static bool reads_leaf(const Fuse *f, Val v, Val leaf, bool *seen) {
    const Node *node = fuse_node(f, v);
    if (v == leaf) return true;
    if (seen[v] || v < leaf) return false;
    seen[v] = true;
    if (!op_is_light(f, node) && !op_is_reduce(node) && !op_is_row_pick(f, node))
        return false;
    for (uint32_t i = 0; i < node->args; i++)
        if (reads_leaf(f, node->arg[i], leaf, seen)) return true;
    return false;
}

/* Whether the elements of `rows` are the rows of `whole`, few enough in each. */
static bool are_rows(const Fuse *f, Val rows, Val whole) {
    const Type *x = graph_type(f->func, rows), *y = graph_type(f->func, whole);
    int64_t length = 1;
    if (x->rank >= y->rank || !x->rank) return false;
    for (uint32_t i = 0; i < y->rank; i++) {
        if (i < x->rank ? x->dim[i] != y->dim[i] : !dim_is_const(y->dim[i])) return false;
        if (i >= x->rank) length *= y->dim[i];
    }
    return length <= 4096 && dim_max(f->dims, fuse_count(f, rows)) >= 32;
}

static bool shares_rows(Fuse *f, Val rows, Val whole) {
    if (!are_rows(f, rows, whole)) return false;
    uint32_t nodes = f->func->nodes.count;
    Val leaf = big_leaf(f, rows, true, fuse_size(f, whole),
                        arena_array(f->scratch, bool, nodes));
    return leaf != NO_VAL &&
           reads_leaf(f, whole, leaf, arena_array(f->scratch, bool, nodes));
}

/* The group's places become rows of a larger result. */
static void widen(Fuse *f, uint32_t g, Val root) {
    Group *group = &f->groups.at[g];
    for (Val v = 0; v < f->func->nodes.count; v++)
        for (uint32_t i = 0; i < f->uses[v].count; i++) {
            Use *use = &f->uses[v].at[i];
            if (use->group == g && use->relation == SAME)
                *use = (Use){g, ROW, group->count};
        }
    group->root = root;
    group->count = fuse_count(f, root);
    group->reductions.count = 0;
}

/* A group that walks the rows of the same operand: softmax, its logarithm, its gradient. */
bool group_find_rows(Fuse *f, Val v, uint32_t *g) {
    const Node *node = fuse_node(f, v);
    if (!op_is_light(f, node) && !op_is_reduce(node) && !op_is_row_pick(f, node))
        return false;
    for (uint32_t i = f->groups.count; i-- > 0;) {
        const Group *group = &f->groups.at[i];
        if (group->count == DIM_OVERFLOW || group->alone || group->contract != NO_VAL ||
            use_is_in(f, v, i))
            continue;
        bool row = shares_rows(f, v, group->root), whole = shares_rows(f, group->root, v);
        if ((!row && !whole) || group_closes_cycle(f, v, i)) continue;
        if (whole) widen(f, i, v);
        *g = i;
        return true;
    }
    return false;
}

/* Whether two reductions over equally many elements read one and the same array. */
static bool shares_leaf(const Fuse *f, Val u, Val v) {
    uint32_t nodes = f->func->nodes.count;
    int64_t elements = fuse_size(f, fuse_node(f, v)->arg[0]);
    for (int turn = 0; turn < 2; turn++) {
        Val x = turn ? u : v, y = turn ? v : u;
        Val leaf = big_leaf(f, x, true, elements, arena_array(f->scratch, bool, nodes));
        if (leaf != NO_VAL &&
            reads_leaf(f, y, leaf, arena_array(f->scratch, bool, nodes)))
            return true;
    }
    return false;
}

static bool is_connected(Fuse *f, uint32_t a, uint32_t b) {
    memset(f->visited, 0, f->groups.count * sizeof *f->visited);
    if (group_reaches(f, a, b)) return true;
    memset(f->visited, 0, f->groups.count * sizeof *f->visited);
    return group_reaches(f, b, a);
}

/* Group `from` becomes part of `to` and is no more. */
static void merge_groups(Fuse *f, uint32_t to, uint32_t from) {
    Group *into = &f->groups.at[to], *old = &f->groups.at[from];
    for (Val v = 0; v < f->func->nodes.count; v++) {
        UseList list = f->uses[v]; /* is written over no faster than it is read */
        f->uses[v].count = 0;
        for (uint32_t i = 0; i < list.count; i++) {
            Use use = list.at[i];
            if (use.group == from) use.group = to;
            use_add(f, v, use);
        }
        if (f->fate[v] == FATE_STORED && f->home[v] == from) f->home[v] = to;
    }
    for (uint32_t i = 0; i < old->results.count; i++)
        vec_push(f->scratch, &into->results, old->results.at[i]);
    for (uint32_t i = 0; i < old->reductions.count; i++)
        vec_push(f->scratch, &into->reductions, old->reductions.at[i]);
    *old = (Group){.count = DIM_OVERFLOW, .contract = NO_VAL, .alone = true};
}

/* Two groups with reductions over the same elements, neither of which waits for the other. */
void group_merge_alike(Fuse *f, Val v, uint32_t g) {
    for (uint32_t i = 0; i < f->groups.count; i++) {
        const Group *group = &f->groups.at[i];
        if (i == g || group->alone || group->contract != NO_VAL ||
            group->count != f->groups.at[g].count)
            continue;
        bool alike = false;
        for (uint32_t j = 0; j < group->reductions.count; j++)
            alike |= group_same_reduction(f, group->reductions.at[j], v) &&
                     shares_leaf(f, group->reductions.at[j], v);
        if (alike && !is_connected(f, g, i)) merge_groups(f, g, i);
    }
}
