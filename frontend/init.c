/* First values: an entry of its own, from the seed to every slot of the nets. */
#include "frontend/load.h"

Func *init_build(Elab *e, Models *models, const char *name, bool seed, bool step,
                 Span span) {
    Run *run = run_new(e, models);
    Builder b = elab_builder(e, span);
    uint32_t slots = models->slots.count;
    Value *first = arena_array(e->arena, Value, slots + 1);
    run->sites = SITES_INIT;
    run->seed = run_port(e, "seed", ROLE_INPUT, type_scalar(ELEM_i32), span, -1);
    run->step = elab_tensor(e, build_const(&b, ELEM_i32, 0));
    for (uint32_t i = 0; i < slots; i++) {
        first[i] = slot_first(e, &models->slots.at[i]);
        if (first[i].kind != VALUE_tensor) return NULL;
    }
    Func *func = run_finish(e, run, arena_print(e->arena, "%s_init", name));
    for (uint32_t i = 0; i < slots; i++) {
        const Slot *slot = &models->slots.at[i];
        func_result(func, slot->name, slot->role, run->map[first[i].tensor.val], -1);
    }
    if (seed) func_result(func, "seed", ROLE_SEED, run->map[run->seed.tensor.val], -1);
    if (step) func_result(func, "step", ROLE_STEP, run->map[run->step.tensor.val], -1);
    return func;
}
