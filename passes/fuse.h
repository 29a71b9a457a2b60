/* The parts of `fuse`: what it knows of a function while it decides. */
#ifndef TN_PASSES_FUSE_H
#define TN_PASSES_FUSE_H

#include "passes/body.h"
#include "passes/pass.h"

/* How the place at which a group wants a value follows from its own loop position. */
typedef enum Relation {
    SAME,    /* element by element, in row-major order */
    ROW,     /* by the outer part of it, `rows` elements in all */
    WITHIN,  /* in the loop of a reduction at such a place */
    MOVED,   /* any other, each element about once */
    SPREAD,  /* each element many times */
    OUTSIDE, /* as memory: operands of contractions, of control ops, results */
} Relation;

typedef struct Use {
    uint32_t group;
    Relation relation;
    Dim rows;
} Use;

typedef VEC(Use) UseList;

typedef struct Group {
    VEC(Val) results;
    Dim count; /* elements of the largest result; DIM_OVERFLOW: control op, no group */
    Val root;  /* the result that has them */
    VEC(Val) reductions; /* that it computes, one for each of its elements */
    Val contract;        /* or NO_VAL */
    bool reduces, alone;
    Func *func;
    Val call; /* in the new function */
} Group;

typedef enum Fate { FATE_NONE, FATE_INLINE, FATE_STORED, FATE_MAIN } Fate;

typedef struct Fuse {
    Arena *scratch;
    const Func *func;
    Dims *dims;
    UseList *uses;  /* [nodes] */
    Fate *fate;     /* [nodes] */
    uint32_t *home; /* [nodes] group of a stored value */
    bool *anchored; /* [nodes] in memory whatever happens: contracted, or a result */
    VEC(Group) groups;
    bool *visited;           /* [groups], for reaches() */
    uint32_t *stamp, stamps; /* [nodes], for price_of() */
} Fuse;

static inline const Node *fuse_node(const Fuse *f, Val v) {
    return graph_node(f->func, v);
}
static inline Dim fuse_count(const Fuse *f, Val v) {
    return type_count(f->dims, graph_type(f->func, v));
}
static inline int64_t fuse_size(const Fuse *f, Val v) {
    return dim_max(f->dims, fuse_count(f, v));
}

/* fuse_price.c: what an op is to fusing, and what computing a value again costs. */
bool op_is_fill(const Node *node);                    /* a constant of one value */
bool op_is_one_hot(const Fuse *f, const Node *node);  /* one update a row */
bool op_is_row_pick(const Fuse *f, const Node *node); /* one element of each row */
bool op_is_light(const Fuse *f, const Node *node); /* its place fixed, few instructions */
bool op_is_reduce(const Node *node);
bool op_is_main(const Node *node); /* stays outside of groups */
/* The price of computing `v` again from what is in memory anyway. */
typedef struct Price {
    int ops;     /* an element */
    int streams; /* values of about as many elements that it reads */
} Price;
Price fuse_price(Fuse *f, Val v);

/* fuse_use.c: where groups want values. */
void use_add(Fuse *f, Val v, Use use);
void use_operands(Fuse *f, Val v); /* of a value whose fate is decided */
bool use_is_in(const Fuse *f, Val v, uint32_t g);

/* fuse_group.c: which group may store a value. */
uint32_t group_new(Fuse *f, Val v, Dim count);
bool group_all_need(const Fuse *f, const Group *group, Val v);
bool group_find_computing(Fuse *f, Val v, uint32_t *g);
bool group_find_sibling(Fuse *f, Val v, uint32_t *g);
bool group_closes_cycle(Fuse *f, Val v, uint32_t g);
bool group_reaches(Fuse *f, uint32_t from, uint32_t to);
bool group_same_reduction(const Fuse *f, Val u, Val v);

/* fuse_rows.c: groups that walk the same rows, or the same elements. */
bool group_find_rows(Fuse *f, Val v, uint32_t *g);
void group_merge_alike(Fuse *f, Val v, uint32_t g);

/* fuse_write.c: the function anew, with groups called. */
void fuse_write(Fuse *f);

/* fuse_mask.c: what gradients remember, made small. */
void fuse_masks(Func *func, Arena *scratch);
void fuse_taps(Func *func, Arena *scratch);

#endif
