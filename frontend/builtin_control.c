/* Functions of functions: grad, nets and their parameters, map, stack. */
#include "frontend/builtin.h"
#include <stdio.h>

static const Closure *want_net(Elab *e, const Value *v, const char *what, Span span) {
    const Closure *net = want_function(e, v, what, span);
    if (!net || (net->function && net->function->kind == FUNCTION_net)) return net;
    elab_error(e, span, "%s is to be a net, found %s", what, elab_words(e, v));
    return NULL;
}

/* ---- grad ----------------------------------------------------------------------------- */

static const Closure *net_named(Elab *e, const char *name) {
    const Unit *home;
    const UnitEntry *entry = unit_find(e->unit, name, &home);
    if (!entry || !entry->function || entry->function->kind != FUNCTION_net) return NULL;
    return closure_of(e, entry->function, (Env){NULL, home});
}

/* A parameter of f, a net, or the argument that the call will have of that name. */
static void find_wrt(Elab *e, const Closure *f, const char *name, Closure *grad) {
    for (uint32_t i = 0; i < f->params; i++)
        if (!strcmp(closure_param(e, f, i), name)) {
            grad->wrt = i;
            return;
        }
    grad->by = net_named(e, name);
    if (!grad->by) grad->wrt_name = name;
}

Value builtin_grad(Elab *e, const Value *arg, Span span) {
    const Closure *f = want_function(e, &arg[0], "the first argument of `grad`", span);
    if (!f || arg[1].kind == VALUE_unknown) return value_unknown;
    Closure *grad = arena_new(e->arena, Closure),
            *inner = arena_copy(e->arena, f, sizeof *f);
    inner->bound = NULL;
    *grad = (Closure){
        .kind = CALL_grad, .inner = inner, .params = f->params, .bound = f->bound};
    if (arg[1].kind == VALUE_missing) {
        while (grad->wrt < f->params && f->bound &&
               f->bound[grad->wrt].kind != VALUE_missing)
            grad->wrt++;
        if (grad->wrt < f->params)
            return (Value){.kind = VALUE_function, .function = grad};
        elab_error(e, span, "`grad` of a function without open parameters");
        return value_unknown;
    }
    if (arg[1].kind == VALUE_function) {
        grad->by = want_net(e, &arg[1], "`wrt`", span);
        if (!grad->by) return value_unknown;
    } else if (arg[1].kind != VALUE_string) {
        elab_error(e, span, "`wrt` is the name of a parameter or of a net, found %s",
                   elab_words(e, &arg[1]));
        return value_unknown;
    } else {
        find_wrt(e, f, arg[1].text, grad);
    }
    return (Value){.kind = VALUE_function, .function = grad};
}

/* ---- parameters ------------------------------------------------------------------------ */

Value builtin_params(Elab *e, const Value *arg, Span span) {
    const Closure *net = want_net(e, &arg[0], "the argument of `params`", span);
    return net ? elab_params(e, net, span) : value_unknown;
}

Value builtin_with(Elab *e, const Value *arg, Span span) {
    const Closure *net = want_net(e, &arg[0], "the first argument of `with`", span);
    if (!net) return value_unknown;
    if (arg[1].kind != VALUE_record && arg[1].kind != VALUE_unknown) {
        elab_error(e, span, "`with` wants a tree of parameters, found %s",
                   elab_words(e, &arg[1]));
        elab_hint(e, "params(net) is one, and map(f, params(net)) another");
        return value_unknown;
    }
    Closure *closure = arena_copy(e->arena, net, sizeof *net);
    closure->tree = arena_copy(e->arena, &arg[1], sizeof arg[1]);
    return (Value){.kind = VALUE_function, .function = closure};
}

/* ---- map ------------------------------------------------------------------------------- */

static Value map_at(Elab *e, const Closure *f, const Value *v, uint32_t count, Span span);

static Value map_record(Elab *e, const Closure *f, const Value *v, uint32_t count,
                        Span span) {
    Field *fields = arena_array(e->arena, Field, v[0].record.count + 1);
    for (uint32_t i = 0; i < v[0].record.count; i++) {
        Value part[3];
        const char *name = v[0].record.at[i].name;
        for (uint32_t k = 0; k < count; k++) {
            const Value *at = v[k].kind == VALUE_record ? value_field(&v[k], name) : NULL;
            if (!at) {
                elab_error(e, span, "`map` over trees of different fields: no `%s` in %s",
                           name, elab_words(e, &v[k]));
                return value_unknown;
            }
            part[k] = *at;
        }
        Value mapped = map_at(e, f, part, count, span);
        fields[i] = (Field){name, arena_copy(e->arena, &mapped, sizeof mapped)};
    }
    return (Value){.kind = VALUE_record, .record = {v[0].record.count, fields}};
}

static Value map_list(Elab *e, const Closure *f, const Value *v, uint32_t count,
                      Span span) {
    Value *at = arena_array(e->arena, Value, v[0].list.count + 1);
    for (uint32_t i = 0; i < v[0].list.count; i++) {
        Value part[3];
        for (uint32_t k = 0; k < count; k++) {
            if (v[k].kind != VALUE_list || v[k].list.count != v[0].list.count) {
                elab_error(e, span, "`map` over lists of different length");
                return value_unknown;
            }
            part[k] = v[k].list.at[i];
        }
        at[i] = map_at(e, f, part, count, span);
    }
    return (Value){.kind = VALUE_list, .list = {v[0].list.count, at}};
}

static Value map_at(Elab *e, const Closure *f, const Value *v, uint32_t count,
                    Span span) {
    for (uint32_t k = 0; k < count; k++)
        if (v[k].kind == VALUE_unknown) return value_unknown;
    if (v[0].kind == VALUE_record) return map_record(e, f, v, count, span);
    if (v[0].kind == VALUE_list) return map_list(e, f, v, count, span);
    return elab_call(e, f, v, count, span);
}

Value builtin_map(Elab *e, const Value *arg, Span span) {
    const Closure *f = want_function(e, &arg[0], "the first argument of `map`", span);
    uint32_t count = 1;
    while (count < 3 && arg[1 + count].kind != VALUE_missing) count++;
    return f ? map_at(e, f, arg + 1, count, span) : value_unknown;
}

/* ---- stack ----------------------------------------------------------------------------- */

/* f(f(f(x))), each with layers of its own; a second parameter of f is the number of the
 * round.  In a net the rounds are layers 0, 1, ... of one layer. */
Value builtin_stack(Elab *e, const Value *arg, Span span) {
    const Closure *f = want_function(e, &arg[2], "the third argument of `stack`", span);
    int64_t n;
    if (!f || !want_int(e, &arg[1], "the count of `stack`", 0, span, &n))
        return value_unknown;
    Instance *outer = e->instance, instance = {.let = "", .of = -1};
    if (outer) {
        instance.model = outer->model;
        instance.tree = outer->tree;
        instance.path = instance_layer(e);
        e->instance = &instance;
    }
    Value v[2] = {arg[0], value_none};
    uint32_t args = closure_missing(e, f) >= 2 ? 2 : 1;
    uint32_t errors = e->diag->errors;
    for (int64_t i = 0; i < n && v[0].kind != VALUE_unknown && errors == e->diag->errors;
         i++) {
        instance.let = arena_print(e->arena, "%d", (int)i);
        v[1] = value_int(i);
        v[0] = elab_call(e, f, v, args, span);
    }
    e->instance = outer;
    return v[0];
}

/* ---- require ---------------------------------------------------------------------------- */

/* Whether the text at `span` is the user's own. */
static bool is_own(const Elab *e, Span span) {
    Span place = elab_span(e, span);
    return place.source == span.source && place.begin == span.begin;
}

/* The call that led here is wrong where the condition is known not to hold; one on tensors
 * is not known. */
Value builtin_require(Elab *e, const Value *arg, Span span) {
    bool holds = true;
    if (arg[0].kind == VALUE_tensor || arg[0].kind == VALUE_unknown) return value_none;
    if (!elab_truth(e, &arg[0], span, &holds)) return value_unknown;
    if (holds) return value_none;
    const CallSite *call = e->calls; /* of the function that requires */
    bool names = call && call->name && is_own(e, call->span);
    const char *in = names ? arena_print(e->arena, "in `%s`: ", call->name) : "";
    const char *message = arg[1].kind == VALUE_string ? arg[1].text : "this cannot be";
    const char *found = arg[2].kind == VALUE_missing ? NULL : elab_words(e, &arg[2]);
    elab_error(e, call ? call->span : span, "%s%s%s%s", in, message,
               found ? ", found " : "", found ? found : "");
    return value_unknown;
}
