/*
 * The value emitter: the loop expression of any value of a group at any place.
 *
 * Asked for value v at one Index per dimension, it walks back through elementwise ops, moves,
 * indexing and reductions to the buffers that hold the group's parameters.  Whatever it
 * computes is named by a `let` in the current block and remembered per (value, place), so that
 * a shared subexpression is computed once.
 *
 *     Emitter *e = emitter_new(arena, group, kernel->n);
 *     for each parameter p:  emit_place(e, p, buffer_of_p);
 *     emit_bind(e, contraction, accumulator);         // already computed: any value
 *     emit_open(e, &block);                           // lets go to `block` from here
 *     const Index *column = index_axis(e, first_column, columns);
 *     emit_vector(e, column, 16, NULL);               // `column` stands for 16 lanes
 *     const Index *at[] = {index_of_n, index_of_h, index_of_w, column};
 *     emit_store(e, result, out, at);
 *     emit_close(e);
 */
#ifndef TN_PASSES_EMIT_H
#define TN_PASSES_EMIT_H

#include "ir/loop.h"

typedef struct Emitter Emitter;

/*
 * An integer, affine in atoms: loop counters, digits of counters ((m % high) / low), or
 * opaque expressions.  Interned in the emitter: equal indices are one pointer.  Digits of one
 * counter that meet again with matching coefficients join to the counter, so a reshape that is
 * undone costs nothing.
 */
typedef struct Index Index;

const Index *index_int(Emitter *e, int64_t value);
/* A new counter whose value is `at`, within [0, extent). */
const Index *index_axis(Emitter *e, const Expr *at, int64_t extent);
const Index *index_add(Emitter *e, const Index *x, const Index *y);
const Index *index_scale(Emitter *e, const Index *x, int64_t factor);
const Index *index_div(Emitter *e, const Index *x, int64_t divisor); /* x >= 0 */
const Index *index_mod(Emitter *e, const Index *x, int64_t divisor);
/* Places in an array of `type` from the row-major number of an element, and back. */
void index_unravel(Emitter *e, const Index *linear, const Type *type, const Index **at);
const Index *index_ravel(Emitter *e, const Type *type, const Index *const *at);
/* The value in lane 0, as a loop expression; and how much it grows a lane (false: no constant). */
const Expr *index_expr(Emitter *e, const Index *x);
bool index_stride(const Index *x, int64_t *stride);
void index_range(const Index *x, int64_t *low, int64_t *high); /* inclusive */

Emitter *emitter_new(Arena *arena, const Func *group, const Var *n);

/* `v` is stored in `buffer`, dense and row-major. */
void emit_place(Emitter *e, Val v, const Buffer *buffer);
/* `v` is `value` wherever it is asked for, until the scope closes. */
void emit_bind(Emitter *e, Val v, const Expr *value);

/* A scope, one a loop body: its values are named in `block` and forgotten at its end.  Each
 * value is placed in the outermost scope that knows the counters it depends on, so the blocks
 * of all open scopes must still be growing; a counter belongs to the scope in which it was
 * made, and its expression must be visible there. */
void emit_open(Emitter *e, Block *block);
void emit_close(Emitter *e);

/* The counter `axis`, new, stands for `lanes` consecutive values, of which the first `active`
 * (index; NULL: all) may touch memory. */
void emit_vector(Emitter *e, const Index *axis, uint32_t lanes, const Expr *active);

/* One lane where the value does not depend on the vector axis, else `lanes`. */
const Expr *emit_value(Emitter *e, Val v, const Index *const *at);
void emit_store(Emitter *e, Val v, const Buffer *buffer, const Index *const *at);
const Expr *emit_dim(Emitter *e, Dim dim); /* as an index expression; uses n */

#endif
