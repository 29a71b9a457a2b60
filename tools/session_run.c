/* A verb's session: settings from the options, words on stderr. */
#include "tools/session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *cache_folder(Arena *arena) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *parent = base && *base == '/' ? base
                         : home && *home      ? arena_print(arena, "%s/.cache", home)
                                              : NULL;
    if (!parent) return NULL;
    const char *folder = arena_print(arena, "%s/tenon", parent);
    mkdir(parent, 0777);
    mkdir(folder, 0777);
    struct stat facts;
    return !stat(folder, &facts) && S_ISDIR(facts.st_mode) ? folder : NULL;
}

static const char *name_of(Arena *arena, const char *pair, const char **value) {
    const char *equal = strchr(pair, '=');
    *value = equal + 1;
    return arena_string(arena, pair, (size_t)(equal - pair));
}

/* --bind N=32; --bind 'N<=512', a run-time dimension with that maximum, for those that can
 * call it with any value up to it. */
static Status read_bindings(Session *s) {
    const List *list = &s->options->bind;
    const char *verb = s->options->verb;
    Binding *binding = arena_array(&s->arena, Binding, list->count + 1);
    bool takes_max =
        !strcmp(verb, "compile") || !strcmp(verb, "emit") || !strcmp(verb, "bench");
    for (uint32_t i = 0; i < list->count; i++) {
        const char *text = list->at[i], *equal = strchr(text, '=');
        bool is_max = equal > text + 1 && equal[-1] == '<';
        char *end;
        size_t length = (size_t)(equal - text) - is_max;
        binding[i] = (Binding){.name = arena_string(&s->arena, text, length),
                               .value = strtoll(equal + 1, &end, 10),
                               .is_max = is_max};
        if (*end || binding[i].value < 1 || binding[i].value > DIM_LIMIT)
            return session_fail(s, STATUS_USAGE, "--bind takes NAME=SIZE, not '%s'",
                                text);
        if (is_max && !takes_max)
            return session_fail(
                s, STATUS_USAGE,
                "a dimension of any size, '%s', is for compile, emit and bench; "
                "give it one: --bind %s=%lld",
                text, binding[i].name, (long long)binding[i].value);
    }
    s->settings.binding = binding;
    s->settings.bindings = list->count;
    return STATUS_OK;
}

/* --set epochs=3 */
static void read_settings(Session *s) {
    const List *list = &s->options->set;
    const char *(*set)[2] = arena_alloc(&s->arena, (list->count + 1) * sizeof *set);
    for (uint32_t i = 0; i < list->count; i++)
        set[i][0] = name_of(&s->arena, list->at[i], &set[i][1]);
    uint32_t sets = list->count;
    if (s->options->attack) {
        set[sets][0] = "attack";
        set[sets++][1] = s->options->attack;
    }
    s->settings.set = (const char *const(*)[2])set;
    s->settings.sets = sets;
}

static Status settings_body(Session *s) {
    if (!s->options->no_cache) s->settings.cache = cache_folder(&s->arena);
    read_settings(s);
    return read_bindings(s);
}

static Status render_body(Session *s) {
    Text text;
    text_init(&text, &s->arena);
    diag_render(&s->diag, &text);
    if (text.length) fputs(text.at, stderr);
    return STATUS_OK;
}

/* Rendering takes memory, and may fail on its own. */
static void print_end(Session *s, Status status) {
    char failure[sizeof s->failure];
    memcpy(failure, s->failure, sizeof failure);
    if (s->diag.messages.count) session_guard(s, render_body);
    if (status == STATUS_OK || !*failure) return;
    fprintf(stderr, "tenon %s: %s%s\n", s->options->verb,
            status == STATUS_BUG ? "this is our mistake, please report it: " : "",
            failure);
}

Status session_run(const Options *options, const char *path, SessionBody *body,
                   void *context) {
    const SessionSettings settings = {.cpu = options->cpu,
                                      .data = options->data,
                                      .threads = (int)options->threads,
                                      .library = options->library,
                                      .no_winograd = options->no_winograd};
    Session *s = session_open(path, &settings);
    if (!s) {
        fprintf(stderr, "tenon %s: out of memory\n", options->verb);
        return STATUS_MEMORY;
    }
    s->options = options;
    s->context = context;
    s->shelf.pictures = options->pictures;
    s->shelf.fit = options->fit;
    Status status = session_guard(s, settings_body);
    if (status == STATUS_OK) status = session_guard(s, body);
    print_end(s, status);
    session_close(s);
    return status;
}
