/* What an entry is called with: numbers on the command line, or an array in a file. */
#include "base/alloc.h"
#include "tools/npz.h"
#include <stdlib.h>
#include <string.h>

#define MAX_NUMBERS 4096

/* "7" is a scalar, "7,9" a row; whole numbers stay whole.  false: other text. */
static bool numbers_read(const char *text, Tensor *out, char *message) {
    double value[MAX_NUMBERS];
    int64_t count = 0;
    bool whole = !strpbrk(text, ".eEnN");
    const char *at = text;
    for (char *end = NULL;; at = end + 1) {
        if (count == MAX_NUMBERS || !strchr("+-.0123456789", *at) || !*at) return false;
        value[count++] = strtod(at, &end);
        if (end == at || (*end && *end != ',')) return false;
        if (!*end) break;
    }
    uint32_t rank = strchr(text, ',') ? 1 : 0;
    if (!tensor_new(out, ELEM_f64, rank, &count, message)) return false;
    memcpy(out->data, value, (size_t)count * sizeof *value);
    if (!whole || tensor_convert(out, ELEM_i32, message)) return true;
    tensor_free(out);
    return false;
}

static bool begins(const Bytes *file, const char *with, size_t count) {
    return file->count >= count && !memcmp(file->at, with, count);
}

/* The array of that name, or the only one. */
static bool npz_member(const Bytes *file, const char *name, Tensor *out, char *message) {
    char unheard[MESSAGE_BYTES];
    NpzArrays all;
    if (npz_parse(file->at, file->count, name, out, message)) return true;
    if (!npz_parse_all(file->at, file->count, &all, unheard)) return false;
    bool alone = all.count == 1;
    if (alone) {
        *out = all.tensor[0];
        all.tensor[0] = (Tensor){0};
    }
    npz_free(&all);
    return alone;
}

/* The form follows from the first bytes, not from the path. */
static bool array_parse(const Bytes *file, const char *name, Tensor *out, char *message) {
    if (begins(file, "\x93NUMPY", 6))
        return npy_parse(file->at, file->count, out, message);
    if (begins(file, "\0\0", 2)) return idx_parse(file->at, file->count, out, message);
    if (begins(file, "PK", 2)) return npz_member(file, name, out, message);
    return fail(message,
                "is neither an array (.npy, .npz, IDX) nor a picture (PNG, JPEG)");
}

static bool array_read(const char *path, const char *name, Tensor *out, char *message) {
    Bytes file, plain;
    if (!file_read(path, &file, message)) return false;
    bool ok = gzip_expand(file.at, file.count, EXPANDED_LIMIT, &plain, message);
    bytes_free(&file);
    if (ok) {
        ok = array_parse(&plain, name, out, message);
        bytes_free(&plain);
    }
    return ok || fail_at(message, path);
}

bool input_read(const char *text, const char *name, Tensor *out, char *message) {
    *message = 0;
    if (numbers_read(text, out, message)) return true;
    return !*message && array_read(text, name, out, message);
}
