/* A session's code: passes, plans, objects, memory, calls. */
#include "base/alloc.h"
#include "tools/checkpoint.h"
#include "tools/session.h"
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

int session_threads(const Session *s) {
    return s->pool ? tn_pool_threads(s->pool) : 1;
}

Status session_passes(Session *s, const char *last) {
    PassContext cx = {.scratch = &s->scratch,
                      .target = &s->target,
                      .watch = s->watch,
                      .watcher = s->watcher};
    if (!s->target.vector_bytes) {
        Status status = target_find(s->settings.cpu, &s->target);
        if (status != STATUS_OK) {
            char message[MESSAGE_BYTES];
            target_unknown(s->settings.cpu, message);
            return session_fail(s, status, "%s", message);
        }
        if (s->settings.no_winograd) s->target.winograd = WINOGRAD_NEVER;
    }
    double start = seconds_now();
    bool ok = pipeline_run(&cx, s->program->module, last);
    s->spent.passes += seconds_now() - start;
    return ok ? STATUS_OK : STATUS_INPUT;
}

/* A call brings one size.  What a program binds is checked where it stands; the text of a graph
 * says itself what is open. */
static Status check_run_time(Session *s, const Func *func) {
    const Dims *dims = &func->module->dims;
    const char *known = NULL;
    uint32_t symbol;
    int64_t scale, offset;
    for (uint32_t i = 0; i < func->params.count; i++) {
        const Type *type = &func->params.at[i].type;
        for (uint32_t d = 0; d < type->rank; d++) {
            if (dim_is_const(type->dim[d])) continue;
            bool linear = dim_linear(dims, type->dim[d], &symbol, &scale, &offset);
            const char *name = linear ? dims->symbols.at[symbol].name : NULL;
            if (!linear || (known && strcmp(name, known) != 0))
                return session_fail(
                    s, STATUS_INPUT,
                    "'%s' has more than one dimension that is open until a "
                    "call, which brings one size",
                    func->name);
            known = name;
        }
    }
    return STATUS_OK;
}

Status session_plan(Session *s) {
    PassContext cx = {.scratch = &s->scratch, .target = &s->target};
    Status status = session_passes(s, NULL);
    for (uint32_t i = 0; i < s->wanted.count && status == STATUS_OK; i++)
        status = check_run_time(s, s->wanted.at[i]);
    if (status != STATUS_OK) return status;
    double start = seconds_now();
    s->layout = layout_state(&s->arena, s->program->module);
    s->plan = arena_array(&s->arena, const Plan *, s->wanted.count);
    for (uint32_t i = 0; i < s->wanted.count; i++) {
        ArenaMark mark = arena_mark(&s->scratch);
        s->plan[i] = plan_entry(&cx, &s->arena, s->wanted.at[i], s->layout);
        arena_release(&s->scratch, mark);
    }
    s->spent.plan = seconds_now() - start;
    return STATUS_OK;
}

/* Linux promises more than there is, and kills who believes it. */
static int64_t memory_size(void) {
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && bytes > 0 ? (int64_t)pages * bytes : INT64_MAX;
}

static Status make_blocks(Session *s, int threads) {
    int64_t work = 0;
    for (uint32_t i = 0; i < s->wanted.count; i++)
        if (s->plan[i]->work_bytes > work) work = s->plan[i]->work_bytes;
    if (s->layout->bytes + work < memory_size()) {
        if (!s->library) s->state = mem_alloc((size_t)s->layout->bytes);
        s->work = mem_alloc((size_t)work);
    }
    if (!s->state || !s->work)
        return session_fail(
            s, STATUS_MEMORY,
            "memory ended: %.1f MB of state and %.1f MB of work are needed; "
            "a smaller batch needs less",
            1e-6 * (double)s->layout->bytes, 1e-6 * (double)work);
    if (threads > 1 && !(s->pool = tn_pool_new(threads)))
        return session_fail(s, STATUS_SYSTEM, "cannot start %d threads", threads);
    if (s->pool) s->parallel = tn_pool_parallel(s->pool);
    return STATUS_OK;
}

static Status make_code(Session *s, int threads) {
    char message[MESSAGE_BYTES];
    if (s->settings.library) return session_library_compile(s, threads);
    const JitOptions options = {
        .target = &s->target, .cache = s->settings.cache, .threads = threads};
    double start = seconds_now();
    Status status = jit_new(&options, s->plan, s->wanted.count, &s->jit, message);
    s->spent.code = seconds_now() - start;
    return status == STATUS_OK ? status : session_fail(s, status, "%s", message);
}

Status session_compile(Session *s) {
    char message[MESSAGE_BYTES] = "";
    int threads = s->settings.threads ? s->settings.threads : processor_count();
    Status status = session_plan(s);
    if (status != STATUS_OK) return status;
    if (target_lacks(&s->target, message))
        return session_fail(
            s, STATUS_SYSTEM,
            "this processor lacks %s, which %s has: it cannot run the code", message,
            s->target.cpu);
    status = make_code(s, threads < processor_count() ? threads : processor_count());
    return status == STATUS_OK ? make_blocks(s, threads) : status;
}

double session_compile_seconds(const Session *s) {
    return s->spent.frontend + s->spent.passes + s->spent.plan + s->spent.code;
}

Callable session_entry(Session *s, const Func *func) {
    for (uint32_t i = 0; i < s->wanted.count; i++) {
        if (s->wanted.at[i] != func) continue;
        tn_entry *entry =
            s->library ? session_library_entry(s, func) : jit_entry(s->jit, func->name);
        return (Callable){func->name, func, s->plan[i], entry, 0};
    }
    bug(&s->arena, "entry '%s' was not asked for", func->name);
}

uint32_t func_inputs(const Func *func, const Port *port[MAX_PORTS]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < func->params.count && count < MAX_PORTS; i++)
        if (func->params.at[i].role == ROLE_INPUT) port[count++] = &func->params.at[i];
    return count;
}

uint32_t func_outputs(const Func *func, const Port *port[MAX_PORTS]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < func->outputs.count && count < MAX_PORTS; i++)
        if (func->outputs.at[i].role == ROLE_OUTPUT) port[count++] = &func->outputs.at[i];
    return count;
}

Status session_call(Session *s, const Callable *callable, const void *const *in,
                    void *const *out, int64_t n) {
    const Port *port[MAX_PORTS];
    union {
        const void *pointer;
        int64_t n;
    } frame[MAX_PORTS + 2];
    uint32_t at = func_inputs(callable->func, port);
    for (uint32_t i = 0; i < at; i++) frame[i].pointer = in[i];
    if (callable->plan->has_n) frame[at++].n = n;
    frame[at].n = callable->plan->work_bytes; /* a library wants to know */
    void *state = s->library ? session_library_state(s) : s->state;
    int code = callable->entry(state, s->work, frame, out,
                               s->pool || s->timed ? &s->parallel : NULL);
    if (code == TN_OK) return STATUS_OK;
    bool ours =
        code == TN_ERROR_NULL || code == TN_ERROR_ALIGNMENT || code == TN_ERROR_ABI;
    return session_fail(s, ours ? STATUS_BUG : STATUS_INPUT, "%s: %s", callable->name,
                        tn_error_text(code));
}

Status session_init(Session *s, const Func *init, int64_t seed) {
    if (s->library) return session_library_init(s, seed);
    Callable callable = session_entry(s, init);
    int32_t word = (int32_t)seed;
    const void *in[MAX_PORTS] = {&word};
    return session_call(s, &callable, in, NULL, 0);
}

Status session_weights(Session *s, const char *path) {
    char message[MESSAGE_BYTES];
    if (s->library) return STATUS_OK; /* embedded */
    if (checkpoint_read(path, s->layout, CHECKPOINT_WEIGHTS, s->state, NULL, message))
        return STATUS_OK;
    return session_fail(s, STATUS_INPUT, "%s", message);
}
