/*
 * Calls.  Arguments fill parameters by name and by position; the shape patterns of typed
 * parameters bind dimensions.  A call that leaves a required parameter open is a function
 * that awaits the rest: then its positional arguments begin at the second open parameter,
 * for the first is what |> or the caller brings.
 *
 *     pgd(eps = 0.3, step = 0.01, iters = 40)   awaits f, x, y
 *     basic_block(64)                           awaits x; width = 64
 */
#include "frontend/elaborate.h"
#include <inttypes.h>

/* ---- closures ------------------------------------------------------------------------- */

const Closure *closure_of(Elab *e, const AstFunction *function, Env env) {
    Closure *closure = arena_new(e->arena, Closure);
    *closure = (Closure){.kind = CALL_ast, .function = function, .env = env};
    closure->params = function->params;
    return closure;
}

const Closure *closure_builtin(Elab *e, const Builtin *builtin) {
    Closure *closure = arena_new(e->arena, Closure);
    *closure = (Closure){
        .kind = CALL_builtin, .builtin = builtin, .params = builtin_arity(builtin)};
    return closure;
}

/* Name of a parameter, and whether it may be left out. */
static const char *param_info(Elab *e, const Closure *c, uint32_t i, bool *optional) {
    if (c->kind == CALL_builtin) return builtin_param(e->arena, c->builtin, i, optional);
    if (c->inner) return param_info(e, c->inner, i, optional);
    *optional = c->function->param[i].value != NULL;
    return c->function->param[i].name;
}

const char *closure_param(Elab *e, const Closure *closure, uint32_t i) {
    bool optional;
    return param_info(e, closure, i, &optional);
}

const char *closure_name(const Closure *c) {
    if (c->builtin) return c->builtin->name;
    if (c->inner) return closure_name(c->inner);
    return c->function && c->function->name ? c->function->name : "fn";
}

static bool is_open(const Closure *c, const Value *bound, uint32_t i) {
    if (bound[i].kind != VALUE_missing) return false;
    return !c->bound || c->bound[i].kind == VALUE_missing;
}

uint32_t closure_missing(Elab *e, const Closure *c) {
    uint32_t missing = 0;
    for (uint32_t i = 0; i < c->params; i++) {
        bool optional = false;
        param_info(e, c, i, &optional);
        bool given = c->bound && c->bound[i].kind != VALUE_missing;
        missing += !given && !optional;
    }
    return missing;
}

const char *closure_first_missing(Elab *e, const Closure *c) {
    for (uint32_t i = 0; i < c->params; i++) {
        bool optional = false;
        const char *name = param_info(e, c, i, &optional);
        bool given = c->bound && c->bound[i].kind != VALUE_missing;
        if (!given && !optional) return name;
    }
    return NULL;
}

/* ---- binding -------------------------------------------------------------------------- */

typedef struct Given { /* arguments as written */
    uint32_t count;
    const AstArg *at;
    const Value *value;
    bool piped;
    Span span;
    Span *place; /* [params]: where the argument of each stands */
} Given;

static void place_argument(const Given *given, uint32_t i, uint32_t param) {
    if (given->at[i].value) given->place[param] = given->at[i].value->span;
}

static void hint_params(Elab *e, const Closure *c, const char *name) {
    const char **names = arena_array(e->arena, const char *, c->params + 1);
    bool optional;
    for (uint32_t i = 0; i < c->params; i++) names[i] = param_info(e, c, i, &optional);
    const char *near = nearest_word(name, names, c->params);
    if (near) {
        elab_hint(e, "did you mean `%s`?", near);
        return;
    }
    Text text;
    text_init(&text, e->arena);
    for (uint32_t i = 0; i < c->params; i++)
        text_printf(&text, "%s%s", i ? ", " : "", names[i]);
    if (c->params) elab_hint(e, "its parameters are %s", text.at);
}

static bool bind_named(Elab *e, const Closure *c, const Given *given, Value *bound) {
    for (uint32_t i = 0; i < given->count; i++) {
        if (!given->at[i].name) continue;
        bool optional;
        uint32_t k = 0;
        while (k < c->params && strcmp(param_info(e, c, k, &optional), given->at[i].name))
            k++;
        if (k == c->params) {
            elab_error(e, given->at[i].span, "`%s` has no parameter `%s`",
                       closure_name(c), given->at[i].name);
            hint_params(e, c, given->at[i].name);
            return false;
        }
        if (bound[k].kind != VALUE_missing) {
            elab_error(e, given->at[i].span, "`%s` is given twice", given->at[i].name);
            return false;
        }
        bound[k] = given->value[i];
        place_argument(given, i, k);
    }
    return true;
}

/* Positional arguments from open parameter number `skip` on. */
static bool bind_positional(Elab *e, const Closure *c, const Given *given, uint32_t skip,
                            Value *bound) {
    uint32_t k = 0, wanted = 0, found = 0;
    for (uint32_t i = 0; i < c->params; i++) wanted += is_open(c, bound, i);
    for (uint32_t i = 0; i < given->count; i++) found += !given->at[i].name;
    if (found + skip > wanted) {
        elab_error(e, given->span, "`%s` takes %u argument%s by position, found %u",
                   closure_name(c), wanted, wanted == 1 ? "" : "s", found);
        hint_params(e, c, "");
        return false;
    }
    for (; k < c->params && skip; k++) skip -= is_open(c, bound, k);
    for (uint32_t i = 0; i < given->count; i++) {
        if (given->at[i].name) continue;
        while (!is_open(c, bound, k)) k++;
        bound[k] = given->value[i];
        place_argument(given, i, k);
    }
    return true;
}

static const char *first_open(Elab *e, const Closure *c, const Value *bound) {
    for (uint32_t i = 0; i < c->params; i++) {
        bool optional = false;
        const char *name = param_info(e, c, i, &optional);
        if (is_open(c, bound, i) && !optional) return name;
    }
    return NULL;
}

static Value *bound_copy(Elab *e, const Closure *c, const Value *bound) {
    Value *all = arena_array(e->arena, Value, c->params + 1);
    for (uint32_t i = 0; i < c->params; i++)
        all[i] = bound[i].kind == VALUE_missing && c->bound ? c->bound[i] : bound[i];
    return all;
}

static Value partial(Elab *e, const Closure *c, const Value *bound) {
    Closure *closure = arena_copy(e->arena, c, sizeof *c);
    closure->bound = bound_copy(e, c, bound);
    return (Value){.kind = VALUE_function, .function = closure};
}

/* grad(f, wrt = z)(z, y): the parameter that `z` is given for. */
static const Closure *settle_wrt(Elab *e, const Closure *c, const Given *given) {
    Closure *settled = arena_copy(e->arena, c, sizeof *c);
    settled->wrt_name = NULL;
    for (uint32_t i = 0; i < given->count; i++) {
        const Ast *value = given->at[i].value;
        if (!value || value->kind != AST_name || strcmp(value->text, c->wrt_name))
            continue;
        uint32_t before = 0;
        for (uint32_t k = 0; k < i; k++) before += !given->at[k].name;
        for (settled->wrt = 0; settled->wrt < c->params; settled->wrt++)
            if ((!c->bound || c->bound[settled->wrt].kind == VALUE_missing) && !before--)
                return settled;
    }
    elab_error(e, given->span,
               "`wrt = %s` is no parameter of the function, no net, no argument",
               c->wrt_name);
    return NULL;
}

static Value call_given(Elab *e, const Closure *c, Given *given) {
    if (c->wrt_name && !(c = settle_wrt(e, c, given))) return value_unknown;
    given->place = arena_array(e->arena, Span, c->params + 1);
    for (uint32_t i = 0; i < c->params; i++) given->place[i] = given->span;
    Value *bound = arena_array(e->arena, Value, c->params + 1);
    Value *named = arena_array(e->arena, Value, c->params + 1);
    if (!bind_named(e, c, given, named)) return value_unknown;
    memcpy(bound, named, sizeof *bound * c->params);
    if (!bind_positional(e, c, given, 0, bound)) return value_unknown;
    const char *open = first_open(e, c, bound);
    if (!open) {
        e->places = given->place;
        return elab_apply(e, c, bound_copy(e, c, bound), given->span);
    }
    if (given->piped) {
        elab_error(e, given->span, "`%s` also wants `%s`", closure_name(c), open);
        hint_params(e, c, "");
        return value_unknown;
    }
    bool by_position = false;
    for (uint32_t i = 0; i < given->count; i++) by_position |= !given->at[i].name;
    if (by_position && !bind_positional(e, c, given, 1, named)) return value_unknown;
    return partial(e, c, named);
}

/* grad(f, wrt = x): x is a name, not a value. */
static Value argument_value(Elab *e, Env env, const Closure *c, const AstArg *arg) {
    bool is_name = c && c->builtin && arg->name && !strcmp(arg->name, "wrt") &&
                   arg->value->kind == AST_name;
    return is_name ? value_string(arg->value->text) : elab_expression(e, env, arg->value);
}

/* A name that is called means a function: a number or tensor of that name is passed over. */
static Value callee_value(Elab *e, Env env, const Ast *ast) {
    Env inner = env;
    for (; ast->kind == AST_name && inner.top; inner.top = inner.top->next) {
        ValueKind kind = inner.top->value->kind;
        if (strcmp(inner.top->name, ast->text)) continue;
        if (kind == VALUE_function) return *inner.top->value;
        if (kind == VALUE_unknown && !e->checking) return value_unknown;
    }
    if (ast->kind != AST_name) return elab_expression(e, env, ast);
    const Unit *home;
    bool has_function = unit_find(env.unit, ast->text, &home) || builtin_find(ast->text);
    const Value *v = env_find(&env, ast->text);
    if (v && (v->kind == VALUE_unknown || !has_function)) return *v;
    return elab_expression(e, inner, ast);
}

Value elab_call_ast(Elab *e, Env env, const Ast *ast) {
    Value callee = callee_value(e, env, ast->call.callee);
    const Closure *closure = callee.kind == VALUE_function ? callee.function : NULL;
    uint32_t count = ast->call.args.count;
    Value *value = arena_array(e->arena, Value, count + 1);
    for (uint32_t i = 0; i < count; i++)
        value[i] = argument_value(e, env, closure, &ast->call.args.at[i]);
    if (callee.kind == VALUE_unknown) return value_unknown;
    if (!closure) {
        elab_error(e, ast->call.callee->span, "%s is called, but it is no function",
                   elab_words(e, &callee));
        return value_unknown;
    }
    Given given = {count, ast->call.args.at, value, ast->call.piped, ast->span};
    return call_given(e, closure, &given);
}

Value elab_call(Elab *e, const Closure *closure, const Value *arg, uint32_t args,
                Span span) {
    AstArg *at = arena_array(e->arena, AstArg, args + 1);
    Given given = {args, at, arg, true, span};
    return call_given(e, closure, &given);
}

/* ---- running a body ------------------------------------------------------------------- */

/* So that names of dimensions exist although the argument is not known. */
static void bind_unknown_dims(Elab *e, Env *env, const AstType *written) {
    const AstType *ast = unit_type(env->unit, written);
    for (uint32_t i = 0; ast && i < ast->dim.count; i++) {
        const Ast *dim = ast->dim.at[i];
        if (dim->kind == AST_rest) *env = env_bind(e, *env, "...", value_unknown);
        if (dim->kind == AST_name && !env_find(env, dim->text))
            *env = env_bind(e, *env, dim->text, value_unknown);
    }
}

static bool bind_typed(Elab *e, Env *env, const AstParam *param, Value *v,
                       const char *what, Span span) {
    const AstType *type = unit_type(env->unit, param->type);
    if (v->kind == VALUE_unknown || !type) {
        bind_unknown_dims(e, env, param->type);
        return true;
    }
    bool is_scalar = type->dim.count == 0;
    if (value_is_static_number(v) && is_scalar)
        *v = elab_to_tensor(e, *v, type->elem, span);
    if (v->kind == VALUE_tensor) {
        v->tensor.ghost_rank = 0;
        return elab_unify(e, env, param->type, tensor_type(v), what, span);
    }
    elab_error(e, span, "%s wants %s, found %s", what, pattern_text(e, type),
               elab_words(e, v));
    if (v->kind == VALUE_function && closure_first_missing(e, v->function))
        elab_hint(e, "`%s` still awaits `%s`", closure_name(v->function),
                  closure_first_missing(e, v->function));
    return false;
}

static bool bind_params(Elab *e, const Closure *c, Env *env, const Value *all,
                        Span span) {
    const Span *places = e->places;
    e->places = NULL;
    for (uint32_t i = 0; i < c->params; i++) {
        const AstParam *param = &c->function->param[i];
        Value v = all[i];
        if (v.kind == VALUE_missing) v = elab_expression(e, *env, param->value);
        if (param->type) {
            const char *what =
                arena_print(e->arena, "`%s` of `%s`", param->name, closure_name(c));
            Span place = places && all[i].kind != VALUE_missing ? places[i] : span;
            if (!bind_typed(e, env, param, &v, what, place)) return false;
        }
        *env = env_bind(e, *env, param->name, v);
    }
    return true;
}

/* The body's value: the record of what it names, else its last expression. */
Value elab_body(Elab *e, const AstFunction *function, Env env) {
    Results results = {0}, *outer = e->results;
    const AstFunction *body = e->body;
    e->results = &results;
    e->body = function;
    Value v = elab_block(e, env, function->body);
    e->results = outer;
    e->body = body;
    if (results.fields.count)
        return (Value){.kind = VALUE_record,
                       .record = {results.fields.count, results.fields.at}};
    if (v.kind == VALUE_none && function->body->kind == AST_block &&
        function->kind != FUNCTION_optimiser && function->body->list.count) {
        elab_error(e, function->span, "`%s` gives no value",
                   function->name ? function->name : "fn");
        elab_hint(e, "end its body with an expression, or name results: logits = ...");
        return value_unknown;
    }
    return v;
}

static Value check_result(Elab *e, const AstFunction *f, Env env, Value v) {
    if (!f->result || v.kind == VALUE_unknown) return v;
    const char *what =
        arena_print(e->arena, "the result of `%s`", f->name ? f->name : "fn");
    const AstType *type = unit_type(env.unit, f->result);
    if (value_is_static_number(&v) && type && type->dim.count == 0)
        v = elab_to_tensor(e, v, type->elem, f->result->span);
    if (v.kind != VALUE_tensor) {
        elab_error(e, f->result->span, "%s is to be a tensor, found %s", what,
                   elab_words(e, &v));
        return value_unknown;
    }
    return elab_unify(e, &env, f->result, tensor_type(&v), what, f->body->span)
               ? v
               : value_unknown;
}

static Value run_ast(Elab *e, const Closure *c, const Value *all, Span span) {
    const AstFunction *f = c->function;
    if (!f) bug(e->arena, "a call of nothing");
    Env env = c->env;
    if (!f) bug(e->arena, "%s has no text", closure_name(c));
    if (!bind_params(e, c, &env, all, span)) return value_unknown;
    CallSite *site = arena_new(e->arena, CallSite);
    *site = (CallSite){span, f->name, e->calls};
    e->calls = site;
    Instance *instance = e->instance;
    if (f->kind == FUNCTION_loss) e->instance = NULL;
    Value v = f->kind == FUNCTION_net ? elab_net(e, c, env, span) : elab_body(e, f, env);
    e->instance = instance;
    v = check_result(e, f, env, v);
    e->calls = site->next;
    return v;
}

static Value call_in_mode(Elab *e, const Closure *c, const Value *all, Span span) {
    bool training = e->training;
    e->training = c->training;
    Value v = elab_apply(e, c->inner, all, span);
    e->training = training;
    return v;
}

Value elab_apply(Elab *e, const Closure *c, const Value *all, Span span) {
    if (!elab_work(e, span)) return value_unknown;
    if (e->depth >= CALL_DEPTH) {
        elab_error(e, span, "calls nest more than %d deep in `%s`", CALL_DEPTH,
                   closure_name(c));
        elab_hint(e, "a function cannot call itself");
        return value_unknown;
    }
    if (c->function && c->function->kind == FUNCTION_optimiser) return partial(e, c, all);
    e->depth++;
    if (c->kind != CALL_ast) e->places = NULL;
    Value v;
    if (c->kind == CALL_builtin)
        v = c->builtin->call(e, all, span);
    else if (c->kind == CALL_grad)
        v = elab_grad_call(e, c, all, span);
    else if (c->kind == CALL_mode)
        v = call_in_mode(e, c, all, span);
    else
        v = run_ast(e, c, all, span);
    e->depth--;
    return v;
}
