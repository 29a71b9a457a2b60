/* Where groups want values: from the place at which a node is wanted to those of its
 * operands. */
#include "passes/fuse.h"

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

void use_add(Fuse *f, Val v, Use use) {
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
    Dim count = fuse_count(f, node->arg[arg]), quotient;
    bool rows =
        use.relation == SAME || ((use.relation == ROW || use.relation == WITHIN) &&
                                 dim_divides(f->dims, use.rows, count, &quotient));
    return rows ? (Use){use.group, ROW, count} : (Use){use.group, SPREAD, 0};
}

static Use operand_use(const Fuse *f, const Node *node, uint32_t arg, Use use) {
    OpClass class = op_info[node->op].class;
    if (class == CLASS_ELEMWISE || node->op == OP_reshape) return use;
    if (node->op == OP_broadcast) return broadcast_use(f, node, use);
    if (op_is_one_hot(f, node)) return row_use(f, node, arg, use);
    if (node->op == OP_contract || node->op == OP_concat || node->op == OP_scatter_add ||
        node->op == OP_write_at)
        return (Use){use.group, OUTSIDE, 0};
    if (op_is_row_pick(f, node))
        return arg == 0 ? (Use){use.group, WITHIN, type_count(f->dims, &node->type)}
                        : use;
    if (node->op == OP_gather || node->op == OP_read_at)
        return (Use){use.group, arg == 0 ? OUTSIDE : SPREAD, 0};
    if (op_is_reduce(node)) {
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

void use_operands(Fuse *f, Val v) {
    const Node *node = fuse_node(f, v);
    UseList *list = &f->uses[v];
    for (uint32_t i = 0; i < node->args; i++) {
        if (f->fate[v] == FATE_INLINE) {
            for (uint32_t j = 0; j < list->count; j++)
                use_add(f, node->arg[i], operand_use(f, node, i, list->at[j]));
        } else {
            Dim count = f->fate[v] == FATE_MAIN ? 0 : fuse_count(f, v);
            bool row = count != f->groups.at[f->home[v]].count;
            Use use = {f->home[v], row ? ROW : SAME, row ? count : 0};
            if (f->fate[v] == FATE_MAIN) use = (Use){f->home[v], OUTSIDE, 0};
            if (f->fate[v] == FATE_STORED)
                for (uint32_t j = 0; j < list->count;
                     j++) /* it is computed there anyway */
                    if (list->at[j].group == use.group) use = list->at[j];
            use_add(f, node->arg[i],
                    f->fate[v] == FATE_MAIN ? use : operand_use(f, node, i, use));
        }
    }
}

bool use_is_in(const Fuse *f, Val v, uint32_t g) {
    for (uint32_t i = 0; i < f->uses[v].count; i++)
        if (f->uses[v].at[i].group == g) return true;
    return false;
}
