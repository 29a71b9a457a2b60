/* Memory that ends, at every allocation in turn: from a program's text to its code, to a
 * library, in checkpoints, weights and pictures.  Each time a status comes back, and nothing
 * leaks (under the sanitizer). */
#include "base/alloc.h"
#include "codegen/backend.h"
#include "frontend/program.h"
#include "passes/pass.h"
#include "tests/scratch.h"
#include "tools/checkpoint.h"
#include "tools/library.h"
#include "tools/picture.h"
#include <check.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char program_text[] =
    "net tiny(x: f32[N, 6, 6, 1]) {\n"
    "    logits = x |> conv(4, 3) |> relu |> max_pool(2) |> flatten |> dense(3)\n"
    "}\n"
    "loss clean(x: f32[N, 6, 6, 1], y: i32[N]) = mean(cross_entropy(tiny(x).logits, y))\n"
    "train plain {\n"
    "    data   = idx(\"x\", \"y\", batch = 4)\n"
    "    loss   = clean\n"
    "    optim  = sgd(rate = 0.1, momentum = 0.9)\n"
    "    epochs = 1\n"
    "    report = { accuracy: accuracy(tiny) }\n"
    "}\n";

static bool find_data(void *context, const DataSpec *spec, DataInfo *info,
                      char *message) {
    *info = (DataInfo){.train_count = 16, .fields = 2, .classes = 3};
    info->field[0] = (DataField){"x", ELEM_u8, 3, {6, 6, 1}};
    info->field[1] = (DataField){"y", ELEM_i32, 0, {0}};
    return true;
}

/* What one attempt owns. */
typedef struct Attempt {
    Guard guard;
    Arena arena, scratch;
    Jit *jit;
    const char *path, *cache;
} Attempt;

static Status compile_entries(Attempt *a, const TrainBlock *block, const Target *target) {
    PassContext cx = {.scratch = &a->scratch, .target = target};
    if (!pipeline_run(&cx, block->step->module, NULL)) return STATUS_INPUT;
    const Layout *layout = layout_state(&a->arena, block->step->module);
    const Plan *plan[] = {plan_entry(&cx, &a->arena, block->init, layout),
                          plan_entry(&cx, &a->arena, block->step, layout)};
    const JitOptions options = {.target = target, .cache = a->cache, .threads = 1};
    char message[512] = "";
    Status status = jit_new(&options, plan, 2, &a->jit, message);
    if (status != STATUS_OK) ck_assert_str_ne(message, "");
    return status;
}

static Status compile(Attempt *a) {
    static const DataLookup lookup = {NULL, find_data};
    static const ProgramOptions options = {.lookup = &lookup};
    Diag diag;
    Target target;
    diag_init(&diag, &a->arena);
    Program *program = program_load(&a->arena, &diag, a->path, &options);
    const TrainBlock *block = program ? program_train(program, NULL) : NULL;
    if (!block) {
        Text text;
        text_init(&text, &a->arena);
        diag_render(&diag, &text);
        ck_abort_msg("no memory is no mistake of the program's: %s", text.at);
    }
    Status status = target_find(NULL, &target);
    return status == STATUS_OK ? compile_entries(a, block, &target) : status;
}

static Status attempt(const char *path, const char *cache, long fail_at) {
    Attempt a = {.path = path, .cache = cache};
    arena_init(&a.arena, &a.guard);
    arena_init(&a.scratch, &a.guard);
    mem_fail_at(fail_at);
    Status status = guard_enter(a.guard) ? a.guard.status : compile(&a);
    mem_fail_at(-1);
    jit_free(a.jit);
    arena_free(&a.scratch);
    arena_free(&a.arena);
    return status;
}

/* The code itself comes from the cache, so that each attempt is short. */
START_TEST(compiling_survives_the_end_of_memory) {
    scratch_open();
    const char *path = scratch_text("tiny.tn", program_text), *cache = scratch_path("o");
    long calls = mem_calls();
    ck_assert_int_eq(attempt(path, cache, -1), STATUS_OK);
    ck_assert_int_gt(mem_calls() - calls, 15);
    for (long n = 0;; n++) {
        calls = mem_calls();
        Status status = attempt(path, cache, n);
        if (mem_calls() - calls <= n) break;
        /* an object that finds no place when read from the cache is compiled instead */
        ck_assert_msg(status == STATUS_MEMORY || status == STATUS_OK,
                      "allocation %ld: status %d", n, status);
    }
    scratch_close();
}
END_TEST

/* ---- libraries ------------------------------------------------------------------------ */

static Status library_body(Session *session) {
    const LibrarySettings settings = {.path = scratch_path("libtiny.a")};
    LibraryFacts facts;
    return library_build(session, &settings, &facts);
}

static Status make_library(const char *path, const char *cache, long fail_at) {
    const SessionSettings settings = {.cache = cache, .threads = 1};
    mem_fail_at(fail_at);
    Session *session = session_open(path, &settings);
    Status status = session ? session_guard(session, library_body) : STATUS_MEMORY;
    mem_fail_at(-1);
    session_close(session);
    return status;
}

START_TEST(libraries_survive_the_end_of_memory) {
    scratch_open();
    const char *path = SOURCE_DIR "/tests/programs/small.tn", *cache = scratch_path("o");
    long calls = mem_calls();
    ck_assert_int_eq(make_library(path, cache, -1), STATUS_OK);
    ck_assert_int_gt(mem_calls() - calls, 15);
    for (long n = 0;; n++) {
        calls = mem_calls();
        Status status = make_library(path, cache, n);
        if (mem_calls() - calls <= n) break;
        ck_assert_msg(status == STATUS_MEMORY || status == STATUS_OK,
                      "allocation %ld: status %d", n, status);
    }
    scratch_close();
}
END_TEST

/* Fails at each allocation until `call` succeeds; it says so every time. */
static void fail_in_turn(bool (*call)(const char *path, char *message),
                         const char *path) {
    char message[MESSAGE_BYTES];
    for (long n = 0;; n++) {
        ck_assert_int_lt(n, 1000);
        message[0] = 0;
        mem_fail_at(n);
        bool right = call(path, message);
        mem_fail_at(-1);
        if (right) break;
        ck_assert_msg(strstr(message, "memory") != NULL, "says only '%s'", message);
    }
}

static const Slot slots[] = {
    {"a", ROLE_PARAM, {.elem = ELEM_f32, .rank = 2, .dim = {2, 3}}, 0, 24},
    {"b", ROLE_STEP, {.elem = ELEM_i32, .rank = 0}, 64, 4}};
static const Layout layout = {2, slots, 128};
static const uint8_t state[128] = {1, 2, 3};

static bool write_state(const char *path, char *message) {
    return checkpoint_write(path, &layout, state, NULL, message);
}

static bool read_state(const char *path, char *message) {
    uint8_t back[128] = {0};
    bool right = checkpoint_read(path, &layout, CHECKPOINT_RESUME, back, NULL, message);
    ck_assert_int_eq(back[0], right ? 1 : 0);
    return right;
}

START_TEST(checkpoints_survive_the_end_of_memory) {
    scratch_open();
    const char *path = scratch_path("a.safetensors");
    fail_in_turn(write_state, path);
    fail_in_turn(read_state, path);
    scratch_close();
}
END_TEST

static const float matrix[] = {1, 2, 3, 4, 5, 6};
static const SafeTensor foreign[] = {
    {"module.a", STORED_f64, 1, {1}, (const uint8_t *)matrix, 8},
    {"module.fc.weight", STORED_f32, 2, {2, 3}, (const uint8_t *)matrix, sizeof matrix}};
static const Slot foreign_slots[] = {
    {"fc.weight", ROLE_PARAM, {.elem = ELEM_f32, .rank = 2, .dim = {3, 2}}, 0, 24},
    {"a", ROLE_PARAM, {.elem = ELEM_f32, .rank = 1, .dim = {1}}, 64, 4}};
static const Layout foreign_layout = {2, foreign_slots, 128};

static bool write_foreign(const char *path, char *message) {
    return archive_write(path, foreign, 2, "seed", message) &&
           archive_write(path, foreign, 2, NULL, message);
}

static bool read_foreign(const char *path, char *message) {
    float back[32] = {0};
    bool right =
        checkpoint_read(path, &foreign_layout, CHECKPOINT_WEIGHTS, back, NULL, message);
    ck_assert(back[1] == (right ? 4.0F : 0.0F));
    return right;
}

START_TEST(weights_survive_the_end_of_memory) {
    static const char *const names[] = {"a.safetensors", "a.npz"};
    scratch_open();
    const char *path = scratch_path(names[_i]);
    fail_in_turn(write_foreign, path);
    fail_in_turn(read_foreign, path);
    scratch_close();
}
END_TEST

static bool read_pictures(const char *path, char *message) {
    static const int64_t dim[] = {3, 5, 3};
    Tensor images, labels;
    if (!pictures_by_class(path, NULL, dim, 0, &images, &labels, message)) return false;
    tensor_free(&images);
    tensor_free(&labels);
    return true;
}

START_TEST(pictures_survive_the_end_of_memory) {
    uint8_t pixels[64] = {1};
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 8, .height = 8};
    scratch_open();
    mkdir(scratch_path("set"), 0777);
    mkdir(scratch_path("set/one"), 0777);
    const char *path = scratch_path("set/one/a.png");
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    fail_in_turn(read_pictures, scratch_path("set"));
    scratch_close();
}
END_TEST

Suite *suite_faults(void);
Suite *suite_faults(void) {
    Suite *suite = suite_create("faults");
    TCase *tcase = tcase_create("memory");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, compiling_survives_the_end_of_memory);
    tcase_add_test(tcase, libraries_survive_the_end_of_memory);
    tcase_add_test(tcase, checkpoints_survive_the_end_of_memory);
    tcase_add_loop_test(tcase, weights_survive_the_end_of_memory, 0, 2);
    tcase_add_test(tcase, pictures_survive_the_end_of_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
