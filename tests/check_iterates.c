/*
 * Iterates of attacks against PyTorch's (tests/attacks/reference.npz, written by reference.py
 * there, in double precision): of the evaluator in double precision, and of compiled code in
 * single precision.  On the same network the penalty on a gradient, against differences.
 */
#include "ir/eval.h"
#include "tests/compiled.h"
#include "tests/fixture.h"
#include "tools/tensor.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REFERENCE      SOURCE_DIR "/tests/attacks/reference.npz"
#define ATTACK(method) "attack(" method ", model, x, y)"
#define NOISE(size)    "start = fn(s) = " size " * noise"

/* TABLE: the name in the reference, the attacked input (%d: iterations), iterations; 0: run
 * once. */
static const struct {
    const char *name, *expression;
    int iters;
} methods[] = {
    {"fgsm", ATTACK("fgsm(eps = 0.1)"), 0},
    {"pgd", ATTACK("pgd(eps = 0.3, step = 0.05, iters = %d, " NOISE("0.3") ")"), 8},
    {"pgd_margin",
     ATTACK("pgd(eps = 0.3, step = 0.05, iters = %d, " NOISE("0.3") ", raise = margin)"),
     8},
    {"bim", ATTACK("bim(eps = 8 / 255)"), 0},
    {"random_fgsm", ATTACK("pgd(eps = 0.1, step = 0.125, iters = 1, " NOISE("0.1") ")"),
     0},
    {"least_likely", ATTACK("least_likely(eps = 8 / 255)"), 0},
    {"targeted",
     ATTACK(
         "targeted(pgd(eps = 0.1, step = 0.02, iters = %d, start = zero), (y + 1) %% 5)"),
     6},
    {"pgd_l2", ATTACK("pgd_l2(eps = 1, step = 0.3, iters = %d, " NOISE("0.1") ")"), 8},
    {"pgd_l1", ATTACK("pgd_l1(eps = 2, step = 0.7, iters = %d, " NOISE("0.1") ")"), 8},
    {"trades_l2",
     "trades_l2_point(fn(x) = { logits: model(x) }, 0.8, %d, step = 0.2, " NOISE(
         "0.3") ")(x, y)",
     8},
    {"mi_fgsm", ATTACK("mi_fgsm(eps = 0.1, step = 0.02, iters = %d)"), 5},
    {"ascend", ATTACK("ascend(step = 0.1, iters = %d)"), 12},
    {"early",
     ATTACK("pgd(eps = 0.3, step = 0.02, iters = %d, start = zero, early = true)"), 8},
    {"cw", ATTACK("cw(iters = 40, rate = 0.05)"), 0},
    {"deepfool", ATTACK("deepfool(iters = 10)"), 0},
};

static Tensor reference(const char *name) {
    Tensor tensor;
    char message[512];
    ck_assert_msg(npz_read(REFERENCE, name, &tensor, message), "%s", message);
    return tensor;
}

/* Zero for seed and step. */
static Array stored_input(const Port *port) {
    if (port->role == ROLE_SEED || port->role == ROLE_STEP)
        return array_new(&arena, ELEM_i32, 0, NULL);
    Tensor tensor = reference(port->name);
    Array array = array_new(&arena, port->type.elem, port->type.rank, port->type.dim);
    ck_assert_int_eq(tensor_count(&tensor), array_count(&array));
    for (int64_t i = 0; i < array_count(&array); i++)
        array.at[i] = tensor.elem == ELEM_i32 ? ((const int32_t *)tensor.data)[i]
                                              : (double)((const float *)tensor.data)[i];
    tensor_free(&tensor);
    return array;
}

static const char *attacked(int row, int iters) {
    char expression[256];
    snprintf(expression, sizeof expression, methods[row].expression, iters);
    return arena_print(
        &arena,
        "fn f(x: f32[6, 6, 6, 1], y: i32[6], noise: f32[6, 6, 6, 1],\n"
        "     w1: f32[3, 3, 1, 4], b1: f32[4], w2: f32[64, 5], b2: f32[5]) {\n"
        "    let model = fn(z, y = none) = flatten(tanh(conv2d(z, w1) + b1)) @ w2 + b2\n"
        "    %s\n"
        "}\n",
        expression);
}

static void compare(int row, int iteration, const Array *out) {
    Tensor all = reference(methods[row].name),
           valid = reference(arena_print(&arena, "%s_valid", methods[row].name));
    int64_t images = out->dim[0], pixels = array_count(out) / images;
    const float *at = (const float *)all.data + iteration * images * pixels;
    for (int64_t i = 0; i < images * pixels; i++) {
        if (((const int32_t *)valid.data)[i / pixels] <= iteration) continue;
        ck_assert_msg(fabs(out->at[i] - (double)at[i]) <= 1e-5,
                      "%s, iteration %d: image %d, pixel %d is %.8f, not %.8f",
                      methods[row].name, iteration + 1, (int)(i / pixels),
                      (int)(i % pixels), out->at[i], (double)at[i]);
    }
    tensor_free(&all);
    tensor_free(&valid);
}

static int last_of(int row) {
    Tensor all = reference(methods[row].name);
    const int last = (int)all.dim[0];
    tensor_free(&all);
    return last;
}

START_TEST(iterates_are_those_of_pytorch) {
    for (int k = methods[_i].iters ? 1 : last_of(_i); k <= last_of(_i); k++)
        compare(_i, k - 1, run_on(func_of(attacked(_i, k)), stored_input));
}
END_TEST

START_TEST(compiled_iterates_are_those_of_pytorch) {
    for (int k = methods[_i].iters ? 1 : last_of(_i); k <= last_of(_i); k += 3)
        compare(_i, k - 1, run_compiled(attacked(_i, k), 2, stored_input));
    compare(_i, last_of(_i) - 1,
            run_compiled(attacked(_i, last_of(_i)), 1, stored_input));
}
END_TEST

/* ---- double backward ----------------------------------------------------------------------- */

static int nudged; /* which entry of w1 is moved, and by how much */
static double by;

static Array nudged_input(const Port *port) {
    Array array = stored_input(port);
    if (!strcmp(port->name, "w1")) array.at[nudged] += by;
    return array;
}

/* The penalty on the gradient by x, its own gradient by the filters. */
START_TEST(penalty_agrees_with_differences) {
    const Func *func = func_of(
        "fn model(w1, b1, w2, b2) = fn(x) =\n"
        "    { logits: flatten(tanh(conv2d(x, w1) + b1)) @ w2 + b2 }\n"
        "fn f(x: f32[6, 6, 6, 1], y: i32[6], w1: f32[3, 3, 1, 4], b1: f32[4],\n"
        "     w2: f32[64, 5], b2: f32[5]) {\n"
        "    let at = fn(w1) = gradient_penalty(model(w1, b1, w2, b2), 0.5)(x, y)\n"
        "    value = at(w1)\n"
        "    slope = grad(at)(w1)\n"
        "}\n");
    const double h = 1e-5;
    for (nudged = 0; nudged < 36; nudged += 5) {
        by = 0;
        const double slope = run_on(func, nudged_input)[1].at[nudged];
        by = h;
        const double up = run_on(func, nudged_input)[0].at[0];
        by = -h;
        const double down = run_on(func, nudged_input)[0].at[0];
        ck_assert_msg(fabs((up - down) / (2 * h) - slope) < 1e-7 * (1 + fabs(slope)),
                      "entry %d: %.9g by differences, %.9g", nudged,
                      (up - down) / (2 * h), slope);
    }
}
END_TEST

/* From x itself the divergence has no gradient but rounding: noise says where to. */
START_TEST(a_lost_gradient_is_replaced) {
    const Array *out = run_on(
        func_of(
            "fn f(x: f32[6, 6, 6, 1], w1: f32[3, 3, 1, 4], b1: f32[4], w2: f32[64, 5],\n"
            "     b2: f32[5]) {\n"
            "    let logits = fn(x) = flatten(tanh(conv2d(x, w1) + b1)) @ w2 + b2\n"
            "    let rise = fn(z) = kl(softmax(logits(x)), logits(z))\n"
            "    let once = pgd_l2(eps = 0.8, step = 0.8, iters = 1)\n"
            "    still = norms(attack(once, rise, x) - x)\n"
            "    moved = norms(attack(once(lost = normal(1)), rise, x) - x)\n"
            "}\n"),
        stored_input);
    for (int i = 0; i < 6; i++) {
        ck_assert_double_lt(out[0].at[i], 1e-2);
        ck_assert_double_gt(out[1].at[i], 0.1);
        ck_assert_double_le(out[1].at[i], 0.8 + 1e-9);
    }
}
END_TEST

/* ---- random numbers ------------------------------------------------------------------------- */

/* One draw in loops of 2, 3 and 4 rounds, the innermost within an attack. */
static const char *const nested_draws =
    "fn at(n, i) = f32(iota(n) == i)\n"
    "fn f(x: f32[4]) =\n"
    "    repeat 2 as i with all = broadcast(0 * x, [2, 3, 4]) {\n"
    "        let plane = repeat 3 as k with rows = broadcast(0 * x, [3, 4]) {\n"
    "            let draw = fn(f, x) = repeat 4 as m with row = x {\n"
    "                row + at(4, m) * random([1])\n"
    "            }\n"
    "            rows + reshape(at(3, k), [3, 1]) * attack(draw, fn(z) = sum(z), 0 * x)\n"
    "        }\n"
    "        all + reshape(at(2, i), [2, 1, 1]) * plane\n"
    "    }\n";

static Array no_input(const Port *port) {
    return array_new(&arena, port->type.elem, port->type.rank, port->type.dim);
}

START_TEST(each_round_of_each_loop_draws_anew) {
    const Array *want = run_on(func_of(nested_draws), no_input);
    ck_assert_int_eq(array_count(want), 24);
    for (int i = 0; i < 24; i++)
        for (int k = 0; k < i; k++) ck_assert_double_ne(want->at[i], want->at[k]);
    for (int threads = 1; threads <= 2; threads++) {
        const Array *out = run_compiled(nested_draws, threads, no_input);
        for (int i = 0; i < 24; i++) ck_assert_double_eq(out->at[i], want->at[i]);
    }
}
END_TEST

Suite *suite_iterates(void);
Suite *suite_iterates(void) {
    Suite *suite = suite_create("iterates");
    TCase *tcase = tcase_create("iterates");
    const int rows = sizeof methods / sizeof *methods;
    tcase_add_checked_fixture(tcase, fixture_open, fixture_close);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, iterates_are_those_of_pytorch, 0, rows);
    tcase_add_loop_test(tcase, compiled_iterates_are_those_of_pytorch, 0, rows);
    tcase_add_test(tcase, a_lost_gradient_is_replaced);
    tcase_add_test(tcase, each_round_of_each_loop_draws_anew);
    tcase_add_test(tcase, penalty_agrees_with_differences);
    suite_add_tcase(suite, tcase);
    return suite;
}
