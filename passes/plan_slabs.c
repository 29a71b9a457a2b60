/* Offsets in the work memory: the largest first, each in the smallest gap that is free
 * throughout its life. */
#include "passes/planner.h"
#include <stdlib.h>

static int by_size(const void *a, const void *b) {
    const Slab *x = *(const Slab *const *)a, *y = *(const Slab *const *)b;
    if (x->place.bytes != y->place.bytes) return x->place.bytes < y->place.bytes ? 1 : -1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static bool meet(const Slab *x, const Slab *y) {
    return x->first <= y->last && y->first <= x->last;
}

static int64_t round_up(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/* The smallest gap between neighbours in time that holds the slab, else the end. */
static int64_t find_gap(Slab *const *placed, uint32_t count, const Slab *slab) {
    int64_t at = 0, best = -1, best_size = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) { /* placed is sorted by offset */
        if (!meet(placed[i], slab)) continue;
        int64_t gap = placed[i]->place.offset - at;
        if (gap >= slab->place.bytes && gap < best_size) {
            best = at;
            best_size = gap;
        }
        int64_t end = placed[i]->place.offset + round_up(placed[i]->place.bytes);
        if (end > at) at = end;
    }
    return best >= 0 ? best : at;
}

int64_t slabs_place(SlabList *slabs, Arena *scratch) {
    Slab **todo = arena_array(scratch, Slab *, slabs->count + 1);
    Slab **placed = arena_array(scratch, Slab *, slabs->count + 1);
    uint32_t count = 0;
    int64_t total = 0;
    for (uint32_t i = 0; i < slabs->count; i++)
        if (slabs->at[i].place.space == SPACE_WORK) todo[count++] = &slabs->at[i];
    qsort(todo, count, sizeof *todo, by_size);
    for (uint32_t i = 0; i < count; i++) {
        Slab *slab = todo[i];
        slab->place.offset = find_gap(placed, i, slab);
        int64_t end = slab->place.offset + round_up(slab->place.bytes);
        if (end > total) total = end;
        uint32_t j = i;
        for (; j && placed[j - 1]->place.offset > slab->place.offset; j--)
            placed[j] = placed[j - 1];
        placed[j] = slab;
    }
    return total;
}

int64_t slabs_lower_bound(const SlabList *slabs, uint32_t steps, Arena *scratch) {
    int64_t *alive = arena_array(scratch, int64_t, steps + 2), most = 0, now = 0;
    for (uint32_t i = 0; i < slabs->count; i++) {
        const Slab *slab = &slabs->at[i];
        if (slab->place.space != SPACE_WORK) continue;
        alive[slab->first] += round_up(slab->place.bytes);
        alive[slab->last + 1] -= round_up(slab->place.bytes);
    }
    for (uint32_t i = 0; i <= steps; i++) {
        now += alive[i];
        if (now > most) most = now;
    }
    return most;
}
