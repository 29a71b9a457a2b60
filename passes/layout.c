/* The state block of a module: every named port that outlives a call, once, in the order in
 * which the entries name them. */
#include "passes/pass.h"

static bool is_state(Role role) {
    return role != ROLE_INPUT && role != ROLE_OUTPUT;
}

static const Slot *slot_find(const Slot *slot, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(slot[i].name, name)) return &slot[i];
    return NULL;
}

const Layout *layout_state(Arena *arena, const Module *module) {
    Layout *layout = arena_new(arena, Layout);
    VEC(Slot) slots = {0};
    for (uint32_t i = 0; i < module->funcs.count; i++) {
        const Func *func = module->funcs.at[i];
        if (func->kind != FUNC_ENTRY) continue;
        for (uint32_t j = 0; j < func->params.count; j++) {
            const Port *port = &func->params.at[j];
            if (!is_state(port->role)) continue;
            const Slot *old = slot_find(slots.at, slots.count, port->name);
            if (old && type_equal(&old->type, &port->type)) continue;
            if (old) bug(arena, "state %s has two types", port->name);
            int64_t count = type_count((Dims *)&module->dims, &port->type);
            if (!dim_is_const(count))
                bug(arena, "state %s has no constant shape", port->name);
            int64_t bytes = (count * elem_bytes(port->type.elem) + 63) / 64 * 64;
            vec_push(arena, &slots,
                     (Slot){port->name, port->role, port->type, layout->bytes,
                            count * elem_bytes(port->type.elem)});
            layout->bytes += bytes;
        }
    }
    layout->slots = slots.count;
    layout->slot = slots.at;
    return layout;
}
