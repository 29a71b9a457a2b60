/*
 * The gradient of a contraction is a contraction.
 *
 *     out[o..] = sum over r.. of a[A(o, r)] * b[B(o, r)]
 *     da[p..]  = sum over all axes with A(o, r) == p of g[o..] * b[B(o, r)]
 *
 * Each condition  A_i == p_i  is solved for one axis and the solution put into the forms
 * of g and b: i = 2*o + r - 1  gives  o = (i + 1 - r)/2.  A division that leaves a
 * remainder and a place outside read zero, so the solved axis must stand alone in a form
 * of g or b of its own extent; that form then drops whatever has no such o.
 */
#include "passes/gradient.h"

/* While solving, axis axes + i is p_i; at the end it takes the number of the axis solved.
 */
typedef struct Problem {
    uint32_t axes, rank;
    Dim dims[MAX_AXES];
    Type type; /* of the operand whose gradient is wanted */
    Type side_type[2];
    AffineMap wrt, side[2]; /* the forms of g and of the other operand */
    bool alone[MAX_AXES];   /* the axis may be solved for: see above */
    bool solved[MAX_AXES];
    int32_t axis_of[MAX_RANK]; /* of each p_i; -1: its form is constant */
} Problem;

/* An operand as the gradient sees it. */
typedef struct Operand {
    Type whole, type; /* they differ where dimensions were split */
    AffineMap map;
} Operand;

/* The axes of outer*f + inner, f the extent of the inner one, when the dimension is just that
 * long: the two together go through it once. */
static bool form_is_pair(const Affine *form, const Attr *dims, Dim extent,
                         uint32_t *outer, uint32_t *inner) {
    uint32_t axes[2], count = 0;
    if (form->offset || form->divisor != 1) return false;
    for (uint32_t e = 0; e < dims->count; e++) {
        if (!form->coefficient[e]) continue;
        if (count == 2) return false;
        axes[count++] = e;
    }
    if (count != 2) return false;
    const uint32_t first = form->coefficient[axes[0]] == 1;
    *outer = axes[first];
    *inner = axes[1 - first];
    const int64_t factor = form->coefficient[*outer];
    return form->coefficient[*inner] == 1 && factor > 1 && dims->ints[*inner] == factor &&
           dim_is_const(extent) && dims->ints[*outer] == extent / factor &&
           extent % factor == 0;
}

static Operand operand_of(const Func *f, const Node *node, uint32_t i) {
    static const AttrKey maps[] = {ATTR_a, ATTR_b};
    const AffineMap *map = node_attr(node, maps[i])->map;
    const Type whole = *graph_type(f, node->arg[i]);
    Operand o = {
        .whole = whole, .type = {.elem = whole.elem}, .map = {.axes = map->axes}};
    for (uint32_t d = 0; d < whole.rank; d++) {
        uint32_t axis[2];
        const bool pair = o.type.rank + whole.rank - d < MAX_RANK &&
                          form_is_pair(&map->dim[d], node_attr(node, ATTR_dims),
                                       whole.dim[d], &axis[0], &axis[1]);
        for (uint32_t k = 0; k <= pair; k++) {
            Affine lone = {.divisor = 1};
            if (pair) lone.coefficient[axis[k]] = 1;
            o.type.dim[o.type.rank++] =
                pair ? node_attr(node, ATTR_dims)->ints[axis[k]] : whole.dim[d];
            o.map.dim[o.map.rank++] = pair ? lone : map->dim[d];
        }
    }
    return o;
}

static int64_t gcd(int64_t a, int64_t b) {
    if (a < 0) a = -a;
    if (b < 0) b = -b;
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Divides numerator and divisor by what they share; the divisor becomes positive. */
static void form_reduce(Affine *form) {
    int64_t common = gcd(form->divisor, form->offset);
    for (uint32_t i = 0; i < MAX_AXES; i++) common = gcd(common, form->coefficient[i]);
    if (form->divisor < 0) common = -common;
    for (uint32_t i = 0; i < MAX_AXES; i++) form->coefficient[i] /= common;
    form->offset /= common;
    form->divisor /= common;
}

/* `form` with `by` in the place of `axis`. */
static void form_substitute(Affine *form, uint32_t axis, const Affine *by) {
    const int64_t factor = form->coefficient[axis];
    if (!factor) return;
    form->coefficient[axis] = 0;
    for (uint32_t i = 0; i < MAX_AXES; i++)
        form->coefficient[i] =
            form->coefficient[i] * by->divisor + factor * by->coefficient[i];
    form->offset = form->offset * by->divisor + factor * by->offset;
    form->divisor *= by->divisor;
    form_reduce(form);
}

/* `form` == d<place>, solved for `axis`. */
static Affine form_solve(const Affine *form, uint32_t axis, uint32_t place) {
    Affine by = {.offset = -form->offset, .divisor = form->coefficient[axis]};
    for (uint32_t i = 0; i < MAX_AXES; i++)
        if (i != axis) by.coefficient[i] = -form->coefficient[i];
    by.coefficient[place] += form->divisor;
    form_reduce(&by);
    return by;
}

static bool form_has(const Affine *form, uint32_t axis) {
    return form->coefficient[axis] != 0;
}

static bool map_has(const AffineMap *map, uint32_t axis) {
    for (uint32_t i = 0; i < map->rank; i++)
        if (form_has(&map->dim[i], axis)) return true;
    return false;
}

static void problem_solve(Problem *p, uint32_t i, uint32_t axis) {
    const Affine by = form_solve(&p->wrt.dim[i], axis, p->axes + i);
    for (uint32_t j = 0; j < p->rank; j++)
        if (j != i) form_substitute(&p->wrt.dim[j], axis, &by);
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t j = 0; j < p->side[s].rank; j++)
            form_substitute(&p->side[s].dim[j], axis, &by);
    p->solved[axis] = true;
    p->axis_of[i] = (int32_t)axis;
}

/* The longest of the axes that can be solved for, since the others are summed over; an
 * axis of g (an image) before one of the other operand (a filter) that is less than twice
 * as long. */
static int32_t best_axis(const Problem *p, const Dims *dims, const Affine *form) {
    int32_t best = -1;
    int64_t longest = 0;
    for (uint32_t e = 0; e < p->axes; e++) {
        if (!form_has(form, e) || p->solved[e] || !p->alone[e]) continue;
        const int64_t extent =
            dim_max(dims, p->dims[e]) * (map_has(&p->side[0], e) ? 2 : 1);
        if (extent <= longest) continue;
        longest = extent;
        best = (int32_t)e;
    }
    return best;
}

static bool form_is_constant(const Affine *form) {
    for (uint32_t i = 0; i < MAX_AXES; i++)
        if (form->coefficient[i]) return false;
    return true;
}

static _Noreturn void give_up(Sweep *s, const Problem *p) {
    Text text;
    text_init(&text, s->scratch);
    affine_print(&p->wrt, &text);
    bug(s->b.func->module->arena, "a contraction with the map %s has no gradient",
        text.at);
}

static void problem_init(Problem *p, Sweep *s, const Node *node, const Operand *wrt,
                         const Operand *other, Val g) {
    const Attr *dims = node_attr(node, ATTR_dims);
    *p = (Problem){.axes = dims->count};
    p->wrt = wrt->map;
    p->side[0] = *node_attr(node, ATTR_out)->map;
    p->side[1] = other->map;
    p->type = wrt->type;
    p->side_type[0] = *graph_type(s->b.func, g);
    p->side_type[1] = other->type;
    p->rank = p->wrt.rank;
    for (uint32_t e = 0; e < p->axes; e++) p->dims[e] = dims->ints[e];
    for (uint32_t t = 0; t < 2; t++)
        for (uint32_t i = 0; i < p->side[t].rank; i++) {
            uint32_t axis;
            if (affine_is_axis(&p->side[t].dim[i], &axis))
                p->alone[axis] |= p->side_type[t].dim[i] == p->dims[axis];
        }
    if (p->axes + p->rank > MAX_AXES) give_up(s, p);
}

/* Dimensions that are one axis first: they leave the fewest choices to get wrong. */
static void problem_solve_all(Problem *p, Sweep *s) {
    const Dims *dims = &s->b.func->module->dims;
    for (uint32_t i = 0; i < p->rank; i++) {
        uint32_t axis;
        p->axis_of[i] = -1;
        if (affine_is_axis(&p->wrt.dim[i], &axis) && axis < p->axes &&
            (p->alone[axis] || p->type.dim[i] == p->dims[axis]))
            problem_solve(p, i, axis);
    }
    for (uint32_t i = 0; i < p->rank; i++) {
        if (p->axis_of[i] >= 0) continue;
        const int32_t axis = best_axis(p, dims, &p->wrt.dim[i]);
        if (axis >= 0)
            problem_solve(p, i, (uint32_t)axis);
        else if (!form_is_constant(&p->wrt.dim[i]) || p->wrt.dim[i].divisor != 1)
            give_up(s, p);
    }
}

/* p_i takes the number of the axis it was solved for; axes of extent 1 are always 0. */
static void problem_renumber(Problem *p) {
    for (uint32_t i = 0; i < p->rank; i++) {
        if (p->axis_of[i] < 0) continue;
        const uint32_t axis = (uint32_t)p->axis_of[i];
        Affine lone = {.divisor = 1};
        lone.coefficient[axis] = 1;
        for (uint32_t t = 0; t < 2; t++)
            for (uint32_t j = 0; j < p->side[t].rank; j++)
                form_substitute(&p->side[t].dim[j], p->axes + i, &lone);
        p->dims[axis] = p->type.dim[i];
    }
    for (uint32_t t = 0; t < 2; t++)
        for (uint32_t j = 0; j < p->side[t].rank; j++) {
            uint32_t axis;
            Affine *form = &p->side[t].dim[j];
            if (affine_is_axis(form, &axis)) continue;
            for (uint32_t e = 0; e < p->axes; e++)
                if (p->dims[e] == 1) form->coefficient[e] = 0;
            form_reduce(form);
        }
}

/* Only the axes that some operand reads, numbered anew: others repeat the result. */
static void problem_compact(Problem *p) {
    uint32_t number[MAX_AXES], count = 0;
    for (uint32_t e = 0; e < p->axes; e++) {
        const bool read = map_has(&p->side[0], e) || map_has(&p->side[1], e);
        number[e] = UINT32_MAX;
        if (!read && (p->solved[e] || p->dims[e] == 1)) continue;
        p->dims[count] = p->dims[e];
        number[e] = count++;
    }
    for (uint32_t t = 0; t < 2; t++) {
        p->side[t].axes = count;
        for (uint32_t j = 0; j < p->side[t].rank; j++) {
            Affine *form = &p->side[t].dim[j], old = *form;
            memset(form->coefficient, 0, sizeof form->coefficient);
            for (uint32_t e = 0; e < p->axes; e++)
                if (number[e] != UINT32_MAX)
                    form->coefficient[number[e]] = old.coefficient[e];
        }
    }
    for (uint32_t i = 0; i < p->rank; i++)
        if (p->axis_of[i] >= 0) {
            const uint32_t axis = number[p->axis_of[i]];
            p->axis_of[i] = axis == UINT32_MAX ? -1 : (int32_t)axis;
        }
    p->axes = count;
}

/* Puts back the dimensions that are no axis: repeated, or at one place among zeros. */
static Val widen(Sweep *s, const Problem *p, Val x, const int64_t *kept, uint32_t count) {
    if (count == p->rank) return x;
    int64_t low[MAX_RANK] = {0}, high[MAX_RANK] = {0}, inner[MAX_RANK] = {0};
    Type to = p->type;
    bool padded = false;
    for (uint32_t i = 0; i < p->rank; i++) {
        if (p->axis_of[i] >= 0 || !form_is_constant(&p->wrt.dim[i])) continue;
        if (p->type.dim[i] == 1) continue;
        if (!dim_is_const(p->type.dim[i])) give_up(s, p);
        low[i] = p->wrt.dim[i].offset;
        high[i] = p->type.dim[i] - 1 - low[i];
        to.dim[i] = 1;
        padded = true;
    }
    x = build_broadcast(&s->b, x, &to, kept);
    return padded ? build_pad(&s->b, x, low, high, inner, 0) : x;
}

static Val reshaped(Sweep *s, Val x, const Type *to) {
    const bool same = type_equal(graph_type(s->b.func, x), to);
    return same ? x : build_reshape(&s->b, x, to->rank, to->dim);
}

static Val operand_gradient(Sweep *s, const Node *node, uint32_t operand, Val g) {
    const Operand wrt = operand_of(s->b.func, node, operand);
    const Operand beside = operand_of(s->b.func, node, 1 - operand);
    Problem p;
    problem_init(&p, s, node, &wrt, &beside, g);
    problem_solve_all(&p, s);
    problem_renumber(&p);
    problem_compact(&p);
    AffineMap out = {.axes = p.axes};
    int64_t kept[MAX_RANK];
    for (uint32_t i = 0; i < p.rank; i++) {
        if (p.axis_of[i] < 0) continue;
        Affine lone = {.divisor = 1};
        lone.coefficient[p.axis_of[i]] = 1;
        kept[out.rank] = i;
        out.dim[out.rank++] = lone;
    }
    const Val other = reshaped(s, node->arg[1 - operand], &beside.type);
    const Val x = operand ? build_contract(&s->b, other, g, p.axes, p.dims, &p.side[1],
                                           &p.side[0], &out)
                          : build_contract(&s->b, g, other, p.axes, p.dims, &p.side[0],
                                           &p.side[1], &out);
    return reshaped(s, widen(s, &p, x, kept, out.rank), &wrt.whole);
}

void grad_contract(Sweep *s, Val v, const Node *node, Val g) {
    for (uint32_t i = 0; i < 2; i++)
        if (sweep_wants(s, node->arg[i]))
            sweep_add(s, node->arg[i], operand_gradient(s, node, i, g));
}
