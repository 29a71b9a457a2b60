/* Parts of the graph's text: dimensions, types, affine maps, attributes. */
#ifndef TN_IR_PARSE_PARTS_H
#define TN_IR_PARSE_PARTS_H

#include "ir/graph.h"
#include "ir/lex.h"

typedef struct Parser {
    Lexer lexer;
    Module *module;
} Parser;

typedef VEC(Val) ValList;
typedef VEC(Attr) AttrList;

/* Reports, unless the token there was reported already; always false. */
bool part_error(Parser *p, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool part_expect(Parser *p, TokenKind kind, const char *what); /* and steps over it */
bool part_mark(Parser *p, char mark);
bool part_int(Parser *p, int64_t *value); /* signed */
bool part_type(Parser *p, Type *type);
bool part_dim(Parser *p, Dim *dim);
bool part_attrs(Parser *p, AttrList *attrs); /* {...}, or nothing */
bool part_find_symbol(Parser *p, const char *name);

#endif
