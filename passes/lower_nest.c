/*
 * One kernel over the elements of a group's largest result: loops as few as the values
 * allow, vectors along the last, tasks over the outer ones; smaller results are stored where
 * the loops that they depend on are open.
 *
 * The nest is built, perhaps more than once: while it is built the emitter learns where runs
 * of elements have to be cut, and whether vectors would walk across rows.
 */
#include "passes/nest.h"

/* Work of a task, in elements times ops: some ten microseconds of one core. */
#define TASK_WORK 65536

/* ---- one attempt ---- */

typedef struct Store {
    Val v;
    const Buffer *buffer;
    const Type *type;
    Dim inner;      /* elements of the root for one of this */
    uint32_t depth; /* axes it depends on */
} Store;

typedef struct Build {
    const Nest *nest;
    Emitter *e;
    DraftKernel k;
    Domain domain;
    uint32_t stores;
    Store *store;
    uint32_t lanes;
    const Index *axis[32];
    uint32_t split; /* axis that tasks cut into pieces */
    int64_t piece;  /* steps of it a task */
    const Expr *begin, *end;
    const Index *part; /* number of the task, of a partial reduction */
} Build;

static const Type *root_type(const Nest *nest) {
    Dims *dims = &nest->draft->group->module->dims;
    const Type *root = NULL;
    int64_t most = -1;
    for (uint32_t i = 0; i < nest->results; i++) {
        const Type *type = graph_type(nest->draft->group, nest->result[i].v);
        int64_t count = dim_max(dims, type_count(dims, type));
        if (count <= most) continue;
        most = count;
        root = type;
    }
    return root;
}

static uint32_t root_domain(const Nest *nest) {
    return (nest->draft->group->nodes.count + 2) * MAX_AXES;
}

/* The elements of the root that share one element of a smaller result. */
static void find_inner(Build *b, const Type *root, Store *store) {
    Dims *dims = &b->nest->draft->group->module->dims;
    Dim count = type_count(dims, store->type), total = type_count(dims, root);
    if (!dim_divides(dims, total, count, &store->inner) || !dim_is_const(store->inner))
        bug(b->e->arena, "results of unrelated shapes in one group");
    if (store->inner == 1) return;
    uint32_t run = b->domain.runs ? b->domain.runs - 1 : 0;
    vec_push(b->e->arena, &b->e->cuts, (Cut){b->domain.id + run, store->inner});
}

/* How many pieces the reduced range is cut into. */
static const Expr *count_parts(Emitter *e, const Partial *p) {
    const Expr *parts =
        expr_add(e->arena, emit_dim(e, p->extent), expr_int(e->arena, p->piece - 1));
    return expr_scalar(e->arena, OP_div, parts, expr_int(e->arena, p->piece));
}

/* The parts of the reductions are in memory: joined where they are asked for. */
static void place_parts(Build *b) {
    const Partial *p = b->nest->joined;
    for (uint32_t i = 0; i < p->count; i++) {
        const Node *node = graph_node(b->nest->draft->group, p->v[i]);
        const Buffer *temp =
            draft_buffer(&b->k, OPERAND_TEMP, p->temp[i], node->type.elem, false);
        b->e->home[p->v[i]] = (Home){.buffer = temp,
                                     .parts = count_parts(b->e, p),
                                     .join = emit_reduction_join(node->op)};
    }
}

/* A block of the value, in memory of the task; or all of it, in memory of the group. */
static void place_staged(Build *b) {
    const Staged *s = b->nest->staged;
    const Type *type = graph_type(b->nest->draft->group, s->v);
    Home *home = &b->e->home[s->v];
    *home =
        (Home){.buffer = draft_buffer(&b->k, OPERAND_TEMP, s->temp, type->elem, false)};
    if (!s->images) return;
    const Expr *first = expr_mul(b->e->arena, expr_var(b->e->arena, b->k.kernel->task),
                                 s->images * s->size);
    home->origin = index_axis(b->e, first, INT32_MAX);
    /* Tasks are ranges of the root's outermost dimension. */
    const Type *root = root_type(b->nest);
    int64_t unit = 1;
    for (uint32_t i = 1; i < root->rank; i++) unit *= root->dim[i];
    if (unit > 1) vec_push(b->e->arena, &b->e->cuts, (Cut){root_domain(b->nest), unit});
}

static void begin_build(Build *b, const Nest *nest, uint32_t lanes, const Cut *cut,
                        uint32_t cuts) {
    Draft *l = nest->draft;
    const Type *root = root_type(nest);
    b->nest = nest;
    b->lanes = lanes;
    b->k = draft_kernel(l, nest->suffix);
    b->e = b->k.emitter;
    for (uint32_t i = 0; i < cuts; i++) vec_push(l->arena, &b->e->cuts, cut[i]);
    b->e->lanes = target_lanes(l->target);
    b->store = arena_array(l->arena, Store, nest->results);
    b->stores = nest->results;
    draft_params(&b->k);
    if (nest->joined) place_parts(b);
    if (nest->staged) place_staged(b);
    b->domain.id = root_domain(nest);
    Domain probe = domain_new(b->e, b->domain.id, root->rank, root->dim);
    b->domain = probe;
    for (uint32_t i = 0; i < nest->results; i++) {
        Val v = nest->result[i].v;
        const Type *type = graph_type(l->group, v);
        Operand to = nest->result[i].operand;
        const Buffer *buffer = draft_buffer(&b->k, to.kind, to.index, type->elem, true);
        b->store[i] = (Store){v, buffer, type, 1};
        find_inner(b, root, &b->store[i]);
    }
    b->domain = domain_new(b->e, probe.id, root->rank, root->dim);
    for (uint32_t i = 0; i < b->stores; i++)
        for (uint32_t j = 0; j < b->domain.axes; j++)
            b->store[i].depth += b->domain.axis[j].unit >= b->store[i].inner;
}

/* ---- work and tasks ---- */

/* Ops an element of the root, roughly: nodes, times the length of reductions. */
static double work_of_element(const Build *b, int64_t elements) {
    const Func *group = b->nest->draft->group;
    Dims *dims = &group->module->dims;
    double work = 0;
    for (Val v = 0; v < group->nodes.count; v++) {
        const Node *node = graph_node(group, v);
        OpClass class = op_info[node->op].class;
        if (class == CLASS_SOURCE || class == CLASS_MOVE || b->e->home[v].buffer)
            continue;
        double count = (double)dim_max(dims, type_count(dims, &node->type));
        for (uint32_t i = 0; i < node->args && class == CLASS_REDUCE; i++) {
            const Type *from = graph_type(group, node->arg[i]);
            count += (double)dim_max(dims, type_count(dims, from));
        }
        const Attr *axes = node_attr(node, ATTR_dims);
        if (node->op == OP_contract) {
            count = 1;
            for (uint32_t i = 0; i < axes->count; i++)
                count *= (double)dim_max(dims, axes->ints[i]);
        }
        if (node->op == OP_exp || node->op == OP_log || node->op == OP_tanh ||
            node->op == OP_random)
            count *= 8;
        work += count;
    }
    return work / (double)(elements ? elements : 1) + 1;
}

static int64_t axis_extent(const Build *b, uint32_t axis) {
    return dim_max(&b->nest->draft->group->module->dims, b->domain.axis[axis].extent);
}

/* The axes that every reduction of the group depends on: tasks split no row. */
static uint32_t row_depth(const Build *b) {
    const Func *group = b->nest->draft->group;
    Dims *dims = &group->module->dims;
    Dim total = type_count(dims, root_type(b->nest)), inner;
    uint32_t depth = b->domain.axes;
    for (Val v = 0; v < group->nodes.count; v++) {
        const Node *node = graph_node(group, v);
        Dim count = type_count(dims, &node->type);
        if (op_info[node->op].class != CLASS_REDUCE || b->e->home[v].buffer ||
            !dim_divides(dims, total, count, &inner) || !dim_is_const(inner))
            continue;
        uint32_t own = 0;
        for (uint32_t j = 0; j < b->domain.axes; j++)
            own += b->domain.axis[j].unit >= inner;
        if (own < depth) depth = own;
    }
    return depth;
}

/* The outermost axis of which one step is little enough work, and how many make a task. */
static void choose_tasks(Build *b) {
    double elements = 1;
    for (uint32_t i = 0; i < b->domain.axes; i++) elements *= (double)axis_extent(b, i);
    double work = work_of_element(b, (int64_t)elements);
    double step = elements * work;
    b->split = 0;
    b->piece = 1;
    uint32_t depth = row_depth(b); /* no two tasks may store the same element */
    for (uint32_t i = 0; i < b->stores; i++)
        if (b->store[i].depth < depth) depth = b->store[i].depth;
    for (uint32_t i = 0; i < depth; i++) {
        step /= (double)axis_extent(b, i);
        b->split = i;
        if (step <= TASK_WORK) break;
    }
    if (!b->domain.axes) return;
    int64_t most = axis_extent(b, b->split), lanes = 1;
    if (b->nest->staged && b->nest->staged->images) {
        b->split = 0;
        b->piece = b->nest->staged->images;
        return;
    }
    if (b->split + 1 == b->domain.axes && b->lanes > 1) lanes = 4 * b->lanes;
    b->piece = (int64_t)(TASK_WORK / step) + 1;
    b->piece = (b->piece + lanes - 1) / lanes * lanes;
    if (b->piece >= most || !depth) b->piece = most;
}

/* task -> counters of the axes outside the split, and the range of the split axis. */
static void number_tasks(Build *b) {
    Arena *a = b->e->arena;
    const Expr *task = expr_var(a, b->k.kernel->task), *tasks = expr_int(a, 1);
    if (b->domain.axes) {
        const Expr *extent = emit_dim(b->e, b->domain.axis[b->split].extent);
        if (b->piece >= axis_extent(b, b->split)) {
            b->begin = expr_int(a, 0);
            b->end = extent;
        } else {
            const Expr *pieces = expr_add(a, extent, expr_int(a, b->piece - 1));
            pieces = expr_scalar(a, OP_div, pieces, expr_int(a, b->piece));
            const Expr *own = task;
            if (b->split) own = expr_scalar(a, OP_mod, task, pieces);
            b->begin = expr_mul(a, own, b->piece);
            b->end = expr_add(a, b->begin, expr_int(a, b->piece));
            if (extent->kind != EXPR_INT || extent->i % b->piece)
                b->end = expr_scalar(a, OP_min, b->end, extent);
            task = expr_scalar(a, OP_div, task, pieces);
            tasks = pieces;
        }
    }
    for (uint32_t i = b->domain.axes ? b->split : 0; i-- > 0;) {
        const Expr *extent = emit_dim(b->e, b->domain.axis[i].extent);
        const Expr *at = i ? expr_scalar(a, OP_mod, task, extent) : task;
        b->axis[i] = domain_counter(b->e, &b->domain, i, at, 1);
        task = expr_scalar(a, OP_div, task, extent);
        tasks = expr_scalar(a, OP_mul, tasks, extent);
    }
    b->k.kernel->tasks = tasks;
}

/* Elements that a task of a partial reduction reads. */
#define PIECE_WORK 32768
#define MAX_PARTS  256

/* One piece of the reduced range a task; all elements of the root in each. */
static void number_parts(Build *b) {
    Emitter *e = b->e;
    Arena *a = e->arena;
    Partial *p = b->nest->partial;
    const Func *group = b->nest->draft->group;
    Dims *dims = &group->module->dims;
    Domain range = emit_reduction_domain(e, p->v[0]);
    int64_t size = dim_max(
        dims, type_count(dims, graph_type(group, graph_node(group, p->v[0])->arg[0])));
    p->extent = range.axis[0].extent;
    int64_t extent = dim_max(dims, p->extent), lanes = range.axes == 1 ? 4 * b->lanes : 1;
    p->piece = PIECE_WORK / (size / extent ? size / extent : 1) + 1;
    if (p->piece * MAX_PARTS < extent) p->piece = (extent + MAX_PARTS - 1) / MAX_PARTS;
    p->piece = (p->piece + lanes - 1) / lanes * lanes;
    const Expr *begin = expr_mul(a, expr_var(a, b->k.kernel->task), p->piece);
    const Expr *end = expr_add(a, begin, expr_int(a, p->piece));
    if (!dim_is_const(p->extent) || p->extent % p->piece)
        end = expr_scalar(a, OP_min, end, emit_dim(e, p->extent));
    for (uint32_t i = 0; i < p->count; i++)
        e->home[p->v[i]] = (Home){.begin = begin, .end = end};
    b->split = b->domain.axes; /* no axis of the root is cut */
    b->k.kernel->tasks = count_parts(e, p);
    b->part = index_axis(e, expr_var(a, b->k.kernel->task), MAX_PARTS + 1);
}

/* ---- loops ---- */

static void store_at(Build *b, const Store *s) {
    const Index *at[MAX_RANK], *root_at[MAX_RANK], *axis[32];
    const Type *root = root_type(b->nest);
    for (uint32_t i = 0; i < b->domain.axes; i++)
        axis[i] = i < s->depth ? b->axis[i] : index_int(b->e, 0);
    domain_places(b->e, &b->domain, axis, root_at);
    if (type_same_shape(root, s->type)) {
        const Type type = *root;
        Dim count = type_count(&b->nest->draft->group->module->dims, &type);
        const Index *base = b->part ? index_scale_dim(b->e, b->part, count) : NULL;
        emit_store_from(b->e, s->v, s->buffer, base, root_at);
        return;
    }
    const Index *linear = index_ravel(b->e, root, root_at);
    index_unravel(b->e, index_div(b->e, linear, s->inner), s->type, at);
    emit_store(b->e, s->v, s->buffer, at);
}

static void nest_loops(Build *b, Block *block, uint32_t depth);

static void one_stretch(Build *b, Block *block, uint32_t depth, const Stretch *stretch) {
    Emitter *e = b->e;
    Var *var = var_index(e->arena, arena_print(e->arena, "i%u", depth));
    const Expr *at = stretch->once ? stretch->begin : expr_var(e->arena, var);
    Block body = block_new(e->arena);
    emit_open(e, &body);
    b->axis[depth] = domain_counter(e, &b->domain, depth, at, stretch->lanes);
    nest_loops(b, &body, depth + 1);
    emit_close(e);
    if (stretch->once)
        block_add(block, block_end(&body));
    else
        block_for(block, var, stretch->begin, stretch->end, stretch->lanes, 0,
                  block_end(&body));
}

/* A few steps of known places are written out: what depends on them alone, a row of scales,
 * then leaves the outer loops. */
static uint32_t write_out_stretches(Emitter *e, Stretch *stretch, uint32_t count) {
    Stretch out[MAX_STRETCHES];
    uint32_t steps = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (stretch[i].begin->kind != EXPR_INT || stretch[i].end->kind != EXPR_INT)
            return count;
        for (int64_t at = stretch[i].begin->i; at < stretch[i].end->i;
             at += stretch[i].lanes) {
            if (steps == 4) return count;
            out[steps++] = (Stretch){stretch[i].lanes, expr_int(e->arena, at),
                                     expr_int(e->arena, at + stretch[i].lanes), true};
        }
    }
    memcpy(stretch, out, sizeof *out * steps);
    return steps;
}

static void nest_loops(Build *b, Block *block, uint32_t depth) {
    Emitter *e = b->e;
    for (uint32_t i = 0; i < b->stores; i++)
        if (b->store[i].depth == depth) store_at(b, &b->store[i]);
    if (depth == b->domain.axes) return;
    if (depth < b->split && !b->part) {
        nest_loops(b, block, depth + 1);
        return;
    }
    Stretch stretch[MAX_STRETCHES];
    bool split = depth == b->split, last = depth + 1 == b->domain.axes;
    const Expr *begin = split ? b->begin : expr_int(e->arena, 0);
    const Expr *end = split ? b->end : emit_dim(e, b->domain.axis[depth].extent);
    uint32_t lanes = last ? b->lanes : 1, count;
    Dim extent = b->domain.axis[depth].extent;
    if (split && last && dim_is_const(extent) && b->piece < extent)
        count = domain_piece(e, extent, begin, end, lanes, stretch);
    else
        count = domain_stretches(e, begin, end, lanes, stretch);
    if (last && !split) count = write_out_stretches(e, stretch, count);
    for (uint32_t i = 0; i < count; i++) one_stretch(b, block, depth, &stretch[i]);
}

/* One attempt; true when it holds. */
static bool build(Build *b, const Nest *nest, uint32_t lanes, const Cut *cut,
                  uint32_t cuts) {
    begin_build(b, nest, lanes, cut, cuts);
    Block body = block_new(b->e->arena);
    cuts = b->e->cuts.count;
    emit_open(b->e, &body);
    if (nest->partial) {
        number_parts(b);
    } else {
        choose_tasks(b);
        number_tasks(b);
    }
    nest_loops(b, &body, 0);
    emit_close(b->e);
    b->k.kernel->body = block_end(&body);
    return b->e->cuts.count == cuts && !(b->e->row_in_vector && lanes > 1);
}

#define MAX_ATTEMPTS 12

void nest_lower(const Nest *nest) {
    Draft *l = nest->draft;
    uint32_t lanes = target_lanes(l->target);
    Build *b = NULL;
    for (uint32_t i = 0; i < MAX_ATTEMPTS; i++) {
        const Cut *cut = b ? b->e->cuts.at : NULL;
        uint32_t cuts = b ? b->e->cuts.count : 0;
        b = arena_new(l->arena, Build);
        if (build(b, nest, lanes, cut, cuts)) break;
        if (b->e->row_in_vector) lanes = 1;
    }
    vec_push(l->arena, &l->kernels,
             (LoweredKernel){.kernel = b->k.kernel, .arg = b->k.operands.at});
}
