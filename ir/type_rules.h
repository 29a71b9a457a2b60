/* Type rules: one function type_<rule> per rule named in ops.def. */
#ifndef TN_IR_TYPE_RULES_H
#define TN_IR_TYPE_RULES_H

#include "ir/graph.h"

/* Fills in *out from the node's operands and attributes.  false: refused, and reported at
 * the node's span. */
typedef bool TypeRule(const Func *func, const Node *node, Type *out);

extern TypeRule type_given, type_const, type_iota, type_random, type_select, type_cast,
    type_same, type_scalar_op, type_broadcast, type_reshape, type_transpose, type_slice,
    type_pad, type_concat, type_windows, type_fold, type_gather, type_scatter_add,
    type_read_at, type_write_at, type_reduce, type_argmax, type_contract, type_grad,
    type_repeat, type_attack, type_call, type_get;

/* The whole check of a node: operands, rule, extents (graph.c). */
bool node_type(const Func *func, const Node *node, Type *out);

/* What the rules share (type_rules.c). */
bool refuse(const Func *func, const Node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* "OP: ..." at the node; always false */
const char *type_words(const Func *func, const Type *type);
const char *dim_words(const Func *func, Dim dim);

/* The attribute, or NULL after a refusal; a list must have `count` entries (ANY: any). */
#define ANY UINT32_MAX
const Attr *need_attr(const Func *func, const Node *node, AttrKey key, uint32_t count);
bool need_int(const Func *func, const Node *node, AttrKey key, int64_t low, int64_t high,
              int64_t *value);
/* Axes in [0, rank), strictly increasing. */
const Attr *need_axes(const Func *func, const Node *node, uint32_t rank);
/* An operand i32[]. */
bool need_index(const Func *func, const Node *node, uint32_t arg);

static inline const Type *arg_type(const Func *func, const Node *node, uint32_t i) {
    return graph_type(func, node->arg[i]);
}
static inline Dims *func_dims(const Func *func) {
    return &func->module->dims;
}

#endif
