/* The tree as text of the language: one statement a line, no needless parentheses. */
#include "frontend/ast.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct Printer {
    Text *out;
    int indent;
} Printer;

static void print_expression(Printer *p, const Ast *ast, int level);
static void print_function(Printer *p, const AstFunction *function);

static void print_newline(Printer *p) {
    text_puts(p->out, "\n");
    for (int i = 0; i < p->indent; i++) text_puts(p->out, "    ");
}

static void print_list(Printer *p, const AstList *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (i) text_puts(p->out, ", ");
        print_expression(p, list->at[i], 0);
    }
}

static void print_args(Printer *p, const AstArgs *args, const char *mark) {
    for (uint32_t i = 0; i < args->count; i++) {
        if (i) text_puts(p->out, ", ");
        if (args->at[i].name) text_printf(p->out, "%s%s", args->at[i].name, mark);
        print_expression(p, args->at[i].value, 0);
    }
}

static void print_type(Printer *p, const AstType *type) {
    if (type->alias) {
        text_puts(p->out, type->alias);
        return;
    }
    text_printf(p->out, "%s[", elem_name(type->elem));
    print_list(p, &type->dim);
    text_puts(p->out, "]");
}

static void print_definition(Printer *p, const Ast *ast, const char *word) {
    text_printf(p->out, "%s%s", word, ast->define.name);
    if (ast->define.type) {
        text_puts(p->out, ": ");
        print_type(p, ast->define.type);
    }
    text_puts(p->out, " = ");
    print_expression(p, ast->define.value, 0);
}

static void print_block(Printer *p, const Ast *ast) {
    text_puts(p->out, "{");
    p->indent++;
    for (uint32_t i = 0; i < ast->list.count; i++) {
        print_newline(p);
        print_expression(p, ast->list.at[i], 0);
    }
    p->indent--;
    print_newline(p);
    text_puts(p->out, "}");
}

static void print_number(Printer *p, const Ast *ast) {
    char text[40];
    if (ast->number.is_integer) {
        text_printf(p->out, "%.0f", ast->number.value);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, ast->number.value);
        if (strtod(text, NULL) == ast->number.value) break;
    }
    text_puts(p->out, text);
    if (!strpbrk(text, ".e")) text_puts(p->out, ".0");
}

/* The first argument of a piped call back in its place. */
static void print_pipe(Printer *p, const Ast *ast) {
    AstArgs rest = {ast->call.args.count - 1, ast->call.args.at + 1};
    print_expression(p, ast->call.args.at[0].value, 1);
    text_puts(p->out, " |> ");
    print_expression(p, ast->call.callee, ast->call.callee->kind == AST_call ? 12 : 10);
    if (!rest.count) return;
    text_puts(p->out, "(");
    print_args(p, &rest, " = ");
    text_puts(p->out, ")");
}

static void print_call(Printer *p, const Ast *ast) {
    print_expression(p, ast->call.callee, 10);
    text_puts(p->out, "(");
    print_args(p, &ast->call.args, " = ");
    text_puts(p->out, ")");
}

static void print_binary(Printer *p, const Ast *ast) {
    const BinaryInfo *info = &binary_info[ast->binary.op];
    bool compares = info->level == binary_info[BINARY_eq].level;
    print_expression(p, ast->binary.left, info->level + (info->right || compares));
    text_printf(p->out, " %s ", info->spelling);
    print_expression(p, ast->binary.right, info->level + !info->right);
}

static void print_if(Printer *p, const Ast *ast) {
    text_puts(p->out, "if ");
    print_expression(p, ast->branch.condition, 0);
    text_puts(p->out, " ");
    print_block(p, ast->branch.then);
    if (!ast->branch.otherwise) return;
    text_puts(p->out, " else ");
    print_expression(p, ast->branch.otherwise, 0);
}

static void print_repeat(Printer *p, const Ast *ast) {
    text_puts(p->out, "repeat ");
    print_expression(p, ast->repeat.count, 0);
    if (ast->repeat.index) text_printf(p->out, " as %s", ast->repeat.index);
    text_puts(p->out, " with ");
    print_args(p, &ast->repeat.carries, " = ");
    text_puts(p->out, " ");
    print_block(p, ast->repeat.body);
}

/* The precedence of a node as it prints; 11: an atom. */
static int level_of(const Ast *ast) {
    if (ast->kind == AST_binary) return binary_info[ast->binary.op].level;
    if (ast->kind == AST_call && ast->call.piped) return 1;
    if (ast->kind == AST_function) return 0;
    if (ast->kind == AST_unary) return ast->unary.op == UNARY_not ? 4 : LEVEL_UNARY;
    if (ast->kind == AST_if || ast->kind == AST_repeat) return 9;
    return 11;
}

static void print_node(Printer *p, const Ast *ast) {
    switch (ast->kind) {
    case AST_error: text_puts(p->out, "error"); break;
    case AST_number: print_number(p, ast); break;
    case AST_string: text_printf(p->out, "\"%s\"", ast->text); break;
    case AST_bool: text_puts(p->out, ast->truth ? "true" : "false"); break;
    case AST_name: text_puts(p->out, ast->text); break;
    case AST_rest: text_puts(p->out, "..."); break;
    case AST_list:
        text_puts(p->out, "[");
        print_list(p, &ast->list);
        text_puts(p->out, "]");
        break;
    case AST_record:
        text_puts(p->out, "{ ");
        print_args(p, &ast->record, ": ");
        text_puts(p->out, " }");
        break;
    case AST_call: ast->call.piped ? print_pipe(p, ast) : print_call(p, ast); break;
    case AST_unary:
        text_puts(p->out, ast->unary.op == UNARY_not ? "not " : "-");
        print_expression(p, ast->unary.of, ast->unary.op == UNARY_not ? 4 : LEVEL_UNARY);
        break;
    case AST_binary: print_binary(p, ast); break;
    case AST_field:
        print_expression(p, ast->field.of, 10);
        text_printf(p->out, ".%s", ast->field.name);
        break;
    case AST_index:
        print_expression(p, ast->index.of, 10);
        text_puts(p->out, "[");
        print_expression(p, ast->index.at, 0);
        text_puts(p->out, "]");
        break;
    case AST_prime: text_printf(p->out, "%s'", ast->prime); break;
    case AST_if: print_if(p, ast); break;
    case AST_function: print_function(p, ast->function); break;
    case AST_repeat: print_repeat(p, ast); break;
    case AST_block: print_block(p, ast); break;
    case AST_let: print_definition(p, ast, "let "); break;
    case AST_result: print_definition(p, ast, ""); break;
    case AST_param: print_definition(p, ast, "param "); break;
    case AST_state: print_definition(p, ast, "state "); break;
    case AST_next: print_definition(p, ast, "next "); break;
    case AST_every:
        text_puts(p->out, ast->every.period ? "every " : "after epoch");
        if (ast->every.period) print_expression(p, ast->every.period, 0);
        text_puts(p->out, " ");
        print_block(p, ast->every.body);
        break;
    }
}

/* In parentheses where it binds less tightly than its place asks. */
static void print_expression(Printer *p, const Ast *ast, int level) {
    bool parentheses = level_of(ast) < level;
    if (parentheses) text_puts(p->out, "(");
    print_node(p, ast);
    if (parentheses) text_puts(p->out, ")");
}

static void print_parameters(Printer *p, uint32_t count, const AstParam *at) {
    text_puts(p->out, "(");
    for (uint32_t i = 0; i < count; i++) {
        const AstParam *param = &at[i];
        text_printf(p->out, "%s%s", i ? ", " : "", param->name);
        if (param->type) text_puts(p->out, ": ");
        if (param->type) print_type(p, param->type);
        if (param->value) text_puts(p->out, " = ");
        if (param->value) print_expression(p, param->value, 0);
    }
    text_puts(p->out, ")");
}

static void print_function(Printer *p, const AstFunction *function) {
    text_puts(p->out, function_word[function->kind]);
    if (function->name) text_printf(p->out, " %s", function->name);
    print_parameters(p, function->params, function->param);
    if (function->result) text_puts(p->out, " -> ");
    if (function->result) print_type(p, function->result);
    text_puts(p->out, function->body->kind == AST_block ? " " : " = ");
    print_expression(p, function->body, 0);
}

static void print_train(Printer *p, const AstTrain *train) {
    text_printf(p->out, "%s", train->name);
    if (train->params) print_parameters(p, train->params, train->param);
    text_puts(p->out, " {");
    p->indent++;
    for (uint32_t i = 0; i < train->fields.count; i++) {
        print_newline(p);
        text_printf(p->out, "%s = ", train->fields.at[i].name);
        print_expression(p, train->fields.at[i].value, 0);
    }
    for (uint32_t i = 0; i < train->statements.count; i++) {
        print_newline(p);
        print_node(p, train->statements.at[i]);
    }
    for (uint32_t i = 0; i < train->phases; i++) {
        print_newline(p);
        text_puts(p->out, "phase ");
        print_train(p, train->phase[i]);
    }
    p->indent--;
    print_newline(p);
    text_puts(p->out, "}");
}

void ast_print(const AstFile *file, Text *out) {
    Printer p = {out, 0};
    for (uint32_t i = 0; i < file->uses.count; i++)
        text_printf(out, "use \"%s\"\n", file->uses.at[i].path);
    for (uint32_t i = 0; i < file->aliases.count; i++) {
        text_printf(out, "type %s = ", file->aliases.at[i].name);
        print_type(&p, file->aliases.at[i].type);
        text_puts(out, "\n");
    }
    for (uint32_t i = 0; i < file->lets.count; i++) {
        print_expression(&p, file->lets.at[i], 0);
        text_puts(out, "\n");
    }
    for (uint32_t i = 0; i < file->functions.count; i++) {
        print_function(&p, file->functions.at[i]);
        text_puts(out, "\n");
    }
    for (uint32_t i = 0; i < file->trains.count; i++) {
        text_puts(out, "train ");
        print_train(&p, file->trains.at[i]);
        text_puts(out, "\n");
    }
}

void ast_print_type(const AstType *type, Text *out) {
    Printer p = {out, 0};
    print_type(&p, type);
}
