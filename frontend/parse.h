/* Inside of the parser: the cursor over tokens that parse.c, parse_expression.c and
 * parse_item.c share. */
#ifndef TN_FRONTEND_PARSE_H
#define TN_FRONTEND_PARSE_H

#include "frontend/ast.h"
#include "frontend/lex.h"

#define PARSE_DEPTH 200 /* nested expressions, blocks and types */

typedef struct Parser {
    Arena *arena;
    Diag *diag;
    const Token *at;  /* ends in TOKEN_end */
    uint32_t end;     /* where the token before `at` ended */
    uint32_t nesting; /* open ( and [ and record braces: lines do not end there */
    uint32_t depth;   /* of the descent */
    uint32_t height;  /* of the expression parsed last: a chain is a deep tree */
    bool gave_up;     /* nested too deep: the rest of the file is passed over */
    bool panic;       /* a mistake was reported and no safe place reached yet */
} Parser;

bool parse_is(const Parser *p, TokenKind kind);
bool parse_accept(Parser *p, TokenKind kind);
bool parse_expect(Parser *p, TokenKind kind, const char *where);
bool parse_word(Parser *p, const char *word); /* accepts a word that is no keyword */
void parse_skip(Parser *p);
void parse_error(Parser *p, const char *expected);
const char *parse_name(Parser *p, Span *span, const char *what); /* NULL: reported */
Span parse_span(const Parser *p, Span begin); /* from begin to the last token */
bool parse_enter(
    Parser *p); /* false: nested too deep, reported; pairs with parse_leave */
void parse_leave(Parser *p);
bool parse_grow(Parser *p); /* one more on the height; false: too high, reported */

/* parse_expression.c */
Ast *ast_new(Parser *p, AstKind kind, Span span);
Ast *parse_expression(Parser *p);
AstArgs parse_arguments(Parser *p, TokenKind close, TokenKind mark); /* f(a, name = b) */

/* parse_item.c */
Ast *parse_block(Parser *p);
const AstType *parse_type(Parser *p);
const AstFunction *parse_function(Parser *p, FunctionKind kind, bool named);
void parse_item(Parser *p, AstFile *file);

#endif
