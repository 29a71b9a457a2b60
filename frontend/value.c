/* Small questions to values. */
#include "frontend/elaborate.h"
#include <inttypes.h>

Value value_from_dim(Dim dim) {
    if (dim_is_const(dim)) return value_int(dim);
    return (Value){.kind = VALUE_dim, .dim = dim};
}

const Value *value_field(const Value *record, const char *name) {
    for (uint32_t i = 0; i < record->record.count; i++)
        if (!strcmp(record->record.at[i].name, name)) return record->record.at[i].value;
    return NULL;
}

static const char *function_words(Arena *arena, const Closure *closure) {
    if (closure->kind == CALL_grad) return "the function `grad(...)`";
    if (closure->function && closure->function->name)
        return arena_print(arena, "the %s `%s`", function_word[closure->function->kind],
                           closure->function->name);
    return "a function";
}

const char *value_words(Arena *arena, const Dims *dims, const Value *v) {
    Text text;
    text_init(&text, arena);
    switch (v->kind) {
    case VALUE_missing: return "nothing";
    case VALUE_unknown: return "something unknown";
    case VALUE_none: return "no value";
    case VALUE_int: return arena_print(arena, "the number %" PRId64, v->integer);
    case VALUE_real: return arena_print(arena, "the number %g", v->real);
    case VALUE_bool: return v->truth ? "true" : "false";
    case VALUE_string: return arena_print(arena, "the string \"%s\"", v->text);
    case VALUE_rest: return "`...`";
    case VALUE_list: return arena_print(arena, "a list of %u", v->list.count);
    case VALUE_function: return function_words(arena, v->function);
    case VALUE_dim:
        text_puts(&text, "the dimension ");
        dim_print(dims, v->dim, &text);
        return text.at;
    case VALUE_tensor:
        type_print(dims, graph_type(v->tensor.frame->func, v->tensor.val), &text);
        return text.at;
    case VALUE_record:
        text_puts(&text, "a record of ");
        for (uint32_t i = 0; i < v->record.count && i < 6; i++)
            text_printf(&text, "%s%s", i ? ", " : "", v->record.at[i].name);
        return text.at ? text.at : "an empty record";
    }
    return "?";
}
