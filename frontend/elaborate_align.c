/* Operands made alike: numbers become tensors, element types meet, shapes are broadcast by
 * numpy's rule, and where a reduction remembers its axes, by these. */
#include "frontend/elaborate.h"

/* A dimension's value while the program runs: as many ones as its symbol says, added. */
static Value dim_tensor(Elab *e, Dim dim, Span span) {
    Builder b = elab_builder(e, span);
    Dims *dims = &e->module->dims;
    uint32_t number;
    int64_t scale, offset;
    if (e->checking) return elab_tensor(e, build_const(&b, ELEM_f32, 1));
    if (!dim_linear(dims, dim, &number, &scale, &offset)) {
        elab_error(e, span, "%s as a number: only multiples of one open dimension can be",
                   dim_text(e, dim));
        return value_unknown;
    }
    const Symbol *symbol = &dims->symbols.at[number];
    Dim extent = dim_symbol(dims, symbol->name, symbol->max);
    Type ones = type_tensor(ELEM_f32, 1, &extent);
    Val sum = build_reduce(&b, OP_sum, build_fill(&b, &ones, 1), (int64_t[]){0}, 1);
    sum = build_mul(&b, sum, build_const(&b, ELEM_f32, (double)scale));
    return elab_tensor(e, build_add(&b, sum, build_const(&b, ELEM_f32, (double)offset)));
}

static Value list_tensor(Elab *e, const Value *v, Span span) {
    double *values = arena_array(e->arena, double, v->list.count + 1);
    for (uint32_t i = 0; i < v->list.count; i++) {
        const Value *item = &v->list.at[i];
        if (item->kind == VALUE_unknown) return value_unknown;
        if (!value_is_static_number(item)) {
            elab_error(e, span, "a list of numbers is wanted here, found %s in it",
                       elab_words(e, item));
            return value_unknown;
        }
        values[i] = value_number(item);
    }
    Dim dim = v->list.count;
    Attr attr[] = {attr_int(ATTR_elem, ELEM_f32), attr_ints(ATTR_dims, &dim, 1),
                   attr_reals(ATTR_values, values, v->list.count)};
    if (dim == 0) {
        elab_error(e, span, "an empty list is no tensor");
        return value_unknown;
    }
    return elab_tensor(e, elab_emit(e, OP_const, NULL, 0, attr, 3, span));
}

Value elab_to_tensor(Elab *e, Value v, Elem elem, Span span) {
    Builder b = elab_builder(e, span);
    switch ((int)v.kind) {
    case VALUE_tensor:
    case VALUE_unknown: return v;
    case VALUE_int: return elab_tensor(e, build_const(&b, elem, (double)v.integer));
    case VALUE_real:
        return elab_tensor(
            e, build_const(&b, elem_is_float(elem) ? elem : ELEM_f32, v.real));
    case VALUE_bool: return elab_tensor(e, build_const(&b, ELEM_bool, v.truth));
    case VALUE_dim: return dim_tensor(e, v.dim, span);
    case VALUE_list: return list_tensor(e, &v, span);
    default: break;
    }
    elab_error(e, span, "a tensor or a number is wanted here, found %s",
               elab_words(e, &v));
    if (v.kind == VALUE_function && closure_first_missing(e, v.function))
        elab_hint(e, "it still awaits `%s`", closure_first_missing(e, v.function));
    if (v.kind == VALUE_record && v.record.count)
        elab_hint(e, "take one of its fields, as .%s", v.record.at[0].name);
    return value_unknown;
}

Value elab_cast(Elab *e, Value v, Elem elem, Span span) {
    v = elab_to_tensor(e, v, elem, span);
    if (v.kind != VALUE_tensor) return v;
    Builder b = elab_builder(e, span);
    Value cast = elab_tensor(e, build_cast(&b, frame_use(e, &v.tensor), elem));
    cast.tensor.ghost_rank = v.tensor.ghost_rank;
    memcpy(cast.tensor.place, v.tensor.place, sizeof v.tensor.place);
    return cast;
}

/* The element type that operands meet in. */
Elem elab_common_elem(const Value *v, uint32_t count) {
    Elem elem = ELEM_bool;
    bool any_int = false, any_real = false;
    for (uint32_t i = 0; i < count; i++) {
        if (v[i].kind == VALUE_tensor && tensor_type(&v[i])->elem > elem)
            elem = tensor_type(&v[i])->elem;
        any_int |= value_is_integer(&v[i]);
        any_real |= v[i].kind == VALUE_real;
    }
    if (any_real && !elem_is_float(elem)) return ELEM_f32;
    return any_int && elem == ELEM_bool ? ELEM_i32 : elem;
}

/* A shape with what it remembers of the axes it lost. */
typedef struct Shape {
    Type type;
    Tensor memory;
} Shape;

static bool axis_in_memory(const Shape *in, uint8_t place, int64_t *axis) {
    for (uint32_t k = 0; k < in->type.rank; k++) {
        if (in->memory.place[k] != place) continue;
        *axis = k;
        return true;
    }
    return false;
}

/*
 * Where the dimensions of `low` lie in `high`, of at least its rank: by the axes that low
 * remembers where it came from a tensor of high's rank, or both from tensors of one rank;
 * else at the end.
 */
static bool place_dims(const Shape *low, const Shape *high, int64_t *axes) {
    uint32_t ghosts = low->memory.ghost_rank;
    if (low->type.rank > high->type.rank) return false;
    uint32_t shift = high->type.rank - low->type.rank;
    bool from_high = shift && ghosts && ghosts == high->type.rank;
    bool from_same = shift && ghosts && !from_high && ghosts == high->memory.ghost_rank;
    for (uint32_t i = 0; i < low->type.rank; i++) {
        axes[i] = from_high ? low->memory.place[i] : (int64_t)(i + shift);
        if (from_same && !axis_in_memory(high, low->memory.place[i], &axes[i]))
            return false;
    }
    return true;
}

static bool fits_at(const Type *type, const Type *to, const int64_t *axes) {
    for (uint32_t i = 0; i < type->rank; i++)
        if (type->dim[i] != to->dim[axes[i]] && type->dim[i] != 1) return false;
    return true;
}

/* Dimensions of 1 that extend go by a reshape: broadcast repeats only what is not there. */
static Val squeeze_and_broadcast(Elab *e, const Value *v, const Type *to, int64_t *axes,
                                 Span span) {
    const Type *type = tensor_type(v);
    Builder b = elab_builder(e, span);
    Val val = frame_use(e, &v->tensor);
    Type target = *to, kept = type_scalar(type->elem);
    int64_t kept_axes[MAX_RANK];
    target.elem = type->elem;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (type->dim[i] == 1 && to->dim[axes[i]] != 1) continue;
        kept_axes[kept.rank] = axes[i];
        kept.dim[kept.rank++] = type->dim[i];
    }
    if (kept.rank < type->rank) val = build_reshape(&b, val, kept.rank, kept.dim);
    return build_broadcast(&b, val, &target, kept_axes);
}

static Value expand_like(Elab *e, Value v, const Shape *to, const char *what, Span span) {
    int64_t axes[MAX_RANK] = {0};
    if (v.kind != VALUE_tensor || type_same_shape(tensor_type(&v), &to->type)) return v;
    Shape from = {*tensor_type(&v), v.tensor};
    if (place_dims(&from, to, axes) && fits_at(&from.type, &to->type, axes)) {
        if (!elab_within_memory(e, &to->type, span)) return value_unknown;
        return elab_tensor(e, squeeze_and_broadcast(e, &v, &to->type, axes, span));
    }
    elab_error(e, span, "%s wants %s, found %s", what, type_text(e, &to->type),
               type_text(e, &from.type));
    return value_unknown;
}

Value elab_expand(Elab *e, Value v, const Type *to, const char *what, Span span) {
    Shape shape = {*to, {0}};
    return expand_like(e, v, &shape, what, span);
}

Value elab_mismatch(Elab *e, const char *what, const Type *a, const Type *b, uint32_t i,
                    uint32_t k, Span span) {
    elab_error(e, span,
               "%s of %s and %s: dimension %u is %s on the left, but %s on the right",
               what, type_text(e, a), type_text(e, b), i > k ? i : k,
               dim_text(e, a->dim[i]), dim_text(e, b->dim[k]));
    if (a->rank != b->rank && strcmp(what, "`@`"))
        elab_hint(e, "shapes of different rank are lined up at the last dimension");
    return value_unknown;
}

/* `into` becomes the shape that it and v extend to. */
static bool join_shapes(Elab *e, Shape *into, const Value *v, const char *what,
                        Span span) {
    Shape low = *into, high = {*tensor_type(v), v->tensor};
    bool swapped = low.type.rank > high.type.rank;
    if (swapped) {
        low = high;
        high = *into;
    }
    int64_t axes[MAX_RANK] = {0};
    if (!place_dims(&low, &high, axes)) {
        elab_error(e, span, "%s of %s and %s: they come from different axes", what,
                   type_text(e, &into->type), type_text(e, tensor_type(v)));
        return false;
    }
    *into = high;
    if (low.type.rank == high.type.rank && !high.memory.ghost_rank)
        into->memory = low.memory;
    for (uint32_t i = 0; i < low.type.rank; i++) {
        Dim mine = low.type.dim[i], *joined = &into->type.dim[axes[i]];
        uint32_t k = (uint32_t)axes[i];
        if (*joined == 1) *joined = mine;
        if (mine == *joined || mine == 1) continue;
        if (swapped)
            elab_mismatch(e, what, &high.type, &low.type, k, i, span);
        else
            elab_mismatch(e, what, &low.type, &high.type, i, k, span);
        return false;
    }
    return true;
}

/* The shape that the tensors among the operands extend to: a scalar where there is none. */
static bool common_shape(Elab *e, Value *v, uint32_t count, const char *what, Span span,
                         Shape *shape) {
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if (value_is_static_number(&v[i]) || v[i].kind == VALUE_dim) continue;
        v[i] = elab_to_tensor(e, v[i], ELEM_f32, span);
        if (v[i].kind == VALUE_unknown) return false;
        if (any && !join_shapes(e, shape, &v[i], what, span)) return false;
        if (!any) *shape = (Shape){*tensor_type(&v[i]), v[i].tensor};
        any = true;
    }
    return true;
}

/* Makes all operands tensors of one shape, those from `first` on of one element type. */
bool elab_align_from(Elab *e, Value *v, uint32_t count, uint32_t first, const char *what,
                     Span span) {
    Shape shape = {0};
    for (uint32_t i = 0; i < count; i++)
        if (v[i].kind == VALUE_unknown) return false;
    if (!common_shape(e, v, count, what, span, &shape)) return false;
    Elem elem = elab_common_elem(v + first, count - first);
    shape.type.elem = elem;
    if (!elab_within_memory(e, &shape.type, span)) return false;
    Builder b = elab_builder(e, span);
    for (uint32_t i = 0; i < count; i++) {
        if (value_is_static_number(&v[i]))
            v[i] = elab_tensor(e, build_fill(&b, &shape.type, value_number(&v[i])));
        if (i >= first) v[i] = elab_cast(e, v[i], elem, span);
        v[i] = expand_like(e, v[i], &shape, what, span);
        if (v[i].kind != VALUE_tensor) return false;
        v[i].tensor.ghost_rank = shape.memory.ghost_rank;
        memcpy(v[i].tensor.place, shape.memory.place, sizeof shape.memory.place);
    }
    return true;
}

bool elab_align(Elab *e, Value *v, uint32_t count, const char *what, Span span) {
    return elab_align_from(e, v, count, 0, what, span);
}
