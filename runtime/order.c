/* The shuffle of an epoch: a Fisher-Yates permutation drawn from the counter generator.
 */
#include "tenon_runtime.h"
#include "runtime/philox.h"

/* Counter word 3 of the shuffle; random ops of a program number their sites from 0. */
#define ORDER_SITE 0xFFFFFFFFu

void tn_order(uint64_t seed, int64_t epoch, int64_t n, int64_t *order) {
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        uint32_t counter[4] = {(uint32_t)i, (uint32_t)(i >> 32), (uint32_t)epoch,
                               ORDER_SITE};
        uint32_t word[4];
        philox(counter, key, word);
        /* 64 random bits modulo at most 2^46: the bias is below 2^-18. */
        uint64_t bits = (uint64_t)word[1] << 32 | word[0];
        int64_t j = (int64_t)(bits % (uint64_t)(i + 1)), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}
