/* The one fallible allocator.  Every heap byte of ours comes from here, so that a test
 * can make any of its calls fail. */
#ifndef TN_BASE_ALLOC_H
#define TN_BASE_ALLOC_H

#include <stddef.h>

void *mem_alloc(size_t bytes);       /* zeroed, 64-byte aligned; NULL when memory ends */
void *mem_alloc_dirty(size_t bytes); /* not zeroed */
void *mem_resize(void *old, size_t old_bytes, size_t bytes); /* old stays valid on NULL */
void mem_free(void *block);

/* Fault injection: the call number `n` from now fails, once; negative switches it off.
 * Process-wide, for tests. */
void mem_fail_at(long n);
long mem_calls(void); /* calls of mem_alloc, mem_alloc_dirty and mem_resize so far */

#endif
