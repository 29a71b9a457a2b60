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
    const Patch patch = {.size = WINOGRAD_OUT,
                         .extent = {w->h.outputs, w->w.outputs},
                         .pixel = count_of(w->c, AXIS_COL),
                         .first = block_let(b, "col", col),
                         .channels = p->cols,
                         .transform = winograd_transform_gradient,
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

/* Sums of the taps of a channel in and the panel, to the part; see results_join. */
static void store_channel(Tiling *m, Panel *p, const Expr *c, const Expr *row0,
                          Block *b) {
    Direct *d = &m->d;
    const Winograd *w = m->w;
    const Tile *t = d->t, *join = &w->join;
    int64_t width = (int64_t)p->vectors * t->lanes;
    const Expr *at[WINOGRAD_TAPS * WINOGRAD_TAPS];
    const Expr *panel =
        mul(d, add(d, d->panel0, p->panel), join->task_rows * width_of(t));
    int64_t rows = count_of(w->c, AXIS_ROW), tasks = (rows - 1) / join->task_rows + 1;
    for (int64_t i = 0; i < WINOGRAD_TAPS * WINOGRAD_TAPS; i++) {
        int64_t r = i / WINOGRAD_TAPS, s = i % WINOGRAD_TAPS, last = WINOGRAD_TAPS - 1;
        if (w->h.flipped) r = last - r;
        if (w->w.flipped) s = last - s;
        const Expr *row = add(d, row0, num(d, (r * WINOGRAD_TAPS + s) * w->channels));
        const Expr *rest = block_let(b, "row", row);
        const Expr *inside = take_digit(d, b, "low", &rest, num(d, join->task_rows));
        const Expr *task = add(d, mul(d, d->split, tasks), rest);
        const Expr *to = add(d, mul(d, task, tile_size(join)), mul(d, inside, width));
        at[i] = block_let(b, "to", add(d, to, panel));
    }
    const Expr *from = add(d, sums_of_panel(m, p->panel), mul(d, c, width));
    from = block_let(b, "from", from);
    for (int64_t j = 0; j < width; j += t->lanes) {
        const Expr *u[WINOGRAD_PRODUCTS], *g[WINOGRAD_TAPS * WINOGRAD_TAPS];
        for (int64_t i = 0; i < WINOGRAD_PRODUCTS; i++) {
            const Expr *x = add(d, from, num(d, i * w->m_step + j));
            u[i] = block_let(b, "u", expr_load(d->arena, m->m, x, t->lanes, 1, NULL));
        }
        winograd_transform_taps(b, u, g);
        for (int64_t i = 0; i < WINOGRAD_TAPS * WINOGRAD_TAPS; i++)
            block_store(b, m->y, add(d, at[i], num(d, j)), g[i], 1, NULL);
    }
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
