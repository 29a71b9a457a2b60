/* All arrays of an .npz file at once, and writing one. */
#ifndef TN_TOOLS_NPZ_H
#define TN_TOOLS_NPZ_H

#include "tools/safetensors.h"

typedef struct NpzArrays {
    char *
        training; /* the archive's comment, where tenon wrote it: as archive.h says; owned */
    uint32_t count;
    const char **name; /* without ".npy"; owned, as is what follows */
    Tensor *tensor;
} NpzArrays;

bool npz_parse_all(const uint8_t *bytes, size_t count, NpzArrays *out, char *message);
void npz_free(NpzArrays *arrays);

/* Atomically.  `training`: as archive.h says. */
bool npz_write(const char *path, const SafeTensor *tensor, uint32_t count,
               const char *training, char *message);

#endif
