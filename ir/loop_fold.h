/* Index arithmetic of the loop IR, behind expr_scalar. */
#ifndef TN_IR_LOOP_FOLD_H
#define TN_IR_LOOP_FOLD_H

#include "ir/loop.h"

const Expr *loop_fold_index(Arena *a, Op op, const Expr *x, const Expr *y);

#endif
