/* Random programs: their parameters, the draw of ops, repeat, results. */
#include "tests/random/program.h"
#include "tests/random/maker.h"
#include <math.h>

#define COUNT_MAX 3000 /* elements of a value */
#define BOUND_MAX 4096.0
#define ERROR_MAX 1e-3 /* relative to 1 + bound */

static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

uint32_t below(Maker *m, uint32_t end) {
    return (uint32_t)((next_random(&m->state) >> 32) * end >> 32);
}

int64_t between(Maker *m, int64_t low, int64_t high) {
    return low + below(m, (uint32_t)(high - low + 1));
}

/* Facts. */

bool is_exact(const Fact *f) {
    return f->bits >= 0 && bound_of(f) * exp2(f->bits) <= 0x1p24;
}

int64_t extent_of(Maker *m, Dim dim) {
    return dim_max(&m->b.func->module->dims, dim);
}

int64_t count_of(Maker *m, const Type *type) {
    int64_t count = 1;
    for (uint32_t i = 0; i < type->rank; i++) count *= extent_of(m, type->dim[i]);
    return count;
}

bool note(Maker *m, Val v, Fact fact) {
    while (m->facts.count <= v) vec_push(m->arena, &m->facts, (Fact){0});
    const Type *type = type_at(m, v);
    double bound = bound_of(&fact);
    if (!is_exact(&fact)) {
        fact.bits = -1;
        fact.error += F32_EPSILON * bound;
    }
    fact.usable = bound <= BOUND_MAX && fact.error <= ERROR_MAX * (1 + bound) &&
                  count_of(m, type) <= COUNT_MAX &&
                  (elem_is_float(type->elem) || is_exact(&fact));
    m->facts.at[v] = fact;
    return fact.usable;
}

Fact hull(const Fact *f, const Fact *g) {
    Fact h = {true, fmin(f->low, g->low), fmax(f->high, g->high),
              fmax(f->error, g->error), -1};
    if (is_exact(f) && is_exact(g)) h.bits = f->bits > g->bits ? f->bits : g->bits;
    return h;
}

Fact scaled(const Fact *f, double terms) {
    Fact sum = *f;
    sum.low = fmin(f->low * terms, f->low);
    sum.high = fmax(f->high * terms, f->high);
    /* Every partial sum rounds. */
    sum.error = f->error * terms + F32_EPSILON * terms * bound_of(&sum);
    if (is_exact(&sum)) sum.error = 0;
    return sum;
}

/* Values. */

static Fact param_fact(Elem elem) {
    switch (elem) {
    case ELEM_bool: return exact(0, 1, 0);
    case ELEM_u8: return exact(0, 255, 0);
    case ELEM_i32: return exact(-4, 8, 0);
    case ELEM_f32:
    case ELEM_f64:
    case ELEM_COUNT: break;
    }
    return exact(-2, 2, 3);
}

static Val any_that(Maker *m, int elem) {
    uint32_t count = m->facts.count;
    for (int tries = 0; tries < 40; tries++) {
        /* Late values twice as often: deep programs rather than wide ones. */
        uint32_t i =
            chance(m, 2) ? below(m, count) : count - 1 - below(m, (count + 3) / 4);
        if (!fact_at(m, i)->usable) continue;
        if (elem < 0 || (int)type_at(m, i)->elem == elem) return i;
    }
    for (uint32_t i = 0; i < count; i++)
        if (fact_at(m, i)->usable && (elem < 0 || (int)type_at(m, i)->elem == elem))
            return i;
    return NO_VAL;
}

Val any_of(Maker *m, Elem elem) {
    return any_that(m, (int)elem);
}
Val any(Maker *m) {
    return any_that(m, -1);
}

Val constant(Maker *m, const Type *like, double value) {
    Val v = build_fill(&m->b, like, value);
    int bits = 0;
    while (ldexp(value, bits) != floor(ldexp(value, bits))) bits++;
    note(m, v, exact(fmin(value, 0), fmax(value, 0), bits));
    return v;
}

/* Dimensions of x as a part of those of `to`, in order. */
static bool fits_in(const Type *x, const Type *to, int64_t axes[MAX_RANK]) {
    uint32_t i = 0;
    for (uint32_t k = 0; k < to->rank && i < x->rank; k++)
        if (to->dim[k] == x->dim[i]) axes[i++] = k;
    return i == x->rank && x->elem == to->elem;
}

static Val existing(Maker *m, const Type *type) {
    int64_t axes[MAX_RANK];
    for (int tries = 0; tries < 12; tries++) {
        Val v = any_of(m, type->elem);
        if (v == NO_VAL) break;
        if (type_equal(type_at(m, v), type)) return v;
        if (!fits_in(type_at(m, v), type, axes) || chance(m, 2)) continue;
        Val wide = build_broadcast(&m->b, v, type, axes);
        note(m, wide, *fact_at(m, v));
        return wide;
    }
    return NO_VAL;
}

Val operand(Maker *m, const Type *type) {
    Val v = existing(m, type);
    if (v != NO_VAL) return v;
    if (!m->nesting && !chance(m, 4)) {
        v = build_fill(&m->b, type, 0);
        note(m, v, param_fact(type->elem));
        vec_push(m->arena, &m->fresh, v);
        return v;
    }
    double value = type->elem == ELEM_f32
                       ? (double)between(m, -12, 12) / 4
                       : (double)between(m, 0, type->elem == ELEM_bool ? 1 : 5);
    return constant(m, type, value);
}

Type random_type(Maker *m, Elem elem, uint32_t rank) {
    Dim dim[MAX_RANK];
    for (uint32_t i = 0; i < rank; i++)
        dim[i] = chance(m, 4) ? between(m, 1, 5) : m->dim[below(m, 3)];
    if (rank && m->symbol && !chance(m, 3)) dim[0] = m->symbol;
    return type_tensor(elem, rank, dim);
}

/* Parameters. */

void random_fill(Array *array, uint64_t seed) {
    Fact fact = param_fact(array->elem);
    double unit = exp2(-fact.bits);
    for (int64_t i = 0; i < array_count(array); i++) {
        uint64_t steps = (uint64_t)((fact.high - fact.low) / unit) + 1;
        array->at[i] = fact.low + unit * (double)((next_random(&seed) >> 16) % steps);
    }
}

static void make_param(Maker *m, const char *name, Type type) {
    while (count_of(m, &type) > COUNT_MAX) type.rank--;
    Val v = func_param(m->b.func, name, ROLE_INPUT, type, (Span){0});
    note(m, v, param_fact(type.elem));
}

static void make_params(Maker *m) {
    static const Elem elems[] = {ELEM_f32, ELEM_f32, ELEM_f32,
                                 ELEM_i32, ELEM_u8,  ELEM_bool};
    int64_t count = between(m, 2, 6);
    for (int64_t i = 0; i < count; i++) {
        Elem elem = i ? elems[below(m, sizeof elems / sizeof *elems)] : ELEM_f32;
        make_param(m, arena_print(m->arena, "p%d", (int)i),
                   random_type(m, elem, below(m, 5)));
    }
}

/* repeat: carry' = tanh(carry / 2 + what the body makes of the invariants). */

static void make_ops(Maker *m, uint32_t count);

static Val body_result(Maker *m, Val carry) {
    const Type type = *type_at(m, carry);
    Val half = build_mul(&m->b, carry, constant(m, &type, 0.5));
    return build_tanh(&m->b, build_add(&m->b, half, operand(m, &type)), NO_VAL);
}

static Func *make_body(Maker *m, Val carry, Val invariant, Fact *inner) {
    const char *name = arena_print(m->arena, "body%u", m->b.func->module->funcs.count);
    Func *body = module_func(m->b.func->module, name, FUNC_BODY);
    Maker sub = *m;
    sub.b.func = body;
    sub.nesting++;
    memset(&sub.facts, 0, sizeof sub.facts);
    Val i = func_param(body, "i", ROLE_INPUT, type_scalar(ELEM_i32), (Span){0});
    note(&sub, i, exact(0, 8, 0));
    Val c = func_param(body, "c", ROLE_INPUT, *type_at(m, carry), (Span){0});
    Fact unusable = *fact_at(m, carry);
    note(&sub, c, unusable);
    sub.facts.at[c].usable = false; /* the error of what is carried stays bounded */
    Val x = func_param(body, "x", ROLE_INPUT, *type_at(m, invariant), (Span){0});
    note(&sub, x, *fact_at(m, invariant));
    make_ops(&sub, 1 + below(&sub, 5));
    *inner = (Fact){true, -1, 1, 0, -1};
    for (uint32_t k = 0; k < sub.facts.count; k++)
        if (sub.facts.at[k].usable)
            inner->error = fmax(inner->error, sub.facts.at[k].error);
    func_result(body, "c", ROLE_OUTPUT, body_result(&sub, c), -1);
    m->state = sub.state;
    m->sites = sub.sites;
    return body;
}

void make_repeat(Maker *m) {
    Val arg[2] = {any_of(m, ELEM_f32), any(m)};
    if (m->nesting || arg[0] == NO_VAL || arg[1] == NO_VAL) return;
    Fact fact, start = *fact_at(m, arg[0]);
    Func *body = make_body(m, arg[0], arg[1], &fact);
    Attr attrs[] = {attr_int(ATTR_count, between(m, 0, 4)), attr_int(ATTR_carries, 1),
                    attr_func(ATTR_body, body)};
    Val tuple = build_op(&m->b, OP_repeat, arg, 2, attrs, 3);
    fact = hull(&fact, &start);
    fact.error = start.error + 2 * fact.error + 8 * F32_EPSILON;
    fact.bits = -1;
    while (m->facts.count <= tuple) vec_push(m->arena, &m->facts, (Fact){0});
    note(m, build_get(&m->b, tuple, 0), fact);
}

/* The draw. */

static const struct {
    void (*make)(Maker *m);
    uint32_t weight;
} makers[] = {
    {make_unary, 8},   {make_binary, 12},     {make_compare, 3}, {make_logic, 2},
    {make_select, 4},  {make_cast, 4},        {make_integer, 3}, {make_broadcast, 3},
    {make_reshape, 5}, {make_transpose, 4},   {make_slice, 4},   {make_pad, 3},
    {make_concat, 3},  {make_windows, 2},     {make_gather, 3},  {make_scatter_add, 2},
    {make_stack, 2},   {make_source, 2},      {make_reduce, 7},  {make_argmax, 1},
    {make_product, 6}, {make_convolution, 4}, {make_repeat, 1},
};

static void make_one(Maker *m) {
    const size_t kinds = sizeof makers / sizeof *makers;
    uint32_t sum = 0, draw;
    for (size_t i = 0; i < kinds; i++) sum += makers[i].weight;
    draw = below(m, sum);
    for (size_t i = 0; i < kinds; i++) {
        if (draw < makers[i].weight) {
            makers[i].make(m);
            return;
        }
        draw -= makers[i].weight;
    }
}

static void make_ops(Maker *m, uint32_t count) {
    for (uint32_t tries = 0, start = m->b.func->nodes.count; tries < 8 * count; tries++) {
        if (m->b.func->nodes.count >= start + count) return;
        make_one(m);
        /* What the op needed on the way is known to `note` or not usable. */
        while (m->facts.count < m->b.func->nodes.count)
            vec_push(m->arena, &m->facts, (Fact){0});
    }
}

/* grad of a sum by what it depends on; its error is only known relative to its size. */
static void make_gradient(Maker *m) {
    Val y = any_of(m, ELEM_f32), x = y;
    if (y == NO_VAL) return;
    for (uint32_t steps = below(m, 6) + 1; steps > 0; steps--) {
        const Node *node = graph_node(m->b.func, x);
        if (!node->args) break;
        Val next = node->arg[below(m, node->args)];
        if (type_at(m, next)->elem == ELEM_f32 && !type_at(m, next)->parts) x = next;
    }
    int64_t axes[MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    uint32_t rank = type_at(m, y)->rank;
    if (x == y || graph_node(m->b.func, x)->op == OP_const) return;
    if (rank) y = build_reduce(&m->b, OP_sum, y, axes, rank);
    Val v = build_op(&m->b, OP_grad, (Val[]){y, x}, 2, NULL, 0);
    while (m->facts.count <= v) vec_push(m->arena, &m->facts, (Fact){0});
    m->facts.at[v] = (Fact){.usable = true, .error = -1, .bits = -1};
}

/* What nobody uses, so that nothing is dead; at most eight. */
static void make_results(Maker *m, RandomProgram *program) {
    Func *func = m->b.func;
    uint32_t count = func->nodes.count, *uses = graph_use_counts(func, m->arena);
    program->tolerance = arena_array(m->arena, double, count + 1);
    for (Val v = count; v-- > 0 && func->results.count < 8;) {
        const Fact *fact = fact_at(m, v);
        bool last = v == 0 && !func->results.count;
        if ((!fact->usable || uses[v] || v < func->params.count) && !last) continue;
        uint32_t i = func->results.count;
        /* The bound is a worst case of first order: twice it is never reached rightly. */
        program->tolerance[i] =
            is_exact(fact) ? 0 : 2 * fact->error + 1e-6 * bound_of(fact);
        func_result(func, arena_print(m->arena, "r%u", i), ROLE_OUTPUT, v, -1);
    }
}

/* Parameters stand first: the function again, with those that the ops asked for. */
static Func *with_fresh_params(Maker *m) {
    const Func *from = m->b.func;
    Module *module = from->module;
    Func *to = module_func(module, "main", FUNC_ENTRY);
    Val *map = arena_array(m->arena, Val, from->nodes.count);
    for (Val v = 0; v < from->nodes.count; v++) map[v] = NO_VAL;
    for (Val v = 0; v < from->params.count; v++) {
        const Port *port = &from->params.at[v];
        map[v] = func_param(to, port->name, port->role, port->type, port->span);
    }
    for (uint32_t i = 0; i < m->fresh.count; i++) {
        const char *name = arena_print(m->arena, "q%u", i);
        Type type = *graph_type(from, m->fresh.at[i]);
        map[m->fresh.at[i]] = func_param(to, name, ROLE_INPUT, type, (Span){0});
    }
    for (Val v = 0; v < from->nodes.count; v++) {
        const Node *node = graph_node(from, v);
        Val *arg = arena_array(m->arena, Val, node->args + 1);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = map[node->arg[i]];
        if (map[v] == NO_VAL) map[v] = graph_emit_like(to, node, arg);
    }
    for (uint32_t i = 0; i < from->results.count; i++)
        func_result(to, from->outputs.at[i].name, ROLE_OUTPUT, map[from->results.at[i]],
                    -1);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (module->funcs.at[i] != from) module->funcs.at[kept++] = module->funcs.at[i];
    module->funcs.count = kept;
    return to;
}

static void make_args(Maker *m, RandomProgram *program) {
    const Func *func = m->b.func;
    program->args = arena_array(m->arena, Array, func->params.count);
    for (uint32_t i = 0; i < func->params.count; i++) {
        const Type *type = &func->params.at[i].type;
        int64_t dim[MAX_RANK];
        for (uint32_t k = 0; k < type->rank; k++)
            dim[k] = dim_value(&func->module->dims, type->dim[k], program->symbols);
        program->args[i] = array_new(m->arena, type->elem, type->rank, dim);
        random_fill(&program->args[i], next_random(&m->state));
    }
}

RandomProgram random_program(Arena *arena, Diag *diag, uint64_t seed) {
    static const int64_t extents[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17};
    RandomProgram program = {.module = module_new(arena, diag)};
    Maker m = {.arena = arena, .state = seed};
    next_random(&m.state);
    program.entry = m.b.func = module_func(program.module, "main", FUNC_ENTRY);
    for (int i = 0; i < 3; i++)
        m.dim[i] = extents[below(&m, sizeof extents / sizeof *extents)];
    if (chance(&m, 4)) {
        m.symbol = dim_symbol(&program.module->dims, "N", 9);
        program.symbols[0] = between(&m, 1, 9);
    }
    make_params(&m);
    make_ops(&m, 2 + below(&m, 24));
    if (chance(&m, 3)) make_gradient(&m);
    make_results(&m, &program);
    program.entry = m.b.func = with_fresh_params(&m);
    make_args(&m, &program);
    return program;
}
