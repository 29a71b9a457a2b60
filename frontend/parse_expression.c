/*
 * Expressions, by climbing over the table of operators.  Where no bracket is open an
 * expression ends with its line, unless the next line begins with an operator that cannot
 * begin a statement:
 *
 *     let h = x |> conv(20, 5) |> relu
 *               |> max_pool(2)            continues: |>
 *     -sum(h)                             a statement of its own: - also is a sign
 */
#include "frontend/parse.h"

const BinaryInfo binary_info[BINARY_COUNT] = {
#define BINARY(name, spelling, level, right)                                             \
    {#name, spelling, "`" spelling "`", level, right},
#include "frontend/binary.def"
#undef BINARY
};

static const TokenKind binary_token[BINARY_COUNT] = {
#define BINARY(name, spelling, level, right) TOKEN_##name,
#include "frontend/binary.def"
#undef BINARY
};

Ast *ast_new(Parser *p, AstKind kind, Span span) {
    Ast *ast = arena_new(p->arena, Ast);
    ast->kind = kind;
    ast->span = span;
    return ast;
}

/* Whether the statement may go on with the token at hand. */
static bool on_same_line(const Parser *p) {
    return p->nesting || !p->at->starts_line;
}

static Ast *parse_binary(Parser *p, int level);

/* An argument's name may be a keyword where `=` follows: loss = clean. */
static bool argument_is_named(const Parser *p, TokenKind mark) {
    bool word = parse_is(p, TOKEN_name) || p->at->kind > TOKEN_unbrace;
    return word && p->at[1].kind == mark;
}

AstArgs parse_arguments(Parser *p, TokenKind close, TokenKind mark) {
    VEC(AstArg) args = {0};
    p->nesting++;
    while (!parse_is(p, close) && !parse_is(p, TOKEN_end) && !p->panic) {
        AstArg arg = {NULL, p->at->span, NULL};
        if (argument_is_named(p, mark)) {
            arg.name = p->at->text;
            parse_skip(p);
            parse_skip(p);
        } else if (mark == TOKEN_colon) {
            parse_error(p, "a field `name: value`");
            break;
        }
        arg.value = parse_expression(p);
        if (!arg.name) arg.span = arg.value->span;
        vec_push(p->arena, &args, arg);
        if (!parse_accept(p, TOKEN_comma)) break;
    }
    p->nesting--;
    parse_expect(p, close,
                 mark == TOKEN_colon ? "at the end of this record"
                                     : "at the end of these arguments");
    return (AstArgs){args.count, args.at};
}

static Ast *parse_list(Parser *p) {
    Span begin = p->at->span;
    VEC(Ast *) items = {0};
    parse_skip(p);
    p->nesting++;
    while (!parse_is(p, TOKEN_unbracket) && !parse_is(p, TOKEN_end) && !p->panic) {
        vec_push(p->arena, &items, parse_expression(p));
        if (!parse_accept(p, TOKEN_comma)) break;
    }
    p->nesting--;
    parse_expect(p, TOKEN_unbracket, "at the end of this list");
    Ast *ast = ast_new(p, AST_list, parse_span(p, begin));
    ast->list = (AstList){items.count, items.at};
    return ast;
}

static Ast *parse_group(Parser *p) {
    parse_skip(p);
    p->nesting++;
    Ast *ast = parse_expression(p);
    p->nesting--;
    ast->grouped = true;
    parse_expect(p, TOKEN_close, "to match `(`");
    return ast;
}

static Ast *parse_if(Parser *p) {
    Span begin = p->at->span;
    parse_skip(p);
    Ast *condition = parse_expression(p);
    Ast *then = parse_block(p), *otherwise = NULL;
    if (parse_accept(p, TOKEN_else)) {
        if (!parse_enter(p)) {
            parse_leave(p);
            return then;
        }
        otherwise = parse_is(p, TOKEN_if) ? parse_if(p) : parse_block(p);
        parse_leave(p);
    }
    Ast *ast = ast_new(p, AST_if, parse_span(p, begin));
    ast->branch.condition = condition;
    ast->branch.then = then;
    ast->branch.otherwise = otherwise;
    return ast;
}

/* repeat 40 as i with z = x, m = 0 { ... } */
static Ast *parse_repeat(Parser *p) {
    Span begin = p->at->span, span;
    parse_skip(p);
    Ast *ast = ast_new(p, AST_repeat, begin);
    ast->repeat.count = parse_expression(p);
    if (parse_word(p, "as")) ast->repeat.index = parse_name(p, &span, "a name");
    VEC(AstArg) carries = {0};
    if (!parse_word(p, "with")) parse_error(p, "`with` and what the loop carries");
    do {
        AstArg carry = {.name =
                            parse_name(p, &carry.span, "the name of a carried value")};
        if (!carry.name || !parse_expect(p, TOKEN_assign, "and the first value")) break;
        carry.value = parse_expression(p);
        vec_push(p->arena, &carries, carry);
    } while (parse_accept(p, TOKEN_comma));
    ast->repeat.carries = (AstArgs){carries.count, carries.at};
    ast->repeat.body = parse_block(p);
    ast->span = parse_span(p, begin);
    return ast;
}

static Ast *parse_literal_function(Parser *p) {
    Span begin = p->at->span;
    parse_skip(p);
    Ast *ast = ast_new(p, AST_function, begin);
    ast->function = parse_function(p, FUNCTION_fn, false);
    ast->span = parse_span(p, begin);
    return ast;
}

static Ast *parse_leaf(Parser *p, AstKind kind) {
    Ast *ast = ast_new(p, kind, p->at->span);
    if (kind == AST_number) {
        ast->number.value = p->at->number;
        ast->number.is_integer = p->at->is_integer;
    } else if (kind == AST_bool) {
        ast->truth = parse_is(p, TOKEN_true);
    } else {
        ast->text = p->at->text;
    }
    parse_skip(p);
    return ast;
}

static Ast *parse_record(Parser *p) {
    Span begin = p->at->span;
    parse_skip(p);
    Ast *ast = ast_new(p, AST_record, begin);
    ast->record = parse_arguments(p, TOKEN_unbrace, TOKEN_colon);
    ast->span = parse_span(p, begin);
    return ast;
}

static Ast *parse_primary(Parser *p) {
    TokenKind kind = p->at->kind;
    if (kind == TOKEN_number) return parse_leaf(p, AST_number);
    if (kind == TOKEN_string) return parse_leaf(p, AST_string);
    if (kind == TOKEN_name) return parse_leaf(p, AST_name);
    if (kind == TOKEN_true || kind == TOKEN_false) return parse_leaf(p, AST_bool);
    if (kind == TOKEN_rest) return parse_leaf(p, AST_rest);
    if (kind == TOKEN_open) return parse_group(p);
    if (kind == TOKEN_bracket) return parse_list(p);
    if (kind == TOKEN_brace) return parse_record(p);
    if (kind == TOKEN_if) return parse_if(p);
    if (kind == TOKEN_repeat) return parse_repeat(p);
    if (kind == TOKEN_fn) return parse_literal_function(p);
    parse_error(p, "an expression");
    return ast_new(p, AST_error, p->at->span);
}

static Ast *parse_call(Parser *p, Ast *callee) {
    parse_skip(p);
    Ast *ast = ast_new(p, AST_call, callee->span);
    ast->call.callee = callee;
    ast->call.args = parse_arguments(p, TOKEN_close, TOKEN_assign);
    ast->span = parse_span(p, callee->span);
    return ast;
}

static Ast *parse_field(Parser *p, Ast *of) {
    parse_skip(p);
    Ast *ast = ast_new(p, AST_field, of->span);
    ast->field.of = of;
    ast->field.name_span = p->at->span;
    if (parse_is(p, TOKEN_name) || p->at->kind > TOKEN_unbrace) {
        ast->field.name = p->at->text;
        parse_skip(p);
    } else {
        parse_error(p, "the name of a field");
        ast->kind = AST_error;
    }
    ast->span = parse_span(p, of->span);
    return ast;
}

static Ast *parse_index(Parser *p, Ast *of) {
    parse_skip(p);
    Ast *ast = ast_new(p, AST_index, of->span);
    ast->index.of = of;
    p->nesting++;
    ast->index.at = parse_expression(p);
    p->nesting--;
    parse_expect(p, TOKEN_unbracket, "after the index");
    ast->span = parse_span(p, of->span);
    return ast;
}

static Ast *parse_postfix(Parser *p) {
    Ast *ast = parse_primary(p);
    while (!p->panic && parse_grow(p)) {
        if (parse_is(p, TOKEN_open) && on_same_line(p)) {
            ast = parse_call(p, ast);
        } else if (parse_is(p, TOKEN_dot)) {
            ast = parse_field(p, ast);
        } else if (parse_is(p, TOKEN_bracket) && on_same_line(p)) {
            ast = parse_index(p, ast);
        } else if (parse_is(p, TOKEN_prime) && ast->kind == AST_name) {
            parse_skip(p);
            Ast *prime = ast_new(p, AST_prime, parse_span(p, ast->span));
            prime->prime = ast->text;
            ast = prime;
        } else {
            break;
        }
    }
    return ast;
}

static Ast *parse_unary(Parser *p, int level) {
    Span begin = p->at->span;
    bool is_not = parse_is(p, TOKEN_not);
    if (!is_not && !parse_is(p, TOKEN_sub)) return parse_postfix(p);
    parse_skip(p);
    Ast *of = parse_binary(p, is_not ? 4 : LEVEL_UNARY);
    Ast *ast = ast_new(p, AST_unary, parse_span(p, begin));
    ast->unary.op = is_not ? UNARY_not : UNARY_neg;
    ast->unary.of = of;
    return ast;
}

static bool find_binary(const Parser *p, int level, BinaryOp *op) {
    if (parse_is(p, TOKEN_sub) && !on_same_line(p)) return false;
    for (int i = 0; i < BINARY_COUNT; i++) {
        *op = (BinaryOp)i;
        if (binary_token[i] == p->at->kind) return binary_info[i].level >= level;
    }
    return false;
}

/* x |> f(a) is f(x, a); x |> f is f(x), and so is x |> (f). */
static Ast *make_pipe(Parser *p, Ast *left, Ast *right) {
    Ast *ast = ast_new(p, AST_call, parse_span(p, left->span));
    bool is_call = right->kind == AST_call && !right->grouped;
    uint32_t count = is_call ? right->call.args.count : 0;
    AstArg *args = arena_array(p->arena, AstArg, count + 1);
    args[0] = (AstArg){NULL, left->span, left};
    if (count) memcpy(args + 1, right->call.args.at, count * sizeof *args);
    ast->call.callee = is_call ? right->call.callee : right;
    ast->call.args = (AstArgs){count + 1, args};
    ast->call.piped = true;
    ast->span = right->span;
    return ast;
}

static Ast *make_binary(Parser *p, BinaryOp op, Ast *left, Ast *right) {
    if (left->kind == AST_error || right->kind == AST_error)
        return ast_new(p, AST_error, left->span);
    if (op == BINARY_pipe) return make_pipe(p, left, right);
    Ast *ast = ast_new(p, AST_binary, parse_span(p, left->span));
    ast->binary.op = op;
    ast->binary.left = left;
    ast->binary.right = right;
    return ast;
}

/* Operators of this level and tighter. */
static Ast *parse_binary(Parser *p, int level) {
    if (!parse_enter(p)) {
        parse_leave(p);
        return ast_new(p, AST_error, p->at->span);
    }
    uint32_t before = p->height;
    p->height = 0;
    Ast *left = parse_unary(p, level);
    BinaryOp op;
    while (!p->panic && find_binary(p, level, &op) && parse_grow(p)) {
        bool is_comparison = binary_info[op].level == binary_info[BINARY_eq].level;
        parse_skip(p);
        Ast *right = parse_binary(p, binary_info[op].level + !binary_info[op].right);
        left = make_binary(p, op, left, right);
        if (is_comparison && find_binary(p, level, &op) &&
            binary_info[op].level == binary_info[BINARY_eq].level) {
            parse_error(p, "one comparison");
            diag_hint(p->diag, "write `a < b and b < c`");
        }
    }
    parse_leave(p);
    parse_grow(p);
    if (p->height < before) p->height = before;
    return left;
}

Ast *parse_expression(Parser *p) {
    return parse_binary(p, 1);
}
