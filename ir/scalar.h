/* The value of a row of scalar.def on numbers of one element type, as kernels compute it:
 * integers wrap, f32 is rounded after every operation.  Numbers travel as doubles, which
 * hold every element type exactly. */
#ifndef TN_IR_SCALAR_H
#define TN_IR_SCALAR_H

#include "ir/graph.h"

typedef enum ScalarClass {
    SCALAR_NONE, /* the op is no row of scalar.def */
    SCALAR_F,    /* floats -> same float */
    SCALAR_N,    /* any number -> same */
    SCALAR_C,    /* numbers or bools -> bool */
    SCALAR_B,    /* bools -> bool */
} ScalarClass;

typedef struct ScalarInfo {
    const char *name;
    ScalarClass class;
    int args;
} ScalarInfo;
ScalarInfo scalar_info(Op op); /* all zero where the op is no row */

/* add, mul, min, max, eq, ne, and, or: the operands may change places. */
static inline bool op_commutes(Op op) {
    return op == OP_add || op == OP_mul || op == OP_min || op == OP_max || op == OP_eq ||
           op == OP_ne || op == OP_and || op == OP_or;
}

/* Operands of type `elem`.  Integer division by zero gives zero. */
double scalar_value(Op op, Elem elem, double a, double b);
/* The number of type `elem` that `x` becomes by a cast: floats round; integers truncate
 * towards zero, then wrap; bool is x != 0. */
double scalar_cast(Elem elem, double x);

#endif
