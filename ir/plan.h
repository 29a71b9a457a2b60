/* The plan of an entry: which kernels run in which order on which memory.  Codegen turns
 * it into one driver function with the object ABI of tenon_runtime.h. */
#ifndef TN_IR_PLAN_H
#define TN_IR_PLAN_H

#include "ir/loop.h"

typedef enum Space {
    SPACE_STATE, /* caller's state block + offset */
    SPACE_WORK,  /* caller's work memory + offset */
    SPACE_IN,    /* pointer number `index` of the in struct */
    SPACE_OUT,   /* pointer number `index` of the out struct */
    SPACE_CONST, /* constant data of the object, `data` */
} Space;

/* Offsets in bytes, multiples of 64. */
typedef struct Place {
    Space space;
    uint32_t index;
    int64_t offset;
    const void *data; /* CONST */
    int64_t bytes;    /* with the run-time dimension at its maximum */
} Place;

typedef enum StepKind {
    STEP_LAUNCH, /* run `kernel` over its tasks with `args` */
    STEP_COPY,   /* args[0] <- args[1], bytes = scale * n + offset */
    STEP_REPEAT, /* `count` times `steps`; before each, the iteration number (i32) is
                    stored at args[0]; it ends where args[1], if there is one, is false */
} StepKind;

typedef struct PlanStep PlanStep;
struct PlanStep {
    StepKind kind;
    const Kernel *kernel;
    uint32_t args;
    const Place *arg;
    int64_t bytes_scale, bytes_offset; /* COPY */
    int64_t count;                     /* REPEAT */
    uint32_t steps;
    const PlanStep *step;
    const char *label; /* name of the group, for profiles */
};

typedef struct Plan {
    const char *name;  /* of the entry */
    const Func *entry; /* ports: order of in pointers = inputs in order of params; of out
                          pointers = outputs in order of results */
    uint32_t steps;
    const PlanStep *step;
    bool has_n; /* the in struct ends in int64_t n */
    int64_t n_max;
    int64_t work_bytes;  /* arena at n_max */
    int64_t lower_bound; /* largest sum of bytes alive at once */
    int64_t state_bytes;
} Plan;

/* The state block shared by all entries of a module: one slot per name with role PARAM,
 * STATE, OPTIM, SEED or STEP. */
typedef struct Slot {
    const char *name;
    Role role;
    Type type;
    int64_t offset, bytes;
} Slot;
typedef struct Layout {
    uint32_t slots;
    const Slot *slot;
    int64_t bytes;
} Layout;

#endif
