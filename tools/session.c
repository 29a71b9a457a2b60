/* Sessions: opened, guarded, closed; a program loaded into them, entries asked for. */
#include "tools/session.h"
#include "base/alloc.h"
#include <stdio.h>
#include <string.h>

Session *session_open(const char *path, const SessionSettings *settings) {
    Session *s = mem_alloc(sizeof *s);
    if (!s) return NULL;
    s->path = path;
    s->settings = *settings;
    s->shelf.folder = settings->data;
    arena_init(&s->arena, &s->guard);
    arena_init(&s->scratch, &s->guard);
    s->diag.arena = &s->arena;
    return s;
}

void session_close(Session *s) {
    if (!s) return;
    if (s->jit) jit_free(s->jit);
    if (s->pool) tn_pool_free(s->pool);
    if (!s->library) mem_free(s->state);
    session_library_free(s);
    mem_free(s->work);
    data_shelf_free(&s->shelf);
    arena_free(&s->scratch);
    arena_free(&s->arena);
    mem_free(s);
}

Status session_fail(Session *session, Status status, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(session->failure, sizeof session->failure, format, list);
    va_end(list);
    return status;
}

Status session_guard(Session *s, SessionBody *body) {
    s->failure[0] = 0;
    if (guard_enter(s->guard))
        return session_fail(s, s->guard.status, "%s", s->guard.message);
    return body(s);
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* The settings' text, else the file's.  NULL: said. */
static const char *source_text(Session *s, size_t *length) {
    char message[MESSAGE_BYTES];
    Bytes file;
    *length = s->settings.length;
    if (s->settings.text) return arena_string(&s->arena, s->settings.text, *length);
    if (!file_read(s->path, &file, message)) {
        session_fail(s, STATUS_INPUT, "%s", message);
        return NULL;
    }
    const char *text = arena_string(&s->arena, (char *)file.at, file.count);
    *length = file.count;
    bytes_free(&file);
    return text;
}

bool session_source(Session *s, uint32_t *source) {
    size_t length;
    const char *text = source_text(s, &length);
    if (text) *source = diag_source(&s->diag, s->path, text, length);
    return text != NULL;
}

/* A .graph file stands where a program does: its functions are the entries. */
static Status load_graph(Session *s) {
    uint32_t source;
    if (!session_source(s, &source)) return STATUS_INPUT;
    Module *module = graph_parse(&s->arena, &s->diag, source);
    if (!module) return STATUS_INPUT;
    Entry *entry = arena_array(&s->arena, Entry, module->funcs.count + 1);
    s->program = arena_new(&s->arena, Program);
    *s->program = (Program){.module = module, .entry = entry};
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (module->funcs.at[i]->kind == FUNC_ENTRY)
            entry[s->program->entries++] =
                (Entry){module->funcs.at[i]->name, module->funcs.at[i]};
    s->is_graph = true;
    return STATUS_OK;
}

static const Entry *graph_entry(Session *s, const char *name) {
    const Program *p = s->program;
    const char **names = arena_array(&s->arena, const char *, p->entries + 1);
    for (uint32_t i = 0; i < p->entries; i++) {
        if (!strcmp(p->entry[i].name, name)) return &p->entry[i];
        names[i] = p->entry[i].name;
    }
    diag_error(&s->diag, (Span){0}, "no function @%s in this module", name);
    const char *near = nearest_word(name, names, p->entries);
    if (near) diag_hint(&s->diag, "did you mean @%s?", near);
    return NULL;
}

/* A size for a dimension that no input has would change nothing. */
static Status check_bindings(Session *s) {
    for (uint32_t i = 0; i < s->settings.bindings; i++) {
        const char *name = s->settings.binding[i].name;
        if (program_has_dim(s->program, name)) continue;
        diag_error(&s->diag, (Span){0}, "no entry has an input with a dimension `%s`",
                   name);
        diag_hint(&s->diag, "a training block takes its sizes from its data");
    }
    return s->diag.errors ? STATUS_INPUT : STATUS_OK;
}

Status session_load(Session *s, SessionData data, const Binding *more, uint32_t count) {
    const SessionSettings *o = &s->settings;
    Binding *binding = arena_array(&s->arena, Binding, o->bindings + count + 1);
    if (o->bindings) memcpy(binding, o->binding, o->bindings * sizeof *binding);
    if (count) memcpy(binding + o->bindings, more, count * sizeof *more);
    bool describes = data == DATA_DESCRIBE || data == DATA_LIST;
    s->shelf.describe = describes;
    s->lookup = (DataLookup){&s->shelf, data_find};
    s->program_options =
        (ProgramOptions){.bindings = o->bindings + count,
                         .binding = binding,
                         .keep_open = data == DATA_OPEN || data == DATA_LIST,
                         .with_init = o->with_init,
                         .with_attack = o->with_attack,
                         .greatest_eps = o->greatest_eps,
                         .settings = o->sets,
                         .setting = o->set,
                         .lookup = describes || data == DATA_LOAD ? &s->lookup : NULL};
    s->wanted.count = 0;
    if (ends_with(s->path, ".graph")) return load_graph(s);
    double start = seconds_now();
    s->program = program_load_text(&s->arena, &s->diag, s->path, s->settings.text,
                                   s->settings.length, &s->program_options);
    s->spent.frontend = seconds_now() - start;
    return s->program ? check_bindings(s) : STATUS_INPUT;
}

void session_want(Session *s, Func *func) {
    vec_push(&s->arena, &s->wanted, func);
}

void session_want_init(Session *s, Func *init) {
    s->init = init;
    session_want(s, init);
}

const Entry *session_want_entry(Session *s, const char *name) {
    double start = seconds_now();
    const Entry *entry =
        s->is_graph ? graph_entry(s, name) : program_entry(s->program, name);
    s->spent.frontend += seconds_now() - start;
    if (entry) session_want(s, entry->func);
    return entry;
}

/* Reading the data is no part of compiling. */
const TrainBlock *session_train(Session *s, const char *name) {
    double start = seconds_now(), reading = s->shelf.seconds;
    const TrainBlock *block = program_train(s->program, name);
    s->spent.frontend += seconds_now() - start - (s->shelf.seconds - reading);
    return block;
}

const TrainBlock *session_want_train(Session *s, const char *name) {
    const TrainBlock *block = session_train(s, name);
    if (!block) return NULL;
    session_want_init(s, block->init);
    for (uint32_t i = 0; i < block->phases; i++) session_want(s, block->phase[i].step);
    session_want(s, block->report);
    if (block->attack) session_want(s, block->attack);
    if (block->embedding) session_want(s, block->embedding);
    return block;
}

/* A block's name, or a call of it. */
bool session_names_train(const Session *s, const char *name) {
    const size_t length = strcspn(name, "(");
    for (uint32_t i = 0; i < s->program->trains; i++) {
        const char *train = s->program->train[i].name;
        if (!strncmp(train, name, length) && !train[length]) return true;
    }
    return false;
}

Status session_want_named(Session *s, const char *name) {
    const Program *p = s->program;
    if (!name && !p->trains && p->entries) name = p->entry[0].name;
    bool found = !name || session_names_train(s, name)
                     ? session_want_train(s, name) != NULL
                     : session_want_entry(s, name) != NULL;
    return found ? STATUS_OK : STATUS_INPUT;
}
