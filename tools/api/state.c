/* The state of the C API's models: first values, slots, files. */
#include "tools/api/api.h"
#include "tools/checkpoint.h"
#include <string.h>

/* What an init gives is set from then on. */
static void mark_written(tn_model *model, const Func *init) {
    const Layout *layout = model->session->layout;
    for (uint32_t o = 0; o < init->outputs.count; o++)
        for (uint32_t i = 0; i < layout->slots; i++)
            if (!strcmp(layout->slot[i].name, init->outputs.at[o].name))
                model->written[i] = true;
}

tn_status tn_model_init(tn_model *model, int64_t seed) {
    if (!model) return TN_STATUS_NULL;
    tn_context *context = model->program->context;
    Session *s = model->session;
    api_begin(context);
    if (seed < 0 || seed > INT32_MAX)
        return api_fail(context, TN_STATUS_RANGE, "a seed is 0 to 2147483647, not %lld",
                        (long long)seed);
    if (!model->inits && s->layout->slots)
        return api_fail(context, TN_STATUS_ENTRY,
                        "nothing that was compiled knows first values of '%s'",
                        s->layout->slot[0].name);
    for (uint32_t i = 0; i < model->inits; i++) {
        if (session_init(s, model->init[i], seed) != STATUS_OK)
            return api_fail(context, TN_STATUS_BUG, "%s", s->failure);
        mark_written(model, model->init[i]);
    }
    return TN_STATUS_OK;
}

size_t tn_model_slots(const tn_model *model) {
    return model ? model->session->layout->slots : 0;
}

tn_status tn_model_slot(const tn_model *model, size_t i, tn_port *slot) {
    if (!model) return TN_STATUS_NULL;
    api_begin(model->program->context);
    if (!slot) return api_missing(model->program->context, "slot");
    if (i >= model->session->layout->slots)
        return api_fail(model->program->context, TN_STATUS_RANGE,
                        "slot %zu of %u does not exist", i,
                        model->session->layout->slots);
    *slot = model->shown[i];
    return TN_STATUS_OK;
}

/* ---- one slot ---------------------------------------------------------------------------- */

static tn_status find_slot(tn_model *model, const char *name, const tn_array *array,
                           uint32_t *found) {
    tn_context *context = model->program->context;
    const Layout *layout = model->session->layout;
    int64_t n = API_UNKNOWN;
    for (uint32_t i = 0; i < layout->slots; i++) {
        if (strcmp(layout->slot[i].name, name)) continue;
        *found = i;
        return api_check(context, &model->slot[i], array, &n);
    }
    return api_fail(context, TN_STATUS_NAME, "the state has no slot '%.100s'", name);
}

static char *slot_data(const tn_model *model, uint32_t i, size_t *bytes) {
    const Slot *slot = &model->session->layout->slot[i];
    *bytes = (size_t)tensor_elements(slot->type.rank, slot->type.dim) *
             elem_bytes(slot->type.elem);
    return (char *)model->session->state + slot->offset;
}

tn_status tn_model_read(tn_model *model, const char *slot, const tn_array *to) {
    uint32_t i;
    size_t bytes;
    if (!model) return TN_STATUS_NULL;
    api_begin(model->program->context);
    if (!slot || !to) return api_missing(model->program->context, slot ? "to" : "slot");
    tn_status status = find_slot(model, slot, to, &i);
    if (status != TN_STATUS_OK) return status;
    const char *from = slot_data(model, i, &bytes);
    memmove(api_data(to), from, bytes);
    return TN_STATUS_OK;
}

tn_status tn_model_write(tn_model *model, const char *slot, const tn_array *from) {
    uint32_t i;
    size_t bytes;
    if (!model) return TN_STATUS_NULL;
    api_begin(model->program->context);
    if (!slot || !from)
        return api_missing(model->program->context, slot ? "from" : "slot");
    tn_status status = find_slot(model, slot, from, &i);
    if (status != TN_STATUS_OK) return status;
    char *to = slot_data(model, i, &bytes);
    memmove(to, api_data(from), bytes);
    model->written[i] = true;
    return TN_STATUS_OK;
}

/* ---- files ------------------------------------------------------------------------------- */

static Status load_body(Session *s) {
    const ApiCall *call = s->context;
    return session_weights(s, call->name);
}

tn_status tn_model_load_weights(tn_model *model, const char *path) {
    if (!model) return TN_STATUS_NULL;
    Session *s = model->session;
    tn_context *context = model->program->context;
    api_begin(context);
    if (!path) return api_missing(context, "path");
    tn_status status = api_readable(context, path);
    if (status != TN_STATUS_OK) return status;
    ApiCall call = {.model = model, .name = path, .failed = TN_STATUS_WEIGHTS};
    status = api_run(context, s, &call, load_body, false);
    for (uint32_t i = 0; i < s->layout->slots && status == TN_STATUS_OK; i++) {
        Role role = s->layout->slot[i].role;
        if (role == ROLE_PARAM || role == ROLE_STATE) model->written[i] = true;
    }
    return status;
}

static Status save_body(Session *s) {
    const ApiCall *call = s->context;
    char message[MESSAGE_BYTES];
    if (checkpoint_write(call->name, s->layout, s->state, NULL, message))
        return STATUS_OK;
    return session_fail(s, STATUS_INPUT, "%s", message);
}

tn_status tn_model_save_weights(tn_model *model, const char *path) {
    if (!model) return TN_STATUS_NULL;
    tn_context *context = model->program->context;
    api_begin(context);
    if (!path) return api_missing(context, "path");
    ApiCall call = {.model = model, .name = path, .failed = TN_STATUS_FILE};
    return api_run(context, model->session, &call, save_body, false);
}
