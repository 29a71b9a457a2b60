/* Contractions alone: convolutions and their gradients, matrix products, timed one by one. */
#ifndef TN_TOOLS_BENCH_KERNELS_H
#define TN_TOOLS_BENCH_KERNELS_H

#include "base/status.h"
#include <stdbool.h>
#include <stdio.h>

typedef struct KernelBench {
    int threads;
    const char *cpu;  /* NULL: this one */
    bool no_winograd; /* all convolutions directly */
    const char *only; /* cases whose name contains this; NULL: all */
    double seconds;   /* of a case; 0: 1.5 */
    bool tiles;       /* print what was chosen, to `out`, instead of timing */
    FILE *out;
} KernelBench;

/* One JSON object a case. */
Status bench_kernels(const KernelBench *options, char *message);

#endif
