/*
 * The direct strategy: register tiles of broadcast A times packed B.  A is read where it lies,
 * through row pointers where rows are not evenly apart; places outside of it are a line of
 * zeros.  B is packed into panels [panel][k][width] by a kernel of its own, so that a group
 * whose B does not change may keep them.
 */
#include "passes/contract.h"
#include <stdlib.h>

typedef struct Direct Direct;
/* `lanes` sums from place `at` on. */
typedef const Expr *SumLoad(Direct *d, const Expr *at, uint32_t lanes,
                            const Expr *active);

struct Direct {
    const Contract *c;
    const Tile *t;
    DraftKernel k;
    Arena *arena;
    Emitter *e;
    Buffer *a, *b, *tile, *rowbase, *zeros;
    Buffer *edge_table[MAX_EDGES][3], *edge_rows[MAX_EDGES];
    /* The task. */
    const Expr *batch, *split, *row0, *row_count, *panel0,
        *number;                 /* number: without split */
    const Expr *place[MAX_AXES]; /* of batch and fixed axes */
    const Expr *phase[MAX_EDGES];
    const Expr *a_base;
    /* Of reduce loops that are open: variable, and the range that is left inside. */
    const Expr *at[MAX_REDUCE], *low[MAX_REDUCE], *high[MAX_REDUCE];
    const Expr
        *last; /* no block of an outer loop comes after this one; NULL: there is one */
    SumLoad *load;
    Buffer **results; /* NULL: sums only */
    bool has_rowbase; /* else rows' own places are in the tables of edges */
    bool at_once;     /* a tile's results are stored when its sums are complete */
};

#define NO_PLACE INT32_MIN /* with any two places added it is less than 0 */

static const Expr *num(Direct *d, int64_t i) {
    return expr_int(d->arena, i);
}
static const Expr *op2(Direct *d, Op op, const Expr *x, const Expr *y) {
    return expr_scalar(d->arena, op, x, y);
}
static const Expr *add(Direct *d, const Expr *x, const Expr *y) {
    return expr_add(d->arena, x, y);
}
static const Expr *mul(Direct *d, const Expr *x, int64_t factor) {
    return expr_mul(d->arena, x, factor);
}
static const Expr *up_div(Direct *d, const Expr *x, int64_t divisor) {
    return op2(d, OP_div, add(d, x, num(d, divisor - 1)), num(d, divisor));
}

static int64_t width_of(const Tile *t) {
    return (int64_t)t->vectors * t->lanes;
}

static int64_t count_of(const Contract *c, AxisRole role) {
    int64_t count = 1;
    for (uint32_t i = 0; i < c->list[role].count; i++)
        count *= c->extent[c->list[role].at[i]];
    return count;
}

static const Expr *extent_of(Direct *d, uint32_t axis) {
    return emit_dim(d->e, d->c->dim[axis]);
}

static const Edge *edge_at(const Direct *d, uint32_t axis, uint32_t *number) {
    for (uint32_t i = 0; i < d->c->a.edges; i++)
        if (d->c->a.edge[i].row == (int32_t)axis) {
            *number = i;
            return &d->c->a.edge[i];
        }
    return NULL;
}

/* Steps of a walked row axis: of its rest where it is walked by phases. */
static int64_t walked_extent(const Direct *d, uint32_t axis) {
    uint32_t number;
    const Edge *e = edge_at(d, axis, &number);
    int64_t divisor = e ? e->divisor : 1;
    return (d->c->extent[axis] + divisor - 1) / divisor;
}

static const Expr *rows_total(Direct *d) {
    const Expr *rows = num(d, 1);
    for (uint32_t i = 0; i < d->t->walked.count; i++) {
        uint32_t axis = d->t->walked.at[i];
        bool constant = dim_is_const(d->c->dim[axis]);
        const Expr *extent =
            constant ? num(d, walked_extent(d, axis)) : extent_of(d, axis);
        rows = op2(d, OP_mul, rows, extent);
    }
    return rows;
}

/* Tasks */

/* Takes the lowest digit off *number. */
static const Expr *take_digit(Direct *d, Block *b, const char *name, const Expr **number,
                              const Expr *radix) {
    const Expr *digit = block_let(b, name, op2(d, OP_mod, *number, radix));
    *number = block_let(b, "rest", op2(d, OP_div, *number, radix));
    return digit;
}

static const Expr *task_count(Direct *d, bool splits) {
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

static void open_task(Direct *d, Block *b, bool splits) {
    const Tile *t = d->t;
    const Contract *c = d->c;
    int64_t cols = (t->panels + t->task_panels - 1) / t->task_panels;
    const Expr *rest = expr_var(d->arena, d->k.kernel->task);
    const Expr *rows = block_let(b, "rows", rows_total(d));
    d->split = num(d, 0);
    const Expr *inner = NULL;
    if (splits && t->splits > 1) {
        /* The split is outside of all but the batch, so that neighbouring tasks share data. */
        const Expr *all = task_count(d, false);
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
    const Expr *chunks = block_let(b, "chunks", up_div(d, rows, t->task_rows));
    const Expr *chunk = take_digit(d, b, "rowchunk", &rest, chunks);
    d->row0 = block_let(b, "row0", mul(d, chunk, t->task_rows));
    const Expr *left = op2(d, OP_sub, rows, d->row0);
    d->row_count = block_let(b, "row_count", op2(d, OP_min, num(d, t->task_rows), left));
    for (uint32_t i = t->fixed.count; i-- > 0;) {
        uint32_t axis = t->fixed.at[i];
        d->place[axis] = take_digit(d, b, "fixed", &rest, num(d, c->extent[axis]));
    }
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

static const Expr *look_up(Direct *d, const Buffer *b, const Expr *index) {
    return expr_index(d->arena, expr_load(d->arena, b, index, 1, 1, NULL));
}

/* What the walk of an edge starts with: 0 its first reduce index, 1 the count, 2 the position. */
static const Expr *edge_entry(Direct *d, uint32_t edge, uint32_t column) {
    const EdgeWalk *w = &d->t->edge[edge];
    const int32_t *data[] = {w->first, w->count, w->position};
    if (w->entries == 1) return num(d, data[column][0]);
    return look_up(d, d->edge_table[edge][column], d->phase[edge]);
}

static void open_edges(Direct *d, Block *b) {
    for (uint32_t i = 0; i < d->c->a.edges; i++) {
        const EdgeWalk *w = &d->t->edge[i];
        const int32_t *data[] = {w->first, w->count, w->position};
        for (uint32_t j = 0; j < 3; j++)
            d->edge_table[i][j] =
                table(d, arena_print(d->arena, "edge%u_%u", i, j), data[j], w->entries);
        if (!w->fixed) continue;
        const Expr *start = edge_entry(d, i, 2);
        d->a_base = add(d, d->a_base, mul(d, start, d->c->a.edge[i].stride));
    }
    d->a_base = block_let(b, "a_base", d->a_base);
}

static bool has_row_tables(const Direct *d) {
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

/* Where the rows of the task begin in A, and where its edges' places are from there. */
static void open_rows(Direct *d, Block *b) {
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
        start[i] = block_let(b, "start", edge_entry(d, i, 2));
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
        if (i) at = take_digit(d, &body, "digit", &row, num(d, walked_extent(d, axis)));
        base = add(d, base, mul(d, at, d->c->a.step[axis]));
        const Edge *e = edge_at(d, axis, &number);
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

/* Reduce loops */

static void loop_range(Direct *d, Block *b, uint32_t l) {
    const ReduceLoop *loop = &d->t->loop[l];
    d->low[l] = num(d, 0);
    if (loop->edge >= 0)
        d->high[l] = edge_entry(d, (uint32_t)loop->edge, 1);
    else if (loop->axes.count == 1)
        d->high[l] = extent_of(d, loop->axes.at[0]);
    else
        d->high[l] = num(d, loop->extent);
    if (l == 0 && d->t->splits > 1) {
        const Expr *part = block_let(b, "part", up_div(d, d->high[l], d->t->splits));
        d->low[l] = block_let(b, "low", op2(d, OP_mul, d->split, part));
        d->high[l] = op2(d, OP_min, d->high[l], add(d, d->low[l], part));
    }
    d->high[l] =
        d->high[l]->kind == EXPR_INT ? d->high[l] : block_let(b, "high", d->high[l]);
}

static int64_t loop_a_step(const Direct *d, uint32_t l) {
    const ReduceLoop *loop = &d->t->loop[l];
    if (loop->edge < 0) return loop->a_step;
    const EdgeWalk *w = &d->t->edge[loop->edge];
    return w->fixed ? w->position_every * d->c->a.edge[loop->edge].stride : 0;
}

/* Of packed k, or elements of B in place. */
static int64_t plain_k_step(const Direct *d, uint32_t l) {
    return d->t->b_in_place ? d->t->loop[l].b_step : d->t->loop[l].k_step;
}

static int64_t run_a_step(const Direct *d) {
    return loop_a_step(d, d->t->loops - 1);
}

static int64_t loop_k_step(const Direct *d, uint32_t l) {
    const ReduceLoop *loop = &d->t->loop[l];
    int64_t step = plain_k_step(d, l);
    return loop->edge < 0 ? step : step * d->t->edge[loop->edge].reduce_every;
}

/* Elements of A, and of packed k, of the loops that are open. */
static const Expr *open_offset(Direct *d, int64_t (*step)(const Direct *, uint32_t)) {
    const Expr *sum = num(d, 0);
    for (uint32_t l = 0; l < d->t->loops; l++)
        if (d->at[l]) sum = add(d, sum, mul(d, d->at[l], step(d, l)));
    return sum;
}

static const Expr *k_start(Direct *d) {
    const Expr *sum = num(d, 0);
    for (uint32_t l = 0; l < d->t->loops; l++) {
        int32_t edge = d->t->loop[l].edge;
        if (edge < 0) continue;
        const Expr *first = edge_entry(d, (uint32_t)edge, 0);
        sum = add(d, sum, mul(d, first, plain_k_step(d, l)));
    }
    return sum;
}

/* The register tile */

typedef struct Panel {
    uint32_t rows, vectors;
    const Expr *panel;  /* number in the task */
    int64_t cols;       /* fewer than the vectors' lanes in the last panel */
    const Expr *b_base; /* of the panel's k = 0 */
    const Expr *row;    /* first row, in the task */
    const Expr *sums;   /* first sum in d->tile */
    const Var *sum[14][4];
    Buffer *view[14], *b_view;
} Panel;

/* Whether the rows of a tile are reached from one place. */
static bool rows_at_once(const Tile *t) {
    return t->uniform || t->known_rows || t->even > 1;
}

/* Elements of A from the place of row 0 to `row`, where rows are known. */
static int64_t known_row(const Direct *d, int64_t row) {
    int64_t place = 0;
    for (uint32_t i = d->t->walked.count; i-- > 0;) {
        uint32_t axis = d->t->walked.at[i];
        place += row % d->c->extent[axis] * d->c->a.step[axis];
        row /= d->c->extent[axis];
    }
    return place;
}

static void set_views(Direct *d, Panel *p, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    const Expr *base = add(d, d->a_base, open_offset(d, loop_a_step));
    bool tables = has_row_tables(d);
    if (rows_at_once(t)) {
        p->view[0] = buffer_view(a, "a0", ELEM_f32);
        if (t->uniform)
            base = add(d, base, mul(d, add(d, d->row0, p->row), t->row_step));
        else if (!t->known_rows)
            base = add(d, base, look_up(d, d->rowbase, p->row));
        block_view(b, p->view[0], d->a, base);
        return;
    }
    base = block_let(b, "base", base);
    int64_t zeros = run_a_step(d) < 0 ? d->zeros->count - 1 : 0;
    for (uint32_t i = 0; i < p->rows; i++) {
        const Expr *row = add(d, p->row, num(d, i));
        p->view[i] = buffer_view(a, arena_print(a, "a%u", i), ELEM_f32);
        const Expr *at = base;
        if (d->has_rowbase) at = add(d, base, look_up(d, d->rowbase, row));
        if (!tables) {
            block_view(b, p->view[i], d->a, at);
            continue;
        }
        const Expr *place = NULL;
        for (uint32_t n = 0; n < d->c->a.edges; n++) {
            if (d->t->edge[n].fixed) continue;
            const Expr *t = num(d, 0);
            for (uint32_t l = 0; l < d->t->loops; l++)
                if (d->t->loop[l].edge == (int32_t)n && d->at[l]) t = d->at[l];
            const Expr *one =
                look_up(d, d->edge_rows[n], add(d, mul(d, t, d->t->task_rows), row));
            place = place ? add(d, place, one) : one;
        }
        place = block_let(b, "place", place);
        block_view_if(b, p->view[i], op2(d, OP_ge, place, num(d, 0)), d->a,
                      add(d, at, place), d->zeros, num(d, zeros));
    }
}

static void set_b_view(Direct *d, Panel *p, Block *b) {
    int64_t width = d->t->b_in_place ? 1 : (int64_t)p->vectors * d->t->lanes;
    p->b_view = buffer_view(d->arena, "b", ELEM_f32);
    const Expr *k = add(d, k_start(d), open_offset(d, loop_k_step));
    block_view(b, p->b_view, d->b, add(d, p->b_base, mul(d, k, width)));
}

/* One k: all sums += a row's element * B's vectors. */
static void multiply(Direct *d, Panel *p, const Expr *k, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    uint32_t run = t->loops - 1;
    int64_t step = loop_k_step(d, run);
    if (!t->b_in_place) step *= (int64_t)p->vectors * t->lanes;
    const Expr *bv[4];
    for (uint32_t j = 0; j < p->vectors; j++) {
        const Expr *at = add(d, mul(d, k, step), num(d, j * t->lanes));
        int64_t left = p->cols - (int64_t)j * t->lanes;
        const Expr *active = t->b_in_place && left < t->lanes ? num(d, left) : NULL;
        bv[j] = block_let(b, "b", expr_load(a, p->b_view, at, t->lanes, 1, active));
    }
    const Expr *at = mul(d, k, loop_a_step(d, run));
    for (uint32_t i = 0; i < p->rows; i++) {
        bool one = rows_at_once(t);
        const Buffer *view = p->view[one ? 0 : i];
        int64_t shift = t->known_rows ? known_row(d, p->row->i + i) : i * t->row_step;
        const Expr *place = one ? add(d, at, num(d, shift)) : at;
        const Expr *x = expr_load(a, view, place, 1, 1, NULL);
        x = block_let(b, "a", expr_splat(a, x, t->lanes));
        for (uint32_t j = 0; j < p->vectors; j++) {
            const Var *sum = p->sum[i][j];
            block_set(b, sum, expr_fma(a, x, bv[j], expr_var(a, sum)));
        }
    }
}

static uint32_t run_unroll(const Direct *d, int64_t extent) {
    /* Rows a step apart would share elements between copies, too many to keep. */
    if (d->t->known_rows) return 1;
    return extent && extent <= 9 ? (uint32_t)extent : 4;
}

/* Lengths that the run may have where they are few; 0: any. */
static uint32_t run_lengths(const Direct *d, int64_t *length, bool *or_none) {
    enum { MOST = 3 };
    const ReduceLoop *run = &d->t->loop[d->t->loops - 1];
    uint32_t count = 0;
    if (run->block) return 0;
    if (run->edge < 0) {
        length[count++] = run->extent;
        return dim_is_const(d->c->dim[run->axes.at[0]]) && d->t->loops > 1;
    }
    const EdgeWalk *w = &d->t->edge[run->edge];
    for (int64_t i = 0; i < w->entries; i++) {
        uint32_t k = 0;
        while (k < count && length[k] != w->count[i]) k++;
        *or_none = *or_none || !w->count[i];
        if (k < count || !w->count[i]) continue;
        if (count == MOST) return 0;
        length[count++] = w->count[i];
    }
    return count;
}

/* The innermost loop; a copy for each length that it may have, because a loop of a known
 * length ends where the processor expects it. */
static void run_loop(Direct *d, Panel *p, Block *b) {
    uint32_t l = d->t->loops - 1;
    int64_t length[4];
    bool or_none = false;
    uint32_t lengths = run_lengths(d, length, &or_none);
    const Var *var = var_index(d->arena, "k");
    const Stmt *all = NULL;
    for (uint32_t i = 0; i < lengths || !i; i++) {
        Block body = block_new(d->arena), copy = block_new(d->arena);
        const Expr *end = lengths ? num(d, length[i]) : d->high[l];
        multiply(d, p, expr_var(d->arena, var), &body);
        block_for(&copy, var, lengths ? num(d, 0) : d->low[l], end, 1,
                  run_unroll(d, lengths ? length[i] : 0), block_end(&body));
        const Stmt *one = block_end(&copy);
        if (lengths && lengths + or_none > 1) {
            Block choice = block_new(d->arena);
            block_if(&choice, op2(d, OP_eq, d->high[l], end), one, all);
            one = block_end(&choice);
        }
        all = one;
    }
    block_add(b, all);
}

/* The loops inside of the tile, from number `l` on. */
static void inner_loops(Direct *d, Panel *p, uint32_t l, Block *b) {
    Arena *a = d->arena;
    const ReduceLoop *loop = &d->t->loop[l];
    const Var *var = var_index(a, "k");
    Block body = block_new(a);
    if (l + 1 == d->t->loops) {
        if (loop->block == -1) { /* one k a tile: the range is the step that is open */
            set_views(d, p, b);
            set_b_view(d, p, b);
            multiply(d, p, num(d, 0), b);
            return;
        }
        set_views(d, p, b);
        set_b_view(d, p, b);
        run_loop(d, p, b);
        return;
    }
    if (loop->block == -1) {
        inner_loops(d, p, l + 1, b);
        return;
    }
    d->at[l] = expr_var(a, var);
    inner_loops(d, p, l + 1, &body);
    d->at[l] = NULL;
    block_for(b, var, d->low[l], d->high[l], 1, 1, block_end(&body));
}

static bool has_outer(const Direct *d) {
    for (uint32_t l = 0; l < d->t->loops; l++)
        if (d->t->loop[l].block) return true;
    return false;
}

static void register_tile(Direct *d, Panel *p, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    const Expr *sums = block_let(b, "sums", p->sums);
    int64_t width = (int64_t)p->vectors * t->lanes;
    for (uint32_t i = 0; i < p->rows; i++)
        for (uint32_t j = 0; j < p->vectors; j++) {
            const Expr *at = add(d, sums, num(d, i * width + j * t->lanes));
            const Expr *start = has_outer(d)
                                    ? expr_load(a, d->tile, at, t->lanes, 1, NULL)
                                    : expr_num(a, ELEM_f32, t->lanes, 0);
            p->sum[i][j] = block_mutable(b, "c", start);
        }
    inner_loops(d, p, 0, b);
    for (uint32_t i = 0; i < p->rows; i++)
        for (uint32_t j = 0; j < p->vectors; j++)
            block_store(b, d->tile, add(d, sums, num(d, i * width + j * t->lanes)),
                        expr_var(a, p->sum[i][j]), 1, NULL);
}

/* Results */

/* First sum of row `row`, panel `panel` (both of the task), for a panel of `width`. */
static const Expr *sum_place(Direct *d, const Expr *panel, const Expr *row,
                             int64_t width) {
    int64_t of_panel = d->t->task_rows * width_of(d->t);
    return add(d, mul(d, panel, of_panel), mul(d, row, width));
}

static const Expr *load_tile(Direct *d, const Expr *at, uint32_t lanes,
                             const Expr *active) {
    return expr_load(d->arena, d->tile, at, lanes, 1, active);
}

/* Axes of the result at a row and column of the task. */
static void result_axes(Direct *d, const Index *row, const Index *col,
                        const Index **axis) {
    const Contract *c = d->c;
    const Tile *t = d->t;
    for (uint32_t i = 0; i < c->axes; i++)
        axis[i] = d->place[i] ? index_axis(d->e, d->place[i], c->extent[i])
                              : index_int(d->e, 0);
    for (uint32_t i = t->walked.count; i-- > 0;) {
        uint32_t k = t->walked.at[i], number;
        int64_t extent = walked_extent(d, k);
        const Edge *e = edge_at(d, k, &number);
        axis[k] = i ? index_mod(d->e, row, extent) : row;
        row = index_div(d->e, row, extent);
        if (!e || e->divisor == 1) continue;
        const Index *phase = index_axis(d->e, d->phase[number], e->divisor);
        axis[k] = index_add(d->e, index_scale(d->e, axis[k], e->divisor), phase);
    }
    const AxisList *cols = &c->list[AXIS_COL];
    for (uint32_t i = cols->count; i-- > 0;) {
        uint32_t k = cols->at[i];
        axis[k] = i ? index_mod(d->e, col, c->extent[k]) : col;
        col = index_div(d->e, col, c->extent[k]);
    }
}

/* `lanes` results of row `row` (of the task) from column `col` on. */
static void store_lanes(Direct *d, const Expr *row, const Expr *col, const Expr *sums,
                        uint32_t lanes, const Expr *active, Block *b) {
    emit_open(d->e, b);
    const Index *axis[MAX_AXES];
    const Index *r = index_axis(d->e, add(d, d->row0, row), d->t->rows_max);
    const Index *c = index_axis(d->e, col, count_of(d->c, AXIS_COL));
    if (lanes > 1 || active) emit_vector(d->e, c, lanes, active);
    result_axes(d, r, c, axis);
    emit_bind(d->e, d->c->node, block_let(b, "sum", d->load(d, sums, lanes, active)));
    contract_store(d->c, d->e, d->results, axis);
    emit_close(d->e);
}

/* The columns after the last full vector: masked where masks are cheap. */
static void store_tail(Direct *d, const Expr *row, const Expr *col, const Expr *sums,
                       int64_t left, Block *b) {
    const Tile *t = d->t;
    if (t->lanes == 16 && left > 1) {
        store_lanes(d, row, col, sums, t->lanes, num(d, left), b);
        return;
    }
    int64_t done = 0;
    for (uint32_t lanes = t->lanes / 2; lanes; lanes /= 2)
        for (; left - done >= lanes; done += lanes)
            store_lanes(d, row, add(d, col, num(d, done)), add(d, sums, num(d, done)),
                        lanes, NULL, b);
}

static bool rows_may_miss(const Direct *d) {
    for (uint32_t i = 0; i < d->c->a.edges; i++) {
        const Edge *e = &d->c->a.edge[i];
        if (!d->t->edge[i].fixed && e->row >= 0 && d->c->extent[e->row] % e->divisor)
            return true;
    }
    return false;
}

/* True where each phase's row exists. */
static const Expr *row_exists(Direct *d, const Expr *row, Block *b) {
    const Expr *all = NULL;
    row = add(d, d->row0, row);
    for (uint32_t i = d->t->walked.count; i-- > 0;) {
        uint32_t axis = d->t->walked.at[i], number;
        const Expr *at = row;
        if (i) at = take_digit(d, b, "digit", &row, num(d, walked_extent(d, axis)));
        const Edge *e = edge_at(d, axis, &number);
        if (!e || e->divisor == 1) continue;
        at = add(d, mul(d, at, e->divisor), d->phase[number]);
        const Expr *one = op2(d, OP_lt, at, num(d, d->c->extent[axis]));
        all = all ? op2(d, OP_and, all, one) : one;
    }
    return all;
}

/* Results of rows [low, high) of the task in a panel with `cols` columns, whose sums of row 0
 * are at `sums`. */
static void panel_results(Direct *d, Panel *p, const Expr *low, const Expr *high,
                          const Expr *sums, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    int64_t width = (int64_t)p->vectors * t->lanes, full = p->cols / t->lanes * t->lanes;
    const Var *r = var_index(a, "row"), *v = var_index(a, "col");
    const Expr *row = expr_var(a, r), *col = expr_var(a, v);
    Block body = block_new(a), inner = block_new(a);
    const Expr *first =
        block_let(b, "col0", mul(d, add(d, d->panel0, p->panel), width_of(t)));
    const Expr *of_row = block_let(&body, "of_row", add(d, sums, mul(d, row, width)));
    store_lanes(d, row, add(d, first, col), add(d, of_row, col), t->lanes, NULL, &inner);
    if (full)
        block_for(&body, v, num(d, 0), num(d, full), t->lanes, 1, block_end(&inner));
    if (full < p->cols)
        store_tail(d, row, add(d, first, num(d, full)), add(d, of_row, num(d, full)),
                   p->cols - full, &body);
    const Stmt *rows = block_end(&body);
    if (rows_may_miss(d)) {
        Block some = block_new(a);
        block_if(&some, row_exists(d, row, &some), rows, NULL);
        rows = block_end(&some);
    }
    block_for(b, r, low, high, 1, 1, rows);
}

/* Calls `visit` in a loop over the full panels of the task, and for the one that differs. */
static void each_panel(Direct *d, void (*visit)(Direct *, Panel *, Block *), Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    int64_t cols = count_of(d->c, AXIS_COL), width = width_of(t);
    bool last_differs = cols % width;
    const Var *var = var_index(a, "panel");
    const Expr *left = op2(d, OP_sub, num(d, t->panels - last_differs), d->panel0);
    const Expr *end = op2(d, OP_min, num(d, t->task_panels), left);
    if (t->panels > last_differs) {
        Block body = block_new(a);
        Panel p = {.vectors = t->vectors, .cols = width, .panel = expr_var(a, var)};
        visit(d, &p, &body);
        block_for(b, var, num(d, 0), end, 1, 1, block_end(&body));
    }
    if (!last_differs) return;
    Block body = block_new(a);
    Panel p = {.panel = block_let(&body, "last", left)};
    p.vectors = t->tail_vectors ? t->tail_vectors : t->vectors;
    p.cols = cols - (t->panels - 1) * width;
    visit(d, &p, &body);
    block_if(b, op2(d, OP_lt, left, num(d, t->task_panels)), block_end(&body), NULL);
}

static void later_results(Direct *d, Panel *p, Block *b) {
    const Expr *sums = block_let(b, "sums", sum_place(d, p->panel, num(d, 0), 0));
    panel_results(d, p, num(d, 0), d->row_count, sums, b);
}

/* Results of the whole task from its sums. */
static void epilogue(Direct *d, Block *b) {
    each_panel(d, later_results, b);
}

/* Panels and row tiles */

/* Where k = 0 of a panel of the task is. */
static const Expr *panel_base(Direct *d, const Expr *panel) {
    const Tile *t = d->t;
    const Contract *c = d->c;
    const Expr *global = add(d, d->panel0, panel);
    if (!t->b_in_place) {
        const Expr *number = add(d, mul(d, d->batch, t->panels), global);
        return mul(d, number, t->k_max * width_of(t));
    }
    const Expr *base = add(d, num(d, c->b.base), mul(d, global, width_of(t)));
    for (uint32_t i = 0; i < c->list[AXIS_BATCH].count; i++) {
        uint32_t axis = c->list[AXIS_BATCH].at[i];
        base = add(d, base, mul(d, d->place[axis], c->b.step[axis]));
    }
    return base;
}

/* A row tile, and its results once the sums are complete. */
static void finish_tile(Direct *d, Panel *p, const Expr *high, Block *b) {
    p->sums = num(d, 0);
    const Expr *row0 = sum_place(d, p->panel, num(d, 0), 0);
    int64_t width = (int64_t)p->vectors * d->t->lanes;
    if (d->at_once && !d->last)
        row0 = mul(d, p->row, -width); /* all tiles use the same sums */
    else
        p->sums = add(d, row0, mul(d, p->row, width));
    register_tile(d, p, b);
    if (!d->at_once) return;
    Block results = block_new(d->arena);
    Block *to = d->last ? &results : b;
    panel_results(d, p, p->row, high, block_let(to, "sums", row0), to);
    if (d->last) block_if(b, d->last, block_end(&results), NULL);
}

static void row_tiles(Direct *d, Panel *p, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    p->rows = t->rows;
    p->b_base = block_let(b, "b_base", panel_base(d, p->panel));
    for (int64_t row = 0; t->known_rows && row < t->rows_max; row += t->rows) {
        Panel known = *p;
        int64_t left = t->rows_max - row;
        known.row = num(d, row);
        known.rows = left < t->rows ? (uint32_t)left : t->rows;
        finish_tile(d, &known, num(d, row + known.rows), b);
    }
    if (t->known_rows) return;
    const Var *r = var_index(a, "row");
    Block body = block_new(a), rest = block_new(a);
    int64_t tail = t->uniform && !has_row_tables(d) ? t->rows_max % t->rows : 0;
    Panel tile = *p, low = *p;
    tile.row = expr_var(a, r);
    const Expr *high = add(d, tile.row, num(d, t->rows));
    if (!tail) high = op2(d, OP_min, high, d->row_count);
    finish_tile(d, &tile, high, &body);
    const Expr *end = d->row_count;
    if (tail) end = op2(d, OP_sub, end, num(d, t->rows - 1));
    block_for(b, r, num(d, 0), end, t->rows, 1, block_end(&body));
    if (!tail) return;
    /* Rows of A after the last do not exist: a lower tile takes what is left. */
    low.rows = (uint32_t)tail;
    low.row = block_let(&rest, "row", op2(d, OP_sub, d->row_count, num(d, tail)));
    finish_tile(d, &low, d->row_count, &rest);
    const Expr *odd = op2(d, OP_mod, d->row_count, num(d, t->rows));
    block_if(b, op2(d, OP_ne, odd, num(d, 0)), block_end(&rest), NULL);
}

/* Blocks of the reduce loops outside of the panels. */
static void outer_loops(Direct *d, uint32_t l, Block *b) {
    if (l == d->t->loops) {
        each_panel(d, row_tiles, b);
        return;
    }
    loop_range(d, b, l);
    int64_t block = d->t->loop[l].block;
    if (!block) {
        outer_loops(d, l + 1, b);
        return;
    }
    const Var *var = var_index(d->arena, "block");
    const Expr *low = d->low[l], *high = d->high[l], *at = expr_var(d->arena, var);
    Block body = block_new(d->arena);
    if (block < 0) {
        d->at[l] = at;
    } else {
        d->low[l] = at;
        d->high[l] =
            block_let(&body, "high", op2(d, OP_min, high, add(d, at, num(d, block))));
    }
    const Expr *before = d->last;
    const Expr *end = add(d, at, num(d, block < 0 ? 1 : block));
    const Expr *last = op2(d, OP_ge, end, high);
    d->last = before ? op2(d, OP_and, before, last) : last;
    outer_loops(d, l + 1, &body);
    d->last = before;
    d->at[l] = NULL;
    block_for(b, var, low, high, block < 0 ? 1 : block, 1, block_end(&body));
}

/* Packing of B */

static const Index *form_index(Direct *d, const Affine *form, const Index *const *axis) {
    const Index *sum = index_int(d->e, form->offset);
    for (uint32_t i = 0; i < d->c->axes; i++)
        if (form->coefficient[i])
            sum = index_add(d->e, sum, index_scale(d->e, axis[i], form->coefficient[i]));
    return sum;
}

/* One vector of B at (k, col), zero after `active` lanes. */
static void pack_vector(Direct *d, const Expr *k, const Expr *col, const Expr *to,
                        int64_t active, Block *b) {
    const Contract *c = d->c;
    const Tile *t = d->t;
    emit_open(d->e, b);
    const Index *axis[MAX_AXES], *at[MAX_RANK];
    for (uint32_t i = 0; i < c->axes; i++)
        axis[i] = d->place[i] ? index_axis(d->e, d->place[i], c->extent[i])
                              : index_int(d->e, 0);
    const Index *number = index_axis(d->e, col, count_of(c, AXIS_COL));
    emit_vector(d->e, number, t->lanes, active == t->lanes ? NULL : num(d, active));
    for (uint32_t i = c->list[AXIS_COL].count; i-- > 0;) {
        uint32_t x = c->list[AXIS_COL].at[i];
        axis[x] = i ? index_mod(d->e, number, c->extent[x]) : number;
        number = index_div(d->e, number, c->extent[x]);
    }
    const Index *rest = index_axis(d->e, k, t->k_max);
    for (uint32_t l = t->loops; l-- > 0;)
        for (uint32_t i = t->loop[l].axes.count; i-- > 0;) {
            uint32_t x = t->loop[l].axes.at[i];
            axis[x] = l || i ? index_mod(d->e, rest, c->extent[x]) : rest;
            rest = index_div(d->e, rest, c->extent[x]);
        }
    for (uint32_t i = 0; i < c->b.map->rank; i++)
        at[i] = form_index(d, &c->b.map->dim[i], axis);
    const Expr *value = emit_value(d->e, c->b.value, at);
    value = expr_cast(d->arena, value, ELEM_f32);
    if (value->lanes == 1) value = expr_splat(d->arena, value, t->lanes);
    emit_close(d->e);
    block_store(b, d->b, to, value, 1, NULL);
}

static void pack_panel(Direct *d, const Expr *number, const Expr *panel, const Expr *k,
                       uint32_t vectors, int64_t cols, Block *b) {
    const Tile *t = d->t;
    int64_t width = (int64_t)vectors * t->lanes;
    const Expr *base = mul(d, number, t->k_max * width_of(t));
    base = block_let(b, "to", add(d, base, mul(d, k, width)));
    const Expr *col = mul(d, panel, width_of(t));
    for (uint32_t j = 0; j < vectors; j++) {
        int64_t left = cols - (int64_t)j * t->lanes;
        if (left > t->lanes) left = t->lanes;
        pack_vector(d, k, add(d, col, num(d, j * t->lanes)),
                    add(d, base, num(d, j * t->lanes)), left, b);
    }
}

static void pack_kernel(Draft *draft, const Contract *c, const Tile *t, uint32_t temp) {
    enum { A_TASK = 256 }; /* k */
    Arena *a = draft->arena;
    Direct d = {.c = c, .t = t, .arena = a, .k = draft_kernel(draft, "pack")};
    d.e = d.k.emitter;
    draft_params(&d.k);
    d.b = draft_buffer(&d.k, OPERAND_TEMP, temp, ELEM_f32, true);
    const Expr *k_total = num(&d, t->k_max), *batches = num(&d, 1);
    if (t->loop[0].axes.count == 1)
        k_total = mul(&d, extent_of(&d, t->loop[0].axes.at[0]), t->loop[0].k_step);
    const AxisList *batch = &c->list[AXIS_BATCH];
    for (uint32_t i = 0; i < batch->count; i++)
        batches = op2(&d, OP_mul, batches, extent_of(&d, batch->at[i]));
    Block body = block_new(a), full = block_new(a), last = block_new(a);
    const Expr *rest = expr_var(a, d.k.kernel->task);
    const Expr *chunks = block_let(&body, "chunks", up_div(&d, k_total, A_TASK));
    const Expr *chunk = take_digit(&d, &body, "chunk", &rest, chunks);
    const Expr *number = rest;
    const Expr *panel = take_digit(&d, &body, "panel", &rest, num(&d, t->panels));
    for (uint32_t i = batch->count; i-- > 0;) {
        uint32_t x = batch->at[i];
        d.place[x] =
            i ? take_digit(&d, &body, "batch", &rest, num(&d, c->extent[x])) : rest;
    }
    const Var *kv = var_index(a, "k");
    const Expr *k = expr_var(a, kv), *begin = mul(&d, chunk, A_TASK);
    const Expr *end = op2(&d, OP_min, k_total, add(&d, begin, num(&d, A_TASK)));
    int64_t width = width_of(t), cols = count_of(c, AXIS_COL);
    uint32_t tail = t->tail_vectors ? t->tail_vectors : t->vectors;
    pack_panel(&d, number, panel, k, t->vectors, width, &full);
    pack_panel(&d, number, panel, k, tail, cols - (t->panels - 1) * width, &last);
    Block narrow = block_new(a), wide = block_new(a);
    block_for(&narrow, kv, begin, end, 1, 1, block_end(&last));
    block_for(&wide, kv, begin, end, 1, 1, block_end(&full));
    if (t->panels > 1)
        block_if(&body, op2(&d, OP_lt, panel, num(&d, t->panels - 1)), block_end(&wide),
                 block_end(&narrow));
    else
        block_add(&body, block_end(&narrow));
    const Expr *tasks = mul(&d, up_div(&d, k_total, A_TASK), t->panels);
    draft_end(&d.k, op2(&d, OP_mul, tasks, batches), &body);
}

/* Parts */

static int64_t tile_size(const Tile *t) {
    return t->task_rows * t->task_panels * width_of(t);
}

static const Expr *part_place(Direct *d, const Expr *split, const Expr *at) {
    const Expr *tile = op2(d, OP_mul, split, task_count(d, false));
    return add(d, mul(d, add(d, tile, d->number), tile_size(d->t)), at);
}

static void store_part(Direct *d, Buffer *parts, Block *b) {
    const Var *i = var_index(d->arena, "i");
    Block body = block_new(d->arena);
    const Expr *at = expr_var(d->arena, i), *base = part_place(d, d->split, num(d, 0));
    base = block_let(b, "part", base);
    block_store(&body, parts, add(d, base, at), load_tile(d, at, d->t->lanes, NULL), 1,
                NULL);
    block_for(b, i, num(d, 0), num(d, tile_size(d->t)), d->t->lanes, 4, block_end(&body));
}

/* The parts from number `first` on, as a tree that depends on their number only. */
static const Expr *add_parts(Direct *d, int64_t first, int64_t count, const Expr *at,
                             uint32_t lanes, const Expr *active) {
    if (count == 1)
        return expr_load(d->arena, d->tile, part_place(d, num(d, first), at), lanes, 1,
                         active);
    int64_t half = count / 2;
    return op2(d, OP_add, add_parts(d, first, half, at, lanes, active),
               add_parts(d, first + half, count - half, at, lanes, active));
}

static const Expr *load_parts(Direct *d, const Expr *at, uint32_t lanes,
                              const Expr *active) {
    return add_parts(d, 0, d->t->splits, at, lanes, active);
}

static void join_kernel(Draft *draft, const Contract *c, const Tile *t, uint32_t parts) {
    Direct d = {.c = c, .t = t, .arena = draft->arena, .k = draft_kernel(draft, "join")};
    d.e = d.k.emitter;
    draft_params(&d.k);
    d.tile = draft_buffer(&d.k, OPERAND_TEMP, parts, ELEM_f32, false);
    Block body = block_new(d.arena);
    open_task(&d, &body, false);
    d.load = load_parts;
    d.results = draft_results(&d.k);
    epilogue(&d, &body);
    draft_end(&d.k, task_count(&d, false), &body);
}

/* The main kernel */

static void clear_tile(Direct *d, Block *b) {
    const Var *i = var_index(d->arena, "i");
    Block body = block_new(d->arena);
    block_store(&body, d->tile, expr_var(d->arena, i),
                expr_num(d->arena, ELEM_f32, d->t->lanes, 0), 1, NULL);
    block_for(b, i, num(d, 0), num(d, tile_size(d->t)), d->t->lanes, 4, block_end(&body));
}

/* Whether there may be no block of an outer loop, and then no tile. */
static bool may_be_empty(const Direct *d) {
    for (uint32_t l = 0; l < d->t->loops; l++) {
        const ReduceLoop *loop = &d->t->loop[l];
        if (!loop->block || loop->edge < 0) continue;
        const EdgeWalk *w = &d->t->edge[loop->edge];
        for (int64_t i = 0; i < w->entries; i++)
            if (!w->count[i]) return true;
    }
    return false;
}

/* What a run reads in place of a row outside; from its last element where it goes back. */
static Buffer *zero_line(Direct *d) {
    int64_t reach = (d->t->loop[d->t->loops - 1].extent - 1) * llabs(run_a_step(d)) + 1;
    float *zeros = arena_array(d->arena, float, reach);
    return buffer_table(d->arena, "zeros", ELEM_f32, zeros, reach);
}

static void main_kernel(Draft *draft, const Contract *c, const Tile *t, uint32_t packed,
                        uint32_t parts) {
    Arena *a = draft->arena;
    Direct d = {.c = c, .t = t, .arena = a, .k = draft_kernel(draft, "main")};
    d.e = d.k.emitter;
    if (t->splits == 1) draft_params(&d.k);
    d.a = draft_operand(&d.k, c, &c->a);
    d.b = t->b_in_place ? draft_buffer(&d.k, OPERAND_PARAM, c->b.value, ELEM_f32, false)
                        : draft_buffer(&d.k, OPERAND_TEMP, packed, ELEM_f32, false);
    d.load = load_tile;
    d.at_once = t->splits == 1 && !may_be_empty(&d);
    bool one_tile = d.at_once && !has_outer(&d);
    int64_t sums = one_tile ? t->rows * width_of(t) : tile_size(t);
    d.tile = buffer_local(a, "sums", ELEM_f32, sums);
    if (t->splits == 1) d.results = draft_results(&d.k);
    d.zeros = zero_line(&d);
    Block body = block_new(a);
    block_local(&body, d.tile);
    open_task(&d, &body, true);
    open_edges(&d, &body);
    open_rows(&d, &body);
    if (has_outer(&d)) clear_tile(&d, &body);
    outer_loops(&d, 0, &body);
    if (t->splits > 1)
        store_part(&d, draft_buffer(&d.k, OPERAND_TEMP, parts, ELEM_f32, true), &body);
    else if (!d.at_once)
        epilogue(&d, &body);
    draft_end(&d.k, task_count(&d, true), &body);
}

void lower_contract_direct(Draft *draft, const Contract *c, const Tile *t) {
    int64_t batches = count_of(c, AXIS_BATCH), tiles = batches;
    uint32_t packed = 0;
    if (!t->b_in_place) {
        packed = draft_temp(draft, 4 * batches * t->panels * t->k_max * width_of(t));
        pack_kernel(draft, c, t, packed);
    }
    if (t->splits == 1) {
        main_kernel(draft, c, t, packed, 0);
        return;
    }
    tiles *= (t->rows_max + t->task_rows - 1) / t->task_rows;
    tiles *= (t->panels + t->task_panels - 1) / t->task_panels;
    for (uint32_t i = 0; i < t->fixed.count; i++) tiles *= c->extent[t->fixed.at[i]];
    for (uint32_t i = 0; i < c->a.edges; i++)
        if (!t->edge[i].fixed) tiles *= t->edge[i].entries;
    uint32_t parts = draft_temp(draft, 4 * tiles * t->splits * tile_size(t));
    main_kernel(draft, c, t, packed, parts);
    join_kernel(draft, c, t, parts);
}
