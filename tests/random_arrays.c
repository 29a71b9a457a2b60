/* Random arguments, and modules compared by what they compute (random_arrays.h). */
#include "tests/random_arrays.h"
#include <check.h>
#include <math.h>

double random_uniform(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

const int64_t *symbol_values(Arena *arena, const Module *module) {
    const uint32_t count = module->dims.symbols.count;
    int64_t *values = arena_array(arena, int64_t, count);
    for (uint32_t i = 0; i < count; i++) {
        const int64_t max = module->dims.symbols.at[i].max;
        values[i] = max && max < 3 ? max : 3;
    }
    return values;
}

static double random_element(Elem elem, uint64_t *state) {
    const double u = random_uniform(state);
    switch (elem) {
    case ELEM_bool: return u < 0.5;
    case ELEM_u8: return floor(256 * u);
    case ELEM_i32: return floor(3 * u);
    case ELEM_f32:
    case ELEM_f64:
    case ELEM_COUNT: break;
    }
    return (float)(4 * u - 2);
}

Array random_array(Arena *arena, const Func *func, uint32_t i, const int64_t *symbols,
                   uint64_t *state) {
    const Type *type = &func->params.at[i].type;
    int64_t dim[MAX_RANK];
    for (uint32_t d = 0; d < type->rank; d++)
        dim[d] = dim_value(&func->module->dims, type->dim[d], symbols);
    Array array = array_new(arena, type->elem, type->rank, dim);
    for (int64_t e = 0; e < array_count(&array); e++)
        array.at[e] = random_element(type->elem, state);
    return array;
}

static void compare(const char *what, const Array *a, const Array *b) {
    ck_assert_int_eq(array_count(a), array_count(b));
    for (int64_t e = 0; e < array_count(a); e++) {
        const double x = a->at[e], y = b->at[e];
        if (isnan(x) && isnan(y)) continue;
        ck_assert_msg(x == y || fabs(x - y) <= 1e-5 * (1 + fabs(x)), "%s: %g became %g",
                      what, x, y);
    }
}

void check_same_meaning(Arena *arena, const char *what, const Module *before,
                        const Module *after) {
    uint64_t state = 1;
    for (uint32_t i = 0; i < before->funcs.count; i++) {
        const Func *old = before->funcs.at[i], *new = module_find(after, old->name);
        if (old->kind != FUNC_ENTRY) continue;
        ck_assert_msg(new != NULL, "%s: @%s is gone", what, old->name);
        const int64_t *symbols = symbol_values(arena, before);
        Array *args = arena_array(arena, Array, old->params.count);
        Array *x = arena_array(arena, Array, old->results.count);
        Array *y = arena_array(arena, Array, old->results.count);
        for (uint32_t p = 0; p < old->params.count; p++)
            args[p] = random_array(arena, old, p, symbols, &state);
        eval_func(old, args, symbols, arena, x);
        eval_func(new, args, symbols, arena, y);
        for (uint32_t r = 0; r < old->results.count; r++) compare(what, &x[r], &y[r]);
    }
}
