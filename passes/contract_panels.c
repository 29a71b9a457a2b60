/* Direct contractions: panels of B, where they lie and the kernel that packs them. */
#include "passes/contract_direct.h"

const Expr *panels_base(Direct *d, const Expr *panel) {
    const Tile *t = d->t;
    const Contract *c = d->c;
    const Expr *global = add(d, d->panel0, panel);
    if (!t->b_in_place) {
        const Expr *number = add(d, mul(d, d->batch, t->panels), global);
        return mul(d, number, t->k_max * width_of(t));
    }
    const Expr *base = add(d, num(d, c->b.base), mul(d, global, width_of(t)));
    for (uint32_t i = 0; i < c->list[AXIS_BATCH].count; i++) {
        uint32_t axis = c->list[AXIS_BATCH].at[i];
        base = add(d, base, mul(d, d->place[axis], c->b.step[axis]));
    }
    return base;
}

void panels_visit(Direct *d, void (*visit)(Direct *, Panel *, Block *), Block *b) {
    Arena *a = d->arena;
    const Tile *t = d->t;
    int64_t cols = count_of(d->c, AXIS_COL), width = width_of(t);
    bool last_differs = cols % width;
    const Var *var = var_index(a, "panel");
    const Expr *left = op2(d, OP_sub, num(d, t->panels - last_differs), d->panel0);
    const Expr *end = op2(d, OP_min, num(d, t->task_panels), left);
    if (t->panels > last_differs) {
        Block body = block_new(a);
        Panel p = {.vectors = t->vectors, .cols = width, .panel = expr_var(a, var)};
        visit(d, &p, &body);
        block_for(b, var, num(d, 0), end, 1, 1, block_end(&body));
    }
    if (!last_differs) return;
    Block body = block_new(a);
    Panel p = {.panel = block_let(&body, "last", left)};
    p.vectors = t->tail_vectors ? t->tail_vectors : t->vectors;
    p.dots = t->dots;
    p.cols = cols - (t->panels - 1) * width;
    visit(d, &p, &body);
    block_if(b, op2(d, OP_lt, left, num(d, t->task_panels)), block_end(&body), NULL);
}

/* Packing of B */

static const Index *form_index(Direct *d, const Affine *form, const Index *const *axis) {
    const Index *sum = index_int(d->e, form->offset);
    for (uint32_t i = 0; i < d->c->axes; i++)
        if (form->coefficient[i])
            sum = index_add(d->e, sum, index_scale(d->e, axis[i], form->coefficient[i]));
    return sum;
}

const Expr *panels_element(Direct *d, const Expr *k, const Expr *col, uint32_t lanes,
                           int64_t active, Block *b) {
    const Contract *c = d->c;
    const Tile *t = d->t;
    emit_open(d->e, b);
    const Index *axis[MAX_AXES], *at[MAX_RANK];
    for (uint32_t i = 0; i < c->axes; i++)
        axis[i] = d->place[i] ? index_axis(d->e, d->place[i], c->extent[i])
                              : index_int(d->e, 0);
    const Index *number = index_axis(d->e, col, count_of(c, AXIS_COL));
    if (lanes > 1)
        emit_vector(d->e, number, lanes, active == lanes ? NULL : num(d, active));
    for (uint32_t i = c->list[AXIS_COL].count; i-- > 0;) {
        uint32_t x = c->list[AXIS_COL].at[i];
        axis[x] = i ? index_mod(d->e, number, c->extent[x]) : number;
        number = index_div(d->e, number, c->extent[x]);
    }
    const Index *rest = index_axis(d->e, k, t->k_max);
    for (uint32_t l = t->loops; l-- > 0;)
        for (uint32_t i = t->loop[l].axes.count; i-- > 0;) {
            uint32_t x = t->loop[l].axes.at[i];
            axis[x] = l || i ? index_mod(d->e, rest, c->extent[x]) : rest;
            rest = index_div(d->e, rest, c->extent[x]);
        }
    for (uint32_t i = 0; i < c->b.map->rank; i++)
        at[i] = form_index(d, &c->b.map->dim[i], axis);
    const Expr *value = emit_value(d->e, c->b.value, at);
    value = expr_cast(d->arena, value, ELEM_f32);
    if (value->lanes < lanes) value = expr_splat(d->arena, value, lanes);
    emit_close(d->e);
    return value;
}

static void pack_vector(Direct *d, const Expr *k, const Expr *col, const Expr *to,
                        uint32_t lanes, int64_t active, Block *b) {
    block_store(b, d->b, to, panels_element(d, k, col, lanes, active, b), 1, NULL);
}

static void pack_panel(Direct *d, const Expr *number, const Expr *panel, const Expr *k,
                       uint32_t vectors, int64_t cols, Block *b) {
    const Tile *t = d->t;
    int64_t width = (int64_t)vectors * t->lanes;
    const Expr *base = mul(d, number, t->k_max * width_of(t));
    base = block_let(b, "to", add(d, base, mul(d, k, width)));
    const Expr *col = mul(d, panel, width_of(t));
    for (uint32_t j = 0; j < vectors; j++) {
        int64_t left = cols - (int64_t)j * t->lanes;
        if (left > t->lanes) left = t->lanes;
        pack_vector(d, k, add(d, col, num(d, j * t->lanes)),
                    add(d, base, num(d, j * t->lanes)), t->lanes, left, b);
    }
}

/* The columns of dots at k: [run][column][k of the run], zeros after each run. */
static void pack_dots(Direct *d, const Expr *number, const Expr *panel, const Expr *k,
                      Block *b) {
    const Tile *t = d->t;
    int64_t run = t->loop[t->loops - 1].extent, pitch = dots_pitch(t);
    const Expr *base = mul(d, number, t->k_max * width_of(t));
    base = add(d, base, mul(d, op2(d, OP_div, k, num(d, run)), t->dots * pitch));
    base = block_let(b, "to", base);
    const Expr *at = block_let(b, "at", op2(d, OP_mod, k, num(d, run)));
    const Expr *col = mul(d, panel, width_of(t));
    Block zeros = block_new(d->arena);
    for (uint32_t j = 0; j < t->dots; j++) {
        const Expr *to = add(d, base, num(d, j * pitch));
        pack_vector(d, k, add(d, col, num(d, j)), add(d, to, at), 1, 1, b);
        for (int64_t i = run; i < pitch; i++)
            block_store(&zeros, d->b, add(d, to, num(d, i)),
                        expr_num(d->arena, ELEM_f32, 1, 0), 1, NULL);
    }
    if (run < pitch) block_if(b, op2(d, OP_eq, at, num(d, 0)), block_end(&zeros), NULL);
}

void panels_pack(Draft *draft, const Contract *c, const Tile *t, uint32_t temp) {
    enum { A_TASK = 256 }; /* k */
    Arena *a = draft->arena;
    Direct d = {.c = c, .t = t, .arena = a, .k = draft_kernel(draft, "pack")};
    d.e = d.k.emitter;
    Val source = c->b.value;
    const Node *node = graph_node(c->group, source);
    if (node->op == OP_param)
        emit_place(d.e, source,
                   draft_buffer(&d.k, OPERAND_PARAM, source, node->type.elem, false));
    else
        draft_params(&d.k);
    d.b = draft_buffer(&d.k, OPERAND_TEMP, temp, ELEM_f32, true);
    const Expr *k_total = num(&d, t->k_max), *batches = num(&d, 1);
    if (t->loop[0].axes.count == 1)
        k_total = mul(&d, extent_of(&d, t->loop[0].axes.at[0]), t->loop[0].k_step);
    const AxisList *batch = &c->list[AXIS_BATCH];
    for (uint32_t i = 0; i < batch->count; i++)
        batches = op2(&d, OP_mul, batches, extent_of(&d, batch->at[i]));
    Block body = block_new(a), full = block_new(a), last = block_new(a);
    const Expr *rest = expr_var(a, d.k.kernel->task);
    const Expr *chunks = block_let(&body, "chunks", up_div(&d, k_total, A_TASK));
    const Expr *chunk = take_digit(&d, &body, "chunk", &rest, chunks);
    const Expr *number = rest;
    const Expr *panel = take_digit(&d, &body, "panel", &rest, num(&d, t->panels));
    for (uint32_t i = batch->count; i-- > 0;) {
        uint32_t x = batch->at[i];
        d.place[x] =
            i ? take_digit(&d, &body, "batch", &rest, num(&d, c->extent[x])) : rest;
    }
    const Var *kv = var_index(a, "k");
    const Expr *k = expr_var(a, kv), *begin = mul(&d, chunk, A_TASK);
    const Expr *end = op2(&d, OP_min, k_total, add(&d, begin, num(&d, A_TASK)));
    int64_t width = width_of(t), cols = count_of(c, AXIS_COL);
    uint32_t tail = t->tail_vectors ? t->tail_vectors : t->vectors;
    pack_panel(&d, number, panel, k, t->vectors, width, &full);
    if (t->dots)
        pack_dots(&d, number, panel, k, &last);
    else
        pack_panel(&d, number, panel, k, tail, cols - (t->panels - 1) * width, &last);
    Block narrow = block_new(a), wide = block_new(a);
    block_for(&narrow, kv, begin, end, 1, 1, block_end(&last));
    block_for(&wide, kv, begin, end, 1, 1, block_end(&full));
    if (t->panels > 1)
        block_if(&body, op2(&d, OP_lt, panel, num(&d, t->panels - 1)), block_end(&wide),
                 block_end(&narrow));
    else
        block_add(&body, block_end(&narrow));
    const Expr *tasks = mul(&d, up_div(&d, k_total, A_TASK), t->panels);
    draft_end(&d.k, op2(&d, OP_mul, tasks, batches), &body);
}
