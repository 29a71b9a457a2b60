/*
 * lower: the kernels of one group.
 *
 *   Before   a group: a graph over its parameters, with a schedule
 *   After    kernels in the loop IR, the operand of each of their arguments, and the sizes
 *            of the temporaries between them
 *
 * Needs: a group from `fuse`.  Leaves: verified kernels, tidied.
 * Not done: choosing what is in a group; places in memory.
 */
#include "passes/nest.h"
#include "passes/schedule.h"

void lower_nest(Draft *draft, const Partial *joined) {
    const Func *group = draft->group;
    NestResult *result = arena_array(draft->arena, NestResult, group->results.count);
    for (uint32_t i = 0; i < group->results.count; i++)
        result[i] = (NestResult){group->results.at[i], {OPERAND_RESULT, i}};
    nest_lower(&(Nest){.draft = draft,
                       .suffix = joined ? "join" : "nest",
                       .results = group->results.count,
                       .result = result,
                       .joined = joined});
}

static Kernel *verified(Arena *arena, Kernel *kernel, const char *after) {
    const char *wrong = loop_verify(kernel, arena);
    if (wrong) bug(arena, "after %s: %s", after, wrong);
    return kernel;
}

void lower_group(Arena *arena, const Target *target, const Func *group, Lowered *out) {
    const Schedule *schedule = group->schedule;
    Draft draft = {.arena = arena, .target = target, .group = group};
    switch (schedule->strategy) {
    case STRATEGY_CONTRACT: lower_contract(arena, target, group, out); break;
    case STRATEGY_PARTIAL: lower_reduce(&draft, schedule->heavy); break;
    case STRATEGY_SCATTER: lower_scatter(&draft, schedule->heavy); break;
    case STRATEGY_NEST: lower_nest(&draft, NULL); break;
    }
    if (schedule->strategy != STRATEGY_CONTRACT)
        *out = (Lowered){.kernels = draft.kernels.count,
                         .temps = draft.temps.count,
                         .kernel = draft.kernels.at,
                         .temp_bytes = draft.temps.at};
    LoweredKernel *kernels =
        arena_copy(arena, out->kernel, sizeof *kernels * out->kernels);
    for (uint32_t i = 0; i < out->kernels; i++) {
        kernels[i].kernel = verified(arena, kernels[i].kernel, "lower");
        kernels[i].kernel = verified(arena, tidy(arena, kernels[i].kernel), "tidy");
    }
    out->kernel = kernels;
}
