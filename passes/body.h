/* Bodies: the functions that `repeat` runs.  A pass that changes what a body takes or
 * gives makes a new one and leaves the old; body_collect then tidies the module. */
#ifndef TN_PASSES_BODY_H
#define TN_PASSES_BODY_H

#include "ir/graph.h"

/* The function of a repeat or call, NULL for any other node. */
Func *body_of(const Node *node);

/* A function without ports; it enters the module with the first node that names it. */
Func *body_new(Module *module, const char *name);

/* A repeat node: carries and invariants follow each other in `arg`. */
/* `going`: the carry of `while`, -1: none. */
Val body_repeat(Func *func, Func *body, int64_t count, int64_t going, uint32_t carries,
                const Val *arg, uint32_t args, Span span);

/* [nodes] what the results need; a repeat as a whole. */
const bool *func_live(const Func *func, Arena *scratch);
/* Drops the other nodes. */
void func_compact(Func *func, Arena *scratch);

/* Lists the entries and the functions they reach, callees first, and tells equal names
 * apart. */
void body_collect(Module *module, Arena *scratch);

#endif
