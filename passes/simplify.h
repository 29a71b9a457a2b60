/* The rules of simplify as tables, so that tests can walk them. */
#ifndef TN_PASSES_SIMPLIFY_H
#define TN_PASSES_SIMPLIFY_H

#include "ir/build.h"
#include "passes/value_table.h"

/*
 * An algebraic rule in prefix form, one letter a value: x y z any, p q bools, c d
 * constants of one value; a number is such a constant.  The two sides of add, mul, min,
 * max, eq, ne, and, or are tried in both orders.  `elems` says where it holds: F floats,
 * I integers, N both, B bools, A all.
 */
typedef struct ScalarRule {
    char elems;
    const char *from, *to;
} ScalarRule;
extern const ScalarRule scalar_rules[];
extern const uint32_t scalar_rule_count;

typedef struct Simplifier Simplifier;

/* A rule over attributes: what the node may be replaced by, NO_VAL where it does not
 * apply. */
typedef Val ShapeRule(Simplifier *s, const Node *node);
typedef struct ShapeRuleRow {
    const char *name; /* and of tests/golden/simplify/<name>.graph */
    Op op;            /* OP_COUNT: every elementwise op */
    ShapeRule *apply;
} ShapeRuleRow;
extern const ShapeRuleRow shape_rules[];
extern const uint32_t shape_rule_count;

typedef struct Term Term;
struct Simplifier {
    Arena *scratch;
    Builder b;               /* writes the new function */
    ValueTable table;        /* of what was emitted */
    const Term **from, **to; /* the scalar rules, parsed */
};

/* The op on values of the new function, or what is simpler. */
Val simplify_emit(Simplifier *s, Op op, const Val *arg, uint32_t args, const Attr *attr,
                  uint32_t attrs);
/* A constant of one value. */
bool value_is_splat(const Func *func, Val v, double *value);

/* simplify_scalar.c */
void scalar_rules_parse(Simplifier *s);
Val scalar_rules_apply(Simplifier *s, Val v);

#endif
