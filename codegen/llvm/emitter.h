/* What the emitters of kernels and drivers share: one LLVM module being written. */
#ifndef TN_CODEGEN_LLVM_EMITTER_H
#define TN_CODEGEN_LLVM_EMITTER_H

#include "base/target.h"
#include "ir/loop.h"
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

/* What LLVM may assume beside the target's features: nothing that they do not say.  The name
 * of a processor would let it use all that this one has, and NAME_init refuses one that lacks
 * a feature of the target; so the name chooses costs only. */
#define MACHINE_CPU "x86-64"

typedef LLVMValueRef Value;

/* Pointers to values, open addressing; a key is bound again by overwriting. */
typedef struct Bindings {
    const void **key;
    Value *value;
    uint32_t count, capacity;
} Bindings;

/* alias.c */
typedef struct AliasScopes {
    const Kernel *kernel;
    LLVMMetadataRef *scope; /* of each argument */
    unsigned in_scopes, out_of_scopes;
    Bindings roots;   /* Buffer: the arguments that a view may lead to, a bit each */
    Bindings in, out; /* Buffer: the lists of scopes of its accesses */
} AliasScopes;

/* philox.c: the four words of the random block that was computed last. */
typedef struct RandomBlock {
    const Expr *of; /* NULL: none within the current statement */
    Value word[4];
} RandomBlock;

typedef struct Emitter {
    Arena *arena; /* scratch */
    const Target *target;
    bool has_fma, has_avx512;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMTypeRef elem[ELEM_COUNT]; /* in registers: bool is i1 */
    LLVMTypeRef i8, i16, i64, pointer, nothing;
    Value function;
    LLVMBasicBlockRef entry; /* stack slots go to its start */
    Bindings bound;          /* Var, Buffer: their current value or address */
    Bindings origin; /* Var: an index that it is a constant distance behind, if any */
    Bindings memo;   /* Expr: its value within the current statement */
    RandomBlock random;
    AliasScopes alias;
    Bindings callees; /* Kernel: its function, for a driver */
} Emitter;

/* emitter.c */
void emitter_begin(Emitter *e, Arena *arena, const Target *target, const char *name);
void emitter_end(Emitter *e); /* frees the module and its context */
Value function_begin(Emitter *e, const char *name, LLVMTypeRef type);
void bindings_set(Arena *arena, Bindings *b, const void *key, Value value);
void bind(Emitter *e, const void *key, Value value); /* a new value, of no known origin */
Value bindings_get(const Bindings *b, const void *key); /* NULL: unbound */
void bindings_clear(Bindings *b);
void memo_clear(Emitter *e);
LLVMTypeRef lanes_type(const Emitter *e, Elem elem, uint32_t lanes);
LLVMTypeRef memory_type(const Emitter *e, Elem elem, uint32_t lanes); /* bool is i8 */
Value index_const(const Emitter *e, int64_t i);
Value num_const(const Emitter *e, Elem elem, uint32_t lanes, double num);
Value int_lanes(const Emitter *e, LLVMTypeRef elem, uint32_t lanes, int64_t i);
Value splat(Emitter *e, Value x, uint32_t lanes);
Value intrinsic(Emitter *e, const char *name, LLVMTypeRef overload, Value *args,
                uint32_t count);
Value fma_emit(Emitter *e, Elem elem, uint32_t lanes, Value x, Value y, Value z);
Value address(Emitter *e, Elem elem, Value base, Value index);
LLVMTypeRef task_type(const Emitter *e); /* void (pointer args, i64 begin, i64 end) */

/* kernel.c: adds `void NAME(args, begin, end)`. */
void kernel_emit(Emitter *e, const Kernel *kernel, const char *name);

/* alias.c, expr.c, index.c, memory.c, stmt.c, math.c, philox.c */
Value expr_emit(Emitter *e, const Expr *x);
bool expr_is_affine(const Expr *x); /* a sum, difference or product of indices */
Value index_emit(Emitter *e, const Expr *x);
/* buffer[index]: constant distances are added last, where the instruction has them. */
Value element_address(Emitter *e, const Buffer *b, const Expr *index);
void index_bind(Emitter *e, const Var *var, const Expr *value);
void index_bind_shifted(Emitter *e, const Var *var, Value origin, int64_t shift);
void alias_begin(Emitter *e, const Kernel *kernel);
void alias_view(Emitter *e, const Stmt *view);
void alias_mark(Emitter *e, const Buffer *b, Value access);
Value load_emit(Emitter *e, const Expr *x);
Value gather_emit(Emitter *e, const Expr *x);
void store_emit(Emitter *e, const Stmt *s);
void stmt_emit(Emitter *e, const Stmt *s);
Value math_emit(Emitter *e, Op op, Elem elem, uint32_t lanes, Value x, Value y);
Value philox_emit(Emitter *e, const Expr *x);
void tasks_emit(Emitter *e, const Kernel *kernel, Value begin, Value end);

#endif
