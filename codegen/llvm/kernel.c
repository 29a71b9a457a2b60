/* A kernel as two functions: NAME(args, begin, end) unpacks the arguments for an inner
 * one whose pointers are parameters, because only those can be declared not to overlap.
 */
#include "codegen/llvm/emitter.h"

static void parameter_attribute(Emitter *e, Value function, uint32_t param,
                                const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAttributeRef a = LLVMCreateEnumAttribute(e->context, kind, 0);
    LLVMAddAttributeAtIndex(function, param + 1, a);
}

static Value table_global(Emitter *e, const Buffer *b) {
    size_t bytes = elem_bytes(b->elem) * (size_t)b->count;
    Value data = LLVMConstStringInContext2(e->context, b->data, bytes, true);
    Value global = LLVMAddGlobal(e->module, LLVMTypeOf(data), "table");
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    LLVMSetAlignment(global, 64);
    return global;
}

static void bind_table(Emitter *e, const Buffer *b) {
    if (!b || b->kind != BUFFER_TABLE || bindings_get(&e->bound, b)) return;
    bind(e, b, table_global(e, b));
}

static void bind_tables_expr(Emitter *e, const Expr *x) {
    if (!x || x->kind == EXPR_VAR || bindings_get(&e->memo, x)) return;
    bindings_set(e->arena, &e->memo, x, LLVMConstNull(e->pointer)); /* seen */
    bind_table(e, x->buffer);
    for (uint32_t i = 0; i < x->args; i++) bind_tables_expr(e, x->arg[i]);
}

static void bind_tables(Emitter *e, const Stmt *s) {
    if (!s) return;
    const Expr *part[] = {s->begin, s->end, s->index, s->value, s->active, s->index2};
    for (uint32_t i = 0; i < sizeof part / sizeof *part; i++)
        bind_tables_expr(e, part[i]);
    bind_table(e, s->buffer);
    bind_table(e, s->base);
    bind_table(e, s->base2);
    for (uint32_t i = 0; i < s->count; i++) bind_tables(e, s->at[i]);
    bind_tables(e, s->body);
    bind_tables(e, s->other);
}

static LLVMTypeRef inner_type(Emitter *e, const Kernel *k) {
    uint32_t count = k->args.count;
    LLVMTypeRef *params = arena_array(e->arena, LLVMTypeRef, count + 3);
    for (uint32_t i = 0; i < count; i++) params[i] = e->pointer;
    for (uint32_t i = 0; i < 3; i++) params[count + i] = e->i64;
    return LLVMFunctionType(e->nothing, params, count + 3, false);
}

static void bind_parameters(Emitter *e, const Kernel *k, Value f) {
    for (uint32_t i = 0; i < k->args.count; i++) {
        const Buffer *b = k->args.at[i];
        if (!b->may_alias) parameter_attribute(e, f, i, "noalias");
        if (!b->written) parameter_attribute(e, f, i, "readonly");
        parameter_attribute(e, f, i, "nocapture");
        bind(e, b, LLVMGetParam(f, i));
    }
    if (k->n) bind(e, k->n, LLVMGetParam(f, k->args.count));
}

static Value inner_emit(Emitter *e, const Kernel *k, const char *name) {
    Value f = function_begin(e, name, inner_type(e, k));
    LLVMSetLinkage(f, LLVMInternalLinkage);
    bind_parameters(e, k, f);
    bind_tables(e, k->body);
    bindings_clear(&e->memo);
    /* A block that always follows the stack slots' one. */
    LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(e->context, f, "");
    LLVMPositionBuilderAtEnd(e->builder, start);
    uint32_t n = k->args.count;
    tasks_emit(e, k, LLVMGetParam(f, n + 1), LLVMGetParam(f, n + 2));
    LLVMBuildRetVoid(e->builder);
    LLVMPositionBuilderAtEnd(e->builder, e->entry);
    LLVMBuildBr(e->builder, start);
    return f;
}

void kernel_emit(Emitter *e, const Kernel *k, const char *name) {
    Value inner = inner_emit(e, k, "body");
    Value outer = function_begin(e, name, task_type(e));
    uint32_t n = k->args.count;
    Value *args = arena_array(e->arena, Value, n + 3);
    for (uint32_t i = 0; i <= n; i++) {
        Value at = address(e, ELEM_f64, LLVMGetParam(outer, 0), index_const(e, i));
        args[i] = LLVMBuildLoad2(e->builder, i < n ? e->pointer : e->i64, at, "");
    }
    args[n + 1] = LLVMGetParam(outer, 1);
    args[n + 2] = LLVMGetParam(outer, 2);
    LLVMBuildCall2(e->builder, LLVMGlobalGetValueType(inner), inner, args, n + 3, "");
    LLVMBuildRetVoid(e->builder);
}
