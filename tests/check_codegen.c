/* Kernels compiled and run, against loop_eval: every scalar row, cast, reduction, load, store
 * and statement, for the host and for machines with fewer instructions. */
#include "codegen/backend.h"
#include "ir/scalar.h"
#include "tests/fixture.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static Target target;

static const char *const cpus[] = {NULL, "x86-64-v3", "x86-64-v2"};
enum { CPUS = sizeof cpus / sizeof *cpus };

static void start(void) {
    fixture_open();
    ck_assert_int_eq(target_find(NULL, &target), STATUS_OK);
}

static void use_cpu(int i) {
    uint32_t widest = target.vector_bytes;
    ck_assert_int_eq(target_find(cpus[i], &target), STATUS_OK);
    if (target.vector_bytes > widest) target_find(NULL, &target);
}

static Jit *compile(const Kernel *const *kernels, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const char *wrong = loop_verify(kernels[i], &arena);
        ck_assert_msg(!wrong, "%s", wrong);
    }
    JitOptions options = {.target = &target, .threads = 2};
    char message[512] = "";
    Jit *jit;
    Status status = jit_new_kernels(&options, kernels, count, &jit, message);
    ck_assert_msg(status == STATUS_OK, "%s", message);
    return jit;
}

static Kernel *parse(const char *text) {
    Kernel *k = loop_parse(&arena, &diag, diag_source(&diag, "test", text, strlen(text)));
    if (!k) ck_abort_msg("%s\n%s", diag.messages.at[0].text, text);
    return k;
}

/* Memory of the kernels' arguments: the same start for both ways of running. */
enum { ARGS_MAX = 10, ARG_BYTES = 1 << 15 };
typedef struct Memory {
    void *arg[ARGS_MAX + 1]; /* the last place a kernel reads is n */
} Memory;

static double random_value(Elem elem, uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    uint32_t r = (uint32_t)(*state >> 33);
    static const double odd[] = {0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 0.5, -2.5};
    switch (elem) {
    case ELEM_bool: return r & 1;
    case ELEM_u8: return r % 3 ? r >> 8 & 255 : r >> 8 & 3;
    case ELEM_i32:
        if (r % 16 == 0) return INT32_MIN;
        return r % 3 ? (int32_t)(r << 1) : (int32_t)(r >> 8 & 7) - 3;
    case ELEM_f32:
    case ELEM_f64:
        if (r % 8 == 0) return odd[(r >> 8) % (sizeof odd / sizeof *odd)];
        return (float)(((int32_t)(r << 1) >> 8) * 0x1p-19);
    case ELEM_COUNT: break;
    }
    return 0;
}

static void store(void *at, Elem elem, size_t i, double x) {
    switch (elem) {
    case ELEM_bool:
    case ELEM_u8: ((uint8_t *)at)[i] = (uint8_t)x; return;
    case ELEM_i32: ((int32_t *)at)[i] = (int32_t)x; return;
    case ELEM_f32: ((float *)at)[i] = (float)x; return;
    case ELEM_f64: ((double *)at)[i] = x; return;
    case ELEM_COUNT: return;
    }
}

static double load(const void *at, Elem elem, size_t i) {
    switch (elem) {
    case ELEM_bool:
    case ELEM_u8: return ((const uint8_t *)at)[i];
    case ELEM_i32: return ((const int32_t *)at)[i];
    case ELEM_f32: return ((const float *)at)[i];
    case ELEM_f64: return ((const double *)at)[i];
    case ELEM_COUNT: break;
    }
    return 0;
}

static _Alignas(64) char places[2][ARGS_MAX][ARG_BYTES];

static Memory memory_fill(const Kernel *k, int which) {
    Memory memory = {{0}};
    uint64_t state = 1;
    for (uint32_t i = 0; i < k->args.count; i++) {
        Elem elem = k->args.at[i]->elem;
        memory.arg[i] = places[which][i];
        for (size_t j = 0; j < ARG_BYTES / elem_bytes(elem); j++)
            store(memory.arg[i], elem, j, random_value(elem, &state));
    }
    return memory;
}

/* Equal numbers, both NaN, or within the bound that check_math.c tests. */
static bool is_same(double a, double b, double tolerance) {
    if (a == b || (isnan(a) && isnan(b))) return true;
    return fabs(a - b) <= tolerance * fmax(fabs(a), fabs(b));
}

/* Runs `kernel` both ways on equal memory; all that it may have written is compared. */
static void check_kernel(const Kernel *kernel, tn_task *task, int64_t n, int64_t tasks,
                         double tolerance) {
    ArenaMark mark = arena_mark(&arena);
    Memory got = memory_fill(kernel, 0), wanted = memory_fill(kernel, 1);
    got.arg[kernel->args.count] = (void *)(intptr_t)n;
    task(got.arg, 0, tasks);
    loop_eval(kernel, wanted.arg, n, 0, tasks, &arena);
    for (uint32_t i = 0; i < kernel->args.count; i++) {
        Elem elem = kernel->args.at[i]->elem;
        for (size_t j = 0; j < ARG_BYTES / elem_bytes(elem); j++) {
            double a = load(got.arg[i], elem, j), b = load(wanted.arg[i], elem, j);
            if (is_same(a, b, tolerance))
                continue; /* an assertion writes a file each time */
            ck_abort_msg("%s: %s[%zu] = %a, not %a (n = %d, %s)", kernel->name,
                         kernel->args.at[i]->name, j, a, b, (int)n, target.cpu);
        }
    }
    arena_release(&arena, mark);
}

static void check_text(const char *text, int64_t n, int64_t tasks) {
    const Kernel *kernel = parse(text);
    Jit *jit = compile(&kernel, 1);
    check_kernel(kernel, jit_kernel(jit, kernel->name), n, tasks, 0);
    jit_free(jit);
}

START_TEST(equal_kernels_are_compiled_once) {
    const char *a = "kernel @a(x: f32*, y: out f32*) tasks 1 {\n  y[0] = x[0]\n}\n";
    const char *b = "kernel @b(in: f32*, z: out f32*) tasks 1 {\n  z[0] = in[0]\n}\n";
    const char *c = "kernel @c(x: f32*, y: out f32*) tasks 1 {\n  y[0] = x[1]\n}\n";
    const Kernel *kernels[] = {parse(a), parse(b), parse(c)};
    Jit *jit = compile(kernels, 3);
    ck_assert(jit_kernel(jit, "a") && jit_kernel(jit, "c"));
    ck_assert(jit_kernel(jit, "a") == jit_kernel(jit, "b"));
    ck_assert(jit_kernel(jit, "a") != jit_kernel(jit, "c"));
    ck_assert_ptr_null(jit_kernel(jit, "d"));
    jit_free(jit);
}
END_TEST

static bool row_takes(Op op, Elem elem) {
    switch (scalar_info(op).class) {
    case SCALAR_F: return elem_is_float(elem);
    case SCALAR_N: return elem != ELEM_bool;
    case SCALAR_C: return true;
    case SCALAR_B: return elem == ELEM_bool;
    case SCALAR_NONE: break;
    }
    return false;
}

enum { POINTS = 96 };

/* For every row of `elem`: a stretch of results, `lanes` at a time. */
static Kernel *rows_kernel(Elem elem, uint32_t lanes, bool exact) {
    Kernel *k =
        kernel_new(&arena, arena_print(&arena, "%s_%s_%u", exact ? "exact" : "near",
                                       elem_name(elem), lanes));
    Buffer *x = buffer_arg(k, &arena, "x", elem, false);
    Buffer *y = buffer_arg(k, &arena, "y", elem, false);
    Buffer *z = buffer_arg(k, &arena, "z", elem, true);
    Buffer *truth = buffer_arg(k, &arena, "truth", ELEM_bool, true);
    Block b = block_new(&arena);
    const Expr *at = expr_mul(&arena, expr_var(&arena, k->task), lanes);
    const Expr *left = block_let(&b, "a", expr_load(&arena, x, at, lanes, 1, NULL));
    const Expr *right = block_let(&b, "b", expr_load(&arena, y, at, lanes, 1, NULL));
    int64_t row = 0;
    for (int op = 0; op < OP_COUNT; op++) {
        ScalarInfo info = scalar_info((Op)op);
        bool inexact = info.class == SCALAR_F && op != OP_floor && op != OP_round &&
                       op != OP_sqrt && op != OP_rsqrt;
        if (!row_takes((Op)op, elem) || inexact == exact) continue;
        const Expr *e = expr_scalar(&arena, (Op)op, left, info.args > 1 ? right : NULL);
        const Expr *to = expr_add(&arena, at, expr_int(&arena, POINTS * row++));
        block_store(&b, e->elem == elem ? z : truth, to, e, 1, NULL);
    }
    k->body = block_end(&b);
    return k;
}

static const uint32_t lane_counts[] = {1, 3, 8, 16};
enum { LANE_COUNTS = sizeof lane_counts / sizeof *lane_counts };

START_TEST(rows_are_those_of_the_evaluator) {
    use_cpu(_i / ELEM_COUNT);
    Elem elem = (Elem)(_i % ELEM_COUNT);
    for (uint32_t i = 0; i < LANE_COUNTS; i++) {
        uint32_t lanes = lane_counts[i];
        const Kernel *kernels[] = {rows_kernel(elem, lanes, true),
                                   rows_kernel(elem, lanes, false)};
        Jit *jit = compile(kernels, 2);
        double tolerance[] = {elem == ELEM_f32 ? 2e-7 : 3e-16, /* rsqrt rounds twice */
                              elem == ELEM_f32 ? 5e-7 : 1e-13};
        for (int k = 0; k < 2; k++)
            check_kernel(kernels[k], jit_kernel(jit, kernels[k]->name), 0, POINTS / lanes,
                         tolerance[k]);
        jit_free(jit);
    }
}
END_TEST

/* From every type to every type, within the range of both (floats to whole numbers below). */
static const Kernel *casts_kernel(uint32_t lanes) {
    static const char *const most[ELEM_COUNT] = {NULL, "200u", "70000i", "200.75",
                                                 "200.75d"};
    Text text;
    text_init(&text, &arena);
    text_puts(&text, "kernel @cast(");
    for (int e = 0; e < ELEM_COUNT; e++)
        text_printf(&text, "%sx%d: %s*, y%d: out %s*", e ? ", " : "", e,
                    elem_name((Elem)e), e, elem_name((Elem)e));
    text_puts(&text, ") tasks 1 {\n");
    for (int from = 1; from < ELEM_COUNT; from++)
        for (int to = 0; to < ELEM_COUNT; to++)
            if (!elem_is_float((Elem)from) || elem_is_float((Elem)to) || to == ELEM_bool)
                text_printf(&text,
                            "  y%d[task*%u + %d : %u] = %s(min(x%d[task*%u : %u], %s))\n",
                            to, lanes, from * 72, lanes, elem_name((Elem)to), from, lanes,
                            lanes, most[from]);
    text_puts(&text, "}\n");
    return parse(text.at);
}

START_TEST(casts_are_those_of_the_evaluator) {
    use_cpu(_i);
    for (uint32_t i = 0; i < LANE_COUNTS; i++) {
        const Kernel *kernel = casts_kernel(lane_counts[i]);
        Jit *jit = compile(&kernel, 1);
        check_kernel(kernel, jit_kernel(jit, "cast"), 0, 64 / lane_counts[i], 0);
        jit_free(jit);
    }
}
END_TEST

/* Floats to whole numbers: the random ones include none beyond range here. */
START_TEST(floats_truncate_to_whole_numbers) {
    use_cpu(_i);
    check_text("kernel @f(u: u8*, y: out i32*, b: bool*, f: out f32*) tasks 1 {\n"
               "  let v: f32x16 = f32(u[0 : 16])*0.37 - 40.0\n"
               "  y[0 : 16] = i32(v)\n"
               "  y[16] = i32(f32(u[20])*-0.7)\n"
               "  y[32 : 16] = i32(u8(v*0.1 + 5.0))\n"
               "  y[48 : 16] = i32(b[0 : 16])\n"
               "  f[0 : 16] = f32(b[16 : 16])\n"
               "  f[16] = f32(task + 7)\n"
               "  f[17] = f32(b[40])\n"
               "}\n",
               0, 1);
}
END_TEST

START_TEST(reductions_keep_their_tree) {
    use_cpu(_i);
    static const uint32_t lanes[] = {2, 3, 5, 7, 8, 13, 16, 20};
    Text text;
    text_init(&text, &arena);
    text_puts(&text, "kernel @r(x: f32*, i: i32*, b: bool*, y: out f32*, j: out i32*, "
                     "c: out bool*) tasks 1 {\n");
    for (uint32_t k = 0; k < sizeof lanes / sizeof *lanes; k++) {
        uint32_t l = lanes[k], at = 100 * k;
        static const char *const ops[] = {"add", "min", "max"};
        for (uint32_t op = 0; op < 3; op++, at += 1000) {
            text_printf(&text, "  y[task + %u] = reduce_%s(x[task*%u : %u])\n", at,
                        ops[op], l, l);
            text_printf(&text, "  j[task + %u] = reduce_%s(i[task*%u : %u])\n", at,
                        ops[op], l, l);
        }
        text_printf(&text, "  c[task + %u] = reduce_or(b[task*%u : %u])\n", 100 * k, l,
                    l);
    }
    text_puts(&text, "}\n");
    check_text(text.at, 0, 40);
}
END_TEST

/* Loads and stores of `lanes` elements: strides, and active lanes known then or now. */
static const Kernel *access_kernel(const char *elem, uint32_t lanes) {
    static const char *const actives[] = {"", " active 1", " active 3", " active 7",
                                          " active N - task"};
    static const uint32_t counts[] = {0, 1, 3, 7, 0};
    Text text;
    text_init(&text, &arena);
    text_printf(&text, "kernel @m(x: %s*, y: out %s*, z: out %s*) tasks 1 {\n", elem,
                elem, elem);
    int at = 0;
    for (uint32_t a = 0; a < sizeof actives / sizeof *actives; a++) {
        if (counts[a] >= lanes) continue;
        for (int stride = 1; stride <= (lanes > 1 ? 3 : 1); stride += 2, at++) {
            text_printf(&text, "  y[task*16 + %d : %u] = x[task*7 + %d : %u by %d%s]\n",
                        at * 64, lanes, at, lanes, stride, actives[a]);
            text_printf(&text, "  z[task*9 + %d : %u by %d%s] = x[task*16 : %u]\n",
                        at * 64, lanes, stride, actives[a], lanes);
        }
    }
    text_puts(&text, "}\n");
    return parse(text.at);
}

START_TEST(lanes_are_loaded_and_stored) {
    use_cpu(_i);
    static const char *const elems[] = {"f32", "u8", "bool", "f64"};
    static const uint32_t lanes[] = {1, 3, 8, 16};
    for (uint32_t e = 0; e < 4; e++) {
        for (uint32_t l = 0; l < 4; l++) {
            const Kernel *kernel = access_kernel(elems[e], lanes[l]);
            Jit *jit = compile(&kernel, 1);
            for (int64_t n = -2; n <= (int64_t)lanes[l] + 2; n += lanes[l] / 2 + 1)
                check_kernel(kernel, jit_kernel(jit, "m"), n, 3, 0);
            jit_free(jit);
        }
    }
}
END_TEST

/* Nothing behind the active lanes is touched: the next page cannot be. */
START_TEST(inactive_lanes_touch_no_memory) {
    use_cpu(_i);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_int_eq(mprotect(map + page, page, PROT_NONE), 0);
    const char *text = "kernel @edge(x: f32*, y: out f32*) tasks 1 {\n"
                       "  let a: f32x16 = x[0 : 16 active N]\n"
                       "  let b: f32x16 = x[0 : 16 by 2 active N/2]\n"
                       "  y[0 : 16 active N] = a + b\n}\n";
    const Kernel *kernel = parse(text);
    Jit *jit = compile(&kernel, 1);
    for (int64_t n = 0; n < 16; n++) {
        float *end = (float *)(void *)(map + page) - n;
        void *args[] = {end, end, (void *)(intptr_t)n};
        jit_kernel(jit, "edge")(args, 0, 1);
    }
    jit_free(jit);
    Text fixed;
    text_init(&fixed, &arena);
    text_puts(&fixed, "kernel @fixed(x: out f32*) tasks 1 {\n");
    for (int n = 1; n <= 16; n++)
        text_printf(&fixed,
                    "  x[task - %d : 16 active %d] = x[task - %d : 16 active %d] + 1.0\n",
                    n, n, n, n);
    text_puts(&fixed, "}\n");
    kernel = parse(fixed.at);
    jit = compile(&kernel, 1);
    float *end = (float *)(void *)(map + page);
    void *args[] = {end, NULL};
    float last = end[-1], first = end[-16];
    jit_kernel(jit, "fixed")(args, 0, 1);
    ck_assert_float_eq(end[-1], last + 16);
    ck_assert_float_eq(end[-16], first + 1);
    jit_free(jit);
    munmap(map, 2 * page);
}
END_TEST

/* TABLE: kernels with every statement, run for several n. */
static const char *const programs[] = {
    /* loops with known and unknown bounds, unrolled with a rest */
    "kernel @sum(x: f32*, y: out f32*) tasks 1 {\n"
    "  var s: f32x4 = 0.0\n"
    "  for i = 0 to 23 step 4 unroll 4 {\n    s = s + x[task*30 + i : 4]\n  }\n"
    "  for i = 0 to N unroll 3 {\n    s = fma(s, 0.5, splat4(x[i]))\n  }\n"
    "  for i = N to 5 {\n    s = s - x[i : 4]\n  }\n"
    "  for i = 3 to N*2 step 5 unroll 2 {\n    s = max(s, x[i : 4])\n  }\n"
    "  y[task*4 : 4] = s\n}\n",
    /* nested loops and branches that set variables */
    "kernel @nest(x: f32*, i: i32*, y: out f32*, j: out i32*) tasks 1 {\n"
    "  var best: f32 = -inf\n  var at: i32 = -1i\n"
    "  for a = 0 to N {\n    for b = 0 to 3 {\n"
    "      let v: f32 = x[task + a*3 + b]\n"
    "      if v > best {\n        best = v\n        at = i32(a*3 + b)\n      }\n"
    "      if a == 2 {\n        best = best - 0.25\n      } else {\n        at = at + "
    "0i\n"
    "        if b > N {\n          at = 7i\n        }\n      }\n"
    "    }\n  }\n"
    "  y[task] = best\n  j[task] = at\n}\n",
    /* tables, locals, views, conditional views */
    "kernel @place(x: f32*, y: out f32*) tasks 1 {\n"
    "  table taps: i32[4] = [5, 0, 17, 2]\n"
    "  table zeros: f32[8] = [0, 0, 0, 0, 0, 0, 0, 0]\n"
    "  local tile: f32[32]\n"
    "  for i = 0 to 4 {\n"
    "    view row = x[index(taps[i])] if i < N else zeros[0]\n"
    "    view out = tile[i*8]\n"
    "    out[0 : 8] = row[0 : 8]\n"
    "    prefetch x[i*16]\n  }\n"
    "  for i = 0 to 32 step 16 {\n    y[task*32 + i : 16] = tile[i : 16] + 1.0\n  }\n}\n",
    /* gathers, ramps, random bits, selects */
    "kernel @draw(x: f32*, u: u8*, y: out f32*, j: out i32*) tasks 1 {\n"
    "  let r: i32x16 = ramp16(task*16)\n"
    "  j[task*16 : 16] = r\n"
    "  y[task*16 : 16] = gather(x, 3, r*2i)\n"
    "  j[task*16 + 512 : 16] = i32(gather(u, 0, r))\n"
    "  y[task*16 + 512 : 16] = bits2(r, r + 1i, r*3i, 7i, -5i)\n"
    "  y[task*16 + 1024 : 16] = bits0(r, 0i, 0i, 0i, 1i)\n"
    "  let few: boolx16 = r < splat16(i32(N))\n"
    "  y[task*16 + 1536 : 16] = select(few, x[0 : 16], x[16 : 16])\n"
    "  y[task*16 + 2048 : 16] = select(x[0] > 0.0, x[0 : 16], x[16 : 16])\n"
    "  y[task*16 + 2560] = x[select(N > 3, N, 3*N + 1)]\n"
    "  y[task*16 + 2570] = x[min(N*7, 40) + max(task, N)/2 + (task*5 + 1) % 3]\n"
    "  y[task*16 + 2571] = bits3(i32(task), 0i, 2i, 0i, 9i)\n}\n",
    /* random words: of one block and of two in turn, for odd and even numbers of lanes */
    "kernel @words(s: i32*, y: out f32*) tasks 1 {\n"
    "  let k: i32 = s[task]\n"
    "  let a: i32x8 = ramp8(task)\n"
    "  y[0 : 8] = bits0(a, 1i, 2i, 3i, splat8(k)) + bits3(a, 1i, 2i, 3i, splat8(k))\n"
    "  y[8 : 8] = bits1(a, 1i, 2i, 3i, splat8(k)) - bits1(a, 1i, 2i, 4i, splat8(k))\n"
    "  y[16 : 8] = bits2(a, 1i, 2i, 3i, splat8(k))\n"
    "  y[24 : 3] = bits1(ramp3(N), 0i, 0i, 0i, splat3(k))\n"
    "  y[27 : 2] = bits2(ramp2(N), 0i, 0i, 0i, splat2(k))\n"
    "  y[29 : 6] = bits3(ramp6(N), 0i, 0i, 0i, splat6(k))\n"
    "  for i = 0 to N {\n"
    "    y[35 + i*4 : 4] = bits0(ramp4(i), 0i, 0i, 0i, splat4(k))\n  }\n}\n",
    /* division by constants */
    "kernel @divide(x: i32*, u: u8*, y: out i32*, v: out u8*) tasks 1 {\n"
    "  for i = 0 to 96 step 16 {\n"
    "    y[i*8 : 16] = x[i : 16] / 1i\n    y[i*8 + 16 : 16] = x[i : 16] % 1i\n"
    "    y[i*8 + 32 : 16] = x[i : 16] / 8i\n    y[i*8 + 48 : 16] = x[i : 16] % 8i\n"
    "    y[i*8 + 64 : 16] = x[i : 16] / 1073741824i\n"
    "    y[i*8 + 80 : 16] = x[i : 16] % 1073741824i\n"
    "    y[i*8 + 96 : 16] = x[i : 16] / -4i\n    y[i*8 + 112 : 16] = x[i : 16] % -4i\n"
    "    v[i*4 : 16] = u[i : 16] / 128u\n    v[i*4 + 16 : 16] = u[i : 16] % 128u\n"
    "    v[i*4 + 32 : 16] = u[i : 16] / 2u\n    v[i*4 + 48 : 16] = u[i : 16] % 3u\n  }\n"
    "  y[1000 + task] = x[task] / 16i + x[task] % 16i\n}\n",
};
enum { PROGRAMS = sizeof programs / sizeof *programs };

START_TEST(programs_run_as_in_the_evaluator) {
    use_cpu(_i / PROGRAMS);
    const Kernel *kernel = parse(programs[_i % PROGRAMS]);
    Jit *jit = compile(&kernel, 1);
    for (int64_t n = 0; n <= 9; n++)
        check_kernel(kernel, jit_kernel(jit, kernel->name), n, 5, 0);
    jit_free(jit);
}
END_TEST

/* Micro-kernels of `rows` by `vectors` accumulators, as a contraction has them. */
static const struct Tile {
    const char *cpu;
    uint32_t rows, vectors, lanes, unroll;
} tiles[] = {
    {"x86-64-v4", 12, 2, 16, 4}, {"x86-64-v4", 6, 4, 16, 2}, {"x86-64-v4", 8, 3, 16, 4},
    {"znver4", 12, 2, 16, 4},    {"x86-64-v3", 6, 2, 8, 4},  {"x86-64-v3", 4, 3, 8, 4},
    {"znver3", 6, 2, 8, 4},      {"znver3", 5, 2, 8, 1},     {"znver3", 4, 3, 8, 4},
};

static const Kernel *tile_kernel(const struct Tile *t) {
    Text text;
    text_init(&text, &arena);
    uint32_t cols = t->vectors * t->lanes;
    text_puts(&text, "kernel @tile(a: f32*, b: f32*, c: out f32*) tasks 16 {\n");
    for (uint32_t i = 0; i < t->rows * t->vectors; i++)
        text_printf(&text, "  var s%u: f32x%u = 0.0\n", i, t->lanes);
    text_printf(&text, "  for k = 0 to 256 unroll %u {\n", t->unroll);
    for (uint32_t v = 0; v < t->vectors; v++)
        text_printf(&text, "    let b%u: f32x%u = b[k*%u + %u : %u]\n", v, t->lanes, cols,
                    v * t->lanes, t->lanes);
    for (uint32_t r = 0, i = 0; r < t->rows; r++) {
        text_printf(&text, "    let a%u: f32x%u = splat%u(a[task*4096 + k + %u])\n", r,
                    t->lanes, t->lanes, r * 256);
        for (uint32_t v = 0; v < t->vectors; v++, i++)
            text_printf(&text, "    s%u = fma(a%u, b%u, s%u)\n", i, r, v, i);
    }
    text_puts(&text, "  }\n");
    for (uint32_t i = 0; i < t->rows * t->vectors; i++)
        text_printf(&text, "  c[task*512 + %u : %u] = s%u\n", i * t->lanes, t->lanes, i);
    text_puts(&text, "}\n");
    return parse(text.at);
}

/* From the label that the last jump back over an fma goes to, up to that jump. */
static const char *inner_loop(char *assembly) {
    char *fma = strstr(assembly, "vfmadd"), *label = NULL;
    ck_assert_ptr_nonnull(fma);
    for (char *at = assembly; (at = strstr(at, "\n.L")) && at < fma; at++) label = at;
    ck_assert_ptr_nonnull(label);
    char *end = strstr(fma, "\n\tj");
    ck_assert_ptr_nonnull(end);
    *end = 0;
    return label;
}

START_TEST(inner_loops_keep_their_values_in_registers) {
    const struct Tile *tile = &tiles[_i];
    ck_assert_int_eq(target_find(tile->cpu, &target), STATUS_OK);
    JitOptions options = {.target = &target, .threads = 1};
    char message[512];
    Text text;
    text_init(&text, &arena);
    const Kernel *kernel = tile_kernel(tile);
    ck_assert_int_eq(backend_emit_kernel(&options, kernel, EMIT_ASM, &text, message),
                     STATUS_OK);
    const char *loop = inner_loop(text.at);
    uint32_t fmas = 0;
    for (const char *at = loop; (at = strstr(at, "vfmadd")); at++) fmas++;
    ck_assert_uint_eq(fmas, tile->rows * tile->vectors * tile->unroll);
    ck_assert_msg(!strstr(loop, "(%rsp") && !strstr(loop, "(%rbp"), "%s %ux%u: %.400s",
                  tile->cpu, tile->rows, tile->vectors, loop);
}
END_TEST

START_TEST(unknown_processors_are_refused) {
    Target other;
    ck_assert_int_eq(target_find("x86-64-v3", &other), STATUS_OK);
    ck_assert_uint_eq(other.vector_bytes, 32);
    ck_assert_uint_eq(target_lanes(&other), 8);
    ck_assert_int_eq(target_find("x86-64-v4", &other), STATUS_OK);
    ck_assert_uint_eq(other.registers, 32);
    ck_assert_int_eq(target_find("znver9", &other), STATUS_INPUT);
    ck_assert_int_eq(target_find("native", &other), STATUS_OK);
    ck_assert_uint_gt(other.l2_bytes, other.l1_bytes);
}
END_TEST

Suite *suite_codegen(void);
Suite *suite_codegen(void) {
    Suite *suite = suite_create("codegen");
    TCase *tcase = tcase_create("kernels");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, start, fixture_close);
    tcase_add_test(tcase, equal_kernels_are_compiled_once);
    tcase_add_test(tcase, unknown_processors_are_refused);
    tcase_add_loop_test(tcase, rows_are_those_of_the_evaluator, 0, ELEM_COUNT * CPUS);
    tcase_add_loop_test(tcase, casts_are_those_of_the_evaluator, 0, CPUS);
    tcase_add_loop_test(tcase, floats_truncate_to_whole_numbers, 0, CPUS);
    tcase_add_loop_test(tcase, reductions_keep_their_tree, 0, CPUS);
    tcase_add_loop_test(tcase, lanes_are_loaded_and_stored, 0, CPUS);
    tcase_add_loop_test(tcase, inactive_lanes_touch_no_memory, 0, CPUS);
    tcase_add_loop_test(tcase, programs_run_as_in_the_evaluator, 0, PROGRAMS * CPUS);
    tcase_add_loop_test(tcase, inner_loops_keep_their_values_in_registers, 0,
                        sizeof tiles / sizeof *tiles);
    suite_add_tcase(suite, tcase);
    return suite;
}
