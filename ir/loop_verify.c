/* What every kernel must satisfy: names defined before use, types that fit, stores only
 * to what may be written, stack within its limit. */
#include "ir/loop.h"
#include <setjmp.h>

#define LANES_MAX   256
#define STACK_BYTES ((int64_t)512 << 10) /* of the local buffers of a kernel together */

typedef struct Verifier {
    Arena *scratch;
    const Kernel *kernel;
    VEC(const void *) visible; /* Vars and Buffers; the innermost last */
    int64_t stack;
    const char *wrong;
    jmp_buf out;
} Verifier;

static void need(Verifier *v, bool right, const char *what, const char *name) {
    if (right) return;
    v->wrong = arena_print(v->scratch, "kernel %s: %s%s%s", v->kernel->name, what,
                           name ? ": " : "", name ? name : "");
    longjmp(v->out, 1);
}

static void define(Verifier *v, const void *what) {
    vec_push(v->scratch, &v->visible, what);
}

static bool is_visible(const Verifier *v, const void *what) {
    for (uint32_t i = v->visible.count; i-- > 0;)
        if (v->visible.at[i] == what) return true;
    return false;
}

static void check_buffer(Verifier *v, const Buffer *b, bool written) {
    need(v, b, "a buffer is missing", NULL);
    if (b->kind != BUFFER_TABLE)
        need(v, is_visible(v, b), "a buffer is not defined here", b->name);
    if (b->kind == BUFFER_TABLE || b->kind == BUFFER_ARG)
        need(v, !written || b->written, "a store to what is only read", b->name);
}

static void check_index(Verifier *v, const Expr *e);
static void check_expr(Verifier *v, const Expr *e);

static bool is_type(const Expr *e, Elem elem, uint32_t lanes) {
    return !e->is_index && e->elem == elem && e->lanes == lanes;
}

/* A constant place in a buffer of known extent lies inside it. */
static void check_bounds(Verifier *v, const Buffer *b, const Expr *index, uint32_t lanes,
                         int64_t stride, bool masked) {
    check_index(v, index);
    if (index->kind != EXPR_INT || !b->count || masked) return;
    int64_t last = index->i + (int64_t)(lanes - 1) * stride;
    need(v, index->i >= 0 && index->i < b->count && last >= 0 && last < b->count,
         "a place outside of a buffer", b->name);
}

static void check_scalar(Verifier *v, const Expr *e) {
    ScalarInfo info = scalar_info(e->op);
    const Expr *x = e->arg[0], *y = e->arg[1];
    need(v, info.class != SCALAR_NONE && e->args == (uint32_t)info.args,
         "a wrong operation", info.name);
    bool to_bool = info.class == SCALAR_C;
    if (e->args == 2)
        need(v,
             x->is_index == y->is_index && x->lanes == y->lanes &&
                 (x->is_index || x->elem == y->elem),
             "operands of two types", info.name);
    if (x->is_index)
        need(v, to_bool ? is_type(e, ELEM_bool, 1) : e->is_index, "a wrong type",
             info.name);
    else
        need(v, is_type(e, to_bool ? ELEM_bool : x->elem, x->lanes), "a wrong type",
             info.name);
}

static void check_lanes(Verifier *v, const Expr *e, const char *what) {
    for (uint32_t i = 0; i < e->args; i++)
        need(v, is_type(e->arg[i], e->arg[0]->elem, e->lanes), "operands of two types",
             what);
}

static void check_select(Verifier *v, const Expr *e) {
    const Expr *condition = e->arg[0];
    need(v, is_type(condition, ELEM_bool, e->lanes) || is_type(condition, ELEM_bool, 1),
         "a condition that is no bool", NULL);
    for (int i = 1; i < 3; i++)
        need(v, e->is_index ? e->arg[i]->is_index : is_type(e->arg[i], e->elem, e->lanes),
             "operands of two types", "select");
}

static void check_kind(Verifier *v, const Expr *e) {
    const Expr *x = e->arg[0];
    switch (e->kind) {
    case EXPR_INT:
    case EXPR_NUM: return;
    case EXPR_VAR:
        need(v, is_visible(v, e->var), "a variable is not defined here", e->var->name);
        need(v, e->is_index ? e->var->is_index : is_type(e, e->var->elem, e->var->lanes),
             "a variable of another type", e->var->name);
        return;
    case EXPR_SCALAR: check_scalar(v, e); return;
    case EXPR_FMA: check_lanes(v, e, "fma"); return;
    case EXPR_SELECT: check_select(v, e); return;
    case EXPR_CAST:
        need(v, !e->is_index && x->lanes == e->lanes, "a wrong cast", NULL);
        return;
    case EXPR_INDEX:
        need(v, e->is_index && x->lanes == 1 && !elem_is_float(x->elem), "a wrong index",
             NULL);
        return;
    case EXPR_LOAD:
        check_buffer(v, e->buffer, false);
        check_bounds(v, e->buffer, x, e->lanes, e->i, e->args > 1);
        if (e->args > 1) check_index(v, e->arg[1]);
        need(v, is_type(e, e->buffer->elem, e->lanes), "a load of another type",
             e->buffer->name);
        return;
    case EXPR_GATHER:
        check_buffer(v, e->buffer, false);
        check_index(v, x);
        need(v, is_type(e->arg[1], ELEM_i32, e->lanes) && e->elem == e->buffer->elem,
             "a gather of another type", e->buffer->name);
        return;
    case EXPR_SPLAT: need(v, is_type(x, e->elem, 1), "a wrong splat", NULL); return;
    case EXPR_RAMP: check_index(v, x); return;
    case EXPR_REDUCE:
        need(v, e->lanes == 1 && !x->is_index && x->elem == e->elem, "a wrong reduction",
             NULL);
        return;
    case EXPR_BITS: check_lanes(v, e, "bits"); return;
    }
}

static void check_expr(Verifier *v, const Expr *e) {
    need(v, e, "an operand is missing", NULL);
    need(v, e->lanes >= 1 && e->lanes <= LANES_MAX, "too many lanes", NULL);
    for (uint32_t i = 0; i < e->args; i++) check_expr(v, e->arg[i]);
    check_kind(v, e);
}

static void check_index(Verifier *v, const Expr *e) {
    check_expr(v, e);
    need(v, e->is_index, "an index is wanted", NULL);
}

static void check_bool(Verifier *v, const Expr *e) {
    check_expr(v, e);
    need(v, is_type(e, ELEM_bool, 1), "a condition that is not one bool", NULL);
}

static void check_stmt(Verifier *v, const Stmt *s);

static void check_body(Verifier *v, const Stmt *body) {
    uint32_t visible = v->visible.count;
    check_stmt(v, body);
    v->visible.count = visible;
}

static void check_for(Verifier *v, const Stmt *s) {
    check_index(v, s->begin);
    check_index(v, s->end);
    need(v, s->step > 0 && s->var->is_index && !s->var->mutable, "a wrong loop",
         s->var->name);
    need(v, !is_visible(v, s->var), "a variable is defined again", s->var->name);
    define(v, s->var);
    check_body(v, s->body);
    v->visible.count--;
}

static void check_value(Verifier *v, const Stmt *s) {
    const Var *var = s->var;
    check_expr(v, s->value);
    need(v, var->is_index ? s->value->is_index : is_type(s->value, var->elem, var->lanes),
         "a value of another type", var->name);
    bool visible = is_visible(v, var);
    if (s->kind == STMT_SET) {
        need(v, visible && var->mutable, "an assignment to what does not change",
             var->name);
        return;
    }
    need(v, !visible, "a variable is defined again", var->name);
    define(v, var);
}

static void check_store(Verifier *v, const Stmt *s) {
    check_expr(v, s->value);
    check_buffer(v, s->buffer, true);
    check_bounds(v, s->buffer, s->index, s->value->lanes, s->stride, s->active != NULL);
    if (s->active) check_index(v, s->active);
    need(v, !s->value->is_index && s->value->elem == s->buffer->elem,
         "a store of another type", s->buffer->name);
}

static void check_local(Verifier *v, const Buffer *b) {
    need(v, b->kind == BUFFER_LOCAL && b->count > 0, "no local buffer", b->name);
    need(v, !is_visible(v, b), "a buffer is defined again", b->name);
    v->stack += b->count * elem_bytes(b->elem);
    need(v, v->stack <= STACK_BYTES, "the local buffers are beyond 512 KiB", b->name);
    define(v, b);
}

static void check_view(Verifier *v, const Stmt *s) {
    need(v, s->buffer->kind == BUFFER_VIEW, "no view", s->buffer->name);
    check_buffer(v, s->base, false);
    check_index(v, s->index);
    need(v, s->base->elem == s->buffer->elem, "a view of another type", s->buffer->name);
    if (s->value) {
        check_bool(v, s->value);
        check_buffer(v, s->base2, false);
        check_index(v, s->index2);
        need(v, s->base2->elem == s->buffer->elem, "a view of another type",
             s->buffer->name);
    }
    define(v, s->buffer);
}

static void check_stmt(Verifier *v, const Stmt *s) {
    need(v, s, "a statement is missing", NULL);
    switch (s->kind) {
    case STMT_BLOCK:
        for (uint32_t i = 0; i < s->count; i++) check_stmt(v, s->at[i]);
        return;
    case STMT_FOR: check_for(v, s); return;
    case STMT_LET:
    case STMT_SET: check_value(v, s); return;
    case STMT_STORE: check_store(v, s); return;
    case STMT_LOCAL: check_local(v, s->buffer); return;
    case STMT_VIEW: check_view(v, s); return;
    case STMT_IF:
        check_bool(v, s->value);
        check_body(v, s->body);
        if (s->other) check_body(v, s->other);
        return;
    case STMT_PREFETCH:
        check_buffer(v, s->buffer, false);
        check_index(v, s->index);
        return;
    }
}

const char *loop_verify(const Kernel *kernel, Arena *scratch) {
    Verifier *v = arena_new(scratch, Verifier);
    v->scratch = scratch;
    v->kernel = kernel;
    if (setjmp(v->out)) return v->wrong;
    define(v, kernel->n);
    check_index(v, kernel->tasks);
    define(v, kernel->task);
    for (uint32_t i = 0; i < kernel->args.count; i++) define(v, kernel->args.at[i]);
    check_body(v, kernel->body);
    return NULL;
}
