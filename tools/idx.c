/*
 * IDX: two zero bytes, a type byte, the number of dimensions, then for each its extent as
 * a big-endian u32, then the elements, big-endian and row-major.
 */
#include "tools/tensor.h"

static bool type_find(uint8_t code, Stored *stored) {
    for (int i = 0; i < STORED_COUNT; i++) {
        if (!stored_info[i].idx || stored_info[i].idx != code) continue;
        *stored = (Stored)i;
        return true;
    }
    return false;
}

static int64_t extent_at(const uint8_t *at) {
    return (int64_t)at[0] << 24 | (int64_t)at[1] << 16 | (int64_t)at[2] << 8 | at[3];
}

bool idx_parse(const uint8_t *bytes, size_t count, Tensor *out, char *message) {
    Stored stored;
    if (count < 4 || bytes[0] || bytes[1] || !type_find(bytes[2], &stored))
        return fail(message, "is not an IDX file: it begins with other bytes than "
                             "0, 0, a type and a number of dimensions");
    uint32_t rank = bytes[3];
    if (rank > MAX_RANK)
        return fail(message, "has %u dimensions, at most %d are supported", rank,
                    MAX_RANK);
    size_t header = 4 + 4 * (size_t)rank;
    if (count < header) return fail(message, "is truncated within its header");
    int64_t dim[MAX_RANK] = {0};
    for (uint32_t i = 0; i < rank; i++) dim[i] = extent_at(bytes + 4 + 4 * i);
    int64_t elements = tensor_elements(rank, dim);
    if (elements < 0) return fail(message, "claims more elements than memory can hold");
    size_t need = (size_t)elements * stored_info[stored].bytes, have = count - header;
    if (have < need)
        return fail(message,
                    "is truncated: its header promises %zu bytes of elements, "
                    "%zu are there; download the file again",
                    need, have);
    if (have > need)
        return fail(message, "has %zu bytes of trailing garbage after its last element",
                    have - need);
    if (!tensor_new(out, stored_info[stored].elem, rank, dim, message)) return false;
    if (stored_read(stored, true, bytes + header, elements, out->data, message))
        return true;
    tensor_free(out);
    return false;
}

bool idx_read(const char *path, Tensor *out, char *message) {
    Bytes file, plain;
    if (!file_read(path, &file, message)) return false;
    bool ok = gzip_expand(file.at, file.count, EXPANDED_LIMIT, &plain, message);
    bytes_free(&file);
    if (ok) {
        ok = idx_parse(plain.at, plain.count, out, message);
        bytes_free(&plain);
    }
    return ok || fail_at(message, path);
}
