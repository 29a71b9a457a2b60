/*
 * Contractions alone, one JSON object a case: {"peer", "case", "threads", "min_s", ...}.
 * Activations are packed within the time; the weights of forward and backward-data beforehand,
 * as a training step's packing of them is shared.  Every case is checked at some of its
 * results before it is timed.
 */
#include "tools/bench_kernels.h"
#include "base/alloc.h"
#include "codegen/backend.h"
#include "ir/build.h"
#include "passes/winograd.h"
#include "tools/version.h"
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

typedef enum CaseKind { CASE_GEMM, CASE_FWD, CASE_BWD_DATA, CASE_BWD_WEIGHTS } CaseKind;

/* A convolution: n images of h x h x c, k filters of r x r; or a product of n x c and c x k. */
typedef struct Case {
    int64_t n, c, h, k, r, stride, pad;
} Case;

static const Case gemms[] = {
    {256, 256, 0, 256}, {512, 512, 0, 512}, {1024, 1024, 0, 1024}, {2048, 2048, 0, 2048},
    {300, 800, 0, 500}, {128, 512, 0, 10},  {784, 300, 0, 300},
};
static const Case convs[] = {
    {32, 3, 32, 64, 3, 1, 1},    {32, 64, 32, 64, 3, 1, 1},  {32, 64, 32, 128, 3, 2, 1},
    {32, 128, 16, 128, 3, 1, 1}, {32, 256, 8, 256, 3, 1, 1}, {32, 512, 4, 512, 3, 1, 1},
    {32, 256, 8, 512, 1, 2, 0},  {300, 1, 28, 20, 5, 1, 0},  {300, 20, 12, 50, 5, 1, 0},
    {128, 1, 28, 32, 3, 1, 0},   {128, 32, 26, 32, 3, 1, 0}, {128, 32, 12, 64, 3, 1, 0},
    {128, 64, 10, 64, 3, 1, 0},  {1, 64, 56, 64, 3, 1, 1},   {1, 256, 14, 256, 3, 1, 1},
    {1, 96, 56, 24, 1, 1, 0},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Graphs */

static Affine axis_form(uint32_t axis) {
    Affine f = {.divisor = 1};
    f.coefficient[axis] = 1;
    return f;
}

static Func *new_group(Arena *arena, Diag *diag) {
    Module *module = module_new(arena, diag);
    module->stage = STAGE_GROUPS;
    return module_func(module, "kernel", FUNC_GROUP);
}

static Func *finish(Func *group, uint32_t axes, const Dim *dims, const AffineMap *a,
                    const AffineMap *b, const AffineMap *out) {
    Builder builder = {group, {0}};
    func_result(group, "out", ROLE_OUTPUT,
                build_contract(&builder, 0, 1, axes, dims, a, b, out), -1);
    return group;
}

static Func *gemm_group(Arena *arena, Diag *diag, const Case *c) {
    Func *g = new_group(arena, diag);
    Dim dims[] = {c->n, c->k, c->c};
    Type x = type_tensor(ELEM_f32, 2, (Dim[]){c->n, c->c});
    Type w = type_tensor(ELEM_f32, 2, (Dim[]){c->c, c->k});
    func_param(g, "x", ROLE_INPUT, x, (Span){0});
    func_param(g, "w", ROLE_INPUT, w, (Span){0});
    AffineMap a = {3, 2, {axis_form(0), axis_form(2)}};
    AffineMap b = {3, 2, {axis_form(2), axis_form(1)}};
    AffineMap out = {3, 2, {axis_form(0), axis_form(1)}};
    return finish(g, 3, dims, &a, &b, &out);
}

/* Axes of a convolution: image, row, column, channel, filter, tap row, tap column. */
enum { AX_N, AX_H, AX_W, AX_C, AX_K, AX_R, AX_S, AX_COUNT };

static Func *conv_group(Arena *arena, Diag *diag, const Case *c, CaseKind kind) {
    Func *g = new_group(arena, diag);
    int64_t o = (c->h + 2 * c->pad - c->r) / c->stride + 1;
    int64_t at = kind == CASE_BWD_DATA ? c->h : o;
    Dim dims[AX_COUNT] = {c->n, at, at, c->c, c->k, c->r, c->r};
    Type image = type_tensor(ELEM_f32, 4, (Dim[]){c->n, c->h, c->h, c->c});
    Type result = type_tensor(ELEM_f32, 4, (Dim[]){c->n, o, o, c->k});
    Type filter = type_tensor(ELEM_f32, 4, (Dim[]){c->r, c->r, c->c, c->k});
    func_param(g, "x", ROLE_INPUT, kind == CASE_BWD_DATA ? result : image, (Span){0});
    func_param(g, "w", ROLE_INPUT, kind == CASE_BWD_WEIGHTS ? result : filter, (Span){0});
    AffineMap x = {AX_COUNT,
                   4,
                   {axis_form(AX_N), axis_form(AX_H), axis_form(AX_W), axis_form(AX_C)}};
    AffineMap y = x,
              w = {AX_COUNT,
                   4,
                   {axis_form(AX_R), axis_form(AX_S), axis_form(AX_C), axis_form(AX_K)}};
    y.dim[3] = axis_form(AX_K);
    AffineMap *moved = kind == CASE_BWD_DATA ? &y : &x;
    for (uint32_t i = 0; i < 2; i++) {
        Affine *f = &moved->dim[1 + i];
        f->coefficient[AX_H + i] = kind == CASE_BWD_DATA ? 1 : c->stride;
        f->coefficient[AX_R + i] = kind == CASE_BWD_DATA ? -1 : 1;
        f->offset = kind == CASE_BWD_DATA ? c->pad : -c->pad;
        f->divisor = kind == CASE_BWD_DATA ? c->stride : 1;
    }
    if (kind == CASE_FWD) return finish(g, AX_COUNT, dims, &x, &w, &y);
    if (kind == CASE_BWD_DATA) return finish(g, AX_COUNT, dims, &y, &w, &x);
    return finish(g, AX_COUNT, dims, &x, &y, &w);
}

/* Memory */

typedef struct Memory {
    Arena *arena;
    float *in[2], *out;
    int64_t in_count[2], out_count;
    char **temp;
} Memory;

static int64_t elements(const Type *type) {
    int64_t count = 1;
    for (uint32_t i = 0; i < type->rank; i++) count *= type->dim[i];
    return count;
}

static void *block_new_bytes(Arena *arena, int64_t bytes) {
    char *block = arena_alloc(arena, (size_t)bytes + 64);
    return block + (64 - (uintptr_t)block % 64) % 64;
}

static Memory memory_new(Arena *arena, const Func *group, const Lowered *lowered) {
    Memory m = {.arena = arena};
    uint32_t seed = 1;
    for (uint32_t i = 0; i < 2; i++) {
        m.in_count[i] = elements(graph_type(group, i));
        m.in[i] = block_new_bytes(arena, 4 * m.in_count[i]);
        for (int64_t k = 0; k < m.in_count[i]; k++) {
            seed = seed * 1664525 + 1013904223;
            m.in[i][k] = (float)(seed >> 8) / (1 << 23) - 1;
        }
    }
    m.out_count = elements(graph_type(group, group->results.at[0]));
    m.out = block_new_bytes(arena, 4 * m.out_count);
    m.temp = arena_array(arena, char *, lowered->temps + 1);
    for (uint32_t i = 0; i < lowered->temps; i++)
        m.temp[i] = block_new_bytes(arena, lowered->temp_bytes[i]);
    return m;
}

/* Launches: pointers of the arguments, then n. */

typedef struct Launch {
    tn_task *task;
    void **args;
    int64_t tasks;
    bool packs_weights;
} Launch;

static int64_t tasks_of(const Kernel *k) {
    return k->tasks->kind == EXPR_INT ? k->tasks->i : 0;
}

static Launch launch_new(const Jit *jit, const LoweredKernel *k, const Memory *m) {
    uint32_t args = k->kernel->args.count;
    Launch l = {jit_kernel(jit, k->kernel->name), NULL, tasks_of(k->kernel), false};
    l.args = arena_array(m->arena, void *, args + 1);
    for (uint32_t i = 0; i < args; i++) {
        Operand o = k->arg[i];
        if (o.kind == OPERAND_PARAM) l.args[i] = m->in[o.index];
        if (o.kind == OPERAND_RESULT) l.args[i] = m->out;
        if (o.kind == OPERAND_TEMP) l.args[i] = m->temp[o.index];
    }
    size_t length = strlen(k->kernel->name);
    l.packs_weights = length > 5 && !strcmp(k->kernel->name + length - 5, "_pack");
    return l;
}

static void run(const Launch *l, const tn_parallel *parallel) {
    if (parallel)
        parallel->run(parallel->context, l->task, l->args, l->tasks);
    else
        l->task(l->args, 0, l->tasks);
}

/* Check: some results in double precision, straight from the maps. */

static double operand_at(const Func *g, uint32_t arg, const AffineMap *map,
                         const float *data, const int64_t *axis) {
    const Type *type = graph_type(g, arg);
    int64_t place = 0;
    for (uint32_t i = 0; i < map->rank; i++) {
        int64_t x = map->dim[i].offset;
        for (uint32_t k = 0; k < map->axes; k++)
            x += map->dim[i].coefficient[k] * axis[k];
        if (x < 0 || x % map->dim[i].divisor) return 0;
        x /= map->dim[i].divisor;
        if (x >= type->dim[i]) return 0;
        place = place * type->dim[i] + x;
    }
    return data[place];
}

static bool result_right(const Func *g, const Memory *m, int64_t place) {
    const Node *n = graph_node(g, g->results.at[0]);
    const Attr *dims = node_attr(n, ATTR_dims);
    const AffineMap *a = node_attr(n, ATTR_a)->map, *b = node_attr(n, ATTR_b)->map;
    const AffineMap *out = node_attr(n, ATTR_out)->map;
    int64_t axis[MAX_AXES] = {0}, rest = place;
    bool outer[MAX_AXES] = {false};
    for (uint32_t i = out->rank; i-- > 0;) {
        uint32_t k = 0;
        affine_is_axis(&out->dim[i], &k);
        outer[k] = true;
        axis[k] = rest % dims->ints[k];
        rest /= dims->ints[k];
    }
    double sum = 0, size = 0;
    for (bool more = true; more;) {
        double p =
            operand_at(g, 0, a, m->in[0], axis) * operand_at(g, 1, b, m->in[1], axis);
        sum += p;
        size += fabs(p);
        more = false;
        for (uint32_t k = 0; k < dims->count && !more; k++) {
            if (outer[k]) continue;
            more = ++axis[k] < dims->ints[k];
            if (!more) axis[k] = 0;
        }
    }
    return fabs(sum - m->out[place]) <= 1e-5 * size + 1e-6;
}

static bool results_right(const Func *g, const Memory *m) {
    enum { SAMPLES = 50 };
    for (int64_t i = 0; i < SAMPLES; i++)
        if (!result_right(g, m, (m->out_count - 1) * i / (SAMPLES - 1))) return false;
    return true;
}

/* The FMA peak of one core: a kernel of independent sums, jitted like the others. */
static Kernel *peak_kernel(Arena *a, const Target *target) {
    enum { CHAINS = 12, ROUNDS = 1 << 16 };
    Kernel *k = kernel_new(a, "peak");
    Buffer *out = buffer_arg(k, a, "out", ELEM_f32, true);
    uint32_t lanes = target_lanes(target);
    Block body = block_new(a), loop = block_new(a);
    const Expr *x =
        block_let(&body, "x", expr_load(a, out, expr_int(a, 0), lanes, 1, NULL));
    const Var *sum[CHAINS];
    for (uint32_t i = 0; i < CHAINS; i++) {
        sum[i] = block_mutable(&body, "s", x);
        block_set(&loop, sum[i], expr_fma(a, x, x, expr_var(a, sum[i])));
    }
    block_for(&body, var_index(a, "i"), expr_int(a, 0), expr_int(a, ROUNDS), 1, 4,
              block_end(&loop));
    for (uint32_t i = 0; i < CHAINS; i++)
        block_store(&body, out, expr_int(a, i * lanes), expr_var(a, sum[i]), 1, NULL);
    k->body = block_end(&body);
    k->flop = 2.0 * CHAINS * ROUNDS * lanes;
    return k;
}

static double measure_peak(Arena *arena, const JitOptions *options, char *message) {
    Kernel *kernel = peak_kernel(arena, options->target);
    Jit *jit;
    if (jit_new_kernels(options, (const Kernel *[]){kernel}, 1, &jit, message)) return 0;
    tn_task *task = jit_kernel(jit, "peak");
    void *args[] = {block_new_bytes(arena, 4096), NULL};
    double best = 1e9;
    for (uint32_t i = 0; i < 200; i++) {
        double start = now();
        task(args, 0, 1);
        double t = now() - start;
        if (t < best) best = t;
    }
    jit_free(jit);
    return kernel->flop / best / 1e9;
}

/* Cases */

typedef struct Bench {
    const KernelBench *options;
    Target target;
    const tn_parallel *parallel;
    double peak; /* of one core, GFLOP/s */
    char *message;
} Bench;

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

typedef struct Result {
    double min, median, first;
    uint32_t calls;
} Result;

static Result time_launches(const Bench *bench, const Launch *launch, uint32_t count,
                            bool weights_packed) {
    enum { MOST = 500 };
    double t[MOST], seconds = bench->options->seconds ? bench->options->seconds : 1.5;
    uint32_t calls = 0;
    for (double start = now(); calls < 5 || (now() - start < seconds && calls < MOST);) {
        double begin = now();
        for (uint32_t i = 0; i < count; i++)
            if (!weights_packed || !launch[i].packs_weights)
                run(&launch[i], bench->parallel);
        t[calls++] = now() - begin;
    }
    qsort(t, calls, sizeof *t, by_value);
    return (Result){.min = t[0], .median = t[calls / 2], .calls = calls};
}

/* FLOP are those of the direct algorithm.  One that takes fewer has the percentage of the
 * peak that a direct one would need, under another name. */
static void print_row(const Bench *b, const char *name, double flop, double bytes,
                      bool fewer, const Result *r) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int threads = b->options->threads;
    double gflops = flop / r->min / 1e9;
    fprintf(
        b->options->out,
        "{\"peer\": \"tenon %s\", \"case\": \"%s\", \"threads\": %d, \"min_s\": %.6g, "
        "\"median_s\": %.6g, \"calls\": %u, \"peak_mb\": %ld, \"first_s\": %.4g, "
        "\"gflops\": %.1f, \"gbs\": %.2f, \"%s\": %.1f}\n",
        version_text(), name, threads, r->min, r->median, r->calls,
        usage.ru_maxrss / 1024, r->first, gflops, bytes / r->min / 1e9,
        fewer ? "nominal_percent_of_peak" : "percent_of_peak",
        100 * gflops / (b->peak * threads));
    fflush(b->options->out);
}

static void print_tile(const Bench *b, Arena *arena, const Func *group,
                       const char *name) {
    Draft draft = {.arena = arena, .target = &b->target, .group = group};
    Text text;
    text_init(&text, arena);
    contract_explain(&draft, group->results.at[0], &text);
    fprintf(b->options->out, "%s: %s\n", name, text.at);
}

static Status time_case(const Bench *b, Arena *arena, const Func *group, const char *name,
                        double flop, CaseKind kind) {
    if (b->options->only && !strstr(name, b->options->only)) return STATUS_OK;
    if (b->options->tiles) {
        print_tile(b, arena, group, name);
        return STATUS_OK;
    }
    Lowered lowered;
    double start = now();
    lower_contract(arena, &b->target, group, &lowered);
    const Kernel **kernels = arena_array(arena, const Kernel *, lowered.kernels);
    for (uint32_t i = 0; i < lowered.kernels; i++) {
        const char *wrong = loop_verify(lowered.kernel[i].kernel, arena);
        if (wrong) bug(arena, "%s: %s", lowered.kernel[i].kernel->name, wrong);
        kernels[i] = tidy(arena, lowered.kernel[i].kernel);
    }
    JitOptions options = {&b->target, NULL, 1};
    Jit *jit;
    Status status = jit_new_kernels(&options, kernels, lowered.kernels, &jit, b->message);
    if (status) return status;
    Memory m = memory_new(arena, group, &lowered);
    Launch *launch = arena_array(arena, Launch, lowered.kernels);
    for (uint32_t i = 0; i < lowered.kernels; i++)
        launch[i] = launch_new(jit, &lowered.kernel[i], &m);
    for (uint32_t i = 0; i < lowered.kernels; i++) run(&launch[i], b->parallel);
    double first = now() - start;
    if (!results_right(group, &m)) {
        jit_free(jit);
        snprintf(b->message, 512, "%s: wrong result", name);
        return STATUS_BUG;
    }
    bool packed = kind == CASE_FWD || kind == CASE_BWD_DATA;
    Result result = time_launches(b, launch, lowered.kernels, packed);
    result.first = first;
    double bytes = 4.0 * (double)(m.in_count[0] + m.in_count[1] + m.out_count);
    bool fewer = winograd_applies(group, group->results.at[0], &b->target, 1);
    print_row(b, name, flop, bytes, fewer, &result);
    jit_free(jit);
    return STATUS_OK;
}

/* A case in an arena of its own. */
static Status run_case(const Bench *b, const Case *c, CaseKind kind) {
    static const char *const word[] = {"gemm", "conv_fwd", "conv_bwd_data",
                                       "conv_bwd_weights"};
    Guard guard;
    Arena arena;
    Diag diag;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) {
        snprintf(b->message, 512, "%s", guard.message);
        arena_free(&arena);
        return guard.status;
    }
    diag_init(&diag, &arena);
    Status status;
    if (kind == CASE_GEMM) {
        const char *name =
            arena_print(&arena, "gemm_%dx%dx%d", (int)c->n, (int)c->k, (int)c->c);
        double flop = 2.0 * (double)(c->n * c->k * c->c);
        status = time_case(b, &arena, gemm_group(&arena, &diag, c), name, flop, kind);
    } else {
        int64_t o = (c->h + 2 * c->pad - c->r) / c->stride + 1;
        const char *name = arena_print(&arena, "%s_n%d_c%d_h%d_k%d_r%d_s%d_p%d",
                                       word[kind], (int)c->n, (int)c->c, (int)c->h,
                                       (int)c->k, (int)c->r, (int)c->stride, (int)c->pad);
        double flop = 2.0 * (double)(c->n * c->k * o * o * c->c * c->r * c->r);
        status =
            time_case(b, &arena, conv_group(&arena, &diag, c, kind), name, flop, kind);
    }
    arena_free(&arena);
    return status;
}

static Status run_cases(const Bench *b) {
    Status worst = STATUS_OK;
    for (size_t i = 0; i < sizeof gemms / sizeof *gemms; i++) {
        Status status = run_case(b, &gemms[i], CASE_GEMM);
        if (status) worst = status, fprintf(stderr, "%s\n", b->message);
    }
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++)
        for (CaseKind kind = CASE_FWD; kind <= CASE_BWD_WEIGHTS; kind++) {
            Status status = run_case(b, &convs[i], kind);
            if (status) worst = status, fprintf(stderr, "%s\n", b->message);
        }
    return worst;
}

Status bench_kernels(const KernelBench *options, char *message) {
    Bench bench = {.options = options, .message = message};
    Status status = target_find(options->cpu, &bench.target);
    if (status) return status;
    if (options->no_winograd) bench.target.winograd = WINOGRAD_NEVER;
    Guard guard;
    Arena arena;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) {
        arena_free(&arena);
        return guard.status;
    }
    JitOptions jit = {&bench.target, NULL, 1};
    bench.peak = measure_peak(&arena, &jit, message);
    arena_free(&arena);
    if (!bench.peak) return STATUS_SYSTEM;
    tn_pool *pool = options->threads > 1 ? tn_pool_new(options->threads) : NULL;
    tn_parallel parallel = {0};
    if (pool) {
        parallel = tn_pool_parallel(pool);
        bench.parallel = &parallel;
    }
    status = run_cases(&bench);
    tn_pool_free(pool);
    return status;
}
