/* A kernel as a function NAME(args, begin, end): its arguments, then the loop over tasks. */
#include "codegen/llvm/emitter.h"

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

/* Pointer number `index` of the argument array, or n at its end. */
static Value argument(Emitter *e, Value args, uint32_t index, LLVMTypeRef type) {
    Value at = address(e, ELEM_f64, args, index_const(e, index));
    return LLVMBuildLoad2(e->builder, type, at, "");
}

static void bind_arguments(Emitter *e, const Kernel *k, Value args) {
    uint32_t count = k->args.count;
    for (uint32_t i = 0; i < count; i++)
        bind(e, k->args.at[i], argument(e, args, i, e->pointer));
    if (k->n) bind(e, k->n, argument(e, args, count, e->i64));
}

void kernel_emit(Emitter *e, const Kernel *k, const char *name) {
    Value f = function_begin(e, name, task_type(e));
    alias_begin(e, k);
    bind_tables(e, k->body);
    memo_clear(e);
    /* The stack slots' block is left open until all are known. */
    LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(e->context, f, "");
    LLVMPositionBuilderAtEnd(e->builder, start);
    bind_arguments(e, k, LLVMGetParam(f, 0));
    tasks_emit(e, k, LLVMGetParam(f, 1), LLVMGetParam(f, 2));
    LLVMBuildRetVoid(e->builder);
    LLVMPositionBuilderAtEnd(e->builder, e->entry);
    LLVMBuildBr(e->builder, start);
}
