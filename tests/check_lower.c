/* Groups, kernels and plans: every op case as compiled code against the evaluator, equal
 * bit by bit for any number of threads. */
#include "codegen/backend.h"
#include "passes/pass.h"
#include "tests/op_cases.h"
#include <check.h>
#include <math.h>

static Guard guard;
static Arena arena, scratch;
static Diag diag;
static Target target;

static void setup(void) {
    if (guard_enter(guard)) ck_abort_msg("%s", guard.message);
    arena_init(&arena, &guard);
    arena_init(&scratch, &guard);
    diag_init(&diag, &arena);
    ck_assert_int_eq(target_find(NULL, &target), STATUS_OK);
}

static void teardown(void) {
    arena_free(&arena);
    arena_free(&scratch);
}

/* ---- arrays in memory ---- */

static void write_array(const Array *array, void *memory) {
    for (int64_t i = 0; i < array_count(array); i++) {
        double x = array->at[i];
        switch (array->elem) {
        case ELEM_bool:
        case ELEM_u8: ((uint8_t *)memory)[i] = (uint8_t)x; break;
        case ELEM_i32: ((int32_t *)memory)[i] = (int32_t)x; break;
        case ELEM_f32: ((float *)memory)[i] = (float)x; break;
        case ELEM_f64: ((double *)memory)[i] = x; break;
        case ELEM_COUNT: break;
        }
    }
}

static double read_element(Elem elem, const void *memory, int64_t i) {
    switch (elem) {
    case ELEM_bool:
    case ELEM_u8: return ((const uint8_t *)memory)[i];
    case ELEM_i32: return ((const int32_t *)memory)[i];
    case ELEM_f32: return ((const float *)memory)[i];
    case ELEM_f64: return ((const double *)memory)[i];
    case ELEM_COUNT: break;
    }
    return NAN;
}

/* ---- running a plan ---- */

typedef struct Run {
    Func *entry;
    const Plan *plan;
    tn_entry *call;
    int64_t n;
    Array *args, *expected;
    char *state, *work;
    void *in[33], *out[33];
} Run;

static void *memory_new(int64_t bytes) {
    char *block = arena_alloc(&arena, (size_t)bytes + 128);
    return block + (64 - (uintptr_t)block % 64) % 64;
}

/* What comes out, by the evaluator, which knows everything but `grad`. */
static void evaluate(const OpCase *c, Run *run) {
    PassContext cx = {&scratch, &target};
    Module *module = op_case_parse(c, &arena, &diag);
    ck_assert(pipeline_run(&cx, module, "autodiff"));
    const Func *entry = op_case_entry(module);
    run->args = op_case_inputs(c, entry, 1, &arena);
    run->expected = arena_array(&arena, Array, entry->results.count);
    eval_func(entry, run->args, &run->n, &arena, run->expected);
}

static void prepare(Run *run) {
    PassContext cx = {&scratch, &target};
    Module *module = run->entry->module;
    ck_assert(pipeline_run(&cx, module, NULL));
    const Layout *layout = layout_state(&arena, module);
    run->plan = plan_entry(&cx, &arena, run->entry, layout);
    ck_assert_int_ge(run->plan->work_bytes, run->plan->lower_bound);
    run->state = memory_new(run->plan->state_bytes);
    run->work = memory_new(run->plan->work_bytes);
    uint32_t in = 0;
    for (uint32_t i = 0; i < run->entry->params.count; i++) {
        ck_assert_int_eq(run->entry->params.at[i].role, ROLE_INPUT);
        run->in[in] = memory_new(array_count(&run->args[i]) * 8);
        write_array(&run->args[i], run->in[in++]);
    }
    if (run->plan->has_n) memcpy(&run->in[in], &run->n, sizeof run->n);
    for (uint32_t i = 0; i < run->entry->results.count; i++)
        run->out[i] = memory_new(array_count(&run->expected[i]) * 8);
}

static void call(Run *run, int threads) {
    tn_pool *pool = tn_pool_new(threads);
    ck_assert(pool);
    tn_parallel parallel = tn_pool_parallel(pool);
    ck_assert_int_eq(run->call(run->state, run->work, run->in, run->out, &parallel),
                     TN_OK);
    tn_pool_free(pool);
}

static void compare(const Run *run, double tolerance) {
    for (uint32_t i = 0; i < run->entry->results.count; i++) {
        const Array *want = &run->expected[i];
        bool exact = !elem_is_float(want->elem);
        double scale = 1e-30;
        for (int64_t j = 0; j < array_count(want); j++)
            if (isfinite(want->at[j])) scale = fmax(scale, fabs(want->at[j]));
        for (int64_t j = 0; j < array_count(want); j++) {
            double x = read_element(want->elem, run->out[i], j), y = want->at[j];
            bool right = x == y || (isnan(x) && isnan(y)) ||
                         (!exact && fabs(x - y) <= tolerance * scale);
            ck_assert_msg(right, "result %u, element %ld: %.9g, not %.9g", i, (long)j, x,
                          y);
        }
    }
}

START_TEST(every_op_case_runs_as_evaluated) {
    const OpCase *c = &op_cases[_i];
    Run run = {.n = op_case_n(c)};
    evaluate(c, &run);
    run.entry = op_case_entry(op_case_parse(c, &arena, &diag));
    prepare(&run);
    JitOptions options = {.target = &target, .threads = 1};
    char message[512] = "";
    Jit *jit;
    Status status = jit_new(&options, &run.plan, 1, &jit, message);
    ck_assert_msg(status == STATUS_OK, "%s: %s", c->name, message);
    run.call = jit_entry(jit, run.plan->name);
    ck_assert(run.call);
    void *first[33];
    for (int threads = 1; threads <= 8; threads *= 2) {
        call(&run, threads);
        compare(&run, 2e-5);
        for (uint32_t i = 0; i < run.entry->results.count; i++) {
            size_t bytes =
                (size_t)array_count(&run.expected[i]) * elem_bytes(run.expected[i].elem);
            if (threads == 1) first[i] = arena_copy(&arena, run.out[i], bytes);
            ck_assert_mem_eq(first[i], run.out[i], bytes);
        }
    }
    jit_free(jit);
}
END_TEST

Suite *suite_lower(void);
Suite *suite_lower(void) {
    Suite *suite = suite_create("lower");
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 30);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, every_op_case_runs_as_evaluated, 0, op_case_count);
    suite_add_tcase(suite, cases);
    return suite;
}
