/*
 * Training blocks: three kinds of entries from one set of models.
 *
 *     step    one for each phase: the loss, and all that a step leaves behind
 *     report  its figures, eval mode, over a batch of which the first `valid` count
 *     init    every slot's first value from a seed
 *
 * All are elaborated before any is finished: only then all slots, and so their names, are
 * known.
 */
#include "frontend/train.h"

/* ---- fields ----------------------------------------------------------------------------- */

static const Ast *field_of(const AstTrain *part, const char *name) {
    for (uint32_t i = 0; part && i < part->fields.count; i++)
        if (!strcmp(part->fields.at[i].name, name)) return part->fields.at[i].value;
    return NULL;
}

/* Outside of any phase the last one speaks where the block is silent. */
const Ast *training_field(Training *t, const char *name) {
    const AstTrain *ast = t->ast;
    const Ast *set = train_setting(t->l, name), *value = field_of(t->phase, name);
    if (set || value) return set ? set : value;
    value = field_of(ast, name);
    if (value || t->phase || !ast->phases) return value;
    return field_of(ast->phase[ast->phases - 1], name);
}

bool training_function(Training *t, const char *name, Span *span, const Closure **f) {
    const Ast *ast = training_field(t, name);
    Value v = elab_expression(&t->e, t->env, ast);
    *span = ast->span;
    *f = v.function;
    if (v.kind == VALUE_function) return true;
    if (v.kind != VALUE_unknown)
        elab_error(&t->e, ast->span, "`%s` is to be %s, found %s", name,
                   strcmp(name, "optim") ? "a function" : "an optimiser",
                   elab_words(&t->e, &v));
    return false;
}

static bool read_epochs(Training *t, const AstTrain *phase, int64_t *epochs) {
    t->phase = phase;
    const Ast *ast = training_field(t, "epochs");
    Value v = elab_expression(&t->e, t->env, ast);
    if (v.kind == VALUE_int && v.integer >= 1) {
        *epochs = v.integer;
        return true;
    }
    elab_error(&t->e, ast->span,
               "`epochs` is to be a whole number of 1 or more, found %s",
               elab_words(&t->e, &v));
    return false;
}

/* ---- parameters and statements ---------------------------------------------------------- */

/* The argument for parameter i of the block, or its default. */
static const Ast *argument(const Training *t, uint32_t i) {
    const AstParam *param = &t->ast->param[i];
    uint32_t position = 0;
    for (uint32_t k = 0; t->args && k < t->args->count; k++) {
        const AstArg *arg = &t->args->at[k];
        if (arg->name ? !strcmp(arg->name, param->name) : position++ == i)
            return arg->value;
    }
    return param->value;
}

static uint32_t state_slot(Training *t, const char *path, Type type) {
    Models *models = &t->models;
    for (uint32_t i = 0; i < models->slots.count; i++)
        if (models->slots.at[i].model == &t->own &&
            !strcmp(models->slots.at[i].path, path))
            return i;
    Slot slot = {.path = path, .name = path, .role = ROLE_STATE, .type = type};
    slot.model = &t->own;
    vec_push(t->e.arena, &models->slots, slot);
    return models->slots.count - 1;
}

/* What is kept of one leaf; in the first step its value at that time. */
static Value state_leaf(Training *t, const char *path, Value v, bool begins, Span span) {
    Elab *e = &t->e;
    v = elab_to_tensor(e, v, ELEM_f32, span);
    if (v.kind != VALUE_tensor) return v;
    uint32_t slot = state_slot(t, path, *tensor_type(&v));
    Value kept = run_slot(e, slot);
    if (!begins || !e->training || run_slot_at(e, slot)->changed) return kept;
    Value first = elab_binary(e, BINARY_eq, run_step(e), value_int(e->run->begin), span);
    Value arg[] = {first, v, kept};
    kept = elab_call(e, closure_builtin(e, builtin_find("where")), arg, 3, span);
    RunSlot *at = run_slot_at(e, slot);
    at->changed = kept.kind == VALUE_tensor;
    if (at->changed) at->now = kept;
    return kept;
}

static Value state_tree(Training *t, const char *path, const Value *v, bool begins,
                        Span span) {
    if (v->kind != VALUE_record) return state_leaf(t, path, *v, begins, span);
    Field *fields = arena_array(t->e.arena, Field, v->record.count + 1);
    for (uint32_t i = 0; i < v->record.count; i++) {
        const Field *field = &v->record.at[i];
        const char *below = arena_print(t->e.arena, "%s.%s", path, field->name);
        Value part = state_tree(t, below, field->value, begins, span);
        fields[i] = (Field){field->name, arena_copy(t->e.arena, &part, sizeof part)};
    }
    return (Value){.kind = VALUE_record, .record = {v->record.count, fields}};
}

/* `state start = module`: what the right side is when the block, or the phase that it stands
 * in, begins. */
static Value state_value(Training *t, const Ast *ast, bool begins) {
    Value v = elab_expression(&t->e, t->env, ast->define.value);
    if (v.kind == VALUE_unknown) return v;
    return state_tree(t, ast->define.name, &v, begins, ast->span);
}

static void bind_statements(Training *t, const AstTrain *part, bool begins) {
    for (uint32_t i = 0; part && i < part->statements.count; i++) {
        const Ast *ast = part->statements.at[i];
        if (ast->kind == AST_every) continue;
        Value v = ast->kind == AST_state
                      ? state_value(t, ast, begins)
                      : elab_expression(&t->e, t->env, ast->define.value);
        t->env = env_bind(&t->e, t->env, ast->define.name, v);
    }
}

/* Outside of steps, in what the block names, the schedule is there without a value. */
static const NameBinding *no_schedule(Elab *e) {
    static const char *const names[] = {"step", "epoch", "steps_per_epoch", "epochs"};
    Env env = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        env = env_bind(e, env, names[i], value_unknown);
    return env.top;
}

void training_bind(Training *t) {
    Env env = {NULL, t->l->unit};
    Run *run = t->e.run;
    const NameBinding *schedule = run->schedule;
    if (!schedule) run->schedule = no_schedule(&t->e);
    t->env = env;
    for (uint32_t i = 0; i < t->ast->params; i++) {
        const Ast *value = argument(t, i);
        bool given = value != t->ast->param[i].value;
        Value v = elab_expression(&t->e, given ? env : t->env, value);
        t->env = env_bind(&t->e, t->env, t->ast->param[i].name, v);
    }
    bind_statements(t, t->ast, run->begin == 0);
    bind_statements(t, t->phase, true);
    run->schedule = schedule;
}

/* ---- the block -------------------------------------------------------------------------- */

typedef struct Parts {
    uint32_t steps;
    Step *step;
    Report report;
    Measure attack, embedding;
} Parts;

static bool list_steps(Training *t, Parts *parts) {
    const AstTrain *ast = t->ast;
    int64_t before = 0;
    parts->steps = ast->phases ? ast->phases : 1;
    parts->step = arena_array(t->l->arena, Step, parts->steps);
    for (uint32_t i = 0; i < parts->steps; i++) {
        const AstTrain *phase = ast->phases ? ast->phase[i] : NULL;
        Step *step = &parts->step[i];
        *step = (Step){.name = phase ? phase->name : ast->name, .phase = phase};
        if (!read_epochs(t, phase, &step->epochs)) return false;
        step->epochs_before = before;
        before += step->epochs;
    }
    t->block->epochs = before;
    t->phase = NULL;
    return true;
}

static bool elaborate_block(Training *t, Parts *parts) {
    for (uint32_t i = 0; i < parts->steps; i++)
        if (!train_step(t, &parts->step[i])) return false;
    return train_report(t, &parts->report) && train_attack(t, &parts->attack) &&
           train_embedding(t, &parts->embedding);
}

static bool run_missed(const Run *run) {
    return run && run->missed_params;
}

static bool any_missed(const Parts *parts) {
    for (uint32_t i = 0; i < parts->steps; i++)
        if (run_missed(parts->step[i].run)) return true;
    return run_missed(parts->report.run) || run_missed(parts->attack.run) ||
           run_missed(parts->embedding.run);
}

/* A second time where the first met trees of parameters before it knew all of them. */
static bool elaborate_all(Training *t, Parts *parts) {
    Module *module = t->l->program.module;
    uint32_t funcs = module->funcs.count, errors = t->l->diag->errors;
    bool ok = elaborate_block(t, parts);
    if (t->l->diag->errors == errors && any_missed(parts)) {
        module->funcs.count = funcs;
        t->models.is_complete = true;
        ok = elaborate_block(t, parts);
    }
    t->l->bodies = t->e.bodies;
    if (!ok && t->l->diag->errors == errors)
        elab_error(&t->e, t->ast->span, "the loss or a report of `%s` cannot be computed",
                   t->ast->name);
    return ok && t->l->diag->errors == errors;
}

static void finish_parts(Training *t, const Parts *parts) {
    Arena *arena = t->l->arena;
    TrainBlock *block = t->block;
    Phase *phase = arena_array(arena, Phase, parts->steps);
    for (uint32_t i = 0; i < parts->steps; i++) {
        const Step *step = &parts->step[i];
        const char *name =
            arena_print(arena, "%s%s%s_step", t->word, step->phase ? "_" : "",
                        step->phase ? step->name : "");
        phase[i] = (Phase){step->name, step->epochs, train_step_finish(t, step, name)};
    }
    block->phases = parts->steps;
    block->phase = phase;
    block->step = phase[0].step;
    train_report_finish(t, &parts->report);
    train_attack_finish(t, &parts->attack);
    train_embedding_finish(t, &parts->embedding);
}

bool train_build(Loaded *l, const TrainCall *call, TrainBlock *block) {
    Training t = {.l = l, .ast = call->ast, .args = call->args, .block = block};
    Parts parts = {0};
    t.word = call->word;
    t.own.name = call->ast->name;
    t.e = entry_elab(l, l->program.module);
    run_new(&t.e, &t.models);
    training_bind(&t);
    if (!train_data(&t) || !list_steps(&t, &parts)) return false;
    train_report_list(&t, &parts.report);
    if (!elaborate_all(&t, &parts)) return false;
    models_name(&t.e, &t.models);
    block->init = init_build(&t.e, &t.models, t.word, true, true, block->span);
    if (!block->init) return false;
    finish_parts(&t, &parts);
    return true;
}
