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

/* What looks on while a function runs.  Bodies of calls and repeats are entered and left
 * between the nodes of the function that they stand in. */
typedef struct EvalWatch {
    void *context;
    /* iteration: of a repeat, -1 elsewhere. */
    void (*enter)(void *context, const Func *func, const Array *args, int64_t iteration);
    /* The value has been computed; it may be changed.  parts: 1, or those of a tuple. */
    void (*node)(void *context, Val v, Array *value, uint32_t parts);
    void (*leave)(void *context);
} EvalWatch;
void eval_func_watched(const Func *func, const Array *args, const int64_t *symbols,
                       const EvalWatch *watch, Arena *arena, Array *results);

/* eval_origin.c: where a number that is none begins. */
typedef struct EvalHealth {
    int64_t count, nans,
        infinities;   /* elements; those that are none or beyond the type */
    double low, high; /* of the others */
} EvalHealth;
typedef struct EvalOrigin {
    const Func *func;  /* NULL: every result is a number */
    Val value;         /* its operands have no NaN; where it has none, they are finite */
    int64_t iteration; /* of the repeat whose body `func` is, -1: none */
    EvalHealth result, operand[4];
    uint32_t operands;
    Val infinity; /* of `func`: where infinite operands of a NaN began; NO_VAL: none */
} EvalOrigin;
/* Runs `func` with results rounded to f32 where they are; `arena` holds what takes long. */
EvalOrigin eval_origin(const Func *func, const Array *args, const int64_t *symbols,
                       Arena *arena);

#endif
