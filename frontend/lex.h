/* Tokens of a .tn file. */
#ifndef TN_FRONTEND_LEX_H
#define TN_FRONTEND_LEX_H

#include "base/diag.h"

typedef enum TokenKind {
    TOKEN_end,
    TOKEN_number,
    TOKEN_string,
    TOKEN_name,
#define PUNCT(name, spelling) TOKEN_##name,
#define KEYWORD(name)         TOKEN_##name,
#include "frontend/token.def"
#undef PUNCT
#undef KEYWORD
    TOKEN_COUNT
} TokenKind;

typedef struct Token {
    TokenKind kind;
    bool starts_line; /* the first of its line: where a statement may end before it */
    bool touches;     /* nothing between it and the token before */
    Span span;
    const char *text; /* names and keywords; strings without quotes */
    double number;
    bool is_integer; /* written without point and exponent */
} Token;

typedef VEC(Token) Tokens;

/* The tokens of a source of `diag`, a TOKEN_end last.  Mistakes go to diag; the
 * characters in question are left out. */
Tokens lex(Arena *arena, Diag *diag, uint32_t source);

const char *token_spelling(TokenKind kind); /* as a message shows it: `|>`, a name */

#endif
