/* Sessions: load, elaborate, compile, call. */
#include "tools/session.h"
#include "base/alloc.h"
#include "tools/checkpoint.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

Status session_fail(Session *session, Status status, const char *format, ...) {
    va_list list;
    va_start(list, format);
    fprintf(stderr, "tenon %s: ", session->options->verb);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return status;
}

static void print_messages(Session *s) {
    Text text;
    if (!s->diag.messages.count) return;
    text_init(&text, &s->arena);
    diag_render(&s->diag, &text);
    if (text.length) fputs(text.at, stderr);
}

static void close_all(Session *s) {
    if (s->jit) jit_free(s->jit);
    if (s->pool) tn_pool_free(s->pool);
    mem_free(s->state);
    mem_free(s->work);
    data_shelf_free(&s->shelf);
    arena_free(&s->scratch);
    arena_free(&s->arena);
}

/* Memory that ends and invariants that break come back to the guard here. */
static Status run_guarded(Session *s, SessionBody *body) {
    if (guard_enter(s->guard)) {
        /* rendering takes memory, and would come back here */
        if (s->guard.status != STATUS_MEMORY) print_messages(s);
        if (s->guard.status == STATUS_BUG)
            fprintf(stderr, "tenon %s: this is our mistake, please report it: %s\n",
                    s->options->verb, s->guard.message);
        else
            fprintf(stderr, "tenon %s: %s\n", s->options->verb, s->guard.message);
        return s->guard.status;
    }
    diag_init(&s->diag, &s->arena);
    Status status = body(s);
    print_messages(s);
    return status;
}

Status session_run(const Options *options, const char *path, SessionBody *body,
                   void *context) {
    Session *s = mem_alloc(sizeof *s);
    if (!s) return STATUS_MEMORY;
    s->options = options;
    s->path = path;
    s->context = context;
    s->shelf.folder = options->data;
    arena_init(&s->arena, &s->guard);
    arena_init(&s->scratch, &s->guard);
    Status status = run_guarded(s, body);
    close_all(s);
    mem_free(s);
    return status;
}

static const char *name_of(Arena *arena, const char *pair, const char **value) {
    const char *equal = strchr(pair, '=');
    *value = equal + 1;
    return arena_string(arena, pair, (size_t)(equal - pair));
}

static Status read_bindings(Session *s, Binding *binding) {
    const List *list = &s->options->bind;
    for (uint32_t i = 0; i < list->count; i++) {
        const char *value;
        char *end;
        binding[i].name = name_of(&s->arena, list->at[i], &value);
        binding[i].value = strtoll(value, &end, 10);
        if (*end || binding[i].value < 1 || binding[i].value > DIM_LIMIT)
            return session_fail(s, STATUS_USAGE, "--bind takes NAME=SIZE, not '%s'",
                                list->at[i]);
    }
    return STATUS_OK;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* A .graph file stands where a program does: its functions are the entries. */
static Status load_graph(Session *s) {
    char message[MESSAGE_BYTES];
    Bytes file;
    if (!file_read(s->path, &file, message))
        return session_fail(s, STATUS_INPUT, "%s", message);
    const char *text = arena_string(&s->arena, (char *)file.at, file.count);
    uint32_t source = diag_source(&s->diag, s->path, text, file.count);
    bytes_free(&file);
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

Status session_load(Session *s, SessionData data, const Binding *more, uint32_t count) {
    const Options *o = s->options;
    uint32_t bindings = o->bind.count + count;
    Binding *binding = arena_array(&s->arena, Binding, bindings + 1);
    Status status = read_bindings(s, binding);
    if (status != STATUS_OK) return status;
    if (count) memcpy(binding + o->bind.count, more, count * sizeof *more);
    const char *(*setting)[2] =
        arena_alloc(&s->arena, (o->set.count + 1) * sizeof *setting);
    for (uint32_t i = 0; i < o->set.count; i++)
        setting[i][0] = name_of(&s->arena, o->set.at[i], &setting[i][1]);
    s->shelf.describe = data == DATA_DESCRIBE;
    s->lookup = (DataLookup){&s->shelf, data_find};
    bool elaborates = data == DATA_DESCRIBE || data == DATA_LOAD;
    s->program_options = (ProgramOptions){.bindings = bindings,
                                          .binding = binding,
                                          .keep_open = data == DATA_OPEN,
                                          .settings = o->set.count,
                                          .setting = (const char *const(*)[2])setting,
                                          .lookup = elaborates ? &s->lookup : NULL};
    s->wanted.count = 0;
    if (ends_with(s->path, ".graph")) return load_graph(s);
    double start = seconds_now();
    s->program = program_load(&s->arena, &s->diag, s->path, &s->program_options);
    s->spent.frontend = seconds_now() - start;
    return s->program ? STATUS_OK : STATUS_INPUT;
}

void session_want(Session *s, Func *func) {
    vec_push(&s->arena, &s->wanted, func);
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
    session_want(s, block->init);
    session_want(s, block->step);
    for (uint32_t i = 0; i < block->reports; i++) session_want(s, block->report[i].entry);
    return block;
}

static bool names_train(const Program *program, const char *name) {
    for (uint32_t i = 0; i < program->trains; i++)
        if (!strcmp(program->train[i].name, name)) return true;
    return false;
}

Status session_want_named(Session *s, const char *name) {
    const Program *p = s->program;
    if (!name && !p->trains && p->entries) name = p->entry[0].name;
    bool found = !name || names_train(p, name) ? session_want_train(s, name) != NULL
                                               : session_want_entry(s, name) != NULL;
    return found ? STATUS_OK : STATUS_INPUT;
}

Status session_passes(Session *s, const char *last) {
    PassContext cx = {.scratch = &s->scratch, .target = &s->target};
    if (!s->target.vector_bytes) {
        Status status = target_find(s->options->cpu, &s->target);
        if (status != STATUS_OK)
            return session_fail(s, status, "LLVM knows no processor '%s'",
                                s->options->cpu);
    }
    double start = seconds_now();
    bool ok = pipeline_run(&cx, s->program->module, last);
    s->spent.passes += seconds_now() - start;
    return ok ? STATUS_OK : STATUS_INPUT;
}

Status session_plan(Session *s) {
    PassContext cx = {.scratch = &s->scratch, .target = &s->target};
    Status status = session_passes(s, NULL);
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
        s->state = mem_alloc((size_t)s->layout->bytes);
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

Status session_compile(Session *s) {
    char message[MESSAGE_BYTES] = "";
    int threads = s->options->threads ? (int)s->options->threads : processor_count();
    Status status = session_plan(s);
    if (status != STATUS_OK) return status;
    const JitOptions options = {
        .target = &s->target,
        .cache = s->options->no_cache ? NULL : cache_folder(&s->arena),
        .threads = threads < processor_count() ? threads : processor_count()};
    double start = seconds_now();
    status = jit_new(&options, s->plan, s->wanted.count, &s->jit, message);
    s->spent.code = seconds_now() - start;
    if (status != STATUS_OK) return session_fail(s, status, "%s", message);
    return make_blocks(s, threads);
}

double session_compile_seconds(const Session *s) {
    return s->spent.frontend + s->spent.passes + s->spent.plan + s->spent.code;
}

Callable session_entry(Session *s, const Func *func) {
    for (uint32_t i = 0; i < s->wanted.count; i++)
        if (s->wanted.at[i] == func)
            return (Callable){func->name, func, s->plan[i], jit_entry(s->jit, func->name),
                              0};
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

static const char *const call_errors[] = {
    [TN_OK] = "",
    [TN_ERROR_NULL] = "a pointer is missing",
    [TN_ERROR_ALIGNMENT] = "a block is not aligned",
    [TN_ERROR_RANGE] = "the run-time dimension is out of range",
    [TN_ERROR_CPU] = "this processor lacks what the code was compiled for (--cpu)",
    [TN_ERROR_ABI] = "the code is of another version",
};

Status session_call(Session *s, const Callable *callable, const void *const *in,
                    void *const *out, int64_t n) {
    const Port *port[MAX_PORTS];
    union {
        const void *pointer;
        int64_t n;
    } frame[MAX_PORTS + 1];
    uint32_t inputs = func_inputs(callable->func, port);
    for (uint32_t i = 0; i < inputs; i++) frame[i].pointer = in[i];
    frame[inputs].n = n;
    int code = callable->entry(s->state, s->work, frame, out,
                               s->pool || s->timed ? &s->parallel : NULL);
    if (code == TN_OK) return STATUS_OK;
    bool ours =
        code == TN_ERROR_NULL || code == TN_ERROR_ALIGNMENT || code == TN_ERROR_ABI;
    bool known = (size_t)code < sizeof call_errors / sizeof *call_errors;
    return session_fail(s, ours ? STATUS_BUG : STATUS_INPUT, "%s: %s", callable->name,
                        known ? call_errors[code] : "unknown error");
}

Status session_init(Session *s, const Func *init, int64_t seed) {
    Callable callable = session_entry(s, init);
    int32_t word = (int32_t)seed;
    const void *in[MAX_PORTS] = {&word};
    return session_call(s, &callable, in, NULL, 0);
}

Status session_weights(Session *s, const char *path) {
    char message[MESSAGE_BYTES];
    if (checkpoint_read(path, s->layout, CHECKPOINT_WEIGHTS, s->state, NULL, message))
        return STATUS_OK;
    return session_fail(s, STATUS_INPUT, "%s", message);
}
