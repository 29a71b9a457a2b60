/*
 * The step of a training block or of one of its phases: the loss in training mode, the
 * gradients, the optimiser for each parameter, then what is done to the parameters after it.
 */
#include "frontend/train.h"

/* step, epoch, steps_per_epoch, epochs: what rates are made of, counted from the beginning
 * of the phase. */
static void bind_schedule(Training *t, const Step *s) {
    const TrainBlock *block = t->block;
    Elab *e = &t->e;
    const DataSpec *data = &block->data;
    int64_t steps = (block->info.train_count - data->validate) / data->batch *
                    (data->replay ? data->replay : 1);
    e->run->begin = s->epochs_before * steps;
    Env env = {0};
    Value step = run_step(e);
    if (e->run->begin)
        step = elab_binary(e, BINARY_sub, step, value_int(e->run->begin), block->span);
    env = env_bind(e, env, "step", step);
    env = env_bind(e, env, "steps_per_epoch", value_int(steps));
    env = env_bind(e, env, "epochs", value_int(s->epochs));
    Value epoch = elab_binary(e, BINARY_floor_div, step, value_int(steps), block->span);
    env = env_bind(e, env, "epoch", epoch);
    e->run->schedule = env.top;
}

static bool check_loss(Training *t, const Value *loss, Span span) {
    if (loss->kind == VALUE_unknown) return false;
    if (loss->kind == VALUE_tensor && tensor_type(loss)->rank == 0) return true;
    elab_error(&t->e, span, "a loss is one number f32[], found %s",
               elab_words(&t->e, loss));
    elab_hint(&t->e, "take its mean over the batch");
    return false;
}

/* ---- which parameters are trained ------------------------------------------------------- */

static bool all_params(const Run *run, const SlotList *slots) {
    for (uint32_t i = 0; i < slots->count; i++)
        if (run->models->slots.at[slots->at[i]].role != ROLE_PARAM) return false;
    return slots->count > 0;
}

/* [slots] by the field `only`; NULL: reported.  Without the field all are. */
static const bool *trained_slots(Training *t, Run *run) {
    const Ast *only = training_field(t, "only");
    bool *trained = arena_array(t->e.arena, bool, run->models->slots.count + 1);
    SlotList slots = {0};
    if (!only) {
        memset(trained, true, run->models->slots.count);
        return trained;
    }
    Value tree = elab_expression(&t->e, t->env, only);
    if (tree.kind == VALUE_unknown) return NULL;
    if (!elab_slots(&t->e, &tree, &slots) || !all_params(run, &slots)) {
        elab_error(&t->e, only->span, "`only` names parameters of a net, found %s",
                   elab_words(&t->e, &tree));
        elab_hint(&t->e, "as in: only = params(lenet).logits");
        return NULL;
    }
    for (uint32_t i = 0; i < slots.count; i++) trained[slots.at[i]] = true;
    return trained;
}

/* ---- the optimiser ---------------------------------------------------------------------- */

static const Closure *find_optimiser(Training *t, Span *span) {
    const Closure *optimiser = NULL;
    if (!training_function(t, "optim", span, &optimiser)) return NULL;
    bool is_one = optimiser->function && optimiser->function->kind == FUNCTION_optimiser;
    if (!is_one)
        elab_error(&t->e, *span, "`optim` is to be an optimiser, as sgd(rate = 0.1)");
    else if (closure_missing(&t->e, optimiser))
        elab_error(&t->e, *span, "the optimiser `%s` still awaits `%s`",
                   optimiser->function->name, closure_first_missing(&t->e, optimiser));
    return is_one && !closure_missing(&t->e, optimiser) ? optimiser : NULL;
}

static bool move_params(Training *t, Value loss, Run *run) {
    Span span;
    const Closure *optimiser = find_optimiser(t, &span);
    const bool *trained = optimiser ? trained_slots(t, run) : NULL;
    if (!trained) return false;
    uint32_t slots = run->slots.count;
    for (uint32_t i = 0; i < slots; i++) {
        if (!trained[i] || run->slots.at[i].copy.kind != VALUE_tensor) continue;
        Val arg[] = {loss.tensor.val, run->slots.at[i].copy.tensor.val};
        Value g = elab_tensor(&t->e, elab_emit(&t->e, OP_grad, arg, 2, NULL, 0, span));
        if (!elab_optimiser(&t->e, optimiser, i, run->slots.at[i].value, g, span))
            return false;
    }
    return true;
}

static void run_statements(Training *t, const AstTrain *part) {
    for (uint32_t i = 0; part && i < part->statements.count; i++) {
        const Ast *ast = part->statements.at[i];
        if (ast->kind == AST_every) elab_late_block(&t->e, t->env, ast);
    }
}

/* Nets first, then the block, then its phase; each sees what the one before left. */
static void run_late(Training *t) {
    elab_late(&t->e);
    training_bind(t);
    run_statements(t, t->ast);
    run_statements(t, t->phase);
}

/* ---- the entry -------------------------------------------------------------------------- */

bool train_step(Training *t, Step *s) {
    Span span;
    const Closure *f;
    Run *run = s->run = run_new(&t->e, &t->models);
    s->loss = value_unknown;
    t->phase = s->phase;
    t->e.training = true;
    run->wants_copies = true;
    run_seed(&t->e);
    bind_schedule(t, s);
    training_bind(t);
    if (!training_function(t, "loss", &span, &f)) return false;
    Value loss = train_call(t, f, true, span);
    if (!check_loss(t, &loss, span)) return false;
    loss = elab_to_tensor(&t->e, loss, ELEM_f32, span);
    run->wants_copies = false;
    if (!move_params(t, loss, run)) return false;
    run_late(t);
    run->next_step = elab_binary(&t->e, BINARY_add, run_step(&t->e), value_int(1), span);
    s->loss = loss;
    return true;
}

static int32_t param_number(const Func *func, const char *name) {
    for (uint32_t i = 0; i < func->params.count; i++)
        if (!strcmp(func->params.at[i].name, name)) return (int32_t)i;
    return -1;
}

Func *train_step_finish(Training *t, const Step *step, const char *name) {
    Elab *e = &t->e;
    Run *run = step->run;
    Func *func = run_finish(e, run, name);
    for (uint32_t i = 0; i < func->params.count; i++)
        for (uint32_t k = 0; k < run->ports.count; k++) {
            const RunPort *port = &run->ports.at[k];
            if (port->slot < 0 || run->map[port->placeholder] != i) continue;
            const RunSlot *slot = &run->slots.at[port->slot];
            if (slot->changed)
                func_result(func, func->params.at[i].name, port->role,
                            run->map[slot->now.tensor.val], (int32_t)i);
        }
    func_result(func, "step", ROLE_STEP, run->map[run->next_step.tensor.val],
                param_number(func, "step"));
    func_result(func, "loss", ROLE_OUTPUT, run->map[step->loss.tensor.val], -1);
    return func;
}
