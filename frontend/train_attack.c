/* The attack of a training block: a method, applied to the block's net and reported example by
 * example (attack_report in prelude/attacks.tn). */
#include "frontend/train.h"

/* The block's classifier: the first of its nets that names `logits`. */
static const AstFunction *classifier(const Models *models) {
    for (uint32_t i = 0; i < models->models.count; i++) {
        const AstFunction *net = models->models.at[i]->net;
        const Ast *body = net ? net->body : NULL;
        for (uint32_t k = 0; body && body->kind == AST_block && k < body->list.count;
             k++) {
            const Ast *line = body->list.at[k];
            if (line->kind == AST_result && !strcmp(line->define.name, "logits"))
                return net;
        }
    }
    return NULL;
}

/* A method that leaves `eps` open gets it with each call. */
static const Closure *with_eps(Elab *e, const Closure *method, bool *by_eps, Span span) {
    const char *open = closure_first_missing(e, method);
    *by_eps = false;
    for (uint32_t i = 0; open && i < method->params; i++) {
        if (strcmp(closure_param(e, method, i), "eps")) continue;
        if (method->bound && method->bound[i].kind != VALUE_missing) return method;
        Value *bound = arena_array(e->arena, Value, method->params + 1);
        if (method->bound) memcpy(bound, method->bound, sizeof *bound * method->params);
        bound[i] = run_port(e, "eps", ROLE_INPUT, type_scalar(ELEM_f32), span, -1);
        Closure *closure = arena_copy(e->arena, method, sizeof *method);
        closure->bound = bound;
        *by_eps = true;
        return closure;
    }
    return method;
}

/* attack_report(net, method). */
static Value report_function(Training *t, const Ast *ast) {
    Elab *e = &t->e;
    const Value method = elab_expression(e, t->env, ast);
    const Closure *f = want_function(e, &method, "`attack`", ast->span);
    const AstFunction *net = classifier(&t->models);
    const Unit *home, *net_home;
    const UnitEntry *report = unit_find(e->unit, "attack_report", &home);
    if (!f) return value_unknown;
    if (!net || !report || !unit_find(e->unit, net->name, &net_home)) {
        elab_error(e, ast->span, "an attack needs a net that names its `logits`");
        return value_unknown;
    }
    f = with_eps(e, f, &t->block->attack_by_eps, ast->span);
    const Closure *model = closure_of(e, net, (Env){NULL, net_home});
    Value arg[] = {{.kind = VALUE_function, .function = model},
                   {.kind = VALUE_function, .function = f}};
    const Closure *all = closure_of(e, report->function, (Env){NULL, home});
    return elab_call(e, all, arg, 2, ast->span);
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
