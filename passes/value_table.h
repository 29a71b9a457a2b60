/* Values by what computes them: op, operands, attributes. */
#ifndef TN_PASSES_VALUE_TABLE_H
#define TN_PASSES_VALUE_TABLE_H

#include "ir/graph.h"

typedef struct ValueEntry {
    Val node, value; /* what computes it; what stands for it.  NO_VAL: free */
} ValueEntry;

typedef struct ValueTable {
    Arena *arena;
    const Func *func;
    ValueEntry *entry; /* [mask + 1], a power of two */
    uint32_t mask, used;
} ValueTable;

void value_table_init(ValueTable *table, const Func *func, Arena *arena);

/* The entry of a node equal to `v`, or a new one of `v` itself.  Good until the next call. */
ValueEntry *value_table_find(ValueTable *table, Val v);

/* The same op and attributes, and the same operands, in either order where that is one. */
bool node_equal(const Node *a, const Node *b);

#endif
