/*
 * monotone: takes a maximum before what is monotone and the same for all its elements.
 *
 * Before   %2 = max %zero, %x                        After   %2 = reshape %x {dims = [4, 2]}
 *          %3 = reshape %2 {dims = [4, 2]}                   %3 = reduce_max %2 {axes = [1]}
 *          %4 = reduce_max %3 {axes = [1]}                   %4 = max %zero, %3
 *
 * Pooling then sees the convolution's result itself: bias and ReLU are done on what is left,
 * and so are their gradients, which no longer need the values before pooling.
 *
 * Method   a maximum with a constant, and a sum with a value that is broadcast along the
 *          pooled dimensions, move behind the maximum, past one reshape or windows.  Rounding
 *          is monotone, so not a bit changes; nor does a gradient: where ReLU gives zero for
 *          all elements none gets any, else the first to reach the maximum is the same.
 * Needs    stage TYPED: before autodiff, so that gradients profit.
 * Leaves   other users of the moved values as they are: only values used once move.
 */
#include "ir/build.h"
#include "passes/body.h"
#include "passes/pass.h"

/* One value of many, whatever shows it. */
static bool is_splat(const Func *f, Val v, double *value) {
    const Node *node = graph_node(f, v);
    while (op_info[node->op].class == CLASS_MOVE && node->args == 1 && node->op != OP_pad)
        node = graph_node(f, node->arg[0]);
    if (node->op != OP_const || node_attr(node, ATTR_values)->count != 1) return false;
    *value = node_attr(node, ATTR_values)->reals[0];
    return true;
}

/* place[i]: the dimension of `to` that is dimension i of `from` alone; -1: split or joined. */
static void reshape_places(const Type *from, const Type *to, int64_t *place) {
    uint32_t i = 0, j = 0;
    for (uint32_t d = 0; d < from->rank; d++) place[d] = -1;
    while (i < from->rank && j < to->rank) {
        Dim a = from->dim[i], b = to->dim[j];
        if (a == b) {
            place[i++] = j++;
            continue;
        }
        while (a != b) {
            if (!dim_is_const(a) || !dim_is_const(b)) return;
            if (a < b && ++i < from->rank)
                a *= from->dim[i];
            else if (a > b && ++j < to->rank)
                b *= to->dim[j];
            else
                return;
        }
        i++, j++;
    }
}

/* Where the dimensions of `from` stand in the result of `reduce`, seen through `move` (NULL:
 * nothing between); -1: pooled. */
static void pooled_places(const Type *from, const Node *move, const Node *reduce,
                          int64_t *place) {
    for (uint32_t d = 0; d < from->rank; d++) place[d] = d;
    if (move && move->op == OP_reshape) reshape_places(from, &move->type, place);
    const Attr *moved =
        move && move->op == OP_windows ? node_attr(move, ATTR_axes) : NULL;
    const Attr *gone = node_attr(reduce, ATTR_axes);
    for (uint32_t d = 0; d < from->rank; d++) {
        for (uint32_t i = 0; moved && i < moved->count; i++)
            if (moved->ints[i] == d) place[d] = -1;
        int64_t before = 0;
        for (uint32_t i = 0; i < gone->count && place[d] >= 0; i++) {
            if (gone->ints[i] == place[d])
                place[d] = -1;
            else
                before += gone->ints[i] < place[d];
        }
        if (place[d] >= 0) place[d] -= before;
    }
}

typedef struct Site {
    const Func *f;
    const uint32_t *uses;
    const Node *reduce, *move;
    const Val *map;
    Builder b;
} Site;

/* The summand that every pooled element shares, as it stands behind the maximum. */
static Val shared_summand(Site *s, const Node *node, uint32_t arg) {
    const Node *x = graph_node(s->f, node->arg[arg]);
    if (x->op != OP_broadcast) return NO_VAL;
    const Attr *axes = node_attr(x, ATTR_axes);
    int64_t place[MAX_RANK], to[MAX_RANK];
    pooled_places(&node->type, s->move, s->reduce, place);
    for (uint32_t i = 0; i < axes->count; i++) {
        to[i] = place[axes->ints[i]];
        if (to[i] < 0) return NO_VAL;
    }
    return build_broadcast(&s->b, s->map[x->arg[0]], &s->reduce->type, to);
}

static Val pooled(Site *s, Val x);

/* What the maximum over `x` is in terms of the maximum over its operand; NO_VAL: nothing. */
static Val pooled_before(Site *s, Val x) {
    const Node *node = graph_node(s->f, x);
    double value;
    if (s->uses[x] != 1) return NO_VAL;
    if (node->op == OP_max && is_splat(s->f, node->arg[0], &value)) {
        const Val bound = build_fill(&s->b, &s->reduce->type, value);
        return build_max(&s->b, bound, pooled(s, node->arg[1]));
    }
    for (uint32_t i = 0; node->op == OP_add && i < 2; i++) {
        const Val summand = shared_summand(s, node, 1 - i);
        if (summand != NO_VAL) return build_add(&s->b, pooled(s, node->arg[i]), summand);
    }
    return NO_VAL;
}

static Val pooled(Site *s, Val x) {
    Val v = pooled_before(s, x);
    if (v != NO_VAL) return v;
    v = s->map[x];
    if (s->move) v = graph_emit_like(s->b.func, s->move, &v);
    return graph_emit_like(s->b.func, s->reduce, &v);
}

static Val move_maximum(const Rewrite *rewrite, const uint32_t *uses, Val v) {
    const Func *f = rewrite->from;
    const Node *reduce = graph_node(f, v), *move = graph_node(f, reduce->arg[0]);
    Site s = {.f = f, .uses = uses, .reduce = reduce, .map = rewrite->map};
    s.b = (Builder){rewrite->to, reduce->span};
    if ((move->op == OP_reshape || move->op == OP_windows) && uses[reduce->arg[0]] == 1) {
        s.move = move;
        return pooled_before(&s, move->arg[0]);
    }
    return pooled_before(&s, reduce->arg[0]);
}

bool pass_monotone(PassContext *cx, Module *module) {
    for (uint32_t i = 0; i < module->funcs.count; i++) {
        Func *func = module->funcs.at[i];
        const uint32_t *uses = graph_use_counts(func, cx->scratch);
        Rewrite rewrite = rewrite_begin(func, cx->scratch);
        for (Val v = func->params.count; v < func->nodes.count; v++) {
            if (graph_node(func, v)->op == OP_reduce_max)
                rewrite.map[v] = move_maximum(&rewrite, uses, v);
            if (rewrite.map[v] == NO_VAL) rewrite_copy(&rewrite, v);
        }
        rewrite_finish(&rewrite);
        func_compact(func, cx->scratch);
    }
    return true;
}
