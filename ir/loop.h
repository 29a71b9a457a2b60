/*
 * The loop IR: one kernel is a tree of loops over buffers, scalars and short vectors.
 * Expressions are immutable and typed (element, lanes); indices are 64-bit integers.
 * A kernel is run for a range of tasks; tasks are independent and may run on any thread.
 *
 *     kernel @k0(x: f32*, w: f32*, y: out f32*) tasks N*4 {
 *       for i = 0 to 64 step 16 {
 *         let a: f32x16 = x[task*64 + i : 16]
 *         y[task*64 + i : 16] = max(a, 0.0)
 *       }
 *     }
 */
#ifndef TN_IR_LOOP_H
#define TN_IR_LOOP_H

#include "ir/scalar.h"

typedef struct Expr Expr;
typedef struct Stmt Stmt;

/* A storage place.  Distinct ARG buffers may overlap only where `may_alias` is set. */
typedef enum BufferKind {
    BUFFER_ARG,   /* pointer argument number `index` of the kernel */
    BUFFER_LOCAL, /* on the task's stack: `count` elements; keep the sum under 512 KiB */
    BUFFER_TABLE, /* read-only constant data: `count` elements in `data` (i32 or f32) */
    BUFFER_VIEW,  /* a shifted pointer into another, defined by STMT_VIEW */
} BufferKind;

typedef struct Buffer {
    BufferKind kind;
    const char *name;
    Elem elem;
    uint32_t index;
    int64_t count;
    const void *data; /* TABLE: int32_t, float or uint8_t by elem */
    bool written, may_alias;
} Buffer;

/* A scalar or vector variable: loop counter, let, or mutable accumulator. */
typedef struct Var {
    const char *name;
    bool is_index; /* i64; then elem means nothing and lanes is 1 */
    bool mutable;  /* may be the target of STMT_SET */
    Elem elem;
    uint32_t lanes;
} Var;

typedef enum ExprKind {
    EXPR_INT, /* index constant */
    EXPR_NUM, /* constant of elem, repeated over lanes */
    EXPR_VAR,
    EXPR_SCALAR, /* a row of scalar.def, lane by lane; on indices: add sub mul div mod min
                    max lt le eq ge gt ne and or (div, mod: of nonnegative by positive) */
    EXPR_FMA,    /* arg0 * arg1 + arg2, rounded once */
    EXPR_SELECT, /* arg0: bool of the same lanes or one lane; arg1, arg2 */
    EXPR_CAST,   /* to elem; from an index too (to i32 or f32); bool <-> numbers */
    EXPR_INDEX,  /* an i32 or u8 scalar as an index */
    EXPR_LOAD,   /* lanes elements of buffer at index arg0, `stride` apart; lanes >= arg1
                    (`active`, an index, may be NULL) read as zero and touch no memory */
    EXPR_GATHER, /* lanes elements at index arg0 + arg1, arg1: i32 x lanes */
    EXPR_SPLAT,  /* one lane to lanes */
    EXPR_RAMP,   /* i32 lanes: arg0 (index), arg0 + 1, ... */
    EXPR_REDUCE, /* add, max, min or or over the lanes of arg0, in a fixed tree: with h
                    the larger half, lane i + h joins lane i, until one is left */
    EXPR_BITS,   /* Philox: `word` (0..3) of the block with counter arg0..arg3, key arg4
                    (all   i32 of the same lanes), as uniform f32 in [0, 1) */
} ExprKind;

struct Expr {
    ExprKind kind;
    bool is_index;
    Elem elem;
    uint32_t lanes;
    Op op; /* SCALAR, REDUCE */
    uint32_t args, word;
    const Expr *arg[5];
    int64_t i; /* INT; LOAD: stride in elements */
    double num;
    const Var *var;
    const Buffer *buffer;
};

typedef enum StmtKind {
    STMT_BLOCK, /* opens no scope: what it defines is visible after it */
    STMT_FOR,
    STMT_LET,
    STMT_SET,
    STMT_STORE,
    STMT_LOCAL,
    STMT_VIEW,
    STMT_IF,
    STMT_PREFETCH
} StmtKind;

struct Stmt {
    StmtKind kind;
    uint32_t count;        /* BLOCK */
    const Stmt *const *at; /* BLOCK */
    const Var *var;        /* FOR, LET, SET (LET of a mutable variable gives its start) */
    const Expr *begin, *end;   /* FOR: index; end exclusive */
    int64_t step;              /* FOR: > 0 */
    uint32_t unroll;           /* FOR: copies of the body an iteration; 0, 1: none */
    const Stmt *body, *other;  /* FOR; IF: then, else (may be NULL) */
    const Buffer *buffer;      /* STORE, LOCAL, VIEW (the one defined), PREFETCH */
    const Expr *index, *value; /* STORE, PREFETCH: index; LET, SET, STORE: value; IF:
                                  condition in value */
    const Expr *active;        /* STORE: lanes >= active are not written; NULL: all are */
    int64_t stride;            /* STORE: elements between lanes */
    /* VIEW: buffer = value is true ? base + index : base2 + index2; value NULL: first. */
    const Buffer *base, *base2;
    const Expr *index2;
};

typedef struct Kernel {
    const char *name;
    VEC(Buffer *) args; /* BUFFER_ARG, by index */
    const Var *task;    /* number of the task */
    const Var *n;       /* value of the run-time dimension; 0 where there is none */
    const Expr *tasks;  /* number of tasks; may use n */
    const Stmt *body;   /* of one task */
    double flop, bytes; /* executed an N of one, for reports */
} Kernel;

/* Constructors: fold constants and unit operations, check types (a mismatch is a bug). */

const Expr *expr_int(Arena *a, int64_t i);
const Expr *expr_num(Arena *a, Elem elem, uint32_t lanes, double num);
const Expr *expr_var(Arena *a, const Var *var);
const Expr *expr_scalar(Arena *a, Op op, const Expr *x,
                        const Expr *y); /* y NULL: unary; splats a 1-lane side */
const Expr *expr_fma(Arena *a, const Expr *x, const Expr *y, const Expr *z);
const Expr *expr_select(Arena *a, const Expr *condition, const Expr *x, const Expr *y);
const Expr *expr_cast(Arena *a, const Expr *x, Elem elem);
const Expr *expr_index(Arena *a, const Expr *x);
const Expr *expr_load(Arena *a, const Buffer *b, const Expr *index, uint32_t lanes,
                      int64_t stride, const Expr *active);
const Expr *expr_gather(Arena *a, const Buffer *b, const Expr *index,
                        const Expr *offsets);
const Expr *expr_splat(Arena *a, const Expr *x, uint32_t lanes);
const Expr *expr_ramp(Arena *a, const Expr *first, uint32_t lanes);
const Expr *expr_reduce(Arena *a, Op op, const Expr *x);
const Expr *expr_bits(Arena *a, const Expr *const counter[4], const Expr *key,
                      uint32_t word);
bool expr_equal(const Expr *x, const Expr *y); /* the same tree */
static inline bool expr_is_int(const Expr *x, int64_t i) {
    return x->kind == EXPR_INT && x->i == i;
}
/* Shorthands on indices. */
const Expr *expr_add(Arena *a, const Expr *x, const Expr *y);
const Expr *expr_mul(Arena *a, const Expr *x, int64_t factor);

Var *var_index(Arena *a, const char *name);
Var *var_new(Arena *a, const char *name, Elem elem, uint32_t lanes, bool mutable);
Buffer *buffer_arg(Kernel *kernel, Arena *a, const char *name, Elem elem, bool written);
Buffer *buffer_local(Arena *a, const char *name, Elem elem, int64_t count);
Buffer *buffer_table(Arena *a, const char *name, Elem elem, const void *data,
                     int64_t count);
Buffer *buffer_view(Arena *a, const char *name, Elem elem);

/* A statement list being built. */
typedef struct Block {
    Arena *arena;
    VEC(const Stmt *) list;
} Block;
Block block_new(Arena *a);
const Stmt *block_end(Block *block);
const Expr *block_let(Block *b, const char *name,
                      const Expr *value); /* returns the variable */
const Var *block_mutable(Block *b, const char *name, const Expr *start);
void block_set(Block *b, const Var *var, const Expr *value);
void block_store(Block *b, const Buffer *buffer, const Expr *index, const Expr *value,
                 int64_t stride, const Expr *active);
void block_local(Block *b, const Buffer *buffer);
void block_view(Block *b, const Buffer *view, const Buffer *base, const Expr *index);
void block_view_if(Block *b, const Buffer *view, const Expr *condition,
                   const Buffer *base, const Expr *index, const Buffer *base2,
                   const Expr *index2);
void block_for(Block *b, const Var *var, const Expr *begin, const Expr *end, int64_t step,
               uint32_t unroll, const Stmt *body);
void block_if(Block *b, const Expr *condition, const Stmt *then, const Stmt *other);
void block_prefetch(Block *b, const Buffer *buffer, const Expr *index);
void block_add(Block *b, const Stmt *stmt);

Kernel *kernel_new(Arena *a, const char *name);

void loop_print(const Kernel *kernel, Text *out);
Kernel *loop_parse(Arena *arena, Diag *diag, uint32_t source); /* NULL: see diag */
const char *loop_verify(const Kernel *kernel, Arena *scratch); /* NULL when right */

/* A place for reading and checking kernels without a backend: runs one task range, in the
 * elements' own types (f32 in float).  `args` are the buffers' memory. */
void loop_eval(const Kernel *kernel, void *const *args, int64_t n, int64_t begin,
               int64_t end, Arena *scratch);
int64_t loop_tasks(const Kernel *kernel, int64_t n, Arena *scratch); /* their number */

#endif
