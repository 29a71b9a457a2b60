/*
 * Winograd's F(4x4, 3x3) as kernels: one packs the transformed weights, the main one goes
 * through blocks of tiles.
 *
 *     task (block of tiles):
 *       V = transformed tiles of the image           V[36][tile][channel]
 *       for chunks of panels:
 *         for 36 products:  M = V times U            M[36][panel][tile][width]
 *         for tiles:  results of 4x4 places from M, the epilogue on them
 *
 * V and M are memory of the task and stay in L2.  Where a few tiles' V would fill that
 * already, a kernel of its own makes V for all tiles, and tasks share it.
 */
#include "passes/winograd.h"

/* Weights */

/* The taps of channel `k` and `cols` columns of a panel, transformed, to their places of all
 * products. */
static void pack_columns(Tiling *m, const Expr *panel, const Expr *k, const Expr *to,
                         uint32_t vectors, int64_t cols, Block *b) {
    Direct *d = &m->d;
    const Tile *t = d->t;
    const int64_t lanes = t->lanes, width = vectors * lanes, last = WINOGRAD_TAPS - 1;
    const int64_t step = m->w->channels * width;
    const WinogradHalf half = winograd_half(&winograd_weights, width, b);
    const Var *i = var_index(d->arena, "row"), *j = var_index(d->arena, "column");
    const Expr *row_at = expr_var(d->arena, i), *column_at = expr_var(d->arena, j);
    const Expr *g[WINOGRAD_TAPS], *u[WINOGRAD_IN], *at;
    Block column = block_new(d->arena), row = block_new(d->arena);
    const Expr *base =
        add(d, add(d, to, mul(d, k, width)), mul(d, row_at, WINOGRAD_IN * step));
    base = block_let(&row, "to", base);
    d->place[m->w->w.tap] =
        m->w->w.flipped ? op2(d, OP_sub, num(d, last), column_at) : column_at;
    for (int64_t v = 0; v < width; v += lanes) {
        const Expr *col = add(d, mul(d, panel, width_of(t)), num(d, v));
        int64_t active = cols - v < lanes ? cols - v : lanes;
        for (int64_t r = 0; r < WINOGRAD_TAPS; r++) {
            d->place[m->w->h.tap] = num(d, m->w->h.flipped ? last - r : r);
            at = panels_element(d, k, col, t->lanes, active, &column);
            g[r] = block_let(&column, "g", at);
        }
        winograd_column(&column, &half, g, add(d, mul(d, column_at, width), num(d, v)));
        at = add(d, mul(d, row_at, WINOGRAD_TAPS * width), num(d, v));
        winograd_row(&row, &half, at, t->lanes, u);
        for (int64_t s = 0; s < WINOGRAD_IN; s++)
            block_store(&row, d->b, add(d, base, num(d, s * step + v)), u[s], 1, NULL);
    }
    block_for(b, j, num(d, 0), num(d, WINOGRAD_TAPS), 1, 1, block_end(&column));
    block_for(b, i, num(d, 0), num(d, WINOGRAD_IN), 1, 1, block_end(&row));
}

/* U to the temporary: [panel][36][channel][width]. */
static void pack_weights(Draft *draft, const Winograd *w, uint32_t temp) {
    enum { A_TASK = 16 }; /* channels */
    Tiling m = winograd_tiling(draft, w, "pack");
    Direct *d = &m.d;
    const Tile *t = d->t;
    const Node *node = graph_node(w->c->group, w->c->b.value);
    if (node->op == OP_param)
        emit_place(
            d->e, w->c->b.value,
            draft_buffer(&d->k, OPERAND_PARAM, w->c->b.value, node->type.elem, false));
    else
        draft_params(&d->k);
    d->b = draft_buffer(&d->k, OPERAND_TEMP, temp, ELEM_f32, true);
    Block body = block_new(d->arena), full = block_new(d->arena),
          last = block_new(d->arena);
    int64_t chunks = (w->channels + A_TASK - 1) / A_TASK;
    const Expr *rest = expr_var(d->arena, d->k.kernel->task);
    const Expr *chunk = take_digit(d, &body, "chunk", &rest, num(d, chunks));
    const Expr *panel = rest, *to = mul(d, panel, t->k_max * width_of(t));
    const Var *kv = var_index(d->arena, "k");
    const Expr *k = expr_var(d->arena, kv), *begin = mul(d, chunk, A_TASK);
    const Expr *end = op2(d, OP_min, num(d, w->channels), add(d, begin, num(d, A_TASK)));
    int64_t cols = count_of(w->c, AXIS_COL), before = (t->panels - 1) * width_of(t);
    uint32_t tail = t->tail_vectors ? t->tail_vectors : t->vectors;
    pack_columns(&m, panel, k, to, tail, cols - before, &last);
    Block narrow = block_new(d->arena), wide = block_new(d->arena);
    block_for(&narrow, kv, begin, end, 1, 1, block_end(&last));
    if (t->panels > 1) {
        pack_columns(&m, panel, k, to, t->vectors, width_of(t), &full);
        block_for(&wide, kv, begin, end, 1, 1, block_end(&full));
        block_if(&body, op2(d, OP_lt, panel, num(d, t->panels - 1)), block_end(&wide),
                 block_end(&narrow));
    } else {
        block_add(&body, block_end(&narrow));
    }
    draft_end(&d->k, num(d, chunks * t->panels), &body);
}

/* Products */

void tiling_multiply(Direct *d, Panel *p, const Expr *sums, const Expr *rows, Block *b) {
    const Var *row = var_index(d->arena, "row");
    Block body = block_new(d->arena);
    p->rows = d->t->rows;
    p->row = expr_var(d->arena, row);
    p->sums = add(d, sums, mul(d, p->row, (int64_t)p->vectors * d->t->lanes));
    register_tile(d, p, &body);
    block_for(b, row, num(d, 0), rows, d->t->rows, 1, block_end(&body));
}

static void multiply_panel(Direct *d, Panel *p, Block *b) {
    Tiling *m = (Tiling *)d;
    const Winograd *w = m->w;
    int64_t width = (int64_t)p->vectors * d->t->lanes;
    const Expr *u =
        add(d, panels_base(d, p->panel), mul(d, m->product, w->channels * width));
    p->b_base = block_let(b, "u", u);
    const Expr *sums = mul(d, p->panel, w->block * width_of(d->t));
    sums = add(d, sums, mul(d, m->product, w->m_step));
    tiling_multiply(d, p, sums, m->count, b);
}

static void multiply(Tiling *m, const Expr *row0, Block *b) {
    Direct *d = &m->d;
    const Var *i = var_index(d->arena, "i");
    Block body = block_new(d->arena);
    m->product = expr_var(d->arena, i);
    const Expr *v = mul(d, m->product, m->w->v_step);
    d->a = m->v;
    d->a_base = block_let(&body, "v", add(d, v, mul(d, row0, m->w->pitch)));
    d->tile = m->m;
    panels_visit(d, multiply_panel, &body);
    block_for(b, i, num(d, 0), num(d, WINOGRAD_PRODUCTS), 1, 1, block_end(&body));
}

/* Results */

/* The 4x4 results of a tile and panel to `y`, `width` apart. */
static void transform_tile(Tiling *m, Panel *p, const Expr *t, Block *b) {
    Direct *d = &m->d;
    int64_t lanes = d->t->lanes, width = p->vectors * lanes, step = m->w->m_step;
    const WinogradHalf half = winograd_half(&winograd_result, width, b);
    const Var *i = var_index(d->arena, "row"), *j = var_index(d->arena, "column");
    const Expr *row_at = expr_var(d->arena, i), *column_at = expr_var(d->arena, j);
    Block column = block_new(d->arena), row = block_new(d->arena);
    const Expr *from = mul(d, p->panel, m->w->block * width_of(d->t));
    from = add(d, add(d, from, mul(d, t, width)), mul(d, column_at, step));
    from = block_let(&column, "from", from);
    for (int64_t v = 0; v < width; v += lanes) {
        const Expr *x[WINOGRAD_IN], *y[WINOGRAD_OUT];
        for (int64_t k = 0; k < WINOGRAD_IN; k++) {
            const Expr *at = add(d, from, num(d, k * WINOGRAD_IN * step + v));
            at = expr_load(d->arena, m->m, at, d->t->lanes, 1, NULL);
            x[k] = block_let(&column, "m", at);
        }
        winograd_column(&column, &half, x, add(d, mul(d, column_at, width), num(d, v)));
        const Expr *at = add(d, mul(d, row_at, WINOGRAD_IN * width), num(d, v));
        winograd_row(&row, &half, at, d->t->lanes, y);
        const Expr *to = mul(d, row_at, WINOGRAD_OUT * width);
        for (int64_t k = 0; k < WINOGRAD_OUT; k++)
            block_store(&row, m->y, add(d, to, num(d, k * width + v)), y[k], 1, NULL);
    }
    block_for(b, j, num(d, 0), num(d, WINOGRAD_IN), 1, 1, block_end(&column));
    block_for(b, i, num(d, 0), num(d, WINOGRAD_OUT), 1, 1, block_end(&row));
}

static void store_panel(Direct *d, Panel *p, Block *b) {
    Tiling *m = (Tiling *)d;
    const Winograd *w = m->w;
    const Var *t = var_index(d->arena, "t"), *line = var_index(d->arena, "line");
    Block body = block_new(d->arena), row = block_new(d->arena);
    const Expr *number = add(d, m->tile0, expr_var(d->arena, t)), *image, *h, *v;
    winograd_open_tile(m, block_let(&body, "tile", number), &body, &image, &h, &v);
    transform_tile(m, p, expr_var(d->arena, t), &body);
    const Expr *down = op2(d, OP_sub, num(d, w->h.outputs), h);
    down = op2(d, OP_min, num(d, WINOGRAD_OUT), down);
    const Expr *across = op2(d, OP_sub, num(d, w->w.outputs), v);
    across = block_let(&body, "across", op2(d, OP_min, num(d, WINOGRAD_OUT), across));
    const Expr *place =
        add(d, add(d, mul(d, image, w->h.outputs), h), expr_var(d->arena, line));
    place = add(d, mul(d, place, w->w.outputs), v);
    const Expr *before = d->row0;
    d->row0 = block_let(&row, "row0", place);
    int64_t width = (int64_t)p->vectors * d->t->lanes;
    results_store_panel(d, p, num(d, 0), across,
                        mul(d, expr_var(d->arena, line), WINOGRAD_OUT * width), &row);
    d->row0 = before;
    block_for(&body, line, num(d, 0), down, 1, 1, block_end(&row));
    const Expr *left = op2(d, OP_sub, m->tiles, m->tile0);
    block_for(b, t, num(d, 0), op2(d, OP_min, num(d, w->block), left), 1, 1,
              block_end(&body));
}

/* Kernels */

/* The tiles from `first` on, at most `most`, up to whole row tiles. */
static void open_tiles(Tiling *m, const Expr *first, int64_t most, Block *b) {
    Direct *d = &m->d;
    m->tile0 = block_let(b, "tile0", first);
    const Expr *left = op2(d, OP_sub, m->tiles, m->tile0);
    left = mul(d, up_div(d, left, d->t->rows), d->t->rows);
    m->count = block_let(b, "count", op2(d, OP_min, num(d, most), left));
}

/* V of all tiles, whole blocks, to the temporary. */
static void stage_images(Draft *draft, const Winograd *w, uint32_t temp) {
    Tiling m = winograd_tiling(draft, w, "stage");
    Direct *d = &m.d;
    Block body = block_new(d->arena);
    m.d.a = draft_operand(&d->k, w->c, &w->c->a);
    m.v = draft_buffer(&d->k, OPERAND_TEMP, temp, ELEM_f32, true);
    m.d.zeros = winograd_zero_line(d->arena, w->pitch);
    const Expr *task = expr_var(d->arena, d->k.kernel->task);
    open_tiles(&m, mul(d, task, d->t->rows), d->t->rows, &body);
    winograd_transform_images(&m, m.tile0, &body);
    draft_end(&d->k, up_div(d, m.tiles, d->t->rows), &body);
}

/* Chunks of panels: of the task, or one after the other. */
static void all_chunks(Tiling *m, const Expr *row0, const Expr *chunk, Block *b) {
    Direct *d = &m->d;
    const Var *var = var_index(d->arena, "chunk");
    Block body = block_new(d->arena);
    int64_t chunks = (d->t->panels + m->w->chunk - 1) / m->w->chunk;
    const Expr *number = chunk ? chunk : chunks > 1 ? expr_var(d->arena, var) : num(d, 0);
    d->panel0 = block_let(&body, "panel0", mul(d, number, m->w->chunk));
    multiply(m, row0, &body);
    d->tile = m->y;
    panels_visit(d, store_panel, &body);
    if (chunk || chunks == 1)
        block_add(b, block_end(&body));
    else
        block_for(b, var, num(d, 0), num(d, chunks), 1, 1, block_end(&body));
}

static void main_kernel(Draft *draft, const Winograd *w, uint32_t packed, uint32_t v) {
    Tiling m = winograd_tiling(draft, w, "main");
    Direct *d = &m.d;
    Arena *a = d->arena;
    const Tile *t = d->t;
    Block body = block_new(a);
    int64_t chunks = w->apart ? (t->panels + w->chunk - 1) / w->chunk : 1;
    draft_params(&d->k);
    m.m = buffer_local(a, "products", ELEM_f32, WINOGRAD_PRODUCTS * w->m_step);
    m.y = buffer_local(a, "results", ELEM_f32, WINOGRAD_OUT * WINOGRAD_OUT * width_of(t));
    block_local(&body, m.m);
    block_local(&body, m.y);
    const Expr *rest = expr_var(a, d->k.kernel->task), *chunk = NULL;
    if (w->apart) chunk = take_digit(d, &body, "chunk", &rest, num(d, chunks));
    open_tiles(&m, mul(d, rest, w->block), w->block, &body);
    if (w->apart) {
        m.v = draft_buffer(&d->k, OPERAND_TEMP, v, ELEM_f32, false);
    } else {
        m.v = buffer_local(a, "tiles", ELEM_f32, WINOGRAD_PRODUCTS * w->v_step);
        block_local(&body, m.v);
        m.d.a = draft_operand(&d->k, w->c, &w->c->a);
        m.d.zeros = winograd_zero_line(d->arena, w->pitch);
        winograd_transform_images(&m, num(d, 0), &body);
    }
    d->b = draft_buffer(&d->k, OPERAND_TEMP, packed, ELEM_f32, false);
    d->load = results_load_tile;
    d->results = draft_results(&d->k);
    all_chunks(&m, w->apart ? m.tile0 : num(d, 0), chunk, &body);
    draft_end(&d->k, mul(d, up_div(d, m.tiles, w->block), chunks), &body);
}

void lower_winograd(Draft *draft, const Winograd *w) {
    const Tile *t = &w->tile;
    uint32_t packed = draft_temp(draft, 4 * t->panels * t->k_max * width_of(t)), v = 0;
    pack_weights(draft, w, packed);
    if (w->apart) {
        v = draft_temp(draft, 4 * WINOGRAD_PRODUCTS * w->v_step);
        stage_images(draft, w, v);
    }
    main_kernel(draft, w, packed, v);
}
