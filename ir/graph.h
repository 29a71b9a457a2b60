/*
 * The graph IR: SSA values as 32-bit ids into an array, definitions before uses, typed at
 * birth.  A pass writes a new Func beside the old one with a map Val -> Val; nothing
 * mutates.
 *
 *     module
 *     symbol N max 512
 *     func @loss(%x: f32[N, 4], param %w: f32[4, 2]) -> (loss = %3) {
 *       %2 = contract %x, %w {dims = [N, 2, 4], a = [d0, d2], b = [d2, d1],
 *                             out = [d0, d1]} : f32[N, 2]
 *       %3 = sum %2 {axes = [0, 1]} : f32[]
 *     }
 */
#ifndef TN_IR_GRAPH_H
#define TN_IR_GRAPH_H

#include "base/diag.h"
#include "ir/affine.h"
#include "ir/stage.h"
#include "ir/type.h"

typedef uint32_t Val; /* number of a Node in its Func */
#define NO_VAL UINT32_MAX

typedef enum Op {
#define OP(name, ...) OP_##name,
#include "ir/ops.def"
#undef OP
    OP_COUNT
} Op;

typedef enum OpClass {
    CLASS_SOURCE,
    CLASS_ELEMWISE,
    CLASS_MOVE,
    CLASS_INDEX,
    CLASS_REDUCE,
    CLASS_CONTRACT,
    CLASS_CONTROL
} OpClass;

typedef struct OpInfo {
    const char *name;
    int args; /* -1: any */
    OpClass class;
    Stage until;
    bool is_scalar; /* a row of scalar.def */
} OpInfo;
extern const OpInfo op_info[OP_COUNT];
bool op_parse(const char *name, Op *op);

typedef enum AttrKey {
#define ATTR(name, kind) ATTR_##name,
#include "ir/attr.def"
#undef ATTR
    ATTR_COUNT
} AttrKey;

typedef enum AttrKind {
    ATTR_KIND_INT,
    ATTR_KIND_ELEM,
    ATTR_KIND_INTS,
    ATTR_KIND_DIMS,
    ATTR_KIND_REALS,
    ATTR_KIND_MAP,
    ATTR_KIND_FUNC
} AttrKind;
typedef struct AttrInfo {
    const char *name;
    AttrKind kind;
} AttrInfo;
extern const AttrInfo attr_info[ATTR_COUNT];

typedef struct Func Func;

typedef struct Attr {
    AttrKey key;
    uint32_t count; /* of a list */
    union {
        int64_t i;           /* INT, ELEM */
        const int64_t *ints; /* INTS, DIMS (a Dim is an int64_t) */
        const double *reals; /* REALS */
        const AffineMap *map;
        Func *func;
    };
} Attr;

typedef struct Node {
    Op op;
    uint32_t args, attrs;
    const Val *arg;   /* [args] */
    const Attr *attr; /* [attrs], sorted by key */
    Type type;
    Span span; /* kept through every pass */
} Node;

/* What a parameter or result of an entry is to its caller. */
typedef enum Role {
    ROLE_INPUT,  /* given each call (a batch, a label) */
    ROLE_PARAM,  /* trained; part of the state block */
    ROLE_STATE,  /* threaded; part of the state block (batch-norm statistics) */
    ROLE_OPTIM,  /* optimiser's own; part of the state block (momentum) */
    ROLE_SEED,   /* i32[]: seed of every random op; part of the state block */
    ROLE_STEP,   /* i32[]: number of steps taken; part of the state block */
    ROLE_OUTPUT, /* results only */
} Role;

typedef struct Port {
    const char *name; /* path: "conv1.weight", "x", "loss" */
    Role role;
    Type type;
    int32_t alias; /* results: the parameter it replaces, -1: none */
    Span span;
} Port;

typedef enum FuncKind { FUNC_ENTRY, FUNC_BODY, FUNC_GROUP } FuncKind;

typedef struct Module Module;

struct Func {
    Module *module;
    const char *name;
    FuncKind kind;
    VEC(Node) nodes; /* the first `params.count` nodes are the OP_param in order */
    VEC(Port) params;
    VEC(Val) results;
    VEC(Port) outputs; /* [results.count]; only names and roles for bodies and groups */
    uint32_t nesting;  /* 0, or one more than that of any function it calls or repeats */
    void *schedule;    /* of a group, set by `schedule`: struct Schedule in passes/ */
};

struct Module {
    Arena *arena;
    Diag *diag;
    Dims dims;
    Stage stage;
    VEC(Func *) funcs;
};

Module *module_new(Arena *arena, Diag *diag);
Func *module_func(Module *module, const char *name, FuncKind kind); /* appended */
Func *module_find(const Module *module, const char *name);

Val func_param(Func *func, const char *name, Role role, Type type, Span span);
void func_result(Func *func, const char *name, Role role, Val value, int32_t alias);

/*
 * Append a node; its type comes from the op's type rule.  Operands and attributes are
 * copied.  Where the rule refuses, it reports an error at `span` through the module's
 * Diag (both shapes, the dimension) and graph_emit returns NO_VAL; in a pass that is a
 * bug.
 */
Val graph_emit(Func *func, Op op, const Val *arg, uint32_t args, const Attr *attr,
               uint32_t attrs, Span span);
/* The same op and attributes as `node`, other operands. */
Val graph_emit_like(Func *func, const Node *node, const Val *arg);

static inline const Node *graph_node(const Func *f, Val v) {
    return &f->nodes.at[v];
}
static inline const Type *graph_type(const Func *f, Val v) {
    return &f->nodes.at[v].type;
}

const Attr *node_attr(const Node *node, AttrKey key); /* NULL when absent */
int64_t node_int(const Node *node, AttrKey key, int64_t otherwise);
static inline Attr attr_int(AttrKey key, int64_t i) {
    return (Attr){key, 0, {.i = i}};
}
Attr attr_ints(AttrKey key, const int64_t *ints, uint32_t count); /* INTS and DIMS */
Attr attr_reals(AttrKey key, const double *reals, uint32_t count);
Attr attr_map(AttrKey key, const AffineMap *map);
Attr attr_func(AttrKey key, Func *func);
bool attr_equal(const Attr *a, const Attr *b);
uint64_t attr_hash(const Attr *a);

/* users.c: for each value the number of uses, results of the function included. */
uint32_t *graph_use_counts(const Func *func, Arena *scratch);
/* Whether `v` is `on` or is computed from it. */
bool graph_depends(const Func *func, Val v, Val on, Arena *scratch);

/* rewrite.c: a fresh function with the ports of `old` and no other nodes; and the map a
 * pass fills while it re-emits nodes, NO_VAL where nothing was written yet. */
typedef struct Rewrite {
    Func *from, *to;
    Val *map; /* [from->nodes.count] */
} Rewrite;
Rewrite rewrite_begin(Func *func, Arena *scratch); /* parameters are mapped already */
Val rewrite_copy(Rewrite *rewrite, Val value);     /* node as it is, operands mapped */
void rewrite_finish(
    Rewrite *rewrite); /* results mapped; `from` takes the nodes of `to` */

/* print.c, parse.c: text; parse(print(m)) prints the same. */
void graph_print(const Module *module, Text *out);
void graph_print_func(const Func *func, Text *out);
Module *graph_parse(Arena *arena, Diag *diag, uint32_t source); /* NULL: see diag */

/* verify.c: structure, types and stage.  NULL when right, else what is wrong. */
const char *graph_verify(const Module *module, Arena *scratch);

#endif
