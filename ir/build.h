/* Builders: one line of C for one node.  Shapes must agree already; a wrong one is a bug.
 */
#ifndef TN_IR_BUILD_H
#define TN_IR_BUILD_H

#include "ir/graph.h"

/* All nodes of a Builder carry its span. */
typedef struct Builder {
    Func *func;
    Span span;
} Builder;

/* build_add(b, x, y), build_exp(b, x, NO_VAL): one per row of scalar.def. */
#define SCALAR(name, ...) Val build_##name(Builder *b, Val x, Val y);
#include "ir/scalar.def"
#undef SCALAR

/* Any op; the others are made of it. */
Val build_op(Builder *b, Op op, const Val *arg, uint32_t args, const Attr *attr,
             uint32_t attrs);
Val build_scalar(Builder *b, Op op, Val x, Val y);    /* by op; y == NO_VAL for unary */
Val build_const(Builder *b, Elem elem, double value); /* rank 0 */
Val build_fill(Builder *b, const Type *like,
               double value); /* const of that whole shape */
Val build_select(Builder *b, Val condition, Val x, Val y);
Val build_cast(Builder *b, Val x, Elem elem); /* x itself when it has it */
Val build_broadcast(Builder *b, Val x, const Type *to, const int64_t *axes);
Val build_splat(Builder *b, Val scalar, const Type *to); /* rank 0 to any shape */
Val build_reshape(Builder *b, Val x, uint32_t rank, const Dim *dim);
Val build_transpose(Builder *b, Val x, const int64_t *axes);
Val build_slice(Builder *b, Val x, const int64_t *starts, const Dim *dims,
                const int64_t *strides);
Val build_pad(Builder *b, Val x, const int64_t *low, const int64_t *high,
              const int64_t *inner, double value);
Val build_concat(Builder *b, const Val *x, uint32_t count, int64_t axis);
Val build_reduce(Builder *b, Op op, Val x, const int64_t *axes, uint32_t count);
Val build_contract(Builder *b, Val x, Val y, uint32_t axes, const Dim *dims,
                   const AffineMap *a_map, const AffineMap *b_map,
                   const AffineMap *out_map);
Val build_get(Builder *b, Val tuple, int64_t index);

#endif
