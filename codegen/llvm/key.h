/* The identity of a kernel: bytes that are equal for kernels that compile to equal code.
 */
#ifndef TN_CODEGEN_LLVM_KEY_H
#define TN_CODEGEN_LLVM_KEY_H

#include "ir/plan.h"

typedef struct Key {
    const uint8_t *at;
    size_t length;
    uint64_t hash[2];
} Key;

void hash_bytes(const void *bytes, size_t length, uint64_t seed, uint64_t hash[2]);
/* Names are left out: buffers and variables count by their order of appearance. */
Key kernel_key(Arena *arena, const Kernel *kernel);
/* `symbol` names the code of a kernel. */
typedef const char *KernelSymbol(const void *context, const Kernel *kernel);
Key plan_key(Arena *arena, const Plan *plan, KernelSymbol *symbol, const void *context);

#endif
