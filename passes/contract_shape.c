/* What the axes of a contraction are, and how its operands are reached through them. */
#include "passes/contract.h"

static bool form_uses(const AffineMap *map, uint32_t axis) {
    for (uint32_t i = 0; i < map->rank; i++)
        if (map->dim[i].coefficient[axis]) return true;
    return false;
}

static AxisRole axis_role(bool a, bool b, bool out) {
    if (!out) return AXIS_REDUCE;
    if (a && b) return AXIS_BATCH;
    return b ? AXIS_COL : AXIS_ROW;
}

void contract_range(const Contract *c, const Affine *form, int64_t *low, int64_t *high) {
    *low = *high = form->offset;
    for (uint32_t i = 0; i < c->axes; i++) {
        int64_t reach = form->coefficient[i] * (c->extent[i] - 1);
        *(reach < 0 ? low : high) += reach;
    }
}

/* False where a position outside of the dimension may occur. */
static bool form_inside(const Contract *c, const Affine *form, Dim dim, int64_t max) {
    uint32_t axis;
    if (affine_is_axis(form, &axis) && c->dim[axis] == dim) return true;
    int64_t low, high;
    contract_range(c, form, &low, &high);
    return form->divisor == 1 && low >= 0 && high < max && dim_is_const(dim);
}

/* The form as a edge: at most one row and one reduce axis, constant extents. */
static bool edge_take(const Contract *c, const Affine *form, Dim dim, int64_t stride,
                      Edge *out) {
    *out = (Edge){.row = -1,
                  .reduce = -1,
                  .offset = form->offset,
                  .divisor = form->divisor,
                  .extent = dim,
                  .stride = stride};
    for (uint32_t i = 0; i < c->axes; i++) {
        if (!form->coefficient[i]) continue;
        if (c->role[i] == AXIS_ROW && c->dim[i] == 1)
            continue; /* it is walked by nobody */
        bool row = c->role[i] == AXIS_ROW, reduce = c->role[i] == AXIS_REDUCE;
        if (row && c->dim[i] == 1) continue;
        if ((!row && !reduce) || !dim_is_const(c->dim[i])) return false;
        int32_t *axis = row ? &out->row : &out->reduce;
        if (*axis >= 0) return false;
        *axis = (int32_t)i;
        *(row ? &out->row_step : &out->reduce_step) = form->coefficient[i];
    }
    return dim_is_const(dim);
}

Reach contract_reach(const Contract *c, Val value, const AffineMap *map) {
    const Type *type = graph_type(c->group, value);
    const Dims *dims = &c->group->module->dims;
    Reach r = {.value = value, .map = map, .regular = true, .temp = -1};
    r.in_memory = graph_node(c->group, value)->op == OP_param;
    int64_t stride = 1;
    for (uint32_t i = type->rank; i-- > 0;) {
        const Affine *form = &map->dim[i];
        int64_t max = dim_max(dims, type->dim[i]);
        if (form_inside(c, form, type->dim[i], max)) {
            r.base += form->offset * stride;
            for (uint32_t k = 0; k < c->axes; k++)
                r.step[k] += form->coefficient[k] * stride;
        } else if (r.edges == MAX_EDGES ||
                   !edge_take(c, form, type->dim[i], stride, &r.edge[r.edges++])) {
            r.regular = false;
        }
        if (r.edges > MAX_EDGES) r.edges = MAX_EDGES;
        if (i && !dim_is_const(type->dim[i])) r.regular = false;
        stride *= max;
    }
    return r;
}

/* A run-time axis goes to the front: from a number of rows or batches the others' places
 * follow by constants then. */
static void list_add(Contract *c, uint32_t axis) {
    AxisList *list = &c->list[c->role[axis]];
    if (c->dim[axis] == 1) return;
    uint32_t at = list->count++;
    for (; at && !dim_is_const(c->dim[axis]); at--) list->at[at] = list->at[at - 1];
    list->at[at] = axis;
}

bool axes_open_first(const Contract *c, const AxisList *list) {
    for (uint32_t i = 1; i < list->count; i++)
        if (!dim_is_const(c->dim[list->at[i]])) return false;
    return true;
}

void contract_shape(const Func *group, Val node, Contract *out) {
    const Node *n = graph_node(group, node);
    const Attr *dims = node_attr(n, ATTR_dims);
    const AffineMap *a = node_attr(n, ATTR_a)->map, *b = node_attr(n, ATTR_b)->map;
    const AffineMap *result = node_attr(n, ATTR_out)->map;
    Val x = n->arg[0], y = n->arg[1];
    *out = (Contract){.group = group, .node = node, .axes = dims->count, .runs = 1};
    /* The innermost result axis that one operand alone has decides which is B. */
    for (uint32_t i = result->rank; i-- > 0;) {
        uint32_t axis;
        if (!affine_is_axis(&result->dim[i], &axis) || dims->ints[axis] == 1) continue;
        if (form_uses(a, axis) && !form_uses(b, axis)) {
            const AffineMap *map = a;
            a = b, b = map;
            x = n->arg[1], y = n->arg[0];
        }
        break;
    }
    for (uint32_t i = 0; i < dims->count; i++) {
        out->dim[i] = dims->ints[i];
        out->extent[i] = dim_max(&group->module->dims, dims->ints[i]);
        out->role[i] = axis_role(form_uses(a, i), form_uses(b, i), form_uses(result, i));
        if (out->role[i] == AXIS_REDUCE) list_add(out, i);
    }
    for (uint32_t i = 0; i < result->rank; i++) { /* in the order of the result */
        uint32_t axis;
        if (affine_is_axis(&result->dim[i], &axis)) list_add(out, axis);
    }
    out->a = contract_reach(out, x, a);
    out->b = contract_reach(out, y, b);
}
