/* Variables, buffers, kernels and statement lists. */
#include "ir/loop.h"

static void need(Arena *a, bool right, const char *what) {
    if (!right) bug(a, "loop IR: %s", what);
}

Var *var_index(Arena *a, const char *name) {
    Var *var = arena_new(a, Var);
    *var = (Var){.name = name, .is_index = true, .elem = ELEM_i32, .lanes = 1};
    return var;
}

Var *var_new(Arena *a, const char *name, Elem elem, uint32_t lanes, bool mutable) {
    Var *var = arena_new(a, Var);
    *var = (Var){.name = name, .mutable = mutable, .elem = elem, .lanes = lanes};
    return var;
}

static Buffer *buffer_new(Arena *a, BufferKind kind, const char *name, Elem elem) {
    Buffer *b = arena_new(a, Buffer);
    *b = (Buffer){.kind = kind, .name = name, .elem = elem};
    return b;
}

Buffer *buffer_arg(Kernel *kernel, Arena *a, const char *name, Elem elem, bool written) {
    Buffer *b = buffer_new(a, BUFFER_ARG, name, elem);
    b->index = kernel->args.count;
    b->written = written;
    vec_push(a, &kernel->args, b);
    return b;
}

Buffer *buffer_local(Arena *a, const char *name, Elem elem, int64_t count) {
    Buffer *b = buffer_new(a, BUFFER_LOCAL, name, elem);
    need(a, count > 0, "a local buffer of no elements");
    b->count = count;
    b->written = true;
    return b;
}

Buffer *buffer_table(Arena *a, const char *name, Elem elem, const void *data,
                     int64_t count) {
    Buffer *b = buffer_new(a, BUFFER_TABLE, name, elem);
    need(a, count > 0 && elem != ELEM_bool && elem != ELEM_f64,
         "a table of i32, f32 or u8");
    b->count = count;
    b->data = data;
    return b;
}

Buffer *buffer_view(Arena *a, const char *name, Elem elem) {
    return buffer_new(a, BUFFER_VIEW, name, elem);
}

Kernel *kernel_new(Arena *a, const char *name) {
    Kernel *kernel = arena_new(a, Kernel);
    Block empty = block_new(a);
    kernel->name = name;
    kernel->task = var_index(a, "task");
    kernel->n = var_index(a, "N");
    kernel->tasks = expr_int(a, 1);
    kernel->body = block_end(&empty);
    return kernel;
}

Block block_new(Arena *a) {
    return (Block){.arena = a};
}

static Stmt *add(Block *b, StmtKind kind) {
    Stmt *stmt = arena_new(b->arena, Stmt);
    stmt->kind = kind;
    vec_push(b->arena, &b->list, stmt);
    return stmt;
}

const Stmt *block_end(Block *block) {
    Stmt *stmt = arena_new(block->arena, Stmt);
    stmt->kind = STMT_BLOCK;
    stmt->count = block->list.count;
    stmt->at = block->list.at;
    return stmt;
}

void block_add(Block *b, const Stmt *stmt) {
    if (stmt->kind != STMT_BLOCK) {
        vec_push(b->arena, &b->list, stmt);
        return;
    }
    for (uint32_t i = 0; i < stmt->count; i++) block_add(b, stmt->at[i]);
}

/* A name for what needs none: constants and variables that stay as they are. */
static bool is_atom(const Expr *e) {
    return e->kind == EXPR_INT || e->kind == EXPR_NUM ||
           (e->kind == EXPR_VAR && !e->var->mutable);
}

static Var *let(Block *b, const char *name, const Expr *value, bool mutable) {
    Var *var = var_new(b->arena, name, value->elem, value->lanes, mutable);
    var->is_index = value->is_index;
    Stmt *stmt = add(b, STMT_LET);
    stmt->var = var;
    stmt->value = value;
    return var;
}

const Expr *block_let(Block *b, const char *name, const Expr *value) {
    return is_atom(value) ? value : expr_var(b->arena, let(b, name, value, false));
}

const Var *block_mutable(Block *b, const char *name, const Expr *start) {
    return let(b, name, start, true);
}

void block_set(Block *b, const Var *var, const Expr *value) {
    need(b->arena, var->mutable, "an assignment to a constant");
    need(b->arena, var->is_index == value->is_index, "an assignment of another type");
    if (!var->is_index) {
        if (value->lanes == 1) value = expr_splat(b->arena, value, var->lanes);
        need(b->arena, var->elem == value->elem && var->lanes == value->lanes,
             "an assignment of another type");
    }
    Stmt *stmt = add(b, STMT_SET);
    stmt->var = var;
    stmt->value = value;
}

void block_store(Block *b, const Buffer *buffer, const Expr *index, const Expr *value,
                 int64_t stride, const Expr *active) {
    need(b->arena, index->is_index, "a store at other than an index");
    need(b->arena, !value->is_index && value->elem == buffer->elem,
         "a store of another type");
    need(b->arena, !active || active->is_index, "active lanes are counted by an index");
    if (active && active->kind == EXPR_INT) {
        if (active->i <= 0) return;
        if (active->i >= (int64_t)value->lanes) active = NULL;
    }
    Stmt *stmt = add(b, STMT_STORE);
    stmt->buffer = buffer;
    stmt->index = index;
    stmt->value = value;
    stmt->stride = value->lanes == 1 ? 1 : stride;
    stmt->active = active;
}

void block_local(Block *b, const Buffer *buffer) {
    need(b->arena, buffer->kind == BUFFER_LOCAL, "a local statement for another buffer");
    add(b, STMT_LOCAL)->buffer = buffer;
}

void block_view(Block *b, const Buffer *view, const Buffer *base, const Expr *index) {
    block_view_if(b, view, NULL, base, index, NULL, NULL);
}

void block_view_if(Block *b, const Buffer *view, const Expr *condition,
                   const Buffer *base, const Expr *index, const Buffer *base2,
                   const Expr *index2) {
    need(b->arena, view->kind == BUFFER_VIEW, "a view statement for another buffer");
    need(b->arena, view->elem == base->elem && index->is_index, "a view of another type");
    if (condition) {
        need(b->arena, view->elem == base2->elem && index2->is_index,
             "a view of another type");
        need(b->arena,
             condition->elem == ELEM_bool && condition->lanes == 1 &&
                 !condition->is_index,
             "a view by other than one bool");
    }
    if (condition && condition->kind == EXPR_NUM) {
        base = condition->num != 0 ? base : base2;
        index = condition->num != 0 ? index : index2;
        condition = NULL;
    }
    Stmt *stmt = add(b, STMT_VIEW);
    stmt->buffer = view;
    stmt->value = condition;
    stmt->base = base;
    stmt->index = index;
    stmt->base2 = condition ? base2 : NULL;
    stmt->index2 = condition ? index2 : NULL;
}

void block_for(Block *b, const Var *var, const Expr *begin, const Expr *end, int64_t step,
               uint32_t unroll, const Stmt *body) {
    need(b->arena, var->is_index && begin->is_index && end->is_index && step > 0,
         "a loop over other than an index");
    if (begin->kind == EXPR_INT && end->kind == EXPR_INT && begin->i >= end->i) return;
    Stmt *stmt = add(b, STMT_FOR);
    stmt->var = var;
    stmt->begin = begin;
    stmt->end = end;
    stmt->step = step;
    stmt->unroll = unroll;
    stmt->body = body;
}

void block_if(Block *b, const Expr *condition, const Stmt *then, const Stmt *other) {
    need(b->arena,
         !condition->is_index && condition->elem == ELEM_bool && condition->lanes == 1,
         "a condition that is not one bool");
    if (condition->kind == EXPR_NUM) {
        const Stmt *taken = condition->num != 0 ? then : other;
        if (taken) block_add(b, taken);
        return;
    }
    Stmt *stmt = add(b, STMT_IF);
    stmt->value = condition;
    stmt->body = then;
    stmt->other = other;
}

void block_prefetch(Block *b, const Buffer *buffer, const Expr *index) {
    need(b->arena, index->is_index, "a prefetch at other than an index");
    Stmt *stmt = add(b, STMT_PREFETCH);
    stmt->buffer = buffer;
    stmt->index = index;
}
