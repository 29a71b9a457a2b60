/* The C side of an object: its entries as C has them, and the header. */
#ifndef TN_CODEGEN_HEADER_H
#define TN_CODEGEN_HEADER_H

#include "codegen/c_name.h"
#include "codegen/object.h"

/* What the header says; *abi is the number that stands in it.  On failure NULL: two names
 * are one in C. */
const char *header_text(Arena *arena, const ObjectSpec *spec, uint64_t *abi,
                        char *message);

/* Ports with the role, in order. */
typedef struct PortList {
    uint32_t count;
    const Port **at;
} PortList;
PortList entry_inputs(Arena *arena, const Plan *plan);
PortList entry_outputs(Arena *arena, const Plan *plan);
/* Bytes of work memory that a caller gives, of this entry or of the largest one. */
int64_t entry_work(const ObjectSpec *spec, const Plan *plan);
int64_t object_work(const ObjectSpec *spec);
int64_t object_n_max(const ObjectSpec *spec); /* 0: no entry has a run-time dimension */

#endif
