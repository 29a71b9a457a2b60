/* NumPy's .npz: a zip archive of .npy files, by libzip. */
#include "tools/npz.h"
#include "base/alloc.h"
#include <stdio.h>
#include <string.h>
#include <zip.h>

#define OURS         "tenon" /* how the comment of an archive of ours begins */
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

static zip_t *open_zip(const uint8_t *bytes, size_t count, char *message) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, count, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (!zip) {
        fail(message, "is not a .npz file: %s", zip_error_strerror(&error));
        zip_source_free(source);
    }
    zip_error_fini(&error);
    return zip;
}

bool npz_parse(const uint8_t *bytes, size_t count, const char *name, Tensor *out,
               char *message) {
    zip_t *zip = open_zip(bytes, count, message);
    if (!zip) return false;
    bool ok = parse_member(zip, name, out, message);
    zip_discard(zip);
    return ok;
}

bool npz_read(const char *path, const char *name, Tensor *out, char *message) {
    Bytes file;
    if (!file_read(path, &file, message)) return false;
    bool ok = npz_parse(file.at, file.count, name, out, message);
    bytes_free(&file);
    return ok || fail_at(message, path);
}

/* ---- all arrays ------------------------------------------------------------------------ */

static bool parse_at(zip_t *zip, zip_uint64_t index, NpzArrays *out, char *message) {
    const char *name = zip_get_name(zip, index, 0);
    size_t length = name ? strlen(name) : 0;
    if (length < 5 || strcmp(name + length - 4, ".npy"))
        return fail(message,
                    "is a zip archive but not a .npz: it holds '%.100s'. Of a PyTorch "
                    "file, save the state_dict by safetensors.torch.save_file",
                    name ? name : "");
    char *copy = mem_alloc(length - 3);
    if (!copy) return fail(message, "memory ended");
    memcpy(copy, name, length - 4);
    out->name[out->count] = copy;
    Tensor *tensor = &out->tensor[out->count++];
    Bytes bytes = {0};
    bool ok = read_member(zip, index, &bytes, message);
    if (ok) {
        ok = npy_parse(bytes.at, bytes.count, tensor, message);
        bytes_free(&bytes);
    }
    return ok || fail_at(message, copy);
}

/* "tenon", or "tenon " and names; any other comment says nothing. */
static bool keep_comment(NpzArrays *out, const char *comment, size_t length) {
    const size_t mark = strlen(OURS);
    if (!comment || length < mark || memcmp(comment, OURS, mark) != 0) return true;
    if (length > mark && comment[mark] != ' ') return true;
    size_t from = length > mark ? mark + 1 : mark;
    out->training = mem_alloc(length - from + 1); /* zeros */
    if (!out->training) return false;
    memcpy(out->training, comment + from, length - from);
    return true;
}

static bool parse_each(zip_t *zip, NpzArrays *out, char *message) {
    int length = 0;
    const char *comment = zip_get_archive_comment(zip, &length, 0);
    zip_int64_t members = zip_get_num_entries(zip, 0);
    if (members < 1) return fail(message, "holds no arrays");
    if (!keep_comment(out, comment, (size_t)length)) return fail(message, "memory ended");
    out->name = mem_alloc(((size_t)members + 1) * sizeof *out->name);
    out->tensor = mem_alloc(((size_t)members + 1) * sizeof *out->tensor);
    if (!out->name || !out->tensor) return fail(message, "memory ended");
    for (zip_int64_t i = 0; i < members; i++)
        if (!parse_at(zip, (zip_uint64_t)i, out, message)) return false;
    return true;
}

bool npz_parse_all(const uint8_t *bytes, size_t count, NpzArrays *out, char *message) {
    *out = (NpzArrays){0};
    zip_t *zip = open_zip(bytes, count, message);
    if (!zip) return false;
    bool ok = parse_each(zip, out, message);
    zip_discard(zip);
    if (!ok) npz_free(out);
    return ok;
}

void npz_free(NpzArrays *arrays) {
    for (uint32_t i = 0; i < arrays->count; i++) {
        mem_free((void *)arrays->name[i]);
        tensor_free(&arrays->tensor[i]);
    }
    mem_free((void *)arrays->name);
    mem_free(arrays->tensor);
    mem_free(arrays->training);
    *arrays = (NpzArrays){0};
}

/* ---- writing --------------------------------------------------------------------------- */

/* What libzip reads when the archive is closed. */
typedef struct Member {
    char header[NPY_HEADER];
    zip_buffer_fragment_t part[2]; /* header, elements */
} Member;

static bool add_member(zip_t *zip, Member *m, const SafeTensor *t, char *message) {
    char name[256];
    if (!*stored_info[t->stored].npy)
        return fail(message, "'%.100s' is %s, for which .npz files have no type", t->name,
                    stored_info[t->stored].name);
    if ((size_t)snprintf(name, sizeof name, "%s.npy", t->name) >= sizeof name)
        return fail(message, "'%.100s...' is too long a name", t->name);
    m->part[0].data = (zip_uint8_t *)m->header;
    m->part[0].length = npy_header(t->stored, t->rank, t->dim, m->header);
    m->part[1].data = (zip_uint8_t *)t->data;
    m->part[1].length = t->bytes;
    zip_source_t *source = zip_source_buffer_fragment(zip, m->part, t->bytes ? 2 : 1, 0);
    zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
        zip_source_free(source);
        return fail(message, "'%.100s' cannot be put into a .npz: %s", t->name,
                    zip_strerror(zip));
    }
    /* numpy's own choice, and no time: equal arrays make equal files */
    zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0);
    zip_file_set_dostime(zip, (zip_uint64_t)index, 0, 33, 0);
    return true;
}

static bool save(zip_source_t *source, const char *path, char *message) {
    zip_stat_t facts;
    bool ok = !zip_source_stat(source, &facts) && !zip_source_open(source);
    uint8_t *bytes = ok ? mem_alloc((size_t)facts.size) : NULL;
    ok = bytes && zip_source_read(source, bytes, facts.size) == (zip_int64_t)facts.size;
    const Piece piece = {bytes, ok ? (size_t)facts.size : 0};
    ok = ok ? file_replace(path, &piece, 1, message) : fail(message, "memory ended");
    mem_free(bytes);
    return ok;
}

/* Names that find no room in a comment are left out: whoever reads weights is told of them. */
static bool mark(zip_t *zip, const char *training) {
    const size_t head = strlen(OURS), tail = strlen(training);
    if (!tail || head + 1 + tail > UINT16_MAX)
        return !zip_set_archive_comment(zip, OURS, (zip_uint16_t)head);
    char *comment = mem_alloc(head + tail + 2);
    if (!comment) return false;
    memcpy(comment, OURS " ", head + 1);
    memcpy(comment + head + 1, training, tail);
    bool ok = !zip_set_archive_comment(zip, comment, (zip_uint16_t)(head + 1 + tail));
    mem_free(comment);
    return ok;
}

/* The archive is made in memory, since libzip would write beside the file on its own. */
bool npz_write(const char *path, const SafeTensor *tensor, uint32_t count,
               const char *training, char *message) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_TRUNCATE, &error) : NULL;
    zip_error_fini(&error);
    if (!zip) {
        zip_source_free(source);
        return fail(message, "memory ended");
    }
    zip_source_keep(source);
    Member *member = mem_alloc((count + 1) * sizeof *member);
    bool ok = member && (!training || mark(zip, training));
    if (!ok) fail(message, "memory ended");
    for (uint32_t i = 0; i < count && ok; i++)
        ok = add_member(zip, &member[i], &tensor[i], message);
    if (!ok || zip_close(zip)) {
        if (ok) ok = fail(message, "the archive cannot be made: %s", zip_strerror(zip));
        zip_discard(zip);
    } else {
        ok = save(source, path, message);
    }
    mem_free(member);
    zip_source_free(source);
    return ok;
}
