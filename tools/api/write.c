/* A program of the C API written out: as text at a level, as a library for C. */
#include "codegen/c_name.h"
#include "codegen/object.h"
#include "tools/api/api.h"
#include "tools/library.h"
#include <string.h>

/* ---- emit -------------------------------------------------------------------------------- */

static Status emit_body(Session *s) {
    ApiCall *call = s->context;
    Text text;
    text_init(&text, &s->arena);
    text_puts(&text, "");
    Status status = STATUS_OK;
    if (strcmp(call->level, "ast")) { /* the only one of the text alone */
        status = api_load(s, call);
        if (status == STATUS_OK) status = api_want(s, call, call->name);
    }
    if (status == STATUS_OK) status = session_emit(s, call->level, call->after, &text);
    call->out = text.at;
    return status;
}

static tn_status check_level(tn_context *context, const char *level, const char *after) {
    const char *near;
    if (!level_known(level))
        return api_fail(context, TN_STATUS_OPTION, "there is no level '%.100s'", level);
    if (after && strcmp(level, "graph"))
        return api_fail(context, TN_STATUS_OPTION, "a pass goes with the level graph");
    if (after && !pass_known(after, &near))
        return api_fail(context, TN_STATUS_OPTION, "there is no pass '%.100s'%s%s", after,
                        near ? "; the nearest is " : "", near ? near : "");
    return TN_STATUS_OK;
}

tn_status tn_program_emit(tn_program *program, const char *level, const char *name,
                          const char *after, const char **text) {
    if (text) *text = NULL;
    if (!program) return TN_STATUS_NULL;
    tn_context *context = program->context;
    api_begin(context);
    if (!level || !text) return api_missing(context, level ? "text" : "level");
    tn_status status = check_level(context, level, after);
    if (status != TN_STATUS_OK) return status;
    Session *s = api_session(program);
    if (!s) return api_fail(context, TN_STATUS_MEMORY, "memory ended");
    ApiCall call = {.program = program, .name = name, .level = level, .after = after};
    status = api_run(context, s, &call, emit_body, true);
    if (status != TN_STATUS_OK) {
        session_close(s);
        return status;
    }
    session_close(program->emitted);
    program->emitted = s;
    *text = call.out;
    return TN_STATUS_OK;
}

/* ---- compile ----------------------------------------------------------------------------- */

/* Whether the names are there and leave nothing open. */
static Status names_body(Session *s) {
    ApiCall *call = s->context;
    api_forget(s);
    Status status = STATUS_OK;
    for (size_t i = 0; i < call->count && status == STATUS_OK; i++)
        status = api_want(s, call, call->names[i]);
    return status == STATUS_OK && !call->count ? api_want(s, call, NULL) : status;
}

static Status library_body(Session *s) {
    const ApiCall *call = s->context;
    LibraryFacts facts;
    const LibrarySettings settings = {.path = call->path,
                                      .name = call->name,
                                      .entries = (uint32_t)call->count,
                                      .entry = call->names,
                                      .weights = call->weights};
    return library_build(s, &settings, &facts);
}

static tn_status check_path(tn_program *program, const ApiCall *call) {
    tn_context *context = program->context;
    char message[MESSAGE_BYTES];
    if (guard_enter(program->guard)) return api_raised(context, &program->guard);
    const char *name = object_path_name(&program->arena, call->path);
    if (!name)
        return api_fail(context, TN_STATUS_OPTION, "'%.200s' ends in none of .so, .a, .o",
                        call->path);
    if (call->name) name = call->name;
    const char *fault = c_prefix_fault(name);
    if (fault) return api_fail(context, TN_STATUS_OPTION, "'%.100s' %s", name, fault);
    if (object_path_check(call->path, message) != STATUS_OK)
        return api_fail(context, TN_STATUS_FILE, "%s", message);
    return call->weights ? api_readable(context, call->weights) : TN_STATUS_OK;
}

/* The names are right by now: what is wrong still are the weights. */
static tn_status write_library(tn_program *program, ApiCall *call) {
    Session *s = api_session(program);
    if (!s) return api_fail(program->context, TN_STATUS_MEMORY, "memory ended");
    tn_status status = api_run(program->context, s, call, library_body, true);
    bool said = *s->failure;
    session_close(s);
    return status == TN_STATUS_PROGRAM && said && call->weights ? TN_STATUS_WEIGHTS
                                                                : status;
}

tn_status tn_program_compile(tn_program *program, const char *path, const char *c_name,
                             const char *const *names, size_t count,
                             const char *weights) {
    if (!program) return TN_STATUS_NULL;
    api_begin(program->context);
    if (!path) return api_missing(program->context, "path");
    ApiCall call = {.program = program,
                    .path = path,
                    .name = c_name,
                    .names = names,
                    .count = count,
                    .weights = weights};
    tn_status status = api_names(program->context, names, count);
    if (status == TN_STATUS_OK) status = check_path(program, &call);
    if (status == TN_STATUS_OK) status = api_ask(program, &call, names_body);
    return status == TN_STATUS_OK ? write_library(program, &call) : status;
}
