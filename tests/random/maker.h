/*
 * How random programs are made.  A Maker appends nodes to a function and keeps a Fact about
 * every value: its interval, a bound of the error that f32 makes, and whether f32 computes
 * it exactly.  Ops that jump (sign, floor, comparisons, argmax, casts to integers) take
 * exact values only, so that f32 and f64 never land on two sides of an edge.
 */
#ifndef TN_TESTS_RANDOM_MAKER_H
#define TN_TESTS_RANDOM_MAKER_H

#include "ir/build.h"

#define F32_EPSILON 0x1p-24

/* Values are in [low, high].  bits >= 0: exact, multiples of 2^-bits. */
typedef struct Fact {
    bool usable; /* a tensor that others may take */
    double low, high, error;
    int bits;
} Fact;

typedef struct Maker {
    Arena *arena;
    Builder b;
    uint64_t state;  /* of the random numbers */
    VEC(Fact) facts; /* by Val */
    VEC(Val) fresh;  /* constants that stand for parameters still to come */
    Dim dim[3];      /* extents that shapes are made of, so that they often fit */
    Dim symbol;      /* the run-time dimension, or 0 */
    uint32_t nesting;
    int64_t sites;
} Maker;

uint32_t below(Maker *m, uint32_t end); /* in [0, end) */
int64_t between(Maker *m, int64_t low, int64_t high);
static inline bool chance(Maker *m, uint32_t one_in) {
    return below(m, one_in) == 0;
}

static inline const Type *type_at(const Maker *m, Val v) {
    return graph_type(m->b.func, v);
}
static inline const Fact *fact_at(const Maker *m, Val v) {
    return &m->facts.at[v];
}
static inline double bound_of(const Fact *f) {
    return f->high > -f->low ? f->high : -f->low;
}
bool is_exact(const Fact *f);
/* Elements with the run-time dimension at its maximum. */
int64_t count_of(Maker *m, const Type *type);
int64_t extent_of(Maker *m, Dim dim);
/* 1 where dimension 0 is the run-time one, which most ops leave alone. */
static inline uint32_t first_axis(const Maker *m, const Type *t) {
    return t->rank && !dim_is_const(t->dim[0]) ? 1 : 0;
}

/* Records what is known.  Returns false, and makes the value unusable, where the bound or the
 * error is too large to go on with. */
bool note(Maker *m, Val v, Fact fact);
static inline Fact exact(double low, double high, int bits) {
    return (Fact){true, low, high, 0, bits};
}
static inline Fact rounded(double low, double high, double error) {
    return (Fact){true, low, high, error, -1};
}
Fact hull(const Fact *f, const Fact *g);  /* of either */
Fact scaled(const Fact *f, double terms); /* of a sum of that many */

Val any_of(Maker *m, Elem elem); /* NO_VAL: there is none */
Val any(Maker *m);               /* likewise */
/* A value of that type: one that exists, broadcast perhaps, a new parameter, a constant. */
Val operand(Maker *m, const Type *type);
Val constant(Maker *m, const Type *like, double value);
Type random_type(Maker *m, Elem elem, uint32_t rank);

/* Each appends one op with what it needs, or nothing.  scalar.c, move.c, reduce.c,
 * program.c */
void make_unary(Maker *m);
void make_binary(Maker *m);
void make_compare(Maker *m);
void make_logic(Maker *m);
void make_select(Maker *m);
void make_cast(Maker *m);
void make_integer(Maker *m);
void make_broadcast(Maker *m);
void make_reshape(Maker *m);
void make_transpose(Maker *m);
void make_slice(Maker *m);
void make_pad(Maker *m);
void make_concat(Maker *m);
void make_windows(Maker *m);
void make_gather(Maker *m);
void make_scatter_add(Maker *m);
void make_stack(Maker *m);
void make_source(Maker *m);
void make_reduce(Maker *m);
void make_argmax(Maker *m);
void make_product(Maker *m);
void make_convolution(Maker *m);
void make_repeat(Maker *m);

#endif
