/*
 * Contractions against the evaluator: convolutions, their gradients and products over a grid
 * of strides, dilations, paddings, groups and channel counts, lowered for two kinds of
 * processor.  Operands are small whole numbers, so every sum is exact in any order; but for
 * Winograd's tiles, whose weights are multiplied by thirds.
 */
#include "codegen/backend.h"
#include "ir/build.h"
#include "ir/eval.h"
#include "passes/contract.h"
#include "passes/pass.h"
#include "tests/fixture.h"
#include <check.h>
#include <math.h>

/* The two processors; the larger is lowered for even where it cannot run. */
static Target target_of(bool wide) {
    return (Target){.cpu = "x86-64-v3",
                    .vector_bytes = wide ? 64 : 32,
                    .registers = wide ? 32 : 16,
                    .l1_bytes = 32 << 10,
                    .l2_bytes = 512 << 10};
}

/* Groups to lower */

typedef enum Kind { FORWARD, BACK_DATA, BACK_WEIGHTS, KINDS } Kind;

/* Axes: image, row, column, group, channel, filter, tap row, tap column. */
enum { AX_N, AX_H, AX_W, AX_G, AX_C, AX_K, AX_R, AX_S, AX_COUNT };

typedef struct Conv {
    int64_t n, h, w, c, k, r, stride, dilation, pad, groups; /* c, k: of a group */
    Elem x, result;
    bool symbolic, epilogue;
} Conv;

static int64_t output_of(const Conv *c, int64_t size) {
    return (size + 2 * c->pad - c->dilation * (c->r - 1) - 1) / c->stride + 1;
}

static Affine axis_form(uint32_t axis) {
    Affine f = {.divisor = 1};
    f.coefficient[axis] = 1;
    return f;
}

/* relu(result + bias) * scale, where `epilogue`: values of the same, of fewer, of no axes. */
static Val add_epilogue(Builder *b, Val y, Val bias) {
    const Type *type = graph_type(b->func, y);
    int64_t last = type->rank - 1;
    Val wide = build_broadcast(b, bias, type, &last);
    Val sum = build_add(b, y, wide);
    return build_mul(b, build_max(b, build_fill(b, type, 0), sum),
                     build_fill(b, type, 2));
}

/* The maps of a convolution: of the image, of the filtered, of the weights. */
typedef struct ConvMaps {
    AffineMap x, y, w;
} ConvMaps;

static ConvMaps conv_maps(const Conv *c, bool back) {
    ConvMaps m = {
        .x = {AX_COUNT,
              4,
              {axis_form(AX_N), axis_form(AX_H), axis_form(AX_W), axis_form(AX_C)}},
        .y = {AX_COUNT,
              4,
              {axis_form(AX_N), axis_form(AX_H), axis_form(AX_W), axis_form(AX_K)}},
        .w = {AX_COUNT,
              5,
              {axis_form(AX_G), axis_form(AX_R), axis_form(AX_S), axis_form(AX_C),
               axis_form(AX_K)}}};
    AffineMap *moved = back ? &m.y : &m.x;
    for (uint32_t i = 0; i < 2; i++) {
        Affine *f = &moved->dim[1 + i];
        f->coefficient[AX_H + i] = back ? 1 : c->stride;
        f->coefficient[AX_R + i] = back ? -c->dilation : c->dilation;
        f->offset = back ? c->pad : -c->pad;
        f->divisor = back ? c->stride : 1;
    }
    m.x.dim[3].coefficient[AX_G] = c->c;
    m.y.dim[3].coefficient[AX_G] = c->k;
    return m;
}

/* Parameters `a` and `b`, two of image, filtered and weights; `bias` where it is used. */
static void conv_params(Func *g, const Conv *c, Kind kind, Dim n) {
    int64_t oh = output_of(c, c->h), ow = output_of(c, c->w);
    Dim x_dim[] = {n, c->h, c->w, c->groups * c->c},
        y_dim[] = {n, oh, ow, c->groups * c->k};
    Dim w_dim[] = {c->groups, c->r, c->r, c->c, c->k};
    Type x = type_tensor(c->x, 4, x_dim), y = type_tensor(c->x, 4, y_dim);
    Type w = type_tensor(c->result, 5, w_dim);
    func_param(g, "a", ROLE_INPUT, kind == BACK_DATA ? y : x, (Span){0});
    y.elem = c->result;
    func_param(g, "b", ROLE_INPUT, kind == BACK_WEIGHTS ? y : w, (Span){0});
    Dim count = kind == BACK_DATA ? c->c : c->k;
    if (c->epilogue)
        func_param(g, "bias", ROLE_INPUT, type_tensor(c->result, 1, &count), (Span){0});
}

static Func *conv_group(const Conv *c, Kind kind) {
    Module *module = module_new(&arena, &diag);
    module->stage = STAGE_GROUPS;
    Func *g = module_func(module, "g", FUNC_GROUP);
    Dim n = c->symbolic ? dim_symbol(&module->dims, "N", c->n + 2) : c->n;
    const bool back = kind == BACK_DATA, weights = kind == BACK_WEIGHTS;
    Dim dims[AX_COUNT] = {n,
                          back ? c->h : output_of(c, c->h),
                          back ? c->w : output_of(c, c->w),
                          c->groups,
                          c->c,
                          c->k,
                          c->r,
                          c->r};
    conv_params(g, c, kind, n);
    ConvMaps m = conv_maps(c, back);
    /* Results have an axis a form: groups and channels apart. */
    AffineMap out = {AX_COUNT,
                     5,
                     {axis_form(AX_N), axis_form(AX_H), axis_form(AX_W), axis_form(AX_G),
                      axis_form(back ? AX_C : AX_K)}};
    Builder builder = {g, {0}};
    Val v = build_contract(&builder, 0, 1, AX_COUNT, dims, back ? &m.y : &m.x,
                           weights ? &m.y : &m.w, weights ? &m.w : &out);
    if (c->epilogue) v = add_epilogue(&builder, v, 2);
    func_result(g, "out", ROLE_OUTPUT, v, -1);
    return g;
}

/* Memory */

static void write_elements(const Array *array, void *memory) {
    for (int64_t i = 0; i < array_count(array); i++) {
        if (array->elem == ELEM_u8) ((uint8_t *)memory)[i] = (uint8_t)array->at[i];
        if (array->elem == ELEM_f32) ((float *)memory)[i] = (float)array->at[i];
        if (array->elem == ELEM_f64) ((double *)memory)[i] = array->at[i];
    }
}

static void *block_of(int64_t bytes) {
    char *block = arena_alloc(&arena, (size_t)bytes + 64);
    return block + (64 - (uintptr_t)block % 64) % 64;
}

typedef struct Run {
    const Func *group;
    Lowered lowered;
    Array args[3], expected;
    void *in[3], *out, **temp;
    int64_t n;
    bool winograd;
} Run;

static bool is_winograd(const Func *group, const Target *target) {
    Draft draft = {.arena = &arena, .target = target, .group = group};
    Text text;
    text_init(&text, &arena);
    for (Val v = 0; v < group->nodes.count; v++)
        if (graph_node(group, v)->op == OP_contract) contract_explain(&draft, v, &text);
    return strstr(text.at, "winograd") != NULL;
}

static Run run_new(const Func *group, const Target *target, int64_t n) {
    Run r = {.group = group, .n = n};
    uint32_t seed = 7;
    for (uint32_t i = 0; i < group->params.count; i++) {
        const Type *type = &group->params.at[i].type;
        int64_t dim[MAX_RANK];
        for (uint32_t k = 0; k < type->rank; k++)
            dim[k] = dim_value(&group->module->dims, type->dim[k], &n);
        r.args[i] = array_new(&arena, type->elem, type->rank, dim);
        for (int64_t k = 0; k < array_count(&r.args[i]); k++) {
            seed = seed * 1664525 + 1013904223;
            double x = (double)(seed >> 29);
            r.args[i].at[k] = type->elem == ELEM_u8 ? x : x - 3;
        }
        r.in[i] = block_of(8 * array_count(&r.args[i]));
        write_elements(&r.args[i], r.in[i]);
    }
    eval_func(group, r.args, &n, &arena, &r.expected);
    r.out = block_of(8 * array_count(&r.expected));
    lower_contract(&arena, target, group, &r.lowered);
    r.winograd = is_winograd(group, target);
    r.temp = arena_array(&arena, void *, r.lowered.temps + 1);
    for (uint32_t i = 0; i < r.lowered.temps; i++)
        r.temp[i] = block_of(r.lowered.temp_bytes[i]);
    return r;
}

static void **arguments(const Run *r, const LoweredKernel *k) {
    void **args = arena_array(&arena, void *, k->kernel->args.count + 1);
    for (uint32_t i = 0; i < k->kernel->args.count; i++) {
        Operand o = k->arg[i];
        if (o.kind == OPERAND_PARAM) args[i] = r->in[o.index];
        if (o.kind == OPERAND_RESULT) args[i] = r->out;
        if (o.kind == OPERAND_TEMP) args[i] = r->temp[o.index];
    }
    memcpy(&args[k->kernel->args.count], &r->n, sizeof r->n);
    return args;
}

/* The number of tasks: of index arithmetic over n. */
static int64_t index_value(const Expr *e, int64_t n) {
    if (e->kind == EXPR_INT) return e->i;
    if (e->kind == EXPR_VAR) return n;
    ck_assert_int_eq(e->kind, EXPR_SCALAR);
    int64_t x = index_value(e->arg[0], n), y = index_value(e->arg[1], n);
    if (e->op == OP_add) return x + y;
    if (e->op == OP_sub) return x - y;
    if (e->op == OP_mul) return x * y;
    if (e->op == OP_min) return x < y ? x : y;
    ck_assert_int_eq(e->op, OP_div);
    return x / y;
}

/* Winograd's tiles: the largest error in units of the results' root mean square. */
#define WINOGRAD_ERROR 3e-5

static void compare_nearly(const Run *r, const char *what) {
    double squares = 0;
    int64_t count = array_count(&r->expected);
    for (int64_t i = 0; i < count; i++) squares += r->expected.at[i] * r->expected.at[i];
    double most = WINOGRAD_ERROR * sqrt(squares / (double)count);
    for (int64_t i = 0; i < count; i++) {
        double x = ((float *)r->out)[i], wrong = fabs(x - r->expected.at[i]);
        ck_assert_msg(wrong <= most, "%s: element %ld is %g, not %g: more than %g", what,
                      (long)i, x, r->expected.at[i], most);
    }
}

static void compare(const Run *r, const char *what) {
    if (r->winograd) {
        compare_nearly(r, what);
        return;
    }
    for (int64_t i = 0; i < array_count(&r->expected); i++) {
        double x =
            r->expected.elem == ELEM_f64 ? ((double *)r->out)[i] : ((float *)r->out)[i];
        ck_assert_msg(x == r->expected.at[i], "%s: element %ld is %g, not %g", what,
                      (long)i, x, r->expected.at[i]);
    }
}

static void check_by_reading(const Func *group, const Target *target, int64_t n,
                             const char *what) {
    Run r = run_new(group, target, n);
    for (uint32_t i = 0; i < r.lowered.kernels; i++) {
        const Kernel *k = r.lowered.kernel[i].kernel;
        const char *wrong = loop_verify(k, &arena);
        ck_assert_msg(!wrong, "%s: %s", what, wrong);
        loop_eval(k, arguments(&r, &r.lowered.kernel[i]), n, 0, index_value(k->tasks, n),
                  &arena);
    }
    compare(&r, what);
}

static const struct { int64_t c, k; } channels[] = {{3, 5}, {1, 20}, {4, 1}, {16, 33}};

/* One channel count, kind and target a test; strides, dilations, paddings, groups inside. */
START_TEST(convolutions_of_any_form) {
    Kind kind = _i % KINDS;
    bool wide = _i / KINDS % 2;
    Target target = target_of(wide);
    int64_t c = channels[_i / (2 * KINDS)].c, k = channels[_i / (2 * KINDS)].k;
    for (int64_t form = 0; form < 36; form++) {
        Conv conv = {.n = 2, .h = 6, .w = 7, .c = c, .k = k, .r = 1 + form % 3};
        conv.stride = 1 + form / 3 % 3;
        conv.pad = form / 9 % 2 * (1 + form % 2);
        conv.dilation = 1 + form / 18 % 2;
        conv.groups = 1 + (form + c) % 5 / 4;
        conv.x = conv.result = ELEM_f32;
        if (output_of(&conv, conv.h) < 1) continue;
        const char *what = arena_print(
            &arena,
            "kind %d wide %d c %d k %d r %d stride %d pad %d dilation %d groups %d", kind,
            wide, (int)c, (int)k, (int)conv.r, (int)conv.stride, (int)conv.pad,
            (int)conv.dilation, (int)conv.groups);
        check_by_reading(conv_group(&conv, kind), &target, 0, what);
    }
}
END_TEST

/* Forms that the grid has not: element types, a run-time N, epilogues, many images. */
static const Conv special[] = {
    {2, 5, 5, 3, 4, 3, 1, 1, 1, 1, ELEM_u8, ELEM_f32},
    {2, 5, 5, 3, 4, 3, 1, 1, 1, 1, ELEM_f64, ELEM_f64},
    {3, 5, 5, 2, 17, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, true, true},
    {3, 6, 6, 8, 8, 3, 2, 1, 1, 1, ELEM_f32, ELEM_f32, true},
    {19, 3, 3, 8, 9, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, false, true},
    {35, 4, 4, 4, 16, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, true, true},
    {3, 1, 2, 9, 5, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32},
    {40, 12, 12, 2, 3, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, true, true},
    {40, 12, 12, 1, 4, 5, 1, 1, 0, 1, ELEM_f32, ELEM_f32, true, true},
    {2, 4, 4, 1, 1, 3, 1, 1, 1, 6, ELEM_f32, ELEM_f32, true, true}, /* depthwise */
    {2, 5, 4, 1, 1, 3, 2, 1, 1, 37, ELEM_f32, ELEM_f32, true},      /* depthwise */
    {2, 5, 4, 1, 2, 3, 1, 1, 1, 19, ELEM_f64, ELEM_f64},
};

START_TEST(convolutions_of_special_forms) {
    Conv conv = special[_i / (2 * KINDS)];
    Kind kind = _i % KINDS;
    Target target = target_of(_i / KINDS % 2);
    check_by_reading(conv_group(&conv, kind), &target, conv.n,
                     arena_print(&arena, "special %d", _i));
}
END_TEST

/* Products */

typedef struct Product {
    int64_t batch, m, n, k;
    bool a_turned, b_turned, symbolic, epilogue;
} Product;

static const Product products[] = {
    {1, 1, 1, 1},
    {1, 7, 9, 5},
    {1, 33, 70, 41, true},
    {1, 33, 70, 41, false, true},
    {1, 64, 1, 100},
    {1, 1, 40, 90, false, false, false, true},
    {3, 13, 20, 300},
    {2, 20, 33, 17, true, true},
    {1, 10, 12, 6000, true, false, true},
    {1, 13, 34, 4999, true},
    {4, 5, 6, 7, false, false, true, true},
    {1, 130, 300, 20, false, false, true, true},
};

static Func *product_group(const Product *p) {
    Module *module = module_new(&arena, &diag);
    module->stage = STAGE_GROUPS;
    Func *g = module_func(module, "g", FUNC_GROUP);
    /* The run-time dimension is the outermost of what it is in. */
    Dim batch = p->batch, m = p->m, k = p->k;
    if (p->symbolic) {
        Dim *which = p->batch > 1 ? &batch : p->a_turned ? &k : &m;
        *which = dim_symbol(&module->dims, "N", *which + 1);
    }
    bool batched = p->batch > 1;
    enum { AX_B, AX_M, AX_N2, AX_K2 };
    Dim dims[] = {batch, m, p->n, k};
    uint32_t a_axis[] = {AX_B, p->a_turned ? AX_K2 : AX_M, p->a_turned ? AX_M : AX_K2};
    uint32_t b_axis[] = {AX_B, p->b_turned ? AX_N2 : AX_K2, p->b_turned ? AX_K2 : AX_N2};
    uint32_t out_axis[] = {AX_B, AX_M, AX_N2};
    AffineMap map[3];
    const uint32_t *axes[] = {a_axis, b_axis, out_axis};
    for (uint32_t i = 0; i < 3; i++) {
        map[i] = (AffineMap){4, batched ? 3 : 2, {{{0}}}};
        Dim dim[3];
        for (uint32_t j = 0; j < map[i].rank; j++) {
            uint32_t axis = axes[i][j + !batched];
            map[i].dim[j] = axis_form(axis);
            dim[j] = dims[axis];
        }
        Type type = type_tensor(ELEM_f32, map[i].rank, dim);
        if (i < 2) func_param(g, i ? "b" : "a", ROLE_INPUT, type, (Span){0});
    }
    Val bias = NO_VAL;
    Builder b = {g, {0}};
    if (p->epilogue)
        bias =
            func_param(g, "bias", ROLE_INPUT, type_tensor(ELEM_f32, 1, &p->n), (Span){0});
    Val v = build_contract(&b, 0, 1, 4, dims, &map[0], &map[1], &map[2]);
    if (p->epilogue) v = add_epilogue(&b, v, bias);
    func_result(g, "out", ROLE_OUTPUT, v, -1);
    return g;
}

static int64_t product_n(const Product *p) {
    return p->batch > 1 ? p->batch : p->a_turned ? p->k : p->m;
}

START_TEST(products_of_any_form) {
    const Product *p = &products[_i / 2];
    Target target = target_of(_i % 2);
    check_by_reading(product_group(p), &target, product_n(p),
                     arena_print(&arena, "product %d", _i / 2));
}
END_TEST

/* Compiled, on 1 to 8 threads */

static void check_compiled(const Func *group, int64_t n, const Target *target,
                           const char *what) {
    char message[512] = "";
    void *first = NULL;
    Run r = run_new(group, target, n);
    const Kernel **kernels = arena_array(&arena, const Kernel *, r.lowered.kernels);
    for (uint32_t i = 0; i < r.lowered.kernels; i++)
        kernels[i] = r.lowered.kernel[i].kernel;
    JitOptions options = {target, NULL, 1};
    Jit *jit;
    Status status = jit_new_kernels(&options, kernels, r.lowered.kernels, &jit, message);
    ck_assert_msg(status == STATUS_OK, "%s: %s", what, message);
    for (int threads = 1; threads <= 8; threads++) {
        tn_pool *pool = tn_pool_new(threads);
        ck_assert(pool);
        tn_parallel parallel = tn_pool_parallel(pool);
        memset(r.out, 0, 4 * (size_t)array_count(&r.expected));
        for (uint32_t i = 0; i < r.lowered.kernels; i++)
            parallel.run(parallel.context, jit_kernel(jit, kernels[i]->name),
                         arguments(&r, &r.lowered.kernel[i]),
                         index_value(kernels[i]->tasks, n));
        tn_pool_free(pool);
        compare(&r, what);
        size_t bytes = 4 * (size_t)array_count(&r.expected);
        if (!first) first = arena_copy(&arena, r.out, bytes);
        ck_assert_mem_eq(r.out, first, bytes);
    }
    jit_free(jit);
}

/* Sizes at which panels, chunks, blocks and splits all end somewhere inside. */
static const Conv compiled[] = {
    {5, 13, 13, 20, 50, 5, 1, 1, 0, 1, ELEM_f32, ELEM_f32, false, true},
    {7, 16, 16, 32, 40, 3, 2, 1, 1, 1, ELEM_f32, ELEM_f32, true, false},
    {33, 4, 4, 64, 72, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, false, false},
    {20, 28, 28, 1, 20, 5, 1, 1, 0, 1, ELEM_f32, ELEM_f32, true, true},
    {11, 23, 29, 10, 34, 1, 1, 1, 0, 1, ELEM_f32, ELEM_f32, false, false},
};

START_TEST(compiled_convolutions) {
    const Conv *c = &compiled[_i / 6];
    Target target;
    ck_assert_int_eq(target_find(_i / 3 % 2 ? "x86-64-v3" : NULL, &target), STATUS_OK);
    target.winograd = WINOGRAD_NEVER;
    check_compiled(conv_group(c, _i % 3), c->n, &target,
                   arena_print(&arena, "convolution %d kind %d", _i / 6, _i % 3));
}
END_TEST

static uint32_t count_prefetches(const Func *group, const Target *target) {
    Lowered lowered;
    Text text;
    lower_contract(&arena, target, group, &lowered);
    text_init(&text, &arena);
    for (uint32_t i = 0; i < lowered.kernels; i++)
        loop_print(lowered.kernel[i].kernel, &text);
    uint32_t count = 0;
    for (const char *at = text.at; (at = strstr(at, "prefetch ")); at++) count++;
    return count;
}

/* Tasks for the taps, and one for all of them; with and without edges. */
static const Conv split[] = {
    {60, 12, 12, 3, 40, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, false, false},
    {61, 16, 11, 10, 16, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, false, false},
    {59, 13, 15, 1, 32, 3, 1, 1, 0, 1, ELEM_f32, ELEM_f32, false, true},
};

START_TEST(split_sums_fetch_ahead) {
    Target target;
    ck_assert_int_eq(target_find("x86-64-v3", &target), STATUS_OK);
    target.winograd = WINOGRAD_NEVER;
    const Func *group = conv_group(&split[_i], BACK_WEIGHTS);
    target.l2_bytes = 64 << 20; /* all of B: nothing to wait for */
    ck_assert_uint_eq(count_prefetches(group, &target), 0);
    target.l2_bytes = 64 << 10;
    ck_assert_uint_ge(count_prefetches(group, &target), 1);
    check_compiled(group, split[_i].n, &target, arena_print(&arena, "split %d", _i));
}
END_TEST

/* Winograd's tiles */

/* Sizes, paddings and channels that end inside of tiles, vectors, panels and blocks. */
static const Conv tiled[] = {
    {2, 6, 7, 16, 16, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32},
    {3, 8, 4, 17, 20, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, true, true},
    {2, 9, 11, 24, 33, 3, 1, 1, 0, 1, ELEM_f32, ELEM_f32, false, true},
    {1, 3, 13, 40, 16, 3, 1, 1, 2, 1, ELEM_f32, ELEM_f32},
    {5, 4, 5, 5, 50, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, true, false},
    {1, 12, 6, 19, 18, 3, 1, 1, 0, 1, ELEM_f32, ELEM_f32, false, true},
    {2, 10, 10, 16, 8, 3, 1, 1, 1, 1, ELEM_u8, ELEM_f32},
};

START_TEST(tiled_convolutions) {
    const Conv *c = &tiled[_i / 12];
    Kind kind = _i % KINDS;
    Target target = target_of(_i / 3 % 2);
    target.winograd = WINOGRAD_WHERE_POSSIBLE;
    /* Too small for a task's own tiles. */
    if (_i / 6 % 2 && kind != BACK_WEIGHTS) target.l2_bytes = 32 << 10;
    const char *what = arena_print(&arena, "tiled %d kind %d", _i / 12, kind);
    const Func *group = conv_group(c, kind);
    ck_assert_msg(is_winograd(group, &target), "%s: not by tiles", what);
    check_by_reading(group, &target, c->n, what);
}
END_TEST

/* What has another form than three taps a step apart, or does not pay, is direct. */
static const Conv untiled[] = {
    {8, 16, 16, 32, 32, 3, 2, 1, 1, 1, ELEM_f32, ELEM_f32},
    {8, 16, 16, 32, 32, 3, 1, 2, 1, 1, ELEM_f32, ELEM_f32},
    {8, 16, 16, 32, 32, 5, 1, 1, 1, 1, ELEM_f32, ELEM_f32},
    {8, 16, 16, 32, 32, 1, 1, 1, 0, 1, ELEM_f32, ELEM_f32},
    {8, 16, 16, 32, 32, 3, 1, 1, 1, 2, ELEM_f32, ELEM_f32},
    {8, 16, 16, 8, 32, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32},
    {8, 16, 16, 32, 8, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32},
    {1, 4, 4, 64, 64, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32},
    {8, 16, 16, 32, 32, 3, 1, 1, 1, 1, ELEM_f64, ELEM_f64},
};

START_TEST(other_convolutions_are_direct) {
    Target target = target_of(_i % 2);
    target.winograd = WINOGRAD_WHERE_FASTER;
    for (Kind kind = FORWARD; kind < KINDS; kind++)
        ck_assert(!is_winograd(conv_group(&untiled[_i / 2], kind), &target));
}
END_TEST

/* Several tasks, the last one partial; with V of a task and apart. */
static const Conv compiled_tiles[] = {
    {17, 9, 14, 24, 20, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, true, true},
    {5, 14, 14, 32, 36, 3, 1, 1, 0, 1, ELEM_f32, ELEM_f32, false, false},
    {3, 8, 8, 272, 17, 3, 1, 1, 1, 1, ELEM_f32, ELEM_f32, false, true},
};

START_TEST(compiled_tiled_convolutions) {
    const Conv *c = &compiled_tiles[_i / 12];
    Kind kind = _i % KINDS;
    Target target;
    ck_assert_int_eq(target_find(_i / 3 % 2 ? "x86-64-v3" : NULL, &target), STATUS_OK);
    target.winograd = WINOGRAD_WHERE_POSSIBLE;
    if (_i / 6 % 2) target.l2_bytes = kind == BACK_WEIGHTS ? 256 << 10 : 64 << 10;
    const Func *group = conv_group(c, kind);
    ck_assert(is_winograd(group, &target));
    check_compiled(group, c->n, &target,
                   arena_print(&arena, "compiled tiled %d kind %d", _i / 12, kind));
}
END_TEST

Suite *suite_contract(void);
Suite *suite_contract(void) {
    Suite *suite = suite_create("contract");
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, fixture_open, fixture_close);
    tcase_add_loop_test(cases, convolutions_of_any_form, 0, 4 * 2 * KINDS);
    tcase_add_loop_test(cases, convolutions_of_special_forms, 0,
                        sizeof special / sizeof *special * 2 * KINDS);
    tcase_add_loop_test(cases, products_of_any_form, 0,
                        sizeof products / sizeof *products * 2);
    tcase_add_loop_test(cases, compiled_convolutions, 0,
                        sizeof compiled / sizeof *compiled * 6);
    tcase_add_loop_test(cases, split_sums_fetch_ahead, 0, sizeof split / sizeof *split);
    tcase_add_loop_test(cases, tiled_convolutions, 0, sizeof tiled / sizeof *tiled * 12);
    tcase_add_loop_test(cases, other_convolutions_are_direct, 0,
                        sizeof untiled / sizeof *untiled * 2);
    tcase_add_loop_test(cases, compiled_tiled_convolutions, 0,
                        sizeof compiled_tiles / sizeof *compiled_tiles * 12);
    suite_add_tcase(suite, cases);
    return suite;
}
