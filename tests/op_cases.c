/* Parsing and inputs of the op cases (op_cases.h). */
#include "tests/op_cases.h"
#include "runtime/philox.h"

const OpCase op_cases[] = {
#include "tests/op_cases.def"
};
const int op_case_count = sizeof op_cases / sizeof *op_cases;

Module *op_case_parse(const OpCase *c, Arena *arena, Diag *diag) {
    const char *text = arena_print(arena, "module\nsymbol N max 9\n%s", c->text);
    return graph_parse(arena, diag, diag_source(diag, c->name, text, strlen(text)));
}

Func *op_case_entry(const Module *module) {
    return module->funcs.at[module->funcs.count - 1];
}

int64_t op_case_n(const OpCase *c) {
    return c->n ? c->n : 7;
}

/* Uniform in [0, 1), a multiple of 2^-24. */
static double draw(uint32_t seed, uint32_t param, uint32_t element) {
    uint32_t word[4];
    philox((uint32_t[]){element, param, 0, 0}, (uint32_t[]){seed, 1}, word);
    return (double)(word[0] >> 8) * 0x1p-24;
}

static double draw_value(const OpCase *c, Elem elem, double u) {
    double low = c->low, high = c->high;
    if (low == 0 && high == 0) low = -1, high = 1;
    switch (elem) {
    case ELEM_bool: return u < 0.5;
    case ELEM_u8: return (double)(int)(u * 256);
    case ELEM_i32: return (double)(int64_t)(u * (double)(c->ints ? c->ints : 5));
    case ELEM_f32: return (float)(low + u * (high - low));
    case ELEM_f64: return low + u * (high - low);
    case ELEM_COUNT: break;
    }
    return 0;
}

Array *op_case_inputs(const OpCase *c, const Func *entry, uint32_t seed, Arena *arena) {
    Array *args = arena_array(arena, Array, entry->params.count);
    const int64_t n = op_case_n(c);
    for (uint32_t i = 0; i < entry->params.count; i++) {
        const Type *type = &entry->params.at[i].type;
        int64_t dim[MAX_RANK];
        for (uint32_t k = 0; k < type->rank; k++)
            dim[k] = dim_value(&entry->module->dims, type->dim[k], &n);
        args[i] = array_new(arena, type->elem, type->rank, dim);
        for (int64_t k = 0; k < array_count(&args[i]); k++)
            args[i].at[k] = draw_value(c, type->elem, draw(seed, i, (uint32_t)k));
    }
    return args;
}
