/*
 * The gradient through a repeat is a repeat that runs backwards.
 *
 * The forward loop is emitted again with the history of its carries: one more carry each,
 * a stack to which iteration i writes what it was given.  Iteration j of the backward
 * loop reads it at i = count - 1 - j, computes the body again, and sweeps through it:
 *
 *     carries      adjoints of the forward carries; sums of the adjoints of invariants
 *     invariants   histories, and the forward loop's own invariants
 *
 * Only the carries that the sweep reads get a history, and only one: a carry that is the
 * history of another is recognised, so the gradient of a gradient adds no second stack.
 */
#include "passes/body.h"
#include "passes/gradient.h"

typedef struct Loop {
    Sweep *s;
    const Node *node;
    const Val *part; /* [carries] adjoints of the results */
    Func *body;
    int64_t count;
    uint32_t carries, params; /* of the body */
    bool *wanted;             /* [carries] its adjoint is carried backwards */
    bool *useful;             /* [params] receives an adjoint */
} Loop;

void grad_get(Sweep *s, Val v, const Node *node, Val g) {
    const Val tuple = node->arg[0];
    const int64_t index = node_int(node, ATTR_index, 0);
    if (!s->part[tuple]) {
        const uint32_t parts = graph_type(s->b.func, tuple)->parts;
        s->part[tuple] = arena_array(s->scratch, Val, parts);
        memset(s->part[tuple], 0xff, parts * sizeof(Val)); /* NO_VAL */
    }
    Val *at = &s->part[tuple][index];
    *at = *at == NO_VAL ? g : build_add(&s->b, *at, g);
}

/* Which values of the body depend on an active one: to a fixed point over the carries. */
static const bool *body_active(const Loop *l) {
    Sweep probe;
    sweep_begin(&probe, l->body, l->s->scratch, l->s->b.span);
    for (uint32_t i = 1; i < l->params; i++)
        probe.active[i] = sweep_wants(l->s, l->node->arg[i - 1]) &&
                          elem_is_float(graph_type(l->body, i)->elem);
    for (bool grown = true; grown;) {
        grown = false;
        sweep_activate(&probe);
        for (uint32_t k = 0; k < l->carries; k++)
            if (probe.active[l->body->results.at[k]] && !probe.active[1 + k])
                probe.active[1 + k] = grown = true;
    }
    return probe.active;
}

/* Which active parameters reach a wanted result; their carries are wanted in turn. */
static void find_useful(Loop *l) {
    const bool *active = body_active(l);
    const uint32_t nodes = l->body->nodes.count;
    bool *reached = arena_array(l->s->scratch, bool, nodes);
    for (uint32_t k = 0; k < l->carries; k++)
        l->wanted[k] = l->part[k] != NO_VAL && active[l->body->results.at[k]];
    for (bool grown = true; grown;) {
        grown = false;
        for (uint32_t k = 0; k < l->carries; k++)
            if (l->wanted[k]) reached[l->body->results.at[k]] = true;
        for (Val v = nodes; v-- > 0;) {
            const Node *node = graph_node(l->body, v);
            for (uint32_t i = 0; reached[v] && i < node->args; i++)
                reached[node->arg[i]] |= active[node->arg[i]];
        }
        for (uint32_t k = 0; k < l->carries; k++)
            if (reached[1 + k] && !l->wanted[k]) l->wanted[k] = grown = true;
    }
    memcpy(l->useful, reached, l->params * sizeof(bool));
}

static Type stack_type(const Loop *l, const Type *type) {
    Type stack = *type;
    stack.rank++;
    stack.dim[0] = l->count;
    memcpy(stack.dim + 1, type->dim, type->rank * sizeof(Dim));
    return stack;
}

/* No tensor holds carry k of all rounds. */
static void refuse_history(const Loop *l, uint32_t k, const char *why) {
    Text text;
    text_init(&text, l->s->scratch);
    type_print(&l->body->module->dims, graph_type(l->body, 1 + k), &text);
    diag_error(l->body->module->diag, l->node->span,
               "the gradient of this loop keeps `%s`, %s, of each of its %lld rounds: %s",
               l->body->params.at[1 + k].name, text.at, (long long)l->count, why);
}

static bool histories_have_rank(const Loop *l) {
    for (uint32_t k = 0; k < l->carries; k++) {
        if (graph_type(l->body, 1 + k)->rank < MAX_RANK) continue;
        refuse_history(l, k, "with an axis for the rounds it has too many dimensions");
        return false;
    }
    return true;
}

static bool history_has_extents(const Loop *l, uint32_t k) {
    const Type stack = stack_type(l, graph_type(l->body, 1 + k));
    if (type_count(&l->body->module->dims, &stack) != DIM_OVERFLOW) return true;
    refuse_history(l, k, "more than 2^46 elements");
    return false;
}

/* The body's nodes again in `to`; map[] holds what stands for its parameters. */
static void inline_body(const Func *body, Func *to, Arena *scratch, Val *map) {
    for (Val v = body->params.count; v < body->nodes.count; v++) {
        const Node *node = graph_node(body, v);
        Val *arg = arena_array(scratch, Val, node->args);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = map[node->arg[i]];
        map[v] = graph_emit_like(to, node, arg);
    }
}

static Val add_param(Func *to, const Loop *l, uint32_t of, const char *suffix,
                     Type type) {
    const Port *port = &l->body->params.at[of];
    const char *name = arena_print(to->module->arena, "%s%s", port->name, suffix);
    return func_param(to, name, ROLE_INPUT, type, port->span);
}

/*
 * The backward body with a history for every carry.  Parameters: the iteration; an
 * adjoint for each wanted carry; a sum for each useful invariant; histories; invariants.
 */
static Func *backward_body(const Loop *l) {
    Arena *scratch = l->s->scratch;
    Module *module = l->body->module;
    Func *to = body_new(module, arena_print(module->arena, "%s_grad", l->body->name));
    Builder b = {to, l->s->b.span};
    Val *map = arena_array(scratch, Val, l->body->nodes.count);
    Val *adjoint = arena_array(scratch, Val, l->params);
    const Val j = func_param(to, "j", ROLE_INPUT, type_scalar(ELEM_i32), b.span);
    for (uint32_t i = 1; i < l->params; i++)
        if (i <= l->carries ? l->wanted[i - 1] : l->useful[i])
            adjoint[i] = add_param(to, l, i, ".g", *graph_type(l->body, i));
    for (uint32_t i = 1; i <= l->carries; i++)
        map[i] = add_param(to, l, i, ".all", stack_type(l, graph_type(l->body, i)));
    for (uint32_t i = l->carries + 1; i < l->params; i++)
        map[i] = add_param(to, l, i, "", *graph_type(l->body, i));

    const Val last = build_const(&b, ELEM_i32, (double)(l->count - 1));
    map[0] = build_sub(&b, last, j);
    for (uint32_t i = 1; i <= l->carries; i++)
        map[i] = build_op(&b, OP_read_at, (Val[]){map[i], map[0]}, 2, NULL, 0);
    inline_body(l->body, to, scratch, map);

    Sweep inner;
    sweep_begin(&inner, to, scratch, b.span);
    for (uint32_t i = 1; i < l->params; i++) inner.active[map[i]] |= l->useful[i];
    sweep_activate(&inner);
    for (uint32_t k = 0; k < l->carries; k++)
        if (l->wanted[k]) sweep_add(&inner, map[l->body->results.at[k]], adjoint[1 + k]);
    sweep_run(&inner);

    VEC(Val) result = {0};
    for (uint32_t i = 1; i < l->params; i++) {
        const bool carry = i <= l->carries;
        if (!(carry ? l->wanted[i - 1] : l->useful[i])) continue;
        Val g = l->useful[i] ? inner.adjoint[map[i]] : NO_VAL;
        if (!carry)
            g = g == NO_VAL ? adjoint[i] : build_add(&inner.b, adjoint[i], g);
        else if (g == NO_VAL)
            g = build_zeros(&inner.b, graph_type(l->body, i));
        vec_push(scratch, &result, g);
    }
    const Val *moved = sweep_settle(&inner);
    for (uint32_t i = 0; i < result.count; i++)
        func_result(to, to->params.at[1 + i].name, ROLE_OUTPUT,
                    settled(moved, result.at[i]), -1);
    return to;
}

/* `from` without the nodes and the invariants that it does not read. */
static Func *pruned(const Func *from, const bool *live, Arena *scratch) {
    Func *to = body_new(from->module, from->name);
    Val *map = arena_array(scratch, Val, from->nodes.count);
    for (uint32_t i = 0; i < from->params.count; i++) {
        const Port *port = &from->params.at[i];
        if (i <= from->results.count || live[i])
            map[i] = func_param(to, port->name, port->role, port->type, port->span);
    }
    for (Val v = from->params.count; v < from->nodes.count; v++) {
        const Node *node = graph_node(from, v);
        if (!live[v]) continue;
        Val *arg = arena_array(scratch, Val, node->args);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = map[node->arg[i]];
        map[v] = graph_emit_like(to, node, arg);
    }
    for (uint32_t i = 0; i < from->results.count; i++)
        func_result(to, from->outputs.at[i].name, ROLE_OUTPUT, map[from->results.at[i]],
                    -1);
    return to;
}

/* The carry that is the history of carry k, or -1. */
static int64_t history_of(const Loop *l, uint32_t k) {
    for (uint32_t h = 0; h < l->carries; h++) {
        const Node *node = graph_node(l->body, l->body->results.at[h]);
        if (node->op == OP_write_at && node->arg[0] == 1 + h && node->arg[1] == 0 &&
            node->arg[2] == 1 + k)
            return h;
    }
    return -1;
}

/* The forward body with a history for each carry in `keep`. */
static Func *keeping_body(const Loop *l, const bool *keep) {
    Arena *scratch = l->s->scratch;
    Module *module = l->body->module;
    Func *to = body_new(module, arena_print(module->arena, "%s_kept", l->body->name));
    Val *map = arena_array(scratch, Val, l->body->nodes.count);
    Val *stack = arena_array(scratch, Val, l->carries);
    for (uint32_t i = 0; i <= l->carries; i++)
        map[i] = add_param(to, l, i, "", *graph_type(l->body, i));
    for (uint32_t k = 0; k < l->carries; k++)
        if (keep[k])
            stack[k] = add_param(to, l, 1 + k, ".all",
                                 stack_type(l, graph_type(l->body, 1 + k)));
    for (uint32_t i = l->carries + 1; i < l->params; i++)
        map[i] = add_param(to, l, i, "", *graph_type(l->body, i));
    inline_body(l->body, to, scratch, map);
    for (uint32_t k = 0; k < l->carries; k++)
        func_result(to, l->body->outputs.at[k].name, ROLE_OUTPUT,
                    map[l->body->results.at[k]], -1);
    Builder b = {to, l->s->b.span};
    for (uint32_t k = 0; k < l->carries; k++) {
        if (!keep[k]) continue;
        const Val arg[] = {stack[k], map[0], map[1 + k]};
        const Val all = build_op(&b, OP_write_at, arg, 3, NULL, 0);
        func_result(to, to->params.at[stack[k]].name, ROLE_OUTPUT, all, -1);
    }
    return to;
}

/* The forward loop again, with a history for each carry in `keep`. */
static Val keeping_repeat(const Loop *l, const bool *keep) {
    Sweep *s = l->s;
    VEC(Val) arg = {0};
    for (uint32_t i = 0; i < l->carries; i++) vec_push(s->scratch, &arg, l->node->arg[i]);
    for (uint32_t k = 0; k < l->carries; k++) {
        if (!keep[k]) continue;
        const Type type = stack_type(l, graph_type(l->body, 1 + k));
        vec_push(s->scratch, &arg, build_zeros(&s->b, &type));
    }
    const uint32_t carries = arg.count;
    for (uint32_t i = l->carries; i < l->node->args; i++)
        vec_push(s->scratch, &arg, l->node->arg[i]);
    return body_repeat(s->b.func, keeping_body(l, keep), l->count, -1, carries, arg.at,
                       arg.count, s->b.span);
}

/* stack[k]: the history of each carry in `read`, from a loop that keeps it. */
static void find_histories(const Loop *l, Val v, const bool *read, Val *stack) {
    Sweep *s = l->s;
    bool *keep = arena_array(s->scratch, bool, l->carries);
    bool any = false;
    for (uint32_t k = 0; k < l->carries; k++)
        any |= keep[k] = read[k] && history_of(l, k) < 0;
    Val loop = v;
    if (any) {
        loop = keeping_repeat(l, keep);
        vec_push(s->scratch, &s->swaps, (Swap){v, loop});
    }
    int64_t next = l->carries;
    for (uint32_t k = 0; k < l->carries; k++)
        if (read[k])
            stack[k] = build_get(&s->b, loop, keep[k] ? next++ : history_of(l, k));
}

static void emit_backward(const Loop *l, Val v) {
    Sweep *s = l->s;
    Arena *scratch = s->scratch;
    const Func *all = backward_body(l);
    const bool *live = func_live(all, scratch);
    Func *body = pruned(all, live, scratch);
    const uint32_t adjoints = all->results.count;
    const bool *read = live + 1 + adjoints;
    for (uint32_t k = 0; k < l->carries; k++)
        if (read[k] && history_of(l, k) < 0 && !history_has_extents(l, k)) return;
    Val *stack = arena_array(scratch, Val, l->carries);
    find_histories(l, v, read, stack);

    VEC(Val) arg = {0};
    for (uint32_t i = 1; i < l->params; i++) {
        const bool carry = i <= l->carries;
        if (!(carry ? l->wanted[i - 1] : l->useful[i])) continue;
        const bool given = carry && l->part[i - 1] != NO_VAL;
        vec_push(scratch, &arg,
                 given ? l->part[i - 1] : build_zeros(&s->b, graph_type(l->body, i)));
    }
    for (uint32_t k = 0; k < l->carries; k++)
        if (live[1 + adjoints + k]) vec_push(scratch, &arg, stack[k]);
    for (uint32_t i = l->carries; i < l->node->args; i++)
        if (live[1 + adjoints + i]) vec_push(scratch, &arg, l->node->arg[i]);
    const Val back = body_repeat(s->b.func, body, l->count, -1, adjoints, arg.at,
                                 arg.count, s->b.span);
    int64_t index = 0;
    for (uint32_t i = 1; i < l->params; i++) {
        if (!(i <= l->carries ? l->wanted[i - 1] : l->useful[i])) continue;
        if (sweep_wants(s, l->node->arg[i - 1]))
            sweep_add(s, l->node->arg[i - 1], build_get(&s->b, back, index));
        index++;
    }
}

void grad_repeat(Sweep *s, Val v, const Node *node, Val g) {
    Loop l = {.s = s, .node = node, .part = s->part[v], .body = body_of(node)};
    if (node_attr(node, ATTR_while)) {
        diag_error(s->b.func->module->diag, node->span,
                   "no gradient through a loop that may end early");
        return;
    }
    l.count = node_int(node, ATTR_count, 0);
    l.carries = (uint32_t)node_int(node, ATTR_carries, 0);
    if (!l.count) { /* the carries come out as they went in */
        for (uint32_t k = 0; k < l.carries; k++) sweep_add(s, node->arg[k], l.part[k]);
        return;
    }
    l.params = l.body->params.count;
    l.wanted = arena_array(s->scratch, bool, l.carries);
    l.useful = arena_array(s->scratch, bool, l.params);
    find_useful(&l);
    bool any = false;
    for (uint32_t k = 0; k < l.carries; k++) any |= l.wanted[k];
    if (any && histories_have_rank(&l)) emit_backward(&l, v);
}
