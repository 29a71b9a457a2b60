/* The parser's cursor and its two entries.  Recursive descent by hand: after a mistake it
 * is silent until the next statement or item, so that one mistake gives one message. */
#include "frontend/parse.h"

bool parse_is(const Parser *p, TokenKind kind) {
    return p->at->kind == kind;
}

void parse_skip(Parser *p) {
    if (parse_is(p, TOKEN_end)) return;
    p->end = p->at->span.end;
    p->at++;
}

bool parse_accept(Parser *p, TokenKind kind) {
    if (!parse_is(p, kind)) return false;
    parse_skip(p);
    return true;
}

bool parse_word(Parser *p, const char *word) {
    if (!parse_is(p, TOKEN_name) || strcmp(p->at->text, word)) return false;
    parse_skip(p);
    return true;
}

void parse_error(Parser *p, const char *expected) {
    if (p->panic || p->gave_up) return;
    p->panic = true;
    const Token *t = p->at;
    if (t->kind == TOKEN_end)
        diag_error(p->diag, t->span, "expected %s, found the end of the file", expected);
    else if (t->kind == TOKEN_number)
        diag_error(p->diag, t->span, "expected %s, found a number", expected);
    else if (t->kind == TOKEN_string)
        diag_error(p->diag, t->span, "expected %s, found a string", expected);
    else
        diag_error(p->diag, t->span, "expected %s, found `%s`", expected, t->text);
    if (t->kind == TOKEN_close || t->kind == TOKEN_unbracket || t->kind == TOKEN_unbrace)
        return;
    if (t->kind > TOKEN_unbrace && !strcmp(expected, "a name"))
        diag_hint(p->diag, "`%s` is a word of the language", t->text);
}

bool parse_expect(Parser *p, TokenKind kind, const char *where) {
    if (parse_accept(p, kind)) return true;
    parse_error(p, arena_print(p->arena, "`%s` %s", token_spelling(kind), where));
    return false;
}

const char *parse_name(Parser *p, Span *span, const char *what) {
    *span = p->at->span;
    if (parse_is(p, TOKEN_name)) {
        const char *name = p->at->text;
        parse_skip(p);
        return name;
    }
    parse_error(p, what);
    return NULL;
}

Span parse_span(const Parser *p, Span begin) {
    uint32_t end = p->end > begin.begin ? p->end : begin.end;
    return (Span){begin.source, begin.begin, end};
}

static bool too_deep(Parser *p) {
    if (!p->panic && !p->gave_up) {
        diag_error(p->diag, p->at->span, "nested more than %d deep", PARSE_DEPTH);
        diag_hint(p->diag, "name the inner parts with `let` or `fn`");
    }
    p->panic = p->gave_up = true;
    while (!parse_is(p, TOKEN_end)) parse_skip(p);
    return false;
}

bool parse_enter(Parser *p) {
    return p->depth++ < PARSE_DEPTH || too_deep(p);
}

bool parse_grow(Parser *p) {
    return p->height++ < 2 * PARSE_DEPTH || too_deep(p);
}

void parse_leave(Parser *p) {
    p->depth--;
}

static Parser parser_new(Arena *arena, Diag *diag, uint32_t source) {
    Tokens tokens = lex(arena, diag, source);
    return (Parser){.arena = arena, .diag = diag, .at = tokens.at};
}

AstFile *ast_parse(Arena *arena, Diag *diag, uint32_t source) {
    AstFile *file = arena_new(arena, AstFile);
    file->source = source;
    uint32_t errors = diag->errors;
    Parser p = parser_new(arena, diag, source);
    if (parse_is(&p, TOKEN_end) && diag->errors == errors) {
        diag_error(diag, p.at->span, "this file is empty");
        diag_hint(diag, "it should hold `fn`, `net`, `loss` or `train`");
    }
    while (!parse_is(&p, TOKEN_end)) parse_item(&p, file);
    return file;
}

Ast *ast_parse_expression(Arena *arena, Diag *diag, uint32_t source) {
    Parser p = parser_new(arena, diag, source);
    p.nesting = 1;
    Ast *ast = parse_expression(&p);
    if (!parse_is(&p, TOKEN_end)) parse_error(&p, "the end of the expression");
    return ast;
}
