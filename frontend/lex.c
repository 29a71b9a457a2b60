/* The lexer: bytes to tokens.  A file must be UTF-8; outside of comments and strings only
 * ASCII has a meaning. */
#include "frontend/lex.h"
#include <math.h>
#include <stdlib.h>

typedef struct Lexer {
    Arena *arena;
    Diag *diag;
    uint32_t source;
    const char *text;
    uint32_t at, length;
    Tokens tokens;
} Lexer;

static const struct {
    TokenKind kind;
    const char *spelling;
} puncts[] = {
#define PUNCT(name, spelling) {TOKEN_##name, spelling},
#define KEYWORD(name)
#include "frontend/token.def"
#undef PUNCT
#undef KEYWORD
};

static const struct {
    TokenKind kind;
    const char *spelling;
} keywords[] = {
#define PUNCT(name, spelling)
#define KEYWORD(name) {TOKEN_##name, #name},
#include "frontend/token.def"
#undef PUNCT
#undef KEYWORD
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

const char *token_spelling(TokenKind kind) {
    if (kind == TOKEN_end) return "the end of the file";
    if (kind == TOKEN_number) return "a number";
    if (kind == TOKEN_string) return "a string";
    if (kind == TOKEN_name) return "a name";
    for (size_t i = 0; i < COUNT(puncts); i++)
        if (puncts[i].kind == kind) return puncts[i].spelling;
    for (size_t i = 0; i < COUNT(keywords); i++)
        if (keywords[i].kind == kind) return keywords[i].spelling;
    return "?";
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static Span span_from(const Lexer *lexer, uint32_t begin) {
    return (Span){lexer->source, begin, lexer->at};
}

/* Bytes of the UTF-8 sequence at `s`, or 0 where it is none (RFC 3629, no overlong
 * forms). */
static uint32_t utf8_length(const unsigned char *s, uint32_t left) {
    uint32_t n = s[0] < 0x80   ? 1
                 : s[0] < 0xc2 ? 0
                 : s[0] < 0xe0 ? 2
                 : s[0] < 0xf0 ? 3
                 : s[0] < 0xf5 ? 4
                               : 0;
    if (n == 0 || n > left) return 0;
    for (uint32_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
    if (s[0] == 0xed && s[1] > 0x9f) return 0;
    if (s[0] == 0xf0 && s[1] < 0x90) return 0;
    if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
    return n;
}

static bool check_utf8(Lexer *lexer) {
    for (uint32_t i = 0; i < lexer->length;) {
        const unsigned char *s = (const unsigned char *)lexer->text + i;
        uint32_t n = utf8_length(s, lexer->length - i);
        if (n == 0) {
            Span span = {lexer->source, i, i + 1};
            diag_error(lexer->diag, span, "this byte (0x%02x) is not UTF-8", s[0]);
            diag_hint(lexer->diag, "a .tn file is text in UTF-8; save it as such");
            return false;
        }
        i += n;
    }
    return true;
}

/* Skips blanks and comments; tells whether a line ended. */
static bool skip_blanks(Lexer *lexer) {
    bool line = lexer->at == 0;
    while (lexer->at < lexer->length) {
        char c = lexer->text[lexer->at];
        if (c == '#') {
            while (lexer->at < lexer->length && lexer->text[lexer->at] != '\n')
                lexer->at++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            line |= c == '\n';
            lexer->at++;
        } else {
            break;
        }
    }
    return line;
}

static void lex_number(Lexer *lexer, Token *token) {
    const char *text = lexer->text;
    uint32_t begin = lexer->at, at = begin;
    token->is_integer = true;
    while (is_digit(text[at])) at++;
    if (text[at] == '.' && text[at + 1] != '.') {
        token->is_integer = false;
        at++;
        while (is_digit(text[at])) at++;
    }
    if ((text[at] == 'e' || text[at] == 'E') &&
        (is_digit(text[at + 1]) ||
         ((text[at + 1] == '-' || text[at + 1] == '+') && is_digit(text[at + 2])))) {
        token->is_integer = false;
        at += 2;
        while (is_digit(text[at])) at++;
    }
    token->number = strtod(arena_string(lexer->arena, text + begin, at - begin), NULL);
    lexer->at = at;
    if (is_letter(text[at])) {
        while (is_letter(text[lexer->at]) || is_digit(text[lexer->at])) lexer->at++;
        diag_error(lexer->diag, span_from(lexer, begin),
                   "`%.*s` is neither a number nor a name",
                   (int)(lexer->at - begin > 40 ? 40 : lexer->at - begin), text + begin);
        diag_hint(lexer->diag, "a name begins with a letter");
    } else if (!isfinite(token->number)) {
        diag_error(lexer->diag, span_from(lexer, begin),
                   "this number is beyond any float");
        token->number = 0;
    }
}

static void lex_string(Lexer *lexer, Token *token) {
    uint32_t begin = lexer->at++;
    while (lexer->at < lexer->length && lexer->text[lexer->at] != '"' &&
           lexer->text[lexer->at] != '\n')
        lexer->at++;
    token->text =
        arena_string(lexer->arena, lexer->text + begin + 1, lexer->at - begin - 1);
    if (lexer->at < lexer->length && lexer->text[lexer->at] == '"')
        lexer->at++;
    else
        diag_error(lexer->diag, span_from(lexer, begin),
                   "this string does not end on its line");
}

static void lex_word(Lexer *lexer, Token *token) {
    uint32_t begin = lexer->at;
    const char *text = lexer->text;
    while (is_letter(text[lexer->at]) || is_digit(text[lexer->at])) lexer->at++;
    token->text = arena_string(lexer->arena, text + begin, lexer->at - begin);
    for (size_t i = 0; i < COUNT(keywords); i++)
        if (keywords[i].spelling[0] == token->text[0] &&
            !strcmp(keywords[i].spelling, token->text))
            token->kind = keywords[i].kind;
}

static bool lex_punct(Lexer *lexer, Token *token) {
    for (size_t i = 0; i < COUNT(puncts); i++) {
        if (puncts[i].spelling[0] != lexer->text[lexer->at]) continue;
        size_t length = strlen(puncts[i].spelling);
        if (strncmp(lexer->text + lexer->at, puncts[i].spelling, length)) continue;
        token->kind = puncts[i].kind;
        token->text = puncts[i].spelling;
        lexer->at += (uint32_t)length;
        return true;
    }
    return false;
}

static void report_character(Lexer *lexer) {
    uint32_t begin = lexer->at;
    const unsigned char *s = (const unsigned char *)lexer->text + begin;
    lexer->at += utf8_length(s, lexer->length - begin);
    if (s[0] < 0x20 || s[0] == 0x7f)
        diag_error(lexer->diag, span_from(lexer, begin), "a control character (0x%02x)",
                   s[0]);
    else
        diag_error(lexer->diag, span_from(lexer, begin), "`%.*s` has no meaning here",
                   (int)(lexer->at - begin), s);
}

/* One token at a place that is no blank; false where the character was reported. */
static bool lex_token(Lexer *lexer, Token *token) {
    char c = lexer->text[lexer->at];
    if (is_digit(c) || (c == '.' && is_digit(lexer->text[lexer->at + 1]))) {
        token->kind = TOKEN_number;
        lex_number(lexer, token);
    } else if (is_letter(c)) {
        token->kind = TOKEN_name;
        lex_word(lexer, token);
    } else if (c == '"') {
        token->kind = TOKEN_string;
        lex_string(lexer, token);
    } else if (!lex_punct(lexer, token)) {
        report_character(lexer);
        return false;
    }
    return true;
}

Tokens lex(Arena *arena, Diag *diag, uint32_t source) {
    const Source *text = &diag->sources.at[source - 1];
    Lexer lexer = {arena, diag, source, text->text, 0, (uint32_t)text->length, {0}};
    bool line = false;
    if (!check_utf8(&lexer)) lexer.at = lexer.length;
    for (;;) {
        uint32_t before = lexer.at;
        line |= skip_blanks(&lexer);
        Token token = {TOKEN_end, .starts_line = line, .touches = lexer.at == before};
        uint32_t begin = lexer.at;
        bool ended = lexer.at >= lexer.length;
        if (ended || lex_token(&lexer, &token)) {
            token.span = span_from(&lexer, begin);
            vec_push(arena, &lexer.tokens, token);
            line = false;
        }
        if (ended) return lexer.tokens;
    }
}
