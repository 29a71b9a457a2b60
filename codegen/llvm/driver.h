/* The driver of a plan: `int NAME(state, work, in, out, parallel)`. */
#ifndef TN_CODEGEN_LLVM_DRIVER_H
#define TN_CODEGEN_LLVM_DRIVER_H

#include "codegen/llvm/emitter.h"
#include "ir/plan.h"
#include "tenon_runtime.h"

/* Adds the driver; e->callees holds the function of every kernel. */
void driver_emit(Emitter *e, const Plan *plan, const char *name);

#endif
