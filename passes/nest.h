/* Loop nests over the elements of a group's results, made with the emitter. */
#ifndef TN_PASSES_NEST_H
#define TN_PASSES_NEST_H

#include "passes/emitter.h"
#include "passes/pass.h"

/* A group on its way to kernels. */
typedef struct Lowering {
    Arena *arena;
    const Target *target;
    const Func *group;
    Dims *dims;
    VEC(LoweredKernel) kernels;
    VEC(int64_t) temp_bytes;
} Lowering;

/* One kernel and the operands of its arguments so far. */
typedef struct NestKernel {
    Lowering *lowering;
    Kernel *kernel;
    VEC(Operand) operands;
} NestKernel;

NestKernel nest_kernel(Lowering *l, const char *suffix);
Buffer *nest_arg(NestKernel *k, Operand operand, const char *name, Elem elem,
                 bool written);
void nest_done(NestKernel *k);

/* A result of the nest: value `v` at every element of `type`, stored to `operand`. */
typedef struct NestResult {
    Val v;
    Operand operand;
} NestResult;

/* What a nest computes.  `setup` gives the emitter homes beyond the group's parameters. */
typedef struct Nest {
    Lowering *lowering;
    const char *suffix;
    uint32_t results;
    const NestResult *result;
    void (*setup)(void *context, NestKernel *k, Emitter *e);
    void *context;
} Nest;
void nest_lower(const Nest *nest);

/* lower_reduce.c: reductions to few elements, by partial results joined in a fixed order.
 * False when the group has none. */
bool lower_reduce(Lowering *l);

#endif
