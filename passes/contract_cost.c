/* Rows and vectors of a contraction's register tile: what the choices cost, and the cheapest. */
#include "passes/contract.h"
#include <stdlib.h>

typedef struct Choice {
    const Contract *c;
    const Target *target;
    const Tile *t; /* loops and rows are known */
} Choice;

static int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Vector registers of a tile: its sums, B's vectors and an element of A. */
static uint32_t tile_registers(uint32_t rows, uint32_t vectors) {
    return rows * vectors + vectors + 1;
}

/* Work of a k step of one tile in FMA slots: two FMAs a cycle, four cycles until a sum may be
 * added to again, so that few sums wait for each other at times; loads and the loop in what is
 * left of the front end; and where no register is left, no load goes ahead. */
static double tile_cost(const Choice *s, uint32_t rows, uint32_t vectors) {
    enum { PLENTY = 12 };
    double fma = rows * vectors, loads = rows + vectors;
    double cost = fma > loads ? fma : 1.1 * loads;
    double least = s->t->known_rows ? 11 : 8; /* these loops are not unrolled */
    if (cost < least) cost = least;
    if (cost < PLENTY) cost += 0.25 * (PLENTY - cost);
    if (tile_registers(rows, vectors) == s->target->registers) cost += 0.75;
    return cost + 0.1 * rows + 0.25 * vectors + 0.6;
}

/* Setting a pointer for each row, once a run; the products of a long one hide it. */
static double pointer_cost(const Choice *s, uint32_t rows) {
    const Tile *t = s->t;
    if (t->uniform || t->known_rows || t->even % rows == 0) return 0;
    double run = (double)t->loop[t->loops - 1].extent;
    return 7.5 * rows / (run * run);
}

static bool tile_fits(const Choice *s, uint32_t rows, uint32_t vectors) {
    bool one = s->t->uniform || s->t->known_rows || s->t->even % rows == 0;
    uint32_t pointers = one ? 1 : rows;
    /* Long rows a multiple of 4 KiB apart meet in the sets of L1, whose ways may be eight. */
    bool meet = s->t->uniform && s->t->row_step % 1024 == 0;
    if (meet && rows > 8 && s->t->loop[s->t->loops - 1].extent > 128) return false;
    /* General registers are 15. */
    return tile_registers(rows, vectors) <= s->target->registers && pointers <= 8;
}

/* Columns that are left after whole vectors, where dot products may take them: a run of A is
 * contiguous, of one length, and long enough. */
static uint32_t dots_possible(const Choice *s, int64_t cols) {
    enum { MOST = 4, LONGEST = 128 };
    const Tile *t = s->t;
    const ReduceLoop *run = &t->loop[t->loops - 1];
    uint32_t rest = (uint32_t)(cols % t->lanes);
    bool fits = rest && rest <= MOST && cols > t->lanes && run->edge < 0 &&
                run->a_step == 1 && run->extent >= t->lanes && run->extent <= LONGEST;
    return fits && dim_is_const(s->c->dim[run->axes.at[0]]) ? rest : 0;
}

/* The same for `dots` columns by dot products: loads bind them, or products; the lanes are
 * added up once a tile. */
static double dots_cost(const Choice *s, uint32_t rows, uint32_t dots) {
    enum { ADDING = 10, LONG = 256 };
    const Tile *t = s->t;
    int64_t run = t->loop[t->loops - 1].extent, k = t->k_max < LONG ? t->k_max : LONG;
    double steps = (double)ceil_div(run, t->lanes) / (double)run;
    return (rows * dots + rows + dots) * steps + rows * dots * ADDING / (double)k;
}

typedef struct Columns {
    uint32_t vectors, tail, dots;
    int64_t full; /* panels of `vectors` */
} Columns;

/* A tile of `rows` rows over all columns. */
static double row_cost(const Choice *s, uint32_t rows, const Columns *c) {
    double pointers = pointer_cost(s, rows);
    double cost = (double)c->full * (tile_cost(s, rows, c->vectors) + pointers);
    if (c->tail) cost += tile_cost(s, rows, c->tail) + pointers;
    if (c->dots) cost += dots_cost(s, rows, c->dots) + pointers;
    return cost;
}

/* All rows: of a last, lower tile that reads B as a whole for few rows, or of one that computes
 * rows twice. */
static double rows_cost(const Choice *s, uint32_t rows, const Columns *c) {
    uint32_t rest = (uint32_t)(s->t->rows_max % rows);
    double tile = row_cost(s, rows, c), last = 0;
    if (rest) last = s->t->uniform ? row_cost(s, rest, c) : tile;
    if (rest && last < 0.5 * tile) last = 0.5 * tile;
    int64_t full = s->t->rows_max / rows;
    return (double)full * tile + last;
}

/* Rows and vectors of a register tile: the least work for all rows and columns. */
void tile_choose_registers(const Contract *c, const Target *target, Tile *t) {
    enum { PACKING = 2 }; /* a column's element; others may be read in place */
    const Choice choice = {c, target, t}, *s = &choice;
    int64_t cols = 1;
    for (uint32_t i = 0; i < c->list[AXIS_COL].count; i++)
        cols *= c->extent[c->list[AXIS_COL].at[i]];
    t->lanes = target_lanes(target);
    uint32_t all = (uint32_t)ceil_div(cols, t->lanes), rest = dots_possible(s, cols);
    double best = 0;
    for (uint32_t dots = 0; dots <= rest; dots += rest ? rest : 1)
        for (uint32_t vectors = 1; vectors <= 4 && vectors <= all; vectors++)
            for (uint32_t rows = 1; rows <= 14; rows++) {
                if (!tile_fits(s, rows, vectors)) continue;
                uint32_t tail = (all - !!dots) % vectors;
                int64_t full = (all - !!dots) / vectors;
                if (dots && (tail || !full)) continue;
                Columns columns = {vectors, tail, dots, full};
                double cost = rows_cost(s, rows, &columns);
                if (dots) cost += PACKING * (double)cols / (double)c->runs;
                if (best && cost >= best) continue;
                best = cost;
                t->rows = rows, t->vectors = vectors, t->dots = dots;
                t->panels = (uint32_t)(full + (tail || dots));
                t->tail_vectors = dots ? 1 : tail;
            }
    if (t->uniform && t->rows_max % t->rows && t->rows_max < t->rows)
        t->rows = (uint32_t)t->rows_max;
    if (t->uniform || t->known_rows) t->even = 1;
    if (t->even % t->rows) t->even = 1;
}
