/*
 * plan: the steps of an entry and the place of every value.
 *
 *   Before   an entry of calls, repeats, gets and reshapes; the layout of the state
 *   After    launches, copies and repeats in order, each argument with a place
 *
 * A value lives from the step that makes it to the last that reads it; the work arena is cut
 * up by those lifetimes.  A result that replaces a state parameter is written in its place
 * when nobody reads the old value later; a group writes over a parameter that dies with it
 * where it reads each element just before it stores it.  Launches that every iteration of a
 * loop would repeat, packing weights above all, go before it (plan_once.c).
 *
 * Needs: READY.  Leaves: a plan.
 * Not done: choosing the order by memory.
 */
#include "passes/planner.h"

typedef struct Planner {
    PassContext *cx;
    Arena *arena;
    const Layout *layout;
    Dims *dims;
    SlabList slabs;
    uint32_t now;
} Planner;

/* Where a result of a function has to be in the end. */
typedef struct Goal {
    uint32_t slab; /* NO_SLAB: anywhere */
    int64_t old;   /* the parameter whose memory it is, -1: nobody's */
} Goal;

typedef struct Frame {
    const Func *func;
    uint32_t *slab;     /* [nodes] of a tensor */
    uint32_t **parts;   /* [nodes] slabs of a tuple */
    uint32_t *position; /* [nodes] in the order */
    uint32_t *last;     /* [nodes] position of the last reader; END: a result */
    const Goal *goal;   /* [results] */
    VEC(PlanStep) steps;
} Frame;

#define NO_SLAB UINT32_MAX
#define END     UINT32_MAX

/* ---- slabs ---- */

static int64_t bytes_of(Planner *p, const Type *type) {
    return dim_max(p->dims, type_count(p->dims, type)) * elem_bytes(type->elem);
}

static uint32_t new_slab(Planner *p, Space space, uint32_t index, int64_t bytes) {
    Slab slab = {.place = {.space = space, .index = index, .bytes = bytes},
                 .first = p->now,
                 .last = p->now};
    vec_push(p->cx->scratch, &p->slabs, slab);
    return p->slabs.count - 1;
}

static uint32_t work_slab(Planner *p, const Type *type) {
    return new_slab(p, SPACE_WORK, 0, bytes_of(p, type));
}

static void touch(Planner *p, uint32_t slab) {
    p->slabs.at[slab].last = p->now;
}

static uint32_t const_slab(Planner *p, const Node *node) {
    const Attr *values = node_attr(node, ATTR_values);
    int64_t bytes = bytes_of(p, &node->type), count = bytes / elem_bytes(node->type.elem);
    char *data = arena_alloc(p->arena, (size_t)bytes + 64);
    for (int64_t i = 0; i < count; i++) {
        double value = values->reals[values->count == 1 ? 0 : i];
        switch (node->type.elem) {
        case ELEM_bool: ((uint8_t *)data)[i] = value != 0; break;
        case ELEM_u8: ((uint8_t *)data)[i] = (uint8_t)value; break;
        case ELEM_i32: ((int32_t *)data)[i] = (int32_t)value; break;
        case ELEM_f32: ((float *)data)[i] = (float)value; break;
        case ELEM_f64: ((double *)data)[i] = value; break;
        case ELEM_COUNT: break;
        }
    }
    uint32_t slab = new_slab(p, SPACE_CONST, 0, bytes);
    p->slabs.at[slab].place.data = data;
    return slab;
}

/* ---- steps; places hold slab numbers in `index` until all offsets are known ---- */

static Place *slab_places(Planner *p, const uint32_t *slab, uint32_t count) {
    Place *place = arena_array(p->arena, Place, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        place[i].index = slab[i];
        touch(p, slab[i]);
    }
    return place;
}

static void push_step(Planner *p, Frame *f, PlanStep step) {
    vec_push(p->arena, &f->steps, step);
    p->now++;
}

static void push_copy(Planner *p, Frame *f, uint32_t to, uint32_t from, const Type *type,
                      const char *label) {
    uint32_t symbol, slabs[] = {to, from};
    PlanStep step = {.kind = STEP_COPY, .args = 2, .label = label};
    if (!dim_linear(p->dims, type_count(p->dims, type), &symbol, &step.bytes_scale,
                    &step.bytes_offset))
        bug(p->arena, "a copy of a size that is not linear in the run-time dimension");
    step.bytes_scale *= elem_bytes(type->elem);
    step.bytes_offset *= elem_bytes(type->elem);
    step.arg = slab_places(p, slabs, 2);
    push_step(p, f, step);
}

/* ---- calls ---- */

/* The result of the function that part `part` of node `v` is, or -1. */
static int64_t result_of(const Frame *f, Val v, uint32_t part) {
    for (uint32_t i = 0; i < f->func->results.count; i++) {
        Val r = f->func->results.at[i];
        while (graph_node(f->func, r)->op == OP_reshape)
            r = graph_node(f->func, r)->arg[0];
        const Node *node = graph_node(f->func, r);
        if (node->op == OP_get && node->arg[0] == v &&
            node_int(node, ATTR_index, 0) == part && f->goal[i].slab != NO_SLAB)
            return i;
    }
    return -1;
}

static Val root_value(const Func *func, Val v) {
    while (graph_node(func, v)->op == OP_reshape) v = graph_node(func, v)->arg[0];
    return v;
}

/* Whether result `part` of the call may be written over the slab, which the values of
 * `root` hold: nobody reads them later, and the group reads them just in time. */
static bool may_replace(Planner *p, const Frame *f, Val call, uint32_t part, Val root) {
    const Node *node = graph_node(f->func, call);
    const Func *group = node_attr(node, ATTR_body)->func;
    if (f->last[root] > f->position[call] && f->last[root] != 0) return false;
    for (uint32_t i = 0; i < node->args; i++)
        if (root_value(f->func, node->arg[i]) == root &&
            !group_shares(group, i, part, p->cx->scratch))
            return false;
    return true;
}

static bool is_taken(const uint32_t *slab, uint32_t count, uint32_t which) {
    for (uint32_t i = 0; i < count; i++)
        if (slab[i] == which) return true;
    return false;
}

/* A parameter of the call whose memory dies here and suits result `part`. */
static uint32_t dying_slab(Planner *p, const Frame *f, Val call, uint32_t part,
                           const uint32_t *taken) {
    const Node *node = graph_node(f->func, call);
    const Func *group = node_attr(node, ATTR_body)->func;
    for (uint32_t i = 0; i < node->args; i++) {
        Val root = root_value(f->func, node->arg[i]);
        uint32_t slab = f->slab[root];
        if (graph_node(f->func, root)->op != OP_get ||
            p->slabs.at[slab].place.space != SPACE_WORK || is_taken(taken, part, slab) ||
            f->last[root] != f->position[call] ||
            bytes_of(p, graph_type(f->func, root)) !=
                bytes_of(p, graph_type(group, group->results.at[part])))
            continue;
        if (may_replace(p, f, call, part, root)) return slab;
    }
    return NO_SLAB;
}

static uint32_t result_slab(Planner *p, Frame *f, Val call, uint32_t part,
                            const uint32_t *taken) {
    const Func *group = node_attr(graph_node(f->func, call), ATTR_body)->func;
    int64_t result = result_of(f, call, part);
    if (result >= 0) {
        const Goal *goal = &f->goal[result];
        bool free = !is_taken(taken, part, goal->slab);
        if (free && (goal->old < 0 || may_replace(p, f, call, part, (Val)goal->old)))
            return goal->slab;
    }
    uint32_t slab = dying_slab(p, f, call, part, taken);
    if (slab != NO_SLAB) return slab;
    return work_slab(p, graph_type(group, group->results.at[part]));
}

/* Arguments of a kernel that are one slab may overlap. */
static void mark_aliases(const Kernel *kernel, const uint32_t *slab) {
    for (uint32_t i = 0; i < kernel->args.count; i++)
        for (uint32_t j = 0; j < kernel->args.count; j++)
            if (i != j && slab[i] == slab[j] &&
                (kernel->args.at[i]->written || kernel->args.at[j]->written))
                kernel->args.at[i]->may_alias = kernel->args.at[j]->may_alias = true;
}

static void plan_call(Planner *p, Frame *f, Val v) {
    const Node *node = graph_node(f->func, v);
    const Func *group = node_attr(node, ATTR_body)->func;
    Lowered lowered;
    lower_group(p->arena, p->cx->target, group, &lowered);
    uint32_t *part = arena_array(p->cx->scratch, uint32_t, group->results.count + 1);
    for (uint32_t i = 0; i < group->results.count; i++)
        part[i] = result_slab(p, f, v, i, part);
    f->parts[v] = part;
    uint32_t *temp = arena_array(p->cx->scratch, uint32_t, lowered.temps + 1);
    for (uint32_t i = 0; i < lowered.temps; i++)
        temp[i] = new_slab(p, SPACE_WORK, 0, lowered.temp_bytes[i]);
    for (uint32_t i = 0; i < lowered.kernels; i++) {
        const LoweredKernel *k = &lowered.kernel[i];
        uint32_t count = k->kernel->args.count;
        uint32_t *slab = arena_array(p->cx->scratch, uint32_t, count + 1);
        for (uint32_t j = 0; j < count; j++)
            slab[j] = k->arg[j].kind == OPERAND_PARAM
                          ? f->slab[node->arg[k->arg[j].index]]
                      : k->arg[j].kind == OPERAND_RESULT ? part[k->arg[j].index]
                                                         : temp[k->arg[j].index];
        mark_aliases(k->kernel, slab);
        /* All of the group's memory lives through all of its kernels. */
        for (uint32_t j = 0; j < node->args; j++) touch(p, f->slab[node->arg[j]]);
        for (uint32_t j = 0; j < group->results.count; j++) touch(p, part[j]);
        for (uint32_t j = 0; j < lowered.temps; j++) touch(p, temp[j]);
        push_step(p, f,
                  (PlanStep){.kind = STEP_LAUNCH,
                             .kernel = k->kernel,
                             .args = count,
                             .arg = slab_places(p, slab, count),
                             .label = group->name});
    }
}

/* ---- functions ---- */

static void plan_nodes(Planner *p, Frame *f);

static Frame frame_new(Planner *p, const Func *func, const Goal *goal) {
    Arena *a = p->cx->scratch;
    uint32_t nodes = func->nodes.count;
    return (Frame){.func = func,
                   .slab = arena_array(a, uint32_t, nodes),
                   .parts = arena_array(a, uint32_t *, nodes),
                   .position = arena_array(a, uint32_t, nodes),
                   .last = arena_array(a, uint32_t, nodes),
                   .goal = goal};
}

/* The memory in which a carry goes round: the initial value's own, if that dies here. */
static uint32_t carry_slab(Planner *p, Frame *f, Val repeat, uint32_t i,
                           const uint32_t *taken) {
    Val init = graph_node(f->func, repeat)->arg[i];
    Val root = root_value(f->func, init);
    uint32_t slab = f->slab[init];
    bool own = p->slabs.at[slab].place.space == SPACE_WORK &&
               graph_node(f->func, root)->op == OP_get &&
               f->last[root] == f->position[repeat] && !is_taken(taken, i, slab);
    const Node *node = graph_node(f->func, repeat);
    for (uint32_t j = 0; j < node->args; j++)
        if (j != i && f->slab[node->arg[j]] == slab) own = false;
    if (own) return slab;
    uint32_t fresh = work_slab(p, graph_type(f->func, init));
    push_copy(p, f, fresh, slab, graph_type(f->func, init), "carry");
    return fresh;
}

/* What the body does alike in every iteration is done before the loop; its memory then lives
 * as long as the loop. */
static void move_once(Planner *p, Frame *f, Frame *inner, const uint32_t *carry,
                      uint32_t carries, uint32_t counter, uint32_t begin) {
    Arena *scratch = p->cx->scratch;
    uint32_t *kept = arena_array(scratch, uint32_t, carries + 1), left = 0;
    memcpy(kept, carry, carries * sizeof *kept);
    kept[carries] = counter;
    const bool *once = steps_once(inner->steps.at, inner->steps.count, counter, kept,
                                  carries + 1, p->slabs.count, scratch);
    for (uint32_t i = 0; i < inner->steps.count; i++) {
        PlanStep step = inner->steps.at[i];
        if (!once[i]) {
            inner->steps.at[left++] = step;
            continue;
        }
        for (uint32_t j = 0; j < step.args; j++) {
            if (!step.kernel->args.at[j]->written) continue;
            p->slabs.at[step.arg[j].index].first = begin;
            touch(p, step.arg[j].index);
        }
        vec_push(p->arena, &f->steps, step);
    }
    inner->steps.count = left;
}

static void plan_repeat(Planner *p, Frame *f, Val v) {
    const Node *node = graph_node(f->func, v);
    const Func *body = node_attr(node, ATTR_body)->func;
    uint32_t carries = (uint32_t)node_int(node, ATTR_carries, 0);
    uint32_t *carry = arena_array(p->cx->scratch, uint32_t, carries + 1);
    for (uint32_t i = 0; i < carries; i++) carry[i] = carry_slab(p, f, v, i, carry);
    Goal *goal = arena_array(p->cx->scratch, Goal, carries + 1);
    for (uint32_t i = 0; i < carries; i++) goal[i] = (Goal){carry[i], i + 1};
    Type number = type_scalar(ELEM_i32);
    uint32_t begin = p->now, counter = work_slab(p, &number), outer = p->slabs.count;
    Frame inner = frame_new(p, body, goal);
    inner.slab[0] = counter;
    for (uint32_t i = 0; i < node->args; i++)
        inner.slab[i + 1] = i < carries ? carry[i] : f->slab[node->arg[i]];
    p->now++;
    plan_nodes(p, &inner);
    for (uint32_t i = 0; i < carries; i++) touch(p, carry[i]);
    for (uint32_t i = 0; i < outer; i++)
        if (p->slabs.at[i].last >= begin) touch(p, i);
    move_once(p, f, &inner, carry, carries, counter, begin);
    const int64_t going = node_int(node, ATTR_while, -1);
    const uint32_t arg[] = {counter, going < 0 ? counter : carry[going]};
    const uint32_t args = going < 0 ? 1 : 2;
    push_step(p, f,
              (PlanStep){.kind = STEP_REPEAT,
                         .args = args,
                         .arg = slab_places(p, arg, args),
                         .count = node_int(node, ATTR_count, 0),
                         .steps = inner.steps.count,
                         .step = inner.steps.at,
                         .label = body->name});
    f->parts[v] = carry;
}

/* Results that are not yet where they have to be.  What lies in another result's place is
 * taken out first. */
static void reach_goals(Planner *p, Frame *f) {
    const Func *func = f->func;
    uint32_t count = func->results.count;
    uint32_t *from = arena_array(p->cx->scratch, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        from[i] = f->slab[func->results.at[i]];
        touch(p, from[i]);
        bool threatened = false;
        for (uint32_t j = 0; j < count; j++)
            threatened |= j != i && f->goal[j].slab == from[i] &&
                          f->slab[func->results.at[j]] != f->goal[j].slab;
        if (!threatened || from[i] == f->goal[i].slab) continue;
        const Type *type = graph_type(func, func->results.at[i]);
        uint32_t aside = work_slab(p, type);
        push_copy(p, f, aside, from[i], type, "aside");
        from[i] = aside;
    }
    for (uint32_t i = 0; i < count; i++)
        if (f->goal[i].slab != NO_SLAB && from[i] != f->goal[i].slab)
            push_copy(p, f, f->goal[i].slab, from[i],
                      graph_type(func, func->results.at[i]), func->outputs.at[i].name);
}

static void find_lives(Frame *f, const Val *order, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) f->position[order[i]] = i + 1;
    for (uint32_t i = 0; i < f->func->results.count; i++)
        f->last[f->func->results.at[i]] = END;
    for (uint32_t i = count; i-- > 0;) {
        Val v = order[i];
        const Node *node = graph_node(f->func, v);
        for (uint32_t j = 0; j < node->args; j++) {
            uint32_t at = node->op == OP_reshape ? f->last[v] : i + 1;
            if (at > f->last[node->arg[j]]) f->last[node->arg[j]] = at;
        }
    }
}

static void plan_nodes(Planner *p, Frame *f) {
    uint32_t count;
    const Val *order = order_nodes(f->func, p->cx->scratch, &count);
    find_lives(f, order, count);
    for (uint32_t i = 0; i < count; i++) {
        Val v = order[i];
        const Node *node = graph_node(f->func, v);
        switch ((int)node->op) {
        case OP_param: break;
        case OP_const: f->slab[v] = const_slab(p, node); break;
        case OP_reshape: f->slab[v] = f->slab[node->arg[0]]; break;
        case OP_get:
            f->slab[v] = f->parts[node->arg[0]][node_int(node, ATTR_index, 0)];
            break;
        case OP_call: plan_call(p, f, v); break;
        case OP_repeat: plan_repeat(p, f, v); break;
        default: bug(p->arena, "%s outside of any group", op_info[node->op].name);
        }
    }
    reach_goals(p, f);
}

/* ---- entries ---- */

static uint32_t state_slab(Planner *p, const Port *port) {
    for (uint32_t i = 0; i < p->layout->slots; i++) {
        const Slot *slot = &p->layout->slot[i];
        if (strcmp(slot->name, port->name)) continue;
        uint32_t slab = new_slab(p, SPACE_STATE, 0, slot->bytes);
        p->slabs.at[slab].place.offset = slot->offset;
        return slab;
    }
    bug(p->arena, "state %s has no slot", port->name);
}

/* Results of an entry replace state, or go to the caller. */
static const Goal *entry_goals(Planner *p, const Func *entry, const uint32_t *param) {
    Goal *goal = arena_array(p->cx->scratch, Goal, entry->results.count + 1);
    uint32_t outputs = 0;
    for (uint32_t i = 0; i < entry->results.count; i++) {
        const Port *port = &entry->outputs.at[i];
        int64_t bytes = bytes_of(p, graph_type(entry, entry->results.at[i]));
        if (port->role == ROLE_OUTPUT)
            goal[i] = (Goal){new_slab(p, SPACE_OUT, outputs++, bytes), -1};
        else if (port->alias >= 0)
            goal[i] = (Goal){param[port->alias], port->alias};
        else
            goal[i] = (Goal){state_slab(p, port), -1};
    }
    return goal;
}

static void resolve(const Planner *p, const PlanStep *step, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < step[i].args; j++) {
            Place *place = (Place *)&step[i].arg[j];
            *place = p->slabs.at[place->index].place;
        }
        resolve(p, step[i].step, step[i].steps);
    }
}

/* The run-time dimension may show in a group or a body only: a sum over it, say. */
static void find_n(const Planner *p, const Func *func, Plan *plan) {
    uint32_t symbol;
    int64_t scale, offset;
    for (Val v = 0; v < func->nodes.count; v++) {
        const Type *type = graph_type(func, v);
        const Attr *body = node_attr(graph_node(func, v), ATTR_body);
        if (body) find_n(p, body->func, plan);
        for (uint32_t i = 0; i < type->rank && !type->parts; i++) {
            if (dim_is_const(type->dim[i])) continue;
            if (!dim_linear(p->dims, type->dim[i], &symbol, &scale, &offset))
                bug(p->arena, "a dimension that is not linear in the run-time dimension");
            plan->has_n = true;
            plan->n_max = p->dims->symbols.at[symbol].max;
        }
    }
}

const Plan *plan_entry(PassContext *cx, Arena *arena, const Func *entry,
                       const Layout *layout) {
    Planner p = {
        .cx = cx, .arena = arena, .layout = layout, .dims = &entry->module->dims};
    Frame frame = frame_new(&p, entry, NULL);
    uint32_t inputs = 0;
    for (uint32_t i = 0; i < entry->params.count; i++) {
        const Port *port = &entry->params.at[i];
        frame.slab[i] = port->role == ROLE_INPUT
                            ? new_slab(&p, SPACE_IN, inputs++, bytes_of(&p, &port->type))
                            : state_slab(&p, port);
    }
    frame.goal = entry_goals(&p, entry, frame.slab);
    plan_nodes(&p, &frame);
    Plan *plan = arena_new(arena, Plan);
    *plan = (Plan){.name = entry->name,
                   .entry = entry,
                   .steps = frame.steps.count,
                   .step = frame.steps.at,
                   .state_bytes = layout->bytes};
    plan->work_bytes = slabs_place(&p.slabs, cx->scratch);
    plan->lower_bound = slabs_lower_bound(&p.slabs, p.now, cx->scratch);
    resolve(&p, plan->step, plan->steps);
    find_n(&p, entry, plan);
    return plan;
}
