/* A growable array in an arena:  VEC(int) v = {0};  vec_push(arena, &v, 3);  v.at[0] */
#ifndef TN_BASE_VEC_H
#define TN_BASE_VEC_H

#include "base/arena.h"
#include <stdint.h>
#include <string.h>

#define VEC(T)                                                                           \
    struct {                                                                             \
        T *at;                                                                           \
        uint32_t count, capacity;                                                        \
    }

/* Growing leaves the old array to the arena. */
#define vec_push(arena, v, ...)                                                          \
    do {                                                                                 \
        if ((v)->count == (v)->capacity) {                                               \
            uint32_t cap_ = (v)->capacity ? 2 * (v)->capacity : 8;                       \
            void *new_ = arena_alloc((arena), sizeof *(v)->at * cap_);                   \
            if ((v)->count) memcpy(new_, (v)->at, sizeof *(v)->at *(v)->count);          \
            (v)->at = new_;                                                              \
            (v)->capacity = cap_;                                                        \
        }                                                                                \
        (v)->at[(v)->count++] = (__VA_ARGS__);                                           \
    } while (0)

#endif
