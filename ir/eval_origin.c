/* Where a NaN or an infinity begins: a function is run with every value looked at, and from a
 * result that is no number the way goes back through operands that are none. */
#include "ir/eval.h"
#include <float.h>
#include <math.h>

typedef struct Frame Frame;
struct Frame {
    Frame *outer;
    const Func *func;
    int64_t iteration;
    ArenaMark mark;
    EvalHealth *health;       /* [nodes] */
    const EvalOrigin **inner; /* [nodes] where it began in a body; NULL: not there */
    const EvalOrigin *found;  /* by the bodies of the node that runs */
};

typedef struct Trace {
    Arena *arena;
    Frame *top;
    EvalOrigin origin;
} Trace;

static EvalHealth health_of(const Array *value, uint32_t parts) {
    EvalHealth h = {.low = INFINITY, .high = -INFINITY};
    for (uint32_t p = 0; p < parts; p++) {
        int64_t count = array_count(&value[p]);
        h.count += count;
        for (int64_t i = 0; i < count; i++) {
            double x = value[p].at[i];
            if (isnan(x))
                h.nans++;
            else if (isinf(x))
                h.infinities++;
            else {
                h.low = fmin(h.low, x);
                h.high = fmax(h.high, x);
            }
        }
    }
    return h;
}

/* As the machine holds it. */
static void round_f32(Array *value, uint32_t parts) {
    for (uint32_t p = 0; p < parts; p++) {
        int64_t count = value[p].elem == ELEM_f32 ? array_count(&value[p]) : 0;
        for (int64_t i = 0; i < count; i++)
            value[p].at[i] = (double)(float)value[p].at[i];
    }
}

static void enter(void *context, const Func *func, const Array *args, int64_t iteration) {
    Trace *t = context;
    ArenaMark mark = arena_mark(t->arena);
    Frame *f = arena_new(t->arena, Frame);
    *f = (Frame){.outer = t->top, .func = func, .iteration = iteration, .mark = mark};
    f->health = arena_array(t->arena, EvalHealth, func->nodes.count);
    f->inner = arena_array(t->arena, const EvalOrigin *, func->nodes.count);
    for (uint32_t i = 0; i < func->params.count; i++)
        f->health[i] = health_of(&args[i], 1);
    t->top = f;
}

static bool is_bad(const EvalHealth *h) {
    return h->nans || h->infinities;
}

static void look(void *context, Val v, Array *value, uint32_t parts) {
    Trace *t = context;
    Frame *f = t->top;
    round_f32(value, parts);
    f->health[v] = health_of(value, parts);
    if (is_bad(&f->health[v])) f->inner[v] = f->found;
    f->found = NULL;
}

/* An infinity that the program wrote down, perhaps moved since. */
static bool is_meant(const Func *func, Val v) {
    const Node *node = graph_node(func, v);
    while (op_info[node->op].class == CLASS_MOVE && node->args)
        node = graph_node(func, node->arg[0]);
    return node->op == OP_const;
}

/* The operand to go on with; NO_VAL: it begins here. */
static Val worse_operand(const Frame *f, Val v, bool nan) {
    const Node *node = graph_node(f->func, v);
    for (uint32_t i = 0; i < node->args; i++) {
        const EvalHealth *h = &f->health[node->arg[i]];
        if (nan ? h->nans : h->infinities && !is_meant(f->func, node->arg[i]))
            return node->arg[i];
    }
    return NO_VAL;
}

static Val go_back(const Frame *f, Val v, bool nan) {
    for (Val next; !f->inner[v] && (next = worse_operand(f, v, nan)) != NO_VAL;) v = next;
    return v;
}

/* NULL: it came in with the arguments. */
static const EvalOrigin *begin_of(Trace *t, const Frame *f, Val bad) {
    Val v = go_back(f, bad, f->health[bad].nans > 0);
    if (f->inner[v]) return f->inner[v];
    if (v < f->func->params.count) return NULL;
    const Node *node = graph_node(f->func, v);
    EvalOrigin *o = arena_new(t->arena, EvalOrigin);
    *o = (EvalOrigin){.func = f->func,
                      .value = v,
                      .iteration = f->iteration,
                      .result = f->health[v],
                      .infinity = NO_VAL};
    for (uint32_t i = 0; i < node->args && i < 4; i++)
        o->operand[o->operands++] = f->health[node->arg[i]];
    Val infinite = worse_operand(f, v, false);
    if (infinite != NO_VAL) infinite = go_back(f, infinite, false);
    if (infinite != NO_VAL && infinite >= f->func->params.count && !f->inner[infinite])
        o->infinity = infinite;
    return o;
}

static void leave(void *context) {
    Trace *t = context;
    Frame *f = t->top, *outer = f->outer;
    const EvalOrigin *found = NULL;
    for (uint32_t i = 0; i < f->func->results.count && !found; i++) {
        Val v = f->func->results.at[i];
        if (is_bad(&f->health[v])) found = begin_of(t, f, v);
    }
    t->top = outer;
    if (!outer && found) t->origin = *found;
    if (!found) arena_release(t->arena, f->mark);
    if (outer && !outer->found) outer->found = found;
}

EvalOrigin eval_origin(const Func *func, const Array *args, const int64_t *symbols,
                       Arena *arena) {
    Trace trace = {.arena = arena};
    const EvalWatch watch = {&trace, enter, look, leave};
    Array *results = arena_array(arena, Array, func->results.count + 1);
    eval_func_watched(func, args, symbols, &watch, arena, results);
    return trace.origin;
}
