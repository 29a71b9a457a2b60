/* The reverse sweep: adjoints from the last node to the first, each rule called once a
 * node (gradient.h). */
#include "passes/gradient.h"

static GradientRule *const rules[OP_COUNT] = {
#define OP(name, args, class, type, gradient, until) grad_##gradient,
#include "ir/ops.def"
#undef OP
};

void sweep_begin(Sweep *s, Func *func, Arena *scratch, Span span) {
    *s = (Sweep){.b = {func, span}, .scratch = scratch, .count = func->nodes.count};
    s->active = arena_array(scratch, bool, s->count);
    s->adjoint = arena_array(scratch, Val, s->count);
    s->part = arena_array(scratch, Val *, s->count);
    memset(s->adjoint, 0xff, s->count * sizeof(Val)); /* NO_VAL */
}

static bool type_flows(const Type *type) {
    for (uint32_t i = 0; i < type->parts; i++)
        if (type_flows(&type->part[i])) return true;
    return !type->parts && elem_is_float(type->elem);
}

void sweep_activate(Sweep *s) {
    for (Val v = 0; v < s->count; v++) {
        const Node *node = graph_node(s->b.func, v);
        if (s->active[v] || rules[node->op] == grad_none || !type_flows(&node->type))
            continue;
        for (uint32_t i = 0; i < node->args; i++) s->active[v] |= s->active[node->arg[i]];
    }
}

void sweep_add(Sweep *s, Val v, Val g) {
    if (g == NO_VAL || !s->active[v]) return;
    Val *at = &s->adjoint[v];
    *at = *at == NO_VAL ? g : build_add(&s->b, *at, g);
}

/* Where the sweep ends, at the values asked for, nothing before is active. */
static bool has_active_operand(const Sweep *s, const Node *node) {
    for (uint32_t i = 0; i < node->args; i++)
        if (s->active[node->arg[i]]) return true;
    return false;
}

void sweep_run(Sweep *s) {
    for (Val v = s->count; v-- > 0;) {
        if (!s->active[v] || (s->adjoint[v] == NO_VAL && !s->part[v])) continue;
        const Node node = *graph_node(s->b.func, v);
        if (!has_active_operand(s, &node)) continue;
        s->b.span = node.span;
        rules[node.op](s, v, &node, s->adjoint[v]);
    }
}

static Val settle(Sweep *s, Rewrite *rewrite, Val v) {
    if (rewrite->map[v] != NO_VAL) return rewrite->map[v];
    for (uint32_t i = 0; i < s->swaps.count; i++)
        if (s->swaps.at[i].old == v)
            return rewrite->map[v] = settle(s, rewrite, s->swaps.at[i].by);
    const Node *node = graph_node(rewrite->from, v);
    for (uint32_t i = 0; i < node->args; i++) settle(s, rewrite, node->arg[i]);
    return rewrite_copy(rewrite, v);
}

const Val *sweep_settle(Sweep *s) {
    if (!s->swaps.count) return NULL;
    Rewrite rewrite = rewrite_begin(s->b.func, s->scratch);
    for (Val v = 0; v < s->b.func->nodes.count; v++) settle(s, &rewrite, v);
    rewrite_finish(&rewrite);
    return rewrite.map;
}

Val build_zeros(Builder *b, const Type *type) {
    return build_fill(b, type, 0);
}

void grad_none(Sweep *s, Val v, const Node *node, Val g) {}

void grad_same(Sweep *s, Val v, const Node *node, Val g) {
    sweep_add(s, node->arg[0], g);
}
