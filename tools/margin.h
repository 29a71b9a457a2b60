/* A linear classifier of maximal margin: one against the rest, by dual coordinate descent
 * (Hsieh et al. 2008). */
#ifndef TN_TOOLS_MARGIN_H
#define TN_TOOLS_MARGIN_H

#include <stdbool.h>
#include <stdint.h>

/* `rows` examples of `width` numbers, `stride` from one to the next. */
typedef struct Points {
    const double *at;
    int64_t rows;
    uint32_t width, stride;
    const int32_t *label;
} Points;

/* The share of `test` that a classifier trained on `train` puts into the right one of
 * `classes`; below 0: memory ended. */
double margin_accuracy(const Points *train, const Points *test, uint32_t classes);

#endif
