/* State blocks as safetensors files: one tensor a slot, facts about the run as metadata.
 */
#ifndef TN_TOOLS_CHECKPOINT_H
#define TN_TOOLS_CHECKPOINT_H

#include "tools/foreign.h"

/* Atomically.  `meta`: an object of strings, may be NULL. */
bool checkpoint_write(const char *path, const Layout *layout, const void *state,
                      const json_t *meta, char *message);

typedef enum CheckpointUse {
    CHECKPOINT_WEIGHTS, /* parameters and threaded state; what only training needs is
                           neither asked for nor minded */
    CHECKPOINT_RESUME,  /* every slot, and no other */
} CheckpointUse;

/* Which tensor fills which slot.  A file that tenon did not write is read by foreign.h's
 * rules, for WEIGHTS. */
bool checkpoint_pair(const Archive *archive, const Layout *layout, CheckpointUse use,
                     Pairing *out, char *message);

/* Fills the slots from a safetensors or .npz file; on failure `state` is as it was.  *meta,
 * when wanted, is the caller's to json_decref. */
bool checkpoint_read(const char *path, const Layout *layout, CheckpointUse use,
                     void *state, json_t **meta, char *message);

#endif
