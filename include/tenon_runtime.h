/*
 * tenon_runtime.h: the calling convention of compiled entries, and the thread pool that
 * may serve them.  C99 and C++.  Every compiled object works without this pool: any
 * parallel-for fits into tn_parallel, and NULL means the calling thread.
 */
#ifndef TENON_RUNTIME_H
#define TENON_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TN_ABI_VERSION 1

/* What an entry returns. */
enum {
    TN_OK = 0,
    TN_ERROR_NULL = 1,      /* a pointer that must not be NULL is */
    TN_ERROR_ALIGNMENT = 2, /* state or work is not a multiple of 64 bytes */
    TN_ERROR_RANGE = 3,     /* n is below 1 or beyond its maximum */
    TN_ERROR_CPU = 4,       /* this processor lacks what the object was compiled for */
    TN_ERROR_ABI = 5,
};

/* Runs tasks [begin, end) of a kernel. */
typedef void tn_task(const void *args, int64_t begin, int64_t end);

/*
 * A parallel-for.  `run` calls `task` so that every task of [0, tasks) is run once, and
 * returns when all have ended.  The split into ranges does not change results.
 */
typedef struct tn_parallel {
    void *context;
    void (*run)(void *context, tn_task *task, const void *args, int64_t tasks);
} tn_parallel;

/*
 * A compiled entry.  `state` and `work` are 64-byte aligned blocks of the sizes that the
 * object states; `in` points to the input pointers in order, followed by int64_t n where
 * the entry has a run-time dimension; `out` to the output pointers.  One call uses one
 * work block.
 */
typedef int tn_entry(void *state, void *work, const void *in, const void *out,
                     const tn_parallel *parallel);

/* A fork-join pool: static ranges, a bounded spin, then sleep. */
typedef struct tn_pool tn_pool;
tn_pool *
tn_pool_new(int threads); /* counts the caller; NULL when memory or threads end */
void tn_pool_free(tn_pool *pool);
tn_parallel tn_pool_parallel(tn_pool *pool);
int tn_pool_threads(const tn_pool *pool);

/* Writes the order of n examples in epoch `epoch` (0-based) for `seed`: a permutation. */
void tn_order(uint64_t seed, int64_t epoch, int64_t n, int64_t *order);

#ifdef __cplusplus
}
#endif
#endif
