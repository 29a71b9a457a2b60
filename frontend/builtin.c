/* The table of primitives, and the checks of arguments that they share. */
#include "frontend/builtin.h"
#include <inttypes.h>

/* ---- functions that tables give -------------------------------------------------------- */

#define SCALAR_1(name)                                                                   \
    static Value scalar_##name(Elab *e, const Value *arg, Span span) {                   \
        if (arg[0].kind == VALUE_unknown) return arg[0];                                 \
        return elab_scalar(e, OP_##name, arg, 1, span);                                  \
    }
#define SCALAR_2(name)
#define SCALAR(name, args, class, value, da, db) SCALAR_##args(name)
#include "ir/scalar.def"
#undef SCALAR
#undef SCALAR_1

static Value cast_to(Elab *e, const Value *arg, Elem elem, Span span) {
    if (arg[0].kind == VALUE_unknown) return arg[0];
    return elab_cast(e, arg[0], elem, span);
}
#define CAST(name)                                                                       \
    static Value cast_##name(Elab *e, const Value *arg, Span span) {                     \
        return cast_to(e, arg, ELEM_##name, span);                                       \
    }
CAST(bool)
CAST(u8)
CAST(i32)
CAST(f32)
CAST(f64)

static const Builtin builtins[] = {
#define BUILTIN(name, signature) {#name, signature, builtin_##name},
#include "frontend/builtin.def"
#undef BUILTIN
#define SCALAR_1(name)                           {#name, "x", scalar_##name},
#define SCALAR(name, args, class, value, da, db) SCALAR_##args(name)
#include "ir/scalar.def"
#undef SCALAR
    {"bool", "x", cast_bool}, {"u8", "x", cast_u8},   {"i32", "x", cast_i32},
    {"f32", "x", cast_f32},   {"f64", "x", cast_f64},
};
#define BUILTINS (sizeof builtins / sizeof *builtins)

const Builtin *builtin_find(const char *name) {
    for (size_t i = 0; i < BUILTINS; i++)
        if (same_name(builtins[i].name, name)) return &builtins[i];
    return NULL;
}

const Builtin *builtin_at(uint32_t i) {
    return i < BUILTINS ? &builtins[i] : NULL;
}

uint32_t builtin_arity(const Builtin *builtin) {
    uint32_t params = 1;
    for (const char *at = builtin->signature; *at; at++) params += *at == ',';
    return params;
}

const char *builtin_param(Arena *arena, const Builtin *builtin, uint32_t i,
                          bool *optional) {
    const char *at = builtin->signature;
    for (; i; i--) at = strchr(at, ',') + 2;
    size_t length = strcspn(at, ",?");
    *optional = at[length] == '?';
    return arena_string(arena, at, length);
}

/* ---- checks of arguments --------------------------------------------------------------- */

bool want_tensor(Elab *e, Value *v, const char *what, Span span) {
    *v = elab_to_tensor(e, *v, ELEM_f32, span);
    return v->kind == VALUE_tensor;
}

const Closure *want_function(Elab *e, const Value *v, const char *what, Span span) {
    if (v->kind == VALUE_function) return v->function;
    if (v->kind != VALUE_unknown)
        elab_error(e, span, "%s is to be a function, found %s", what, elab_words(e, v));
    return NULL;
}

int64_t int_or(const Value *v, int64_t otherwise) {
    return v->kind == VALUE_int ? v->integer : otherwise;
}

bool want_int(Elab *e, const Value *v, const char *what, int64_t low, Span span,
              int64_t *out) {
    if (v->kind == VALUE_unknown || (v->kind == VALUE_dim && e->checking)) return false;
    if (v->kind == VALUE_int && v->integer >= low && v->integer <= DIM_LIMIT) {
        *out = v->integer;
        return true;
    }
    const bool beyond = value_is_static_number(v) && value_number(v) > (double)DIM_LIMIT;
    elab_error(e, span, "%s is to be a whole number of %" PRId64 " or more%s, found %s",
               what, low, beyond ? " and at most 2^46" : "", elab_words(e, v));
    return false;
}

bool want_ints(Elab *e, const Value *v, const char *what, int64_t low, uint32_t count,
               Span span, int64_t *out, uint32_t *found) {
    if (v->kind == VALUE_unknown) return false;
    bool is_list = v->kind == VALUE_list;
    *found = is_list ? v->list.count : count ? count : 1;
    if (*found > MAX_RANK || (count && *found != count)) {
        elab_error(e, span, "%s is to be a number or a list of %u, found %s", what, count,
                   elab_words(e, v));
        return false;
    }
    for (uint32_t i = 0; i < *found; i++)
        if (!want_int(e, is_list ? &v->list.at[i] : v, what, low, span, &out[i]))
            return false;
    return true;
}

bool want_dims(Elab *e, const Value *v, Span span, Dim *dim, uint32_t *rank) {
    if (v->kind == VALUE_unknown) return false;
    bool is_list = v->kind == VALUE_list;
    *rank = is_list ? v->list.count : 1;
    if (*rank > MAX_RANK) {
        elab_error(e, span, "a shape of %u dimensions; %d is the most", *rank, MAX_RANK);
        return false;
    }
    for (uint32_t i = 0; i < *rank; i++)
        if (!elab_dim(e, is_list ? &v->list.at[i] : v, span, "a dimension", &dim[i]))
            return false;
    return true;
}

/* A dimension's name stands for the axis where its pattern had it; where the extent there is
 * another, for the only axis of its extent. */
static bool axis_by_name(Elab *e, const Value *v, const Type *type, Span span,
                         int64_t *axis) {
    Dim dim = v->kind == VALUE_dim ? v->dim : v->integer;
    int64_t at = v->place > 0 ? v->place - 1 : (int64_t)type->rank + v->place;
    if (at >= 0 && at < type->rank && type->dim[at] == dim) {
        *axis = at;
        return true;
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (type->dim[i] != dim) continue;
        *axis = i;
        found++;
    }
    if (found == 1) return true;
    elab_error(e, span, "%s axis of %s is %s", found ? "more than one" : "no",
               type_text(e, type), dim_text(e, dim));
    elab_hint(e, "give the axis by its number, counted from 0");
    return false;
}

bool want_axis(Elab *e, const Value *v, const Type *type, Span span, int64_t *axis) {
    if (v->kind == VALUE_unknown) return false;
    if (value_is_integer(v) && v->place) return axis_by_name(e, v, type, span, axis);
    if (v->kind == VALUE_int) {
        *axis = v->integer < 0 ? v->integer + type->rank : v->integer;
        if (*axis >= 0 && *axis < type->rank) return true;
        elab_error(e, span, "axis %" PRId64 " of %s, which has %u", v->integer,
                   type_text(e, type), type->rank);
        return false;
    }
    elab_error(e, span, "an axis is a number or the name of a dimension, found %s",
               elab_words(e, v));
    return false;
}

static bool add_axis(Elab *e, int64_t axis, Span span, bool *has) {
    if (has[axis]) {
        elab_error(e, span, "axis %" PRId64 " is given twice", axis);
        return false;
    }
    return has[axis] = true;
}

static bool mark_axes(Elab *e, const Value *v, const Type *type, Span span, bool *has) {
    int64_t axis;
    if (v->kind == VALUE_list) {
        for (uint32_t i = 0; i < v->list.count; i++)
            if (!mark_axes(e, &v->list.at[i], type, span, has)) return false;
        return true;
    }
    if (v->kind != VALUE_rest)
        return want_axis(e, v, type, span, &axis) && add_axis(e, axis, span, has);
    if (v->rest.first + v->rest.count + v->rest.after != (int)type->rank) {
        elab_error(e, span, "`...` stands for the axes of another tensor than %s",
                   type_text(e, type));
        return false;
    }
    for (int i = 0; i < v->rest.count; i++)
        if (!add_axis(e, v->rest.first + i, span, has)) return false;
    return true;
}

bool want_axes(Elab *e, const Value *v, const Type *type, Span span, int64_t *axes,
               uint32_t *count) {
    bool has[MAX_RANK] = {false};
    if (!mark_axes(e, v, type, span, has)) return false;
    *count = 0;
    for (uint32_t i = 0; i < type->rank; i++)
        if (has[i]) axes[(*count)++] = i;
    return true;
}
