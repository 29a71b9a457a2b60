/* Inputs of the small step. */
#include "tests/step.h"

void fill_noise(float *x, int64_t count, uint32_t seed) {
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) * 0x1p-23f - 1;
    }
}

void step_fill(Step *s, uint32_t seed) {
    *s = (Step){.in = {s->x, s->y, 0}, .out = {&s->loss}};
    fill_noise(s->x, BATCH * WIDE, seed);
    for (uint32_t i = 0; i < BATCH; i++) s->y[i] = (int32_t)((seed + i) % CLASSES);
}
