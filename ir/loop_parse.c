/* Reads what loop_print writes.  The first mistake ends the reading; type mismatches that
 * the constructors find are reported at the token where they were noticed. */
#include "ir/loop.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 200
#define LANES_MAX 256

typedef enum TokenKind { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_SIGN } TokenKind;

typedef struct Token {
    TokenKind kind;
    const char *at;
    uint32_t length;
} Token;

/* What a name stands for. */
typedef struct Binding {
    const char *name;
    const Expr *value;
    const Buffer *buffer;
    const Var *mutable;
} Binding;

typedef struct Parser {
    Arena *arena;
    Diag *diag;
    uint32_t source, depth;
    const char *text, *end;
    Token token; /* the next one */
    VEC(Binding) scope;
    Kernel *kernel;
    Guard guard;
} Parser;

_Noreturn static void fail(Parser *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static Span span_of(const Parser *p, Token token) {
    uint32_t begin = (uint32_t)(token.at - p->text);
    return (Span){p->source, begin, begin + token.length};
}

static void fail(Parser *p, const char *format, ...) {
    char words[200];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    diag_error(p->diag, span_of(p, p->token), "%s", words);
    guard_raise(&p->guard, STATUS_INPUT, "%s", words);
}

/* Tokens. */

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static const char *skip_blank(const char *at, const char *end) {
    for (;;) {
        while (at < end && isspace((unsigned char)*at)) at++;
        if (at == end || *at != '#') return at;
        while (at < end && *at != '\n') at++;
    }
}

static const char *number_end(const char *at, const char *end) {
    for (; at < end; at++) {
        bool exponent = (at[-1] == 'e' || at[-1] == 'E') && (*at == '-' || *at == '+');
        if (!is_word(*at) && *at != '.' && !exponent) break;
    }
    return at;
}

static void next(Parser *p) {
    static const char *const doubles[] = {"<=", ">=", "==", "!=", "&&", "||"};
    const char *at = skip_blank(p->token.at + p->token.length, p->end), *end = at;
    TokenKind kind = TOKEN_SIGN;
    if (at == p->end) {
        kind = TOKEN_END;
    } else if (isdigit((unsigned char)*at)) {
        kind = TOKEN_NUMBER;
        end = number_end(at + 1, p->end);
    } else if (is_word(*at)) {
        kind = TOKEN_NAME;
        while (end < p->end && is_word(*end)) end++;
    } else {
        end = at + 1;
        for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
            if (p->end - at > 1 && !memcmp(at, doubles[i], 2)) end = at + 2;
    }
    p->token = (Token){kind, at, (uint32_t)(end - at)};
}

static bool is(const Parser *p, const char *word) {
    return p->token.kind != TOKEN_END && p->token.length == strlen(word) &&
           !memcmp(p->token.at, word, p->token.length);
}

static bool take(Parser *p, const char *word) {
    if (!is(p, word)) return false;
    next(p);
    return true;
}

static void want(Parser *p, const char *word) {
    if (!take(p, word)) fail(p, "expected \"%s\"", word);
}

static const char *name(Parser *p) {
    if (p->token.kind != TOKEN_NAME) fail(p, "expected a name");
    const char *text = arena_string(p->arena, p->token.at, p->token.length);
    next(p);
    return text;
}

static double real(Parser *p, char *suffix) {
    char digits[64], *end;
    if (p->token.kind != TOKEN_NUMBER || p->token.length >= sizeof digits)
        fail(p, "expected a number");
    memcpy(digits, p->token.at, p->token.length);
    digits[p->token.length] = 0;
    double value = strtod(digits, &end);
    *suffix = *end;
    if (*end && (end[1] || !strchr("iud", *end)))
        fail(p, "a number with an unknown ending");
    return value;
}

static int64_t integer(Parser *p) {
    char digits[24], *end;
    bool minus = take(p, "-");
    if (p->token.kind != TOKEN_NUMBER || p->token.length >= sizeof digits)
        fail(p, "expected an integer");
    memcpy(digits, p->token.at, p->token.length);
    digits[p->token.length] = 0;
    errno = 0;
    int64_t value = strtoll(digits, &end, 10);
    if (*end || errno) fail(p, "expected an integer");
    next(p);
    return minus ? -value : value;
}

static int64_t integer_in(Parser *p, int64_t low, int64_t high) {
    Token at = p->token;
    int64_t value = integer(p);
    if (value >= low && value <= high) return value;
    p->token = at;
    fail(p, "a number from %lld to %lld is wanted", (long long)low, (long long)high);
}

/* Names. */

static void bind(Parser *p, Binding binding) {
    vec_push(p->arena, &p->scope, binding);
}

static const Binding *look_up(Parser *p) {
    if (p->token.kind != TOKEN_NAME) fail(p, "expected a name");
    for (uint32_t i = p->scope.count; i-- > 0;) {
        const char *known = p->scope.at[i].name;
        if (!is(p, known)) continue;
        next(p);
        return &p->scope.at[i];
    }
    fail(p, "nothing here is called \"%.*s\"", (int)p->token.length, p->token.at);
}

static const Buffer *buffer(Parser *p) {
    Token at = p->token;
    const Buffer *found = look_up(p)->buffer;
    if (found) return found;
    p->token = at;
    fail(p, "\"%.*s\" is no buffer", (int)at.length, at.at);
}

static Elem elem(Parser *p) {
    Token at = p->token;
    Elem found;
    if (elem_parse(name(p), &found)) return found;
    p->token = at;
    fail(p, "expected an element type");
}

/* f32, f32x16, index */
static bool type(Parser *p, Elem *found, uint32_t *lanes) {
    Token at = p->token;
    char *word = arena_print(p->arena, "%s", name(p)), *x = strrchr(word, 'x'), *end = "";
    *lanes = 1;
    if (!strcmp(word, "index")) return true;
    if (x) {
        *lanes = (uint32_t)strtoul(x + 1, &end, 10);
        *x = 0;
    }
    if (elem_parse(word, found) && !*end && *lanes >= 1 && *lanes <= LANES_MAX)
        return false;
    p->token = at;
    fail(p, "expected a type");
}

/* Expressions. */

static const Expr *expr(Parser *p, int bind);

typedef struct Place {
    const Buffer *buffer;
    const Expr *index, *active;
    uint32_t lanes;
    int64_t stride;
} Place;

static Place place_in(Parser *p, const Buffer *base) {
    Place place = {.buffer = base, .lanes = 1, .stride = 1};
    want(p, "[");
    place.index = expr(p, 0);
    if (take(p, ":")) {
        place.lanes = (uint32_t)integer_in(p, 1, LANES_MAX);
        if (take(p, "by")) place.stride = integer(p);
        if (take(p, "active")) place.active = expr(p, 0);
    }
    want(p, "]");
    return place;
}

static Place place(Parser *p) {
    return place_in(p, buffer(p));
}

static const Expr *number(Parser *p) {
    char suffix;
    bool whole = !memchr(p->token.at, '.', p->token.length) &&
                 !memchr(p->token.at, 'e', p->token.length);
    double value = real(p, &suffix);
    if (!suffix && whole) return expr_int(p->arena, integer(p));
    next(p);
    Elem of = suffix == 'd'   ? ELEM_f64
              : suffix == 'i' ? ELEM_i32
              : suffix == 'u' ? ELEM_u8
                              : ELEM_f32;
    return expr_num(p->arena, of, 1, value);
}

/* Calls: name, number of operands, what to build. */
static uint32_t arguments(Parser *p, const Expr *arg[5], uint32_t wanted) {
    uint32_t count = 0;
    want(p, "(");
    while (!is(p, ")")) {
        if (count == wanted) fail(p, "more than %u operands", wanted);
        if (count) want(p, ",");
        arg[count++] = expr(p, 0);
    }
    if (count != wanted) fail(p, "%u operands where %u are wanted", count, wanted);
    next(p);
    return count;
}

/* A word and a number: splat16, ramp8, bits3. */
static bool numbered(const char *word, const char *stem, uint32_t *number) {
    size_t length = strlen(stem);
    char *end;
    if (strncmp(word, stem, length) || !isdigit((unsigned char)word[length]))
        return false;
    unsigned long value = strtoul(word + length, &end, 10);
    *number = (uint32_t)value;
    return !*end && value <= LANES_MAX;
}

static const Expr *gather(Parser *p) {
    want(p, "(");
    const Buffer *from = buffer(p);
    want(p, ",");
    const Expr *index = expr(p, 0);
    want(p, ",");
    const Expr *offsets = expr(p, 0);
    want(p, ")");
    return expr_gather(p->arena, from, index, offsets);
}

static const Expr *call(Parser *p, const char *word, Token at) {
    Arena *a = p->arena;
    const Expr *arg[5] = {NULL};
    Elem to;
    Op op;
    uint32_t number;
    if (!strcmp(word, "gather")) return gather(p);
    if (!strcmp(word, "fma"))
        return arguments(p, arg, 3), expr_fma(a, arg[0], arg[1], arg[2]);
    if (!strcmp(word, "select"))
        return arguments(p, arg, 3), expr_select(a, arg[0], arg[1], arg[2]);
    if (!strcmp(word, "index")) return arguments(p, arg, 1), expr_index(a, arg[0]);
    if (elem_parse(word, &to)) return arguments(p, arg, 1), expr_cast(a, arg[0], to);
    if (numbered(word, "splat", &number))
        return arguments(p, arg, 1), expr_splat(a, arg[0], number);
    if (numbered(word, "ramp", &number))
        return arguments(p, arg, 1), expr_ramp(a, arg[0], number);
    if (numbered(word, "bits", &number))
        return arguments(p, arg, 5), expr_bits(a, arg, arg[4], number);
    if (!strncmp(word, "reduce_", 7) && op_parse(word + 7, &op))
        return arguments(p, arg, 1), expr_reduce(a, op, arg[0]);
    if (op_parse(word, &op) && scalar_info(op).class != SCALAR_NONE) {
        arguments(p, arg, (uint32_t)scalar_info(op).args);
        return expr_scalar(a, op, arg[0], arg[1]);
    }
    p->token = at;
    fail(p, "no operation is called \"%s\"", word);
}

static const Expr *named(Parser *p) {
    static const struct {
        const char *word;
        Elem elem;
        double value;
    } constants[] = {
        {"true", ELEM_bool, 1},       {"false", ELEM_bool, 0},
        {"inf", ELEM_f32, HUGE_VAL},  {"nan", ELEM_f32, __builtin_nan("")},
        {"infd", ELEM_f64, HUGE_VAL}, {"nand", ELEM_f64, __builtin_nan("")},
    };
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (take(p, constants[i].word))
            return expr_num(p->arena, constants[i].elem, 1, constants[i].value);
    Token at = p->token;
    const char *word = name(p);
    if (is(p, "(")) return call(p, word, at);
    p->token = at;
    const Binding *found = look_up(p);
    if (found->value) return found->value;
    Place from = place_in(p, found->buffer);
    return expr_load(p->arena, from.buffer, from.index, from.lanes, from.stride,
                     from.active);
}

static const Expr *operand(Parser *p) {
    if (p->token.kind == TOKEN_NUMBER) return number(p);
    if (take(p, "!")) return expr_scalar(p->arena, OP_not, expr(p, 6), NULL);
    if (take(p, "-")) {
        const Expr *x = expr(p, 6);
        return x->is_index ? expr_mul(p->arena, x, -1)
                           : expr_scalar(p->arena, OP_neg, x, NULL);
    }
    if (!take(p, "(")) return named(p);
    const Expr *inner = expr(p, 0);
    want(p, ")");
    return inner;
}

/* ORDER BINDING */
static const struct {
    const char *sign;
    int bind;
    Op op;
} operators[] = {
    {"||", 1, OP_or}, {"&&", 2, OP_and}, {"<", 3, OP_lt},  {"<=", 3, OP_le},
    {">", 3, OP_gt},  {">=", 3, OP_ge},  {"==", 3, OP_eq}, {"!=", 3, OP_ne},
    {"+", 4, OP_add}, {"-", 4, OP_sub},  {"*", 5, OP_mul}, {"/", 5, OP_div},
    {"%", 5, OP_mod},
};

static const Expr *expr(Parser *p, int bind) {
    if (++p->depth > DEPTH_MAX) fail(p, "nested too deeply");
    const Expr *left = operand(p);
    for (size_t i = 0; i < sizeof operators / sizeof *operators;) {
        if (operators[i].bind < bind || !is(p, operators[i].sign)) {
            i++;
            continue;
        }
        next(p);
        left =
            expr_scalar(p->arena, operators[i].op, left, expr(p, operators[i].bind + 1));
        i = 0;
    }
    p->depth--;
    return left;
}

/* Statements. */

static const Expr *of_type(Parser *p, const Expr *value, bool is_index, Elem to,
                           uint32_t lanes) {
    if (!value->is_index && lanes > 1) value = expr_splat(p->arena, value, lanes);
    if (value->is_index == is_index && (is_index || value->elem == to) &&
        value->lanes == lanes)
        return value;
    fail(p, "the value before this is of another type");
}

static void statement(Parser *p, Block *b);

static const Stmt *body(Parser *p) {
    Block block = block_new(p->arena);
    uint32_t visible = p->scope.count;
    if (++p->depth > DEPTH_MAX) fail(p, "nested too deeply");
    want(p, "{");
    while (!take(p, "}")) {
        if (p->token.kind == TOKEN_END) fail(p, "\"}\" is missing");
        statement(p, &block);
    }
    p->depth--;
    p->scope.count = visible;
    return block_end(&block);
}

static void for_statement(Parser *p, Block *b) {
    Var *var = var_index(p->arena, name(p));
    want(p, "=");
    const Expr *begin = expr(p, 0);
    want(p, "to");
    const Expr *end = expr(p, 0);
    int64_t step = take(p, "step") ? integer_in(p, 1, INT32_MAX) : 1;
    uint32_t unroll = take(p, "unroll") ? (uint32_t)integer_in(p, 0, 1024) : 0;
    bind(p, (Binding){.name = var->name, .value = expr_var(p->arena, var)});
    const Stmt *inner = body(p);
    p->scope.count--;
    block_for(b, var, begin, end, step, unroll, inner);
}

static void let_statement(Parser *p, Block *b, bool mutable) {
    Elem of = ELEM_f32;
    uint32_t lanes;
    const char *word = name(p);
    want(p, ":");
    bool is_index = type(p, &of, &lanes);
    want(p, "=");
    const Expr *value = of_type(p, expr(p, 0), is_index, of, lanes);
    Binding binding = {.name = word};
    if (mutable) {
        binding.mutable = block_mutable(b, word, value);
        binding.value = expr_var(p->arena, binding.mutable);
    } else {
        binding.value = block_let(b, word, value);
    }
    bind(p, binding);
}

static void view_statement(Parser *p, Block *b) {
    const char *word = name(p);
    want(p, "=");
    Place first = place(p);
    Buffer *view = buffer_view(p->arena, word, first.buffer->elem);
    if (take(p, "if")) {
        const Expr *condition = expr(p, 0);
        want(p, "else");
        Place second = place(p);
        block_view_if(b, view, condition, first.buffer, first.index, second.buffer,
                      second.index);
    } else {
        block_view(b, view, first.buffer, first.index);
    }
    bind(p, (Binding){.name = word, .buffer = view});
}

static void local_statement(Parser *p, Block *b) {
    const char *word = name(p);
    want(p, ":");
    Elem of = elem(p);
    want(p, "[");
    Buffer *local = buffer_local(p->arena, word, of, integer_in(p, 1, 1 << 20));
    want(p, "]");
    block_local(b, local);
    bind(p, (Binding){.name = word, .buffer = local});
}

static void if_statement(Parser *p, Block *b) {
    const Expr *condition = expr(p, 0);
    const Stmt *then = body(p), *other = take(p, "else") ? body(p) : NULL;
    block_if(b, condition, then, other);
}

static void assignment(Parser *p, Block *b) {
    Token at = p->token;
    const Binding *target = look_up(p);
    const Var *var = target->mutable;
    if (var) {
        want(p, "=");
        block_set(b, var, expr(p, 0));
        return;
    }
    if (!target->buffer) {
        p->token = at;
        fail(p, "\"%s\" does not change", target->name);
    }
    Place to = place_in(p, target->buffer);
    want(p, "=");
    const Expr *value = expr(p, 0);
    value = of_type(p, value, false, to.buffer->elem, to.lanes);
    block_store(b, to.buffer, to.index, value, to.stride, to.active);
}

static void statement(Parser *p, Block *b) {
    if (take(p, "for")) {
        for_statement(p, b);
    } else if (is(p, "let") || is(p, "var")) {
        bool mutable = is(p, "var");
        next(p);
        let_statement(p, b, mutable);
    } else if (take(p, "view")) {
        view_statement(p, b);
    } else if (take(p, "local")) {
        local_statement(p, b);
    } else if (take(p, "if")) {
        if_statement(p, b);
    } else if (take(p, "prefetch")) {
        Place at = place(p);
        block_prefetch(b, at.buffer, at.index);
    } else {
        assignment(p, b);
    }
}

/* The kernel around them. */

static void set_table(Parser *p, Elem of, void *data, int64_t i) {
    bool minus = take(p, "-");
    char suffix;
    double value = is(p, "inf")   ? HUGE_VAL
                   : is(p, "nan") ? __builtin_nan("")
                                  : real(p, &suffix);
    next(p);
    value = scalar_cast(of, minus ? -value : value);
    if (of == ELEM_f32)
        ((float *)data)[i] = (float)value;
    else if (of == ELEM_i32)
        ((int32_t *)data)[i] = (int32_t)value;
    else
        ((uint8_t *)data)[i] = (uint8_t)value;
}

static void table(Parser *p) {
    const char *word = name(p);
    want(p, ":");
    Elem of = elem(p);
    want(p, "[");
    int64_t count = integer_in(p, 1, 1 << 24);
    want(p, "]");
    want(p, "=");
    if (count > p->end - p->text) fail(p, "fewer than %lld elements", (long long)count);
    void *data = arena_alloc(p->arena, (size_t)count * elem_bytes(of));
    Buffer *made = buffer_table(p->arena, word, of, data, count);
    for (int64_t i = 0; i < count; i++) {
        want(p, i ? "," : "[");
        set_table(p, of, data, i);
    }
    want(p, "]");
    bind(p, (Binding){.name = word, .buffer = made});
}

static void parameters(Parser *p) {
    want(p, "(");
    while (!take(p, ")")) {
        if (p->kernel->args.count) want(p, ",");
        const char *word = name(p);
        want(p, ":");
        bool written = take(p, "out"), alias = take(p, "alias");
        Buffer *made = buffer_arg(p->kernel, p->arena, word, elem(p), written);
        made->may_alias = alias;
        want(p, "*");
        bind(p, (Binding){.name = word, .buffer = made});
    }
}

static double figure(Parser *p, const char *word) {
    char suffix;
    if (!take(p, word)) return 0;
    double value = real(p, &suffix);
    next(p);
    return value;
}

static void kernel(Parser *p) {
    next(p);
    want(p, "kernel");
    want(p, "@");
    p->kernel = kernel_new(p->arena, name(p));
    bind(p, (Binding){.name = "task", .value = expr_var(p->arena, p->kernel->task)});
    bind(p, (Binding){.name = "N", .value = expr_var(p->arena, p->kernel->n)});
    parameters(p);
    want(p, "tasks");
    p->kernel->tasks = expr(p, 0);
    p->kernel->flop = figure(p, "flop");
    p->kernel->bytes = figure(p, "bytes");
    Block block = block_new(p->arena);
    want(p, "{");
    while (take(p, "table")) table(p);
    while (!take(p, "}")) {
        if (p->token.kind == TOKEN_END) fail(p, "\"}\" is missing");
        statement(p, &block);
    }
    if (p->token.kind != TOKEN_END) fail(p, "expected the end of the text");
    p->kernel->body = block_end(&block);
}

Kernel *loop_parse(Arena *arena, Diag *diag, uint32_t source) {
    Source *from = &diag->sources.at[source - 1];
    Parser *p = arena_new(arena, Parser);
    p->arena = arena;
    p->diag = diag;
    p->source = source;
    p->text = from->text;
    p->end = from->text + from->length;
    p->token.at = from->text;
    Guard *outer = arena->guard;
    if (guard_enter(p->guard)) {
        arena->guard = outer;
        if (p->guard.status == STATUS_INPUT) return NULL;
        if (p->guard.status != STATUS_BUG)
            guard_raise(outer, p->guard.status, "%s", p->guard.message);
        diag_error(diag, span_of(p, p->token), "%s", p->guard.message);
        return NULL;
    }
    arena->guard = &p->guard;
    kernel(p);
    arena->guard = outer;
    return p->kernel;
}
