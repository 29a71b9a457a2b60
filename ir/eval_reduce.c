/* Evaluator of reductions and contractions. */
#include "ir/eval_rules.h"
#include <math.h>

/* Walks the operand of a reduction in row-major order. */
typedef struct Walk {
    Place place;
    uint32_t kept;           /* dimensions of the result */
    uint32_t keep[MAX_RANK]; /* the operand's dimension of each */
    const Attr *axes;
} Walk;

static Walk walk_begin(const Case *c) {
    const Array *x = c->arg[0];
    Walk w = {{x->rank, x->dim, {0}}, 0, {0}, node_attr(c->node, ATTR_axes)};
    for (uint32_t k = 0, j = 0; k < x->rank; k++) {
        if (j < w.axes->count && w.axes->ints[j] == k)
            j++;
        else
            w.keep[w.kept++] = k;
    }
    return w;
}

static int64_t walk_result(const Walk *w, const Array *out) {
    int64_t at[MAX_RANK];
    for (uint32_t k = 0; k < w->kept; k++) at[k] = w->place.at[w->keep[k]];
    return array_index(out, at);
}

/* Row-major number of the place among the reduced axes. */
static int64_t walk_reduced(const Walk *w) {
    int64_t index = 0;
    for (uint32_t k = 0; k < w->axes->count; k++) {
        int64_t axis = w->axes->ints[k];
        index = index * w->place.dim[axis] + w->place.at[axis];
    }
    return index;
}

void eval_sum(const Case *c) {
    Walk w = walk_begin(c);
    int64_t i = 0;
    do {
        double *to = &c->out->at[walk_result(&w, c->out)];
        *to = hold(c->out->elem, *to + c->arg[0]->at[i++]);
    } while (place_next(&w.place));
}

/* A NaN wins and stays, as in the rows `max` and `min`. */
void eval_extremum(const Case *c) {
    const bool max = c->node->op == OP_reduce_max;
    Walk w = walk_begin(c);
    int64_t i = 0;
    do {
        double x = c->arg[0]->at[i++], *to = &c->out->at[walk_result(&w, c->out)];
        bool first = walk_reduced(&w) == 0;
        if (first || isnan(x) || (max ? x > *to : x < *to)) *to = x;
    } while (place_next(&w.place));
}

void eval_argmax(const Case *c) {
    Walk w = walk_begin(c);
    double *best = arena_array(c->arena, double, array_count(c->out));
    int64_t i = 0;
    do {
        double x = c->arg[0]->at[i++];
        int64_t to = walk_result(&w, c->out), number = walk_reduced(&w);
        if (number && !(x > best[to])) continue;
        best[to] = x;
        c->out->at[to] = (double)number;
    } while (place_next(&w.place));
}

/* An operand seen through its map; numerators follow the axes' steps. */
typedef struct View {
    const AffineMap *map;
    const Array *array;
    int64_t numerator[MAX_RANK];
} View;

static View view_begin(const AffineMap *map, const Array *array) {
    View view = {.map = map, .array = array};
    for (uint32_t k = 0; k < map->rank; k++) view.numerator[k] = map->dim[k].offset;
    return view;
}

static void view_step(View *view, uint32_t axis, int64_t by) {
    for (uint32_t k = 0; k < view->map->rank; k++)
        view->numerator[k] += by * view->map->dim[k].coefficient[axis];
}

/* Zero outside of the array and between the multiples of the divisor. */
static double view_read(const View *view) {
    int64_t index = 0;
    for (uint32_t k = 0; k < view->map->rank; k++) {
        int64_t at = view->numerator[k], divisor = view->map->dim[k].divisor;
        if (at < 0 || at % divisor || at / divisor >= view->array->dim[k]) return 0;
        index = index * view->array->dim[k] + at / divisor;
    }
    return view->array->at[index];
}

/* Every axis in the order of `dims`, the last fastest. */
void eval_contract(const Case *c) {
    const Attr *dims = node_attr(c->node, ATTR_dims);
    View view[3] = {view_begin(node_attr(c->node, ATTR_a)->map, c->arg[0]),
                    view_begin(node_attr(c->node, ATTR_b)->map, c->arg[1]),
                    view_begin(node_attr(c->node, ATTR_out)->map, c->out)};
    int64_t extent[MAX_AXES], at[MAX_AXES] = {0};
    for (uint32_t k = 0; k < dims->count; k++)
        extent[k] = dim_value(&c->func->module->dims, dims->ints[k], c->symbols);
    for (;;) {
        double a = view_read(&view[0]), b = view_read(&view[1]);
        c->out->at[array_index(c->out, view[2].numerator)] += a * b;
        uint32_t axis = dims->count;
        while (axis-- && at[axis] + 1 == extent[axis]) {
            for (int i = 0; i < 3; i++) view_step(&view[i], axis, -at[axis]);
            at[axis] = 0;
        }
        if (axis == UINT32_MAX) return;
        for (int i = 0; i < 3; i++) view_step(&view[i], axis, 1);
        at[axis]++;
    }
}
