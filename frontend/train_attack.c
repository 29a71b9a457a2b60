/* The attack of a training block: a method, applied to the block's net and reported example by
 * example (attack_report in prelude/attacks.tn). */
#include "frontend/train.h"

/* The block's classifier: the first of its nets that names `logits`. */
static const Model *classifier(const Models *models) {
    for (uint32_t i = 0; i < models->models.count; i++) {
        const AstFunction *net = models->models.at[i]->net;
        const Ast *body = net ? net->body : NULL;
        for (uint32_t k = 0; body && body->kind == AST_block && k < body->list.count;
             k++) {
            const Ast *line = body->list.at[k];
            if (line->kind == AST_result && !strcmp(line->define.name, "logits"))
                return models->models.at[i];
        }
    }
    return NULL;
}

/* The place of `eps` among the parameters of a method that leaves it open; -1: it does not. */
static int64_t open_eps(Elab *e, const Closure *method) {
    const char *open = closure_first_missing(e, method);
    for (uint32_t i = 0; open && i < method->params; i++) {
        if (strcmp(closure_param(e, method, i), "eps")) continue;
        const bool bound = method->bound && method->bound[i].kind != VALUE_missing;
        return bound ? -1 : (int64_t)i;
    }
    return -1;
}

static const Closure *bind_at(Elab *e, const Closure *method, int64_t at, Value v) {
    Value *bound = arena_array(e->arena, Value, method->params + 1);
    if (method->bound) memcpy(bound, method->bound, sizeof *bound * method->params);
    bound[at] = v;
    Closure *closure = arena_copy(e->arena, method, sizeof *method);
    closure->bound = bound;
    return closure;
}

/* The model as the block called it first: what it got besides its input is bound. */
static const Closure *as_called(Elab *e, const Model *model, const Unit *home) {
    const Closure *closure = closure_of(e, model->net, (Env){NULL, home});
    for (uint32_t i = 1; i < model->net->params; i++) {
        const Value *v = env_find(&model->env, model->net->param[i].name);
        if (v && v->kind != VALUE_tensor && v->kind != VALUE_missing)
            closure = bind_at(e, closure, i, *v);
    }
    return closure;
}

/* attack_report(net, method) for the block's net; unknown: reported. */
static Value report_of(Training *t, const Closure *method, Span span) {
    Elab *e = &t->e;
    const Model *model = classifier(&t->models);
    const Unit *home, *net_home;
    const UnitEntry *report = unit_find(e->unit, "attack_report", &home);
    if (!model || !report || !unit_find(e->unit, model->name, &net_home)) {
        elab_error(e, span, "an attack needs a net that names its `logits`");
        return value_unknown;
    }
    const Closure *net = as_called(e, model, net_home);
    Value arg[] = {{.kind = VALUE_function, .function = net},
                   {.kind = VALUE_function, .function = method}};
    const Closure *all = closure_of(e, report->function, (Env){NULL, home});
    return elab_call(e, all, arg, 2, span);
}

/* What the method requires of eps is seen with the greatest; nothing reads the result. */
static bool check_greatest(Training *t, const Closure *method, int64_t at, Span span) {
    const double eps = t->l->options->greatest_eps;
    if (eps == 0) return true;
    const uint32_t sites = t->e.run->sites;
    Value f = report_of(t, bind_at(&t->e, method, at, value_real(eps)), span);
    if (f.kind == VALUE_function) f = train_call(t, f.function, false, span);
    t->e.run->sites = sites;
    return f.kind == VALUE_record;
}

/* A method that leaves `eps` open gets it with each call. */
static Value report_function(Training *t, const Ast *ast) {
    Elab *e = &t->e;
    const Value method = elab_expression(e, t->env, ast);
    const Closure *f = want_function(e, &method, "`attack`", ast->span);
    if (!f) return value_unknown;
    const int64_t at = open_eps(e, f);
    t->block->attack_by_eps = at >= 0;
    if (at < 0) return report_of(t, f, ast->span);
    if (!check_greatest(t, f, at, ast->span)) return value_unknown;
    Value eps = run_port(e, "eps", ROLE_INPUT, type_scalar(ELEM_f32), ast->span, -1);
    return report_of(t, bind_at(e, f, at, eps), ast->span);
}

static Value output_leaf(Elab *e, void *context, Value v) {
    const Span *span = context;
    v = elab_to_tensor(e, v, ELEM_f32, *span);
    return v.kind == VALUE_tensor ? elab_cast(e, v, ELEM_f32, *span) : v;
}

bool train_attack(Training *t, Measure *m) {
    const ProgramOptions *options = t->l->options;
    const Ast *ast = options && options->with_attack ? training_field(t, "attack") : NULL;
    if (!ast) return true;
    Elab *e = &t->e;
    Span span = ast->span;
    m->run = measure_begin(t, SITES_ATTACK);
    Value f = report_function(t, ast);
    if (f.kind != VALUE_function) return false;
    m->value = train_call(t, f.function, false, span);
    if (m->value.kind != VALUE_record) return false;
    m->value = tree_map(e, &m->value, output_leaf, &span);
    return true;
}

void train_attack_finish(Training *t, const Measure *m) {
    if (!m->run) return;
    run_move_last(m->run, "eps");
    const char *name = arena_print(t->l->arena, "%s_attack", t->word);
    Func *func = t->block->attack = run_finish(&t->e, m->run, name);
    for (uint32_t i = 0; i < m->value.record.count; i++) {
        const Field *field = &m->value.record.at[i];
        Val v = m->run->map[field->value->tensor.val];
        func_result(func, field->name, ROLE_OUTPUT, v, -1);
    }
}
