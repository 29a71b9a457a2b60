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
#include "passes/body.h"
#include "passes/fuse.h"
#include "passes/pass.h"

/* How the place at which a group wants a value follows from its own loop position. */
typedef enum Relation {
    SAME,    /* element by element, in row-major order */
    ROW,     /* by the outer part of it, `rows` elements in all */
    WITHIN,  /* in the loop of a reduction at such a place */
    MOVED,   /* any other, each element about once */
    SPREAD,  /* each element many times */
    OUTSIDE, /* as memory: operands of contractions, of control ops, results */
} Relation;

typedef struct Use {
    uint32_t group;
    Relation relation;
    Dim rows;
} Use;

typedef VEC(Use) UseList;

typedef struct Group {
    VEC(Val) results;
    Dim count; /* elements of the largest result; DIM_OVERFLOW: control op, no group */
    Val root;  /* the result that has them */
    VEC(Val) reductions; /* that it computes, one for each of its elements */
    Val contract;        /* or NO_VAL */
    bool reduces, alone;
    Func *func;
    Val call; /* in the new function */
} Group;

typedef enum Fate { FATE_NONE, FATE_INLINE, FATE_STORED, FATE_MAIN } Fate;

typedef struct Fuse {
    Arena *scratch;
    const Func *func;
    Dims *dims;
    UseList *uses;  /* [nodes] */
    Fate *fate;     /* [nodes] */
    uint32_t *home; /* [nodes] group of a stored value */
    bool *
        anchored; /* [nodes] stored whatever happens: a contraction's operand, a result */
    VEC(Group) groups;
    bool *visited;           /* [groups], for reaches() */
    uint32_t *stamp, stamps; /* [nodes], for price_of() */
} Fuse;

static const Node *node_of(const Fuse *f, Val v) {
    return graph_node(f->func, v);
}

static Dim count_of(const Fuse *f, Val v) {
    return type_count(f->dims, graph_type(f->func, v));
}

static int64_t size_of(const Fuse *f, Val v) {
    return dim_max(f->dims, count_of(f, v));
}

/* ---- what ops are ---- */

static bool is_fill(const Node *node) {
    const Attr *values = node_attr(node, ATTR_values);
    return node->op == OP_const && values && values->count == 1;
}

/* One update a row, put to the place that the index says. */
static bool is_one_hot(const Fuse *f, const Node *node) {
    if (node->op != OP_scatter_add) return false;
    uint32_t batch = (uint32_t)node_int(node, ATTR_batch, 0);
    return graph_type(f->func, node->arg[0])->rank == batch &&
           node_int(node, ATTR_axis, 0) == batch &&
           graph_type(f->func, node->arg[1])->rank == batch;
}

/* One element of each row, by its index. */
static bool is_row_pick(const Fuse *f, const Node *node) {
    if (node->op != OP_gather) return false;
    uint32_t batch = (uint32_t)node_int(node, ATTR_batch, 0);
    return graph_type(f->func, node->arg[1])->rank == batch &&
           node_int(node, ATTR_axis, 0) == batch &&
           graph_type(f->func, node->arg[0])->rank == batch + 1;
}

/* Computed from its operands at a fixed place, in a few instructions. */
static bool is_light(const Fuse *f, const Node *node) {
    OpClass class = op_info[node->op].class;
    if (node->op == OP_concat) return false;
    if (is_one_hot(f, node)) return true;
    return class == CLASS_ELEMWISE || class == CLASS_MOVE || node->op == OP_iota ||
           is_fill(node);
}

static bool is_reduce(const Node *node) {
    return node->op == OP_sum || node->op == OP_reduce_max || node->op == OP_reduce_min ||
           node->op == OP_argmax;
}

static bool is_main(const Node *node) {
    return node->op == OP_param || node->op == OP_repeat || node->op == OP_get ||
           node->op == OP_call || (node->op == OP_const && !is_fill(node));
}

static int weight_of(Op op) {
    switch ((int)op) {
    case OP_exp:
    case OP_log:
    case OP_tanh:
    case OP_erf:
    case OP_sin:
    case OP_cos:
    case OP_pow: return 8;
    case OP_div:
    case OP_sqrt:
    case OP_rsqrt: return 2;
    default: return 1;
    }
}

/* The price of computing `v` again from what is in memory anyway. */
typedef struct Price {
    int ops;     /* an element */
    int streams; /* values of about as many elements that it reads */
} Price;

#define TOO_DEAR 1000

static void add_price(Fuse *f, Val v, bool first, int64_t elements, Price *price) {
    const Node *node = node_of(f, v);
    if (f->stamp[v] == f->stamps || is_fill(node) || node->op == OP_iota) return;
    f->stamp[v] = f->stamps;
    if (!is_light(f, node) || (f->anchored[v] && !first)) {
        bool again = node->op == OP_random || node->op == OP_concat;
        if (again) price->ops = TOO_DEAR;
        price->streams += 2 * size_of(f, v) > elements;
        return;
    }
    bool small = size_of(f, v) * 16 < elements;
    if (op_info[node->op].class == CLASS_ELEMWISE && !small)
        price->ops += weight_of(node->op);
    for (uint32_t i = 0; i < node->args; i++)
        add_price(f, node->arg[i], false, elements, price);
}

static Price price_of(Fuse *f, Val v) {
    Price price = {0};
    f->stamps++;
    add_price(f, v, true, size_of(f, v), &price);
    return price;
}

/* ---- uses ---- */

/* One relation for two. */
static Use merge_uses(const Fuse *f, Use x, Use y) {
    Dim quotient;
    if (x.relation == y.relation && x.rows == y.rows) return x;
    if (x.relation > y.relation || (x.relation == y.relation && x.rows > y.rows)) {
        Use swap = x;
        x = y;
        y = swap;
    }
    if (y.relation == OUTSIDE || y.relation == SPREAD) return y;
    if (y.relation == WITHIN) {
        if (x.relation == SAME) return y;
        if (x.relation == WITHIN && dim_divides(f->dims, y.rows, x.rows, &quotient))
            return x;
    }
    return (Use){x.group, y.relation == MOVED && x.relation == SAME ? MOVED : SPREAD, 0};
}

static void add_use(Fuse *f, Val v, Use use) {
    UseList *list = &f->uses[v];
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->at[i].group != use.group) continue;
        list->at[i] = merge_uses(f, list->at[i], use);
        return;
    }
    vec_push(f->scratch, list, use);
}

static bool reduces_axis(const Node *node, uint32_t axis) {
    const Attr *axes = node_attr(node, ATTR_axes);
    for (uint32_t i = 0; i < axes->count; i++)
        if (axes->ints[i] == axis) return true;
    return false;
}

/* Rows shared by all elements of the operand that have equal leading kept places. */
static Dim leading_rows(const Fuse *f, const Node *node) {
    const Type *from = graph_type(f->func, node->arg[0]);
    Dim rows = 1;
    for (uint32_t i = 0; i < from->rank && !reduces_axis(node, i); i++)
        rows = dim_mul(f->dims, rows, from->dim[i]);
    return rows;
}

static Use broadcast_use(const Fuse *f, const Node *node, Use use) {
    const Type *from = graph_type(f->func, node->arg[0]), *to = &node->type;
    const Attr *axes = node_attr(node, ATTR_axes);
    Dim count = type_count(f->dims, from), quotient;
    if (count == type_count(f->dims, to)) return use;
    uint32_t next = 0; /* the operand's dimensions are the leading ones, ones aside */
    bool prefix = true;
    for (uint32_t i = 0; i < from->rank; i++) {
        if (from->dim[i] == 1) continue;
        while (next < to->rank && to->dim[next] == 1) next++;
        prefix &= axes->ints[i] == next++;
    }
    bool rows =
        use.relation == SAME || ((use.relation == ROW || use.relation == WITHIN) &&
                                 dim_divides(f->dims, use.rows, count, &quotient));
    if (prefix && rows) return (Use){use.group, ROW, count};
    return (Use){use.group, use.relation == OUTSIDE ? OUTSIDE : SPREAD, 0};
}

/* An operand whose dimensions are the leading ones of the node's. */
static Use row_use(const Fuse *f, const Node *node, uint32_t arg, Use use) {
    Dim count = count_of(f, node->arg[arg]), quotient;
    bool rows =
        use.relation == SAME || ((use.relation == ROW || use.relation == WITHIN) &&
                                 dim_divides(f->dims, use.rows, count, &quotient));
    return rows ? (Use){use.group, ROW, count} : (Use){use.group, SPREAD, 0};
}

static Use operand_use(const Fuse *f, const Node *node, uint32_t arg, Use use) {
    OpClass class = op_info[node->op].class;
    if (class == CLASS_ELEMWISE || node->op == OP_reshape) return use;
    if (node->op == OP_broadcast) return broadcast_use(f, node, use);
    if (is_one_hot(f, node)) return row_use(f, node, arg, use);
    if (node->op == OP_contract || node->op == OP_concat || node->op == OP_scatter_add ||
        node->op == OP_write_at)
        return (Use){use.group, OUTSIDE, 0};
    if (is_row_pick(f, node))
        return arg == 0 ? (Use){use.group, WITHIN, type_count(f->dims, &node->type)}
                        : use;
    if (node->op == OP_gather || node->op == OP_read_at)
        return (Use){use.group, arg == 0 ? OUTSIDE : SPREAD, 0};
    if (is_reduce(node)) {
        Dim rows = leading_rows(f, node), quotient;
        if (use.relation == ROW && !dim_divides(f->dims, use.rows, rows, &quotient))
            rows = 1;
        if (use.relation > ROW) rows = 1;
        return (Use){use.group, use.relation > WITHIN ? use.relation : WITHIN, rows};
    }
    if (node->op == OP_windows || node->op == OP_fold || node->op == OP_random)
        return (Use){use.group, SPREAD, 0};
    return (Use){use.group, use.relation == SPREAD ? SPREAD : MOVED, 0};
}

static void use_operands(Fuse *f, Val v) {
    const Node *node = node_of(f, v);
    UseList *list = &f->uses[v];
    for (uint32_t i = 0; i < node->args; i++) {
        if (f->fate[v] == FATE_INLINE) {
            for (uint32_t j = 0; j < list->count; j++)
                add_use(f, node->arg[i], operand_use(f, node, i, list->at[j]));
        } else {
            Dim count = f->fate[v] == FATE_MAIN ? 0 : count_of(f, v);
            bool row = count != f->groups.at[f->home[v]].count;
            Use use = {f->home[v], row ? ROW : SAME, row ? count : 0};
            if (f->fate[v] == FATE_MAIN) use = (Use){f->home[v], OUTSIDE, 0};
            if (f->fate[v] == FATE_STORED)
                for (uint32_t j = 0; j < list->count;
                     j++) /* it is computed there anyway */
                    if (list->at[j].group == use.group) use = list->at[j];
            add_use(f, node->arg[i],
                    f->fate[v] == FATE_MAIN ? use : operand_use(f, node, i, use));
        }
    }
}

/* ---- groups ---- */

static uint32_t new_group(Fuse *f, Val v, Dim count) {
    Group group = {.count = count, .root = v, .contract = NO_VAL};
    vec_push(f->scratch, &group.results, v);
    vec_push(f->scratch, &f->groups, group);
    return f->groups.count - 1;
}

/* Whether what group `from` stores is needed, by any way, in group `to`. */
static bool reaches(Fuse *f, uint32_t from, uint32_t to) {
    if (from == to) return true;
    if (f->visited[from]) return false;
    f->visited[from] = true;
    const Group *group = &f->groups.at[from];
    for (uint32_t i = 0; i < group->results.count; i++) {
        const UseList *list = &f->uses[group->results.at[i]];
        for (uint32_t j = 0; j < list->count; j++)
            if (list->at[j].group != from && reaches(f, list->at[j].group, to))
                return true;
    }
    return false;
}

/* Whether a user of `v` other than group g leads to g: then g cannot store v. */
static bool closes_cycle(Fuse *f, Val v, uint32_t g) {
    for (uint32_t i = 0; i < f->uses[v].count; i++) {
        uint32_t user = f->uses[v].at[i].group;
        if (user == g) continue;
        memset(f->visited, 0, f->groups.count * sizeof *f->visited);
        if (reaches(f, user, g)) return true;
    }
    return false;
}

/* All that the group stores comes after `v`. */
static bool all_need(const Fuse *f, const Group *group, Val v) {
    for (uint32_t i = 0; i < group->results.count; i++)
        if (!graph_depends(f->func, group->results.at[i], v, f->scratch)) return false;
    return true;
}

/* ---- decisions ---- */

static bool all_inside(const UseList *list) {
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i].relation == OUTSIDE) return false;
    return list->count > 0;
}

/* Whether there are rows enough to share among tasks, or so little work that one will do. */
static bool has_rows(const Fuse *f, Val v, Dim rows) {
    return dim_max(f->dims, rows) >= 32 || size_of(f, node_of(f, v)->arg[0]) <= 32768;
}

/* A value that takes fewer bytes than what it is made of: better stored than its operand. */
static bool is_narrowed(const Fuse *f, const Node *node) {
    if (node->op != OP_cast) return false;
    const Node *from = node_of(f, node->arg[0]);
    return is_reduce(from) && elem_bytes(node->type.elem) < elem_bytes(from->type.elem);
}

/* Whether `v` may be computed only inside the one group that wants it. */
static bool joins(Fuse *f, Val v, const Use *use) {
    const Node *node = node_of(f, v);
    Group *group = &f->groups.at[use->group];
    if (group->alone) return false;
    if (is_narrowed(f, node) && use->relation != SAME) return false;
    if (is_light(f, node)) {
        if (use->relation != SPREAD || op_info[node->op].class == CLASS_MOVE) return true;
        Price price = price_of(f, v);
        return price.ops <= 3;
    }
    if (is_reduce(node))
        return group->contract == NO_VAL &&
               (use->relation == SAME ||
                (use->relation == ROW && has_rows(f, v, use->rows)));
    if (is_row_pick(f, node)) return group->contract == NO_VAL && use->relation <= ROW;
    if (node->op == OP_fold || node->op == OP_gather)
        return group->contract == NO_VAL && use->relation == SAME;
    if (node->op == OP_random) return group->contract == NO_VAL && use->relation <= MOVED;
    if (node->op == OP_contract)
        return use->relation == SAME && group->contract == NO_VAL && !group->reduces &&
               all_need(f, group, v);
    return false;
}

/* Whether each of the groups that want `v` had better compute it: reading what it is made
 * of again costs no more than writing it once and reading that. */
static bool is_recomputed(Fuse *f, Val v) {
    const Node *node = node_of(f, v);
    const UseList *list = &f->uses[v];
    if (!is_light(f, node) || is_narrowed(f, node)) return false;
    bool spread = false;
    for (uint32_t i = 0; i < list->count; i++) {
        if (f->groups.at[list->at[i].group].alone) return is_fill(node);
        spread |= list->at[i].relation == SPREAD;
    }
    Price price = price_of(f, v);
    int64_t size = size_of(f, v);
    if (size == 1) return price.ops <= 12;
    if (spread && price.ops > 3) return false;
    int users = (int)list->count;
    return price.ops <= 12 && price.streams * users <= price.streams + 1 + users;
}

static void mark(Fuse *f, Val v, uint32_t g, Relation relation) {
    const Node *node = node_of(f, v);
    Group *group = &f->groups.at[g];
    if (node->op == OP_contract) group->contract = v;
    if (is_reduce(node) && relation == SAME) vec_push(f->scratch, &group->reductions, v);
    if (is_reduce(node) || node->op == OP_fold || node->op == OP_gather)
        group->reduces = true;
}

/* A group that computes `v` anyway, element by element or row by row. */
static bool find_computing(Fuse *f, Val v, uint32_t *g) {
    const Node *node = node_of(f, v);
    bool takes = is_light(f, node) || is_reduce(node);
    for (uint32_t i = 0; i < f->uses[v].count && takes; i++) {
        const Use *use = &f->uses[v].at[i];
        const Group *group = &f->groups.at[use->group];
        Dim quotient;
        bool whole =
            count_of(f, v) == group->count &&
            (use->relation == SAME || (use->relation == WITHIN && is_light(f, node)));
        bool row = use->relation == ROW && count_of(f, v) == use->rows &&
                   dim_divides(f->dims, group->count, use->rows, &quotient);
        if (group->count == DIM_OVERFLOW || group->alone || !(whole || row)) continue;
        if (is_reduce(node) && group->contract != NO_VAL) continue;
        if (!dim_is_const(group->count) && row && !dim_is_const(quotient)) continue;
        if (closes_cycle(f, v, use->group)) continue;
        *g = use->group;
        return true;
    }
    return false;
}

static bool is_used_in(const Fuse *f, Val v, uint32_t g) {
    for (uint32_t i = 0; i < f->uses[v].count; i++)
        if (f->uses[v].at[i].group == g) return true;
    return false;
}

static bool same_reduction(const Fuse *f, Val u, Val v) {
    const Node *x = node_of(f, u), *y = node_of(f, v);
    return is_reduce(x) && is_reduce(y) &&
           type_same_shape(graph_type(f->func, x->arg[0]),
                           graph_type(f->func, y->arg[0])) &&
           attr_equal(node_attr(x, ATTR_axes), node_attr(y, ATTR_axes));
}

/* A reduction that `v` follows element by element; `v` itself; NO_VAL. */
static Val inner_reduction(const Fuse *f, Val v, int depth) {
    const Node *node = node_of(f, v);
    if (is_reduce(node)) return v;
    if (!depth || (op_info[node->op].class != CLASS_ELEMWISE && node->op != OP_reshape))
        return NO_VAL;
    for (uint32_t i = 0; i < node->args; i++) {
        if (f->anchored[node->arg[i]] && !is_reduce(node_of(f, node->arg[i]))) continue;
        Val found = inner_reduction(f, node->arg[i], depth - 1);
        if (found != NO_VAL) return found;
    }
    return NO_VAL;
}

/* A group without part in `v` that walks the same elements of one of its operands. */
static bool find_sibling(Fuse *f, Val v, uint32_t *g) {
    const Node *node = node_of(f, v);
    if (!is_light(f, node) && !is_reduce(node)) return false;
    Val reduction = inner_reduction(f, v, 4);
    for (uint32_t i = f->groups.count; i-- > 0;) {
        const Group *group = &f->groups.at[i];
        if (group->contract != NO_VAL || group->alone || group->count != count_of(f, v))
            continue;
        bool uses = is_used_in(f, v, i), like = false, shares = false;
        for (uint32_t j = 0; j < group->reductions.count && reduction != NO_VAL; j++)
            if (same_reduction(f, group->reductions.at[j], reduction))
                like = shares = true;
        for (uint32_t j = 0; j < group->results.count && !uses && !is_reduce(node); j++) {
            const Node *other = node_of(f, group->results.at[j]);
            like |= !group->reduces;
            for (uint32_t k = 0; k < node->args; k++)
                for (uint32_t m = 0; m < other->args; m++)
                    shares |=
                        node->arg[k] == other->arg[m] && size_of(f, node->arg[k]) > 1;
        }
        if (uses || !like || !shares || closes_cycle(f, v, i)) continue;
        *g = i;
        return true;
    }
    return false;
}

/* ---- groups of rows ---- */

/* A stored operand of `elements` elements that `v` is computed from; NO_VAL. */
static Val big_leaf(const Fuse *f, Val v, bool first, int64_t elements, bool *seen) {
    const Node *node = node_of(f, v);
    if (seen[v]) return NO_VAL;
    seen[v] = true;
    if ((!is_light(f, node) && !is_reduce(node) && !is_row_pick(f, node)) ||
        (f->anchored[v] && !first))
        return size_of(f, v) == elements ? v : NO_VAL;
    for (uint32_t i = 0; i < node->args; i++) {
        Val leaf = big_leaf(f, node->arg[i], false, elements, seen);
        if (leaf != NO_VAL) return leaf;
    }
    return NO_VAL;
}

static bool reads_leaf(const Fuse *f, Val v, Val leaf, bool *seen) {
    const Node *node = node_of(f, v);
    if (v == leaf) return true;
    if (seen[v] || v < leaf) return false;
    seen[v] = true;
    if (!is_light(f, node) && !is_reduce(node) && !is_row_pick(f, node)) return false;
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
    return length <= 4096 && dim_max(f->dims, count_of(f, rows)) >= 32;
}

static bool shares_rows(Fuse *f, Val rows, Val whole) {
    if (!are_rows(f, rows, whole)) return false;
    uint32_t nodes = f->func->nodes.count;
    Val leaf =
        big_leaf(f, rows, true, size_of(f, whole), arena_array(f->scratch, bool, nodes));
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
    group->count = count_of(f, root);
    group->reductions.count = 0;
}

/* A group that walks the rows of the same operand: softmax, its logarithm, its gradient. */
static bool find_rows(Fuse *f, Val v, uint32_t *g) {
    const Node *node = node_of(f, v);
    if (!is_light(f, node) && !is_reduce(node) && !is_row_pick(f, node)) return false;
    for (uint32_t i = f->groups.count; i-- > 0;) {
        const Group *group = &f->groups.at[i];
        if (group->count == DIM_OVERFLOW || group->alone || group->contract != NO_VAL ||
            is_used_in(f, v, i))
            continue;
        bool row = shares_rows(f, v, group->root), whole = shares_rows(f, group->root, v);
        if ((!row && !whole) || closes_cycle(f, v, i)) continue;
        if (whole) widen(f, i, v);
        *g = i;
        return true;
    }
    return false;
}

/* ---- groups that turn out to walk the same elements ---- */

/* Whether two reductions over equally many elements read one and the same array. */
static bool shares_leaf(const Fuse *f, Val u, Val v) {
    uint32_t nodes = f->func->nodes.count;
    int64_t elements = size_of(f, node_of(f, v)->arg[0]);
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
    if (reaches(f, a, b)) return true;
    memset(f->visited, 0, f->groups.count * sizeof *f->visited);
    return reaches(f, b, a);
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
            add_use(f, v, use);
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
static void merge_alike(Fuse *f, Val v, uint32_t g) {
    for (uint32_t i = 0; i < f->groups.count; i++) {
        const Group *group = &f->groups.at[i];
        if (i == g || group->alone || group->contract != NO_VAL ||
            group->count != f->groups.at[g].count)
            continue;
        bool alike = false;
        for (uint32_t j = 0; j < group->reductions.count; j++)
            alike |= same_reduction(f, group->reductions.at[j], v) &&
                     shares_leaf(f, group->reductions.at[j], v);
        if (alike && !is_connected(f, g, i)) merge_groups(f, g, i);
    }
}

static void store(Fuse *f, Val v) {
    const Node *node = node_of(f, v);
    uint32_t g;
    f->fate[v] = FATE_STORED;
    if (find_computing(f, v, &g) || find_sibling(f, v, &g) || find_rows(f, v, &g)) {
        vec_push(f->scratch, &f->groups.at[g].results, v);
    } else {
        g = new_group(f, v, count_of(f, v));
        f->groups.at[g].alone = node->op == OP_scatter_add || node->op == OP_write_at;
    }
    f->home[v] = g;
    mark(f, v, g, count_of(f, v) == f->groups.at[g].count ? SAME : ROW);
}

static void decide(Fuse *f, Val v) {
    const Node *node = node_of(f, v);
    const UseList *list = &f->uses[v];
    if (!list->count && node->op != OP_param) return;
    bool outside = !all_inside(list);
    bool alias = node->op == OP_reshape && outside;
    if (is_main(node) || alias) {
        f->fate[v] = FATE_MAIN;
        f->home[v] = new_group(f, v, DIM_OVERFLOW);
        f->groups.at[f->home[v]].alone = true;
    } else if (!outside && list->count == 1 && joins(f, v, &list->at[0])) {
        f->fate[v] = FATE_INLINE;
        mark(f, v, list->at[0].group, list->at[0].relation);
    } else if (!outside && is_recomputed(f, v)) {
        f->fate[v] = FATE_INLINE;
    } else {
        store(f, v);
    }
    if (is_reduce(node) && f->fate[v] != FATE_MAIN) {
        uint32_t g = f->fate[v] == FATE_STORED ? f->home[v] : list->at[0].group;
        if (count_of(f, v) == f->groups.at[g].count && !f->groups.at[g].alone)
            merge_alike(f, v, g);
    }
    use_operands(f, v);
}

/* ---- writing ---- */

typedef struct Writer {
    Fuse *fuse;
    Func *to;
    Val *map;        /* value in `to` */
    VEC(Val) params; /* of the group being written, as values of the old function */
} Writer;

static Val write_value(Writer *w, Val v);

static void find_params(Writer *w, const Group *group, Val v, bool *seen) {
    Fuse *f = w->fuse;
    uint32_t g = (uint32_t)(group - f->groups.at);
    if (seen[v] || (is_fill(node_of(f, v)) && v != group->results.at[0])) return;
    seen[v] = true;
    if (f->fate[v] == FATE_MAIN || (f->fate[v] == FATE_STORED && f->home[v] != g)) {
        vec_push(f->scratch, &w->params, v);
        return;
    }
    const Node *node = node_of(f, v);
    for (uint32_t i = 0; i < node->args; i++) find_params(w, group, node->arg[i], seen);
}

static Val write_member(const Fuse *f, Func *func, Val v, Val *map) {
    if (map[v] != NO_VAL) return map[v];
    const Node *node = node_of(f, v);
    Val *arg = arena_array(f->scratch, Val, node->args + 1);
    for (uint32_t i = 0; i < node->args; i++)
        arg[i] = write_member(f, func, node->arg[i], map);
    return map[v] = graph_emit_like(func, node, arg);
}

static const char *group_name(const Fuse *f, const Group *group) {
    Arena *arena = f->func->module->arena;
    Val v = group->contract != NO_VAL ? group->contract : group->results.at[0];
    return arena_print(arena, "%s_%s%u", f->func->name, op_info[node_of(f, v)->op].name,
                       v);
}

static void write_group(Writer *w, uint32_t g) {
    Fuse *f = w->fuse;
    Group *group = &f->groups.at[g];
    Module *module = f->func->module;
    uint32_t nodes = f->func->nodes.count;
    bool *seen = arena_array(f->scratch, bool, nodes);
    Val *map = arena_array(f->scratch, Val, nodes);
    w->params.count = 0;
    for (uint32_t i = 0; i < group->results.count; i++)
        find_params(w, group, group->results.at[i], seen);
    uint32_t params = w->params.count;
    Val *outer = arena_copy(f->scratch, w->params.at, sizeof *outer * params);
    Val *arg = arena_array(f->scratch, Val, params + 1);
    for (uint32_t i = 0; i < params; i++) arg[i] = write_value(w, outer[i]);
    Func *func = body_new(module, group_name(f, group));
    func->kind = FUNC_GROUP;
    for (Val v = 0; v < nodes; v++) map[v] = NO_VAL;
    for (uint32_t i = 0; i < params; i++)
        map[outer[i]] = func_param(func, arena_print(module->arena, "a%u", i), ROLE_INPUT,
                                   *graph_type(f->func, outer[i]), (Span){0});
    for (uint32_t i = 0; i < group->results.count; i++)
        func_result(func, arena_print(module->arena, "r%u", i), ROLE_OUTPUT,
                    write_member(f, func, group->results.at[i], map), -1);
    Attr body = attr_func(ATTR_body, func);
    group->func = func;
    group->call = graph_emit(w->to, OP_call, arg, params, &body, 1,
                             node_of(f, group->results.at[0])->span);
}

static Val write_value(Writer *w, Val v) {
    Fuse *f = w->fuse;
    if (w->map[v] != NO_VAL) return w->map[v];
    const Node *node = node_of(f, v);
    if (f->fate[v] == FATE_MAIN) {
        Val *arg = arena_array(f->scratch, Val, node->args + 1);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = write_value(w, node->arg[i]);
        return w->map[v] = graph_emit_like(w->to, node, arg);
    }
    Group *group = &f->groups.at[f->home[v]];
    if (!group->func) write_group(w, f->home[v]);
    group = &f->groups.at[f->home[v]];
    int64_t index = 0;
    while (group->results.at[index] != v) index++;
    Attr attr = attr_int(ATTR_index, index);
    return w->map[v] = graph_emit(w->to, OP_get, &group->call, 1, &attr, 1, node->span);
}

static void anchor(Fuse *f, Val v) {
    f->anchored[v] = true;
    while (node_of(f, v)->op == OP_reshape) f->anchored[v = node_of(f, v)->arg[0]] = true;
}

static void find_anchored(Fuse *f) {
    for (Val v = 0; v < f->func->nodes.count; v++) {
        const Node *node = node_of(f, v);
        bool reads = is_main(node) || node->op == OP_contract || node->op == OP_concat ||
                     node->op == OP_write_at;
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
    uint32_t results = new_group(f, NO_VAL, DIM_OVERFLOW);
    f->groups.at[results].results.count = 0;
    f->groups.at[results].alone = true;
    for (uint32_t i = 0; i < f->func->results.count; i++)
        add_use(f, f->func->results.at[i], (Use){results, OUTSIDE, 0});
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
    Rewrite rewrite = rewrite_begin(func, scratch);
    Writer w = {.fuse = &f, .to = rewrite.to, .map = rewrite.map};
    for (Val v = 0; v < nodes; v++)
        if (f.fate[v] == FATE_MAIN || f.fate[v] == FATE_STORED) write_value(&w, v);
    rewrite_finish(&rewrite);
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
