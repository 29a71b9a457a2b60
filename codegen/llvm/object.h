/* Objects in memory: distinct kernels, drivers and glue, compiled a part at a time. */
#ifndef TN_CODEGEN_LLVM_OBJECT_H
#define TN_CODEGEN_LLVM_OBJECT_H

#include "codegen/backend.h"
#include "codegen/llvm/emitter.h"
#include "codegen/llvm/glue.h"
#include "codegen/llvm/key.h"

typedef struct Unit {
    const Kernel *kernel; /* one of the three */
    const Plan *plan;     /* its driver */
    const Glue *glue;
    const char *symbol;
    Key key;
} Unit;

/* Units that become one LLVM module and are kept as one object: a large one alone, small ones
 * together, for which a module of their own would be half of the work.  Which are together
 * follows from the units only, so equal programs have equal objects. */
typedef struct Part {
    uint32_t first, count; /* in the list, which is in order of parts then */
    Key key;
    LLVMMemoryBufferRef object; /* owned by whoever takes it */
} Part;

/* The code of a kernel, which it may share with equal ones. */
typedef struct KernelName {
    const Kernel *kernel;
    const char *symbol;
} KernelName;

typedef struct Units {
    VEC(Unit) list;
    VEC(KernelName) names;
    VEC(Part) parts; /* once compiled */
    uint32_t loaded; /* of them: from the cache */
} Units;

/* The symbol of a kernel; appends its unit unless an equal one is there. */
const char *units_kernel(Arena *arena, Units *units, const Kernel *kernel);
/* The symbol of a plan's driver; appends the units of its kernels and its own. */
const char *units_plan(Arena *arena, Units *units, const Plan *plan);
void units_glue(Arena *arena, Units *units, const Glue *glue);

/* Compiles the units on options->threads threads.  On failure no object is left and
 * `message` (512 bytes) says why. */
Status units_compile(Arena *arena, const JitOptions *options, Units *units,
                     char *message);
void units_free(Units *units); /* the objects */

typedef struct Machine {
    LLVMTargetMachineRef handle;
    char *triple;
} Machine;
void machine_start(void); /* before anything of LLVM's that looks for a target */
Status machine_new(const Target *target, Machine *machine);
void machine_free(Machine *machine);
void unit_emit(Emitter *e, const Units *units, const Unit *unit); /* IR as written */
Status unit_optimise(Emitter *e, const Machine *machine, char *message);

#endif
