/*
 * Values that are other values at other places: moves, iota, random bits, indexing by data.
 * Out of an operand's range the place is clamped, so that the load is safe, and the value
 * selected away.
 */
#include "passes/emitter.h"

static int64_t int_at(const Node *node, AttrKey key, uint32_t i, int64_t otherwise) {
    const Attr *attr = node_attr(node, key);
    return attr && i < attr->count ? attr->ints[i] : otherwise;
}

static void raise_level(uint32_t *level, const Index *x) {
    if (index_level(x) > *level) *level = index_level(x);
}

static const Expr *both(Emitter *e, const Expr *x, const Expr *y) {
    return x ? expr_scalar(e->arena, OP_and, x, y) : y;
}

/* ---- affine moves: one operand, one place ---- */

static void place_broadcast(Emitter *e, const Node *node, const Type *from,
                            const Index *const *at, const Index **place) {
    for (uint32_t i = 0; i < from->rank; i++)
        place[i] =
            from->dim[i] == 1 ? index_int(e, 0) : at[int_at(node, ATTR_axes, i, i)];
}

static void place_transpose(const Node *node, const Index *const *at,
                            const Index **place) {
    for (uint32_t i = 0; i < node->type.rank; i++)
        place[int_at(node, ATTR_axes, i, i)] = at[i];
}

static void place_slice(Emitter *e, const Node *node, const Index *const *at,
                        const Index **place) {
    for (uint32_t i = 0; i < node->type.rank; i++) {
        const Index *step = index_scale(e, at[i], int_at(node, ATTR_strides, i, 1));
        place[i] = index_add(e, step, index_int(e, int_at(node, ATTR_starts, i, 0)));
    }
}

static void place_windows(Emitter *e, const Node *node, const Type *from,
                          const Index *const *at, const Index **place) {
    const Attr *axes = node_attr(node, ATTR_axes);
    for (uint32_t i = 0; i < from->rank; i++) place[i] = at[i];
    for (uint32_t i = 0; i < axes->count; i++) {
        int64_t axis = axes->ints[i];
        const Index *step = index_scale(e, at[axis], int_at(node, ATTR_strides, i, 1));
        const Index *tap =
            index_scale(e, at[from->rank + i], int_at(node, ATTR_dilations, i, 1));
        place[axis] = index_add(e, step, tap);
    }
}

/* Takes the shortest runs of dimensions of equal size on both sides, from the right. */
static void place_reshape(Emitter *e, const Type *to, const Type *from,
                          const Index *const *at, const Index **place) {
    Dims *dims = &e->func->module->dims;
    uint32_t i = from->rank, j = to->rank;
    while (i || j) {
        uint32_t i_end = i, j_end = j;
        Dim x = i ? from->dim[--i] : 1, y = j ? to->dim[--j] : 1;
        while (x != y) {
            bool grow = dim_max(dims, x) < dim_max(dims, y) || (!j && i);
            if (grow ? !i : !j) bug(e->arena, "a reshape between unequal sizes");
            if (grow)
                x = dim_mul(dims, x, from->dim[--i]);
            else
                y = dim_mul(dims, y, to->dim[--j]);
        }
        Type left = {.rank = i_end - i}, right = {.rank = j_end - j};
        memcpy(left.dim, from->dim + i, sizeof(Dim) * left.rank);
        memcpy(right.dim, to->dim + j, sizeof(Dim) * right.rank);
        index_unravel(e, index_ravel(e, &right, at + j), &left, place + i);
    }
}

/* ---- moves that choose ---- */

static const Expr *pad(Emitter *e, const Node *node, const Index *const *at,
                       uint32_t *level) {
    const Type *from = graph_type(e->func, node->arg[0]);
    const Index *place[MAX_RANK] = {NULL};
    const Expr *inside = NULL;
    for (uint32_t i = 0; i < from->rank; i++) {
        int64_t low = int_at(node, ATTR_low, i, 0),
                step = int_at(node, ATTR_inner, i, 0) + 1;
        place[i] = at[i];
        if (!low && step == 1 && !int_at(node, ATTR_high, i, 0)) continue;
        const Index *moved = index_add(e, at[i], index_int(e, -low));
        const Index *whole = index_div(e, index_clamp(e, moved, node->type.dim[i]), step);
        place[i] = index_clamp(e, whole, from->dim[i]);
        const Index *back = index_scale(e, place[i], step);
        if (back == moved) continue;
        raise_level(level, moved);
        inside = both(e, inside, index_compare(e, OP_eq, back, moved));
    }
    const Expr *x = emit_at(e, node->arg[0], place, level);
    const Attr *value = node_attr(node, ATTR_value);
    if (!inside) return x;
    return expr_select(
        e->arena, inside, x,
        expr_num(e->arena, x->elem, x->lanes, value ? value->reals[0] : 0));
}

static const Expr *concat(Emitter *e, const Node *node, const Index *const *at,
                          uint32_t *level) {
    Dims *dims = &e->func->module->dims;
    int64_t axis = node_int(node, ATTR_axis, 0), low, high;
    Dim start = 0;
    const Index *place[MAX_RANK] = {NULL};
    const Expr *result = NULL;
    memcpy(place, at, sizeof *at * node->type.rank);
    index_range(at[axis], &low, &high);
    for (uint32_t i = 0; i < node->args; i++) {
        Dim extent = graph_type(e->func, node->arg[i])->dim[axis];
        Dim end = dim_add(dims, start, extent);
        const Index *begin = index_scale_dim(e, index_int(e, 1), start);
        const Index *moved = index_add(e, at[axis], index_scale(e, begin, -1));
        bool after = dim_is_const(start) && high < start;
        if (!after && low < dim_max(dims, end)) {
            place[axis] = index_clamp(e, moved, extent);
            const Expr *x = emit_at(e, node->arg[i], place, level);
            if (result) raise_level(level, at[axis]);
            const Expr *here = result ? index_compare(e, OP_ge, at[axis], begin) : NULL;
            result = result ? expr_select(e->arena, here, x, result) : x;
        }
        start = end;
    }
    return result;
}

/* ---- places given by data ---- */

/* The value of `v` at `at` as a place within [0, dim). */
const Index *emit_position(Emitter *e, Val v, const Index *const *at, Dim dim,
                           uint32_t *level) {
    int64_t extent = dim_max(&e->func->module->dims, dim);
    uint32_t own = 0;
    const Expr *x = emit_at(e, v, at, &own);
    if (own > *level) *level = own;
    const Expr *last = expr_add(e->arena, emit_dim(e, dim), expr_int(e->arena, -1));
    x = expr_cast(e->arena, x, ELEM_i32);
    last = expr_cast(e->arena, last, ELEM_i32);
    x = expr_scalar(e->arena, OP_max, x, expr_num(e->arena, ELEM_i32, x->lanes, 0));
    x = expr_scalar(e->arena, OP_min, x, last);
    return x->lanes > 1 ? index_opaque(e, NULL, x, extent, own)
                        : index_opaque(e, expr_index(e->arena, x), NULL, extent, own);
}

static const Expr *gather(Emitter *e, const Node *node, const Index *const *at,
                          uint32_t *level) {
    const Type *from = graph_type(e->func, node->arg[0]);
    const Type *index = graph_type(e->func, node->arg[1]);
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis, 0);
    uint32_t batch = (uint32_t)node_int(node, ATTR_batch, 0);
    uint32_t own = index->rank - batch;
    const Index *key[MAX_RANK] = {NULL}, *place[MAX_RANK] = {NULL};
    for (uint32_t i = 0; i < index->rank; i++)
        key[i] = i < batch ? at[i] : at[axis + i - batch];
    for (uint32_t i = 0; i < from->rank; i++)
        if (i != axis) place[i] = i < axis ? at[i] : at[i + own - 1];
    place[axis] = emit_position(e, node->arg[1], key, from->dim[axis], level);
    return emit_at(e, node->arg[0], place, level);
}

static const Expr *read_at(Emitter *e, const Node *node, const Index *const *at,
                           uint32_t *level) {
    const Type *from = graph_type(e->func, node->arg[0]);
    const Index *place[MAX_RANK] = {NULL};
    for (uint32_t i = 1; i < from->rank; i++) place[i] = at[i - 1];
    place[0] = emit_position(e, node->arg[1], NULL, from->dim[0], level);
    return emit_at(e, node->arg[0], place, level);
}

static const Expr *write_at(Emitter *e, const Node *node, const Index *const *at,
                            uint32_t *level) {
    const Index *i = emit_position(e, node->arg[1], NULL, node->type.dim[0], level);
    const Expr *fresh = emit_at(e, node->arg[2], at + 1, level);
    const Expr *old = emit_at(e, node->arg[0], at, level);
    raise_level(level, at[0]);
    return expr_select(e->arena, index_compare(e, OP_eq, at[0], i), fresh, old);
}

/* ---- sources ---- */

static const Expr *number(Emitter *e, const Expr *like, int64_t value) {
    return expr_num(e->arena, ELEM_i32, like->lanes, (double)value);
}

static const Expr *random_bits(Emitter *e, const Node *node, const Index *const *at,
                               uint32_t *level) {
    const Index *linear = index_ravel(e, &node->type, at);
    const Expr *seed = emit_at(e, node->arg[0], NULL, level);
    const Expr *step = emit_at(e, node->arg[1], NULL, level);
    const Expr *iteration = emit_at(e, node->arg[2], NULL, level);
    raise_level(level, linear);
    const Expr *block = index_vector(e, index_div(e, linear, 4));
    const Expr *word = index_vector(e, index_mod(e, linear, 4));
    const Expr *site = number(e, seed, node_int(node, ATTR_site, 0));
    const Expr *counter[4] = {block, iteration, step, site};
    if (word->kind == EXPR_NUM)
        return expr_bits(e->arena, counter, seed, (uint32_t)word->num);
    const Expr *bits = expr_bits(e->arena, counter, seed, 0);
    for (uint32_t i = 1; i < 4; i++) {
        const Expr *here = expr_scalar(e->arena, OP_eq, word, number(e, word, i));
        bits = expr_select(e->arena, here, expr_bits(e->arena, counter, seed, i), bits);
    }
    return bits;
}

static const Expr *iota(Emitter *e, const Node *node, const Index *const *at,
                        uint32_t *level) {
    const Index *i = at[node_int(node, ATTR_axis, 0)];
    raise_level(level, i);
    return expr_cast(e->arena, index_vector(e, i), node->type.elem);
}

const Expr *emit_move(Emitter *e, Val v, const Index *const *at, uint32_t *level) {
    const Node *node = graph_node(e->func, v);
    const Type *from = node->args ? graph_type(e->func, node->arg[0]) : NULL;
    const Index *place[MAX_RANK] = {NULL};
    switch ((int)node->op) {
    case OP_iota: return iota(e, node, at, level);
    case OP_random: return random_bits(e, node, at, level);
    case OP_pad: return pad(e, node, at, level);
    case OP_concat: return concat(e, node, at, level);
    case OP_gather: return gather(e, node, at, level);
    case OP_scatter_add: return emit_reduction(e, v, at, level);
    case OP_read_at: return read_at(e, node, at, level);
    case OP_write_at: return write_at(e, node, at, level);
    case OP_broadcast: place_broadcast(e, node, from, at, place); break;
    case OP_reshape: place_reshape(e, &node->type, from, at, place); break;
    case OP_transpose: place_transpose(node, at, place); break;
    case OP_slice: place_slice(e, node, at, place); break;
    case OP_windows: place_windows(e, node, from, at, place); break;
    default: bug(e->arena, "%s has no place of its own", op_info[node->op].name);
    }
    return emit_at(e, node->arg[0], place, level);
}
