/* Random arguments for a function, and two modules compared by what they compute. */
#ifndef TN_TESTS_RANDOM_ARRAYS_H
#define TN_TESTS_RANDOM_ARRAYS_H

#include "ir/eval.h"

/* Uniform in [0, 1); the state is the caller's. */
double random_uniform(uint64_t *state);

/* The value of each symbol of the module: 3, or its maximum where that is less. */
const int64_t *symbol_values(Arena *arena, const Module *module);

/* An argument for parameter i: floats in [-2, 2], i32 in [0, 3), bytes, bools. */
Array random_array(Arena *arena, const Func *func, uint32_t i, const int64_t *symbols,
                   uint64_t *state);

/* Every function of kind ENTRY gives the same results on the same random arguments. */
void check_same_meaning(Arena *arena, const char *what, const Module *before,
                        const Module *after);

#endif
