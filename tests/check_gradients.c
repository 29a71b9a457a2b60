/*
 * Gradients against central differences in double precision: of every smooth row of the op
 * table's cases (op_cases.h), once and twice, before and after the other graph passes.
 */
#include "ir/build.h"
#include "passes/pass.h"
#include "tests/op_cases.h"
#include <check.h>
#include <math.h>

/* Elements of each parameter that are moved. */
#define PROBES 3

typedef struct Check {
    Guard guard;
    Arena arena, scratch;
    Diag diag;
    const OpCase *op_case;
    Func *
        func; /* results: first loss, second loss, gradients of the first, of the second */
    Array *args;
    int64_t n;
    uint32_t params[16], count; /* the float parameters */
} Check;

/* sin(0.5 + 1.3 i0 + 2.3 i1 + ..): a weight for each element, so that no error cancels. */
static Val weights(Builder *b, const Type *type) {
    Val sum = build_fill(b, type, 0.5);
    for (uint32_t d = 0; d < type->rank; d++) {
        const Attr attrs[] = {attr_int(ATTR_axis, d), attr_int(ATTR_elem, type->elem),
                              attr_ints(ATTR_dims, type->dim, type->rank)};
        const Val iota = build_op(b, OP_iota, NULL, 0, attrs, 3);
        const Val scale = build_fill(b, type, d + 1.3);
        sum = build_add(b, sum, build_mul(b, iota, scale));
    }
    return build_sin(b, sum, NO_VAL);
}

/* The weighted sum of all elements. */
static Val total(Builder *b, Val x) {
    const Type type = *graph_type(b->func, x);
    const int64_t axes[] = {0, 1, 2, 3, 4, 5, 6, 7};
    return build_reduce(b, OP_sum, build_mul(b, x, weights(b, &type)), axes, type.rank);
}

static void add_gradients(Check *c, Builder *b, Val loss, Val *gradient) {
    for (uint32_t i = 0; i < c->count; i++)
        gradient[i] = build_op(b, OP_grad, (Val[]){loss, c->params[i]}, 2, NULL, 0);
}

/* The case's function with the losses and their gradients as its results. */
static bool prepare(Check *c) {
    Func *f = c->func;
    Builder b = {.func = f};
    for (uint32_t i = 0; i < f->params.count; i++)
        if (elem_is_float(f->params.at[i].type.elem)) c->params[c->count++] = i;
    const Val y = f->results.at[0];
    if (!c->count || !elem_is_float(graph_type(f, y)->elem)) return false;
    Val once[16], twice[16];
    const Val loss = total(&b, y);
    add_gradients(c, &b, loss, once);
    Val second = total(&b, once[0]);
    for (uint32_t i = 1; i < c->count; i++)
        second = build_add(&b, second, total(&b, once[i]));
    add_gradients(c, &b, second, twice);
    f->results.count = f->outputs.count = 0;
    func_result(f, "loss", ROLE_OUTPUT, loss, -1);
    func_result(f, "second", ROLE_OUTPUT, second, -1);
    for (uint32_t i = 0; i < c->count; i++)
        func_result(f, "once", ROLE_OUTPUT, once[i], -1);
    for (uint32_t i = 0; i < c->count; i++)
        func_result(f, "twice", ROLE_OUTPUT, twice[i], -1);
    return true;
}

static void evaluate(Check *c, Array *results) {
    eval_func(c->func, c->args, &c->n, &c->arena, results);
}

static void expect_near(const Check *c, const char *what, double expected, double found,
                        double scale) {
    ck_assert_msg(fabs(expected - found) <= 1e-6 * (1 + fabs(expected) + scale),
                  "%s: %s is %.12g, differences give %.12g", c->op_case->name, what,
                  found, expected);
}

/* Moves element e of parameter p; compares both losses' slopes with the gradients. */
static void probe(Check *c, const Array *results, uint32_t p, int64_t e) {
    Array up[34], down[34];
    double *x = &c->args[c->params[p]].at[e];
    const double at = *x, step = 1e-5 * (1 + fabs(at));
    *x = at + step;
    evaluate(c, up);
    *x = at - step;
    evaluate(c, down);
    *x = at;
    const double *once = results[2 + p].at, *twice = results[2 + c->count + p].at;
    for (int order = 0; order < 2; order++) {
        const double slope = (up[order].at[0] - down[order].at[0]) / (2 * step);
        expect_near(c, order ? "the second gradient" : "the gradient", slope,
                    (order ? twice : once)[e], 1e-4 * fabs(results[order].at[0]));
    }
}

static void check_all(Check *c) {
    Array results[34];
    evaluate(c, results);
    for (uint32_t p = 0; p < c->count; p++) {
        const int64_t count = array_count(&c->args[c->params[p]]);
        const int64_t step = count <= PROBES ? 1 : count / PROBES;
        for (int64_t e = 0; e < count; e += step) {
            ArenaMark mark = arena_mark(&c->arena);
            probe(c, results, p, e);
            arena_release(&c->arena, mark);
        }
    }
}

static void run(Check *c, bool (*pass)(PassContext *cx, Module *module)) {
    PassContext cx = {.scratch = &c->scratch};
    ArenaMark mark = arena_mark(&c->scratch);
    ck_assert(pass(&cx, c->func->module));
    const char *wrong = graph_verify(c->func->module, &c->scratch);
    ck_assert_msg(!wrong, "%s: %s", c->op_case->name, wrong);
    arena_release(&c->scratch, mark);
}

START_TEST(gradients_agree_with_differences) {
    Check c = {.op_case = &op_cases[_i]};
    if (!c.op_case->smooth) return;
    if (guard_enter(c.guard)) ck_abort_msg("%s: %s", c.op_case->name, c.guard.message);
    arena_init(&c.arena, &c.guard);
    arena_init(&c.scratch, &c.guard);
    diag_init(&c.diag, &c.arena);
    c.func = op_case_entry(op_case_parse(c.op_case, &c.arena, &c.diag));
    c.n = op_case_n(c.op_case);
    c.args = op_case_inputs(c.op_case, c.func, 1, &c.arena);
    if (prepare(&c)) {
        run(&c, pass_monotone);
        run(&c, pass_autodiff);
        check_all(&c);
        run(&c, pass_simplify);
        run(&c, pass_hoist);
        run(&c, pass_cse);
        run(&c, pass_dce);
        check_all(&c);
    }
    arena_free(&c.scratch);
    arena_free(&c.arena);
}
END_TEST

/* A loop over %z of that type, and the gradient of its sum. */
#define LOOP(type, settings, axes)                                                       \
    "module\n"                                                                           \
    "body @b(%i: i32[], %z: " type ", %go: bool[]) -> (%r, %go) {\n%r = sin %z\n}\n"     \
    "func @f(%x: " type ", %go: bool[]) -> (%y) {\n%c = copy %x\n"                       \
    "%t = repeat %c, %go {" settings ", carries = 2, body = @b}\n"                       \
    "%g = get %t {index = 0}\n%s = sum %g {axes = [" axes "]}\n%y = grad %s, %c\n}\n"

/* TABLE: loops whose gradient is refused, and words of the reason. */
static const struct {
    const char *text, *words;
} refused[] = {
    {LOOP("f32[4]", "while = 1, count = 3", "0"), "may end early"},
    {LOOP("f32[99999]", "count = 2000000000", "0"),
     "keeps `z`, f32[99999], of each of its 2000000000 rounds: more than 2^46"},
    {LOOP("f32[1, 1, 1, 1, 1, 1, 1, 2]", "count = 3", "0, 1, 2, 3, 4, 5, 6, 7"),
     "it has too many dimensions"},
};

START_TEST(loops_without_gradient_are_told) {
    Check c = {0};
    if (guard_enter(c.guard)) ck_abort_msg("%s", c.guard.message);
    arena_init(&c.arena, &c.guard);
    diag_init(&c.diag, &c.arena);
    const char *loop = refused[_i].text;
    Module *module =
        graph_parse(&c.arena, &c.diag, diag_source(&c.diag, "loop", loop, strlen(loop)));
    ck_assert_ptr_nonnull(module);
    PassContext cx = {.scratch = &c.arena};
    ck_assert(!pass_autodiff(&cx, module));
    Text text;
    text_init(&text, &c.arena);
    diag_render(&c.diag, &text);
    ck_assert_msg(strstr(text.at, "loop:7:") && strstr(text.at, refused[_i].words), "%s",
                  text.at);
    arena_free(&c.arena);
}
END_TEST

Suite *suite_gradients(void);
Suite *suite_gradients(void) {
    Suite *suite = suite_create("gradients");
    TCase *tcase = tcase_create("gradients");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, gradients_agree_with_differences, 0, op_case_count);
    tcase_add_loop_test(tcase, loops_without_gradient_are_told, 0,
                        sizeof refused / sizeof *refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
