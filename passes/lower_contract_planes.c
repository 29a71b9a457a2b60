/*
 * Few channels out: vectors run along an image's rows.
 *
 * Where a convolution's result has fewer channels than a vector has lanes (the input gradient
 * of a grey or colour image), register tiles over columns would be mostly empty.  Here a task
 * copies its part of the input into planes, one a channel, with zeros around, and sums
 *
 *     out[h, w : lanes, q] += plane[c][h + kh][w + kw : lanes] * weight[kh, kw, c, q]
 *
 * for some rows h, all of w and all q at a time; a loaded vector serves every tap row kh.
 */
#include "passes/contract.h"

/* One of the two image dimensions: position = axis + step * tap + offset. */
typedef struct Spatial {
    uint32_t axis;       /* of the result */
    int32_t tap;         /* axis; -1: none */
    int64_t step, count; /* of the taps */
    int64_t low;         /* least position of row 0 */
    int64_t extent;      /* of the input */
    int64_t stride;
} Spatial;

typedef struct Planes {
    const Contract *c;
    const Reach *image, *weight;
    Spatial h, w;
    uint32_t images; /* leading dimensions, plain axes */
    int32_t channel; /* axis; -1: one channel */
    int64_t channels;
    uint32_t few_axes;
    uint32_t few_axis[MAX_AXES];
    int64_t few; /* results a pixel */
    /* Chosen. */
    uint32_t lanes, rows, vectors;
    int64_t row_blocks, block, chunk; /* blocks of rows; rows of one; channels at once */
    int64_t pitch, plane;
} Planes;

static int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static int64_t span(const Spatial *s) {
    return (s->step < 0 ? -s->step : s->step) * (s->count - 1);
}

static bool only_axis(const Contract *c, const Affine *form, uint32_t *axis) {
    return affine_is_axis(form, axis) && c->extent[*axis] >= 1;
}

static bool uses(const AffineMap *map, uint32_t axis) {
    for (uint32_t i = 0; i < map->rank; i++)
        if (map->dim[i].coefficient[axis]) return true;
    return false;
}

static bool in_result(const Contract *c, uint32_t axis) {
    return uses(node_attr(graph_node(c->group, c->node), ATTR_out)->map, axis);
}

static bool spatial_take(const Planes *p, const Affine *form, Dim extent, int64_t stride,
                         Spatial *out) {
    const Contract *c = p->c;
    bool found = false;
    *out = (Spatial){
        .tap = -1, .count = 1, .low = form->offset, .extent = extent, .stride = stride};
    if (form->divisor != 1 || !dim_is_const(extent)) return false;
    for (uint32_t i = 0; i < c->axes; i++) {
        int64_t k = form->coefficient[i];
        if (!k || c->dim[i] == 1) continue;
        if (!dim_is_const(c->dim[i])) return false;
        if (in_result(c, i)) {
            if (found || k != 1 || uses(p->weight->map, i)) return false;
            found = true;
            out->axis = i;
        } else {
            if (out->tap >= 0) return false;
            out->tap = (int32_t)i;
            out->step = k, out->count = c->extent[i];
        }
    }
    if (out->step < 0) out->low += out->step * (out->count - 1);
    return found;
}

static bool planes_shape(Planes *p) {
    const Contract *c = p->c;
    const Type *type = graph_type(c->group, p->image->value);
    const AffineMap *map = p->image->map;
    uint32_t rank = map->rank, axis;
    if (rank < 3 || p->weight->edges || !p->weight->regular || c->list[AXIS_BATCH].count)
        return false;
    for (uint32_t i = 1; i < rank; i++)
        if (!dim_is_const(type->dim[i])) return false;
    p->channel = -1;
    p->channels = type->dim[rank - 1];
    if (!only_axis(c, &map->dim[rank - 1], &axis)) {
        if (p->channels != 1) return false;
    } else {
        if (in_result(c, axis) || c->extent[axis] != p->channels) return false;
        p->channel = (int32_t)axis;
    }
    int64_t row = type->dim[rank - 2] * p->channels;
    if (!spatial_take(p, &map->dim[rank - 2], type->dim[rank - 2], p->channels, &p->w) ||
        !spatial_take(p, &map->dim[rank - 3], type->dim[rank - 3], row, &p->h))
        return false;
    p->images = rank - 3;
    uint64_t seen = 1u << p->h.axis | 1u << p->w.axis;
    if (p->channel >= 0) seen |= 1u << p->channel;
    if (p->h.tap >= 0) seen |= 1u << p->h.tap;
    if (p->w.tap >= 0) seen |= 1u << p->w.tap;
    for (uint32_t i = 0; i < p->images; i++) {
        if (!only_axis(c, &map->dim[i], &axis) || !in_result(c, axis) ||
            c->dim[axis] != type->dim[i] || uses(p->weight->map, axis))
            return false;
        seen |= 1u << axis;
    }
    p->few = 1;
    for (uint32_t i = 0; i < c->axes; i++) {
        if (c->dim[i] == 1 || seen >> i & 1) continue;
        if (!in_result(c, i) || uses(map, i) || !dim_is_const(c->dim[i])) return false;
        p->few_axis[p->few_axes++] = i;
        p->few *= c->extent[i];
    }
    return p->few <= 4;
}

static int64_t local_floats(const Planes *p, int64_t block, int64_t chunk) {
    return chunk * (block + span(&p->h)) * p->pitch;
}

/* Sums in registers, planes in at most 96 KiB. */
static bool planes_size(Planes *p, const Target *target) {
    enum { MOST = 96 << 8 }; /* floats */
    p->lanes = target_lanes(target);
    int64_t width = p->c->extent[p->w.axis], height = p->c->extent[p->h.axis];
    int64_t all = ceil_div(width, p->lanes), best = 0;
    uint32_t most = target->registers > 16 ? 24 : 12;
    for (uint32_t v = 4; v >= 1; v--) {
        if (v > all || (best && ceil_div(all, v) * v >= best)) continue;
        best = ceil_div(all, v) * v;
        p->vectors = v;
    }
    p->rows = most / (p->vectors * (uint32_t)p->few);
    if (p->rows > 4) p->rows = 4;
    if (p->rows < 1) return false;
    while (p->rows > 1 && height % p->rows && height < 4 * p->rows) p->rows--;
    p->pitch = ceil_div(best * p->lanes + span(&p->w), 4) * 4;
    p->chunk = p->channels;
    int64_t tiles = ceil_div(height, p->rows), images = 1;
    for (uint32_t i = 0; i < p->images; i++)
        images *= dim_max(&p->c->group->module->dims,
                          graph_type(p->c->group, p->image->value)->dim[i]);
    for (p->row_blocks = 1;; p->row_blocks++) {
        p->block = ceil_div(tiles, p->row_blocks) * p->rows;
        bool fits = local_floats(p, p->block, p->chunk) <= MOST;
        if (fits && (images * p->row_blocks >= 16 || p->block <= 4 * p->rows)) break;
        if (p->row_blocks < tiles) continue;
        if (fits) break;
        return false;
    }
    p->row_blocks = ceil_div(height, p->block);
    p->plane = (p->block + span(&p->h)) * p->pitch;
    return true;
}

static bool planes_take(const Contract *c, const Target *target, Planes *p) {
    const Func *g = c->group;
    if (graph_type(g, c->node)->elem != ELEM_f32) return false;
    for (uint32_t turn = 0; turn < 2; turn++) {
        *p = (Planes){
            .c = c, .image = turn ? &c->b : &c->a, .weight = turn ? &c->a : &c->b};
        Elem elem = graph_type(g, p->image->value)->elem;
        if (graph_node(g, p->image->value)->op != OP_param ||
            graph_node(g, p->weight->value)->op != OP_param ||
            graph_type(g, p->weight->value)->elem != ELEM_f32 ||
            (elem != ELEM_f32 && elem != ELEM_u8))
            continue;
        if (planes_shape(p) && planes_size(p, target)) return true;
    }
    return false;
}

/* Code */

typedef struct Make {
    const Planes *p;
    DraftKernel k;
    Arena *arena;
    Emitter *e;
    Buffer *image, *weight, *planes, *sums;
    Buffer **results;
    const Expr *number, *h0; /* of the image, first row of the block */
    const Var *sum[4][4][4]; /* row, vector, few */
} Make;

static const Expr *num(Make *m, int64_t i) {
    return expr_int(m->arena, i);
}
static const Expr *op2(Make *m, Op op, const Expr *x, const Expr *y) {
    return expr_scalar(m->arena, op, x, y);
}
static const Expr *add(Make *m, const Expr *x, const Expr *y) {
    return expr_add(m->arena, x, y);
}
static const Expr *mul(Make *m, const Expr *x, int64_t factor) {
    return expr_mul(m->arena, x, factor);
}

/* Fills the planes: zeros, then what is inside of the image. */
static void copy_planes(Make *m, Block *b) {
    const Planes *p = m->p;
    Arena *a = m->arena;
    int64_t floats = local_floats(p, p->block, p->chunk);
    const Var *i = var_index(a, "i"), *y = var_index(a, "y"), *x = var_index(a, "x");
    const Var *v = var_index(a, "c");
    Block zero = block_new(a), rows = block_new(a), cols = block_new(a),
          body = block_new(a);
    int64_t step = p->lanes, whole = floats / step * step;
    block_store(&zero, m->planes, expr_var(a, i), expr_num(a, ELEM_f32, p->lanes, 0), 1,
                NULL);
    block_for(b, i, num(m, 0), num(m, whole), step, 4, block_end(&zero));
    for (int64_t k = whole; k < floats; k++)
        block_store(b, m->planes, num(m, k), expr_num(a, ELEM_f32, 1, 0), 1, NULL);
    /* Rows and columns of the image that the block can see. */
    const Expr *top = block_let(b, "top", add(m, m->h0, num(m, p->h.low)));
    const Expr *first = op2(m, OP_max, top, num(m, 0));
    const Expr *last = add(m, top, num(m, p->block + span(&p->h)));
    last = op2(m, OP_min, last, num(m, p->h.extent));
    int64_t from = p->w.low > 0 ? p->w.low : 0;
    int64_t to = p->w.low + p->pitch < p->w.extent ? p->w.low + p->pitch : p->w.extent;
    const Expr *source = mul(m, m->number, p->h.extent * p->h.stride);
    source = add(m, source, mul(m, expr_var(a, y), p->h.stride));
    source = add(m, source, mul(m, expr_var(a, x), p->w.stride));
    source = block_let(&cols, "from", source);
    const Expr *place = mul(m, op2(m, OP_sub, expr_var(a, y), top), p->pitch);
    place = add(m, place, add(m, expr_var(a, x), num(m, -p->w.low)));
    place = block_let(&cols, "to", place);
    uint32_t lanes = p->lanes;
    while (lanes > p->channels) lanes /= 2;
    int64_t full = p->channels / lanes * lanes;
    const Expr *c = expr_var(a, v);
    const Expr *value = expr_load(a, m->image, add(m, source, c), lanes, 1, NULL);
    block_store(&body, m->planes, add(m, place, mul(m, c, p->plane)),
                expr_cast(a, value, ELEM_f32), lanes > 1 ? p->plane : 1, NULL);
    block_for(&cols, v, num(m, 0), num(m, full), lanes, 1, block_end(&body));
    for (int64_t k = full; k < p->channels; k++) {
        value = expr_load(a, m->image, add(m, source, num(m, k)), 1, 1, NULL);
        block_store(&cols, m->planes, add(m, place, num(m, k * p->plane)),
                    expr_cast(a, value, ELEM_f32), 1, NULL);
    }
    block_for(&rows, x, num(m, from), num(m, to), 1, 1, block_end(&cols));
    block_for(b, y, first, last, 1, 1, block_end(&rows));
}

/* Rows and columns that a tap moves down and right, in the planes. */
static int64_t tap_shift(const Spatial *s, int64_t tap) {
    return s->step < 0 ? (tap - (s->count - 1)) * s->step : tap * s->step;
}

static int64_t weight_step(const Make *m, int32_t axis) {
    return axis < 0 ? 0 : m->p->weight->step[axis];
}

/* Element of the weights of result `q` at channel c and a tap. */
static const Expr *weight_at(Make *m, const Expr *c, int64_t kh, int64_t kw, int64_t q) {
    const Planes *p = m->p;
    int64_t place =
        p->weight->base + kh * weight_step(m, p->h.tap) + kw * weight_step(m, p->w.tap);
    for (uint32_t i = p->few_axes; i-- > 0;) {
        uint32_t axis = p->few_axis[i];
        place += q % p->c->extent[axis] * p->weight->step[axis];
        q /= p->c->extent[axis];
    }
    return add(m, mul(m, c, weight_step(m, p->channel)), num(m, place));
}

/* All taps of one channel: each vector is loaded once and used by every tap row. */
static void one_channel(Make *m, const Expr *c, const Expr *row, const Expr *col,
                        Block *b) {
    const Planes *p = m->p;
    Arena *a = m->arena;
    Buffer *view = buffer_view(a, "plane", ELEM_f32);
    const Expr *base = add(m, mul(m, c, p->plane), add(m, mul(m, row, p->pitch), col));
    block_view(b, view, m->planes, base);
    for (int64_t kw = 0; kw < p->w.count; kw++) {
        for (int64_t y = 0; y < p->rows + span(&p->h); y++) {
            const Expr *vector[4] = {NULL};
            for (int64_t kh = 0; kh < p->h.count; kh++) {
                int64_t i = y - tap_shift(&p->h, kh);
                if (i < 0 || i >= p->rows) continue;
                for (int64_t q = 0; q < p->few; q++) {
                    const Expr *w =
                        expr_load(a, m->weight, weight_at(m, c, kh, kw, q), 1, 1, NULL);
                    w = block_let(b, "w", expr_splat(a, w, p->lanes));
                    for (uint32_t j = 0; j < p->vectors; j++) {
                        int64_t at = y * p->pitch + j * p->lanes + tap_shift(&p->w, kw);
                        if (!vector[j])
                            vector[j] = block_let(
                                b, "v",
                                expr_load(a, view, num(m, at), p->lanes, 1, NULL));
                        const Var *sum = m->sum[i][j][q];
                        block_set(b, sum, expr_fma(a, w, vector[j], expr_var(a, sum)));
                    }
                }
            }
        }
    }
}

/* `lanes` results from column `col` on. */
static void store_lanes(Make *m, const Expr *row, const Expr *col, int64_t q,
                        const Expr *at, uint32_t lanes, const Expr *active, Block *b) {
    const Planes *p = m->p;
    const Contract *c = p->c;
    const Type *type = graph_type(c->group, p->image->value);
    emit_open(m->e, b);
    const Index *axis[MAX_AXES];
    for (uint32_t i = 0; i < c->axes; i++) axis[i] = index_int(m->e, 0);
    const Index *x = index_axis(m->e, col, c->extent[p->w.axis]);
    if (lanes > 1) emit_vector(m->e, x, lanes, active);
    axis[p->w.axis] = x;
    axis[p->h.axis] = index_axis(m->e, row, c->extent[p->h.axis]);
    int64_t most = 1;
    for (uint32_t i = 0; i < p->images; i++)
        most *= dim_max(&c->group->module->dims, type->dim[i]);
    const Index *number = index_axis(m->e, m->number, most);
    for (uint32_t i = p->images; i-- > 0;) {
        uint32_t k = 0;
        affine_is_axis(&p->image->map->dim[i], &k);
        axis[k] = i ? index_mod(m->e, number, c->extent[k]) : number;
        number = index_div(m->e, number, c->extent[k]);
    }
    for (uint32_t i = p->few_axes; i-- > 0;) {
        axis[p->few_axis[i]] = index_int(m->e, q % c->extent[p->few_axis[i]]);
        q /= c->extent[p->few_axis[i]];
    }
    const Expr *sum = expr_load(m->arena, m->sums, at, lanes, 1, active);
    emit_bind(m->e, c->node, block_let(b, "sum", sum));
    contract_store(c, m->e, m->results, axis);
    emit_close(m->e);
}

/* Results of the tile's rows that exist, of the columns that do. */
static void store_tile(Make *m, const Expr *row, const Expr *col, const Expr *left,
                       Block *b) {
    const Planes *p = m->p;
    Arena *a = m->arena;
    int64_t width = p->c->extent[p->w.axis], wide = (int64_t)p->vectors * p->lanes;
    const Var *i = var_index(a, "row");
    Block body = block_new(a);
    const Expr *h = add(m, add(m, m->h0, row), expr_var(a, i));
    for (int64_t q = 0; q < p->few; q++) {
        const Expr *at = add(m, mul(m, expr_var(a, i), p->few * wide), num(m, q * wide));
        at = block_let(&body, "at", at);
        for (uint32_t j = 0; j < p->vectors; j++) {
            const Expr *x = add(m, col, num(m, j * p->lanes));
            const Expr *here = add(m, at, num(m, j * p->lanes));
            bool whole =
                width % wide == 0 || (width < wide && (j + 1) * p->lanes <= width);
            if (whole) {
                store_lanes(m, h, x, q, here, p->lanes, NULL, &body);
            } else if (width > wide) {
                const Expr *active =
                    block_let(&body, "active", op2(m, OP_sub, num(m, width), x));
                Block some = block_new(a);
                store_lanes(m, h, x, q, here, p->lanes, active, &some);
                block_if(&body, op2(m, OP_gt, active, num(m, 0)), block_end(&some), NULL);
            } else if (p->lanes == 16) {
                store_lanes(m, h, x, q, here, p->lanes, num(m, width - j * p->lanes),
                            &body);
            } else {
                int64_t done = j * p->lanes;
                for (uint32_t lanes = p->lanes / 2; lanes; lanes /= 2)
                    for (; width - done >= lanes; done += lanes)
                        store_lanes(m, h, add(m, col, num(m, done)), q,
                                    add(m, at, num(m, done)), lanes, NULL, &body);
            }
        }
    }
    block_for(b, i, num(m, 0), op2(m, OP_min, num(m, p->rows), left), 1, 1,
              block_end(&body));
}

static void one_tile(Make *m, const Expr *row, const Expr *col, const Expr *height,
                     Block *b) {
    const Planes *p = m->p;
    Arena *a = m->arena;
    int64_t wide = (int64_t)p->vectors * p->lanes;
    for (uint32_t i = 0; i < p->rows; i++)
        for (uint32_t j = 0; j < p->vectors; j++)
            for (int64_t q = 0; q < p->few; q++)
                m->sum[i][j][q] =
                    block_mutable(b, "s", expr_num(a, ELEM_f32, p->lanes, 0));
    const Var *c = var_index(a, "c");
    Block body = block_new(a);
    one_channel(m, expr_var(a, c), row, col, &body);
    block_for(b, c, num(m, 0), num(m, p->channels), 1, 1, block_end(&body));
    for (uint32_t i = 0; i < p->rows; i++)
        for (uint32_t j = 0; j < p->vectors; j++)
            for (int64_t q = 0; q < p->few; q++)
                block_store(b, m->sums, num(m, (i * p->few + q) * wide + j * p->lanes),
                            expr_var(a, m->sum[i][j][q]), 1, NULL);
    store_tile(m, row, col, op2(m, OP_sub, height, row), b);
}

bool lower_contract_planes(Draft *draft, const Contract *c) {
    Planes planes;
    if (!planes_take(c, draft->target, &planes)) return false;
    const Planes *p = &planes;
    Arena *a = draft->arena;
    Make m = {.p = p, .arena = a, .k = draft_kernel(draft, "main")};
    m.e = m.k.emitter;
    draft_params(&m.k);
    const Type *type = graph_type(c->group, p->image->value);
    m.image = draft_buffer(&m.k, OPERAND_PARAM, p->image->value, type->elem, false);
    m.weight = draft_buffer(&m.k, OPERAND_PARAM, p->weight->value, ELEM_f32, false);
    m.results = draft_results(&m.k);
    int64_t wide = (int64_t)p->vectors * p->lanes, width = c->extent[p->w.axis];
    m.planes = buffer_local(a, "planes", ELEM_f32, local_floats(p, p->block, p->chunk));
    m.sums = buffer_local(a, "sums", ELEM_f32, p->rows * p->few * wide);
    Block body = block_new(a), rows = block_new(a), cols = block_new(a);
    block_local(&body, m.planes);
    block_local(&body, m.sums);
    const Expr *task = expr_var(a, m.k.kernel->task), *tasks = num(&m, p->row_blocks);
    for (uint32_t i = 0; i < p->images; i++)
        tasks = op2(&m, OP_mul, tasks, emit_dim(m.e, type->dim[i]));
    m.number = block_let(&body, "image", op2(&m, OP_div, task, num(&m, p->row_blocks)));
    const Expr *block = op2(&m, OP_mod, task, num(&m, p->row_blocks));
    m.h0 = block_let(&body, "h0", mul(&m, block, p->block));
    const Expr *left = op2(&m, OP_sub, num(&m, c->extent[p->h.axis]), m.h0);
    const Expr *height =
        block_let(&body, "height", op2(&m, OP_min, num(&m, p->block), left));
    copy_planes(&m, &body);
    const Var *r = var_index(a, "row"), *v = var_index(a, "col");
    one_tile(&m, expr_var(a, r), expr_var(a, v), height, &cols);
    block_for(&rows, v, num(&m, 0), num(&m, width), wide, 1, block_end(&cols));
    block_for(&body, r, num(&m, 0), height, p->rows, 1, block_end(&rows));
    draft_end(&m.k, tasks, &body);
    return true;
}
