/* Values by what computes them (value_table.h): an open hash table. */
#include "passes/value_table.h"
#include "ir/scalar.h"

bool node_equal(const Node *a, const Node *b) {
    if (a->op != b->op || a->args != b->args || a->attrs != b->attrs) return false;
    for (uint32_t i = 0; i < a->attrs; i++)
        if (!attr_equal(&a->attr[i], &b->attr[i])) return false;
    if (!a->args || !memcmp(a->arg, b->arg, a->args * sizeof(Val))) return true;
    return op_commutes(a->op) && a->arg[0] == b->arg[1] && a->arg[1] == b->arg[0];
}

static uint64_t node_hash(const Node *node) {
    uint64_t hash = node->op * 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < node->args; i++) {
        uint64_t term = (node->arg[i] + 1) * 0xd6e8feb86659fd93u;
        hash = op_commutes(node->op) ? hash + term : (hash ^ term) * 0xff51afd7ed558ccdu;
    }
    for (uint32_t i = 0; i < node->attrs; i++)
        hash = (hash ^ attr_hash(&node->attr[i])) * 0xff51afd7ed558ccdu;
    return hash ^ hash >> 32;
}

static ValueEntry *slot_of(const ValueTable *table, Val v) {
    const Node *node = graph_node(table->func, v);
    uint32_t at = (uint32_t)node_hash(node) & table->mask;
    while (table->entry[at].node != NO_VAL &&
           !node_equal(graph_node(table->func, table->entry[at].node), node))
        at = (at + 1) & table->mask;
    return &table->entry[at];
}

static void resize(ValueTable *table, uint32_t size) {
    const ValueTable old = *table;
    table->mask = size - 1;
    table->entry = arena_array(table->arena, ValueEntry, size);
    memset(table->entry, 0xff, size * sizeof *table->entry); /* NO_VAL */
    for (uint32_t i = 0; old.entry && i <= old.mask; i++)
        if (old.entry[i].node != NO_VAL)
            *slot_of(table, old.entry[i].node) = old.entry[i];
}

void value_table_init(ValueTable *table, const Func *func, Arena *arena) {
    *table = (ValueTable){.arena = arena, .func = func};
    resize(table, 64);
}

ValueEntry *value_table_find(ValueTable *table, Val v) {
    if (2 * table->used > table->mask) resize(table, 2 * (table->mask + 1));
    ValueEntry *entry = slot_of(table, v);
    if (entry->node == NO_VAL) {
        *entry = (ValueEntry){v, v};
        table->used++;
    }
    return entry;
}
