/* Direct contractions: which rows a task has, and where they and the edges lie in A. */
#include "passes/contract_direct.h"

#define NO_PLACE INT32_MIN /* with any two places added it is less than 0 */

const Edge *rows_find_edge(const Direct *d, uint32_t axis, uint32_t *number) {
    for (uint32_t i = 0; i < d->c->a.edges; i++)
        if (d->c->a.edge[i].row == (int32_t)axis) {
            *number = i;
            return &d->c->a.edge[i];
        }
    return NULL;
}

int64_t rows_extent(const Direct *d, uint32_t axis) {
    uint32_t number;
    const Edge *e = rows_find_edge(d, axis, &number);
    int64_t divisor = e ? e->divisor : 1;
    return (d->c->extent[axis] + divisor - 1) / divisor;
}

static const Expr *rows_total(Direct *d) {
    const Expr *rows = num(d, 1);
    for (uint32_t i = 0; i < d->t->walked.count; i++) {
        uint32_t axis = d->t->walked.at[i];
        bool constant = dim_is_const(d->c->dim[axis]);
        const Expr *extent = constant ? num(d, rows_extent(d, axis)) : extent_of(d, axis);
        rows = op2(d, OP_mul, rows, extent);
    }
    return rows;
}

/* Tasks */

const Expr *rows_count_tasks(Direct *d, bool splits) {
    const Tile *t = d->t;
    const Expr *count = up_div(d, rows_total(d), t->task_rows);
    int64_t cols = (t->panels + t->task_panels - 1) / t->task_panels;
    count = mul(d, count, cols);
    for (uint32_t i = 0; i < t->fixed.count; i++)
        count = mul(d, count, d->c->extent[t->fixed.at[i]]);
    for (uint32_t i = 0; i < d->c->a.edges; i++)
        if (!t->edge[i].fixed) count = mul(d, count, t->edge[i].entries);
    if (splits) count = mul(d, count, t->splits);
    const AxisList *batch = &d->c->list[AXIS_BATCH];
    for (uint32_t i = 0; i < batch->count; i++)
        count = op2(d, OP_mul, count, extent_of(d, batch->at[i]));
    return count;
}

static void take_fixed(Direct *d, Block *b, const Expr **rest) {
    for (uint32_t i = d->t->fixed.count; i-- > 0;) {
        uint32_t axis = d->t->fixed.at[i];
        d->place[axis] = take_digit(d, b, "fixed", rest, num(d, d->c->extent[axis]));
    }
}

void rows_open_task(Direct *d, Block *b, bool splits) {
    const Tile *t = d->t;
    const Contract *c = d->c;
    int64_t cols = (t->panels + t->task_panels - 1) / t->task_panels;
    const Expr *rest = expr_var(d->arena, d->k.kernel->task);
    const Expr *rows = block_let(b, "rows", rows_total(d));
    d->split = num(d, 0);
    const Expr *inner = NULL;
    if (splits && t->splits > 1) {
        /* The split is outside of all but the batch, so that neighbouring tasks share data. */
        const Expr *all = rows_count_tasks(d, false);
        for (uint32_t i = 0; i < c->list[AXIS_BATCH].count; i++)
            all = op2(d, OP_div, all, extent_of(d, c->list[AXIS_BATCH].at[i]));
        inner = block_let(b, "all", all);
        const Expr *low = take_digit(d, b, "low", &rest, inner);
        d->split = take_digit(d, b, "split", &rest, num(d, t->splits));
        d->number = block_let(b, "number", add(d, op2(d, OP_mul, rest, inner), low));
        rest = d->number;
    } else {
        d->number = rest;
    }
    d->panel0 = mul(d, take_digit(d, b, "chunk", &rest, num(d, cols)), t->task_panels);
    /* Phases differ in work: each range of tasks gets some of all. */
    for (uint32_t i = c->a.edges; i-- > 0;)
        if (!t->edge[i].fixed)
            d->phase[i] = take_digit(d, b, "phase", &rest, num(d, t->edge[i].entries));
    if (t->fixed_inside) take_fixed(d, b, &rest);
    const Expr *chunks = block_let(b, "chunks", up_div(d, rows, t->task_rows));
    const Expr *chunk = take_digit(d, b, "rowchunk", &rest, chunks);
    d->row0 = block_let(b, "row0", mul(d, chunk, t->task_rows));
    const Expr *left = op2(d, OP_sub, rows, d->row0);
    d->row_count = block_let(b, "row_count", op2(d, OP_min, num(d, t->task_rows), left));
    if (!t->fixed_inside) take_fixed(d, b, &rest);
    for (uint32_t i = 0; i < c->a.edges; i++) {
        const Edge *e = &c->a.edge[i];
        if (!t->edge[i].fixed) continue;
        bool is_axis = e->row >= 0 && d->place[e->row];
        d->phase[i] = is_axis ? d->place[e->row] : num(d, 0);
    }
    const AxisList *batch = &c->list[AXIS_BATCH];
    d->batch = rest;
    for (uint32_t i = batch->count; i-- > 0;) {
        uint32_t axis = batch->at[i];
        d->place[axis] =
            i ? take_digit(d, b, "batch", &rest, num(d, c->extent[axis])) : rest;
    }
    d->a_base = num(d, c->a.base);
    for (uint32_t i = 0; i < c->axes; i++)
        if (d->place[i]) d->a_base = add(d, d->a_base, mul(d, d->place[i], c->a.step[i]));
}

/* Tables of the edges: what a phase, or a fixed row, starts and counts. */

static Buffer *table(Direct *d, const char *name, const int32_t *data, int64_t count) {
    return buffer_table(d->arena, name, ELEM_i32, data, count);
}

const Expr *rows_look_up(Direct *d, const Buffer *b, const Expr *index) {
    return expr_index(d->arena, expr_load(d->arena, b, index, 1, 1, NULL));
}

const Expr *rows_edge_entry(Direct *d, uint32_t edge, uint32_t column) {
    const EdgeWalk *w = &d->t->edge[edge];
    const int32_t *data[] = {w->first, w->count, w->position};
    if (w->entries == 1) return num(d, data[column][0]);
    return rows_look_up(d, d->edge_table[edge][column], d->phase[edge]);
}

void rows_open_edges(Direct *d, Block *b) {
    for (uint32_t i = 0; i < d->c->a.edges; i++) {
        const EdgeWalk *w = &d->t->edge[i];
        const int32_t *data[] = {w->first, w->count, w->position};
        for (uint32_t j = 0; j < 3; j++)
            d->edge_table[i][j] =
                table(d, arena_print(d->arena, "edge%u_%u", i, j), data[j], w->entries);
        if (!w->fixed) continue;
        const Expr *start = rows_edge_entry(d, i, 2);
        d->a_base = add(d, d->a_base, mul(d, start, d->c->a.edge[i].stride));
    }
    d->a_base = block_let(b, "a_base", d->a_base);
}

bool rows_have_tables(const Direct *d) {
    for (uint32_t i = 0; i < d->c->a.edges; i++)
        if (!d->t->edge[i].fixed) return true;
    return false;
}

/* Fills an edge's table for row `r`: where each of its reduce steps is in A. */
static void row_places(Direct *d, uint32_t number, const Expr *digit, const Expr *start,
                       const Expr *own, const Expr *r, Block *b) {
    Arena *a = d->arena;
    const Edge *e = &d->c->a.edge[number];
    const EdgeWalk *w = &d->t->edge[number];
    for (uint32_t j = 0; j < w->most; j++) {
        const Expr *p = add(d, mul(d, digit, e->row_step), start);
        p = block_let(b, "p", add(d, p, num(d, w->position_every * j)));
        const Expr *inside = op2(d, OP_and, op2(d, OP_ge, p, num(d, 0)),
                                 op2(d, OP_lt, p, num(d, e->extent)));
        const Expr *place = add(d, own, mul(d, p, e->stride));
        place = expr_select(a, inside, place, num(d, NO_PLACE));
        block_store(b, d->edge_rows[number], add(d, num(d, j * d->t->task_rows), r),
                    expr_cast(a, place, ELEM_i32), 1, NULL);
    }
}

void rows_open(Direct *d, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    if (t->uniform || t->known_rows) return;
    d->rowbase = buffer_local(a, "rowbase", ELEM_i32, t->task_rows);
    block_local(b, d->rowbase);
    const Expr *start[MAX_EDGES];
    for (uint32_t i = 0; i < d->c->a.edges; i++) {
        if (t->edge[i].fixed) continue;
        d->edge_rows[i] =
            buffer_local(a, arena_print(a, "places%u", i), ELEM_i32,
                         t->task_rows * (t->edge[i].most ? t->edge[i].most : 1));
        block_local(b, d->edge_rows[i]);
        start[i] = block_let(b, "start", rows_edge_entry(d, i, 2));
    }
    const Var *r = var_index(a, "r");
    Block body = block_new(a);
    const Expr *last = op2(d, OP_sub, d->row_count, num(d, 1));
    const Expr *row = op2(d, OP_min, expr_var(a, r), last);
    row = block_let(&body, "row", add(d, d->row0, row));
    const Expr *base = num(d, 0), *digit[MAX_EDGES] = {NULL};
    for (uint32_t i = t->walked.count; i-- > 0;) {
        uint32_t axis = t->walked.at[i], number;
        const Expr *at = row;
        if (i) at = take_digit(d, &body, "digit", &row, num(d, rows_extent(d, axis)));
        base = add(d, base, mul(d, at, d->c->a.step[axis]));
        const Edge *e = rows_find_edge(d, axis, &number);
        if (e && !t->edge[number].fixed) digit[number] = at;
    }
    /* The first table has the row's own place, too. */
    const Expr *own = block_let(&body, "own", base);
    for (uint32_t i = 0; i < d->c->a.edges; i++) {
        if (!digit[i]) continue;
        row_places(d, i, digit[i], start[i], own, expr_var(a, r), &body);
        own = num(d, 0);
    }
    d->has_rowbase = own->kind != EXPR_INT || own->i;
    if (d->has_rowbase)
        block_store(&body, d->rowbase, expr_var(a, r), expr_cast(a, own, ELEM_i32), 1,
                    NULL);
    block_for(b, r, num(d, 0), num(d, t->task_rows), 1, 1, block_end(&body));
    /* An edge of reduce axes alone: places are the same for all rows. */
    for (uint32_t i = 0; i < d->c->a.edges; i++) {
        const Edge *e = &d->c->a.edge[i];
        if (e->row >= 0 || t->edge[i].fixed) continue;
        const Var *s = var_index(a, "r");
        Block fill = block_new(a);
        for (uint32_t j = 0; j < t->edge[i].most; j++) {
            int64_t p = t->edge[i].position[0] + t->edge[i].position_every * j;
            int64_t place = p >= 0 && p < e->extent ? p * e->stride : NO_PLACE;
            block_store(&fill, d->edge_rows[i],
                        add(d, num(d, j * t->task_rows), expr_var(a, s)),
                        expr_num(a, ELEM_i32, 1, (double)place), 1, NULL);
        }
        block_for(b, s, num(d, 0), num(d, t->task_rows), 1, 1, block_end(&fill));
    }
}
