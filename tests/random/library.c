/*
 * Random programs as entries of one shared object, called through it: joining, linking and
 * the checks of runtime/object.c lie between the same code and the same evaluator.
 */
#include "codegen/backend.h"
#include "codegen/object.h"
#include "tests/random/check.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Linked {
    Arena *arena;
    uint32_t count;
    const Plan **plan;
    char folder[64];
    const char *path, *header;
    void *handle;
} Linked;

/* Entries of their own names and of one layout: random programs have no state. */
static const char *plan_all(Linked *l, const RandomCase *programs, const Target *target) {
    l->plan = arena_array(l->arena, const Plan *, l->count);
    for (uint32_t i = 0; i < l->count; i++) {
        const Plan *plan = random_plan(l->arena, &programs[i], target);
        if (!plan) return "the pipeline refuses the program";
        Plan *renamed = arena_copy(l->arena, plan, sizeof *plan);
        renamed->name = arena_print(l->arena, "p%u", i);
        l->plan[i] = renamed;
    }
    return NULL;
}

static const char *link_all(Linked *l, const Target *target) {
    static const Layout none = {0};
    char message[512] = "";
    Object object;
    const ObjectSpec spec = {.target = target,
                             .threads = 1,
                             .name = "random",
                             .source = "random programs",
                             .layout = &none,
                             .entries = l->count,
                             .entry = l->plan};
    snprintf(l->folder, sizeof l->folder, "/tmp/tenon-random-XXXXXX");
    if (!mkdtemp(l->folder)) return "no folder";
    l->path = arena_print(l->arena, "%s/librandom.so", l->folder);
    l->header = arena_print(l->arena, "%s/random.h", l->folder);
    if (object_new(l->arena, &spec, &object, message) ||
        object_write(l->arena, &object, l->path, message))
        return arena_print(l->arena, "%s", message);
    l->handle = dlopen(l->path, RTLD_NOW | RTLD_LOCAL);
    return l->handle ? NULL : dlerror();
}

/* Through memory: ISO C has no cast from data to function. */
static void *symbol(const Linked *l, const char *name, void *function) {
    void *at = dlsym(l->handle, arena_print(l->arena, "random_%s", name));
    memcpy(function, &at, sizeof at);
    return at;
}

static const char *call_one(const Linked *l, const RandomCase *program, uint32_t number) {
    RandomCode code;
    size_t (*state_size)(void);
    const Plan *plan = l->plan[number];
    code.work_bytes = plan->work_bytes;
    if (!symbol(l, plan->name, &code.call) || !symbol(l, "init", &code.init) ||
        !symbol(l, "state_size", &state_size))
        return "the library lacks a function";
    code.state_bytes = (int64_t)state_size();
    return random_calls(l->arena, program, plan, &code);
}

static void close_all(Linked *l) {
    if (l->handle) dlclose(l->handle);
    if (l->path) unlink(l->path);
    if (l->header) unlink(l->header);
    if (*l->folder) rmdir(l->folder);
}

const char *random_libraries(Arena *arena, const RandomCase *programs, uint32_t count,
                             uint32_t *which) {
    Linked l = {.arena = arena, .count = count};
    Target target;
    *which = 0;
    if (target_find(NULL, &target)) return "no target";
    const char *wrong = plan_all(&l, programs, &target);
    if (!wrong) wrong = link_all(&l, &target);
    for (uint32_t i = 0; i < count && !wrong; i++) {
        *which = i;
        wrong = call_one(&l, &programs[i], i);
    }
    close_all(&l);
    return wrong;
}

const char *random_library(Arena *arena, const RandomCase *program) {
    uint32_t which;
    return random_libraries(arena, program, 1, &which);
}
