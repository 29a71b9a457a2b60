/* Random programs: ops that move elements, and sources.  The run-time dimension, always the
 * first, is left where it is. */
#include "tests/random/maker.h"
#include <math.h>

/* A value with an axis that may be changed; that axis. */
static Val with_axis(Maker *m, uint32_t *axis) {
    for (int tries = 0; tries < 8; tries++) {
        Val x = any(m);
        if (x == NO_VAL) return x;
        const Type *type = type_at(m, x);
        uint32_t first = first_axis(m, type);
        if (type->rank <= first) continue;
        *axis = (uint32_t)between(m, first, type->rank - 1);
        return x;
    }
    return NO_VAL;
}

static void put(Maker *m, Op op, const Val *arg, uint32_t args, const Attr *attr,
                uint32_t attrs, Fact fact) {
    note(m, build_op(&m->b, op, arg, args, attr, attrs), fact);
}

void make_broadcast(Maker *m) {
    Val x = any(m);
    if (x == NO_VAL || type_at(m, x)->rank > 3) return;
    Type type = *type_at(m, x), to = type;
    int64_t axes[MAX_RANK];
    uint32_t at = (uint32_t)between(m, first_axis(m, &type), type.rank);
    to.rank++;
    for (uint32_t i = 0; i < type.rank; i++) {
        axes[i] = i < at ? i : i + 1;
        to.dim[axes[i]] = type.dim[i];
    }
    to.dim[at] = m->dim[below(m, 3)];
    if (!at && m->symbol && chance(m, 2)) to.dim[at] = m->symbol;
    Val v = build_broadcast(&m->b, x, &to, axes);
    note(m, v, *fact_at(m, x));
}

/* Joins two neighbours, splits one in two, or flattens. */
void make_reshape(Maker *m) {
    uint32_t axis;
    Val x = with_axis(m, &axis);
    if (x == NO_VAL) return;
    const Type *type = type_at(m, x);
    Dim dim[MAX_RANK];
    uint32_t rank = 0, first = first_axis(m, type);
    Dim extent = type->dim[axis], part = between(m, 1, 4);
    bool splits = chance(m, 2) && type->rank < 5 && extent % part == 0;
    bool flattens = !splits && chance(m, 3);
    for (uint32_t i = 0; i < type->rank; i++) {
        bool joins =
            rank > first && (flattens ? i > first : !splits && i == axis && i > first);
        if (joins) {
            dim[rank - 1] *= type->dim[i];
        } else {
            dim[rank++] = type->dim[i];
        }
        if (splits && i == axis) {
            dim[rank - 1] = part;
            dim[rank++] = extent / part;
        }
    }
    Val v = build_reshape(&m->b, x, rank, dim);
    note(m, v, *fact_at(m, x));
}

void make_transpose(Maker *m) {
    uint32_t axis;
    Val x = with_axis(m, &axis);
    if (x == NO_VAL) return;
    const Type *type = type_at(m, x);
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++) axes[i] = i;
    for (uint32_t i = type->rank - 1; i > first_axis(m, type); i--) {
        uint32_t k = (uint32_t)between(m, first_axis(m, type), i);
        int64_t swap = axes[i];
        axes[i] = axes[k];
        axes[k] = swap;
    }
    Val v = build_transpose(&m->b, x, axes);
    note(m, v, *fact_at(m, x));
}

void make_slice(Maker *m) {
    uint32_t axis;
    Val x = with_axis(m, &axis);
    if (x == NO_VAL) return;
    Type type = *type_at(m, x);
    int64_t starts[MAX_RANK], strides[MAX_RANK];
    Dim dims[MAX_RANK];
    for (uint32_t i = 0; i < type.rank; i++) {
        starts[i] = 0;
        strides[i] = 1;
        dims[i] = type.dim[i];
        if (i < first_axis(m, &type) || (i != axis && !chance(m, 3))) continue;
        int64_t stride = between(m, 1, 3), low = between(m, 0, type.dim[i] - 1);
        dims[i] = between(m, 1, (type.dim[i] - 1 - low) / stride + 1);
        bool backwards = chance(m, 4);
        starts[i] = backwards ? low + (dims[i] - 1) * stride : low;
        strides[i] = backwards ? -stride : stride;
    }
    Val v = build_slice(&m->b, x, starts, dims, strides);
    note(m, v, *fact_at(m, x));
}

void make_pad(Maker *m) {
    uint32_t axis;
    Val x = with_axis(m, &axis);
    if (x == NO_VAL) return;
    Type type = *type_at(m, x);
    int64_t low[MAX_RANK] = {0}, high[MAX_RANK] = {0}, inner[MAX_RANK] = {0};
    for (uint32_t i = first_axis(m, &type); i < type.rank; i++) {
        if (i != axis && !chance(m, 3)) continue;
        low[i] = between(m, 0, 2);
        high[i] = between(m, 0, 2);
        if (chance(m, 3)) inner[i] = between(m, 0, 2);
    }
    double value = chance(m, 2) ? 0 : 1;
    Fact fill = exact(value, value, 0), fact = hull(fact_at(m, x), &fill);
    note(m, build_pad(&m->b, x, low, high, inner, value), fact);
}

void make_concat(Maker *m) {
    uint32_t axis;
    Val x = with_axis(m, &axis), part[3] = {x};
    if (x == NO_VAL) return;
    uint32_t count = (uint32_t)between(m, 1, 3);
    Fact fact = *fact_at(m, x);
    for (uint32_t i = 1; i < count; i++) {
        Type type = *type_at(m, x);
        if (chance(m, 2)) type.dim[axis] = between(m, 1, 5);
        part[i] = operand(m, &type);
        fact = hull(&fact, fact_at(m, part[i]));
    }
    note(m, build_concat(&m->b, part, count, axis), fact);
}

/* Windows over one or two axes, and back by fold at times. */
void make_windows(Maker *m) {
    uint32_t axis, count = 0;
    Val x = with_axis(m, &axis);
    if (x == NO_VAL || type_at(m, x)->rank > 5) return;
    Type type = *type_at(m, x);
    int64_t axes[2], size[2], strides[2], dilations[2], terms = 1;
    Dim dims[2];
    for (uint32_t i = axis; i < type.rank && count < 2; i++) {
        axes[count] = i;
        size[count] = between(m, 1, type.dim[i] < 3 ? type.dim[i] : 3);
        strides[count] = between(m, 1, 3);
        dilations[count] =
            size[count] == 1 || chance(m, 2) ? 1 : (type.dim[i] - 1) / (size[count] - 1);
        dims[count] = type.dim[i];
        terms *= size[count++];
        if (chance(m, 2)) break;
    }
    Attr attrs[] = {
        attr_ints(ATTR_axes, axes, count), attr_ints(ATTR_strides, strides, count),
        attr_ints(ATTR_dilations, dilations, count), attr_ints(ATTR_size, size, count)};
    Val v = build_op(&m->b, OP_windows, &x, 1, attrs, 4);
    Fact fact = *fact_at(m, x);
    if (!note(m, v, fact) || type.elem == ELEM_bool || chance(m, 2)) return;
    attrs[3] = attr_ints(ATTR_dims, dims, count);
    put(m, OP_fold, &v, 1, attrs, 4,
        type.elem == ELEM_u8 ? fact : scaled(&fact, (double)terms));
}

/* An index of rank at most 2, some of it outside of what it points into. */
static Val index_value(Maker *m) {
    for (int tries = 0; tries < 6; tries++) {
        Val v = any_of(m, ELEM_i32);
        if (v == NO_VAL) break;
        if (type_at(m, v)->rank <= 2) return v;
    }
    Type type = random_type(m, ELEM_i32, (uint32_t)between(m, 0, 2));
    Val v = build_fill(&m->b, &type, 1);
    note(m, v, exact(0, 1, 0));
    return v;
}

void make_gather(Maker *m) {
    uint32_t axis;
    Val x = with_axis(m, &axis), index = index_value(m);
    if (x == NO_VAL) return;
    const Type *type = type_at(m, x), *places = type_at(m, index);
    bool moving = first_axis(m, places) > 0;
    int64_t batch = 0;
    if (axis && places->rank && places->dim[0] == type->dim[0] &&
        (moving || chance(m, 2)))
        batch = 1;
    /* The run-time dimension stays in front. */
    if (moving && !batch && axis) return;
    if (type->rank + places->rank > 6) return;
    Attr attrs[] = {attr_int(ATTR_axis, axis), attr_int(ATTR_batch, batch)};
    put(m, OP_gather, (Val[]){x, index}, 2, attrs, 2, *fact_at(m, x));
}

/* Updates of the shape  outer + index + inner. */
void make_scatter_add(Maker *m) {
    Val index = index_value(m);
    const Type *places = type_at(m, index);
    uint32_t batch = places->rank && chance(m, 4) ? 1 : 0, axis = batch;
    if (!first_axis(m, places) && chance(m, 3) && !batch) axis = 1;
    Type type = {.elem = chance(m, 4) ? ELEM_i32 : ELEM_f32};
    for (uint32_t i = 0; i < axis; i++)
        type.dim[type.rank++] = batch ? places->dim[i] : m->dim[0];
    for (uint32_t i = batch; i < places->rank; i++)
        type.dim[type.rank++] = places->dim[i];
    if (chance(m, 2)) type.dim[type.rank++] = m->dim[below(m, 3)];
    if (count_of(m, &type) > 1000) return;
    Val update = operand(m, &type);
    Dim extent = between(m, 1, 6);
    Attr attrs[] = {attr_int(ATTR_axis, axis), attr_int(ATTR_batch, batch),
                    attr_ints(ATTR_dims, &extent, 1)};
    Fact fact = scaled(fact_at(m, update), (double)count_of(m, places));
    put(m, OP_scatter_add, (Val[]){index, update}, 2, attrs, 3, fact);
}

/* read_at and write_at, inside the extent. */
void make_stack(Maker *m) {
    Val x = any(m);
    if (x == NO_VAL) return;
    Type type = *type_at(m, x), part = type;
    if (!type.rank || first_axis(m, &type)) return;
    Val i = build_const(&m->b, ELEM_i32, (double)between(m, 0, type.dim[0] - 1));
    note(m, i, exact(0, 8, 0));
    if (chance(m, 2)) {
        put(m, OP_read_at, (Val[]){x, i}, 2, NULL, 0, *fact_at(m, x));
        return;
    }
    part.rank--;
    memmove(part.dim, part.dim + 1, sizeof *part.dim * part.rank);
    Val value = operand(m, &part);
    Fact fact = hull(fact_at(m, x), fact_at(m, value));
    put(m, OP_write_at, (Val[]){x, i, value}, 3, NULL, 0, fact);
}

static Val scalar_index(Maker *m) {
    Val v = any_of(m, ELEM_i32);
    if (v != NO_VAL && type_at(m, v)->rank == 0) return v;
    v = build_const(&m->b, ELEM_i32, (double)between(m, 0, 1000));
    note(m, v, exact(0, 1000, 0));
    return v;
}

static void make_random(Maker *m) {
    Val seed = scalar_index(m), step = scalar_index(m), iteration = scalar_index(m);
    Type type = random_type(m, ELEM_f32, below(m, 4));
    Attr attrs[] = {attr_ints(ATTR_dims, type.dim, type.rank),
                    attr_int(ATTR_site, m->sites++)};
    put(m, OP_random, (Val[]){seed, step, iteration}, 3, attrs, 2, exact(0, 1, 24));
}

void make_source(Maker *m) {
    if (chance(m, 2)) {
        make_random(m);
        return;
    }
    Type type =
        random_type(m, chance(m, 2) ? ELEM_i32 : ELEM_f32, (uint32_t)between(m, 1, 3));
    int64_t axis = between(m, 0, type.rank - 1);
    Attr attrs[] = {attr_int(ATTR_elem, type.elem),
                    attr_ints(ATTR_dims, type.dim, type.rank), attr_int(ATTR_axis, axis)};
    attrs[0].key = ATTR_elem;
    put(m, OP_iota, NULL, 0, attrs, 3, exact(0, (double)extent_of(m, type.dim[axis]), 0));
}
