/* What tidy makes of kernels: text before and after, and the same numbers from both. */
#include "passes/pass.h"
#include <check.h>

static const struct {
    const char *name, *before,
        *after; /* statements of a kernel over x: f32*, y: out f32* */
} cases[] = {
    {"loops of one iteration are substituted",
     "for i = 0 to 64 step 64 {\n y[i + task] = x[i]\n}\n", "  y[task] = x[0]\n"},
    {"and keep their lets",
     "for i = task*4 to task*4 + 3 step 4 {\n let i2: index = i + 1\n y[i2] = x[i]\n}\n"
     "y[99] = 0.0\n",
     "  let i2: index = task*4 + 1\n  y[i2] = x[task*4]\n  y[99] = 0.0\n"},
    {"loops without iterations go",
     "for i = 3 to min(N, 3) {\n y[i] = 1.0\n}\ny[0] = 1.0\n", "  y[0] = 1.0\n"},
    {"empty loops and blocks go",
     "for i = 0 to N {\n if i < 3 {\n let a: f32 = x[i]\n }\n}\ny[0] = 1.0\n",
     "  y[0] = 1.0\n"},
    {"decided conditions go",
     "for i = 0 to 60 step 4 {\n if i + 3 < 60 && i < N {\n y[i] = 1.0\n } else {\n y[i] "
     "= 2.0\n"
     " }\n if i >= 60 {\n y[0] = 3.0\n }\n}\n",
     "  for i = 0 to 60 step 4 {\n    if i < N {\n      y[i] = 1.0\n    } else {\n      "
     "y[i] = 2.0\n"
     "    }\n  }\n"},
    {"full masks go",
     "for i = 0 to 64 step 16 {\n y[i : 16 active 64 - i] = x[i : 16 active 80 - i]\n}\n",
     "  for i = 0 to 64 step 16 {\n    y[i : 16] = x[i : 16]\n  }\n"},
    {"others stay",
     "for i = 0 to 60 step 16 {\n y[i : 16 active 60 - i] = x[i : 16]\n}\n",
     "  for i = 0 to 60 step 16 {\n    y[i : 16 active 60 - i] = x[i : 16]\n  }\n"},
    {"division by the step of a loop",
     "for i = 0 to 64 step 16 {\n for j = 0 to 16 {\n y[(i + j)/16 + (i + j) % 16] = "
     "1.0\n }\n}\n",
     "  for i = 0 to 64 step 16 {\n    for j = 0 to 16 {\n      y[i/16 + j] = 1.0\n    "
     "}\n  }\n"},
    {"multiples come out of a division",
     "for i = 0 to N {\n for j = 0 to 40 {\n y[(i*16 + j)/16] = x[(i*16 + j) % 16]\n "
     "}\n}\n",
     "  for i = 0 to N {\n    for j = 0 to 40 {\n      y[i + j/16] = x[j % 16]\n    }\n  "
     "}\n"},
    {"a divisor of zero where nobody comes is no fault",
     "for z = 0 to 1 {\n if x[0] > 900.0 {\n y[task/z] = 1.0\n y[task % z] = 2.0\n "
     "}\n}\n",
     "  if x[0] > 900.0 {\n    y[0] = 1.0\n    y[0] = 2.0\n  }\n"},
    {"a product of divisors beyond 64 bits leaves nothing",
     "y[task + N/4294967296/4294967296] = 1.0\n", "  y[task] = 1.0\n"},
    {"a negative rest stays", "for i = 1 to N {\n y[(i*16 - task % 2)/16] = 1.0\n}\n",
     "  for i = 1 to N {\n    y[(i*16 - task % 2)/16] = 1.0\n  }\n"},
    {"min and max by range",
     "for i = 0 to 10 {\n y[min(i, 9) + max(i + N, 0)] = x[max(min(i + 1, N), 0)]\n}\n",
     "  for i = 0 to 10 {\n    y[i*2 + N] = x[min(i + 1, N)]\n  }\n"},
    {"inside an if its condition is known",
     "for i = 0 to 20 {\n if i < 10 {\n y[min(i, 9)] = 1.0\n } else {\n y[max(i, 10)] = "
     "2.0\n }\n}\n",
     "  for i = 0 to 20 {\n    if i < 10 {\n      y[i] = 1.0\n    } else {\n      y[i] = "
     "2.0\n"
     "    }\n  }\n"},
    {"lets that do not change leave the loop",
     "for i = 0 to N {\n for j = 0 to N {\n let a: index = task*3 + i\n let b: index = "
     "task*5\n"
     " let c: f32 = x[j]\n y[a + b + j] = c\n }\n}\n",
     "  let b: index = task*5\n  for i = 0 to N {\n    let a: index = task*3 + i\n"
     "    for j = 0 to N {\n      let c: f32 = x[j]\n      y[a + b + j] = c\n    }\n  "
     "}\n"},
    {"unused lets, locals and views go",
     "let a: f32 = x[0]\nlocal t: f32[4]\nview v = x[3]\nlet b: index = task + 1\ny[b] = "
     "1.0\n",
     "  let b: index = task + 1\n  y[b] = 1.0\n"},
    {"accumulators stay",
     "var s: f32 = 0.0\nfor i = 0 to N {\n s = s + x[i]\n}\ny[task] = s\n",
     "  var s: f32 = 0.0\n  for i = 0 to N {\n    s = s + x[i]\n  }\n  y[task] = s\n"},
    {"constants pass through lets",
     "let a: index = task/8\nlet c: f32 = 2.0\ny[a + task] = c*x[0]\n",
     "  y[task] = 2.0 * x[0]\n"},
};

static Guard guard;
static Arena arena;
static Diag diag;

static Kernel *parse(const char *body) {
    const char *text =
        arena_print(&arena, "kernel @k(x: f32*, y: out f32*) tasks 8 {\n%s}\n", body);
    Kernel *kernel =
        loop_parse(&arena, &diag, diag_source(&diag, "test", text, strlen(text)));
    if (!kernel) ck_abort_msg("%s\n%s", diag.messages.at[0].text, text);
    return kernel;
}

static const char *print(const Kernel *kernel) {
    Text out;
    text_init(&out, &arena);
    loop_print(kernel, &out);
    return out.at;
}

enum { SIZE = 512 };

static void run(const Kernel *kernel, float *y) {
    float x[SIZE];
    for (int i = 0; i < SIZE; i++) x[i] = (float)i + 0.5f, y[i] = -1;
    loop_eval(kernel, (void *[]){x, y}, 11, 0, 8, &arena);
}

START_TEST(kernels_become_simpler) {
    if (guard_enter(guard)) ck_abort_msg("%s", guard.message);
    arena_init(&arena, &guard);
    diag_init(&diag, &arena);
    Kernel *before = parse(cases[_i].before), *after = tidy(&arena, before);
    const char *wrong = loop_verify(after, &arena);
    if (wrong) ck_abort_msg("%s: %s", cases[_i].name, wrong);
    const char *expected = print(parse(cases[_i].after)), *got = print(after);
    if (strcmp(got, expected)) ck_abort_msg("%s:\n%s", cases[_i].name, got);
    ck_assert_str_eq(print(tidy(&arena, after)), got);
    float y[2][SIZE];
    run(before, y[0]);
    run(after, y[1]);
    ck_assert_mem_eq(y[0], y[1], sizeof y[0]);
    arena_free(&arena);
}
END_TEST

/* One statement at two places: its variable may not be defined twice. */
START_TEST(shared_statements_stay_apart) {
    if (guard_enter(guard)) ck_abort_msg("%s", guard.message);
    arena_init(&arena, &guard);
    Kernel *kernel = kernel_new(&arena, "k");
    Buffer *x = buffer_arg(kernel, &arena, "x", ELEM_f32, true);
    Var *i = var_index(&arena, "i");
    Block inner = block_new(&arena), outer = block_new(&arena);
    const Expr *at = expr_var(&arena, i), *load = expr_load(&arena, x, at, 1, 1, NULL);
    const Var *sum = block_mutable(&inner, "sum", load);
    block_set(&inner, sum, expr_scalar(&arena, OP_add, expr_var(&arena, sum), load));
    block_store(&inner, x, at, expr_var(&arena, sum), 1, NULL);
    const Stmt *body = block_end(&inner);
    for (int k = 0; k < 2; k++)
        block_for(&outer, i, expr_int(&arena, k), expr_int(&arena, k + 1), 1, 0, body);
    kernel->body = block_end(&outer);
    Kernel *after = tidy(&arena, kernel);
    ck_assert_ptr_null(loop_verify(after, &arena));
    float y[2] = {3, 5};
    loop_eval(after, (void *[]){y}, 0, 0, 1, &arena);
    ck_assert_float_eq(y[0], 6);
    ck_assert_float_eq(y[1], 10);
    arena_free(&arena);
}
END_TEST

Suite *suite_tidy(void);
Suite *suite_tidy(void) {
    Suite *suite = suite_create("tidy");
    TCase *tcase = tcase_create("tidy");
    tcase_add_loop_test(tcase, kernels_become_simpler, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, shared_statements_stay_apart);
    suite_add_tcase(suite, tcase);
    return suite;
}
