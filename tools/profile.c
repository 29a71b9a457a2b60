/*
 * Time by kernel.  An entry launches through its parallel-for, so that is where the clock
 * stands; kernels of one task, and copies, it runs by itself: they have the time between.
 */
#include "tools/bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A step of the plan each time it runs. */
typedef struct Beat {
    uint32_t line;
    bool alone; /* not through the parallel-for */
} Beat;

typedef struct Line {
    const PlanStep *step;
    double seconds;
    int64_t runs;  /* in one call */
    Effort effort; /* of its group, on the line of the group's costliest kernel */
} Line;

typedef struct Stretch {
    double begin, end;
} Stretch;

struct Profile {
    Arena *arena;
    const tn_parallel *inner;
    VEC(Beat) beats;
    VEC(Line) lines;
    VEC(Stretch) runs; /* of the call under way */
    double begin;
    uint32_t calls; /* that went as `beats` has it */
};

static uint32_t line_of(Profile *p, const PlanStep *step) {
    for (uint32_t i = 0; i < p->lines.count; i++)
        if (p->lines.at[i].step == step) return i;
    vec_push(p->arena, &p->lines, (Line){.step = step});
    return p->lines.count - 1;
}

/* A task count that depends on n is taken as more than one. */
static bool runs_alone(const PlanStep *step) {
    const Expr *tasks = step->kind == STEP_LAUNCH ? step->kernel->tasks : NULL;
    return !tasks || (tasks->kind == EXPR_INT && tasks->i <= 1);
}

/* A loop that may end early is taken as one that runs no round: see profile_end. */
static void add_beats(Profile *p, const PlanStep *step, uint32_t steps) {
    for (uint32_t i = 0; i < steps; i++) {
        if (step[i].kind == STEP_REPEAT) {
            if (step[i].args > 1) continue;
            for (int64_t k = 0; k < step[i].count; k++)
                add_beats(p, step[i].step, step[i].steps);
            continue;
        }
        uint32_t line = line_of(p, &step[i]);
        p->lines.at[line].runs++;
        vec_push(p->arena, &p->beats, (Beat){line, runs_alone(&step[i])});
    }
}

static void run_timed(void *context, tn_task *task, const void *args, int64_t tasks) {
    Profile *p = context;
    double begin = seconds_now();
    if (p->inner)
        p->inner->run(p->inner->context, task, args, tasks);
    else
        task(args, 0, tasks);
    vec_push(p->arena, &p->runs, (Stretch){begin, seconds_now()});
}

Profile *profile_new(Arena *arena, const tn_parallel *inner, const Plan *plan) {
    Profile *p = arena_new(arena, Profile);
    p->arena = arena;
    p->inner = inner;
    add_beats(p, plan->step, plan->steps);
    return p;
}

tn_parallel profile_parallel(Profile *profile) {
    return (tn_parallel){profile, run_timed};
}

void profile_begin(Profile *p) {
    p->runs.count = 0;
    p->begin = seconds_now();
}

/* What ran alone between two launches shares the time between them. */
static void share(Profile *p, uint32_t first, uint32_t end, double seconds) {
    for (uint32_t i = first; i < end; i++)
        p->lines.at[p->beats.at[i].line].seconds += seconds / (end - first);
}

void profile_end(Profile *p) {
    double now = seconds_now(), last = p->begin;
    uint32_t run = 0, first = 0, shared = 0;
    for (uint32_t i = 0; i < p->beats.count; i++) shared += !p->beats.at[i].alone;
    if (shared < p->runs.count) return; /* loops ran rounds: no part of the table */
    p->calls++;
    for (uint32_t i = 0; i < p->beats.count; i++) {
        if (p->beats.at[i].alone) continue;
        if (run == p->runs.count) return;
        const Stretch *span = &p->runs.at[run++];
        p->lines.at[p->beats.at[i].line].seconds += span->end - span->begin;
        share(p, first, i, span->begin - last);
        first = i + 1;
        last = span->end;
    }
    share(p, first, p->beats.count, now - last);
}

static int by_time(const void *a, const void *b) {
    const Line *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static bool is_first_of_group(const Line *line, uint32_t at) {
    for (uint32_t i = 0; i < at; i++)
        if (line[i].step->label && line[at].step->label &&
            !strcmp(line[i].step->label, line[at].step->label))
            return false;
    return true;
}

static void print_line(const Line *line, double all, uint32_t calls) {
    const PlanStep *step = line->step;
    double us = 1e6 * line->seconds / calls;
    printf("%6.2f %10.1f %6lld", 100 * line->seconds / all, us, (long long)line->runs);
    if (line->effort.flop > 0)
        printf(" %9.1f %8.2f", line->effort.flop / us * 1e-3,
               line->effort.bytes / us * 1e-3);
    else
        printf(" %9s %8s", "", "");
    printf("  %s\n", step->kind == STEP_COPY ? step->label : step->kernel->name);
}

void profile_print(const Profile *p, const Module *module) {
    double all = 0;
    Line *line = p->lines.at;
    uint32_t lines = p->lines.count, calls = p->calls ? p->calls : 1;
    for (uint32_t i = 0; i < lines; i++) all += line[i].seconds;
    if (lines) qsort(line, lines, sizeof *line, by_time);
    printf("%6s %10s %6s %9s %8s\n", "%", "us", "runs", "GFLOP/s", "GB/s");
    for (uint32_t i = 0; i < lines; i++) {
        if (line[i].step->kind == STEP_LAUNCH && is_first_of_group(line, i)) {
            Effort effort = step_effort(module, line[i].step);
            line[i].effort = (Effort){effort.flop * (double)line[i].runs,
                                      effort.bytes * (double)line[i].runs};
        }
        print_line(&line[i], all, calls);
    }
    printf("%6.2f %10.1f  a call, in kernels and copies\n", 100.0, 1e6 * all / calls);
}
