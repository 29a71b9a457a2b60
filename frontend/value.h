/* What an expression is worth while the frontend runs it: compile-time values (numbers,
 * strings, dimensions, lists, records, functions) and run-time ones (tensors: values of the
 * graph function under construction). */
#ifndef TN_FRONTEND_VALUE_H
#define TN_FRONTEND_VALUE_H

#include "frontend/ast.h"
#include "ir/graph.h"

typedef enum ValueKind {
    VALUE_missing, /* an argument that was not given */
    VALUE_unknown, /* wrong and reported, or not known while a function is checked alone */
    VALUE_none,
    VALUE_int,
    VALUE_dim, /* an integer known only with the run-time dimensions */
    VALUE_real,
    VALUE_bool,
    VALUE_string,
    VALUE_rest, /* `...`: the axes that it stands for in the patterns */
    VALUE_list,
    VALUE_record,
    VALUE_tensor,
    VALUE_function,
} ValueKind;

typedef struct Value Value;
typedef struct Frame Frame;

typedef struct Values {
    uint32_t count;
    const Value *at;
} Values;

typedef struct Field {
    const char *name;
    const Value *value;
} Field;

typedef struct Record {
    uint32_t count;
    const Field *at;
} Record;

/* Names in sight, newest first; shared and never changed. */
typedef struct NameBinding {
    const char *name;
    const Value *value;
    const struct NameBinding *next;
} NameBinding;

/* The functions and constants of a file and what it uses; the prelude stands behind. */
typedef struct UnitEntry {
    const char *name;
    Span span;
    const AstFunction *function; /* or */
    const Ast *constant;         /* AST_let, or */
    const AstType *alias;
} UnitEntry;
typedef struct Unit {
    const struct Unit *parent;
    VEC(UnitEntry) entries;
} Unit;

typedef struct Env {
    const NameBinding *top;
    const Unit *unit;
} Env;

typedef struct Builtin Builtin;

typedef enum CallKind {
    CALL_ast, /* fn, net, loss, a literal */
    CALL_builtin,
    CALL_grad, /* of `inner` by its parameter number `wrt`, or by the net `by` */
    CALL_mode, /* of `inner`, in training mode or not */
} CallKind;

/* A function, with the arguments that it has already. */
typedef struct Closure {
    CallKind kind;
    const AstFunction *function;
    Env env;
    const Builtin *builtin;
    const struct Closure *inner;
    uint32_t wrt;
    const char *wrt_name; /* not NULL: the argument written so, found when it is called */
    const struct Closure *by;
    bool training;     /* CALL_mode */
    const Value *tree; /* a net with these parameters instead of its own */
    uint32_t params;
    const Value
        *bound; /* [params], VALUE_missing where still open; NULL: none is bound */
} Closure;

/*
 * A tensor.  A reduction remembers the axes that it removed: `ghost_rank` is the rank it came
 * from and place[i] the axis there of its dimension i, so that it lines up with a tensor of
 * that rank.  ghost_rank 0: nothing to remember.
 */
typedef struct Tensor {
    Frame *frame;
    Val val;
    uint8_t ghost_rank;
    uint8_t place[MAX_RANK];
} Tensor;

struct Value {
    ValueKind kind;
    int8_t
        place; /* of an int or dim bound by a pattern: axis + 1, or -1 from the end; 0 none */
    union {
        int64_t integer;
        Dim dim;
        double real;
        bool truth;
        const char *text;
        struct {
            int8_t first, count, after; /* axes [first, first + count), `after` follow */
        } rest;
        Values list;
        Record record;
        Tensor tensor;
        const Closure *function;
    };
};

#define value_int(i)    ((Value){.kind = VALUE_int, .integer = (i)})
#define value_real(r)   ((Value){.kind = VALUE_real, .real = (r)})
#define value_bool(b)   ((Value){.kind = VALUE_bool, .truth = (b)})
#define value_string(s) ((Value){.kind = VALUE_string, .text = (s)})
#define value_unknown   ((Value){.kind = VALUE_unknown})
#define value_none      ((Value){.kind = VALUE_none})

static inline bool value_is_static_number(const Value *v) {
    return v->kind == VALUE_int || v->kind == VALUE_real;
}
static inline double value_number(const Value *v) { /* of an int or real */
    return v->kind == VALUE_int ? (double)v->integer : v->real;
}
static inline bool value_is_integer(const Value *v) {
    return v->kind == VALUE_int || v->kind == VALUE_dim;
}

/* value.c */
Value value_from_dim(Dim dim);                                   /* int where constant */
const Value *value_field(const Value *record, const char *name); /* NULL: none */
const char *value_words(Arena *arena, const Dims *dims, const Value *v);

#endif
