/* The figures of a training block: one entry in evaluation mode, of a batch whose last rows may
 * be padding. */
#include "frontend/train.h"

Run *measure_begin(Training *t, int64_t sites) {
    Run *run = run_new(&t->e, &t->models);
    run->sites = sites;
    run->batch = t->block->data.batch;
    t->e.training = false;
    t->phase = NULL;
    training_bind(t);
    return run;
}

void train_report_list(Training *t, Report *report) {
    const Ast *record = training_field(t, "report");
    report->figure =
        arena_array(t->l->arena, Reporting, record ? record->record.count + 1 : 1);
    report->figure[report->figures++] = (Reporting){.name = "loss"};
    for (uint32_t i = 0; record && i < record->record.count; i++)
        report->figure[report->figures++] = (Reporting){
            .name = record->record.at[i].name, .ast = record->record.at[i].value};
}

/* What the first `valid` examples come to: a number for each, or their mean.  Truths are
 * counted, and the more the better. */
static Value total_of(Training *t, Value v, bool *rises, Span span) {
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

static bool figure_of(Training *t, Reporting *r) {
    Span span = t->block->span;
    Value f = {.kind = VALUE_function};
    if (r->ast) {
        span = r->ast->span;
        if (!strcmp(r->name, "loss")) {
            elab_error(&t->e, span, "the loss is reported already");
            elab_hint(&t->e, "give this report another name");
            return false;
        }
        f = elab_expression(&t->e, t->env, r->ast);
    } else if (!training_function(t, "loss", &span, &f.function)) {
        return false;
    }
    if (f.kind != VALUE_function) {
        if (f.kind != VALUE_unknown)
            elab_error(&t->e, span, "a report is a function of the data, found %s",
                       elab_words(&t->e, &f));
        return false;
    }
    Value v = train_call(t, f.function, false, span);
    r->total = total_of(t, v, &r->rises, span);
    return r->total.kind == VALUE_tensor;
}

bool train_report(Training *t, Report *report) {
    Run *run = report->run = measure_begin(t, SITES_REPORT);
    run->valid =
        run_port(&t->e, "valid", ROLE_INPUT, type_scalar(ELEM_i32), t->block->span, -1);
    for (uint32_t i = 0; i < report->figures; i++) {
        run->sites = SITES_REPORT + ((int64_t)i << 12);
        if (!figure_of(t, &report->figure[i])) return false;
    }
    return true;
}

void run_move_last(Run *run, const char *name) {
    for (uint32_t i = 0; i + 1 < run->ports.count; i++) {
        RunPort port = run->ports.at[i];
        if (strcmp(port.name, name)) continue;
        run->ports.at[i] = run->ports.at[i + 1];
        run->ports.at[i + 1] = port;
    }
}

void train_report_finish(Training *t, const Report *report) {
    Arena *arena = t->l->arena;
    TrainBlock *block = t->block;
    run_move_last(report->run, "valid");
    Func *func = run_finish(&t->e, report->run, arena_print(arena, "%s_report", t->word));
    Figure *figure = arena_array(arena, Figure, report->figures);
    for (uint32_t i = 0; i < report->figures; i++) {
        const Reporting *r = &report->figure[i];
        func_result(func, r->name, ROLE_OUTPUT, report->run->map[r->total.tensor.val],
                    -1);
        figure[i] = (Figure){r->name, r->rises};
    }
    block->report = func;
    block->figures = report->figures;
    block->figure = figure;
}
