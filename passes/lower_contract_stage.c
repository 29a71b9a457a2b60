/* Operands that are copied before they are contracted: bytes to floats, zeros around images of
 * few channels. */
#include "ir/build.h"
#include "passes/contract.h"
#include "passes/nest.h"

/* Elements of A that lie side by side for neighbouring reduce steps. */
static int64_t run_of(const Contract *c) {
    int64_t run = 1;
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < c->list[AXIS_REDUCE].count && !more; i++) {
            uint32_t axis = c->list[AXIS_REDUCE].at[i];
            more = c->a.step[axis] == run && c->extent[axis] > 1;
            if (more) run *= c->extent[axis];
        }
    }
    return run;
}

/* Zeros around an image of few channels: its taps then make longer runs, with no edges to
 * look out for; the copy is small beside the result. */
static bool worth_padding(const Contract *c, const Target *target) {
    enum { FEW = 8 };
    /* Weight gradients then have all taps as rows: a tile of one vector is too high for few
     * registers. */
    int64_t cols = 1;
    for (uint32_t i = 0; i < c->list[AXIS_COL].count; i++)
        cols *= c->extent[c->list[AXIS_COL].at[i]];
    bool narrow = target->registers <= 16 && cols <= target_lanes(target);
    for (uint32_t i = 0; i < c->list[AXIS_ROW].count; i++)
        if (c->a.step[c->list[AXIS_ROW].at[i]] == 1 && narrow) return false;
    if (!c->a.regular || !c->a.edges || run_of(c) > FEW) return false;
    const Type *type = graph_type(c->group, c->a.value);
    if (dim_is_const(type->dim[type->rank - 1]) && type->dim[type->rank - 1] > FEW)
        return false;
    for (uint32_t i = 0; i < c->a.edges; i++)
        if (c->a.edge[i].divisor != 1) return false;
    return true;
}

static Func *copy_group(Arena *arena, const Func *group) {
    Func *copy = arena_copy(arena, group, sizeof *group);
    copy->nodes.at =
        arena_copy(arena, group->nodes.at, sizeof(Node) * group->nodes.count);
    copy->nodes.capacity = copy->nodes.count;
    return copy;
}

static void cast_kernel(Draft *draft, const Func *copy, Val v, uint32_t temp) {
    NestResult result = {v, {OPERAND_TEMP, temp}};
    const Func *group = draft->group;
    draft->group = copy;
    nest_lower(
        &(Nest){.draft = draft, .suffix = "stage", .results = 1, .result = &result});
    draft->group = group;
}

/* `count` elements from `from` of the source, or zeros, to `to`. */
static void copy_run(Arena *a, Block *b, const Buffer *source, const Expr *from,
                     const Buffer *target, const Expr *to, int64_t count,
                     uint32_t lanes) {
    for (; lanes; lanes /= 2) {
        int64_t full = count / lanes * lanes;
        if (!full) continue;
        const Var *i = var_index(a, "i");
        Block body = block_new(a);
        const Expr *at = expr_var(a, i), *value = expr_num(a, ELEM_f32, lanes, 0);
        if (source) value = expr_load(a, source, expr_add(a, from, at), lanes, 1, NULL);
        block_store(&body, target, expr_add(a, to, at), expr_cast(a, value, ELEM_f32), 1,
                    NULL);
        block_for(b, i, expr_int(a, 0), expr_int(a, full), lanes, 1, block_end(&body));
        to = expr_add(a, to, expr_int(a, full));
        if (source) from = expr_add(a, from, expr_int(a, full));
        count -= full;
    }
}

/* A with zeros around: a task for each row of the innermost dimension that has any. */
static void pad_kernel(Draft *draft, const Contract *c, const Type *type,
                       const int64_t *low, uint32_t temp) {
    Arena *a = draft->arena;
    const Type *from = graph_type(c->group, c->a.value);
    DraftKernel k = draft_kernel(draft, "stage");
    const Buffer *source = draft_buffer(&k, OPERAND_PARAM, c->a.value, from->elem, false);
    const Buffer *target = draft_buffer(&k, OPERAND_TEMP, temp, ELEM_f32, true);
    uint32_t row = type->rank - 1;
    while (row && from->dim[row] == type->dim[row]) row--;
    int64_t inner = 1, stride = 1;
    for (uint32_t i = row + 1; i < type->rank; i++) inner *= type->dim[i];
    int64_t length = from->dim[row] * inner, whole = type->dim[row] * inner;
    const Expr *tasks = expr_int(a, 1), *rest = expr_var(a, k.kernel->task);
    const Expr *place = expr_int(a, 0), *inside = NULL;
    Block body = block_new(a), copy = block_new(a), zero = block_new(a);
    stride = length;
    for (uint32_t i = row; i-- > 0;) {
        tasks = expr_scalar(a, OP_mul, tasks, emit_dim(k.emitter, type->dim[i]));
        const Expr *at = rest;
        if (i) {
            const Expr *radix = expr_int(a, type->dim[i]);
            at = block_let(&body, "at", expr_scalar(a, OP_mod, rest, radix));
            rest = block_let(&body, "rest", expr_scalar(a, OP_div, rest, radix));
        }
        if (from->dim[i] != type->dim[i]) {
            at = block_let(&body, "in", expr_add(a, at, expr_int(a, -low[i])));
            const Expr *ok =
                expr_scalar(a, OP_and, expr_scalar(a, OP_ge, at, expr_int(a, 0)),
                            expr_scalar(a, OP_lt, at, expr_int(a, from->dim[i])));
            inside = inside ? expr_scalar(a, OP_and, inside, ok) : ok;
        }
        place = expr_add(a, place, expr_mul(a, at, stride));
        if (i) stride *= from->dim[i];
    }
    uint32_t lanes = target_lanes(draft->target);
    int64_t before = low[row] * inner;
    const Expr *to = expr_mul(a, expr_var(a, k.kernel->task), whole);
    copy_run(a, &copy, NULL, NULL, target, to, before, lanes);
    to = expr_add(a, to, expr_int(a, before));
    copy_run(a, &copy, source, place, target, to, length, lanes);
    to = expr_add(a, to, expr_int(a, length));
    copy_run(a, &copy, NULL, NULL, target, to, whole - before - length, lanes);
    copy_run(a, &zero, NULL, NULL, target,
             expr_mul(a, expr_var(a, k.kernel->task), whole), whole, lanes);
    if (inside)
        block_if(&body, inside, block_end(&copy), block_end(&zero));
    else
        block_add(&body, block_end(&copy));
    draft_end(&k, tasks, &body);
}

/* A as f32, with zeros around where that pays, copied to a temporary by a kernel of its own. */
void contract_stage(Draft *draft, Contract *c) {
    Arena *a = draft->arena;
    bool cast = graph_type(c->group, c->a.value)->elem == ELEM_u8;
    bool pad = worth_padding(c, draft->target);
    if (!c->a.in_memory || (!cast && !pad)) return;
    Func *copy = copy_group(a, draft->group);
    Builder builder = {copy, graph_node(c->group, c->node)->span};
    AffineMap *map = arena_copy(a, c->a.map, sizeof *map);
    Val v = c->a.value;
    if (cast) v = build_cast(&builder, v, ELEM_f32);
    int64_t low[MAX_RANK] = {0}, high[MAX_RANK] = {0}, inner[MAX_RANK] = {0};
    for (uint32_t i = 0; pad && i < map->rank; i++) {
        Dim extent = graph_type(copy, v)->dim[i];
        int64_t least, most;
        contract_range(c, &map->dim[i], &least, &most);
        if (least < 0) low[i] = -least;
        if (dim_is_const(extent) && most >= extent) high[i] = most - extent + 1;
        map->dim[i].offset += low[i];
    }
    if (pad) v = build_pad(&builder, v, low, high, inner, 0);
    uint32_t temp = draft_temp(draft, value_bytes_max(copy, v));
    if (pad)
        pad_kernel(draft, c, graph_type(copy, v), low, temp);
    else
        cast_kernel(draft, copy, v, temp);
    c->group = copy;
    c->a = contract_reach(c, v, map);
    c->a.in_memory = true;
    c->a.temp = (int32_t)temp;
}
