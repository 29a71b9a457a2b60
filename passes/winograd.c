/* Winograd's F(4x4, 3x3): which contractions it applies to, what it costs, how it is cut. */
#include "passes/winograd.h"
#include <math.h>

/* Elements between the matrices of two products, so that they are no multiple of many lines. */
#define APART 16

static int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* The form of an image dimension: an axis of the result's places and the three taps, forwards
 * or backwards; one of them is summed over. */
static bool side_take(const Winograd *w, const Affine *form, Dim extent,
                      WinogradSide *out) {
    const Contract *c = w->c;
    AxisRole at_role = w->weights ? AXIS_REDUCE : AXIS_ROW;
    AxisRole tap_role = w->weights ? AXIS_ROW : AXIS_REDUCE;
    bool at = false, tap = false;
    *out = (WinogradSide){.low = form->offset, .extent = extent};
    if (form->divisor != 1 || !dim_is_const(extent)) return false;
    for (uint32_t i = 0; i < c->axes; i++) {
        int64_t step = form->coefficient[i];
        if (!step || c->dim[i] == 1) continue;
        if (c->role[i] == at_role && !at && step == 1 && dim_is_const(c->dim[i])) {
            at = true;
            out->axis = i, out->outputs = c->dim[i];
        } else if (c->role[i] == tap_role && !tap && c->dim[i] == WINOGRAD_TAPS &&
                   (step == 1 || step == -1)) {
            tap = true;
            out->tap = i, out->flipped = step < 0;
        } else {
            return false;
        }
    }
    if (out->flipped) out->low -= WINOGRAD_TAPS - 1;
    out->tiles = ceil_div(out->outputs, WINOGRAD_OUT);
    return at && tap;
}

/* A dimension that an axis of the role walks from end to end, added to the list but where it
 * has one place. */
static bool plain_take(const Contract *c, const Affine *form, Dim extent, AxisRole role,
                       AxisList *axes) {
    uint32_t found = 0, axis = 0;
    for (uint32_t i = 0; i < c->axes; i++) {
        if (!form->coefficient[i] || c->dim[i] == 1) continue;
        if (form->coefficient[i] != 1) return false;
        axis = i;
        found++;
    }
    if (form->offset || form->divisor != 1 || found > 1) return false;
    if (!found) return extent == 1;
    if (c->role[axis] != role || c->dim[axis] != extent) return false;
    axes->at[axes->count++] = axis;
    return true;
}

static bool same_axes(const AxisList *x, const AxisList *y) {
    return x->count == y->count && !memcmp(x->at, y->at, x->count * sizeof *x->at);
}

/* Images, both sides, channels: the dimensions of A. */
static bool take_images(Winograd *w) {
    const Contract *c = w->c;
    const Type *type = graph_type(c->group, c->a.value);
    const AffineMap *map = c->a.map;
    uint32_t rank = map->rank;
    AxisList channel = {0};
    if (rank < 3) return false;
    for (uint32_t i = 0; i + 3 < rank; i++)
        if (!plain_take(c, &map->dim[i], type->dim[i],
                        w->weights ? AXIS_REDUCE : AXIS_ROW, &w->images))
            return false;
    if (!axes_open_first(c, &w->images)) return false;
    if (!side_take(w, &map->dim[rank - 3], type->dim[rank - 3], &w->h) ||
        !side_take(w, &map->dim[rank - 2], type->dim[rank - 2], &w->w) ||
        !plain_take(c, &map->dim[rank - 1], type->dim[rank - 1],
                    w->weights ? AXIS_ROW : AXIS_REDUCE, &channel) ||
        !channel.count || w->h.axis == w->w.axis || w->h.tap == w->w.tap)
        return false;
    w->tiles = w->h.tiles * w->w.tiles;
    for (uint32_t i = 0; i < w->images.count; i++) w->tiles *= c->extent[w->images.at[i]];
    w->channel = channel.at[0];
    w->channels = c->extent[w->channel];
    return dim_is_const(c->dim[w->channel]);
}

/* The axes of the result's places, outermost first. */
static AxisList places_of(const Winograd *w) {
    AxisList places = w->images;
    places.at[places.count++] = w->h.axis;
    places.at[places.count++] = w->w.axis;
    return places;
}

/* B of a gradient with respect to weights: images, places of the result, its channels. */
static bool take_gradient(const Winograd *w) {
    const Contract *c = w->c;
    const Type *type = graph_type(c->group, c->b.value);
    const AffineMap *map = c->b.map;
    AxisList axes = {0}, cols = {0}, places = places_of(w);
    if (!c->b.in_memory || type->elem != ELEM_f32) return false;
    for (uint32_t i = 0; i + 1 < map->rank; i++)
        if (!plain_take(c, &map->dim[i], type->dim[i], AXIS_REDUCE, &axes)) return false;
    return map->rank && same_axes(&axes, &places) &&
           plain_take(c, &map->dim[map->rank - 1], type->dim[map->rank - 1], AXIS_COL,
                      &cols);
}

static bool take_shape(const Contract *c, bool weights, Winograd *w) {
    *w = (Winograd){.c = c, .weights = weights};
    if (c->list[AXIS_BATCH].count || c->list[AXIS_COL].count != 1 || !c->b.regular ||
        c->b.edges || !dim_is_const(c->dim[c->list[AXIS_COL].at[0]]) || !take_images(w))
        return false;
    AxisList places = places_of(w), taps = {3, {w->h.tap, w->w.tap, w->channel}};
    if (!weights)
        return c->list[AXIS_REDUCE].count == 3 && same_axes(&places, &c->list[AXIS_ROW]);
    return c->list[AXIS_REDUCE].count == places.count &&
           same_axes(&taps, &c->list[AXIS_ROW]) && take_gradient(w);
}

/* Products and sums, of one lane, that a transform costs a channel and tile. */
enum { OF_IMAGE = 200, OF_RESULT = 200, OF_GRADIENT = 130 };

/* Sums go through L2 once a block: products in the time for a tile's share of one. */
static double of_sums(int64_t block, const Target *target) {
    enum { BYTES = 24 }; /* a cycle */
    double cycles = 8.0 * WINOGRAD_PRODUCTS / BYTES / (double)block;
    return cycles * 2 * target_lanes(target);
}

/* Both in products and sums of one lane. */
static bool pays(const Winograd *w, const Target *target) {
    enum { LEAST = 16, PACK = 160 };
    double in = (double)w->channels, out = (double)count_of(w->c, AXIS_COL);
    double all = (double)w->tiles;
    double places =
        all * (double)(w->h.outputs * w->w.outputs) / (double)(w->h.tiles * w->w.tiles);
    double direct = places * in * out * WINOGRAD_TAPS * WINOGRAD_TAPS;
    double tiles = all * WINOGRAD_PRODUCTS * in * out, pack = 0;
    if (w->weights) {
        double wide = (double)(w->tile.task_panels * width_of(&w->tile));
        tiles += all * OF_IMAGE * in * ceil(out / wide);
        tiles += all * OF_GRADIENT * out * in / (double)w->channel_chunk;
        tiles += all * in * out * of_sums(w->block, target);
        pack = PACK * in * out * (double)w->join.splits;
    } else {
        tiles += all * (OF_IMAGE * in + OF_RESULT * out);
        /* U is written and read once at least, some bytes a cycle. */
        pack = in * out * (PACK + 2.0 * WINOGRAD_PRODUCTS * target_lanes(target));
        pack /= (double)w->c->runs;
    }
    return in >= LEAST && out >= LEAST && 1.2 * (tiles + pack) < direct;
}

/* Tiles of a block: V and M in half of L2, and tasks for eight threads. */
static void choose_blocks(Winograd *w, const Target *target) {
    enum { MOST = 352 << 10, LONGEST = 48 };
    Tile *t = &w->tile;
    int64_t rows = t->rows, all = ceil_div(w->tiles, rows) * rows;
    int64_t room = target->l2_bytes / 2 < MOST ? target->l2_bytes / 2 : MOST;
    int64_t of_tile = 4 * WINOGRAD_PRODUCTS * (w->pitch + width_of(t));
    int64_t fit = room / of_tile / rows * rows;
    w->chunk = 1;
    w->apart = fit < 2 * rows && fit < all;
    int64_t most = w->apart        ? LONGEST / rows * rows
                   : fit < LONGEST ? fit
                                   : LONGEST / rows * rows;
    int64_t blocks = ceil_div(w->tiles, most);
    if (!w->apart && blocks < 16) blocks = 16;
    w->block = ceil_div(ceil_div(w->tiles, blocks), rows) * rows;
    if (w->block < 2 * rows) w->block = 2 * rows < all ? 2 * rows : all;
    while (w->apart && w->chunk < t->panels &&
           4 * WINOGRAD_PRODUCTS * (w->chunk + 1) * w->block * width_of(t) <= room)
        w->chunk++;
}

static void choose_tile(Winograd *w, const Target *target) {
    const Contract *c = w->c;
    Tile *t = &w->tile;
    *t = (Tile){.uniform = true, .rows_max = w->tiles, .loops = 1, .splits = 1};
    t->loop[0] =
        (ReduceLoop){.axes = {1, {w->channel}}, .a_step = 1, .k_step = 1, .edge = -1};
    tile_choose_registers(c, target, t);
    t->loop[0].extent = w->channels;
    t->k_max = WINOGRAD_PRODUCTS * w->channels;
    t->walked = c->list[AXIS_ROW];
    t->rows_max = count_of(c, AXIS_ROW);
    for (uint32_t i = 0; i < c->a.edges; i++) t->edge[i].fixed = true;
    w->channel_chunk = w->channels;
    w->pitch = ceil_div(w->channels, t->lanes) * t->lanes;
    t->row_step = w->pitch;
    choose_blocks(w, target);
    int64_t rows = w->apart ? ceil_div(w->tiles, w->block) * w->block : w->block;
    w->v_step = rows * w->pitch + APART;
    w->m_step = w->chunk * w->block * width_of(t) + APART;
    t->task_rows = w->block;
    t->task_panels = w->chunk;
}

/* Chunks of both channels and a block of tiles: the least work within the room. */
static bool choose_sums(Winograd *w, const Target *target) {
    enum { MOST = 480 << 10, LONGEST = 48 };
    Tile *t = &w->tile;
    int64_t room = target->l2_bytes * 3 / 4 < MOST ? target->l2_bytes * 3 / 4 : MOST;
    double best = 0;
    for (int64_t panels = 1; panels <= t->panels; panels++)
        for (int64_t in = t->rows; in <= w->channels; in++) {
            if (w->channels % in || (in % t->lanes && in < w->channels)) continue;
            int64_t wide = panels * width_of(t),
                    pitch = ceil_div(in, t->lanes) * t->lanes;
            int64_t rows = ceil_div(in, t->rows) * t->rows;
            int64_t block = room / 4 / WINOGRAD_PRODUCTS - rows * wide - 3 * APART;
            block = block / (pitch + wide);
            if (block > LONGEST) block = LONGEST;
            if (block > w->tiles) block = w->tiles;
            if (block < 4 && block < w->tiles) continue;
            double cost = OF_IMAGE / (double)wide + OF_GRADIENT / (double)in;
            cost +=
                of_sums(block, target) + WINOGRAD_PRODUCTS * (double)rows / (double)in;
            if (best && cost >= best) continue;
            best = cost;
            w->channel_chunk = in, w->pitch = pitch, w->block = block;
            t->task_panels = panels, t->task_rows = rows;
        }
    return best > 0;
}

/* The tile of a gradient with respect to weights, and of the join of its parts. */
static bool choose_parts(Winograd *w, const Target *target) {
    enum { ROWS = 16, TASKS = 16 };
    const Contract *c = w->c;
    Tile *t = &w->tile;
    *t = (Tile){.uniform = true,
                .rows_max = w->channels < 32 ? w->channels : 32,
                .loops = 1,
                .splits = 1};
    t->loop[0] =
        (ReduceLoop){.axes = {1, {w->h.axis}}, .a_step = 1, .k_step = 1, .edge = -1};
    tile_choose_registers(c, target, t);
    for (uint32_t i = 0; i < c->a.edges; i++) t->edge[i].fixed = true;
    if (!choose_sums(w, target)) return false;
    t->row_step = 1;
    t->loop[0].a_step = w->pitch;
    w->m_step = t->task_rows * t->task_panels * width_of(t) + APART;
    w->join = *t;
    w->join.walked = c->list[AXIS_ROW];
    w->join.rows_max = count_of(c, AXIS_ROW);
    w->join.task_rows = ROWS;
    w->join.task_panels = t->panels;
    int64_t tasks = w->channels / w->channel_chunk * ceil_div(t->panels, t->task_panels);
    int64_t most = ceil_div(w->tiles, w->block), splits = ceil_div(TASKS, tasks);
    w->join.splits = splits < most ? splits : most;
    /* Blocks of a part as even as can be. */
    int64_t share = ceil_div(w->tiles, w->join.splits);
    w->block = ceil_div(share, ceil_div(share, w->block));
    t->loop[0].extent = t->loop[0].block = w->block;
    w->v_step = w->block * w->pitch + APART;
    w->z_step = w->block * t->task_panels * width_of(t) + APART;
    return true;
}

bool winograd_take(const Contract *c, const Target *target, Winograd *out) {
    const Func *g = c->group;
    if (target->winograd == WINOGRAD_NEVER || !c->a.in_memory ||
        graph_type(g, c->a.value)->elem != ELEM_f32 ||
        graph_type(g, c->node)->elem != ELEM_f32)
        return false;
    if (take_shape(c, false, out))
        choose_tile(out, target);
    else if (!take_shape(c, true, out) || !choose_parts(out, target))
        return false;
    return target->winograd != WINOGRAD_WHERE_FASTER || pays(out, target);
}

bool winograd_applies(const Func *group, Val node, const Target *target, int64_t runs) {
    Contract c;
    Winograd w;
    contract_shape(group, node, &c);
    c.runs = runs;
    return winograd_take(&c, target, &w);
}

void winograd_print(const Winograd *w, Text *out) {
    const Tile *t = &w->tile;
    text_printf(out, "winograd %ux%u", t->rows, t->vectors * t->lanes);
    if (t->tail_vectors) text_printf(out, "+%u", t->tail_vectors * t->lanes);
    text_printf(out, " panels %u task %ldx%u tiles %ld in %ld", t->panels, (long)w->block,
                (unsigned)t->task_panels, (long)w->tiles, (long)w->channel_chunk);
    if (w->weights) text_printf(out, " splits %ld", (long)w->join.splits);
    if (w->apart) text_puts(out, " apart");
}
