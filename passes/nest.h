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

/* What a nest computes.  `setup` gives the emitter homes beyond the group's parameters. */
typedef struct Nest {
    Draft *draft;
    const char *suffix;
    uint32_t results;
    const NestResult *result;
    void (*setup)(void *context, DraftKernel *k, Emitter *e);
    void *context;
} Nest;
void nest_lower(const Nest *nest);

/* lower_reduce.c: reductions to few elements, by partial results joined in a fixed order.
 * False when the group has none. */
bool lower_reduce(Draft *draft);

#endif
