/* Time by kernel.  An entry launches through its parallel-for, so that is where the clock
 * stands; a kernel is known by its function. */
#include "tools/bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KERNELS 1024

typedef struct Line {
    tn_task *task;
    double seconds;
    int64_t launches;
    const PlanStep *step; /* first one that runs it; NULL: unknown */
    uint32_t steps;
    Effort effort; /* of all launches in one call */
} Line;

struct Profile {
    const tn_parallel *inner;
    uint32_t count;
    Line line[MAX_KERNELS];
};

static Line *line_of(Profile *profile, tn_task *task) {
    for (uint32_t i = 0; i < profile->count; i++)
        if (profile->line[i].task == task) return &profile->line[i];
    if (profile->count == MAX_KERNELS) return &profile->line[MAX_KERNELS - 1];
    profile->line[profile->count] = (Line){.task = task};
    return &profile->line[profile->count++];
}

static void run_timed(void *context, tn_task *task, const void *args, int64_t tasks) {
    Profile *profile = context;
    double start = seconds_now();
    if (profile->inner)
        profile->inner->run(profile->inner->context, task, args, tasks);
    else
        task(args, 0, tasks);
    Line *line = line_of(profile, task);
    line->seconds += seconds_now() - start;
    line->launches++;
}

Profile *profile_new(Arena *arena, const tn_parallel *inner) {
    Profile *profile = arena_new(arena, Profile);
    profile->inner = inner;
    return profile;
}

tn_parallel profile_parallel(Profile *profile) {
    return (tn_parallel){profile, run_timed};
}

void profile_clear(Profile *profile) {
    profile->count = 0;
}

static void attribute(Line *line, uint32_t lines, const Jit *jit, const PlanStep *step,
                      uint32_t steps, int64_t n, double times) {
    for (uint32_t i = 0; i < steps; i++) {
        double inside = times * (step[i].kind == STEP_REPEAT ? (double)step[i].count : 1);
        attribute(line, lines, jit, step[i].step, step[i].steps, n, inside);
        if (step[i].kind != STEP_LAUNCH) continue;
        tn_task *task = jit_kernel(jit, step[i].kernel->name);
        for (uint32_t l = 0; l < lines; l++) {
            if (line[l].task != task) continue;
            if (!line[l].steps++) line[l].step = &step[i];
            line[l].effort.flop += times * step[i].kernel->flop * (double)n;
            line[l].effort.bytes += times * step[i].kernel->bytes * (double)n;
        }
    }
}

static int by_time(const void *a, const void *b) {
    const Line *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

void profile_print(const Profile *profile, const Jit *jit, const Plan *plan, int64_t n,
                   uint32_t calls) {
    static Line line[MAX_KERNELS];
    double all = 0;
    memcpy(line, profile->line, profile->count * sizeof *line);
    attribute(line, profile->count, jit, plan->step, plan->steps, plan->has_n ? n : 1, 1);
    qsort(line, profile->count, sizeof *line, by_time);
    for (uint32_t i = 0; i < profile->count; i++) all += line[i].seconds;
    printf("%6s %9s %8s %9s %8s  %-24s %s\n", "%", "us", "launches", "GFLOP/s", "GB/s",
           "kernel", "group");
    for (uint32_t i = 0; i < profile->count; i++) {
        const Line *l = &line[i];
        double us = 1e6 * l->seconds / calls;
        printf("%6.2f %9.1f %8lld %9.1f %8.2f  %-24s %s", 100 * l->seconds / all, us,
               (long long)l->launches / calls, l->effort.flop / us * 1e-3,
               l->effort.bytes / us * 1e-3, l->step ? l->step->kernel->name : "?",
               l->step && l->step->label ? l->step->label : "");
        printf(l->steps > 1 ? " (and %u more)\n" : "\n", l->steps - 1);
    }
    printf("%6.2f %9.1f  in kernels, of a call\n", 100.0, 1e6 * all / calls);
}
