/* The step of a small net in a compiled library: four rows of six numbers, of three classes. */
#ifndef TN_TESTS_STEP_H
#define TN_TESTS_STEP_H

#include <stddef.h>
#include <stdint.h>

enum { BATCH = 4, WIDE = 6, CLASSES = 3 };

/* What the step takes and gives, as its header declares them, and where those lie. */
typedef struct Step {
    struct {
        const float *x;
        const int32_t *y;
        size_t work_bytes;
    } in;
    struct {
        float *loss;
    } out;
    float x[BATCH * WIDE], loss;
    int32_t y[BATCH];
} Step;

void step_fill(Step *step, uint32_t seed);
/* Numbers in [-1, 1), the same for the same seed. */
void fill_noise(float *x, int64_t count, uint32_t seed);

#endif
