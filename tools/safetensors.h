/* safetensors: u64 length, JSON header, then the bytes of all tensors. */
#ifndef TN_TOOLS_SAFETENSORS_H
#define TN_TOOLS_SAFETENSORS_H

#include "tools/tensor.h"
#include <jansson.h>

typedef struct SafeTensor {
    const char *name;
    Stored stored;
    uint32_t rank;
    int64_t dim[MAX_RANK];
    const uint8_t *data; /* within the bytes that were parsed */
    size_t bytes;
} SafeTensor;

typedef struct SafeTensors {
    json_t *header; /* owns the names */
    uint32_t count;
    SafeTensor *tensor; /* [count], in the order of their data */
} SafeTensors;

/* Views into `bytes`, which must live as long. */
bool safetensors_parse(const uint8_t *bytes, size_t count, SafeTensors *out,
                       char *message);
void safetensors_free(SafeTensors *file);
const SafeTensor *safetensors_find(const SafeTensors *file, const char *name);
const char *safetensors_meta(const SafeTensors *file, const char *key); /* NULL: absent */

/* Atomically; `data` of each tensor is written in the order given.  `meta`: an object of
 * strings. */
bool safetensors_write(const char *path, const SafeTensor *tensor, uint32_t count,
                       json_t *meta, char *message);

#endif
