/*
 * Direct contractions: the columns that are left after whole vectors, as dot products.  Of 50
 * columns a register tile of 16 lanes would spend a fourth vector on the last two; here their
 * vectors run along k instead, where A and the packed B are contiguous, and the lanes are
 * added up once a tile.
 */
#include "passes/contract_direct.h"

int64_t dots_pitch(const Tile *t) {
    int64_t run = t->loop[t->loops - 1].extent;
    return (run + t->lanes - 1) / t->lanes * t->lanes;
}

/* Lanes of k at `k`: what is left of a run reads as zeros. */
static void dots_step(Direct *d, Panel *p, const Expr *k, const Expr *active, Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    const Expr *column[4];
    for (uint32_t j = 0; j < p->dot_count; j++) {
        const Expr *at = add(d, k, num(d, j * dots_pitch(t)));
        column[j] = block_let(b, "b", expr_load(a, p->b_view, at, t->lanes, 1, NULL));
    }
    for (uint32_t i = 0; i < p->rows; i++) {
        const Expr *place;
        const Buffer *view = register_row(d, p, i, k, &place);
        const Expr *x = block_let(b, "a", expr_load(a, view, place, t->lanes, 1, active));
        for (uint32_t j = 0; j < p->dot_count; j++) {
            const Var *sum = p->sum[i][j];
            block_set(b, sum, expr_fma(a, x, column[j], expr_var(a, sum)));
        }
    }
}

void dots_run(Direct *d, Panel *p, Block *b) {
    int64_t run = d->t->loop[d->t->loops - 1].extent;
    int64_t rest = run % d->t->lanes, full = run - rest;
    if (full) {
        const Var *k = var_index(d->arena, "k");
        Block body = block_new(d->arena);
        dots_step(d, p, expr_var(d->arena, k), NULL, &body);
        block_for(b, k, num(d, 0), num(d, full), d->t->lanes, 2, block_end(&body));
    }
    if (rest) dots_step(d, p, num(d, full), num(d, rest), b);
}

/* Columns whose sums fit the registers beside a row of A and the columns' own vectors. */
static uint32_t at_a_time(const Direct *d, const Panel *p) {
    uint32_t count = 1, registers = d->t->lanes == 16 ? 32 : 16;
    while (count < p->dots && p->rows * (count + 1) + count + 2 < registers) count++;
    return count;
}

void dots_tile(Direct *d, Panel *p, Block *b) {
    Arena *a = d->arena;
    const Expr *sums = block_let(b, "sums", p->sums);
    int64_t width = (int64_t)p->vectors * d->t->lanes;
    uint32_t most = at_a_time(d, p);
    d->in_dots = true;
    for (p->dot0 = 0; p->dot0 < p->dots; p->dot0 += most) {
        p->dot_count = p->dots - p->dot0 < most ? p->dots - p->dot0 : most;
        for (uint32_t i = 0; i < p->rows; i++)
            for (uint32_t j = 0; j < p->dot_count; j++)
                p->sum[i][j] =
                    block_mutable(b, "c", expr_num(a, ELEM_f32, d->t->lanes, 0));
        register_loops(d, p, b);
        for (uint32_t i = 0; i < p->rows; i++)
            for (uint32_t j = 0; j < p->dot_count; j++) {
                const Expr *at = add(d, sums, num(d, i * width + p->dot0 + j));
                const Expr *sum = expr_reduce(a, OP_add, expr_var(a, p->sum[i][j]));
                if (register_has_outer(d))
                    sum = op2(d, OP_add, expr_load(a, d->tile, at, 1, 1, NULL), sum);
                block_store(b, d->tile, at, sum, 1, NULL);
            }
    }
    d->in_dots = false;
}
