/* The inline functions of kernels against libm in a wider type: errors in units in the last
 * place over dense samples, and the cases that have no number. */
#include "codegen/backend.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static Guard guard;
static Arena arena;
static Diag diag;
static Target target;

static void start(void) {
    ck_assert(!guard_enter(guard));
    arena_init(&arena, &guard);
    diag_init(&diag, &arena);
    ck_assert_int_eq(target_find(NULL, &target), STATUS_OK);
}

/* The host and, where it can run them, machines with fewer instructions. */
static const char *const cpus[] = {NULL, "x86-64-v3", "x86-64-v2"};
enum { CPUS = sizeof cpus / sizeof *cpus };

static void use_cpu(int i) {
    uint32_t widest = target.vector_bytes;
    ck_assert_int_eq(target_find(cpus[i], &target), STATUS_OK);
    if (target.vector_bytes > widest) target_find(NULL, &target);
}

static void stop(void) {
    arena_free(&arena);
}

/* TABLE: the function, the meaning, where its arguments lie, its bound in ULP. */
static const struct Row {
    const char *name;
    double (*meaning)(double);
    double low, high, ulp;
} rows[] = {
    {"exp", exp, -110, 90, 1.0},
    {"exp", exp, -1e-3, 1e-3, 1.0},
    {"log", log, 0, INFINITY, 1.0},
    {"log", log, 0.5, 2, 1.0},
    {"tanh", tanh, -12, 12, 2.5},
    {"tanh", tanh, -1e-2, 1e-2, 2.5},
    {"erf", erf, -5, 5, 1.5},
    {"erf", erf, -1e-2, 1e-2, 1.5},
    {"sin", sin, -1e4, 1e4, 1.5},
    {"sin", sin, -1e15, 1e15, 1.5},
    {"cos", cos, -1e4, 1e4, 1.5},
    {"cos", cos, -1e15, 1e15, 1.5},
    {"sqrt", sqrt, 0, INFINITY, 0.5},
    {"floor", floor, -INFINITY, INFINITY, 0},
    {"round", nearbyint, -INFINITY, INFINITY, 0},
};
enum { ROWS = sizeof rows / sizeof *rows, SAMPLES = 1 << 19, LANES = 16 };

typedef struct Args {
    const void *x, *y, *z;
    int64_t n;
} Args;

/* z[i] = NAME(OPERANDS), 16 at a time. */
static Jit *compile(const char *name, const char *operands, const char *elem,
                    tn_task **task) {
    const char *text = arena_print(&arena,
                                   "kernel @f(x: %s*, y: %s*, z: out %s*) tasks 1 {\n"
                                   "  z[task*16 : 16] = %s(%s)\n}\n",
                                   elem, elem, elem, name, operands);
    uint32_t source = diag_source(&diag, "kernel", text, strlen(text));
    const Kernel *kernel = loop_parse(&arena, &diag, source);
    ck_assert_msg(kernel, "%s", diag.messages.count ? diag.messages.at[0].text : "");
    JitOptions options = {.target = &target, .threads = 1};
    char message[512];
    Jit *jit;
    ck_assert_int_eq(jit_new_kernels(&options, &kernel, 1, &jit, message), STATUS_OK);
    *task = jit_kernel(jit, "f");
    return jit;
}

static Jit *unary(const char *name, const char *elem, tn_task **task) {
    return compile(name, "x[task*16 : 16]", elem, task);
}

static Jit *power(tn_task **task) {
    return compile("pow", "x[task*16 : 16], y[task*16 : 16]", "f32", task);
}

/* Distance from the true value in units of the last place of a float near it. */
static double ulps(float got, double wanted) {
    if (isnan(wanted)) return isnan(got) ? 0 : INFINITY;
    if ((double)got == wanted) return 0;
    if (isinf(got) || isinf(wanted))
        return (float)wanted == got || fabs(wanted) > 0x1.fffffep127 ? 0 : INFINITY;
    int exponent = ilogb(wanted) < -126 || wanted == 0 ? -126 : ilogb(wanted);
    return fabs((double)got - wanted) / ldexp(1, exponent - 23);
}

/* Numbers between low and high, dense in every binade: even steps in order of bits. */
static float sample(const struct Row *row, uint32_t i) {
    float f;
    uint32_t bits = i * 8191u * (UINT32_MAX / SAMPLES / 8191u + 1);
    bits ^= bits >> 15;
    memcpy(&f, &bits, sizeof f);
    if (f >= row->low && f <= row->high) return f;
    if (isinf(row->high)) return 1;
    return (float)(row->low + (row->high - row->low) * i / SAMPLES);
}

START_TEST(function_is_within_its_bound) {
    const struct Row *row = &rows[_i % ROWS];
    use_cpu(_i / ROWS);
    if (row->high == 1e15 && target.vector_bytes == 16) return; /* needs fma */
    tn_task *task;
    Jit *jit = unary(row->name, "f32", &task);
    float *x = arena_array(&arena, float, SAMPLES),
          *y = arena_array(&arena, float, SAMPLES);
    for (uint32_t i = 0; i < SAMPLES; i++) x[i] = sample(row, i);
    Args args = {x, x, y, 0};
    task(&args, 0, SAMPLES / LANES);
    double worst = 0;
    float at = 0, got = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        double error = ulps(y[i], row->meaning(x[i]));
        if (error <= worst) continue;
        worst = error;
        at = x[i], got = y[i];
    }
    if (getenv("TN_TEST_VERBOSE"))
        printf("%s %g..%g: %.3f ULP at %a\n", row->name, row->low, row->high, worst, at);
    ck_assert_msg(worst <= row->ulp, "%s(%a) = %a is %.3g ULP from %a", row->name, at,
                  got, worst, row->meaning(at));
    jit_free(jit);
}
END_TEST

START_TEST(function_in_double_is_near) {
    const struct Row *row = &rows[_i];
    tn_task *task;
    Jit *jit = unary(row->name, "f64", &task);
    enum { COUNT = 1 << 14 };
    double *x = arena_array(&arena, double, COUNT),
           *y = arena_array(&arena, double, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) x[i] = sample(row, i * (SAMPLES / COUNT));
    Args args = {x, x, y, 0};
    task(&args, 0, COUNT / LANES);
    for (uint32_t i = 0; i < COUNT; i++) {
        double wanted = row->meaning(x[i]);
        if (isnan(wanted) && isnan(y[i])) continue;
        if (wanted == y[i]) continue;
        double error = fabs(y[i] - wanted) / fmax(fabs(wanted), 0x1p-1022);
        if (!(error < 4e-15))
            ck_abort_msg("%s(%a) = %a, not %a", row->name, x[i], y[i], wanted);
    }
    jit_free(jit);
}
END_TEST

static const float edges[LANES] = {
    0,    -0.0f,     1,          -1,        INFINITY,        -INFINITY,
    NAN,  0x1p-149f, -0x1p-149f, 0x1p-126f, 0x1.fffffep127f, -0x1.fffffep127f,
    0.5f, -2,        3,          -3};

START_TEST(function_has_the_values_of_edges) {
    const struct Row *row = &rows[_i % ROWS];
    use_cpu(_i / ROWS);
    tn_task *task;
    Jit *jit = unary(row->name, "f32", &task);
    float y[LANES];
    Args args = {edges, edges, y, 0};
    task(&args, 0, 1);
    bool periodic = row->meaning == sin || row->meaning == cos;
    for (int i = 0; i < LANES; i++) {
        if (periodic && fabsf(edges[i]) > 0x1p50f) continue;
        double error = ulps(y[i], row->meaning(edges[i]));
        if (!(error <= row->ulp))
            ck_abort_msg("%s(%a) = %a, not %a", row->name, edges[i], y[i],
                         row->meaning(edges[i]));
    }
    jit_free(jit);
}
END_TEST

START_TEST(pow_has_the_values_of_edges) {
    tn_task *task;
    Jit *jit = power(&task);
    for (int i = 0; i < LANES; i++) {
        float x[LANES], z[LANES];
        for (int k = 0; k < LANES; k++) x[k] = edges[i];
        Args args = {x, edges, z, 0};
        task(&args, 0, 1);
        for (int k = 0; k < LANES; k++) {
            double wanted = pow((double)x[k], (double)edges[k]);
            if (ulps(z[k], wanted) > 1)
                ck_abort_msg("pow(%a, %a) = %a, not %a", x[k], edges[k], z[k], wanted);
            ck_assert_msg(isnan(z[k]) || !signbit(z[k]) == !signbit(wanted),
                          "pow(%a, %a) = %a, not %a", x[k], edges[k], z[k], wanted);
        }
    }
    jit_free(jit);
}
END_TEST

START_TEST(pow_is_within_its_bound) {
    tn_task *task;
    Jit *jit = power(&task);
    enum { COUNT = 1 << 16 };
    static float x[COUNT], y[COUNT], z[COUNT];
    uint64_t state = 1;
    for (int i = 0; i < COUNT; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(state >> 40) * 0x1p-18f;
        y[i] = (float)((int32_t)(state >> 20 & 0xFFFF) - 32768) * 0x1p-11f;
    }
    Args args = {x, y, z, 0};
    task(&args, 0, COUNT / LANES);
    double worst = 0;
    for (int i = 0; i < COUNT; i++) {
        double error = ulps(z[i], pow((double)x[i], (double)y[i]));
        if (!(error <= 1)) ck_abort_msg("pow(%a, %a) = %a", x[i], y[i], z[i]);
        if (error > worst) worst = error;
    }
    if (getenv("TN_TEST_VERBOSE")) printf("pow %.3f ULP\n", worst);
    jit_free(jit);
}
END_TEST

Suite *suite_math(void);
Suite *suite_math(void) {
    Suite *suite = suite_create("math");
    TCase *tcase = tcase_create("functions");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_loop_test(tcase, function_is_within_its_bound, 0, ROWS * CPUS);
    tcase_add_loop_test(tcase, function_in_double_is_near, 0, ROWS);
    tcase_add_loop_test(tcase, function_has_the_values_of_edges, 0, ROWS * CPUS);
    tcase_add_test(tcase, pow_has_the_values_of_edges);
    tcase_add_test(tcase, pow_is_within_its_bound);
    suite_add_tcase(suite, tcase);
    return suite;
}
