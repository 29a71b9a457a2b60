/* Random programs of the graph IR, typed by construction, from a seed. */
#ifndef TN_TESTS_RANDOM_PROGRAM_H
#define TN_TESTS_RANDOM_PROGRAM_H

#include "ir/eval.h"

typedef struct RandomProgram {
    Module *module;
    Func *entry;
    Array *args; /* [entry->params.count], at the symbol's value */
    double
        *tolerance; /* [entry->results.count]: largest error that f32 may make; negative:
                          in parts of the largest element */
    int64_t symbols[4];
} RandomProgram;

RandomProgram random_program(Arena *arena, Diag *diag, uint64_t seed);

/* Fills `array` with numbers that suit its element type, by the same generator. */
void random_fill(Array *array, uint64_t seed);

#endif
