/* Names: every name of a file means something, is defined once, and no function reaches
 * itself.  Done on the tree alone, so that code which no call reaches is looked at too. */
#include "frontend/load.h"

typedef struct Scope {
    const char *name;
    const struct Scope *next;
} Scope;

typedef struct Edge { /* the definition of one name uses another */
    const char *from, *to;
    Span span;
} Edge;

typedef struct Resolver {
    Loaded *l;
    const char *inside; /* the name whose definition is walked; NULL: none */
    VEC(Edge) edges;
} Resolver;

/* What has a meaning without a definition. */
static const char *const words[] = {"training", "none",  "infinity",        "pi",
                                    "step",     "epoch", "steps_per_epoch", "epochs"};
#define WORDS (sizeof words / sizeof *words)

static const Scope *add(Resolver *r, const Scope *scope, const char *name) {
    Scope *s = arena_new(r->l->arena, Scope);
    *s = (Scope){name, scope};
    return s;
}

static bool in_scope(const Scope *scope, const char *name) {
    for (; scope; scope = scope->next)
        if (same_name(scope->name, name)) return true;
    return false;
}

static bool has_meaning(Resolver *r, const char *name) {
    const Unit *home;
    for (size_t i = 0; i < WORDS; i++)
        if (same_name(words[i], name)) return true;
    return builtin_find(name) || unit_find(r->l->unit, name, &home);
}

typedef struct Names {
    Arena *arena;
    VEC(const char *) list;
} Names;

static void report_among(Names *names, Diag *diag, const Unit *unit, const char *name,
                         Span span) {
    for (; unit; unit = unit->parent)
        for (uint32_t i = 0; i < unit->entries.count; i++)
            vec_push(names->arena, &names->list, unit->entries.at[i].name);
    for (uint32_t i = 0; builtin_at(i); i++)
        vec_push(names->arena, &names->list, builtin_at(i)->name);
    for (size_t i = 0; i < WORDS; i++) vec_push(names->arena, &names->list, words[i]);
    diag_error(diag, span, "unknown name `%s`", name);
    const char *near = nearest_word(name, names->list.at, names->list.count);
    if (near) diag_hint(diag, "did you mean `%s`?", near);
}

static void report_unknown(Resolver *r, const Scope *scope, const char *name, Span span) {
    Names names = {.arena = r->l->arena};
    for (; scope; scope = scope->next) vec_push(names.arena, &names.list, scope->name);
    report_among(&names, r->l->diag, r->l->unit, name, span);
}

bool resolve_word(Elab *e, const char *name, Span span) {
    for (size_t i = 0; i < WORDS; i++)
        if (same_name(words[i], name)) return true;
    Names names = {.arena = e->arena};
    report_among(&names, e->diag, e->unit, name, span);
    return false;
}

static void resolve_name(Resolver *r, const Scope *scope, const char *name, Span span) {
    if (in_scope(scope, name)) return;
    if (!has_meaning(r, name)) {
        report_unknown(r, scope, name, span);
        return;
    }
    const Unit *home;
    const UnitEntry *entry = unit_find(r->l->unit, name, &home);
    if (entry && r->inside && home == r->l->unit)
        vec_push(r->l->arena, &r->edges, (Edge){r->inside, entry->name, span});
}

static void resolve(Resolver *r, const Scope *scope, const Ast *ast);
static const Scope *resolve_function(Resolver *r, const Scope *scope,
                                     const AstFunction *f);

/* An expression in a pattern computes with names that are bound already. */
static void resolve_pattern(Resolver *r, const Scope *scope, const Ast *ast) {
    const Unit *home;
    if (ast->kind == AST_binary) {
        resolve_pattern(r, scope, ast->binary.left);
        resolve_pattern(r, scope, ast->binary.right);
    } else if (ast->kind != AST_name || in_scope(scope, ast->text) ||
               unit_find(r->l->unit, ast->text, &home)) {
        resolve(r, scope, ast);
    } else {
        diag_error(r->l->diag, ast->span, "the dimension `%s` cannot be solved for",
                   ast->text);
        diag_hint(r->l->diag,
                  "it must be a dimension of its own, as f32[%s], of a parameter before",
                  ast->text);
    }
}

/* A pattern's plain names are bound by it; other expressions use names. */
static const Scope *resolve_type(Resolver *r, const Scope *scope, const AstType *type,
                                 bool binds) {
    const Unit *home;
    if (!type) return scope;
    if (type->alias) {
        const UnitEntry *entry = unit_find(r->l->unit, type->alias, &home);
        if (!entry || !entry->alias) {
            diag_error(r->l->diag, type->span, "unknown type `%s`", type->alias);
            diag_hint(r->l->diag,
                      "a type is f32[N, 10] or a name: type Image = f32[N, 28, 28, 1]");
            return scope;
        }
        if (r->inside && home == r->l->unit)
            vec_push(r->l->arena, &r->edges, (Edge){r->inside, type->alias, type->span});
        if (entry->alias->alias) return scope;
        type = entry->alias;
        binds = true;
    }
    for (uint32_t i = 0; i < type->dim.count; i++) {
        const Ast *dim = type->dim.at[i];
        if (dim->kind == AST_rest) continue;
        bool plain = binds && dim->kind == AST_name;
        if (plain && !in_scope(scope, dim->text)) scope = add(r, scope, dim->text);
        if (!plain && binds) resolve_pattern(r, scope, dim);
        if (!plain && !binds) resolve(r, scope, dim);
    }
    return scope;
}

static void resolve_args(Resolver *r, const Scope *scope, const AstArgs *args) {
    for (uint32_t i = 0; i < args->count; i++) resolve(r, scope, args->at[i].value);
}

static void check_fields(Resolver *r, const AstArgs *args, const char *what) {
    for (uint32_t i = 0; i < args->count; i++)
        for (uint32_t k = 0; k < i; k++) {
            if (!args->at[i].name || !args->at[k].name) continue;
            if (strcmp(args->at[i].name, args->at[k].name)) continue;
            diag_error(r->l->diag, args->at[i].span, "the %s `%s` stands twice", what,
                       args->at[i].name);
            break;
        }
}

static void resolve_call(Resolver *r, const Scope *scope, const Ast *ast) {
    const Ast *callee = ast->call.callee;
    bool is_grad = callee->kind == AST_name && !strcmp(callee->text, "grad");
    resolve(r, scope, callee);
    for (uint32_t i = 0; i < ast->call.args.count; i++) {
        const AstArg *arg = &ast->call.args.at[i];
        bool is_wrt = is_grad && arg->name && !strcmp(arg->name, "wrt");
        if (!is_wrt || arg->value->kind != AST_name) resolve(r, scope, arg->value);
    }
}

static void resolve_repeat(Resolver *r, const Scope *scope, const Ast *ast) {
    resolve(r, scope, ast->repeat.count);
    resolve_args(r, scope, &ast->repeat.carries);
    check_fields(r, &ast->repeat.carries, "carried value");
    if (ast->repeat.index) scope = add(r, scope, ast->repeat.index);
    for (uint32_t i = 0; i < ast->repeat.carries.count; i++)
        scope = add(r, scope, ast->repeat.carries.at[i].name);
    resolve(r, scope, ast->repeat.body);
}

static bool is_definition(AstKind kind) {
    return kind == AST_let || kind == AST_result || kind == AST_param ||
           kind == AST_state;
}

/* A result, parameter or state may stand once in a block; `let` may hide an older name. */
static void check_twice(Resolver *r, const AstList *list, uint32_t i) {
    const Ast *ast = list->at[i];
    if (ast->kind == AST_let) return;
    for (uint32_t k = 0; k < i; k++) {
        const Ast *other = list->at[k];
        if (other->kind != ast->kind || strcmp(other->define.name, ast->define.name))
            continue;
        diag_error(r->l->diag, ast->define.name_span, "`%s` is defined twice",
                   ast->define.name);
        diag_note(r->l->diag, other->define.name_span, "it was defined here");
        return;
    }
}

/* One statement; the scope of those behind it. */
static const Scope *resolve_statement(Resolver *r, const Scope *scope,
                                      const AstList *list, uint32_t i) {
    const Ast *ast = list->at[i];
    if (ast->kind == AST_every) {
        if (ast->every.period) resolve(r, scope, ast->every.period);
        resolve(r, scope, ast->every.body);
    } else if (ast->kind == AST_next) {
        resolve(r, scope, ast->define.value);
    } else if (is_definition(ast->kind)) {
        resolve(r, scope, ast->define.value);
        check_twice(r, list, i);
        scope = resolve_type(r, scope, ast->define.type, ast->kind == AST_let);
        scope = add(r, scope, ast->define.name);
    } else {
        resolve(r, scope, ast);
    }
    return scope;
}

static void resolve_block(Resolver *r, const Scope *scope, const Ast *block) {
    for (uint32_t i = 0; i < block->list.count; i++)
        scope = resolve_statement(r, scope, &block->list, i);
}

static void resolve(Resolver *r, const Scope *scope, const Ast *ast) {
    switch (ast->kind) {
    case AST_error:
    case AST_number:
    case AST_string:
    case AST_bool:
    case AST_rest:
    case AST_prime: break;
    case AST_name: resolve_name(r, scope, ast->text, ast->span); break;
    case AST_list:
        for (uint32_t i = 0; i < ast->list.count; i++) resolve(r, scope, ast->list.at[i]);
        break;
    case AST_record:
        check_fields(r, &ast->record, "field");
        resolve_args(r, scope, &ast->record);
        break;
    case AST_call: resolve_call(r, scope, ast); break;
    case AST_unary: resolve(r, scope, ast->unary.of); break;
    case AST_binary:
        resolve(r, scope, ast->binary.left);
        resolve(r, scope, ast->binary.right);
        break;
    case AST_field: resolve(r, scope, ast->field.of); break;
    case AST_index:
        resolve(r, scope, ast->index.of);
        resolve(r, scope, ast->index.at);
        break;
    case AST_if:
        resolve(r, scope, ast->branch.condition);
        resolve(r, scope, ast->branch.then);
        if (ast->branch.otherwise) resolve(r, scope, ast->branch.otherwise);
        break;
    case AST_function: resolve_function(r, scope, ast->function); break;
    case AST_repeat: resolve_repeat(r, scope, ast); break;
    case AST_block: resolve_block(r, scope, ast); break;
    case AST_let:
    case AST_result:
    case AST_param:
    case AST_state:
    case AST_next:
    case AST_every: break;
    }
}

static const Scope *resolve_parameters(Resolver *r, const Scope *scope, uint32_t count,
                                       const AstParam *at) {
    for (uint32_t i = 0; i < count; i++) {
        const AstParam *param = &at[i];
        for (uint32_t k = 0; k < i; k++)
            if (!strcmp(at[k].name, param->name))
                diag_error(r->l->diag, param->span, "the parameter `%s` stands twice",
                           param->name);
        if (param->value) resolve(r, scope, param->value);
        scope = resolve_type(r, scope, param->type, true);
        scope = add(r, scope, param->name);
    }
    return scope;
}

static const Scope *resolve_function(Resolver *r, const Scope *scope,
                                     const AstFunction *f) {
    scope = resolve_parameters(r, scope, f->params, f->param);
    if (f->kind == FUNCTION_optimiser) scope = add(r, add(r, scope, "w"), "g");
    resolve_type(r, scope, f->result, true);
    resolve(r, scope, f->body);
    return scope;
}

/* ---- recursion ------------------------------------------------------------------------- */

static bool reaches(const Resolver *r, const char *from, const char *to, bool *seen) {
    for (uint32_t i = 0; i < r->edges.count; i++) {
        const Edge *edge = &r->edges.at[i];
        if (strcmp(edge->from, from) || seen[i]) continue;
        seen[i] = true;
        if (!strcmp(edge->to, to) || reaches(r, edge->to, to, seen)) return true;
    }
    return false;
}

static bool check_recursion(Resolver *r) {
    const char *told = "";
    for (uint32_t i = 0; i < r->edges.count; i++) {
        const Edge *edge = &r->edges.at[i];
        bool *seen = arena_array(r->l->arena, bool, r->edges.count + 1);
        if (!strcmp(edge->from, told)) continue;
        if (strcmp(edge->to, edge->from) && !reaches(r, edge->to, edge->from, seen))
            continue;
        told = edge->from;
        diag_error(r->l->diag, edge->span, "recursion: `%s` leads back to `%s`", edge->to,
                   edge->from);
        const Unit *home;
        if (unit_find(r->l->unit, edge->from, &home)->function)
            diag_hint(r->l->diag, "`repeat` loops, `stack` builds depth");
    }
    return !*told;
}

/* Fields see all statements.  The name of a data set is no name of the language. */
static void resolve_train(Resolver *r, const Scope *scope, const AstTrain *train) {
    for (uint32_t i = 0; i < train->statements.count; i++)
        scope = resolve_statement(r, scope, &train->statements, i);
    check_fields(r, &train->fields, "field");
    for (uint32_t i = 0; i < train->fields.count; i++) {
        const Ast *value = train->fields.at[i].value;
        if (!strcmp(train->fields.at[i].name, "data") && value->kind == AST_call)
            resolve_args(r, scope, &value->call.args);
        else
            resolve(r, scope, value);
    }
    for (uint32_t i = 0; i < train->phases; i++) resolve_train(r, scope, train->phase[i]);
}

bool resolve_file(Loaded *l, const AstFile *file) {
    Resolver r = {.l = l};
    for (uint32_t i = 0; i < file->aliases.count; i++) {
        r.inside = file->aliases.at[i].name;
        resolve_type(&r, NULL, file->aliases.at[i].type, true);
    }
    for (uint32_t i = 0; i < file->lets.count; i++) {
        r.inside = file->lets.at[i]->define.name;
        resolve(&r, NULL, file->lets.at[i]->define.value);
    }
    for (uint32_t i = 0; i < file->functions.count; i++) {
        r.inside = file->functions.at[i]->name;
        resolve_function(&r, NULL, file->functions.at[i]);
    }
    r.inside = NULL;
    for (uint32_t i = 0; i < file->trains.count; i++) {
        const AstTrain *train = file->trains.at[i];
        resolve_train(&r, resolve_parameters(&r, NULL, train->params, train->param),
                      train);
    }
    return check_recursion(&r);
}
