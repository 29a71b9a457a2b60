/*
 * The text of the graph IR.
 *
 *     module primitive
 *
 *     symbol N max 512
 *
 *     func @step(%x: f32[N, 4], param %w: f32[4, 2]) -> (param w = %7 alias %w, loss = %9) {
 *       %2 = contract %x, %w {dims = [N, 2, 4], ...} : f32[N, 2]
 *
 * Callees come before their callers.  A parameter goes by its name where that is unique in
 * the function, and else by its number; other values go by their number.
 */
#include "ir/names.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Printer {
    const Func *func;
    const char **param; /* names of the parameters */
    Text *out;
} Printer;

static const char *const func_words[] = {"func", "body", "group"}; /* by FuncKind */

/* [A-Za-z_][A-Za-z0-9_.]*; any other name is written in quotes. */
static bool name_is_word(const char *name) {
    for (const char *c = name; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        bool more = (*c >= '0' && *c <= '9') || *c == '.';
        if (!letter && (c == name || !more)) return false;
    }
    return *name;
}

bool name_is_number(const char *name) {
    return strspn(name, "0123456789") == strlen(name);
}

static void print_name(const char *name, Text *out) {
    if (name_is_word(name)) {
        text_puts(out, name);
        return;
    }
    text_puts(out, "\"");
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        if (*c < ' ' || *c == '"' || *c == '\\' || *c == 127)
            text_printf(out, "\\%02x", *c);
        else
            text_add(out, (const char *)c, 1);
    }
    text_puts(out, "\"");
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* NULL for a parameter that has no name of its own, or one that looks like a number. */
static const char **param_names(const Func *func, Arena *arena) {
    uint32_t count = func->params.count;
    const char **names = arena_array(arena, const char *, count);
    const char **sorted = arena_array(arena, const char *, count);
    for (uint32_t i = 0; i < count; i++) sorted[i] = func->params.at[i].name;
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = func->params.at[i].name;
        const char **at = bsearch(&name, sorted, count, sizeof *sorted, compare_names);
        bool twice = (at > sorted && !strcmp(at[-1], name)) ||
                     (at + 1 < sorted + count && !strcmp(at[1], name));
        names[i] = name_is_number(name) || twice ? NULL : name;
    }
    return names;
}

static void print_value(const Printer *p, Val v) {
    const Func *func = p->func;
    text_puts(p->out, "%");
    if (v < func->params.count && p->param[v])
        print_name(p->param[v], p->out);
    else
        text_printf(p->out, "%u", v);
}

/* The shortest of a few widths that reads back as the same number. */
static void print_real(double x, Text *out) {
    static const int digits[] = {6, 9, 17};
    char word[40];
    if (isnan(x)) {
        text_puts(out, signbit(x) ? "-nan" : "nan");
        return;
    }
    for (int i = 0; i < 3; i++) {
        snprintf(word, sizeof word, "%.*g", digits[i], x);
        if (isinf(x) || strtod(word, NULL) == x) break;
    }
    text_puts(out, word);
}

static void print_attr(const Printer *p, const Attr *attr) {
    const AttrKind kind = attr_info[attr->key].kind;
    const Dims *dims = &p->func->module->dims;
    text_printf(p->out, "%s = ", attr_info[attr->key].name);
    switch (kind) {
    case ATTR_KIND_INT: text_printf(p->out, "%" PRId64, attr->i); return;
    case ATTR_KIND_ELEM: text_puts(p->out, elem_name((Elem)attr->i)); return;
    case ATTR_KIND_MAP: affine_print(attr->map, p->out); return;
    case ATTR_KIND_FUNC:
        text_puts(p->out, "@");
        print_name(attr->func->name, p->out);
        return;
    case ATTR_KIND_INTS:
    case ATTR_KIND_DIMS:
    case ATTR_KIND_REALS: break;
    }
    text_puts(p->out, "[");
    for (uint32_t i = 0; i < attr->count; i++) {
        if (i) text_puts(p->out, ", ");
        if (kind == ATTR_KIND_REALS)
            print_real(attr->reals[i], p->out);
        else if (kind == ATTR_KIND_DIMS)
            dim_print(dims, attr->ints[i], p->out);
        else
            text_printf(p->out, "%" PRId64, attr->ints[i]);
    }
    text_puts(p->out, "]");
}

static void print_node(const Printer *p, Val v) {
    const Node *node = graph_node(p->func, v);
    text_printf(p->out, "  %%%u = %s", v, op_info[node->op].name);
    for (uint32_t i = 0; i < node->args; i++) {
        text_puts(p->out, i ? ", " : " ");
        print_value(p, node->arg[i]);
    }
    for (uint32_t i = 0; i < node->attrs; i++) {
        text_puts(p->out, i ? ", " : " {");
        print_attr(p, &node->attr[i]);
    }
    text_puts(p->out, node->attrs ? "} : " : " : ");
    type_print(&p->func->module->dims, &node->type, p->out);
    text_puts(p->out, "\n");
}

static void print_param(const Printer *p, uint32_t i) {
    const Port *port = &p->func->params.at[i];
    if (port->role != ROLE_INPUT) text_printf(p->out, "%s ", role_words[port->role]);
    print_value(p, i);
    text_puts(p->out, ": ");
    type_print(&p->func->module->dims, &port->type, p->out);
}

static void print_result(const Printer *p, uint32_t i) {
    const Port *port = &p->func->outputs.at[i];
    if (port->role != ROLE_OUTPUT) text_printf(p->out, "%s ", role_words[port->role]);
    if (*port->name) {
        print_name(port->name, p->out);
        text_puts(p->out, " = ");
    }
    print_value(p, p->func->results.at[i]);
    if (port->alias < 0) return;
    text_puts(p->out, " alias ");
    print_value(p, (Val)port->alias);
}

/* "(a, b)" on one line, or an entry a line where there are many. */
static void print_ports(const Printer *p, uint32_t count,
                        void (*print)(const Printer *p, uint32_t i)) {
    bool tall = count > 4;
    text_puts(p->out, "(");
    for (uint32_t i = 0; i < count; i++) {
        text_puts(p->out, tall ? "\n    " : i ? " " : "");
        print(p, i);
        if (i + 1 < count) text_puts(p->out, ",");
    }
    text_puts(p->out, ")");
}

void graph_print_func(const Func *func, Text *out) {
    Printer p = {func, param_names(func, out->arena), out};
    text_printf(out, "%s @", func_words[func->kind]);
    print_name(func->name, out);
    print_ports(&p, func->params.count, print_param);
    text_puts(out, " -> ");
    print_ports(&p, func->results.count, print_result);
    text_puts(out, " {\n");
    for (Val v = func->params.count; v < func->nodes.count; v++) print_node(&p, v);
    text_puts(out, "}\n");
}

static bool set_has(const FuncSet *set, const Func *func) {
    for (uint32_t i = set->list.count; i--;)
        if (set->list.at[i] == func) return true;
    return false;
}

/* Callees first.  The depth is bounded: functions nest 64 deep at most. */
static void list_func(const Func *func, FuncSet *set) {
    if (set_has(set, func)) return;
    for (uint32_t v = 0; v < func->nodes.count; v++) {
        const Attr *body = node_attr(graph_node(func, v), ATTR_body);
        if (body) list_func(body->func, set);
    }
    vec_push(set->arena, &set->list, func);
}

void func_set_fill(FuncSet *set, const Module *module) {
    for (uint32_t i = 0; i < module->funcs.count; i++)
        list_func(module->funcs.at[i], set);
}

void graph_print(const Module *module, Text *out) {
    text_puts(out, "module");
    if (module->stage != STAGE_TYPED) text_printf(out, " %s", stage_words[module->stage]);
    text_puts(out, "\n");
    for (uint32_t i = 0; i < module->dims.symbols.count; i++) {
        const Symbol *symbol = &module->dims.symbols.at[i];
        text_printf(out, "%ssymbol %s", i ? "" : "\n", symbol->name);
        if (symbol->max) text_printf(out, " max %" PRId64, symbol->max);
        text_puts(out, "\n");
    }
    FuncSet set = {.arena = out->arena};
    func_set_fill(&set, module);
    for (uint32_t i = 0; i < set.list.count; i++) {
        text_puts(out, "\n");
        graph_print_func(set.list.at[i], out);
    }
}
