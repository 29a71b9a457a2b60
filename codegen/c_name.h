/* Names of a program as names in C. */
#ifndef TN_CODEGEN_C_NAME_H
#define TN_CODEGEN_C_NAME_H

#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

bool is_c_identifier(const char *name); /* no keyword of C or C++, nor a compiler's own */

/* Why all names of a library cannot begin with it: words behind the name; NULL: they can. */
const char *c_prefix_fault(const char *name);

/* "conv1.weight" -> "conv1_weight": letters of C, behind a prefix an identifier. */
const char *c_spelling(Arena *arena, const char *name);

/* A name for a field beside those of `taken` [count]: the name's spelling, with `count` behind
 * it where that is taken, a keyword or a macro. */
const char *c_field(Arena *arena, const char *name, const char *const *taken,
                    uint32_t count);

#endif
