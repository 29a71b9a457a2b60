/*
 * tenon_runtime.h: the calling convention of compiled entries, and the thread pool that
 * may serve them.  C99 and C++.  Every compiled object works without this pool: any
 * parallel-for fits into tn_parallel, and NULL means the calling thread.
 */
#ifndef TENON_RUNTIME_H
#define TENON_RUNTIME_H

#include "tenon_object.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A compiled entry.  `state` and `work` are 64-byte aligned blocks of the sizes that the
 * object states; `in` points to the input pointers in order, followed by int64_t n where
 * the entry has a run-time dimension; `out` to the output pointers.  One call uses one
 * work block.
 */
typedef int tn_entry(void *state, void *work, const void *in, const void *out,
                     const tn_parallel *parallel);

/* Words for a code: "a pointer is NULL"; for any other number too. */
const char *tn_error_text(int code);

/* A fork-join pool: ranges whose rest others take over, a bounded spin, then sleep. */
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
