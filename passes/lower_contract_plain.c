/*
 * Contractions without register tiles: right for any maps and types.  Where the innermost axis
 * of the result is a plain axis of the operands (channels of a depthwise convolution), vectors
 * run along it; else it is one element at a time.
 */
#include "passes/contract.h"

typedef struct Plain {
    const Contract *c;
    DraftKernel *k;
    Arena *arena;
    const Index *axis[MAX_AXES];
    const Expr *place[MAX_AXES];
    int32_t vector; /* axis that vectors run along; -1: none */
} Plain;

static const Expr *op2(Plain *p, Op op, const Expr *x, const Expr *y) {
    return expr_scalar(p->arena, op, x, y);
}

/* floor(x / d) for x of either sign and d > 0: index division takes x >= 0 only. */
static const Expr *position(Plain *p, const Expr *x, int64_t divisor, int64_t low) {
    if (divisor == 1) return x;
    int64_t lift = low < 0 ? (-low + divisor - 1) / divisor : 0;
    const Expr *up = op2(p, OP_add, x, expr_int(p->arena, lift * divisor));
    return op2(p, OP_sub, op2(p, OP_div, up, expr_int(p->arena, divisor)),
               expr_int(p->arena, lift));
}

/* Whether the form is one axis, but for others of one step. */
static bool form_is_axis(const Contract *c, const Affine *form, uint32_t *axis) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < c->axes; i++) {
        if (!form->coefficient[i] || c->dim[i] == 1) continue;
        *axis = i;
        found += form->coefficient[i] == 1 ? 1 : 2;
    }
    return found == 1 && !form->offset && form->divisor == 1;
}

/* The operand's element at the current axes, zero outside; in the result's type. */
static const Expr *operand_value(Plain *p, const Reach *r, Elem elem, Block *b) {
    Arena *a = p->arena;
    Emitter *e = p->k->emitter;
    const Type *type = graph_type(p->c->group, r->value);
    const Index *at[MAX_RANK] = {NULL};
    const Expr *inside = NULL;
    for (uint32_t i = 0; i < type->rank; i++) {
        const Affine *form = &r->map->dim[i];
        uint32_t axis;
        if (form_is_axis(p->c, form, &axis) && p->c->dim[axis] == type->dim[i]) {
            at[i] = p->axis[axis];
            continue;
        }
        const Expr *x = expr_int(a, form->offset);
        int64_t low = form->offset;
        for (uint32_t k = 0; k < p->c->axes; k++) {
            if (!form->coefficient[k]) continue;
            x = expr_add(a, x, expr_mul(a, p->place[k], form->coefficient[k]));
            if (form->coefficient[k] < 0)
                low += form->coefficient[k] * (p->c->extent[k] - 1);
        }
        x = block_let(b, "x", x);
        const Expr *extent = emit_dim(e, type->dim[i]);
        const Expr *q = block_let(b, "q", position(p, x, form->divisor, low));
        const Expr *ok =
            op2(p, OP_and, op2(p, OP_ge, q, expr_int(a, 0)), op2(p, OP_lt, q, extent));
        if (form->divisor > 1)
            ok = op2(p, OP_and, ok, op2(p, OP_eq, expr_mul(a, q, form->divisor), x));
        inside = inside ? op2(p, OP_and, inside, ok) : ok;
        const Expr *top = op2(p, OP_sub, extent, expr_int(a, 1));
        q = op2(p, OP_max, op2(p, OP_min, q, top), expr_int(a, 0));
        at[i] = index_axis(e, block_let(b, "at", q),
                           dim_max(&p->c->group->module->dims, type->dim[i]));
    }
    const Expr *value = expr_cast(a, emit_value(e, r->value, at), elem);
    return inside ? expr_select(a, inside, value, expr_num(a, elem, 1, 0)) : value;
}

static const Expr *product(Plain *p, const Expr *x, const Expr *y, const Expr *sum) {
    if (elem_is_float(x->elem)) return expr_fma(p->arena, x, y, sum);
    return op2(p, OP_add, sum, op2(p, OP_mul, x, y));
}

static const Index *count_axis(Plain *p, uint32_t axis, const Expr *at) {
    p->place[axis] = at;
    p->axis[axis] = index_axis(p->k->emitter, at, p->c->extent[axis]);
    return p->axis[axis];
}

/* Loops over the reduce axes from number `i` on. */
static void reduce_loops(Plain *p, const Var *sum, uint32_t i, Block *b) {
    Arena *a = p->arena;
    const AxisList *list = &p->c->list[AXIS_REDUCE];
    Emitter *e = p->k->emitter;
    if (i == list->count) {
        const Expr *x = operand_value(p, &p->c->a, sum->elem, b);
        const Expr *y = operand_value(p, &p->c->b, sum->elem, b);
        block_set(b, sum, product(p, x, y, expr_var(a, sum)));
        return;
    }
    const Var *at = var_index(a, "k");
    Block body = block_new(a);
    emit_open(e, &body);
    count_axis(p, list->at[i], expr_var(a, at));
    reduce_loops(p, sum, i + 1, &body);
    emit_close(e);
    block_for(b, at, expr_int(a, 0), emit_dim(e, p->c->dim[list->at[i]]), 1, 1,
              block_end(&body));
}

/* The result's axes from the row-major number of the element. */
static void unravel(Plain *p, const Expr *number, Block *b) {
    const AffineMap *out = node_attr(graph_node(p->c->group, p->c->node), ATTR_out)->map;
    for (uint32_t i = out->rank; i-- > 0;) {
        uint32_t axis = 0;
        affine_is_axis(&out->dim[i], &axis);
        if ((int32_t)axis == p->vector) continue;
        const Expr *extent = emit_dim(p->k->emitter, p->c->dim[axis]);
        const Expr *at = i ? op2(p, OP_mod, number, extent) : number;
        count_axis(p, axis, block_let(b, "d", at));
        if (i) number = block_let(b, "rest", op2(p, OP_div, number, extent));
    }
}

/* Vectors may run along `axis`: each form that has it is it. */
static bool runs_along(const Contract *c, const Reach *r, uint32_t axis) {
    for (uint32_t i = 0; i < r->map->rank; i++) {
        uint32_t only;
        const Affine *form = &r->map->dim[i];
        if (!form->coefficient[axis]) continue;
        if (!form_is_axis(c, form, &only) || only != axis ||
            graph_type(c->group, r->value)->dim[i] != c->dim[axis])
            return false;
    }
    return true;
}

/* The innermost axis of the result, where vectors may run along it; -1: none. */
static int32_t vector_axis(const Contract *c) {
    const AffineMap *out = node_attr(graph_node(c->group, c->node), ATTR_out)->map;
    for (uint32_t i = out->rank; i-- > 0;) {
        uint32_t axis = 0;
        affine_is_axis(&out->dim[i], &axis);
        if (c->dim[axis] == 1) continue;
        bool can = dim_is_const(c->dim[axis]) && runs_along(c, &c->a, axis) &&
                   runs_along(c, &c->b, axis);
        return can ? (int32_t)axis : -1;
    }
    return -1;
}

/* `lanes` results from `col` of the vector axis on. */
static void some_results(Plain *p, Buffer *const *results, const Expr *col,
                         uint32_t lanes, Block *b) {
    Arena *a = p->arena;
    Emitter *e = p->k->emitter;
    Elem elem = graph_type(p->c->group, p->c->node)->elem;
    emit_open(e, b);
    if (p->vector >= 0) {
        const Index *at = count_axis(p, (uint32_t)p->vector, col);
        if (lanes > 1) emit_vector(e, at, lanes, NULL);
    }
    const Var *sum = block_mutable(b, "sum", expr_num(a, elem, lanes, 0));
    reduce_loops(p, sum, 0, b);
    emit_bind(e, p->c->node, expr_var(a, sum));
    contract_store(p->c, e, results, p->axis);
    emit_close(e);
}

/* All results of a row: of the vector axis. */
static void one_row(Plain *p, Buffer *const *results, uint32_t most, Block *b) {
    Arena *a = p->arena;
    int64_t extent = p->vector < 0 ? 1 : p->c->extent[p->vector], done = 0;
    for (uint32_t lanes = most; lanes; lanes /= 2) {
        int64_t end = done + (extent - done) / lanes * lanes;
        if (end == done) continue;
        const Var *col = var_index(a, "col");
        Block body = block_new(a);
        some_results(p, results, expr_var(a, col), lanes, &body);
        block_for(b, col, expr_int(a, done), expr_int(a, end), lanes, 1,
                  block_end(&body));
        done = end;
    }
}

void lower_contract_plain(Draft *draft, const Contract *c) {
    enum { A_TASK = 256 }; /* elements, or a row */
    Arena *a = draft->arena;
    DraftKernel k = draft_kernel(draft, "plain");
    draft_params(&k);
    Plain p = {.c = c, .k = &k, .arena = a, .vector = vector_axis(c)};
    Elem elem = graph_type(c->group, c->node)->elem;
    Buffer **results = draft_results(&k);
    const Expr *rows = expr_int(a, 1);
    for (uint32_t i = 0; i < c->axes; i++)
        if (c->role[i] != AXIS_REDUCE && (int32_t)i != p.vector)
            rows = op2(&p, OP_mul, rows, emit_dim(k.emitter, c->dim[i]));
    int64_t most = p.vector < 0 ? A_TASK : A_TASK / c->extent[p.vector];
    if (most < 1) most = 1;
    Block body = block_new(a), inner = block_new(a);
    const Var *number = var_index(a, "row");
    const Expr *begin = expr_mul(a, expr_var(a, k.kernel->task), most);
    const Expr *end = op2(&p, OP_min, expr_add(a, begin, expr_int(a, most)), rows);
    emit_open(k.emitter, &inner);
    for (uint32_t i = 0; i < c->axes; i++) count_axis(&p, i, expr_int(a, 0));
    unravel(&p, expr_var(a, number), &inner);
    uint32_t lanes = p.vector < 0 ? 1 : draft->target->vector_bytes / elem_bytes(elem);
    one_row(&p, results, lanes, &inner);
    emit_close(k.emitter);
    block_for(&body, number, begin, end, 1, 1, block_end(&inner));
    const Expr *tasks =
        op2(&p, OP_div, expr_add(a, rows, expr_int(a, most - 1)), expr_int(a, most));
    draft_end(&k, tasks, &body);
}
