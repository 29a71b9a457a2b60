/* Objects in memory: one machine-code module for every distinct kernel and every driver.
 */
#ifndef TN_CODEGEN_LLVM_OBJECT_H
#define TN_CODEGEN_LLVM_OBJECT_H

#include "codegen/backend.h"
#include "codegen/llvm/emitter.h"
#include "codegen/llvm/key.h"

typedef struct Unit {
    const Kernel *kernel; /* NULL: the driver of `plan` */
    const Plan *plan;
    char symbol[64];
    Key key;
    LLVMMemoryBufferRef object; /* owned by whoever takes it */
} Unit;

typedef struct Units {
    VEC(Unit) list;
} Units;

/* The symbol of a kernel; appends its unit unless an equal one is there. */
const char *units_kernel(Arena *arena, Units *units, const Kernel *kernel);

/* Compiles the units on options->threads threads.  On failure no object is left and
 * `message` (512 bytes) says why. */
Status units_compile(const JitOptions *options, Units *units, char *message);
void units_free(Units *units); /* the objects */

/* For text instead of objects. */
typedef struct Machine {
    LLVMTargetMachineRef handle;
    char *triple;
} Machine;
Status machine_new(const Target *target, Machine *machine);
void machine_free(Machine *machine);
void unit_emit(Emitter *e, const Unit *unit); /* IR as it was written */
Status unit_optimise(Emitter *e, const Machine *machine, char *message);

#endif
