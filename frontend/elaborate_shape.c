/* Types as the program writes them: dimensions computed, and patterns that bind their names to
 * the dimensions of a tensor. */
#include "frontend/elaborate.h"
#include <inttypes.h>

/* An open dimension that may come to nothing is a mistake; while a function is checked alone
 * it is only unknown. */
static bool open_dim(Elab *e, Dim dim, Span span, const char *what) {
    if (dim_at_least(&e->module->dims, dim, 1)) return true;
    if (!e->checking)
        elab_error(e, span, "%s is %s, which may be zero", what, dim_text(e, dim));
    return false;
}

bool elab_dim(Elab *e, const Value *v, Span span, const char *what, Dim *dim) {
    if (v->kind == VALUE_unknown) return false;
    *dim = v->kind == VALUE_dim ? v->dim : v->integer;
    if (v->kind == VALUE_dim && v->dim != DIM_OVERFLOW)
        return open_dim(e, v->dim, span, what);
    if (v->kind == VALUE_int && v->integer >= 1 && v->integer <= DIM_LIMIT) return true;
    if (value_is_static_number(v) && value_number(v) > (double)DIM_LIMIT) {
        elab_error(e, span, "%s overflows: %s is beyond 2^46", what, elab_words(e, v));
        return false;
    }
    elab_error(e, span, "%s wants a whole number of 1 or more, found %s", what,
               elab_words(e, v));
    return false;
}

#define ALIAS_DEPTH 16

const AstType *unit_type(const Unit *unit, const AstType *type) {
    for (int i = 0; type && type->alias && i < ALIAS_DEPTH; i++) {
        const UnitEntry *entry = unit_find(unit, type->alias, &unit);
        type = entry ? entry->alias : NULL;
    }
    return type && !type->alias ? type : NULL;
}

bool elab_type(Elab *e, Env env, const AstType *ast, Type *type) {
    ast = unit_type(env.unit, ast);
    if (!ast) return false;
    *type = type_scalar(ast->elem);
    if (ast->dim.count > MAX_RANK) {
        elab_error(e, ast->span, "a tensor of rank %u; %d is the highest", ast->dim.count,
                   MAX_RANK);
        return false;
    }
    for (uint32_t i = 0; i < ast->dim.count; i++) {
        Value v = elab_expression(e, env, ast->dim.at[i]);
        if (!elab_dim(e, &v, ast->dim.at[i]->span, "a dimension",
                      &type->dim[type->rank++]))
            return false;
    }
    return elab_within_memory(e, type, ast->span);
}

const char *pattern_text(Elab *e, const AstType *ast) {
    Text text;
    text_init(&text, e->arena);
    ast_print_type(ast, &text);
    return text.at;
}

static bool mismatch(Elab *e, const AstType *ast, const Type *type, const char *what,
                     uint32_t at, Dim wanted, Span span) {
    const Ast *dim = ast->dim.at[at < ast->dim.count ? at : 0];
    const char *name = dim->kind == AST_name ? dim->text : NULL;
    elab_error(e, span,
               "%s wants %s, found %s: dimension %u%s%s is %s there, but %s here", what,
               pattern_text(e, ast), type_text(e, type), at, name ? ", " : "",
               name ? name : "", dim_text(e, wanted), dim_text(e, type->dim[at]));
    return false;
}

/* One dimension of a pattern against one of a type. */
static bool unify_dim(Elab *e, Env *env, const AstType *ast, const Ast *dim,
                      const Type *type, uint32_t at, int8_t place, const char *what,
                      Span span) {
    Dim found = type->dim[at];
    if (dim->kind == AST_name) {
        const Value *v = env_find(env, dim->text);
        if (!v || (!value_is_integer(v) && v->kind != VALUE_unknown)) {
            const Unit *home;
            const UnitEntry *entry = v ? NULL : unit_find(env->unit, dim->text, &home);
            if (!entry || !entry->constant) {
                Value bound = value_from_dim(found);
                bound.place = place;
                *env = env_bind(e, *env, dim->text, bound);
                return true;
            }
        }
    }
    Value v = elab_expression(e, *env, dim);
    Dim wanted;
    if (v.kind == VALUE_unknown) return true;
    if (!elab_dim(e, &v, dim->span, "a dimension", &wanted)) return false;
    if (wanted == found) return true;
    return mismatch(e, ast, type, what, at, wanted, span);
}

static uint32_t find_rest(const AstType *ast) {
    uint32_t i = 0;
    while (i < ast->dim.count && ast->dim.at[i]->kind != AST_rest) i++;
    return i;
}

bool elab_unify(Elab *e, Env *env, const AstType *written, const Type *type,
                const char *what, Span span) {
    const AstType *ast = unit_type(env->unit, written);
    if (!ast) return false;
    uint32_t dims = ast->dim.count, rest = find_rest(ast);
    bool fits = rest < dims ? type->rank + 1 >= dims : type->rank == dims;
    if (ast->elem != type->elem || !fits) {
        elab_error(e, span, "%s wants %s, found %s", what, pattern_text(e, ast),
                   type_text(e, type));
        if (ast->elem != type->elem)
            elab_hint(e, "%s(...) casts it", elem_name(ast->elem));
        else
            elab_hint(e, "the ranks differ: %u there, %u here", dims, type->rank);
        return false;
    }
    for (uint32_t i = 0; i < rest; i++)
        if (!unify_dim(e, env, ast, ast->dim.at[i], type, i, (int8_t)(i + 1), what, span))
            return false;
    if (rest == dims) return true;
    uint32_t after = dims - rest - 1;
    Value axes = {.kind = VALUE_rest};
    axes.rest.first = (int8_t)rest;
    axes.rest.count = (int8_t)(type->rank - rest - after);
    axes.rest.after = (int8_t)after;
    *env = env_bind(e, *env, "...", axes);
    for (uint32_t i = 0; i < after; i++)
        if (!unify_dim(e, env, ast, ast->dim.at[rest + 1 + i], type,
                       type->rank - after + i, (int8_t)((int)i - (int)after), what, span))
            return false;
    return true;
}
