/*
 * Before fusing: what the gradient remembers is made small.
 *
 * The mask of a ReLU is taken from its result, which is stored for whoever comes next,
 * instead of from its operand, which then need not be:
 *
 *   %y = max %0, %x     %m = ge %0, %x     ->     %m = le %y, %0
 *
 * The place of a maximum among at most 256 is kept in a byte.
 */
#include "passes/fuse.h"

static bool is_zero(const Func *func, Val v) {
    const Node *node = graph_node(func, v);
    const Attr *values = node_attr(node, ATTR_values);
    return node->op == OP_const && values && values->count == 1 && values->reals[0] == 0;
}

static Val find_relu(const Func *func, Val mask) {
    const Node *node = graph_node(func, mask);
    if (node->op != OP_ge || !is_zero(func, node->arg[0])) return NO_VAL;
    for (Val v = 0; v < mask; v++) {
        const Node *other = graph_node(func, v);
        if (other->op == OP_max && other->arg[1] == node->arg[1] &&
            is_zero(func, other->arg[0]))
            return v;
    }
    return NO_VAL;
}

void fuse_masks(Func *func, Arena *scratch) {
    Rewrite rewrite = rewrite_begin(func, scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        Val relu = find_relu(func, v);
        if (relu == NO_VAL) {
            rewrite_copy(&rewrite, v);
            continue;
        }
        const Node *node = graph_node(func, v);
        Val arg[] = {rewrite.map[relu], rewrite.map[node->arg[0]]};
        rewrite.map[v] = graph_emit(rewrite.to, OP_le, arg, 2, NULL, 0, node->span);
    }
    rewrite_finish(&rewrite);
}

/* Elements from which on bytes are worth two casts. */
#define MANY 16384

static bool is_tap(const Func *func, Val v) {
    const Node *node = graph_node(func, v);
    Dims *dims = &func->module->dims;
    if (node->op != OP_argmax || dim_max(dims, type_count(dims, &node->type)) < MANY)
        return false;
    const Attr *axes = node_attr(node, ATTR_axes);
    const Type *from = graph_type(func, node->arg[0]);
    int64_t places = 1;
    for (uint32_t i = 0; i < axes->count; i++) {
        if (!dim_is_const(from->dim[axes->ints[i]])) return false;
        places *= from->dim[axes->ints[i]];
    }
    return places <= 256;
}

static Val cast_to(Func *func, Val x, Elem elem, Span span) {
    Attr attr = attr_int(ATTR_elem, elem);
    return graph_emit(func, OP_cast, &x, 1, &attr, 1, span);
}

void fuse_taps(Func *func, Arena *scratch) {
    Rewrite rewrite = rewrite_begin(func, scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        Val copy = rewrite_copy(&rewrite, v);
        if (!is_tap(func, v)) continue;
        Span span = graph_node(func, v)->span;
        Val byte = cast_to(rewrite.to, copy, ELEM_u8, span);
        rewrite.map[v] = cast_to(rewrite.to, byte, ELEM_i32, span);
    }
    rewrite_finish(&rewrite);
}
