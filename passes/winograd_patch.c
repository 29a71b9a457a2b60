/* Winograd's F(4x4, 3x3): patches of images, at the border with zeros around, transformed. */
#include "passes/winograd.h"

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

/* Channels of a patch, whose places are where `view` and `place` say. */
static void patch_channels(Tiling *m, const Patch *p, Buffer *const *view,
                           const int64_t *place, const Expr *to, Block *b) {
    Direct *d = &m->d;
    int64_t lanes = d->t->lanes, full = p->channels / lanes * lanes;
    for (int64_t first = 0; first < p->channels; first += full ? full : lanes) {
        bool rest = first == full;
        const Var *var = var_index(d->arena, "c");
        const Expr *c = rest ? num(d, first) : expr_var(d->arena, var);
        const Expr *active = rest ? num(d, p->channels - full) : NULL;
        const Expr *from[WINOGRAD_PRODUCTS], *v[WINOGRAD_PRODUCTS];
        Block body = block_new(d->arena);
        for (int64_t i = 0; i < p->size * p->size; i++) {
            const Expr *at = add(d, c, num(d, place[i]));
            const Expr *x = expr_load(d->arena, view[i], at, (uint32_t)lanes, 1, active);
            from[i] = block_let(&body, "x", x);
        }
        p->transform(&body, from, v);
        for (int64_t i = 0; i < WINOGRAD_PRODUCTS; i++)
            block_store(&body, p->to, add(d, add(d, to, c), num(d, i * p->step)), v[i], 1,
                        NULL);
        if (rest)
            block_add(b, block_end(&body));
        else
            block_for(b, var, num(d, 0), num(d, full), lanes, 1, block_end(&body));
    }
}

/* Whether all places of a side are inside of the image; NULL: they always are. */
static const Expr *side_inside(Direct *d, const Patch *p, uint32_t side, int64_t tiles,
                               const Expr *at) {
    const Expr *inside = NULL;
    if (p->low[side] < 0) inside = op2(d, OP_ge, at, num(d, 0));
    if ((tiles - 1) * WINOGRAD_OUT + p->low[side] + p->size > p->extent[side]) {
        const Expr *below = op2(d, OP_le, at, num(d, p->extent[side] - p->size));
        inside = inside ? op2(d, OP_and, inside, below) : below;
    }
    return inside;
}

static const Expr *place_inside(Direct *d, const Patch *p, uint32_t side,
                                const Expr *at) {
    return op2(d, OP_and, op2(d, OP_ge, at, num(d, 0)),
               op2(d, OP_lt, at, num(d, p->extent[side])));
}

/* A patch at the border: each place is in the image or in a line of zeros. */
static void border_patch(Tiling *m, const Patch *p, const Expr *base, const Expr *h,
                         const Expr *w, const Expr *to, Block *b) {
    Direct *d = &m->d;
    Buffer *view[WINOGRAD_PRODUCTS] = {NULL};
    const int64_t place[WINOGRAD_PRODUCTS] = {0};
    const Expr *across[WINOGRAD_IN];
    for (int64_t j = 0; j < p->size; j++)
        across[j] = block_let(b, "in", place_inside(d, p, 1, add(d, w, num(d, j))));
    for (int64_t i = 0; i < p->size; i++) {
        const Expr *down =
            block_let(b, "in", place_inside(d, p, 0, add(d, h, num(d, i))));
        for (int64_t j = 0; j < p->size; j++) {
            Buffer *one = buffer_view(d->arena, "x", ELEM_f32);
            const Expr *at = add(d, base, num(d, (i * p->extent[1] + j) * p->pixel));
            block_view_if(b, one, op2(d, OP_and, down, across[j]), p->from, at, d->zeros,
                          num(d, 0));
            view[i * p->size + j] = one;
        }
    }
    patch_channels(m, p, view, place, to, b);
}

static void inner_patch(Tiling *m, const Patch *p, const Expr *base, const Expr *to,
                        Block *b) {
    Buffer *view[WINOGRAD_PRODUCTS] = {NULL};
    Buffer *one = buffer_view(m->d.arena, "x", ELEM_f32);
    int64_t place[WINOGRAD_PRODUCTS] = {0};
    block_view(b, one, p->from, base);
    for (int64_t i = 0; i < p->size * p->size; i++) {
        view[i] = one;
        place[i] = (i / p->size * p->extent[1] + i % p->size) * p->pixel;
    }
    patch_channels(m, p, view, place, to, b);
}

void winograd_transform_patch(Tiling *m, const Patch *p, const Expr *tile, const Expr *to,
                              Block *b) {
    Direct *d = &m->d;
    Block inner = block_new(d->arena), border = block_new(d->arena);
    const Expr *image, *h, *w;
    winograd_open_tile(m, tile, b, &image, &h, &w);
    h = block_let(b, "h", add(d, h, num(d, p->low[0])));
    w = block_let(b, "w", add(d, w, num(d, p->low[1])));
    const Expr *line = add(d, mul(d, image, p->extent[0]), h);
    const Expr *base = add(d, mul(d, line, p->extent[1]), w);
    base = block_let(b, "from", add(d, mul(d, base, p->pixel), p->first));
    to = block_let(b, "to", to);
    const Expr *down = side_inside(d, p, 0, m->w->h.tiles, h);
    const Expr *across = side_inside(d, p, 1, m->w->w.tiles, w);
    const Expr *inside = down && across ? op2(d, OP_and, down, across)
                         : down         ? down
                                        : across;
    inner_patch(m, p, base, to, &inner);
    if (!inside) {
        block_add(b, block_end(&inner));
        return;
    }
    border_patch(m, p, base, h, w, to, &border);
    block_if(b, inside, block_end(&inner), block_end(&border));
}

void winograd_transform_images(Tiling *m, const Expr *row0, Block *b) {
    Direct *d = &m->d;
    const Winograd *w = m->w;
    const Patch patch = {.size = WINOGRAD_IN,
                         .low = {w->h.low, w->w.low},
                         .extent = {w->h.extent, w->w.extent},
                         .pixel = w->channels,
                         .first = m->channel0,
                         .channels = w->channel_chunk,
                         .transform = winograd_transform_image,
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
