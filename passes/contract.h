/*
 * Contractions: what the axes are, how they are reached, which loops are made of them.
 *
 * out[batch, row, col] = sum over reduce of A[batch, row, reduce] * B[batch, col,
 * reduce]. A is the operand whose elements are broadcast, B the one that is read in
 * vectors; they are swapped against the node's operands where the innermost axis of `out`
 * is one of operand a.
 */
#ifndef TN_PASSES_CONTRACT_H
#define TN_PASSES_CONTRACT_H

#include "passes/emit.h"
#include "passes/pass.h"

/* ORDER AXIS */
typedef enum AxisRole {
    AXIS_BATCH,
    AXIS_ROW,
    AXIS_COL,
    AXIS_REDUCE,
    AXIS_ROLES
} AxisRole;

/* Several axes walked as one counter, outermost first. */
typedef struct AxisList {
    uint32_t count;
    uint32_t at[MAX_AXES];
} AxisList;

/*
 * A dimension of A that can be left at either end, or that only some places divide
 * evenly: position = (row_step * row + reduce_step * reduce + offset) / divisor.
 */
typedef struct Edge {
    int32_t row, reduce; /* axes; -1: none */
    int64_t row_step, reduce_step, offset, divisor;
    int64_t extent, stride; /* of the dimension, in elements */
} Edge;
#define MAX_EDGES 3

/* How an operand is reached: element = base + sum of step[axis] * axis + edges. */
typedef struct Reach {
    Val value;
    const AffineMap *map;
    bool in_memory; /* a parameter, or `temp` */
    int32_t temp;   /* temporary that holds it; -1: none */
    bool regular; /* all dimensions but the outermost constant, edges of the form above */
    int64_t base, step[MAX_AXES];
    uint32_t edges;
    Edge edge[MAX_EDGES];
} Reach;

typedef struct Contract {
    const Func *group;
    Val node;
    uint32_t axes;
    Dim dim[MAX_AXES];
    int64_t extent[MAX_AXES]; /* at the maximum of the run-time dimension */
    AxisRole role[MAX_AXES];
    AxisList list[AXIS_ROLES]; /* axes of extent 1 are in none */
    Reach a, b;
    int64_t runs; /* with one B, which is packed once */
} Contract;

void contract_shape(const Func *group, Val node, Contract *out);
/* No axis of the list but the first is a run-time one. */
bool axes_open_first(const Contract *c, const AxisList *list);
Reach contract_reach(const Contract *c, Val value, const AffineMap *map);
/* Least and largest value of a form over the axes, before its division. */
void contract_range(const Contract *c, const Affine *form, int64_t *low, int64_t *high);

/*
 * An edge as the loops see it.  With a divisor d the row axis is walked as (phase, rest),
 * row = rest * d + phase; in one phase every `reduce_every`-th reduce index counts:
 * reduce = first + reduce_every * t for t in [0, count), and the position there is
 * row_step * rest + position + position_every * t.  A `fixed` row is one for a whole task,
 * and then t runs over the places inside only; else rows outside read a line of zeros.
 */
typedef struct EdgeWalk {
    bool fixed;
    int64_t reduce_every, position_every;
    uint32_t most;                           /* largest count */
    const int32_t *first, *count, *position; /* by phase; by row where fixed */
    int64_t entries;
} EdgeWalk;

/* A loop over the reduce axes `axes` (walked as one), outermost loop first. */
typedef struct ReduceLoop {
    AxisList axes;
    int64_t extent;         /* at the maximum */
    int64_t a_step, k_step; /* elements of A, of packed k, a step */
    int64_t b_step;         /* of B where it is in place */
    int32_t edge;           /* -1: none */
    int64_t block; /* 0: all inside the tile; else steps inside, the rest outside; -1: all
                       outside */
} ReduceLoop;
#define MAX_REDUCE 6

/*
 * The loops of the direct strategy:
 *
 *     task (batch, split, fixed rows, row chunk, col chunk):
 *       for outer reduce blocks:  for panels:  for row tiles:
 *         rows x (vectors * lanes) accumulators (+)= over inner reduce
 *       epilogue over the tile in L1
 */
typedef struct Tile {
    uint32_t lanes, rows, vectors;
    uint32_t panels, tail_vectors; /* all panels; of the last one, where it is narrower */
    uint32_t dots; /* columns of the last panel where its vectors run along k; else 0 */
    int64_t task_rows, task_panels;
    AxisList fixed, walked; /* row axes */
    bool fixed_inside;      /* all fixed rows of a chunk before the next; else reversed */
    bool b_in_place;        /* not packed */
    bool uniform;           /* rows are row_step apart in A */
    bool known_rows;        /* few: where each begins is known when compiling */
    int64_t row_step, rows_max;
    int64_t even; /* > 1: row tiles lie within this many even rows */
    uint32_t loops;
    ReduceLoop loop[MAX_REDUCE];
    int64_t k_max;  /* of a panel */
    int64_t splits; /* of loop 0 */
    EdgeWalk edge[MAX_EDGES];
} Tile;

/* False where the direct strategy does not apply. */
bool contract_tile(const Contract *c, const Target *target, Arena *arena, Tile *out);
void tile_print(const Tile *tile, Text *out);
/* Lanes, rows, vectors and panels for the `rows_max` uniform rows that `tile` has. */
void tile_choose_registers(const Contract *c, const Target *target, Tile *tile);

/* A lowering in the making: kernels, their operands, and the memory between them. */
typedef struct Draft {
    Arena *arena;
    const Target *target;
    const Func *group;
    VEC(LoweredKernel) kernels;
    VEC(int64_t) temps;
} Draft;

/* A kernel of the draft in the making. */
typedef struct DraftKernel {
    Draft *draft;
    Kernel *kernel;
    VEC(Operand) operands;
    Emitter *emitter;
} DraftKernel;

uint32_t draft_temp(Draft *draft, int64_t bytes);
DraftKernel draft_kernel(Draft *draft, const char *what);
Buffer *draft_buffer(DraftKernel *k, OperandKind kind, uint32_t index, Elem elem,
                     bool written);
/* All parameters of the group as arguments, placed in the emitter. */
void draft_params(DraftKernel *k);
/* The argument for an operand that is in memory. */
Buffer *draft_operand(DraftKernel *k, const Contract *c, const Reach *r);
void draft_end(DraftKernel *k, const Expr *tasks, Block *body);

/* Places of the contraction's result from those of its axes; stores every result of the
 * group there.  The contraction itself has been bound. */
void contract_store(const Contract *c, Emitter *e, Buffer *const *results,
                    const Index *const *axis);
Buffer **draft_results(DraftKernel *k);

/* Words for what is chosen; kernels that go before may be left in the draft. */
void contract_explain(Draft *draft, Val node, Text *out);
void lower_contract(Arena *arena, const Target *target, const Func *group, Lowered *out);
/* One that runs `runs` times with the same B. */
void lower_contract_runs(Arena *arena, const Target *target, const Func *group,
                         int64_t runs, Lowered *out);

int64_t value_bytes_max(const Func *group, Val v);
/* Copies A where that pays, and makes `c` read the copy. */
void contract_stage(Draft *draft, Contract *c);

/* One element at a time, for any maps and element types. */
void lower_contract_plain(Draft *draft, const Contract *c);
/* Convolutions with fewer channels out than lanes; false where it is none. */
bool lower_contract_planes(Draft *draft, const Contract *c);
/* Register tiles over packed panels of B; A is read in place. */
void lower_contract_direct(Draft *draft, const Contract *c, const Tile *tile);

#endif
