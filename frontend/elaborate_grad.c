/* grad(f, wrt = x), and trees: records whose leaves are tensors, such as the parameters of a
 * net. */
#include "frontend/elaborate.h"

Value tree_map(Elab *e, const Value *tree, Value (*leaf)(Elab *, void *, Value),
               void *context) {
    if (tree->kind != VALUE_record) return leaf(e, context, *tree);
    Field *fields = arena_array(e->arena, Field, tree->record.count);
    for (uint32_t i = 0; i < tree->record.count; i++) {
        Value v = tree_map(e, tree->record.at[i].value, leaf, context);
        fields[i].name = tree->record.at[i].name;
        fields[i].value = arena_copy(e->arena, &v, sizeof v);
    }
    return (Value){.kind = VALUE_record, .record = {tree->record.count, fields}};
}

/* ---- the parameters of a net ----------------------------------------------------------- */

static Value tree_set(Elab *e, Value tree, const char *path, Value leaf) {
    size_t length = strcspn(path, ".");
    const char *name = arena_string(e->arena, path, length);
    uint32_t count = tree.kind == VALUE_record ? tree.record.count : 0, at = 0;
    Field *fields = arena_array(e->arena, Field, count + 1);
    if (count) memcpy(fields, tree.record.at, sizeof *fields * count);
    while (at < count && strcmp(fields[at].name, name)) at++;
    Value below = {.kind = VALUE_record};
    if (at < count) below = *fields[at].value;
    Value v = path[length] ? tree_set(e, below, path + length + 1, leaf) : leaf;
    fields[at] = (Field){name, arena_copy(e->arena, &v, sizeof v)};
    return (Value){.kind = VALUE_record,
                   .record = {at == count ? count + 1 : count, fields}};
}

/* The model that a net's closure means, or NULL before its first call. */
static const Model *model_of(Elab *e, const Closure *net) {
    const Models *models = e->run->models;
    for (uint32_t i = 0; i < models->models.count; i++)
        if (models->models.at[i]->net == net->function) return models->models.at[i];
    return NULL;
}

Value elab_params(Elab *e, const Closure *net, Span span) {
    const Model *model = model_of(e, net);
    const Models *models = e->run->models;
    Value tree = {.kind = VALUE_record};
    if (!models->is_complete) e->run->missed_params = true;
    if (!model) return value_unknown;
    for (uint32_t i = 0; i < models->slots.count; i++) {
        const Slot *slot = &models->slots.at[i];
        if (slot->model == model && slot->role == ROLE_PARAM)
            tree = tree_set(e, tree, slot->path, run_slot(e, i));
    }
    return tree;
}

/* ---- grad ----------------------------------------------------------------------------- */

static Value copy_leaf(Elab *e, void *context, Value v) {
    Span *span = context;
    v = elab_to_tensor(e, v, ELEM_f32, *span);
    if (v.kind != VALUE_tensor) return v;
    if (!elem_is_float(tensor_type(&v)->elem)) {
        elab_error(e, *span, "a gradient by %s: only floats have one", elab_words(e, &v));
        return value_unknown;
    }
    Val val = frame_use(e, &v.tensor);
    return elab_tensor(e, elab_emit(e, OP_copy, &val, 1, NULL, 0, *span));
}

typedef struct GradOf {
    Value y;
    Span span;
} GradOf;

static Value grad_leaf(Elab *e, void *context, Value v) {
    GradOf *of = context;
    if (v.kind != VALUE_tensor) return value_unknown;
    Val arg[] = {frame_use(e, &of->y.tensor), frame_use(e, &v.tensor)};
    return elab_tensor(e, elab_emit(e, OP_grad, arg, 2, NULL, 0, of->span));
}

static Value check_scalar(Elab *e, Value y, Span span) {
    if (y.kind == VALUE_unknown) return y;
    bool is_scalar = y.kind == VALUE_tensor && tensor_type(&y)->rank == 0 &&
                     elem_is_float(tensor_type(&y)->elem);
    if (is_scalar) return y;
    elab_error(e, span, "the gradient of %s: only a scalar f32[] has one",
               elab_words(e, &y));
    elab_hint(e, "reduce it with sum or mean first");
    return value_unknown;
}

/* By the parameters of a net: the function runs with copies of them. */
static Value grad_by_net(Elab *e, const Closure *c, const Value *all, Span span) {
    Value net = {.kind = VALUE_function, .function = c->by};
    Value tree = elab_params(e, net.function, span);
    if (tree.kind != VALUE_record) return value_unknown;
    Value copies = tree_map(e, &tree, copy_leaf, &span);
    const Override *outer = e->overrides;
    Override override = {c->by->function, &copies, outer};
    e->overrides = &override;
    Value y = check_scalar(e, elab_apply(e, c->inner, all, span), span);
    e->overrides = outer;
    if (y.kind != VALUE_tensor) return value_unknown;
    GradOf of = {y, span};
    return tree_map(e, &copies, grad_leaf, &of);
}

/* Whether anything may flow back from y to x: both are in the frame of the copy x. */
static bool depends(Elab *e, const Value *y, const Value *x) {
    if (y->tensor.frame != x->tensor.frame) return false;
    const Func *func = x->tensor.frame->func;
    bool *flows = arena_array(e->arena, bool, func->nodes.count);
    flows[x->tensor.val] = true;
    for (Val v = x->tensor.val + 1; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        bool cuts = node->op == OP_stop || node->op == OP_attack ||
                    (!node->type.parts && !elem_is_float(node->type.elem));
        for (uint32_t i = 0; i < node->args && !cuts; i++)
            flows[v] |= flows[node->arg[i]];
    }
    return flows[y->tensor.val];
}

static void warn_of_zero(Elab *e, const Closure *c, Value y, const Value *wrt,
                         Span span) {
    if (e->checking || wrt->kind != VALUE_tensor || depends(e, &y, wrt)) return;
    if (e->attacked)
        elab_warning(e, span,
                     "`%s` does not depend on the attacked input: its gradient is zero, "
                     "and the attack does nothing",
                     e->attacked);
    else
        elab_warning(e, span, "`%s` does not depend on `%s`: the gradient is zero",
                     closure_name(c), closure_param(e, c, c->wrt));
}

Value elab_grad_call(Elab *e, const Closure *c, const Value *all, Span span) {
    if (c->by) return grad_by_net(e, c, all, span);
    Value *arg = arena_array(e->arena, Value, c->params);
    memcpy(arg, all, sizeof *arg * c->params);
    Value *wrt = &arg[c->wrt];
    if (wrt->kind == VALUE_unknown) return *wrt;
    if (wrt->kind == VALUE_missing) {
        elab_error(e, span, "the gradient by a parameter that was left out");
        return value_unknown;
    }
    *wrt = tree_map(e, wrt, copy_leaf, &span);
    Value y = check_scalar(e, elab_apply(e, c->inner, arg, span), span);
    if (y.kind != VALUE_tensor) return value_unknown;
    warn_of_zero(e, c, y, wrt, span);
    GradOf of = {y, span};
    return tree_map(e, wrt, grad_leaf, &of);
}
