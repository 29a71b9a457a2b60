/*
 * Which accesses cannot meet: every argument buffer is an alias scope, and an access says that
 * it stays out of the scopes of all buffers but those that it goes through.
 */
#include "codegen/llvm/emitter.h"

enum { SCOPES_MAX = 64 }; /* buffers beyond have no scope */

static uint64_t roots_of(const Emitter *e, const Buffer *b) {
    if (b->kind == BUFFER_ARG) return b->index < SCOPES_MAX ? (uint64_t)1 << b->index : 0;
    Value mask = bindings_get(&e->alias.roots, b);
    return mask ? LLVMConstIntGetZExtValue(mask) : 0;
}

void alias_begin(Emitter *e, const Kernel *k) {
    AliasScopes *a = &e->alias;
    *a = (AliasScopes){.kernel = k};
    a->in_scopes = LLVMGetMDKindIDInContext(e->context, "alias.scope", 11);
    a->out_of_scopes = LLVMGetMDKindIDInContext(e->context, "noalias", 7);
    LLVMMetadataRef name = LLVMMDStringInContext2(e->context, "kernel", 6);
    LLVMMetadataRef domain = LLVMMDNodeInContext2(e->context, &name, 1);
    a->scope = arena_array(e->arena, LLVMMetadataRef, k->args.count + 1);
    for (uint32_t i = 0; i < k->args.count; i++) {
        const char *text = arena_print(e->arena, "%u", i);
        LLVMMetadataRef pair[] = {LLVMMDStringInContext2(e->context, text, strlen(text)),
                                  domain};
        a->scope[i] = LLVMMDNodeInContext2(e->context, pair, 2);
    }
}

void alias_view(Emitter *e, const Stmt *view) {
    if (bindings_get(&e->alias.roots, view->buffer)) return;
    uint64_t mask =
        roots_of(e, view->base) | (view->value ? roots_of(e, view->base2) : 0);
    bindings_set(e->arena, &e->alias.roots, view->buffer, index_const(e, (int64_t)mask));
}

/* The scopes in `mask` as one node. */
static Value scope_list(Emitter *e, uint64_t mask) {
    const AliasScopes *a = &e->alias;
    LLVMMetadataRef list[SCOPES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < SCOPES_MAX && i < a->kernel->args.count; i++)
        if (mask >> i & 1) list[count++] = a->scope[i];
    return LLVMMetadataAsValue(e->context, LLVMMDNodeInContext2(e->context, list, count));
}

/* Buffers that may overlap others may overlap only each other. */
static uint64_t others_of(const Kernel *k, uint64_t mask) {
    uint64_t shared = 0, all = 0;
    for (uint32_t i = 0; i < SCOPES_MAX && i < k->args.count; i++) {
        all |= (uint64_t)1 << i;
        if (k->args.at[i]->may_alias) shared |= (uint64_t)1 << i;
    }
    return all & ~mask & ~(mask & shared ? shared : 0);
}

void alias_mark(Emitter *e, const Buffer *b, Value access) {
    AliasScopes *a = &e->alias;
    uint64_t mask = roots_of(e, b);
    if (!mask) return;
    Value in = bindings_get(&a->in, b);
    if (!in) {
        in = scope_list(e, mask);
        bindings_set(e->arena, &a->in, b, in);
        bindings_set(e->arena, &a->out, b, scope_list(e, others_of(a->kernel, mask)));
    }
    LLVMSetMetadata(access, a->in_scopes, in);
    LLVMSetMetadata(access, a->out_of_scopes, bindings_get(&a->out, b));
}
