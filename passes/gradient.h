/* The reverse sweep as the gradient rules see it.  autodiff.c runs it, gradient*.c hold
 * one function grad_<rule> for each name in the gradient column of ops.def. */
#ifndef TN_PASSES_GRADIENT_H
#define TN_PASSES_GRADIENT_H

#include "ir/build.h"

/* A repeat that was emitted again with more carries: `by` takes the place of `old`. */
typedef struct Swap {
    Val old, by;
} Swap;

/* One sweep over nodes [0, count) of b.func; what it emits comes behind them. */
typedef struct Sweep {
    Builder b;
    Arena *scratch;
    uint32_t count;
    bool *active; /* [count] depends on a value asked for, through differentiable ops */
    Val *adjoint; /* [count] NO_VAL: nothing flowed here yet */
    Val **part;   /* [count] adjoints of a tuple's parts; NULL: none */
    VEC(Swap) swaps;
} Sweep;

/*
 * Spreads the adjoint `g` of node `v` over its operands.  `node` is a copy, since
 * emitting moves the array.  Rules emit only ops that have gradients themselves.
 */
typedef void GradientRule(Sweep *s, Val v, const Node *node, Val g);

#define OP(name, args, class, type, gradient, until) GradientRule grad_##gradient;
#include "ir/ops.def"
#undef OP

void sweep_begin(Sweep *s, Func *func, Arena *scratch, Span span);
/* Marks what depends on the active values; the caller has set those in s->active. */
void sweep_activate(Sweep *s);
void sweep_run(Sweep *s);

static inline bool sweep_wants(const Sweep *s, Val v) {
    return s->active[v];
}
void sweep_add(Sweep *s, Val v, Val g); /* NO_VAL: nothing flows */

/* Puts the swaps into effect: the function's nodes in an order in which each `by` stands
 * where `old` did.  Returns the new value of each old one; NULL when there was no swap.
 */
const Val *sweep_settle(Sweep *s);

static inline Val settled(const Val *map, Val v) {
    return map && v != NO_VAL ? map[v] : v;
}

Val build_zeros(Builder *b, const Type *type);

#endif
