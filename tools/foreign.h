/* Which tensor of a file is which parameter, and how its axes lie. */
#ifndef TN_TOOLS_FOREIGN_H
#define TN_TOOLS_FOREIGN_H

#include "ir/plan.h"
#include "tools/archive.h"

typedef enum PairFault {
    PAIR_FITS,
    PAIR_MISSING, /* no tensor of the file has the slot's name */
    PAIR_UNSURE,  /* several have it by rule, none exactly; `tensor` is the first */
    PAIR_SHAPE,
    PAIR_TYPE, /* integers where floats are needed, or the reverse */
} PairFault;

/* A slot of a state block and what is to fill it. */
typedef struct Pair {
    const Slot *slot;
    const SafeTensor *tensor; /* NULL: missing */
    PairFault fault;
    const uint8_t *axes; /* axis d of the slot is axis axes[d] of the tensor; NULL: d */
} Pair;

typedef struct Pairing {
    uint32_t count, faults, extras;
    Pair *pair;               /* [count]: the slots that are asked for */
    const SafeTensor **extra; /* [extras]: tensors that no slot wants */
} Pairing;

/*
 * By exact names where tenon wrote the file; otherwise by exact names first, and then by words:
 * `.`, `_`, `/` and the border of letters and digits part words, foreign.def translates the last
 * ones, an outermost word that all tensors share may be absent.  Axes are those of PyTorch
 * (foreign.def) unless only our own order fits.  false: memory ended.
 * `wants` tells a slot that is asked for, `spare` a tensor that may be left over.
 */
typedef struct PairingRules {
    bool exact;
    bool (*wants)(const Slot *slot);
    bool (*spare)(const Archive *archive, const char *name);
} PairingRules;
bool pairing_make(const Archive *archive, const Layout *layout, const PairingRules *rules,
                  Pairing *out, char *message);
void pairing_free(Pairing *pairing);

/* The slot's extents in the order of the file's axes. */
void pair_dims(const Pair *pair, int64_t dim[MAX_RANK]);
/* The tensor's numbers as the slot has them; only for a pair that fits. */
bool pair_read(const Pair *pair, void *out, char *message);
/* "'fc.weight' is f32[10, 4], f32[10, 5] is needed" */
const char *pair_text(const Pair *pair, char *buffer, size_t size);

#endif
