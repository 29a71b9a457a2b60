/* The loop IR: folding, text there and back, the verifier, the interpreter. */
#include "ir/loop.h"
#include "tests/fixture.h"
#include <check.h>
#include <math.h>

static Kernel *parse(const char *text) {
    return loop_parse(&arena, &diag, diag_source(&diag, "test", text, strlen(text)));
}

static Kernel *parse_right(const char *text) {
    Kernel *kernel = parse(text);
    if (!kernel) ck_abort_msg("%s\n%s", diag.messages.at[0].text, text);
    const char *wrong = loop_verify(kernel, &arena);
    if (wrong) ck_abort_msg("%s\n%s", wrong, text);
    return kernel;
}

static const char *print(const Kernel *kernel) {
    Text out;
    text_init(&out, &arena);
    loop_print(kernel, &out);
    return out.at;
}

/* Index arithmetic over i, j and the buffer x. */
static const struct {
    const char *before, *after;
} folds[] = {
    {"0 + i", "i"},
    {"i*1", "i"},
    {"i*0 + 5", "5"},
    {"(i + 3) + 4", "i + 7"},
    {"i + (j + 3)", "i + j + 3"},
    {"(i + 3) + (j + 4)", "i + j + 7"},
    {"(i*2)*3", "i*6"},
    {"(i + 3)*2", "i*2 + 6"},
    {"i + i", "i*2"},
    {"i*2 + j + i*3", "i*5 + j"},
    {"i + j - i", "j"},
    {"i - (i + j)", "j*-1"},
    {"j - i*2 - 3", "j - i*2 - 3"},
    {"(i*6 + j*3)/3", "i*2 + j"},
    {"(i*6 + 7)/3", "i*2 + 2"},
    {"(i*6 + 7) % 3", "1"},
    {"(i*6 + j)/3", "(i*6 + j)/3"},
    {"(i/3)/4", "i/12"},
    {"i % 1", "0"},
    {"min(i + 3, i + 5)", "i + 3"},
    {"max(i, j)", "max(i, j)"},
    {"max(i*2, 2*i)", "i*2"},
    {"select(i + 1 > i, i, j)", "i"},
    {"index(3i)", "3"},
    {"index(i32(i))", "i"},
    {"index(u[i])", "index(u[i])"},
    {"(i + j)*4", "(i + j)*4"},
    {"-i + 4", "4 - i"},
    {"2*(i - 2*(j - 1))", "(i - j*2)*2 + 4"},
};

START_TEST(indices_fold) {
    fixture_open();
    const char *form =
        "kernel @k(x: out f32*, u: u8*) tasks 1 {\n"
        "  for i = 0 to 9 {\n    for j = 0 to 9 {\n      x[%s] = 0.0\n    }\n  }\n}\n";
    const char *before = arena_print(&arena, form, folds[_i].before);
    const char *after = arena_print(&arena, form, folds[_i].after);
    ck_assert_str_eq(print(parse_right(before)), after);
    ck_assert_str_eq(print(parse_right(after)), after);
    fixture_close();
}
END_TEST

/* Numbers: what has a value is computed in its type. */
static const struct {
    const char *before, *after;
} values[] = {
    {"1.5 + 2.0", "3.5"},
    {"0.1 + 0.2", "0.3"},
    {"f32(0.1d + 0.2d)", "0.3"},
    {"a*1.0", "a"},
    {"a + 0.0", "a + 0.0"},
    {"a - 0.0", "a"},
    {"-0.0 + a", "-0.0 + a"},
    {"f32(2147483647i + 1i)", "-2.1474836e+09"},
    {"f32(200u + 100u)", "44.0"},
    {"f32(7i/2i)", "3.0"},
    {"f32(-7i/2i)", "-3.0"},
    {"f32(-7i % 2i)", "1.0"},
    {"f32(7i/0i)", "0.0"},
    {"f32(u8(300.7))", "44.0"},
    {"max(nan, 1.0)", "nan"},
    {"1.0/0.0", "inf"},
    {"sqrt(2.0)", "1.4142135"},
    {"exp(a)", "exp(a)"},
    {"select(1.0 < 2.0, a, 7.0)", "a"},
    {"select(a < 2.0, a, a)", "a"},
    {"select(a < 2.0 && !(a == 1.0), a, 1e-30)",
     "select(a < 2.0 && !(a == 1.0), a, 1e-30)"},
    {"fma(2.0, 3.0, 4.0)", "10.0"},
    {"fma(a, 3.0, 4.0)", "fma(a, 3.0, 4.0)"},
    {"-(a - 1.0) - (2.0 - a)", "-(a - 1.0) - (2.0 - a)"},
    {"a/2.0/3.0*(a*4.0)", "a / 2.0 / 3.0 * (a * 4.0)"},
    {"reduce_add(splat4(a)*ramp)", "reduce_add(splat4(a) * ramp)"},
};

START_TEST(numbers_fold) {
    fixture_open();
    const char *form = "kernel @k(x: out f32*) tasks 1 {\n  let a: f32 = x[0]\n"
                       "  let ramp: f32x4 = f32(ramp4(0))\n  x[0] = %s\n}\n";
    const char *before = arena_print(&arena, form, values[_i].before);
    const char *after = arena_print(&arena, form, values[_i].after);
    ck_assert_str_eq(print(parse_right(before)), after);
    fixture_close();
}
END_TEST

static const char every_form[] =
    "kernel @k0(x: f32*, w: alias f32*, y: out f32*, u: out alias u8*) tasks N*4 flop 12 "
    "bytes 40 {\n"
    "  table taps: i32[3] = [0, -28, 16777217]\n"
    "  table scale: f32[2] = [0.5, -1.25e-07]\n"
    "  local tile: f32[96]\n"
    "  for i = 0 to min(N*64 - task, 64) step 16 unroll 2 {\n"
    "    let a: f32x16 = x[task*64 + i : 16]\n"
    "    var sum: f32x16 = 0.0\n"
    "    let at: index = index(taps[i % 3])\n"
    "    sum = fma(a, splat16(w[at]), sum)\n"
    "    sum = gather(x, i, ramp16(0)) * 2.0 + sum\n"
    "    tile[i : 16] = select(a < 0.0, 0.0, sum)\n"
    "    y[task*64 + i : 16 by 2 active N - i] = max(sum, 0.0)\n"
    "    prefetch x[i + 64]\n"
    "    if i < 16 && N > 3 || task == 0 {\n"
    "      view v = x[i]\n"
    "      view z = v[4] if i / 2 > 3 else scale[1]\n"
    "      y[0] = z[1] + reduce_max(sum)\n"
    "    } else {\n"
    "      u[i] = u8(-5i) + 3u\n"
    "    }\n"
    "  }\n"
    "  let r: f32x4 = bits2(splat4(1i), ramp4(task), splat4(3i), splat4(4i), "
    "splat4(5i))\n"
    "  y[3 : 4] = f32(f64(r) + 0.1d)\n"
    "  y[9 : 4] = 1.0\n"
    "}\n";

START_TEST(text_goes_there_and_back) {
    fixture_open();
    const char *once = print(parse_right(every_form));
    ck_assert_str_eq(print(parse_right(once)), once);
    ck_assert_ptr_nonnull(
        strstr(once, "y[task*64 + i : 16 by 2 active N - i] = max(sum, 0.0)"));
    ck_assert_ptr_nonnull(strstr(once, "view z = v[4] if i/2 > 3 else scale[1]"));
    ck_assert_ptr_nonnull(strstr(once, "u[i] = 254u"));
    fixture_close();
}
END_TEST

START_TEST(equal_names_are_told_apart) {
    fixture_open();
    Kernel *kernel = kernel_new(&arena, "k");
    Buffer *x = buffer_arg(kernel, &arena, "conv1.weight", ELEM_f32, true);
    Block block = block_new(&arena);
    const Expr *load = expr_load(&arena, x, expr_int(&arena, 0), 1, 1, NULL);
    const Expr *first = block_let(&block, "for", load),
               *second = block_let(&block, "for", load);
    block_store(&block, x, expr_int(&arena, 1),
                expr_scalar(&arena, OP_sub, first, second), 1, NULL);
    kernel->body = block_end(&block);
    ck_assert_str_eq(print(kernel), "kernel @k(conv1_weight: out f32*) tasks 1 {\n"
                                    "  let for_1: f32 = conv1_weight[0]\n"
                                    "  let for_2: f32 = conv1_weight[0]\n"
                                    "  conv1_weight[1] = for_1 - for_2\n"
                                    "}\n");
    ck_assert_str_eq(print(parse_right(print(kernel))), print(kernel));
    fixture_close();
}
END_TEST

static const struct {
    const char *body, *message;
} mistakes[] = {
    {"x[0] = y[0]", "nothing here is called \"y\""},
    {"x[0] = frob(x[0])", "no operation is called \"frob\""},
    {"x[0] = 1i", "the value before this is of another type"},
    {"x[0] = x[0] + 1i", "internal error: loop IR: operands of two types"},
    {"let a: f32 = 1.0\n a = 2.0", "\"a\" does not change"},
    {"x[1.0] = 1.0", "internal error: loop IR: a store at other than an index"},
    {"x[0 : 0] = 1.0", "a number from 1 to 256 is wanted"},
    {"for i = 0 to 3 {", "\"}\" is missing"},
    {"x[0] = max(1.0)", "1 operands where 2 are wanted"},
    {"x[0] = 1.0q", "a number with an unknown ending"},
    {"let a: f33 = 1.0", "expected a type"},
    {"x[0/0] = 1.0", "internal error: loop IR: index division by 0"},
};

START_TEST(mistakes_are_reported) {
    fixture_open();
    const char *text = arena_print(&arena, "kernel @k(x: out f32*) tasks 1 {\n %s\n}\n",
                                   mistakes[_i].body);
    ck_assert_ptr_null(parse(text));
    ck_assert_uint_eq(diag.errors, 1);
    ck_assert_str_eq(diag.messages.at[0].text, mistakes[_i].message);
    fixture_close();
}
END_TEST

START_TEST(deep_texts_are_refused) {
    fixture_open();
    Text text;
    text_init(&text, &arena);
    text_puts(&text, "kernel @k(x: out f32*) tasks 1 {\n x[");
    for (int i = 0; i < 100000; i++) text_puts(&text, "(");
    ck_assert_ptr_null(parse(text.at));
    ck_assert_str_eq(diag.messages.at[0].text, "nested too deeply");
    fixture_close();
}
END_TEST

/* The verifier, on what the constructors cannot see. */

START_TEST(stores_to_inputs_are_wrong) {
    fixture_open();
    const Kernel *kernel = parse("kernel @k(x: f32*) tasks 1 {\n x[0] = 1.0\n}\n");
    ck_assert_str_eq(loop_verify(kernel, &arena),
                     "kernel k: a store to what is only read: x");
    fixture_close();
}
END_TEST

START_TEST(places_outside_are_wrong) {
    fixture_open();
    const Kernel *kernel = parse("kernel @k(x: out f32*) tasks 1 {\n local t: f32[20]\n"
                                 " t[8 : 16] = 1.0\n}\n");
    ck_assert_str_eq(loop_verify(kernel, &arena),
                     "kernel k: a place outside of a buffer: t");
    fixture_close();
}
END_TEST

START_TEST(variables_end_with_their_loop) {
    fixture_open();
    Kernel *kernel = kernel_new(&arena, "k");
    Buffer *x = buffer_arg(kernel, &arena, "x", ELEM_f32, true);
    Block outer = block_new(&arena), inner = block_new(&arena);
    Var *i = var_index(&arena, "i");
    const Expr *a =
        block_let(&inner, "a", expr_load(&arena, x, expr_var(&arena, i), 1, 1, NULL));
    block_for(&outer, i, expr_int(&arena, 0), expr_int(&arena, 4), 1, 0,
              block_end(&inner));
    block_store(&outer, x, expr_int(&arena, 0), a, 1, NULL);
    kernel->body = block_end(&outer);
    ck_assert_str_eq(loop_verify(kernel, &arena),
                     "kernel k: a variable is not defined here: a");
    fixture_close();
}
END_TEST

START_TEST(too_large_a_stack_is_wrong) {
    fixture_open();
    const Kernel *kernel =
        parse("kernel @k(x: out f32*) tasks 1 {\n local t: f32[131073]\n}\n");
    ck_assert_str_eq(loop_verify(kernel, &arena),
                     "kernel k: the local buffers are beyond 512 KiB: t");
    fixture_close();
}
END_TEST

/* The interpreter. */

START_TEST(a_product_is_computed) {
    fixture_open();
    enum { N = 3, K = 5, M = 4 };
    const Kernel *kernel =
        parse_right("kernel @dot(a: f32*, b: f32*, c: out f32*) tasks N {\n"
                    "  var sum: f32x4 = 0.0\n"
                    "  for k = 0 to 5 {\n"
                    "    sum = fma(splat4(a[task*5 + k]), b[k*4 : 4], sum)\n"
                    "  }\n"
                    "  c[task*4 : 4] = sum\n"
                    "}\n");
    float a[N * K], b[K * M], c[N * M], expected[N * M] = {0};
    for (int i = 0; i < N * K; i++) a[i] = (float)(i * 7 % 11) - 4.5f;
    for (int i = 0; i < K * M; i++) b[i] = (float)(i * 5 % 13) / 3 - 2;
    for (int i = 0; i < N * M; i++)
        for (int k = 0; k < K; k++)
            expected[i] = fmaf(a[i / M * K + k], b[k * M + i % M], expected[i]);
    ck_assert_int_eq(loop_tasks(kernel, N, &arena), N);
    loop_eval(kernel, (void *[]){a, b, c}, N, 0, N, &arena);
    ck_assert_mem_eq(c, expected, sizeof c);
    fixture_close();
}
END_TEST

START_TEST(masks_strides_views_and_locals) {
    fixture_open();
    const Kernel *kernel =
        parse_right("kernel @k(x: f32*, y: out f32*) tasks 1 {\n"
                    "  local t: f32[8]\n"
                    "  t[0 : 8] = x[1 : 8 by 2 active 3]\n"
                    "  view v = t[2] if N > 5 else t[0]\n"
                    "  y[0 : 4 by 3 active N] = v[0 : 4]\n"
                    "  y[1] = reduce_add(t[0 : 8])\n"
                    "  var i: index = 2\n"
                    "  i = i + N\n"
                    "  let g: f32x4 = gather(x, 1, ramp4(1))\n"
                    "  y[i] = reduce_add(select(g < 4.0, g, 0.0))\n"
                    "  if N < 3 {\n    y[2] = 5.0\n  } else {\n    y[2] = 6.0\n  }\n"
                    "}\n");
    float x[8] = {0, 1, 2, 3, 4, 5, 6, 7}, y[16];
    for (int i = 0; i < 16; i++) y[i] = -1;
    loop_eval(kernel, (void *[]){x, y}, 2, 0, 1, &arena);
    /* t = 1 3 5 0...; v = t; two lanes of y, 3 apart; y[4] = 2 + 3 */
    const float expected[16] = {1,  9,  5,  3,  5,  -1, -1, -1,
                                -1, -1, -1, -1, -1, -1, -1, -1};
    ck_assert_mem_eq(y, expected, sizeof y);
    loop_eval(kernel, (void *[]){x, y}, 6, 0, 1, &arena);
    const float shifted[16] = {5, 9, 6, 0, 5, -1, 0, -1, 5, 0, -1, -1, -1, -1, -1, -1};
    ck_assert_mem_eq(y, shifted, sizeof y);
    fixture_close();
}
END_TEST

START_TEST(random_bits_are_those_of_philox) {
    fixture_open();
    const Kernel *kernel = parse_right("kernel @k(y: out f32*) tasks 1 {\n"
                                       "  y[0] = bits0(0i, 0i, 0i, 0i, 0i)\n"
                                       "  y[1] = bits3(-1i, -1i, -1i, -1i, 0i)\n}\n");
    float y[2];
    loop_eval(kernel, (void *[]){y}, 0, 0, 1, &arena);
    /* Random123's known answer for zero counter and key: 6627e8d5 ... */
    ck_assert_float_eq(y[0], (float)(0x6627e8d5 >> 8) * 0x1p-24f);
    ck_assert(y[1] >= 0 && y[1] < 1);
    fixture_close();
}
END_TEST

Suite *suite_loop(void);
Suite *suite_loop(void) {
    Suite *suite = suite_create("loop");
    TCase *tcase = tcase_create("loop");
    tcase_add_loop_test(tcase, indices_fold, 0, sizeof folds / sizeof *folds);
    tcase_add_loop_test(tcase, numbers_fold, 0, sizeof values / sizeof *values);
    tcase_add_test(tcase, text_goes_there_and_back);
    tcase_add_test(tcase, equal_names_are_told_apart);
    tcase_add_loop_test(tcase, mistakes_are_reported, 0,
                        sizeof mistakes / sizeof *mistakes);
    tcase_add_test(tcase, deep_texts_are_refused);
    tcase_add_test(tcase, stores_to_inputs_are_wrong);
    tcase_add_test(tcase, places_outside_are_wrong);
    tcase_add_test(tcase, variables_end_with_their_loop);
    tcase_add_test(tcase, too_large_a_stack_is_wrong);
    tcase_add_test(tcase, a_product_is_computed);
    tcase_add_test(tcase, masks_strides_views_and_locals);
    tcase_add_test(tcase, random_bits_are_those_of_philox);
    suite_add_tcase(suite, tcase);
    return suite;
}
