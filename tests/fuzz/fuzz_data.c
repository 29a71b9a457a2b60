/* Any bytes as a data file or checkpoint: read or refused, never a crash.  The first byte
 * picks the format. */
#include "base/alloc.h"
#include "tools/npz.h"
#include "tools/picture.h"

static void fuzz_gzip(const uint8_t *bytes, size_t count, char *message) {
    Bytes out;
    Tensor tensor;
    if (!gzip_expand(bytes, count, 1 << 20, &out, message)) return;
    if (idx_parse(out.at, out.count, &tensor, message)) tensor_free(&tensor);
    bytes_free(&out);
}

static void fuzz_cifar(const uint8_t *bytes, size_t count, char *message) {
    size_t records = count / CIFAR_RECORD;
    uint8_t *images = mem_alloc(records * 3072);
    int32_t *labels = mem_alloc(records * sizeof *labels);
    if (images && labels) cifar_parse(bytes, count, images, labels, message);
    mem_free(images);
    mem_free(labels);
}

static void fuzz_safetensors(const uint8_t *bytes, size_t count, char *message) {
    SafeTensors file;
    if (safetensors_parse(bytes, count, &file, message)) safetensors_free(&file);
}

static void fuzz_npz(const uint8_t *bytes, size_t count, char *message) {
    NpzArrays arrays;
    if (npz_parse_all(bytes, count, &arrays, message)) npz_free(&arrays);
}

/* Read, and fitted to a size that is never its own. */
static void fuzz_picture(const uint8_t *bytes, size_t count, char *message) {
    static const int64_t dim[] = {7, 5, 3};
    Tensor tensor;
    if (!picture_parse(bytes, count, &tensor, message)) return;
    if (tensor_count(&tensor) < 1 << 20) picture_fit(&tensor, dim, message);
    tensor_free(&tensor);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    char message[MESSAGE_BYTES];
    Tensor tensor;
    if (!count) return 0;
    int format = *bytes++ % 8;
    count--;
    bool read = false;
    switch (format) {
    case 0: read = idx_parse(bytes, count, &tensor, message); break;
    case 1: read = npy_parse(bytes, count, &tensor, message); break;
    case 2: read = npz_parse(bytes, count, "x", &tensor, message); break;
    case 3: fuzz_gzip(bytes, count, message); break;
    case 4: fuzz_cifar(bytes, count, message); break;
    case 5: fuzz_safetensors(bytes, count, message); break;
    case 6: fuzz_picture(bytes, count, message); break;
    case 7: fuzz_npz(bytes, count, message); break;
    }
    if (read) tensor_free(&tensor);
    return 0;
}
