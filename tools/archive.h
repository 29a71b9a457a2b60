/* Files of named tensors, whatever their form. */
#ifndef TN_TOOLS_ARCHIVE_H
#define TN_TOOLS_ARCHIVE_H

#include "tools/npz.h"

typedef struct Archive {
    const char *form;     /* "safetensors", "npz" */
    bool ours;            /* tenon wrote it: our names, our layouts */
    const char *training; /* of what it wrote: names that weights need not have, a space
                             between them; "": none */
    uint32_t count;
    const SafeTensor *tensor; /* [count], in the order of the file */
    const json_t *meta;       /* NULL: none; an object that may hold anything */
    /* what `tensor` looks into */
    Bytes file;
    SafeTensors safe;
    NpzArrays arrays;
} Archive;

/* An array as a tensor of a file; it looks into both. */
SafeTensor archive_view(const char *name, const Tensor *array);

/* The form follows from the first bytes, not from the name. */
bool archive_read(const char *path, Archive *out, char *message);
bool archive_parse(Bytes file, Archive *out,
                   char *message); /* owns `file` from here on */
void archive_free(Archive *archive);

/* As safetensors, or as .npz where `path` ends so; atomically.  training: as above, NULL where
 * the tensors are not of our layouts. */
bool archive_write(const char *path, const SafeTensor *tensor, uint32_t count,
                   const char *training, char *message);

#endif
