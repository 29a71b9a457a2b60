/* What an entry is called with: numbers on the command line, or an array in a file. */
#include "base/alloc.h"
#include "tools/tensor.h"
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

/* The form follows from the first bytes, not from the name. */
static bool array_read(const char *path, Tensor *out, char *message) {
    Bytes file, plain;
    if (!file_read(path, &file, message)) return false;
    bool ok = gzip_expand(file.at, file.count, EXPANDED_LIMIT, &plain, message);
    bytes_free(&file);
    if (ok) {
        bool is_idx = plain.count >= 2 && !plain.at[0] && !plain.at[1];
        bool is_npy = plain.count >= 6 && !memcmp(plain.at, "\x93NUMPY", 6);
        ok = is_idx || is_npy
                 ? (is_idx ? idx_parse : npy_parse)(plain.at, plain.count, out, message)
                 : fail(message, "is neither an array (.npy, IDX) nor a picture (PNG, "
                                 "JPEG)");
        bytes_free(&plain);
    }
    return ok || fail_at(message, path);
}

bool input_read(const char *text, Tensor *out, char *message) {
    *message = 0;
    if (numbers_read(text, out, message)) return true;
    return !*message && array_read(text, out, message);
}
