/* Tokens of the graph's text. */
#ifndef TN_IR_LEX_H
#define TN_IR_LEX_H

#include "base/diag.h"

typedef enum TokenKind {
    TOKEN_END,
    TOKEN_WORD,   /* f32, conv1.weight */
    TOKEN_STRING, /* "any name", escapes \hh; the token's text is the name itself */
    TOKEN_NUMBER, /* unsigned: 12, 0.5, 1e-3 */
    TOKEN_VALUE,  /* %x, %12, %"odd name" */
    TOKEN_FUNC,   /* @name */
    TOKEN_ARROW,  /* -> */
    TOKEN_MARK,   /* one of  ( ) [ ] { } , : = + - * /  in `mark` */
    TOKEN_WRONG,  /* a byte that begins no token; reported */
} TokenKind;

typedef struct Token {
    TokenKind kind;
    char mark;
    const char *text; /* ends in NUL */
    Span span;
} Token;

typedef struct Lexer {
    Diag *diag;
    Arena *arena;
    uint32_t source, at;
    uint32_t last_end; /* of the token before `token` */
    Token token;       /* the current one */
} Lexer;

void lex_begin(Lexer *lexer, Arena *arena, Diag *diag, uint32_t source);
void lex_next(Lexer *lexer);

static inline bool lex_is(const Lexer *lexer, char mark) {
    return lexer->token.kind == TOKEN_MARK && lexer->token.mark == mark;
}
static inline bool lex_is_word(const Lexer *lexer, const char *word) {
    return lexer->token.kind == TOKEN_WORD && !strcmp(lexer->token.text, word);
}

#endif
