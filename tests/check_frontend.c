/* The language: printing what was parsed, elaborating programs, what they compute. */
#include "frontend/ast.h"
#include "frontend/program.h"
#include "ir/eval.h"
#include "passes/pass.h"
#include "tests/fixture.h"
#include <check.h>
#include <math.h>
#include <stdio.h>

static bool find_data(void *context, const DataSpec *spec, DataInfo *info,
                      char *message) {
    bool cifar = !strcmp(spec->kind, "cifar10");
    *info =
        (DataInfo){.train_count = 1000, .test_count = 100, .fields = 2, .classes = 10};
    info->field[0] = (DataField){"x", ELEM_u8, 3, {28, 28, 1}};
    if (cifar) info->field[0] = (DataField){"x", ELEM_u8, 3, {32, 32, 3}};
    info->field[1] = (DataField){"y", ELEM_i32, 0, {0}};
    return true;
}

static const DataLookup lookup = {NULL, find_data};
static const Binding bindings[] = {{"N", 2, false}, {"H", 8, false}, {"W", 8, false},
                                   {"C", 4, false}, {"D", 6, false}, {"T", 4, false},
                                   {"K", 5, false}, {"M", 3, false}, {"S", 4, false}};
static const ProgramOptions options = {
    .lookup = &lookup, .binding = bindings, .bindings = 9};

static Program *load_text(const char *text) {
    Program *program =
        program_load_text(&arena, &diag, "test.tn", text, strlen(text), &options);
    ck_assert_msg(program, "%s", messages());
    return program;
}

/* The results on arrays filled with 0.1, 0.2, ... */
static Array *run_func(const Func *func) {
    Array *args = arena_array(&arena, Array, func->params.count);
    for (uint32_t i = 0; i < func->params.count; i++) {
        const Type *type = &func->params.at[i].type;
        args[i] = array_new(&arena, type->elem, type->rank, type->dim);
        for (int64_t k = 0; k < array_count(&args[i]); k++)
            args[i].at[k] = type->elem == ELEM_f32 ? 0.1 * (double)(k + 1) : (double)k;
    }
    Array *results = arena_array(&arena, Array, func->results.count);
    eval_func(func, args, NULL, &arena, results);
    return results;
}

static const struct {
    const char *body; /* of fn f, with x: f32[2, 3] = .1 .. .6 and y: i32[2] = 0, 1 */
    int count;
    double value[6];
} values[] = {
    {"x + 1", 6, {1.1, 1.2, 1.3, 1.4, 1.5, 1.6}},
    {"sum(x, over = C)", 2, {0.6, 1.5}},
    {"sum(x, keep = C)", 3, {0.5, 0.7, 0.9}},
    {"mean(x)", 1, {0.35}},
    {"x - mean(x, over = C)", 6, {-0.1, 0, 0.1, -0.1, 0, 0.1}},
    {"x - max(x, keep = C)", 6, {-0.3, -0.3, -0.3, 0, 0, 0}},
    {"relu(x - 0.3)", 6, {0, 0, 0, 0.1, 0.2, 0.3}},
    {"x @ x[0]", 2, {0.14, 0.32}},
    {"x[-1]", 3, {0.4, 0.5, 0.6}},
    {"take(x, -2, axis = -1)", 2, {0.2, 0.5}},
    {"transpose(x, [-1, 0])", 6, {0.1, 0.4, 0.2, 0.5, 0.3, 0.6}},
    {"x[1 - y]", 6, {0.4, 0.5, 0.6, 0.1, 0.2, 0.3}},
    {"take(x, y[1] + 1, -1)", 2, {0.3, 0.6}},
    {"repeat 2 as i with z = 0 * x[0] { z + x[i] }", 3, {0.5, 0.7, 0.9}},
    {"pick(x, y)", 2, {0.1, 0.5}},
    {"one_hot(y, C)", 6, {1, 0, 0, 0, 1, 0}},
    {"where(x > 0.35, 1, 0)", 6, {0, 0, 0, 1, 1, 1}},
    {"clamp(x, 0.2, 0.5)", 6, {0.2, 0.2, 0.3, 0.4, 0.5, 0.5}},
    {"x[1]", 3, {0.4, 0.5, 0.6}},
    {"reverse(x, 1)", 6, {0.3, 0.2, 0.1, 0.6, 0.5, 0.4}},
    {"transpose(x)", 6, {0.1, 0.4, 0.2, 0.5, 0.3, 0.6}},
    {"argmax(x, over = 1)", 2, {2, 2}},
    {"repeat 3 with z = x { 2 * z }", 6, {0.8, 1.6, 2.4, 3.2, 4.0, 4.8}},
    {"repeat 3 as i with s = sum(x) { s + f32(i) }", 1, {5.1}},
    {"(repeat 2 with a = sum(x), b = mean(x) { { a: a + b, b: b } }).a", 1, {2.8}},
    {"sum(concat([x, x], 0), over = 1)", 4, {0.6, 1.5, 0.6, 1.5}},
    {"x ^ 2", 6, {0.01, 0.04, 0.09, 0.16, 0.25, 0.36}},
    {"if C == 3 and N < 3 { x } else { 0 }", 6, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}},
    {"stack(x, 3, fn(z, i) = z + i)", 6, {3.1, 3.2, 3.3, 3.4, 3.5, 3.6}},
    {"map(fn(a) = a + 1, { p: x, q: { r: sum(x) } }).q.r", 1, {3.1}},
    {"f32(7 // 2 + 8 / 4) + 0 * x[0]", 3, {5, 5, 5}},
    {"sum(windows(x, [1], 2), over = 2)", 4, {0.3, 0.5, 0.9, 1.1}},
    {"norm2(x, keep = N) ^ 2", 2, {0.14, 0.77}},
    {"softplus(0 * x)", 6, {.6931472, .6931472, .6931472, .6931472, .6931472, .6931472}},
};

START_TEST(functions_have_their_values) {
    const char *text = arena_print(&arena,
                                   "fn f(x: f32[2, 3], y: i32[2]) = g(x, y)\n"
                                   "fn g(x: f32[N, C], y: i32[N]) = %s\n",
                                   values[_i].body);
    const Entry *entry = program_entry(load_text(text), "f");
    ck_assert_msg(entry, "%s", messages());
    Array *out = run_func(entry->func);
    ck_assert_int_eq(array_count(out), values[_i].count);
    for (int i = 0; i < values[_i].count; i++)
        ck_assert_msg(fabs(out->at[i] - values[_i].value[i]) < 1e-6,
                      "%s: [%d] is %g, not %g", values[_i].body, i, out->at[i],
                      values[_i].value[i]);
}
END_TEST

/* Two ways to the same numbers: the entry `f` gives what must be zero. */
static const char *const identities[] = {
    "conv_by_windows(x, w, 1, 0, 1) - conv2d(x, w)",
    "conv_by_windows(x, w, 2, 1, 1) - conv2d(x, w, stride = 2, pad = 1)",
    "conv_by_windows(x, w, 1, 2, 2) - conv2d(x, w, pad = 2, dilation = 2)",
    "split_conv(x, v) - conv2d(x, v, groups = 2)",
    "max_pool(x, 2) - max(windows(x, [1, 2], 2, 2), over = [4, 5])",
    "max_pool(x, 3, 2, 1) - max(windows(framed(x), [1, 2], 3, 2), over = [4, 5])",
    "avg_pool(x, 2) - mean(windows(x, [1, 2], 2, 2), over = [4, 5])",
    "avg_pool(x, 3, 1) * 9 - sum(windows(x, [1, 2], 3), over = [4, 5])",
    "sum(softmax(x), over = C) - 1",
    "exp(log_softmax(x)) - softmax(x)",
    "kl(softmax(m), m)",
    "cross_entropy(m, y) + log(pick(softmax(m), y))",
    "cross_entropy(m, y, smooth = 0.4) - smoothed(m, y, 0.4)",
    "sigmoid(x) - 0.5 * (1 + tanh(x / 2))",
    "relu(x) - leaky_relu(x, 0)",
    "gelu(x) - x * 0.5 * (1 + erf(x / sqrt(2)))",
    "grad(fn(z) = sum(z ^ 3))(x) - 3 * x ^ 2",
    "grad(fn(z) = sum(grad(fn(a) = sum(a ^ 4))(z)))(x) - 12 * x ^ 2",
    "grad(fn(a, b) = sum(a * b), wrt = b)(x, 2 * x) - x",
    "grad(fn(t) = sum(t.p * t.q))({ p: x, q: 3 * x }).q - x",
    "grad(fn(z) = sum(relu(z)))(0 * x)",
    "grad(fn(z) = sum(stop(z) * z))(x) - x",
    "flip_twice(x) - x",
    "slice(reverse(x, C), C, 0, 1) - slice(x, C, C - 1, 1)",
    "x @ ones_square(C) - sum(x, over = C) - 0 * x",
    "mse(m, m + 2) - 4",
    "hinge(m[0], 0 * m[0] + 1) - relu(1 - m[0])",
    "norm2(x, keep = N) ^ 2 - sum(x * x, keep = N)",
    "fold(windows(x, [1], 2, 2), [1], [H], 2) - x",
    "sum(scatter_add(y, m, 5)) - sum(m)",
    "lerp(x, 3 * x, 0.25) - 1.5 * x",
    "repeat 4 with z = x { z * 2 } - 16 * x",
    "(-7) // 2 + 4 + 7 % 3 - 1 + 2 ^ 3 - 8 + 0 * x",
    "f32(7 // i32(2 + 0 * x)) - 3",
};

START_TEST(identities_hold) {
    const char *text = arena_print(
        &arena,
        "fn conv_by_windows(x: f32[N, H, W, C], w: f32[S, S, C, O], stride, by, "
        "dilation) {\n"
        "    let views = windows(pad(x, [1, 2], by, by), [1, 2], S, stride, dilation)\n"
        "    let at = shape(views)\n"
        "    let rows = reshape(transpose(views, [0, 1, 2, 4, 5, 3]), [at[0], at[1], "
        "at[2], S * S * C])\n"
        "    rows @ reshape(w, [S * S * C, O])\n"
        "}\n"
        "fn half(x: f32[A, B, D, E], from) = slice(x, 3, from, E // 2)\n"
        "fn split_conv(x, v) = concat([conv2d(half(x, 0), half(v, 0)),\n"
        "                              conv2d(half(x, 2), half(v, 3))], 3)\n"
        "fn framed(x) = pad(x, [1, 2], 1, 1, -infinity)\n"
        "fn smoothed(m, y, by) = (1 - by) * cross_entropy(m, y)\n"
        "                        + by * mean(-log_softmax(m), over = 1)\n"
        "fn ones(x) = 0 * x + 1\n"
        "fn ones_square(n) = ones(f32(reshape(iota(n), [n, 1]) + iota(n)))\n"
        "fn flip_twice(x) = reverse(reverse(x, 2), 2)\n"
        "fn f(x: f32[2, 6, 6, 4], w: f32[3, 3, 4, 5], v: f32[3, 3, 2, 6], m: f32[2, 5], "
        "y: i32[2]) =\n"
        "    g(sin(13 * x), sin(7 * w), sin(5 * v), sin(3 * m), y)\n"
        "fn g(x: f32[N, H, W, C], w, v, m, y) = %s\n",
        identities[_i]);
    const Entry *entry = program_entry(load_text(text), "f");
    ck_assert_msg(entry, "%s", messages());
    Arena scratch;
    arena_init(&scratch, &guard);
    PassContext cx = {.scratch = &scratch};
    ck_assert(pipeline_run(&cx, entry->func->module, "autodiff"));
    Array *out = run_func(entry->func);
    for (int64_t i = 0; i < array_count(out); i++)
        ck_assert_msg(fabs(out->at[i]) < 1e-5, "%s: [%d] is %g", identities[_i], (int)i,
                      out->at[i]);
    arena_free(&scratch);
}
END_TEST

/* A batch that is known at run time only. */
START_TEST(open_batch_has_its_value) {
    static const Binding open[] = {{"N", 8, true}};
    static const ProgramOptions run_time = {.binding = open, .bindings = 1};
    const char *text =
        "net m(x: f32[N, 3]) { logits = x |> dense(4) |> batch_norm |> relu }\n"
        "fn f(x: f32[N, 3]) = { a: mean(x), b: N * x[0], c: flatten(x), d: N - 1,\n"
        "                       e: mean(cross_entropy(m(x).logits, i32(x[0])[0] + 0 * "
        "iota(N))) }\n";
    Program *program =
        program_load_text(&arena, &diag, "t", text, strlen(text), &run_time);
    ck_assert_msg(program, "%s", messages());
    const Entry *entry = program_entry(program, "f");
    ck_assert_msg(entry, "%s", messages());
    const Func *func = entry->func;
    Array *args = arena_array(&arena, Array, func->params.count);
    int64_t n = 4;
    for (uint32_t i = 0; i < func->params.count; i++) {
        const Type *type = &func->params.at[i].type;
        int64_t dim[MAX_RANK];
        for (uint32_t k = 0; k < type->rank; k++)
            dim[k] = dim_value(&func->module->dims, type->dim[k], &n);
        args[i] = array_new(&arena, type->elem, type->rank, dim);
        for (int64_t k = 0; k < array_count(&args[i]); k++)
            args[i].at[k] = 0.25 * (double)k;
    }
    Array *out = arena_array(&arena, Array, func->results.count);
    eval_func(func, args, &n, &arena, out);
    ck_assert_double_eq_tol(out[0].at[0], 0.25 * 5.5, 1e-9);
    ck_assert_double_eq_tol(out[1].at[2], 4 * 0.5, 1e-9);
    ck_assert_int_eq(array_count(&out[2]), 12);
    ck_assert_double_eq_tol(out[3].at[0], 3, 1e-9);
    ck_assert(isfinite(out[4].at[0]));
}
END_TEST

/* ---- training, by the evaluator --------------------------------------------------------- */

typedef struct State {
    const char *name;
    Array value;
} State;

static Array *state_find(State *state, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(state[i].name, name)) return &state[i].value;
    ck_abort_msg("init gives no `%s`", name);
}

/* Deterministic data: the label is the greatest of the four inputs. */
static Array example(const Port *port) {
    Array array = array_new(&arena, port->type.elem, port->type.rank, port->type.dim);
    bool labels = port->type.rank == 1;
    for (int64_t i = 0; i < array_count(&array); i++)
        array.at[i] = labels ? (double)((i * 7 + 3) % 4)
                             : (((i / 4) * 7 + 3) % 4 == i % 4) + 0.1 * (double)(i % 3);
    if (!port->type.rank) array.at[0] = port->type.elem == ELEM_i32 ? 6 : 0;
    return array;
}

/* The last `last` results go to value. */
static void run_entry(const Func *step, State *state, uint32_t count, uint32_t last,
                      double *value) {
    Array *args = arena_array(&arena, Array, step->params.count);
    Array *results = arena_array(&arena, Array, step->results.count);
    for (uint32_t i = 0; i < step->params.count; i++) {
        const Port *port = &step->params.at[i];
        args[i] = port->role == ROLE_INPUT ? example(port)
                                           : *state_find(state, count, port->name);
    }
    eval_func(step, args, NULL, &arena, results);
    for (uint32_t i = 0; i < step->results.count; i++) {
        const Port *port = &step->outputs.at[i];
        if (port->alias < 0) continue;
        ck_assert_str_eq(port->name, step->params.at[port->alias].name);
        *state_find(state, count, port->name) = results[i];
    }
    for (uint32_t i = 0; i < last; i++)
        value[i] = results[step->results.count - last + i].at[0];
}

static double run_step(const Func *step, State *state, uint32_t count) {
    double loss;
    run_entry(step, state, count, 1, &loss);
    return loss;
}

static State *run_init(const TrainBlock *block) {
    uint32_t count = block->init->results.count;
    State *state = arena_array(&arena, State, count);
    Array *results = arena_array(&arena, Array, count);
    Array seed = array_new(&arena, ELEM_i32, 0, NULL);
    seed.at[0] = 1;
    eval_func(block->init, &seed, NULL, &arena, results);
    for (uint32_t i = 0; i < count; i++)
        state[i] = (State){block->init->outputs.at[i].name, results[i]};
    return state;
}

static const char *const optimisers[] = {
    "sgd(rate = 0.5)",
    "sgd(rate = 0.1, momentum = 0.9, decay = 1e-4)",
    "sgd(rate = cosine(0.2), momentum = 0.9, nesterov = true)",
    "sgd(rate = multistep(0.5, at = [4, 8]))",
    "sgd(rate = step_down(0.5, every_epochs = 5, by = 0.5))",
    "sgd(rate = cyclic(0.5, floor = 0.1, period = 4))",
    "rmsprop(rate = 0.01)",
    "adam(rate = 0.05)",
    "adamw(rate = 0.05, decay = 0.01)",
};

START_TEST(training_lowers_the_loss) {
    Program *program = load_text(arena_print(
        &arena,
        "net tiny(x: f32[N, D]) {\n"
        "    hidden = x |> dense(8) |> batch_norm |> relu |> dropout(0.1)\n"
        "    logits = hidden |> layer_norm |> dense(4)\n"
        "}\n"
        "loss clean(x: f32[N, D], y: i32[N]) = mean(cross_entropy(tiny(x).logits, y, "
        "smooth = 0.01))\n"
        "train plain {\n"
        "    data = synthetic(batch = 16, shape = [4], classes = 4, examples = 64)\n"
        "    loss = clean\n    optim = %s\n    epochs = 5\n"
        "    report = { accuracy: accuracy(tiny) }\n}\n",
        optimisers[_i]));
    const TrainBlock *block = program_train(program, NULL);
    ck_assert_msg(block, "%s", messages());
    Arena scratch;
    arena_init(&scratch, &guard);
    PassContext cx = {.scratch = &scratch};
    ck_assert(pipeline_run(&cx, program->module, "autodiff"));
    uint32_t count = block->init->results.count;
    State *state = run_init(block);
    double first = run_step(block->step, state, count), last = first;
    for (int i = 0; i < 15; i++) last = run_step(block->step, state, count);
    ck_assert_msg(last < 0.8 * first, "%s: from %g to %g", optimisers[_i], first, last);
    ck_assert(!block->figure[0].rises && block->figure[1].rises);
    double figure[2];
    run_entry(block->report, state, count, 2, figure);
    const double loss = figure[0], right = figure[1];
    ck_assert_msg(isfinite(loss) && loss > 0 && right >= 3 && right <= 6,
                  "of the first 6: loss %g, %g right", loss, right);
    arena_free(&scratch);
}
END_TEST

static const char *const examples[] = {
    "examples/mlp",
    "examples/lenet",
    "examples/smallcnn",
    "examples/resnet20",
    "examples/resnet18",
    "examples/bench",
    "tests/programs/svm",
    "tests/programs/low_rank",
    "tests/programs/blocks",
    "tests/programs/attacks",
    "tests/programs/uses",
    "tests/programs/finetune",
    "examples/resnet56",
    "examples/squeezenet",
    "examples/efficientnet_lite0",
    "tests/programs/adversarial",
    "examples/svm/svm",
    "examples/decay/lenet_decay",
    "examples/robust",
    "examples/low_rank",
    "tests/programs/adversary",
};

/* Blocks over `line`, whose two parameters begin at 10 and have the gradient 1; two steps are
 * an epoch.  After `steps`, the slot is `value`. */
static const struct {
    const char *block, *name;
    int steps;
    const char *slot;
    double value;
} changes[] = {
    {"train t { only = params(line).w", NULL, 3, "line.b", 10},
    {"train t { only = params(line).w", NULL, 3, "line.w", 7},
    {"train t { let b = params(line).b; after epoch { next b = 0 * b }", NULL, 3,
     "line.b", -1},
    {"train t { let b = params(line).b; after epoch { next b = 0 * b }", NULL, 2,
     "line.b", 0},
    {"train t { let b = params(line).b; after epoch { next b = 0 * b }", NULL, 3,
     "line.w", 7},
    {"train t { let p = params(line); every 3 { next p = map(fn(w) = 2 * w, p) }", NULL,
     4, "line.w", 13},
    {"train t { let w = params(line).w; state start = w; after epoch { next w = start }",
     NULL, 3, "line.w", 9},
    {"train t { let w = params(line).w; state start = w; every 3 { next start = w }",
     NULL, 3, "t.start", 7},
    {"train t { phase a { epochs = 1 }; phase b { optim = sgd(rate = 2); epochs = 1 }",
     NULL, 3, "line.w", 6},
    {"train t { phase a { epochs = 1 }; phase b { only = params(line).b; epochs = 1 }",
     NULL, 3, "line.w", 8},
    {"train t { phase a { epochs = 1 }; phase b { state s = params(line).w; epochs = 1 }",
     NULL, 4, "t.s", 8},
    {"train t { phase a { optim = sgd(rate = 1, momentum = 1); epochs = 1 }\n"
     "phase b { optim = sgd(rate = 1, momentum = 1); epochs = 1 }",
     NULL, 3, "line.w", 6}, /* 10 - 1 - 2, then from a momentum of 0: 1 */
    {"train t { phase a { epochs = 1 }\n"
     "phase b { optim = sgd(rate = step + 1); epochs = 1 }",
     NULL, 4, "line.w", 5}, /* the steps of a phase are its own */
    {"train t { optim = heavy(rate = 1)", NULL, 3, "line.w", 6},
    {"train t(rate, part = params(line).w) { only = part; optim = sgd(rate = rate)",
     "t(3)", 2, "line.w", 4},
    {"train t(rate, part = params(line).w) { only = part; optim = sgd(rate = rate)",
     "t(part = params(line).b, rate = 3)", 2, "line.b", 4},
    {"train t { loss = fn(x, y) = objective(x, y) + sum(kept(x))", NULL, 3, "kept.v",
     -68}, /* the gradient is 8: 2, -6 and then -60, -68 */
    {"train t { loss = fn(x, y) = objective(x, y) + sum(kept(x))", NULL, 3, "kept.seen",
     2}, /* state is set before the optimiser moves anything */
    /* an attack in either mode: the net doubles its input in training alone, and counts the
     * passes of training, not those within the attack */
    {"train t { loss = fn(x, y) = objective(x, y) + against(x, true)", NULL, 1, "line.w",
     7},
    {"train t { loss = fn(x, y) = objective(x, y) + against(x, false)", NULL, 1, "line.w",
     8},
    {"train t { loss = fn(x, y) = objective(x, y) + against(x, true)", NULL, 2,
     "counted.times", 2},
    {"train t { loss = fn(x, y) = objective(x, y) + against(x, false)", NULL, 2,
     "counted.times", 2},
};

static const char changes_head[] =
    "net line(x: f32[N, 1]) {\n"
    "    param w: f32[1] = 10\n    param b: f32[1] = 10\n    score = x * w + b\n}\n"
    "net kept(x: f32[N, 1]) {\n"
    "    param v: f32[1] = 10\n    state seen: f32[1] = 0\n"
    "    every 2 { next v = 10 * v }\n    every 2 { next seen = v }\n"
    "    0 * x + v\n}\n"
    "net counted(x: f32[N, 1]) {\n"
    "    state times: f32[1] = 0\n"
    "    if training { next times = times + 1 }\n"
    "    if training { 2 * x } else { x }\n}\n"
    "fn against(x, training) {\n"
    "    let three = fn(f, x) = repeat 3 with g = 0 * x { slope(in_mode(f, training), x) "
    "+ 0 "
    "* g }\n"
    "    mean(params(line).w * attack(three, fn(z) = sum(counted(z)), x)) + 0 * "
    "sum(counted(x))\n}\n"
    "loss objective(x: f32[N, 1], y: i32[N]) =\n"
    "    0 * mean(line(x).score) + 0 * sum(kept(x)) + sum(params(line).w + "
    "params(line).b)\n"
    "optimiser heavy(rate) {\n"
    "    state m = 0\n    next m = m + g\n    next w = w - rate * m'\n"
    "    after epoch { next m = 0 }\n}\n";

static const Phase *phase_at(const TrainBlock *block, int64_t epoch) {
    uint32_t i = 0;
    while (i + 1 < block->phases && epoch >= block->phase[i].epochs)
        epoch -= block->phase[i++].epochs;
    return &block->phase[i];
}

START_TEST(blocks_change_what_they_say) {
    const char *head = changes[_i].block;
    const bool phases = strstr(head, "phase"), optim = strstr(head, "optim =");
    Program *program = load_text(arena_print(
        &arena,
        "%s%s\n    data = synthetic(batch = 8, shape = [1], classes = 2, examples = 16)\n"
        "%s%s%s}\n",
        changes_head, head, strstr(head, "loss =") ? "" : "    loss = objective\n",
        optim && !phases ? "" : "    optim = sgd(rate = 1)\n",
        phases ? "" : "    epochs = 4\n"));
    const TrainBlock *block = program_train(program, changes[_i].name);
    ck_assert_msg(block, "%s", messages());
    Arena scratch;
    arena_init(&scratch, &guard);
    PassContext cx = {.scratch = &scratch};
    ck_assert_msg(pipeline_run(&cx, program->module, "dce"), "%s", messages());
    State *state = run_init(block);
    const uint32_t count = block->init->results.count;
    for (int i = 0; i < changes[_i].steps; i++)
        run_step(phase_at(block, i / 2)->step, state, count);
    const Array *slot = state_find(state, count, changes[_i].slot);
    ck_assert_msg(fabs(slot->at[0] - changes[_i].value) < 1e-5, "%s: `%s` is %g, not %g",
                  head, changes[_i].slot, slot->at[0], changes[_i].value);
    arena_free(&scratch);
}
END_TEST

static const struct {
    const char *path, *block;
} programs[] = {
    {"tests/programs/svm", "plain"},
    {"tests/programs/low_rank", "plain"},
    {"tests/programs/blocks", "plain"},
    {"tests/programs/attacks", "trades"},
    {"tests/programs/attacks", "mart"},
    {"tests/programs/attacks", "awp"},
    {"tests/programs/attacks", "penalty"},
    {"tests/programs/attacks", "ball"},
    {"tests/programs/adversarial", "madry"},
    {"tests/programs/adversarial", "fgsm"},
    {"tests/programs/adversarial", "fast"},
    {"tests/programs/adversarial", "free"},
    {"tests/programs/adversarial", "trades"},
    {"tests/programs/adversarial", "trades_l2"},
    {"tests/programs/adversarial", "mart"},
    {"tests/programs/adversary", "plain"},
    {"tests/programs/adversarial", "score"},
    {"tests/programs/adversarial", "score_trades"},
    {"tests/programs/adversarial", "awp"},
    {"tests/programs/adversarial", "trades_awp"},
    {"tests/programs/adversarial", "penalty"},
    {"tests/programs/finetune", "staged"},
    {"tests/programs/finetune", "criticality"},
    {"tests/programs/finetune", "finetune"},
};

START_TEST(examples_elaborate_and_verify) {
    const char *path = arena_print(&arena, "%s/%s.tn", SOURCE_DIR, examples[_i]);
    Program *program = program_load(&arena, &diag, path, &options);
    ck_assert_msg(program, "%s", messages());
    for (uint32_t i = 0; i < program->trains; i++)
        ck_assert_msg(program_train(program, program->train[i].name), "%s", messages());
    for (uint32_t i = 0; i < program->entries; i++)
        ck_assert_msg(program_entry(program, program->entry[i].name), "%s", messages());
    const char *wrong = graph_verify(program->module, &arena);
    ck_assert_msg(!wrong, "%s", wrong);
}
END_TEST

/* Every block of the programs takes a step to a finite loss. */
START_TEST(programs_take_a_step) {
    const char *path = arena_print(&arena, "%s/%s.tn", SOURCE_DIR, programs[_i].path);
    Program *program = program_load(&arena, &diag, path, &options);
    ck_assert_msg(program, "%s", messages());
    const TrainBlock *block = program_train(program, programs[_i].block);
    ck_assert_msg(block, "%s", messages());
    Arena scratch;
    arena_init(&scratch, &guard);
    PassContext cx = {.scratch = &scratch};
    ck_assert(pipeline_run(&cx, program->module, "dce"));
    State *state = run_init(block);
    double loss = run_step(block->step, state, block->init->results.count);
    ck_assert_msg(isfinite(loss), "%s %s: %g", path, programs[_i].block, loss);
    double *figure = arena_array(&arena, double, block->figures);
    run_entry(block->report, state, block->init->results.count, block->figures, figure);
    for (uint32_t i = 0; i < block->figures; i++)
        ck_assert_msg(isfinite(figure[i]), "%s %s: %g", path, block->figure[i].name,
                      figure[i]);
    arena_free(&scratch);
}
END_TEST

START_TEST(printing_is_stable) {
    const char *path = arena_print(&arena, "%s/%s.tn", SOURCE_DIR, examples[_i]);
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    char *text = arena_alloc(&arena, 1 << 16);
    size_t length = fread(text, 1, (1 << 16) - 1, in);
    fclose(in);
    Text once, twice;
    text_init(&once, &arena);
    text_init(&twice, &arena);
    ast_print(ast_parse(&arena, &diag, diag_source(&diag, path, text, length)), &once);
    ast_print(
        ast_parse(&arena, &diag, diag_source(&diag, "printed", once.at, once.length)),
        &twice);
    ck_assert_uint_eq(diag.errors, 0);
    ck_assert_str_eq(once.at, twice.at);
}
END_TEST

static const char *const prelude[] = {"activations",  "adversarial", "attacks",
                                      "augment",      "filters",     "initialisers",
                                      "layers",       "losses",      "optimisers",
                                      "regularisers", "schedules"};

START_TEST(prelude_has_no_mistake) {
    const char *path =
        arena_print(&arena, "%s/frontend/prelude/%s.tn", SOURCE_DIR, prelude[_i]);
    ck_assert_msg(program_load(&arena, &diag, path, &options), "%s", messages());
}
END_TEST

/* Every snippet of the language's page is a file that loads; its blocks take a step. */
START_TEST(documentation_holds) {
    const char *path = SOURCE_DIR "/docs/language.md";
    char *text = arena_alloc(&arena, 1 << 17);
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    text[fread(text, 1, (1 << 17) - 1, in)] = 0;
    fclose(in);
    int snippets = 0;
    for (char *at = text; (at = strstr(at, "```tn\n")); snippets++) {
        char *end = strstr(at + 6, "```");
        ck_assert_ptr_nonnull(end);
        Program *program =
            load_text(arena_string(&arena, at + 6, (size_t)(end - at - 6)));
        for (uint32_t i = 0; i < program->trains; i++)
            ck_assert_msg(program_train(program, program->train[i].name), "%s",
                          messages());
        for (uint32_t i = 0; i < program->entries; i++)
            ck_assert_msg(program_entry(program, program->entry[i].name), "%s",
                          messages());
        at = end;
    }
    ck_assert_int_gt(snippets, 10);
}
END_TEST

Suite *suite_frontend(void);
Suite *suite_frontend(void) {
    Suite *suite = suite_create("frontend");
    TCase *tcase = tcase_create("language");
    tcase_add_checked_fixture(tcase, fixture_open, fixture_close);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, functions_have_their_values, 0,
                        sizeof values / sizeof *values);
    tcase_add_loop_test(tcase, examples_elaborate_and_verify, 0,
                        sizeof examples / sizeof *examples);
    tcase_add_loop_test(tcase, identities_hold, 0,
                        sizeof identities / sizeof *identities);
    tcase_add_loop_test(tcase, prelude_has_no_mistake, 0,
                        sizeof prelude / sizeof *prelude);
    tcase_add_test(tcase, open_batch_has_its_value);
    tcase_add_test(tcase, documentation_holds);
    tcase_add_loop_test(tcase, programs_take_a_step, 0,
                        sizeof programs / sizeof *programs);
    tcase_add_loop_test(tcase, blocks_change_what_they_say, 0,
                        sizeof changes / sizeof *changes);
    tcase_add_loop_test(tcase, printing_is_stable, 0, sizeof examples / sizeof *examples);
    tcase_add_loop_test(tcase, training_lowers_the_loss, 0,
                        sizeof optimisers / sizeof *optimisers);
    suite_add_tcase(suite, tcase);
    return suite;
}
