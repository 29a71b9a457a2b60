/* The inside of the planner: blocks of memory with lifetimes, and what shares them. */
#ifndef TN_PASSES_PLANNER_H
#define TN_PASSES_PLANNER_H

#include "passes/pass.h"

/* A piece of memory.  Those in SPACE_WORK get an offset when all lifetimes are known. */
typedef struct Slab {
    Place place;
    uint32_t first, last; /* steps, inclusive */
} Slab;

typedef VEC(Slab) SlabList;

/* plan_slabs.c: offsets for all slabs in SPACE_WORK; the bytes of the arena. */
int64_t slabs_place(SlabList *slabs, Arena *scratch);
int64_t slabs_lower_bound(const SlabList *slabs, uint32_t steps, Arena *scratch);

/* plan_order.c: the nodes of a function in the order in which they run: operands first,
 * and whoever reads a state parameter before whoever replaces it. */
const Val *order_nodes(const Func *func, Arena *scratch, uint32_t *count);

/* plan_share.c: whether the group reads parameter `param` only at the element that it stores
 * to result `result` next, and for no later result first: both may be the same memory. */
bool group_shares(const Func *group, uint32_t param, uint32_t result, Arena *scratch);

/* plan_once.c: [steps] of a loop's body that do the same in every iteration.  `outer`: slabs
 * from there on are the body's own; `kept`: those that change from one iteration to the next,
 * the counter and the carries. */
const bool *steps_once(const PlanStep *step, uint32_t steps, uint32_t outer,
                       const uint32_t *kept, uint32_t kept_count, uint32_t slabs,
                       Arena *scratch);

#endif
