/* Dimensions, types, affine maps and attributes from text. */
#include "ir/parse_parts.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_PARENS 32

bool part_error(Parser *p, Span span, const char *format, ...) {
    char words[512];
    if (p->lexer.token.kind == TOKEN_WRONG) return false;
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    diag_error(p->lexer.diag, span, "%s", words);
    return false;
}

bool part_expect(Parser *p, TokenKind kind, const char *what) {
    if (p->lexer.token.kind != kind)
        return part_error(p, p->lexer.token.span, "%s expected", what);
    lex_next(&p->lexer);
    return true;
}

bool part_mark(Parser *p, char mark) {
    if (!lex_is(&p->lexer, mark))
        return part_error(p, p->lexer.token.span, "`%c` expected", mark);
    lex_next(&p->lexer);
    return true;
}

static bool parse_minus(Parser *p) {
    bool minus = lex_is(&p->lexer, '-');
    if (minus) lex_next(&p->lexer);
    return minus;
}

bool part_int(Parser *p, int64_t *value) {
    bool minus = parse_minus(p);
    Token token = p->lexer.token;
    char *end;
    if (!part_expect(p, TOKEN_NUMBER, "an integer")) return false;
    errno = 0;
    *value = strtoll(token.text, &end, 10);
    if (*end) return part_error(p, token.span, "an integer expected");
    if (errno) return part_error(p, token.span, "the number is too large");
    if (minus) *value = -*value;
    return true;
}

static bool parse_real(Parser *p, double *value) {
    bool minus = parse_minus(p);
    if (lex_is_word(&p->lexer, "inf") || lex_is_word(&p->lexer, "nan")) {
        *value = p->lexer.token.text[0] == 'i' ? INFINITY : NAN;
        lex_next(&p->lexer);
    } else {
        Token token = p->lexer.token;
        if (!part_expect(p, TOKEN_NUMBER, "a number")) return false;
        *value = strtod(token.text, NULL);
    }
    if (minus) *value = -*value;
    return true;
}

bool part_find_symbol(Parser *p, const char *name) {
    const Dims *dims = &p->module->dims;
    for (uint32_t i = 0; i < dims->symbols.count; i++)
        if (!strcmp(dims->symbols.at[i].name, name)) return true;
    return false;
}

static bool parse_sum(Parser *p, int depth, Dim *dim);

static bool parse_factor(Parser *p, int depth, Dim *dim) {
    Token token = p->lexer.token;
    if (token.kind == TOKEN_NUMBER) return part_int(p, dim);
    if (token.kind == TOKEN_WORD) {
        if (!part_find_symbol(p, token.text)) {
            part_error(p, token.span, "there is no symbol `%s`", token.text);
            diag_hint(p->lexer.diag, "declare it: symbol %s max 512", token.text);
            return false;
        }
        *dim = dim_symbol(&p->module->dims, token.text, 0);
        lex_next(&p->lexer);
        return true;
    }
    if (!lex_is(&p->lexer, '(')) return part_error(p, token.span, "a dimension expected");
    if (depth == MAX_PARENS)
        return part_error(p, token.span, "parentheses nest more than %d deep",
                          MAX_PARENS);
    lex_next(&p->lexer);
    return parse_sum(p, depth + 1, dim) && part_mark(p, ')');
}

static bool parse_product(Parser *p, int depth, Dim *dim) {
    Dims *dims = &p->module->dims;
    if (!parse_factor(p, depth, dim)) return false;
    while (lex_is(&p->lexer, '*') || lex_is(&p->lexer, '/')) {
        bool times = p->lexer.token.mark == '*';
        Dim next = 0;
        lex_next(&p->lexer);
        if (!parse_factor(p, depth, &next)) return false;
        *dim = times ? dim_mul(dims, *dim, next) : dim_floor_div(dims, *dim, next);
    }
    return true;
}

static bool parse_sum(Parser *p, int depth, Dim *dim) {
    Dims *dims = &p->module->dims;
    bool minus = parse_minus(p);
    if (!parse_product(p, depth, dim)) return false;
    if (minus) *dim = dim_sub(dims, 0, *dim);
    while (lex_is(&p->lexer, '+') || lex_is(&p->lexer, '-')) {
        bool plus = p->lexer.token.mark == '+';
        Dim next = 0;
        lex_next(&p->lexer);
        if (!parse_product(p, depth, &next)) return false;
        *dim = plus ? dim_add(dims, *dim, next) : dim_sub(dims, *dim, next);
    }
    return true;
}

bool part_dim(Parser *p, Dim *dim) {
    Span span = p->lexer.token.span;
    if (!parse_sum(p, 0, dim)) return false;
    if (*dim == DIM_OVERFLOW || *dim > DIM_LIMIT)
        return part_error(p, span, "the dimension is too large, or divides by zero");
    return true;
}

static bool parse_tensor(Parser *p, Type *type) {
    Token word = p->lexer.token;
    *type = (Type){0};
    if (!part_expect(p, TOKEN_WORD, "a type")) return false;
    if (!elem_parse(word.text, &type->elem))
        return part_error(p, word.span, "there is no element type `%s`", word.text);
    if (!part_mark(p, '[')) return false;
    while (!lex_is(&p->lexer, ']')) {
        Span span = p->lexer.token.span;
        Dim dim;
        if (type->rank && !part_mark(p, ',')) return false;
        if (type->rank == MAX_RANK)
            return part_error(p, span, "more than %d dimensions", MAX_RANK);
        if (!part_dim(p, &dim)) return false;
        if (!dim_at_least(&p->module->dims, dim, 1))
            return part_error(p, span, "the dimension may be zero or less");
        type->dim[type->rank++] = dim;
    }
    if (type_count(&p->module->dims, type) == DIM_OVERFLOW)
        return part_error(p, word.span, "the type has too many elements");
    return part_mark(p, ']');
}

bool part_type(Parser *p, Type *type) {
    VEC(Type) parts = {0};
    if (!lex_is(&p->lexer, '(')) return parse_tensor(p, type);
    do {
        Type part;
        lex_next(&p->lexer);
        if (!parse_tensor(p, &part)) return false;
        vec_push(p->lexer.arena, &parts, part);
    } while (lex_is(&p->lexer, ','));
    *type = (Type){.parts = parts.count, .part = parts.at};
    return part_mark(p, ')');
}

/* d<i>, i < MAX_AXES */
static bool parse_axis(Parser *p, uint32_t *axis) {
    Token token = p->lexer.token;
    if (!part_expect(p, TOKEN_WORD, "an axis, d0")) return false;
    char *end;
    unsigned long i = strtoul(token.text + 1, &end, 10);
    if (token.text[0] != 'd' || !token.text[1] || *end || i >= MAX_AXES)
        return part_error(p, token.span, "`%s` is no axis", token.text);
    *axis = (uint32_t)i;
    return true;
}

/* 3 | d0 | 3*d0 into `form`, times `sign`. */
static bool parse_form_part(Parser *p, Affine *form, int64_t sign) {
    Span span = p->lexer.token.span;
    int64_t factor = 1, *to = &form->offset;
    bool number = p->lexer.token.kind == TOKEN_NUMBER;
    uint32_t axis = 0;
    if (number && !part_int(p, &factor)) return false;
    if (!number || lex_is(&p->lexer, '*')) {
        if (number) lex_next(&p->lexer);
        if (!parse_axis(p, &axis)) return false;
        to = &form->coefficient[axis];
    }
    if (__builtin_add_overflow(*to, sign * factor, to))
        return part_error(p, span, "the coefficient is too large");
    return true;
}

static bool parse_form(Parser *p, Affine *form) {
    bool parens = lex_is(&p->lexer, '(');
    if (parens) lex_next(&p->lexer);
    *form = (Affine){.divisor = 1};
    if (!parse_form_part(p, form, parse_minus(p) ? -1 : 1)) return false;
    while (lex_is(&p->lexer, '+') || lex_is(&p->lexer, '-')) {
        int64_t sign = p->lexer.token.mark == '+' ? 1 : -1;
        lex_next(&p->lexer);
        if (!parse_form_part(p, form, sign)) return false;
    }
    if (parens && !part_mark(p, ')')) return false;
    if (!parens || !lex_is(&p->lexer, '/')) return true;
    lex_next(&p->lexer);
    return part_int(p, &form->divisor);
}

/* Over all MAX_AXES axes for now; part_attrs sets their number from `dims`. */
static bool parse_map(Parser *p, Attr *attr) {
    AffineMap *map = arena_new(p->lexer.arena, AffineMap);
    if (!part_mark(p, '[')) return false;
    while (!lex_is(&p->lexer, ']')) {
        if (map->rank && !part_mark(p, ',')) return false;
        if (map->rank == MAX_RANK)
            return part_error(p, p->lexer.token.span, "more than %d forms", MAX_RANK);
        if (!parse_form(p, &map->dim[map->rank++])) return false;
    }
    map->axes = MAX_AXES;
    attr->map = map;
    return part_mark(p, ']');
}

static bool parse_ints(Parser *p, Attr *attr, bool (*parse)(Parser *p, int64_t *value)) {
    VEC(int64_t) list = {0};
    int64_t value;
    if (!part_mark(p, '[')) return false;
    while (!lex_is(&p->lexer, ']')) {
        if (list.count && !part_mark(p, ',')) return false;
        if (!parse(p, &value)) return false;
        vec_push(p->lexer.arena, &list, value);
    }
    *attr = attr_ints(attr->key, list.at, list.count);
    return part_mark(p, ']');
}

static bool parse_reals(Parser *p, Attr *attr) {
    VEC(double) list = {0};
    double value;
    if (!part_mark(p, '[')) return false;
    while (!lex_is(&p->lexer, ']')) {
        if (list.count && !part_mark(p, ',')) return false;
        if (!parse_real(p, &value)) return false;
        vec_push(p->lexer.arena, &list, value);
    }
    *attr = attr_reals(attr->key, list.at, list.count);
    return part_mark(p, ']');
}

static bool parse_elem(Parser *p, Attr *attr) {
    Token token = p->lexer.token;
    Elem elem;
    if (!part_expect(p, TOKEN_WORD, "an element type")) return false;
    if (!elem_parse(token.text, &elem))
        return part_error(p, token.span, "there is no element type `%s`", token.text);
    attr->i = elem;
    return true;
}

static bool parse_func_name(Parser *p, Attr *attr) {
    Token token = p->lexer.token;
    if (!part_expect(p, TOKEN_FUNC, "a function, @name")) return false;
    attr->func = module_find(p->module, token.text);
    if (attr->func) return true;
    part_error(p, token.span, "@%s is not defined", token.text);
    diag_hint(p->lexer.diag, "functions are defined before they are used");
    return false;
}

static bool parse_attr(Parser *p, Attr *attr) {
    Token token = p->lexer.token;
    int key = 0;
    if (!part_expect(p, TOKEN_WORD, "an attribute")) return false;
    while (key < ATTR_COUNT && strcmp(attr_info[key].name, token.text)) key++;
    if (key == ATTR_COUNT)
        return part_error(p, token.span, "there is no attribute `%s`", token.text);
    if (!part_mark(p, '=')) return false;
    *attr = (Attr){.key = (AttrKey)key};
    switch (attr_info[key].kind) {
    case ATTR_KIND_INT: return part_int(p, &attr->i);
    case ATTR_KIND_ELEM: return parse_elem(p, attr);
    case ATTR_KIND_INTS: return parse_ints(p, attr, part_int);
    case ATTR_KIND_DIMS: return parse_ints(p, attr, part_dim);
    case ATTR_KIND_REALS: return parse_reals(p, attr);
    case ATTR_KIND_MAP: return parse_map(p, attr);
    case ATTR_KIND_FUNC: return parse_func_name(p, attr);
    }
    return false;
}

/* Maps are over the axes of `dims`, wherever that stands among the attributes. */
static void set_map_axes(AttrList *attrs) {
    uint32_t axes = 0;
    for (uint32_t i = 0; i < attrs->count; i++)
        if (attrs->at[i].key == ATTR_dims) axes = attrs->at[i].count;
    for (uint32_t i = 0; i < attrs->count; i++) {
        if (attr_info[attrs->at[i].key].kind != ATTR_KIND_MAP) continue;
        AffineMap *map = (AffineMap *)attrs->at[i].map;
        map->axes = axes;
    }
}

bool part_attrs(Parser *p, AttrList *attrs) {
    if (!lex_is(&p->lexer, '{')) return true;
    uint32_t seen = 0; /* by key; there are fewer than 32 */
    _Static_assert(ATTR_COUNT <= 32, "one bit a key");
    do {
        Attr attr;
        lex_next(&p->lexer);
        Span span = p->lexer.token.span;
        if (!parse_attr(p, &attr)) return false;
        if (seen >> attr.key & 1)
            return part_error(p, span, "`%s` is given twice", attr_info[attr.key].name);
        seen |= 1u << attr.key;
        vec_push(p->lexer.arena, attrs, attr);
    } while (lex_is(&p->lexer, ','));
    set_map_axes(attrs);
    return part_mark(p, '}');
}
