/* Winograd's F(4x4, 3x3): which contractions it applies to, what it costs, how it is cut. */
#include "passes/winograd.h"

static int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* The form of an image dimension: a row axis and the three taps, forwards or backwards. */
static bool side_take(const Contract *c, const Affine *form, Dim extent,
                      WinogradSide *out) {
    bool row = false, tap = false;
    *out = (WinogradSide){.low = form->offset, .extent = extent};
    if (form->divisor != 1 || !dim_is_const(extent)) return false;
    for (uint32_t i = 0; i < c->axes; i++) {
        int64_t step = form->coefficient[i];
        if (!step || c->dim[i] == 1) continue;
        if (c->role[i] == AXIS_ROW && !row && step == 1 && dim_is_const(c->dim[i])) {
            row = true;
            out->axis = i, out->outputs = c->dim[i];
        } else if (c->role[i] == AXIS_REDUCE && !tap && c->dim[i] == WINOGRAD_TAPS &&
                   (step == 1 || step == -1)) {
            tap = true;
            out->tap = i, out->flipped = step < 0;
        } else {
            return false;
        }
    }
    if (out->flipped) out->low -= WINOGRAD_TAPS - 1;
    out->tiles = ceil_div(out->outputs, WINOGRAD_OUT);
    return row && tap;
}

/* A dimension that an axis walks from end to end; `axis` is left alone where it has one place. */
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

/* The rows of the result are images, then both sides; all that is summed over are taps and
 * channels. */
static bool take_shape(Winograd *w) {
    const Contract *c = w->c;
    const Type *type = graph_type(c->group, c->a.value);
    const AffineMap *map = c->a.map;
    uint32_t rank = map->rank;
    AxisList channel = {0};
    if (rank < 3 || c->list[AXIS_BATCH].count || c->list[AXIS_COL].count != 1)
        return false;
    if (!c->b.regular || c->b.edges || !dim_is_const(c->dim[c->list[AXIS_COL].at[0]]))
        return false;
    for (uint32_t i = 0; i + 3 < rank; i++)
        if (!plain_take(c, &map->dim[i], type->dim[i], AXIS_ROW, &w->images))
            return false;
    if (!side_take(c, &map->dim[rank - 3], type->dim[rank - 3], &w->h) ||
        !side_take(c, &map->dim[rank - 2], type->dim[rank - 2], &w->w) ||
        !plain_take(c, &map->dim[rank - 1], type->dim[rank - 1], AXIS_REDUCE, &channel) ||
        !channel.count || w->h.axis == w->w.axis || w->h.tap == w->w.tap)
        return false;
    const AxisList *rows = &c->list[AXIS_ROW];
    uint32_t images = w->images.count;
    if (rows->count != images + 2 || c->list[AXIS_REDUCE].count != 3 ||
        rows->at[images] != w->h.axis || rows->at[images + 1] != w->w.axis)
        return false;
    w->tiles = w->h.tiles * w->w.tiles;
    for (uint32_t i = 0; i < images; i++) {
        if (rows->at[i] != w->images.at[i]) return false;
        w->tiles *= c->extent[w->images.at[i]];
    }
    w->channel = channel.at[0];
    w->channels = c->extent[w->channel];
    return dim_is_const(c->dim[w->channel]);
}

/* Both in products and sums of one lane. */
static bool pays(const Winograd *w, const Target *target) {
    enum { LEAST = 16, TRANSFORM = 200, PACK = 160 };
    double in = (double)w->channels, out = (double)count_of(w->c, AXIS_COL);
    double places = (double)(w->tiles * w->h.outputs * w->w.outputs) /
                    (double)(w->h.tiles * w->w.tiles);
    double direct = places * in * out * WINOGRAD_TAPS * WINOGRAD_TAPS;
    double tiles =
        (double)w->tiles * (WINOGRAD_PRODUCTS * in * out + TRANSFORM * (in + out));
    /* U is written and read once at least, some bytes a cycle. */
    double pack = in * out * (PACK + 2.0 * WINOGRAD_PRODUCTS * target_lanes(target));
    pack /= (double)w->c->runs;
    return in >= LEAST && out >= LEAST && 1.2 * (tiles + pack) < direct;
}

int64_t winograd_v_step(const Winograd *w) {
    int64_t rows = w->apart ? ceil_div(w->tiles, w->block) * w->block : w->block;
    return rows * w->pitch + 16;
}

int64_t winograd_m_step(const Winograd *w) {
    return w->chunk * w->block * width_of(&w->tile) + 16;
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
    w->pitch = ceil_div(w->channels, t->lanes) * t->lanes;
    t->row_step = w->pitch;
    choose_blocks(w, target);
    t->task_rows = w->block;
    t->task_panels = w->chunk;
}

bool winograd_take(const Contract *c, const Target *target, Winograd *out) {
    const Func *g = c->group;
    *out = (Winograd){.c = c};
    if (target->winograd == WINOGRAD_NEVER || !c->a.in_memory ||
        graph_type(g, c->a.value)->elem != ELEM_f32 ||
        graph_type(g, c->node)->elem != ELEM_f32)
        return false;
    if (!take_shape(out)) return false;
    if (target->winograd == WINOGRAD_WHERE_FASTER && !pays(out, target)) return false;
    choose_tile(out, target);
    return true;
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
    text_printf(out, " panels %u task %ldx%ld tiles %ld k %ld%s", t->panels,
                (long)w->block, (long)w->chunk, (long)w->tiles, (long)w->channels,
                w->apart ? " apart" : "");
}
