/* Timing: what is measured of a case, and how it is shown. */
#ifndef TN_TOOLS_BENCH_H
#define TN_TOOLS_BENCH_H

#include "tools/session.h"
#include <jansson.h>

#define MAX_CALLS 2000

typedef struct Timing {
    uint32_t calls;
    double at[MAX_CALLS]; /* seconds of each */
    double first_s;       /* of the call that does not count, compilation included */
} Timing;

double timing_min(const Timing *timing);
double timing_median(const Timing *timing);

/* effort.c: arithmetic, and bytes that have to be moved, with the run-time dimension at its
 * maximum. */
typedef struct Effort {
    double flop, bytes;
} Effort;
double node_flop(const Func *func, const Node *node); /* 0 for views and control */
Effort step_effort(const Module *module, const PlanStep *step); /* of its whole group */
Effort plan_effort(const Module *module, const Plan *plan);

/* One result: peer case threads min_s median_s calls peak_mb first_s gflops gbs work_mb. */
json_t *bench_row(const char *name, int threads, const Timing *timing, Effort effort);
long peak_megabytes(void);

/* profile.c: a parallel-for that times each launch of another one. */
typedef struct Profile Profile;
Profile *profile_new(Arena *arena, const tn_parallel *inner, const Plan *plan);
tn_parallel profile_parallel(Profile *profile); /* inner NULL: this thread */
void profile_begin(Profile *profile);           /* around each call */
void profile_end(Profile *profile);
void profile_print(const Profile *profile, const Module *module);

#endif
