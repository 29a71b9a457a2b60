/*
 * The direct strategy: register tiles of broadcast A times packed B.  A is read where it lies,
 * through row pointers where rows are not evenly apart; places outside of it are a line of
 * zeros.  B is packed into panels [panel][k][width] by a kernel of its own, so that a group
 * whose B does not change may keep them.
 */
#include "passes/contract_direct.h"

/* Panels and row tiles */

/* A row tile, and its results once the sums are complete. */
static void finish_tile(Direct *d, Panel *p, const Expr *high, Block *b) {
    p->sums = num(d, 0);
    const Expr *row0 = results_sum_place(d, p->panel, num(d, 0), 0);
    int64_t width = (int64_t)p->vectors * d->t->lanes;
    if (d->at_once && !d->last)
        row0 = mul(d, p->row, -width); /* all tiles use the same sums */
    else
        p->sums = add(d, row0, mul(d, p->row, width));
    register_tile(d, p, b);
    if (!d->at_once) return;
    Block results = block_new(d->arena);
    Block *to = d->last ? &results : b;
    results_store_panel(d, p, p->row, high, block_let(to, "sums", row0), to);
    if (d->last) block_if(b, d->last, block_end(&results), NULL);
}

static void row_tiles(Direct *d, Panel *p, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    p->rows = t->rows;
    register_open(d, p, b);
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
    int64_t tail = t->uniform && !rows_have_tables(d) ? t->rows_max % t->rows : 0;
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

static void loop_range(Direct *d, Block *b, uint32_t l) {
    const ReduceLoop *loop = &d->t->loop[l];
    d->low[l] = num(d, 0);
    if (loop->edge >= 0)
        d->high[l] = rows_edge_entry(d, (uint32_t)loop->edge, 1);
    else if (loop->axes.count == 1)
        d->high[l] = extent_of(d, loop->axes.at[0]);
    else
        d->high[l] = num(d, loop->extent);
    if (l == 0 && d->t->splits > 1) {
        d->part = block_let(b, "part", up_div(d, d->high[l], d->t->splits));
        d->low[l] = block_let(b, "low", op2(d, OP_mul, d->split, d->part));
        d->high[l] = op2(d, OP_min, d->high[l], add(d, d->low[l], d->part));
    }
    d->high[l] =
        d->high[l]->kind == EXPR_INT ? d->high[l] : block_let(b, "high", d->high[l]);
}

/* Blocks of the reduce loops outside of the panels. */
static void outer_loops(Direct *d, uint32_t l, Block *b) {
    if (l == d->t->loops) {
        panels_visit(d, row_tiles, b);
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

/* The main kernel */

static void clear_tile(Direct *d, Block *b) {
    const Var *i = var_index(d->arena, "i");
    Block body = block_new(d->arena);
    block_store(&body, d->tile, expr_var(d->arena, i),
                expr_num(d->arena, ELEM_f32, d->t->lanes, 0), 1, NULL);
    block_for(b, i, num(d, 0), num(d, tile_size(d->t)), d->t->lanes, 4, block_end(&body));
}

/* Whether an outer loop has a block, so that there are tiles; NULL: it always has. */
static const Expr *has_blocks(Direct *d) {
    const Expr *all = NULL;
    for (uint32_t l = 0; l < d->t->loops; l++) {
        const ReduceLoop *loop = &d->t->loop[l];
        if (!loop->block || loop->edge < 0) continue;
        const EdgeWalk *w = &d->t->edge[loop->edge];
        bool may_miss = false;
        for (int64_t i = 0; i < w->entries; i++) may_miss = may_miss || !w->count[i];
        if (!may_miss) continue;
        const Expr *count = rows_edge_entry(d, (uint32_t)loop->edge, 1);
        const Expr *any = op2(d, OP_gt, count, num(d, 0));
        all = all ? op2(d, OP_and, all, any) : any;
    }
    return all;
}

static const Expr *load_zeros(Direct *d, const Expr *at, uint32_t lanes,
                              const Expr *active) {
    return expr_num(d->arena, ELEM_f32, lanes, 0);
}

/* The task's tiles; `parts` is where they go if the sum is split. */
static void task_tiles(Direct *d, Buffer *parts, Block *b) {
    d->load = results_load_tile;
    rows_open(d, b);
    if (register_has_outer(d)) clear_tile(d, b);
    outer_loops(d, 0, b);
    if (parts) results_store_part(d, parts, b);
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
    d.at_once = t->splits == 1;
    bool one_tile = d.at_once && !register_has_outer(&d);
    int64_t sums = one_tile ? t->rows * width_of(t) : tile_size(t);
    d.tile = buffer_local(a, "sums", ELEM_f32, sums);
    if (t->splits == 1) d.results = draft_results(&d.k);
    d.zeros = register_zero_line(&d);
    Block body = block_new(a);
    block_local(&body, d.tile);
    rows_open_task(&d, &body, true);
    rows_open_edges(&d, &body);
    Buffer *to =
        d.at_once ? NULL : draft_buffer(&d.k, OPERAND_TEMP, parts, ELEM_f32, true);
    const Expr *any = d.at_once ? has_blocks(&d) : NULL;
    if (any) {
        Block some = block_new(a), none = block_new(a);
        task_tiles(&d, to, &some);
        d.load = load_zeros;
        results_store(&d, &none);
        block_if(&body, any, block_end(&some), block_end(&none));
    } else {
        task_tiles(&d, to, &body);
    }
    draft_end(&d.k, rows_count_tasks(&d, true), &body);
}

void lower_contract_direct(Draft *draft, const Contract *c, const Tile *t) {
    int64_t batches = count_of(c, AXIS_BATCH), tiles = batches;
    uint32_t packed = 0;
    if (!t->b_in_place) {
        packed = draft_temp(draft, 4 * batches * t->panels * t->k_max * width_of(t));
        panels_pack(draft, c, t, packed);
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
    results_join(draft, c, t, parts);
}
