/* NumPy's .npz: a zip archive of .npy files, read by libzip. */
#include "base/alloc.h"
#include "tools/tensor.h"
#include <stdio.h>
#include <string.h>
#include <zip.h>

#define MEMBER_LIMIT ((zip_uint64_t)1 << 36)

/* "a, b, c": the arrays there are, for the message about one that is not. */
static const char *list_names(zip_t *zip, char *buffer, size_t size) {
    size_t used = 0;
    buffer[0] = 0;
    for (zip_int64_t i = 0; i < zip_get_num_entries(zip, 0) && used < size; i++) {
        const char *name = zip_get_name(zip, (zip_uint64_t)i, 0);
        if (!name) continue;
        size_t length = strlen(name);
        if (length > 4 && !strcmp(name + length - 4, ".npy")) length -= 4;
        used += (size_t)snprintf(buffer + used, size - used, "%s%.*s", used ? ", " : "",
                                 (int)(length < 64 ? length : 64), name);
    }
    return buffer;
}

/* The member's bytes.  The directory's size is a claim: the block grows as bytes come. */
static bool read_member(zip_t *zip, zip_uint64_t index, Bytes *out, char *message) {
    zip_file_t *file = zip_fopen_index(zip, index, 0);
    if (!file) return fail(message, "cannot be expanded: %s", zip_strerror(zip));
    size_t room = 1 << 16;
    bool ok = false;
    *out = (Bytes){mem_alloc(room), 0};
    fail(message, "memory ended while the archive was expanded");
    while (out->at) {
        zip_int64_t got = zip_fread(file, out->at + out->count, room - out->count);
        if (got < 0) fail(message, "is damaged: %s", zip_file_strerror(file));
        if (got <= 0) {
            ok = got == 0;
            break;
        }
        out->count += (size_t)got;
        if (out->count < room) continue;
        if (2 * room > MEMBER_LIMIT) {
            fail(message, "expands to more than %llu bytes", (unsigned long long)room);
            break;
        }
        uint8_t *wider = mem_resize(out->at, room, 2 * room);
        if (!wider) break;
        out->at = wider;
        room *= 2;
    }
    zip_fclose(file);
    if (!ok) bytes_free(out);
    return ok;
}

static bool parse_member(zip_t *zip, const char *name, Tensor *out, char *message) {
    char member[256], names[256];
    snprintf(member, sizeof member, "%s.npy", name);
    zip_int64_t index = zip_name_locate(zip, member, 0);
    if (index < 0)
        return fail(message, "has no array '%s'; it holds %s", name,
                    list_names(zip, names, sizeof names));
    Bytes bytes = {0};
    bool ok = read_member(zip, (zip_uint64_t)index, &bytes, message);
    if (ok) {
        ok = npy_parse(bytes.at, bytes.count, out, message);
        bytes_free(&bytes);
    }
    return ok || fail_at(message, member);
}

bool npz_parse(const uint8_t *bytes, size_t count, const char *name, Tensor *out,
               char *message) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, count, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (!zip) {
        fail(message, "is not a .npz file: %s", zip_error_strerror(&error));
        zip_source_free(source);
        zip_error_fini(&error);
        return false;
    }
    bool ok = parse_member(zip, name, out, message);
    zip_discard(zip);
    zip_error_fini(&error);
    return ok;
}

bool npz_read(const char *path, const char *name, Tensor *out, char *message) {
    Bytes file;
    if (!file_read(path, &file, message)) return false;
    bool ok = npz_parse(file.at, file.count, name, out, message);
    bytes_free(&file);
    return ok || fail_at(message, path);
}
