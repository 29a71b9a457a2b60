/* From a program to an object on disk: which entries, which first values, which weights. */
#include "tools/library.h"
#include "base/alloc.h"
#include "codegen/c_name.h"
#include "codegen/object.h"
#include <string.h>

/* What becomes of the session's wanted functions. */
typedef struct Library {
    Session *session;
    const LibrarySettings *settings;
    VEC(const Func *) entries, entry_inits, block_inits;
    VEC(const char *) words; /* about each of the entries */
    bool trains;
} Library;

static void add(Library *l, const Func *func, const char *words) {
    vec_push(&l->session->arena, &l->entries, func);
    vec_push(&l->session->arena, &l->words, words);
}

static Status add_entry(Library *l, const char *name) {
    Session *s = l->session;
    const Entry *entry = session_want_entry(s, name);
    if (!entry) return STATUS_INPUT;
    add(l, entry->func, NULL);
    if (!entry->init) return STATUS_OK;
    session_want(s, entry->init);
    vec_push(&s->arena, &l->entry_inits, entry->init);
    return STATUS_OK;
}

/* A step for each phase; the words say which epochs it is for. */
static void add_steps(Library *l, const TrainBlock *block) {
    long long epoch = 1;
    for (uint32_t i = 0; i < block->phases; i++) {
        const Phase *phase = &block->phase[i];
        const char *words = "a training step; loss: before it, over the batch";
        if (block->phases > 1)
            words =
                arena_print(&l->session->arena,
                            "a training step of epochs %lld to %lld; loss: before it, "
                            "over the batch",
                            epoch, epoch + phase->epochs - 1);
        add(l, phase->step, words);
        epoch += phase->epochs;
    }
}

static Status add_train(Library *l, const char *name) {
    Session *s = l->session;
    const TrainBlock *block = session_want_train(s, name);
    if (!block) return STATUS_INPUT;
    l->trains = true;
    add_steps(l, block);
    add(l, block->report, "each figure of the first `valid` examples, summed up");
    vec_push(&s->arena, &l->block_inits, block->init);
    return STATUS_OK;
}

static bool is_repeated(const LibrarySettings *settings, uint32_t number) {
    for (uint32_t i = 0; i < number; i++)
        if (!strcmp(settings->entry[i], settings->entry[number])) return true;
    return false;
}

static Status add_all(Library *l) {
    const LibrarySettings *settings = l->settings;
    const Program *program = l->session->program;
    Status status = STATUS_OK;
    if (!settings->entries) {
        if (program->trains) return add_train(l, NULL);
        if (program->entries) return add_entry(l, program->entry[0].name);
        return session_fail(l->session, STATUS_INPUT, "%s has nothing to compile",
                            l->session->path);
    }
    for (uint32_t i = 0; i < settings->entries && status == STATUS_OK; i++) {
        const char *name = settings->entry[i];
        if (is_repeated(settings, i)) continue;
        status = session_names_train(l->session, name) ? add_train(l, name)
                                                       : add_entry(l, name);
    }
    return status;
}

static const Plan *plan_of(const Session *s, const Func *func) {
    for (uint32_t i = 0; i < s->wanted.count; i++)
        if (s->wanted.at[i] == func) return s->plan[i];
    return NULL;
}

static bool fills(const Func *init, const char *slot) {
    for (uint32_t i = 0; i < init->outputs.count; i++)
        if (!strcmp(init->outputs.at[i].name, slot)) return true;
    return false;
}

/* An init whose values are all replaced by later ones, or by weights, is left out. */
static bool is_needed(const Library *l, const Func *const *init, uint32_t number,
                      uint32_t count) {
    const Func *f = init[number];
    for (uint32_t i = 0; i < f->outputs.count; i++) {
        const Port *port = &f->outputs.at[i];
        bool weight = port->role == ROLE_PARAM || port->role == ROLE_STATE;
        bool replaced = l->settings->weights && weight;
        for (uint32_t k = number + 1; k < count && !replaced; k++)
            replaced = fills(init[k], port->name);
        if (!replaced) return true;
    }
    return false;
}

/* Those of train blocks come last: a step finds what `tenon train` begins with. */
static void choose_inits(Library *l, ObjectSpec *spec) {
    Session *s = l->session;
    uint32_t count = l->entry_inits.count + l->block_inits.count, at = 0;
    const Func **init = arena_array(&s->arena, const Func *, count + 1);
    const Plan **plan = arena_array(&s->arena, const Plan *, count + 1);
    for (uint32_t i = 0; i < l->entry_inits.count; i++) init[at++] = l->entry_inits.at[i];
    for (uint32_t i = 0; i < l->block_inits.count; i++) init[at++] = l->block_inits.at[i];
    for (uint32_t i = 0; i < count; i++)
        if (is_needed(l, init, i, count)) plan[spec->inits++] = plan_of(s, init[i]);
    spec->init = plan;
}

static Status read_weights(Library *l, ObjectSpec *spec) {
    Session *s = l->session;
    if (!l->settings->weights) return STATUS_OK;
    s->state = mem_alloc((size_t)s->layout->bytes);
    if (!s->state)
        return session_fail(s, STATUS_MEMORY, "memory ended: %.1f MB of weights",
                            1e-6 * (double)s->layout->bytes);
    spec->weights = s->state;
    return session_weights(s, l->settings->weights);
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static Status make(Library *l, const char *name, LibraryFacts *facts) {
    Session *s = l->session;
    char message[MESSAGE_BYTES] = "";
    ObjectSpec spec = {.target = &s->target,
                       .cache = s->settings.cache,
                       .threads =
                           s->settings.threads ? s->settings.threads : processor_count(),
                       .name = name,
                       .source = file_name(s->path),
                       .layout = s->layout,
                       .entries = l->entries.count,
                       .words = l->words.at,
                       .order = l->trains,
                       .guarded = l->settings->guarded};
    const Plan **plan = arena_array(&s->arena, const Plan *, spec.entries);
    for (uint32_t i = 0; i < spec.entries; i++) plan[i] = plan_of(s, l->entries.at[i]);
    spec.entry = plan;
    choose_inits(l, &spec);
    Status status = read_weights(l, &spec);
    if (status != STATUS_OK) return status;
    Object object;
    status = object_new(&s->arena, &spec, &object, message);
    if (status == STATUS_OK)
        status = object_write(&s->arena, &object, l->settings->path, message);
    if (status != STATUS_OK) return session_fail(s, status, "%s", message);
    *facts = (LibraryFacts){.name = name,
                            .entries = spec.entries,
                            .object_bytes = (int64_t)object.count,
                            .state_bytes = s->layout->bytes};
    for (uint32_t i = 0; i < spec.entries; i++)
        if (plan[i]->work_bytes > facts->work_bytes)
            facts->work_bytes = plan[i]->work_bytes;
    return STATUS_OK;
}

/* The name and the place are looked at before anything is compiled. */
Status library_build(Session *s, const LibrarySettings *settings, LibraryFacts *facts) {
    Library l = {.session = s, .settings = settings};
    char message[MESSAGE_BYTES] = "";
    Status status = object_path_check(settings->path, message);
    if (status != STATUS_OK) return session_fail(s, status, "%s", message);
    const char *name = settings->name;
    if (!name) name = object_path_name(&s->arena, settings->path);
    const char *fault = c_prefix_fault(name);
    if (fault)
        return session_fail(s, STATUS_INPUT, "'%s' %s; give another by --name", name,
                            fault);
    s->settings.with_init = true;
    status = session_load(s, DATA_DESCRIBE, NULL, 0);
    if (status == STATUS_OK) status = add_all(&l);
    if (status == STATUS_OK) status = session_plan(s);
    return status == STATUS_OK ? make(&l, name, facts) : status;
}
