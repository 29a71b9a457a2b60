/* Type rules of reductions and contractions. */
#include "ir/type_rules.h"
#include <inttypes.h>

bool type_reduce(const Func *func, const Node *node, Type *out) {
    const Type *x = arg_type(func, node, 0);
    const Attr *axes = need_axes(func, node, x->rank);
    if (!axes) return false;
    if (!axes->count) return refuse(func, node, "no axes");
    if (x->elem == ELEM_bool)
        return refuse(func, node, "operand %s, a number expected", type_words(func, x));
    *out = (Type){.elem = x->elem};
    for (uint32_t i = 0, k = 0; i < x->rank; i++) {
        if (k < axes->count && axes->ints[k] == i)
            k++;
        else
            out->dim[out->rank++] = x->dim[i];
    }
    return true;
}

bool type_argmax(const Func *func, const Node *node, Type *out) {
    bool ok = type_reduce(func, node, out);
    out->elem = ELEM_i32;
    return ok;
}

/* Coefficients, offsets, divisors and axes this small keep every position in 63 bits. */
#define FORM_LIMIT ((int64_t)1 << 24)
#define AXIS_LIMIT ((int64_t)1 << 32)

static bool small(int64_t i) {
    return i <= FORM_LIMIT && i >= -FORM_LIMIT;
}

static const AffineMap *need_map(const Func *func, const Node *node, AttrKey key,
                                 uint32_t axes) {
    const Attr *attr = need_attr(func, node, key, ANY);
    const char *name = attr_info[key].name;
    if (!attr) return NULL;
    const AffineMap *map = attr->map;
    if (map->axes != axes || map->rank > MAX_RANK) {
        refuse(func, node, "map `%s` is over %u axes, `dims` has %u", name, map->axes,
               axes);
        return NULL;
    }
    for (uint32_t i = 0; i < map->rank; i++) {
        const Affine *form = &map->dim[i];
        bool ok = small(form->offset) && form->divisor >= 1 && small(form->divisor);
        for (uint32_t j = 0; j < MAX_AXES; j++)
            if (!small(form->coefficient[j]) || (j >= axes && form->coefficient[j]))
                ok = false;
        if (ok) continue;
        refuse(func, node, "form %u of map `%s` is out of range", i, name);
        return NULL;
    }
    return map;
}

static bool operand_map(const Func *func, const Node *node, uint32_t arg, AttrKey key,
                        uint32_t axes) {
    const AffineMap *map = need_map(func, node, key, axes);
    const Type *x = arg_type(func, node, arg);
    if (!map) return false;
    if (map->rank == x->rank) return true;
    return refuse(func, node, "map `%s` has rank %u, its operand %s has %u",
                  attr_info[key].name, map->rank, type_words(func, x), x->rank);
}

/* Floats of one type, or u8 with a float. */
static bool product_elem(const Func *func, const Node *node, Elem *elem) {
    const Type *a = arg_type(func, node, 0), *b = arg_type(func, node, 1);
    *elem = a->elem == ELEM_u8 ? b->elem : a->elem;
    bool a_fits = a->elem == *elem || a->elem == ELEM_u8;
    bool b_fits = b->elem == *elem || b->elem == ELEM_u8;
    if (elem_is_float(*elem) && a_fits && b_fits) return true;
    return refuse(func, node,
                  "operands %s and %s: two floats of one type expected, or u8 "
                  "and a float",
                  type_words(func, a), type_words(func, b));
}

bool type_contract(const Func *func, const Node *node, Type *out) {
    const Attr *dims = need_attr(func, node, ATTR_dims, ANY);
    Elem elem;
    if (!dims || !product_elem(func, node, &elem)) return false;
    if (dims->count > MAX_AXES)
        return refuse(func, node, "%u axes, at most %d are allowed", dims->count,
                      MAX_AXES);
    for (uint32_t i = 0; i < dims->count; i++)
        if (!dim_at_least(func_dims(func), dims->ints[i], 1) ||
            dims->ints[i] > AXIS_LIMIT)
            return refuse(func, node, "axis d%u has the extent %s", i,
                          dim_words(func, dims->ints[i]));
    const AffineMap *map = need_map(func, node, ATTR_out, dims->count);
    if (!map || !operand_map(func, node, 0, ATTR_a, dims->count) ||
        !operand_map(func, node, 1, ATTR_b, dims->count))
        return false;
    *out = (Type){.elem = elem, .rank = map->rank};
    for (uint32_t i = 0, seen = 0; i < map->rank; i++) {
        uint32_t axis;
        if (!affine_is_axis(&map->dim[i], &axis) || seen >> axis & 1)
            return refuse(func, node, "form %u of `out` is not an axis of its own", i);
        seen |= 1u << axis;
        out->dim[i] = dims->ints[axis];
    }
    return true;
}
