/*
 * Training blocks: three kinds of entries from one set of models.
 *
 *     step    loss in train mode, gradients by every parameter, the optimiser for each
 *     report  one figure, eval mode, over a batch of which the first `valid` count
 *     init    every slot's first value from a seed
 *
 * All are elaborated before any is finished: only then all slots, and so their names, are
 * known.
 */
#include "frontend/builtin.h"
#include "frontend/load.h"

/* Sites of random numbers, so that no two entries draw the same: see SITES_INIT. */
#define SITES_REPORT (1 << 21)

typedef struct Training {
    Loaded *l;
    const AstTrain *ast;
    TrainBlock *block;
    Models models;
    Elab e;
    Env env;
    const Ast *augment; /* NULL: none */
} Training;

/* ---- settings ------------------------------------------------------------------------- */

static bool data_argument(Training *t, const AstArg *arg, const Value *v) {
    DataSpec *data = &t->block->data;
    int64_t *number = NULL;
    if (!strcmp(arg->name, "batch")) number = &data->batch;
    if (!strcmp(arg->name, "validate")) number = &data->validate;
    if (!strcmp(arg->name, "replay")) number = &data->replay;
    if (!strcmp(arg->name, "examples")) number = &data->examples;
    if (!strcmp(arg->name, "classes")) number = &data->classes;
    if (number && v->kind == VALUE_int && v->integer >= 0) {
        *number = v->integer;
        return true;
    }
    if (!strcmp(arg->name, "shape"))
        return want_dims(&t->e, v, arg->value->span, data->dim, &data->rank) &&
               data->rank < MAX_RANK;
    elab_error(&t->e, arg->value->span,
               "`%s` of the data is to be a whole number, found %s", arg->name,
               elab_words(&t->e, v));
    return false;
}

static bool read_data(Training *t) {
    const Ast *data = train_field(t->l, t->ast, "data");
    DataSpec *spec = &t->block->data;
    VEC(const char *) paths = {0};
    spec->kind = data->call.callee->text;
    spec->span = data->span;
    for (uint32_t i = 0; i < data->call.args.count; i++) {
        const AstArg *arg = &data->call.args.at[i];
        const Ast *set = arg->name ? train_setting(t->l, arg->name) : NULL;
        if (arg->name && !strcmp(arg->name, "augment")) {
            t->augment = arg->value;
            continue;
        }
        Value v = elab_expression(&t->e, t->env, set ? set : arg->value);
        if (!arg->name && v.kind == VALUE_string)
            vec_push(t->l->arena, &paths, v.text);
        else if (!arg->name || !data_argument(t, arg, &v))
            return false;
    }
    spec->paths = paths.count;
    spec->path = paths.at;
    if (spec->batch >= 1) return true;
    elab_error(&t->e, data->span, "the data need a batch: %s(batch = 100)", spec->kind);
    return false;
}

/* Random numbers in place of a data set: for timing. */
static void describe_synthetic(TrainBlock *block) {
    const DataSpec *spec = &block->data;
    DataInfo *info = &block->info;
    *info = (DataInfo){.train_count = spec->examples ? spec->examples : spec->batch,
                       .test_count = spec->batch,
                       .fields = 2,
                       .classes = (uint32_t)spec->classes};
    info->field[0] = (DataField){"x", ELEM_f32, spec->rank, {0}};
    for (uint32_t i = 0; i < spec->rank; i++) info->field[0].dim[i] = spec->dim[i];
    info->field[1] = (DataField){"y", ELEM_i32, 0, {0}};
}

static bool find_data(Training *t) {
    TrainBlock *block = t->block;
    const DataLookup *lookup = t->l->options ? t->l->options->lookup : NULL;
    char message[512] = "no data sets are known here";
    if (!strcmp(block->data.kind, "synthetic")) {
        describe_synthetic(block);
    } else if (!lookup ||
               !lookup->find(lookup->context, &block->data, &block->info, message)) {
        elab_error(&t->e, block->data.span, "%s", message);
        return false;
    }
    int64_t left = block->info.train_count - block->data.validate;
    if (left >= block->data.batch) return true;
    elab_error(&t->e, block->data.span, "a batch of %lld from %lld examples",
               (long long)block->data.batch, (long long)left);
    return false;
}

static bool read_epochs(Training *t) {
    const Ast *ast = train_field(t->l, t->ast, "epochs");
    Value v = elab_expression(&t->e, t->env, ast);
    if (v.kind == VALUE_int && v.integer >= 1) {
        t->block->epochs = v.integer;
        return true;
    }
    elab_error(&t->e, ast->span,
               "`epochs` is to be a whole number of 1 or more, found %s",
               elab_words(&t->e, &v));
    return false;
}

/* ---- inputs --------------------------------------------------------------------------- */

/* Field i of the data as a port. */
static Value data_port(Training *t, uint32_t i) {
    const DataField *field = &t->block->info.field[i];
    Type type = type_scalar(field->elem);
    type.dim[type.rank++] = t->block->data.batch;
    for (uint32_t k = 0; k < field->rank; k++) type.dim[type.rank++] = field->dim[k];
    if (type_count(&t->e.module->dims, &type) == DIM_OVERFLOW) {
        elab_error(&t->e, t->block->data.span,
                   "a batch of %s has more elements than 2^46", type_text(&t->e, &type));
        return value_unknown;
    }
    if (!elab_within_memory(&t->e, &type, t->block->data.span)) return value_unknown;
    return run_port(&t->e, field->name, ROLE_INPUT, type, t->block->data.span, -1);
}

/* Bytes are pictures where a float is wanted: 0..255 become 0..1. */
static Value convert(Training *t, Value v, Elem elem) {
    Elem had = tensor_type(&v)->elem;
    if (had == elem) return v;
    v = elab_cast(&t->e, v, elem, t->block->data.span);
    if (had != ELEM_u8 || !elem_is_float(elem)) return v;
    return elab_binary(&t->e, BINARY_mul, v, value_real(1.0 / 255), t->block->data.span);
}

static Elem wanted_elem(Training *t, const Closure *f, uint32_t i, Elem otherwise) {
    const AstType *type = NULL;
    uint32_t k = 0;
    for (uint32_t p = 0; f && f->function && p < f->params; p++) {
        if (f->bound && f->bound[p].kind != VALUE_missing) continue;
        if (k++ == i) type = f->function->param[p].type;
    }
    type = unit_type(t->l->unit, type);
    if (type) return type->elem;
    return i == 0 ? ELEM_f32 : otherwise == ELEM_u8 ? ELEM_i32 : otherwise;
}

/* Calls f with the data of a batch. */
static Value call_with_data(Training *t, const Closure *f, bool augment, Span span) {
    const DataInfo *info = &t->block->info;
    Value arg[4];
    for (uint32_t i = 0; i < info->fields; i++) {
        Value v = data_port(t, i);
        if (v.kind != VALUE_tensor) return v;
        arg[i] = convert(t, v, wanted_elem(t, f, i, info->field[i].elem));
    }
    if (augment && t->augment) {
        Value how = elab_expression(&t->e, t->env, t->augment);
        if (how.kind != VALUE_function) {
            elab_error(&t->e, t->augment->span, "`augment` is to be a function, found %s",
                       elab_words(&t->e, &how));
            return value_unknown;
        }
        arg[0] = elab_call(&t->e, how.function, arg, 1, t->augment->span);
    }
    return elab_call(&t->e, f, arg, info->fields, span);
}

static const Closure *field_function(Training *t, const char *name, Span *span) {
    const Ast *ast = train_field(t->l, t->ast, name);
    Value v = elab_expression(&t->e, t->env, ast);
    *span = ast->span;
    if (v.kind == VALUE_function) return v.function;
    if (v.kind != VALUE_unknown)
        elab_error(&t->e, ast->span, "`%s` is to be %s, found %s", name,
                   strcmp(name, "optim") ? "a function" : "an optimiser",
                   elab_words(&t->e, &v));
    return NULL;
}

/* ---- step ----------------------------------------------------------------------------- */

/* step, epoch, steps_per_epoch, epochs: what rates are made of. */
static void bind_schedule(Training *t) {
    const TrainBlock *block = t->block;
    const DataSpec *data = &block->data;
    int64_t steps = (block->info.train_count - data->validate) / data->batch *
                    (data->replay ? data->replay : 1);
    Env env = {0};
    Value step = run_step(&t->e);
    env = env_bind(&t->e, env, "step", step);
    env = env_bind(&t->e, env, "steps_per_epoch", value_int(steps));
    env = env_bind(&t->e, env, "epochs", value_int(block->epochs));
    Value epoch =
        elab_binary(&t->e, BINARY_floor_div, step, value_int(steps), block->span);
    env = env_bind(&t->e, env, "epoch", epoch);
    t->e.run->schedule = env.top;
}

static bool check_loss(Training *t, const Value *loss, Span span) {
    if (loss->kind == VALUE_unknown) return false;
    if (loss->kind == VALUE_tensor && tensor_type(loss)->rank == 0) return true;
    elab_error(&t->e, span, "a loss is one number f32[], found %s",
               elab_words(&t->e, loss));
    elab_hint(&t->e, "take its mean over the batch");
    return false;
}

static bool move_params(Training *t, Value loss, Run *run) {
    Span span;
    const Closure *optimiser = field_function(t, "optim", &span);
    if (!optimiser) return false;
    bool is_one = optimiser->function && optimiser->function->kind == FUNCTION_optimiser;
    if (!is_one)
        elab_error(&t->e, span, "`optim` is to be an optimiser, as sgd(rate = 0.1)");
    if (is_one && closure_missing(&t->e, optimiser))
        elab_error(&t->e, span, "the optimiser `%s` still awaits `%s`",
                   optimiser->function->name, closure_first_missing(&t->e, optimiser));
    if (!is_one || closure_missing(&t->e, optimiser)) return false;
    uint32_t slots = run->models->slots.count;
    for (uint32_t i = 0; i < slots; i++) {
        if (i >= run->slots.count || run->slots.at[i].copy.kind != VALUE_tensor) continue;
        Val arg[] = {loss.tensor.val, run->slots.at[i].copy.tensor.val};
        Value g = elab_tensor(&t->e, elab_emit(&t->e, OP_grad, arg, 2, NULL, 0, span));
        if (!elab_optimiser(&t->e, optimiser, i, run->slots.at[i].value, g, span))
            return false;
    }
    return true;
}

static Value *run_step_entry(Training *t, Run *run) {
    Value *loss = arena_new(t->l->arena, Value);
    Span span;
    t->e.training = true;
    run->wants_copies = true;
    run_seed(&t->e);
    bind_schedule(t);
    const Closure *f = field_function(t, "loss", &span);
    if (!f) return loss;
    *loss = call_with_data(t, f, true, span);
    if (!check_loss(t, loss, span)) return loss;
    *loss = elab_to_tensor(&t->e, *loss, ELEM_f32, span);
    run->wants_copies = false;
    if (!move_params(t, *loss, run)) loss->kind = VALUE_unknown;
    run->next_step = elab_binary(&t->e, BINARY_add, run_step(&t->e), value_int(1), span);
    return loss;
}

static int32_t param_number(const Func *func, const char *name) {
    for (uint32_t i = 0; i < func->params.count; i++)
        if (!strcmp(func->params.at[i].name, name)) return (int32_t)i;
    return -1;
}

static Func *finish_step(Training *t, Run *run, const Value *loss) {
    Elab *e = &t->e;
    Func *func = run_finish(e, run, arena_print(e->arena, "%s_step", t->block->name));
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
    func_result(func, "loss", ROLE_OUTPUT, run->map[loss->tensor.val], -1);
    return func;
}

/* ---- reports -------------------------------------------------------------------------- */

/* What the first `valid` examples come to: a number for each, or their mean.  Truths are
 * counted, and the more the better. */
static Value report_total(Training *t, Value v, bool *rises, Span span) {
    Elab *e = &t->e;
    v = elab_to_tensor(e, v, ELEM_f32, span);
    if (v.kind != VALUE_tensor) return v;
    *rises = tensor_type(&v)->elem == ELEM_bool;
    v = elab_cast(e, v, ELEM_f32, span);
    const Type *type = tensor_type(&v);
    if (type->rank == 0)
        return elab_binary(e, BINARY_mul, v, elab_cast(e, e->run->valid, ELEM_f32, span),
                           span);
    if (type->rank > 1 || type->dim[0] != t->block->data.batch) {
        elab_error(e, span, "a report gives one number for each example, found %s",
                   elab_words(e, &v));
        return value_unknown;
    }
    Value arg[] = {v, {0}, {0}};
    return elab_call(e, closure_builtin(e, builtin_find("sum")), arg, 1, span);
}

typedef struct Reporting {
    const char *name;
    const Ast *value; /* NULL: the loss */
    Run *run;
    Value total;
    bool rises;
} Reporting;

static bool run_report(Training *t, Reporting *r, uint32_t number) {
    Span span = t->block->span;
    r->run = run_new(&t->e, &t->models);
    r->run->sites = SITES_REPORT + ((int64_t)number << 12);
    r->run->batch = t->block->data.batch;
    r->run->valid = run_port(&t->e, "valid", ROLE_INPUT, type_scalar(ELEM_i32), span, -1);
    t->e.training = false;
    Value f;
    if (r->value) {
        span = r->value->span;
        f = elab_expression(&t->e, t->env, r->value);
    } else {
        const Closure *loss = field_function(t, "loss", &span);
        if (!loss) return false;
        f = (Value){.kind = VALUE_function, .function = loss};
    }
    if (f.kind != VALUE_function) {
        if (f.kind != VALUE_unknown)
            elab_error(&t->e, span, "a report is a function of the data, found %s",
                       elab_words(&t->e, &f));
        return false;
    }
    Value v = call_with_data(t, f.function, false, span);
    r->total = report_total(t, v, &r->rises, span);
    return r->total.kind == VALUE_tensor;
}

/* Inputs of a report: the data's fields, then `valid`. */
static void move_valid_last(Run *run) {
    for (uint32_t i = 0; i + 1 < run->ports.count; i++) {
        RunPort port = run->ports.at[i];
        if (strcmp(port.name, "valid")) continue;
        run->ports.at[i] = run->ports.at[i + 1];
        run->ports.at[i + 1] = port;
    }
}

static Func *finish_report(Training *t, const Reporting *r) {
    Elab *e = &t->e;
    const char *name = arena_print(e->arena, "%s_report_%s", t->block->name, r->name);
    move_valid_last(r->run);
    Func *func = run_finish(e, r->run, name);
    func_result(func, "total", ROLE_OUTPUT, r->run->map[r->total.tensor.val], -1);
    return func;
}

/* ---- the block ------------------------------------------------------------------------ */

static uint32_t list_reports(Training *t, Reporting *r) {
    const Ast *record = train_field(t->l, t->ast, "report");
    uint32_t count = 1;
    r[0] = (Reporting){.name = "loss"};
    for (uint32_t i = 0; record && i < record->record.count; i++)
        r[count++] = (Reporting){.name = record->record.at[i].name,
                                 .value = record->record.at[i].value};
    return count;
}

static bool elaborate_block(Training *t, Reporting *r, uint32_t reports, Run **step,
                            Value **loss) {
    *step = run_new(&t->e, &t->models);
    *loss = run_step_entry(t, *step);
    if ((*loss)->kind != VALUE_tensor) return false;
    for (uint32_t i = 0; i < reports; i++)
        if (!run_report(t, &r[i], i)) return false;
    return true;
}

static bool any_missed(const Run *step, const Reporting *r, uint32_t reports) {
    bool missed = step->missed_params;
    for (uint32_t i = 0; i < reports; i++) missed |= r[i].run && r[i].run->missed_params;
    return missed;
}

bool train_build(Loaded *l, const AstTrain *ast, TrainBlock *block) {
    Training t = {.l = l, .ast = ast, .block = block, .env = {NULL, l->unit}};
    t.e = entry_elab(l, l->program.module);
    uint32_t errors = l->diag->errors;
    run_new(&t.e, &t.models);
    if (!read_data(&t) || !read_epochs(&t) || !find_data(&t)) return false;
    const Ast *record = train_field(l, ast, "report");
    Reporting *r =
        arena_array(l->arena, Reporting, record ? record->record.count + 1 : 1);
    uint32_t reports = list_reports(&t, r), funcs = l->program.module->funcs.count;
    Run *step;
    Value *loss;
    bool ok = elaborate_block(&t, r, reports, &step, &loss);
    if (l->diag->errors == errors && any_missed(step, r, reports)) {
        l->program.module->funcs.count = funcs;
        t.models.is_complete = true;
        ok = elaborate_block(&t, r, reports, &step, &loss);
    }
    l->bodies = t.e.bodies;
    if (!ok && l->diag->errors == errors)
        elab_error(&t.e, ast->span, "the loss or a report of `%s` cannot be computed",
                   ast->name);
    if (l->diag->errors > errors) return false;
    models_name(&t.e, &t.models);
    block->init = init_build(&t.e, &t.models, block->name, true, true, block->span);
    if (!block->init) return false;
    Report *report = arena_array(l->arena, Report, reports);
    block->step = finish_step(&t, step, loss);
    for (uint32_t i = 0; i < reports; i++)
        report[i] = (Report){r[i].name, finish_report(&t, &r[i]), r[i].rises};
    block->reports = reports;
    block->report = report;
    return true;
}
