/*
 * Winograd's F(4x4, 3x3) as kernels: one packs the transformed weights, the main one goes
 * through blocks of tiles.
 *
 *     task (block of tiles):
 *       V = transformed tiles of the image           V[36][tile][channel]
 *       for chunks of panels:
 *         for 36 products:  M = V times U            M[panel][36][tile][width]
 *         for tiles:  results of 4x4 places from M, the epilogue on them
 *
 * V and M are memory of the task and stay in L2.  Where a few tiles' V would fill that
 * already, a kernel of its own makes V for all tiles, and tasks share it.
 */
#include "passes/winograd.h"

typedef struct Make {
    Direct d; /* first: what visits panels gets this */
    const Winograd *w;
    Buffer *v, *m, *y;
    const Expr *tiles;         /* of all images */
    const Expr *tile0, *count; /* of the task; the count up to whole row tiles */
    const Expr *product;       /* whose matrices are multiplied */
} Make;

static Make make_new(Draft *draft, const Winograd *w, const char *what) {
    Make m = {.w = w};
    m.d = (Direct){.c = w->c, .t = &w->tile, .arena = draft->arena};
    m.d.k = draft_kernel(draft, what);
    m.d.e = m.d.k.emitter;
    m.d.panel0 = m.d.batch = m.d.row0 = num(&m.d, 0);
    m.d.low[0] = num(&m.d, 0);
    m.d.high[0] = num(&m.d, w->channels);
    m.tiles = num(&m.d, w->h.tiles * w->w.tiles);
    for (uint32_t i = 0; i < w->images.count; i++)
        m.tiles = op2(&m.d, OP_mul, m.tiles, extent_of(&m.d, w->images.at[i]));
    return m;
}

/* A tile's number as image, first row and column of its results. */
static void open_tile(Make *m, const Expr *number, Block *b, const Expr **image,
                      const Expr **h, const Expr **w) {
    Direct *d = &m->d;
    const Expr *rest = number;
    *w = mul(d, take_digit(d, b, "tw", &rest, num(d, m->w->w.tiles)), WINOGRAD_OUT);
    *h = mul(d, take_digit(d, b, "th", &rest, num(d, m->w->h.tiles)), WINOGRAD_OUT);
    *image = rest;
}

/* Weights */

static void pack_columns(Make *m, const Expr *panel, const Expr *k, const Expr *to,
                         uint32_t vectors, int64_t cols, Block *b) {
    Direct *d = &m->d;
    const Tile *t = d->t;
    int64_t width = (int64_t)vectors * t->lanes;
    const Expr *base = block_let(b, "to", add(d, to, mul(d, k, width)));
    for (uint32_t j = 0; j < vectors; j++) {
        const Expr *g[WINOGRAD_TAPS * WINOGRAD_TAPS], *u[WINOGRAD_PRODUCTS];
        int64_t left = cols - (int64_t)j * t->lanes;
        if (left > t->lanes) left = t->lanes;
        const Expr *col = add(d, mul(d, panel, width_of(t)), num(d, j * t->lanes));
        for (int64_t r = 0; r < WINOGRAD_TAPS; r++)
            for (int64_t s = 0; s < WINOGRAD_TAPS; s++) {
                const int64_t last = WINOGRAD_TAPS - 1;
                d->place[m->w->h.tap] = num(d, m->w->h.flipped ? last - r : r);
                d->place[m->w->w.tap] = num(d, m->w->w.flipped ? last - s : s);
                const Expr *x = panels_element(d, k, col, t->lanes, left, b);
                g[r * WINOGRAD_TAPS + s] = block_let(b, "g", x);
            }
        winograd_transform_weights(b, g, u);
        for (int64_t i = 0; i < WINOGRAD_PRODUCTS; i++) {
            int64_t place = i * m->w->channels * width + j * t->lanes;
            block_store(b, d->b, add(d, base, num(d, place)), u[i], 1, NULL);
        }
    }
}

/* U to the temporary: [panel][36][channel][width]. */
static void pack_weights(Draft *draft, const Winograd *w, uint32_t temp) {
    enum { A_TASK = 16 }; /* channels */
    Make m = make_new(draft, w, "pack");
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

/* Images */

/* Channels of one tile, whose 36 places are where `view` and `place` say. */
static void image_channels(Make *m, Buffer *const *view, const int64_t *place,
                           const Expr *to, Block *b) {
    Direct *d = &m->d;
    int64_t lanes = d->t->lanes, full = m->w->channels / lanes * lanes;
    for (int64_t first = 0; first < m->w->channels; first += full ? full : lanes) {
        bool rest = first == full;
        const Var *var = var_index(d->arena, "c");
        const Expr *c = rest ? num(d, first) : expr_var(d->arena, var);
        const Expr *active = rest ? num(d, m->w->channels - full) : NULL;
        const Expr *from[WINOGRAD_PRODUCTS], *v[WINOGRAD_PRODUCTS];
        Block body = block_new(d->arena);
        for (uint32_t i = 0; i < WINOGRAD_PRODUCTS; i++) {
            const Expr *at = add(d, c, num(d, place[i]));
            const Expr *x = expr_load(d->arena, view[i], at, (uint32_t)lanes, 1, active);
            from[i] = block_let(&body, "x", x);
        }
        winograd_transform_image(&body, from, v);
        for (int64_t i = 0; i < WINOGRAD_PRODUCTS; i++) {
            const Expr *at = add(d, add(d, to, c), num(d, i * winograd_v_step(m->w)));
            block_store(&body, m->v, at, v[i], 1, NULL);
        }
        if (rest)
            block_add(b, block_end(&body));
        else
            block_for(b, var, num(d, 0), num(d, full), lanes, 1, block_end(&body));
    }
}

/* Places [at, at + 6) of a side that are all inside of the image; NULL: they always are. */
static const Expr *side_inside(Direct *d, const WinogradSide *s, const Expr *at) {
    const Expr *inside = NULL;
    if (s->low < 0) inside = op2(d, OP_ge, at, num(d, 0));
    if ((s->tiles - 1) * WINOGRAD_OUT + s->low + WINOGRAD_IN > s->extent) {
        const Expr *below = op2(d, OP_le, at, num(d, s->extent - WINOGRAD_IN));
        inside = inside ? op2(d, OP_and, inside, below) : below;
    }
    return inside;
}

static const Expr *place_inside(Direct *d, const WinogradSide *s, const Expr *at) {
    return op2(d, OP_and, op2(d, OP_ge, at, num(d, 0)),
               op2(d, OP_lt, at, num(d, s->extent)));
}

/* A tile at the border: each place is in the image or in a line of zeros. */
static void border_tile(Make *m, const Expr *base, const Expr *h, const Expr *w,
                        const Expr *to, Block *b) {
    Direct *d = &m->d;
    const WinogradSide *sh = &m->w->h, *sw = &m->w->w;
    Buffer *view[WINOGRAD_PRODUCTS];
    const int64_t place[WINOGRAD_PRODUCTS] = {0};
    const Expr *across[WINOGRAD_IN];
    for (int64_t j = 0; j < WINOGRAD_IN; j++)
        across[j] = block_let(b, "in", place_inside(d, sw, add(d, w, num(d, j))));
    for (int64_t i = 0; i < WINOGRAD_IN; i++) {
        const Expr *down = block_let(b, "in", place_inside(d, sh, add(d, h, num(d, i))));
        for (int64_t j = 0; j < WINOGRAD_IN; j++) {
            Buffer *one = buffer_view(d->arena, "x", ELEM_f32);
            const int64_t shift = (i * sw->extent + j) * m->w->channels;
            block_view_if(b, one, op2(d, OP_and, down, across[j]), d->a,
                          add(d, base, num(d, shift)), d->zeros, num(d, 0));
            view[i * WINOGRAD_IN + j] = one;
        }
    }
    image_channels(m, view, place, to, b);
}

static void inner_tile(Make *m, const Expr *base, const Expr *to, Block *b) {
    Buffer *view[WINOGRAD_PRODUCTS], *one = buffer_view(m->d.arena, "x", ELEM_f32);
    int64_t place[WINOGRAD_PRODUCTS];
    block_view(b, one, m->d.a, base);
    for (int64_t i = 0; i < WINOGRAD_PRODUCTS; i++) {
        int64_t row = i / WINOGRAD_IN, col = i % WINOGRAD_IN;
        view[i] = one;
        place[i] = (row * m->w->w.extent + col) * m->w->channels;
    }
    image_channels(m, view, place, to, b);
}

/* V of tiles [tile0, tile0 + count); those after the last are it again. */
static void transform_images(Make *m, const Expr *row0, Block *b) {
    Direct *d = &m->d;
    const Winograd *w = m->w;
    const Var *t = var_index(d->arena, "t");
    Block body = block_new(d->arena), inner = block_new(d->arena),
          border = block_new(d->arena);
    const Expr *number = add(d, m->tile0, expr_var(d->arena, t)), *image, *h, *v;
    number = op2(d, OP_min, number, op2(d, OP_sub, m->tiles, num(d, 1)));
    open_tile(m, block_let(&body, "tile", number), &body, &image, &h, &v);
    h = block_let(&body, "h", add(d, h, num(d, w->h.low)));
    v = block_let(&body, "w", add(d, v, num(d, w->w.low)));
    const Expr *line = add(d, mul(d, image, w->h.extent), h);
    const Expr *base = add(d, mul(d, line, w->w.extent), v);
    base = block_let(&body, "from", mul(d, base, w->channels));
    const Expr *row = add(d, row0, expr_var(d->arena, t));
    const Expr *to = block_let(&body, "to", mul(d, row, w->pitch));
    const Expr *down = side_inside(d, &w->h, h), *across = side_inside(d, &w->w, v);
    const Expr *inside = down && across ? op2(d, OP_and, down, across)
                         : down         ? down
                                        : across;
    inner_tile(m, base, to, &inner);
    if (inside) {
        border_tile(m, base, h, v, to, &border);
        block_if(&body, inside, block_end(&inner), block_end(&border));
    } else {
        block_add(&body, block_end(&inner));
    }
    block_for(b, t, num(d, 0), m->count, 1, 1, block_end(&body));
}

/* Products */

static void multiply_panel(Direct *d, Panel *p, Block *b) {
    Make *m = (Make *)d;
    const Winograd *w = m->w;
    const Var *row = var_index(d->arena, "row");
    Block body = block_new(d->arena);
    int64_t width = (int64_t)p->vectors * d->t->lanes;
    p->rows = d->t->rows;
    p->row = expr_var(d->arena, row);
    const Expr *u =
        add(d, panels_base(d, p->panel), mul(d, m->product, w->channels * width));
    p->b_base = block_let(b, "u", u);
    const Expr *sums = mul(d, p->panel, w->block * width_of(d->t));
    sums = add(d, sums, mul(d, m->product, winograd_m_step(w)));
    p->sums = add(d, sums, mul(d, p->row, width));
    register_tile(d, p, &body);
    block_for(b, row, num(d, 0), m->count, d->t->rows, 1, block_end(&body));
}

static void multiply(Make *m, const Expr *row0, Block *b) {
    Direct *d = &m->d;
    const Var *i = var_index(d->arena, "i");
    Block body = block_new(d->arena);
    m->product = expr_var(d->arena, i);
    const Expr *v = mul(d, m->product, winograd_v_step(m->w));
    d->a = m->v;
    d->a_base = block_let(&body, "v", add(d, v, mul(d, row0, m->w->pitch)));
    d->tile = m->m;
    panels_visit(d, multiply_panel, &body);
    block_for(b, i, num(d, 0), num(d, WINOGRAD_PRODUCTS), 1, 1, block_end(&body));
}

/* Results */

/* The 4x4 results of a tile and panel to `y`, `width` apart. */
static void transform_tile(Make *m, Panel *p, const Expr *t, Block *b) {
    Direct *d = &m->d;
    int64_t width = (int64_t)p->vectors * d->t->lanes;
    const Expr *from = mul(d, p->panel, m->w->block * width_of(d->t));
    from = block_let(b, "from", add(d, from, mul(d, t, width)));
    for (int64_t j = 0; j < width; j += d->t->lanes) {
        const Expr *x[WINOGRAD_PRODUCTS], *y[WINOGRAD_OUT * WINOGRAD_OUT];
        for (int64_t i = 0; i < WINOGRAD_PRODUCTS; i++) {
            const Expr *at = add(d, from, num(d, i * winograd_m_step(m->w) + j));
            x[i] = block_let(b, "m", expr_load(d->arena, m->m, at, d->t->lanes, 1, NULL));
        }
        winograd_transform_result(b, x, y);
        for (int64_t i = 0; i < WINOGRAD_OUT * WINOGRAD_OUT; i++)
            block_store(b, m->y, num(d, i * width + j), y[i], 1, NULL);
    }
}

static void store_panel(Direct *d, Panel *p, Block *b) {
    Make *m = (Make *)d;
    const Winograd *w = m->w;
    const Var *t = var_index(d->arena, "t"), *line = var_index(d->arena, "line");
    Block body = block_new(d->arena), row = block_new(d->arena);
    const Expr *number = add(d, m->tile0, expr_var(d->arena, t)), *image, *h, *v;
    open_tile(m, block_let(&body, "tile", number), &body, &image, &h, &v);
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

static Buffer *line_of_zeros(Make *m) {
    int64_t count = m->w->pitch;
    float *zeros = arena_array(m->d.arena, float, count);
    return buffer_table(m->d.arena, "zeros", ELEM_f32, zeros, count);
}

/* The tiles from `first` on, at most `most`, up to whole row tiles. */
static void open_tiles(Make *m, const Expr *first, int64_t most, Block *b) {
    Direct *d = &m->d;
    m->tile0 = block_let(b, "tile0", first);
    const Expr *left = op2(d, OP_sub, m->tiles, m->tile0);
    left = mul(d, up_div(d, left, d->t->rows), d->t->rows);
    m->count = block_let(b, "count", op2(d, OP_min, num(d, most), left));
}

/* V of all tiles, whole blocks, to the temporary. */
static void stage_images(Draft *draft, const Winograd *w, uint32_t temp) {
    Make m = make_new(draft, w, "stage");
    Direct *d = &m.d;
    Block body = block_new(d->arena);
    m.d.a = draft_operand(&d->k, w->c, &w->c->a);
    m.v = draft_buffer(&d->k, OPERAND_TEMP, temp, ELEM_f32, true);
    m.d.zeros = line_of_zeros(&m);
    const Expr *task = expr_var(d->arena, d->k.kernel->task);
    open_tiles(&m, mul(d, task, d->t->rows), d->t->rows, &body);
    transform_images(&m, m.tile0, &body);
    draft_end(&d->k, up_div(d, m.tiles, d->t->rows), &body);
}

/* Chunks of panels: of the task, or one after the other. */
static void all_chunks(Make *m, const Expr *row0, const Expr *chunk, Block *b) {
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
    Make m = make_new(draft, w, "main");
    Direct *d = &m.d;
    Arena *a = d->arena;
    const Tile *t = d->t;
    Block body = block_new(a);
    int64_t chunks = w->apart ? (t->panels + w->chunk - 1) / w->chunk : 1;
    draft_params(&d->k);
    m.m = buffer_local(a, "products", ELEM_f32, WINOGRAD_PRODUCTS * winograd_m_step(w));
    m.y = buffer_local(a, "results", ELEM_f32, WINOGRAD_OUT * WINOGRAD_OUT * width_of(t));
    block_local(&body, m.m);
    block_local(&body, m.y);
    const Expr *rest = expr_var(a, d->k.kernel->task), *chunk = NULL;
    if (w->apart) chunk = take_digit(d, &body, "chunk", &rest, num(d, chunks));
    open_tiles(&m, mul(d, rest, w->block), w->block, &body);
    if (w->apart) {
        m.v = draft_buffer(&d->k, OPERAND_TEMP, v, ELEM_f32, false);
    } else {
        m.v = buffer_local(a, "tiles", ELEM_f32, WINOGRAD_PRODUCTS * winograd_v_step(w));
        block_local(&body, m.v);
        m.d.a = draft_operand(&d->k, w->c, &w->c->a);
        m.d.zeros = line_of_zeros(&m);
        transform_images(&m, num(d, 0), &body);
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
        v = draft_temp(draft, 4 * WINOGRAD_PRODUCTS * winograd_v_step(w));
        stage_images(draft, w, v);
    }
    main_kernel(draft, w, packed, v);
}
