/*
 * Nets: parameters and state by path.  A net called where no net runs is the model of its
 * name; called inside of one it is a layer, named by the `let` or result whose value it
 * computes, and by its position in it. Paths are kept as net#i.weight and printed without
 * #i where a name holds one layer only.
 */
#include "frontend/elaborate.h"

/* ---- ports and slots ------------------------------------------------------------------ */

Value run_port(Elab *e, const char *name, Role role, Type type, Span span, int32_t slot) {
    Run *run = e->run;
    RunPort port = {name, role, type, elab_span(e, span), slot, NO_VAL};
    port.placeholder = frame_placeholder(e, run->root, &type, span);
    vec_push(e->arena, &run->ports, port);
    return (Value){.kind = VALUE_tensor,
                   .tensor = {.frame = run->root, .val = port.placeholder}};
}

Value run_input(const Elab *e, const char *name) {
    const Run *run = e->run;
    for (uint32_t i = 0; i < run->ports.count; i++) {
        const RunPort *port = &run->ports.at[i];
        if (port->role == ROLE_INPUT && !strcmp(port->name, name))
            return (Value){.kind = VALUE_tensor,
                           .tensor = {.frame = run->root, .val = port->placeholder}};
    }
    return (Value){0};
}

Value run_seed(Elab *e) {
    Run *run = e->run;
    if (run->seed.kind == VALUE_missing)
        run->seed = run_port(e, "seed", ROLE_SEED, type_scalar(ELEM_i32), (Span){0}, -1);
    return run->seed;
}

Value run_step(Elab *e) {
    Run *run = e->run;
    if (run->step.kind == VALUE_missing)
        run->step = run_port(e, "step", ROLE_STEP, type_scalar(ELEM_i32), (Span){0}, -1);
    return run->step;
}

RunSlot *run_slot_at(Elab *e, uint32_t slot) {
    Run *run = e->run;
    while (run->slots.count <= slot) vec_push(e->arena, &run->slots, (RunSlot){0});
    return &run->slots.at[slot];
}

static Value copy_of(Elab *e, Value v) {
    Frame *frame = e->frame;
    e->frame = e->run->root;
    Value copy =
        elab_tensor(e, elab_emit(e, OP_copy, &v.tensor.val, 1, NULL, 0, (Span){0}));
    e->frame = frame;
    return copy;
}

/* The tensor of a slot as it is now. */
Value run_slot(Elab *e, uint32_t number) {
    RunSlot *slot = run_slot_at(e, number);
    const Slot *info = &e->run->models->slots.at[number];
    if (slot->value.kind == VALUE_missing) {
        Value v =
            run_port(e, info->path, info->role, info->type, (Span){0}, (int32_t)number);
        slot = run_slot_at(e, number);
        slot->value = slot->now = v;
    }
    if (info->role != ROLE_PARAM || !e->run->wants_copies) return slot->now;
    if (slot->copy.kind == VALUE_missing) slot->copy = copy_of(e, slot->value);
    return slot->copy;
}

static int32_t find_slot(const Models *models, const Model *model, const char *path) {
    for (uint32_t i = 0; i < models->slots.count; i++)
        if (models->slots.at[i].model == model && !strcmp(models->slots.at[i].path, path))
            return (int32_t)i;
    return -1;
}

static Model *find_model(Elab *e, const AstFunction *net, Env env) {
    Models *models = e->run->models;
    for (uint32_t i = 0; i < models->models.count; i++)
        if (models->models.at[i]->net == net) return models->models.at[i];
    Model *model = arena_new(e->arena, Model);
    *model = (Model){net, net->name, env};
    vec_push(e->arena, &models->models, model);
    return model;
}

/* ---- paths ---------------------------------------------------------------------------- */

static const char *join(Elab *e, const char *path, const char *name) {
    return *path ? arena_print(e->arena, "%s.%s", path, name) : name;
}

const char *instance_layer(Elab *e) {
    Instance *instance = e->instance;
    const char *let = instance->let;
    uint32_t i = 0;
    while (i < instance->lets.count && strcmp(instance->lets.at[i].name, let)) i++;
    if (i == instance->lets.count)
        vec_push(e->arena, &instance->lets, (LetCount){let, 0});
    uint32_t number = instance->lets.at[i].count++;
    if (!*let) return join(e, instance->path, arena_print(e->arena, "%u", number));
    return join(e, instance->path, arena_print(e->arena, "%s#%u", let, number));
}

static bool has_sibling(const Models *models, const Model *model, const char *path,
                        size_t at) {
    for (uint32_t i = 0; i < models->slots.count; i++) {
        const Slot *slot = &models->slots.at[i];
        if (slot->model == model && !strncmp(slot->path, path, at + 1) &&
            strncmp(slot->path + at + 1, "0.", 2))
            return true;
    }
    return false;
}

/* let#0.weight: `let.weight` where let holds one layer, else `let.0.weight`. */
static const char *plain_path(Elab *e, const Models *models, const Slot *slot) {
    Text text;
    text_init(&text, e->arena);
    for (const char *at = slot->path; *at; at++) {
        if (*at != '#') {
            text_add(&text, at, 1);
        } else if (has_sibling(models, slot->model, slot->path,
                               (size_t)(at - slot->path))) {
            text_add(&text, ".", 1);
        } else {
            while (at[1] && at[1] != '.') at++;
        }
    }
    return text.at ? text.at : "";
}

static bool name_taken(const Models *models, uint32_t before, const char *name) {
    for (uint32_t i = 0; i < before; i++)
        if (!strcmp(models->slots.at[i].name, name)) return true;
    return false;
}

/* With several models their names lead. */
void models_name(Elab *e, Models *models) {
    for (uint32_t i = 0; i < models->slots.count; i++) {
        Slot *slot = &models->slots.at[i];
        if (slot->role == ROLE_OPTIM) continue;
        slot->name = plain_path(e, models, slot);
        if (models->models.count > 1) slot->name = join(e, slot->model->name, slot->name);
        while (name_taken(models, i, slot->name))
            slot->name = arena_print(e->arena, "%s_", slot->name);
    }
    for (uint32_t i = 0; i < models->slots.count; i++) {
        Slot *slot = &models->slots.at[i];
        if (slot->role == ROLE_OPTIM)
            slot->name = arena_print(e->arena, "%s.%s", models->slots.at[slot->of].name,
                                     slot->path);
    }
}

/* ---- first values ----------------------------------------------------------------------- */

/* A number, a tensor, or a function of the shape; zero where nothing is written. */
Value slot_first(Elab *e, const Slot *slot) {
    if (!slot->init) {
        Builder b = elab_builder(e, (Span){0});
        return elab_tensor(e, build_fill(&b, &slot->type, 0));
    }
    const CallSite *calls = e->calls;
    e->calls = slot->calls;
    Value v = elab_expression(e, slot->env, slot->init);
    if (v.kind == VALUE_function) {
        Value *dims = arena_array(e->arena, Value, slot->type.rank + 1);
        for (uint32_t i = 0; i < slot->type.rank; i++)
            dims[i] = value_from_dim(slot->type.dim[i]);
        Value shape = {.kind = VALUE_list, .list = {slot->type.rank, dims}};
        v = elab_call(e, v.function, &shape, 1, slot->init->span);
    }
    v = elab_to_tensor(e, v, slot->type.elem, slot->init->span);
    if (v.kind == VALUE_tensor) v = elab_cast(e, v, slot->type.elem, slot->init->span);
    if (v.kind == VALUE_tensor)
        v = elab_expand(e, v, &slot->type,
                        arena_print(e->arena, "the first value of `%s`", slot->path),
                        slot->init->span);
    if (v.kind == VALUE_tensor) v = elab_tensor(e, frame_use(e, &v.tensor));
    e->calls = calls;
    return v;
}

/* An optimiser's state in a later phase, whose optimiser begins anew. */
static Value begin_anew(Elab *e, uint32_t slot, Span span) {
    Value first = slot_first(e, &e->run->models->slots.at[slot]);
    Value begins = elab_binary(e, BINARY_eq, run_step(e), value_int(e->run->begin), span);
    Value arg[] = {begins, first, run_slot(e, slot)};
    if (first.kind != VALUE_tensor) return first;
    return elab_call(e, closure_builtin(e, builtin_find("where")), arg, 3, span);
}

/* ---- statements ----------------------------------------------------------------------- */

static void add_state(Elab *e, const char *name, int32_t slot) {
    vec_push(e->arena, &e->instance->states, (InstanceState){.name = name, .slot = slot});
}

static int32_t new_slot(Elab *e, const char *path, Role role, Type type, const Ast *ast,
                        Env env) {
    Slot slot = {path, path, role, type, ast->define.value, env, e->instance->model, 0};
    slot.of = e->instance->of < 0 ? 0 : (uint32_t)e->instance->of;
    slot.calls = e->calls;
    vec_push(e->arena, &e->run->models->slots, slot);
    return (int32_t)e->run->models->slots.count - 1;
}

/* A parameter given by with(net, tree). */
static Value given_param(Elab *e, const Ast *ast, const char *path, const Type *type) {
    const Value *at = e->instance->tree;
    const char *left = path;
    while (at && *left) {
        size_t length = strcspn(left, ".");
        const char *name = arena_string(e->arena, left, length);
        at = at->kind == VALUE_record ? value_field(at, name) : NULL;
        left += length + (left[length] == '.');
    }
    if (!at) {
        elab_error(e, ast->span, "the tree given to `with` holds no `%s`", path);
        return value_unknown;
    }
    Value v = elab_to_tensor(e, *at, type->elem, ast->span);
    return v.kind == VALUE_tensor
               ? elab_expand(e, v, type, "the given parameter", ast->span)
               : v;
}

static bool define_type(Elab *e, Env env, const Ast *ast, Type *type) {
    if (ast->define.type) return elab_type(e, env, ast->define.type, type);
    if (e->instance->of < 0) {
        elab_error(e, ast->span, "`%s` needs a type, as %s: f32[C] = ...",
                   ast->define.name, ast->define.name);
        return false;
    }
    *type = e->run->models->slots.at[e->instance->of].type;
    return true;
}

static Value define_slot(Elab *e, Env env, const Ast *ast) {
    Role role = ast->kind == AST_param ? ROLE_PARAM
                : e->instance->of >= 0 ? ROLE_OPTIM
                                       : ROLE_STATE;
    Type type;
    if (!define_type(e, env, ast, &type)) return value_unknown;
    if (!dim_is_const(type_count(&e->module->dims, &type)) && !e->checking) {
        elab_error(e, ast->span, "`%s` is %s: its shape must not depend on the batch",
                   ast->define.name, type_text(e, &type));
        return value_unknown;
    }
    const char *path = role == ROLE_OPTIM ? ast->define.name
                                          : join(e, e->instance->path, ast->define.name);
    int32_t slot = -1;
    if (role == ROLE_OPTIM) {
        for (uint32_t i = 0; i < e->run->models->slots.count; i++) {
            const Slot *s = &e->run->models->slots.at[i];
            if (s->role == role && s->of == (uint32_t)e->instance->of &&
                !strcmp(s->path, path))
                slot = (int32_t)i;
        }
    } else {
        slot = find_slot(e->run->models, e->instance->model, path);
    }
    if (slot < 0) slot = new_slot(e, path, role, type, ast, env);
    const Type *had = &e->run->models->slots.at[slot].type;
    if (!type_equal(had, &type)) {
        elab_error(e, ast->span,
                   "`%s` is %s here, but %s where the model was first called",
                   ast->define.name, type_text(e, &type), type_text(e, had));
        elab_hint(e, "a net is one model; another place needs a net of its own");
        return value_unknown;
    }
    add_state(e, ast->define.name, slot);
    const Value *tree = e->instance->tree; /* unknown: of a net that is not known yet */
    if (role == ROLE_PARAM && tree && tree->kind != VALUE_unknown)
        return given_param(e, ast, path, &type);
    if (role == ROLE_OPTIM && e->run->begin)
        return begin_anew(e, (uint32_t)slot, ast->span);
    return run_slot(e, (uint32_t)slot);
}

/* param and state. */
Value elab_statement_param(Elab *e, Env *env, const Ast *ast) {
    Value v = value_unknown;
    if (!e->instance || e->instance->function != e->body) {
        elab_error(e, ast->span, "`%s` belongs in a net%s",
                   ast->kind == AST_param ? "param" : "state",
                   ast->kind == AST_state ? " or an optimiser" : "");
    } else if (ast->kind == AST_param && e->instance->of >= 0) {
        elab_error(e, ast->span, "an optimiser has state, but no parameters");
    } else {
        uint32_t states = e->instance->states.count;
        v = define_slot(e, *env, ast);
        if (e->instance->states.count == states) add_state(e, ast->define.name, -1);
    }
    *env = env_bind(e, *env, ast->define.name, v);
    return v;
}

/* ---- calls ---------------------------------------------------------------------------- */

static void commit_states(Elab *e, const Instance *instance) {
    for (uint32_t i = 0; i < instance->states.count && !e->fixed; i++) {
        const InstanceState *state = &instance->states.at[i];
        if (state->next.kind != VALUE_tensor) continue;
        RunSlot *slot = run_slot_at(e, (uint32_t)state->slot);
        slot->now = state->next;
        slot->changed = true;
    }
}

static const Value *override_of(const Elab *e, const AstFunction *net) {
    for (const Override *o = e->overrides; o; o = o->next)
        if (o->net == net) return o->tree;
    return NULL;
}

Value elab_net(Elab *e, const Closure *c, Env env, Span span) {
    Instance *outer = e->instance;
    Instance instance = {.function = c->function, .let = "", .of = -1};
    instance.model = outer ? outer->model : find_model(e, c->function, env);
    instance.path = outer ? instance_layer(e) : "";
    instance.tree = c->tree ? c->tree : outer ? outer->tree : override_of(e, c->function);
    e->instance = &instance;
    Value v = elab_body(e, c->function, env);
    e->instance = outer;
    commit_states(e, &instance);
    return v;
}

/* Moves one parameter: w and g are in sight, `next w` is what it becomes. */
bool elab_optimiser(Elab *e, const Closure *c, uint32_t slot, Value w, Value g,
                    Span span) {
    Env env = c->env;
    for (uint32_t i = 0; i < c->params; i++) {
        const AstParam *param = &c->function->param[i];
        Value v = c->bound ? c->bound[i] : (Value){0};
        if (v.kind == VALUE_missing) v = elab_expression(e, env, param->value);
        env = env_bind(e, env, param->name, v);
    }
    env = env_bind(e, env_bind(e, env, "w", w), "g", g);
    Instance instance = {
        .function = c->function, .let = "", .path = "", .of = (int32_t)slot};
    instance.model = e->run->models->slots.at[slot].model;
    CallSite *site = arena_new(e->arena, CallSite);
    *site = (CallSite){span, c->function->name, e->calls};
    e->instance = &instance;
    e->calls = site;
    add_state(e, "w", (int32_t)slot);
    elab_body(e, c->function, env);
    e->calls = site->next;
    e->instance = NULL;
    commit_states(e, &instance);
    return instance.states.at[0].next.kind == VALUE_tensor;
}
