/* Checks of random programs: what must hold of each, and how a failing one is made small. */
#ifndef TN_TESTS_RANDOM_CHECK_H
#define TN_TESTS_RANDOM_CHECK_H

#include "ir/plan.h"
#include "base/target.h"
#include "tenon_runtime.h"
#include "tests/random/program.h"

/* A program as text, with what it is run on. */
typedef struct RandomCase {
    const char *text;
    uint32_t params, results;
    const Array *args;
    const double *tolerance; /* [results] */
    int64_t n;               /* value of the run-time dimension */
} RandomCase;

RandomCase random_case(Arena *arena, uint64_t seed);

/* NULL when it holds, else words about where it does not. */
typedef const char *RandomProperty(Arena *arena, const RandomCase *program);

/* The evaluator computes the same before and after the passes. */
const char *random_passes(Arena *arena, const RandomCase *program);
/* Compiled code computes the same as the evaluator, for one thread and for three. */
const char *random_run(Arena *arena, const RandomCase *program);
const char *random_run_avx2(Arena *arena, const RandomCase *program);
/* The same code in a shared object, through its checks: of many programs at once, since
 * most of the time goes into linking.  *which: the program that it does not hold of. */
const char *random_library(Arena *arena, const RandomCase *program);
const char *random_libraries(Arena *arena, const RandomCase *programs, uint32_t count,
                             uint32_t *which);
/* What is compiled: the groups and their kernels, as text. */
const char *random_kernels(Arena *arena, const RandomCase *program);

/* What these are made of. */
Module *random_parse(Arena *arena, const char *text);
Array *random_evaluate(Arena *arena, Module *module, const RandomCase *program);
const char *random_compare(Arena *arena, const Array *want, const Array *got,
                           uint32_t result, double tolerance);

/* An entry to be called, and what its calls need. */
typedef struct RandomCode {
    tn_entry *call;
    int (*init)(void *state, uint64_t seed); /* NULL: the state needs none */
    int64_t state_bytes, work_bytes;
} RandomCode;
/* NULL: the pipeline refuses the program. */
const Plan *random_plan(Arena *arena, const RandomCase *program, const Target *target);
const char *random_calls(Arena *arena, const RandomCase *program, const Plan *plan,
                         const RandomCode *code);

/*
 * Smaller programs that fail as well: results dropped, nodes replaced by operands of the same
 * type or by parameters that hold their value.  `fails` says whether one still does.
 */
RandomCase random_shrink(Arena *arena, const RandomCase *program,
                         bool (*fails)(void *context, const RandomCase *program),
                         void *context);

#endif
