/*
 * hoist: moves what does not change out of repeat.
 *
 * Before   body @step(%i, %x, %w) -> (x = %4) {     %2 = repeat %x, %w {count = 9, carries = 1}
 *            %3 = sum %w {axes = [0]}
 *            %4 = mul %x, %3 }
 * After    body @step(%i, %x, %3) -> (x = %4) {     %2 = sum %w {axes = [0]}
 *            %4 = mul %x, %3 }                      %3 = repeat %x, %2 {count = 9, carries = 1}
 *
 * Method   innermost loops first.  A value is invariant when its operands are; a carry that
 *          every iteration hands on as it came is an invariant too.  Not all of it is worth
 *          a tensor that each iteration reads: constants, views, and cheap arithmetic on one
 *          operand stay in the body, where they fuse.  A loop with `while` may run no round:
 *          what only it needs stays in it.
 * Needs    pure ops.
 * Leaves   bodies whose invariants are distinct values.  Parameters that became unused stay
 *          for dce.
 */
#include "passes/body.h"
#include "passes/pass.h"

typedef struct Hoist {
    Arena *scratch;
    VEC(Func *) done;
} Hoist;

/* One repeat of the function being rewritten. */
typedef struct Loop {
    const Func *body;
    uint32_t carries;
    const Val
        *outer; /* [params of the body], from 1: the value given, in the new function */
    bool *invariant; /* [nodes] */
    bool *costly;    /* [nodes] worth computing once */
    uint8_t *leaves; /* [nodes] parameters an invariant reads, counted up to 2 */
    bool *inside;    /* [nodes] computed in the body */
    bool *moved;     /* [nodes] computed before the loop and given to it */
    bool *fixed;     /* [carries] never changes */
} Loop;

static bool op_is_costly(Op op) {
    switch (op_info[op].class) {
    case CLASS_INDEX:
    case CLASS_REDUCE:
    case CLASS_CONTRACT:
    case CLASS_CONTROL: return true;
    case CLASS_SOURCE: return op == OP_random;
    case CLASS_MOVE: return false;
    case CLASS_ELEMWISE: break;
    }
    return op == OP_exp || op == OP_log || op == OP_tanh || op == OP_erf ||
           op == OP_sin || op == OP_cos || op == OP_pow;
}

static void find_invariants(Loop *l) {
    const Func *f = l->body;
    for (Val v = 0; v < f->nodes.count; v++) {
        const Node *node = graph_node(f, v);
        if (v < f->params.count) {
            l->invariant[v] = v > l->carries || (v && l->fixed[v - 1]);
            l->leaves[v] = 1;
            continue;
        }
        l->invariant[v] = true;
        l->costly[v] = op_is_costly(node->op);
        for (uint32_t i = 0; i < node->args; i++) {
            const Val x = node->arg[i];
            l->invariant[v] &= l->invariant[x];
            l->costly[v] |= l->costly[x];
            l->leaves[v] =
                l->leaves[v] + l->leaves[x] > 2 ? 2 : l->leaves[v] + l->leaves[x];
        }
    }
}

/* A view is made where it is read: what it shows may still be computed before. */
static bool stays(const Loop *l, Val v) {
    const Node *node = graph_node(l->body, v);
    if (!l->invariant[v]) return true;
    if (op_info[node->op].class == CLASS_MOVE || !node->args) return true;
    return !l->costly[v] && l->leaves[v] < 2;
}

/* From the results back: what the body computes, and what it is given. */
static void divide(Loop *l) {
    const Func *f = l->body;
    for (uint32_t i = 0; i < f->results.count; i++)
        if (!l->fixed[i]) l->inside[f->results.at[i]] = true;
    for (Val v = f->nodes.count; v-- > f->params.count;) {
        if (!l->inside[v]) continue;
        if (!stays(l, v)) {
            l->inside[v] = false;
            l->moved[v] = true;
            continue;
        }
        for (uint32_t i = 0; i < graph_node(f, v)->args; i++)
            l->inside[graph_node(f, v)->arg[i]] = true;
    }
}

/* The moved values in the function around the loop; map: of the body's values there. */
static void emit_moved(const Loop *l, Func *to, Arena *scratch, Val *map) {
    const Func *f = l->body;
    bool *wanted = arena_array(scratch, bool, f->nodes.count);
    for (Val v = f->nodes.count; v-- > f->params.count;) {
        wanted[v] |= l->moved[v];
        for (uint32_t i = 0; wanted[v] && i < graph_node(f, v)->args; i++)
            wanted[graph_node(f, v)->arg[i]] = true;
    }
    for (Val v = 1; v < f->params.count; v++) map[v] = l->outer[v];
    for (Val v = f->params.count; v < f->nodes.count; v++) {
        const Node *node = graph_node(f, v);
        if (!wanted[v]) continue;
        Val *arg = arena_array(scratch, Val, node->args);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = map[node->arg[i]];
        map[v] = graph_emit_like(to, node, arg);
    }
}

typedef struct Inputs {
    VEC(Val) value; /* given by the function around the loop */
    VEC(Val) param; /* of the new body */
} Inputs;

/* The parameter of the new body that stands for `value`: one for each value. */
static Val add_input(Inputs *in, Arena *scratch, Func *body, const char *name, Val value,
                     const Node *node) {
    for (uint32_t i = 0; i < in->value.count; i++)
        if (in->value.at[i] == value) return in->param.at[i];
    const Val param = func_param(body, name, ROLE_INPUT, node->type, node->span);
    vec_push(scratch, &in->value, value);
    vec_push(scratch, &in->param, param);
    return param;
}

/* The body that is left; fills `arg` with what the new repeat is given. */
static Func *emit_body(const Loop *l, Arena *scratch, const Val *around, Inputs *arg) {
    const Func *f = l->body;
    Func *to = body_new(f->module, f->name);
    Val *map = arena_array(scratch, Val, f->nodes.count);
    Inputs shared = {0};
    for (Val v = 0; v < f->params.count; v++) {
        const Port *port = &f->params.at[v];
        if (v > l->carries || (v && l->fixed[v - 1])) continue;
        map[v] = func_param(to, port->name, port->role, port->type, port->span);
        if (v) vec_push(scratch, &arg->value, l->outer[v]);
    }
    for (Val v = 1; v < f->params.count; v++)
        if (v > l->carries || l->fixed[v - 1])
            map[v] = add_input(&shared, scratch, to, f->params.at[v].name, l->outer[v],
                               graph_node(f, v));
    for (Val v = f->params.count; v < f->nodes.count; v++)
        if (l->moved[v])
            map[v] = add_input(&shared, scratch, to, "", around[v], graph_node(f, v));
    for (uint32_t i = 0; i < shared.value.count; i++)
        vec_push(scratch, &arg->value, shared.value.at[i]);
    for (Val v = f->params.count; v < f->nodes.count; v++) {
        const Node *node = graph_node(f, v);
        if (!l->inside[v]) continue;
        Val *x = arena_array(scratch, Val, node->args);
        for (uint32_t i = 0; i < node->args; i++) x[i] = map[node->arg[i]];
        map[v] = graph_emit_like(to, node, x);
    }
    for (uint32_t k = 0; k < l->carries; k++)
        if (!l->fixed[k])
            func_result(to, f->outputs.at[k].name, f->outputs.at[k].role,
                        map[f->results.at[k]], -1);
    return to;
}

static void find_loop(Loop *l, const Rewrite *rewrite, const Node *node, Arena *scratch) {
    l->body = body_of(node);
    l->carries = (uint32_t)node_int(node, ATTR_carries, 0);
    const uint32_t count = l->body->nodes.count;
    Val *outer = arena_array(scratch, Val, l->body->params.count);
    for (uint32_t i = 0; i < node->args; i++) outer[1 + i] = rewrite->map[node->arg[i]];
    l->outer = outer;
    l->invariant = arena_array(scratch, bool, count);
    l->costly = arena_array(scratch, bool, count);
    l->leaves = arena_array(scratch, uint8_t, count);
    l->inside = arena_array(scratch, bool, count);
    l->moved = arena_array(scratch, bool, count);
    l->fixed = arena_array(scratch, bool, l->carries);
    for (uint32_t k = 0; k < l->carries; k++)
        l->fixed[k] = l->body->results.at[k] == 1 + k;
    find_invariants(l);
    divide(l);
}

/* Emits the loop and the values of its carries: of a fixed one what it was given. */
static void hoist_repeat(Hoist *h, Rewrite *rewrite, Val v, Val **parts) {
    const Node *node = graph_node(rewrite->from, v);
    Loop l = {0};
    Inputs arg = {0};
    find_loop(&l, rewrite, node, h->scratch);
    Val *around = arena_array(h->scratch, Val, l.body->nodes.count);
    emit_moved(&l, rewrite->to, h->scratch, around);
    Func *body = emit_body(&l, h->scratch, around, &arg);
    Val loop = NO_VAL;
    if (body->results.count)
        loop =
            body_repeat(rewrite->to, body, node_int(node, ATTR_count, 0), -1,
                        body->results.count, arg.value.at, arg.value.count, node->span);
    rewrite->map[v] = loop;
    parts[v] = arena_array(h->scratch, Val, l.carries);
    for (uint32_t k = 0, place = 0; k < l.carries; k++)
        parts[v][k] = l.fixed[k] ? l.outer[1 + k] : place++;
    for (uint32_t k = 0; k < l.carries; k++) {
        if (l.fixed[k]) continue;
        const Attr attr = attr_int(ATTR_index, parts[v][k]);
        parts[v][k] = graph_emit(rewrite->to, OP_get, &loop, 1, &attr, 1, node->span);
    }
}

static void hoist_func(Hoist *h, Func *func) {
    for (uint32_t i = 0; i < h->done.count; i++)
        if (h->done.at[i] == func) return;
    vec_push(h->scratch, &h->done, func);
    Rewrite rewrite = rewrite_begin(func, h->scratch);
    Val **parts = arena_array(h->scratch, Val *, func->nodes.count);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        if (node->op == OP_repeat) hoist_func(h, body_of(node));
        if (node->op == OP_repeat && !node_attr(node, ATTR_while)) {
            hoist_repeat(h, &rewrite, v, parts);
        } else if (node->op == OP_get && parts[node->arg[0]]) {
            rewrite.map[v] = parts[node->arg[0]][node_int(node, ATTR_index, 0)];
        } else {
            rewrite_copy(&rewrite, v);
        }
    }
    rewrite_finish(&rewrite);
}

bool pass_hoist(PassContext *cx, Module *module) {
    Hoist h = {.scratch = cx->scratch};
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (module->funcs.at[i]->kind == FUNC_ENTRY) hoist_func(&h, module->funcs.at[i]);
    body_collect(module, cx->scratch);
    return true;
}
