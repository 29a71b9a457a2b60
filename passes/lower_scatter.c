/*
 * scatter_add: every task owns a range of places, sets it to zero, goes through all updates
 * in order and adds those that fall into its range.  Nobody writes where another does, and
 * each sum has the order of the updates, whatever the number of threads.
 *
 *   result [batch, before, places, inner]   index [batch, updates]
 *                                           update [batch, before, updates, inner]
 */
#include "passes/nest.h"

/* Elements of the result that a task owns at least. */
#define OWN_ELEMENTS 16384

typedef struct Scatter {
    Arena *arena;
    Emitter *e;
    Block *body;
    const Buffer *index, *update, *result;
    const Expr *batch, *before, *places, *updates, *inner; /* extents */
    uint32_t lanes;
} Scatter;

static const Expr *product(Emitter *e, Arena *arena, const Type *type, uint32_t from,
                           uint32_t to) {
    const Expr *x = expr_int(arena, 1);
    for (uint32_t i = from; i < to; i++)
        x = expr_scalar(arena, OP_mul, x, emit_dim(e, type->dim[i]));
    return x;
}

static const Expr *times(Scatter *s, const Expr *x, const Expr *y) {
    return expr_scalar(s->arena, OP_mul, x, y);
}

/* result[to + i] = x + (what is there, where `update` is at `from`), for i < inner */
static void add_row(Scatter *s, Block *block, const Expr *to, const Expr *from) {
    Arena *a = s->arena;
    Stretch stretch[MAX_STRETCHES];
    uint32_t count = domain_stretches(s->e, expr_int(a, 0), s->inner, s->lanes, stretch);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t lanes = stretch[i].lanes;
        const Var *at = var_index(a, "i");
        const Expr *place = expr_add(a, to, expr_var(a, at));
        const Expr *sum = expr_num(a, s->result->elem, lanes, 0);
        Block body = block_new(a);
        if (from) {
            const Expr *more = expr_load(a, s->update, expr_add(a, from, expr_var(a, at)),
                                         lanes, 1, NULL);
            sum = expr_load(a, s->result, place, lanes, 1, NULL);
            sum = expr_scalar(a, OP_add, sum, more);
        }
        block_store(&body, s->result, place, sum, 1, NULL);
        block_for(block, at, stretch[i].begin, stretch[i].end, lanes, 0,
                  block_end(&body));
    }
}

/* The updates of one (batch, before), those in [low, high) added. */
static void add_updates(Scatter *s, const Expr *batch, const Expr *row, const Expr *low,
                        const Expr *high) {
    Arena *a = s->arena;
    const Var *place = var_index(a, "place"), *number = var_index(a, "update");
    Block zero = block_new(a), each = block_new(a), add = block_new(a);
    const Expr *base = block_let(s->body, "base", times(s, row, s->places));
    const Expr *to = expr_add(a, base, expr_var(a, place));
    add_row(s, &zero, times(s, to, s->inner), NULL);
    block_for(s->body, place, low, high, 1, 0, block_end(&zero));
    const Expr *j = expr_var(a, number);
    const Expr *at = expr_add(a, times(s, batch, s->updates), j);
    const Expr *key = expr_load(a, s->index, at, 1, 1, NULL);
    key = block_let(&each, "key", expr_index(a, expr_cast(a, key, ELEM_i32)));
    const Expr *here = expr_scalar(a, OP_and, expr_scalar(a, OP_ge, key, low),
                                   expr_scalar(a, OP_lt, key, high));
    const Expr *from = expr_add(a, times(s, row, s->updates), j);
    add_row(s, &add, times(s, expr_add(a, base, key), s->inner),
            times(s, from, s->inner));
    block_if(&each, here, block_end(&add), NULL);
    block_for(s->body, number, expr_int(a, 0), s->updates, 1, 0, block_end(&each));
}

void lower_scatter(Draft *draft, Val v) {
    Arena *a = draft->arena;
    const Func *group = draft->group;
    const Node *node = graph_node(group, v);
    const Type *index = graph_type(group, node->arg[0]), *to = &node->type;
    const Type *update = graph_type(group, node->arg[1]);
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis, 0);
    uint32_t batch = (uint32_t)node_int(node, ATTR_batch, 0);
    DraftKernel k = draft_kernel(draft, "scatter");
    Block body = block_new(a);
    Emitter *e = k.emitter;
    Scatter s = {.arena = a, .e = e, .body = &body, .lanes = target_lanes(draft->target)};
    s.index = draft_buffer(&k, OPERAND_PARAM, node->arg[0], index->elem, false);
    s.update = draft_buffer(&k, OPERAND_PARAM, node->arg[1], update->elem, false);
    s.result = draft_buffer(&k, OPERAND_RESULT, 0, to->elem, true);
    s.batch = product(e, a, to, 0, batch);
    s.before = product(e, a, to, batch, axis);
    s.places = emit_dim(e, to->dim[axis]);
    s.updates = product(e, a, index, batch, index->rank);
    s.inner = product(e, a, to, axis + 1, to->rank);
    int64_t inner = 1;
    for (uint32_t i = axis + 1; i < to->rank; i++)
        inner *= dim_max(&group->module->dims, to->dim[i]);
    const Expr *own = expr_int(a, OWN_ELEMENTS / inner + 1);
    const Expr *pieces = expr_add(a, s.places, expr_add(a, own, expr_int(a, -1)));
    pieces = expr_scalar(a, OP_div, pieces, own);
    const Expr *task = expr_var(a, k.kernel->task);
    const Expr *row = block_let(&body, "row", expr_scalar(a, OP_div, task, pieces));
    const Expr *low = times(&s, expr_scalar(a, OP_mod, task, pieces), own);
    low = block_let(&body, "low", low);
    const Expr *high = expr_scalar(a, OP_min, expr_add(a, low, own), s.places);
    add_updates(&s, expr_scalar(a, OP_div, row, s.before), row, low,
                block_let(&body, "high", high));
    draft_end(&k, times(&s, times(&s, s.batch, s.before), pieces), &body);
}
