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
} Contract;

void contract_shape(const Func *group, Val node, Contract *out);

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
void draft_end(DraftKernel *k, const Expr *tasks, Block *body);

/* Places of the contraction's result from those of its axes; stores every result of the
 * group there.  The contraction itself has been bound. */
void contract_store(const Contract *c, Emitter *e, Buffer *const *results,
                    const Index *const *axis);
Buffer **draft_results(DraftKernel *k);

void lower_contract(Arena *arena, const Target *target, const Func *group, Lowered *out);

/* One element at a time, for any maps and element types. */
void lower_contract_plain(Draft *draft, const Contract *c);

#endif
