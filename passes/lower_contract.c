/* Lowering of a group around one contraction: the choice of a strategy, and the kernels'
 * common parts. */
#include "passes/winograd.h"

uint32_t draft_temp(Draft *draft, int64_t bytes) {
    vec_push(draft->arena, &draft->temps, (bytes + 63) / 64 * 64);
    return draft->temps.count - 1;
}

DraftKernel draft_kernel(Draft *draft, const char *what) {
    Arena *a = draft->arena;
    const char *name = arena_print(a, "%s_%s", draft->group->name, what);
    DraftKernel k = {.draft = draft, .kernel = kernel_new(a, name)};
    k.emitter = emitter_new(a, draft->group, k.kernel->n);
    return k;
}

Buffer *draft_buffer(DraftKernel *k, OperandKind kind, uint32_t index, Elem elem,
                     bool written) {
    static const char letter[] = {'p', 'r', 't'};
    Arena *a = k->draft->arena;
    for (uint32_t i = 0; i < k->operands.count; i++)
        if (k->operands.at[i].kind == kind && k->operands.at[i].index == index)
            return k->kernel->args.at[i];
    vec_push(a, &k->operands, (Operand){kind, index});
    const char *name = arena_print(a, "%c%u", letter[kind], index);
    return buffer_arg(k->kernel, a, name, elem, written);
}

void draft_params(DraftKernel *k) {
    const Func *group = k->draft->group;
    for (uint32_t i = 0; i < group->params.count; i++) {
        Elem elem = group->params.at[i].type.elem;
        emit_place(k->emitter, i, draft_buffer(k, OPERAND_PARAM, i, elem, false));
    }
}

Buffer **draft_results(DraftKernel *k) {
    const Func *group = k->draft->group;
    Buffer **all = arena_array(k->draft->arena, Buffer *, group->results.count);
    for (uint32_t i = 0; i < group->results.count; i++) {
        Elem elem = graph_type(group, group->results.at[i])->elem;
        all[i] = draft_buffer(k, OPERAND_RESULT, i, elem, true);
    }
    return all;
}

Buffer *draft_operand(DraftKernel *k, const Contract *c, const Reach *r) {
    Elem elem = graph_type(c->group, r->value)->elem;
    if (r->temp >= 0)
        return draft_buffer(k, OPERAND_TEMP, (uint32_t)r->temp, elem, false);
    return draft_buffer(k, OPERAND_PARAM, r->value, elem, false);
}

void draft_end(DraftKernel *k, const Expr *tasks, Block *body) {
    Draft *draft = k->draft;
    k->kernel->tasks = tasks;
    k->kernel->body = block_end(body);
    vec_push(draft->arena, &draft->kernels, (LoweredKernel){k->kernel, k->operands.at});
}

void contract_store(const Contract *c, Emitter *e, Buffer *const *results,
                    const Index *const *axis) {
    const Func *group = c->group;
    const Type *type = graph_type(group, c->node);
    const AffineMap *out = node_attr(graph_node(group, c->node), ATTR_out)->map;
    const Index *at[MAX_RANK], *there[MAX_RANK];
    for (uint32_t i = 0; i < out->rank; i++) {
        uint32_t k = 0;
        affine_is_axis(&out->dim[i], &k);
        at[i] = axis[k];
    }
    for (uint32_t i = 0; i < group->results.count; i++) {
        Val v = group->results.at[i];
        const Type *to = graph_type(group, v);
        if (type_same_shape(type, to)) {
            emit_store(e, v, results[i], at);
        } else {
            index_unravel(e, index_ravel(e, type, at), to, there);
            emit_store(e, v, results[i], there);
        }
    }
}

static Val find_contract(const Func *group) {
    for (uint32_t i = 0; i < group->nodes.count; i++)
        if (group->nodes.at[i].op == OP_contract) return i;
    return NO_VAL;
}

/* Whether each result has, element by element in row-major order, the contraction's
 * place: then the epilogue of a tile can compute it. */
static bool results_follow(const Func *group, Val contract, Arena *scratch) {
    enum { FREE, ALONG, ASTRAY };
    uint8_t *state = arena_array(scratch, uint8_t, group->nodes.count);
    for (uint32_t i = 0; i < group->nodes.count; i++) {
        const Node *n = &group->nodes.at[i];
        uint8_t worst = FREE;
        for (uint32_t k = 0; k < n->args; k++)
            if (state[n->arg[k]] > worst) worst = state[n->arg[k]];
        bool plain = op_info[n->op].class == CLASS_ELEMWISE || n->op == OP_reshape;
        state[i] = i == contract ? ALONG : worst == ALONG && !plain ? ASTRAY : worst;
    }
    for (uint32_t i = 0; i < group->results.count; i++)
        if (state[group->results.at[i]] != ALONG) return false;
    return true;
}

/* The group with the contraction as its only result, for a second kernel to go on from.
 */
static const Func *bare_group(Arena *arena, const Func *group, Val contract) {
    Func *bare = arena_copy(arena, group, sizeof *group);
    memset(&bare->results, 0, sizeof bare->results);
    vec_push(arena, &bare->results, contract);
    return bare;
}

/* All results from the contraction in memory, an element of the largest one a step. */
static void lower_rest(Draft *draft, Val contract, uint32_t temp) {
    Arena *a = draft->arena;
    const Func *group = draft->group;
    for (uint32_t i = 0; i < group->results.count; i++) {
        Val v = group->results.at[i];
        const Type *type = graph_type(group, v);
        DraftKernel k = draft_kernel(draft, arena_print(a, "rest%u", i));
        Emitter *e = k.emitter;
        draft_params(&k);
        Elem elem = graph_type(group, contract)->elem;
        emit_place(e, contract, draft_buffer(&k, OPERAND_TEMP, temp, elem, false));
        Buffer *out = draft_buffer(&k, OPERAND_RESULT, i, type->elem, true);
        const Expr *rows = expr_int(a, 1);
        int64_t most = 1;
        for (uint32_t d = 0; d + 1 < type->rank; d++) {
            rows = expr_scalar(a, OP_mul, rows, emit_dim(e, type->dim[d]));
            most *= dim_max(&group->module->dims, type->dim[d]);
        }
        Block body = block_new(a), inner = block_new(a);
        emit_open(e, &inner);
        const Index *at[MAX_RANK];
        const Index *task = index_axis(e, expr_var(a, k.kernel->task), most);
        for (uint32_t d = type->rank ? type->rank - 1 : 0; d-- > 0;) {
            int64_t extent = dim_max(&group->module->dims, type->dim[d]);
            at[d] = d ? index_mod(e, task, extent) : task;
            task = index_div(e, task, extent);
        }
        const Var *last = var_index(a, "i");
        const Expr *end = expr_int(a, 1);
        if (type->rank) {
            Dim dim = type->dim[type->rank - 1];
            end = emit_dim(e, dim);
            at[type->rank - 1] =
                index_axis(e, expr_var(a, last), dim_max(&group->module->dims, dim));
        }
        emit_store(e, v, out, at);
        emit_close(e);
        block_for(&body, last, expr_int(a, 0), end, 1, 1, block_end(&inner));
        draft_end(&k, rows, &body);
    }
}

int64_t value_bytes_max(const Func *group, Val v) {
    const Type *type = graph_type(group, v);
    int64_t bytes = elem_bytes(type->elem);
    for (uint32_t i = 0; i < type->rank; i++)
        bytes *= dim_max(&group->module->dims, type->dim[i]);
    return bytes;
}

void contract_explain(Draft *draft, Val node, Text *out) {
    Contract c;
    Tile tile;
    contract_shape(draft->group, node, &c);
    if (lower_contract_planes(draft, &c)) {
        text_puts(out, "planes");
        return;
    }
    contract_stage(draft, &c);
    if (c.a.temp >= 0) text_puts(out, "staged ");
    Winograd winograd;
    if (winograd_take(&c, draft->target, &winograd))
        winograd_print(&winograd, out);
    else if (contract_tile(&c, draft->target, draft->arena, &tile))
        tile_print(&tile, out);
    else
        text_puts(out, "plain");
}

static void lower_alone(Draft *draft, Val node, int64_t runs) {
    Contract c;
    Tile tile;
    contract_shape(draft->group, node, &c);
    c.runs = runs;
    if (lower_contract_planes(draft, &c)) return;
    Contract plain = c;
    if (graph_type(c.group, node)->elem == ELEM_f32) contract_stage(draft, &c);
    Winograd winograd;
    if (winograd_take(&c, draft->target, &winograd))
        (winograd.weights ? lower_winograd_weights : lower_winograd)(draft, &winograd);
    else if (contract_tile(&c, draft->target, draft->arena, &tile))
        lower_contract_direct(draft, &c, &tile);
    else
        lower_contract_plain(draft, &plain);
}

void lower_contract_runs(Arena *arena, const Target *target, const Func *group,
                         int64_t runs, Lowered *out) {
    Draft draft = {.arena = arena, .target = target, .group = group};
    Val node = find_contract(group);
    if (results_follow(group, node, arena)) {
        lower_alone(&draft, node, runs);
    } else {
        uint32_t temp = draft_temp(&draft, value_bytes_max(group, node));
        draft.group = bare_group(arena, group, node);
        lower_alone(&draft, node, runs);
        for (uint32_t i = 0; i < draft.kernels.count; i++) {
            LoweredKernel *k = &draft.kernels.at[i];
            for (uint32_t j = 0; j < k->kernel->args.count; j++)
                if (k->arg[j].kind == OPERAND_RESULT)
                    ((Operand *)k->arg)[j] = (Operand){OPERAND_TEMP, temp};
        }
        draft.group = group;
        lower_rest(&draft, node, temp);
    }
    *out = (Lowered){.kernels = draft.kernels.count,
                     .temps = draft.temps.count,
                     .kernel = draft.kernels.at,
                     .temp_bytes = draft.temps.at};
}

void lower_contract(Arena *arena, const Target *target, const Func *group, Lowered *out) {
    lower_contract_runs(arena, target, group, 1, out);
}
