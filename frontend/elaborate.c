/* Expressions and blocks: the walk over the syntax tree. */
#include "frontend/elaborate.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- messages ------------------------------------------------------------------------- */

static bool is_users(const Elab *e, Span span) {
    return span.source == 0 || span.source > e->prelude_sources;
}

Span elab_span(const Elab *e, Span span) {
    const CallSite *site = e->calls;
    while (!is_users(e, span) && site) {
        span = site->span;
        site = site->next;
    }
    return span;
}

/* The function of the prelude whose body the mistake is in, as the user called it. */
static const char *prelude_name(const Elab *e, Span span) {
    const char *name = NULL;
    for (const CallSite *site = e->calls; site && !is_users(e, span); site = site->next) {
        if (site->name) name = site->name;
        span = site->span;
    }
    return is_users(e, span) ? name : NULL;
}

/* One mistake is told once, however often its function is elaborated. */
static bool is_told(const Diag *diag, uint32_t count, Span span, const char *text) {
    for (uint32_t i = 0; i < count; i++) {
        const Message *m = &diag->messages.at[i];
        if (m->span.source == span.source && m->span.begin == span.begin &&
            m->span.end == span.end && !strcmp(m->text, text))
            return true;
    }
    return false;
}

void elab_error(Elab *e, Span span, const char *format, ...) {
    char words[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    const char *inside = prelude_name(e, span);
    const char *text =
        inside ? arena_print(e->arena, "in `%s`: %s", inside, words) : words;
    span = elab_span(e, span);
    e->told = is_told(e->diag, e->diag->messages.count, span, text);
    if (!e->told) diag_error(e->diag, span, "%s", text);
}

void elab_warning(Elab *e, Span span, const char *format, ...) {
    char words[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    span = elab_span(e, span);
    e->told = is_told(e->diag, e->diag->messages.count, span, words);
    if (!e->told) diag_warning(e->diag, span, "%s", words);
}

/* Takes back messages from `messages` on: all, or the repetition of an older one. */
void elab_take_back(Elab *e, uint32_t messages, uint32_t errors, bool all) {
    const Message *last = &e->diag->messages.at[messages];
    if (messages >= e->diag->messages.count) return;
    if (!all && !is_told(e->diag, messages, last->span, last->text)) return;
    e->diag->messages.count = messages;
    e->diag->errors = errors;
}

void elab_hint(Elab *e, const char *format, ...) {
    char words[512];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    if (!e->told) diag_hint(e->diag, "%s", words);
}

const char *elab_words(Elab *e, const Value *v) {
    return value_words(e->arena, &e->module->dims, v);
}

const char *type_text(Elab *e, const Type *type) {
    Text text;
    text_init(&text, e->arena);
    type_print(&e->module->dims, type, &text);
    return text.at;
}

const char *dim_text(Elab *e, Dim dim) {
    Text text;
    text_init(&text, e->arena);
    dim_print(&e->module->dims, dim, &text);
    return text.at;
}

/* ---- names ---------------------------------------------------------------------------- */

const Value *env_find(const Env *env, const char *name) {
    for (const NameBinding *b = env->top; b; b = b->next)
        if (same_name(b->name, name)) return b->value;
    return NULL;
}

Env env_bind(Elab *e, Env env, const char *name, Value value) {
    NameBinding *b = arena_new(e->arena, NameBinding);
    *b = (NameBinding){name, arena_copy(e->arena, &value, sizeof value), env.top};
    return (Env){b, env.unit};
}

const UnitEntry *unit_find(const Unit *unit, const char *name, const Unit **home) {
    for (; unit; unit = unit->parent)
        for (uint32_t i = 0; i < unit->entries.count; i++)
            if (same_name(unit->entries.at[i].name, name)) {
                *home = unit;
                return &unit->entries.at[i];
            }
    return NULL;
}

static Value function_value(const Closure *closure) {
    return (Value){.kind = VALUE_function, .function = closure};
}

static Value elab_entry(Elab *e, const UnitEntry *entry, const Unit *home, Span span) {
    if (entry->function)
        return function_value(closure_of(e, entry->function, (Env){NULL, home}));
    if (entry->constant && e->depth < CALL_DEPTH) {
        e->depth++;
        Value v = elab_expression(e, (Env){NULL, home}, entry->constant->define.value);
        e->depth--;
        return v;
    }
    if (entry->alias) elab_error(e, span, "`%s` is a type, not a value", entry->name);
    return value_unknown;
}

/* Unknown names of files were reported by resolve.c, those of --set and --attack are here. */
static Value elab_name(Elab *e, Env env, const Ast *ast) {
    const Value *v = env_find(&env, ast->text);
    if (v) return *v;
    const Unit *home;
    const UnitEntry *entry = unit_find(env.unit, ast->text, &home);
    if (entry) return elab_entry(e, entry, home, ast->span);
    if (!strcmp(ast->text, "training")) return value_bool(e->training);
    if (!strcmp(ast->text, "none")) return value_none;
    if (!strcmp(ast->text, "infinity")) return value_real(__builtin_inf());
    if (!strcmp(ast->text, "pi")) return value_real(3.14159265358979323846);
    const Builtin *builtin = builtin_find(ast->text);
    if (builtin) return function_value(closure_builtin(e, builtin));
    if (e->run && e->run->schedule) {
        Env schedule = {e->run->schedule, NULL};
        v = env_find(&schedule, ast->text);
        if (v) return *v;
    }
    if (!e->checking && !e->diag->errors && resolve_word(e, ast->text, ast->span)) {
        elab_error(e, ast->span, "`%s` has a value only while training", ast->text);
        elab_hint(e, "a rate or a schedule may use it");
    }
    return value_unknown;
}

/* ---- compounds ------------------------------------------------------------------------ */

static Value elab_list(Elab *e, Env env, const Ast *ast) {
    Value *at = arena_array(e->arena, Value, ast->list.count);
    for (uint32_t i = 0; i < ast->list.count; i++)
        at[i] = elab_expression(e, env, ast->list.at[i]);
    return (Value){.kind = VALUE_list, .list = {ast->list.count, at}};
}

static Value elab_record(Elab *e, Env env, const Ast *ast) {
    Field *fields = arena_array(e->arena, Field, ast->record.count);
    for (uint32_t i = 0; i < ast->record.count; i++) {
        Value *v = arena_new(e->arena, Value);
        *v = elab_expression(e, env, ast->record.at[i].value);
        fields[i] = (Field){ast->record.at[i].name, v};
    }
    return (Value){.kind = VALUE_record, .record = {ast->record.count, fields}};
}

static void hint_fields(Elab *e, const Value *record, const char *name) {
    const char **names = arena_array(e->arena, const char *, record->record.count + 1);
    for (uint32_t i = 0; i < record->record.count; i++)
        names[i] = record->record.at[i].name;
    const char *near = nearest_word(name, names, record->record.count);
    if (near) elab_hint(e, "did you mean `%s`?", near);
}

/* Layers named by a `let` are kept as let#0, let#1, ...: a record of them by number. */
static Value layers_of(Elab *e, const Value *record, const char *name) {
    const size_t length = strlen(name);
    Field *fields = arena_array(e->arena, Field, record->record.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->record.count; i++) {
        const Field *field = &record->record.at[i];
        if (!strncmp(field->name, name, length) && field->name[length] == '#')
            fields[count++] = (Field){field->name + length + 1, field->value};
    }
    return (Value){.kind = VALUE_record, .record = {count, fields}};
}

static Value field_of(Elab *e, const Value *record, const char *name, Span span) {
    const Value *v = value_field(record, name);
    if (v) return *v;
    Value layers = layers_of(e, record, name);
    if (layers.record.count > 1) return layers;
    if (layers.record.count) return *layers.record.at[0].value;
    elab_error(e, span, "no field `%s` in %s", name, elab_words(e, record));
    hint_fields(e, record, name);
    return value_unknown;
}

static Value elab_field(Elab *e, Env env, const Ast *ast) {
    Value of = elab_expression(e, env, ast->field.of);
    if (of.kind == VALUE_unknown) return of;
    if (of.kind != VALUE_record) {
        elab_error(e, ast->field.name_span, "`.%s` of %s, which is no record",
                   ast->field.name, elab_words(e, &of));
        if (of.kind == VALUE_tensor)
            elab_hint(e, "a net gives a record when its body names results: %s = ...",
                      ast->field.name);
        return value_unknown;
    }
    return field_of(e, &of, ast->field.name, ast->field.name_span);
}

/* list[i]; tensor[i]: part i along the first axis; record["name"], and record[0] where the
 * name is a number, as of a layer. */
static Value elab_index(Elab *e, Env env, const Ast *ast) {
    Value of = elab_expression(e, env, ast->index.of);
    Value at = elab_expression(e, env, ast->index.at);
    if (of.kind == VALUE_unknown || at.kind == VALUE_unknown) return value_unknown;
    if (of.kind == VALUE_tensor) {
        Value arg[] = {of, at, value_int(0)};
        return elab_call(e, closure_builtin(e, builtin_find("take")), arg, 3, ast->span);
    }
    if (of.kind == VALUE_record && (at.kind == VALUE_int || at.kind == VALUE_string)) {
        const char *name = at.kind == VALUE_string
                               ? at.text
                               : arena_print(e->arena, "%" PRId64, at.integer);
        return field_of(e, &of, name, ast->index.at->span);
    }
    if (of.kind != VALUE_list || at.kind != VALUE_int) {
        elab_error(e, ast->span, "an index wants a list and a number, found %s and %s",
                   elab_words(e, &of), elab_words(e, &at));
        return value_unknown;
    }
    int64_t i = at.integer < 0 ? at.integer + of.list.count : at.integer;
    if (i >= 0 && i < of.list.count) return of.list.at[i];
    elab_error(e, ast->index.at->span, "index %" PRId64 " of a list of %u", at.integer,
               of.list.count);
    return value_unknown;
}

static Value elab_logic(Elab *e, Env env, const Ast *ast) {
    bool is_or = ast->binary.op == BINARY_or, left, right;
    Value a = elab_expression(e, env, ast->binary.left);
    bool known = a.kind == VALUE_bool;
    if (known && a.truth == is_or) return a;
    Value b = elab_expression(e, env, ast->binary.right);
    if (a.kind == VALUE_tensor || b.kind == VALUE_tensor)
        return elab_scalar(e, is_or ? OP_or : OP_and, (Value[]){a, b}, 2, ast->span);
    bool a_known = elab_truth(e, &a, ast->binary.left->span, &left);
    bool b_known = elab_truth(e, &b, ast->binary.right->span, &right);
    if (b_known && right == is_or) return b;
    if (!a_known || !b_known) return value_unknown;
    return value_bool(is_or ? left || right : left && right);
}

static Value elab_unary(Elab *e, Env env, const Ast *ast) {
    Value of = elab_expression(e, env, ast->unary.of);
    if (ast->unary.op == UNARY_neg) return elab_negate(e, of, ast->span);
    bool truth;
    if (of.kind == VALUE_tensor) return elab_scalar(e, OP_not, &of, 1, ast->span);
    return elab_truth(e, &of, ast->span, &truth) ? value_bool(!truth) : value_unknown;
}

static Value elab_else(Elab *e, Env env, const Ast *ast) {
    if (!ast) return value_none;
    return ast->kind == AST_if ? elab_expression(e, env, ast) : elab_block(e, env, ast);
}

/* Only the branch that holds is elaborated.  Checked alone, a function may not know which:
 * then both are, for their mistakes. */
static Value elab_if(Elab *e, Env env, const Ast *ast) {
    Value condition = elab_expression(e, env, ast->branch.condition);
    bool truth;
    if (elab_truth(e, &condition, ast->branch.condition->span, &truth))
        return truth ? elab_block(e, env, ast->branch.then)
                     : elab_else(e, env, ast->branch.otherwise);
    elab_block(e, env, ast->branch.then);
    elab_else(e, env, ast->branch.otherwise);
    return value_unknown;
}

static Value elab_number(const Ast *ast) {
    if (!ast->number.is_integer || ast->number.value > (double)DIM_LIMIT)
        return value_real(ast->number.value);
    return value_int((int64_t)ast->number.value);
}

static Value elab_rest(Elab *e, Env env, const Ast *ast) {
    const Value *v = env_find(&env, "...");
    if (v) return *v;
    elab_error(e, ast->span, "`...` stands for no axes here");
    elab_hint(e, "it needs a parameter with `...` in its type, as x: f32[..., C]");
    return value_unknown;
}

/* The left side first: mistakes and random sites are numbered in the order of the text. */
static Value elab_arithmetic(Elab *e, Env env, const Ast *ast) {
    const Value left = elab_expression(e, env, ast->binary.left);
    const Value right = elab_expression(e, env, ast->binary.right);
    return elab_binary(e, ast->binary.op, left, right, ast->span);
}

static Value elab_node(Elab *e, Env env, const Ast *ast) {
    switch (ast->kind) {
    case AST_error: return value_unknown;
    case AST_number: return elab_number(ast);
    case AST_string: return value_string(ast->text);
    case AST_bool: return value_bool(ast->truth);
    case AST_name: return elab_name(e, env, ast);
    case AST_rest: return elab_rest(e, env, ast);
    case AST_list: return elab_list(e, env, ast);
    case AST_record: return elab_record(e, env, ast);
    case AST_call: return elab_call_ast(e, env, ast);
    case AST_unary: return elab_unary(e, env, ast);
    case AST_binary:
        if (ast->binary.op == BINARY_and || ast->binary.op == BINARY_or)
            return elab_logic(e, env, ast);
        return elab_arithmetic(e, env, ast);
    case AST_field: return elab_field(e, env, ast);
    case AST_index: return elab_index(e, env, ast);
    case AST_prime: return elab_prime(e, ast);
    case AST_if: return elab_if(e, env, ast);
    case AST_function: return function_value(closure_of(e, ast->function, env));
    case AST_repeat: return elab_repeat(e, env, ast);
    case AST_block: return elab_block(e, env, ast);
    case AST_let:
    case AST_result:
    case AST_param:
    case AST_state:
    case AST_next:
    case AST_every: break;
    }
    bug(e->arena, "a statement stands for an expression");
}

bool elab_work(Elab *e, Span span) {
    if (++e->work <= WORK_LIMIT) return true;
    if (e->work == WORK_LIMIT + 1)
        elab_error(e, span, "the program unfolds into too much work");
    return false;
}

Value elab_expression(Elab *e, Env env, const Ast *ast) {
    if (!elab_work(e, ast->span)) return value_unknown;
    if (e->nodes > NODE_DEPTH) {
        elab_error(e, ast->span, "calls and expressions nest too deeply");
        return value_unknown;
    }
    e->nodes++;
    Value v = elab_node(e, env, ast);
    e->nodes--;
    return v;
}

/* ---- blocks --------------------------------------------------------------------------- */

static Value elab_named(Elab *e, Env env, const Ast *ast) {
    Instance *instance = e->instance;
    const char *outer = instance ? instance->let : NULL;
    bool names_layers = instance && instance->function == e->body;
    if (names_layers) instance->let = ast->define.name;
    Value v = elab_expression(e, env, ast->define.value);
    if (names_layers) instance->let = outer;
    if (ast->define.type && v.kind == VALUE_tensor &&
        !elab_unify(e, &env, ast->define.type, tensor_type(&v),
                    arena_print(e->arena, "`%s`", ast->define.name), ast->span))
        return value_unknown;
    return v;
}

static void add_result(Elab *e, const Ast *ast, Value v) {
    if (!e->results) {
        elab_error(e, ast->span, "a named result belongs in a function");
        return;
    }
    Field field = {ast->define.name, arena_copy(e->arena, &v, sizeof v)};
    for (uint32_t i = 0; i < e->results->fields.count; i++)
        if (!strcmp(e->results->fields.at[i].name, field.name)) {
            e->results->fields.at[i] = field;
            return;
        }
    vec_push(e->arena, &e->results->fields, field);
}

Value elab_block(Elab *e, Env env, const Ast *block) {
    Value last = value_none;
    if (block->kind != AST_block) return elab_expression(e, env, block);
    for (uint32_t i = 0; i < block->list.count; i++) {
        const Ast *ast = block->list.at[i];
        last = value_none;
        switch ((int)ast->kind) {
        case AST_let:
            env = env_bind(e, env, ast->define.name, elab_named(e, env, ast));
            break;
        case AST_result: {
            Value v = elab_named(e, env, ast);
            add_result(e, ast, v);
            env = env_bind(e, env, ast->define.name, v);
            break;
        }
        case AST_param:
        case AST_state: elab_statement_param(e, &env, ast); break;
        case AST_next: elab_next(e, env, ast); break;
        case AST_every: elab_every(e, env, ast); break;
        default: last = elab_expression(e, env, ast); break;
        }
        /* A statement that only checks, and failed: what follows would fail as well. */
        bool is_check = ast->kind == AST_call && i + 1 < block->list.count;
        if (is_check && last.kind == VALUE_unknown) return last;
    }
    return last;
}
