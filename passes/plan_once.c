/*
 * What a loop does alike in every iteration: the launches of its plan that read nothing that
 * the loop writes, and write what nothing else writes.  Packing weights is one; hoist cannot
 * see it, for it is made when a group is lowered.
 */
#include "passes/planner.h"

/* ---- what a kernel reads ------------------------------------------------------------------- */

typedef struct View {
    const Buffer *view, *base;
} View;

typedef struct Reads {
    bool *read;     /* [args] of the kernel */
    VEC(View) view; /* met so far */
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
    if (base) vec_push(r->scratch, &r->view, (View){view, base});
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

static const bool *kernel_reads(const Kernel *kernel, Arena *scratch) {
    Reads r = {.scratch = scratch,
               .read = arena_array(scratch, bool, kernel->args.count + 1)};
    read_expr(&r, kernel->tasks);
    read_stmt(&r, kernel->body);
    return r.read;
}

/* ---- what a loop writes -------------------------------------------------------------------- */

/* Places hold slab numbers in `index` still. */
static void count_writes(const PlanStep *step, uint32_t steps, uint32_t *writes) {
    for (uint32_t i = 0; i < steps; i++) {
        const PlanStep *s = &step[i];
        if (s->kind != STEP_LAUNCH) writes[s->arg[0].index]++; /* target, or counter */
        for (uint32_t j = 0; s->kind == STEP_LAUNCH && j < s->args; j++)
            writes[s->arg[j].index] += s->kernel->args.at[j]->written;
        count_writes(s->step, s->steps, writes);
    }
}

static bool is_once(const PlanStep *step, const uint32_t *writes, uint32_t outer,
                    Arena *scratch) {
    if (step->kind != STEP_LAUNCH) return false;
    const bool *read = kernel_reads(step->kernel, scratch);
    for (uint32_t j = 0; j < step->args; j++) {
        const uint32_t slab = step->arg[j].index;
        const bool written = step->kernel->args.at[j]->written;
        if (written && (read[j] || slab < outer || writes[slab] > 1)) return false;
        if (read[j] && writes[slab]) return false;
    }
    return true;
}

const bool *steps_once(const PlanStep *step, uint32_t steps, uint32_t outer,
                       const uint32_t *kept, uint32_t kept_count, uint32_t slabs,
                       Arena *scratch) {
    bool *once = arena_array(scratch, bool, steps + 1);
    uint32_t *writes = arena_array(scratch, uint32_t, slabs + 1);
    for (uint32_t i = 0; i < kept_count; i++) writes[kept[i]] += 2;
    count_writes(step, steps, writes);
    for (uint32_t i = 0; i < steps; i++)
        once[i] = is_once(&step[i], writes, outer, scratch);
    return once;
}
