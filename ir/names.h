/* Words of the graph's text, shared by its printer, parser and verifier. */
#ifndef TN_IR_NAMES_H
#define TN_IR_NAMES_H

#include "ir/graph.h"

extern const char *const stage_words[]; /* by Stage */
extern const char *const role_words[];  /* by Role */
#define STAGE_COUNT (STAGE_READY + 1)
#define ROLE_COUNT  (ROLE_OUTPUT + 1)

bool name_is_number(const char *name); /* digits only, or empty */

/* Functions, each once. */
typedef struct FuncSet {
    Arena *arena;
    VEC(const Func *) list;
} FuncSet;
void func_set_fill(FuncSet *set, const Module *module); /* all, callees first */

#endif
