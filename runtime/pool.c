/*
 * The fork-join pool.  Every worker has a mailbox of its own: one word, on which it spins
 * for a bounded time (tens of microseconds) and then sleeps.  A job wakes as many workers
 * as it has ranges; the caller takes the first range itself and waits for the rest in the
 * same way.  A range is taken in pieces, and who is through with his own helps the others:
 * tasks differ in work, and a thread may lose its processor for a while.  One job is out at
 * a time: a run that comes meanwhile, from a task or from another thread, is done by its own
 * caller.  So is every run in the child of a fork, which has none of the threads.
 */
#include "tenon_runtime.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CACHE_LINE  64
#define STACK_BYTES ((size_t)8 << 20) /* kernels keep tiles on the stack */
#define THREADS_MAX 1024
#define SPIN_ROUNDS 1000 /* pauses: 15 us on Zen 3, 45 us on Emerald Rapids */
#define PIECES      8    /* of a range */
#define MARK_BYTES  4096

/* States of a mailbox.  The caller moves it to RUN or STOP, the worker to the others. */
enum { AWAKE, ASLEEP, RUN, STOP };

/* Number 0 stands for the caller: a range without a thread. */
typedef struct Worker {
    _Alignas(CACHE_LINE) _Atomic uint32_t mail;
    int number;
    tn_pool *pool;
    pthread_t thread;
    /* The range of the job: its next task that nobody has taken. */
    _Alignas(CACHE_LINE) _Atomic int64_t next;
    int64_t end;
} Worker;

struct tn_pool {
    int threads;
    const uint32_t *has_threads; /* in a page that the child of a fork sees as zeros */
    atomic_bool busy;
    /* The job: written before the mail that announces it, read after. */
    tn_task *task;
    const void *args;
    int64_t piece; /* tasks taken at a time */
    int ranges;
    /* Workers that have not ended their range; and whether the caller sleeps on it. */
    _Alignas(CACHE_LINE) _Atomic uint32_t pending;
    atomic_bool caller_sleeps;
    Worker worker[]; /* [threads] */
};

static void futex_wait(_Atomic uint32_t *word, uint32_t while_equal) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_equal, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* The first tasks % ranges ranges are one task longer than the others. */
static void cut_ranges(tn_pool *pool, int64_t tasks) {
    pool->ranges = tasks < pool->threads ? (int)tasks : pool->threads;
    int64_t each = tasks / pool->ranges, more = tasks % pool->ranges, begin = 0;
    pool->piece = (each + PIECES - 1) / PIECES;
    for (int i = 0; i < pool->ranges; i++) {
        Worker *worker = &pool->worker[i];
        atomic_store(&worker->next, begin);
        worker->end = begin += each + (i < more);
    }
}

/* The range of that number to its end, then what is left of the others. */
static void run_ranges(tn_pool *pool, int number) {
    for (int i = 0; i < pool->ranges; i++) {
        Worker *worker = &pool->worker[(number + i) % pool->ranges];
        int64_t end = worker->end, piece = pool->piece, at;
        while ((at = atomic_fetch_add(&worker->next, piece)) < end)
            pool->task(pool->args, at, at + piece < end ? at + piece : end);
    }
}

static uint32_t wait_for_mail(Worker *worker) {
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        uint32_t mail = atomic_load(&worker->mail);
        if (mail != AWAKE) return mail;
        pause_briefly();
    }
    uint32_t mail = AWAKE;
    if (!atomic_compare_exchange_strong(&worker->mail, &mail, ASLEEP)) return mail;
    while ((mail = atomic_load(&worker->mail)) == ASLEEP)
        futex_wait(&worker->mail, ASLEEP);
    return mail;
}

static void *worker_main(void *argument) {
    Worker *worker = argument;
    tn_pool *pool = worker->pool;
    while (wait_for_mail(worker) == RUN) {
        atomic_store(&worker->mail, AWAKE); /* the next mail comes after `pending` is 0 */
        run_ranges(pool, worker->number);
        /* Either this sees the sleeping caller, or the caller sees the count. */
        if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->caller_sleeps))
            futex_wake(&pool->pending);
    }
    return NULL;
}

static void post(Worker *worker, uint32_t mail) {
    if (atomic_exchange(&worker->mail, mail) == ASLEEP) futex_wake(&worker->mail);
}

static void wait_for_workers(tn_pool *pool) {
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        if (!atomic_load(&pool->pending)) return;
        pause_briefly();
    }
    atomic_store(&pool->caller_sleeps, true);
    for (uint32_t left; (left = atomic_load(&pool->pending));)
        futex_wait(&pool->pending, left);
    atomic_store(&pool->caller_sleeps, false);
}

static void pool_run(void *context, tn_task *task, const void *args, int64_t tasks) {
    tn_pool *pool = context;
    if (tasks <= 0) return;
    if (tasks == 1 || pool->threads == 1 || !*pool->has_threads ||
        atomic_exchange(&pool->busy, true)) {
        task(args, 0, tasks);
        return;
    }
    pool->task = task;
    pool->args = args;
    cut_ranges(pool, tasks);
    atomic_store(&pool->pending, (uint32_t)pool->ranges - 1);
    for (int i = 1; i < pool->ranges; i++) post(&pool->worker[i], RUN);
    run_ranges(pool, 0);
    wait_for_workers(pool);
    atomic_store(&pool->busy, false);
}

/* NULL: memory ended.  A kernel that cannot wipe the page (before 4.14) leaves it. */
static const uint32_t *mark_new(void) {
    void *page = mmap(NULL, MARK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return NULL;
    madvise(page, MARK_BYTES, MADV_WIPEONFORK);
    *(uint32_t *)page = 1;
    return page;
}

static void stop_workers(tn_pool *pool, int started) {
    if (!*pool->has_threads) started = 1;
    for (int i = 1; i < started; i++) post(&pool->worker[i], STOP);
    for (int i = 1; i < started; i++) pthread_join(pool->worker[i].thread, NULL);
    munmap((void *)pool->has_threads, MARK_BYTES);
    free(pool);
}

/* Workers leave every signal to the program's own threads. */
static int start_workers(tn_pool *pool) {
    pthread_attr_t attr;
    sigset_t all, old;
    if (pthread_attr_init(&attr)) return 0;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int started = 1;
    for (; started < pool->threads; started++) {
        Worker *worker = &pool->worker[started];
        atomic_init(&worker->mail, AWAKE);
        worker->number = started;
        worker->pool = pool;
        if (pthread_create(&worker->thread, &attr, worker_main, worker)) break;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return started;
}

tn_pool *tn_pool_new(int threads) {
    if (threads < 1) threads = 1;
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    size_t bytes = sizeof(tn_pool) + sizeof(Worker) * (size_t)threads;
    tn_pool *pool =
        aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    const uint32_t *mark = pool ? mark_new() : NULL;
    if (!mark) {
        free(pool);
        return NULL;
    }
    pool->has_threads = mark;
    pool->threads = threads;
    atomic_init(&pool->busy, false);
    atomic_init(&pool->pending, 0);
    atomic_init(&pool->caller_sleeps, false);
    int started = start_workers(pool);
    if (started == threads) return pool;
    stop_workers(pool, started);
    return NULL;
}

void tn_pool_free(tn_pool *pool) {
    if (pool) stop_workers(pool, pool->threads);
}

tn_parallel tn_pool_parallel(tn_pool *pool) {
    return (tn_parallel){pool, pool_run};
}

int tn_pool_threads(const tn_pool *pool) {
    return pool->threads;
}
