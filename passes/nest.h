/* Loop nests over the elements of a group's results, made with the emitter. */
#ifndef TN_PASSES_NEST_H
#define TN_PASSES_NEST_H

#include "passes/contract.h"
#include "passes/emitter.h"

/* A result of the nest: value `v` at every element of `type`, stored to `operand`. */
typedef struct NestResult {
    Val v;
    Operand operand;
} NestResult;

/* Reductions over the same elements whose range is cut into pieces, one a task. */
#define MAX_PARTIAL 8
typedef struct Partial {
    uint32_t count;
    Val v[MAX_PARTIAL];
    uint32_t temp[MAX_PARTIAL]; /* of the draft: part * elements + element */
    int64_t piece;              /* steps of the reduction's outermost axis a task */
    Dim extent;                 /* of that axis */
} Partial;

/* A value in memory of the task: a block of `images` along its outermost dimension, the
 * block of the task's number; its elements begin with those of the task's first image. */
typedef struct Staged {
    Val v;
    uint32_t temp;        /* of the draft, that stands for the memory */
    int64_t images, size; /* of a block; elements of one */
} Staged;

/* What a nest computes: the results; or, given `partial`, the parts of its reductions. */
typedef struct Nest {
    Draft *draft;
    const char *suffix;
    uint32_t results;
    const NestResult *result;
    Partial *partial;      /* its piece and extent are chosen here; NULL: none */
    const Partial *joined; /* parts that lie in memory; NULL: none */
    const Staged *staged;  /* tasks are its blocks; NULL: none */
} Nest;
void nest_lower(const Nest *nest);

/* lower_reduce.c: reductions to few elements, by partial results joined in a fixed order. */
void lower_reduce(Draft *draft, Val heavy);

/* lower_scatter.c: a scatter_add of the group's parameters, its only result. */
void lower_scatter(Draft *draft, Val v);

/* lower_blocks.c: a contraction block by block of its batch, and what pools it.  False where
 * it cannot be. */
bool lower_blocks(Draft *draft, Val node);
bool blocks_find_batch(const Func *group, Val v, uint32_t *operand);
void lower_nest_staged(Draft *draft, const Staged *staged);

/* All results of the group in one nest. */
void lower_nest(Draft *draft, const Partial *joined);

#endif
