/*
 * tenon_object.h: what compiled objects and their callers share.  C99 and C++.  The text
 * below stands in the header of every object.
 */
#ifndef TENON_OBJECT_H
#define TENON_OBJECT_H

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
    TN_ERROR_ALIGNMENT = 2, /* state or work is not at a multiple of 64 bytes */
    TN_ERROR_RANGE = 3,     /* n, or the seed, is out of its range */
    TN_ERROR_CPU = 4,       /* this processor lacks what the object was compiled for */
    TN_ERROR_ABI = 5,       /* header and object are of different releases or models */
    TN_ERROR_STATE = 6,     /* the state was not made by the init of such an object */
    TN_ERROR_WORK = 7,      /* work memory is smaller than the entry needs */
    TN_ERROR_ARRAY = 8,     /* an array is not aligned to its elements */
    TN_ERROR_OVERRUN = 9    /* work memory was written beyond its end (--guard) */
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

/* An array of the state: row-major, `bytes` of it at `offset` from the state's start. */
typedef struct tn_param {
    const char *name;  /* "conv1.weight" */
    const char *role;  /* "param", "state" (statistics), "optim", "seed", "step" */
    const char *dtype; /* "f32", "i32", ... */
    int64_t rank, dim[8];
    int64_t offset, bytes;
} tn_param;

#ifdef __cplusplus
}
#endif
#endif
