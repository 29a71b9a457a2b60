/* Programs as compiled code computes them. */
#ifndef TN_TESTS_COMPILED_H
#define TN_TESTS_COMPILED_H

#include "ir/eval.h"

/* The function @f of a program, compiled for this processor, on arrays that `input` makes for its
 * parameters; [results] in the fixture's arena.  Seed and step are 0. */
Array *run_compiled(const char *text, int threads, Array (*input)(const Port *port));

#endif
