/* Makes a failing program small, one accepted change after the other. */
#include "tests/random/check.h"
#include "ir/build.h"

/* One change: a result dropped, or a value replaced. */
typedef struct Change {
    uint32_t without; /* result that goes; NO_VAL: none */
    Val value; /* NO_VAL: none; becomes `other`, or a parameter where that is NO_VAL */
    Val other;
} Change;

typedef struct Shrinker {
    Arena *arena;
    const RandomCase *old;
    Module *module; /* a copy to work on */
    Func *from, *to;
    bool *live; /* by value of `from` */
    Val *map;
    VEC(Array) args;
    VEC(double) tolerance;
} Shrinker;

static void open_case(Shrinker *s) {
    Diag *diag = arena_new(s->arena, Diag);
    diag_init(diag, s->arena);
    const char *text = s->old->text;
    s->module =
        graph_parse(s->arena, diag, diag_source(diag, "program", text, strlen(text)));
    if (!s->module) bug(s->arena, "%s", diag->messages.at[0].text);
    s->from = module_find(s->module, "main");
}

static bool stays(const Change *change, uint32_t result) {
    return result != change->without;
}

/* From the results down; a value that becomes a parameter needs no operands. */
static void mark_live(Shrinker *s, const Change *change) {
    uint32_t count = s->from->nodes.count;
    s->live = arena_array(s->arena, bool, count);
    for (uint32_t i = 0; i < s->from->results.count; i++)
        if (stays(change, i)) s->live[s->from->results.at[i]] = true;
    for (Val v = count; v-- > 0;) {
        const Node *node = graph_node(s->from, v);
        if (!s->live[v]) continue;
        if (v == change->value) {
            if (change->other != NO_VAL) s->live[change->other] = true;
            continue;
        }
        for (uint32_t i = 0; i < node->args; i++) s->live[node->arg[i]] = true;
    }
}

/* What the evaluator makes of one value. */
static Array value_of(Shrinker *s, Val v) {
    Func alone = *s->from;
    int64_t symbols[4] = {s->old->n};
    Array result;
    alone.nodes.count = v + 1; /* a grad, which the evaluator does not know, comes last */
    memset(&alone.results, 0, sizeof alone.results);
    vec_push(s->arena, &alone.results, v);
    eval_func(&alone, s->old->args, symbols, s->arena, &result);
    if (result.elem == ELEM_f32)
        for (int64_t i = 0; i < array_count(&result); i++)
            result.at[i] = (float)result.at[i];
    return result;
}

static void copy_params(Shrinker *s, const Change *change) {
    const Func *from = s->from;
    for (Val v = 0; v < from->params.count; v++) {
        if (!s->live[v] || v == change->value) continue;
        const Port *port = &from->params.at[v];
        s->map[v] = func_param(s->to, port->name, port->role, port->type, (Span){0});
        vec_push(s->arena, &s->args, s->old->args[v]);
    }
    if (change->value == NO_VAL || change->other != NO_VAL || !s->live[change->value])
        return;
    const char *name = arena_print(s->arena, "v%u", change->value);
    Type type = *graph_type(from, change->value);
    s->map[change->value] = func_param(s->to, name, ROLE_INPUT, type, (Span){0});
    vec_push(s->arena, &s->args, value_of(s, change->value));
}

static void copy_nodes(Shrinker *s, const Change *change) {
    const Func *from = s->from;
    for (Val v = from->params.count; v < from->nodes.count; v++) {
        const Node *node = graph_node(from, v);
        if (!s->live[v]) continue;
        if (v == change->value) {
            if (change->other != NO_VAL) s->map[v] = s->map[change->other];
            continue;
        }
        Val *arg = arena_array(s->arena, Val, node->args);
        for (uint32_t i = 0; i < node->args; i++) arg[i] = s->map[node->arg[i]];
        s->map[v] = graph_emit_like(s->to, node, arg);
    }
    for (uint32_t i = 0; i < from->results.count; i++) {
        if (!stays(change, i)) continue;
        func_result(s->to, from->outputs.at[i].name, from->outputs.at[i].role,
                    s->map[from->results.at[i]], -1);
        vec_push(s->arena, &s->tolerance, s->old->tolerance[i]);
    }
}

/* The entry goes; so do bodies that nobody repeats any more. */
static void drop_old(Shrinker *s) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->module->funcs.count; i++) {
        Func *func = s->module->funcs.at[i];
        bool used = func == s->to;
        for (Val v = 0; v < s->to->nodes.count; v++) {
            const Attr *body = node_attr(graph_node(s->to, v), ATTR_body);
            if (body && body->func == func) used = true;
        }
        if (used) s->module->funcs.at[kept++] = func;
    }
    s->module->funcs.count = kept;
    s->to->name = "main";
}

static RandomCase changed(Arena *arena, const RandomCase *old, const Change *change) {
    Shrinker s = {.arena = arena, .old = old};
    open_case(&s);
    mark_live(&s, change);
    s.to = module_func(s.module, "smaller", FUNC_ENTRY);
    s.map = arena_array(arena, Val, s.from->nodes.count);
    copy_params(&s, change);
    copy_nodes(&s, change);
    drop_old(&s);
    Text text;
    text_init(&text, arena);
    graph_print(s.module, &text);
    return (RandomCase){text.at,   s.args.count,   s.to->results.count,
                        s.args.at, s.tolerance.at, old->n};
}

typedef struct Search {
    Arena *arena;
    RandomCase best;
    bool (*fails)(void *context, const RandomCase *program);
    void *context;
} Search;

static bool try_change(Search *search, Change change) {
    RandomCase smaller = changed(search->arena, &search->best, &change);
    if (!search->fails(search->context, &smaller)) return false;
    search->best = smaller;
    return true;
}

static bool drop_results(Search *search) {
    bool any = false;
    for (uint32_t i = search->best.results; i-- > 0;)
        if (search->best.results > 1)
            any |= try_change(search, (Change){i, NO_VAL, NO_VAL});
    return any;
}

/* Later values first: a parameter in place of a late one cuts the most. */
static bool replace_values(Search *search) {
    bool any = false;
    Shrinker s = {.arena = search->arena, .old = &search->best};
    open_case(&s);
    const Func *func = s.from;
    for (Val v = func->nodes.count; v-- > func->params.count;) {
        const Node *node = graph_node(func, v);
        if (node->type.parts || node->op == OP_const || node->op == OP_grad) continue;
        Change change = {NO_VAL, v, NO_VAL};
        for (uint32_t i = 0; i < node->args && change.other == NO_VAL; i++)
            if (type_equal(graph_type(func, node->arg[i]), &node->type))
                change.other = node->arg[i];
        bool smaller = change.other != NO_VAL && try_change(search, change);
        change.other = NO_VAL;
        if (!smaller) smaller = try_change(search, change);
        if (!smaller) continue;
        /* Numbers of values have changed. */
        any = true;
        s.old = &search->best;
        open_case(&s);
        func = s.from;
        if (v > func->nodes.count) v = func->nodes.count;
    }
    return any;
}

static uint32_t lines_of(const char *text) {
    uint32_t lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

RandomCase random_shrink(Arena *arena, const RandomCase *program,
                         bool (*fails)(void *context, const RandomCase *program),
                         void *context) {
    Search search = {arena, *program, fails, context};
    for (;;) {
        uint32_t lines = lines_of(search.best.text);
        drop_results(&search);
        replace_values(&search);
        if (lines_of(search.best.text) >= lines) return search.best;
    }
}
