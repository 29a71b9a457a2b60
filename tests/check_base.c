/* Arenas, texts, guards, the allocator's faults. */
#include "base/alloc.h"
#include "base/text.h"
#include "base/vec.h"
#include <check.h>

START_TEST(arena_memory_is_zero_after_release) {
    Guard guard;
    ck_assert(!guard_enter(guard));
    Arena arena;
    arena_init(&arena, &guard);
    arena_alloc(&arena, 100);
    ArenaMark mark = arena_mark(&arena);
    memset(arena_alloc(&arena, 1000), 7, 1000);
    arena_release(&arena, mark);
    const char *again = arena_alloc(&arena, 1000);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(again[i], 0);
    arena_free(&arena);
}
END_TEST

START_TEST(released_arenas_allocate_once) {
    Guard guard;
    Arena arena;
    arena_init(&arena, &guard);
    ArenaMark mark = arena_mark(&arena);
    for (int round = 0; round < 3; round++) {
        long calls = mem_calls();
        char *at = arena_alloc(&arena, 1 << 20);
        ck_assert_int_eq(mem_calls() - calls, round == 0);
        int dirty = 0;
        for (int i = 0; i < 1 << 20; i++) dirty += at[i] != 0;
        ck_assert_int_eq(dirty, 0);
        memset(at, 1, 1 << 20);
        arena_release(&arena, mark);
    }
    arena_free(&arena);
}
END_TEST

START_TEST(arena_raises_when_memory_ends) {
    Guard guard;
    Arena arena;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) {
        ck_assert_int_eq(guard.status, STATUS_MEMORY);
        arena_free(&arena);
        return;
    }
    mem_fail_at(0);
    arena_alloc(&arena, 8);
    ck_abort_msg("the arena gave memory that does not exist");
}
END_TEST

START_TEST(text_grows) {
    Guard guard;
    ck_assert(!guard_enter(guard));
    Arena arena;
    arena_init(&arena, &guard);
    Text text;
    text_init(&text, &arena);
    for (int i = 0; i < 1000; i++) text_printf(&text, "%d,", i);
    ck_assert_uint_eq(text.length, strlen(text.at));
    ck_assert_ptr_nonnull(strstr(text.at, ",998,999,"));
    arena_free(&arena);
}
END_TEST

START_TEST(vec_keeps_what_was_pushed) {
    Guard guard;
    ck_assert(!guard_enter(guard));
    Arena arena;
    arena_init(&arena, &guard);
    VEC(int) v = {0};
    for (int i = 0; i < 100; i++) vec_push(&arena, &v, i);
    for (int i = 0; i < 100; i++) ck_assert_int_eq(v.at[i], i);
    arena_free(&arena);
}
END_TEST

Suite *suite_base(void);
Suite *suite_base(void) {
    Suite *suite = suite_create("base");
    TCase *tcase = tcase_create("memory");
    tcase_add_test(tcase, arena_memory_is_zero_after_release);
    tcase_add_test(tcase, released_arenas_allocate_once);
    tcase_add_test(tcase, arena_raises_when_memory_ends);
    tcase_add_test(tcase, text_grows);
    tcase_add_test(tcase, vec_keeps_what_was_pushed);
    suite_add_tcase(suite, tcase);
    return suite;
}
