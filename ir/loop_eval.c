/*
 * The interpreter of kernels: one task after another, every number as a double that its
 * element type holds.  f32 results are rounded after each operation, so they have the
 * bits that the machine computes, but for exp and its like.
 */
#include "ir/loop.h"
#include "runtime/philox.h"
#include <math.h>

#define LANES_MAX 256

/* What a Var or Buffer is at the moment. */
typedef struct Slot {
    const void *key;
    int64_t index;
    double *lane; /* [lanes] */
    char *at;
} Slot;

typedef struct Machine {
    Arena *scratch;
    Slot *slot; /* open addressing; grows at half full */
    uint32_t slots, used;
} Machine;

static uint32_t place_of(const Machine *m, const void *key) {
    uint32_t i = (uint32_t)((uintptr_t)key >> 4) * 2654435761u;
    for (;; i++)
        if (!m->slot[i & (m->slots - 1)].key || m->slot[i & (m->slots - 1)].key == key)
            return i & (m->slots - 1);
}

static void grow(Machine *m) {
    Machine old = *m;
    m->slots = old.slots ? 2 * old.slots : 64;
    m->slot = arena_array(m->scratch, Slot, m->slots);
    for (uint32_t i = 0; i < old.slots; i++)
        if (old.slot[i].key) m->slot[place_of(m, old.slot[i].key)] = old.slot[i];
}

static Slot *slot_of(Machine *m, const void *key) {
    if (2 * m->used >= m->slots) grow(m);
    Slot *slot = &m->slot[place_of(m, key)];
    if (!slot->key) m->used++;
    slot->key = key;
    return slot;
}

static char *pointer_of(Machine *m, const Buffer *b) {
    return b->kind == BUFFER_TABLE ? (char *)(uintptr_t)b->data : slot_of(m, b)->at;
}

static double read(const char *at, Elem elem) {
    switch (elem) {
    case ELEM_bool: return *(const uint8_t *)at != 0;
    case ELEM_u8: return *(const uint8_t *)at;
    case ELEM_i32: return *(const int32_t *)at;
    case ELEM_f32: return *(const float *)at;
    case ELEM_f64: return *(const double *)at;
    case ELEM_COUNT: break;
    }
    return NAN;
}

static void write(char *at, Elem elem, double value) {
    switch (elem) {
    case ELEM_bool:
    case ELEM_u8: *(uint8_t *)at = (uint8_t)value; break;
    case ELEM_i32: *(int32_t *)at = (int32_t)value; break;
    case ELEM_f32: *(float *)at = (float)value; break;
    case ELEM_f64: *(double *)at = value; break;
    case ELEM_COUNT: break;
    }
}

static void eval(Machine *m, const Expr *e, double *out);

static bool eval_bool(Machine *m, const Expr *e) {
    double value = 0;
    eval(m, e, &value);
    return value != 0;
}

static int64_t eval_index(Machine *m, const Expr *e);

static int64_t index_op(Machine *m, const Expr *e) {
    int64_t x = eval_index(m, e->arg[0]), y = eval_index(m, e->arg[1]);
    switch ((int)e->op) {
    case OP_add: return x + y;
    case OP_sub: return x - y;
    case OP_mul: return x * y;
    case OP_min: return x < y ? x : y;
    case OP_max: return x > y ? x : y;
    }
    if (x < 0 || y <= 0)
        bug(m->scratch, "%lld / %lld in a kernel", (long long)x, (long long)y);
    return e->op == OP_div ? x / y : x % y;
}

static int64_t eval_index(Machine *m, const Expr *e) {
    double value = 0;
    switch ((int)e->kind) {
    case EXPR_INT: return e->i;
    case EXPR_VAR: return slot_of(m, e->var)->index;
    case EXPR_SCALAR: return index_op(m, e);
    case EXPR_SELECT: return eval_index(m, e->arg[eval_bool(m, e->arg[0]) ? 1 : 2]);
    case EXPR_INDEX: eval(m, e->arg[0], &value); return (int64_t)value;
    }
    bug(m->scratch, "an index of kind %d", e->kind);
}

static void eval_scalar(Machine *m, const Expr *e, double *out) {
    const Expr *x = e->arg[0];
    double b[LANES_MAX] = {0};
    if (x->is_index) {
        double gap = (double)eval_index(m, x) - (double)eval_index(m, e->arg[1]);
        *out = scalar_value(e->op, ELEM_f64, gap, 0);
        return;
    }
    eval(m, x, out);
    if (e->args > 1) eval(m, e->arg[1], b);
    for (uint32_t i = 0; i < e->lanes; i++)
        out[i] = scalar_value(e->op, x->elem, out[i], b[i]);
}

static void eval_fma(Machine *m, const Expr *e, double *out) {
    double y[LANES_MAX] = {0}, z[LANES_MAX] = {0};
    eval(m, e->arg[0], out);
    eval(m, e->arg[1], y);
    eval(m, e->arg[2], z);
    for (uint32_t i = 0; i < e->lanes; i++)
        out[i] = e->elem == ELEM_f32 ? fmaf((float)out[i], (float)y[i], (float)z[i])
                                     : fma(out[i], y[i], z[i]);
}

/* Both sides are computed, as vector code does: loads on either must be in place. */
static void eval_select(Machine *m, const Expr *e, double *out) {
    double condition[LANES_MAX] = {0}, y[LANES_MAX] = {0};
    eval(m, e->arg[0], condition);
    eval(m, e->arg[1], out);
    eval(m, e->arg[2], y);
    for (uint32_t i = 0; i < e->lanes; i++)
        if (condition[e->arg[0]->lanes > 1 ? i : 0] == 0) out[i] = y[i];
}

static void eval_cast(Machine *m, const Expr *e, double *out) {
    if (e->arg[0]->is_index)
        *out = (double)eval_index(m, e->arg[0]);
    else
        eval(m, e->arg[0], out);
    for (uint32_t i = 0; i < e->lanes; i++) out[i] = scalar_cast(e->elem, out[i]);
}

static void eval_load(Machine *m, const Expr *e, double *out) {
    int64_t index = eval_index(m, e->arg[0]), size = elem_bytes(e->elem);
    int64_t active = e->args > 1 ? eval_index(m, e->arg[1]) : e->lanes;
    const char *base = pointer_of(m, e->buffer);
    for (uint32_t i = 0; i < e->lanes; i++)
        out[i] = i < active ? read(base + (index + i * e->i) * size, e->elem) : 0;
}

static void eval_gather(Machine *m, const Expr *e, double *out) {
    int64_t index = eval_index(m, e->arg[0]), size = elem_bytes(e->elem);
    const char *base = pointer_of(m, e->buffer);
    double offset[LANES_MAX] = {0};
    eval(m, e->arg[1], offset);
    for (uint32_t i = 0; i < e->lanes; i++)
        out[i] = read(base + (index + (int64_t)offset[i]) * size, e->elem);
}

static void eval_reduce(Machine *m, const Expr *e, double *out) {
    double x[LANES_MAX] = {0};
    eval(m, e->arg[0], x);
    for (uint32_t left = e->arg[0]->lanes; left > 1;) {
        uint32_t half = (left + 1) / 2;
        for (uint32_t i = 0; i + half < left; i++)
            x[i] = scalar_value(e->op, e->elem, x[i], x[i + half]);
        left = half;
    }
    *out = *x;
}

static void eval_bits(Machine *m, const Expr *e, double *out) {
    double arg[5][LANES_MAX] = {{0}};
    for (int i = 0; i < 5; i++) eval(m, e->arg[i], arg[i]);
    for (uint32_t i = 0; i < e->lanes; i++) {
        uint32_t counter[4], key[2] = {(uint32_t)(int32_t)arg[4][i], 0}, word[4];
        for (int k = 0; k < 4; k++) counter[k] = (uint32_t)(int32_t)arg[k][i];
        philox(counter, key, word);
        out[i] = (double)(word[e->word] >> 8) * 0x1p-24;
    }
}

static void eval(Machine *m, const Expr *e, double *out) {
    switch (e->kind) {
    case EXPR_NUM:
        for (uint32_t i = 0; i < e->lanes; i++) out[i] = e->num;
        return;
    case EXPR_VAR: memcpy(out, slot_of(m, e->var)->lane, e->lanes * sizeof *out); return;
    case EXPR_SCALAR: eval_scalar(m, e, out); return;
    case EXPR_FMA: eval_fma(m, e, out); return;
    case EXPR_SELECT: eval_select(m, e, out); return;
    case EXPR_CAST: eval_cast(m, e, out); return;
    case EXPR_LOAD: eval_load(m, e, out); return;
    case EXPR_GATHER: eval_gather(m, e, out); return;
    case EXPR_SPLAT:
        eval(m, e->arg[0], out);
        for (uint32_t i = 1; i < e->lanes; i++) out[i] = *out;
        return;
    case EXPR_RAMP: {
        int64_t first = eval_index(m, e->arg[0]);
        for (uint32_t i = 0; i < e->lanes; i++)
            out[i] = scalar_cast(ELEM_i32, (double)(first + i));
        return;
    }
    case EXPR_REDUCE: eval_reduce(m, e, out); return;
    case EXPR_BITS: eval_bits(m, e, out); return;
    case EXPR_INT:
    case EXPR_INDEX: break;
    }
    bug(m->scratch, "an index where a number is wanted");
}

static void run(Machine *m, const Stmt *s);

static void run_for(Machine *m, const Stmt *s) {
    int64_t end = eval_index(m, s->end);
    for (int64_t i = eval_index(m, s->begin); i < end; i += s->step) {
        slot_of(m, s->var)->index = i;
        run(m, s->body);
    }
}

static void run_assignment(Machine *m, const Var *var, const Expr *value) {
    if (var->is_index) {
        int64_t index = eval_index(m, value);
        slot_of(m, var)->index = index;
        return;
    }
    double lane[LANES_MAX];
    eval(m, value, lane);
    Slot *slot = slot_of(m, var);
    if (!slot->lane) slot->lane = arena_array(m->scratch, double, var->lanes);
    memcpy(slot->lane, lane, var->lanes * sizeof *lane);
}

static void run_store(Machine *m, const Stmt *s) {
    double lane[LANES_MAX];
    eval(m, s->value, lane);
    int64_t index = eval_index(m, s->index), size = elem_bytes(s->buffer->elem);
    int64_t active = s->active ? eval_index(m, s->active) : s->value->lanes;
    char *base = pointer_of(m, s->buffer);
    for (uint32_t i = 0; i < s->value->lanes && i < active; i++)
        write(base + (index + i * s->stride) * size, s->buffer->elem, lane[i]);
}

/* All bits set: NaN, so that a place read before it is written shows. */
static void run_local(Machine *m, const Buffer *b) {
    size_t bytes = (size_t)b->count * elem_bytes(b->elem);
    Slot *slot = slot_of(m, b);
    if (!slot->at) slot->at = arena_alloc(m->scratch, bytes);
    memset(slot->at, 0xFF, bytes);
}

static void run_view(Machine *m, const Stmt *s) {
    bool first = !s->value || eval_bool(m, s->value);
    const Buffer *base = first ? s->base : s->base2;
    int64_t index = eval_index(m, first ? s->index : s->index2);
    char *at = pointer_of(m, base) + index * elem_bytes(base->elem);
    slot_of(m, s->buffer)->at = at;
}

static void run(Machine *m, const Stmt *s) {
    switch (s->kind) {
    case STMT_BLOCK:
        for (uint32_t i = 0; i < s->count; i++) run(m, s->at[i]);
        return;
    case STMT_FOR: run_for(m, s); return;
    case STMT_LET:
    case STMT_SET: run_assignment(m, s->var, s->value); return;
    case STMT_STORE: run_store(m, s); return;
    case STMT_LOCAL: run_local(m, s->buffer); return;
    case STMT_VIEW: run_view(m, s); return;
    case STMT_IF:
        if (eval_bool(m, s->value))
            run(m, s->body);
        else if (s->other)
            run(m, s->other);
        return;
    case STMT_PREFETCH: return;
    }
}

void loop_eval(const Kernel *kernel, void *const *args, int64_t n, int64_t begin,
               int64_t end, Arena *scratch) {
    ArenaMark mark = arena_mark(scratch);
    Machine m = {.scratch = scratch};
    slot_of(&m, kernel->n)->index = n;
    for (uint32_t i = 0; i < kernel->args.count; i++)
        slot_of(&m, kernel->args.at[i])->at = args[i];
    for (int64_t task = begin; task < end; task++) {
        slot_of(&m, kernel->task)->index = task;
        run(&m, kernel->body);
    }
    arena_release(scratch, mark);
}

int64_t loop_tasks(const Kernel *kernel, int64_t n, Arena *scratch) {
    ArenaMark mark = arena_mark(scratch);
    Machine m = {.scratch = scratch};
    slot_of(&m, kernel->n)->index = n;
    int64_t tasks = eval_index(&m, kernel->tasks);
    arena_release(scratch, mark);
    return tasks;
}
