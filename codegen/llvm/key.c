/* Kernels and plans in a canonical byte form, and its hash. */
#include "codegen/llvm/key.h"

/* Numbers of the variables, buffers and expressions seen so far. */
typedef struct Numbers {
    const void **key;
    uint32_t *number;
    uint32_t count, capacity;
} Numbers;

typedef struct Writer {
    Arena *arena;
    uint8_t *at;
    size_t length, capacity;
    Numbers seen;
} Writer;

static void put(Writer *w, const void *bytes, size_t length) {
    if (w->length + length > w->capacity) {
        w->capacity = 2 * (w->length + length) + 1024;
        uint8_t *at = arena_alloc(w->arena, w->capacity);
        if (w->length) memcpy(at, w->at, w->length);
        w->at = at;
    }
    if (length) memcpy(w->at + w->length, bytes, length);
    w->length += length;
}

/* Seven bits a byte, low ones first; the sign in the lowest. */
static void put_int(Writer *w, int64_t i) {
    uint64_t u = (uint64_t)i << 1 ^ (uint64_t)(i >> 63);
    uint8_t bytes[10];
    uint32_t n = 0;
    for (; u > 127; u >>= 7) bytes[n++] = (uint8_t)(u | 128);
    bytes[n++] = (uint8_t)u;
    put(w, bytes, n);
}

static uint32_t find(const Numbers *n, const void *key) {
    uint64_t h = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
    uint32_t i = (uint32_t)(h >> 32) & (n->capacity - 1);
    while (n->key[i] && n->key[i] != key) i = (i + 1) & (n->capacity - 1);
    return i;
}

static void grow(Arena *arena, Numbers *n) {
    Numbers old = *n;
    n->capacity = old.capacity ? 2 * old.capacity : 256;
    n->key = arena_array(arena, const void *, n->capacity);
    n->number = arena_array(arena, uint32_t, n->capacity);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (!old.key[i]) continue;
        uint32_t to = find(n, old.key[i]);
        n->key[to] = old.key[i];
        n->number[to] = old.number[i];
    }
}

/* Writes the object's number; true when it is new and must be described. */
static bool put_number(Writer *w, const void *object) {
    Numbers *n = &w->seen;
    if (4 * (n->count + 1) > 3 * n->capacity) grow(w->arena, n);
    uint32_t i = find(n, object);
    bool is_new = !n->key[i];
    if (is_new) {
        n->key[i] = object;
        n->number[i] = n->count++;
    }
    put_int(w, n->number[i]);
    return is_new;
}

static void put_var(Writer *w, const Var *v) {
    if (!put_number(w, v)) return;
    put_int(w, v->is_index);
    put_int(w, v->elem);
    put_int(w, v->lanes);
}

static void put_buffer(Writer *w, const Buffer *b) {
    put_int(w, b != NULL);
    if (!b || !put_number(w, b)) return;
    put_int(w, b->kind);
    put_int(w, b->elem);
    put_int(w, b->written + 2 * b->may_alias);
    if (b->kind == BUFFER_LOCAL || b->kind == BUFFER_TABLE) put_int(w, b->count);
    if (b->kind == BUFFER_TABLE) put(w, b->data, elem_bytes(b->elem) * (size_t)b->count);
}

static void put_expr(Writer *w, const Expr *x) {
    put_int(w, x ? (int64_t)x->kind : -1);
    if (!x) return;
    if (x->kind == EXPR_VAR) {
        put_var(w, x->var);
        return;
    }
    if (x->args && !put_number(w, x)) return; /* shared: described before */
    put_int(w, x->is_index ? -1 : (int64_t)x->elem);
    put_int(w, x->lanes);
    put_int(w, x->op);
    put_int(w, x->word);
    put_int(w, x->i);
    put(w, &x->num, sizeof x->num);
    put_buffer(w, x->buffer);
    put_int(w, x->args);
    for (uint32_t i = 0; i < x->args; i++) put_expr(w, x->arg[i]);
}

static void put_stmt(Writer *w, const Stmt *s) {
    put_int(w, s ? (int64_t)s->kind : -1);
    if (!s) return;
    put_int(w, s->count);
    for (uint32_t i = 0; i < s->count; i++) put_stmt(w, s->at[i]);
    if (s->var) put_var(w, s->var);
    put_int(w, s->step);
    put_int(w, s->unroll);
    put_int(w, s->stride);
    put_buffer(w, s->buffer);
    put_buffer(w, s->base);
    put_buffer(w, s->base2);
    const Expr *part[] = {s->begin, s->end, s->index, s->value, s->active, s->index2};
    for (uint32_t i = 0; i < sizeof part / sizeof *part; i++) put_expr(w, part[i]);
    put_stmt(w, s->body);
    put_stmt(w, s->other);
}

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

void hash_bytes(const void *bytes, size_t length, uint64_t seed, uint64_t hash[2]) {
    const uint8_t *at = bytes;
    uint64_t a = mix(seed + length), b = mix(a + 1);
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = 0;
        memcpy(&word, at + i, length - i < 8 ? length - i : 8);
        a = mix(a ^ word);
        b = (b + word) * 0x9E3779B97F4A7C15u;
        b ^= b >> 29;
    }
    hash[0] = a;
    hash[1] = mix(b);
}

static Key key_of(const Writer *w) {
    Key key = {.at = w->at, .length = w->length};
    hash_bytes(key.at, key.length, 0, key.hash);
    return key;
}

Key kernel_key(Arena *arena, const Kernel *k) {
    Writer w = {.arena = arena};
    put_int(&w, k->args.count);
    for (uint32_t i = 0; i < k->args.count; i++) put_buffer(&w, k->args.at[i]);
    put_var(&w, k->task);
    if (k->n) put_var(&w, k->n);
    put_stmt(&w, k->body);
    return key_of(&w);
}

static void put_place(Writer *w, const Place *p) {
    put_int(w, p->space);
    put_int(w, p->index);
    put_int(w, p->offset);
    if (p->space != SPACE_CONST || !put_number(w, p->data)) return;
    put_int(w, p->bytes);
    put(w, p->data, (size_t)p->bytes);
}

static void put_step(Writer *w, const PlanStep *s, KernelSymbol *symbol,
                     const void *context) {
    put_int(w, s->kind);
    if (s->kind == STEP_LAUNCH) {
        const char *name = symbol(context, s->kernel);
        put(w, name, strlen(name) + 1);
        put_var(w, s->kernel->n);
        put_expr(w, s->kernel->tasks);
    }
    put_int(w, s->args);
    for (uint32_t i = 0; i < s->args; i++) put_place(w, &s->arg[i]);
    put_int(w, s->bytes_scale);
    put_int(w, s->bytes_offset);
    put_int(w, s->count);
    put_int(w, s->steps);
    for (uint32_t i = 0; i < s->steps; i++) put_step(w, &s->step[i], symbol, context);
}

static void put_roles(Writer *w, const Port *port, uint32_t count) {
    put_int(w, count);
    for (uint32_t i = 0; i < count; i++) put_int(w, port[i].role);
}

Key plan_key(Arena *arena, const Plan *plan, KernelSymbol *symbol, const void *context) {
    Writer w = {.arena = arena};
    put_int(&w, -1); /* no kernel begins so */
    put_roles(&w, plan->entry->params.at, plan->entry->params.count);
    put_roles(&w, plan->entry->outputs.at, plan->entry->outputs.count);
    put_int(&w, plan->has_n ? plan->n_max : -1);
    put_int(&w, plan->work_bytes > 0);
    put_int(&w, plan->state_bytes > 0);
    put_int(&w, plan->steps);
    for (uint32_t i = 0; i < plan->steps; i++)
        put_step(&w, &plan->step[i], symbol, context);
    return key_of(&w);
}
