/*
 * Low rank: published values of the layer's losses and gradients in double precision, what
 * reaches the network and what the layer, and truncation against known singular values.
 */
#include "frontend/program.h"
#include "passes/pass.h"
#include "tests/fixture.h"
#include <check.h>
#include <math.h>

static void compare(const char *expression, const Array *out, const double *value,
                    int count, double tolerance) {
    ck_assert_int_eq(array_count(out), count);
    for (int i = 0; i < count; i++)
        ck_assert_msg(fabs(out->at[i] - value[i]) <= tolerance,
                      "%s: [%d] is %.9f, not %.9f", expression, i, out->at[i], value[i]);
}

/* ---- the layer -------------------------------------------------------------------------- */

/* Two examples, a projection and a translation. */
static Array layer_input(const Port *port) {
    static const double a[] = {1, 2, -1, 0.5}, w[] = {0.5, 0.5, 0.5, 0.5},
                        b[] = {0.1, -0.2};
    const double *from = *port->name == 'a' ? a : *port->name == 'w' ? w : b;
    Array array = array_new(&arena, port->type.elem, port->type.rank, port->type.dim);
    for (int64_t i = 0; i < array_count(&array); i++) array.at[i] = from[i];
    return array;
}

/* TABLE: an expression over a, w, b; layer(a, w, b, weight, norm) is low_rank of rank 1 with
 * the parameters w and b. */
static const struct {
    const char *expression;
    int count;
    double value[4];
} values[] = {
    {"subspace_gap(a, w, b)", 1, {.4825}},
    {"grad(subspace_gap, wrt = a)(a, w, b)", 4, {-.35, .35, -.6, .6}},
    {"grad(subspace_gap, wrt = W)(a, w, b)", 4, {-.155, .155, .81, -.81}},
    {"grad(subspace_gap, wrt = b)(a, w, b)", 2, {-.95, .95}},
    {"length_gap(a)", 1, {.677051}},
    {"grad(length_gap)(a)", 4, {.223607, .447214, -.447214, .223607}},
    {"grad(length_gap)(0 * a)", 4, {0, 0, 0, 0}},
    {"grad(length_gap)(0 * a + 0.6)", 4, {-.353553, -.353553, -.353553, -.353553}},
    {"layer(a, w, b, 3, 0)", 1, {4 * .4825}},
    {"layer(a, w, b, 0, 2)", 1, {.4825 + 2 * .677051}},
    /* `weight` and `norm_weight` scale what the network feels */
    {"grad(layer, wrt = a)(a, w, b, 3, 0)", 4, {-1.05, 1.05, -1.8, 1.8}},
    {"grad(layer, wrt = a)(a, w, b, 0, 1)", 4, {.223607, .447214, -.447214, .223607}},
    {"grad(layer, wrt = a)(a, w, b, 0, 0)", 4, {0, 0, 0, 0}},
    /* and not what the layer learns */
    {"grad(layer, wrt = w)(a, w, b, 3, 7)", 4, {-.155, .155, .81, -.81}},
    {"grad(layer, wrt = b)(a, w, b, 3, 7)", 2, {-.95, .95}},
    {"grad(layer, wrt = w)(a, w, b, 0, 0)", 4, {-.155, .155, .81, -.81}},
};

START_TEST(the_layer_has_its_values) {
    const char *text =
        arena_print(&arena,
                    "fn layer(a, w, b, weight, norm) =\n"
                    "    with(low_rank(rank = 1, weight = weight, norm_weight = norm), "
                    "{ W: w, b: b })(a)\n"
                    "fn f(a: f32[2, 2], w: f32[2, 2], b: f32[2]) = %s\n",
                    values[_i].expression);
    compare(values[_i].expression, run_on(func_of(text), layer_input), values[_i].value,
            values[_i].count, 6e-7);
}
END_TEST

/* ---- truncation ------------------------------------------------------------------------- */

/* Columns of Hadamard's matrix of order 4, scaled to length 1, and a dependent one. */
static double hadamard(int64_t row, int64_t column) {
    return (__builtin_popcountll((uint64_t)row & (uint64_t)column) & 1 ? -1 : 1) * 0.5;
}

/* x [4, 4] = the sum over k of sigma[k] u[k] v[k]'; `kept`: of the first two only. */
static const double sigma[] = {8, 4, 1, 0.5};

static Array spectrum_input(const Port *port) {
    Array array = array_new(&arena, port->type.elem, port->type.rank, port->type.dim);
    if (!port->type.rank) return array;
    const int terms = *port->name == 'k' ? 2 : 4;
    for (int64_t i = 0; i < 16; i++)
        for (int k = 0; k < terms; k++)
            array.at[i] += sigma[k] * hadamard(i / 4, k) * hadamard(i % 4, 3 - k);
    return array;
}

/* TABLE: zero for x and kept. */
static const char *const zeros[] = {
    "truncate(x, 2, rounds = 12) - kept",
    "truncate(x, 4) - x",
    "truncate(truncate(x, 2), 2) - truncate(x, 2, rounds = 12)",
    "truncate(x @ tall, 3) - x @ tall",
    "truncate(transpose(x @ tall), 3) - transpose(x @ tall)",
    "gram(orthonormalise(x)) - identity([4, 4])",
    "orthonormalise(3 * x) - orthonormalise(x)",
    "sum(gram(orthonormalise(kept))) - 2", /* of rank 2: the other columns are zero */
    "grad(fn(x) = sum(orthonormalise(x) ^ 2))(x)", /* 4 for every x */
};

START_TEST(truncation_keeps_the_greatest) {
    const char *text =
        arena_print(&arena,
                    "fn gram(q) = transpose(q) @ q\n"
                    "fn f(x: f32[4, 4], kept: f32[4, 4]) {\n"
                    "    let tall = slice(identity([4, 4]), 1, 0, 3)\n    %s\n}\n",
                    zeros[_i]);
    const Array *out = run_on(func_of(text), spectrum_input);
    for (int64_t i = 0; i < array_count(out); i++)
        ck_assert_msg(fabs(out->at[i]) < 1e-4, "%s: [%d] is %g", zeros[_i], (int)i,
                      out->at[i]);
}
END_TEST

/* Of a layer that is read by nothing but the loss, evaluation keeps nothing. */
START_TEST(evaluation_computes_no_layer) {
    Program *program =
        program_load(&arena, &diag, SOURCE_DIR "/tests/programs/low_rank.tn", NULL);
    ck_assert_msg(program != NULL, "%s", messages());
    const Entry *entry = program_entry(program, "classes");
    ck_assert_msg(entry != NULL, "%s", messages());
    Arena scratch;
    arena_init(&scratch, &guard);
    PassContext cx = {.scratch = &scratch};
    ck_assert(pipeline_run(&cx, program->module, "dce"));
    int contracts = 0;
    for (Val v = 0; v < entry->func->nodes.count; v++)
        contracts += graph_node(entry->func, v)->op == OP_contract;
    ck_assert_int_eq(contracts, 3); /* the dense layers of the net */
    arena_free(&scratch);
}
END_TEST

Suite *suite_low_rank(void);
Suite *suite_low_rank(void) {
    Suite *suite = suite_create("low_rank");
    TCase *tcase = tcase_create("low_rank");
    tcase_add_checked_fixture(tcase, fixture_open, fixture_close);
    tcase_add_loop_test(tcase, the_layer_has_its_values, 0,
                        sizeof values / sizeof *values);
    tcase_add_loop_test(tcase, truncation_keeps_the_greatest, 0,
                        sizeof zeros / sizeof *zeros);
    tcase_add_test(tcase, evaluation_computes_no_layer);
    suite_add_tcase(suite, tcase);
    return suite;
}
