/*
 * Indices as a value and a constant distance from it.  The copies of an unrolled body then
 * share their addresses and differ by what the load instruction adds for nothing.
 */
#include "codegen/llvm/emitter.h"

typedef struct Parts {
    Value origin; /* NULL: 0 */
    int64_t shift;
} Parts;

static Parts parts_of_value(Value value) {
    if (LLVMIsAConstantInt(value)) return (Parts){NULL, LLVMConstIntGetSExtValue(value)};
    return (Parts){value, 0};
}

static Parts parts_of_variable(Emitter *e, const Expr *x) {
    Value value = expr_emit(e, x), origin = bindings_get(&e->origin, x->var);
    if (!origin) return parts_of_value(value);
    Value shift = LLVMGetOperand(value, 1); /* value is origin + shift */
    return (Parts){origin, LLVMConstIntGetSExtValue(shift)};
}

static Parts parts_sum(Emitter *e, Parts a, Parts b) {
    Value origin = a.origin ? a.origin : b.origin;
    if (a.origin && b.origin) origin = LLVMBuildAdd(e->builder, a.origin, b.origin, "");
    return (Parts){origin, a.shift + b.shift};
}

static Parts parts_product(Emitter *e, Parts a, int64_t factor) {
    if (!factor) return (Parts){NULL, 0};
    if (a.origin && factor != 1)
        a.origin = LLVMBuildMul(e->builder, a.origin, index_const(e, factor), "");
    return (Parts){a.origin, a.shift * factor};
}

static Value value_of(Emitter *e, Parts p) {
    if (!p.origin) return index_const(e, p.shift);
    if (!p.shift) return p.origin;
    return LLVMBuildAdd(e->builder, p.origin, index_const(e, p.shift), "");
}

static Parts parts_of(Emitter *e, const Expr *x) {
    if (x->kind == EXPR_VAR) return parts_of_variable(e, x);
    if (!expr_is_affine(x)) return parts_of_value(expr_emit(e, x));
    Parts a = parts_of(e, x->arg[0]), b = parts_of(e, x->arg[1]);
    if (x->op == OP_add) return parts_sum(e, a, b);
    if (x->op == OP_sub && a.origin && b.origin) {
        Value origin = LLVMBuildSub(e->builder, a.origin, b.origin, "");
        return (Parts){origin, a.shift - b.shift};
    }
    if (x->op == OP_sub) return parts_sum(e, a, parts_product(e, b, -1));
    if (!b.origin) return parts_product(e, a, b.shift);
    if (!a.origin) return parts_product(e, b, a.shift);
    return (Parts){LLVMBuildMul(e->builder, value_of(e, a), value_of(e, b), ""), 0};
}

bool expr_is_affine(const Expr *x) {
    return x->kind == EXPR_SCALAR && x->is_index &&
           (x->op == OP_add || x->op == OP_sub || x->op == OP_mul);
}

Value index_emit(Emitter *e, const Expr *x) {
    return value_of(e, parts_of(e, x));
}

Value element_address(Emitter *e, const Buffer *b, const Expr *index) {
    Value at = bindings_get(&e->bound, b);
    if (!at) bug(e->arena, "buffer %s is used before it is bound", b->name);
    Parts p = parts_of(e, index);
    if (p.origin) at = address(e, b->elem, at, p.origin);
    return p.shift ? address(e, b->elem, at, index_const(e, p.shift)) : at;
}

void index_bind_shifted(Emitter *e, const Var *var, Value origin, int64_t shift) {
    Value value = value_of(e, (Parts){origin, shift});
    bind(e, var, value);
    bool is_sum = shift && !LLVMIsAConstantInt(value);
    if (is_sum) bindings_set(e->arena, &e->origin, var, origin);
}

void index_bind(Emitter *e, const Var *var, const Expr *value) {
    Parts p = parts_of(e, value);
    index_bind_shifted(e, var, p.origin, p.shift);
}
