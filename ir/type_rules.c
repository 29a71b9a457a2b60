/* Type rules of sources, elementwise ops and control; and what all rules share. */
#include "ir/scalar.h"
#include "ir/type_rules.h"
#include <inttypes.h>
#include <stdio.h>

bool refuse(const Func *func, const Node *node, const char *format, ...) {
    char words[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    diag_error(func->module->diag, node->span, "%s: %s", op_info[node->op].name, words);
    return false;
}

const char *type_words(const Func *func, const Type *type) {
    Text text;
    text_init(&text, func->module->arena);
    type_print(func_dims(func), type, &text);
    return text.at;
}

const char *dim_words(const Func *func, Dim dim) {
    Text text;
    text_init(&text, func->module->arena);
    dim_print(func_dims(func), dim, &text);
    return text.at;
}

const Attr *need_attr(const Func *func, const Node *node, AttrKey key, uint32_t count) {
    const Attr *attr = node_attr(node, key);
    if (!attr)
        refuse(func, node, "the attribute `%s` is missing", attr_info[key].name);
    else if (count != ANY && attr->count != count)
        refuse(func, node, "`%s` has %u entries, %u expected", attr_info[key].name,
               attr->count, count);
    else
        return attr;
    return NULL;
}

bool need_int(const Func *func, const Node *node, AttrKey key, int64_t low, int64_t high,
              int64_t *value) {
    const Attr *attr = need_attr(func, node, key, ANY);
    if (!attr) return false;
    *value = attr->i;
    if (*value >= low && *value <= high) return true;
    return refuse(func, node, "`%s` is %" PRId64 ", outside [%" PRId64 ", %" PRId64 "]",
                  attr_info[key].name, *value, low, high);
}

const Attr *need_axes(const Func *func, const Node *node, uint32_t rank) {
    const Attr *axes = need_attr(func, node, ATTR_axes, ANY);
    if (!axes) return NULL;
    for (uint32_t i = 0; i < axes->count; i++) {
        if (axes->ints[i] < 0 || axes->ints[i] >= rank) {
            refuse(func, node, "there is no axis %" PRId64 " among %u", axes->ints[i],
                   rank);
            return NULL;
        }
        if (i && axes->ints[i] <= axes->ints[i - 1]) {
            refuse(func, node, "`axes` must increase");
            return NULL;
        }
    }
    return axes;
}

bool need_index(const Func *func, const Node *node, uint32_t arg) {
    const Type *type = arg_type(func, node, arg);
    if (type->elem == ELEM_i32 && !type->rank) return true;
    return refuse(func, node, "operand %u is %s, i32[] expected", arg,
                  type_words(func, type));
}

/* Parameters are typed by the function; nobody emits them. */
bool type_given(const Func *func, const Node *node, Type *out) {
    return refuse(func, node, "a parameter belongs to the function's head");
}

/* elem and dims of a source. */
static bool source_type(const Func *func, const Node *node, Type *out) {
    const Attr *elem = need_attr(func, node, ATTR_elem, ANY);
    const Attr *dims = elem ? need_attr(func, node, ATTR_dims, ANY) : NULL;
    if (!dims) return false;
    if (dims->count > MAX_RANK)
        return refuse(func, node, "rank %u, at most %d is allowed", dims->count,
                      MAX_RANK);
    *out = type_tensor((Elem)elem->i, dims->count, dims->ints);
    return true;
}

bool type_const(const Func *func, const Node *node, Type *out) {
    const Attr *values = need_attr(func, node, ATTR_values, ANY);
    if (!values || !source_type(func, node, out)) return false;
    Dim count = type_count(func_dims(func), out);
    if (values->count == 1 || (Dim)values->count == count) return true;
    return refuse(func, node, "%u values for %s, 1 or %s expected", values->count,
                  type_words(func, out), dim_words(func, count));
}

bool type_iota(const Func *func, const Node *node, Type *out) {
    int64_t axis;
    if (!source_type(func, node, out)) return false;
    if (!out->rank) return refuse(func, node, "a scalar has no axis");
    if (out->elem == ELEM_bool) return refuse(func, node, "bool cannot count");
    return need_int(func, node, ATTR_axis, 0, (int64_t)out->rank - 1, &axis);
}

bool type_random(const Func *func, const Node *node, Type *out) {
    int64_t site;
    const Attr *dims = need_attr(func, node, ATTR_dims, ANY);
    if (!dims || !need_int(func, node, ATTR_site, 0, INT32_MAX, &site)) return false;
    if (dims->count > MAX_RANK)
        return refuse(func, node, "rank %u, at most %d is allowed", dims->count,
                      MAX_RANK);
    for (uint32_t i = 0; i < 3; i++)
        if (!need_index(func, node, i)) return false;
    *out = type_tensor(ELEM_f32, dims->count, dims->ints);
    return true;
}

/* Both types, and where they part. */
static bool refuse_pair(const Func *func, const Node *node, const Type *a,
                        const Type *b) {
    const char *x = type_words(func, a), *y = type_words(func, b);
    if (a->rank != b->rank)
        return refuse(func, node, "operands %s and %s differ in rank: %u and %u", x, y,
                      a->rank, b->rank);
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return refuse(func, node,
                          "operands %s and %s differ in dimension %u: %s and %s", x, y, i,
                          dim_words(func, a->dim[i]), dim_words(func, b->dim[i]));
    return refuse(func, node, "operands %s and %s differ in element type", x, y);
}

bool type_select(const Func *func, const Node *node, Type *out) {
    const Type *condition = arg_type(func, node, 0);
    const Type *a = arg_type(func, node, 1), *b = arg_type(func, node, 2);
    if (condition->elem != ELEM_bool)
        return refuse(func, node, "the condition is %s, bool expected",
                      type_words(func, condition));
    if (!type_same_shape(condition, a)) return refuse_pair(func, node, condition, a);
    if (!type_equal(a, b)) return refuse_pair(func, node, a, b);
    *out = *a;
    return true;
}

bool type_cast(const Func *func, const Node *node, Type *out) {
    const Attr *elem = need_attr(func, node, ATTR_elem, ANY);
    if (!elem) return false;
    *out = *arg_type(func, node, 0);
    out->elem = (Elem)elem->i;
    return true;
}

bool type_same(const Func *func, const Node *node, Type *out) {
    *out = *arg_type(func, node, 0);
    return true;
}

/* By ScalarClass: which operands are refused, and the words for what is wanted. */
static bool class_takes(ScalarClass class, Elem elem) {
    switch (class) {
    case SCALAR_NONE: return false;
    case SCALAR_F: return elem_is_float(elem);
    case SCALAR_N: return elem != ELEM_bool;
    case SCALAR_C: return true;
    case SCALAR_B: return elem == ELEM_bool;
    }
    return false;
}

bool type_scalar_op(const Func *func, const Node *node, Type *out) {
    static const char *const wanted[] = {"", "a float", "a number", "anything", "bool"};
    ScalarClass class = scalar_info(node->op).class;
    const Type *a = arg_type(func, node, 0);
    if (node->args == 2 && !type_equal(a, arg_type(func, node, 1)))
        return refuse_pair(func, node, a, arg_type(func, node, 1));
    if (!class_takes(class, a->elem))
        return refuse(func, node, "operand %s, %s expected", type_words(func, a),
                      wanted[class]);
    *out = *a;
    if (class == SCALAR_C) out->elem = ELEM_bool;
    return true;
}

bool type_grad(const Func *func, const Node *node, Type *out) {
    const Type *y = arg_type(func, node, 0), *x = arg_type(func, node, 1);
    if (y->rank)
        return refuse(func, node, "gradient of a non-scalar: %s, f32[] expected",
                      type_words(func, y));
    if (!elem_is_float(y->elem) || !elem_is_float(x->elem))
        return refuse(func, node, "%s by %s: only floats have gradients",
                      type_words(func, y), type_words(func, x));
    *out = *x;
    return true;
}

/* Parameter `first + i` of the body takes operand i. */
static bool match_params(const Func *func, const Node *node, const Func *body,
                         uint32_t first) {
    if (body->params.count != node->args + first)
        return refuse(func, node, "@%s has %u parameters, %u expected", body->name,
                      body->params.count, node->args + first);
    for (uint32_t i = 0; i < node->args; i++) {
        const Type *want = &body->params.at[first + i].type;
        if (!type_equal(want, arg_type(func, node, i)))
            return refuse(func, node, "operand %u is %s, @%s takes %s", i,
                          type_words(func, arg_type(func, node, i)), body->name,
                          type_words(func, want));
    }
    return true;
}

static void tuple_of_results(const Func *body, Type *out) {
    Type *part = arena_array(body->module->arena, Type, body->results.count);
    for (uint32_t i = 0; i < body->results.count; i++)
        part[i] = *graph_type(body, body->results.at[i]);
    *out = (Type){.parts = body->results.count, .part = part};
}

#define MAX_NESTING 64

static const Func *need_body(const Func *func, const Node *node, FuncKind kind) {
    const Attr *body = need_attr(func, node, ATTR_body, ANY);
    if (!body) return NULL;
    const Func *callee = body->func;
    if (callee == func || callee->nesting >= MAX_NESTING)
        refuse(func, node, "functions nest more than %d deep", MAX_NESTING);
    else if (callee->kind != kind)
        refuse(func, node, "@%s is no %s", callee->name,
               kind == FUNC_BODY ? "body" : "group");
    else if (!callee->results.count)
        refuse(func, node, "@%s has no results", callee->name);
    else
        return callee;
    return NULL;
}

static bool check_while(const Func *func, const Node *node, int64_t carries) {
    int64_t going;
    if (!node_attr(node, ATTR_while)) return true;
    if (!need_int(func, node, ATTR_while, 0, carries - 1, &going)) return false;
    const Type *type = arg_type(func, node, (uint32_t)going);
    if (type->elem == ELEM_bool && !type->rank) return true;
    return refuse(func, node, "`while` is carried value %" PRId64 ", %s; bool[] expected",
                  going, type_words(func, type));
}

bool type_repeat(const Func *func, const Node *node, Type *out) {
    int64_t count, carries;
    const Func *body = need_body(func, node, FUNC_BODY);
    if (!body || !need_int(func, node, ATTR_count, 0, INT32_MAX, &count) ||
        !need_int(func, node, ATTR_carries, 1, node->args, &carries) ||
        !match_params(func, node, body, 1))
        return false;
    if (body->params.at[0].type.elem != ELEM_i32 || body->params.at[0].type.rank)
        return refuse(func, node, "the first parameter of @%s is %s, i32[] expected",
                      body->name, type_words(func, &body->params.at[0].type));
    if (body->results.count != carries)
        return refuse(func, node, "@%s has %u results for %" PRId64 " carried values",
                      body->name, body->results.count, carries);
    for (uint32_t i = 0; i < carries; i++) {
        const Type *next = graph_type(body, body->results.at[i]);
        if (!type_equal(next, arg_type(func, node, i)))
            return refuse(func, node, "carried value %u changes from %s to %s", i,
                          type_words(func, arg_type(func, node, i)),
                          type_words(func, next));
    }
    tuple_of_results(body, out);
    return check_while(func, node, carries);
}

bool type_attack(const Func *func, const Node *node, Type *out) {
    const Func *body = need_body(func, node, FUNC_BODY);
    if (!body || !match_params(func, node, body, 0)) return false;
    tuple_of_results(body, out);
    return true;
}

bool type_call(const Func *func, const Node *node, Type *out) {
    const Func *body = need_body(func, node, FUNC_GROUP);
    if (!body || !match_params(func, node, body, 0)) return false;
    tuple_of_results(body, out);
    return true;
}

bool type_get(const Func *func, const Node *node, Type *out) {
    int64_t index;
    const Type *tuple = arg_type(func, node, 0);
    if (!tuple->parts)
        return refuse(func, node, "operand %s, a tuple expected",
                      type_words(func, tuple));
    if (!need_int(func, node, ATTR_index, 0, (int64_t)tuple->parts - 1, &index))
        return false;
    *out = tuple->part[index];
    return true;
}
