/* The lexer of the graph's text: one token ahead, `#` to the end of a line is a comment. */
#include "ir/lex.h"

static const Source *source_of(const Lexer *lexer) {
    return &lexer->diag->sources.at[lexer->source - 1];
}

/* The byte at `at`; 0 from the end on. */
static char byte_at(const Lexer *lexer, size_t at) {
    const Source *source = source_of(lexer);
    return at < source->length ? source->text[at] : 0;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static uint32_t skip_space(const Lexer *lexer) {
    const Source *source = source_of(lexer);
    uint32_t at = lexer->at;
    while (at < source->length) {
        char c = source->text[at];
        if (c == '#')
            while (at < source->length && source->text[at] != '\n') at++;
        else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            at++;
        else
            break;
    }
    return at;
}

static uint32_t word_end(const Lexer *lexer, uint32_t at) {
    while (is_letter(byte_at(lexer, at)) || is_digit(byte_at(lexer, at)) ||
           byte_at(lexer, at) == '.')
        at++;
    return at;
}

static uint32_t digits_end(const Lexer *lexer, uint32_t at) {
    while (is_digit(byte_at(lexer, at))) at++;
    return at;
}

static uint32_t number_end(const Lexer *lexer, uint32_t at) {
    at = digits_end(lexer, at);
    if (byte_at(lexer, at) == '.') at = digits_end(lexer, at + 1);
    char e = byte_at(lexer, at), sign = byte_at(lexer, at + 1);
    if (e != 'e' && e != 'E') return at;
    uint32_t digits = at + 1 + (sign == '+' || sign == '-');
    return is_digit(byte_at(lexer, digits)) ? digits_end(lexer, digits) : at;
}

static int hex_value(char c) {
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes between the quotes; leaves *at behind the closing one.  NULL: not closed. */
static const char *read_string(const Lexer *lexer, uint32_t *at) {
    Text text;
    text_init(&text, lexer->arena);
    text_puts(&text, "");
    for (++*at;; ++*at) {
        char c = byte_at(lexer, *at);
        if (!c || c == '\n') return NULL;
        if (c == '"') break;
        if (c == '\\') {
            int high = hex_value(byte_at(lexer, *at + 1));
            int low = high < 0 ? -1 : hex_value(byte_at(lexer, *at + 2));
            if (low < 0 || !(high | low)) return NULL;
            c = (char)(16 * high + low);
            *at += 2;
        }
        text_add(&text, &c, 1);
    }
    ++*at;
    return text.at;
}

static const char *copy_bytes(const Lexer *lexer, uint32_t begin, uint32_t end) {
    return arena_string(lexer->arena, source_of(lexer)->text + begin, end - begin);
}

/* Names after % and @: a word, digits or a string. */
static void read_name(Lexer *lexer, Token *token, uint32_t *at) {
    uint32_t begin = *at + 1;
    *at = begin;
    if (byte_at(lexer, begin) == '"') {
        token->text = read_string(lexer, at);
    } else {
        *at = word_end(lexer, begin);
        token->text = *at > begin ? copy_bytes(lexer, begin, *at) : NULL;
    }
    if (!token->text) token->kind = TOKEN_WRONG;
}

static void read_token(Lexer *lexer, Token *token, uint32_t *at) {
    char c = byte_at(lexer, *at);
    uint32_t begin = *at;
    if (c == '%' || c == '@') {
        token->kind = c == '%' ? TOKEN_VALUE : TOKEN_FUNC;
        read_name(lexer, token, at);
    } else if (c == '"') {
        token->text = read_string(lexer, at);
        token->kind = token->text ? TOKEN_STRING : TOKEN_WRONG;
    } else if (is_letter(c) || is_digit(c)) {
        token->kind = is_digit(c) ? TOKEN_NUMBER : TOKEN_WORD;
        *at = is_digit(c) ? number_end(lexer, begin) : word_end(lexer, begin);
        token->text = copy_bytes(lexer, begin, *at);
    } else if (c == '-' && byte_at(lexer, *at + 1) == '>') {
        token->kind = TOKEN_ARROW;
        *at += 2;
    } else {
        token->kind = c && strchr("()[]{},:=+-*/", c) ? TOKEN_MARK : TOKEN_WRONG;
        token->mark = c;
        ++*at;
    }
}

void lex_next(Lexer *lexer) {
    uint32_t at = skip_space(lexer), begin = at;
    Token token = {.kind = TOKEN_END, .text = ""};
    lexer->last_end = lexer->at;
    if (at < source_of(lexer)->length) read_token(lexer, &token, &at);
    if (!token.text) token.text = "";
    token.span = (Span){lexer->source, begin, at};
    lexer->at = at;
    lexer->token = token;
    if (token.kind == TOKEN_WRONG)
        diag_error(lexer->diag, token.span, "this begins no token of the graph's text");
}

void lex_begin(Lexer *lexer, Arena *arena, Diag *diag, uint32_t source) {
    *lexer = (Lexer){.diag = diag, .arena = arena, .source = source};
    lex_next(lexer);
}
