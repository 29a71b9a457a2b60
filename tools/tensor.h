/* Dense arrays of the command: what data files and checkpoints hold. */
#ifndef TN_TOOLS_TENSOR_H
#define TN_TOOLS_TENSOR_H

#include "ir/type.h"
#include "tools/file.h"

typedef struct Tensor {
    Elem elem;
    uint32_t rank;
    int64_t dim[MAX_RANK];
    void *data; /* row-major; owned, from mem_alloc */
} Tensor;

typedef enum Stored {
#define STORED(name, ...) STORED_##name,
#include "tools/stored.def"
#undef STORED
    STORED_COUNT
} Stored;

typedef struct StoredInfo {
    const char *name;
    uint32_t bytes;
    Elem elem;
    const char *npy, *safetensors;
    uint8_t idx;
} StoredInfo;
extern const StoredInfo stored_info[STORED_COUNT];
Stored stored_of(Elem elem); /* how an element type is written */

/* Product of the extents; -1 beyond DIM_LIMIT or for a negative one. */
int64_t tensor_elements(uint32_t rank, const int64_t *dim);
int64_t tensor_count(const Tensor *tensor);
int64_t tensor_bytes(const Tensor *tensor);
bool tensor_new(Tensor *tensor, Elem elem, uint32_t rank, const int64_t *dim,
                char *message);
void tensor_free(Tensor *tensor);

/* `count` numbers from a file, in either byte order, to memory of type stored.elem. */
bool stored_read(Stored stored, bool big_endian, const uint8_t *in, int64_t count,
                 void *out, char *message);
/* The same numbers as `elem`; an integer that does not fit is refused. */
bool tensor_convert(Tensor *tensor, Elem elem, char *message);
/* "f32[3, 4]" */
const char *shape_text(Elem elem, uint32_t rank, const int64_t *dim, char *buffer,
                       size_t size);
const char *stored_text(Stored stored, uint32_t rank, const int64_t *dim, char *buffer,
                        size_t size);

/* idx.c: big-endian arrays of the MNIST family. */
bool idx_parse(const uint8_t *bytes, size_t count, Tensor *out, char *message);
bool idx_read(const char *path, Tensor *out, char *message); /* gzip or not */

/* npy.c: NumPy's arrays. */
bool npy_parse(const uint8_t *bytes, size_t count, Tensor *out, char *message);
bool npy_read(const char *path, Tensor *out, char *message);
bool npy_write(const char *path, const Tensor *tensor, char *message);
/* What stands before the elements of a .npy file; returns its length. */
#define NPY_HEADER 512
size_t npy_header(Stored stored, uint32_t rank, const int64_t *dim,
                  char header[NPY_HEADER]);

/* input.c: "7" a scalar, "7,9" a row of numbers; else a .npy file or IDX, gzip or not, or the
 * array `name` of an .npz, in which one that is alone may have any name. */
bool input_read(const char *text, const char *name, Tensor *out, char *message);

/* npz.c: one array of a zip of .npy files, by name without ".npy". */
bool npz_parse(const uint8_t *bytes, size_t count, const char *name, Tensor *out,
               char *message);
bool npz_read(const char *path, const char *name, Tensor *out, char *message);

/* cifar.c: records of one label and 32 x 32 pixels as three planes; images come out
 * [n, 32, 32, 3].  `images` and `labels` must have room for `count` / 3073 records. */
#define CIFAR_RECORD 3073
bool cifar_parse(const uint8_t *bytes, size_t count, uint8_t *images, int32_t *labels,
                 char *message);

#endif
