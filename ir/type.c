/* Element types and tensor types. */
#include "ir/type.h"
#include <string.h>

static const struct {
    const char *name;
    uint32_t bytes;
    bool is_float;
} elem_info[ELEM_COUNT] = {
    [ELEM_bool] = {"bool", 1, false}, [ELEM_u8] = {"u8", 1, false},
    [ELEM_i32] = {"i32", 4, false},   [ELEM_f32] = {"f32", 4, true},
    [ELEM_f64] = {"f64", 8, true},
};

const char *elem_name(Elem elem) {
    return elem_info[elem].name;
}
uint32_t elem_bytes(Elem elem) {
    return elem_info[elem].bytes;
}
bool elem_is_float(Elem elem) {
    return elem_info[elem].is_float;
}

bool elem_parse(const char *name, Elem *elem) {
    for (int i = 0; i < ELEM_COUNT; i++) {
        if (strcmp(elem_info[i].name, name)) continue;
        *elem = (Elem)i;
        return true;
    }
    return false;
}

Type type_tensor(Elem elem, uint32_t rank, const Dim *dim) {
    Type type = {.elem = elem, .rank = rank};
    for (uint32_t i = 0; i < rank; i++) type.dim[i] = dim[i];
    return type;
}

Type type_scalar(Elem elem) {
    return (Type){.elem = elem};
}

bool type_same_shape(const Type *a, const Type *b) {
    if (a->rank != b->rank) return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

bool type_equal(const Type *a, const Type *b) {
    if (a->parts != b->parts) return false;
    for (uint32_t i = 0; i < a->parts; i++)
        if (!type_equal(&a->part[i], &b->part[i])) return false;
    return a->parts || (a->elem == b->elem && type_same_shape(a, b));
}

Dim type_count(Dims *dims, const Type *type) {
    Dim count = 1;
    for (uint32_t i = 0; i < type->rank; i++) count = dim_mul(dims, count, type->dim[i]);
    if (count == DIM_OVERFLOW || dim_max(dims, count) > DIM_LIMIT) return DIM_OVERFLOW;
    return count;
}

void type_print(const Dims *dims, const Type *type, Text *out) {
    if (type->parts) {
        for (uint32_t i = 0; i < type->parts; i++) {
            text_puts(out, i ? ", " : "(");
            type_print(dims, &type->part[i], out);
        }
        text_puts(out, ")");
        return;
    }
    text_printf(out, "%s[", elem_name(type->elem));
    for (uint32_t i = 0; i < type->rank; i++) {
        if (i) text_puts(out, ", ");
        dim_print(dims, type->dim[i], out);
    }
    text_puts(out, "]");
}
