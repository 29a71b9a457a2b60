/* The C API's programs: a text, its bindings, what is in it. */
#include "base/alloc.h"
#include "tools/api/api.h"
#include <stdio.h>
#include <string.h>

Session *api_session(tn_program *program) {
    const tn_context *context = program->context;
    const SessionSettings settings = {
        .text = program->text,
        .length = program->length,
        .cpu = *context->cpu ? context->cpu : NULL,
        .cache = *context->cache ? context->cache : NULL,
        .data = *context->data ? context->data : NULL,
        .threads = context->threads,
        .no_winograd = context->no_winograd,
        .bindings = program->bindings.count,
        .binding = program->bindings.at,
        .sets = program->sets.count,
        .set = (const char *const(*)[2])(const void *)program->sets.at,
    };
    return session_open(program->path, &settings);
}

Status api_load(Session *s, ApiCall *call) {
    Status status = session_load(s, DATA_LIST, NULL, 0);
    if (status == STATUS_INPUT && *s->failure) call->failed = TN_STATUS_FILE;
    return status;
}

/* ---- loading ---------------------------------------------------------------------------- */

static void unlink_program(tn_program *program) {
    tn_program **at = &program->context->programs;
    while (*at && *at != program) at = &(*at)->next;
    if (*at) *at = program->next;
}

void tn_program_free(tn_program *program) {
    if (!program) return;
    while (program->models) tn_model_free(program->models);
    session_close(program->list);
    session_close(program->emitted);
    unlink_program(program);
    arena_free(&program->arena);
    mem_free(program);
}

static Status list_body(Session *s) {
    return api_load(s, s->context);
}

tn_status api_list(tn_program *program) {
    ApiCall call = {.program = program};
    if (program->list) return TN_STATUS_OK;
    program->list = api_session(program);
    if (!program->list)
        return api_fail(program->context, TN_STATUS_MEMORY, "memory ended");
    tn_status status = api_run(program->context, program->list, &call, list_body, true);
    if (status != TN_STATUS_OK) api_unlist(program);
    return status;
}

void api_unlist(tn_program *program) {
    session_close(program->list);
    program->list = NULL;
    program->signatures.count = program->signatures.capacity = 0;
    program->blocks.count = program->blocks.capacity = 0;
}

static tn_status read_text(tn_program *program, const char *path, const char *text,
                           size_t length) {
    char message[MESSAGE_BYTES];
    Bytes file = {0};
    if (!text && !file_read(path, &file, message))
        return api_fail(program->context, api_file(message, TN_STATUS_FILE), "%s",
                        message);
    if (guard_enter(program->guard)) {
        bytes_free(&file);
        return api_raised(program->context, &program->guard);
    }
    program->path = arena_string(&program->arena, path, strlen(path));
    program->text = arena_string(&program->arena, text ? text : (const char *)file.at,
                                 text ? length : file.count);
    program->length = text ? length : file.count;
    bytes_free(&file);
    return TN_STATUS_OK;
}

/* Names outlive the sessions. */
static tn_status keep_names(tn_program *program) {
    const Program *p = program->list->program;
    Arena *arena = &program->arena;
    if (guard_enter(program->guard)) return api_raised(program->context, &program->guard);
    program->entry = arena_array(arena, const char *, p->entries + 1);
    program->train = arena_array(arena, const char *, p->trains + 1);
    for (uint32_t i = 0; i < p->entries; i++)
        program->entry[i] = arena_print(arena, "%s", p->entry[i].name);
    for (uint32_t i = 0; i < p->trains; i++)
        program->train[i] = arena_print(arena, "%s", p->train[i].name);
    program->entries = p->entries;
    program->trains = p->trains;
    return TN_STATUS_OK;
}

static tn_status program_new(tn_context *context, const char *path, const char *text,
                             size_t length, tn_program **out) {
    tn_program *program = mem_alloc(sizeof *program);
    if (!program) return api_fail(context, TN_STATUS_MEMORY, "memory ended");
    program->context = context;
    arena_init(&program->arena, &program->guard);
    tn_status status = read_text(program, path, text, length);
    if (status == TN_STATUS_OK) status = api_list(program);
    if (status == TN_STATUS_OK) status = keep_names(program);
    if (status != TN_STATUS_OK) {
        tn_program_free(program);
        return status;
    }
    program->next = context->programs;
    context->programs = program;
    *out = program;
    return TN_STATUS_OK;
}

tn_status tn_program_load(tn_context *context, const char *path, tn_program **program) {
    if (program) *program = NULL;
    if (!context) return TN_STATUS_NULL;
    api_begin(context);
    if (!path || !program) return api_missing(context, path ? "program" : "path");
    return program_new(context, path, NULL, 0, program);
}

tn_status tn_program_parse(tn_context *context, const char *path, const char *text,
                           size_t length, tn_program **program) {
    if (program) *program = NULL;
    if (!context) return TN_STATUS_NULL;
    api_begin(context);
    if (!path || !program) return api_missing(context, path ? "program" : "path");
    if (!text) return api_missing(context, "text");
    return program_new(context, path, text, length, program);
}

/* ---- bindings --------------------------------------------------------------------------- */

static Binding *binding_of(tn_program *program, const char *dimension) {
    for (uint32_t i = 0; i < program->bindings.count; i++)
        if (!strcmp(program->bindings.at[i].name, dimension))
            return &program->bindings.at[i];
    return NULL;
}

static tn_status bind(tn_program *program, const char *dimension, int64_t size,
                      bool is_max) {
    if (!program) return TN_STATUS_NULL;
    api_begin(program->context);
    if (!dimension) return api_missing(program->context, "dimension");
    if (size < 1 || size > DIM_LIMIT)
        return api_fail(program->context, TN_STATUS_OPTION,
                        "%.100s = %lld: a dimension is 1 to 2^46", dimension,
                        (long long)size);
    if (guard_enter(program->guard)) return api_raised(program->context, &program->guard);
    Binding *old = binding_of(program, dimension);
    if (!old) {
        const char *name = arena_string(&program->arena, dimension, strlen(dimension));
        vec_push(&program->arena, &program->bindings, (Binding){name, size, is_max});
    } else {
        old->value = size;
        old->is_max = is_max;
    }
    api_unlist(program);
    return TN_STATUS_OK;
}

tn_status tn_program_bind(tn_program *program, const char *dimension, int64_t size) {
    return bind(program, dimension, size, false);
}

tn_status tn_program_bind_most(tn_program *program, const char *dimension, int64_t most) {
    return bind(program, dimension, most, true);
}

static ApiSet *set_of(tn_program *program, const char *field) {
    for (uint32_t i = 0; i < program->sets.count; i++)
        if (!strcmp(program->sets.at[i].at[0], field)) return &program->sets.at[i];
    return NULL;
}

tn_status tn_program_set(tn_program *program, const char *field, const char *value) {
    if (!program) return TN_STATUS_NULL;
    api_begin(program->context);
    if (!field || !value) return api_missing(program->context, field ? "value" : "field");
    if (guard_enter(program->guard)) return api_raised(program->context, &program->guard);
    const char *text = arena_string(&program->arena, value, strlen(value));
    ApiSet *set = set_of(program, field);
    if (!set) {
        const char *name = arena_string(&program->arena, field, strlen(field));
        vec_push(&program->arena, &program->sets, (ApiSet){{name, text}});
    } else {
        set->at[1] = text;
    }
    api_unlist(program);
    return TN_STATUS_OK;
}

/* ---- what is in it ---------------------------------------------------------------------- */

size_t tn_program_entries(const tn_program *program) {
    return program ? program->entries : 0;
}

const char *tn_program_entry(const tn_program *program, size_t i) {
    return program && i < program->entries ? program->entry[i] : NULL;
}

size_t tn_program_trains(const tn_program *program) {
    return program ? program->trains : 0;
}

const char *tn_program_train(const tn_program *program, size_t i) {
    return program && i < program->trains ? program->train[i] : NULL;
}
