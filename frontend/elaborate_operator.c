/* Operators.  Numbers are computed at once; a tensor takes the others along: element types
 * are promoted, shapes broadcast by numpy's rule, with explicit nodes for both. */
#include "frontend/elaborate.h"
#include "ir/scalar.h"
#include <inttypes.h>
#include <math.h>

/* ---- numbers and dimensions ----------------------------------------------------------- */

static Dim dim_of(Elab *e, const Value *v) {
    if (v->kind == VALUE_dim) return v->dim;
    if (v->integer > DIM_LIMIT || v->integer < -DIM_LIMIT) return DIM_OVERFLOW;
    return v->integer >= 0 ? v->integer : dim_sub(&e->module->dims, 0, -v->integer);
}

static double real_of(const Value *v) {
    return v->kind == VALUE_int ? (double)v->integer : v->real;
}

static Value overflow(Elab *e, Span span) {
    elab_error(e, span, "integer overflow: a number or dimension beyond 2^46");
    return value_unknown;
}

static Value from_dim(Elab *e, Dim dim, Span span) {
    return dim == DIM_OVERFLOW ? overflow(e, span) : value_from_dim(dim);
}

static Value not_decided(Elab *e, Span span) {
    if (!e->checking) {
        elab_error(e, span, "this depends on a dimension that is open until run time");
        elab_hint(e, "fix it with --bind, as --bind N=32");
    }
    return value_unknown;
}

static Value compare_dims(Elab *e, BinaryOp op, Dim a, Dim b, Span span) {
    Dims *dims = &e->module->dims;
    Dim less = dim_sub(dims, b, a), more = dim_sub(dims, a, b);
    bool same = a == b, below = dim_at_least(dims, less, 1),
         above = dim_at_least(dims, more, 1);
    bool at_most = same || dim_at_least(dims, less, 0);
    bool at_least = same || dim_at_least(dims, more, 0);
    switch ((int)op) {
    case BINARY_eq:
    case BINARY_ne:
        if (same || below || above) return value_bool(same == (op == BINARY_eq));
        break;
    case BINARY_lt:
        if (below || at_least) return value_bool(below);
        break;
    case BINARY_gt:
        if (above || at_most) return value_bool(above);
        break;
    case BINARY_le:
        if (at_most || above) return value_bool(at_most);
        break;
    default:
        if (at_least || below) return value_bool(at_least);
        break;
    }
    return not_decided(e, span);
}

static bool is_comparison(BinaryOp op) {
    return op >= BINARY_eq && op <= BINARY_ge;
}

static Value binary_dims(Elab *e, BinaryOp op, const Value *a, const Value *b,
                         Span span) {
    Dims *dims = &e->module->dims;
    Dim x = dim_of(e, a), y = dim_of(e, b), q;
    if (x == DIM_OVERFLOW || y == DIM_OVERFLOW) return overflow(e, span);
    if (is_comparison(op)) return compare_dims(e, op, x, y, span);
    switch ((int)op) {
    case BINARY_add: return from_dim(e, dim_add(dims, x, y), span);
    case BINARY_sub: return from_dim(e, dim_sub(dims, x, y), span);
    case BINARY_mul: return from_dim(e, dim_mul(dims, x, y), span);
    default: break;
    }
    if (y == 0) {
        elab_error(e, span, "division by zero");
        return value_unknown;
    }
    if (op == BINARY_floor_div) return from_dim(e, dim_floor_div(dims, x, y), span);
    if (op == BINARY_div && dim_divides(dims, x, y, &q)) return from_dim(e, q, span);
    if (op == BINARY_mod) {
        Dim floor = dim_mul(dims, dim_floor_div(dims, x, y), y);
        return from_dim(e, dim_sub(dims, x, floor), span);
    }
    Value wide = elab_to_tensor(e, *a, ELEM_f32, span);
    return elab_binary(e, op, wide, *b, span);
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static Value power_ints(int64_t a, int64_t b) {
    int64_t power = 1;
    for (int64_t i = 0; b >= 0 && i < b && i < 63; i++)
        if (__builtin_mul_overflow(power, a, &power))
            return value_real(pow((double)a, (double)b));
    return b < 0 || b > 62 ? value_real(pow((double)a, (double)b)) : value_int(power);
}

static Value binary_ints(Elab *e, BinaryOp op, int64_t a, int64_t b, Span span) {
    int64_t r = 0;
    bool divides = op == BINARY_div || op == BINARY_floor_div || op == BINARY_mod;
    if (divides && b == 0) {
        elab_error(e, span, "division by zero");
        return value_unknown;
    }
    switch ((int)op) {
    case BINARY_add:
        return __builtin_add_overflow(a, b, &r) ? overflow(e, span) : value_int(r);
    case BINARY_sub:
        return __builtin_sub_overflow(a, b, &r) ? overflow(e, span) : value_int(r);
    case BINARY_mul:
        return __builtin_mul_overflow(a, b, &r) ? overflow(e, span) : value_int(r);
    case BINARY_div:
        return b != -1 && a % b == 0 ? value_int(a / b)
                                     : value_real((double)a / (double)b);
    case BINARY_floor_div: return b == -1 ? value_int(-a) : value_int(floor_div(a, b));
    case BINARY_mod: return b == -1 ? value_int(0) : value_int(a - b * floor_div(a, b));
    case BINARY_pow: return power_ints(a, b);
    case BINARY_eq: return value_bool(a == b);
    case BINARY_ne: return value_bool(a != b);
    case BINARY_lt: return value_bool(a < b);
    case BINARY_le: return value_bool(a <= b);
    case BINARY_gt: return value_bool(a > b);
    default: return value_bool(a >= b);
    }
}

static Value binary_reals(BinaryOp op, double a, double b) {
    switch ((int)op) {
    case BINARY_add: return value_real(a + b);
    case BINARY_sub: return value_real(a - b);
    case BINARY_mul: return value_real(a * b);
    case BINARY_div: return value_real(a / b);
    case BINARY_floor_div: return value_real(floor(a / b));
    case BINARY_mod: return value_real(a - b * floor(a / b));
    case BINARY_pow: return value_real(pow(a, b));
    case BINARY_eq: return value_bool(a == b);
    case BINARY_ne: return value_bool(a != b);
    case BINARY_lt: return value_bool(a < b);
    case BINARY_le: return value_bool(a <= b);
    case BINARY_gt: return value_bool(a > b);
    default: return value_bool(a >= b);
    }
}

/* == and != of what is no number. */
static bool same_value(const Value *a, const Value *b) {
    if (a->kind != b->kind) return false;
    if (a->kind == VALUE_string) return !strcmp(a->text, b->text);
    if (a->kind == VALUE_bool) return a->truth == b->truth;
    if (a->kind == VALUE_int) return a->integer == b->integer;
    if (a->kind == VALUE_real) return a->real == b->real;
    if (a->kind == VALUE_dim) return a->dim == b->dim;
    if (a->kind == VALUE_function) return a->function == b->function;
    if (a->kind == VALUE_list && a->list.count == b->list.count) {
        for (uint32_t i = 0; i < a->list.count; i++)
            if (!same_value(&a->list.at[i], &b->list.at[i])) return false;
        return true;
    }
    return a->kind == VALUE_none;
}

bool elab_truth(Elab *e, const Value *v, Span span, bool *truth) {
    if (v->kind == VALUE_bool) {
        *truth = v->truth;
        return true;
    }
    if (v->kind == VALUE_unknown) return false;
    elab_error(e, span, "a condition is to be true or false, found %s", elab_words(e, v));
    if (v->kind == VALUE_tensor)
        elab_hint(e, "where(condition, a, b) chooses element by element");
    return false;
}

/* ---- tensors -------------------------------------------------------------------------- */

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
        values[i] = real_of(item);
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
static Elem common_elem(const Value *v, uint32_t count) {
    Elem elem = ELEM_bool;
    bool any_int = false, any_real = false;
    for (uint32_t i = 0; i < count; i++) {
        if (v[i].kind == VALUE_tensor && tensor_type(&v[i])->elem > elem)
            elem = tensor_type(&v[i])->elem;
        any_int |= v[i].kind == VALUE_int;
        any_real |= v[i].kind == VALUE_real;
    }
    if (any_real && !elem_is_float(elem)) return ELEM_f32;
    return any_int && elem == ELEM_bool ? ELEM_i32 : elem;
}

/* Where dimension i of an operand lies in a result: `shape` with its memory of ghosts. */
static bool place_dims(const Value *v, const Type *to, const Tensor *memory,
                       int64_t *axes) {
    const Type *type = tensor_type(v);
    const Tensor *own = &v->tensor;
    uint32_t shift = to->rank - type->rank;
    if (type->rank > to->rank) return false;
    bool whole = shift && own->ghost_rank && own->ghost_rank == to->rank;
    bool both =
        shift && own->ghost_rank && memory && own->ghost_rank == memory->ghost_rank;
    for (uint32_t i = 0; i < type->rank; i++) {
        axes[i] = (int64_t)(i + shift);
        if (whole) axes[i] = own->place[i];
        if (!both || whole) continue;
        uint32_t k = 0;
        while (k < to->rank && memory->place[k] != own->place[i]) k++;
        if (k == to->rank) return false;
        axes[i] = k;
    }
    return true;
}

static bool fits_at(const Type *type, const Type *to, const int64_t *axes,
                    uint32_t *bad) {
    for (uint32_t i = 0; i < type->rank; i++) {
        Dim a = type->dim[i], b = to->dim[axes[i]];
        *bad = i;
        if (a != b && a != 1) return false;
    }
    return true;
}

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

static Value expand_like(Elab *e, Value v, const Type *to, const Tensor *memory,
                         const char *what, Span span) {
    int64_t axes[MAX_RANK];
    uint32_t bad = 0;
    if (v.kind != VALUE_tensor || type_same_shape(tensor_type(&v), to)) return v;
    const Type *type = tensor_type(&v);
    if (!place_dims(&v, to, memory, axes) || !fits_at(type, to, axes, &bad)) {
        elab_error(e, span, "%s wants %s, found %s", what, type_text(e, to),
                   type_text(e, type));
        return value_unknown;
    }
    return elab_tensor(e, squeeze_and_broadcast(e, &v, to, axes, span));
}

Value elab_expand(Elab *e, Value v, const Type *to, const char *what, Span span) {
    return expand_like(e, v, to, NULL, what, span);
}

static Value mismatch(Elab *e, const char *what, const Type *a, const Type *b, uint32_t i,
                      uint32_t k, Span span) {
    elab_error(e, span,
               "%s of %s and %s: dimension %u is %s on the left, but %s on the right",
               what, type_text(e, a), type_text(e, b), i > k ? i : k,
               dim_text(e, a->dim[i]), dim_text(e, b->dim[k]));
    if (a->rank != b->rank && strcmp(what, "`@`"))
        elab_hint(e, "shapes of different rank are lined up at the last dimension");
    return value_unknown;
}

/* The common shape of two tensors, as a Value that only holds type and memory. */
typedef struct Shape {
    Type type;
    Tensor memory;
} Shape;

static bool join_shapes(Elab *e, Shape *into, const Value *v, const char *what,
                        Span span) {
    const Type *type = tensor_type(v);
    Shape *low = into, high = {*type, v->tensor};
    Shape swapped = *into;
    bool is_left = true; /* the lower rank is the left one */
    if (into->type.rank > type->rank) {
        swapped = high;
        high = *into;
        low = &swapped;
        is_left = false;
    }
    int64_t axes[MAX_RANK];
    const Type *a = &low->type;
    uint32_t shift = high.type.rank - a->rank;
    const Tensor *own = &low->memory;
    bool whole = shift && own->ghost_rank && own->ghost_rank == high.type.rank;
    bool both =
        shift && !whole && own->ghost_rank && own->ghost_rank == high.memory.ghost_rank;
    for (uint32_t i = 0; i < a->rank; i++) {
        axes[i] = whole ? own->place[i] : i + shift;
        for (uint32_t k = 0; both && k < high.type.rank; k++)
            if (high.memory.place[k] == own->place[i]) axes[i] = k;
    }
    Shape joined = high;
    if (!shift && !high.memory.ghost_rank)
        joined.memory = own->ghost_rank ? *own : high.memory;
    for (uint32_t i = 0; i < a->rank; i++) {
        Dim *to = &joined.type.dim[axes[i]];
        if (a->dim[i] == *to || a->dim[i] == 1) continue;
        if (*to == 1) {
            *to = a->dim[i];
            continue;
        }
        uint32_t k = (uint32_t)axes[i];
        if (is_left)
            mismatch(e, what, a, &high.type, i, k, span);
        else
            mismatch(e, what, &high.type, a, k, i, span);
        return false;
    }
    *into = joined;
    return true;
}

/* Makes all operands tensors of one shape, those from `first` on of one element type. */
bool elab_align_from(Elab *e, Value *v, uint32_t count, uint32_t first, const char *what,
                     Span span) {
    Shape shape = {0};
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if (v[i].kind == VALUE_unknown) return false;
        if (!value_is_static_number(&v[i]))
            v[i] = elab_to_tensor(e, v[i], ELEM_f32, span);
        if (v[i].kind == VALUE_unknown) return false;
        if (v[i].kind != VALUE_tensor) continue;
        if (!any)
            shape = (Shape){*tensor_type(&v[i]), v[i].tensor};
        else if (!join_shapes(e, &shape, &v[i], what, span))
            return false;
        any = true;
    }
    Elem elem = common_elem(v + first, count - first);
    shape.type.elem = elem;
    Builder b = elab_builder(e, span);
    for (uint32_t i = 0; i < count; i++) {
        if (v[i].kind != VALUE_tensor)
            v[i] = elab_tensor(e, build_fill(&b, &shape.type, real_of(&v[i])));
        if (i >= first) v[i] = elab_cast(e, v[i], elem, span);
        v[i] = expand_like(e, v[i], &shape.type, &shape.memory, what, span);
        if (v[i].kind != VALUE_tensor) return false;
        v[i].tensor.ghost_rank = shape.memory.ghost_rank;
        memcpy(v[i].tensor.place, shape.memory.place, sizeof shape.memory.place);
    }
    return true;
}

bool elab_align(Elab *e, Value *v, uint32_t count, const char *what, Span span) {
    return elab_align_from(e, v, count, 0, what, span);
}

typedef enum Wants { WANTS_ANY, WANTS_FLOAT, WANTS_NUMBER, WANTS_BOOL } Wants;

static Wants op_wants(Op op) {
#define WANTS_F WANTS_FLOAT
#define WANTS_N WANTS_NUMBER
#define WANTS_C WANTS_ANY
#define WANTS_B WANTS_BOOL
    switch ((int)op) {
#define SCALAR(name, args, class, value, da, db)                                         \
    case OP_##name:                                                                      \
        return WANTS_##class;
#include "ir/scalar.def"
#undef SCALAR
    default: return WANTS_ANY;
    }
}

/* Casts what an op does not take: integers for exp, bool and u8 for arithmetic. */
static bool widen(Elab *e, Op op, Value *v, uint32_t count, Span span) {
    Wants wants = op_wants(op);
    Elem elem = tensor_type(&v[0])->elem;
    if (wants == WANTS_FLOAT && !elem_is_float(elem)) elem = ELEM_f32;
    if (wants == WANTS_NUMBER && (elem == ELEM_bool || elem == ELEM_u8)) elem = ELEM_i32;
    if (op == OP_div && !elem_is_float(elem)) elem = ELEM_f32;
    if (wants == WANTS_BOOL && elem != ELEM_bool) {
        elab_error(e, span, "`%s` wants bool, found %s", op_info[op].name,
                   elab_words(e, &v[0]));
        return false;
    }
    for (uint32_t i = 0; i < count; i++) v[i] = elab_cast(e, v[i], elem, span);
    return true;
}

static bool all_static(const Value *v, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!value_is_static_number(&v[i])) return false;
    return true;
}

/* As the program has it: `+`, `max`. */
static const char *op_spelling(Elab *e, Op op) {
    for (int i = 0; i < BINARY_COUNT; i++)
        if (!strcmp(binary_info[i].name, op_info[op].name))
            return arena_print(e->arena, "`%s`", binary_info[i].spelling);
    return arena_print(e->arena, "`%s`", op_info[op].name);
}

Value elab_scalar(Elab *e, Op op, const Value *arg, uint32_t args, Span span) {
    Value v[2] = {arg[0], args > 1 ? arg[1] : value_none};
    if (all_static(v, args))
        return value_real(
            scalar_value(op, ELEM_f64, real_of(&v[0]), args > 1 ? real_of(&v[1]) : 0));
    if (!elab_align(e, v, args, op_spelling(e, op), span) || !widen(e, op, v, args, span))
        return value_unknown;
    Val val[2];
    for (uint32_t i = 0; i < args; i++) val[i] = frame_use(e, &v[i].tensor);
    Value result = elab_tensor(e, elab_emit(e, op, val, args, NULL, 0, span));
    result.tensor.ghost_rank = v[0].tensor.ghost_rank;
    memcpy(result.tensor.place, v[0].tensor.place, sizeof v[0].tensor.place);
    return result;
}

/* ---- powers, signs, operators ---------------------------------------------------------- */

static Value power(Elab *e, Value a, Value b, Span span) {
    double n = value_is_static_number(&b) ? real_of(&b) : NAN;
    if (n == 1) return a;
    if (n == 0.5) return elab_scalar(e, OP_sqrt, &a, 1, span);
    if (n == -0.5) return elab_scalar(e, OP_rsqrt, &a, 1, span);
    if (n == -1) return elab_binary(e, BINARY_div, value_int(1), a, span);
    if (n != 2 && n != 3 && n != 4)
        return elab_scalar(e, OP_pow, (Value[]){a, b}, 2, span);
    Value square = elab_scalar(e, OP_mul, (Value[]){a, a}, 2, span);
    if (n == 2) return square;
    return elab_scalar(e, OP_mul, (Value[]){square, n == 3 ? a : square}, 2, span);
}

static Value binary_tensors(Elab *e, BinaryOp op, Value a, Value b, Span span) {
    static const Op ops[BINARY_COUNT] = {
        [BINARY_eq] = OP_eq,   [BINARY_ne] = OP_ne,   [BINARY_lt] = OP_lt,
        [BINARY_le] = OP_le,   [BINARY_gt] = OP_gt,   [BINARY_ge] = OP_ge,
        [BINARY_add] = OP_add, [BINARY_sub] = OP_sub, [BINARY_mul] = OP_mul,
        [BINARY_div] = OP_div, [BINARY_mod] = OP_mod,
    };
    if (op == BINARY_matmul) return elab_matmul(e, a, b, span);
    if (op == BINARY_pow) return power(e, a, b, span);
    if (op == BINARY_floor_div) {
        Value rest = elab_binary(e, BINARY_mod, a, b, span);
        Value whole = elab_binary(e, BINARY_sub, a, rest, span);
        Value q = elab_binary(e, BINARY_div, whole, b, span);
        if (q.kind != VALUE_tensor) return q;
        return whole.kind == VALUE_tensor
                   ? elab_cast(e, q, tensor_type(&whole)->elem, span)
                   : q;
    }
    return elab_scalar(e, ops[op], (Value[]){a, b}, 2, span);
}

static bool is_tensorish(const Value *v) {
    return v->kind == VALUE_tensor || v->kind == VALUE_list;
}

Value elab_binary(Elab *e, BinaryOp op, Value a, Value b, Span span) {
    if (a.kind == VALUE_unknown || b.kind == VALUE_unknown) return value_unknown;
    bool equality = op == BINARY_eq || op == BINARY_ne;
    bool numbers = value_is_static_number(&a) && value_is_static_number(&b);
    if (a.kind == VALUE_int && b.kind == VALUE_int && op != BINARY_matmul)
        return binary_ints(e, op, a.integer, b.integer, span);
    if (value_is_integer(&a) && value_is_integer(&b) && op != BINARY_matmul)
        return binary_dims(e, op, &a, &b, span);
    if (numbers && op != BINARY_matmul) return binary_reals(op, real_of(&a), real_of(&b));
    if (a.kind == VALUE_tensor || b.kind == VALUE_tensor)
        return binary_tensors(e, op, a, b, span);
    if (equality && !(value_is_static_number(&a) && b.kind == VALUE_dim) &&
        !(value_is_static_number(&b) && a.kind == VALUE_dim))
        return value_bool(same_value(&a, &b) == (op == BINARY_eq));
    bool a_ok = is_tensorish(&a) || value_is_static_number(&a) || a.kind == VALUE_dim;
    bool b_ok = is_tensorish(&b) || value_is_static_number(&b) || b.kind == VALUE_dim;
    if (a_ok && b_ok) return binary_tensors(e, op, a, b, span);
    elab_error(e, span, "`%s` wants numbers or tensors, found %s and %s",
               binary_info[op].spelling, elab_words(e, &a), elab_words(e, &b));
    const Value *wrong = a_ok ? &b : &a;
    if (wrong->kind == VALUE_function && closure_first_missing(e, wrong->function))
        elab_hint(e, "the function still awaits `%s`",
                  closure_first_missing(e, wrong->function));
    if (wrong->kind == VALUE_record && wrong->record.count)
        elab_hint(e, "take one field of the record, as .%s", wrong->record.at[0].name);
    return value_unknown;
}

Value elab_negate(Elab *e, Value a, Span span) {
    if (a.kind == VALUE_int) return value_int(-a.integer);
    if (a.kind == VALUE_real) return value_real(-a.real);
    if (a.kind == VALUE_dim) return elab_binary(e, BINARY_sub, value_int(0), a, span);
    if (a.kind == VALUE_unknown) return a;
    return elab_scalar(e, OP_neg, &a, 1, span);
}

/* ---- matmul --------------------------------------------------------------------------- */

/*
 * x[..., I] @ w[I, ...]: all dimensions of x but the last are rows, all of w but the first
 * are columns; where both have rank 3 or more the leading rank - 2 dimensions are shared.
 */
static Val emit_matmul(Elab *e, const Value *a, const Value *b, uint32_t batch,
                       Span span) {
    const Type *x = tensor_type(a), *w = tensor_type(b);
    AffineMap xm = {.rank = x->rank}, wm = {.rank = w->rank}, om = {0};
    Dim dims[MAX_AXES];
    uint32_t axes = 0;
    for (uint32_t i = 0; i < MAX_RANK; i++) xm.dim[i].divisor = wm.dim[i].divisor = 1;
    for (uint32_t i = 0; i + 1 < x->rank; i++) {
        dims[axes] = x->dim[i];
        xm.dim[i].coefficient[axes] = 1;
        if (i < batch) wm.dim[i].coefficient[axes] = 1;
        axes++;
    }
    for (uint32_t i = batch + 1; i < w->rank; i++) {
        dims[axes] = w->dim[i];
        wm.dim[i].coefficient[axes++] = 1;
    }
    om.rank = axes;
    for (uint32_t i = 0; i < axes; i++) {
        om.dim[i].coefficient[i] = 1;
        om.dim[i].divisor = 1;
    }
    dims[axes] = x->dim[x->rank - 1];
    xm.dim[x->rank - 1].coefficient[axes] = 1;
    wm.dim[batch].coefficient[axes++] = 1;
    xm.axes = wm.axes = om.axes = axes;
    Attr attr[] = {attr_ints(ATTR_dims, dims, axes), attr_map(ATTR_a, &xm),
                   attr_map(ATTR_b, &wm), attr_map(ATTR_out, &om)};
    Val arg[] = {frame_use(e, &a->tensor), frame_use(e, &b->tensor)};
    return elab_emit(e, OP_contract, arg, 2, attr, 4, span);
}

Value elab_matmul(Elab *e, Value a, Value b, Span span) {
    a = elab_to_tensor(e, a, ELEM_f32, span);
    b = elab_to_tensor(e, b, ELEM_f32, span);
    if (a.kind != VALUE_tensor || b.kind != VALUE_tensor) return value_unknown;
    const Type *x = tensor_type(&a), *w = tensor_type(&b);
    uint32_t batch = x->rank > 2 && w->rank > 2 ? w->rank - 2 : 0;
    bool ranks = x->rank && w->rank && x->rank >= batch + 2 - !batch &&
                 x->rank + w->rank - 2 - batch <= MAX_RANK;
    if (!ranks) {
        elab_error(e, span, "`@` of %s and %s: the ranks do not fit", type_text(e, x),
                   type_text(e, w));
        return value_unknown;
    }
    if (x->dim[x->rank - 1] != w->dim[batch])
        return mismatch(e, "`@`", x, w, x->rank - 1, batch, span);
    for (uint32_t i = 0; i < batch; i++)
        if (x->dim[i] != w->dim[i]) return mismatch(e, "`@`", x, w, i, i, span);
    Elem elem = common_elem((Value[]){a, b}, 2);
    if (!elem_is_float(elem)) elem = ELEM_f32;
    a = elab_cast(e, a, elem, span);
    b = elab_cast(e, b, elem, span);
    return elab_tensor(e, emit_matmul(e, &a, &b, batch, span));
}
