/*
 * Inside of a compiled object: what it says of itself, and the functions that its exported
 * ones end in.  The compiler writes these records as data: every field has 8 bytes.
 */
#ifndef TN_RUNTIME_OBJECT_H
#define TN_RUNTIME_OBJECT_H

#include "tenon_runtime.h"

#define OBJECT_ALIGN 64
/* Bytes before the slots of a state: the marks by which an entry knows it. */
#define OBJECT_STATE_HEAD 64
/* Bytes behind the work memory of a guarded object. */
#define OBJECT_GUARD 64

/* What a processor has: bits of cpuid's answers, and of the registers that the system
 * saves. ORDER CPU */
typedef enum CpuWord {
    CPU_1_ECX,
    CPU_7_EBX,
    CPU_7_ECX,
    CPU_7_EDX,
    CPU_7_1_EAX,
    CPU_EXT1_ECX,
    CPU_XCR0,
    CPU_WORDS
} CpuWord;

typedef struct ObjectInfo ObjectInfo;

typedef struct ObjectEntry {
    const ObjectInfo *object;
    tn_entry *run;
    int64_t work_bytes;
    int64_t n_max; /* 0: no run-time dimension */
    int64_t inputs, outputs;
    const uint8_t *align; /* [inputs + outputs] bytes of an element */
} ObjectEntry;

/* Embedded numbers for `bytes` of the state from `offset` on. */
typedef struct ObjectWeight {
    const void *data;
    int64_t offset, bytes;
} ObjectWeight;

struct ObjectInfo {
    uint64_t abi;    /* TN_ABI_VERSION << 32 | hash of the header */
    uint64_t layout; /* hash of the table of the state */
    int64_t state_bytes;
    int64_t scratch;    /* offset in the state of the inits' work memory */
    int64_t work_bytes; /* of the largest entry */
    int64_t n_max;      /* the largest of the entries; 0: none has a run-time dimension */
    int64_t guarded;
    int64_t params, inits, weights;
    const tn_param *param;
    const ObjectEntry *init;    /* one input: i32 seed */
    const ObjectWeight *weight; /* by offset */
    uint64_t cpu[CPU_WORDS];    /* bits that must be there */
};

void object_cpu(uint64_t have[CPU_WORDS]); /* of this processor; 0s if it is no x86-64 */

int64_t object_state_size(const ObjectInfo *object);
int64_t object_work_size(int64_t n, const ObjectInfo *object); /* 0: n is out of range */
int object_check(uint64_t abi, const ObjectInfo *object);
int object_init(void *state, uint64_t seed, const ObjectInfo *object);
const tn_param *object_params(int64_t *count, const ObjectInfo *object);
/* `in` ends in int64_t n where the entry has one, then size_t work_bytes. */
int object_call(void *state, void *work, const void *in, const void *out,
                const tn_parallel *parallel, const ObjectEntry *entry);

#endif
