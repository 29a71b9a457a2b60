/* From plans to callable code. */
#ifndef TN_CODEGEN_BACKEND_H
#define TN_CODEGEN_BACKEND_H

#include "base/diag.h"
#include "base/target.h"
#include "ir/plan.h"
#include "tenon_runtime.h"

/* The processor this runs on; or one by LLVM's name ("x86-64-v3").  `native` for NULL.
 * STATUS_INPUT when the name is none that code is made for. */
Status target_find(const char *cpu, Target *target);
/* Why it failed, and the names that there are, to message[MESSAGE_BYTES]. */
void target_unknown(const char *cpu, char *message);

/* Whether this processor lacks a feature of the target; its name to `name` (64 bytes, may be
 * NULL). */
bool target_lacks(const Target *target, char *name);

typedef struct Jit Jit; /* owns the code of the entries that were compiled into it */

typedef struct JitOptions {
    const Target *target;
    const char *cache; /* folder of the object cache; NULL: none */
    int threads;       /* that compile; >= 1 */
} JitOptions;

/* Compiles the plans' kernels and drivers.  On failure *jit is NULL and `message` (512
 * bytes) says why. */
Status jit_new(const JitOptions *options, const Plan *const *plans, uint32_t count,
               Jit **jit, char *message);
/* The same for kernels that belong to no plan yet. */
Status jit_new_kernels(const JitOptions *options, const Kernel *const *kernels,
                       uint32_t count, Jit **jit, char *message);
/* How many objects were compiled, and how many the cache had. */
typedef struct JitFacts {
    uint32_t compiled, loaded;
} JitFacts;
JitFacts jit_facts(const Jit *jit);
tn_entry *jit_entry(const Jit *jit, const char *name); /* NULL: no such entry */
/* One kernel as a bare function over its argument pointers followed by int64_t n. */
tn_task *jit_kernel(const Jit *jit, const char *kernel_name);
void jit_free(Jit *jit);

/* Text of what the backend makes of a plan: LLVM IR or assembly. */
typedef enum EmitLevel { EMIT_LLVM, EMIT_ASM } EmitLevel;
Status backend_emit(const JitOptions *options, const Plan *plan, EmitLevel level,
                    Text *out, char *message);
Status backend_emit_kernel(const JitOptions *options, const Kernel *kernel,
                           EmitLevel level, Text *out, char *message);

#endif
