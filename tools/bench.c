/* tenon bench: the time of entries and training steps on random inputs. */
#include "tools/bench.h"
#include "base/alloc.h"
#include "tools/bench_kernels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPENINGS = 20 }; /* of a library, of which the fastest counts */

typedef struct Bench {
    const char *name; /* of the case; NULL while names are collected */
    List names;       /* owned, from mem_alloc */
    json_t *rows, *old;
} Bench;

/* Small numbers from a counter: the same inputs each time. */
static uint32_t noise(uint64_t i) {
    i = (i + 1) * 0x9E3779B97F4A7C15u;
    i = (i ^ i >> 30) * 0xBF58476D1CE4E5B9u;
    i = (i ^ i >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(i >> 32);
}

static void fill(void *data, Elem elem, int64_t count, double low, double high) {
    for (int64_t i = 0; i < count; i++) {
        double value = low + (high - low) * 0x1p-32 * noise((uint64_t)i);
        switch (elem) {
        case ELEM_bool: ((uint8_t *)data)[i] = noise((uint64_t)i) & 1; break;
        case ELEM_u8: ((uint8_t *)data)[i] = (uint8_t)noise((uint64_t)i); break;
        case ELEM_i32: ((int32_t *)data)[i] = (int32_t)(noise((uint64_t)i) % 10); break;
        case ELEM_f32: ((float *)data)[i] = (float)value; break;
        case ELEM_f64: ((double *)data)[i] = value; break;
        case ELEM_COUNT: break;
        }
    }
}

/* Weights of about unit gain keep activations in range; vectors are scales or variances. */
static void fill_state(Session *s) {
    for (uint32_t i = 0; i < s->layout->slots; i++) {
        const Slot *slot = &s->layout->slot[i];
        int64_t count = tensor_elements(slot->type.rank, slot->type.dim), fan = 1;
        for (uint32_t d = 0; d + 1 < slot->type.rank; d++) fan *= slot->type.dim[d];
        double bound = sqrt(3.0 / (double)fan);
        if (slot->role == ROLE_OPTIM || slot->role == ROLE_SEED ||
            slot->role == ROLE_STEP)
            continue;
        bool matrix = slot->type.rank > 1;
        fill((char *)s->state + slot->offset, slot->type.elem, count,
             matrix ? -bound : 0.5, matrix ? bound : 1);
    }
}

typedef struct Ports {
    void *in[MAX_PORTS], *out[MAX_PORTS];
} Ports;

/* Of the largest size, where a dimension has several; 0: one has no size. */
static int64_t elements_of(const Func *func, const Port *port) {
    Dims *dims = &func->module->dims;
    return dim_max(dims, type_count(dims, &port->type));
}

static Status make_ports(Session *s, const Func *func, Ports *ports) {
    const Port *port[MAX_PORTS];
    uint32_t inputs = func_inputs(func, port);
    for (int side = 0; side < 2; side++) {
        uint32_t count = side ? func_outputs(func, port) : inputs;
        for (uint32_t i = 0; i < count; i++) {
            const Elem elem = port[i]->type.elem;
            int64_t elements = elements_of(func, port[i]);
            if (!elements)
                return session_fail(s, STATUS_INPUT,
                                    "'%s' of '%s' has an open dimension; give it by "
                                    "--bind NAME=SIZE",
                                    port[i]->name, func->name);
            void *block = mem_alloc((size_t)elements * elem_bytes(elem));
            if (!block) return session_fail(s, STATUS_MEMORY, "memory ended");
            if (!side) fill(block, elem, elements, 0, 1);
            *(side ? &ports->out[i] : &ports->in[i]) = block;
        }
    }
    return STATUS_OK;
}

static void free_ports(Ports *ports) {
    for (int i = 0; i < MAX_PORTS; i++) {
        mem_free(ports->in[i]);
        mem_free(ports->out[i]);
    }
}

static Status measure(Session *s, const Callable *callable, const Ports *ports,
                      Timing *timing) {
    const void *const *in = (const void *const *)ports->in;
    void *const *out = (void *const *)ports->out;
    double start = seconds_now();
    Status status = session_call(s, callable, in, out, callable->plan->n_max);
    timing->first_s = session_compile_seconds(s) + seconds_now() - start;
    start = seconds_now();
    while (status == STATUS_OK &&
           (timing->calls < 3 ||
            (seconds_now() - start < s->options->seconds && timing->calls < MAX_CALLS))) {
        double begin = seconds_now();
        status = session_call(s, callable, in, out, callable->plan->n_max);
        timing->at[timing->calls++] = seconds_now() - begin;
    }
    return status;
}

/* Another set of calls with a clock at every launch; the clocks cost little, but their
 * times are not mixed with those that are reported. */
static Status profile(Session *s, const Callable *callable, const Ports *ports,
                      uint32_t calls) {
    tn_parallel inner = s->parallel;
    Profile *profile = profile_new(&s->arena, s->pool ? &inner : NULL, callable->plan);
    Status status = STATUS_OK;
    s->parallel = profile_parallel(profile);
    s->timed = true;
    for (uint32_t i = 0; i < calls && status == STATUS_OK; i++) {
        profile_begin(profile);
        status = session_call(s, callable, (const void *const *)ports->in,
                              (void *const *)ports->out, callable->plan->n_max);
        profile_end(profile);
    }
    s->timed = false;
    s->parallel = inner;
    if (status == STATUS_OK) {
        printf("compiled in %.1f ms: frontend %.1f, passes %.1f, plan %.1f, code %.1f",
               1e3 * session_compile_seconds(s), 1e3 * s->spent.frontend,
               1e3 * s->spent.passes, 1e3 * s->spent.plan, 1e3 * s->spent.code);
        JitFacts facts = s->jit ? jit_facts(s->jit) : (JitFacts){0};
        if (s->jit)
            printf("; objects: %u made, %u from the cache", facts.compiled, facts.loaded);
        printf("\n");
        profile_print(profile, s->program->module);
    }
    return status;
}

static double old_seconds(const json_t *old, const json_t *row) {
    size_t i;
    json_t *other;
    const char *name = json_string_value(json_object_get(row, "case"));
    json_array_foreach(old, i, other) {
        const char *word = json_string_value(json_object_get(other, "case"));
        if (word && !strcmp(word, name) &&
            json_equal(json_object_get(other, "threads"),
                       json_object_get(row, "threads")))
            return json_number_value(json_object_get(other, "min_s"));
    }
    return 0;
}

static void print_row(const Options *options, const Bench *bench, const json_t *row) {
    if (options->jsonl) {
        json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
        fflush(stdout);
        return;
    }
    printf("%-28s %2lld thr %10.3f ms %10.3f median %8.1f GFLOP/s %7.2f GB/s %5lld MB",
           json_string_value(json_object_get(row, "case")),
           json_integer_value(json_object_get(row, "threads")),
           1e3 * json_number_value(json_object_get(row, "min_s")),
           1e3 * json_number_value(json_object_get(row, "median_s")),
           json_number_value(json_object_get(row, "gflops")),
           json_number_value(json_object_get(row, "gbs")),
           json_integer_value(json_object_get(row, "peak_mb")));
    if (json_object_get(row, "open_s"))
        printf("  opened in %.2f ms, init %.2f",
               1e3 * json_number_value(json_object_get(row, "open_s")),
               1e3 * json_number_value(json_object_get(row, "init_s")));
    double before = old_seconds(bench->old, row);
    if (before > 0)
        printf("  %.2f times as fast",
               before / json_number_value(json_object_get(row, "min_s")));
    printf("\n");
    fflush(stdout);
}

/* The step of a train block, else the entry. */
static Status find_case(Session *s, const char *name, const Func **func,
                        const TrainBlock **block) {
    if (session_names_train(s, name)) {
        *block = session_train(s, name);
        if (!*block) return STATUS_INPUT;
        session_want_init(s, (*block)->init);
        session_want(s, (*block)->step);
        *func = (*block)->step;
        return STATUS_OK;
    }
    const Entry *entry = session_want_entry(s, name);
    if (entry) *func = entry->func;
    return entry ? STATUS_OK : STATUS_INPUT;
}

static Status prepare_state(Session *s, const TrainBlock *block) {
    if (s->options->weights) return session_weights(s, s->options->weights);
    if (block)
        return session_init(s, block->init, s->options->seed < 0 ? 1 : s->options->seed);
    fill_state(s);
    return STATUS_OK;
}

static Status case_body(Session *s) {
    Bench *bench = s->context;
    const Func *func = NULL;
    const TrainBlock *block = NULL;
    Ports ports = {0};
    Timing timing = {0};
    LibraryTimes times = {0};
    Status status = session_load(s, DATA_DESCRIBE, NULL, 0);
    if (status == STATUS_OK) status = find_case(s, bench->name, &func, &block);
    if (status == STATUS_OK) status = make_ports(s, func, &ports);
    if (status == STATUS_OK) status = session_compile(s);
    if (status == STATUS_OK && s->library)
        status = session_library_time(s, OPENINGS, &times);
    if (status == STATUS_OK) status = prepare_state(s, block);
    if (status == STATUS_OK) {
        Callable callable = session_entry(s, func);
        status = measure(s, &callable, &ports, &timing);
        if (status == STATUS_OK) {
            json_t *row = bench_row(bench->name, session_threads(s), &timing,
                                    plan_effort(s->program->module, callable.plan));
            json_object_set_new(row, "work_mb",
                                json_real(1e-6 * (double)callable.plan->work_bytes));
            if (s->library) {
                json_object_set_new(row, "open_s", json_real(times.open));
                json_object_set_new(row, "init_s", json_real(times.init));
            }
            print_row(s->options, bench, row);
            json_array_append_new(bench->rows, row);
            if (s->options->profile)
                status =
                    profile(s, &callable, &ports, timing.calls < 20 ? timing.calls : 20);
        }
    }
    free_ports(&ports);
    return status;
}

static void add_name(Bench *bench, const char *name) {
    if (bench->names.count == MAX_LIST) return;
    size_t size = strlen(name) + 1;
    char *copy = mem_alloc(size);
    if (copy) bench->names.at[bench->names.count++] = memcpy(copy, name, size);
}

/* false: an input has a dimension without a size, or what is wrong will be said later. */
static bool has_sizes(Session *s, const char *name) {
    const Entry *entry = session_want_entry(s, name);
    if (!entry) return true;
    const Port *port[MAX_PORTS];
    uint32_t inputs = func_inputs(entry->func, port);
    for (uint32_t i = 0; i < inputs; i++)
        if (!elements_of(entry->func, port[i])) return false;
    return true;
}

/* Without names: everything that the file has, but for what leaves a size open. */
static Status names_body(Session *s) {
    Bench *bench = s->context;
    Status status = session_load(s, DATA_LIST, NULL, 0);
    if (status != STATUS_OK) return status;
    for (uint32_t i = 0; i < s->program->entries; i++) {
        const char *name = s->program->entry[i].name;
        if (has_sizes(s, name))
            add_name(bench, name);
        else
            fprintf(stderr,
                    "tenon bench: '%s' has an open dimension and is left out; give it by "
                    "--bind NAME=SIZE\n",
                    name);
    }
    for (uint32_t i = 0; i < s->program->trains; i++)
        add_name(bench, s->program->train[i].name);
    return STATUS_OK;
}

static Status bench_cases(const Options *options, Bench *bench) {
    const char *path = options->arg.at[0];
    Status status = STATUS_OK, first = STATUS_OK;
    for (uint32_t i = 1; i < options->arg.count; i++) add_name(bench, options->arg.at[i]);
    if (options->arg.count == 1) status = session_run(options, path, names_body, bench);
    if (status != STATUS_OK) return status;
    /* A case that fails does not keep the others from being timed. */
    for (uint32_t i = 0; i < bench->names.count; i++) {
        bench->name = bench->names.at[i];
        status = session_run(options, path, case_body, bench);
        if (first == STATUS_OK) first = status;
    }
    return first;
}

static Status write_results(const Options *options, const Bench *bench) {
    char message[MESSAGE_BYTES];
    if (!options->results) return STATUS_OK;
    char *text = json_dumps(bench->rows, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    const Piece piece[] = {{text, text ? strlen(text) : 0}, {"\n", 1}};
    bool ok = text && file_replace(options->results, piece, 2, message);
    free(text);
    if (ok) return STATUS_OK;
    fprintf(stderr, "tenon bench: %s\n", text ? message : "memory ended");
    return STATUS_INPUT;
}

static Status read_old(const Options *options, Bench *bench) {
    json_error_t error;
    if (!options->compare) return STATUS_OK;
    bench->old = json_load_file(options->compare, 0, &error);
    if (json_is_array(bench->old)) return STATUS_OK;
    fprintf(stderr, "tenon bench: %s: is not what --json writes: %s\n", options->compare,
            bench->old ? "no array" : error.text);
    return STATUS_INPUT;
}

/* Words after --kernels pick cases whose names contain them. */
static Status time_kernels(const Options *options) {
    char message[MESSAGE_BYTES] = "";
    KernelBench bench = {.threads =
                             options->threads ? (int)options->threads : processor_count(),
                         .cpu = options->cpu,
                         .no_winograd = options->no_winograd,
                         .seconds = options->seconds,
                         .tiles = options->tiles,
                         .out = stdout};
    Status status = STATUS_OK;
    for (uint32_t i = 0; i == 0 || i < options->arg.count; i++) {
        bench.only = options->arg.count ? options->arg.at[i] : NULL;
        status = bench_kernels(&bench, message);
        if (status == STATUS_OK) continue;
        fprintf(stderr, "tenon bench: %s\n", message);
        return status;
    }
    return status;
}

Status verb_bench(const Options *options) {
    if (options->kernels || options->tiles) return time_kernels(options);
    if (options->arg.count == 0) {
        fprintf(stderr, "tenon bench: needs a MODEL.tn\n");
        return STATUS_USAGE;
    }
    Bench bench = {.rows = json_array()};
    Status status = read_old(options, &bench);
    if (status == STATUS_OK) status = bench_cases(options, &bench);
    Status written = write_results(options, &bench);
    for (uint32_t i = 0; i < bench.names.count; i++) mem_free((void *)bench.names.at[i]);
    json_decref(bench.rows);
    json_decref(bench.old);
    return status == STATUS_OK ? written : status;
}
