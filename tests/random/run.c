/*
 * Random programs: evaluator against compiled code.  Every block of memory ends where its
 * page does, with no page behind it, and has marked bytes in front: a place read beyond the
 * end crashes, one written before the start shows.  Outputs and work memory start as NaNs.
 */
#include "codegen/backend.h"
#include "passes/pass.h"
#include "tests/random/check.h"
#include <math.h>
#include <sys/mman.h>

#define PAGE       ((size_t)4096)
#define PORTS_MAX  64
#define MARK_BYTES 64

typedef struct Guarded {
    char *at, *pages;
    size_t bytes, length;
} Guarded;

static Guarded guarded_new(Arena *arena, int64_t bytes, size_t alignment) {
    Guarded g = {.bytes = ((size_t)bytes + alignment - 1) / alignment * alignment};
    g.length = (g.bytes + MARK_BYTES + PAGE - 1) / PAGE * PAGE;
    g.pages = mmap(NULL, g.length + PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.pages == MAP_FAILED) bug(arena, "no pages");
    mprotect(g.pages + g.length, PAGE, PROT_NONE);
    g.at = g.pages + g.length - g.bytes;
    memset(g.pages, 0xFF, g.length);
    return g;
}

static bool guarded_free(Guarded g) {
    bool whole = true;
    for (char *c = g.pages; c < g.at; c++)
        if ((unsigned char)*c != 0xFF) whole = false;
    munmap(g.pages, g.length + PAGE);
    return whole;
}

static void write_array(const Array *array, char *at) {
    int64_t count = array_count(array);
    for (int64_t i = 0; i < count; i++) {
        double x = array->at[i];
        switch (array->elem) {
        case ELEM_bool:
        case ELEM_u8: ((uint8_t *)at)[i] = (uint8_t)x; break;
        case ELEM_i32: ((int32_t *)at)[i] = (int32_t)x; break;
        case ELEM_f32: ((float *)at)[i] = (float)x; break;
        case ELEM_f64: ((double *)at)[i] = x; break;
        case ELEM_COUNT: break;
        }
    }
}

static void read_array(const Array *like, const char *at, Array *array) {
    int64_t count = array_count(like);
    for (int64_t i = 0; i < count; i++) {
        switch (like->elem) {
        case ELEM_bool:
        case ELEM_u8: array->at[i] = ((const uint8_t *)at)[i]; break;
        case ELEM_i32: array->at[i] = ((const int32_t *)at)[i]; break;
        case ELEM_f32: array->at[i] = ((const float *)at)[i]; break;
        case ELEM_f64: array->at[i] = ((const double *)at)[i]; break;
        case ELEM_COUNT: break;
        }
    }
}

typedef struct Run {
    Arena *arena;
    const RandomCase *program;
    const Plan *plan;
    const RandomCode *code;
    const Array *want;
    Array *got;
} Run;

static int64_t bytes_of(const Array *array) {
    return array_count(array) * elem_bytes(array->elem);
}

/* One call on fresh memory; false when something beside the blocks was written. */
static bool call_once(Run *run, int threads, int *status) {
    const RandomCase *program = run->program;
    Guarded in[PORTS_MAX], out[PORTS_MAX];
    const RandomCode *code = run->code;
    void *in_pointers[PORTS_MAX + 2], *out_pointers[PORTS_MAX];
    Guarded state = guarded_new(run->arena, code->state_bytes, 64);
    Guarded work = guarded_new(run->arena, code->work_bytes, 64);
    for (uint32_t i = 0; i < program->params; i++) {
        in[i] = guarded_new(run->arena, bytes_of(&program->args[i]), 1);
        write_array(&program->args[i], in[i].at);
        in_pointers[i] = in[i].at;
    }
    memcpy(&in_pointers[program->params + run->plan->has_n], &code->work_bytes,
           sizeof code->work_bytes); /* a library wants to know */
    if (run->plan->has_n)
        memcpy(&in_pointers[program->params], &program->n, sizeof program->n);
    for (uint32_t i = 0; i < program->results; i++) {
        out[i] = guarded_new(run->arena, bytes_of(&run->want[i]), 1);
        out_pointers[i] = out[i].at;
    }
    tn_pool *pool = tn_pool_new(threads);
    tn_parallel parallel = tn_pool_parallel(pool);
    *status = code->init ? code->init(state.at, 1) : TN_OK;
    if (*status == TN_OK)
        *status = code->call(state.at, work.at, in_pointers, out_pointers, &parallel);
    tn_pool_free(pool);
    bool whole = guarded_free(state);
    whole &= guarded_free(work);
    for (uint32_t i = 0; i < program->params; i++) whole &= guarded_free(in[i]);
    for (uint32_t i = 0; i < program->results; i++) {
        read_array(&run->want[i], out[i].at, &run->got[i]);
        whole &= guarded_free(out[i]);
    }
    return whole;
}

static const char *differences(Run *run) {
    for (uint32_t i = 0; i < run->program->results; i++) {
        double tolerance = run->program->tolerance[i];
        const char *wrong =
            random_compare(run->arena, &run->want[i], &run->got[i], i, tolerance);
        if (wrong) return wrong;
    }
    return NULL;
}

static const char *call_with(Run *run, int threads) {
    int status;
    if (!call_once(run, threads, &status))
        return arena_print(run->arena, "%d threads: writes before a block", threads);
    if (status) return arena_print(run->arena, "%d threads: status %d", threads, status);
    const char *wrong = differences(run);
    return wrong ? arena_print(run->arena, "%d threads: %s", threads, wrong) : NULL;
}

/* Bits for one thread and for three; NaN compares as different from all. */
static const char *run_calls(Run *run) {
    const char *wrong = call_with(run, 1);
    Array *first = arena_array(run->arena, Array, run->program->results);
    for (uint32_t i = 0; i < run->program->results; i++) {
        first[i] = run->got[i];
        run->got[i].at = arena_array(run->arena, double, array_count(&run->got[i]));
    }
    if (!wrong) wrong = call_with(run, 3);
    for (uint32_t i = 0; i < run->program->results && !wrong; i++)
        if (random_compare(run->arena, &first[i], &run->got[i], i, 0))
            wrong = "results differ between one thread and three";
    return wrong;
}

const Plan *random_plan(Arena *arena, const RandomCase *program, const Target *target) {
    Arena scratch;
    arena_init(&scratch, arena->guard);
    PassContext cx = {&scratch, target};
    Module *module = random_parse(arena, program->text);
    const Plan *plan = NULL;
    if (pipeline_run(&cx, module, NULL))
        plan = plan_entry(&cx, arena, module_find(module, "main"),
                          layout_state(arena, module));
    arena_free(&scratch);
    return plan;
}

static void print_steps(const PlanStep *step, uint32_t steps, Text *out) {
    for (uint32_t i = 0; i < steps; i++) {
        if (step[i].kernel) loop_print(step[i].kernel, out);
        print_steps(step[i].step, step[i].steps, out);
    }
}

const char *random_kernels(Arena *arena, const RandomCase *program) {
    Target target;
    Text text;
    text_init(&text, arena);
    if (target_find(NULL, &target)) return "";
    const Plan *plan = random_plan(arena, program, &target);
    if (!plan) return "";
    graph_print(plan->entry->module, &text);
    print_steps(plan->step, plan->steps, &text);
    return text.at;
}

const char *random_calls(Arena *arena, const RandomCase *program, const Plan *plan,
                         const RandomCode *code) {
    const Array *want =
        random_evaluate(arena, random_parse(arena, program->text), program);
    Run run = {arena, program, plan, code, want, NULL};
    run.got = arena_array(arena, Array, program->results);
    for (uint32_t i = 0; i < program->results; i++)
        run.got[i] = array_new(arena, want[i].elem, want[i].rank, want[i].dim);
    return run_calls(&run);
}

static const char *run_on(Arena *arena, const RandomCase *program, const char *cpu) {
    Target target;
    Jit *jit;
    char message[512] = "";
    if (target_find(cpu, &target)) return "no target";
    const Plan *plan = random_plan(arena, program, &target);
    if (!plan) return "the pipeline refuses the program";
    JitOptions options = {.target = &target, .threads = 1};
    if (jit_new(&options, &plan, 1, &jit, message))
        return arena_print(arena, "%s", message);
    const RandomCode code = {.call = jit_entry(jit, plan->name),
                             .state_bytes = plan->state_bytes,
                             .work_bytes = plan->work_bytes};
    const char *wrong = random_calls(arena, program, plan, &code);
    jit_free(jit);
    return wrong;
}

const char *random_run(Arena *arena, const RandomCase *program) {
    return run_on(arena, program, NULL);
}

const char *random_run_avx2(Arena *arena, const RandomCase *program) {
    return run_on(arena, program, "x86-64-v3");
}
