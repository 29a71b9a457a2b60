/* Winograd's F(4x4, 3x3): patches of images, at the border with zeros around, transformed. */
#include "passes/winograd.h"

enum { WINOGRAD_BESIDE = 64 }; /* channels that are transformed side by side */

Tiling winograd_tiling(Draft *draft, const Winograd *w, const char *what) {
    Tiling m = {.w = w};
    Direct *d = &m.d;
    *d = (Direct){.c = w->c, .t = &w->tile, .arena = draft->arena};
    d->k = draft_kernel(draft, what);
    d->e = d->k.emitter;
    d->panel0 = d->batch = d->row0 = d->low[0] = m.channel0 = num(d, 0);
    d->high[0] = num(d, w->channels);
    m.tiles = num(d, w->h.tiles * w->w.tiles);
    for (uint32_t i = 0; i < w->images.count; i++)
        m.tiles = op2(d, OP_mul, m.tiles, extent_of(d, w->images.at[i]));
    return m;
}

Buffer *winograd_zero_line(Arena *arena, int64_t count) {
    return buffer_table(arena, "zeros", ELEM_f32, arena_array(arena, float, count),
                        count);
}

void winograd_open_tile(Tiling *m, const Expr *number, Block *b, const Expr **image,
                        const Expr **h, const Expr **w) {
    Direct *d = &m->d;
    const Expr *rest = number;
    *w = mul(d, take_digit(d, b, "tw", &rest, num(d, m->w->w.tiles)), WINOGRAD_OUT);
    *h = mul(d, take_digit(d, b, "th", &rest, num(d, m->w->h.tiles)), WINOGRAD_OUT);
    *image = rest;
}

static const Expr *place_inside(Direct *d, const Patch *p, uint32_t side,
                                const Expr *at) {
    return op2(d, OP_and, op2(d, OP_ge, at, num(d, 0)),
               op2(d, OP_lt, at, num(d, p->extent[side])));
}

/* A patch: its first place and channel, and which of its rows are in the image. */
typedef struct Spot {
    const Expr *base, *column, *inside[WINOGRAD_IN];
} Spot;

/* Views of a column's places: in the image, or in a line of zeros. */
static void view_column(Tiling *m, const Patch *p, const Spot *spot, const Expr *j,
                        const Expr *channel, Buffer **view, Block *b) {
    Direct *d = &m->d;
    const Expr *across = place_inside(d, p, 1, add(d, spot->column, j));
    across = block_let(b, "in", across);
    const Expr *base = add(d, add(d, spot->base, channel), mul(d, j, p->pixel));
    base = block_let(b, "from", base);
    for (int64_t i = 0; i < p->transform->from; i++) {
        const Expr *at = add(d, base, num(d, i * p->extent[1] * p->pixel));
        view[i] = buffer_view(d->arena, "x", ELEM_f32);
        block_view_if(b, view[i], op2(d, OP_and, spot->inside[i], across), p->from, at,
                      d->zeros, num(d, 0));
    }
}

/* Channels from `channel` on, `count` in whole vectors, or `active` of one. */
static void patch_channels(Tiling *m, const Patch *p, const Spot *spot,
                           const Expr *channel, const Expr *count, const Expr *active,
                           const Expr *to, Block *b) {
    Direct *d = &m->d;
    uint32_t lanes = d->t->lanes;
    const WinogradHalf half =
        winograd_half(p->transform, active ? lanes : WINOGRAD_BESIDE, b);
    const Var *j = var_index(d->arena, "column"), *i = var_index(d->arena, "row"),
              *v = var_index(d->arena, "c");
    const Expr *c = expr_var(d->arena, v), *x[WINOGRAD_IN], *y[WINOGRAD_IN];
    Buffer *view[WINOGRAD_IN];
    Block column = block_new(d->arena), row = block_new(d->arena),
          first = block_new(d->arena), second = block_new(d->arena);
    view_column(m, p, spot, expr_var(d->arena, j), channel, view, &column);
    for (int64_t k = 0; k < p->transform->from; k++)
        x[k] = block_let(&first, "x", expr_load(d->arena, view[k], c, lanes, 1, active));
    winograd_column(&first, &half, x,
                    add(d, mul(d, expr_var(d->arena, j), half.width), c));
    block_for(&column, v, num(d, 0), count, lanes, 1, block_end(&first));
    block_for(b, j, num(d, 0), num(d, p->transform->from), 1, 1, block_end(&column));
    const Expr *from = mul(d, expr_var(d->arena, i), p->transform->from * half.width);
    winograd_row(&second, &half, add(d, from, c), lanes, y);
    const Expr *place = mul(d, expr_var(d->arena, i), WINOGRAD_IN * p->step);
    place = block_let(&row, "to", add(d, add(d, to, channel), place));
    for (int64_t k = 0; k < WINOGRAD_IN; k++)
        block_store(&second, p->to, add(d, add(d, place, c), num(d, k * p->step)), y[k],
                    1, NULL);
    block_for(&row, v, num(d, 0), count, lanes, 1, block_end(&second));
    block_for(b, i, num(d, 0), num(d, WINOGRAD_IN), 1, 1, block_end(&row));
}

void winograd_transform_patch(Tiling *m, const Patch *p, const Expr *tile, const Expr *to,
                              Block *b) {
    Direct *d = &m->d;
    const Expr *image, *h, *w;
    winograd_open_tile(m, tile, b, &image, &h, &w);
    h = block_let(b, "h", add(d, h, num(d, p->low[0])));
    w = block_let(b, "w", add(d, w, num(d, p->low[1])));
    const Expr *line = add(d, mul(d, image, p->extent[0]), h);
    const Expr *base = add(d, mul(d, line, p->extent[1]), w);
    Spot spot = {.column = w};
    spot.base = block_let(b, "from", add(d, mul(d, base, p->pixel), p->first));
    for (int64_t i = 0; i < p->transform->from; i++)
        spot.inside[i] = block_let(b, "in", place_inside(d, p, 0, add(d, h, num(d, i))));
    to = block_let(b, "to", to);
    int64_t lanes = d->t->lanes, full = p->channels / lanes * lanes;
    const Var *var = var_index(d->arena, "channel");
    const Expr *channel = expr_var(d->arena, var), *left = num(d, full);
    if (full > WINOGRAD_BESIDE) {
        Block body = block_new(d->arena);
        left = op2(d, OP_min, num(d, WINOGRAD_BESIDE), op2(d, OP_sub, left, channel));
        if (full % WINOGRAD_BESIDE == 0) left = num(d, WINOGRAD_BESIDE);
        patch_channels(m, p, &spot, channel, left, NULL, to, &body);
        block_for(b, var, num(d, 0), num(d, full), WINOGRAD_BESIDE, 1, block_end(&body));
    } else if (full) {
        patch_channels(m, p, &spot, num(d, 0), left, NULL, to, b);
    }
    if (full < p->channels)
        patch_channels(m, p, &spot, num(d, full), num(d, lanes),
                       num(d, p->channels - full), to, b);
}

void winograd_transform_images(Tiling *m, const Expr *row0, Block *b) {
    Direct *d = &m->d;
    const Winograd *w = m->w;
    const Patch patch = {.transform = &winograd_image,
                         .low = {w->h.low, w->w.low},
                         .extent = {w->h.extent, w->w.extent},
                         .pixel = w->channels,
                         .first = m->channel0,
                         .channels = w->channel_chunk,
                         .from = d->a,
                         .to = m->v,
                         .step = w->v_step};
    const Var *t = var_index(d->arena, "t");
    Block body = block_new(d->arena);
    const Expr *tile = add(d, m->tile0, expr_var(d->arena, t));
    tile = op2(d, OP_min, tile, op2(d, OP_sub, m->tiles, num(d, 1)));
    const Expr *row = add(d, row0, expr_var(d->arena, t));
    winograd_transform_patch(m, &patch, block_let(&body, "tile", tile),
                             mul(d, row, w->pitch), &body);
    block_for(b, t, num(d, 0), m->count, 1, 1, block_end(&body));
}
