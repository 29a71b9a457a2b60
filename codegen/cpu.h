/* What code for a target needs of the processor that runs it. */
#ifndef TN_CODEGEN_CPU_H
#define TN_CODEGEN_CPU_H

#include "base/target.h"
#include "runtime/object.h"

/* Whether the target's feature string has "+name". */
bool target_has(const Target *target, const char *name);
/* The bits that object_cpu must find.  Features that no generated code uses are left out. */
void cpu_needed(const Target *target, uint64_t need[CPU_WORDS]);

#endif
