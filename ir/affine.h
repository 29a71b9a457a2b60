/* Affine index maps: how an axis space reaches the dimensions of a tensor. */
#ifndef TN_IR_AFFINE_H
#define TN_IR_AFFINE_H

#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

#define MAX_AXES 16

/*
 * (sum of coefficient[i] * d<i> + offset) / divisor over the axes d0, d1, ...
 * A position outside [0, extent) of its dimension reads zero; so does one where the
 * division leaves a remainder.
 */
typedef struct Affine {
    int64_t coefficient[MAX_AXES];
    int64_t offset;
    int64_t divisor; /* >= 1 */
} Affine;

/* One form per tensor dimension. Text: [d0, 2*d1 + d4 - 1, (d2 - d5)/2, d3] */
typedef struct AffineMap {
    uint32_t axes, rank;
    Affine dim[8]; /* [rank], MAX_RANK */
} AffineMap;

void affine_print(const AffineMap *map, Text *out);
bool affine_equal(const AffineMap *a, const AffineMap *b);
bool affine_is_axis(const Affine *form,
                    uint32_t *axis); /* exactly one axis, coefficient 1 */

#endif
