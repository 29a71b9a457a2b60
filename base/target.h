/* Plain facts about the processor that code is made for. */
#ifndef TN_BASE_TARGET_H
#define TN_BASE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

/* Where 3x3 convolutions are computed by transformed tiles: faster, with larger errors. */
typedef enum WinogradUse {
    WINOGRAD_NEVER,
    WINOGRAD_WHERE_FASTER,
    WINOGRAD_WHERE_POSSIBLE, /* for tests */
} WinogradUse;

typedef struct Target {
    char cpu[64];          /* LLVM's name: "znver3", "x86-64-v3" */
    char features[1024];   /* LLVM's feature string, "+avx2,+fma,..." */
    uint32_t vector_bytes; /* of the widest vectors we use: 16, 32 or 64 */
    uint32_t registers;    /* vector registers: 16 or 32 */
    uint32_t l1_bytes, l2_bytes;
    WinogradUse winograd;
} Target;

static inline uint32_t target_lanes(const Target *t) {
    return t->vector_bytes / 4;
} /* f32 */

#endif
