/*
 * What a loop does alike in every iteration: the launches of its plan that read nothing that
 * the loop writes, and write what nothing else writes.  Packing weights is one; hoist cannot
 * see it, for it is made when a group is lowered.
 */
#include "passes/planner.h"

/* ---- what a kernel reads ------------------------------------------------------------------- */

typedef struct Reads {
    bool *read;                                      /* [args] of the kernel */
    VEC(struct { const Buffer *view, *base; }) view; /* of views met so far */
    Arena *scratch;
} Reads;

static void read_buffer(Reads *r, const Buffer *buffer) {
    if (buffer->kind == BUFFER_ARG) r->read[buffer->index] = true;
    for (uint32_t i = 0; buffer->kind == BUFFER_VIEW && i < r->view.count; i++)
        if (r->view.at[i].view == buffer) read_buffer(r, r->view.at[i].base);
}

static void read_expr(Reads *r, const Expr *x) {
    if (!x) return;
    if (x->kind == EXPR_LOAD || x->kind == EXPR_GATHER) read_buffer(r, x->buffer);
    for (uint32_t i = 0; i < x->args; i++) read_expr(r, x->arg[i]);
}

static void add_view(Reads *r, const Buffer *view, const Buffer *base) {
    if (!base) return;
    vec_grow(r->scratch, &r->view);
    r->view.at[r->view.count].view = view;
    r->view.at[r->view.count++].base = base;
}

static void read_stmt(Reads *r, const Stmt *s) {
    if (!s) return;
    for (uint32_t i = 0; i < s->count; i++) read_stmt(r, s->at[i]);
    if (s->kind == STMT_VIEW) {
        add_view(r, s->buffer, s->base);
        add_view(r, s->buffer, s->base2);
    }
    const Expr *const exprs[] = {s->begin, s->end,    s->index,
                                 s->value, s->active, s->index2};
    for (size_t i = 0; i < sizeof exprs / sizeof *exprs; i++) read_expr(r, exprs[i]);
    read_stmt(r, s->body);
    read_stmt(r, s->other);
}
