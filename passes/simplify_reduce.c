/* Shape rules of reductions and contractions: less is summed, and moves before a
 * contraction become part of its maps. */
#include "passes/simplify_shape.h"
#include <math.h>

static Val emit_sum(Simplifier *s, Val x, const int64_t *axes, uint32_t count) {
    const Attr attr = attr_ints(ATTR_axes, axes, count);
    return count ? simplify_emit(s, OP_sum, &x, 1, &attr, 1) : x;
}

/* Elements of `type` over `axes`; false where that is open. */
static bool count_over(const Type *type, const int64_t *axes, uint32_t count,
                       int64_t *product) {
    *product = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (!dim_is_const(type->dim[axes[i]])) return false;
        *product *= type->dim[axes[i]];
    }
    return true;
}

/* Floats only: an integer sum may wrap. */
Val shape_sum_splat(Simplifier *s, const Node *node) {
    const Attr *axes = node_attr(node, ATTR_axes);
    double value;
    int64_t count;
    if (!elem_is_float(node->type.elem) ||
        !value_is_splat(s->b.func, node->arg[0], &value) ||
        !count_over(graph_type(s->b.func, node->arg[0]), axes->ints, axes->count, &count))
        return NO_VAL;
    return build_fill(&s->b, &node->type, value * (double)count);
}

/* Over dimensions of extent 1 there is nothing to reduce. */
Val shape_reduce_units(Simplifier *s, const Node *node) {
    const Attr *axes = node_attr(node, ATTR_axes);
    const Type *x = graph_type(s->b.func, node->arg[0]);
    int64_t kept[MAX_RANK], count = 0;
    Type mid = {.elem = x->elem};
    for (uint32_t d = 0; d < x->rank; d++) {
        const bool gone = has_axis(axes->ints, axes->count, d);
        if (gone && x->dim[d] == 1) continue;
        if (gone) kept[count++] = mid.rank;
        mid.dim[mid.rank++] = x->dim[d];
    }
    if (count == axes->count) return NO_VAL;
    const Val v = emit_reshape(s, node->arg[0], &mid);
    const Attr attr = attr_ints(ATTR_axes, kept, (uint32_t)count);
    return count ? simplify_emit(s, node->op, &v, 1, &attr, 1) : v;
}

Val shape_sum_sum(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_sum) return NO_VAL;
    const Attr *first = node_attr(&inner, ATTR_axes),
               *second = node_attr(node, ATTR_axes);
    const uint32_t rank = graph_type(s->b.func, inner.arg[0])->rank;
    int64_t axes[MAX_RANK], left = 0;
    uint32_t count = 0;
    for (uint32_t d = 0; d < rank; d++)
        if (has_axis(first->ints, first->count, d) ||
            has_axis(second->ints, second->count, left++))
            axes[count++] = d;
    return emit_sum(s, inner.arg[0], axes, count);
}

/* axes[] of a broadcast in the dimensions that `gone` leaves; false where one is gone. */
static bool axes_left(const Attr *axes, const Attr *gone, int64_t *left) {
    for (uint32_t i = 0; i < axes->count; i++) {
        if (has_axis(gone->ints, gone->count, axes->ints[i])) return false;
        left[i] = axes->ints[i];
        for (uint32_t j = 0; j < gone->count; j++)
            left[i] -= gone->ints[j] < axes->ints[i];
    }
    return true;
}

/* What was repeated is counted instead. */
Val shape_sum_broadcast(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    if (inner.op != OP_broadcast || !elem_is_float(node->type.elem)) return NO_VAL;
    const Attr *gone = node_attr(node, ATTR_axes), *axes = node_attr(&inner, ATTR_axes);
    int64_t summed[MAX_RANK], left[MAX_RANK], repeats[MAX_RANK], times;
    uint32_t sums = 0, kept = 0, count = 0;
    for (uint32_t i = 0; i < axes->count; i++) {
        if (has_axis(gone->ints, gone->count, axes->ints[i])) {
            summed[sums++] = i;
            continue;
        }
        const Attr one = attr_ints(ATTR_axes, &axes->ints[i], 1);
        axes_left(&one, gone, &left[kept++]);
    }
    for (uint32_t i = 0; i < gone->count; i++)
        if (!has_axis(axes->ints, axes->count, gone->ints[i]))
            repeats[count++] = gone->ints[i];
    if (!count_over(&inner.type, repeats, count, &times)) return NO_VAL;
    const Val sum = emit_sum(s, inner.arg[0], summed, sums);
    const Type type = *graph_type(s->b.func, sum);
    const Val factor = build_fill(&s->b, &type, (double)times);
    return emit_broadcast(s, emit_scalar(s, OP_mul, sum, factor), &node->type, left);
}

/* `v` in the dimensions that `gone` leaves, where it does not change along those; NO_VAL. */
static Val without(Simplifier *s, Val v, const Attr *gone, const Type *to) {
    const Node node = *graph_node(s->b.func, v);
    int64_t left[MAX_RANK];
    double value;
    if (value_is_splat(s->b.func, v, &value)) return build_fill(&s->b, to, value);
    if (node.op != OP_broadcast || !axes_left(node_attr(&node, ATTR_axes), gone, left))
        return NO_VAL;
    return emit_broadcast(s, node.arg[0], to, left);
}

#define MAX_FACTORS 8

/* The factors of a product, sorted, so that equal products are equal values. */
static uint32_t factors_of(const Func *f, Val v, Val *factor) {
    uint32_t count = 1;
    factor[0] = v;
    for (uint32_t i = 0; i < count;) {
        const Node *node = graph_node(f, factor[i]);
        if (node->op == OP_mul && count < MAX_FACTORS) {
            factor[i] = node->arg[0];
            factor[count++] = node->arg[1];
        } else {
            i++;
        }
    }
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = i; j && factor[j - 1] > factor[j]; j--) {
            const Val larger = factor[j - 1];
            factor[j - 1] = factor[j];
            factor[j] = larger;
        }
    return count;
}

/* Factors that are the same for all that is summed; a sign too. */
Val shape_sum_scaled(Simplifier *s, const Node *node) {
    const Node inner = *operand(s, node, 0);
    const Attr *gone = node_attr(node, ATTR_axes);
    Val factor[MAX_FACTORS], scale = NO_VAL, rest = NO_VAL;
    if (!elem_is_float(node->type.elem)) return NO_VAL;
    if (inner.op == OP_neg)
        return emit_scalar(s, OP_neg, emit_sum(s, inner.arg[0], gone->ints, gone->count),
                           NO_VAL);
    if (inner.op != OP_mul) return NO_VAL;
    const uint32_t count = factors_of(s->b.func, node->arg[0], factor);
    for (uint32_t i = 0; i < count; i++) {
        const Val out = without(s, factor[i], gone, &node->type);
        Val *product = out == NO_VAL ? &rest : &scale;
        const Val x = out == NO_VAL ? factor[i] : out;
        *product = *product == NO_VAL ? x : emit_scalar(s, OP_mul, *product, x);
    }
    if (scale == NO_VAL || rest == NO_VAL) return NO_VAL;
    return emit_scalar(s, OP_mul, emit_sum(s, rest, gone->ints, gone->count), scale);
}

/* Differences from the mean sum to zero. */
Val shape_sum_centred(Simplifier *s, const Node *node) {
    const Node diff = *operand(s, node, 0);
    const Attr *gone = node_attr(node, ATTR_axes);
    int64_t left[MAX_RANK], count;
    double value;
    if (diff.op != OP_sub || !elem_is_float(node->type.elem)) return NO_VAL;
    const Node spread = *operand(s, &diff, 1);
    if (spread.op != OP_broadcast ||
        !axes_left(node_attr(&spread, ATTR_axes), gone, left) ||
        !count_over(&diff.type, gone->ints, gone->count, &count))
        return NO_VAL;
    const Node mean = *operand(s, &spread, 0);
    if (mean.op != OP_mul || mean.type.rank != node->type.rank) return NO_VAL;
    for (uint32_t i = 0; i < 2; i++) {
        const Node sum = *operand(s, &mean, i);
        if (sum.op == OP_sum && sum.arg[0] == diff.arg[0] &&
            attr_equal(node_attr(&sum, ATTR_axes), gone) &&
            value_is_splat(s->b.func, mean.arg[1 - i], &value) &&
            fabs(value * (double)count - 1) < 1e-6)
            return build_fill(&s->b, &node->type, 0);
    }
    return NO_VAL;
}

static const AttrKey operand_maps[] = {ATTR_a, ATTR_b};

/* The contraction with another operand i, read by another map. */
static Val contract_with(Simplifier *s, const Node *node, uint32_t i, Val x,
                         const AffineMap *map) {
    Attr *attr = arena_copy(s->scratch, node->attr, node->attrs * sizeof *attr);
    for (uint32_t a = 0; a < node->attrs; a++)
        if (attr[a].key == operand_maps[i]) attr[a].map = map;
    Val arg[] = {node->arg[0], node->arg[1]};
    arg[i] = x;
    return simplify_emit(s, OP_contract, arg, 2, attr, node->attrs);
}

static const AttrKey all_maps[] = {ATTR_a, ATTR_b, ATTR_out};

/* Fills number[] with the new number of each axis, UINT32_MAX for one of extent 1 that no
 * operand reads. */
static uint32_t number_axes(const Attr *dims, const AffineMap *map, uint32_t *number) {
    uint32_t count = 0;
    for (uint32_t e = 0; e < dims->count; e++) {
        bool read = dims->ints[e] != 1;
        for (uint32_t m = 0; m < 2; m++)
            for (uint32_t d = 0; d < map[m].rank; d++)
                read |= map[m].dim[d].coefficient[e] != 0;
        number[e] = read ? count++ : UINT32_MAX;
    }
    return count;
}

/* An axis of extent 1 adds nothing to the place it is read at; where nothing else reads it,
 * it is none. */
Val shape_contract_axes(Simplifier *s, const Node *node) {
    const Attr *dims = node_attr(node, ATTR_dims);
    AffineMap map[3];
    uint32_t number[MAX_AXES], axis;
    bool changed = false;
    for (uint32_t m = 0; m < 3; m++) map[m] = *node_attr(node, all_maps[m])->map;
    for (uint32_t m = 0; m < 2; m++)
        for (uint32_t d = 0; d < map[m].rank; d++)
            for (uint32_t e = 0; e < dims->count; e++) {
                Affine *form = &map[m].dim[d];
                if (dims->ints[e] != 1 || !form->coefficient[e]) continue;
                if (affine_is_axis(form, &axis)) continue;
                form->coefficient[e] = 0;
                changed = true;
            }
    const uint32_t count = number_axes(dims, map, number);
    if (!changed && count == dims->count) return NO_VAL;
    Dim extent[MAX_AXES];
    AffineMap to[3];
    for (uint32_t m = 0; m < 3; m++) {
        to[m] = (AffineMap){.axes = count};
        for (uint32_t d = 0; d < map[m].rank; d++) {
            const Affine *old = &map[m].dim[d];
            if (m == 2 && affine_is_axis(old, &axis) && number[axis] == UINT32_MAX)
                continue;
            Affine *form = &to[m].dim[to[m].rank++];
            *form = (Affine){.offset = old->offset, .divisor = old->divisor};
            for (uint32_t e = 0; e < dims->count; e++)
                if (number[e] != UINT32_MAX)
                    form->coefficient[number[e]] = old->coefficient[e];
        }
    }
    for (uint32_t e = 0; e < dims->count; e++)
        if (number[e] != UINT32_MAX) extent[number[e]] = dims->ints[e];
    const Attr attrs[] = {attr_ints(ATTR_dims, extent, count), attr_map(ATTR_a, &to[0]),
                          attr_map(ATTR_b, &to[1]), attr_map(ATTR_out, &to[2])};
    const Val v = simplify_emit(s, OP_contract, node->arg, 2, attrs, 4);
    return to[2].rank == map[2].rank ? v : emit_reshape(s, v, &node->type);
}

Val shape_contract_transpose(Simplifier *s, const Node *node) {
    for (uint32_t i = 0; i < 2; i++) {
        const Node x = *operand(s, node, i);
        if (x.op != OP_transpose) continue;
        const AffineMap *old = node_attr(node, operand_maps[i])->map;
        AffineMap map = *old;
        for (uint32_t d = 0; d < map.rank; d++)
            map.dim[node_ints(&x, ATTR_axes)[d]] = old->dim[d];
        return contract_with(s, node, i, x.arg[0], &map);
    }
    return NO_VAL;
}

/* Whether the form is 0 wherever it is read. */
static bool form_is_zero(const Node *node, const Affine *form) {
    const Attr *dims = node_attr(node, ATTR_dims);
    for (uint32_t e = 0; e < dims->count; e++)
        if (form->coefficient[e] && dims->ints[e] != 1) return false;
    return form->offset == 0;
}

/* A reshape that only adds or drops dimensions of extent 1. */
Val shape_contract_units(Simplifier *s, const Node *node) {
    for (uint32_t i = 0; i < 2; i++) {
        const Node x = *operand(s, node, i);
        if (x.op != OP_reshape) continue;
        const Type from = *graph_type(s->b.func, x.arg[0]);
        const AffineMap *old = node_attr(node, operand_maps[i])->map;
        AffineMap map = {.axes = old->axes, .rank = from.rank};
        int64_t place[MAX_RANK];
        if (!units_only(&from, &x.type, place)) continue;
        bool zero = true;
        for (uint32_t d = 0; d < x.type.rank; d++)
            if (!has_axis(place, from.rank, d)) zero &= form_is_zero(node, &old->dim[d]);
        if (!zero) continue;
        for (uint32_t d = 0; d < from.rank; d++)
            map.dim[d] = place[d] < 0 ? (Affine){.divisor = 1} : old->dim[place[d]];
        return contract_with(s, node, i, x.arg[0], &map);
    }
    return NO_VAL;
}

/* Places outside an operand read zero anyway. */
Val shape_contract_pad(Simplifier *s, const Node *node) {
    for (uint32_t i = 0; i < 2; i++) {
        const Node x = *operand(s, node, i);
        if (x.op != OP_pad || node_attr(&x, ATTR_value)->reals[0] != 0) continue;
        AffineMap map = *node_attr(node, operand_maps[i])->map;
        for (uint32_t d = 0; d < map.rank; d++) {
            Affine *form = &map.dim[d];
            form->offset -= node_ints(&x, ATTR_low)[d] * form->divisor;
            form->divisor *= node_ints(&x, ATTR_inner)[d] + 1;
        }
        return contract_with(s, node, i, x.arg[0], &map);
    }
    return NO_VAL;
}
