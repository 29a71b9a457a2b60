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
        if (same_name(binary_info[i].name, op_info[op].name))
            return binary_info[i].quoted;
    return arena_print(e->arena, "`%s`", op_info[op].name);
}

/* Of numbers; whole ones stay whole, and rounding makes whole ones. */
static Value scalar_of_numbers(Op op, const Value *v, uint32_t args) {
    double second = args > 1 ? value_number(&v[1]) : 0;
    double r = scalar_value(op, ELEM_f64, value_number(&v[0]), second);
    bool whole = v[0].kind == VALUE_int && (args == 1 || v[1].kind == VALUE_int);
    bool keeps = op == OP_min || op == OP_max || op == OP_abs || op == OP_sign;
    bool rounds = op == OP_floor || op == OP_round;
    bool fits = fabs(r) <= (double)DIM_LIMIT;
    return fits && (rounds || (keeps && whole)) ? value_int((int64_t)r) : value_real(r);
}

Value elab_scalar(Elab *e, Op op, const Value *arg, uint32_t args, Span span) {
    Value v[2] = {arg[0], args > 1 ? arg[1] : value_none};
    if (all_static(v, args)) return scalar_of_numbers(op, v, args);
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
    double n = value_is_static_number(&b) ? value_number(&b) : NAN;
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
    if (numbers && op != BINARY_matmul)
        return binary_reals(op, value_number(&a), value_number(&b));
    bool any_none = a.kind == VALUE_none || b.kind == VALUE_none;
    if (equality && any_none) return value_bool((a.kind == b.kind) == (op == BINARY_eq));
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
        return elab_mismatch(e, "`@`", x, w, x->rank - 1, batch, span);
    for (uint32_t i = 0; i < batch; i++)
        if (x->dim[i] != w->dim[i]) return elab_mismatch(e, "`@`", x, w, i, i, span);
    Elem elem = elab_common_elem((Value[]){a, b}, 2);
    if (!elem_is_float(elem)) elem = ELEM_f32;
    a = elab_cast(e, a, elem, span);
    b = elab_cast(e, b, elem, span);
    return elab_tensor(e, emit_matmul(e, &a, &b, batch, span));
}
