/*
 * Values that join many places: reductions, folds, scatters, contractions.  Short ones are
 * written out; others become loops in the outermost scope that knows their place, vectors
 * along their last axis where that is contiguous and no vector is used outside.  Reductions
 * over the same elements share one loop.
 */
#include "passes/emitter.h"
#include <math.h>

#define MAX_JOINT   8
#define MAX_WRITTEN 16 /* places of a reduction that is written out */

typedef struct Reduction {
    Emitter *e;
    const Index *const *at;
    uint32_t count; /* reductions that share the loop */
    Val v[MAX_JOINT];
    Domain domain;
    uint32_t own_rank; /* of the reduced places */
    Dim own[MAX_AXES];
    uint32_t level;
    bool vectors;
} Reduction;

/* What has been joined so far, one a reduction; for argmax also the place. */
typedef struct Joined {
    const Expr *value[MAX_JOINT], *place[MAX_JOINT];
} Joined;

/* ---- operands ---- */

static bool is_plain(Op op) {
    return op == OP_sum || op == OP_reduce_max || op == OP_reduce_min || op == OP_argmax;
}

Op emit_reduction_join(Op op) {
    if (op == OP_reduce_max || op == OP_argmax) return OP_max;
    return op == OP_reduce_min ? OP_min : OP_add;
}

static bool is_reduced(const Node *node, uint32_t dim) {
    const Attr *axes = node_attr(node, ATTR_axes);
    for (uint32_t i = 0; i < axes->count; i++)
        if (axes->ints[i] == dim) return true;
    return false;
}

static const Expr *plain_operand(Reduction *r, const Node *node, const Index *const *own,
                                 uint32_t *level) {
    const Type *from = graph_type(r->e->func, node->arg[0]);
    const Index *place[MAX_RANK] = {NULL};
    for (uint32_t i = 0, kept = 0, reduced = 0; i < from->rank; i++)
        place[i] = is_reduced(node, i) ? own[reduced++] : r->at[kept++];
    return emit_at(r->e, node->arg[0], place, level);
}

/* The position that `numerator / divisor` names, clamped, and whether it is one. */
static const Index *checked(Emitter *e, const Index *numerator, int64_t divisor, Dim dim,
                            const Expr **inside, uint32_t *level) {
    Dims *dims = &e->func->module->dims;
    Dim reach = dim_mul(dims, dim, divisor);
    const Index *place = index_div(e, index_clamp(e, numerator, reach), divisor);
    const Index *back = index_scale(e, place, divisor);
    if (back == numerator) return place;
    if (index_level(numerator) > *level) *level = index_level(numerator);
    const Expr *here = index_compare(e, OP_eq, back, numerator);
    *inside = *inside ? expr_scalar(e->arena, OP_and, *inside, here) : here;
    return place;
}

static const Expr *zero_outside(Emitter *e, const Expr *inside, const Expr *x) {
    if (!inside) return x;
    return expr_select(e->arena, inside, x, expr_num(e->arena, x->elem, x->lanes, 0));
}

static const Expr *mapped(Emitter *e, Val v, const AffineMap *map,
                          const Index *const *axis, uint32_t *level) {
    const Type *type = graph_type(e->func, v);
    const Index *place[MAX_RANK] = {NULL};
    const Expr *inside = NULL;
    for (uint32_t i = 0; i < map->rank; i++) {
        const Affine *form = &map->dim[i];
        const Index *sum = index_int(e, form->offset);
        for (uint32_t j = 0; j < map->axes; j++)
            if (form->coefficient[j])
                sum = index_add(e, sum, index_scale(e, axis[j], form->coefficient[j]));
        int64_t divisor = form->divisor > 1 ? form->divisor : 1;
        place[i] = checked(e, sum, divisor, type->dim[i], &inside, level);
    }
    return zero_outside(e, inside, emit_at(e, v, place, level));
}

static bool in_out(const AffineMap *out, uint32_t axis, uint32_t *dim) {
    for (*dim = 0; *dim < out->rank; ++*dim)
        if (out->dim[*dim].coefficient[axis]) return true;
    return false;
}

static const Expr *contract_operand(Reduction *r, const Node *node,
                                    const Index *const *own, uint32_t *level) {
    Emitter *e = r->e;
    const AffineMap *out = node_attr(node, ATTR_out)->map;
    const Index *axis[MAX_AXES];
    for (uint32_t i = 0, reduced = 0, dim; i < out->axes; i++)
        axis[i] = in_out(out, i, &dim) ? r->at[dim] : own[reduced++];
    const Expr *x = mapped(e, node->arg[0], node_attr(node, ATTR_a)->map, axis, level);
    const Expr *y = mapped(e, node->arg[1], node_attr(node, ATTR_b)->map, axis, level);
    Elem elem = node->type.elem;
    return expr_scalar(e->arena, OP_mul, expr_cast(e->arena, x, elem),
                       expr_cast(e->arena, y, elem));
}

static const Expr *fold_operand(Reduction *r, const Node *node, const Index *const *own,
                                uint32_t *level) {
    Emitter *e = r->e;
    const Type *from = graph_type(e->func, node->arg[0]);
    const Attr *axes = node_attr(node, ATTR_axes);
    const Attr *strides = node_attr(node, ATTR_strides);
    const Attr *dilations = node_attr(node, ATTR_dilations);
    const Index *place[MAX_RANK] = {NULL};
    const Expr *inside = NULL;
    uint32_t rank = from->rank - axes->count;
    for (uint32_t i = 0; i < rank; i++) place[i] = r->at[i];
    for (uint32_t i = 0; i < axes->count; i++) {
        int64_t axis = axes->ints[i], dilation = dilations ? dilations->ints[i] : 1;
        const Index *start = index_add(e, r->at[axis], index_scale(e, own[i], -dilation));
        place[axis] = checked(e, start, strides ? strides->ints[i] : 1, from->dim[axis],
                              &inside, level);
        place[rank + i] = own[i];
    }
    return zero_outside(e, inside, emit_at(e, node->arg[0], place, level));
}

static const Expr *scatter_operand(Reduction *r, const Node *node,
                                   const Index *const *own, uint32_t *level) {
    Emitter *e = r->e;
    const Type *index = graph_type(e->func, node->arg[0]);
    const Type *from = graph_type(e->func, node->arg[1]);
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis, 0);
    uint32_t batch = (uint32_t)node_int(node, ATTR_batch, 0), many = index->rank - batch;
    const Index *key[MAX_RANK] = {NULL}, *place[MAX_RANK] = {NULL};
    for (uint32_t i = 0; i < index->rank; i++)
        key[i] = i < batch ? r->at[i] : own[i - batch];
    for (uint32_t i = 0; i < from->rank; i++)
        place[i] = i < axis          ? r->at[i]
                   : i < axis + many ? own[i - axis]
                                     : r->at[i - many + 1];
    const Expr *k = expr_cast(e->arena, emit_at(e, node->arg[0], key, level), ELEM_i32);
    const Expr *x = emit_at(e, node->arg[1], place, level);
    if (index_level(r->at[axis]) > *level) *level = index_level(r->at[axis]);
    const Expr *here = expr_scalar(e->arena, OP_eq, k, index_vector(e, r->at[axis]));
    return zero_outside(e, here, x);
}

static const Expr *operand(Reduction *r, Val v, const Index *const *own) {
    const Node *node = graph_node(r->e->func, v);
    uint32_t level = 0;
    if (is_plain(node->op)) return plain_operand(r, node, own, &level);
    if (node->op == OP_fold) return fold_operand(r, node, own, &level);
    if (node->op == OP_scatter_add) return scatter_operand(r, node, own, &level);
    return contract_operand(r, node, own, &level);
}

/* The extents of the reduced places. */
static void own_dims(Reduction *r, const Node *node) {
    const Func *func = r->e->func;
    const Type *from = graph_type(func, node->arg[0]);
    uint32_t dim;
    if (node->op == OP_contract) {
        const Attr *dims = node_attr(node, ATTR_dims);
        const AffineMap *out = node_attr(node, ATTR_out)->map;
        for (uint32_t i = 0; i < out->axes; i++)
            if (!in_out(out, i, &dim)) r->own[r->own_rank++] = dims->ints[i];
        return;
    }
    uint32_t first = node->op == OP_fold ? node->type.rank
                     : node->op == OP_scatter_add
                         ? (uint32_t)node_int(node, ATTR_batch, 0)
                         : 0;
    for (uint32_t i = first; i < from->rank; i++)
        if (!is_plain(node->op) || is_reduced(node, i))
            r->own[r->own_rank++] = from->dim[i];
}

/* ---- joining ---- */

static double neutral(Op join, Elem elem) {
    if (join == OP_add) return 0;
    bool low = join == OP_max;
    switch (elem) {
    case ELEM_bool: return !low;
    case ELEM_u8: return low ? 0 : 255;
    case ELEM_i32: return low ? INT32_MIN : INT32_MAX;
    case ELEM_f32:
    case ELEM_f64:
    case ELEM_COUNT: break;
    }
    return low ? -INFINITY : INFINITY;
}

static const Expr *own_number(Reduction *r, const Index *const *own) {
    Type type = {.rank = r->own_rank};
    memcpy(type.dim, r->own, sizeof(Dim) * r->own_rank);
    return index_vector(r->e, index_ravel(r->e, &type, own));
}

/* Joins `value` (at `place`, for argmax) to entry i. */
static void join(Reduction *r, Joined *sum, uint32_t i, const Expr *value,
                 const Expr *place, bool ties) {
    Arena *a = r->e->arena;
    Op op = graph_node(r->e->func, r->v[i])->op;
    if (op != OP_argmax) {
        sum->value[i] =
            sum->value[i] ? expr_scalar(a, emit_reduction_join(op), sum->value[i], value)
                          : value;
        return;
    }
    if (!sum->value[i]) {
        sum->value[i] = value;
        sum->place[i] = place;
        return;
    }
    const Expr *better = expr_scalar(a, OP_gt, value, sum->value[i]);
    if (ties) {
        const Expr *equal = expr_scalar(a, OP_eq, value, sum->value[i]);
        const Expr *first = expr_scalar(a, OP_lt, place, sum->place[i]);
        equal = expr_scalar(a, OP_and, equal, first);
        better = expr_scalar(a, OP_or, better, equal);
    }
    sum->value[i] = expr_select(a, better, value, sum->value[i]);
    sum->place[i] = expr_select(a, better, place, sum->place[i]);
}

/* One more place, `own`, for every reduction of the loop. */
static void join_place(Reduction *r, Joined *sum, const Index *const *own) {
    for (uint32_t i = 0; i < r->count; i++) {
        const Expr *x = operand(r, r->v[i], own);
        bool arg = graph_node(r->e->func, r->v[i])->op == OP_argmax;
        join(r, sum, i, x, arg ? own_number(r, own) : NULL, false);
    }
}

/* ---- written out ---- */

static bool is_short(const Reduction *r, int64_t *count) {
    *count = 1;
    for (uint32_t i = 0; i < r->own_rank; i++) {
        if (!dim_is_const(r->own[i]) || r->own[i] > MAX_WRITTEN) return false;
        *count *= r->own[i];
    }
    return *count <= MAX_WRITTEN && *count > 0;
}

static void write_out(Reduction *r, int64_t count, Joined *sum) {
    Emitter *e = r->e;
    for (int64_t step = 0; step < count; step++) {
        const Index *own[MAX_AXES] = {NULL};
        int64_t rest = step;
        for (uint32_t i = r->own_rank; i-- > 0; rest /= r->own[i])
            own[i] = index_int(e, rest % r->own[i]);
        join_place(r, sum, own);
    }
}

/* ---- loops ---- */

typedef struct Sums {
    const Var *value[MAX_JOINT], *place[MAX_JOINT];
} Sums;

static Elem operand_elem(const Reduction *r, uint32_t i) {
    const Node *node = graph_node(r->e->func, r->v[i]);
    return node->op == OP_argmax ? graph_type(r->e->func, node->arg[0])->elem
                                 : node->type.elem;
}

static Sums start_sums(Reduction *r, uint32_t lanes) {
    Arena *a = r->e->arena;
    Block *block = r->e->scope[r->level].block;
    Sums sums = {0};
    for (uint32_t i = 0; i < r->count; i++) {
        Op op = graph_node(r->e->func, r->v[i])->op;
        Elem elem = operand_elem(r, i);
        const char *name = arena_print(a, "s%u", r->v[i]);
        sums.value[i] = block_mutable(
            block, name,
            expr_num(a, elem, lanes, neutral(emit_reduction_join(op), elem)));
        if (op == OP_argmax)
            sums.place[i] = block_mutable(block, arena_print(a, "p%u", r->v[i]),
                                          expr_num(a, ELEM_i32, lanes, 0));
    }
    return sums;
}

static Joined read_sums(Reduction *r, const Sums *sums) {
    Joined now = {0};
    for (uint32_t i = 0; i < r->count; i++) {
        now.value[i] = expr_var(r->e->arena, sums->value[i]);
        if (sums->place[i]) now.place[i] = expr_var(r->e->arena, sums->place[i]);
    }
    return now;
}

static void step_sums(Reduction *r, Block *block, const Sums *sums,
                      const Index *const *axis) {
    const Index *own[MAX_AXES] = {NULL};
    Joined now = read_sums(r, sums);
    domain_places(r->e, &r->domain, axis, own);
    join_place(r, &now, own);
    for (uint32_t i = 0; i < r->count; i++) {
        if (sums->place[i]) { /* both depend on the old value */
            now.place[i] = block_let(block, "place", now.place[i]);
            block_set(block, sums->place[i], now.place[i]);
        }
        block_set(block, sums->value[i], now.value[i]);
    }
}

/* The part of the outermost axis that was asked for. */
static const Home *clip_of(const Reduction *r) {
    const Home *home = &r->e->home[r->v[0]];
    return home->begin && !home->buffer ? home : NULL;
}

static void loops(Reduction *r, Block *block, uint32_t depth, const Index **axis,
                  const Stretch *stretch, const Sums *sums, uint32_t stretches);

static void one_loop(Reduction *r, Block *block, uint32_t depth, const Index **axis,
                     const Stretch *stretch, const Sums *sums, uint32_t stretches,
                     bool last) {
    Emitter *e = r->e;
    Var *var = var_index(e->arena, arena_print(e->arena, "r%u", depth));
    uint32_t lanes = last ? stretch->lanes : 1;
    const Expr *at = last && stretch->once ? stretch->begin : expr_var(e->arena, var);
    const Expr *begin = last ? stretch->begin : expr_int(e->arena, 0);
    const Expr *end = last ? stretch->end : emit_dim(e, r->domain.axis[depth].extent);
    if (!depth && !last && clip_of(r)) begin = clip_of(r)->begin, end = clip_of(r)->end;
    Block body = block_new(e->arena);
    emit_open(e, &body);
    axis[depth] = domain_counter(e, &r->domain, depth, at, lanes);
    if (last)
        step_sums(r, &body, sums, axis);
    else
        loops(r, &body, depth + 1, axis, stretch, sums, stretches);
    emit_close(e);
    if (last && stretch->once)
        block_add(block, block_end(&body));
    else
        block_for(block, var, begin, end, lanes, 0, block_end(&body));
}

/* The loops from axis `depth` on; the last one takes the stretches in turn. */
static void loops(Reduction *r, Block *block, uint32_t depth, const Index **axis,
                  const Stretch *stretch, const Sums *sums, uint32_t stretches) {
    bool last = depth + 1 == r->domain.axes;
    if (!r->domain.axes)
        step_sums(r, block, sums, axis);
    else if (!last)
        one_loop(r, block, depth, axis, stretch, sums, stretches, false);
    for (uint32_t i = 0; i < stretches && last; i++)
        one_loop(r, block, depth, axis, &stretch[i], &sums[i], 1, true);
}

/* The lanes of each stretch, then the stretches. */
static void join_lanes(Reduction *r, const Sums *sums, uint32_t stretches,
                       Joined *total) {
    Arena *a = r->e->arena;
    for (uint32_t s = 0; s < stretches; s++) {
        Joined part = read_sums(r, &sums[s]);
        for (uint32_t i = 0; i < r->count; i++) {
            Op op = graph_node(r->e->func, r->v[i])->op;
            const Expr *value = part.value[i], *place = part.place[i];
            if (r->vectors && value->lanes > 1) {
                value = expr_reduce(a, emit_reduction_join(op), part.value[i]);
                if (place) {
                    const Expr *none = expr_num(a, ELEM_i32, place->lanes, INT32_MAX);
                    const Expr *here = expr_scalar(a, OP_eq, part.value[i], value);
                    place = expr_reduce(a, OP_min, expr_select(a, here, place, none));
                }
            }
            join(r, total, i, value, place, s > 0);
        }
    }
}

static uint32_t outer_lanes(const Reduction *r, uint32_t rank) {
    uint32_t lanes = 1;
    for (uint32_t i = 0; i < rank; i++)
        if (index_lanes(r->at[i]) > lanes) lanes = index_lanes(r->at[i]);
    return lanes;
}

/* Whether the last loop moves along the operand's rows. */
static bool is_contiguous(const Reduction *r) {
    const Node *node = graph_node(r->e->func, r->v[0]);
    if (!is_plain(node->op)) return false;
    return is_reduced(node, graph_type(r->e->func, node->arg[0])->rank - 1);
}

static void make_loops(Reduction *r, uint32_t rank, Joined *total) {
    Emitter *e = r->e;
    Stretch stretch[MAX_STRETCHES];
    Sums sums[MAX_STRETCHES];
    const Index *axis[32];
    uint32_t outside = outer_lanes(r, rank), widest = 1, stretches = 1;
    r->vectors = outside == 1 && is_contiguous(r) && e->lanes > 1;
    if (outside > 1 && is_contiguous(r)) e->row_in_vector = true;
    if (r->domain.axes) {
        Dim extent = r->domain.axis[r->domain.axes - 1].extent;
        bool wide = (dim_is_const(extent) && extent >= 8 * e->lanes) || clip_of(r);
        if (r->vectors) widest = wide ? 4 * e->lanes : e->lanes;
        const Home *clip = r->domain.axes == 1 ? clip_of(r) : NULL;
        stretches = clip ? domain_stretches(e, clip->begin, clip->end, widest, stretch)
                         : domain_stretches(e, expr_int(e->arena, 0), emit_dim(e, extent),
                                            widest, stretch);
    }
    for (uint32_t s = 0; s < stretches; s++)
        sums[s] =
            start_sums(r, r->vectors && r->domain.axes ? stretch[s].lanes : outside);
    loops(r, e->scope[r->level].block, 0, axis, stretch, sums, stretches);
    join_lanes(r, sums, stretches, total);
}

/* ---- reductions that share a loop ---- */

static bool same_elements(const Emitter *e, Val u, Val v) {
    const Node *x = graph_node(e->func, u), *y = graph_node(e->func, v);
    if (!is_plain(x->op) || !is_plain(y->op)) return false;
    if (e->home[u].begin != e->home[v].begin || (e->home[u].buffer && !e->home[u].begin))
        return false;
    return !e->bound[u] &&
           type_same_shape(graph_type(e->func, x->arg[0]),
                           graph_type(e->func, y->arg[0])) &&
           attr_equal(node_attr(x, ATTR_axes), node_attr(y, ATTR_axes));
}

static void find_siblings(Reduction *r, Arena *arena) {
    const Func *func = r->e->func;
    for (Val u = 0; u < func->nodes.count && r->count < MAX_JOINT; u++) {
        uint32_t level;
        bool free =
            u != r->v[0] && op_info[graph_node(func, u)->op].class == CLASS_REDUCE &&
            same_elements(r->e, u, r->v[0]) && !emit_recall(r->e, u, r->at, &level);
        for (uint32_t i = 0; i < r->count && free; i++) {
            free = !graph_depends(func, u, r->v[i], arena) &&
                   !graph_depends(func, r->v[i], u, arena);
        }
        if (free) r->v[r->count++] = u;
    }
}

/* ---- the reduction ---- */

static uint32_t domain_id(Val v) {
    return (v + 1) * MAX_AXES;
}

Domain emit_reduction_domain(Emitter *e, Val v) {
    Reduction r = {.e = e};
    own_dims(&r, graph_node(e->func, v));
    return domain_new(e, domain_id(v), r.own_rank, r.own);
}

const Expr *emit_reduction(Emitter *e, Val v, const Index *const *at, uint32_t *level) {
    const Node *node = graph_node(e->func, v);
    Reduction r = {.e = e, .at = at, .count = 1, .v = {v}};
    Joined total = {0};
    int64_t count;
    for (uint32_t i = 0; i < node->type.rank; i++)
        if (index_level(at[i]) > r.level) r.level = index_level(at[i]);
    if (e->bound_level > r.level) r.level = e->bound_level;
    own_dims(&r, node);
    r.domain = domain_new(e, domain_id(v), r.own_rank, r.own);
    if (is_plain(node->op)) find_siblings(&r, e->arena);
    if (is_short(&r, &count) && !e->home[v].begin &&
        (outer_lanes(&r, node->type.rank) > 1 || count <= 4))
        write_out(&r, count, &total);
    else
        make_loops(&r, node->type.rank, &total);
    *level = r.level;
    const Expr *result = NULL;
    for (uint32_t i = 0; i < r.count; i++) {
        bool arg = graph_node(e->func, r.v[i])->op == OP_argmax;
        const Expr *x = arg ? total.place[i] : total.value[i];
        if (i == 0)
            result = x;
        else
            emit_keep(e, r.v[i], at, r.level, x);
    }
    return result;
}
