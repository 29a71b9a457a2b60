/* The evaluator: slow, obvious, in double precision; the meaning of the graph IR. */
#ifndef TN_IR_EVAL_H
#define TN_IR_EVAL_H

#include "ir/graph.h"

/* A dense row-major array; every element type is held as double (f32 values unrounded).
 */
typedef struct Array {
    Elem elem;
    uint32_t rank;
    int64_t dim[MAX_RANK];
    double *at; /* [product of dim] */
} Array;

int64_t array_count(const Array *array);
Array array_new(Arena *arena, Elem elem, uint32_t rank, const int64_t *dim);

/*
 * Runs `func` on `args` (one per parameter).  `symbols` gives each module symbol its
 * value. `results` receives one array per result, in `arena`.  u8, i32 and bool results
 * wrap or truncate as the machine's do.  Raises at the arena's guard when memory ends.
 */
void eval_func(const Func *func, const Array *args, const int64_t *symbols, Arena *arena,
               Array *results);

#endif
