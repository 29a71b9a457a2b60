/*
 * What the files of the direct strategy share: a kernel in the making and its helpers.
 * lower_contract_direct.c ties them.
 */
#ifndef TN_PASSES_CONTRACT_DIRECT_H
#define TN_PASSES_CONTRACT_DIRECT_H

#include "passes/contract.h"

typedef struct Direct Direct;
/* `lanes` sums from place `at` on. */
typedef const Expr *SumLoad(Direct *d, const Expr *at, uint32_t lanes,
                            const Expr *active);

struct Direct {
    const Contract *c;
    const Tile *t;
    DraftKernel k;
    Arena *arena;
    Emitter *e;
    Buffer *a, *b, *tile, *rowbase, *zeros;
    Buffer *edge_table[MAX_EDGES][3], *edge_rows[MAX_EDGES];
    /* The task. */
    const Expr *batch, *split, *row0, *row_count, *panel0,
        *number;                 /* number: without split */
    const Expr *place[MAX_AXES]; /* of batch and fixed axes */
    const Expr *phase[MAX_EDGES];
    const Expr *a_base;
    const Expr *part; /* steps of loop 0, where its sum is split */
    /* Of reduce loops that are open: variable, and the range that is left inside. */
    const Expr *at[MAX_REDUCE], *low[MAX_REDUCE], *high[MAX_REDUCE];
    const Expr
        *last; /* no block of an outer loop comes after this one; NULL: there is one */
    SumLoad *load;
    Buffer **results; /* NULL: sums only */
    bool in_dots;     /* the loops that are open are those of a panel of dots */
    bool has_rowbase; /* else rows' own places are in the tables of edges */
    bool at_once;     /* a tile's results are stored when its sums are complete */
};

typedef struct Panel {
    uint32_t rows, vectors;
    const Expr *panel;        /* number in the task */
    int64_t cols;             /* fewer than the vectors' lanes in the last panel */
    uint32_t dots;            /* of the last panel */
    uint32_t dot0, dot_count; /* those that are summed at a time */
    const Expr *b_base;       /* of the first k of the task in the panel */
    const Expr *row;          /* first row, in the task */
    const Expr *sums;         /* first sum in d->tile */
    const Var *sum[14][4];
    Buffer *view[14], *b_view;
} Panel;

static inline const Expr *num(Direct *d, int64_t i) {
    return expr_int(d->arena, i);
}

static inline const Expr *op2(Direct *d, Op op, const Expr *x, const Expr *y) {
    return expr_scalar(d->arena, op, x, y);
}

static inline const Expr *add(Direct *d, const Expr *x, const Expr *y) {
    return expr_add(d->arena, x, y);
}

static inline const Expr *mul(Direct *d, const Expr *x, int64_t factor) {
    return expr_mul(d->arena, x, factor);
}

static inline const Expr *up_div(Direct *d, const Expr *x, int64_t divisor) {
    return op2(d, OP_div, add(d, x, num(d, divisor - 1)), num(d, divisor));
}

static inline int64_t width_of(const Tile *t) {
    return (int64_t)t->vectors * t->lanes;
}

static inline int64_t tile_size(const Tile *t) {
    return t->task_rows * t->task_panels * width_of(t);
}

static inline int64_t count_of(const Contract *c, AxisRole role) {
    int64_t count = 1;
    for (uint32_t i = 0; i < c->list[role].count; i++)
        count *= c->extent[c->list[role].at[i]];
    return count;
}

static inline const Expr *extent_of(Direct *d, uint32_t axis) {
    return emit_dim(d->e, d->c->dim[axis]);
}

/* Takes the lowest digit off *number. */
static inline const Expr *take_digit(Direct *d, Block *b, const char *name,
                                     const Expr **number, const Expr *radix) {
    const Expr *digit = block_let(b, name, op2(d, OP_mod, *number, radix));
    *number = block_let(b, "rest", op2(d, OP_div, *number, radix));
    return digit;
}

/* contract_rows.c */

/* The edge of a row axis and its number; NULL: none. */
const Edge *rows_find_edge(const Direct *d, uint32_t axis, uint32_t *number);
/* Steps of a walked row axis: of its rest where it is walked by phases. */
int64_t rows_extent(const Direct *d, uint32_t axis);
/* `splits`: each part of a sum is a task of its own. */
const Expr *rows_count_tasks(Direct *d, bool splits);
/* What the number of the task means: its rows, panels, phase, split and batch. */
void rows_open_task(Direct *d, Block *b, bool splits);
/* Tables of the edges: what a phase, or a fixed row, starts and counts. */
void rows_open_edges(Direct *d, Block *b);
/* What the walk of an edge starts with: 0 its first reduce index, 1 the count, 2 the position. */
const Expr *rows_edge_entry(Direct *d, uint32_t edge, uint32_t column);
const Expr *rows_look_up(Direct *d, const Buffer *b, const Expr *index);
/* Whether rows are reached through tables of places. */
bool rows_have_tables(const Direct *d);
/* Where the rows of the task begin in A, and where its edges' places are from there. */
void rows_open(Direct *d, Block *b);

/* contract_panels.c */

/* Where k = 0 of a panel of the task is. */
const Expr *panels_base(Direct *d, const Expr *panel);
/* Calls `visit` in a loop over the full panels of the task, and for the one that differs. */
void panels_visit(Direct *d, void (*visit)(Direct *, Panel *, Block *), Block *b);
/* `lanes` elements of B at (k, col), zero after `active` lanes. */
const Expr *panels_element(Direct *d, const Expr *k, const Expr *col, uint32_t lanes,
                           int64_t active, Block *b);
/* The kernel that packs B to the temporary `temp`. */
void panels_pack(Draft *draft, const Contract *c, const Tile *t, uint32_t temp);

/* contract_register.c */

/* Whether a reduce loop has blocks outside of the tile. */
bool register_has_outer(const Direct *d);
/* Where the panel begins in B. */
void register_open(Direct *d, Panel *p, Block *b);
/* Sums of a row tile, complete where no loop is outside. */
void register_tile(Direct *d, Panel *p, Block *b);
/* The reduce loops inside of a tile, around its products. */
void register_loops(Direct *d, Panel *p, Block *b);
/* Row `i` of the tile: the view that reaches it, and in `place` its element `k` of the run. */
const Buffer *register_row(Direct *d, Panel *p, uint32_t i, const Expr *k,
                           const Expr **place);
/* What a run reads in place of a row outside; from its last element where it goes back. */
Buffer *register_zero_line(Direct *d);

/* contract_ahead.c */

/* Touches some of the next part of B before a run whose B begins at `at`. */
void ahead_prefetch(Direct *d, const Panel *p, const Expr *at, Block *b);

/* contract_dots.c */

/* Lanes of a run in the packed panel. */
int64_t dots_pitch(const Tile *t);
/* Sums of a row tile in a panel of dots. */
void dots_tile(Direct *d, Panel *p, Block *b);
/* One run of a tile. */
void dots_run(Direct *d, Panel *p, Block *b);

/* contract_results.c */

/* First sum of row `row`, panel `panel` (both of the task), for a panel of `width`. */
const Expr *results_sum_place(Direct *d, const Expr *panel, const Expr *row,
                              int64_t width);
/* The SumLoad of sums that lie in the task's own tile. */
const Expr *results_load_tile(Direct *d, const Expr *at, uint32_t lanes,
                              const Expr *active);
/* Results of rows [low, high) of the task in a panel with `cols` columns, whose sums of row 0
 * are at `sums`. */
void results_store_panel(Direct *d, Panel *p, const Expr *low, const Expr *high,
                         const Expr *sums, Block *b);
/* Results of the whole task from its sums. */
void results_store(Direct *d, Block *b);
/* The tile of one part of a split sum, to `parts`. */
void results_store_part(Direct *d, Buffer *parts, Block *b);
/* The kernel that adds the parts up and stores results. */
void results_join(Draft *draft, const Contract *c, const Tile *t, uint32_t parts);

#endif
