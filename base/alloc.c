/* The allocator over libc's, with a counter for fault injection. */
#include "base/alloc.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_long calls;
static atomic_long fail_at = -1; /* absolute call number */

static int must_fail(void) {
    long now = atomic_fetch_add(&calls, 1);
    return now == atomic_load(&fail_at);
}

/* A huge page; tensors that span several miss the TLB less when they lie on such. */
#define HUGE_PAGE ((size_t)2 << 20)

static size_t rounded_up(size_t bytes) {
    size_t rounded = (bytes + 63) / 64 * 64;
    return rounded ? rounded : 64;
}

static void *aligned_block(size_t bytes) {
    if (bytes < 2 * HUGE_PAGE) return aligned_alloc(64, bytes);
    void *block = NULL;
    if (posix_memalign(&block, HUGE_PAGE, bytes)) return NULL;
    madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return block;
}

void *mem_alloc_dirty(size_t bytes) {
    if (must_fail() || bytes > PTRDIFF_MAX - 64) return NULL;
    return aligned_block(rounded_up(bytes));
}

void *mem_alloc(size_t bytes) {
    void *block = mem_alloc_dirty(bytes);
    if (block) memset(block, 0, rounded_up(bytes));
    return block;
}

/* realloc would lose the alignment. */
void *mem_resize(void *old, size_t old_bytes, size_t bytes) {
    void *block = mem_alloc(bytes);
    if (!block) return NULL;
    if (old) memcpy(block, old, old_bytes < bytes ? old_bytes : bytes);
    mem_free(old);
    return block;
}

void mem_free(void *block) {
    free(block);
}

void mem_fail_at(long n) {
    atomic_store(&fail_at, n < 0 ? -1 : atomic_load(&calls) + n);
}

long mem_calls(void) {
    return atomic_load(&calls);
}
