/* The pool runs every task once, for any number of threads; the shuffle is a permutation.
 */
#include "tenon_runtime.h"
#include <check.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TASKS 257

typedef struct Job {
    int seen[TASKS]; /* plain: two threads on one task are a race */
    atomic_int calls;
    const tn_parallel *inner;
} Job;

static void count_task(const void *args, int64_t begin, int64_t end) {
    Job *job = *(Job *const *)args;
    atomic_fetch_add(&job->calls, 1);
    for (int64_t i = begin; i < end; i++) job->seen[i]++;
}

static bool ran_once(const Job *job, int64_t tasks) {
    for (int64_t i = 0; i < TASKS; i++)
        if (job->seen[i] != (i < tasks)) return false;
    return true;
}

START_TEST(every_task_runs_once) {
    static const int64_t counts[] = {0, 1, 2, 3, 5, 7, 8, 9, 31, 64, 255, TASKS};
    int threads = _i;
    tn_pool *pool = tn_pool_new(threads);
    ck_assert_ptr_nonnull(pool);
    ck_assert_int_eq(tn_pool_threads(pool), threads);
    tn_parallel parallel = tn_pool_parallel(pool);
    Job *job = calloc(1, sizeof *job);
    for (int round = 0; round < 4000; round++) {
        int64_t tasks = counts[(size_t)round % (sizeof counts / sizeof *counts)];
        memset(job, 0, sizeof *job);
        parallel.run(parallel.context, count_task, &job, tasks);
        ck_assert(ran_once(job, tasks));
        ck_assert_int_ge(job->calls, tasks < threads ? tasks : threads);
        ck_assert_int_le(job->calls, tasks < 9 * threads ? tasks : 9 * threads);
    }
    free(job);
    tn_pool_free(pool);
}
END_TEST

typedef struct Stall {
    atomic_int done;
    bool was_helped;
} Stall;

/* Task 0 ends when all that it does not hold up have run, or after five seconds. */
static void stall_task(const void *args, int64_t begin, int64_t end) {
    Stall *stall = *(Stall *const *)args;
    time_t start = time(NULL);
    while (!begin && atomic_load(&stall->done) < 56 && time(NULL) - start < 5) {
    }
    if (!begin) stall->was_helped = atomic_load(&stall->done) >= 56;
    atomic_fetch_add(&stall->done, (int)(end - begin));
}

START_TEST(others_help_a_slow_thread) {
    tn_pool *pool = tn_pool_new(2);
    tn_parallel parallel = tn_pool_parallel(pool);
    Stall *stall = calloc(1, sizeof *stall);
    parallel.run(parallel.context, stall_task, &stall, 64);
    ck_assert_int_eq(stall->done, 64);
    ck_assert(stall->was_helped);
    free(stall);
    tn_pool_free(pool);
}
END_TEST

/* Longer pauses than any spin: workers and caller go to sleep and must be woken. */
START_TEST(sleepers_wake) {
    tn_pool *pool = tn_pool_new(3);
    tn_parallel parallel = tn_pool_parallel(pool);
    Job *job = calloc(1, sizeof *job);
    for (int round = 0; round < 100; round++) {
        nanosleep(&(struct timespec){0, 500000}, NULL);
        parallel.run(parallel.context, count_task, &job, TASKS);
    }
    for (int64_t i = 0; i < TASKS; i++) ck_assert_int_eq(job->seen[i], 100);
    free(job);
    tn_pool_free(pool);
}
END_TEST

static void slow_task(const void *args, int64_t begin, int64_t end) {
    if (begin) nanosleep(&(struct timespec){0, 2000000}, NULL);
    count_task(args, begin, end);
}

START_TEST(the_caller_waits_for_slow_workers) {
    tn_pool *pool = tn_pool_new(4);
    tn_parallel parallel = tn_pool_parallel(pool);
    for (int round = 0; round < 20; round++) {
        Job *job = calloc(1, sizeof *job);
        parallel.run(parallel.context, slow_task, &job, TASKS);
        ck_assert(ran_once(job, TASKS));
        free(job);
    }
    tn_pool_free(pool);
}
END_TEST

static void nested_task(const void *args, int64_t begin, int64_t end) {
    const Job *job = *(Job *const *)args;
    for (int64_t i = begin; i < end; i++) {
        Job *inner = calloc(1, sizeof *inner);
        job->inner->run(job->inner->context, count_task, &inner, TASKS);
        ck_assert(ran_once(inner, TASKS));
        ck_assert_int_eq(inner->calls, 1);
        free(inner);
    }
    count_task(args, begin, end);
}

START_TEST(a_run_inside_a_task_is_done_there) {
    tn_pool *pool = tn_pool_new(4);
    tn_parallel parallel = tn_pool_parallel(pool);
    Job *job = calloc(1, sizeof *job);
    job->inner = &parallel;
    for (int round = 0; round < 100; round++)
        parallel.run(parallel.context, nested_task, &job, 13);
    for (int i = 0; i < 13; i++) ck_assert_int_eq(job->seen[i], 100);
    free(job);
    tn_pool_free(pool);
}
END_TEST

/* The child has none of the threads: it runs alone, and frees what it can. */
START_TEST(a_fork_runs_alone) {
    tn_pool *pool = tn_pool_new(4);
    tn_parallel parallel = tn_pool_parallel(pool);
    Job *job = calloc(1, sizeof *job);
    parallel.run(parallel.context, count_task, &job, TASKS);
    memset(job, 0, sizeof *job);
    int status;
    pid_t child = fork();
    if (!child) {
        alarm(20); /* in place of waiting for ever */
        parallel.run(parallel.context, count_task, &job, TASKS);
        tn_pool_free(pool);
        _exit(ran_once(job, TASKS) && job->calls == 1 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    parallel.run(parallel.context, count_task, &job, TASKS);
    ck_assert(ran_once(job, TASKS));
    free(job);
    tn_pool_free(pool);
}
END_TEST

START_TEST(pools_come_and_go) {
    for (int round = 0; round < 200; round++) {
        tn_pool *pool = tn_pool_new(1 + round % 5);
        ck_assert_ptr_nonnull(pool);
        tn_pool_free(pool);
    }
    tn_pool_free(NULL);
}
END_TEST

START_TEST(an_order_is_a_permutation) {
    enum { N = 1000 };
    static int64_t order[N], again[N];
    for (uint64_t seed = 1; seed < 4; seed++) {
        for (int64_t n = 0; n <= N; n += 125) {
            char seen[N] = {0};
            tn_order(seed, 3, n, order);
            for (int64_t i = 0; i < n; i++) {
                ck_assert(order[i] >= 0 && order[i] < n && !seen[order[i]]);
                seen[order[i]] = 1;
            }
        }
    }
    tn_order(3, 3, N, again);
    ck_assert_mem_eq(order, again, sizeof order);
    tn_order(3, 4, N, again);
    ck_assert_mem_ne(order, again, sizeof order);
    tn_order(4, 3, N, again);
    ck_assert_mem_ne(order, again, sizeof order);
}
END_TEST

/* Each of n places gets each of n examples about equally often: chi-square, 24 degrees.
 */
START_TEST(an_order_is_uniform) {
    enum { N = 5, ROUNDS = 20000 };
    int64_t order[N], hits[N][N] = {{0}};
    for (int64_t epoch = 0; epoch < ROUNDS; epoch++) {
        tn_order(7, epoch, N, order);
        for (int i = 0; i < N; i++) hits[i][order[i]]++;
    }
    double chi = 0, mean = (double)ROUNDS / N;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            chi += ((double)hits[i][k] - mean) * ((double)hits[i][k] - mean) / mean;
    ck_assert_double_lt(chi, 60); /* p = 1e-4 at 24 degrees of freedom */
}
END_TEST

START_TEST(codes_have_words_of_their_own) {
    const char *unknown = tn_error_text(TN_ERROR_OVERRUN + 1);
    ck_assert_str_eq(tn_error_text(-1), unknown);
    for (int code = TN_OK; code <= TN_ERROR_OVERRUN; code++) {
        ck_assert_str_ne(tn_error_text(code), unknown);
        for (int other = TN_OK; other < code; other++)
            ck_assert_str_ne(tn_error_text(code), tn_error_text(other));
    }
}
END_TEST

Suite *suite_runtime(void);
Suite *suite_runtime(void) {
    Suite *suite = suite_create("runtime");
    TCase *tcase = tcase_create("runtime");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, every_task_runs_once, 1, 9);
    tcase_add_test(tcase, sleepers_wake);
    tcase_add_test(tcase, the_caller_waits_for_slow_workers);
    tcase_add_test(tcase, a_run_inside_a_task_is_done_there);
    tcase_add_test(tcase, others_help_a_slow_thread);
    tcase_add_test(tcase, a_fork_runs_alone);
    tcase_add_test(tcase, pools_come_and_go);
    tcase_add_test(tcase, an_order_is_a_permutation);
    tcase_add_test(tcase, an_order_is_uniform);
    tcase_add_test(tcase, codes_have_words_of_their_own);
    suite_add_tcase(suite, tcase);
    return suite;
}
