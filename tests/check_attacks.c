/*
 * Losses of attacks in double precision against published values, and what passes make of
 * attacks.
 */
#include "codegen/backend.h"
#include "frontend/program.h"
#include "ir/eval.h"
#include "passes/pass.h"
#include "tests/fixture.h"
#include <check.h>
#include <math.h>

/* ---- values -------------------------------------------------------------------------------- */

static double pixel_impulse(int64_t i) {
    return i == 0;
}
static double pixel_mod7(int64_t i) {
    return (double)((3 * (i / 8) + 5 * (i % 8)) % 7);
}
static double count_up(int64_t i) {
    return (double)(i + 1);
}

/* TABLE: the inputs that the expressions read, by name. */
static const struct {
    const char *name;
    double value[4];
    double (*at)(int64_t i); /* instead of value */
} inputs[] = {
    {"z", {2.0, 1.0, 0.1, -1.0}, NULL},
    {"v", {1.0, 1.5, 0.2, -0.5}, NULL},
    {"y", {0}, NULL},
    {"impulse", {0}, pixel_impulse},
    {"image", {0}, pixel_mod7},
    {"filter", {0}, count_up},
};

static Array named_input(const Port *port) {
    Array array = array_new(&arena, port->type.elem, port->type.rank, port->type.dim);
    size_t k = 0;
    while (k < sizeof inputs / sizeof *inputs && strcmp(inputs[k].name, port->name)) k++;
    ck_assert_msg(k < sizeof inputs / sizeof *inputs, "no input %s", port->name);
    for (int64_t i = 0; i < array_count(&array); i++)
        array.at[i] = inputs[k].at ? inputs[k].at(i) : inputs[k].value[i];
    return array;
}

#define MART(guard) "mart_lose(5, guard = " guard ")(probe(z), z, v, y)"

/* TABLE: expression and its values, to the digits given.  z are clean logits, v those of the
 * attacked input, y the class 0. */
static const struct {
    const char *expression;
    double tolerance;
    int count;
    double value[9];
} values[] = {
    {"softmax(z)", 5e-7, 4, {.638066, .234731, .095435, .031767}},
    {"softmax(v)", 5e-7, 4, {.301098, .496426, .135292, .067184}},
    {"cross_entropy(z, y)", 5e-7, 1, {.449313}},
    {"cross_entropy(v, y)", 5e-7, 1, {1.200320}},
    {"kl(softmax(z), v)", 5e-7, 1, {.246281}},
    {"slope(fn(v) = kl(softmax(z), v), v)",
     5e-7,
     4,
     {-.336969, .261695, .039857, .035417}},
    {"slope(fn(z) = kl(softmax(z), v), z)",
     5e-7,
     4,
     {.322049, -.233622, -.056810, -.031617}},
    {"trades_lose(6)(probe(z), z, v, y)", 5e-7, 1, {1.926997}},
    {"boosted_cross_entropy(v, y, guard = 0)", 5e-7, 1, {1.886345}},
    {"boosted_cross_entropy(v, y)", 5e-7, 1, {1.886147}},
    {MART("0"), 5e-7, 1, {2.332032}},
    {MART("1e-4"), 5e-7, 1, {2.331833}},
    {"slope(fn(v) = " MART("0") ", v)", 5e-7, 4, {-1.605528, 1.466433, .074049, .065046}},
    {"slope(fn(z) = " MART("0") ", z)", 5e-7, 4, {.298425, -.238346, -.027822, -.032257}},
    {"squares(z, y)", 5e-7, 1, {.196212}},
    {"squares(v, y)", 5e-7, 1, {.757721}},
    {"lse(softmax(v), softmax(z))", 5e-7, 1, {.184875}},
    {"score_trades_lose(6, 0)(probe(z), z, v, y)", 5e-7, 1, {1.305461}},
    {"slope(fn(v) = squares(v, y), v)", 5e-7, 4, {-.456296, .434480, .020692, .001124}},
    {"dlr(z, y)", 5e-7, 1, {-.526316}},
    {"dlr(v, y)", 5e-7, 1, {.384615}},
    {"dlr_targeted(1)(z, y)", 5e-7, 1, {-.408163}},
    {"dlr_targeted(2)(z, y)", 5e-7, 1, {-.775510}},
    {"dlr_targeted(3)(z, y)", 5e-7, 1, {-1.224490}},
    {"margin(v, y)", 1e-12, 1, {.5}},
    {"logit_difference(2)(v, y)", 1e-12, 1, {-.8}},
    {"score_floor(0.4, 10) + 0 * z[0][0]", 5e-7, 1, {.177778}},
    {"score_floor(0.3, 10) + 0 * z[0][0]", 1e-12, 1, {.1}},
    {"16 * reshape(low_pass(impulse, 1.5), [16])[0]", 1e-12, 1, {9}},
    {"16 * slice(reshape(low_pass(impulse, 1.5), [16]), 0, 0, 8)",
     1e-12,
     8,
     {9, 3, -3, 3, 3, 1, -1, 1}},
    {"16 * slice(reshape(low_pass(impulse, 1.5), [16]), 0, 8, 8)",
     1e-12,
     8,
     {-3, -1, 1, -1, 3, 1, -1, 1}},
    {"slice(reshape(low_pass(image, 2), [64]), 0, 0, 8)",
     5e-7,
     8,
     {2.081266, 2.498890, 3.091069, 3.510914, 3.512484, 3.094860, 2.502681, 2.082836}},
    {"sum(low_pass(image, 2))", 1e-9, 1, {189}},
    {"sum(high_pass(image, 2))", 1e-9, 1, {0}},
    {"smooth_filter(filter, 1)", 1e-12, 9, {21, 27, 33, 39, 45, 51, 57, 63, 69}},
    {"smooth_filter(filter, 0.1)", 1e-12, 9, {3, 4.5, 6, 7.5, 9, 10.5, 12, 13.5, 15}},
};

START_TEST(losses_have_their_values) {
    const char *text = arena_print(&arena,
                                   "fn probe(z) = fn(x) = { logits: x }\n"
                                   "fn f(z: f32[1, 4], v: f32[1, 4], y: i32[1], impulse: "
                                   "f32[1, 4, 4, 1], image: f32[1, 8, 8, 1],\n"
                                   "     filter: f32[3, 3, 1, 1]) = %s\n",
                                   values[_i].expression);
    const Array *out = run_on(func_of(text), named_input);
    ck_assert_int_eq(array_count(out), values[_i].count);
    for (int i = 0; i < values[_i].count; i++)
        ck_assert_msg(fabs(out->at[i] - values[_i].value[i]) <= values[_i].tolerance,
                      "%s: [%d] is %.9f, not %.9f", values[_i].expression, i, out->at[i],
                      values[_i].value[i]);
}
END_TEST

/* ---- what an attack costs ------------------------------------------------------------------- */

/* TABLE: a net of examples/bench.tn, its image, contractions of one iteration. */
static const struct {
    const char *net, *image;
    uint32_t contractions;
} costs[] = {
    {"lenet", "28, 28, 1", 8},
    {"smallcnn", "28, 28, 1", 14},
    {"resnet18", "32, 32, 3", 42},
};

static const Entry *load_bench(const char *text) {
    Program *program = program_load_text(&arena, &diag, SOURCE_DIR "/examples/test.tn",
                                         text, strlen(text), NULL);
    ck_assert_msg(program != NULL, "%s", messages());
    const Entry *entry = program_entry(program, "f");
    ck_assert_msg(entry != NULL, "%s", messages());
    return entry;
}

static const Entry *attack_of(int row, int images, int iters) {
    return load_bench(arena_print(
        &arena,
        "use \"bench.tn\"\nfn f(x: f32[%d, %s], y: i32[%d]) =\n"
        "    attack(pgd(eps = 0.3, step = 0.01, iters = %d), logits(%s), x, y)\n",
        images, costs[row].image, images, iters, costs[row].net));
}

static const Entry *attack_on(int row, int images) {
    return attack_of(row, images, 10);
}

static uint32_t count_op(const Func *func, Op op) {
    uint32_t count = 0;
    for (Val v = 0; v < func->nodes.count; v++) count += graph_node(func, v)->op == op;
    return count;
}

/* The body of the only loop of @f. */
static const Func *loop_of(const Func *func) {
    for (Val v = 0; v < func->nodes.count; v++)
        if (graph_node(func, v)->op == OP_repeat)
            return node_attr(graph_node(func, v), ATTR_body)->func;
    ck_abort_msg("@%s has no loop", func->name);
}

static const Target *host(void) {
    Target *target = arena_new(&arena, Target);
    ck_assert_int_eq(target_find(NULL, target), STATUS_OK);
    return target;
}

static void run_passes(Module *module, const char *last) {
    Arena scratch;
    arena_init(&scratch, &guard);
    PassContext cx = {&scratch, host()};
    ck_assert(pipeline_run(&cx, module, last));
    arena_free(&scratch);
}

/* Forward and input gradients of every layer, nothing else. */
START_TEST(iterations_compute_no_more_than_needed) {
    const Func *func = attack_on(_i, 2)->func;
    run_passes(func->module, "autodiff");
    ck_assert_uint_eq(count_op(loop_of(func), OP_contract), costs[_i].contractions);
    func = attack_on(_i, 2)->func;
    run_passes(func->module, "dce");
    ck_assert_uint_eq(count_op(func, OP_contract), 0);
}
END_TEST

static uint32_t count_nodes(const Module *module) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < module->funcs.count; i++)
        count += module->funcs.at[i]->nodes.count;
    return count;
}

/* A loop is a loop through all passes. */
START_TEST(programs_do_not_grow_with_iterations) {
    const Func *few = attack_of(_i, 2, 2)->func, *many = attack_of(_i, 2, 1000)->func;
    run_passes(few->module, NULL);
    run_passes(many->module, NULL);
    ck_assert_uint_eq(count_nodes(few->module), count_nodes(many->module));
}
END_TEST

/* TRADES and MART: outside of the loop one clean pass, one attacked pass, the gradients of
 * both: 7 + 7 + 2 * (7 + 6) contractions; inside the attacked pass and its input gradients.
 * AWP has no clean pass, and its proxy has the gradients twice; one-step attack: 14 more. */
static const char *const both_sides[] = {
    "trades(smallcnn, eps = 0.3, step = 0.01, iters = 10)",
    "mart(smallcnn, eps = 0.3, step = 0.01, iters = 10)",
    "awp(smallcnn, found_by(fgsm(eps = 0.3), smallcnn), lose_found)",
};

START_TEST(clean_passes_are_shared) {
    const char *text = arena_print(
        &arena,
        "use \"bench.tn\"\ntrain t {\n    data = synthetic(batch = 4, shape = "
        "[28, 28, 1], classes = 10)\n    loss = %s\n    optim = sgd(rate = 0.1)\n"
        "    epochs = 1\n}\n",
        both_sides[_i]);
    Program *program = program_load_text(&arena, &diag, SOURCE_DIR "/examples/test.tn",
                                         text, strlen(text), NULL);
    ck_assert_msg(program != NULL, "%s", messages());
    const TrainBlock *block = program_train(program, "t");
    ck_assert_msg(block != NULL, "%s", messages());
    run_passes(program->module, "dce");
    ck_assert_uint_eq(count_op(block->step, OP_contract), _i < 2 ? 40 : 54);
    if (_i < 2) ck_assert_uint_eq(count_op(loop_of(block->step), OP_contract), 14);
}
END_TEST

static bool is_pack(const PlanStep *step) {
    return step->kind == STEP_LAUNCH && strstr(step->kernel->name, "_pack");
}

/* Weights are packed before the loop, and the last kernel of an iteration moves the input:
 * sign, step and both clips are in the group of the first layer's input gradient. */
START_TEST(iterations_share_packed_weights) {
    const Entry *entry = attack_on(_i, 32);
    Module *module = entry->func->module;
    Arena scratch;
    arena_init(&scratch, &guard);
    PassContext cx = {&scratch, host()};
    ck_assert(pipeline_run(&cx, module, NULL));
    const Plan *plan = plan_entry(&cx, &arena, entry->func, layout_state(&arena, module));
    uint32_t before = 0;
    const PlanStep *last = NULL;
    for (uint32_t i = 0; i < plan->steps; i++) {
        before += is_pack(&plan->step[i]);
        if (plan->step[i].kind != STEP_REPEAT) continue;
        for (uint32_t k = 0; k < plan->step[i].steps; k++) {
            last = &plan->step[i].step[k];
            ck_assert_msg(!is_pack(last), "%s is in the loop", last->kernel->name);
        }
    }
    ck_assert_uint_ge(before, 4);
    ck_assert_ptr_nonnull(last);
    const Func *group = module_find(module, last->label);
    ck_assert_uint_eq(count_op(group, OP_contract), 1);
    ck_assert_uint_eq(count_op(group, OP_sign), 1);
    ck_assert_uint_ge(count_op(group, OP_min), 2);
    ck_assert_uint_ge(count_op(group, OP_max), 2);
    arena_free(&scratch);
}
END_TEST

/* ---- inputs that are no images ------------------------------------------------------------- */

/* TABLE: methods, each on inputs of any rank. */
static const char *const methods[] = {
    "fgsm(eps = 0.1)",
    "random_fgsm(eps = 0.1)",
    "bim(eps = 0.1, iters = 2)",
    "least_likely(eps = 0.1, iters = 2)",
    "pgd(eps = 0.1, iters = 2, early = true, best = true)",
    "pgd_l2(eps = 0.1, iters = 2, start = uniform_l2(0.1), lost = normal(1))",
    "pgd_l1(eps = 0.1, iters = 2)",
    "mi_fgsm(eps = 0.1, iters = 2)",
    "ascend(iters = 2)",
    "cw(iters = 2, searches = 2)",
    "deepfool(iters = 2)",
    "targeted(fgsm(eps = 0.1), 1)",
    "targeted_next(fgsm(eps = 0.1))",
    "restarts(fgsm(eps = 0.1), 2)",
    "worst_of([fgsm(eps = 0.1), deepfool(iters = 2)])",
};
#define METHODS (int)(sizeof methods / sizeof *methods)

START_TEST(methods_take_any_rank) {
    static const char *const shapes[] = {"2, 6", "2, 3, 2", "2, 1, 2, 3",
                                         "2, 1, 3, 1, 2"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        func_of(arena_print(
            &arena,
            "fn linear(x, y) = flatten(x) @ sin(f32(reshape(iota(24), [6, 4])))\n"
            "fn f(x: f32[%s], y: i32[2]) -> f32[%s] = attack(%s, linear, x, y)\n",
            shapes[i], shapes[i], methods[_i]));
        ck_assert_uint_eq(diag.errors, 0);
    }
}
END_TEST

/* ---- a loss that cannot be raised ------------------------------------------------------------ */

START_TEST(blind_losses_are_warned_of) {
    func_of(
        "fn blind(z, y: i32[N]) = sum(stop(z)) + sum(f32(y))\n"
        "fn f(x: f32[6, 6, 6, 1], y: i32[6]) = attack(fgsm(eps = 0.1), blind, x, y)\n");
    ck_assert_uint_eq(diag.errors, 0);
    ck_assert_uint_eq(diag.messages.count, 1);
    ck_assert_int_eq(diag.messages.at[0].severity, SEVERITY_WARNING);
    ck_assert_ptr_nonnull(strstr(diag.messages.at[0].text,
                                 "`blind` does not depend on the attacked input"));
    ck_assert_uint_eq(diag_location(&diag, diag.messages.at[0].span).line, 2);
}
END_TEST

Suite *suite_attacks(void);
Suite *suite_attacks(void) {
    Suite *suite = suite_create("attacks");
    TCase *tcase = tcase_create("values");
    tcase_add_checked_fixture(tcase, fixture_open, fixture_close);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, losses_have_their_values, 0,
                        sizeof values / sizeof *values);
    tcase_add_loop_test(tcase, iterations_compute_no_more_than_needed, 0,
                        sizeof costs / sizeof *costs);
    tcase_add_loop_test(tcase, programs_do_not_grow_with_iterations, 0,
                        sizeof costs / sizeof *costs);
    tcase_add_loop_test(tcase, clean_passes_are_shared, 0,
                        sizeof both_sides / sizeof *both_sides);
    tcase_add_loop_test(tcase, iterations_share_packed_weights, 0,
                        sizeof costs / sizeof *costs);
    tcase_add_loop_test(tcase, methods_take_any_rank, 0, METHODS);
    tcase_add_test(tcase, blind_losses_are_warned_of);
    suite_add_tcase(suite, tcase);
    return suite;
}
