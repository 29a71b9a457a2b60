/* Timing: what is measured of a case, and how it is shown. */
#ifndef TN_TOOLS_BENCH_H
#define TN_TOOLS_BENCH_H

#include "tools/session.h"
#include <jansson.h>

#define MAX_CALLS 200

typedef struct Timing {
    uint32_t calls;
    double at[MAX_CALLS]; /* seconds of each */
    double first_s;       /* of the call that does not count, compilation included */
} Timing;

double timing_min(const Timing *timing);
double timing_median(const Timing *timing);

/* Executed in one call, by the kernels' own figures; `n`: the run-time dimension. */
typedef struct Effort {
    double flop, bytes;
} Effort;
Effort plan_effort(const Plan *plan, int64_t n);

/* One result: peer case threads min_s median_s calls peak_mb first_s gflops gbs work_mb. */
json_t *bench_row(const char *name, int threads, const Timing *timing, Effort effort);
long peak_megabytes(void);

/* profile.c: a parallel-for that times each launch of another one. */
typedef struct Profile Profile;
Profile *profile_new(Arena *arena,
                     const tn_parallel *inner); /* NULL inner: this thread */
tn_parallel profile_parallel(Profile *profile);
void profile_clear(Profile *profile);
/* A table of kernels by time, of `calls` calls. */
void profile_print(const Profile *profile, const Jit *jit, const Plan *plan, int64_t n,
                   uint32_t calls);

#endif
