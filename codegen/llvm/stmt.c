/* Statements.  Values are in SSA form from the start: the variables that a loop or branch
 * sets are found first and given phis. */
#include "codegen/llvm/emitter.h"

typedef VEC(const Var *) Vars;

static void note_set(Emitter *e, Vars *vars, const Var *var) {
    if (!bindings_get(&e->bound, var)) return; /* starts within */
    for (uint32_t i = 0; i < vars->count; i++)
        if (vars->at[i] == var) return;
    vec_push(e->arena, vars, var);
}

/* Variables bound here that `s` gives new values. */
static void find_sets(Emitter *e, const Stmt *s, Vars *vars) {
    if (!s) return;
    if (s->kind == STMT_SET) note_set(e, vars, s->var);
    for (uint32_t i = 0; s->kind == STMT_BLOCK && i < s->count; i++)
        find_sets(e, s->at[i], vars);
    if (s->kind == STMT_FOR || s->kind == STMT_IF) {
        find_sets(e, s->body, vars);
        find_sets(e, s->other, vars);
    }
}

static Value *current_values(Emitter *e, const Vars *vars) {
    Value *value = arena_array(e->arena, Value, vars->count + 1);
    for (uint32_t i = 0; i < vars->count; i++)
        value[i] = bindings_get(&e->bound, vars->at[i]);
    return value;
}

/* Binds each variable to a phi of what it was at the end of two blocks. */
static void join_values(Emitter *e, const Vars *vars, Value *a, LLVMBasicBlockRef from_a,
                        Value *b, LLVMBasicBlockRef from_b) {
    for (uint32_t i = 0; i < vars->count; i++) {
        if (a[i] == b[i]) continue;
        Value phi = LLVMBuildPhi(e->builder, LLVMTypeOf(a[i]), "");
        LLVMAddIncoming(phi, (Value[]){a[i], b[i]}, (LLVMBasicBlockRef[]){from_a, from_b},
                        2);
        bind(e, vars->at[i], phi);
    }
}

static LLVMBasicBlockRef new_block(Emitter *e) {
    return LLVMAppendBasicBlockInContext(e->context, e->function, "");
}

/* Bodies are separate scopes of evaluation. */
static void enter_block(Emitter *e, LLVMBasicBlockRef block) {
    LLVMPositionBuilderAtEnd(e->builder, block);
    memo_clear(e);
}

typedef struct Loop {
    const Var *var;
    const Stmt *body;
    Vars sets;
} Loop;

static void loop_copies(Emitter *e, const Loop *loop, Value first, int64_t step,
                        uint32_t copies) {
    bool is_constant = LLVMIsAConstantInt(first) != NULL;
    for (uint32_t i = 0; i < copies; i++) {
        if (is_constant)
            bind(e, loop->var,
                 index_const(e, LLVMConstIntGetSExtValue(first) + step * i));
        else
            index_bind_shifted(e, loop->var, first, step * i);
        stmt_emit(e, loop->body);
    }
}

/* The counter and the variables set within start as `outer` and go on as phis. */
static void loop_phis(Emitter *e, const Loop *loop, Value *phi, Value *outer,
                      LLVMBasicBlockRef before) {
    for (uint32_t i = 0; i < loop->sets.count; i++) {
        phi[i] = LLVMBuildPhi(e->builder, LLVMTypeOf(outer[i]), "");
        LLVMAddIncoming(phi[i], &outer[i], &before, 1);
        bind(e, loop->sets.at[i], phi[i]);
    }
}

typedef struct Nest {
    uint32_t depth;  /* loops inside of one another, in the deepest place */
    int64_t longest; /* rounds, where they are known */
} Nest;

static Nest nest_of(const Stmt *s) {
    Nest all = {0};
    if (!s) return all;
    for (uint32_t i = 0; i <= s->count + 1; i++) {
        Nest part = nest_of(i < s->count ? s->at[i] : i == s->count ? s->body : s->other);
        if (part.depth > all.depth) all.depth = part.depth;
        if (part.longest > all.longest) all.longest = part.longest;
    }
    if (s->kind != STMT_FOR) return all;
    all.depth++;
    if (s->begin->kind != EXPR_INT || s->end->kind != EXPR_INT) return all;
    int64_t rounds = (s->end->i - s->begin->i) / s->step;
    if (rounds > all.longest) all.longest = rounds;
    return all;
}

/* Whether what is in a loop makes it one of those that are not worth a closer look. */
static bool is_outer(Nest inside) {
    enum { LONG = 64 };
    return inside.depth >= 3 || (inside.depth == 2 && inside.longest >= LONG);
}

/* The counter's next value.  The freeze hides the step from loop strength reduction, which would
 * take half of the time of code generation to undo what the addresses of index.c are made for;
 * `nsw` keeps the freeze from being folded.  Few loops are worth its time: innermost ones, those
 * around few rounds of others, and with few registers all whose tiles are short. */
static Value step_hidden(const Emitter *e, const Loop *loop, Value counter,
                         int64_t step) {
    bool outer = e->target->registers > 16 && is_outer(nest_of(loop->body));
    Value now = LLVMBuildFreeze(e->builder, counter, ""), by = index_const(e, step);
    return outer ? LLVMBuildNSWAdd(e->builder, now, by, "")
                 : LLVMBuildAdd(e->builder, now, by, "");
}

/* do { copies } while ((i += step * copies) < end), entered only where begin < end; gives
 * the counter's last value. */
static Value loop_rotated(Emitter *e, const Loop *loop, Value begin, Value end,
                          int64_t step, uint32_t copies) {
    LLVMBuilderRef b = e->builder;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), body = new_block(e),
                      after = new_block(e);
    Value *outer = current_values(e, &loop->sets), *phi = current_values(e, &loop->sets);
    Value any = LLVMBuildICmp(b, LLVMIntSLT, begin, end, "");
    bool always = LLVMIsConstant(any);
    if (always)
        LLVMBuildBr(b, body);
    else
        LLVMBuildCondBr(b, any, body, after);
    enter_block(e, body);
    Value counter = LLVMBuildPhi(b, e->i64, "");
    loop_phis(e, loop, phi, outer, before);
    loop_copies(e, loop, counter, step, copies);
    Value next = step_hidden(e, loop, counter, step * copies);
    Value *inner = current_values(e, &loop->sets);
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(b);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, end, ""), body, after);
    LLVMAddIncoming(counter, (Value[]){begin, next}, (LLVMBasicBlockRef[]){before, latch},
                    2);
    for (uint32_t i = 0; i < loop->sets.count; i++)
        LLVMAddIncoming(phi[i], &inner[i], &latch, 1);
    enter_block(e, after);
    if (always) return next;
    Value last = LLVMBuildPhi(b, e->i64, "");
    LLVMAddIncoming(last, (Value[]){begin, next}, (LLVMBasicBlockRef[]){before, latch},
                    2);
    join_values(e, &loop->sets, outer, before, inner, latch);
    return last;
}

/* With constant bounds: `count` iterations, full rounds in a loop and the rest after it.
 */
static void loop_constant(Emitter *e, const Loop *loop, int64_t begin, int64_t count,
                          int64_t step, uint32_t copies) {
    int64_t rounds = count / copies, rest = begin + rounds * copies * step;
    Value first = index_const(e, begin);
    if (rounds == 1) loop_copies(e, loop, first, step, copies);
    if (rounds > 1) loop_rotated(e, loop, first, index_const(e, rest), step, copies);
    loop_copies(e, loop, index_const(e, rest), step, (uint32_t)(count % copies));
}

static void for_emit(Emitter *e, const Stmt *s) {
    Loop loop = {.var = s->var, .body = s->body};
    find_sets(e, s->body, &loop.sets);
    uint32_t copies = s->unroll > 1 ? s->unroll : 1;
    if (s->begin->kind == EXPR_INT && s->end->kind == EXPR_INT) {
        int64_t span = s->end->i - s->begin->i;
        if (span <= 0) return;
        loop_constant(e, &loop, s->begin->i, (span + s->step - 1) / s->step, s->step,
                      copies);
        return;
    }
    Value begin = expr_emit(e, s->begin), end = expr_emit(e, s->end);
    if (copies > 1) {
        Value margin = index_const(e, -s->step * (copies - 1));
        Value full = LLVMBuildAdd(e->builder, end, margin, "");
        begin = loop_rotated(e, &loop, begin, full, s->step, copies);
    }
    loop_rotated(e, &loop, begin, end, s->step, 1);
}

/* The kernel's body for each task of [begin, end). */
void tasks_emit(Emitter *e, const Kernel *k, Value begin, Value end) {
    Loop loop = {.var = k->task, .body = k->body};
    loop_rotated(e, &loop, begin, end, 1, 1);
}

static void if_emit(Emitter *e, const Stmt *s) {
    Vars sets = {0};
    find_sets(e, s, &sets);
    Value condition = expr_emit(e, s->value);
    LLVMBasicBlockRef then = new_block(e), other = new_block(e), after = new_block(e);
    Value *outer = current_values(e, &sets);
    LLVMBuildCondBr(e->builder, condition, then, other);
    enter_block(e, then);
    stmt_emit(e, s->body);
    Value *in_then = current_values(e, &sets);
    LLVMBasicBlockRef then_end = LLVMGetInsertBlock(e->builder);
    LLVMBuildBr(e->builder, after);
    for (uint32_t i = 0; i < sets.count; i++) bind(e, sets.at[i], outer[i]);
    enter_block(e, other);
    if (s->other) stmt_emit(e, s->other);
    Value *in_other = current_values(e, &sets);
    LLVMBasicBlockRef other_end = LLVMGetInsertBlock(e->builder);
    LLVMBuildBr(e->builder, after);
    enter_block(e, after);
    join_values(e, &sets, in_then, then_end, in_other, other_end);
}

/* Stack slots live in the entry block, one per buffer and function. */
static void local_emit(Emitter *e, const Buffer *b) {
    if (bindings_get(&e->bound, b)) return;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder);
    LLVMPositionBuilder(e->builder, e->entry, LLVMGetFirstInstruction(e->entry));
    LLVMTypeRef type = LLVMArrayType2(memory_type(e, b->elem, 1), (uint64_t)b->count);
    Value slot = LLVMBuildAlloca(e->builder, type, "");
    LLVMSetAlignment(slot, 64);
    LLVMPositionBuilderAtEnd(e->builder, here);
    bind(e, b, slot);
}

static void view_emit(Emitter *e, const Stmt *s) {
    alias_view(e, s);
    Value at = element_address(e, s->base, s->index);
    if (s->value) {
        Value at2 = element_address(e, s->base2, s->index2);
        at = LLVMBuildSelect(e->builder, expr_emit(e, s->value), at, at2, "");
    }
    bind(e, s->buffer, at);
}

static void prefetch_emit(Emitter *e, const Stmt *s) {
    LLVMTypeRef i32 = e->elem[ELEM_i32];
    Value at = element_address(e, s->buffer, s->index);
    Value read = LLVMConstInt(i32, 0, false), data = LLVMConstInt(i32, 1, false);
    Value all_levels = LLVMConstInt(i32, 3, false);
    intrinsic(e, "llvm.prefetch", e->pointer, (Value[]){at, read, all_levels, data}, 4);
}

static void set_emit(Emitter *e, const Stmt *s) {
    if (s->var->is_index)
        index_bind(e, s->var, s->value);
    else
        bind(e, s->var, expr_emit(e, s->value));
}

void stmt_emit(Emitter *e, const Stmt *s) {
    memo_clear(e);
    switch (s->kind) {
    case STMT_BLOCK:
        for (uint32_t i = 0; i < s->count; i++) stmt_emit(e, s->at[i]);
        break;
    case STMT_FOR: for_emit(e, s); break;
    case STMT_LET:
    case STMT_SET: set_emit(e, s); break;
    case STMT_STORE: store_emit(e, s); break;
    case STMT_LOCAL: local_emit(e, s->buffer); break;
    case STMT_VIEW: view_emit(e, s); break;
    case STMT_IF: if_emit(e, s); break;
    case STMT_PREFETCH: prefetch_emit(e, s); break;
    }
    memo_clear(e);
}
