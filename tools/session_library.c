/* --library: what is wanted goes through a shared object, as `tenon compile` makes it, in place
 * of code in this process.  The object lies in a folder of its own until the session ends. */
#include "base/alloc.h"
#include "codegen/object.h"
#include "runtime/object.h"
#include "tools/checkpoint.h"
#include "tools/session.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME "code" /* what the object's names begin with */

/* The object on disk and in this process. */
struct SessionLibrary {
    char folder[256];
    void *handle; /* of dlopen; NULL: closed */
    void *state;  /* owned */
    size_t state_bytes;
};

static void path_in(const SessionLibrary *l, const char *file, char path[320]) {
    snprintf(path, 320, "%s/%s", l->folder, file);
}

void session_library_free(Session *s) {
    static const char *const files[] = {"lib" NAME ".so", "lib" NAME ".o", NAME ".h"};
    SessionLibrary *l = s->library;
    char path[320];
    if (!l) return;
    if (l->handle) dlclose(l->handle);
    for (size_t i = 0; *l->folder && i < sizeof files / sizeof *files; i++) {
        path_in(l, files[i], path);
        unlink(path);
    }
    if (*l->folder) rmdir(l->folder);
    mem_free(l->state);
    mem_free(l);
    s->library = NULL;
}

static Status make_folder(Session *s) {
    SessionLibrary *l = s->library;
    const char *parent = getenv("TMPDIR");
    if (!parent || *parent != '/') parent = "/tmp";
    int length = snprintf(l->folder, sizeof l->folder, "%s/tenon.XXXXXX", parent);
    if (length < (int)sizeof l->folder && mkdtemp(l->folder)) return STATUS_OK;
    l->folder[0] = 0;
    return session_fail(s, STATUS_SYSTEM, "%s: no folder can be made: %s", parent,
                        strerror(errno));
}

/* First values are the init's; all else is called. */
static void split_plans(const Session *s, ObjectSpec *spec, const Plan **entry) {
    for (uint32_t i = 0; i < s->wanted.count; i++)
        if (s->wanted.at[i] != s->init) entry[spec->entries++] = s->plan[i];
    spec->entry = entry;
    for (uint32_t i = 0; i < s->wanted.count; i++)
        if (s->wanted.at[i] == s->init) spec->init = &s->plan[i], spec->inits = 1;
}

/* The weights of a file as the object's own. */
static Status embed_weights(Session *s, ObjectSpec *spec, void **block) {
    char message[MESSAGE_BYTES];
    const char *path = s->options->weights;
    if (!path) return STATUS_OK;
    *block = mem_alloc((size_t)s->layout->bytes);
    if (!*block) return session_fail(s, STATUS_MEMORY, "memory ended");
    spec->weights = *block;
    if (checkpoint_read(path, s->layout, CHECKPOINT_WEIGHTS, *block, NULL, message))
        return STATUS_OK;
    return session_fail(s, STATUS_INPUT, "%s", message);
}

static Status write_object(Session *s, const ObjectSpec *spec) {
    char message[MESSAGE_BYTES] = "", path[320];
    Object object;
    Status status = object_new(&s->arena, spec, &object, message);
    path_in(s->library, "lib" NAME ".so", path);
    if (status == STATUS_OK) status = object_write(&s->arena, &object, path, message);
    return status == STATUS_OK ? status : session_fail(s, status, "%s", message);
}

static Status build(Session *s, int threads) {
    ObjectSpec spec = {.target = &s->target,
                       .cache = s->settings.cache,
                       .threads = threads,
                       .name = NAME,
                       .source = s->path,
                       .layout = s->layout};
    void *block = NULL;
    split_plans(s, &spec, arena_array(&s->arena, const Plan *, s->wanted.count + 1));
    Status status = make_folder(s);
    if (status == STATUS_OK) status = embed_weights(s, &spec, &block);
    if (status == STATUS_OK) status = write_object(s, &spec);
    mem_free(block);
    return status;
}

/* ---- opened ----------------------------------------------------------------------------- */

/* Through memory: ISO C has no cast from data to function. */
static bool find(const SessionLibrary *l, const char *name, void *function) {
    void *at = dlsym(l->handle, name);
    memcpy(function, &at, sizeof at);
    return at != NULL;
}

static Status open_object(Session *s) {
    SessionLibrary *l = s->library;
    char path[320];
    size_t (*state_size)(void);
    path_in(l, "lib" NAME ".so", path);
    l->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!l->handle || !find(l, NAME "_state_size", &state_size))
        return session_fail(s, STATUS_SYSTEM, "the library cannot be opened: %s",
                            dlerror());
    l->state_bytes = state_size();
    return STATUS_OK;
}

Status session_library_init(Session *s, int64_t seed) {
    int (*init)(void *state, uint64_t seed);
    if (!find(s->library, NAME "_init", &init)) return STATUS_SYSTEM;
    int code = init(s->library->state, (uint64_t)seed);
    if (code == TN_OK) return STATUS_OK;
    return session_fail(s, STATUS_INPUT, "%s: %s", s->path, tn_error_text(code));
}

Status session_library_compile(Session *s, int threads) {
    s->library = mem_alloc(sizeof *s->library);
    if (!s->library) return session_fail(s, STATUS_MEMORY, "memory ended");
    double start = seconds_now();
    Status status = build(s, threads);
    if (status == STATUS_OK) status = open_object(s);
    s->spent.code = seconds_now() - start;
    if (status != STATUS_OK) return status;
    s->library->state = mem_alloc(s->library->state_bytes);
    if (!s->library->state) return session_fail(s, STATUS_MEMORY, "memory ended");
    s->state = (char *)s->library->state + OBJECT_STATE_HEAD;
    return session_library_init(s, 1);
}

void *session_library_state(const Session *s) {
    return s->library->state;
}

tn_entry *session_library_entry(const Session *s, const Func *func) {
    char name[320];
    tn_entry *entry = NULL;
    snprintf(name, sizeof name, NAME "_%s", func->name);
    return find(s->library, name, &entry) ? entry : NULL;
}

/* Once into this process anew, with a state in memory that was never touched. */
static Status open_once(Session *s, LibraryTimes *times) {
    SessionLibrary *l = s->library;
    int (*init)(void *state, uint64_t seed);
    dlclose(l->handle);
    l->handle = NULL;
    void *state = mmap(NULL, l->state_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED) return session_fail(s, STATUS_MEMORY, "memory ended");
    double start = seconds_now();
    Status status = open_object(s);
    double opened = seconds_now();
    if (status == STATUS_OK && (!find(l, NAME "_init", &init) || init(state, 1)))
        status = session_fail(s, STATUS_SYSTEM, "the library makes no state");
    double end = seconds_now();
    munmap(state, l->state_bytes);
    if (end - opened < times->init) times->init = end - opened;
    if (end - start < times->open) times->open = end - start;
    return status;
}

Status session_library_time(Session *s, uint32_t rounds, LibraryTimes *best) {
    Status status = STATUS_OK;
    *best = (LibraryTimes){1e9, 1e9};
    for (uint32_t i = 0; i < rounds && status == STATUS_OK; i++)
        status = open_once(s, best);
    return status;
}
