/* Small functions that between them use every op of ops.def: odd shapes, strides, groups,
 * a run-time dimension.  Printer, evaluator, gradients and kernels are tested on this table. */
#ifndef TN_TESTS_OP_CASES_H
#define TN_TESTS_OP_CASES_H

#include "ir/eval.h"

typedef struct OpCase {
    const char *name; /* "contract: strided, dilated" */
    const char *text; /* functions; the entry @f comes last */
    double low, high; /* range of float inputs; both 0: [-1, 1) */
    int64_t ints;     /* i32 inputs are in [0, ints); 0: 5 */
    int64_t n;        /* value of N (at most 9); 0: 7 */
    bool smooth; /* differences give its gradient: no jumps, ties or random numbers */
} OpCase;

extern const OpCase op_cases[];
extern const int op_case_count;

/* The module with `symbol N max 9`, at stage TYPED; and its entry, the last function. */
Module *op_case_parse(const OpCase *c, Arena *arena, Diag *diag);
Func *op_case_entry(const Module *module);
/* One array per parameter, the same for the same seed; f32 inputs are floats. */
Array *op_case_inputs(const OpCase *c, const Func *entry, uint32_t seed, Arena *arena);
int64_t op_case_n(const OpCase *c); /* the value of the symbol, the module's only one */

#endif
