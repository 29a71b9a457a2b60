/* Tiles, loop order and blocking of a contraction, from its shape and the target only. */
#include "passes/contract.h"
#include <stdlib.h>

typedef struct Search {
    const Contract *c;
    const Target *target;
    Arena *arena;
    Tile *t;
} Search;

static int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static int64_t gcd(int64_t a, int64_t b) {
    while (b) {
        int64_t r = a % b;
        a = b, b = r;
    }
    return a < 0 ? -a : a;
}

/* Elements of A that a step of `axis` moves, edges included (at most one has it). */
static int64_t axis_step(const Contract *c, uint32_t axis) {
    int64_t step = c->a.step[axis];
    for (uint32_t i = 0; i < c->a.edges; i++) {
        const Edge *e = &c->a.edge[i];
        if (e->reduce == (int32_t)axis) step += e->reduce_step * e->stride / e->divisor;
        if (e->row == (int32_t)axis) step += e->row_step * e->stride / e->divisor;
    }
    return step;
}

static int32_t edge_of(const Contract *c, uint32_t axis) {
    for (uint32_t i = 0; i < c->a.edges; i++)
        if (c->a.edge[i].reduce == (int32_t)axis || c->a.edge[i].row == (int32_t)axis)
            return (int32_t)i;
    return -1;
}

/* Reduce axes by falling step in A, then neighbours that make one run joined. */
static bool order_reduce(Search *s) {
    const Contract *c = s->c;
    AxisList list = c->list[AXIS_REDUCE];
    for (uint32_t i = 0; i < c->a.edges;
         i++) { /* a loop even for one step: it may be none */
        int32_t axis = c->a.edge[i].reduce;
        if (axis >= 0 && c->dim[axis] == 1) list.at[list.count++] = (uint32_t)axis;
    }
    for (uint32_t i = 1; i < list.count; i++)
        for (uint32_t j = i; j > 0; j--) {
            int64_t before = axis_step(c, list.at[j - 1]),
                    here = axis_step(c, list.at[j]);
            if (llabs(before) >= llabs(here)) break;
            uint32_t axis = list.at[j];
            list.at[j] = list.at[j - 1];
            list.at[j - 1] = axis;
        }
    Tile *t = s->t;
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t axis = list.at[i];
        int64_t step = axis_step(c, axis);
        int32_t edge = edge_of(c, axis);
        ReduceLoop *last = t->loops ? &t->loop[t->loops - 1] : NULL;
        if (last && edge < 0 && last->edge < 0 &&
            last->a_step == step * c->extent[axis] &&
            dim_is_const(c->dim[last->axes.at[0]]) && dim_is_const(c->dim[axis])) {
            last->axes.at[last->axes.count++] = axis;
            last->extent *= c->extent[axis];
            last->a_step = step;
            continue;
        }
        if (t->loops == MAX_REDUCE) return false;
        t->loop[t->loops++] = (ReduceLoop){
            .axes = {1, {axis}}, .extent = c->extent[axis], .a_step = step, .edge = edge};
    }
    if (!t->loops) t->loop[t->loops++] = (ReduceLoop){.extent = 1, .edge = -1};
    t->k_max = 1;
    for (uint32_t i = t->loops; i-- > 0;) {
        t->loop[i].k_step = t->k_max;
        t->k_max *= t->loop[i].extent;
        if (i && t->loop[i].axes.count && !dim_is_const(c->dim[t->loop[i].axes.at[0]]))
            return false; /* a run-time reduce axis must be the outermost */
    }
    return true;
}

/* Indices of an edge that count, by phase or by row. */
static void walk_edge(Search *s, uint32_t number, bool fixed) {
    const Edge *e = &s->c->a.edge[number];
    EdgeWalk *w = &s->t->edge[number];
    int64_t reduce = e->reduce < 0 ? 1 : s->c->extent[e->reduce];
    int64_t rows = e->row < 0 ? 1 : s->c->extent[e->row];
    w->fixed = fixed;
    w->entries = fixed ? rows : e->row < 0 ? 1 : e->divisor;
    w->reduce_every = e->divisor / gcd(e->divisor, e->reduce_step);
    w->position_every = e->reduce_step * w->reduce_every / e->divisor;
    int32_t *table = arena_array(s->arena, int32_t, 3 * w->entries);
    w->first = table, w->count = table + w->entries, w->position = table + 2 * w->entries;
    for (int64_t i = 0; i < w->entries; i++) {
        int32_t *first = &table[i], *count = first + w->entries, *at = count + w->entries;
        for (int64_t k = 0; k < reduce; k++) {
            int64_t x = e->row_step * i + e->reduce_step * k + e->offset;
            if (x % e->divisor) continue;
            x /= e->divisor;
            if (fixed && (x < 0 || x >= e->extent)) continue;
            if (!(*count)++) *first = (int32_t)k, *at = (int32_t)x;
        }
        if ((uint32_t)*count > w->most) w->most = (uint32_t)*count;
    }
}

/* The share of (row, reduce) pairs of all edges that are inside. */
static double share_inside(const Contract *c) {
    double share = 1;
    for (uint32_t i = 0; i < c->a.edges; i++) {
        const Edge *e = &c->a.edge[i];
        int64_t inside = 0, all = 0;
        if (e->row < 0 || e->reduce < 0) continue;
        for (int64_t r = 0; r < c->extent[e->row]; r++)
            for (int64_t k = 0; k < c->extent[e->reduce]; k++) {
                int64_t x = e->row_step * r + e->reduce_step * k + e->offset;
                if (x % e->divisor) continue;
                all++;
                inside += x >= 0 && x / e->divisor < e->extent;
            }
        if (all) share *= (double)inside / (double)all;
    }
    return share;
}

/* Row axes of edges are fixed for a task where the run is their reduce axis, or where
 * little would be computed on zeros otherwise. */
static void order_rows(Search *s) {
    const Contract *c = s->c;
    Tile *t = s->t;
    const AxisList *rows = &c->list[AXIS_ROW];
    int64_t others = 1;
    for (uint32_t i = 0; i < rows->count; i++)
        if (edge_of(c, rows->at[i]) < 0) others *= c->extent[rows->at[i]];
    const ReduceLoop *run = &t->loop[t->loops - 1];
    bool fix = run->edge >= 0 || (others >= 16 && share_inside(c) < 0.87);
    for (uint32_t i = 0; i < c->a.edges; i++) walk_edge(s, i, fix);
    for (uint32_t i = 0; i < rows->count; i++) {
        bool fixed = fix && edge_of(c, rows->at[i]) >= 0;
        AxisList *list = fixed ? &t->fixed : &t->walked;
        list->at[list->count++] = rows->at[i];
    }
    t->rows_max = t->even = 1;
    t->uniform = fix || !c->a.edges;
    bool tables = !t->uniform, apart = false, symbolic = false;
    for (uint32_t i = t->walked.count; i-- > 0;) {
        uint32_t axis = t->walked.at[i];
        int32_t edge = edge_of(c, axis);
        int64_t step = c->a.step[axis], extent = c->extent[axis];
        if (edge >= 0) extent = ceil_div(extent, c->a.edge[edge].divisor);
        if (i + 1 == t->walked.count)
            t->row_step = step;
        else if (step != t->row_step * t->rows_max)
            t->uniform = false;
        if (!dim_is_const(c->dim[axis])) symbolic = true, t->uniform = false;
        t->rows_max *= extent;
        apart = apart || tables || symbolic || step != t->row_step * t->even;
        if (!apart) t->even *= extent;
    }
    /* Copies of a short run's body would share elements of such rows, too many to keep. */
    if (run->extent <= 9 && run->a_step == t->row_step) t->even = 1;
    t->known_rows = !t->uniform && !tables && !symbolic && t->rows_max <= 32;
}

/* B where it lies: its columns are contiguous, and either a panel's rows are near enough to
 * each other for L1, or nothing would be read twice. */
static void choose_b(Search *s) {
    Tile *t = s->t;
    const Contract *c = s->c;
    const Node *node = graph_node(c->group, c->b.value);
    if (t->dots || node->op != OP_param || node->type.elem != ELEM_f32) return;
    int64_t cols = 1;
    for (uint32_t i = c->list[AXIS_COL].count; i-- > 0;) {
        uint32_t axis = c->list[AXIS_COL].at[i];
        if (c->b.step[axis] != cols) return;
        cols *= c->extent[axis];
    }
    for (uint32_t l = 0; l < t->loops; l++) {
        ReduceLoop *loop = &t->loop[l];
        int64_t steps = 1;
        for (uint32_t i = loop->axes.count; i-- > 0;
             steps *= c->extent[loop->axes.at[i]]) {
            if (i + 1 == loop->axes.count) loop->b_step = c->b.step[loop->axes.at[i]];
            if (c->b.step[loop->axes.at[i]] != loop->b_step * steps) return;
        }
    }
    int64_t width = (int64_t)t->vectors * t->lanes, rows = 1;
    for (uint32_t i = 0; i < c->list[AXIS_ROW].count; i++)
        rows *= c->extent[c->list[AXIS_ROW].at[i]];
    const ReduceLoop *run = &t->loop[t->loops - 1];
    /* A weight gradient's packing is not worth its way through memory for few rows. */
    bool few = run->a_step != 1 && rows <= (run->b_step <= 64 ? 1024 : 256);
    t->b_in_place = run->b_step <= 2 * width || few || t->rows_max <= 2 * t->rows;
}

/* Which reduce loops run inside of a tile: a panel of B stays in L1. */
static void choose_blocks(Search *s) {
    Tile *t = s->t;
    int64_t width = (int64_t)t->vectors * t->lanes * 4;
    /* Wide vectors have the time to stream B from L2. */
    int64_t l1 = s->target->l1_bytes, inside = 1;
    int64_t most = (s->target->registers > 16 ? l1 * 5 / 4 : l1 * 5 / 8) / width;
    /* The lines of a panel in place meet in the sets of L1. */
    const ReduceLoop *run = &t->loop[t->loops - 1];
    bool apart = t->b_in_place && run->a_step != 1 && run->b_step * 4 > 2 * width;
    if (most < 64 || apart) most = 64;
    uint32_t i = t->loops;
    while (i-- > 0) {
        ReduceLoop *l = &t->loop[i];
        int64_t extent = l->edge >= 0 ? t->edge[l->edge].most : l->extent;
        if (extent < 1) extent = 1;
        if (inside * extent <= most) {
            inside *= extent;
            continue;
        }
        int64_t blocks = ceil_div(inside * extent, most);
        l->block = ceil_div(extent, blocks);
        if (l->block * inside > most + most / 4 && l->block == 1) l->block = -1;
        break;
    }
    for (uint32_t k = 0; k < i && i < t->loops; k++) t->loop[k].block = -1;
}

/* Rows of a task that are fixed places of as many images: where B stays in L2, what
 * neighbouring places share does too, rows of A under the taps and a row of the result. */
static int64_t most_images(const Search *s) {
    enum { MOST = 256 };
    const Tile *t = s->t;
    const Contract *c = s->c;
    if (!t->fixed.count || t->loop[t->loops - 1].edge >= 0) return MOST;
    int64_t under = 0, width = (int64_t)t->vectors * t->lanes * t->panels;
    if (4 * t->k_max * width > (int64_t)s->target->l2_bytes / 2) return MOST;
    for (uint32_t i = 0; i < c->a.edges; i++) {
        int64_t taps = t->edge[i].most * c->a.edge[i].stride;
        if (taps > under) under = taps;
    }
    under += 2 * width * c->extent[t->fixed.at[t->fixed.count - 1]];
    int64_t most = (int64_t)s->target->l2_bytes / 2 / (4 * under);
    return most < t->rows ? t->rows : most < MOST ? most : MOST;
}

/* Rows and columns of a task: least traffic of A and B, the sums in at most 64 KiB, and
 * tasks for eight threads. */
static void choose_chunks(Search *s, int64_t others) {
    Tile *t = s->t;
    int64_t width = (int64_t)t->vectors * t->lanes,
            tiles = ceil_div(t->rows_max, t->rows);
    double best = 0;
    int64_t most = most_images(s);
    t->fixed_inside = most < t->rows_max;
    for (int64_t panels = 1; panels <= t->panels && panels * width <= 512; panels++)
        for (int64_t high = 1; high <= tiles && high * t->rows <= most; high++) {
            int64_t p = ceil_div(t->panels, ceil_div(t->panels, panels));
            int64_t h = ceil_div(tiles, ceil_div(tiles, high));
            if (p != panels || h != high) continue;
            if (high > 1 && 4 * panels * width * high * t->rows > 64 << 10) break;
            int64_t tasks = others * ceil_div(tiles, high) * ceil_div(t->panels, panels);
            double traffic =
                1.0 / (double)(high * t->rows) + 1.0 / (double)(panels * width);
            if (tasks < 16) traffic += 0.02 * (double)(16 - tasks);
            if (best && traffic >= best) continue;
            best = traffic;
            t->task_rows = high * t->rows, t->task_panels = panels;
        }
    if (t->known_rows) t->task_rows = tiles * t->rows;
}

/* Few results of long sums: the outermost loop in parts, joined later.  Parts are written and
 * read once; the more the data of one exceed L2, the more of them every chunk of results reads
 * again, though beside its work. */
static void choose_splits(Search *s, int64_t others) {
    Tile *t = s->t;
    int64_t width = (int64_t)t->vectors * t->lanes, first = t->loop[0].extent;
    t->splits = 1;
    if (t->loop[0].edge >= 0 || t->k_max < 4096) return;
    double outputs = 4.0 * (double)(t->rows_max * width * t->panels);
    double chunks = (double)others * (double)(1 + (int64_t)(outputs / (64 << 10)));
    double data = (double)t->k_max * (double)t->rows_max;
    double own = (double)value_bytes_max(s->c->group, s->c->a.value) / 4;
    if (data > own) data = own; /* rows overlap */
    data = 4 * (data + (double)t->k_max * (double)(width * t->panels));
    outputs *= (double)others;
    double best = 0;
    for (int64_t splits = 1; splits <= 64 && splits <= first; splits++) {
        if (ceil_div(first, ceil_div(first, splits)) != splits) continue;
        if (splits > 1 && outputs * (double)splits > 24 << 20) break;
        double cost = splits > 1 ? 2 * outputs * (double)splits : 0;
        double part = data / (double)splits / s->target->l2_bytes;
        if (part > 0.6)
            cost += 0.25 * chunks * data * (part < 1.5 ? (part - 0.6) / 0.9 : 1);
        double tasks = chunks * (double)splits;
        if (tasks < 16) cost += (16 - tasks) * data;
        if (best && cost >= best) continue;
        best = cost;
        t->splits = splits;
    }
}

static int64_t phases_with_work(const EdgeWalk *w) {
    int64_t count = 0;
    for (int64_t i = 0; i < w->entries; i++) count += w->count[i] > 0;
    return count ? count : 1;
}

static void choose_tasks(Search *s) {
    Tile *t = s->t;
    const Contract *c = s->c;
    int64_t others = 1;
    for (uint32_t i = 0; i < c->list[AXIS_BATCH].count; i++)
        others *= c->extent[c->list[AXIS_BATCH].at[i]];
    for (uint32_t i = 0; i < t->fixed.count; i++) others *= c->extent[t->fixed.at[i]];
    for (uint32_t i = 0; i < c->a.edges; i++)
        if (!t->edge[i].fixed) others *= phases_with_work(&t->edge[i]);
    choose_splits(s, others);
    choose_chunks(s, others * t->splits);
}

/* Panels are whole, and a vector of cols goes to places evenly apart: the col axes are of
 * constant extent and neighbours in the result. */
static bool has_even_cols(const Contract *c) {
    const AffineMap *out = node_attr(graph_node(c->group, c->node), ATTR_out)->map;
    uint32_t stretches = 0;
    bool open = false;
    for (uint32_t i = 0; i < out->rank; i++) {
        uint32_t axis;
        if (!affine_is_axis(&out->dim[i], &axis) || c->dim[axis] == 1) continue;
        bool col = c->role[axis] == AXIS_COL;
        if (col && !dim_is_const(c->dim[axis])) return false;
        stretches += col && !open;
        open = col;
    }
    return stretches <= 1;
}

/* Elements that the innermost loop passes: the line of zeros has as many. */
#define MAX_ZEROS ((int64_t)1 << 16)
static int64_t zero_reach(const Tile *t) {
    const ReduceLoop *run = &t->loop[t->loops - 1];
    return run->extent * llabs(run->a_step);
}

bool contract_tile(const Contract *c, const Target *target, Arena *arena, Tile *out) {
    *out = (Tile){0};
    Search s = {c, target, arena, out};
    const Func *g = c->group;
    if (!c->a.regular || !c->b.regular || c->b.edges || !c->list[AXIS_COL].count)
        return false;
    if (!has_even_cols(c)) return false;
    if (!axes_open_first(c, &c->list[AXIS_ROW]) ||
        !axes_open_first(c, &c->list[AXIS_BATCH]))
        return false;
    if (!c->a.in_memory) return false;
    if (graph_type(g, c->a.value)->elem != ELEM_f32 ||
        graph_type(g, c->node)->elem != ELEM_f32)
        return false;
    int64_t bytes = 1;
    for (uint32_t i = 0; i < graph_type(g, c->a.value)->rank; i++)
        bytes *= dim_max(&g->module->dims, graph_type(g, c->a.value)->dim[i]);
    if (bytes >= (int64_t)1 << 29) return false; /* row tables are of i32 */
    for (uint32_t i = 0; i < c->a.edges; i++)
        for (uint32_t k = 0; k < i; k++) {
            const Edge *x = &c->a.edge[i], *y = &c->a.edge[k];
            if (x->row >= 0 && x->row == y->row) return false;
            if (x->reduce >= 0 && x->reduce == y->reduce) return false;
        }
    for (uint32_t i = 0; i < c->a.edges; i++) {
        const Edge *e = &c->a.edge[i];
        if (e->reduce < 0) return false;
        if (e->row >= 0 && c->a.step[e->row]) return false;
        if (e->reduce >= 0 && c->a.step[e->reduce]) return false;
    }
    if (!order_reduce(&s)) return false;
    order_rows(&s);
    if (!out->uniform && zero_reach(out) > MAX_ZEROS) return false;
    tile_choose_registers(c, target, out);
    choose_b(&s);
    choose_blocks(&s);
    choose_tasks(&s);
    return true;
}

void tile_print(const Tile *t, Text *out) {
    text_printf(out, "%ux%u", t->rows, t->vectors * t->lanes);
    if (t->dots)
        text_printf(out, "+%u dots", t->dots);
    else if (t->tail_vectors)
        text_printf(out, "+%u", t->tail_vectors * t->lanes);
    text_printf(out, " panels %u task %ldx%ld fixed %u%s splits %ld k", t->panels,
                (long)t->task_rows, (long)t->task_panels, t->fixed.count,
                t->uniform      ? " uniform"
                : t->b_in_place ? " in place"
                                : "",
                (long)t->splits);
    for (uint32_t i = 0; i < t->loops; i++) {
        const ReduceLoop *l = &t->loop[i];
        text_printf(out, " %ld%s", (long)l->extent, l->edge >= 0 ? "e" : "");
        if (l->block) text_printf(out, "/%ld", (long)l->block);
    }
}
