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

static void lower_results(Draft *draft, const char *suffix, const Partial *joined,
                          const Staged *staged) {
    const Func *group = draft->group;
    NestResult *result = arena_array(draft->arena, NestResult, group->results.count);
    for (uint32_t i = 0; i < group->results.count; i++)
        result[i] = (NestResult){group->results.at[i], {OPERAND_RESULT, i}};
    nest_lower(&(Nest){.draft = draft,
                       .suffix = suffix,
                       .results = group->results.count,
                       .result = result,
                       .joined = joined,
                       .staged = staged});
}

void lower_nest(Draft *draft, const Partial *joined) {
    lower_results(draft, joined ? "join" : "nest", joined, NULL);
}

void lower_nest_staged(Draft *draft, const Staged *staged) {
    lower_results(draft, staged->images ? "blocks" : "rest", NULL, staged);
}

/* The contraction into memory, then the nest that reads it. */
static void lower_apart(Draft *draft, Val node) {
    const Func *group = draft->group;
    Func *bare = arena_copy(draft->arena, group, sizeof *group);
    memset(&bare->results, 0, sizeof bare->results);
    vec_push(draft->arena, &bare->results, node);
    Lowered inner;
    lower_contract(draft->arena, draft->target, bare, &inner);
    uint32_t temps = draft->temps.count;
    for (uint32_t i = 0; i < inner.temps; i++) draft_temp(draft, inner.temp_bytes[i]);
    uint32_t staged = draft_temp(draft, value_bytes_max(group, node));
    for (uint32_t i = 0; i < inner.kernels; i++) {
        const LoweredKernel *k = &inner.kernel[i];
        for (uint32_t j = 0; j < k->kernel->args.count; j++) {
            Operand *arg = (Operand *)&k->arg[j];
            if (arg->kind == OPERAND_TEMP) arg->index += temps;
            if (arg->kind == OPERAND_RESULT) *arg = (Operand){OPERAND_TEMP, staged};
        }
        vec_push(draft->arena, &draft->kernels, *k);
    }
    lower_nest_staged(draft, &(Staged){.v = node, .temp = staged});
}

static void lower_pooled(Draft *draft, Val node) {
    if (!lower_blocks(draft, node)) lower_apart(draft, node);
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
    case STRATEGY_BLOCKS: lower_pooled(&draft, schedule->heavy); break;
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
