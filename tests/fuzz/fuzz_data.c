/* Any bytes as a data file or checkpoint: read or refused, never a crash.  The first byte
 * picks the format. */
#include "base/alloc.h"
#include "tools/safetensors.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    char message[MESSAGE_BYTES];
    Tensor tensor;
    if (!count) return 0;
    int format = *bytes++ % 6;
    count--;
    bool read = false;
    switch (format) {
    case 0: read = idx_parse(bytes, count, &tensor, message); break;
    case 1: read = npy_parse(bytes, count, &tensor, message); break;
    case 2: read = npz_parse(bytes, count, "x", &tensor, message); break;
    case 3: fuzz_gzip(bytes, count, message); break;
    case 4: fuzz_cifar(bytes, count, message); break;
    case 5: fuzz_safetensors(bytes, count, message); break;
    }
    if (read) tensor_free(&tensor);
    return 0;
}
