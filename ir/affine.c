/* Affine index maps: printing and the questions passes ask of them. */
#include "ir/affine.h"
#include <inttypes.h>

/* " + 2*d1", or "2*d1" where nothing is written before it. */
static void print_part(Text *out, bool *first, int64_t factor, int axis) {
    uint64_t size = factor < 0 ? 0 - (uint64_t)factor : (uint64_t)factor;
    text_puts(out, *first ? (factor < 0 ? "-" : "") : (factor < 0 ? " - " : " + "));
    *first = false;
    if (axis < 0)
        text_printf(out, "%" PRIu64, size);
    else if (size == 1)
        text_printf(out, "d%d", axis);
    else
        text_printf(out, "%" PRIu64 "*d%d", size, axis);
}

static void print_form(const Affine *form, uint32_t axes, Text *out) {
    bool first = true;
    if (form->divisor != 1) text_puts(out, "(");
    for (uint32_t i = 0; i < axes; i++)
        if (form->coefficient[i]) print_part(out, &first, form->coefficient[i], (int)i);
    if (form->offset || first) print_part(out, &first, form->offset, -1);
    if (form->divisor != 1) text_printf(out, ")/%" PRId64, form->divisor);
}

void affine_print(const AffineMap *map, Text *out) {
    text_puts(out, "[");
    for (uint32_t i = 0; i < map->rank; i++) {
        if (i) text_puts(out, ", ");
        print_form(&map->dim[i], map->axes, out);
    }
    text_puts(out, "]");
}

bool affine_equal(const AffineMap *a, const AffineMap *b) {
    if (a->axes != b->axes || a->rank != b->rank) return false;
    for (uint32_t i = 0; i < a->rank; i++) {
        const Affine *x = &a->dim[i], *y = &b->dim[i];
        if (x->offset != y->offset || x->divisor != y->divisor) return false;
        for (uint32_t j = 0; j < a->axes; j++)
            if (x->coefficient[j] != y->coefficient[j]) return false;
    }
    return true;
}

bool affine_is_axis(const Affine *form, uint32_t *axis) {
    bool found = false;
    if (form->offset || form->divisor != 1) return false;
    for (uint32_t i = 0; i < MAX_AXES; i++) {
        if (!form->coefficient[i]) continue;
        if (found || form->coefficient[i] != 1) return false;
        found = true;
        *axis = i;
    }
    return found;
}
