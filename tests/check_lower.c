/* Groups, kernels and plans: every op case as compiled code against the evaluator, equal
 * bit by bit for any number of threads. */
#include "codegen/backend.h"
#include "passes/pass.h"
#include "tests/fixture.h"
#include "tests/op_cases.h"
#include <check.h>
#include <math.h>

static Arena scratch;
static Target target;

static void setup(void) {
    fixture_open();
    arena_init(&scratch, &guard);
    ck_assert_int_eq(target_find(NULL, &target), STATUS_OK);
}

static void teardown(void) {
    arena_free(&scratch);
    fixture_close();
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
    void *param[33], *result[33]; /* where they are, in state or with the caller */
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

/* NULL for what the caller holds. */
static void *in_state(const Run *run, const Layout *layout, const Port *port) {
    for (uint32_t i = 0; i < layout->slots; i++)
        if (!strcmp(layout->slot[i].name, port->name) &&
            layout->slot[i].role == port->role)
            return run->state + layout->slot[i].offset;
    return NULL;
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
    uint32_t in = 0, out = 0;
    for (uint32_t i = 0; i < run->entry->params.count; i++) {
        run->param[i] = in_state(run, layout, &run->entry->params.at[i]);
        if (run->param[i]) continue;
        run->param[i] = run->in[in++] = memory_new(array_count(&run->args[i]) * 8);
    }
    if (run->plan->has_n) memcpy(&run->in[in], &run->n, sizeof run->n);
    for (uint32_t i = 0; i < run->entry->results.count; i++) {
        run->result[i] = in_state(run, layout, &run->entry->outputs.at[i]);
        if (run->result[i]) continue;
        run->result[i] = run->out[out++] = memory_new(array_count(&run->expected[i]) * 8);
    }
}

static void call(Run *run, int threads) {
    for (uint32_t i = 0; i < run->entry->params.count; i++)
        write_array(&run->args[i], run->param[i]);
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
            double x = read_element(want->elem, run->result[i], j), y = want->at[j];
            bool right = x == y || (isnan(x) && isnan(y)) ||
                         (!exact && fabs(x - y) <= tolerance * scale);
            ck_assert_msg(right, "result %u, element %ld: %.9g, not %.9g", i, (long)j, x,
                          y);
        }
    }
}

#define F(params, results, body) "func @f(" params ") -> (" results ") {\n" body "\n}\n"

/* What op cases are too small for: reductions in parts, tasks that end within a vector. */
static const OpCase large_cases[] = {
    {"sum: to a scalar", F("%x: f32[70001]", "%y", "%y = sum %x {axes = [0]}")},
    {"sum: columns", F("%x: f32[9001, 21]", "%y", "%y = sum %x {axes = [0]}")},
    {"sum: columns of N", F("%x: f32[N, 4001, 5]", "%y", "%y = sum %x {axes = [0, 1]}")},
    {"sum: few rows", F("%x: f32[3, 30011]", "%y", "%y = sum %x {axes = [1]}")},
    {"sum: around columns",
     F("%x: f32[40, 60, 50]", "%y", "%y = sum %x {axes = [0, 2]}")},
    {"reduce_max: columns",
     F("%x: f32[9001, 7]", "%y", "%y = reduce_max %x {axes = [0]}")},
    {"reduce_min: scalar", F("%x: i32[80000]", "%y", "%y = reduce_min %x {axes = [0]}"),
     .ints = 100000},
    {"moments, then what follows",
     F("%x: f32[8192, 12], %w: f32[12]", "%v, %m",
       "%s = sum %x {axes = [0]} %q = mul %x, %x %t = sum %q {axes = [0]}"
       "%k = const {elem = f32, dims = [12], values = [0.0001]}"
       "%m = mul %s, %k %n = mul %t, %k %o = mul %m, %m %p = sub %n, %o %v = mul %p, "
       "%w")},
    {"elementwise: tasks end within a vector", F("%x: f32[300007]", "%y", "%y = neg %x")},
    {"elementwise: tasks end within a vector of N",
     F("%x: f32[N, 33333]", "%y", "%y = neg %x")},
    {"softmax of many rows",
     F("%x: f32[4000, 37]", "%y",
       "%m = reduce_max %x {axes = [1]} %b = broadcast %m {dims = [4000, 37], axes = [0]}"
       "%d = sub %x, %b %e = exp %d %s = sum %e {axes = [1]}"
       "%t = broadcast %s {dims = [4000, 37], axes = [0]} %y = div %e, %t")},
    {"scatter_add: many places",
     F("%i: i32[3000], %u: f32[3000, 20]", "%y",
       "%y = scatter_add %i, %u {axis = 0, batch = 0, dims = [2500]}"),
     .ints = 2500},
    {"scatter_add: N, in the middle",
     F("%i: i32[N, 60], %u: f32[N, 3, 60, 5]", "%y",
       "%y = scatter_add %i, %u {axis = 2, batch = 1, dims = [70]}"),
     .ints = 80},
    {"convolution, bias, ReLU, pool",
     F("%x: f32[6, 12, 12, 9], %w: f32[3, 3, 9, 21], %b: f32[21]", "%y, %i",
       "%c = contract %x, %w {dims = [6, 12, 12, 21, 3, 3, 9], a = [d0, d1 + d4 - 1, d2 "
       "+ d5 - 1, "
       "d6], b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"
       "%r = reshape %c {dims = [6, 6, 2, 6, 2, 21]} %m = reduce_max %r {axes = [2, 4]}"
       "%i = argmax %r {axes = [2, 4]}"
       "%d = broadcast %b {dims = [6, 6, 6, 21], axes = [3]} %e = add %m, %d"
       "%z = const {elem = f32, dims = [6, 6, 6, 21], values = [0]} %y = max %z, %e")},
    {"convolution, pool, N images", F("%x: f32[N, 14, 14, 4], %w: f32[5, 5, 4, 20]", "%y",
                                      "%c = contract %x, %w {dims = [N, 10, 10, 20, 5, "
                                      "5, 4], a = [d0, d1 + d4, d2 + d5, d6], "
                                      "b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"
                                      "%r = reshape %c {dims = [N, 5, 2, 5, 2, 20]} %y = "
                                      "reduce_max %r {axes = [2, 4]}")},
    {"convolution of grey images, pool",
     F("%x: f32[4, 28, 28, 1], %w: f32[5, 5, 1, 20]", "%y",
       "%c = contract %x, %w {dims = [4, 24, 24, 20, 5, 5, 1], a = [d0, d1 + d4, d2 + "
       "d5, d6], "
       "b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"
       "%r = reshape %c {dims = [4, 12, 2, 12, 2, 20]} %y = reduce_max %r {axes = [2, "
       "4]}")},
    {"convolution of one image, pool",
     F("%x: f32[1, 28, 28, 1], %w: f32[5, 5, 1, 20]", "%y",
       "%c = contract %x, %w {dims = [1, 24, 24, 20, 5, 5, 1], a = [d0, d1 + d4, d2 + "
       "d5, d6], "
       "b = [d4, d5, d6, d3], out = [d0, d1, d2, d3]}"
       "%r = reshape %c {dims = [1, 12, 2, 12, 2, 20]} %y = reduce_max %r {axes = [2, "
       "4]}")},
    {"state: replaced in place, read elsewhere",
     F("param %w: f32[40, 30], %x: f32[8, 40]", "param w = %v alias %w, y = %y",
       "%y = contract %x, %w {dims = [8, 30, 40], a = [d0, d2], b = [d2, d1], out = [d0, "
       "d1]}"
       "%g = contract %x, %y {dims = [40, 30, 8], a = [d2, d0], b = [d2, d1], out = [d0, "
       "d1]}"
       "%v = sub %w, %g")},
    {"state: the old value is read after the new one",
     F("state %s: f32[50], %x: f32[50]", "state s = %t alias %s, y = %y",
       "%t = add %s, %x %e = exp %t %m = sum %e {axes = [0]}"
       "%b = broadcast %m {dims = [50], axes = []} %y = div %s, %b")},
    {"state: two that change places",
     F("state %a: f32[33], state %b: f32[33]",
       "state a = %b alias %a, state b = %a alias %b", "")},
    {"state: moved within itself",
     F("state %a: f32[6, 50], %x: f32[50]", "state a = %n alias %a",
       "%t = slice %a {starts = [1, 0], dims = [5, 50], strides = [1, 1]}"
       "%r = reshape %x {dims = [1, 50]} %n = concat %t, %r {axis = 0}")},
    {"state: untouched, and given out",
     F("param %w: f32[20]", "param w = %w alias %w, y = %w, z = %w", "")},
    {"momentum",
     F("param %w: f32[3000], optim %m: f32[3000], %g: f32[3000]",
       "param w = %v alias %w, optim m = %n alias %m",
       "%k = const {elem = f32, dims = [3000], values = [0.9]} %a = mul %m, %k"
       "%n = add %a, %g %v = sub %w, %n")},
    {"repeat: carries that change places",
     "body @b(%i: i32[], %x: f32[40], %y: f32[40], %w: f32[40]) -> (x = %y, y = %z) {"
     "%t = mul %x, %w %z = add %t, %y }" F(
         "%x: f32[40], %y: f32[40], %w: f32[40]", "%p, %q",
         "%r = repeat %x, %y, %w {count = 5, carries = 2, body = @b}"
         "%p = get %r {index = 0} %q = get %r {index = 1}")},
    {"repeat: within a repeat, into state",
     "body @inner(%i: i32[], %x: f32[40], %w: f32[40]) -> (x = %z) {"
     "%t = mul %x, %w %z = add %t, %w }"
     "body @outer(%i: i32[], %x: f32[40], %w: f32[40]) -> (x = %u) {"
     "%r = repeat %x, %w {count = 3, carries = 1, body = @inner} %s = get %r {index = 0}"
     "%c = cast %i {elem = f32} %b = broadcast %c {dims = [40], axes = []} %u = add %s, "
     "%b }" F("state %a: f32[40], %w: f32[40]", "state a = %p alias %a, y = %q",
              "%r = repeat %a, %w {count = 4, carries = 1, body = @outer}"
              "%p = get %r {index = 0} %q = neg %p")},
    {"norm of everything",
     F("%x: f32[400, 300]", "%y",
       "%q = mul %x, %x %s = sum %q {axes = [0, 1]} %r = sqrt %s"
       "%b = broadcast %r {dims = [400, 300], axes = []} %y = div %x, %b")},
};
static const int large_count = sizeof large_cases / sizeof *large_cases;

START_TEST(every_case_runs_as_evaluated) {
    int which = _i / 2;
    const OpCase *c =
        which < op_case_count ? &op_cases[which] : &large_cases[which - op_case_count];
    /* Vectors of half the size as well. */
    if (_i % 2) ck_assert_int_eq(target_find("x86-64-v3", &target), STATUS_OK);
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
            if (threads == 1) first[i] = arena_copy(&arena, run.result[i], bytes);
            ck_assert_mem_eq(first[i], run.result[i], bytes);
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
    tcase_add_loop_test(cases, every_case_runs_as_evaluated, 0,
                        2 * (op_case_count + large_count));
    suite_add_tcase(suite, cases);
    return suite;
}
