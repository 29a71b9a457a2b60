/*
 * fuse: gather values into groups, each of which becomes one kernel nest.
 *
 *   Before                                After
 *     %3 = contract %x, %w {...}            group @g0(%x, %w, %b) { contract, broadcast,
 *     %4 = broadcast %b {...}                 add, max }
 *     %5 = add %3, %4                       %1 = call %x, %w, %b {body = @g0}
 *     %6 = max %0, %5                       %2 = get %1 {index = 0}
 *
 * In reverse order, a value used by one group only joins it, unless that would compute an
 * element many times; a cheap value used by several groups is computed in each of them.
 * What is left is stored.  A stored value is a further result of a group that computes it
 * anyway, or that walks the same elements of the same operands.  A contraction is computed
 * once and takes what is done to its result, element by element; a reduction joins where
 * its place is an outer part of the group's (rows), so that softmax is one group.
 *
 * Needs: PRIMITIVE, cse and dce.  Leaves: GROUPS.
 * Not done: cutting a group that reads many streams.
 */
#include "passes/fuse.h"
#include "passes/nest.h"

static bool all_inside(const UseList *list) {
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i].relation == OUTSIDE) return false;
    return list->count > 0;
}

/* Whether there are rows enough to share among tasks, or so little work that one will do. */
static bool has_rows(const Fuse *f, Val v, Dim rows) {
    return dim_max(f->dims, rows) >= 32 || fuse_size(f, fuse_node(f, v)->arg[0]) <= 32768;
}

/* A value that takes fewer bytes than what it is made of: better stored than its operand. */
static bool is_narrowed(const Fuse *f, const Node *node) {
    if (node->op != OP_cast) return false;
    const Node *from = fuse_node(f, node->arg[0]);
    return op_is_reduce(from) &&
           elem_bytes(node->type.elem) < elem_bytes(from->type.elem);
}

/* Whether the group does nothing but pool the contraction image by image. */
static bool is_pooled(const Fuse *f, Val v, const Group *group, const Use *use) {
    uint32_t operand;
    Dim quotient, batch = fuse_node(f, v)->type.dim[0];
    if (group->contract != NO_VAL || !group->reductions.count || group->alone ||
        !blocks_find_batch(f->func, v, &operand) ||
        !dim_divides(f->dims, use->rows, batch, &quotient))
        return false;
    for (uint32_t i = 0; i < group->reductions.count; i++) {
        const Node *node = fuse_node(f, group->reductions.at[i]);
        Val from = node->arg[0];
        while (fuse_node(f, from)->op == OP_reshape) from = fuse_node(f, from)->arg[0];
        if (from != v || node->type.rank < 2 || node->type.dim[0] != batch) return false;
    }
    for (uint32_t i = 0; i < group->results.count; i++) {
        const Type *type = graph_type(f->func, group->results.at[i]);
        if (!type->rank || type->dim[0] != batch ||
            fuse_count(f, group->results.at[i]) != group->count)
            return false;
    }
    return true;
}

/* Whether `v` may be computed only inside the one group that wants it. */
static bool joins(Fuse *f, Val v, const Use *use) {
    const Node *node = fuse_node(f, v);
    Group *group = &f->groups.at[use->group];
    if (group->alone) return false;
    if (is_narrowed(f, node) && use->relation != SAME) return false;
    if (op_is_light(f, node)) {
        if (use->relation != SPREAD || op_info[node->op].class == CLASS_MOVE) return true;
        Price price = fuse_price(f, v);
        return price.ops <= 3;
    }
    if (op_is_reduce(node))
        return group->contract == NO_VAL &&
               (use->relation == SAME ||
                (use->relation == ROW && has_rows(f, v, use->rows)));
    if (op_is_row_pick(f, node)) return group->contract == NO_VAL && use->relation <= ROW;
    if (node->op == OP_fold || node->op == OP_gather)
        return group->contract == NO_VAL && use->relation == SAME;
    if (node->op == OP_random) return group->contract == NO_VAL && use->relation <= MOVED;
    if (node->op == OP_contract && use->relation == WITHIN)
        return is_pooled(f, v, group, use);
    if (node->op == OP_contract)
        return use->relation == SAME && group->contract == NO_VAL && !group->reduces &&
               group_all_need(f, group, v);
    return false;
}

/* Whether each of the groups that want `v` had better compute it: reading what it is made
 * of again costs no more than writing it once and reading that. */
static bool is_recomputed(Fuse *f, Val v) {
    const Node *node = fuse_node(f, v);
    const UseList *list = &f->uses[v];
    if (!op_is_light(f, node) || is_narrowed(f, node)) return false;
    bool spread = false;
    for (uint32_t i = 0; i < list->count; i++) {
        if (f->groups.at[list->at[i].group].alone) return op_is_fill(node);
        spread |= list->at[i].relation == SPREAD;
    }
    Price price = fuse_price(f, v);
    int64_t size = fuse_size(f, v);
    if (size == 1) return price.ops <= 12;
    if (spread && price.ops > 3) return false;
    int users = (int)list->count;
    return price.ops <= 12 && price.streams * users <= price.streams + 1 + users;
}

static void mark(Fuse *f, Val v, uint32_t g, Relation relation) {
    const Node *node = fuse_node(f, v);
    Group *group = &f->groups.at[g];
    if (node->op == OP_contract) group->contract = v;
    if (op_is_reduce(node) && relation == SAME)
        vec_push(f->scratch, &group->reductions, v);
    if (op_is_reduce(node) || node->op == OP_fold || node->op == OP_gather)
        group->reduces = true;
}

static void store(Fuse *f, Val v) {
    const Node *node = fuse_node(f, v);
    uint32_t g;
    f->fate[v] = FATE_STORED;
    if (group_find_computing(f, v, &g) || group_find_sibling(f, v, &g) ||
        group_find_rows(f, v, &g)) {
        vec_push(f->scratch, &f->groups.at[g].results, v);
    } else {
        g = group_new(f, v, fuse_count(f, v));
        f->groups.at[g].alone = node->op == OP_scatter_add || node->op == OP_write_at;
    }
    f->home[v] = g;
    mark(f, v, g, fuse_count(f, v) == f->groups.at[g].count ? SAME : ROW);
}

static void decide(Fuse *f, Val v) {
    const Node *node = fuse_node(f, v);
    const UseList *list = &f->uses[v];
    if (!list->count && node->op != OP_param) return;
    bool outside = !all_inside(list);
    bool alias = node->op == OP_reshape && outside;
    if (op_is_main(node) || alias) {
        f->fate[v] = FATE_MAIN;
        f->home[v] = group_new(f, v, DIM_OVERFLOW);
        f->groups.at[f->home[v]].alone = true;
    } else if (!outside && list->count == 1 && joins(f, v, &list->at[0])) {
        f->fate[v] = FATE_INLINE;
        mark(f, v, list->at[0].group, list->at[0].relation);
    } else if (!outside && is_recomputed(f, v)) {
        f->fate[v] = FATE_INLINE;
    } else {
        store(f, v);
    }
    if (op_is_reduce(node) && f->fate[v] != FATE_MAIN) {
        uint32_t g = f->fate[v] == FATE_STORED ? f->home[v] : list->at[0].group;
        if (fuse_count(f, v) == f->groups.at[g].count && !f->groups.at[g].alone)
            group_merge_alike(f, v, g);
    }
    use_operands(f, v);
}

static void anchor(Fuse *f, Val v) {
    f->anchored[v] = true;
    while (fuse_node(f, v)->op == OP_reshape)
        f->anchored[v = fuse_node(f, v)->arg[0]] = true;
}

static void find_anchored(Fuse *f) {
    for (Val v = 0; v < f->func->nodes.count; v++) {
        const Node *node = fuse_node(f, v);
        bool reads = op_is_main(node) || node->op == OP_contract ||
                     node->op == OP_concat || node->op == OP_write_at;
        for (uint32_t i = 0; i < node->args && reads; i++) anchor(f, node->arg[i]);
    }
    for (uint32_t i = 0; i < f->func->results.count; i++)
        anchor(f, f->func->results.at[i]);
}

static void decide_all(Fuse *f) {
    uint32_t nodes = f->func->nodes.count;
    memset(f->uses, 0, nodes * sizeof *f->uses);
    memset(f->fate, 0, nodes * sizeof *f->fate);
    f->groups.count = 0;
    uint32_t results = group_new(f, NO_VAL, DIM_OVERFLOW);
    f->groups.at[results].results.count = 0;
    f->groups.at[results].alone = true;
    for (uint32_t i = 0; i < f->func->results.count; i++)
        use_add(f, f->func->results.at[i], (Use){results, OUTSIDE, 0});
    for (Val v = nodes; v-- > 0;) decide(f, v);
}

static void fuse_func(Arena *scratch, Func *func) {
    uint32_t nodes = func->nodes.count;
    Fuse f = {.scratch = scratch, .func = func, .dims = &func->module->dims};
    f.uses = arena_array(scratch, UseList, nodes);
    f.fate = arena_array(scratch, Fate, nodes);
    f.home = arena_array(scratch, uint32_t, nodes);
    f.visited = arena_array(scratch, bool, 2 * nodes + 2);
    f.anchored = arena_array(scratch, bool, nodes);
    f.stamp = arena_array(scratch, uint32_t, nodes);
    find_anchored(&f);
    decide_all(&f);
    /* Again, knowing now what is in memory for others to read. */
    for (Val v = 0; v < nodes; v++) f.anchored[v] |= f.fate[v] == FATE_STORED;
    decide_all(&f);
    fuse_write(&f);
}

bool pass_fuse(PassContext *cx, Module *module) {
    for (uint32_t i = 0; i < module->funcs.count; i++) {
        Func *func = module->funcs.at[i];
        if (func->kind == FUNC_GROUP) continue;
        ArenaMark mark = arena_mark(cx->scratch);
        fuse_masks(func, cx->scratch);
        fuse_taps(func, cx->scratch);
        fuse_func(cx->scratch, func);
        arena_release(cx->scratch, mark);
    }
    body_collect(module, cx->scratch);
    return true;
}
