/* Direct contractions: the register tile, rows of broadcast A times vectors of B. */
#include "passes/contract_direct.h"
#include <stdlib.h>

/* Reduce loops */

static int64_t loop_a_step(const Direct *d, uint32_t l) {
    const ReduceLoop *loop = &d->t->loop[l];
    if (loop->edge < 0) return loop->a_step;
    const EdgeWalk *w = &d->t->edge[loop->edge];
    return w->fixed ? w->position_every * d->c->a.edge[loop->edge].stride : 0;
}

/* Of packed k, or elements of B in place; of whole runs in a panel of dots. */
static int64_t plain_k_step(const Direct *d, uint32_t l) {
    if (d->in_dots) return d->t->loop[l].k_step / d->t->loop[d->t->loops - 1].extent;
    return d->t->b_in_place ? d->t->loop[l].b_step : d->t->loop[l].k_step;
}

static int64_t run_a_step(const Direct *d) {
    return loop_a_step(d, d->t->loops - 1);
}

static int64_t loop_k_step(const Direct *d, uint32_t l) {
    const ReduceLoop *loop = &d->t->loop[l];
    int64_t step = plain_k_step(d, l);
    return loop->edge < 0 ? step : step * d->t->edge[loop->edge].reduce_every;
}

/* Elements of A, and of packed k, of the loops that are open. */
static const Expr *open_offset(Direct *d, int64_t (*step)(const Direct *, uint32_t)) {
    const Expr *sum = num(d, 0);
    for (uint32_t l = 0; l < d->t->loops; l++)
        if (d->at[l]) sum = add(d, sum, mul(d, d->at[l], step(d, l)));
    return sum;
}

static const Expr *k_start(Direct *d) {
    const Expr *sum = num(d, 0);
    for (uint32_t l = 0; l < d->t->loops; l++) {
        int32_t edge = d->t->loop[l].edge;
        if (edge < 0) continue;
        const Expr *first = rows_edge_entry(d, (uint32_t)edge, 0);
        sum = add(d, sum, mul(d, first, plain_k_step(d, l)));
    }
    return sum;
}

/* The register tile */

/* Whether the rows of a tile are reached from one place. */
static bool rows_at_once(const Tile *t) {
    return t->uniform || t->known_rows || t->even > 1;
}

/* Elements of A from the place of row 0 to `row`, where rows are known. */
static int64_t known_row(const Direct *d, int64_t row) {
    int64_t place = 0;
    for (uint32_t i = d->t->walked.count; i-- > 0;) {
        uint32_t axis = d->t->walked.at[i];
        place += row % d->c->extent[axis] * d->c->a.step[axis];
        row /= d->c->extent[axis];
    }
    return place;
}

/* Rows by their places from one pointer that moves: few general registers. */
static void set_row_views(Direct *d, Panel *p, const Expr *base, Block *b) {
    Buffer *run = buffer_view(d->arena, "run", ELEM_f32);
    block_view(b, run, d->a, base);
    for (uint32_t i = 0; i < p->rows; i++) {
        const Expr *row = add(d, p->row, num(d, i));
        p->view[i] = buffer_view(d->arena, arena_print(d->arena, "a%u", i), ELEM_f32);
        const Expr *at = d->has_rowbase ? rows_look_up(d, d->rowbase, row) : num(d, 0);
        block_view(b, p->view[i], run, at);
    }
}

static void set_views(Direct *d, Panel *p, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    const Expr *base = add(d, d->a_base, open_offset(d, loop_a_step));
    if (rows_at_once(t)) {
        p->view[0] = buffer_view(a, "a0", ELEM_f32);
        if (t->uniform)
            base = add(d, base, mul(d, add(d, d->row0, p->row), t->row_step));
        else if (!t->known_rows)
            base = add(d, base, rows_look_up(d, d->rowbase, p->row));
        block_view(b, p->view[0], d->a, base);
        return;
    }
    if (!rows_have_tables(d)) {
        set_row_views(d, p, base, b);
        return;
    }
    base = block_let(b, "base", base);
    int64_t zeros = run_a_step(d) < 0 ? d->zeros->count - 1 : 0;
    for (uint32_t i = 0; i < p->rows; i++) {
        const Expr *row = add(d, p->row, num(d, i));
        p->view[i] = buffer_view(a, arena_print(a, "a%u", i), ELEM_f32);
        const Expr *at = base;
        if (d->has_rowbase) at = add(d, base, rows_look_up(d, d->rowbase, row));
        const Expr *place = NULL;
        for (uint32_t n = 0; n < d->c->a.edges; n++) {
            if (d->t->edge[n].fixed) continue;
            const Expr *t = num(d, 0);
            for (uint32_t l = 0; l < d->t->loops; l++)
                if (d->t->loop[l].edge == (int32_t)n && d->at[l]) t = d->at[l];
            const Expr *one =
                rows_look_up(d, d->edge_rows[n], add(d, mul(d, t, d->t->task_rows), row));
            place = place ? add(d, place, one) : one;
        }
        place = block_let(b, "place", place);
        block_view_if(b, p->view[i], op2(d, OP_ge, place, num(d, 0)), d->a,
                      add(d, at, place), d->zeros, num(d, zeros));
    }
}

/* Elements of packed B, or of B in place, a step of k. */
static int64_t b_width(const Direct *d, const Panel *p) {
    if (p->dots) return p->dots * dots_pitch(d->t);
    return d->t->b_in_place ? 1 : (int64_t)p->vectors * d->t->lanes;
}

void register_open(Direct *d, Panel *p, Block *b) {
    d->in_dots = p->dots > 0;
    const Expr *start = mul(d, k_start(d), b_width(d, p));
    d->in_dots = false;
    p->b_base = block_let(b, "b_base", add(d, panels_base(d, p->panel), start));
}

static void set_b_view(Direct *d, Panel *p, Block *b) {
    p->b_view = buffer_view(d->arena, "b", ELEM_f32);
    const Expr *place = mul(d, open_offset(d, loop_k_step), b_width(d, p));
    place = add(d, p->b_base, place);
    if (p->dots) place = add(d, place, num(d, p->dot0 * dots_pitch(d->t)));
    block_view(b, p->b_view, d->b, place);
}

const Buffer *register_row(Direct *d, Panel *p, uint32_t i, const Expr *k,
                           const Expr **place) {
    const Tile *t = d->t;
    bool one = rows_at_once(t);
    int64_t shift = t->known_rows ? known_row(d, p->row->i + i) : i * t->row_step;
    *place = mul(d, k, loop_a_step(d, t->loops - 1));
    if (one) *place = add(d, *place, num(d, shift));
    return p->view[one ? 0 : i];
}

/* One k: all sums += a row's element * B's vectors. */
static void multiply(Direct *d, Panel *p, const Expr *k, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    uint32_t run = t->loops - 1;
    int64_t step = loop_k_step(d, run);
    if (!t->b_in_place) step *= (int64_t)p->vectors * t->lanes;
    const Expr *bv[4];
    for (uint32_t j = 0; j < p->vectors; j++) {
        const Expr *at = add(d, mul(d, k, step), num(d, j * t->lanes));
        int64_t left = p->cols - (int64_t)j * t->lanes;
        const Expr *active = t->b_in_place && left < t->lanes ? num(d, left) : NULL;
        bv[j] = block_let(b, "b", expr_load(a, p->b_view, at, t->lanes, 1, active));
    }
    for (uint32_t i = 0; i < p->rows; i++) {
        const Expr *place;
        const Buffer *view = register_row(d, p, i, k, &place);
        const Expr *x = expr_load(a, view, place, 1, 1, NULL);
        x = block_let(b, "a", expr_splat(a, x, t->lanes));
        for (uint32_t j = 0; j < p->vectors; j++) {
            const Var *sum = p->sum[i][j];
            block_set(b, sum, expr_fma(a, x, bv[j], expr_var(a, sum)));
        }
    }
}

static uint32_t run_unroll(const Direct *d, int64_t extent) {
    /* Rows a step apart would share elements between copies, too many to keep. */
    if (d->t->known_rows) return 1;
    return extent && extent <= 9 ? (uint32_t)extent : 4;
}

/* Lengths that the run may have where they are few; 0: any. */
static uint32_t run_lengths(const Direct *d, int64_t *length, bool *or_none) {
    enum { MOST = 3 };
    const ReduceLoop *run = &d->t->loop[d->t->loops - 1];
    uint32_t count = 0;
    if (run->block) return 0;
    if (run->edge < 0) {
        length[count++] = run->extent;
        return dim_is_const(d->c->dim[run->axes.at[0]]) && d->t->loops > 1;
    }
    const EdgeWalk *w = &d->t->edge[run->edge];
    for (int64_t i = 0; i < w->entries; i++) {
        uint32_t k = 0;
        while (k < count && length[k] != w->count[i]) k++;
        *or_none = *or_none || !w->count[i];
        if (k < count || !w->count[i]) continue;
        if (count == MOST) return 0;
        length[count++] = w->count[i];
    }
    return count;
}

/* The innermost loop; a copy for each length that it may have, because a loop of a known
 * length ends where the processor expects it. */
static void run_loop(Direct *d, Panel *p, Block *b) {
    uint32_t l = d->t->loops - 1;
    int64_t length[4];
    bool or_none = false;
    uint32_t lengths = run_lengths(d, length, &or_none);
    const Var *var = var_index(d->arena, "k");
    const Stmt *all = NULL;
    for (uint32_t i = 0; i < lengths || !i; i++) {
        Block body = block_new(d->arena), copy = block_new(d->arena);
        const Expr *end = lengths ? num(d, length[i]) : d->high[l];
        multiply(d, p, expr_var(d->arena, var), &body);
        block_for(&copy, var, lengths ? num(d, 0) : d->low[l], end, 1,
                  run_unroll(d, lengths ? length[i] : 0), block_end(&body));
        const Stmt *one = block_end(&copy);
        if (lengths && lengths + or_none > 1) {
            Block choice = block_new(d->arena);
            block_if(&choice, op2(d, OP_eq, d->high[l], end), one, all);
            one = block_end(&choice);
        }
        all = one;
    }
    block_add(b, all);
}

/* The loops inside of the tile, from number `l` on. */
static void inner_loops(Direct *d, Panel *p, uint32_t l, Block *b) {
    Arena *a = d->arena;
    const ReduceLoop *loop = &d->t->loop[l];
    const Var *var = var_index(a, "k");
    Block body = block_new(a);
    if (l + 1 == d->t->loops) {
        if (loop->block == -1) { /* one k a tile: the range is the step that is open */
            set_views(d, p, b);
            set_b_view(d, p, b);
            multiply(d, p, num(d, 0), b);
            return;
        }
        set_views(d, p, b);
        set_b_view(d, p, b);
        ahead_prefetch(d, p, open_offset(d, loop_k_step), b);
        if (p->dots)
            dots_run(d, p, b);
        else
            run_loop(d, p, b);
        return;
    }
    if (loop->block == -1) {
        inner_loops(d, p, l + 1, b);
        return;
    }
    d->at[l] = expr_var(a, var);
    inner_loops(d, p, l + 1, &body);
    d->at[l] = NULL;
    block_for(b, var, d->low[l], d->high[l], 1, 1, block_end(&body));
}

void register_loops(Direct *d, Panel *p, Block *b) {
    inner_loops(d, p, 0, b);
}

bool register_has_outer(const Direct *d) {
    for (uint32_t l = 0; l < d->t->loops; l++)
        if (d->t->loop[l].block) return true;
    return false;
}

void register_tile(Direct *d, Panel *p, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    if (p->dots) {
        dots_tile(d, p, b);
        return;
    }
    const Expr *sums = block_let(b, "sums", p->sums);
    int64_t width = (int64_t)p->vectors * t->lanes;
    for (uint32_t i = 0; i < p->rows; i++)
        for (uint32_t j = 0; j < p->vectors; j++) {
            const Expr *at = add(d, sums, num(d, i * width + j * t->lanes));
            const Expr *start = register_has_outer(d)
                                    ? expr_load(a, d->tile, at, t->lanes, 1, NULL)
                                    : expr_num(a, ELEM_f32, t->lanes, 0);
            p->sum[i][j] = block_mutable(b, "c", start);
        }
    inner_loops(d, p, 0, b);
    for (uint32_t i = 0; i < p->rows; i++)
        for (uint32_t j = 0; j < p->vectors; j++)
            block_store(b, d->tile, add(d, sums, num(d, i * width + j * t->lanes)),
                        expr_var(a, p->sum[i][j]), 1, NULL);
}

Buffer *register_zero_line(Direct *d) {
    int64_t reach = (d->t->loop[d->t->loops - 1].extent - 1) * llabs(run_a_step(d)) + 1;
    float *zeros = arena_array(d->arena, float, reach);
    return buffer_table(d->arena, "zeros", ELEM_f32, zeros, reach);
}
