/* Random programs: the evaluator agrees with itself after the passes, with compiled code, and
 * with that code in a shared object. */
#include "tests/random/check.h"
#include <check.h>

#define PROGRAMS 300
#define CHUNK    20 /* programs a test */

static void check_one(RandomProperty *property, uint64_t seed) {
    Guard guard;
    Arena arena;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) ck_abort_msg("%s", guard.message);
    RandomCase program = random_case(&arena, seed);
    const char *wrong = property(&arena, &program);
    if (wrong) ck_abort_msg("%s", wrong);
    arena_free(&arena);
}

/* `build/random_programs --seed S --count 1` makes a failing program small. */
static void check_chunk(RandomProperty *property, int chunk) {
    for (int i = 0; i < CHUNK; i++) {
        mark_point(); /* the last one is where a crash is reported */
        check_one(property, (uint64_t)chunk * CHUNK + (uint64_t)i);
    }
}

START_TEST(passes_keep_the_meaning) {
    check_chunk(random_passes, _i);
}
END_TEST

START_TEST(compiled_code_agrees) {
    check_chunk(_i % 2 ? random_run_avx2 : random_run, _i);
}
END_TEST

START_TEST(libraries_agree) {
    Guard guard;
    Arena arena;
    RandomCase programs[CHUNK];
    uint32_t which;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) ck_abort_msg("%s", guard.message);
    for (uint64_t i = 0; i < CHUNK; i++)
        programs[i] = random_case(&arena, (uint64_t)_i * CHUNK + i);
    const char *wrong = random_libraries(&arena, programs, CHUNK, &which);
    if (wrong) ck_abort_msg("seed %d: %s", _i * CHUNK + (int)which, wrong);
    arena_free(&arena);
}
END_TEST

Suite *suite_random(void);
Suite *suite_random(void) {
    Suite *suite = suite_create("random");
    TCase *tcase = tcase_create("random");
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, passes_keep_the_meaning, 0, PROGRAMS / CHUNK);
    tcase_add_loop_test(tcase, compiled_code_agrees, 0, PROGRAMS / CHUNK);
    tcase_add_loop_test(tcase, libraries_agree, 0, PROGRAMS / CHUNK);
    suite_add_tcase(suite, tcase);
    return suite;
}
