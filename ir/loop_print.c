/*
 * Kernels as text, which loop_parse reads back.
 *
 *     kernel @k0(x: f32*, y: out f32*) tasks N*4 {
 *       table taps: i32[3] = [0, 28, 56]
 *       local tile: f32[96]
 *       for i = 0 to 64 step 16 unroll 2 {
 *         let a: f32x16 = x[task*64 + i : 16]
 *         var sum: f32x16 = 0.0
 *         sum = fma(a, splat16(x[taps[1]]), sum)
 *         y[task*64 + i : 16 by 2 active N - i] = max(sum, 0.0)
 *       }
 *     }
 *
 * Plain integers are indices; 5i is an i32, 5u a u8, 0.5 an f32, 0.5d an f64.  A constant
 * takes the lanes of its neighbour.  A name that is visible already gets a number.
 */
#include "ir/loop.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Name {
    const void *what; /* a Var or a Buffer */
    const char *text;
} Name;

typedef struct Printer {
    Text *out;
    VEC(Name) names; /* visible ones; the innermost last */
    uint32_t depth;
} Printer;

/* Words that no variable may have: they begin a statement or an operand. */
static const char *const reserved[] = {
    "for",      "let",  "var",  "local",  "view", "table",  "if",
    "prefetch", "else", "inf",  "nan",    "infd", "nand",   "true",
    "false",    "to",   "step", "unroll", "by",   "active", "or"};

static bool is_taken(const Printer *p, const char *text) {
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(text, reserved[i])) return true;
    for (uint32_t i = p->names.count; i-- > 0;)
        if (!strcmp(text, p->names.at[i].text)) return true;
    return false;
}

static const char *define(Printer *p, const void *what, const char *wish) {
    Arena *a = p->out->arena;
    char *plain = arena_print(a, "%s", wish && *wish ? wish : "v");
    for (char *c = plain; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    if (isdigit((unsigned char)*plain)) *plain = '_';
    const char *text = plain;
    for (int i = 1; is_taken(p, text); i++) text = arena_print(a, "%s_%d", plain, i);
    vec_push(a, &p->names, (Name){what, text});
    return text;
}

static const char *name_of(const Printer *p, const void *what) {
    for (uint32_t i = p->names.count; i-- > 0;)
        if (p->names.at[i].what == what) return p->names.at[i].text;
    return "?";
}

/* The shortest digits that read back as the same number. */
static void print_num(Text *out, Elem elem, double num) {
    char digits[40];
    const char *suffix = elem == ELEM_f64   ? "d"
                         : elem == ELEM_i32 ? "i"
                         : elem == ELEM_u8  ? "u"
                                            : "";
    if (elem == ELEM_bool) {
        text_puts(out, num != 0 ? "true" : "false");
        return;
    }
    if (!elem_is_float(elem)) {
        text_printf(out, "%.0f%s", num, suffix);
        return;
    }
    if (isnan(num) || isinf(num)) {
        text_printf(out, "%s%s%s", num < 0 ? "-" : "", isnan(num) ? "nan" : "inf",
                    suffix);
        return;
    }
    if (fabs(num) < 1e6 && num == trunc(num)) {
        text_printf(out, "%.1f%s", num, suffix);
        return;
    }
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, num);
        double back = strtod(digits, NULL);
        if (back == num || (elem == ELEM_f32 && (float)back == (float)num)) break;
    }
    text_printf(out, "%s%s%s", digits, strpbrk(digits, ".e") ? "" : ".0", suffix);
}

static void print_type(Text *out, bool is_index, Elem elem, uint32_t lanes) {
    text_puts(out, is_index ? "index" : elem_name(elem));
    if (!is_index && lanes > 1) text_printf(out, "x%u", lanes);
}

/* ORDER BINDING: loosest first; operators of loop_parse. */
enum { BIND_OR = 1, BIND_AND, BIND_COMPARE, BIND_SUM, BIND_PRODUCT, BIND_UNARY };

static int binding(Op op, const char **sign) {
    switch ((int)op) {
    case OP_or: return *sign = "||", BIND_OR;
    case OP_and: return *sign = "&&", BIND_AND;
    case OP_lt: return *sign = "<", BIND_COMPARE;
    case OP_le: return *sign = "<=", BIND_COMPARE;
    case OP_gt: return *sign = ">", BIND_COMPARE;
    case OP_ge: return *sign = ">=", BIND_COMPARE;
    case OP_eq: return *sign = "==", BIND_COMPARE;
    case OP_ne: return *sign = "!=", BIND_COMPARE;
    case OP_add: return *sign = "+", BIND_SUM;
    case OP_sub: return *sign = "-", BIND_SUM;
    case OP_mul: return *sign = "*", BIND_PRODUCT;
    case OP_div: return *sign = "/", BIND_PRODUCT;
    case OP_mod: return *sign = "%", BIND_PRODUCT;
    default: return 0;
    }
}

static void print_expr(Printer *p, const Expr *e, int bind, uint32_t lanes);

/* Operands of one op: a constant may leave its lanes to the others. */
static uint32_t lanes_of_others(const Expr *e, uint32_t self) {
    for (uint32_t i = 0; i < e->args; i++)
        if (i != self && e->arg[i]->kind != EXPR_NUM && e->arg[i]->lanes > 1)
            return e->arg[i]->lanes;
    return 1;
}

static void print_call(Printer *p, const char *name, const Expr *e) {
    text_printf(p->out, "%s(", name);
    for (uint32_t i = 0; i < e->args; i++) {
        if (i) text_puts(p->out, ", ");
        print_expr(p, e->arg[i], 0, lanes_of_others(e, i));
    }
    text_puts(p->out, ")");
}

/* An index term with a negative factor or constant, which prints behind a minus. */
static const Expr *negated(Printer *p, const Expr *e) {
    Arena *a = p->out->arena;
    if (!e->is_index) return NULL;
    if (e->kind == EXPR_INT && e->i < 0 && e->i > INT64_MIN) return expr_int(a, -e->i);
    if (e->kind != EXPR_SCALAR || e->op != OP_mul || e->arg[1]->kind != EXPR_INT)
        return NULL;
    int64_t factor = e->arg[1]->i;
    return factor < 0 && factor > INT64_MIN ? expr_mul(a, e->arg[0], -factor) : NULL;
}

static void print_scalar(Printer *p, const Expr *e, int bind) {
    const char *sign;
    int own = e->args == 2 ? binding(e->op, &sign) : 0;
    if (e->op == OP_neg || e->op == OP_not) {
        text_puts(p->out, e->op == OP_neg ? "-" : "!");
        print_expr(p, e->arg[0], BIND_UNARY, 1);
        return;
    }
    if (!own) {
        print_call(p, scalar_info(e->op).name, e);
        return;
    }
    const Expr *left = e->arg[0], *right = e->arg[1], *minus = NULL;
    if (e->op == OP_add && !(minus = negated(p, right)) && right->kind == EXPR_INT &&
        (minus = negated(p, left)))
        left = right;
    if (own < bind) text_puts(p->out, "(");
    /* Comparisons do not chain: both sides bind tighter. */
    print_expr(p, left, own + (own == BIND_COMPARE), lanes_of_others(e, 0));
    text_printf(p->out, own == BIND_PRODUCT && e->is_index ? "%s" : " %s ",
                minus ? "-" : sign);
    print_expr(p, minus ? minus : right, own + 1, lanes_of_others(e, 1));
    if (own < bind) text_puts(p->out, ")");
}

static void print_place(Printer *p, const Buffer *buffer, const Expr *index,
                        uint32_t lanes, int64_t stride, const Expr *active) {
    text_printf(p->out, "%s[", name_of(p, buffer));
    print_expr(p, index, 0, 1);
    if (lanes > 1) text_printf(p->out, " : %u", lanes);
    if (lanes > 1 && stride != 1) text_printf(p->out, " by %lld", (long long)stride);
    if (active) {
        if (lanes == 1) text_puts(p->out, " : 1");
        text_puts(p->out, " active ");
        print_expr(p, active, 0, 1);
    }
    text_puts(p->out, "]");
}

/* `bind`: what binds looser needs brackets; `lanes`: those a constant gets from around
 * it. */
static void print_expr(Printer *p, const Expr *e, int bind, uint32_t lanes) {
    Text *out = p->out;
    char name[32];
    switch (e->kind) {
    case EXPR_INT: text_printf(out, "%lld", (long long)e->i); return;
    case EXPR_NUM:
        if (e->lanes != lanes) text_printf(out, "splat%u(", e->lanes);
        print_num(out, e->elem, e->num);
        if (e->lanes != lanes) text_puts(out, ")");
        return;
    case EXPR_VAR: text_puts(out, name_of(p, e->var)); return;
    case EXPR_SCALAR: print_scalar(p, e, bind); return;
    case EXPR_FMA: print_call(p, "fma", e); return;
    case EXPR_SELECT: print_call(p, "select", e); return;
    case EXPR_CAST: print_call(p, elem_name(e->elem), e); return;
    case EXPR_INDEX: print_call(p, "index", e); return;
    case EXPR_LOAD:
        print_place(p, e->buffer, e->arg[0], e->lanes, e->i,
                    e->args > 1 ? e->arg[1] : NULL);
        return;
    case EXPR_GATHER:
        text_printf(out, "gather(%s, ", name_of(p, e->buffer));
        print_expr(p, e->arg[0], 0, 1);
        text_puts(out, ", ");
        print_expr(p, e->arg[1], 0, 1);
        text_puts(out, ")");
        return;
    case EXPR_SPLAT: snprintf(name, sizeof name, "splat%u", e->lanes); break;
    case EXPR_RAMP: snprintf(name, sizeof name, "ramp%u", e->lanes); break;
    case EXPR_REDUCE:
        snprintf(name, sizeof name, "reduce_%s", scalar_info(e->op).name);
        break;
    case EXPR_BITS: snprintf(name, sizeof name, "bits%u", e->word); break;
    }
    print_call(p, name, e);
}

static void print_stmt(Printer *p, const Stmt *s);

static void line(Printer *p) {
    text_printf(p->out, "%*s", (int)(2 * p->depth), "");
}

static void print_body(Printer *p, const Stmt *body) {
    uint32_t visible = p->names.count;
    text_puts(p->out, " {\n");
    p->depth++;
    print_stmt(p, body);
    p->depth--;
    line(p);
    text_puts(p->out, "}");
    p->names.count = visible;
}

static void print_for(Printer *p, const Stmt *s) {
    uint32_t visible = p->names.count;
    /* The bounds are outside of the variable's scope, but must not read as naming it. */
    text_printf(p->out, "for %s = ", define(p, s->var, s->var->name));
    print_expr(p, s->begin, 0, 1);
    text_puts(p->out, " to ");
    print_expr(p, s->end, 0, 1);
    if (s->step != 1) text_printf(p->out, " step %lld", (long long)s->step);
    if (s->unroll > 1) text_printf(p->out, " unroll %u", s->unroll);
    print_body(p, s->body);
    p->names.count = visible;
}

static void print_let(Printer *p, const Stmt *s) {
    const Var *var = s->var;
    uint32_t before = p->names.count;
    const char *name = define(p, var, var->name);
    text_printf(p->out, "%s %s: ", var->mutable ? "var" : "let", name);
    print_type(p->out, var->is_index, var->elem, var->lanes);
    text_puts(p->out, " = ");
    p->names.count = before; /* not visible in its own value */
    print_expr(p, s->value, 0, var->lanes);
    p->names.count = before + 1;
}

static void print_view(Printer *p, const Stmt *s) {
    text_puts(p->out, "view ");
    uint32_t before = p->names.count;
    const char *name = define(p, s->buffer, s->buffer->name);
    text_printf(p->out, "%s = ", name);
    p->names.count = before;
    print_place(p, s->base, s->index, 1, 1, NULL);
    if (s->value) {
        text_puts(p->out, " if ");
        print_expr(p, s->value, 0, 1);
        text_puts(p->out, " else ");
        print_place(p, s->base2, s->index2, 1, 1, NULL);
    }
    p->names.count = before + 1;
}

static void print_if(Printer *p, const Stmt *s) {
    text_puts(p->out, "if ");
    print_expr(p, s->value, 0, 1);
    print_body(p, s->body);
    if (!s->other) return;
    text_puts(p->out, " else");
    print_body(p, s->other);
}

static void print_stmt(Printer *p, const Stmt *s) {
    if (s->kind == STMT_BLOCK) {
        for (uint32_t i = 0; i < s->count; i++) print_stmt(p, s->at[i]);
        return;
    }
    line(p);
    switch (s->kind) {
    case STMT_BLOCK: break;
    case STMT_FOR: print_for(p, s); break;
    case STMT_LET: print_let(p, s); break;
    case STMT_SET:
        text_printf(p->out, "%s = ", name_of(p, s->var));
        print_expr(p, s->value, 0, s->var->lanes);
        break;
    case STMT_STORE:
        print_place(p, s->buffer, s->index, s->value->lanes, s->stride, s->active);
        text_puts(p->out, " = ");
        print_expr(p, s->value, 0, s->value->lanes);
        break;
    case STMT_LOCAL:
        text_printf(p->out, "local %s: %s[%lld]", define(p, s->buffer, s->buffer->name),
                    elem_name(s->buffer->elem), (long long)s->buffer->count);
        break;
    case STMT_VIEW: print_view(p, s); break;
    case STMT_IF: print_if(p, s); break;
    case STMT_PREFETCH:
        text_puts(p->out, "prefetch ");
        print_place(p, s->buffer, s->index, 1, 1, NULL);
        break;
    }
    text_puts(p->out, "\n");
}

static double table_at(const Buffer *b, int64_t i) {
    if (b->elem == ELEM_f32) return ((const float *)b->data)[i];
    if (b->elem == ELEM_i32) return ((const int32_t *)b->data)[i];
    return ((const uint8_t *)b->data)[i];
}

static void print_table(Printer *p, const Buffer *b) {
    for (uint32_t i = 0; i < p->names.count; i++)
        if (p->names.at[i].what == b) return;
    size_t start = p->out->length;
    text_printf(p->out, "  table %s: %s[%lld] = [", define(p, b, b->name),
                elem_name(b->elem), (long long)b->count);
    for (int64_t i = 0; i < b->count; i++) {
        if (i) text_puts(p->out, ", ");
        if (p->out->length - start > 80) {
            text_puts(p->out, "\n    ");
            start = p->out->length - 4;
        }
        if (b->elem == ELEM_f32)
            print_num(p->out, ELEM_f32, table_at(b, i));
        else
            text_printf(p->out, "%.0f", table_at(b, i)); /* the type stands in front */
    }
    text_puts(p->out, "]\n");
}

/* Tables have no statement of their own: they print before the body, by first use. */
static void tables_in_expr(Printer *p, const Expr *e) {
    if (!e) return;
    if (e->buffer && e->buffer->kind == BUFFER_TABLE) print_table(p, e->buffer);
    for (uint32_t i = 0; i < e->args; i++) tables_in_expr(p, e->arg[i]);
}

static void tables_in_stmt(Printer *p, const Stmt *s) {
    if (!s) return;
    const Expr *const exprs[] = {s->begin, s->end,    s->index,
                                 s->value, s->active, s->index2};
    const Buffer *const buffers[] = {s->buffer, s->base, s->base2};
    for (size_t i = 0; i < sizeof exprs / sizeof *exprs; i++) tables_in_expr(p, exprs[i]);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i] && buffers[i]->kind == BUFFER_TABLE) print_table(p, buffers[i]);
    for (uint32_t i = 0; i < s->count; i++) tables_in_stmt(p, s->at[i]);
    tables_in_stmt(p, s->body);
    tables_in_stmt(p, s->other);
}

static void print_header(Printer *p, const Kernel *kernel) {
    text_printf(p->out, "kernel @%s(", kernel->name);
    for (uint32_t i = 0; i < kernel->args.count; i++) {
        const Buffer *b = kernel->args.at[i];
        text_printf(p->out, "%s%s: %s%s%s*", i ? ", " : "", define(p, b, b->name),
                    b->written ? "out " : "", b->may_alias ? "alias " : "",
                    elem_name(b->elem));
    }
    text_puts(p->out, ") tasks ");
    print_expr(p, kernel->tasks, 0, 1);
    if (kernel->flop) text_printf(p->out, " flop %.17g", kernel->flop);
    if (kernel->bytes) text_printf(p->out, " bytes %.17g", kernel->bytes);
}

void loop_print(const Kernel *kernel, Text *out) {
    Printer p = {.out = out};
    vec_push(out->arena, &p.names, (Name){kernel->task, "task"});
    vec_push(out->arena, &p.names, (Name){kernel->n, "N"});
    print_header(&p, kernel);
    text_puts(out, " {\n");
    tables_in_stmt(&p, kernel->body);
    p.depth = 1;
    print_stmt(&p, kernel->body);
    text_puts(out, "}\n");
}
