/* The evaluator: runs a function node by node; sources, elementwise ops and control. */
#include "ir/eval_rules.h"
#include "ir/scalar.h"
#include "runtime/philox.h"

int64_t array_count(const Array *array) {
    int64_t count = 1;
    for (uint32_t i = 0; i < array->rank; i++) count *= array->dim[i];
    return count;
}

Array array_new(Arena *arena, Elem elem, uint32_t rank, const int64_t *dim) {
    Array array = {.elem = elem, .rank = rank};
    for (uint32_t i = 0; i < rank; i++) array.dim[i] = dim[i];
    array.at = arena_array(arena, double, array_count(&array));
    return array;
}

int64_t array_index(const Array *array, const int64_t *at) {
    int64_t index = 0;
    for (uint32_t i = 0; i < array->rank; i++) index = index * array->dim[i] + at[i];
    return index;
}

bool place_next(Place *place) {
    for (uint32_t i = place->rank; i--;) {
        if (++place->at[i] < place->dim[i]) return true;
        place->at[i] = 0;
    }
    return false;
}

/* Precision is the evaluator's: f32 is not rounded. */
double hold(Elem elem, double x) {
    return elem_is_float(elem) ? x : scalar_cast(elem, x);
}

void eval_const(const Case *c) {
    const Attr *values = node_attr(c->node, ATTR_values);
    int64_t count = array_count(c->out);
    for (int64_t i = 0; i < count; i++)
        c->out->at[i] = hold(c->out->elem, values->reals[values->count > 1 ? i : 0]);
}

void eval_iota(const Case *c) {
    int64_t axis = node_int(c->node, ATTR_axis, 0), i = 0;
    Place place = {c->out->rank, c->out->dim, {0}};
    do c->out->at[i++] = hold(c->out->elem, (double)place.at[axis]);
    while (place_next(&place));
}

void eval_random(const Case *c) {
    uint32_t site = (uint32_t)node_int(c->node, ATTR_site, 0), word[4];
    uint32_t input[3]; /* seed, step, iteration */
    int64_t count = array_count(c->out);
    for (int i = 0; i < 3; i++) input[i] = (uint32_t)(int32_t)c->arg[i]->at[0];
    for (int64_t i = 0; i < count; i++) {
        const uint32_t counter[4] = {(uint32_t)(i / 4), input[2], input[1], site};
        if (i % 4 == 0) philox(counter, (uint32_t[]){input[0], 0}, word);
        c->out->at[i] = (double)(word[i % 4] >> 8) * 0x1p-24;
    }
}

void eval_select(const Case *c) {
    int64_t count = array_count(c->out);
    for (int64_t i = 0; i < count; i++)
        c->out->at[i] = c->arg[c->arg[0]->at[i] != 0 ? 1 : 2]->at[i];
}

void eval_cast(const Case *c) {
    int64_t count = array_count(c->out);
    for (int64_t i = 0; i < count; i++)
        c->out->at[i] = hold(c->out->elem, c->arg[0]->at[i]);
}

/* Copies, reshapes: the same elements in the same order. */
void eval_same(const Case *c) {
    memcpy(c->out->at, c->arg[0]->at, sizeof(double) * (size_t)array_count(c->out));
}

void eval_scalar(const Case *c) {
    const Array *a = c->arg[0], *b = c->arg[c->node->args - 1];
    Elem elem = elem_is_float(a->elem) ? ELEM_f64 : a->elem;
    int64_t count = array_count(c->out);
    for (int64_t i = 0; i < count; i++)
        c->out->at[i] = scalar_value(c->node->op, elem, a->at[i], b->at[i]);
}

/* By op.  Control is run by eval_node. */
static EvalRule *const rules[OP_COUNT] = {
    [OP_const] = eval_const,
    [OP_iota] = eval_iota,
    [OP_random] = eval_random,
    [OP_select] = eval_select,
    [OP_cast] = eval_cast,
    [OP_copy] = eval_same,
    [OP_stop] = eval_same,
    [OP_broadcast] = eval_broadcast,
    [OP_reshape] = eval_same,
    [OP_transpose] = eval_transpose,
    [OP_slice] = eval_slice,
    [OP_pad] = eval_pad,
    [OP_concat] = eval_concat,
    [OP_windows] = eval_windows,
    [OP_fold] = eval_fold,
    [OP_gather] = eval_gather,
    [OP_scatter_add] = eval_scatter_add,
    [OP_read_at] = eval_read_at,
    [OP_write_at] = eval_write_at,
    [OP_sum] = eval_sum,
    [OP_reduce_max] = eval_extremum,
    [OP_reduce_min] = eval_extremum,
    [OP_argmax] = eval_argmax,
    [OP_contract] = eval_contract,
#define SCALAR(name, ...) [OP_##name] = eval_scalar,
#include "ir/scalar.def"
#undef SCALAR
};

/* The arrays of one value: a tensor is one, a tuple has one a part. */
typedef struct Machine {
    const Func *func;
    const int64_t *symbols;
    const EvalWatch *watch; /* NULL: nobody looks on */
    Guard *outer;           /* where a failure goes on to */
    Guard guard;
    Arena owner;   /* of this record, which must outlive a jump */
    Arena scratch; /* of small values */
    Array **value; /* [nodes] */
    Arena *own;    /* [nodes] of large values, freed after their last use */
    Val *last;     /* [nodes] who uses it last; NO_VAL: a result */
} Machine;

static Array new_array(Arena *arena, const Func *func, const Type *type,
                       const int64_t *symbols) {
    int64_t dim[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++)
        dim[i] = dim_value(&func->module->dims, type->dim[i], symbols);
    return array_new(arena, type->elem, type->rank, dim);
}

static int64_t value_bytes(const Machine *m, const Type *type) {
    int64_t bytes = 0;
    for (uint32_t i = 0; i < (type->parts ? type->parts : 1); i++) {
        const Type *part = type->parts ? &type->part[i] : type;
        int64_t count = 1;
        for (uint32_t d = 0; d < part->rank; d++)
            count *= dim_value(&m->func->module->dims, part->dim[d], m->symbols);
        bytes += count * (int64_t)sizeof(double);
    }
    return bytes;
}

/* A large value has an arena of its own. */
#define LARGE_BYTES (32 << 10)

static Arena *home_of(Machine *m, Val v) {
    Arena *own = &m->own[v];
    if (value_bytes(m, graph_type(m->func, v)) < LARGE_BYTES) return &m->scratch;
    if (!own->guard) arena_init(own, &m->guard);
    return own;
}

static Array *new_values(Machine *m, Val v) {
    const Type *type = graph_type(m->func, v);
    Arena *home = home_of(m, v);
    uint32_t parts = type->parts ? type->parts : 1;
    Array *arrays = arena_array(&m->scratch, Array, parts);
    for (uint32_t i = 0; i < parts; i++)
        arrays[i] =
            new_array(home, m->func, type->parts ? &type->part[i] : type, m->symbols);
    return arrays;
}

static void run(const Func *func, const Array *args, const int64_t *symbols,
                const EvalWatch *watch, int64_t iteration, Guard *guard, Array *results);

/* Carried values alternate between two sets of arrays. */
static void run_repeat(Machine *m, Val v, Array *out) {
    const Node *node = graph_node(m->func, v);
    const Func *body = node_attr(node, ATTR_body)->func;
    int64_t count = node_int(node, ATTR_count, 0),
            carries = node_int(node, ATTR_carries, 0),
            going = node_int(node, ATTR_while, -1);
    Array *args = arena_array(&m->scratch, Array, node->args + 1);
    Array *spare = new_values(m, v);
    args[0] = array_new(&m->scratch, ELEM_i32, 0, NULL);
    for (uint32_t i = 0; i < node->args; i++) {
        args[i + 1] = *m->value[node->arg[i]];
        if (i >= carries) continue;
        memcpy(out[i].at, args[i + 1].at, sizeof(double) * (size_t)array_count(&out[i]));
        args[i + 1] = out[i];
    }
    for (int64_t i = 0; i < count && (going < 0 || out[going].at[0] != 0); i++) {
        args[0].at[0] = (double)i;
        run(body, args, m->symbols, m->watch, i, &m->guard, spare);
        for (int64_t k = 0; k < carries; k++) {
            Array swap = spare[k];
            spare[k] = args[k + 1];
            args[k + 1] = out[k] = swap;
        }
    }
}

static void run_call(Machine *m, const Node *node, Array *out) {
    Array *args = arena_array(&m->scratch, Array, node->args);
    for (uint32_t i = 0; i < node->args; i++) args[i] = *m->value[node->arg[i]];
    run(node_attr(node, ATTR_body)->func, args, m->symbols, m->watch, -1, &m->guard, out);
}

static void run_node(Machine *m, Val v) {
    const Node *node = graph_node(m->func, v);
    if (node->op == OP_get) {
        m->value[v] = m->value[node->arg[0]] + node_int(node, ATTR_index, 0);
        return;
    }
    m->value[v] = new_values(m, v);
    if (node->op == OP_repeat) {
        run_repeat(m, v, m->value[v]);
    } else if (node->op == OP_call || node->op == OP_attack) {
        run_call(m, node, m->value[v]);
    } else if (rules[node->op]) {
        const Array **arg = arena_array(&m->scratch, const Array *, node->args);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = m->value[node->arg[i]];
        Case c = {m->func, node, arg, m->value[v], m->symbols, &m->scratch};
        rules[node->op](&c);
    } else {
        bug(&m->scratch, "%s has no value", op_info[node->op].name);
    }
}

/* The tuple that a part belongs to. */
static Val root_of(const Func *func, Val v) {
    while (graph_node(func, v)->op == OP_get) v = graph_node(func, v)->arg[0];
    return v;
}

/* Only what the results need is run. */
static bool *find_needed(Machine *m) {
    const Func *func = m->func;
    bool *needed = arena_array(&m->scratch, bool, func->nodes.count);
    for (Val v = 0; v < func->nodes.count; v++) m->last[v] = v;
    for (uint32_t i = 0; i < func->results.count; i++) {
        needed[func->results.at[i]] = true;
        m->last[root_of(func, func->results.at[i])] = NO_VAL;
    }
    for (Val v = func->nodes.count; v--;) {
        const Node *node = graph_node(func, v);
        for (uint32_t i = 0; needed[v] && i < node->args; i++) {
            Val root = root_of(func, node->arg[i]);
            needed[node->arg[i]] = true;
            if (m->last[root] == root) m->last[root] = v;
        }
    }
    return needed;
}

static void free_used(Machine *m, Val v) {
    const Node *node = graph_node(m->func, v);
    for (uint32_t i = 0; i < node->args; i++) {
        Val root = root_of(m->func, node->arg[i]);
        if (m->last[root] == v && m->own[root].guard) arena_free(&m->own[root]);
    }
}

static void watch_node(Machine *m, Val v) {
    uint32_t parts = graph_type(m->func, v)->parts;
    if (m->watch) m->watch->node(m->watch->context, v, m->value[v], parts ? parts : 1);
}

static void run_nodes(Machine *m, const Array *args, Array *results) {
    const Func *func = m->func;
    m->last = arena_array(&m->scratch, Val, func->nodes.count);
    m->value = arena_array(&m->scratch, Array *, func->nodes.count);
    bool *needed = find_needed(m);
    for (Val v = 0; v < func->nodes.count; v++) {
        if (v < func->params.count) {
            m->value[v] = (Array *)&args[v];
        } else if (needed[v]) {
            run_node(m, v);
            watch_node(m, v);
            free_used(m, v);
        }
    }
    for (uint32_t i = 0; i < func->results.count; i++)
        memcpy(results[i].at, m->value[func->results.at[i]]->at,
               sizeof(double) * (size_t)array_count(&results[i]));
}

static void machine_free(Machine *m) {
    Arena owner = m->owner;
    for (Val v = 0; v < m->func->nodes.count && m->own; v++)
        if (m->own[v].guard) arena_free(&m->own[v]);
    arena_free(&m->scratch);
    arena_free(&owner);
}

static _Noreturn void raise_further(Machine *m) {
    Guard *outer = m->outer, inner = m->guard;
    machine_free(m);
    guard_raise(outer, inner.status, "%s", inner.message);
}

/* `results` have their shapes already.  The machine owns arenas, so a jump out of it is
 * caught here, and goes on at `guard`. */
static void run(const Func *func, const Array *args, const int64_t *symbols,
                const EvalWatch *watch, int64_t iteration, Guard *guard, Array *results) {
    Arena owner;
    arena_init(&owner, guard);
    Machine *const m = arena_new(&owner, Machine);
    m->own = arena_array(&owner, Arena, func->nodes.count);
    m->owner = owner;
    m->outer = guard;
    m->func = func;
    m->symbols = symbols;
    m->watch = watch;
    arena_init(&m->scratch, &m->guard);
    if (guard_enter(m->guard)) raise_further(m);
    if (watch) watch->enter(watch->context, func, args, iteration);
    run_nodes(m, args, results);
    if (watch) watch->leave(watch->context);
    machine_free(m);
}

void eval_func_watched(const Func *func, const Array *args, const int64_t *symbols,
                       const EvalWatch *watch, Arena *arena, Array *results) {
    for (uint32_t i = 0; i < func->results.count; i++)
        results[i] =
            new_array(arena, func, graph_type(func, func->results.at[i]), symbols);
    run(func, args, symbols, watch, -1, arena->guard, results);
}

void eval_func(const Func *func, const Array *args, const int64_t *symbols, Arena *arena,
               Array *results) {
    eval_func_watched(func, args, symbols, NULL, arena, results);
}
