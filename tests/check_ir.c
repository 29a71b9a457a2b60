/* Dimensions in normal form, types, the text of the graph, the verifier's words. */
#include "base/alloc.h"
#include "ir/build.h"
#include "tests/fixture.h"
#include "tests/op_cases.h"
#include <check.h>

static Module *parse(const char *text) {
    uint32_t source = diag_source(&diag, "test", text, strlen(text));
    return graph_parse(&arena, &diag, source);
}

static const char *print(const Module *module) {
    Text text;
    text_init(&text, &arena);
    graph_print(module, &text);
    return text.at;
}

static const char *dim_text(const Dims *dims, Dim d) {
    Text text;
    text_init(&text, &arena);
    dim_print(dims, d, &text);
    return text.at;
}

START_TEST(dims_have_a_normal_form) {
    Dims dims;
    dims_init(&dims, &arena);
    Dim n = dim_symbol(&dims, "N", 512), h = dim_symbol(&dims, "H", 0), q;
    ck_assert(dim_symbol(&dims, "N", 512) == n);
    ck_assert(dim_add(&dims, n, h) == dim_add(&dims, h, n));
    ck_assert(dim_sub(&dims, dim_add(&dims, n, 3), n) == 3);
    Dim product = dim_mul(&dims, dim_add(&dims, n, 1), dim_sub(&dims, n, 1));
    ck_assert(product == dim_sub(&dims, dim_mul(&dims, n, n), 1));
    ck_assert_str_eq(dim_text(&dims, product), "N*N - 1");
    ck_assert(dim_divides(&dims, product, dim_add(&dims, n, 1), &q));
    ck_assert(q == dim_sub(&dims, n, 1));
    ck_assert(!dim_divides(&dims, n, 2, &q));
    ck_assert(dim_floor_div(&dims, dim_mul(&dims, n, 4), 2) == dim_mul(&dims, n, 2));
    /* (2N + 3) / 2 = N + 1 */
    Dim odd = dim_add(&dims, dim_mul(&dims, n, 2), 3);
    ck_assert(dim_floor_div(&dims, odd, 2) == dim_add(&dims, n, 1));
    /* ((H - 1)/2 + 1 - 1)/2 + 1 = (H - 1)/4 + 1 */
    Dim half = dim_floor_div(&dims, dim_sub(&dims, h, 1), 2);
    ck_assert(dim_floor_div(&dims, half, 2) ==
              dim_floor_div(&dims, dim_sub(&dims, h, 1), 4));
    ck_assert_str_eq(dim_text(&dims, dim_mul(&dims, half, n)), "-N + N*((H + 1)/2)");
    ck_assert(dim_mul(&dims, DIM_LIMIT, 2) == DIM_OVERFLOW);
    ck_assert(dim_add(&dims, DIM_OVERFLOW, n) == DIM_OVERFLOW);
    ck_assert(dim_floor_div(&dims, n, 0) == DIM_OVERFLOW);
}
END_TEST

START_TEST(dims_are_evaluated_and_bounded) {
    Dims dims;
    dims_init(&dims, &arena);
    Dim n = dim_symbol(&dims, "N", 512), h = dim_symbol(&dims, "H", 0);
    Dim out = dim_add(&dims, dim_floor_div(&dims, dim_sub(&dims, h, 3), 2), 1);
    for (int64_t i = 3; i < 20; i++)
        ck_assert_int_eq(dim_value(&dims, out, (int64_t[]){5, i}), (i - 3) / 2 + 1);
    ck_assert_int_eq(dim_max(&dims, dim_mul(&dims, n, 3)), 1536);
    ck_assert(dim_at_least(&dims, n, 1));
    ck_assert(!dim_at_least(&dims, n, 2));
    ck_assert(dim_at_least(&dims, dim_sub(&dims, 512, n), 0));
    ck_assert(!dim_at_least(&dims, dim_sub(&dims, 600, h), 0));
    Dim round_up = dim_floor_div(&dims, dim_add(&dims, h, 1), 2);
    ck_assert(dim_at_least(&dims, round_up, 1));
    ck_assert(dim_at_least(&dims, dim_sub(&dims, dim_mul(&dims, round_up, 2), h), 0));
    uint32_t symbol;
    int64_t scale, offset;
    ck_assert(dim_linear(&dims, dim_add(&dims, dim_mul(&dims, n, 4), 2), &symbol, &scale,
                         &offset));
    ck_assert(symbol == 0 && scale == 4 && offset == 2);
    ck_assert(!dim_linear(&dims, dim_mul(&dims, n, n), &symbol, &scale, &offset));
}
END_TEST

static const char *const texts[] = {
    "module\n",
    "module primitive\n"
    "\n"
    "symbol N max 512\n"
    "symbol H\n"
    "\n"
    "body @b(%i: i32[], %z: f32[N, 4], %x: f32[N, 4]) -> (%3) {\n"
    "  %3 = add %z, %x : f32[N, 4]\n"
    "}\n"
    "\n"
    "func @step(\n"
    "    %x: f32[N, 4],\n"
    "    param %w: f32[4, 2],\n"
    "    state %\"odd \\22name\": f32[(H + 1)/2],\n"
    "    seed %seed: i32[],\n"
    "    step %step: i32[]) -> (param w = %9 alias %w, loss = %8, %x) {\n"
    "  %5 = contract %x, %w {dims = [N, 2, 4], a = [d0, d2], b = [d2, d1], out = [d0, "
    "d1]} : "
    "f32[N, 2]\n"
    "  %6 = repeat %x, %x {count = 3, carries = 1, body = @b} : (f32[N, 4])\n"
    "  %7 = get %6 {index = 0} : f32[N, 4]\n"
    "  %8 = sum %7 {axes = [0, 1]} : f32[]\n"
    "  %9 = const {elem = f32, dims = [4, 2], values = [-0.5]} : f32[4, 2]\n"
    "}\n",
    "module groups\n"
    "\n"
    "group @g(%0: f32[3], %x: f32[3]) -> (%3, %4) {\n"
    "  %2 = const {elem = f32, dims = [3], values = [0.100000001, inf, -nan]} : f32[3]\n"
    "  %3 = mul %0, %x : f32[3]\n"
    "  %4 = sub %2, %3 : f32[3]\n"
    "}\n"
    "\n"
    "func @f(%x: f32[3]) -> (y = %2) {\n"
    "  %1 = call %x, %x {body = @g} : (f32[3], f32[3])\n"
    "  %2 = get %1 {index = 1} : f32[3]\n"
    "}\n",
    "module\n"
    "\n"
    "func @maps(%a: f32[1, 9, 9, 2], %b: f32[3, 3, 2, 4]) -> (%2) {\n"
    "  %2 = contract %a, %b {dims = [1, 5, 5, 4, 3, 3, 2], a = [d0, 2*d1 + d4 - 1, "
    "(2*d2 - d5 + 3)/2, d6], b = [d4, -d5 + 2, d6, d3], out = [d0, d1, d2, d3]} : "
    "f32[1, 5, 5, 4]\n"
    "}\n",
};

START_TEST(text_comes_back) {
    Module *module = parse(texts[_i]);
    ck_assert_msg(module, "%s", messages());
    ck_assert_str_eq(print(module), texts[_i]);
}
END_TEST

START_TEST(cases_come_back) {
    Module *module = op_case_parse(&op_cases[_i], &arena, &diag);
    ck_assert_msg(module, "%s: %s", op_cases[_i].name, messages());
    ck_assert_str_eq(print(parse(print(module))), print(module));
}
END_TEST

/* A body of one function over %x: f32[N, 4], %w: f32[4, 2], %i: i32[N], %s: f32[], %b: bool[4],
 * and a part of the message. */
static const struct {
    const char *body, *message;
} mistakes[] = {
    {"%y = add %x, %w", "f32[N, 4] and f32[4, 2] differ in dimension 0: N and 4"},
    {"%y = add %x, %i", "differ in rank: 2 and 1"},
    {"%y = add %x", "1 operands, 2 expected"},
    {"%y = exp %i", "operand i32[N], a float expected"},
    {"%y = neg %b", "operand bool[4], a number expected"},
    {"%y = not %x", "operand f32[N, 4], bool expected"},
    {"%y = grad %x, %x", "gradient of a non-scalar: f32[N, 4], f32[] expected"},
    {"%y = grad %s, %i", "only floats have gradients"},
    {"%y = ad %x, %x", "there is no op `ad`"},
    {"%y = add %x, %q", "%q is not defined"},
    {"%x = exp %x", "%x is defined twice"},
    {"%y = sum %x", "the attribute `axes` is missing"},
    {"%y = sum %x {axes = [2]}", "there is no axis 2 among 2"},
    {"%y = sum %x {axes = [1, 0]}", "`axes` must increase"},
    {"%y = sum %x {axes = []}", "no axes"},
    {"%y = reshape %x {dims = [N, 5]}", "4*N elements become 5*N"},
    {"%y = transpose %x {axes = [0, 0]}", "no order of the 2 axes"},
    {"%y = broadcast %w {dims = [4, 3], axes = [0, 1]}", "dimension 1 is 3, but 2"},
    {"%y = slice %x {starts = [0, 1], dims = [N, 4], strides = [1, 1]}",
     "4 elements from 1 in steps of 1 do not fit dimension 1"},
    {"%y = slice %x {starts = [0, 0], dims = [3, 4], strides = [1, 1]}",
     "do not fit dimension 0"},
    {"%y = pad %w {low = [-1, 0], high = [0, 0], inner = [0, 0], value = [0]}",
     "padded by a negative count"},
    {"%y = concat %x, %w {axis = 1}", "differ elsewhere than in dimension 1"},
    {"%y = windows %w {axes = [0], size = [5], strides = [1], dilations = [1]}",
     "a window of 5 with dilation 1 does not fit dimension 0"},
    {"%y = gather %w, %x {axis = 0, batch = 0}", "the index is f32[N, 4], i32 expected"},
    {"%y = read_at %w, %s", "operand 1 is f32[], i32[] expected"},
    {"%y = write_at %w, %n, %x", "f32[N, 4] into f32[4, 2], whose parts are f32[2]"},
    {"%y = select %x, %x, %x", "the condition is f32[N, 4], bool expected"},
    {"%y = const {elem = f32, dims = [3], values = [1, 2]}", "2 values for f32[3]"},
    {"%y = const {elem = f32, dims = [100000000, 100000000], values = [1]}",
     "has too many elements"},
    {"%y = const {elem = f32, dims = [0], values = [1]}", "may be zero or less"},
    {"%y = const {elem = f32, dims = [N - 1], values = [1]}", "may be zero or less"},
    {"%y = contract %x, %w {dims = [N, 4], a = [d0, d1], b = [d1], out = [d0]}",
     "map `b` has rank 1, its operand f32[4, 2] has 2"},
    {"%y = contract %x, %w {dims = [N, 4], a = [d0, d1], b = [d1, d1], out = [2*d0]}",
     "form 0 of `out` is not an axis of its own"},
    {"%y = contract %x, %i {dims = [N, 4], a = [d0, d1], b = [d1], out = [d0]}",
     "two floats of one type expected"},
    {"%y = get %x {index = 0}", "operand f32[N, 4], a tuple expected"},
    {"%y = repeat %x {count = 2, carries = 1, body = @twice}",
     "carried value 0 changes from f32[N, 4] to f32[N]"},
    {"%y = repeat %x, %x {count = 2, carries = 1, while = 0, body = @same}",
     "`while` is carried value 0, f32[N, 4]; bool[] expected"},
    {"%y = repeat %x, %x {count = 2, carries = 1, while = 1, body = @same}",
     "`while` is 1, outside [0, 0]"},
    {"%y = repeat %x {count = 2, carries = 1, body = @gone}", "@gone is not defined"},
    {"%y = call %x {body = @twice}", "@twice is no group"},
    {"%y = exp %s : f32[4]", "the type is f32[]"},
    {"%y = iota {elem = i32, dims = [M], axis = 0}", "there is no symbol `M`"},
    {"%y = iota {elem = i32, dims = [4], axis = 1}", "`axis` is 1, outside [0, 0]"},
    {"%y = exp %s {size = 3}", "`[` expected"},
    {"%y = exp %s {site = 99999999999999999999}", "is too large"},
    {"%y = exp %s; ", "this begins no token"},
    {"%y = exp %s, ", "an operand expected"},
    {"%y = ", "an op expected"},
};

START_TEST(mistakes_have_words) {
    const char *text = arena_print(
        &arena,
        "module\nsymbol N max 8\n"
        "body @twice(%%k: i32[], %%z: f32[N, 4]) -> (%%r) {\n %%r = sum %%z {axes = "
        "[1]}\n}\n"
        "body @same(%%k: i32[], %%z: f32[N, 4], %%w: f32[N, 4]) -> (%%z) {\n}\n"
        "func @f(%%x: f32[N, 4], %%w: f32[4, 2], %%i: i32[N], %%s: f32[], %%b: bool[4], "
        "%%n: i32[]) -> (%%s) {\n  %s\n}\n",
        mistakes[_i].body);
    ck_assert_ptr_null(parse(text));
    ck_assert_uint_eq(diag.errors, 1);
    ck_assert_msg(strstr(diag.messages.at[0].text, mistakes[_i].message),
                  "wanted \"%s\" in\n%s", mistakes[_i].message, messages());
    ck_assert_uint_ge(diag_location(&diag, diag.messages.at[0].span).line, 7);
}
END_TEST

START_TEST(messages_show_line_and_caret) {
    parse("module\nfunc @f(%x: f32[2]) -> (%y) {\n\t%y = addd %x, %x\n}\n");
    ck_assert_str_eq(messages(), "test:3:7: error: there is no op `addd`\n"
                                 "    \t%y = addd %x, %x\n"
                                 "    \t     ^~~~\n"
                                 "    hint: did you mean `add`?\n");
}
END_TEST

START_TEST(words_near_are_found) {
    static const char *const words[] = {"dense", "conv", "batch_norm", "relu"};
    ck_assert_str_eq(nearest_word("dens", words, 4), "dense");
    ck_assert_str_eq(nearest_word("ocnv", words, 4), "conv");
    ck_assert_str_eq(nearest_word("batchnorm", words, 4), "batch_norm");
    ck_assert_ptr_null(nearest_word("attention", words, 4));
    ck_assert_ptr_null(nearest_word("", words, 4));
}
END_TEST

START_TEST(rewrite_keeps_ports) {
    Module *module =
        parse("module\n"
              "func @f(%x: f32[2], param %w: f32[2]) -> (param w = %d alias %w) {\n"
              "  %c = mul %x, %x\n  %d = add %w, %x\n}\n");
    Func *func = module->funcs.at[0];
    Rewrite rewrite = rewrite_begin(func, &arena);
    rewrite_copy(&rewrite, 3);
    rewrite_finish(&rewrite);
    ck_assert_ptr_null(graph_verify(module, &arena));
    ck_assert_str_eq(
        print(module),
        "module\n\n"
        "func @f(%x: f32[2], param %w: f32[2]) -> (param w = %2 alias %w) {\n"
        "  %2 = add %w, %x : f32[2]\n}\n");
    ck_assert_uint_eq(graph_use_counts(func, &arena)[0], 1);
}
END_TEST

START_TEST(builders_emit_what_they_say) {
    Module *module = module_new(&arena, &diag);
    Func *func = module_func(module, "f", FUNC_ENTRY);
    Val x = func_param(func, "x", ROLE_INPUT, type_tensor(ELEM_f32, 2, (Dim[]){2, 3}),
                       (Span){0});
    Builder b = {func, {0}};
    Val half = build_splat(&b, build_const(&b, ELEM_f32, 0.5), graph_type(func, x));
    Val y = build_max(&b, build_mul(&b, x, half), build_exp(&b, x, NO_VAL));
    y = build_transpose(&b, y, (int64_t[]){1, 0});
    y = build_pad(&b, y, (int64_t[]){1, 0}, (int64_t[]){0, 0}, (int64_t[]){0, 1}, 0);
    y = build_concat(&b, (Val[]){y, y}, 2, 0);
    y = build_reduce(&b, OP_sum, build_cast(&b, y, ELEM_f64), (int64_t[]){1}, 1);
    func_result(func, "y", ROLE_OUTPUT, y, -1);
    ck_assert_ptr_null(graph_verify(module, &arena));
    ck_assert_str_eq(print(parse(print(module))), print(module));
    ck_assert_uint_eq(graph_type(func, y)->dim[0], 8);
}
END_TEST

static const struct {
    const char *text, *message;
} invalid[] = {
    {"module primitive\nfunc @f(%x: f32[]) -> (%y) {\n %y = copy %x\n}\n",
     "copy at stage primitive"},
    {"module groups\nfunc @f(%x: f32[]) -> (%y) {\n %y = exp %x\n}\n",
     "exp outside of any group"},
    {"module\nfunc @f(%x: f32[], param %w: f32[2]) -> (param w = %x alias %w) {\n}\n",
     "result 0 cannot replace parameter 1"},
    {"module\nfunc @f(%x: f32[]) -> (%x alias %x, %x alias %x) {\n}\n",
     "result 1 cannot replace parameter 0"},
};

START_TEST(verifier_has_words) {
    ck_assert_ptr_null(parse(invalid[_i].text));
    ck_assert_msg(strstr(diag.messages.at[0].text, invalid[_i].message), "%s",
                  messages());
}
END_TEST

/* Every beginning of every case is a module or a message. */
START_TEST(truncated_text_is_survived) {
    const char *text =
        arena_print(&arena, "module\nsymbol N max 9\n%s", op_cases[_i].text);
    for (size_t length = 0; length < strlen(text); length++) {
        ArenaMark mark = arena_mark(&arena);
        diag_init(&diag, &arena);
        Module *module =
            graph_parse(&arena, &diag, diag_source(&diag, "test", text, length));
        ck_assert(!module == (diag.errors > 0));
        arena_release(&arena, mark);
    }
}
END_TEST

static const char *repeated(const char *part, int count) {
    Text text;
    text_init(&text, &arena);
    for (int i = 0; i < count; i++) text_puts(&text, part);
    return text.at;
}

/* head, part repeated, tail; and what the message says. */
static const struct {
    const char *head, *part;
    int count;
    const char *tail, *message;
} hostile[] = {
    {"module\nfunc @f(%x: f32[", "(", 100000, "1]) -> (%x) {}",
     "parentheses nest more than 32"},
    {"module\nfunc @f(%x: f32[", "1, ", 100000, "1]) -> (%x) {}",
     "more than 8 dimensions"},
    {"module\nfunc @f(%x: f32[1", "0", 1000, "]) -> (%x) {}", "is too large"},
    {"module\nfunc @f(%x: f32[1", "*99999", 1000, "]) -> (%x) {}",
     "the dimension is too large"},
    {"module\nsymbol N\nfunc @f(%x: f32[N", "/N/(N + 1)", 1000, "]) -> (%x) {}",
     "the dimension is too large"},
    {"module\nsymbol N\nfunc @f(%x: f32[(N + 1)", "*(N + 1)", 100, "]) -> (%x) {}",
     "the dimension is too large"},
    {"module\nfunc @f() -> (%x) { %x = iota {dims = [", "1, ", 100000,
     "1], elem = f32, axis = 0}}", "at most 8 is allowed"},
    {"module\nfunc @f(%x: f32[1]) -> (%x) { %y = contract %x, %x {dims = [", "1, ", 100,
     "1], a = [d0], b = [d0], out = []}}", "at most 16 are allowed"},
    {"module\nfunc @f(%x: f32[1]) -> (%x) { %y = contract %x, %x {dims = [1], a = [",
     "d0, ", 100, "d0], b = [d0], out = []}}", "more than 8 forms"},
    {"module\nfunc @f(%x: f32[1]) -> (%x) { %y = contract %x, %x {dims = [1], a = [d0",
     " + 9000000000000000000*d0", 2, "], b = [d0], out = []}}",
     "the coefficient is too large"},
    {"module\nfunc @f(%x: f32[1]) -> (%x) { %y = contract %x, %x {dims = [1], a = [d0",
     " + 9000000000000000*d0", 2, "], b = [d0], out = []}}",
     "form 0 of map `a` is out of range"},
    {"module\nfunc @f(%x: f32[]) -> (%x) { %y = concat %x", ", %x", 100000,
     " {axis = 0}}", "scalars have no axis"},
    {"", "\x01", 10, "", "this begins no token"},
    {"", "\xff\xfe", 10, "", "this begins no token"},
    {"", "", 0, "", "`module` expected"},
    {"module\nfunc @f(%x: f32[]) -> (%x) { %\"", "a", 100000, "\n",
     "this begins no token"},
};

START_TEST(hostile_text_is_refused) {
    const char *text = arena_print(
        &arena, "%s%s%s", hostile[_i].head,
        hostile[_i].count ? repeated(hostile[_i].part, hostile[_i].count) : "",
        hostile[_i].tail);
    ck_assert_ptr_null(parse(text));
    ck_assert_uint_eq(diag.errors, 1);
    ck_assert_msg(strstr(diag.messages.at[0].text, hostile[_i].message), "%.2000s",
                  messages());
    ck_assert_uint_lt(strlen(messages()), 5000);
}
END_TEST

/* Bodies that call bodies: 64 levels and no more. */
START_TEST(nesting_is_bounded) {
    for (int depth = 60; depth < 70; depth++) {
        Text text;
        text_init(&text, &arena);
        text_puts(&text, "module\ngroup @g0(%x: f32[]) -> (%y) { %y = exp %x }\n"
                         "body @b0(%i: i32[], %x: f32[]) -> (%y) { %y = exp %x }\n");
        for (int i = 1; i <= depth; i++)
            text_printf(
                &text,
                "body @b%d(%%i: i32[], %%x: f32[]) -> (%%y) { %%t = repeat %%x "
                "{count = 1, carries = 1, body = @b%d} %%y = get %%t {index = 0} }\n",
                i, i - 1);
        diag_init(&diag, &arena);
        ck_assert(!parse(text.at) == (depth > 64));
    }
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

Suite *suite_ir(void);
Suite *suite_ir(void) {
    Suite *suite = suite_create("ir");
    TCase *tcase = tcase_create("graph");
    tcase_add_checked_fixture(tcase, fixture_open, fixture_close);
    tcase_add_test(tcase, dims_have_a_normal_form);
    tcase_add_test(tcase, dims_are_evaluated_and_bounded);
    tcase_add_loop_test(tcase, text_comes_back, 0, COUNT(texts));
    tcase_add_loop_test(tcase, cases_come_back, 0, op_case_count);
    tcase_add_loop_test(tcase, mistakes_have_words, 0, COUNT(mistakes));
    tcase_add_test(tcase, messages_show_line_and_caret);
    tcase_add_test(tcase, words_near_are_found);
    tcase_add_test(tcase, rewrite_keeps_ports);
    tcase_add_test(tcase, builders_emit_what_they_say);
    tcase_add_loop_test(tcase, truncated_text_is_survived, 0, op_case_count);
    tcase_add_loop_test(tcase, hostile_text_is_refused, 0, COUNT(hostile));
    tcase_add_test(tcase, nesting_is_bounded);
    tcase_add_loop_test(tcase, verifier_has_words, 0, COUNT(invalid));
    suite_add_tcase(suite, tcase);
    return suite;
}
