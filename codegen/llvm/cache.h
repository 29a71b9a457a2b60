/* Objects kept on disk between runs.  Nothing here fails: a cache that cannot be read or
 * written is a cache without entries. */
#ifndef TN_CODEGEN_LLVM_CACHE_H
#define TN_CODEGEN_LLVM_CACHE_H

#include "base/target.h"
#include "codegen/llvm/key.h"
#include <llvm-c/Core.h>

/* NULL when there is no whole, undamaged entry for exactly this key. */
LLVMMemoryBufferRef cache_get(const char *folder, const Target *target, const Key *key);
void cache_put(const char *folder, const Target *target, const Key *key,
               LLVMMemoryBufferRef object);

#endif
