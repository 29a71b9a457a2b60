/* Each function of a file elaborated alone: typed parameters are tensors with rigid
 * dimensions, others are unknown and silence what depends on them.  Once for each mode. */
#include "frontend/load.h"

/* A tensor with a symbol for each open dimension; unknown where the rank is open. */
static Value rigid_value(Elab *e, Env *env, const AstParam *param) {
    const AstType *ast = unit_type(env->unit, param->type);
    Type type;
    if (!ast) return value_unknown;
    for (uint32_t i = 0; i < ast->dim.count; i++) {
        const Ast *dim = ast->dim.at[i];
        const Unit *home;
        if (dim->kind == AST_rest) return value_unknown;
        if (dim->kind != AST_name || env_find(env, dim->text)) continue;
        const UnitEntry *entry = unit_find(env->unit, dim->text, &home);
        if (entry && entry->constant) continue;
        Dim symbol = dim_symbol(&e->module->dims, dim->text, 0);
        *env = env_bind(e, *env, dim->text, value_from_dim(symbol));
    }
    for (uint32_t i = 0; i < ast->dim.count; i++) {
        Value v = elab_expression(e, *env, ast->dim.at[i]);
        if (v.kind == VALUE_unknown) return v;
    }
    if (!elab_type(e, *env, ast, &type)) return value_unknown;
    return run_port(e, param->name, ROLE_INPUT, type, param->span, -1);
}

static bool check_pattern(Elab *e, const AstParam *param) {
    const AstType *ast = unit_type(e->unit, param->type);
    uint32_t rests = 0;
    for (uint32_t i = 0; ast && i < ast->dim.count; i++)
        rests += ast->dim.at[i]->kind == AST_rest;
    if (rests > 1) elab_error(e, ast->span, "`...` can stand once in a type");
    return rests <= 1;
}

static bool check_patterns(Elab *e, const AstFunction *f) {
    for (uint32_t i = 0; i < f->params; i++)
        if (!check_pattern(e, &f->param[i])) return false;
    return true;
}

/* Whether `next w` stands anywhere in the body. */
static bool sets_w(const Ast *ast) {
    if (ast->kind == AST_next) return !strcmp(ast->define.name, "w");
    if (ast->kind == AST_every) return sets_w(ast->every.body);
    if (ast->kind == AST_if)
        return sets_w(ast->branch.then) ||
               (ast->branch.otherwise && sets_w(ast->branch.otherwise));
    for (uint32_t i = 0; ast->kind == AST_block && i < ast->list.count; i++)
        if (sets_w(ast->list.at[i])) return true;
    return false;
}

static void check_optimiser(Elab *e, const AstFunction *f) {
    Closure *closure =
        arena_copy(e->arena, closure_of(e, f, (Env){NULL, e->unit}), sizeof(Closure));
    Value *bound = arena_array(e->arena, Value, f->params + 1);
    for (uint32_t i = 0; i < f->params; i++)
        if (!f->param[i].value) bound[i] = value_unknown;
    closure->bound = bound;
    Dim dim = dim_symbol(&e->module->dims, "P", 0);
    Type type = type_tensor(ELEM_f32, 1, &dim);
    Slot slot = {.path = "w", .name = "w", .role = ROLE_PARAM, .type = type};
    vec_push(e->arena, &e->run->models->slots, slot);
    Value w = run_slot(e, 0), g = run_port(e, "g", ROLE_INPUT, type, f->span, -1);
    uint32_t errors = e->diag->errors;
    bool moves = elab_optimiser(e, closure, 0, w, g, f->span);
    if (moves || e->diag->errors > errors || sets_w(f->body)) return;
    elab_error(e, f->span, "the optimiser `%s` does not say what w becomes", f->name);
    elab_hint(e, "it needs `next w = ...`");
}

static void check_function(Loaded *l, const AstFunction *f, bool training) {
    Elab e = entry_elab(l, module_new(l->arena, l->diag));
    Models models = {0};
    run_new(&e, &models);
    e.checking = true;
    e.training = training;
    if (!check_patterns(&e, f)) return;
    if (f->kind == FUNCTION_optimiser) {
        check_optimiser(&e, f);
        return;
    }
    Env env = {NULL, l->unit};
    Value *arg = arena_array(l->arena, Value, f->params + 1);
    for (uint32_t i = 0; i < f->params; i++) {
        const AstParam *param = &f->param[i];
        if (param->type && !param->value)
            arg[i] = rigid_value(&e, &env, param);
        else if (!param->value)
            arg[i] = value_unknown;
        env = env_bind(&e, env, param->name, arg[i].kind ? arg[i] : value_unknown);
    }
    Value v = elab_apply(&e, closure_of(&e, f, (Env){NULL, l->unit}), arg, f->span);
    bool wrong =
        f->kind == FUNCTION_loss && v.kind == VALUE_tensor && tensor_type(&v)->rank;
    if (wrong) {
        elab_error(&e, f->span, "a loss is one number f32[], found %s",
                   elab_words(&e, &v));
        elab_hint(&e, "take its mean over the batch");
    }
}

void check_file(Loaded *l, const AstFile *file) {
    for (uint32_t i = 0; i < file->lets.count; i++) {
        Elab e = entry_elab(l, module_new(l->arena, l->diag));
        Models models = {0};
        run_new(&e, &models);
        elab_expression(&e, (Env){NULL, l->unit}, file->lets.at[i]->define.value);
    }
    for (uint32_t i = 0; i < file->functions.count; i++) {
        check_function(l, file->functions.at[i], true);
        check_function(l, file->functions.at[i], false);
    }
}
