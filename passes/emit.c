/*
 * The value of any node of a group at any place: constants, loads, elementwise ops; where
 * the results are kept.  Moves are in emit_move.c, loops over many places in emit_reduce.c.
 */
#include "passes/emitter.h"

Emitter *emitter_new(Arena *arena, const Func *group, const Var *n) {
    Emitter *e = arena_new(arena, Emitter);
    e->arena = arena;
    e->func = group;
    e->n = n;
    e->home = arena_array(arena, Home, group->nodes.count);
    e->bound = arena_array(arena, Memo *, group->nodes.count);
    return e;
}

void emit_place(Emitter *e, Val v, const Buffer *buffer) {
    e->home[v] = (Home){.buffer = buffer};
}

uint32_t emit_level(const Emitter *e) {
    return e->scopes ? e->scopes - 1 : 0;
}

void emit_bind(Emitter *e, Val v, const Expr *value) {
    Memo *memo = arena_new(e->arena, Memo);
    *memo =
        (Memo){.next = e->bound[v], .value = v, .level = emit_level(e), .expr = value};
    e->bound[v] = memo;
    e->bound_level = emit_level(e);
}

void emit_open(Emitter *e, Block *block) {
    if (e->scopes == MAX_SCOPES) bug(e->arena, "more than %d nested scopes", MAX_SCOPES);
    e->scope[e->scopes++] = (Scope){.block = block};
}

void emit_close(Emitter *e) {
    e->scopes--;
    for (Val v = 0; v < e->func->nodes.count; v++)
        while (e->bound[v] && e->bound[v]->level >= e->scopes)
            e->bound[v] = e->bound[v]->next;
    if (e->bound_level >= e->scopes) e->bound_level = emit_level(e);
}

void emit_vector(Emitter *e, const Index *axis, uint32_t lanes, const Expr *active) {
    if (lanes == 1) return;
    if (axis->terms != 1 || !axis->term[0].atom->counter)
        bug(e->arena, "only a counter can stand for many lanes");
    Counter *c = (Counter *)axis->term[0].atom->counter;
    c->lanes = lanes;
    c->active = active;
}

const Expr *emit_dim(Emitter *e, Dim dim) {
    uint32_t symbol;
    int64_t scale, offset;
    if (dim_is_const(dim)) return expr_int(e->arena, dim);
    if (!dim_linear(&e->func->module->dims, dim, &symbol, &scale, &offset))
        bug(e->arena, "a dimension that is not linear in the run-time dimension");
    const Expr *n = expr_mul(e->arena, expr_var(e->arena, e->n), scale);
    return expr_add(e->arena, n, expr_int(e->arena, offset));
}

/* ---- what is known already ---- */

static bool same_places(const Index *const *x, const Index *const *y, uint32_t rank) {
    for (uint32_t i = 0; i < rank; i++)
        if (x[i] != y[i]) return false;
    return true;
}

const Expr *emit_recall(Emitter *e, Val v, const Index *const *at, uint32_t *level) {
    uint32_t rank = graph_type(e->func, v)->rank;
    for (uint32_t s = e->scopes; s-- > 0;) {
        for (const Memo *m = e->scope[s].memo; m; m = m->next) {
            if (m->value != v || !same_places(m->at, at, rank)) continue;
            *level = s;
            return m->expr;
        }
    }
    return NULL;
}

const Expr *emit_keep(Emitter *e, Val v, const Index *const *at, uint32_t level,
                      const Expr *value) {
    if (!e->scopes) bug(e->arena, "a value is emitted outside of any scope");
    Scope *scope = &e->scope[level];
    if (value->kind != EXPR_VAR && value->kind != EXPR_NUM)
        value = block_let(scope->block, arena_print(e->arena, "v%u", v), value);
    Memo *memo = arena_new(e->arena, Memo);
    *memo = (Memo){.next = scope->memo, .value = v, .level = level, .expr = value};
    uint32_t rank = graph_type(e->func, v)->rank;
    if (rank) memcpy(memo->at, at, sizeof *at * rank);
    scope->memo = memo;
    return value;
}

/* ---- nodes ---- */

const Expr *emit_load(Emitter *e, const Buffer *buffer, const Index *linear) {
    int64_t stride;
    const Expr *start, *lanes;
    if (!index_varies(linear))
        return expr_load(e->arena, buffer, index_expr(e, linear), 1, 1, NULL);
    if (!index_stride(linear, &stride)) {
        index_split(e, linear, &start, &lanes);
        return expr_gather(e->arena, buffer, start, lanes);
    }
    const Counter *c = index_vector_counter(linear);
    if (!stride) return expr_load(e->arena, buffer, index_expr(e, linear), 1, 1, NULL);
    return expr_load(e->arena, buffer, index_expr(e, linear), c->lanes, stride,
                     c->active);
}

/* Joins the parts of a stored partial result in order. */
static const Expr *join_parts(Emitter *e, Val v, const Home *home, const Index *linear,
                              Dim stride) {
    uint32_t level = index_level(linear);
    Block *block = e->scope[level].block;
    const Expr *first = emit_load(e, home->buffer, linear);
    const Var *sum = block_mutable(block, "joined", first);
    Var *part = var_index(e->arena, "part");
    Block body = block_new(e->arena);
    const Index *at = index_opaque(e, expr_var(e->arena, part), NULL, INT32_MAX, level);
    at = index_add(e, linear, index_scale_dim(e, at, stride));
    block_set(&body, sum,
              expr_scalar(e->arena, home->join, expr_var(e->arena, sum),
                          emit_load(e, home->buffer, at)));
    block_for(block, part, expr_int(e->arena, 1), home->parts, 1, 0, block_end(&body));
    return expr_var(e->arena, sum);
}

static const Expr *load_home(Emitter *e, Val v, const Index *const *at, uint32_t *level) {
    const Home *home = &e->home[v];
    const Type *type = graph_type(e->func, v);
    const Index *linear = index_ravel(e, type, at);
    if (home->origin) linear = index_add(e, linear, index_scale(e, home->origin, -1));
    *level = index_level(linear);
    if (!home->parts) return emit_load(e, home->buffer, linear);
    return join_parts(e, v, home, linear, type_count(&e->func->module->dims, type));
}

static const Expr *constant(Emitter *e, const Node *node) {
    const Attr *values = node_attr(node, ATTR_values);
    if (!values || values->count != 1) bug(e->arena, "a dense constant within a group");
    return expr_num(e->arena, node->type.elem, 1, values->reals[0]);
}

static const Expr *elementwise(Emitter *e, Val v, const Index *const *at,
                               uint32_t *level) {
    const Node *node = graph_node(e->func, v);
    const Expr *x[3] = {NULL, NULL, NULL};
    for (uint32_t i = 0; i < node->args; i++) x[i] = emit_at(e, node->arg[i], at, level);
    if (node->op == OP_select) return expr_select(e->arena, x[0], x[1], x[2]);
    if (node->op == OP_cast) return expr_cast(e->arena, x[0], node->type.elem);
    if (node->op == OP_copy || node->op == OP_stop) return x[0];
    return expr_scalar(e->arena, node->op, x[0], x[1]);
}

static const Expr *compute(Emitter *e, Val v, const Index *const *at, uint32_t *level) {
    const Node *node = graph_node(e->func, v);
    if (e->home[v].buffer && !e->home[v].begin) return load_home(e, v, at, level);
    if (node->op == OP_const) return constant(e, node);
    switch (op_info[node->op].class) {
    case CLASS_SOURCE:
    case CLASS_MOVE:
    case CLASS_INDEX: return emit_move(e, v, at, level);
    case CLASS_ELEMWISE: return elementwise(e, v, at, level);
    case CLASS_REDUCE:
    case CLASS_CONTRACT: return emit_reduction(e, v, at, level);
    case CLASS_CONTROL: break;
    }
    bug(e->arena, "%s within a group", op_info[node->op].name);
}

/* Raises `level` to that of the scope which the value belongs to. */
const Expr *emit_at(Emitter *e, Val v, const Index *const *at, uint32_t *level) {
    uint32_t own = 0;
    const Expr *value;
    if (e->bound[v]) {
        value = e->bound[v]->expr;
        own = e->bound[v]->level;
    } else if (!(value = emit_recall(e, v, at, &own))) {
        value = compute(e, v, at, &own);
        value = emit_keep(e, v, at, own, value);
    }
    if (own > *level) *level = own;
    return value;
}

const Expr *emit_value(Emitter *e, Val v, const Index *const *at) {
    uint32_t level = 0;
    return emit_at(e, v, at, &level);
}

void emit_store(Emitter *e, Val v, const Buffer *buffer, const Index *const *at) {
    emit_store_from(e, v, buffer, NULL, at);
}

void emit_store_from(Emitter *e, Val v, const Buffer *buffer, const Index *base,
                     const Index *const *at) {
    const Index *linear = index_ravel(e, graph_type(e->func, v), at);
    if (base) linear = index_add(e, linear, base);
    const Expr *value = emit_value(e, v, at);
    const Counter *c = index_vector_counter(linear);
    Block *block = e->scope[emit_level(e)].block;
    int64_t stride;
    if (!index_stride(linear, &stride) || (!stride && value->lanes > 1))
        bug(e->arena, "the lanes of a result are not evenly apart");
    if (c && stride) value = expr_splat(e->arena, value, c->lanes);
    block_store(block, buffer, index_expr(e, linear), value, stride ? stride : 1,
                c && stride ? c->active : NULL);
}
