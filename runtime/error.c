/* The codes of tenon_object.h in words. */
#include "tenon_runtime.h"

static const char *const words[] = {
    [TN_OK] = "no error",
    [TN_ERROR_NULL] = "a pointer that must not be NULL is",
    [TN_ERROR_ALIGNMENT] = "state or work is not at a multiple of 64 bytes",
    [TN_ERROR_RANGE] = "the run-time dimension n, or the seed, is out of its range",
    [TN_ERROR_CPU] = "this processor lacks what the code was compiled for (--cpu)",
    [TN_ERROR_ABI] = "header and object are of different releases or models",
    [TN_ERROR_STATE] = "the state was not made by the init of such an object",
    [TN_ERROR_WORK] = "the work memory is smaller than the entry needs",
    [TN_ERROR_ARRAY] = "an array is not aligned to its elements",
    [TN_ERROR_OVERRUN] = "the work memory was written beyond its end",
};
#define WORDS (int)(sizeof words / sizeof *words)

const char *tn_error_text(int code) {
    return code >= 0 && code < WORDS ? words[code] : "unknown error code";
}
