/*
 * split: contractions of which whole result rows are zero compute only the others.
 *
 * The backward-data of a strided 1x1 convolution asks for position d1/2 of its operand:
 * three of four results have none.
 *
 * Before   %2 = contract %g, %w {dims = [16, 8, 8, 512, 256], a = [d0, (d1)/2, (d2)/2, d3],
 *                                b = [d4, d3], out = [d0, d1, d2, d4]} : f32[16, 8, 8, 256]
 * After    %2 = contract %g, %w {dims = [16, 4, 4, 512, 256], a = [d0, d1, d2, d3],
 *                                b = [d4, d3], out = [d0, d1, d2, d4]} : f32[16, 4, 4, 256]
 *          %3 = pad %2 {low = [0, 0, 0, 0], high = [0, 1, 1, 0], inner = [0, 1, 1, 0]}
 *
 * Method   an axis d of the result that is met in one place alone, as (d + offset)/s:
 *          d = s*q - offset for the q that keep d in its extent, and zeros between.
 * Needs    constant extents of those axes.  Leaves  every other form as it was: where
 *          windows share the division, the lowering walks its phases in one nest.
 */
#include "ir/build.h"
#include "passes/body.h"
#include "passes/pass.h"

/* A contraction in the making. */
typedef struct Split {
    Dim dims[MAX_AXES];
    AffineMap a, b;
    const AffineMap *out;
    uint32_t axes;
    int64_t low[MAX_RANK], high[MAX_RANK], inner[MAX_RANK];
    bool changed;
} Split;

static uint32_t places_of(const AffineMap *map, uint32_t axis) {
    uint32_t places = 0;
    for (uint32_t i = 0; i < map->rank; i++) places += map->dim[i].coefficient[axis] != 0;
    return places;
}

/* The form that alone has `axis`, divides, and holds no other axis; NULL: none. */
static Affine *divided_form(AffineMap *map, uint32_t axis) {
    if (places_of(map, axis) != 1) return NULL;
    for (uint32_t i = 0; i < map->rank; i++) {
        Affine *form = &map->dim[i];
        if (form->coefficient[axis] != 1 || form->divisor == 1) continue;
        for (uint32_t j = 0; j < map->axes; j++)
            if (j != axis && form->coefficient[j]) return NULL;
        return form;
    }
    return NULL;
}

static int64_t floor_div(int64_t x, int64_t y) {
    return x / y - (x % y < 0);
}

/* Result dimension `d` walks only the places that the division leaves whole. */
static void split_dimension(Split *s, uint32_t d) {
    uint32_t axis;
    if (!affine_is_axis(&s->out->dim[d], &axis) || !dim_is_const(s->dims[axis])) return;
    bool of_a = places_of(&s->b, axis) == 0;
    if (!of_a && places_of(&s->a, axis)) return;
    Affine *form = divided_form(of_a ? &s->a : &s->b, axis);
    if (!form) return;
    int64_t step = form->divisor, offset = form->offset, extent = s->dims[axis];
    int64_t first = -floor_div(-offset, step),
            last = floor_div(extent - 1 + offset, step);
    if (last < first) return; /* all zero: left as it is */
    s->dims[axis] = last - first + 1;
    form->divisor = 1;
    form->offset = first;
    s->low[d] = step * first - offset;
    s->inner[d] = step - 1;
    s->high[d] = extent - 1 - (step * last - offset);
    s->changed = true;
}

static Val split_node(Rewrite *r, const Node *node) {
    const Attr *dims = node_attr(node, ATTR_dims);
    Split s = {.a = *node_attr(node, ATTR_a)->map,
               .b = *node_attr(node, ATTR_b)->map,
               .out = node_attr(node, ATTR_out)->map,
               .axes = dims->count};
    memcpy(s.dims, dims->ints, sizeof *dims->ints * dims->count);
    for (uint32_t d = 0; d < node->type.rank; d++) split_dimension(&s, d);
    if (!s.changed) return NO_VAL;
    Builder b = {r->to, node->span};
    Val small = build_contract(&b, r->map[node->arg[0]], r->map[node->arg[1]], s.axes,
                               s.dims, &s.a, &s.b, s.out);
    return build_pad(&b, small, s.low, s.high, s.inner, 0);
}

static void split_func(PassContext *cx, Func *func) {
    Rewrite r = rewrite_begin(func, cx->scratch);
    for (Val v = func->params.count; v < func->nodes.count; v++) {
        const Node *node = graph_node(func, v);
        if (node->op == OP_contract) r.map[v] = split_node(&r, node);
        if (r.map[v] == NO_VAL) rewrite_copy(&r, v);
    }
    rewrite_finish(&r);
}

bool pass_split(PassContext *cx, Module *module) {
    for (uint32_t i = 0; i < module->funcs.count; i++)
        split_func(cx, module->funcs.at[i]);
    return true;
}
