/* Gradients of the rows of scalar.def, of select and of cast.  The derivative columns are
 * C once the words in them mean builders. */
#include "passes/gradient.h"

/* The first operand is built before the second under every compiler. */
#define UNARY(name, x) build_##name(B, (x), NO_VAL)
#define BINARY(name, x, y)                                                               \
    ({                                                                                   \
        Val first_ = (x);                                                                \
        build_##name(B, first_, (y));                                                    \
    })
#define neg(x)    UNARY(neg, x)
#define sign(x)   UNARY(sign, x)
#define floor(x)  UNARY(floor, x)
#define exp(x)    UNARY(exp, x)
#define log(x)    UNARY(log, x)
#define sin(x)    UNARY(sin, x)
#define cos(x)    UNARY(cos, x)
#define add(x, y) BINARY(add, x, y)
#define sub(x, y) BINARY(sub, x, y)
#define mul(x, y) BINARY(mul, x, y)
#define div(x, y) BINARY(div, x, y)
#define pow(x, y) BINARY(pow, x, y)
#define le(x, y)  BINARY(le, x, y)
#define ge(x, y)  BINARY(ge, x, y)
#define k(x)      build_fill(B, T, x)
#define select(c, x, y)                                                                  \
    ({                                                                                   \
        Val when_ = (c), then_ = (x);                                                    \
        build_select(B, when_, then_, (y));                                              \
    })
#define ZERO NO_VAL

typedef Val Derivative(Builder *B, const Type *T, Val g, Val a, Val b, Val y);

#define SCALAR(name, args, class, value, da, db)                                         \
    static Val name##_da(Builder *B, const Type *T, Val g, Val a, Val b, Val y) {        \
        return da;                                                                       \
    }                                                                                    \
    static Val name##_db(Builder *B, const Type *T, Val g, Val a, Val b, Val y) {        \
        return db;                                                                       \
    }
#include "ir/scalar.def"
#undef SCALAR

static const struct {
    Derivative *operand[2];
} derivatives[OP_COUNT] = {
#define SCALAR(name, args, class, value, da, db) [OP_##name] = {{name##_da, name##_db}},
#include "ir/scalar.def"
#undef SCALAR
};

void grad_scalar(Sweep *s, Val v, const Node *node, Val g) {
    const Val a = node->arg[0], b = node->args > 1 ? node->arg[1] : NO_VAL;
    for (uint32_t i = 0; i < node->args; i++)
        if (sweep_wants(s, node->arg[i]))
            sweep_add(s, node->arg[i],
                      derivatives[node->op].operand[i](&s->b, &node->type, g, a, b, v));
}

void grad_select(Sweep *s, Val v, const Node *node, Val g) {
    const Val zeros = build_zeros(&s->b, &node->type);
    if (sweep_wants(s, node->arg[1]))
        sweep_add(s, node->arg[1], build_select(&s->b, node->arg[0], g, zeros));
    if (sweep_wants(s, node->arg[2]))
        sweep_add(s, node->arg[2], build_select(&s->b, node->arg[0], zeros, g));
}

/* Between floats only: other types are never active. */
void grad_cast(Sweep *s, Val v, const Node *node, Val g) {
    const Elem elem = graph_type(s->b.func, node->arg[0])->elem;
    sweep_add(s, node->arg[0], build_cast(&s->b, g, elem));
}
