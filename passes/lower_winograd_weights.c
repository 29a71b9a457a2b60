/*
 * Winograd's F(4x4, 3x3): the gradient with respect to the weights.
 *
 *     task (part of the tiles, chunk of channels in, chunk of panels of channels out):
 *       dU = 0                                       dU[36][panel][channel][width]
 *       for blocks of tiles:
 *         V = transformed tiles of the image         V[36][tile][channel]
 *         Z = transformed tiles of the gradient      Z[36][panel][tile][width]
 *         for 36 products:  dU += V^T times Z
 *       the part's sums from dU
 *
 * All three are memory of the task and stay in L2.  The parts are joined like those of the
 * direct strategy, and results made of them.
 */
#include "passes/winograd.h"

/* Z of a panel, columns after the last zero. */
static void transform_gradient(Direct *d, Panel *p, Block *b) {
    Tiling *m = (Tiling *)d;
    const Winograd *w = m->w;
    const Tile *t = d->t;
    const Var *var = var_index(d->arena, "t");
    Block body = block_new(d->arena);
    int64_t width = (int64_t)p->vectors * t->lanes;
    const Expr *tile =
        block_let(&body, "tile", add(d, m->tile0, expr_var(d->arena, var)));
    const Expr *col = mul(d, add(d, d->panel0, p->panel), width_of(t));
    const Patch patch = {.transform = &winograd_gradient,
                         .extent = {w->h.outputs, w->w.outputs},
                         .pixel = count_of(w->c, AXIS_COL),
                         .first = block_let(b, "col", col),
                         .channels = p->cols,
                         .from = d->b,
                         .to = m->z,
                         .step = w->z_step};
    const Expr *to = mul(d, p->panel, w->block * width_of(t));
    to = add(d, to, mul(d, expr_var(d->arena, var), width));
    winograd_transform_patch(m, &patch, tile, to, &body);
    block_for(b, var, num(d, 0), m->count, 1, 1, block_end(&body));
}

/* Elements of dU, of rows that are computed together, to panel `panel`. */
static const Expr *sums_of_panel(Tiling *m, const Expr *panel) {
    return mul(&m->d, panel, m->d.t->task_rows * width_of(m->d.t));
}

static void multiply_panel(Direct *d, Panel *p, Block *b) {
    Tiling *m = (Tiling *)d;
    const Winograd *w = m->w;
    const Expr *z = mul(d, p->panel, w->block * width_of(d->t));
    p->b_base = block_let(b, "z", add(d, z, mul(d, m->product, w->z_step)));
    const Expr *sums = add(d, sums_of_panel(m, p->panel), mul(d, m->product, w->m_step));
    tiling_multiply(d, p, sums, num(d, d->t->task_rows), b);
}

static void multiply(Tiling *m, Block *b) {
    Direct *d = &m->d;
    Buffer *image = d->a, *gradient = d->b;
    const Var *i = var_index(d->arena, "i");
    Block body = block_new(d->arena);
    m->product = expr_var(d->arena, i);
    d->a_base = block_let(&body, "v", mul(d, m->product, m->w->v_step));
    d->high[0] = m->count;
    d->a = m->v, d->b = m->z;
    panels_visit(d, multiply_panel, &body);
    d->a = image, d->b = gradient;
    block_for(b, i, num(d, 0), num(d, WINOGRAD_PRODUCTS), 1, 1, block_end(&body));
}

static void clear_sums(Tiling *m, Block *b) {
    Direct *d = &m->d;
    const Var *i = var_index(d->arena, "i");
    Block body = block_new(d->arena);
    block_store(&body, m->m, expr_var(d->arena, i),
                expr_num(d->arena, ELEM_f32, d->t->lanes, 0), 1, NULL);
    block_for(b, i, num(d, 0), num(d, WINOGRAD_PRODUCTS * m->w->m_step), d->t->lanes, 4,
              block_end(&body));
}

/* Where the sums of row `row` of the result are in the part, without the panel. */
static const Expr *part_place(Tiling *m, const Expr *row, int64_t width, Block *b) {
    Direct *d = &m->d;
    const Tile *join = &m->w->join;
    int64_t rows = count_of(m->w->c, AXIS_ROW), tasks = (rows - 1) / join->task_rows + 1;
    const Expr *rest = block_let(b, "row", row);
    const Expr *inside = take_digit(d, b, "low", &rest, num(d, join->task_rows));
    const Expr *task = add(d, mul(d, d->split, tasks), rest);
    return block_let(b, "to",
                     add(d, mul(d, task, tile_size(join)), mul(d, inside, width)));
}

/* Row `i` of the taps of a channel in, from `half` to the part. */
static void store_taps(Tiling *m, Panel *p, const WinogradHalf *half, const Expr *i,
                       const Expr *row0, Block *b) {
    Direct *d = &m->d;
    const Winograd *w = m->w;
    const int64_t last = WINOGRAD_TAPS - 1;
    int64_t width = (int64_t)p->vectors * d->t->lanes;
    const Expr *panel =
        mul(d, add(d, d->panel0, p->panel), w->join.task_rows * width_of(d->t));
    const Expr *r = w->h.flipped ? op2(d, OP_sub, num(d, last), i) : i,
               *at[WINOGRAD_TAPS];
    for (int64_t j = 0; j < WINOGRAD_TAPS; j++) {
        const Expr *tap =
            add(d, mul(d, r, WINOGRAD_TAPS), num(d, w->w.flipped ? last - j : j));
        const Expr *row = add(d, row0, mul(d, tap, w->channels));
        at[j] = add(d, part_place(m, row, width, b), panel);
    }
    const Expr *from = mul(d, i, WINOGRAD_IN * width), *g[WINOGRAD_TAPS];
    for (int64_t c = 0; c < width; c += d->t->lanes) {
        winograd_row(b, half, add(d, from, num(d, c)), d->t->lanes, g);
        for (int64_t j = 0; j < WINOGRAD_TAPS; j++)
            block_store(b, m->y, add(d, at[j], num(d, c)), g[j], 1, NULL);
    }
}

/* Sums of the taps of a channel in and the panel, to the part; see results_join. */
static void store_channel(Tiling *m, Panel *p, const Expr *c, const Expr *row0,
                          Block *b) {
    Direct *d = &m->d;
    const Winograd *w = m->w;
    int64_t lanes = d->t->lanes, width = p->vectors * lanes;
    const WinogradHalf half = winograd_half(&winograd_taps, width, b);
    const Var *i = var_index(d->arena, "row"), *j = var_index(d->arena, "column");
    Block column = block_new(d->arena), row = block_new(d->arena);
    const Expr *from = add(d, sums_of_panel(m, p->panel), mul(d, c, width));
    from = add(d, from, mul(d, expr_var(d->arena, j), w->m_step));
    from = block_let(&column, "from", from);
    for (int64_t v = 0; v < width; v += lanes) {
        const Expr *u[WINOGRAD_IN], *to = mul(d, expr_var(d->arena, j), width);
        for (int64_t k = 0; k < WINOGRAD_IN; k++) {
            const Expr *x = add(d, from, num(d, k * WINOGRAD_IN * w->m_step + v));
            x = expr_load(d->arena, m->m, x, d->t->lanes, 1, NULL);
            u[k] = block_let(&column, "u", x);
        }
        winograd_column(&column, &half, u, add(d, to, num(d, v)));
    }
    block_for(b, j, num(d, 0), num(d, WINOGRAD_IN), 1, 1, block_end(&column));
    store_taps(m, p, &half, expr_var(d->arena, i), row0, &row);
    block_for(b, i, num(d, 0), num(d, WINOGRAD_TAPS), 1, 1, block_end(&row));
}

static void store_panel(Direct *d, Panel *p, Block *b) {
    Tiling *m = (Tiling *)d;
    const Var *c = var_index(d->arena, "c");
    Block body = block_new(d->arena);
    const Expr *channel = expr_var(d->arena, c);
    store_channel(m, p, channel, add(d, m->channel0, channel), &body);
    block_for(b, c, num(d, 0), num(d, m->w->channel_chunk), 1, 1, block_end(&body));
}

static void sum_parts(Draft *draft, const Winograd *w, uint32_t parts) {
    Tiling m = winograd_tiling(draft, w, "main");
    Direct *d = &m.d;
    Arena *a = d->arena;
    const Tile *t = d->t;
    Block body = block_new(a), block = block_new(a);
    m.v = buffer_local(a, "tiles", ELEM_f32, WINOGRAD_PRODUCTS * w->v_step);
    m.z = buffer_local(a, "gradients", ELEM_f32, WINOGRAD_PRODUCTS * w->z_step);
    m.m = buffer_local(a, "sums", ELEM_f32, WINOGRAD_PRODUCTS * w->m_step);
    d->tile = m.m;
    block_local(&body, m.v);
    block_local(&body, m.z);
    block_local(&body, m.m);
    d->a = draft_operand(&d->k, w->c, &w->c->a);
    d->b = draft_operand(&d->k, w->c, &w->c->b);
    m.y = draft_buffer(&d->k, OPERAND_TEMP, parts, ELEM_f32, true);
    int64_t cols = count_of(w->c, AXIS_COL);
    d->zeros = winograd_zero_line(a, w->pitch > cols ? w->pitch : cols + t->lanes);
    int64_t in = w->channels / w->channel_chunk;
    int64_t out = (t->panels + t->task_panels - 1) / t->task_panels;
    const Expr *rest = expr_var(a, d->k.kernel->task);
    const Expr *chunk = take_digit(d, &body, "chunk", &rest, num(d, in));
    m.channel0 = block_let(&body, "channel0", mul(d, chunk, w->channel_chunk));
    chunk = take_digit(d, &body, "panels", &rest, num(d, out));
    d->panel0 = block_let(&body, "panel0", mul(d, chunk, t->task_panels));
    d->split = rest;
    const Expr *share = block_let(&body, "share", up_div(d, m.tiles, w->join.splits));
    const Expr *low = block_let(&body, "low", op2(d, OP_mul, d->split, share));
    const Expr *high = op2(d, OP_min, m.tiles, add(d, low, share));
    high = block_let(&body, "high", high);
    clear_sums(&m, &body);
    const Var *first = var_index(a, "tile0");
    m.tile0 = expr_var(a, first);
    const Expr *left = op2(d, OP_sub, high, m.tile0);
    m.count = block_let(&block, "count", op2(d, OP_min, num(d, w->block), left));
    winograd_transform_images(&m, num(d, 0), &block);
    panels_visit(d, transform_gradient, &block);
    multiply(&m, &block);
    block_for(&body, first, low, high, w->block, 1, block_end(&block));
    panels_visit(d, store_panel, &body);
    draft_end(&d->k, num(d, in * out * w->join.splits), &body);
}

void lower_winograd_weights(Draft *draft, const Winograd *w) {
    const Tile *join = &w->join;
    int64_t tasks = (join->rows_max - 1) / join->task_rows + 1;
    uint32_t parts = draft_temp(draft, 4 * join->splits * tasks * tile_size(join));
    sum_parts(draft, w, parts);
    results_join(draft, w->c, join, parts);
}
