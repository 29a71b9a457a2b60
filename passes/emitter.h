/* The inside of the emitter: shared by index.c, emit*.c and the nests of lower_*.c. */
#ifndef TN_PASSES_EMITTER_H
#define TN_PASSES_EMITTER_H

#include "passes/emit.h"

#define MAX_TERMS 24

/* A loop counter, the element range it covers, and where its digits may be cut. */
typedef struct Counter {
    const Expr *at;     /* value, in lane 0 */
    int64_t extent;     /* value < extent */
    uint32_t lanes;     /* > 1: stands for that many consecutive values */
    const Expr *active; /* lanes from here on touch no memory; NULL: none */
    uint32_t level;     /* scope it belongs to */
    uint32_t domain;    /* whose run of elements it walks; 0: nobody's */
    int64_t unit;       /* elements of that run a step */
} Counter;

/* digit (counter % high) / low, high == 0: no modulus; or an opaque expression. */
typedef struct Atom {
    struct Atom *next;
    uint32_t id, level;
    const Counter *counter;
    int64_t low, high;
    const Expr *scalar; /* opaque: one index */
    const Expr *vector; /* opaque: i32 of several lanes */
    int64_t extent;     /* atom < extent */
    const Index *of;    /* opaque: of / divisor or of % divisor; NULL: something else */
    int64_t divisor;
    bool is_rest;
} Atom;

typedef struct Term {
    const Atom *atom;
    int64_t coefficient;
} Term;

struct Index {
    const struct Index *next; /* in its bucket */
    int64_t offset;
    uint32_t terms;
    Term term[]; /* by atom id */
};

/* A point where the run of elements of a domain has to be cut into two loops, because a
 * digit on either side of it was asked for. */
typedef struct Cut {
    uint32_t domain;
    int64_t unit;
} Cut;

typedef struct Memo {
    struct Memo *next; /* of the same value */
    Val value;
    uint32_t level;
    const Expr *expr;
    const Index *at[MAX_RANK];
} Memo;

typedef struct Scope {
    Block *block;
    Memo *memo; /* of this scope */
} Scope;

/* One value that several partial results have to be joined for: element i of part p is at
 * p * stride + i. */
typedef struct Home {
    const Buffer *buffer; /* NULL: not stored */
    const Index *origin;  /* element that is first in the buffer; NULL: 0 */
    const Expr *parts;    /* NULL: whole */
    Op join;
    const Expr *begin,
        *end; /* of a reduction not stored: the part of its outermost axis to
                                run; NULL: all */
} Home;

#define MAX_SCOPES 64

struct Emitter {
    Arena *arena;
    const Func *func;
    const Var *n;
    uint32_t lanes; /* of the widest vectors that reductions may use; 0: none */
    uint32_t scopes;
    Scope scope[MAX_SCOPES];
    Home *home;           /* [nodes] */
    Memo **bound;         /* [nodes] what was bound from outside */
    uint32_t bound_level; /* deepest level of a bound value; 0: none */
    const Index *bucket[512];
    Atom *atoms;
    uint32_t atom_count;
    VEC(Cut) cuts;
    bool row_in_vector; /* a long contiguous reduction was asked for lane by lane */
};

/* index.c */
const Index *index_counter(Emitter *e, const Expr *at, int64_t extent, uint32_t domain,
                           int64_t unit);
const Index *index_opaque(Emitter *e, const Expr *scalar, const Expr *vector,
                          int64_t extent, uint32_t level);
const Index *index_clamp(Emitter *e, const Index *x, Dim dim); /* into [0, dim) */
const Index *index_scale_dim(Emitter *e, const Index *x, Dim dim);
const Index *index_div_dim(Emitter *e, const Index *x, Dim dim);
const Index *index_mod_dim(Emitter *e, const Index *x, Dim dim);
bool index_varies(const Index *x); /* along a vector axis */
uint32_t index_lanes(const Index *x);
uint32_t index_level(const Index *x);
const Expr *index_vector(Emitter *e, const Index *x); /* i32, all lanes */
/* An opaque or moving index as uniform start and i32 lane offsets. */
void index_split(Emitter *e, const Index *x, const Expr **start, const Expr **lanes);
const Expr *index_compare(Emitter *e, Op op, const Index *x, const Index *y);
const Counter *index_vector_counter(const Index *x);

/* domain.c: the loops over an array, as few as the cuts allow. */
typedef struct DomainAxis {
    uint32_t run; /* of dimensions, number */
    int64_t unit; /* elements of the run a step */
    Dim extent;
} DomainAxis;
typedef struct Domain {
    uint32_t id, rank, runs, axes;
    Dim dim[MAX_RANK];
    uint32_t first[MAX_RANK + 1]; /* dimension where the run begins */
    DomainAxis axis[32];          /* outermost first */
} Domain;
Domain domain_new(Emitter *e, uint32_t id, uint32_t rank, const Dim *dim);
const Index *domain_counter(Emitter *e, const Domain *domain, uint32_t axis,
                            const Expr *at, uint32_t lanes);
/* How an axis is walked with vectors: wide ones first, then narrower for what is left. */
typedef struct Stretch {
    uint32_t lanes;
    const Expr *begin, *end;
    bool once; /* one step */
} Stretch;
#define MAX_STRETCHES 8
uint32_t domain_stretches(Emitter *e, const Expr *begin, const Expr *end, uint32_t widest,
                          Stretch *stretch);
void domain_places(Emitter *e, const Domain *domain, const Index *const *axis,
                   const Index **at);
uint32_t domain_piece(Emitter *e, int64_t extent, const Expr *begin, const Expr *end,
                      uint32_t widest, Stretch *stretch);

/* emit.c */
uint32_t emit_level(const Emitter *e); /* the innermost scope */
/* Names `value`, computed for (v, at), in scope `level`. */
const Expr *emit_keep(Emitter *e, Val v, const Index *const *at, uint32_t level,
                      const Expr *value);
const Expr *emit_at(Emitter *e, Val v, const Index *const *at, uint32_t *level);
const Expr *emit_load(Emitter *e, const Buffer *buffer, const Index *linear);
/* emit_store to an array that begins at `base`; NULL: 0. */
void emit_store_from(Emitter *e, Val v, const Buffer *buffer, const Index *base,
                     const Index *const *at);
/* What is known of v at `at` already; NULL. */
const Expr *emit_recall(Emitter *e, Val v, const Index *const *at, uint32_t *level);
/* emit_move.c: moves and index ops. emit_reduce.c: reductions, contractions, folds. */
const Expr *emit_move(Emitter *e, Val v, const Index *const *at, uint32_t *level);
const Expr *emit_reduction(Emitter *e, Val v, const Index *const *at, uint32_t *level);
/* The loops of reduction v. */
Domain emit_reduction_domain(Emitter *e, Val v);
Op emit_reduction_join(Op op);
const Index *emit_position(Emitter *e, Val index, const Index *const *at, Dim dim,
                           uint32_t *level);

#endif
