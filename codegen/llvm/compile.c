/* Units to objects: parts of them are emitted, optimised and generated, or come from the
 * cache; several threads at once. */
#include "codegen/llvm/cache.h"
#include "codegen/llvm/object.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_MAX = 64,
    PART_BYTES = 8000, /* of keys, by which the time of code generation goes */
    UNIT_BYTES = 1000, /* what a function costs whatever is in it */
};

/* ---- parts ------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b) {
    const Unit *x = a, *y = b;
    if (x->key.length != y->key.length) return x->key.length < y->key.length ? 1 : -1;
    return strcmp(x->symbol, y->symbol);
}

static Key part_key(Arena *arena, const Unit *unit, uint32_t count) {
    if (count == 1) return unit->key;
    size_t length = 1;
    for (uint32_t i = 0; i < count; i++) length += sizeof length + unit[i].key.length;
    uint8_t *bytes = arena_alloc(arena, length), *at = bytes;
    *at++ = 0xFF; /* no unit begins so */
    for (uint32_t i = 0; i < count; i++) {
        const Key *key = &unit[i].key;
        memcpy(at, &key->length, sizeof length);
        memcpy(at + sizeof length, key->at, key->length);
        at += sizeof length + key->length;
    }
    Key key = {.at = bytes, .length = length};
    hash_bytes(key.at, key.length, 0, key.hash);
    return key;
}

/* The largest first, so that no thread is left with a long one at the end. */
static void make_parts(Arena *arena, Units *units) {
    const Unit *unit = units->list.at;
    uint32_t count = units->list.count;
    if (count) qsort(units->list.at, count, sizeof *unit, by_size);
    for (uint32_t first = 0, end; first < count; first = end) {
        size_t bytes = 0;
        for (end = first; end < count; end++) {
            bytes += unit[end].key.length + UNIT_BYTES;
            if (end > first && bytes > PART_BYTES) break;
        }
        Part part = {.first = first, .count = end - first};
        part.key = part_key(arena, unit + first, part.count);
        vec_push(arena, &units->parts, part);
    }
}

void units_free(Units *units) {
    for (uint32_t i = 0; i < units->parts.count; i++) {
        Part *part = &units->parts.at[i];
        if (part->object) LLVMDisposeMemoryBuffer(part->object);
        part->object = NULL;
    }
}

/* ---- one part --------------------------------------------------------------------------- */

static Status failed(char *message, const char *what, char *words) {
    snprintf(message, 512, "%s: %s", what, words ? words : "no reason given");
    LLVMDisposeMessage(words);
    return STATUS_BUG;
}

static Status part_generate(Emitter *e, const Units *units, Part *part,
                            const Machine *machine, char *message) {
    for (uint32_t i = 0; i < part->count; i++)
        unit_emit(e, units, &units->list.at[part->first + i]);
    Status status = unit_optimise(e, machine, message);
    if (status != STATUS_OK) return status;
    char *words = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine->handle, e->module, LLVMObjectFile,
                                            &words, &part->object))
        return failed(message, "LLVM's code generation", words);
    return STATUS_OK;
}

/* What the compiling threads share: the next part to take, and the first failure. */
typedef struct Work {
    const Target *target;
    const char *cache; /* NULL: none */
    Units *units;
    atomic_uint next, loaded;
    pthread_mutex_t lock;
    Status status;
    char *message;
} Work;

static Status part_compile(const Work *work, Part *part, const Machine *machine,
                           char *message) {
    Guard guard;
    Arena scratch;
    Emitter e;
    arena_init(&scratch, &guard);
    emitter_begin(&e, &scratch, work->target, work->units->list.at[part->first].symbol);
    Status status;
    if (guard_enter(guard)) {
        snprintf(message, 512, "%s", guard.message);
        status = guard.status;
    } else {
        status = part_generate(&e, work->units, part, machine, message);
    }
    emitter_end(&e);
    arena_free(&scratch);
    return status;
}

/* From the cache or anew; the machine is made for the first part that needs one. */
static Status part_get(Work *work, Part *part, Machine *machine, char *message) {
    if (work->cache) part->object = cache_get(work->cache, work->target, &part->key);
    if (part->object) {
        atomic_fetch_add(&work->loaded, 1);
        return STATUS_OK;
    }
    if (!machine->handle) {
        snprintf(message, 512, "LLVM has no code generator for this machine");
        Status status = machine_new(work->target, machine);
        if (status != STATUS_OK) return status;
    }
    Status status = part_compile(work, part, machine, message);
    if (status == STATUS_OK && work->cache)
        cache_put(work->cache, work->target, &part->key, part->object);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------ */

static void work_fail(Work *work, Status status, const char *message) {
    pthread_mutex_lock(&work->lock);
    if (work->status == STATUS_OK) {
        work->status = status;
        snprintf(work->message, 512, "%s", message);
    }
    pthread_mutex_unlock(&work->lock);
}

static void *work_run(void *context) {
    Work *work = context;
    Machine machine = {0};
    char message[512] = "";
    Status status = STATUS_OK;
    uint32_t count = work->units->parts.count;
    for (uint32_t i;
         status == STATUS_OK && (i = atomic_fetch_add(&work->next, 1)) < count;)
        status = part_get(work, &work->units->parts.at[i], &machine, message);
    if (status != STATUS_OK) work_fail(work, status, message);
    machine_free(&machine);
    return NULL;
}

Status units_compile(Arena *arena, const JitOptions *options, Units *units,
                     char *message) {
    Work work = {.target = options->target,
                 .cache = options->cache,
                 .units = units,
                 .message = message};
    make_parts(arena, units);
    pthread_mutex_init(&work.lock, NULL);
    pthread_t thread[THREADS_MAX];
    int want = options->threads < THREADS_MAX ? options->threads : THREADS_MAX,
        started = 0;
    if ((uint32_t)want > units->parts.count) want = (int)units->parts.count;
    while (started + 1 < want && !pthread_create(&thread[started], NULL, work_run, &work))
        started++;
    work_run(&work);
    for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&work.lock);
    units->loaded = work.loaded;
    if (work.status != STATUS_OK) units_free(units);
    return work.status;
}
