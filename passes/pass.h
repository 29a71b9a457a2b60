/* The passes: module in, module changed.  A pass that fails is a bug of ours, or has
 * reported an error through the module's Diag and returns false. */
#ifndef TN_PASSES_PASS_H
#define TN_PASSES_PASS_H

#include "base/target.h"
#include "ir/graph.h"
#include "ir/plan.h"

/* Told of the module after each pass. */
typedef void PassWatch(void *watcher, const char *pass, const Module *module);

typedef struct PassContext {
    Arena *scratch; /* released after each pass */
    const Target *target;
    PassWatch *watch; /* NULL: nobody */
    void *watcher;
} PassContext;

#define PASS(name, what) bool pass_##name(PassContext *cx, Module *module);
#define STAGE(name)
#include "passes/pipeline.def"
#undef PASS
#undef STAGE

/* pipeline.c: runs the table on the module up to and including `last` (NULL: all),
 * verifying after each pass. */
bool pipeline_run(PassContext *cx, Module *module, const char *last);

/* lower.c: the kernels of one scheduled group, in order, and the memory they share. */
typedef enum OperandKind { OPERAND_PARAM, OPERAND_RESULT, OPERAND_TEMP } OperandKind;
typedef struct Operand {
    OperandKind kind;
    uint32_t index; /* of the group's parameter, result or temp */
} Operand;
typedef struct LoweredKernel {
    Kernel *kernel;
    const Operand *arg; /* [kernel->args.count] */
} LoweredKernel;
typedef struct Lowered {
    uint32_t kernels, temps;
    const LoweredKernel *kernel;
    const int64_t *temp_bytes; /* [temps], at the maximum of the run-time dimension */
} Lowered;
void lower_group(Arena *arena, const Target *target, const Func *group, Lowered *out);

/* tidy.c: simplify index arithmetic of a kernel, drop empty loops; returns the new one.
 */
Kernel *tidy(Arena *arena, Kernel *kernel);

/* layout.c, plan.c: the state block of a module; the plan of an entry at stage READY. */
const Layout *layout_state(Arena *arena, const Module *module);
const Plan *plan_entry(PassContext *cx, Arena *arena, const Func *entry,
                       const Layout *layout);

#endif
