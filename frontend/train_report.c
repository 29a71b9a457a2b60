/* The figures of a training block, and what it calls its embedding: one entry each, in
 * evaluation mode. */
#include "frontend/train.h"

#define EMBEDDING 1000 /* more than the reports of any block */

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

static void begin_run(Training *t, Reporting *r, uint32_t number) {
    r->run = run_new(&t->e, &t->models);
    r->run->sites = SITES_REPORT + ((int64_t)number << 12);
    t->e.training = false;
    t->phase = NULL;
}

bool train_report(Training *t, Reporting *r, uint32_t number) {
    Span span = t->block->span;
    begin_run(t, r, number);
    r->run->batch = t->block->data.batch;
    r->run->valid = run_port(&t->e, "valid", ROLE_INPUT, type_scalar(ELEM_i32), span, -1);
    training_bind(t);
    Value f;
    if (r->value) {
        span = r->value->span;
        f = elab_expression(&t->e, t->env, r->value);
    } else {
        f = (Value){.kind = VALUE_function};
        if (!training_function(t, "loss", &span, &f.function)) return false;
    }
    if (f.kind != VALUE_function) {
        if (f.kind != VALUE_unknown)
            elab_error(&t->e, span, "a report is a function of the data, found %s",
                       elab_words(&t->e, &f));
        return false;
    }
    Value v = train_call(t, f.function, false, span);
    r->total = report_total(t, v, &r->rises, span);
    return r->total.kind == VALUE_tensor;
}

/* Inputs of a report: the data's fields, then `valid`. */
void run_move_last(Run *run, const char *name) {
    for (uint32_t i = 0; i + 1 < run->ports.count; i++) {
        RunPort port = run->ports.at[i];
        if (strcmp(port.name, name)) continue;
        run->ports.at[i] = run->ports.at[i + 1];
        run->ports.at[i + 1] = port;
    }
}

Func *train_report_finish(Training *t, const Reporting *r) {
    Elab *e = &t->e;
    const char *name = arena_print(e->arena, "%s_report_%s", t->word, r->name);
    run_move_last(r->run, "valid");
    Func *func = run_finish(e, r->run, name);
    func_result(func, "total", ROLE_OUTPUT, r->run->map[r->total.tensor.val], -1);
    return func;
}

/* ---- the embedding ---------------------------------------------------------------------- */

bool train_embedding(Training *t, Reporting *r) {
    Elab *e = &t->e;
    r->value = training_field(t, "embedding");
    if (!r->value) return true;
    begin_run(t, r, EMBEDDING);
    training_bind(t);
    const Span span = r->value->span;
    Value f = elab_expression(e, t->env, r->value);
    if (f.kind == VALUE_unknown) return false;
    if (f.kind != VALUE_function) {
        elab_error(e, span, "`embedding` is to be a function of the data, found %s",
                   elab_words(e, &f));
        return false;
    }
    Value v = train_call(t, f.function, false, span);
    if (v.kind == VALUE_unknown) return false;
    const Type *type = v.kind == VALUE_tensor ? tensor_type(&v) : NULL;
    if (!type || type->rank != 2 || type->dim[0] != t->block->data.batch) {
        elab_error(e, span,
                   "an embedding gives f32[N, D], a row for each example, found %s",
                   elab_words(e, &v));
        return false;
    }
    r->total = elab_cast(e, v, ELEM_f32, span);
    return true;
}

Func *train_embedding_finish(Training *t, const Reporting *r) {
    if (!r->run) return NULL;
    const char *name = arena_print(t->e.arena, "%s_embedding", t->word);
    Func *func = run_finish(&t->e, r->run, name);
    func_result(func, "embedding", ROLE_OUTPUT, r->run->map[r->total.tensor.val], -1);
    return func;
}
