/* Blocks, statements, types, functions, training blocks: all that expressions sit in. */
#include "frontend/parse.h"

const char *const function_word[] = {"fn", "net", "loss", "optimiser"};

/* After a mistake: on to a line that begins with a word of statements, or the block's
 * end. */
static void recover_in_block(Parser *p) {
    if (!p->panic) return;
    uint32_t braces = 0;
    while (!parse_is(p, TOKEN_end)) {
        if (!braces && p->at->starts_line && p->at->kind != TOKEN_brace) break;
        if (!braces && parse_is(p, TOKEN_unbrace)) break;
        braces += parse_is(p, TOKEN_brace);
        braces -= parse_is(p, TOKEN_unbrace);
        parse_skip(p);
    }
    p->panic = false;
}

/* An item begins at the left margin: `let` and `fn` further in belong to a block. */
static bool begins_item(const Parser *p) {
    const Token *token = p->at;
    const char *text = p->diag->sources.at[token->span.source - 1].text;
    if (token->span.begin && text[token->span.begin - 1] != '\n') return false;
    switch ((int)token->kind) {
    case TOKEN_use:
    case TOKEN_fn:
    case TOKEN_net:
    case TOKEN_loss:
    case TOKEN_optimiser:
    case TOKEN_train:
    case TOKEN_type:
    case TOKEN_let: return true;
    default: return false;
    }
}

const AstType *parse_type(Parser *p) {
    AstType *type = arena_new(p->arena, AstType);
    const char *name = parse_name(p, &type->span, "a type such as f32[N, 10]");
    if (!name) return NULL;
    if (!elem_parse(name, &type->elem)) {
        type->alias = name;
        if (!parse_is(p, TOKEN_bracket) || !p->at->touches) return type;
        diag_error(p->diag, type->span, "unknown element type `%s`", name);
        diag_hint(p->diag, "there are f32, f64, i32, u8 and bool");
        p->panic = true;
        return NULL;
    }
    VEC(Ast *) dims = {0};
    if (!parse_expect(p, TOKEN_bracket, "and the dimensions (none for a scalar: f32[])"))
        return NULL;
    p->nesting++;
    while (!parse_is(p, TOKEN_unbracket) && !parse_is(p, TOKEN_end) && !p->panic) {
        vec_push(p->arena, &dims, parse_expression(p));
        if (!parse_accept(p, TOKEN_comma)) break;
    }
    p->nesting--;
    parse_expect(p, TOKEN_unbracket, "after the dimensions");
    type->dim = (AstList){dims.count, dims.at};
    type->span = parse_span(p, type->span);
    return type;
}

static Ast *parse_definition(Parser *p, AstKind kind, Span begin) {
    Ast *ast = ast_new(p, kind, begin);
    ast->define.name = parse_name(p, &ast->define.name_span, "a name");
    if (!ast->define.name) return NULL;
    if (kind != AST_next && parse_accept(p, TOKEN_colon))
        ast->define.type = parse_type(p);
    if (!parse_expect(p, TOKEN_assign, "and a value")) return NULL;
    ast->define.value = parse_expression(p);
    ast->span = parse_span(p, begin);
    return ast;
}

static bool words_follow(const Parser *p, const char *word, const char *then) {
    return parse_is(p, TOKEN_name) && !strcmp(p->at->text, word) &&
           p->at[1].kind == TOKEN_name && (!then || !strcmp(p->at[1].text, then));
}

/* From behind `every`, or at `after epoch`. */
static Ast *parse_every(Parser *p, Span begin, bool after_epoch) {
    Ast *ast = ast_new(p, AST_every, begin);
    if (after_epoch) {
        parse_skip(p);
        parse_skip(p);
    } else {
        ast->every.period = parse_expression(p);
    }
    ast->every.body = parse_block(p);
    ast->span = parse_span(p, begin);
    return ast;
}

static Ast *parse_statement(Parser *p) {
    Span begin = p->at->span;
    if (parse_accept(p, TOKEN_let)) return parse_definition(p, AST_let, begin);
    if (parse_accept(p, TOKEN_param)) return parse_definition(p, AST_param, begin);
    if (parse_accept(p, TOKEN_state)) return parse_definition(p, AST_state, begin);
    if (parse_accept(p, TOKEN_next)) return parse_definition(p, AST_next, begin);
    if (parse_accept(p, TOKEN_every)) return parse_every(p, begin, false);
    if (words_follow(p, "after", "epoch")) return parse_every(p, begin, true);
    if (parse_is(p, TOKEN_name) && p->at[1].kind == TOKEN_assign)
        return parse_definition(p, AST_result, begin);
    return parse_expression(p);
}

static void end_statement(Parser *p) {
    while (parse_accept(p, TOKEN_semicolon)) continue;
    bool ended = p->at->starts_line || parse_is(p, TOKEN_unbrace) ||
                 parse_is(p, TOKEN_end) || p->at[-1].kind == TOKEN_semicolon;
    if (!ended) parse_error(p, "the end of the line or an operator");
    recover_in_block(p);
}

Ast *parse_block(Parser *p) {
    Span begin = p->at->span;
    Ast *ast = ast_new(p, AST_block, begin);
    if (!parse_expect(p, TOKEN_brace, "and a block")) return ast;
    if (!parse_enter(p)) {
        parse_leave(p);
        return ast;
    }
    uint32_t nesting = p->nesting;
    p->nesting = 0;
    VEC(Ast *) statements = {0};
    while (!parse_is(p, TOKEN_unbrace) && !parse_is(p, TOKEN_end)) {
        const Token *before = p->at;
        Ast *statement = parse_statement(p);
        if (statement && !p->panic) vec_push(p->arena, &statements, statement);
        end_statement(p);
        if (p->at == before) parse_skip(p);
    }
    p->nesting = nesting;
    parse_leave(p);
    parse_expect(p, TOKEN_unbrace, "at the end of this block");
    ast->list = (AstList){statements.count, statements.at};
    ast->span = parse_span(p, begin);
    return ast;
}

static bool parse_parameters(Parser *p, uint32_t *count, const AstParam **at) {
    VEC(AstParam) params = {0};
    if (!parse_expect(p, TOKEN_open, "and the parameters")) return false;
    p->nesting++;
    while (!parse_is(p, TOKEN_close) && !parse_is(p, TOKEN_end) && !p->panic) {
        AstParam param = {0};
        param.name = parse_name(p, &param.span, "a name");
        if (!param.name) break;
        if (parse_accept(p, TOKEN_colon)) param.type = parse_type(p);
        if (parse_accept(p, TOKEN_assign)) param.value = parse_expression(p);
        vec_push(p->arena, &params, param);
        if (!parse_accept(p, TOKEN_comma)) break;
    }
    p->nesting--;
    *count = params.count;
    *at = params.at;
    return parse_expect(p, TOKEN_close, "after the parameters");
}

/* From behind the word fn, net, ... */
const AstFunction *parse_function(Parser *p, FunctionKind kind, bool named) {
    AstFunction *function = arena_new(p->arena, AstFunction);
    function->kind = kind;
    function->span = named ? p->at->span : p->at[-1].span;
    function->body = ast_new(p, AST_error, function->span);
    if (named && !(function->name = parse_name(p, &function->span, "a name")))
        return function;
    if (!parse_parameters(p, &function->params, &function->param)) return function;
    if (parse_accept(p, TOKEN_arrow)) function->result = parse_type(p);
    if (p->panic) return function;
    if (parse_is(p, TOKEN_brace)) {
        function->body = parse_block(p);
    } else if (parse_accept(p, TOKEN_assign)) {
        function->body = parse_expression(p);
    } else {
        parse_error(p, "`= value` or `{ ... }`");
    }
    return function;
}

typedef struct TrainParts {
    VEC(AstArg) fields;
    VEC(Ast *) statements;
    VEC(const AstTrain *) phases;
} TrainParts;

static void parse_train_part(Parser *p, TrainParts *parts, bool is_phase);

static bool parse_train_body(Parser *p, AstTrain *train, bool is_phase) {
    TrainParts parts = {0};
    if (!parse_expect(p, TOKEN_brace, "and the fields")) return false;
    while (!parse_is(p, TOKEN_unbrace) && !parse_is(p, TOKEN_end)) {
        const Token *before = p->at;
        parse_train_part(p, &parts, is_phase);
        parse_accept(p, TOKEN_comma);
        end_statement(p);
        if (p->at == before) parse_skip(p);
    }
    parse_expect(p, TOKEN_unbrace, "at the end of this block");
    train->fields = (AstArgs){parts.fields.count, parts.fields.at};
    train->statements = (AstList){parts.statements.count, parts.statements.at};
    train->phases = parts.phases.count;
    train->phase = parts.phases.at;
    return true;
}

static void parse_phase(Parser *p, TrainParts *parts) {
    AstTrain *phase = arena_new(p->arena, AstTrain);
    parse_skip(p);
    phase->name = parse_name(p, &phase->span, "a name");
    if (phase->name && parse_train_body(p, phase, true))
        vec_push(p->arena, &parts->phases, phase);
}

static void parse_field(Parser *p, TrainParts *parts) {
    AstArg field = {p->at->text, p->at->span, NULL};
    parse_skip(p);
    parse_skip(p);
    field.value = parse_expression(p);
    vec_push(p->arena, &parts->fields, field);
}

/* field = value, let, state, every, after epoch, phase. */
static void parse_train_part(Parser *p, TrainParts *parts, bool is_phase) {
    bool word = parse_is(p, TOKEN_name) || p->at->kind > TOKEN_unbrace;
    bool begins_statement = parse_is(p, TOKEN_let) || parse_is(p, TOKEN_state) ||
                            parse_is(p, TOKEN_every) || words_follow(p, "after", "epoch");
    if (!is_phase && words_follow(p, "phase", NULL)) {
        parse_phase(p, parts);
    } else if (begins_statement) {
        Ast *ast = parse_statement(p);
        if (ast && !p->panic) vec_push(p->arena, &parts->statements, ast);
    } else if (word && p->at[1].kind == TOKEN_assign) {
        parse_field(p, parts);
    } else {
        parse_error(p, is_phase ? "a field `name = value`, `let`, `state`, `every n` or "
                                  "`after epoch`"
                                : "a field `name = value`, `let`, `state`, `every n`, "
                                  "`after epoch` or `phase`");
        parse_skip(p);
    }
}

/* train name(parameters) { ... } */
static void parse_train(Parser *p, AstFile *file) {
    AstTrain *train = arena_new(p->arena, AstTrain);
    train->name = parse_name(p, &train->span, "a name");
    if (!train->name) return;
    if (parse_is(p, TOKEN_open) && !parse_parameters(p, &train->params, &train->param))
        return;
    if (parse_train_body(p, train, false)) vec_push(p->arena, &file->trains, train);
}

static void parse_named(Parser *p, AstFile *file, FunctionKind kind) {
    const AstFunction *function = parse_function(p, kind, true);
    if (function->name) vec_push(p->arena, &file->functions, function);
}

static void parse_alias(Parser *p, AstFile *file) {
    AstAlias alias = {0};
    alias.name = parse_name(p, &alias.span, "a name");
    if (!alias.name || !parse_expect(p, TOKEN_assign, "and a type")) return;
    alias.type = parse_type(p);
    if (alias.type) vec_push(p->arena, &file->aliases, alias);
}

static void parse_use(Parser *p, AstFile *file) {
    AstUse use = {p->at->text, p->at->span};
    if (parse_expect(p, TOKEN_string, "with the path of a file"))
        vec_push(p->arena, &file->uses, use);
}

void parse_item(Parser *p, AstFile *file) {
    Span begin = p->at->span;
    p->nesting = p->depth = 0;
    p->panic = false;
    if (parse_accept(p, TOKEN_fn))
        parse_named(p, file, FUNCTION_fn);
    else if (parse_accept(p, TOKEN_net))
        parse_named(p, file, FUNCTION_net);
    else if (parse_accept(p, TOKEN_loss))
        parse_named(p, file, FUNCTION_loss);
    else if (parse_accept(p, TOKEN_optimiser))
        parse_named(p, file, FUNCTION_optimiser);
    else if (parse_accept(p, TOKEN_train))
        parse_train(p, file);
    else if (parse_accept(p, TOKEN_type))
        parse_alias(p, file);
    else if (parse_accept(p, TOKEN_use))
        parse_use(p, file);
    else if (parse_accept(p, TOKEN_let)) {
        Ast *let = parse_definition(p, AST_let, begin);
        if (let) vec_push(p->arena, &file->lets, let);
    } else {
        parse_error(p,
                    "`fn`, `net`, `loss`, `optimiser`, `train`, `type`, `let` or `use`");
        parse_skip(p);
    }
    if (!p->panic && !p->at->starts_line && !parse_is(p, TOKEN_end))
        parse_error(p, "the end of the line or an operator");
    while (p->panic && !parse_is(p, TOKEN_end) && !begins_item(p)) parse_skip(p);
}
