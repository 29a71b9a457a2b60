/* Philox4x32-10 (Salmon et al., Parallel Random Numbers, SC 2011): four words from a
 * counter. */
#ifndef TN_RUNTIME_PHILOX_H
#define TN_RUNTIME_PHILOX_H

#include <stdint.h>

static inline void philox_round(uint32_t c[4], const uint32_t k[2]) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t c0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k[0],
             c2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k[1];
    c[0] = c0;
    c[1] = (uint32_t)p1;
    c[2] = c2;
    c[3] = (uint32_t)p0;
}

static inline void philox(const uint32_t counter[4], const uint32_t key[2],
                          uint32_t out[4]) {
    uint32_t k[2] = {key[0], key[1]};
    for (int i = 0; i < 4; i++) out[i] = counter[i];
    for (int round = 0; round < 10; round++) {
        philox_round(out, k);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
}

#endif
