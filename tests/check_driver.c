/* Plans as compiled entries: the object ABI, parallel-for, copies, repeats, the cache. */
#include "codegen/backend.h"
#include "tests/scratch.h"
#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static Guard guard;
static Arena arena;
static Diag diag;
static Target target;

static void start(void) {
    ck_assert(!guard_enter(guard));
    arena_init(&arena, &guard);
    diag_init(&diag, &arena);
    ck_assert_int_eq(target_find(NULL, &target), STATUS_OK);
    scratch_open();
}

static void stop(void) {
    arena_free(&arena);
    scratch_close();
}

static const Kernel *kernel(const char *text) {
    uint32_t source = diag_source(&diag, "kernel", text, strlen(text));
    const Kernel *k = loop_parse(&arena, &diag, source);
    ck_assert_msg(k, "%s", diag.messages.count ? diag.messages.at[0].text : "");
    return k;
}

/* w' = w + N * x in state; y = 2 w' in work, then out; three times over. */
static const char *const add_text = "kernel @add(w: out f32*, x: f32*) tasks N {\n"
                                    "  w[task] = w[task] + x[task]\n"
                                    "}\n";
static const char *const count_text = "kernel @count(i: i32*, c: out i32*) tasks 1 {\n"
                                      "  c[0] = c[0] + i[0]\n"
                                      "}\n";

enum { N_MAX = 8, BYTES = 64, ZEROS = 2500 };

/* Of so many bytes that it is compiled apart from the others. */
static const char *twice_text(void) {
    Text text;
    text_init(&text, &arena);
    text_printf(&text,
                "kernel @twice(w: f32*, y: out f32*) tasks N {\n"
                "  table zeros: f32[%d] = [0",
                ZEROS);
    for (int i = 1; i < ZEROS; i++) text_puts(&text, ", 0");
    text_puts(&text, "]\n  y[task] = 2.0 * w[task] + zeros[task]\n}\n");
    return text.at;
}

enum { OBJECTS = 2 }; /* that the plan becomes: this kernel, and the rest */

static Plan *plan_new(void) {
    Module *module = module_new(&arena, &diag);
    Func *entry = module_func(module, "train", FUNC_ENTRY);
    Dim n = dim_symbol(&module->dims, "N", N_MAX);
    Type rows = type_tensor(ELEM_f32, 1, &n);
    Val w = func_param(entry, "w", ROLE_PARAM, rows, (Span){0});
    Val x = func_param(entry, "x", ROLE_INPUT, rows, (Span){0});
    func_result(entry, "w", ROLE_PARAM, w, 0);
    func_result(entry, "y", ROLE_OUTPUT, x, -1);
    func_result(entry, "c", ROLE_OUTPUT, x, -1);

    Place state = {SPACE_STATE, 0, 0, NULL, BYTES}, in = {SPACE_IN, 0, 0, NULL, BYTES};
    Place work = {SPACE_WORK, 0, 0, NULL, BYTES}, out = {SPACE_OUT, 0, 0, NULL, BYTES};
    Place turn = {SPACE_WORK, 0, 64, NULL, BYTES}, sum = {SPACE_OUT, 1, 0, NULL, 4};
    static const int32_t start_data[16] = {100};
    Place start = {SPACE_CONST, 0, 0, start_data, 64};
    Place add[] = {state, in}, twice[] = {state, work}, count[] = {turn, sum};
    Place copy[] = {out, work}, begin[] = {sum, start};
    PlanStep inner[] = {
        {.kind = STEP_LAUNCH, .kernel = kernel(add_text), .args = 2, .label = "add"},
        {.kind = STEP_LAUNCH, .kernel = kernel(count_text), .args = 2, .label = "count"},
    };
    inner[0].arg = arena_copy(&arena, add, sizeof add);
    inner[1].arg = arena_copy(&arena, count, sizeof count);
    PlanStep steps[] = {
        {.kind = STEP_COPY, .args = 2, .bytes_offset = 4},
        {.kind = STEP_REPEAT, .args = 1, .count = 3, .steps = 2},
        {.kind = STEP_LAUNCH,
         .kernel = kernel(twice_text()),
         .args = 2,
         .label = "twice"},
        {.kind = STEP_COPY, .args = 2, .bytes_scale = 4},
    };
    steps[0].arg = arena_copy(&arena, begin, sizeof begin);
    steps[1].arg = arena_copy(&arena, &turn, sizeof turn);
    steps[1].step = arena_copy(&arena, inner, sizeof inner);
    steps[2].arg = arena_copy(&arena, twice, sizeof twice);
    steps[3].arg = arena_copy(&arena, copy, sizeof copy);
    Plan *plan = arena_new(&arena, Plan);
    *plan = (Plan){.name = "train",
                   .entry = entry,
                   .steps = 4,
                   .step = arena_copy(&arena, steps, sizeof steps),
                   .has_n = true,
                   .n_max = N_MAX,
                   .work_bytes = 128,
                   .state_bytes = BYTES};
    return plan;
}

static Jit *compile(const Plan *plan, const char *cache) {
    JitOptions options = {.target = &target, .cache = cache, .threads = 2};
    char message[512] = "";
    Jit *jit;
    Status status = jit_new(&options, &plan, 1, &jit, message);
    ck_assert_msg(status == STATUS_OK, "%s", message);
    return jit;
}

typedef struct In {
    const float *x;
    int64_t n;
} In;
typedef struct Out {
    float *y;
    int32_t *c;
} Out;

static _Alignas(64) float state[16];
static _Alignas(64) char work[128];
static float x[N_MAX], y[N_MAX];
static int32_t c;

static In in_of(int64_t n) {
    return (In){x, n};
}
static Out out_of(void) {
    return (Out){y, &c};
}

static void check_run(const Jit *jit, const tn_parallel *parallel) {
    tn_entry *entry = jit_entry(jit, "train");
    ck_assert_ptr_nonnull(entry);
    for (int i = 0; i < N_MAX; i++) x[i] = (float)i, state[i] = 1, y[i] = -1;
    In in = in_of(5);
    Out out = out_of();
    ck_assert_int_eq(entry(state, work, &in, &out, parallel), TN_OK);
    for (int i = 0; i < N_MAX; i++) {
        ck_assert_float_eq(state[i], i < 5 ? 1 + 3 * (float)i : 1);
        ck_assert_float_eq(y[i], i < 5 ? 2 * state[i] : -1);
    }
    ck_assert_int_eq(c, 100 + 0 + 1 + 2);
}

START_TEST(entry_runs_its_steps) {
    Jit *jit = compile(plan_new(), NULL);
    check_run(jit, NULL);
    ck_assert_ptr_null(jit_entry(jit, "other"));
    ck_assert_ptr_nonnull(jit_kernel(jit, "twice"));
    jit_free(jit);
}
END_TEST

/* Backwards, one task a range; counts what it was given. */
static void run_backwards(void *context, tn_task *task, const void *args, int64_t tasks) {
    for (int64_t i = tasks; i-- > 0;) task(args, i, i + 1);
    *(int64_t *)context += tasks;
}

START_TEST(entry_uses_the_given_parallel_for) {
    Jit *jit = compile(plan_new(), NULL);
    int64_t tasks = 0;
    tn_parallel parallel = {&tasks, run_backwards};
    check_run(jit, &parallel);
    ck_assert_int_eq(tasks, 4 * 5); /* single tasks stay on the calling thread */
    tn_pool *pool = tn_pool_new(3);
    parallel = tn_pool_parallel(pool);
    check_run(jit, &parallel);
    tn_pool_free(pool);
    jit_free(jit);
}
END_TEST

START_TEST(entry_checks_its_arguments) {
    Jit *jit = compile(plan_new(), NULL);
    tn_entry *entry = jit_entry(jit, "train");
    In in = in_of(1), no_x = {NULL, 1}, none = in_of(0), most = in_of(N_MAX),
       over = in_of(N_MAX + 1), negative = in_of(INT64_MIN);
    Out out = out_of(), no_y = {NULL, &c}, no_c = {y, NULL};
    const struct {
        void *state, *work;
        const void *in, *out;
        int code;
    } calls[] = {
        {state, work, &in, &out, TN_OK},
        {state, work, &most, &out, TN_OK},
        {NULL, work, &in, &out, TN_ERROR_NULL},
        {state, NULL, &in, &out, TN_ERROR_NULL},
        {state, work, NULL, &out, TN_ERROR_NULL},
        {state, work, &in, NULL, TN_ERROR_NULL},
        {state, work, &no_x, &out, TN_ERROR_NULL},
        {state, work, &in, &no_y, TN_ERROR_NULL},
        {state, work, &in, &no_c, TN_ERROR_NULL},
        {state + 1, work, &in, &out, TN_ERROR_ALIGNMENT},
        {state, work + 32, &in, &out, TN_ERROR_ALIGNMENT},
        {state, work, &none, &out, TN_ERROR_RANGE},
        {state, work, &over, &out, TN_ERROR_RANGE},
        {state, work, &negative, &out, TN_ERROR_RANGE},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        ck_assert_int_eq(
            entry(calls[i].state, calls[i].work, calls[i].in, calls[i].out, NULL),
            calls[i].code);
    jit_free(jit);
}
END_TEST

START_TEST(texts_show_kernels_and_driver) {
    JitOptions options = {.target = &target, .threads = 1};
    char message[512] = "";
    Text ir, assembly;
    text_init(&ir, &arena);
    text_init(&assembly, &arena);
    const Plan *plan = plan_new();
    ck_assert_int_eq(backend_emit(&options, plan, EMIT_LLVM, &ir, message), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(ir.at, "; twice"));
    ck_assert_ptr_nonnull(strstr(ir.at, "define"));
    ck_assert_int_eq(backend_emit(&options, plan, EMIT_ASM, &assembly, message),
                     STATUS_OK);
    ck_assert_ptr_nonnull(strstr(assembly.at, "# train"));
    ck_assert_ptr_nonnull(strstr(assembly.at, "retq"));
}
END_TEST

/* Files in the cache; with `damage`, each is changed in one byte or cut. */
static int cache_files(const char *folder, const char *damage) {
    DIR *dir = opendir(folder);
    if (!dir) return 0;
    int count = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        if (*d->d_name == '.') continue;
        count++;
        if (!damage) continue;
        const char *path = arena_print(&arena, "%s/%s", folder, d->d_name);
        FILE *file = fopen(path, "r+b");
        ck_assert_ptr_nonnull(file);
        fseek(file, 0, SEEK_END);
        long bytes = ftell(file);
        if (!strcmp(damage, "byte")) {
            fseek(file, bytes - 100, SEEK_SET);
            int old = fgetc(file);
            fseek(file, bytes - 100, SEEK_SET);
            fputc(old ^ 1, file);
        } else {
            ck_assert_int_eq(ftruncate(fileno(file), bytes / 2), 0);
        }
        fclose(file);
    }
    closedir(dir);
    return count;
}

START_TEST(cache_is_used_and_mended) {
    const char *folder = scratch_path("a/deep/cache");
    const char *const damages[] = {NULL, "byte", "cut"};
    const Plan *plan = plan_new();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        for (int again = 0; again < 2; again++) {
            Jit *jit = compile(plan, folder);
            check_run(jit, NULL);
            jit_free(jit);
            ck_assert_int_eq(cache_files(folder, NULL), OBJECTS);
        }
        cache_files(folder, damages[i]);
    }
}
END_TEST

/* Nothing is compiled that the cache has, however many threads look; nothing is taken from it
 * for another processor. */
START_TEST(cache_spares_compiling) {
    static const struct {
        const char *cpu;
        int threads;
        uint32_t compiled, loaded;
    } rounds[] = {
        {"x86-64-v3", 1, OBJECTS, 0}, {"x86-64-v3", 2, 0, OBJECTS},
        {"x86-64-v2", 2, OBJECTS, 0}, {"x86-64-v3", 1, 0, OBJECTS},
        {"x86-64-v2", 1, 0, OBJECTS},
    };
    const char *folder = scratch_path("spared");
    const Plan *plan = plan_new();
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        char message[512] = "";
        Jit *jit;
        ck_assert_int_eq(target_find(rounds[i].cpu, &target), STATUS_OK);
        const JitOptions options = {
            .target = &target, .cache = folder, .threads = rounds[i].threads};
        Status status = jit_new(&options, &plan, 1, &jit, message);
        ck_assert_msg(status == STATUS_OK, "%s", message);
        ck_assert_uint_eq(jit_facts(jit).compiled, rounds[i].compiled);
        ck_assert_uint_eq(jit_facts(jit).loaded, rounds[i].loaded);
        jit_free(jit);
    }
    const char *one = scratch_path("one"); /* another driver: the large kernel is had */
    jit_free(compile(plan, one));
    ((Plan *)plan)->n_max--;
    Jit *jit = compile(plan, one);
    ck_assert_uint_eq(jit_facts(jit).compiled, OBJECTS - 1);
    ck_assert_uint_eq(jit_facts(jit).loaded, 1);
    jit_free(jit);
}
END_TEST

START_TEST(cache_is_shared_by_processes) {
    const char *folder = scratch_path("cache");
    const Plan *plan = plan_new();
    pid_t child[3];
    for (int i = 0; i < 3; i++) {
        child[i] = fork();
        ck_assert_int_ge(child[i], 0);
        if (child[i]) continue;
        Jit *jit = compile(plan, folder);
        check_run(jit, NULL);
        _exit(0);
    }
    for (int i = 0, status; i < 3; i++) {
        waitpid(child[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(cache_files(folder, NULL), OBJECTS);
}
END_TEST

START_TEST(cache_that_cannot_be_written_is_ignored) {
    const char *file = scratch_text("file", "not a folder");
    Jit *jit = compile(plan_new(), arena_print(&arena, "%s/cache", file));
    check_run(jit, NULL);
    jit_free(jit);
}
END_TEST

/* Entries that do not fit leave no part of them, and are compiled again. */
START_TEST(cache_on_a_full_disk_is_done_without) {
    const char *folder = scratch_path("full");
    const Plan *plan = plan_new();
    const JitOptions options = {.target = &target, .cache = folder, .threads = 1};
    char message[512] = "";
    Jit *jit;
    struct rlimit before, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){1000, before.rlim_max}; /* bytes a file */
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0); /* Check writes files too */
    Status status = jit_new(&options, &plan, 1, &jit, message);
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_msg(status == STATUS_OK, "%s", message);
    check_run(jit, NULL);
    jit_free(jit);
    ck_assert_int_eq(cache_files(folder, NULL), 0);
    jit = compile(plan, folder);
    check_run(jit, NULL);
    jit_free(jit);
    ck_assert_int_eq(cache_files(folder, NULL), OBJECTS);
}
END_TEST

/* Processes that mend, read and write the same damaged entries at once. */
START_TEST(damaged_cache_is_mended_by_processes) {
    const char *folder = scratch_path("mended");
    const Plan *plan = plan_new();
    Jit *jit = compile(plan, folder);
    jit_free(jit);
    cache_files(folder, "cut");
    pid_t child[4];
    for (int i = 0; i < 4; i++) {
        child[i] = fork();
        ck_assert_int_ge(child[i], 0);
        if (child[i]) continue;
        jit = compile(plan, folder);
        check_run(jit, NULL);
        _exit(0);
    }
    for (int i = 0, status; i < 4; i++) {
        waitpid(child[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(cache_files(folder, NULL), OBJECTS);
}
END_TEST

Suite *suite_driver(void);
Suite *suite_driver(void) {
    Suite *suite = suite_create("driver");
    TCase *tcase = tcase_create("entries");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, entry_runs_its_steps);
    tcase_add_test(tcase, entry_uses_the_given_parallel_for);
    tcase_add_test(tcase, entry_checks_its_arguments);
    tcase_add_test(tcase, texts_show_kernels_and_driver);
    tcase_add_test(tcase, cache_is_used_and_mended);
    tcase_add_test(tcase, cache_spares_compiling);
    tcase_add_test(tcase, cache_is_shared_by_processes);
    tcase_add_test(tcase, damaged_cache_is_mended_by_processes);
    tcase_add_test(tcase, cache_on_a_full_disk_is_done_without);
    tcase_add_test(tcase, cache_that_cannot_be_written_is_ignored);
    suite_add_tcase(suite, tcase);
    return suite;
}
