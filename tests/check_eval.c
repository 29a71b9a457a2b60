/* The evaluator against values worked out by hand, plain loops, and known answers. */
#include "base/alloc.h"
#include "ir/build.h"
#include "runtime/philox.h"
#include "tests/fixture.h"
#include "tests/op_cases.h"
#include <check.h>
#include <math.h>

/* Nodes that define %y from constants, and its elements.  x = [[1, 2, 3], [4, 5, 6]];
 * v = [-1.5, 0.5, 2.5, -2.5]; i = [7, -7, 3]; n = [2, 2, -3]; u = [250, 3]; b = [1, 0];
 * k = [2, 0, 9] */
/* clang-format off */
static const struct {
    const char *nodes;
    int count;
    double value[12];
} facts[] = {
    {"%y = const {elem = u8, dims = [2], values = [3, 257]}", 2, {3, 1}},
    {"%y = iota {elem = i32, dims = [2, 3], axis = 1}", 6, {0, 1, 2, 0, 1, 2}},
    {"%y = iota {elem = f32, dims = [2, 2], axis = 0}", 4, {0, 0, 1, 1}},
    {"%y = neg %v", 4, {1.5, -0.5, -2.5, 2.5}},
    {"%y = abs %v", 4, {1.5, 0.5, 2.5, 2.5}},
    {"%y = sign %v", 4, {-1, 1, 1, -1}},
    {"%y = floor %v", 4, {-2, 0, 2, -3}},
    {"%y = round %v", 4, {-2, 0, 2, -2}},
    {"%y = exp %v", 4, {0.22313016014842982, 1.6487212707001282, 12.182493960703473,
                        0.0820849986238988}},
    {"%a = abs %v %y = log %a", 4, {0.4054651081081644, -0.6931471805599453,
                                    0.9162907318741551, 0.9162907318741551}},
    {"%y = sqrt %x", 6, {1, 1.4142135623730951, 1.7320508075688772, 2, 2.23606797749979,
                         2.449489742783178}},
    {"%y = rsqrt %x", 6, {1, 0.7071067811865475, 0.5773502691896258, 0.5,
                          0.4472135954999579, 0.4082482904638631}},
    {"%y = tanh %v", 4, {-0.9051482536448664, 0.46211715726000975, 0.9866142981514303,
                         -0.9866142981514303}},
    {"%y = erf %v", 4, {-0.9661051464753108, 0.5204998778130465, 0.9995930479825550,
                        -0.9995930479825550}},
    {"%y = sin %v", 4, {-0.9974949866040544, 0.479425538604203, 0.5984721441039564,
                        -0.5984721441039564}},
    {"%y = cos %v", 4, {0.0707372016677029, 0.8775825618903728, -0.8011436155469337,
                        -0.8011436155469337}},
    {"%y = not %b", 2, {0, 1}},
    {"%y = add %i, %n", 3, {9, -5, 0}},
    {"%y = add %u, %u", 2, {244, 6}},
    {"%y = sub %x, %x", 6, {0, 0, 0, 0, 0, 0}},
    {"%y = mul %v, %v", 4, {2.25, 0.25, 6.25, 6.25}},
    {"%m = const {elem = i32, dims = [1], values = [123456789]} %y = mul %m, %m", 1,
     {-1757895751}},
    {"%y = div %i, %n", 3, {3, -3, -1}},
    {"%y = mod %i, %n", 3, {1, 1, 0}},
    {"%two = const {elem = f32, dims = [4], values = [2]} %y = mod %v, %two", 4,
     {0.5, 0.5, 0.5, 1.5}},
    {"%y = div %x, %x", 6, {1, 1, 1, 1, 1, 1}},
    {"%two = const {elem = f32, dims = [2, 3], values = [2]} %y = pow %x, %two", 6,
     {1, 4, 9, 16, 25, 36}},
    {"%y = min %i, %n", 3, {2, -7, -3}},
    {"%y = max %i, %n", 3, {7, 2, 3}},
    {"%y = lt %i, %n", 3, {0, 1, 0}},
    {"%y = le %n, %n", 3, {1, 1, 1}},
    {"%y = gt %i, %n", 3, {1, 0, 1}},
    {"%y = ge %i, %n", 3, {1, 0, 1}},
    {"%y = eq %i, %i", 3, {1, 1, 1}},
    {"%y = ne %i, %n", 3, {1, 1, 1}},
    {"%y = and %b, %b", 2, {1, 0}},
    {"%c = not %b %y = or %b, %c", 2, {1, 1}},
    {"%c = gt %i, %n %y = select %c, %i, %n", 3, {7, 2, 3}},
    {"%y = cast %v {elem = i32}", 4, {-1, 0, 2, -2}},
    {"%y = cast %n {elem = u8}", 3, {2, 2, 253}},
    {"%y = cast %v {elem = bool}", 4, {1, 1, 1, 1}},
    {"%y = copy %i", 3, {7, -7, 3}},
    {"%y = stop %i", 3, {7, -7, 3}},
    {"%y = broadcast %i {dims = [2, 3], axes = [1]}", 6, {7, -7, 3, 7, -7, 3}},
    {"%y = broadcast %b {dims = [2, 3], axes = [0]}", 6, {1, 1, 1, 0, 0, 0}},
    {"%y = reshape %x {dims = [3, 2]}", 6, {1, 2, 3, 4, 5, 6}},
    {"%y = transpose %x {axes = [1, 0]}", 6, {1, 4, 2, 5, 3, 6}},
    {"%y = slice %x {starts = [1, 0], dims = [1, 2], strides = [1, 2]}", 2, {4, 6}},
    {"%y = slice %x {starts = [1, 2], dims = [2, 3], strides = [-1, -1]}", 6,
     {6, 5, 4, 3, 2, 1}},
    {"%y = pad %i {low = [1], high = [2], inner = [1], value = [9]}", 8,
     {9, 7, 9, -7, 9, 3, 9, 9}},
    {"%y = concat %x, %x {axis = 0}", 12, {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}},
    {"%y = concat %x, %x {axis = 1}", 12, {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}},
    {"%y = windows %v {axes = [0], size = [2], strides = [2], dilations = [1]}", 4,
     {-1.5, 0.5, 2.5, -2.5}},
    {"%y = windows %v {axes = [0], size = [2], strides = [1], dilations = [2]}", 4,
     {-1.5, 2.5, 0.5, -2.5}},
    {"%w = windows %v {axes = [0], size = [2], strides = [1], dilations = [1]} "
     "%y = fold %w {axes = [0], strides = [1], dilations = [1], dims = [4]}", 4,
     {-1.5, 1, 5, -2.5}},
    {"%y = gather %x, %b32 {axis = 0, batch = 0}", 6, {4, 5, 6, 1, 2, 3}},
    {"%y = gather %x, %k {axis = 1, batch = 0}", 6, {3, 1, 3, 6, 4, 6}},
    {"%y = gather %x, %b32 {axis = 1, batch = 1}", 2, {2, 4}},
    {"%y = scatter_add %k, %i {axis = 0, batch = 0, dims = [3]}", 3, {-7, 0, 7}},
    {"%z = const {elem = i32, dims = [3], values = [1]} "
     "%y = scatter_add %z, %i {axis = 0, batch = 0, dims = [2]}", 2, {0, 3}},
    {"%y = scatter_add %b32, %u {axis = 1, batch = 1, dims = [2]}", 4, {0, 250, 3, 0}},
    {"%y = read_at %x, %one", 3, {4, 5, 6}},
    {"%r = read_at %x, %one %z = sub %one, %one %y = write_at %x, %z, %r", 6,
     {4, 5, 6, 4, 5, 6}},
    {"%y = sum %x {axes = [0]}", 3, {5, 7, 9}},
    {"%y = sum %x {axes = [1]}", 2, {6, 15}},
    {"%y = sum %x {axes = [0, 1]}", 1, {21}},
    {"%y = sum %u {axes = [0]}", 1, {253}},
    {"%y = reduce_max %v {axes = [0]}", 1, {2.5}},
    {"%y = reduce_min %v {axes = [0]}", 1, {-2.5}},
    {"%y = reduce_max %x {axes = [0]}", 3, {4, 5, 6}},
    {"%y = argmax %x {axes = [1]}", 2, {2, 2}},
    {"%y = argmax %n {axes = [0]}", 1, {0}},
    {"%t = transpose %x {axes = [1, 0]} %y = argmax %t {axes = [0, 1]}", 1, {5}},
    {"%y = contract %x, %x {dims = [2, 2, 3], a = [d0, d2], b = [d1, d2], out = [d0, d1]}",
     4, {14, 32, 32, 77}},
    {"%y = contract %u, %h {dims = [2], a = [d0], b = [d0], out = []}", 1, {376.5}},
    {"%y = contract %v, %h {dims = [5, 2], a = [d0 + d1 - 1], b = [d1], out = [d0]}", 5,
     {-0.75, -2, 2, 2.5, -3.75}},
    {"%y = contract %h, %h {dims = [4, 2], a = [(d0 - d1)/2], b = [d1], out = [d0]}", 4,
     {2.25, 0.75, 0.75, 0.25}},
    {"%t = repeat %u, %b32 {count = 3, carries = 2, body = @body} %y = get %t {index = 0}", 2,
     {250, 3}},
    {"%t = repeat %u, %b32 {count = 3, carries = 2, body = @body} %y = get %t {index = 1}", 2,
     {4, 3}},
    {"%t = call %i {body = @group} %y = get %t {index = 1}", 3, {49, 49, 9}},
};

/* clang-format on */

static const char fact_head[] =
    "module\n"
    "body @body(%i: i32[], %a: u8[2], %b: i32[2]) -> (%a, %s) {\n"
    "  %j = broadcast %i {dims = [2], axes = []} %s = add %b, %j\n}\n"
    "group @group(%a: i32[3]) -> (%a, %m) {\n  %m = mul %a, %a\n}\n"
    "func @f() -> (%y) {\n"
    "%x = const {elem = f32, dims = [2, 3], values = [1, 2, 3, 4, 5, 6]}\n"
    "%v = const {elem = f32, dims = [4], values = [-1.5, 0.5, 2.5, -2.5]}\n"
    "%h = const {elem = f32, dims = [2], values = [1.5, 0.5]}\n"
    "%i = const {elem = i32, dims = [3], values = [7, -7, 3]}\n"
    "%n = const {elem = i32, dims = [3], values = [2, 2, -3]}\n"
    "%k = const {elem = i32, dims = [3], values = [2, 0, 9]}\n"
    "%u = const {elem = u8, dims = [2], values = [250, 3]}\n"
    "%b = const {elem = bool, dims = [2], values = [1, 0]}\n"
    "%b32 = cast %b {elem = i32}\n"
    "%one = const {elem = i32, dims = [], values = [1]}\n";

START_TEST(facts_hold) {
    Module *module =
        module_of(arena_print(&arena, "%s%s\n}\n", fact_head, facts[_i].nodes));
    Array result;
    eval_func(op_case_entry(module), NULL, NULL, &arena, &result);
    ck_assert_int_eq(array_count(&result), facts[_i].count);
    for (int i = 0; i < facts[_i].count; i++)
        ck_assert_msg(fabs(result.at[i] - facts[_i].value[i]) < 1e-13,
                      "%s: element %d is %.17g, not %.17g", facts[_i].nodes, i,
                      result.at[i], facts[_i].value[i]);
}
END_TEST

START_TEST(nan_wins) {
    Module *module =
        module_of("module\nfunc @f() -> (%a, %b, %c) {\n"
                  "%x = const {elem = f32, dims = [3], values = [1, nan, 3]}\n"
                  "%s = slice %x {starts = [1], dims = [1], strides = [1]}\n"
                  "%a = reduce_max %x {axes = [0]}\n"
                  "%b = reduce_min %x {axes = [0]}\n"
                  "%o = const {elem = f32, dims = [1], values = [1]}\n"
                  "%c = max %s, %o\n}\n");
    Array result[3];
    eval_func(op_case_entry(module), NULL, NULL, &arena, result);
    for (int i = 0; i < 3; i++) ck_assert(isnan(result[i].at[0]));
}
END_TEST

/* Known-answer vectors of the generator's authors (Random123, kat_vectors). */
START_TEST(philox_gives_known_answers) {
    static const uint32_t known[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
         0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
         0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        philox(known[i], known[i] + 4, out);
        for (int k = 0; k < 4; k++) ck_assert_uint_eq(out[k], known[i][6 + k]);
    }
}
END_TEST

START_TEST(random_follows_its_counter) {
    Module *module =
        module_of("module\nfunc @f(%s: i32[], %t: i32[], %i: i32[]) -> (%y) {\n"
                  "%y = random %s, %t, %i {dims = [3, 3], site = 5}\n}\n");
    double input[] = {-7, 11, 3};
    Array args[3], result;
    for (int i = 0; i < 3; i++) args[i] = (Array){.elem = ELEM_i32, .at = &input[i]};
    eval_func(op_case_entry(module), args, NULL, &arena, &result);
    for (uint32_t e = 0; e < 9; e++) {
        uint32_t out[4];
        philox((uint32_t[]){e / 4, 3, 11, 5}, (uint32_t[]){(uint32_t)-7, 0}, out);
        ck_assert_double_eq(result.at[e], (out[e % 4] >> 8) / 16777216.0);
    }
}
END_TEST

/* Convolution by seven loops, against `contract` and both of its gradients' maps. */
typedef struct Conv {
    int64_t n, h, w, i, o, k, s, d, p;
} Conv;

static const Conv convs[] = {
    {1, 5, 5, 1, 1, 3, 1, 1, 0}, {2, 7, 6, 3, 4, 3, 1, 1, 1},
    {2, 9, 8, 2, 3, 3, 2, 1, 1}, {1, 11, 9, 2, 2, 3, 2, 2, 2},
    {1, 8, 8, 1, 5, 5, 3, 1, 2}, {3, 4, 4, 2, 2, 1, 2, 1, 0},
};

static Array filled(uint32_t rank, const int64_t *dim, double seed) {
    Array a = array_new(&arena, ELEM_f64, rank, dim);
    for (int64_t i = 0; i < array_count(&a); i++)
        a.at[i] = sin(seed + (double)(i * i % 97));
    return a;
}

/* clang-format off */
static void conv_by_loops(const Conv *c, const Array *x, const Array *w, Array *y) {
    int64_t oh = y->dim[1], ow = y->dim[2];
    for (int64_t n = 0; n < c->n; n++)
    for (int64_t r = 0; r < oh; r++)
    for (int64_t q = 0; q < ow; q++)
    for (int64_t o = 0; o < c->o; o++)
    for (int64_t kr = 0; kr < c->k; kr++)
    for (int64_t kq = 0; kq < c->k; kq++)
    for (int64_t i = 0; i < c->i; i++) {
        int64_t a = r * c->s + kr * c->d - c->p, b = q * c->s + kq * c->d - c->p;
        if (a < 0 || a >= c->h || b < 0 || b >= c->w) continue;
        y->at[((n * oh + r) * ow + q) * c->o + o] +=
            x->at[((n * c->h + a) * c->w + b) * c->i + i] *
            w->at[((kr * c->k + kq) * c->i + i) * c->o + o];
    }
}
/* clang-format on */

START_TEST(contract_is_convolution) {
    const Conv *c = &convs[_i];
    int64_t oh = (c->h + 2 * c->p - c->d * (c->k - 1) - 1) / c->s + 1;
    int64_t ow = (c->w + 2 * c->p - c->d * (c->k - 1) - 1) / c->s + 1;
    const char *text = arena_print(
        &arena,
        "module\nfunc @f(%%x: f64[%ld, %ld, %ld, %ld], %%w: f64[%ld, %ld, %ld, %ld]) -> "
        "(%%y) {"
        "%%y = contract %%x, %%w {dims = [%ld, %ld, %ld, %ld, %ld, %ld, %ld], "
        "a = [d0, %ld*d1 + %ld*d4 - %ld, %ld*d2 + %ld*d5 - %ld, d6], b = [d4, d5, d6, "
        "d3], "
        "out = [d0, d1, d2, d3]}\n}\n",
        c->n, c->h, c->w, c->i, c->k, c->k, c->i, c->o, c->n, oh, ow, c->o, c->k, c->k,
        c->i, c->s, c->d, c->p, c->s, c->d, c->p);
    Array args[] = {filled(4, (int64_t[]){c->n, c->h, c->w, c->i}, 1),
                    filled(4, (int64_t[]){c->k, c->k, c->i, c->o}, 2)};
    Array want = array_new(&arena, ELEM_f64, 4, (int64_t[]){c->n, oh, ow, c->o}), result;
    conv_by_loops(c, &args[0], &args[1], &want);
    eval_func(op_case_entry(module_of(text)), args, NULL, &arena, &result);
    ck_assert_int_eq(array_count(&result), array_count(&want));
    for (int64_t i = 0; i < array_count(&want); i++)
        ck_assert_double_eq_tol(result.at[i], want.at[i], 1e-12);
}
END_TEST

/* <conv(x, w), g> = <x, data(g, w)> = <w, filter(x, g)>: the maps with divisors and windows
 * are those of the transposed operators.  The three cases follow each other in the table. */
static double inner(const OpCase *c, const Array *extra_x, const Array *w,
                    const Array *g) {
    Module *module = op_case_parse(c, &arena, &diag);
    const Func *entry = op_case_entry(module);
    bool data = strstr(c->name, "conv data"), filter = strstr(c->name, "conv filter");
    Array args[2] = {data ? *g : *extra_x, filter ? *g : *w}, result;
    eval_func(entry, args, (int64_t[]){op_case_n(c)}, &arena, &result);
    const Array *other = data ? extra_x : filter ? w : g;
    double sum = 0;
    ck_assert_int_eq(array_count(&result), array_count(other));
    for (int64_t i = 0; i < array_count(other); i++) sum += result.at[i] * other->at[i];
    return sum;
}

START_TEST(conv_maps_are_transposes) {
    if (strncmp(op_cases[_i].name, "contract: conv data ", 20)) return;
    if (strchr(op_cases[_i].name, 'N')) return; /* a lone one */
    const OpCase *c = &op_cases[_i - 1];
    const Array *x =
        op_case_inputs(c, op_case_entry(op_case_parse(c, &arena, &diag)), 1, &arena);
    const Array *g = op_case_inputs(
        &c[1], op_case_entry(op_case_parse(&c[1], &arena, &diag)), 2, &arena);
    double y = inner(&c[0], &x[0], &x[1], &g[0]);
    ck_assert(fabs(y) > 1e-6);
    ck_assert_double_eq_tol(inner(&c[1], &x[0], &x[1], &g[0]), y, 1e-9);
    ck_assert_double_eq_tol(inner(&c[2], &x[0], &x[1], &g[0]), y, 1e-9);
}
END_TEST

START_TEST(cases_have_values) {
    const OpCase *c = &op_cases[_i];
    if (strncmp(c->name, "grad", 4) == 0) return; /* has none before autodiff */
    Module *module = op_case_parse(c, &arena, &diag);
    ck_assert_msg(module, "%s: %s", c->name,
                  diag.messages.count ? diag.messages.at[0].text : "");
    const Func *entry = op_case_entry(module);
    Array *args = op_case_inputs(c, entry, 3, &arena);
    Array *result = arena_array(&arena, Array, entry->results.count);
    eval_func(entry, args, (int64_t[]){op_case_n(c)}, &arena, result);
    for (uint32_t r = 0; r < entry->results.count; r++)
        for (int64_t i = 0; i < array_count(&result[r]); i++)
            ck_assert_msg(isfinite(result[r].at[i]), "%s", c->name);
}
END_TEST

static void mark_ops(const Module *module, bool *seen) {
    for (uint32_t i = 0; i < module->funcs.count; i++) {
        const Func *func = module->funcs.at[i];
        for (uint32_t v = 0; v < func->nodes.count; v++)
            seen[graph_node(func, v)->op] = true;
    }
}

START_TEST(every_op_has_a_case) {
    bool seen[OP_COUNT] = {false};
    for (int i = 0; i < op_case_count; i++) {
        Module *module = op_case_parse(&op_cases[i], &arena, &diag);
        ck_assert_msg(module, "%s", op_cases[i].name);
        mark_ops(module, seen);
    }
    for (int op = 0; op < OP_COUNT; op++)
        ck_assert_msg(seen[op], "no case uses %s", op_info[op].name);
}
END_TEST

/* Memory that ends anywhere within comes back as a status, and nothing leaks. */
START_TEST(evaluator_survives_memory_that_ends) {
    Module *module = module_of(
        "module\nbody @b(%i: i32[], %z: f32[300, 90]) -> (%r) {\n%r = exp %z\n}\n"
        "func @f(%x: f32[300, 90]) -> (%y) {\n"
        "%t = repeat %x {count = 3, carries = 1, body = @b}\n%y = get %t {index = "
        "0}\n}\n");
    Array x = filled(2, (int64_t[]){300, 90}, 0), result;
    for (volatile int n = 0;; n = n + 1) {
        Guard inner;
        Arena own;
        arena_init(&own, &inner);
        if (guard_enter(inner)) {
            ck_assert_int_eq(inner.status, STATUS_MEMORY);
        } else {
            mem_fail_at(n);
            eval_func(op_case_entry(module), &x, NULL, &own, &result);
            mem_fail_at(-1);
            arena_free(&own);
            ck_assert_int_ge(n, 5);
            return;
        }
        arena_free(&own);
    }
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

Suite *suite_eval(void);
Suite *suite_eval(void) {
    Suite *suite = suite_create("eval");
    TCase *tcase = tcase_create("values");
    tcase_add_checked_fixture(tcase, fixture_open, fixture_close);
    tcase_add_loop_test(tcase, facts_hold, 0, COUNT(facts));
    tcase_add_test(tcase, nan_wins);
    tcase_add_test(tcase, philox_gives_known_answers);
    tcase_add_test(tcase, random_follows_its_counter);
    tcase_add_loop_test(tcase, contract_is_convolution, 0, COUNT(convs));
    tcase_add_loop_test(tcase, conv_maps_are_transposes, 0, op_case_count);
    tcase_add_loop_test(tcase, cases_have_values, 0, op_case_count);
    tcase_add_test(tcase, every_op_has_a_case);
    tcase_add_test(tcase, evaluator_survives_memory_that_ends);
    suite_add_tcase(suite, tcase);
    return suite;
}
