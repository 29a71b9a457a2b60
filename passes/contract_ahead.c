/*
 * Direct contractions: the part of B that comes next, on its way while this one is in use.
 *
 * A sum that is split reads a part of B in place for all of its rows, from L2 but for the
 * first time, which waits for memory.  So every run touches some lines of the next part: each
 * of the part's tasks takes its share of them, and each pass over the part within a task, one
 * for each panel and row tile, its share of those.
 */
#include "passes/contract_direct.h"

enum { LINE = 16 }; /* elements */

/* Passes over a part of a task. */
static int64_t passes_of_task(const Tile *t) {
    return t->task_panels * ((t->task_rows + t->rows - 1) / t->rows);
}

/* Tasks that read the same part; 0: nothing is to be done, or they are run-time many. */
static int64_t tasks_of_part(Direct *d) {
    /* Passes: the processor itself keeps up with few; beside many, one that waits is little. */
    enum { FEW = 3, MANY = 64 };
    const Contract *c = d->c;
    const Tile *t = d->t;
    const ReduceLoop *first = &t->loop[0];
    bool whole = first->b_step == first->k_step * count_of(c, AXIS_COL);
    if (t->splits == 1 || !t->b_in_place || !whole || t->loops < 2 ||
        c->list[AXIS_BATCH].count)
        return 0;
    if (value_bytes_max(c->group, c->b.value) <= (int64_t)d->k.draft->target->l2_bytes)
        return 0;
    const Expr *tasks = rows_count_tasks(d, false);
    if (tasks->kind != EXPR_INT) return 0;
    int64_t passes = tasks->i * passes_of_task(t);
    return passes > FEW && passes <= MANY ? tasks->i : 0;
}

void ahead_prefetch(Direct *d, const Panel *p, const Expr *at, Block *b) {
    const Tile *t = d->t;
    int64_t tasks = tasks_of_part(d);
    if (!tasks) return;
    const ReduceLoop *run = &t->loop[t->loops - 1];
    int64_t share = passes_of_task(t) * tasks * LINE;
    int64_t lines = (run->extent * run->b_step + share - 1) / share;
    const Expr *part = mul(d, d->part, t->loop[0].b_step);
    const Expr *start = op2(d, OP_mul, d->split, part);
    const Expr *place =
        add(d, op2(d, OP_mul, d->number, part), op2(d, OP_sub, at, start));
    place = op2(d, OP_div, place, num(d, tasks));
    const Expr *pass = mul(d, p->panel, passes_of_task(t) / t->task_panels);
    pass = add(d, pass, op2(d, OP_div, p->row, num(d, t->rows)));
    place = add(d, add(d, start, part), add(d, place, mul(d, pass, lines * LINE)));
    place = block_let(b, "ahead", place);
    for (int64_t i = 0; i < lines; i++)
        block_prefetch(b, d->b, add(d, place, num(d, i * LINE)));
}
