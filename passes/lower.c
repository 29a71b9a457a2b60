/*
 * lower: the kernels of one group.
 *
 *   Before   a group: a graph over its parameters, with a schedule
 *   After    kernels in the loop IR, the operand of each of their arguments, and the sizes
 *            of the temporaries between them
 *
 * Needs: a group from `fuse`.  Leaves: verified kernels.
 * Not done: choosing what is in a group; places in memory.
 */
#include "passes/nest.h"

static void lower_nest(Lowering *l) {
    const Func *group = l->group;
    NestResult *result = arena_array(l->arena, NestResult, group->results.count);
    for (uint32_t i = 0; i < group->results.count; i++)
        result[i] = (NestResult){group->results.at[i], {OPERAND_RESULT, i}};
    nest_lower(&(Nest){
        .lowering = l, .suffix = "", .results = group->results.count, .result = result});
}

static void check(Lowering *l) {
    for (uint32_t i = 0; i < l->kernels.count; i++) {
        const char *wrong = loop_verify(l->kernels.at[i].kernel, l->arena);
        if (wrong) bug(l->arena, "kernel of %s: %s", l->group->name, wrong);
    }
}

void lower_group(Arena *arena, const Target *target, const Func *group, Lowered *out) {
    Lowering l = {
        .arena = arena, .target = target, .group = group, .dims = &group->module->dims};
    lower_nest(&l);
    check(&l);
    *out = (Lowered){.kernels = l.kernels.count,
                     .temps = l.temp_bytes.count,
                     .kernel = l.kernels.at,
                     .temp_bytes = l.temp_bytes.at};
}
