/* The graph's text back into a module (print.c shows the form).  Stops at the first mistake,
 * which is reported with its place; types that the text states are compared with the rules. */
#include "ir/names.h"
#include "ir/parse_parts.h"

/* Hashed names of the values of one function. */
typedef struct Names {
    const char **name; /* [size], a power of two; NULL: free */
    Val *value;
    uint32_t size, used;
} Names;

/* A result in the function's head, which names values of the body. */
typedef struct Pending {
    Token value, alias; /* alias.kind TOKEN_END: none */
    const char *name;
    Role role;
} Pending;

typedef struct FuncParser {
    Parser *p;
    Func *func;
    Names names;
    VEC(Pending) results;
} FuncParser;

static uint32_t hash_name(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

static uint32_t names_slot(const Names *names, const char *name) {
    uint32_t at = hash_name(name) & (names->size - 1);
    while (names->name[at] && strcmp(names->name[at], name))
        at = (at + 1) & (names->size - 1);
    return at;
}

static void names_grow(Names *names, Arena *arena) {
    Names old = *names;
    names->size = old.size ? 2 * old.size : 64;
    names->name = arena_array(arena, const char *, names->size);
    names->value = arena_array(arena, Val, names->size);
    for (uint32_t i = 0; i < old.size; i++) {
        if (!old.name[i]) continue;
        uint32_t at = names_slot(names, old.name[i]);
        names->name[at] = old.name[i];
        names->value[at] = old.value[i];
    }
}

static Val names_find(const Names *names, const char *name) {
    if (!names->size) return NO_VAL;
    uint32_t at = names_slot(names, name);
    return names->name[at] ? names->value[at] : NO_VAL;
}

static bool define(FuncParser *f, const Token *token, Val value) {
    if (names_find(&f->names, token->text) != NO_VAL)
        return part_error(f->p, token->span, "%%%s is defined twice", token->text);
    if (2 * f->names.used >= f->names.size) names_grow(&f->names, f->p->lexer.arena);
    uint32_t at = names_slot(&f->names, token->text);
    f->names.name[at] = token->text;
    f->names.value[at] = value;
    f->names.used++;
    return true;
}

static Val lookup(FuncParser *f, const Token *token) {
    Val value = names_find(&f->names, token->text);
    if (value == NO_VAL)
        part_error(f->p, token->span, "%%%s is not defined", token->text);
    return value;
}

static bool find_word(const char *const *words, int count, const char *word, int *index) {
    for (int i = 0; i < count; i++)
        if (!strcmp(words[i], word)) return *index = i, true;
    return false;
}

static bool parse_role(Parser *p, Role *role) {
    int index;
    if (!find_word(role_words, ROLE_COUNT, p->lexer.token.text, &index))
        return part_error(p, p->lexer.token.span, "`%s` is no role", p->lexer.token.text);
    *role = (Role)index;
    lex_next(&p->lexer);
    return true;
}

static bool parse_param(FuncParser *f) {
    Parser *p = f->p;
    Role role = ROLE_INPUT;
    Type type;
    if (p->lexer.token.kind == TOKEN_WORD && !parse_role(p, &role)) return false;
    Token name = p->lexer.token;
    if (!part_expect(p, TOKEN_VALUE, "a parameter, %name") || !part_mark(p, ':') ||
        !part_type(p, &type))
        return false;
    if (type.parts) return part_error(p, name.span, "a parameter cannot be a tuple");
    /* %3 is a place, not a name. */
    const char *text = name_is_number(name.text) ? "" : name.text;
    Val value = func_param(f->func, text, role, type, name.span);
    return define(f, &name, value);
}

static bool parse_result(FuncParser *f) {
    Parser *p = f->p;
    Pending result = {.role = ROLE_OUTPUT};
    for (int words = 0;
         p->lexer.token.kind == TOKEN_WORD || p->lexer.token.kind == TOKEN_STRING;
         words++) {
        Token word = p->lexer.token;
        Lexer ahead = p->lexer;
        lex_next(&ahead);
        if (lex_is(&ahead, '=')) {
            result.name = word.text;
            lex_next(&p->lexer);
            lex_next(&p->lexer);
            break;
        }
        if (words)
            return part_error(p, word.span, "`=` expected after the result's name");
        if (!parse_role(p, &result.role)) return false;
    }
    result.value = p->lexer.token;
    if (!part_expect(p, TOKEN_VALUE, "a result, %value")) return false;
    if (lex_is_word(&p->lexer, "alias")) {
        lex_next(&p->lexer);
        result.alias = p->lexer.token;
        if (!part_expect(p, TOKEN_VALUE, "a parameter, %name")) return false;
    }
    vec_push(p->lexer.arena, &f->results, result);
    return true;
}

static bool parse_ports(FuncParser *f, bool (*parse)(FuncParser *f)) {
    if (!part_mark(f->p, '(')) return false;
    while (!lex_is(&f->p->lexer, ')')) {
        if (!parse(f)) return false;
        if (lex_is(&f->p->lexer, ')')) break;
        if (!part_mark(f->p, ',')) return false;
    }
    return part_mark(f->p, ')');
}

/* The words of all ops, for a suggestion. */
static bool unknown_op(Parser *p, const Token *token) {
    const char *names[OP_COUNT];
    for (int i = 0; i < OP_COUNT; i++) names[i] = op_info[i].name;
    part_error(p, token->span, "there is no op `%s`", token->text);
    const char *near = nearest_word(token->text, names, OP_COUNT);
    if (near) diag_hint(p->lexer.diag, "did you mean `%s`?", near);
    return false;
}

static bool parse_operands(FuncParser *f, ValList *args) {
    Parser *p = f->p;
    while (p->lexer.token.kind == TOKEN_VALUE) {
        Token token = p->lexer.token;
        Val value = lookup(f, &token);
        if (value == NO_VAL) return false;
        vec_push(p->lexer.arena, args, value);
        lex_next(&p->lexer);
        if (!lex_is(&p->lexer, ',')) return true;
        lex_next(&p->lexer);
        if (p->lexer.token.kind != TOKEN_VALUE)
            return part_error(p, p->lexer.token.span, "an operand expected");
    }
    return true;
}

/* ": f32[N, 2]" must be what the rule gave. */
static bool check_stated_type(FuncParser *f, Val value) {
    Parser *p = f->p;
    Type stated;
    if (!lex_is(&p->lexer, ':')) return true;
    lex_next(&p->lexer);
    Span span = p->lexer.token.span;
    if (!part_type(p, &stated)) return false;
    if (type_equal(&stated, graph_type(f->func, value))) return true;
    Text text;
    text_init(&text, p->lexer.arena);
    type_print(&p->module->dims, graph_type(f->func, value), &text);
    return part_error(p, span, "the type is %s, the text states another", text.at);
}

static bool parse_node(FuncParser *f) {
    Parser *p = f->p;
    Token name = p->lexer.token, word;
    ValList args = {0};
    AttrList attrs = {0};
    Op op;
    if (!part_expect(p, TOKEN_VALUE, "a value, %name, or }") || !part_mark(p, '='))
        return false;
    word = p->lexer.token;
    if (!part_expect(p, TOKEN_WORD, "an op")) return false;
    if (!op_parse(word.text, &op)) return unknown_op(p, &word);
    if (!parse_operands(f, &args) || !part_attrs(p, &attrs)) return false;
    Span span = {name.span.source, name.span.begin, p->lexer.last_end};
    uint32_t errors = p->lexer.diag->errors;
    Val value = graph_emit(f->func, op, args.at, args.count, attrs.at, attrs.count, span);
    if (value == NO_VAL) {
        if (p->lexer.diag->errors == errors) part_error(p, span, "this node is wrong");
        return false;
    }
    return define(f, &name, value) && check_stated_type(f, value);
}

static bool resolve_results(FuncParser *f) {
    for (uint32_t i = 0; i < f->results.count; i++) {
        const Pending *pending = &f->results.at[i];
        Val value = lookup(f, &pending->value), alias = NO_VAL;
        if (value == NO_VAL) return false;
        if (graph_type(f->func, value)->parts)
            return part_error(f->p, pending->value.span, "a result cannot be a tuple");
        if (pending->alias.kind == TOKEN_VALUE) {
            alias = lookup(f, &pending->alias);
            if (alias == NO_VAL) return false;
            if (alias >= f->func->params.count)
                return part_error(f->p, pending->alias.span, "%%%s is no parameter",
                                  pending->alias.text);
        }
        func_result(f->func, pending->name, pending->role, value,
                    alias == NO_VAL ? -1 : (int32_t)alias);
    }
    return true;
}

static bool parse_func(Parser *p, FuncKind kind) {
    lex_next(&p->lexer);
    Token name = p->lexer.token;
    if (!part_expect(p, TOKEN_FUNC, "the function's name, @name")) return false;
    if (module_find(p->module, name.text))
        return part_error(p, name.span, "@%s is defined twice", name.text);
    /* It enters the module when it is complete, so that it cannot call itself. */
    Func *func = arena_new(p->module->arena, Func);
    *func = (Func){.module = p->module, .kind = kind, .name = name.text};
    FuncParser f = {.p = p, .func = func};
    if (!parse_ports(&f, parse_param) || !part_expect(p, TOKEN_ARROW, "->") ||
        !parse_ports(&f, parse_result) || !part_mark(p, '{'))
        return false;
    while (!lex_is(&p->lexer, '}'))
        if (!parse_node(&f)) return false;
    lex_next(&p->lexer);
    if (!resolve_results(&f)) return false;
    vec_push(p->module->arena, &p->module->funcs, func);
    return true;
}

static bool parse_symbol(Parser *p) {
    lex_next(&p->lexer);
    Token name = p->lexer.token;
    int64_t max = 0;
    if (!part_expect(p, TOKEN_WORD, "the symbol's name")) return false;
    if (part_find_symbol(p, name.text))
        return part_error(p, name.span, "symbol %s is declared twice", name.text);
    if (lex_is_word(&p->lexer, "max")) {
        lex_next(&p->lexer);
        Span span = p->lexer.token.span;
        if (!part_int(p, &max)) return false;
        if (max < 1 || max > DIM_LIMIT)
            return part_error(p, span, "the maximum must be in [1, 2^46]");
    }
    dim_symbol(&p->module->dims, name.text, max);
    return true;
}

static bool parse_head(Parser *p) {
    int stage;
    if (!lex_is_word(&p->lexer, "module"))
        return part_error(p, p->lexer.token.span, "`module` expected");
    lex_next(&p->lexer);
    if (p->lexer.token.kind != TOKEN_WORD) return true;
    if (find_word(stage_words, STAGE_COUNT, p->lexer.token.text, &stage)) {
        p->module->stage = (Stage)stage;
        lex_next(&p->lexer);
    }
    return true;
}

static bool parse_module(Parser *p) {
    if (!parse_head(p)) return false;
    while (p->lexer.token.kind != TOKEN_END) {
        static const struct {
            const char *word;
            FuncKind kind;
        } kinds[] = {{"func", FUNC_ENTRY}, {"body", FUNC_BODY}, {"group", FUNC_GROUP}};
        int at = 0;
        while (at < 3 && !lex_is_word(&p->lexer, kinds[at].word)) at++;
        if (at < 3) {
            if (!parse_func(p, kinds[at].kind)) return false;
        } else if (lex_is_word(&p->lexer, "symbol")) {
            if (!parse_symbol(p)) return false;
        } else {
            return part_error(p, p->lexer.token.span,
                              "`func`, `body`, `group` or `symbol` expected");
        }
    }
    return true;
}

Module *graph_parse(Arena *arena, Diag *diag, uint32_t source) {
    Parser parser = {.module = module_new(arena, diag)};
    if (diag->sources.at[source - 1].length > INT32_MAX) {
        diag_error(diag, (Span){source, 0, 0}, "the text is longer than 2 GiB");
        return NULL;
    }
    lex_begin(&parser.lexer, arena, diag, source);
    if (!parse_module(&parser)) return NULL;
    const char *wrong = graph_verify(parser.module, arena);
    if (!wrong) return parser.module;
    diag_error(diag, (Span){source, 0, 0}, "%s", wrong);
    return NULL;
}
