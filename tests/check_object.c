/*
 * Compiled libraries: the bytes, what they need of the system, and that every misuse
 * has a code of its own.  What their steps compute: check_steps.c.
 */
#include "base/file.h"
#include "codegen/cpu.h"
#include "codegen/embedded.h"
#include "codegen/join.h"
#include "codegen/object.h"
#include "tests/command.h"
#include "tests/library.h"
#include "tests/scratch.h"
#include "tests/step.h"
#include "tools/session.h"
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRAM SOURCE_DIR "/tests/programs/small.tn"

static void compile(const char *library, const char *options) {
    const Result *r = command_run("compile " PROGRAM " -o %s %s", library, options);
    assert_code(r, 0);
}

static Bytes slurp(const char *path) {
    Bytes bytes;
    char message[MESSAGE_BYTES];
    ck_assert_msg(file_read(path, &bytes, message), "%s", message);
    return bytes;
}

static void assert_same_file(const char *a, const char *b) {
    Bytes x = slurp(a), y = slurp(b);
    ck_assert_msg(x.count == y.count && !memcmp(x.at, y.at, x.count), "%s and %s", a, b);
    bytes_free(&x);
    bytes_free(&y);
}

/* ---- the files -------------------------------------------------------------------------- */

static const char *const endings[] = {".so", ".a", ".o"};

/* Other folders, threads, and code from the cache or not: the same bytes. */
START_TEST(equal_programs_give_equal_bytes) {
    char one[64], two[64];
    scratch_open();
    scratch_text("a/keep", "");
    scratch_text("b/keep", "");
    snprintf(one, sizeof one, "a/libsmall%s", endings[_i]);
    snprintf(two, sizeof two, "b/libsmall%s", endings[_i]);
    compile(one, "--entry plain --entry small --bind N<=64 --threads 1 --no-cache");
    compile(two, "--entry plain --entry small --bind N<=64 --threads 2");
    assert_same_file(scratch_path(one), scratch_path(two));
    compile(two, "--entry plain --entry small --bind N<=64");
    assert_same_file(scratch_path(one), scratch_path(two));
    assert_same_file(scratch_path("a/small.h"), scratch_path("b/small.h"));
    scratch_close();
}
END_TEST

START_TEST(library_needs_libc_only) {
    scratch_open();
    compile("libsmall.so", "--entry plain --entry small --bind N=8");
    ck_assert_int_eq(shell("nm -D --undefined-only libsmall.so | sed 's/@.*//'"), 0);
    char *line = strtok((char *)said(), "\n");
    for (; line; line = strtok(NULL, "\n")) {
        const char *name = strrchr(line, ' ') + 1;
        ck_assert_msg(!strncmp(name, "mem", 3), "needs %s", name);
    }
    ck_assert_int_eq(shell("nm -D --defined-only libsmall.so | grep -v ' T small_'"),
                     256);
    ck_assert_int_eq(shell("readelf -d libsmall.so | grep NEEDED"), 0);
    assert_in("libc.so", said());
    ck_assert_ptr_null(strstr(strstr(said(), "NEEDED") + 1, "NEEDED"));
    scratch_close();
}
END_TEST

/* Paths that a compiler takes for options; the second time there is a file already. */
static const char *const paths[] = {"-x.so", "@x.so", "lib,x.so", "a b/lib x.so"};

START_TEST(any_path_is_linked) {
    char soname[64];
    scratch_open();
    scratch_text("a b/keep", "");
    for (int round = 0; round < 2; round++)
        ck_assert_msg(shell("'%s' compile '" PROGRAM
                            "' --entry small --bind N=2 --name x "
                            "-o '%s'",
                            TENON_COMMAND, paths[_i]) == 0,
                      "%s", said());
    ck_assert_int_eq(shell("readelf -d './%s' | grep SONAME", paths[_i]), 0);
    const char *slash = strrchr(paths[_i], '/');
    snprintf(soname, sizeof soname, "[%s]", slash ? slash + 1 : paths[_i]);
    assert_in(soname, said());
    scratch_close();
}
END_TEST

/* Two libraries with equal kernels, in one program and without a shared object. */
START_TEST(archives_and_objects_link_together) {
    scratch_open();
    compile("libone.a", "--entry plain");
    compile("libtwo.o", "--entry plain");
    scratch_text("both.c",
                 "#include \"one.h\"\n#include \"two.h\"\n#include <stdlib.h>\n"
                 "#include <string.h>\nint main(void) {\n"
                 "  void *a = aligned_alloc(64, one_state_size());\n"
                 "  void *b = aligned_alloc(64, two_state_size());\n"
                 "  return one_init(a, 3) || two_init(b, 3) || one_check(ONE_ABI) ||\n"
                 "    memcmp(a, b, one_state_size());\n}\n");
    ck_assert_msg(shell("cc both.c libtwo.o -L. -lone -o both && ./both") == 0, "%s",
                  said());
    scratch_close();
}
END_TEST

static const char *everything(Arena *arena, const void *context, const char *symbol) {
    return symbol;
}

/* What cannot be joined is said; nothing is made of it. */
START_TEST(joins_refuse) {
    static const _Alignas(8) char text[128] = "neither this nor that";
    Guard guard;
    Arena arena;
    size_t count;
    arena_init(&arena, &guard);
    ck_assert_msg(!guard_enter(guard), "%s", guard.message);
    Join twice = {.arena = &arena}, wrong = {.arena = &arena};
    join_add(&twice, embedded_runtime[0].at, embedded_runtime[0].count);
    ck_assert_ptr_nonnull(join_finish(&twice, everything, NULL, &count));
    join_add(&twice, embedded_runtime[0].at, embedded_runtime[0].count);
    ck_assert_ptr_null(join_finish(&twice, everything, NULL, &count));
    assert_in("is defined twice", twice.wrong);
    join_add(&wrong, text, sizeof text);
    ck_assert_ptr_null(join_finish(&wrong, everything, NULL, &count));
    assert_in("not a relocatable object", wrong.wrong);
    arena_free(&arena);
}
END_TEST

/* ---- what it computes ------------------------------------------------------------------- */

enum { N_MAX = 64 };

typedef struct Infer {
    struct {
        const float *x;
        int64_t n;
        size_t work_bytes;
    } in;
    struct {
        float *logits;
    } out;
    float x[N_MAX * WIDE + 1], logits[N_MAX * CLASSES + 1];
} Infer;

static Infer *infer_new(int64_t n) {
    Infer *f = calloc(1, sizeof *f);
    fill_noise(f->x, N_MAX * WIDE, 5);
    f->in.x = f->x;
    f->in.n = n;
    f->out.logits = f->logits;
    return f;
}

static void assert_near(const float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i++) ck_assert_float_eq_tol(a[i], b[i], 1e-5f);
}

/* The same rows at any n, and nothing beyond them; weights by the parameters' table. */
START_TEST(any_n_up_to_the_maximum) {
    scratch_open();
    compile("libmany.so", "--entry small --bind N<=64");
    compile("libfour.so", "--entry small --bind N=4");
    Library many = library_open(scratch_path("libmany.so"), "many"),
            four = library_open(scratch_path("libfour.so"), "four");
    ck_assert_int_eq(many.init(many.state, 1), TN_OK);
    ck_assert_int_eq(four.init(four.state, 2), TN_OK);
    int64_t count;
    const tn_param *param = many.params(&count);
    ck_assert_int_eq(count, 4);
    for (int64_t i = 0; i < count; i++)
        memcpy((char *)four.state + library_param(&four, param[i].name)->offset,
               (char *)many.state + param[i].offset, (size_t)param[i].bytes);
    Infer *want = infer_new(4);
    LibraryEntry *entry = library_entry(&four, "four_small");
    struct {
        const float *x;
        size_t work_bytes;
    } in = {want->x, 0};
    ck_assert_int_eq(entry(four.state, four.work, &in, &want->out, NULL), TN_OK);
    ck_assert_float_ne(want->logits[0], 0);
    entry = library_entry(&many, "many_small");
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 15, 16, 17, 33, 63, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i], shared = n < 4 ? n : 4;
        Infer *f = infer_new(n);
        ck_assert_int_eq(entry(many.state, many.work, &f->in, &f->out, NULL), TN_OK);
        assert_near(f->logits, want->logits, shared * CLASSES);
        for (int64_t k = n * CLASSES; k < N_MAX * CLASSES; k++)
            ck_assert_float_eq(f->logits[k], 0);
        free(f);
    }
    free(want);
    library_close(&many);
    library_close(&four);
    scratch_close();
}
END_TEST

START_TEST(order_is_the_shuffle_of_train) {
    int64_t mine[100], theirs[100];
    scratch_open();
    compile("libsmall.so", "");
    compile("libinfer.so", "--entry small --bind N=1");
    Library l = library_open(scratch_path("libsmall.so"), "small"),
            infer = library_open(scratch_path("libinfer.so"), "infer");
    ck_assert_ptr_null((void *)(uintptr_t)infer.order);
    l.order(9, 3, 100, mine);
    tn_order(9, 3, 100, theirs);
    ck_assert_mem_eq(mine, theirs, sizeof mine);
    library_close(&l);
    library_close(&infer);
    scratch_close();
}
END_TEST

/* A library whose weights are those that a training run has left. */
START_TEST(weights_are_embedded) {
    scratch_open();
    assert_code(command_run("train " PROGRAM " --out run --threads 1"), 0);
    compile("libsmall.so", "--entry small --bind N=4 --weights run/last.safetensors");
    compile("libbare.so", "--entry small --entry plain --bind N=4");
    Library l = library_open(scratch_path("libsmall.so"), "small"),
            bare = library_open(scratch_path("libbare.so"), "bare");
    ck_assert_int_eq(l.init(l.state, 1), TN_OK);
    ck_assert_int_eq(bare.init(bare.state, 1), TN_OK);
    Bytes file = slurp(scratch_path("run/last.safetensors"));
    int64_t count;
    const tn_param *param = l.params(&count);
    for (int64_t i = 0; i < count; i++) {
        const char *at = (char *)l.state + param[i].offset;
        size_t bytes = (size_t)param[i].bytes;
        ck_assert_ptr_nonnull(memmem(file.at, file.count, at, bytes));
        const tn_param *other = library_param(&bare, param[i].name);
        ck_assert(memcmp(at, (char *)bare.state + other->offset, bytes) != 0);
    }
    bytes_free(&file);
    library_close(&l);
    library_close(&bare);
    scratch_close();
}
END_TEST

/* What was in the memory before does not matter. */
START_TEST(init_leaves_nothing_of_before) {
    static const char *const options[] = {
        "", "--entry small --bind N=4 --weights run/last.safetensors",
        "--entry plain --weights run/last.safetensors"};
    scratch_open();
    assert_code(command_run("train " PROGRAM " --out run --threads 1"), 0);
    compile("libsmall.so", options[_i]);
    Library l = library_open(scratch_path("libsmall.so"), "small");
    size_t bytes = l.state_size();
    void *other = aligned_alloc(64, bytes);
    memset(other, 0xFF, bytes);
    memset(l.state, 0, bytes);
    ck_assert_int_eq(l.init(l.state, 1), TN_OK);
    ck_assert_int_eq(l.init(other, 1), TN_OK);
    ck_assert_mem_eq(other, l.state, bytes);
    free(other);
    library_close(&l);
    scratch_close();
}
END_TEST

/* Each phase of a block is a step of its own, on one state. */
START_TEST(phases_are_steps) {
    scratch_open();
    ck_assert_int_eq(
        shell("sed 's/^    epochs = 2/    phase slow { epochs = 1 }\\n"
              "    phase fast { optim = sgd(rate = 1); epochs = 3 }/' " PROGRAM
              " >phases.tn"),
        0);
    assert_code(command_run("compile phases.tn -o libphases.so"), 0);
    Library l = library_open(scratch_path("libphases.so"), "phases");
    LibraryEntry *slow = library_entry(&l, "phases_plain_slow_step"),
                 *fast = library_entry(&l, "phases_plain_fast_step");
    Bytes header = slurp(scratch_path("phases.h"));
    assert_in("a training step of epochs 1 to 1;", (char *)header.at);
    assert_in("a training step of epochs 2 to 4;", (char *)header.at);
    bytes_free(&header);
    ck_assert_int_eq(l.init(l.state, 1), TN_OK);
    Step s;
    step_fill(&s, 1);
    ck_assert_int_eq(slow(l.state, l.work, &s.in, &s.out, NULL), TN_OK);
    float before = s.loss;
    ck_assert_int_eq(fast(l.state, l.work, &s.in, &s.out, NULL), TN_OK);
    ck_assert_float_lt(s.loss, before);
    library_close(&l);
    scratch_close();
}
END_TEST

/* ---- threads ---------------------------------------------------------------------------- */

enum { THREADS = 8, STEPS = 200 };

typedef struct Run {
    pthread_t thread;
    LibraryEntry *step;
    void *state, *work;
    int code;
} Run;

static void *run_steps(void *context) {
    Run *run = context;
    for (uint32_t i = 0; i < STEPS && run->code == TN_OK; i++) {
        Step s;
        step_fill(&s, i);
        run->code = run->step(run->state, run->work, &s.in, &s.out, NULL);
    }
    return NULL;
}

START_TEST(eight_threads_do_not_meet) {
    Run run[THREADS];
    scratch_open();
    compile("libsmall.so", "");
    Library l = library_open(scratch_path("libsmall.so"), "small");
    for (int i = 0; i < THREADS; i++) {
        run[i] = (Run){.step = library_entry(&l, "small_plain_step"),
                       .state = aligned_alloc(64, l.state_size()),
                       .work = aligned_alloc(64, l.work_size(1))};
        ck_assert_int_eq(l.init(run[i].state, (uint64_t)(i / 2)), TN_OK);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&run[i].thread, NULL, run_steps, &run[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(run[i].thread, NULL), 0);
        ck_assert_int_eq(run[i].code, TN_OK);
    }
    for (int i = 0; i < THREADS; i += 2) {
        ck_assert_mem_eq(run[i].state, run[i + 1].state, l.state_size());
        ck_assert(i == 0 || memcmp(run[i].state, run[0].state, l.state_size()) != 0);
    }
    for (int i = 0; i < THREADS; i++) free(run[i].state), free(run[i].work);
    library_close(&l);
    scratch_close();
}
END_TEST

/* ---- misuse ----------------------------------------------------------------------------- */

/* A call with one thing wrong. */
typedef struct Wrong {
    const char *what;
    int code;
} Wrong;

static const Wrong wrongs[] = {
    {"nothing", TN_OK},
    {"null state", TN_ERROR_NULL},
    {"null work", TN_ERROR_NULL},
    {"null in", TN_ERROR_NULL},
    {"null out", TN_ERROR_NULL},
    {"null input", TN_ERROR_NULL},
    {"null output", TN_ERROR_NULL},
    {"misaligned state", TN_ERROR_ALIGNMENT},
    {"misaligned work", TN_ERROR_ALIGNMENT},
    {"misaligned input", TN_ERROR_ARRAY},
    {"misaligned output", TN_ERROR_ARRAY},
    {"n of 0", TN_ERROR_RANGE},
    {"n below 0", TN_ERROR_RANGE},
    {"n beyond the maximum", TN_ERROR_RANGE},
    {"one byte too few", TN_ERROR_WORK},
    {"a state of zeros", TN_ERROR_STATE},
    {"another model's state", TN_ERROR_STATE},
    {"null run", TN_ERROR_NULL},
};

static bool is(const Wrong *wrong, const char *what) {
    return !strcmp(wrong->what, what);
}

static void *shifted(void *at, bool shift, size_t bytes) {
    return shift ? (char *)at + bytes : at;
}

START_TEST(every_misuse_has_its_code) {
    const Wrong *w = &wrongs[_i];
    scratch_open();
    compile("libsmall.so", "--entry small --bind N<=64");
    compile("libother.so", "");
    Library l = library_open(scratch_path("libsmall.so"), "small"),
            other = library_open(scratch_path("libother.so"), "other");
    LibraryEntry *entry = library_entry(&l, "small_small");
    void *state = l.state, *work = l.work;
    ck_assert_int_eq(l.init(state, 1), TN_OK);
    Infer *f = infer_new(N_MAX);
    f->in.work_bytes = l.work_size(N_MAX);
    if (is(w, "n of 0")) f->in.n = 0;
    if (is(w, "n below 0")) f->in.n = -1;
    if (is(w, "n beyond the maximum")) f->in.n = N_MAX + 1;
    if (is(w, "one byte too few")) f->in.work_bytes--;
    if (is(w, "null state")) state = NULL;
    if (is(w, "null work")) work = NULL;
    if (is(w, "a state of zeros")) memset(state, 0, l.state_size());
    if (is(w, "another model's state")) {
        ck_assert_int_eq(other.init(other.state, 1), TN_OK);
        state = other.state;
    }
    const tn_parallel no_run = {0};
    f->in.x = shifted(f->x, is(w, "misaligned input"), 1);
    if (is(w, "null input")) f->in.x = NULL;
    f->out.logits = shifted(f->logits, is(w, "misaligned output"), 2);
    if (is(w, "null output")) f->out.logits = NULL;
    state = shifted(state, is(w, "misaligned state"), 16);
    work = shifted(work, is(w, "misaligned work"), 32);
    int code = entry(state, work, is(w, "null in") ? NULL : (void *)&f->in,
                     is(w, "null out") ? NULL : (void *)&f->out,
                     is(w, "null run") ? &no_run : NULL);
    ck_assert_msg(code == w->code, "%s: %s", w->what, l.error(code));
    ck_assert_str_eq(l.error(code), tn_error_text(code));
    free(f);
    library_close(&l);
    library_close(&other);
    scratch_close();
}
END_TEST

START_TEST(init_and_check_refuse) {
    scratch_open();
    compile("libsmall.so", "--entry small --bind N<=64");
    Library l = library_open(scratch_path("libsmall.so"), "small");
    ck_assert_int_eq(l.init(NULL, 1), TN_ERROR_NULL);
    ck_assert_int_eq(l.init((char *)l.state + 8, 1), TN_ERROR_ALIGNMENT);
    ck_assert_int_eq(l.init(l.state, (uint64_t)1 << 31), TN_ERROR_RANGE);
    ck_assert_int_eq(l.init(l.state, INT32_MAX), TN_OK);
    ck_assert_uint_eq(l.work_size(0), 0);
    ck_assert_uint_eq(l.work_size(65), 0);
    ck_assert_uint_gt(l.work_size(64), 0);
    Bytes header = slurp(scratch_path("small.h"));
    const char *line = strstr((char *)header.at, "SMALL_ABI UINT64_C(");
    uint64_t abi = strtoull(line + strlen("SMALL_ABI UINT64_C("), NULL, 16);
    ck_assert_uint_eq(abi >> 32, TN_ABI_VERSION);
    ck_assert_int_eq(l.check(abi), TN_OK);
    ck_assert_int_eq(l.check(abi + 1), TN_ERROR_ABI);
    ck_assert_int_eq(l.check(abi + ((uint64_t)1 << 32)), TN_ERROR_ABI);
    bytes_free(&header);
    library_close(&l);
    scratch_close();
}
END_TEST

/* What no processor has: an instruction set of AMD's alone beside one of Intel's alone. */
static Status lacking_body(Session *s) {
    Status status = target_find("x86-64-v2", &s->target);
    strcat(s->target.features, ",+fma4,+amx-int8");
    if (!status) status = session_load(s, DATA_DESCRIBE, NULL, 0);
    if (!status && !session_want_entry(s, "small")) status = STATUS_INPUT;
    if (!status) status = session_plan(s);
    if (status) return status;
    char message[MESSAGE_BYTES];
    const ObjectSpec spec = {.target = &s->target,
                             .threads = 1,
                             .name = "alien",
                             .source = "small.tn",
                             .layout = s->layout,
                             .entries = 1,
                             .entry = s->plan};
    Object object;
    status = object_new(&s->arena, &spec, &object, message);
    if (!status)
        status = object_write(&s->arena, &object, scratch_path("libalien.so"), message);
    return status ? session_fail(s, status, "%s", message) : STATUS_OK;
}

START_TEST(a_processor_that_lacks_something_is_refused) {
    scratch_open();
    const Binding binding = {"N", 4, false};
    const SessionSettings settings = {.threads = 1, .bindings = 1, .binding = &binding};
    Session *s = session_open(PROGRAM, &settings);
    ck_assert_msg(session_guard(s, lacking_body) == STATUS_OK, "%s", s->failure);
    session_close(s);
    Library l = library_open(scratch_path("libalien.so"), "alien");
    ck_assert_int_eq(l.init(l.state, 1), TN_ERROR_CPU);
    library_close(&l);
    scratch_close();
}
END_TEST

static const struct {
    const char *cpu;
    CpuWord word;
    int bit;
    bool needed;
} needs[] = {
    {"x86-64-v2", CPU_1_ECX, 20, true},  {"x86-64-v2", CPU_7_EBX, 5, false},
    {"x86-64-v3", CPU_7_EBX, 5, true},   {"x86-64-v3", CPU_XCR0, 2, true},
    {"x86-64-v3", CPU_7_EBX, 16, false}, {"x86-64-v3", CPU_EXT1_ECX, 5, true},
    {"x86-64-v4", CPU_7_EBX, 16, true},  {"x86-64-v4", CPU_XCR0, 7, true},
};

START_TEST(features_become_bits) {
    Target target;
    uint64_t need[CPU_WORDS];
    ck_assert_int_eq(target_find(needs[_i].cpu, &target), STATUS_OK);
    cpu_needed(&target, need);
    ck_assert_int_eq(need[needs[_i].word] >> needs[_i].bit & 1, needs[_i].needed);
}
END_TEST

/* What a name adds to the features is not asked for, so it may not be used: AVX has no bit in
 * the level of sandybridge, nor half floats (vmovw) in that of sapphirerapids. */
static const struct {
    const char *cpu, *of_others;
} adds[] = {{"sandybridge", "v[a-z0-9]*[ps]s"}, {"sapphirerapids", "vmovw"}};

START_TEST(names_add_no_instructions) {
    scratch_open();
    int code = shell("%s emit asm " SOURCE_DIR "/examples/lenet.tn --cpu %s >text && "
                     "grep -w '%s' text",
                     TENON_COMMAND, adds[_i].cpu, adds[_i].of_others);
    ck_assert_msg(code == 256, "%s", said());
    ck_assert_int_eq(shell("grep -c mulps text"), 0);
    scratch_close();
}
END_TEST

/* This processor has all that code for it needs. */
START_TEST(native_code_runs_here) {
    Target target;
    uint64_t need[CPU_WORDS], have[CPU_WORDS];
    ck_assert_int_eq(target_find(NULL, &target), STATUS_OK);
    cpu_needed(&target, need);
    object_cpu(have);
    for (int i = 0; i < CPU_WORDS; i++)
        ck_assert_msg(!(need[i] & ~have[i]), "word %d: %llx of %llx", i,
                      (unsigned long long)need[i], (unsigned long long)have[i]);
}
END_TEST

/* ---- the canary ------------------------------------------------------------------------- */

/* Results that go to where the work memory ends, `beyond` bytes behind it. */
static int infer_beyond(const Library *l, size_t bytes, int64_t beyond) {
    Infer *f = infer_new(1);
    f->in.work_bytes = bytes;
    if (beyond >= 0)
        f->out.logits =
            (float *)(void *)((char *)l->work + l->work_size(1) - 64 + beyond);
    LibraryEntry *entry = library_entry(l, "small_small");
    int code = entry(l->state, l->work, &f->in, &f->out, NULL);
    free(f);
    return code;
}

START_TEST(guarded_libraries_see_overruns) {
    scratch_open();
    compile("libplain.so", "--entry small --bind N<=64");
    compile("libsmall.so", "--entry small --bind N<=64 --guard");
    Library plain = library_open(scratch_path("libplain.so"), "plain"),
            l = library_open(scratch_path("libsmall.so"), "small");
    size_t bytes = l.work_size(N_MAX);
    ck_assert_uint_eq(bytes, plain.work_size(N_MAX) + 64);
    ck_assert_int_eq(l.init(l.state, 1), TN_OK);
    ck_assert_int_eq(infer_beyond(&l, bytes, -1), TN_OK);
    ck_assert_int_eq(infer_beyond(&l, bytes, 0), TN_ERROR_OVERRUN);
    ck_assert_int_eq(infer_beyond(&l, bytes, 60), TN_ERROR_OVERRUN);
    ck_assert_int_eq(infer_beyond(&l, bytes - 1, -1), TN_ERROR_WORK);
    library_close(&plain);
    library_close(&l);
    scratch_close();
}
END_TEST

/* ---- the command ------------------------------------------------------------------------ */

static const struct {
    const char *words;
    int code;
    const char *err;
} lines[] = {
    {"small.tn", 2, "needs -o"},
    {"small.tn -o", 2, "-o needs a value"},
    {"small.tn -o libsmall.dll", 1, "does not end in .so, .a or .o"},
    {"small.tn -o nowhere/libsmall.so", 1, "the folder 'nowhere/' does not exist"},
    {"small.tn -o folder.so", 1, "'folder.so' is a folder"},
    {"small.tn -o libtn.so", 1, "'tn' begins tenon's own names"},
    {"small.tn -o libs.so --name TN_x", 1, "'TN_x' begins tenon's own names"},
    {"small.tn -o lib2small.so", 1, "'2small' cannot begin a name in C"},
    {"small.tn -o .so", 1, "does not end in .so, .a or .o"},
    {"small.tn -o libint.so", 1, "'int' cannot begin a name in C"},
    {"small.tn -o libs.so --name a-b", 1, "'a-b' cannot begin a name in C"},
    {"small.tn -o libs.so --entry smal", 1, "did you mean `small`"},
    {"small.tn -o libs.so --entry small", 1, "--bind N=32"},
    {"clash.tn -o libs.so --entry two --bind N<=3 --bind M<=4", 1,
     "`N` and `M` are both open until a call"},
    {"small.tn -o libs.so --entry small --bind N<=0", 2, "--bind takes"},
    {"small.tn -o libs.so --entry small --bind N=x", 2, "--bind takes"},
    {"small.tn -o libs.so --cpu pentium9", 1, "no processor 'pentium9'"},
    {"small.tn -o libs.so --cpu x86-64", 1, "those that are: native, x86-64-v2, "},
    {"small.tn -o libs.so --weights small.tn", 1, "small.tn"},
    {"small.tn -o libs.so --weights wide.safetensors", 1, "of another net"},
    {"clash.tn -o libs.so --entry init --bind N=1", 1, "one name in C"},
    {"clash.tn -o libs.so --entry f --entry f_in --bind N=1", 1, "one name in C"},
    {"missing.tn -o libs.so", 1, "missing.tn"},
};

START_TEST(the_command_refuses) {
    scratch_open();
    ck_assert_int_eq(shell("cp " PROGRAM " small.tn"), 0);
    scratch_text("clash.tn", "fn init(x: f32[N]) = 2 * x\nfn f(x: f32[N]) = 3 * x\n"
                             "fn f_in(x: f32[N]) = 4 * x\n"
                             "fn two(x: f32[N, M]) = sum(x)\n");
    ck_assert_int_eq(shell("sed 's/dense(64)/dense(65)/' small.tn >wide.tn"), 0);
    scratch_text("folder.so/keep", "");
    if (strstr(lines[_i].words, "wide"))
        assert_code(command_run("train wide.tn --out w --threads 1"), 0);
    shell("mv w/last.safetensors wide.safetensors");
    const Result *r = command_run("compile %s", lines[_i].words);
    assert_code(r, lines[_i].code);
    assert_in(lines[_i].err, r->err);
    ck_assert_int_ne(shell("ls *.h *.o"), 0);
    ck_assert_int_eq(shell("ls -d *.so"), 0);
    ck_assert_str_eq(said(), "folder.so\n");
    scratch_close();
}
END_TEST

/* A disk that is full: what was there stays whole, and nothing is left behind. */
START_TEST(a_full_disk_leaves_what_was_there) {
    char path[64];
    scratch_open();
    snprintf(path, sizeof path, "libsmall%s", endings[_i]);
    compile(path, "--entry small --bind N=4");
    ck_assert_int_eq(shell("mkdir old && cp libsmall%s small.h old", endings[_i]), 0);
    static const long room[] = {100, 6000}; /* not even the header; all but the object */
    for (int i = 0; i < 2; i++) {
        const Result *r =
            command_run_limited(room[i], "compile " PROGRAM " -o %s --no-cache", path);
        assert_code(r, 1);
        ck_assert_int_eq(shell("ls *.new* *.o.*"), 512);
        if (i == 0) ck_assert_int_eq(shell("cmp small.h old/small.h"), 0);
        ck_assert_int_eq(shell("cmp %s old/%s", path, path), 0);
    }
    scratch_close();
}
END_TEST

/* Without a C compiler the object is there, with its header, and words on what to do. */
START_TEST(without_cc_the_object_is_left) {
    scratch_open();
    scratch_text("empty/keep", "");
    ck_assert_int_ne(shell("PATH=\"$PWD/empty\" " TENON_COMMAND " compile " PROGRAM
                           " -o libsmall.so --no-cache"),
                     0);
    assert_in("there is no C compiler `cc`", said());
    assert_in("libsmall.o", said());
    ck_assert_int_eq(shell("cc -shared -o libsmall.so libsmall.o && test -s small.h"), 0);
    Library l = library_open(scratch_path("libsmall.so"), "small");
    ck_assert_int_eq(l.init(l.state, 1), TN_OK);
    library_close(&l);
    scratch_close();
}
END_TEST

Suite *suite_object(void);
Suite *suite_object(void) {
    Suite *suite = suite_create("object");
    TCase *tcase = tcase_create("object");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, equal_programs_give_equal_bytes, 0, 3);
    tcase_add_test(tcase, library_needs_libc_only);
    tcase_add_loop_test(tcase, any_path_is_linked, 0, sizeof paths / sizeof *paths);
    tcase_add_test(tcase, archives_and_objects_link_together);
    tcase_add_test(tcase, joins_refuse);
    tcase_add_test(tcase, any_n_up_to_the_maximum);
    tcase_add_test(tcase, order_is_the_shuffle_of_train);
    tcase_add_test(tcase, weights_are_embedded);
    tcase_add_loop_test(tcase, init_leaves_nothing_of_before, 0, 3);
    tcase_add_test(tcase, phases_are_steps);
    tcase_add_test(tcase, eight_threads_do_not_meet);
    tcase_add_loop_test(tcase, every_misuse_has_its_code, 0,
                        sizeof wrongs / sizeof *wrongs);
    tcase_add_test(tcase, init_and_check_refuse);
    tcase_add_test(tcase, a_processor_that_lacks_something_is_refused);
    tcase_add_loop_test(tcase, features_become_bits, 0, sizeof needs / sizeof *needs);
    tcase_add_loop_test(tcase, names_add_no_instructions, 0, sizeof adds / sizeof *adds);
    tcase_add_test(tcase, native_code_runs_here);
    tcase_add_test(tcase, guarded_libraries_see_overruns);
    tcase_add_loop_test(tcase, the_command_refuses, 0, sizeof lines / sizeof *lines);
    tcase_add_loop_test(tcase, a_full_disk_leaves_what_was_there, 0, 3);
    tcase_add_test(tcase, without_cc_the_object_is_left);
    suite_add_tcase(suite, tcase);
    return suite;
}
