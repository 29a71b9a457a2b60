/*
 * What a step leaves behind: `next`, and what is due in some steps only.
 *
 *     every n { next s = ... }        in each n-th step
 *     after epoch { next s = ... }    in the last step of each epoch
 *
 * The statements of an `every` run in a frame of their own, which becomes the body of a loop
 * of at most one round; nothing flows back through it.  State is set where the net runs.  A
 * parameter belongs to the optimiser first: what a net or a training block does to it waits
 * in run->late until the optimiser has moved it, and sees what that left.
 */
#include "frontend/builtin.h"

/* ---- where a value goes ----------------------------------------------------------------- */

static InstanceState *find_state(Elab *e, const char *name) {
    Instance *instance = e->instance;
    for (uint32_t i = 0; instance && i < instance->states.count; i++)
        if (!strcmp(instance->states.at[i].name, name)) return &instance->states.at[i];
    return NULL;
}

static bool is_param(const Elab *e, const InstanceState *state) {
    if (state->slot < 0 || e->instance->of >= 0) return false;
    return e->run->models->slots.at[state->slot].role == ROLE_PARAM;
}

static void set_twice(Elab *e, const Ast *ast) {
    elab_error(e, ast->span, "`next %s` stands twice", ast->define.name);
}

static void set_changed(Elab *e, uint32_t slot, const Ast *ast, Value v) {
    Changes *changes = e->changes;
    for (uint32_t i = 0; i < changes->count; i++)
        if (changes->at[i].slot == slot) set_twice(e, ast);
    vec_push(e->arena, changes, (Change){slot, frame_use(e, &v.tensor)});
}

static void set_now(Elab *e, uint32_t slot, Value v) {
    RunSlot *at = run_slot_at(e, slot);
    at->now = v;
    at->changed = true;
}

/* The value of `next NAME` for one slot: `state` is its name in the net or optimiser that
 * runs, NULL: none runs. */
static Value set_slot(Elab *e, uint32_t slot, InstanceState *state, const Ast *ast,
                      Value v) {
    const Type *type = &e->run->models->slots.at[slot].type;
    v = elab_cast(e, v, type->elem, ast->span);
    const char *what = arena_print(e->arena, "`next %s`", ast->define.name);
    if (v.kind == VALUE_tensor) v = elab_expand(e, v, type, what, ast->span);
    if (v.kind != VALUE_tensor) return v;
    v.tensor.ghost_rank = 0;
    if (e->changes) {
        set_changed(e, slot, ast, v);
    } else if (!state || e->late) {
        set_now(e, slot, v);
    } else {
        if (state->next.kind != VALUE_missing && state->set != ast) set_twice(e, ast);
        state->next = v;
        state->set = ast;
    }
    return v;
}

/* ---- next -------------------------------------------------------------------------------- */

static bool is_same(const Value *a, const Value *b) {
    return a->kind == VALUE_tensor && a->tensor.frame == b->tensor.frame &&
           a->tensor.val == b->tensor.val;
}

static int32_t slot_of(Elab *e, const Value *leaf) {
    for (uint32_t i = 0; leaf->kind == VALUE_tensor && i < e->run->slots.count; i++) {
        const RunSlot *slot = &e->run->slots.at[i];
        if (is_same(&slot->now, leaf) || is_same(&slot->copy, leaf)) return (int32_t)i;
    }
    return -1;
}

bool elab_slots(Elab *e, const Value *tree, SlotList *slots) {
    if (tree->kind == VALUE_record) {
        for (uint32_t i = 0; i < tree->record.count; i++)
            if (!elab_slots(e, tree->record.at[i].value, slots)) return false;
        return true;
    }
    int32_t slot = slot_of(e, tree);
    if (slot >= 0) vec_push(e->arena, slots, (uint32_t)slot);
    return slot >= 0;
}

/* `next TREE = ...` in a training block: each leaf by the leaf of the same path. */
static bool set_tree(Elab *e, const Ast *ast, const Value *tree, const Value *v) {
    if (v->kind == VALUE_unknown || tree->kind == VALUE_unknown) return false;
    if (tree->kind != VALUE_record) {
        int32_t slot = slot_of(e, tree);
        if (slot >= 0)
            return set_slot(e, (uint32_t)slot, NULL, ast, *v).kind == VALUE_tensor;
        elab_error(e, ast->define.name_span, "`%s` is no parameter and no state",
                   ast->define.name);
        return false;
    }
    for (uint32_t i = 0; i < tree->record.count; i++) {
        const Field *field = &tree->record.at[i];
        const Value *part = v->kind == VALUE_record ? value_field(v, field->name) : NULL;
        if (!part) {
            elab_error(e, ast->span, "`next %s` wants a tree with `%s`, found %s",
                       ast->define.name, field->name, elab_words(e, v));
            return false;
        }
        if (!set_tree(e, ast, field->value, part)) return false;
    }
    return true;
}

static Value next_of_block(Elab *e, Env env, const Ast *ast, const Value *v) {
    const Value *tree = env_find(&env, ast->define.name);
    if (tree)
        set_tree(e, ast, tree, v);
    else
        elab_error(e, ast->define.name_span, "`%s` is no parameter and no state",
                   ast->define.name);
    return value_none;
}

static void wait_for_optimiser(Elab *e, Env env, const Ast *ast) {
    const Instance *instance = e->instance;
    if (!e->training || e->fixed || instance->tree) return;
    for (uint32_t i = 0; i < e->run->late.count; i++) {
        const Late *late = &e->run->late.at[i];
        if (late->ast == ast && late->instance.model == instance->model &&
            !strcmp(late->instance.path, instance->path))
            return;
    }
    vec_push(e->arena, &e->run->late, (Late){ast, env, *instance});
}

Value elab_next(Elab *e, Env env, const Ast *ast) {
    Value v = elab_expression(e, env, ast->define.value);
    if (e->late && !e->instance) return next_of_block(e, env, ast, &v);
    InstanceState *state = find_state(e, ast->define.name);
    if (!state) {
        if (e->instance || !e->checking)
            elab_error(e, ast->define.name_span, "`%s` is no state of this %s",
                       ast->define.name,
                       e->instance && e->instance->of >= 0 ? "optimiser" : "net");
        return value_unknown;
    }
    if (v.kind == VALUE_unknown || state->slot < 0) {
        state->next = value_unknown;
        return value_unknown;
    }
    if (e->frame != e->run->root && !e->changes && !e->fixed) {
        elab_error(e, ast->span, "state cannot change inside of `repeat`");
        elab_hint(e, "in an `attack`, and in in_mode(f, training = false), it stays");
        return value_unknown;
    }
    if (!is_param(e, state) || e->late)
        return set_slot(e, (uint32_t)state->slot, state, ast, v);
    if (!e->changes) wait_for_optimiser(e, env, ast);
    return v;
}

/* m': what `next m` has set. */
Value elab_prime(Elab *e, const Ast *ast) {
    InstanceState *state = find_state(e, ast->prime);
    if (state && state->next.kind != VALUE_missing) return state->next;
    if (!e->checking || state) {
        if (!e->diag->errors)
            elab_error(e, ast->span, "`%s'` before `next %s`", ast->prime, ast->prime);
    }
    return value_unknown;
}

/* ---- every ------------------------------------------------------------------------------- */

/* The number of steps from one time to the next; false: reported, or known only in a
 * training block. */
static bool find_period(Elab *e, Env env, const Ast *ast, int64_t *period) {
    if (ast->every.period) {
        Value v = elab_expression(e, env, ast->every.period);
        return want_int(e, &v, "the period of `every`", 1, ast->every.period->span,
                        period);
    }
    Env schedule = {e->run->schedule, NULL};
    const Value *v = env_find(&schedule, "steps_per_epoch");
    *period = v ? v->integer : 1;
    return v || e->checking;
}

/* bool[]: whether this step is one of them. */
static Value is_due(Elab *e, int64_t period, Span span) {
    Value done = elab_binary(e, BINARY_add, run_step(e), value_int(1), span);
    Value left = elab_binary(e, BINARY_mod, done, value_int(period), span);
    return elab_binary(e, BINARY_eq, left, value_int(0), span);
}

static Value value_before(Elab *e, uint32_t slot) {
    const Instance *instance = e->instance;
    for (uint32_t i = 0; !e->late && instance && i < instance->states.count; i++) {
        const InstanceState *state = &instance->states.at[i];
        if (state->slot == (int32_t)slot && state->next.kind == VALUE_tensor)
            return state->next;
    }
    return e->late ? run_slot_at(e, slot)->now : run_slot(e, slot);
}

static void set_after(Elab *e, uint32_t slot, Val loop, uint32_t part, Span span) {
    Builder b = elab_builder(e, span);
    Val got = build_get(&b, loop, part);
    Value v = elab_tensor(e, elab_emit(e, OP_stop, &got, 1, NULL, 0, span));
    if (e->late) set_now(e, slot, v);
    for (uint32_t i = 0; !e->late && i < e->instance->states.count; i++)
        if (e->instance->states.at[i].slot == (int32_t)slot)
            e->instance->states.at[i].next = v;
}

/* A loop that runs `frame` once where `due` holds, and hands the slots on where not. */
static void emit_when_due(Elab *e, Frame *frame, const Changes *changes, Value due,
                          Span span) {
    const uint32_t count = changes->count, args = count + 1 + frame->imports.count;
    FramePort *param = arena_array(e->arena, FramePort, count + 2);
    FramePort *result = arena_array(e->arena, FramePort, count + 1);
    Val *arg = arena_array(e->arena, Val, args);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = arena_print(e->arena, "s%u", i);
        Value before = value_before(e, changes->at[i].slot);
        arg[i] = frame_use(e, &before.tensor);
        param[i + 1] =
            (FramePort){name, frame_placeholder(e, frame, tensor_type(&before), span)};
        result[i] = (FramePort){name, changes->at[i].val};
    }
    Type truth = type_scalar(ELEM_bool), number = type_scalar(ELEM_i32);
    Builder inner = {frame->func, elab_span(e, span)};
    param[0] = (FramePort){"i", frame_placeholder(e, frame, &number, span)};
    param[count + 1] = (FramePort){"due", frame_placeholder(e, frame, &truth, span)};
    result[count] = (FramePort){"due", build_const(&inner, ELEM_bool, 0)};
    arg[count] = frame_use(e, &due.tensor);
    for (uint32_t i = 0; i < frame->imports.count; i++)
        arg[count + 1 + i] = frame->imports.at[i].outer;
    Func *body = frame_body(e, frame, "due", param, count + 2, result, count + 1, span);
    Attr attr[] = {attr_int(ATTR_count, 1), attr_int(ATTR_carries, count + 1),
                   attr_func(ATTR_body, body), attr_int(ATTR_while, count)};
    Val loop = elab_emit(e, OP_repeat, arg, args, attr, 4, span);
    for (uint32_t i = 0; loop != NO_VAL && i < count; i++)
        set_after(e, changes->at[i].slot, loop, i, span);
}

static void run_every(Elab *e, Env env, const Ast *ast) {
    int64_t period;
    if (!find_period(e, env, ast, &period)) return;
    Value due = is_due(e, period, ast->span);
    Frame *outer = e->frame, *frame = frame_new(e, outer);
    Changes changes = {0}, *around = e->changes;
    uint32_t errors = e->diag->errors;
    e->frame = frame;
    e->changes = &changes;
    elab_block(e, env, ast->every.body);
    e->frame = outer;
    e->changes = around;
    if (!changes.count || e->checking || e->diag->errors > errors) return;
    if (due.kind == VALUE_tensor) emit_when_due(e, frame, &changes, due, ast->span);
}

/* Whether a statement of the block is `next` of a parameter. */
static bool moves_params(Elab *e, const Ast *block) {
    for (uint32_t i = 0; i < block->list.count; i++) {
        const Ast *ast = block->list.at[i];
        if (ast->kind != AST_next) continue;
        const InstanceState *state = find_state(e, ast->define.name);
        if (state && is_param(e, state)) return true;
    }
    return false;
}

Value elab_every(Elab *e, Env env, const Ast *ast) {
    if (!e->instance && !e->late) {
        elab_error(e, ast->span,
                   "`%s` belongs in a net, an optimiser or a training block",
                   ast->every.period ? "every" : "after epoch");
        return value_none;
    }
    if (e->changes) {
        elab_error(e, ast->span, "`every` inside of another");
        return value_none;
    }
    if (!e->training || e->fixed) return value_none;
    if (!e->late && !e->checking && moves_params(e, ast->every.body))
        wait_for_optimiser(e, env, ast);
    else
        run_every(e, env, ast);
    return value_none;
}

/* ---- after the optimiser ----------------------------------------------------------------- */

/* What the net calls its parameters and state means what they are by now. */
static Env env_by_now(Elab *e, const Late *late) {
    Env env = late->env;
    for (uint32_t i = 0; i < late->instance.states.count; i++) {
        const InstanceState *state = &late->instance.states.at[i];
        if (state->slot < 0) continue;
        Value now = run_slot_at(e, (uint32_t)state->slot)->now;
        if (now.kind == VALUE_tensor) env = env_bind(e, env, state->name, now);
    }
    return env;
}

void elab_late(Elab *e) {
    e->late = true;
    for (uint32_t i = 0; i < e->run->late.count; i++) {
        const Late *late = &e->run->late.at[i];
        Instance instance = late->instance;
        Env env = env_by_now(e, late);
        e->instance = &instance;
        e->body = instance.function;
        if (late->ast->kind == AST_every)
            run_every(e, env, late->ast);
        else
            elab_next(e, env, late->ast);
    }
    e->instance = NULL;
    e->body = NULL;
    e->late = false;
}

void elab_late_block(Elab *e, Env env, const Ast *ast) {
    e->late = true;
    run_every(e, env, ast);
    e->late = false;
}
