/* The syntax tree of a .tn file: trees of pointers in the source's arena, never changed
 * after parsing. */
#ifndef TN_FRONTEND_AST_H
#define TN_FRONTEND_AST_H

#include "base/diag.h"
#include "ir/type.h"

typedef struct Ast Ast;
typedef struct AstFunction AstFunction;

typedef enum AstKind {
    /* expressions */
    AST_error, /* where parsing gave up; reported already */
    AST_number,
    AST_string,
    AST_bool,
    AST_name,
    AST_rest, /* ... */
    AST_list,
    AST_record,
    AST_call,
    AST_unary,
    AST_binary,
    AST_field,
    AST_index,
    AST_prime, /* m': the value a state will have */
    AST_if,
    AST_function,
    AST_repeat,
    AST_block,
    /* statements of a block */
    AST_let,
    AST_result,
    AST_param,
    AST_state,
    AST_next,
    AST_every,
} AstKind;

/* A value with an optional name: an argument, a field, a carried value. */
typedef struct AstArg {
    const char *name; /* NULL: by position */
    Span span;        /* of the name, else of the value */
    Ast *value;
} AstArg;

typedef struct AstArgs {
    uint32_t count;
    const AstArg *at;
} AstArgs;

typedef struct AstList {
    uint32_t count;
    Ast *const *at;
} AstList;

typedef struct AstType {
    Span span;
    const char *alias; /* Image; else elem and dim */
    Elem elem;
    AstList dim; /* AST_rest for `...` */
} AstType;

typedef enum UnaryOp { UNARY_neg, UNARY_not } UnaryOp;

typedef enum BinaryOp {
#define BINARY(name, spelling, level, right) BINARY_##name,
#include "frontend/binary.def"
#undef BINARY
    BINARY_COUNT
} BinaryOp;

typedef struct BinaryInfo {
    const char *name, *spelling, *quoted; /* quoted: `+` */
    int level;                            /* of precedence: higher binds tighter */
    bool right;                           /* associates to the right */
} BinaryInfo;
extern const BinaryInfo binary_info[BINARY_COUNT];
#define LEVEL_UNARY 8 /* -x binds tighter than *, looser than ^ */

/* Most names differ in their first letter. */
static inline bool same_name(const char *a, const char *b) {
    return *a == *b && !strcmp(a, b);
}

struct Ast {
    AstKind kind;
    bool grouped; /* stood in parentheses */
    Span span;
    union {
        struct {
            double value;
            bool is_integer;
        } number;
        bool truth;
        const char *text; /* string, name */
        AstList list;     /* list, block */
        AstArgs record;
        struct {
            Ast *callee;
            AstArgs args;
            bool piped; /* the first argument came by |> */
        } call;
        struct {
            UnaryOp op;
            Ast *of;
        } unary;
        struct {
            BinaryOp op;
            Ast *left, *right;
        } binary;
        struct {
            Ast *of;
            const char *name;
            Span name_span;
        } field;
        struct {
            Ast *of, *at;
        } index;
        const char *prime;
        struct {
            Ast *condition, *then, *otherwise; /* otherwise: NULL, a block or an if */
        } branch;
        const AstFunction *function;
        struct {
            Ast *count;
            const char *index; /* NULL: the number of the round has no name */
            AstArgs carries;
            Ast *body;
        } repeat;
        struct { /* let, result, param, state, next */
            const char *name;
            Span name_span;
            const AstType *type; /* NULL: none written */
            Ast *value;
        } define;
        struct {
            Ast *period, *body; /* period: in steps; NULL: after each epoch */
        } every;
    };
};

typedef struct AstParam {
    const char *name;
    Span span;
    const AstType *type; /* NULL: any value */
    Ast *value;          /* NULL: no default */
} AstParam;

typedef enum FunctionKind {
    FUNCTION_fn,
    FUNCTION_net,
    FUNCTION_loss,
    FUNCTION_optimiser
} FunctionKind;
extern const char *const function_word[];

struct AstFunction {
    FunctionKind kind;
    const char *name; /* NULL: a literal */
    Span span;        /* of the name, else of the word `fn` */
    uint32_t params;
    const AstParam *param;
    const AstType *result; /* NULL: none written */
    Ast *body;
};

/* A training block, or a phase of one: what stands in it goes before the block's own. */
typedef struct AstTrain {
    const char *name;
    Span span;
    uint32_t params;
    const AstParam *param;
    AstArgs fields;
    AstList statements; /* let, state, every */
    uint32_t phases;
    const struct AstTrain *const *phase; /* phases themselves have none */
} AstTrain;

typedef struct AstAlias {
    const char *name;
    Span span;
    const AstType *type;
} AstAlias;

typedef struct AstUse {
    const char *path;
    Span span;
} AstUse;

typedef struct AstFile {
    uint32_t source;
    VEC(AstUse) uses;
    VEC(const AstFunction *) functions;
    VEC(const AstTrain *) trains;
    VEC(AstAlias) aliases;
    VEC(Ast *) lets;
} AstFile;

/* parse.c: never NULL; what could not be parsed is reported and left out. */
AstFile *ast_parse(Arena *arena, Diag *diag, uint32_t source);
/* One expression alone, as in --set decay=1e-4. */
Ast *ast_parse_expression(Arena *arena, Diag *diag, uint32_t source);

/* ast_print.c: in the language itself; printing what is parsed again prints the same. */
void ast_print(const AstFile *file, Text *out);
void ast_print_type(const AstType *type, Text *out);

#endif
