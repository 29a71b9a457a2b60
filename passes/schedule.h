/* What `schedule` decides for a group, and lowering carries out. */
#ifndef TN_PASSES_SCHEDULE_H
#define TN_PASSES_SCHEDULE_H

#include "ir/graph.h"

typedef enum Strategy {
    STRATEGY_NEST,     /* one nest over the elements of the results */
    STRATEGY_PARTIAL,  /* reductions to few elements: partial results, then their join */
    STRATEGY_SCATTER,  /* each task adds the updates of the places that it owns */
    STRATEGY_BLOCKS,   /* a contraction by blocks of its batch, each then pooled */
    STRATEGY_CONTRACT, /* tiles of a contraction, the rest in their epilogue */
} Strategy;

typedef struct Schedule {
    Strategy strategy;
    Val heavy; /* the contraction or the reduction that it is about; NO_VAL */
} Schedule;

Schedule schedule_of(const Func *group);

#endif
