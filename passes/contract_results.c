/* Direct contractions: results from the sums of a task, or of the parts of split sums. */
#include "passes/contract_direct.h"

const Expr *results_sum_place(Direct *d, const Expr *panel, const Expr *row,
                              int64_t width) {
    int64_t of_panel = d->t->task_rows * width_of(d->t);
    return add(d, mul(d, panel, of_panel), mul(d, row, width));
}

const Expr *results_load_tile(Direct *d, const Expr *at, uint32_t lanes,
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
        int64_t extent = rows_extent(d, k);
        const Edge *e = rows_find_edge(d, k, &number);
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
        if (i) at = take_digit(d, b, "digit", &row, num(d, rows_extent(d, axis)));
        const Edge *e = rows_find_edge(d, axis, &number);
        if (!e || e->divisor == 1) continue;
        at = add(d, mul(d, at, e->divisor), d->phase[number]);
        const Expr *one = op2(d, OP_lt, at, num(d, d->c->extent[axis]));
        all = all ? op2(d, OP_and, all, one) : one;
    }
    return all;
}

void results_store_panel(Direct *d, Panel *p, const Expr *low, const Expr *high,
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

static void later_results(Direct *d, Panel *p, Block *b) {
    const Expr *sums = block_let(b, "sums", results_sum_place(d, p->panel, num(d, 0), 0));
    results_store_panel(d, p, num(d, 0), d->row_count, sums, b);
}

void results_store(Direct *d, Block *b) {
    panels_visit(d, later_results, b);
}

/* Parts */

static const Expr *part_place(Direct *d, const Expr *split, const Expr *at) {
    const Expr *tile = op2(d, OP_mul, split, rows_count_tasks(d, false));
    return add(d, mul(d, add(d, tile, d->number), tile_size(d->t)), at);
}

void results_store_part(Direct *d, Buffer *parts, Block *b) {
    const Var *i = var_index(d->arena, "i");
    Block body = block_new(d->arena);
    const Expr *at = expr_var(d->arena, i), *base = part_place(d, d->split, num(d, 0));
    base = block_let(b, "part", base);
    block_store(&body, parts, add(d, base, at),
                results_load_tile(d, at, d->t->lanes, NULL), 1, NULL);
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

void results_join(Draft *draft, const Contract *c, const Tile *t, uint32_t parts) {
    Direct d = {.c = c, .t = t, .arena = draft->arena, .k = draft_kernel(draft, "join")};
    d.e = d.k.emitter;
    draft_params(&d.k);
    d.tile = draft_buffer(&d.k, OPERAND_TEMP, parts, ELEM_f32, false);
    Block body = block_new(d.arena);
    rows_open_task(&d, &body, false);
    d.load = load_parts;
    d.results = draft_results(&d.k);
    results_store(&d, &body);
    draft_end(&d.k, rows_count_tasks(&d, false), &body);
}
