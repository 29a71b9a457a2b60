/* Code generation: kernels compiled and run, against loop_eval and libm. */
#include "codegen/backend.h"
#include <check.h>
#include <math.h>

static Guard guard;
static Arena arena;
static Target target;

static void start(void) {
    ck_assert(!guard_enter(guard));
    arena_init(&arena, &guard);
    ck_assert_int_eq(target_find(NULL, &target), STATUS_OK);
}

static void stop(void) {
    arena_free(&arena);
}

static Jit *compile(const Kernel *const *kernels, uint32_t count) {
    JitOptions options = {.target = &target, .threads = 2};
    char message[512] = "";
    Jit *jit;
    Status status = jit_new_kernels(&options, kernels, count, &jit, message);
    ck_assert_msg(status == STATUS_OK, "%s", message);
    return jit;
}

/* y[task] = sum over i of x[task * 100 + i], 16 lanes at a time and the rest at once. */
static Kernel *row_sum(const char *name) {
    Kernel *k = kernel_new(&arena, name);
    Buffer *x = buffer_arg(k, &arena, "x", ELEM_f32, false);
    Buffer *y = buffer_arg(k, &arena, "y", ELEM_f32, true);
    k->tasks = expr_var(&arena, k->n);
    Block b = block_new(&arena);
    const Expr *row = expr_mul(&arena, expr_var(&arena, k->task), 100);
    const Var *sum = block_mutable(&b, "sum", expr_num(&arena, ELEM_f32, 16, 0));
    Var *i = var_index(&arena, "i");
    Block body = block_new(&arena);
    const Expr *at = expr_add(&arena, row, expr_var(&arena, i));
    const Expr *part = expr_load(&arena, x, at, 16, 1, NULL);
    block_set(&body, sum, expr_scalar(&arena, OP_add, expr_var(&arena, sum), part));
    block_for(&b, i, expr_int(&arena, 0), expr_int(&arena, 96), 16, 4, block_end(&body));
    at = expr_add(&arena, row, expr_int(&arena, 96));
    part = expr_load(&arena, x, at, 16, 1, expr_int(&arena, 4));
    block_set(&b, sum, expr_scalar(&arena, OP_add, expr_var(&arena, sum), part));
    const Expr *total = expr_reduce(&arena, OP_add, expr_var(&arena, sum));
    block_store(&b, y, expr_var(&arena, k->task), total, 1, NULL);
    k->body = block_end(&b);
    return k;
}

START_TEST(kernel_sums_rows) {
    const Kernel *kernels[] = {row_sum("a"), row_sum("b")};
    Jit *jit = compile(kernels, 2);
    tn_task *task = jit_kernel(jit, "b");
    ck_assert_ptr_nonnull(task);
    ck_assert_msg(jit_kernel(jit, "a") == task, "equal kernels are compiled once");
    ck_assert_ptr_null(jit_kernel(jit, "c"));
    float x[300], y[3] = {0, 0, -1};
    for (int i = 0; i < 300; i++) x[i] = (float)(i % 100);
    struct {
        void *x, *y;
        int64_t n;
    } args = {x, y, 3};
    task(&args, 0, 2);
    ck_assert_float_eq(y[0], 4950);
    ck_assert_float_eq(y[1], 4950);
    ck_assert_float_eq(y[2], -1);
    jit_free(jit);
}
END_TEST

Suite *suite_codegen(void);
Suite *suite_codegen(void) {
    Suite *suite = suite_create("codegen");
    TCase *tcase = tcase_create("kernels");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, kernel_sums_rows);
    suite_add_tcase(suite, tcase);
    return suite;
}
