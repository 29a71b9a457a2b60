/*
 * NumPy's .npy: "\x93NUMPY", version, header length, a Python dict of descr,
 * fortran_order and shape, padded so that the elements begin at a multiple of 64 bytes.
 */
#include "tools/tensor.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct Header {
    const char *at, *end; /* what is left to read */
    Stored stored;
    bool big_endian, fortran;
    uint32_t rank;
    int64_t dim[MAX_RANK];
    bool has_type, has_order, has_shape;
} Header;

static void skip_space(Header *h) {
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\t' || *h->at == '\n')) h->at++;
}

static bool take(Header *h, char c) {
    skip_space(h);
    if (h->at == h->end || *h->at != c) return false;
    h->at++;
    return true;
}

static bool take_word(Header *h, const char *word) {
    size_t length = strlen(word);
    skip_space(h);
    if ((size_t)(h->end - h->at) < length || memcmp(h->at, word, length)) return false;
    h->at += length;
    return true;
}

static bool take_string(Header *h, char *buffer, size_t size) {
    skip_space(h);
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"')) return false;
    char quote = *h->at++;
    size_t length = 0;
    while (h->at < h->end && *h->at != quote && length + 1 < size)
        buffer[length++] = *h->at++;
    buffer[length] = 0;
    return h->at < h->end && *h->at++ == quote;
}

static bool take_type(Header *h, char *message) {
    char descr[16];
    if (!take_string(h, descr, sizeof descr))
        return fail(message, "holds records; only plain numbers are supported: save each "
                             "column as an array of its own");
    if (descr[0] == '>') h->big_endian = true;
    for (int i = 0; i < STORED_COUNT; i++) {
        if (!*stored_info[i].npy || !strchr("<>|=", descr[0])) continue;
        if (strcmp(descr + 1, stored_info[i].npy)) continue;
        h->stored = (Stored)i;
        h->has_type = true;
        return true;
    }
    return fail(message,
                "has elements of type '%s'; supported are booleans, integers and "
                "floats: convert it with astype('float32')",
                descr);
}

static bool take_shape(Header *h, char *message) {
    if (!take(h, '(')) return fail(message, "has a damaged shape in its header");
    while (!take(h, ')')) {
        int64_t value = 0;
        int digits = 0;
        skip_space(h);
        for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; digits++)
            if (value <= DIM_LIMIT)
                value = 10 * value + (*h->at++ - '0');
            else
                return fail(message, "has an extent too large for memory");
        if (!digits) return fail(message, "has a damaged shape in its header");
        if (h->rank == MAX_RANK)
            return fail(message, "has more than %d dimensions", MAX_RANK);
        h->dim[h->rank++] = value;
        if (!take(h, ',') && !(h->at < h->end && *h->at == ')'))
            return fail(message, "has a damaged shape in its header");
    }
    h->has_shape = true;
    return true;
}

static bool take_field(Header *h, char *message) {
    char key[32];
    if (!take_string(h, key, sizeof key) || !take(h, ':'))
        return fail(message, "has a damaged header");
    if (!strcmp(key, "descr") && !h->has_type) return take_type(h, message);
    if (!strcmp(key, "shape") && !h->has_shape) return take_shape(h, message);
    if (!strcmp(key, "fortran_order") && !h->has_order) {
        h->fortran = take_word(h, "True");
        h->has_order = h->fortran || take_word(h, "False");
        if (h->has_order) return true;
    }
    return fail(message, "has a damaged header (at '%s')", key);
}

static bool take_header(Header *h, char *message) {
    if (!take(h, '{')) return fail(message, "has a damaged header");
    while (!take(h, '}')) {
        if (!take_field(h, message)) return false;
        if (!take(h, ',') && !(h->at < h->end && *h->at == '}'))
            return fail(message, "has a damaged header");
    }
    if (!h->has_type || !h->has_order || !h->has_shape)
        return fail(message, "lacks descr, fortran_order or shape in its header");
    return true;
}

/* Where the elements begin, and the header's text. */
static bool find_header(const uint8_t *bytes, size_t count, Header *h, size_t *begin,
                        char *message) {
    if (count < 10 || memcmp(bytes, "\x93NUMPY", 6))
        return fail(message, "is not a .npy file: it does not begin with \\x93NUMPY");
    if (bytes[6] < 1 || bytes[6] > 3)
        return fail(message, "is of .npy version %d, 1 to 3 are known", bytes[6]);
    size_t length = bytes[8] | (size_t)bytes[9] << 8, at = 10;
    if (bytes[6] > 1) {
        if (count < 12) return fail(message, "is truncated within its header");
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
        at = 12;
    }
    if (length > count - at) return fail(message, "is truncated within its header");
    *h = (Header){.at = (const char *)bytes + at,
                  .end = (const char *)bytes + at + length};
    *begin = at + length;
    return take_header(h, message);
}

/* Column-major elements of the file to row-major ones. */
static bool reorder(Tensor *tensor, char *message) {
    Tensor rows;
    if (!tensor_new(&rows, tensor->elem, tensor->rank, tensor->dim, message))
        return false;
    size_t bytes = stored_info[stored_of(tensor->elem)].bytes;
    int64_t index[MAX_RANK] = {0};
    for (int64_t i = 0, n = tensor_count(tensor); i < n; i++) {
        int64_t from = 0;
        for (uint32_t d = tensor->rank; d-- > 0;) from = from * tensor->dim[d] + index[d];
        memcpy((char *)rows.data + (size_t)i * bytes,
               (char *)tensor->data + (size_t)from * bytes, bytes);
        for (uint32_t d = tensor->rank; d-- > 0;) {
            if (++index[d] < tensor->dim[d]) break;
            index[d] = 0;
        }
    }
    tensor_free(tensor);
    *tensor = rows;
    return true;
}

bool npy_parse(const uint8_t *bytes, size_t count, Tensor *out, char *message) {
    Header h = {0};
    size_t begin = 0;
    if (!find_header(bytes, count, &h, &begin, message)) return false;
    const StoredInfo *info = &stored_info[h.stored];
    int64_t elements = tensor_elements(h.rank, h.dim);
    if (elements < 0) return fail(message, "claims more elements than memory can hold");
    size_t need = (size_t)elements * info->bytes, have = count - begin;
    if (have < need)
        return fail(message,
                    "is truncated: its header promises %zu bytes of elements, "
                    "%zu are there",
                    need, have);
    if (have > need)
        return fail(message, "has %zu bytes of trailing garbage after its last element",
                    have - need);
    if (!tensor_new(out, info->elem, h.rank, h.dim, message)) return false;
    bool ok = stored_read(h.stored, h.big_endian, bytes + begin, elements, out->data,
                          message) &&
              (!h.fortran || h.rank < 2 || reorder(out, message));
    if (!ok) tensor_free(out);
    return ok;
}

bool npy_read(const char *path, Tensor *out, char *message) {
    Bytes file;
    if (!file_read(path, &file, message)) return false;
    bool ok = npy_parse(file.at, file.count, out, message);
    bytes_free(&file);
    return ok || fail_at(message, path);
}

size_t npy_header(Stored stored, uint32_t rank, const int64_t *dim,
                  char header[NPY_HEADER]) {
    const char *type = stored_info[stored].npy;
    int at = 10 + snprintf(header + 10, NPY_HEADER - 10,
                           "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                           type[1] == '1' ? '|' : '<', type);
    for (uint32_t i = 0; i < rank; i++)
        at += snprintf(header + at, NPY_HEADER - (size_t)at, "%" PRId64 "%s", dim[i],
                       i + 1 < rank ? ", "
                       : i == 0     ? ","
                                    : "");
    at += snprintf(header + at, NPY_HEADER - (size_t)at, "), }");
    while ((at + 1) % 64) header[at++] = ' ';
    header[at++] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((at - 10) & 255);
    header[9] = (char)((at - 10) >> 8);
    return (size_t)at;
}

bool npy_write(const char *path, const Tensor *tensor, char *message) {
    char header[NPY_HEADER];
    const size_t length =
        npy_header(stored_of(tensor->elem), tensor->rank, tensor->dim, header);
    const Piece pieces[] = {{header, length},
                            {tensor->data, (size_t)tensor_bytes(tensor)}};
    return file_replace(path, pieces, 2, message);
}
