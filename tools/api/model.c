/* The C API's models: entries compiled, their state. */
#include "base/alloc.h"
#include "tools/api/api.h"
#include <string.h>

/* ---- compiling --------------------------------------------------------------------------- */

static Status too_many(Session *s, ApiCall *call, const Func *func) {
    call->failed = TN_STATUS_COUNT;
    return session_fail(s, STATUS_INPUT, "'%s' has more than %d inputs or outputs",
                        func->name, MAX_PORTS);
}

static uint32_t places_of(Session *s, const Port *const *port, uint32_t count,
                          const ApiPlace **out) {
    ApiPlace *place = arena_array(&s->arena, ApiPlace, count + 1);
    for (uint32_t i = 0; i < count; i++)
        place[i] = api_place(s, port[i]->name, &port[i]->type);
    *out = place;
    return count;
}

static Status make_entry(Session *s, ApiCall *call, const Func *func, ApiEntry *out) {
    const Port *port[MAX_PORTS];
    uint32_t all = 0;
    for (uint32_t i = 0; i < func->params.count; i++)
        all += func->params.at[i].role == ROLE_INPUT;
    if (all > MAX_PORTS) return too_many(s, call, func);
    all = 0;
    for (uint32_t i = 0; i < func->outputs.count; i++)
        all += func->outputs.at[i].role == ROLE_OUTPUT;
    if (all > MAX_PORTS) return too_many(s, call, func);
    out->callable = session_entry(s, func);
    out->inputs = places_of(s, port, func_inputs(func, port), &out->input);
    out->outputs = places_of(s, port, func_outputs(func, port), &out->output);
    for (uint32_t i = 0; i < func->params.count; i++)
        out->has_state |= func->params.at[i].role != ROLE_INPUT;
    return STATUS_OK;
}

static void make_slots(Session *s, tn_model *model) {
    uint32_t count = s->layout->slots;
    model->slot = arena_array(&s->arena, ApiPlace, count + 1);
    model->shown = arena_array(&s->arena, tn_port, count + 1);
    model->written = arena_array(&s->arena, bool, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const Slot *slot = &s->layout->slot[i];
        const Port port = {.name = slot->name, .role = slot->role, .type = slot->type};
        model->slot[i] = api_place(s, slot->name, &slot->type);
        model->shown[i] = api_port(&s->program->module->dims, &s->arena, &port);
    }
}

static void add_init(Session *s, tn_model *model, Func *init) {
    bool known = false;
    model->init[model->inits++] = init;
    for (uint32_t i = 0; i < s->wanted.count; i++) known |= s->wanted.at[i] == init;
    if (!known) session_want(s, init);
}

/* Those of train blocks come last: a step finds what `tenon train` begins with. */
static void add_inits(Session *s, const ApiCall *call) {
    const char *const none[] = {NULL}, *const *names = call->count ? call->names : none;
    size_t count = call->count ? call->count : 1;
    call->model->init = arena_array(&s->arena, const Func *, count);
    for (int trains = 0; trains < 2; trains++)
        for (size_t i = 0; i < count; i++) {
            bool is_train = false;
            Func *init = api_init(s->program, names[i]);
            for (uint32_t k = 0; k < s->program->trains; k++)
                is_train |= init == s->program->train[k].init;
            if (init && is_train == trains) add_init(s, call->model, init);
        }
}

static Status compile_body(Session *s) {
    ApiCall *call = s->context;
    tn_model *model = call->model;
    Status status = api_load(s, call);
    for (size_t i = 0; i < call->count && status == STATUS_OK; i++)
        status = api_want(s, call, call->names[i]);
    if (status == STATUS_OK && !call->count) status = api_want(s, call, NULL);
    if (status == STATUS_OK) add_inits(s, call);
    if (status == STATUS_OK) status = session_compile(s);
    if (status == STATUS_SYSTEM && target_lacks(&s->target, NULL))
        call->failed = TN_STATUS_CPU;
    if (status != STATUS_OK) return status;
    model->entry = arena_array(&s->arena, ApiEntry, s->wanted.count + 1);
    for (uint32_t i = 0; i < s->wanted.count && status == STATUS_OK; i++)
        status = make_entry(s, call, s->wanted.at[i], &model->entry[i]);
    model->entries = s->wanted.count;
    make_slots(s, model);
    return status;
}

tn_status tn_model_compile(tn_program *program, const char *const *names, size_t count,
                           tn_model **model) {
    if (model) *model = NULL;
    if (!program) return TN_STATUS_NULL;
    tn_context *context = program->context;
    api_begin(context);
    if (!model) return api_missing(context, "model");
    tn_status status = api_names(context, names, count);
    if (status != TN_STATUS_OK) return status;
    tn_model *m = mem_alloc(sizeof *m);
    if (m) m->session = api_session(program);
    if (!m || !m->session) {
        mem_free(m);
        return api_fail(context, TN_STATUS_MEMORY, "memory ended");
    }
    m->session->settings.with_init = true;
    m->program = program;
    ApiCall call = {.program = program, .model = m, .names = names, .count = count};
    status = api_run(context, m->session, &call, compile_body, true);
    if (status != TN_STATUS_OK) {
        tn_model_free(m);
        return status;
    }
    m->next = program->models;
    program->models = m;
    *model = m;
    return TN_STATUS_OK;
}

void tn_model_free(tn_model *model) {
    if (!model) return;
    tn_model **at = &model->program->models;
    while (*at && *at != model) at = &(*at)->next;
    if (*at) *at = model->next;
    session_close(model->session);
    mem_free(model);
}

size_t tn_model_state_bytes(const tn_model *model) {
    return model ? (size_t)model->session->layout->bytes : 0;
}

size_t tn_model_work_bytes(const tn_model *model) {
    int64_t most = 0;
    if (!model) return 0;
    for (uint32_t i = 0; i < model->session->wanted.count; i++)
        if (model->session->plan[i]->work_bytes > most)
            most = model->session->plan[i]->work_bytes;
    return (size_t)most;
}

/* ---- calls ------------------------------------------------------------------------------- */

static const ApiEntry *find_entry(const tn_model *model, const char *name) {
    for (uint32_t i = 0; i < model->entries; i++)
        if (!strcmp(model->entry[i].callable.name, name)) return &model->entry[i];
    return NULL;
}

static tn_status check_arrays(tn_context *context, const char *what,
                              const ApiPlace *place, uint32_t places,
                              const tn_array *array, size_t arrays, int64_t *n) {
    if (arrays != places)
        return api_fail(context, TN_STATUS_COUNT, "%zu %s are given, %u are needed",
                        arrays, what, places);
    if (arrays && !array)
        return api_fail(context, TN_STATUS_NULL, "the array of %s is NULL", what);
    for (uint32_t i = 0; i < places; i++) {
        tn_status status = api_check(context, &place[i], &array[i], n);
        if (status != TN_STATUS_OK) return status;
    }
    return TN_STATUS_OK;
}

static tn_status check_overlap(tn_context *context, const ApiEntry *entry,
                               const tn_array *in, const tn_array *out) {
    for (uint32_t i = 0; i < entry->outputs; i++) {
        for (uint32_t k = 0; k < entry->inputs; k++)
            if (api_overlap(&out[i], &in[k]))
                return api_fail(context, TN_STATUS_OVERLAP,
                                "the result '%s' lies over the input '%s'",
                                entry->output[i].name, entry->input[k].name);
        for (uint32_t k = 0; k < i; k++)
            if (api_overlap(&out[i], &out[k]))
                return api_fail(context, TN_STATUS_OVERLAP,
                                "the result '%s' lies over the result '%s'",
                                entry->output[i].name, entry->output[k].name);
    }
    return TN_STATUS_OK;
}

/* Parameters that nobody set are zeros, and a net of zeros answers nonsense. */
static tn_status check_state(const tn_model *model, const ApiEntry *entry) {
    const Layout *layout = model->session->layout;
    const Func *func = entry->callable.func;
    for (uint32_t p = 0; p < func->params.count && entry->has_state; p++) {
        if (func->params.at[p].role != ROLE_PARAM) continue;
        for (uint32_t i = 0; i < layout->slots; i++)
            if (!model->written[i] &&
                !strcmp(layout->slot[i].name, func->params.at[p].name))
                return api_fail(model->program->context, TN_STATUS_STATE,
                                "'%s' has no value yet: init, write or load weights",
                                layout->slot[i].name);
    }
    return TN_STATUS_OK;
}

/* A call of compiled code allocates nothing. */
static tn_status call_entry(tn_model *model, const ApiEntry *entry, const tn_array *in,
                            const tn_array *out, int64_t n) {
    const void *from[MAX_PORTS];
    void *to[MAX_PORTS];
    Session *s = model->session;
    for (uint32_t i = 0; i < entry->inputs; i++) from[i] = api_data(&in[i]);
    for (uint32_t i = 0; i < entry->outputs; i++) to[i] = api_data(&out[i]);
    Status status = session_call(s, &entry->callable, from, to, n);
    if (status == STATUS_OK) return TN_STATUS_OK;
    return api_fail(model->program->context,
                    status == STATUS_BUG ? TN_STATUS_BUG : TN_STATUS_RANGE, "%s",
                    s->failure);
}

tn_status tn_model_call(tn_model *model, const char *name, const tn_array *in,
                        size_t inputs, const tn_array *out, size_t outputs) {
    if (!model) return TN_STATUS_NULL;
    tn_context *context = model->program->context;
    api_begin(context);
    if (!name) return api_missing(context, "entry");
    int64_t n = API_UNKNOWN;
    const ApiEntry *entry = find_entry(model, name);
    if (!entry)
        return api_fail(context, TN_STATUS_ENTRY, "'%.100s' was not compiled", name);
    tn_status status =
        check_arrays(context, "inputs", entry->input, entry->inputs, in, inputs, &n);
    if (status == TN_STATUS_OK)
        status = check_arrays(context, "outputs", entry->output, entry->outputs, out,
                              outputs, &n);
    if (status == TN_STATUS_OK) status = check_overlap(context, entry, in, out);
    if (status == TN_STATUS_OK) status = check_state(model, entry);
    if (status != TN_STATUS_OK) return status;
    return call_entry(model, entry, in, out, n == API_UNKNOWN ? 0 : n);
}
