/* Training steps of compiled libraries: the JIT's, bit for bit, with any number of threads. */
#include "tests/command.h"
#include "tests/library.h"
#include "tests/scratch.h"
#include "tests/step.h"
#include "tools/session.h"
#include <check.h>
#include <stdio.h>
#include <string.h>

static Status plan_body(Session *s) {
    Status status = session_load(s, DATA_DESCRIBE, NULL, 0);
    const TrainBlock *block = status ? NULL : session_want_train(s, "plain");
    s->context = (void *)block;
    return block ? session_compile(s) : STATUS_INPUT;
}

/* TABLE: programs whose steps the library is to repeat, with the threads of both. */
static const struct {
    const char *name;
    int threads;
} stepped[] = {
    {"small", 1}, {"adversary", 1}, {"adversary", 2}, {"adversary", 4}, {"adversary", 8},
};

static const char *program_path(const char *name, char path[256]) {
    snprintf(path, 256, SOURCE_DIR "/tests/programs/%s.tn", name);
    return path;
}

static Library library_of(const char *name) {
    char path[256], library[64];
    snprintf(library, sizeof library, "lib%s.so", name);
    assert_code(command_run("compile %s -o %s", program_path(name, path), library), 0);
    return library_open(scratch_path(library), name);
}

static Session *session_of(const char *name, int threads, int64_t seed) {
    char path[256];
    const SessionSettings settings = {.threads = threads};
    Session *s = session_open(program_path(name, path), &settings);
    ck_assert_msg(session_guard(s, plan_body) == STATUS_OK, "%s", s->failure);
    const TrainBlock *block = s->context;
    ck_assert_int_eq(session_init(s, block->init, seed), STATUS_OK);
    return s;
}

static void assert_same_state(const Session *s, const Library *l) {
    for (uint32_t i = 0; i < s->layout->slots; i++) {
        const Slot *slot = &s->layout->slot[i];
        const tn_param *param = library_param(l, slot->name);
        ck_assert_int_eq(param->bytes, slot->bytes);
        ck_assert_int_eq(param->rank, slot->type.rank);
        ck_assert_str_eq(param->dtype, elem_name(slot->type.elem));
        ck_assert_mem_eq((char *)l->state + param->offset,
                         (char *)s->state + slot->offset, (size_t)slot->bytes);
    }
}

/* Ten steps in the JIT with several threads and in the library with one, and in the library
 * with those threads: one state, bit for bit. */
START_TEST(steps_are_those_of_the_jit) {
    char symbol[64];
    scratch_open();
    Library one = library_of(stepped[_i].name), many = library_of(stepped[_i].name);
    snprintf(symbol, sizeof symbol, "%s_plain_step", stepped[_i].name);
    LibraryEntry *entry = library_entry(&one, symbol);
    Session *s = session_of(stepped[_i].name, stepped[_i].threads, 7);
    Callable step = session_entry(s, ((const TrainBlock *)s->context)->step);
    ck_assert_int_eq(one.init(one.state, 7), TN_OK);
    ck_assert_int_eq(many.init(many.state, 7), TN_OK);
    for (uint32_t i = 0; i < 10; i++) {
        Step mine;
        step_fill(&mine, i);
        float loss = -1;
        const void *in[] = {mine.x, mine.y};
        void *out[] = {&loss};
        ck_assert_int_eq(session_call(s, &step, in, out, 0), STATUS_OK);
        ck_assert_int_eq(entry(one.state, one.work, &mine.in, &mine.out, NULL), TN_OK);
        ck_assert_mem_eq(&mine.loss, &loss, sizeof loss);
        ck_assert_int_eq(entry(many.state, many.work, &mine.in, &mine.out,
                               s->pool ? &s->parallel : NULL),
                         TN_OK);
        ck_assert_mem_eq(&mine.loss, &loss, sizeof loss);
    }
    assert_same_state(s, &one);
    assert_same_state(s, &many);
    const size_t at = library_param(&one, "step")->offset;
    ck_assert_int_eq(*(int32_t *)((char *)one.state + at), 10);
    session_close(s);
    library_close(&one);
    library_close(&many);
    scratch_close();
}
END_TEST

Suite *suite_steps(void);
Suite *suite_steps(void) {
    Suite *suite = suite_create("steps");
    TCase *tcase = tcase_create("steps");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, steps_are_those_of_the_jit, 0,
                        sizeof stepped / sizeof *stepped);
    suite_add_tcase(suite, tcase);
    return suite;
}
