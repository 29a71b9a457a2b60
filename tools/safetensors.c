/* Reading and writing safetensors.  A reader trusts nothing: every offset is checked. */
#include "tools/safetensors.h"
#include "base/alloc.h"
#include <stdlib.h>
#include <string.h>

#define HEADER_LIMIT ((uint64_t)100000000)

static bool read_type(const char *name, Stored *stored) {
    for (int i = 0; i < STORED_COUNT; i++) {
        if (!name || strcmp(stored_info[i].safetensors, name)) continue;
        *stored = (Stored)i;
        return true;
    }
    return false;
}

static bool read_shape(const json_t *list, SafeTensor *t) {
    if (!json_is_array(list) || json_array_size(list) > MAX_RANK) return false;
    t->rank = (uint32_t)json_array_size(list);
    for (uint32_t i = 0; i < t->rank; i++) {
        const json_t *extent = json_array_get(list, i);
        if (!json_is_integer(extent)) return false;
        t->dim[i] = json_integer_value(extent);
    }
    return tensor_elements(t->rank, t->dim) >= 0;
}

/* `data` is the buffer behind the header, `size` its bytes. */
static bool read_entry(SafeTensor *t, json_t *entry, const uint8_t *data, size_t size,
                       char *message) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (!read_type(type, &t->stored))
        return fail(message, "tensor '%.100s' has the unknown type '%.20s'", t->name,
                    type ? type : "");
    if (!read_shape(json_object_get(entry, "shape"), t))
        return fail(message, "tensor '%.100s' has an unusable shape", t->name);
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) ||
        !json_is_integer(last))
        return fail(message, "tensor '%.100s' has no data_offsets", t->name);
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin || (uint64_t)end > size)
        return fail(message,
                    "tensor '%.100s' claims bytes %lld to %lld of %zu; the file is "
                    "truncated or hostile",
                    t->name, (long long)begin, (long long)end, size);
    t->data = data + begin;
    t->bytes = (size_t)(end - begin);
    int64_t elements = tensor_elements(t->rank, t->dim);
    if ((uint64_t)elements * stored_info[t->stored].bytes != t->bytes)
        return fail(message,
                    "tensor '%.100s' has %zu bytes, its shape and type need %llu",
                    t->name, t->bytes,
                    (unsigned long long)elements * stored_info[t->stored].bytes);
    return true;
}

static int by_place(const void *a, const void *b) {
    const SafeTensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The tensors must cover the buffer without holes or overlaps. */
static bool check_cover(SafeTensors *file, const uint8_t *data, size_t size,
                        char *message) {
    size_t at = 0;
    if (file->count) qsort(file->tensor, file->count, sizeof *file->tensor, by_place);
    for (uint32_t i = 0; i < file->count; i++) {
        const SafeTensor *t = &file->tensor[i];
        if (t->data != data + at)
            return fail(message, "tensor '%.100s' overlaps another one or leaves a hole",
                        t->name);
        at += t->bytes;
    }
    if (at == size) return true;
    return fail(message, "has %zu bytes of trailing garbage", size - at);
}

static bool read_entries(SafeTensors *file, const uint8_t *data, size_t size,
                         char *message) {
    const char *name;
    json_t *entry;
    file->tensor = mem_alloc(json_object_size(file->header) * sizeof *file->tensor);
    if (!file->tensor) return fail(message, "memory ended");
    json_object_foreach(file->header, name, entry) {
        if (!strcmp(name, "__metadata__")) continue;
        SafeTensor *t = &file->tensor[file->count++];
        t->name = name;
        if (!read_entry(t, entry, data, size, message)) return false;
    }
    return check_cover(file, data, size, message);
}

bool safetensors_parse(const uint8_t *bytes, size_t count, SafeTensors *out,
                       char *message) {
    *out = (SafeTensors){0};
    uint64_t length = 0;
    if (count < 8) return fail(message, "is not a safetensors file: it is too short");
    for (int i = 0; i < 8; i++) length |= (uint64_t)bytes[i] << 8 * i;
    if (length > HEADER_LIMIT || length > count - 8)
        return fail(message,
                    "is truncated or not a safetensors file: it claims a header of "
                    "%llu bytes and has %zu",
                    (unsigned long long)length, count - 8);
    json_error_t error;
    out->header = json_loadb((const char *)bytes + 8, (size_t)length,
                             JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(out->header)) {
        json_decref(out->header);
        out->header = NULL;
        return fail(message, "has a damaged header: %s", error.text);
    }
    const uint8_t *data = bytes + 8 + length;
    if (read_entries(out, data, count - 8 - (size_t)length, message)) return true;
    safetensors_free(out);
    return false;
}

void safetensors_free(SafeTensors *file) {
    json_decref(file->header);
    mem_free(file->tensor);
    *file = (SafeTensors){0};
}

const SafeTensor *safetensors_find(const SafeTensors *file, const char *name) {
    for (uint32_t i = 0; i < file->count; i++)
        if (!strcmp(file->tensor[i].name, name)) return &file->tensor[i];
    return NULL;
}

const char *safetensors_meta(const SafeTensors *file, const char *key) {
    const json_t *meta = json_object_get(file->header, "__metadata__");
    return json_string_value(json_object_get(meta, key));
}

static json_t *header_new(const SafeTensor *tensor, uint32_t count, json_t *meta) {
    json_t *header = json_object();
    json_int_t at = 0;
    if (meta) json_object_set(header, "__metadata__", meta);
    for (uint32_t i = 0; i < count; i++) {
        json_t *shape = json_array();
        for (uint32_t d = 0; d < tensor[i].rank; d++)
            json_array_append_new(shape, json_integer(tensor[i].dim[d]));
        json_int_t end = at + (json_int_t)tensor[i].bytes;
        json_object_set_new(header, tensor[i].name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype",
                                      stored_info[tensor[i].stored].safetensors, "shape",
                                      shape, "data_offsets", at, end));
        at = end;
    }
    return header;
}

/* The header is padded with spaces so that the data begin at a multiple of 8. */
bool safetensors_write(const char *path, const SafeTensor *tensor, uint32_t count,
                       json_t *meta, char *message) {
    json_t *header = header_new(tensor, count, meta);
    char *text = json_dumps(header, JSON_COMPACT);
    Piece *piece = mem_alloc((count + 3) * sizeof *piece);
    json_decref(header);
    bool ok = text && piece;
    if (ok) {
        size_t length = strlen(text), padded = (length + 7) / 8 * 8;
        uint8_t size[8];
        for (int i = 0; i < 8; i++) size[i] = (uint8_t)(padded >> 8 * i);
        piece[0] = (Piece){size, 8};
        piece[1] = (Piece){text, length};
        piece[2] = (Piece){"        ", padded - length};
        for (uint32_t i = 0; i < count; i++)
            piece[3 + i] = (Piece){tensor[i].data, tensor[i].bytes};
        ok = file_replace(path, piece, count + 3, message);
    } else {
        fail(message, "memory ended");
    }
    free(text);
    mem_free(piece);
    return ok;
}
