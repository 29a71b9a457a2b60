/* Rules of the evaluator: one function per op, or per family of ops. */
#ifndef TN_IR_EVAL_RULES_H
#define TN_IR_EVAL_RULES_H

#include "ir/eval.h"

/* One node to compute.  `out` has its type and is zero. */
typedef struct Case {
    const Func *func;
    const Node *node;
    const Array *const *arg; /* [node->args] */
    Array *out;
    const int64_t *symbols;
    Arena *arena; /* scratch */
} Case;

typedef void EvalRule(const Case *c);
extern EvalRule eval_const, eval_iota, eval_random, eval_select, eval_cast, eval_same,
    eval_scalar, eval_broadcast, eval_transpose, eval_slice, eval_pad, eval_concat,
    eval_windows, eval_fold, eval_gather, eval_scatter_add, eval_read_at, eval_write_at,
    eval_sum, eval_extremum, eval_argmax, eval_contract;

/* A position in a box of extents; starts at zero, next is false past the last. */
typedef struct Place {
    uint32_t rank;
    const int64_t *dim;
    int64_t at[MAX_AXES];
} Place;
bool place_next(Place *place); /* row-major */
int64_t array_index(const Array *array, const int64_t *at);

static inline const int64_t *case_ints(const Case *c, AttrKey key) {
    return node_attr(c->node, key)->ints;
}

/* What an element of type `elem` holds: floats as they are, integers as the machine's. */
double hold(Elem elem, double x);

#endif
