/* Random programs: reductions and contractions of every form. */
#include "tests/random/maker.h"
#include <math.h>

/* A non-empty set of axes in order; their extents multiplied. */
static uint32_t some_axes(Maker *m, const Type *type, int64_t axes[MAX_RANK],
                          double *terms) {
    uint32_t count = 0, sure = below(m, type->rank);
    *terms = 1;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (i != sure && !chance(m, 2)) continue;
        axes[count++] = i;
        *terms *= (double)extent_of(m, type->dim[i]);
    }
    return count;
}

static Val with_rank(Maker *m) {
    for (int tries = 0; tries < 8; tries++) {
        Val x = any(m);
        if (x == NO_VAL) return x;
        if (type_at(m, x)->rank && type_at(m, x)->elem != ELEM_bool) return x;
    }
    return NO_VAL;
}

void make_reduce(Maker *m) {
    static const Op ops[] = {OP_sum, OP_sum, OP_reduce_max, OP_reduce_min};
    Val x = with_rank(m);
    if (x == NO_VAL) return;
    Type type = *type_at(m, x);
    int64_t axes[MAX_RANK];
    double terms;
    uint32_t count = some_axes(m, &type, axes, &terms);
    Op op = ops[below(m, 4)];
    Fact fact = *fact_at(m, x);
    if (op == OP_sum && type.elem != ELEM_u8) fact = scaled(&fact, terms);
    note(m, build_reduce(&m->b, op, x, axes, count), fact);
}

void make_argmax(Maker *m) {
    Val x = with_rank(m);
    if (x == NO_VAL || !is_exact(fact_at(m, x))) return;
    Type type = *type_at(m, x);
    int64_t axes[MAX_RANK];
    double terms;
    uint32_t count = some_axes(m, &type, axes, &terms);
    note(m, build_reduce(&m->b, OP_argmax, x, axes, count), exact(0, terms, 0));
}

/* A contraction being made: axes, then operands whose dimensions are forms of them. */
typedef struct Product {
    uint32_t axes;
    Dim dims[MAX_AXES];
    bool reduced[MAX_AXES];
    AffineMap a, b, out;
} Product;

static uint32_t add_axis(Product *p, Dim extent, bool reduced) {
    p->dims[p->axes] = extent;
    p->reduced[p->axes] = reduced;
    return p->axes++;
}

static Affine *add_form(AffineMap *map) {
    Affine *form = &map->dim[map->rank++];
    *form = (Affine){.divisor = 1};
    return form;
}

static void add_plain(AffineMap *map, uint32_t axis) {
    add_form(map)->coefficient[axis] = 1;
}

/* Emits it and scales large results down by a power of two, which keeps them exact. */
static void finish(Maker *m, Product *p, Val x, Val y) {
    Fact f = *fact_at(m, x), g = *fact_at(m, y), fact = hull(&f, &g);
    double bound = bound_of(&f) * bound_of(&g), terms = 1;
    for (uint32_t i = 0; i < p->axes; i++)
        if (p->reduced[i]) terms *= (double)extent_of(m, p->dims[i]);
    fact.low = -bound;
    fact.high = bound;
    fact.error = f.error * bound_of(&g) + g.error * bound_of(&f) + F32_EPSILON * bound;
    fact.bits = fact.bits < 0 ? -1 : f.bits + g.bits;
    if (is_exact(&f) && is_exact(&g) && bound * terms * exp2(f.bits + g.bits) <= 0x1p24)
        fact.error = 0;
    else
        fact.bits = -1;
    fact = scaled(&fact, terms);
    p->a.axes = p->b.axes = p->out.axes = p->axes;
    Val v = build_contract(&m->b, x, y, p->axes, p->dims, &p->a, &p->b, &p->out);
    note(m, v, fact);
    bound = bound_of(&fact);
    if (bound <= 64) return;
    double scale = exp2(-floor(log2(bound / 8)));
    Fact small = {true, fact.low * scale, fact.high * scale, fact.error * scale,
                  fact.bits < 0 ? -1 : fact.bits - (int)log2(scale)};
    Type type = *type_at(m, v);
    m->facts.at[v].usable = false;
    note(m, build_mul(&m->b, v, constant(m, &type, scale)), small);
}

static void shuffle_map(Maker *m, AffineMap *map, uint32_t first) {
    for (uint32_t i = map->rank; i > first + 1; i--) {
        uint32_t k = (uint32_t)between(m, first, i - 1);
        Affine swap = map->dim[i - 1];
        map->dim[i - 1] = map->dim[k];
        map->dim[k] = swap;
    }
}

/* Each dimension of x is a batch, row or reduced axis; the other operand has the batch and
 * reduced ones and columns of its own, in any order. */
void make_product(Maker *m) {
    Val x = any_of(m, chance(m, 6) ? ELEM_u8 : ELEM_f32);
    if (x == NO_VAL || type_at(m, x)->rank > 4) return;
    Type type = *type_at(m, x), other = {.elem = ELEM_f32};
    Product p = {0};
    uint32_t first = first_axis(m, &type);
    for (uint32_t i = 0; i < type.rank; i++) {
        uint32_t role = below(m, 4); /* 0 row, 1 batch, else reduced */
        if (i < first && role > 1) role = 0;
        uint32_t axis = add_axis(&p, type.dim[i], role > 1);
        add_plain(&p.a, axis);
        if (role) add_plain(&p.b, axis);
        if (role <= 1) add_plain(&p.out, axis);
    }
    for (uint32_t cols = below(m, 3); cols > 0; cols--) {
        uint32_t axis = add_axis(&p, m->dim[below(m, 3)], false);
        add_plain(&p.b, axis);
        add_plain(&p.out, axis);
    }
    /* The run-time dimension stays in front of every operand that has it. */
    bool shared = first && p.b.rank && p.b.dim[0].coefficient[0] == 1;
    shuffle_map(m, &p.b, shared);
    shuffle_map(m, &p.out, first);
    for (uint32_t i = 0; i < p.b.rank; i++)
        for (uint32_t k = 0; k < p.axes; k++)
            if (p.b.dim[i].coefficient[k]) other.dim[other.rank++] = p.dims[k];
    if (count_of(m, &other) > 3000) return;
    Val y = operand(m, &other);
    if (!chance(m, 2) || type.elem == ELEM_u8) {
        finish(m, &p, x, y);
        return;
    }
    AffineMap swap = p.a;
    p.a = p.b;
    p.b = swap;
    finish(m, &p, y, x);
}

/* Convolution along up to two spatial axes, in one of its three forms. */
typedef struct Window {
    int64_t size, stride, pad, dilation, input, output;
} Window;

static Window random_window(Maker *m) {
    Window w = {.size = between(m, 1, 4),
                .stride = between(m, 1, 3),
                .dilation = between(m, 1, 2)};
    int64_t reach = (w.size - 1) * w.dilation + 1;
    w.pad = between(m, 0, reach < 3 ? reach : 3);
    w.input = between(m, 3, 9);
    if (w.input + 2 * w.pad < reach) w.input = reach;
    w.output = (w.input + 2 * w.pad - reach) / w.stride + 1;
    return w;
}

typedef enum Form { FORWARD, BACK_DATA, BACK_WEIGHTS } Form;

/* The axes of one spatial dimension: outer position, tap. */
static void add_window(Product *p, const Window *w, Form form, uint32_t *position,
                       uint32_t *tap) {
    *position =
        add_axis(p, form == BACK_DATA ? w->input : w->output, form == BACK_WEIGHTS);
    *tap = add_axis(p, w->size, form != BACK_WEIGHTS);
    Affine *at = add_form(&p->a);
    at->coefficient[*position] = form == BACK_DATA ? 1 : w->stride;
    at->coefficient[*tap] = form == BACK_DATA ? -w->dilation : w->dilation;
    at->offset = form == BACK_DATA ? w->pad : -w->pad;
    if (form == BACK_DATA) at->divisor = w->stride;
}

static void type_of_map(const Product *p, const AffineMap *map, Type *type) {
    for (uint32_t i = 0; i < map->rank; i++)
        for (uint32_t k = 0; k < p->axes; k++)
            if (map->dim[i].coefficient[k]) type->dim[type->rank++] = p->dims[k];
}

void make_convolution(Maker *m) {
    Form form = (Form)below(m, 3);
    uint32_t spatial = (uint32_t)between(m, 1, 2), position[2], tap[2];
    Window w[2];
    Product p = {0};
    Dim images = m->symbol && chance(m, 2) ? m->symbol : between(m, 1, 4);
    int64_t groups = form == FORWARD && chance(m, 3) ? between(m, 2, 4) : 1;
    int64_t inputs = groups > 1 ? between(m, 1, 2) : between(m, 1, 9),
            outputs = between(m, 1, 9);
    uint32_t n = add_axis(&p, images, form == BACK_WEIGHTS);
    Type data = {.elem = form == FORWARD && chance(m, 5) ? ELEM_u8 : ELEM_f32},
         other = {.elem = ELEM_f32};
    add_plain(&p.a, n);
    data.dim[data.rank++] = images;
    for (uint32_t i = 0; i < spatial; i++) {
        w[i] = random_window(m);
        add_window(&p, &w[i], form, &position[i], &tap[i]);
        data.dim[data.rank++] = form == BACK_DATA ? w[i].output : w[i].input;
    }
    /* a: data [n, .., channel]; the other: filter [tap.., in, out] or [n, position.., out]. */
    uint32_t group = groups > 1 ? add_axis(&p, groups, false) : 0;
    uint32_t in = add_axis(&p, inputs, form == FORWARD),
             out = add_axis(&p, outputs, form == BACK_DATA);
    Affine *channel = add_form(&p.a);
    channel->coefficient[form == BACK_DATA ? out : in] = 1;
    if (groups > 1) channel->coefficient[group] = inputs;
    data.dim[data.rank++] = form == BACK_DATA ? outputs : inputs * groups;
    AffineMap *left = form == BACK_WEIGHTS ? &p.b : &p.out,
              *right = form == BACK_WEIGHTS ? &p.out : &p.b;
    add_plain(left, n);
    for (uint32_t i = 0; i < spatial; i++) {
        add_plain(left, position[i]);
        add_plain(right, tap[i]);
    }
    if (groups > 1) add_plain(left, group);
    add_plain(left, form == BACK_DATA ? in : out);
    add_plain(right, in);
    if (groups > 1) {
        Affine *filter = add_form(right);
        filter->coefficient[out] = 1;
        filter->coefficient[group] = outputs;
        other.dim[3] = outputs * groups;
    } else {
        add_plain(right, out);
    }
    type_of_map(&p, &p.b, &other);
    if (groups > 1) {
        other.rank = spatial + 2;
        other.dim[other.rank - 2] = inputs;
        other.dim[other.rank - 1] = outputs * groups;
    }
    if (count_of(m, &data) > 3000 || count_of(m, &other) > 3000) return;
    Val x = operand(m, &data), y = operand(m, &other);
    finish(m, &p, x, y);
}
