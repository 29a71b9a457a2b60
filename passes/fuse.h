/* The parts of `fuse`. */
#ifndef TN_PASSES_FUSE_H
#define TN_PASSES_FUSE_H

#include "ir/graph.h"

/* fuse_mask.c */
void fuse_masks(Func *func, Arena *scratch);
void fuse_taps(Func *func, Arena *scratch);

#endif
