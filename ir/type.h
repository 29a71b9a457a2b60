/* Element types, dimensions and shapes.  Dimensions are constants or interned
 * polynomials. */
#ifndef TN_IR_TYPE_H
#define TN_IR_TYPE_H

#include "base/text.h"
#include "base/vec.h"
#include <stdbool.h>

#define MAX_RANK 8

/* ORDER ELEM: promotion goes to the right within floats; see elem_info in type.c. */
typedef enum Elem { ELEM_bool, ELEM_u8, ELEM_i32, ELEM_f32, ELEM_f64, ELEM_COUNT } Elem;

const char *elem_name(Elem elem);
uint32_t elem_bytes(Elem elem);
bool elem_is_float(Elem elem);
bool elem_parse(const char *name, Elem *elem);

/*
 * A dimension.  Values >= 0 are the extent itself.  A negative value -(i + 1) is entry i
 * of the module's table of polynomials over symbols, with floor divisions as atoms, kept
 * in normal form: equal polynomials have equal codes, so == compares dimensions.
 */
typedef int64_t Dim;

typedef struct Symbol {
    const char *name; /* "N" */
    int64_t max; /* largest value at run time; 0: unknown (rigid, for `check` only) */
} Symbol;

/* coefficient * product of atoms; an atom is a symbol or a floor division. */
typedef struct DimTerm {
    int64_t coefficient;
    uint32_t count; /* atoms, sorted; repeated for powers */
    const uint32_t *atoms;
} DimTerm;

typedef struct DimAtom {
    bool is_floor; /* floor(numerator / denominator), else symbol */
    uint32_t symbol;
    uint32_t depth; /* of floors within floors; 0: a symbol */
    Dim numerator, denominator;
} DimAtom;

typedef struct DimPoly {
    uint32_t count; /* terms, sorted by atoms; the constant term first */
    const DimTerm *terms;
} DimPoly;

typedef struct Dims {
    Arena *arena;
    VEC(Symbol) symbols;
    VEC(DimAtom) atoms;
    VEC(DimPoly) polys;
} Dims;

/* Largest extent and element count a tensor may have; beyond it dim_* answer
 * DIM_OVERFLOW. */
#define DIM_LIMIT    ((int64_t)1 << 46)
#define DIM_OVERFLOW INT64_MAX

void dims_init(Dims *dims, Arena *arena);
/* One per name; max 0: of any size.  What is 1 at most is the number 1. */
Dim dim_symbol(Dims *dims, const char *name, int64_t max);
Dim dim_add(Dims *dims, Dim a, Dim b);
Dim dim_sub(Dims *dims, Dim a, Dim b);
Dim dim_mul(Dims *dims, Dim a, Dim b);
Dim dim_floor_div(Dims *dims, Dim a, Dim b); /* exact where it divides evenly */
bool dim_divides(Dims *dims, Dim a, Dim b, Dim *quotient); /* b * quotient == a exactly */
/* Provably d >= least for all symbols in [1, max]; false also where it cannot be shown.
 */
bool dim_at_least(Dims *dims, Dim d, int64_t least);
static inline bool dim_is_const(Dim d) {
    return d >= 0;
}

/* d == scale * symbol + offset for one symbol; false when it has another form.
 * A constant gives scale 0.  The only form that lowering takes. */
bool dim_linear(const Dims *dims, Dim d, uint32_t *symbol, int64_t *scale,
                int64_t *offset);
int64_t dim_value(const Dims *dims, Dim d,
                  const int64_t *symbol_values); /* by symbol number */
int64_t dim_max(const Dims *dims,
                Dim d); /* with every symbol at its max; the planner's size */
void dim_print(const Dims *dims, Dim d, Text *out);

/* A tensor type, or a tuple of them (several results of a call or repeat). */
typedef struct Type {
    Elem elem;
    uint32_t rank;
    Dim dim[MAX_RANK];
    uint32_t parts;          /* > 0: a tuple, and elem, rank, dim mean nothing */
    const struct Type *part; /* [parts] */
} Type;

Type type_tensor(Elem elem, uint32_t rank, const Dim *dim);
Type type_scalar(Elem elem);
bool type_equal(const Type *a, const Type *b);
bool type_same_shape(const Type *a, const Type *b);
Dim type_count(Dims *dims,
               const Type *type); /* elements; DIM_OVERFLOW beyond the limit */
void type_print(const Dims *dims, const Type *type, Text *out); /* f32[N, 28, 28, 1] */

#endif
