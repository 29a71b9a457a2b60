/*
 * The algebraic rules of simplify and their matcher.
 *
 * Every rule leads to fewer or cheaper ops, to a constant further right, or to a `neg`
 * further out or gone, so that rewriting ends.  They hold for real numbers; of floats
 * they may change the last bit, the sign of a zero, and results that overflow on the way.
 * They keep NaN and infinity where an operand has them: x*0, x - x and x/x stay.
 */
#include "ir/scalar.h"
#include "passes/simplify.h"
#include <math.h>
#include <stdlib.h>

const ScalarRule scalar_rules[] = {
    /* neutral elements */
    {'N', "(add x 0)", "x"},
    {'N', "(sub x 0)", "x"},
    {'N', "(sub 0 x)", "(neg x)"},
    {'N', "(mul x 1)", "x"},
    {'N', "(mul x -1)", "(neg x)"},
    {'I', "(mul x 0)", "0"},
    {'I', "(sub x x)", "0"},
    {'N', "(div x 1)", "x"},
    {'B', "(and p 1)", "p"},
    {'B', "(and p 0)", "0"},
    {'B', "(or p 0)", "p"},
    {'B', "(or p 1)", "1"},
    /* twice is once, or nothing */
    {'N', "(neg (neg x))", "x"},
    {'N', "(abs (abs x))", "(abs x)"},
    {'F', "(abs (neg x))", "(abs x)"},
    {'N', "(sign (sign x))", "(sign x)"},
    {'F', "(floor (floor x))", "(floor x)"},
    {'F', "(round (round x))", "(round x)"},
    {'N', "(max x x)", "x"},
    {'N', "(min x x)", "x"},
    {'B', "(not (not p))", "p"},
    {'B', "(and p p)", "p"},
    {'B', "(or p p)", "p"},
    {'F', "(log (exp x))", "x"},
    /* signs move outwards and meet */
    {'N', "(add x (neg y))", "(sub x y)"},
    {'N', "(sub x (neg y))", "(add x y)"},
    {'N', "(neg (sub x y))", "(sub y x)"},
    {'N', "(mul (neg x) (neg y))", "(mul x y)"},
    {'N', "(mul (neg x) c)", "(mul x (neg c))"},
    {'N', "(neg (mul x c))", "(mul x (neg c))"},
    {'F', "(div (neg x) (neg y))", "(div x y)"},
    {'F', "(mul (neg x) y)", "(neg (mul x y))"},
    {'F', "(div (neg x) y)", "(neg (div x y))"},
    /* constants meet */
    {'I', "(add (add x c) d)", "(add x (add c d))"},
    {'N', "(add x x)", "(mul x 2)"},
    {'N', "(mul (mul x c) d)", "(mul x (mul c d))"},
    {'N', "(mul (mul x c) (mul y d))", "(mul (mul x y) (mul c d))"},
    {'N', "(max (max x c) d)", "(max x (max c d))"},
    {'N', "(min (min x c) d)", "(min x (min c d))"},
    /* division and powers */
    {'F', "(div x e)", "(mul x (div 1 e))"},
    {'F', "(mul (div 1 x) y)", "(div y x)"},
    {'F', "(div 1 (sqrt x))", "(rsqrt x)"},
    {'F', "(div 1 (rsqrt x))", "(sqrt x)"},
    {'F', "(pow x 0)", "1"},
    {'F', "(pow x 1)", "x"},
    {'F', "(pow x 2)", "(mul x x)"},
    {'F', "(pow x 3)", "(mul x (mul x x))"},
    {'F', "(pow x 4)", "(pow (mul x x) 2)"},
    {'F', "(pow x -1)", "(div 1 x)"},
    {'F', "(pow x -2)", "(div 1 (mul x x))"},
    {'F', "(pow x 0.5)", "(sqrt x)"},
    {'F', "(pow x -0.5)", "(rsqrt x)"},
    {'F', "(pow x 1.5)", "(mul x (sqrt x))"},
    /* choices */
    {'A', "(select 1 x y)", "x"},
    {'A', "(select 0 x y)", "y"},
    {'A', "(select p x x)", "x"},
    {'A', "(select (not p) x y)", "(select p y x)"},
    {'A', "(select p (select p x y) z)", "(select p x z)"},
    {'A', "(select p x (select p y z))", "(select p x z)"},
};
const uint32_t scalar_rule_count = sizeof scalar_rules / sizeof *scalar_rules;

typedef enum TermKind { TERM_ANY, TERM_CONST, TERM_NUMBER, TERM_OP } TermKind;

struct Term {
    TermKind kind;
    Op op;
    uint32_t letter, args;
    bool exact; /* CONST: a power of two */
    double number;
    const Term *arg[3];
};

static const Term *term_parse(Arena *arena, const char **at) {
    Term *term = arena_new(arena, Term);
    while (**at == ' ') ++*at;
    if (**at == '(') {
        const size_t length = strcspn(++*at, " )");
        term->kind = TERM_OP;
        if (!op_parse(arena_string(arena, *at, length), &term->op))
            bug(arena, "a rule names the op %.*s", (int)length, *at);
        for (*at += length; **at == ' ';) term->arg[term->args++] = term_parse(arena, at);
        ++*at; /* the closing parenthesis */
    } else if (**at >= 'a' && **at <= 'z') {
        term->kind = **at >= 'c' && **at <= 'e' ? TERM_CONST : TERM_ANY;
        term->exact = **at == 'e';
        term->letter = (uint32_t)(*(*at)++ - 'a');
    } else {
        char *end;
        term->kind = TERM_NUMBER;
        term->number = strtod(*at, &end);
        *at = end;
    }
    return term;
}

void scalar_rules_parse(Simplifier *s) {
    s->from = arena_array(s->scratch, const Term *, scalar_rule_count);
    s->to = arena_array(s->scratch, const Term *, scalar_rule_count);
    for (uint32_t i = 0; i < scalar_rule_count; i++) {
        const char *from = scalar_rules[i].from, *to = scalar_rules[i].to;
        s->from[i] = term_parse(s->scratch, &from);
        s->to[i] = term_parse(s->scratch, &to);
    }
}

static bool same_value(const Func *f, Val a, Val b) {
    double x, y;
    if (a == b) return true;
    return value_is_splat(f, a, &x) && value_is_splat(f, b, &y) && x == y &&
           type_equal(graph_type(f, a), graph_type(f, b));
}

static bool match(const Func *f, const Term *term, Val v, Val *letter);

static bool match_args(const Func *f, const Term *term, const Node *node, Val *letter) {
    Val before[26];
    memcpy(before, letter, sizeof before);
    for (uint32_t turn = 0; turn <= op_commutes(node->op); turn++) {
        bool all = true;
        for (uint32_t i = 0; i < term->args && all; i++)
            all = match(f, term->arg[i], node->arg[turn ? 1 - i : i], letter);
        if (all) return true;
        memcpy(letter, before, sizeof before);
    }
    return false;
}

static bool match(const Func *f, const Term *term, Val v, Val *letter) {
    double value;
    int exponent;
    const Node *node = graph_node(f, v);
    switch (term->kind) {
    case TERM_NUMBER: return value_is_splat(f, v, &value) && value == term->number;
    case TERM_OP: return node->op == term->op && match_args(f, term, node, letter);
    case TERM_CONST:
        if (!value_is_splat(f, v, &value)) return false;
        if (term->exact && fabs(frexp(value, &exponent)) != 0.5) return false;
        break;
    case TERM_ANY: break;
    }
    Val *bound = &letter[term->letter];
    if (*bound == NO_VAL) *bound = v;
    return same_value(f, *bound, v);
}

static Val term_build(Simplifier *s, const Term *term, const Type *type,
                      const Val *letter) {
    if (term->kind == TERM_NUMBER) return build_fill(&s->b, type, term->number);
    if (term->kind != TERM_OP) return letter[term->letter];
    Val arg[3];
    for (uint32_t i = 0; i < term->args; i++)
        arg[i] = term_build(s, term->arg[i], type, letter);
    return simplify_emit(s, term->op, arg, term->args, NULL, 0);
}

static bool holds_for(char elems, Elem elem) {
    switch (elems) {
    case 'F': return elem_is_float(elem);
    case 'I': return elem == ELEM_u8 || elem == ELEM_i32;
    case 'N': return elem != ELEM_bool;
    case 'B': return elem == ELEM_bool;
    default: return true;
    }
}

Val scalar_rules_apply(Simplifier *s, Val v) {
    const Type type = *graph_type(s->b.func, v);
    const Op op = graph_node(s->b.func, v)->op;
    for (uint32_t i = 0; i < scalar_rule_count; i++) {
        Val letter[26];
        memset(letter, 0xff, sizeof letter); /* NO_VAL */
        if (s->from[i]->op != op || !holds_for(scalar_rules[i].elems, type.elem) ||
            !match(s->b.func, s->from[i], v, letter))
            continue;
        return term_build(s, s->to[i], &type, letter);
    }
    return NO_VAL;
}
