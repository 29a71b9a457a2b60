/*
 * autodiff: expands `grad` by reverse mode; drops `stop` and `copy`.
 *
 * Before   %2 = mul %x, %w               After   %2 = mul %x, %w
 *          %3 = sum %2 {axes = [0]}              %3 = sum %2 {axes = [0]}
 *          %4 = grad %3, %w                      %4 = const 1
 *                                                %5 = broadcast %4 {dims = [8]}
 *                                                %6 = mul %5, %x
 *
 * Method   nodes are copied in order, so the grads that a value depends on are expanded
 *          before it is differentiated itself: innermost first.  All grads of one y share
 *          one reverse sweep, which visits only what lies between y and the values asked
 *          for; `stop` has no gradient.  The rules are in gradient*.c.
 * Needs    bodies that are called by one stage of nesting only (no recursion).
 * Leaves   stage PRIMITIVE.  Values that only other gradients would need stay for dce.
 */
#include "passes/body.h"
#include "passes/gradient.h"
#include "passes/pass.h"

typedef struct Autodiff {
    Arena *scratch;
    VEC(Func *) done;
} Autodiff;

/* grad nodes of the same y as node `first`, from there on, whose x exists already. */
static bool shares_sweep(const Rewrite *rewrite, Val first, Val v) {
    const Node *node = graph_node(rewrite->from, v);
    return node->op == OP_grad && rewrite->map[node->arg[1]] != NO_VAL &&
           rewrite->map[node->arg[0]] ==
               rewrite->map[graph_node(rewrite->from, first)->arg[0]];
}

static void expand(Autodiff *ad, Rewrite *rewrite, Val first) {
    const Func *from = rewrite->from;
    const Node *grad = graph_node(from, first);
    const Val y = rewrite->map[grad->arg[0]];
    Sweep s;
    sweep_begin(&s, rewrite->to, ad->scratch, grad->span);
    for (Val v = first; v < from->nodes.count; v++)
        if (shares_sweep(rewrite, first, v))
            s.active[rewrite->map[graph_node(from, v)->arg[1]]] = true;
    sweep_activate(&s);
    const Type type = *graph_type(rewrite->to, y);
    if (sweep_wants(&s, y)) sweep_add(&s, y, build_fill(&s.b, &type, 1));
    sweep_run(&s);
    s.b.span = grad->span;
    for (Val v = first; v < from->nodes.count; v++) {
        if (!shares_sweep(rewrite, first, v)) continue;
        const Val x = rewrite->map[graph_node(from, v)->arg[1]];
        const Type shape = *graph_type(rewrite->to, x);
        rewrite->map[v] =
            s.adjoint[x] == NO_VAL ? build_zeros(&s.b, &shape) : s.adjoint[x];
    }
    const Val *moved = sweep_settle(&s);
    for (Val v = 0; v < from->nodes.count; v++)
        rewrite->map[v] = settled(moved, rewrite->map[v]);
}

static void expand_func(Autodiff *ad, Func *func) {
    for (uint32_t i = 0; i < ad->done.count; i++)
        if (ad->done.at[i] == func) return;
    vec_push(ad->scratch, &ad->done, func);
    Rewrite rewrite = rewrite_begin(func, ad->scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        Func *body = body_of(graph_node(func, v));
        if (body) expand_func(ad, body);
        if (graph_node(func, v)->op != OP_grad)
            rewrite_copy(&rewrite, v);
        else if (rewrite.map[v] == NO_VAL)
            expand(ad, &rewrite, v);
    }
    rewrite_finish(&rewrite);
}

static void drop_marks(Func *func, Arena *scratch) {
    Rewrite rewrite = rewrite_begin(func, scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        if (node->op == OP_stop || node->op == OP_copy)
            rewrite.map[v] = rewrite.map[node->arg[0]];
        else
            rewrite_copy(&rewrite, v);
    }
    rewrite_finish(&rewrite);
}

bool pass_autodiff(PassContext *cx, Module *module) {
    Autodiff ad = {.scratch = cx->scratch};
    const uint32_t errors = module->diag->errors;
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (module->funcs.at[i]->kind == FUNC_ENTRY)
            expand_func(&ad, module->funcs.at[i]);
    body_collect(module, cx->scratch);
    for (uint32_t i = 0; i < module->funcs.count; i++)
        drop_marks(module->funcs.at[i], cx->scratch);
    return module->diag->errors == errors;
}
