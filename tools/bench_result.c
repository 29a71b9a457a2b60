/* Results of timings: statistics and their JSON form. */
#include "tools/bench.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

double timing_min(const Timing *timing) {
    double least = timing->at[0];
    for (uint32_t i = 1; i < timing->calls; i++)
        if (timing->at[i] < least) least = timing->at[i];
    return least;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double timing_median(const Timing *timing) {
    double sorted[MAX_CALLS];
    uint32_t half = timing->calls / 2;
    memcpy(sorted, timing->at, timing->calls * sizeof *sorted);
    qsort(sorted, timing->calls, sizeof *sorted, by_value);
    return timing->calls % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

long peak_megabytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

json_t *bench_row(const char *name, int threads, const Timing *timing, Effort effort) {
    double least = timing_min(timing);
    json_t *row = json_pack("{s:s, s:s, s:i, s:f, s:f, s:i, s:I, s:f}", "peer", "tenon",
                            "case", name, "threads", threads, "min_s", least, "median_s",
                            timing_median(timing), "calls", (int)timing->calls, "peak_mb",
                            (json_int_t)peak_megabytes(), "first_s", timing->first_s);
    if (effort.flop > 0)
        json_object_set_new(row, "gflops", json_real(1e-9 * effort.flop / least));
    if (effort.bytes > 0)
        json_object_set_new(row, "gbs", json_real(1e-9 * effort.bytes / least));
    return row;
}
