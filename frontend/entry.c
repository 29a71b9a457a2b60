/* One entry from one run of the elaborator: its ports in order, then its nodes. */
#include "frontend/load.h"

Elab entry_elab(Loaded *l, Module *module) {
    return (Elab){.arena = l->arena,
                  .diag = l->diag,
                  .module = module,
                  .unit = l->unit,
                  .prelude_sources = l->prelude_sources,
                  .bodies = l->bodies};
}

Run *run_new(Elab *e, Models *models) {
    Run *run = arena_new(e->arena, Run);
    *run = (Run){.models = models, .root = frame_new(e, NULL)};
    e->run = run;
    e->frame = run->root;
    return run;
}

/* State before inputs, as a caller of the entry has them. ORDER ROLE */
static int port_class(const RunPort *port) {
    switch (port->role) {
    case ROLE_PARAM: return 0;
    case ROLE_STATE: return 1;
    case ROLE_OPTIM: return 2;
    case ROLE_SEED: return 3;
    case ROLE_STEP: return 4;
    case ROLE_INPUT:
    case ROLE_OUTPUT: break;
    }
    return 5;
}

static bool port_before(const RunPort *a, const RunPort *b) {
    if (port_class(a) != port_class(b)) return port_class(a) < port_class(b);
    return a->slot < b->slot;
}

static void sort_ports(Run *run) {
    for (uint32_t i = 1; i < run->ports.count; i++) {
        RunPort port = run->ports.at[i];
        uint32_t k = i;
        for (; k && port_before(&port, &run->ports.at[k - 1]); k--)
            run->ports.at[k] = run->ports.at[k - 1];
        run->ports.at[k] = port;
    }
}

/* The entry's function without results; run->map tells where its values went. */
Func *run_finish(Elab *e, Run *run, const char *name) {
    Frame *frame = run->root;
    Func *func = module_func(e->module, name, FUNC_ENTRY);
    run->map = arena_array(e->arena, Val, frame->func->nodes.count + 1);
    for (Val v = 0; v < frame->func->nodes.count; v++) run->map[v] = NO_VAL;
    sort_ports(run);
    for (uint32_t i = 0; i < run->ports.count; i++) {
        const RunPort *port = &run->ports.at[i];
        const char *word =
            port->slot >= 0 ? run->models->slots.at[port->slot].name : port->name;
        run->map[port->placeholder] =
            func_param(func, word, port->role, port->type, port->span);
    }
    frame_finish(e, frame, func, NULL, run->map);
    return func;
}

/* ---- entries of the file ---------------------------------------------------------------- */

static bool has_rest(const AstType *type) {
    for (uint32_t i = 0; i < type->dim.count; i++)
        if (type->dim.at[i]->kind == AST_rest) return true;
    return false;
}

bool is_entry(const AstFunction *f) {
    if (f->kind == FUNCTION_optimiser) return false;
    for (uint32_t i = 0; i < f->params; i++) {
        const AstParam *param = &f->param[i];
        if (!param->value && (!param->type || has_rest(param->type))) return false;
    }
    return true;
}

bool entry_has_dim(const Unit *unit, const AstFunction *f, const char *name) {
    for (uint32_t i = 0; i < f->params; i++) {
        if (!f->param[i].type || f->param[i].value) continue;
        const AstType *type = unit_type(unit, f->param[i].type);
        for (uint32_t k = 0; k < type->dim.count; k++)
            if (type->dim.at[k]->kind == AST_name && !strcmp(type->dim.at[k]->text, name))
                return true;
    }
    return false;
}

/* A call brings one size: `*at_run_time` is the dimension that has it, NULL for none yet. */
static bool bind_most(Elab *e, Env *env, const Binding *b, const Ast *dim,
                      const char **at_run_time) {
    if (*at_run_time) {
        elab_error(e, dim->span,
                   "`%s` and `%s` are both open until a call, which brings one size",
                   *at_run_time, dim->text);
        elab_hint(e, "give one of them a value: --bind %s=%lld", dim->text,
                  (long long)b->value);
        return false;
    }
    Dim symbol = dim_symbol(&e->module->dims, b->name, b->value);
    *env = env_bind(e, *env, dim->text, value_from_dim(symbol));
    *at_run_time = b->name;
    return true;
}

/* An open dimension becomes what --bind says. */
static bool bind_dim(Loaded *l, Elab *e, Env *env, const Ast *dim,
                     const char **at_run_time) {
    const ProgramOptions *options = l->options;
    if (dim->kind == AST_rest) {
        elab_error(e, dim->span, "an entry cannot have `...` dimensions");
        return false;
    }
    if (dim->kind != AST_name || env_find(env, dim->text)) return true;
    const Unit *home;
    if (unit_find(env->unit, dim->text, &home)) return true;
    for (uint32_t i = 0; options && i < options->bindings; i++) {
        const Binding *b = &options->binding[i];
        if (strcmp(b->name, dim->text)) continue;
        if (b->is_max) return bind_most(e, env, b, dim, at_run_time);
        *env = env_bind(e, *env, dim->text, value_from_dim(b->value));
        return true;
    }
    if (options && options->keep_open) {
        Dim open = dim_symbol(&e->module->dims, dim->text, 0);
        *env = env_bind(e, *env, dim->text, value_from_dim(open));
        return true;
    }
    elab_error(e, dim->span, "the dimension `%s` is open", dim->text);
    elab_hint(e, "give it a value: --bind %s=32", dim->text);
    return false;
}

static bool entry_inputs(Loaded *l, Elab *e, const AstFunction *f, Value *arg) {
    Env env = {NULL, l->unit};
    const char *at_run_time = NULL;
    for (uint32_t i = 0; i < f->params; i++) {
        const AstParam *param = &f->param[i];
        arg[i] = (Value){0};
        if (!param->type || param->value) continue;
        const AstType *ast = unit_type(l->unit, param->type);
        Type type;
        for (uint32_t k = 0; k < ast->dim.count; k++)
            if (!bind_dim(l, e, &env, ast->dim.at[k], &at_run_time)) return false;
        if (!elab_type(e, env, ast, &type)) return false;
        arg[i] = run_port(e, param->name, ROLE_INPUT, type, param->span, -1);
    }
    return true;
}

static bool add_outputs(Elab *e, Run *run, Func *func, const char *name, const Value *v) {
    if (v->kind == VALUE_record) {
        for (uint32_t i = 0; i < v->record.count; i++) {
            const Field *field = &v->record.at[i];
            const char *path =
                *name ? arena_print(e->arena, "%s.%s", name, field->name) : field->name;
            if (!add_outputs(e, run, func, path, field->value)) return false;
        }
        return true;
    }
    if (v->kind != VALUE_tensor) return false;
    func_result(func, *name ? name : "out", ROLE_OUTPUT, run->map[v->tensor.val], -1);
    return true;
}

/* Numbers among an entry's results become tensors while its function is open. */
static Value number_leaf(Elab *e, void *context, Value v) {
    Span *span = context;
    v = elab_to_tensor(e, v, ELEM_f32, *span);
    if (v.kind != VALUE_tensor || v.tensor.frame == e->frame) return v;
    return elab_tensor(e, frame_use(e, &v.tensor));
}

static Run *entry_run(Loaded *l, Elab *e, const AstFunction *f, Models *models,
                      Value *out) {
    Run *run = run_new(e, models);
    Value *arg = arena_array(e->arena, Value, f->params + 1);
    *out = value_unknown;
    if (!entry_inputs(l, e, f, arg)) return run;
    const Closure *closure = closure_of(e, f, (Env){NULL, l->unit});
    Span span = f->span;
    *out = elab_apply(e, closure, arg, span);
    if (out->kind != VALUE_unknown) *out = tree_map(e, out, number_leaf, &span);
    return run;
}

static bool has_role(const Func *func, Role role) {
    for (uint32_t i = 0; i < func->params.count; i++)
        if (func->params.at[i].role == role) return true;
    return false;
}

Func *entry_build(Loaded *l, const AstFunction *f, Func **init) {
    Module *module = l->program.module;
    Elab e = entry_elab(l, module);
    Models models = {0};
    Value out;
    uint32_t funcs = module->funcs.count, errors = l->diag->errors;
    Run *run = entry_run(l, &e, f, &models, &out);
    if (run->missed_params && l->diag->errors == errors) {
        module->funcs.count = funcs;
        models.is_complete = true;
        run = entry_run(l, &e, f, &models, &out);
    }
    l->bodies = e.bodies;
    if (out.kind == VALUE_unknown && l->diag->errors == errors)
        elab_error(&e, f->span, "`%s` has no value that can be computed", f->name);
    if (out.kind == VALUE_unknown || l->diag->errors > errors) return NULL;
    models_name(&e, &models);
    Func *func = run_finish(&e, run, f->name);
    if (!add_outputs(&e, run, func, "", &out)) {
        elab_error(&e, f->span, "`%s` gives %s, not tensors", f->name,
                   elab_words(&e, &out));
        return NULL;
    }
    if (init)
        *init = init_build(&e, &models, f->name, has_role(func, ROLE_SEED),
                           has_role(func, ROLE_STEP), f->span);
    return init && !*init ? NULL : func;
}
