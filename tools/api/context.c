/* The C API's contexts: options, errors, diagnostics. */
#include "base/alloc.h"
#include "tools/api/api.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    tn_status status;
    const char *name, *words;
} statuses[] = {
#define STATUS(name, words) {TN_STATUS_##name, "TN_STATUS_" #name, words},
#include "tools/api/status.def"
#undef STATUS
};
#define STATUSES (sizeof statuses / sizeof *statuses)

const char *tn_status_name(tn_status status) {
    for (size_t i = 0; i < STATUSES; i++)
        if (statuses[i].status == status) return statuses[i].name;
    return "TN_STATUS_UNKNOWN";
}

const char *tn_status_text(tn_status status) {
    for (size_t i = 0; i < STATUSES; i++)
        if (statuses[i].status == status) return statuses[i].words;
    return "";
}

const char *tn_version(void) {
    return TENON_VERSION;
}

tn_context *tn_context_new(void) {
    tn_context *context = mem_alloc(sizeof *context);
    if (!context) return NULL;
    arena_init(&context->report, &context->guard);
    context->text = "";
    return context;
}

void tn_context_free(tn_context *context) {
    if (!context) return;
    while (context->programs) tn_program_free(context->programs);
    arena_free(&context->report);
    mem_free(context);
}

/* ---- errors ---------------------------------------------------------------------------- */

void api_begin(tn_context *context) {
    context->error[0] = 0;
}

tn_status api_fail(tn_context *context, tn_status status, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(context->error, sizeof context->error, format, list);
    va_end(list);
    return status;
}

tn_status api_missing(tn_context *context, const char *what) {
    return api_fail(context, TN_STATUS_NULL, "`%s` is NULL", what);
}

static tn_status status_of(Status status) {
    switch (status) {
    case STATUS_OK: return TN_STATUS_OK;
    case STATUS_INPUT: return TN_STATUS_PROGRAM;
    case STATUS_USAGE: return TN_STATUS_OPTION;
    case STATUS_BUG: return TN_STATUS_BUG;
    case STATUS_MEMORY: return TN_STATUS_MEMORY;
    case STATUS_SYSTEM: return TN_STATUS_SYSTEM;
    }
    return TN_STATUS_BUG;
}

tn_status api_raised(tn_context *context, const Guard *guard) {
    return api_fail(context, status_of(guard->status), "%s", guard->message);
}

/* ---- diagnostics ----------------------------------------------------------------------- */

static void forget(tn_context *context) {
    context->diagnostics = 0;
    context->diagnostic = NULL;
    context->text = "";
    arena_free(&context->report);
}

static const char *keep(Arena *arena, const char *text) {
    return text ? arena_string(arena, text, strlen(text)) : NULL;
}

static void keep_message(Arena *arena, const Diag *diag, const Message *message,
                         tn_diagnostic *out) {
    Location at = diag_location(diag, message->span);
    *out = (tn_diagnostic){.path = keep(arena, at.path),
                           .line = at.line,
                           .column = at.column,
                           .message = keep(arena, message->text),
                           .hint = keep(arena, message->hint)};
    switch (message->severity) {
    case SEVERITY_ERROR: out->severity = TN_SEVERITY_ERROR; return;
    case SEVERITY_WARNING: out->severity = TN_SEVERITY_WARNING; return;
    case SEVERITY_NOTE: out->severity = TN_SEVERITY_NOTE; return;
    }
}

/* The session may end before its messages are asked for.  false: memory ended. */
static bool keep_report(tn_context *context, const Diag *diag) {
    forget(context);
    if (guard_enter(context->guard)) {
        forget(context);
        return false;
    }
    uint32_t count = diag->messages.count;
    Text text;
    text_init(&text, &context->report);
    text_puts(&text, "");
    diag_render(diag, &text);
    context->diagnostic = arena_array(&context->report, tn_diagnostic, count + 1);
    for (uint32_t i = 0; i < count; i++)
        keep_message(&context->report, diag, &diag->messages.at[i],
                     &context->diagnostic[i]);
    context->diagnostics = count;
    context->text = text.at;
    return true;
}

/* Where the session said nothing itself, the first error speaks for it. */
static void tell(tn_context *context, const Session *session) {
    for (size_t i = 0; i < context->diagnostics && !*session->failure; i++) {
        const tn_diagnostic *d = &context->diagnostic[i];
        if (d->severity != TN_SEVERITY_ERROR) continue;
        if (d->line)
            api_fail(context, TN_STATUS_OK, "%s:%u:%u: %s", d->path, d->line, d->column,
                     d->message);
        else
            api_fail(context, TN_STATUS_OK, "%s", d->message);
        return;
    }
    api_fail(context, TN_STATUS_OK, "%s", session->failure);
}

tn_status api_readable(tn_context *context, const char *path) {
    struct stat facts;
    if (access(path, R_OK) || stat(path, &facts))
        return api_fail(context, TN_STATUS_FILE, "%.400s: %s", path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return api_fail(context, TN_STATUS_FILE, "%.400s: %s", path, strerror(EISDIR));
    return TN_STATUS_OK;
}

tn_status api_file(const char *words, tn_status otherwise) {
    return strstr(words, "memory ended") ? TN_STATUS_MEMORY : otherwise;
}

tn_status api_run(tn_context *context, Session *session, ApiCall *call, SessionBody *body,
                  bool reads) {
    session->context = call;
    Status status = session_guard(session, body);
    if (reads && !keep_report(context, &session->diag) && status != STATUS_BUG)
        return api_fail(context, TN_STATUS_MEMORY, "memory ended");
    if (status == STATUS_OK) return TN_STATUS_OK;
    tell(context, session);
    bool ours = status == STATUS_MEMORY || status == STATUS_BUG;
    if (ours) return status_of(status);
    return api_file(context->error, call->failed ? call->failed : status_of(status));
}

size_t tn_context_diagnostics(const tn_context *context) {
    return context ? context->diagnostics : 0;
}

tn_status tn_context_diagnostic(const tn_context *context, size_t i, tn_diagnostic *out) {
    if (!context || !out) return TN_STATUS_NULL;
    if (i >= context->diagnostics) return TN_STATUS_RANGE;
    *out = context->diagnostic[i];
    return TN_STATUS_OK;
}

const char *tn_context_diagnostics_text(const tn_context *context) {
    return context ? context->text : "";
}

const char *tn_context_error(const tn_context *context) {
    return context ? context->error : "there is no context";
}

/* ---- options --------------------------------------------------------------------------- */

static tn_status set_text(tn_context *context, char *to, size_t size, const char *from) {
    if (from && strlen(from) >= size)
        return api_fail(context, TN_STATUS_OPTION, "'%.100s...' is too long", from);
    snprintf(to, size, "%s", from ? from : "");
    return TN_STATUS_OK;
}

tn_status tn_context_set_cpu(tn_context *context, const char *cpu) {
    Target target;
    if (!context) return TN_STATUS_NULL;
    api_begin(context);
    if (cpu && target_find(cpu, &target) != STATUS_OK) {
        char message[MESSAGE_BYTES];
        target_unknown(cpu, message);
        return api_fail(context, TN_STATUS_OPTION, "%s", message);
    }
    return set_text(context, context->cpu, sizeof context->cpu, cpu);
}

tn_status tn_context_set_threads(tn_context *context, int threads) {
    if (!context) return TN_STATUS_NULL;
    api_begin(context);
    if (threads < 0 || threads > 1024)
        return api_fail(context, TN_STATUS_OPTION, "0 to 1024 threads, not %d", threads);
    context->threads = threads;
    return TN_STATUS_OK;
}

tn_status tn_context_set_winograd(tn_context *context, int allowed) {
    if (!context) return TN_STATUS_NULL;
    api_begin(context);
    if (allowed != 0 && allowed != 1)
        return api_fail(context, TN_STATUS_OPTION, "0 or 1, not %d", allowed);
    context->no_winograd = !allowed;
    return TN_STATUS_OK;
}

tn_status tn_context_set_cache(tn_context *context, const char *folder) {
    if (!context) return TN_STATUS_NULL;
    api_begin(context);
    return set_text(context, context->cache, sizeof context->cache, folder);
}

tn_status tn_context_set_data(tn_context *context, const char *folder) {
    if (!context) return TN_STATUS_NULL;
    api_begin(context);
    return set_text(context, context->data, sizeof context->data, folder);
}
