/* The C API's signatures and train blocks. */
#include "tools/api/api.h"
#include <string.h>

void api_forget(Session *s) {
    s->diag.messages.count = 0;
    s->diag.errors = 0;
    s->wanted.count = 0;
}

static bool is_slot(Role role) {
    return role != ROLE_INPUT && role != ROLE_OUTPUT;
}

static const tn_signature *signature_of(Session *s, const Func *func) {
    Arena *arena = &s->arena;
    const Dims *dims = &func->module->dims;
    uint32_t params = func->params.count, results = func->outputs.count;
    tn_signature *out = arena_new(arena, tn_signature);
    tn_port *input = arena_array(arena, tn_port, params + 1),
            *slot = arena_array(arena, tn_port, params + results + 1),
            *output = arena_array(arena, tn_port, results + 1);
    *out = (tn_signature){.name = func->name, .input = input, .output = output};
    out->slot = slot;
    for (uint32_t i = 0; i < params; i++) {
        const Port *port = &func->params.at[i];
        tn_port shown = api_port(dims, arena, port);
        if (is_slot(port->role))
            slot[out->slots++] = shown;
        else
            input[out->inputs++] = shown;
    }
    for (uint32_t i = 0; i < results; i++) {
        const Port *port = &func->outputs.at[i];
        if (port->role == ROLE_OUTPUT)
            output[out->outputs++] = api_port(dims, arena, port);
        else if (port->alias < 0) /* of an init: no parameter has it */
            slot[out->slots++] = api_port(dims, arena, port);
    }
    return out;
}

static Status signature_body(Session *s) {
    ApiCall *call = s->context;
    api_forget(s);
    const Func *func = api_func(s, call, call->name);
    if (!func) return STATUS_INPUT;
    const tn_signature *signature = signature_of(s, func);
    vec_push(&s->arena, &call->program->signatures, signature);
    call->out = signature;
    return STATUS_OK;
}

/* What was elaborated half is of no more use. */
tn_status api_ask(tn_program *program, ApiCall *call, SessionBody *body) {
    tn_status status = api_list(program);
    if (status != TN_STATUS_OK) return status;
    status = api_run(program->context, program->list, call, body, true);
    if (status == TN_STATUS_MEMORY || status == TN_STATUS_BUG) api_unlist(program);
    return status;
}

tn_status tn_program_signature(tn_program *program, const char *entry,
                               const tn_signature **signature) {
    if (signature) *signature = NULL;
    if (!program) return TN_STATUS_NULL;
    api_begin(program->context);
    if (!entry || !signature)
        return api_missing(program->context, entry ? "signature" : "entry");
    for (uint32_t i = 0; i < program->signatures.count; i++)
        if (!strcmp(program->signatures.at[i]->name, entry)) {
            *signature = program->signatures.at[i];
            return TN_STATUS_OK;
        }
    ApiCall call = {.program = program, .name = entry};
    tn_status status = api_ask(program, &call, signature_body);
    if (status == TN_STATUS_OK) *signature = call.out;
    return status;
}

static Status train_body(Session *s) {
    ApiCall *call = s->context;
    api_forget(s);
    bool known = !call->name && s->program->trains;
    for (uint32_t i = 0; i < s->program->trains && call->name; i++)
        known = known || !strcmp(s->program->train[i].name, call->name);
    if (!known) call->failed = TN_STATUS_ENTRY;
    const TrainBlock *block = session_train(s, call->name);
    if (!block) return STATUS_INPUT;
    tn_train *out = arena_new(&s->arena, tn_train);
    tn_phase *phase = arena_array(&s->arena, tn_phase, block->phases + 1);
    for (uint32_t i = 0; i < block->phases; i++)
        phase[i] = (tn_phase){block->phase[i].step->name, block->phase[i].epochs};
    *out = (tn_train){.name = block->name,
                      .data = block->data.kind,
                      .batch = block->data.batch,
                      .epochs = block->epochs,
                      .phases = block->phases,
                      .phase = phase,
                      .report = block->report->name};
    vec_push(&s->arena, &call->program->blocks, out);
    call->out = out;
    return STATUS_OK;
}

tn_status tn_program_train_block(tn_program *program, const char *name,
                                 const tn_train **train) {
    if (train) *train = NULL;
    if (!program) return TN_STATUS_NULL;
    api_begin(program->context);
    if (!train) return api_missing(program->context, "train");
    const char *wanted = name ? name : program->trains ? program->train[0] : "";
    for (uint32_t i = 0; i < program->blocks.count; i++)
        if (!strcmp(program->blocks.at[i]->name, wanted)) {
            *train = program->blocks.at[i];
            return TN_STATUS_OK;
        }
    ApiCall call = {.program = program, .name = name};
    tn_status status = api_ask(program, &call, train_body);
    if (status == TN_STATUS_OK) *train = call.out;
    return status;
}
