/*
 * Data sets whose files the program names:
 *   idx("train-x", "train-y", "test-x", "test-y")   npy(...) likewise; the test may be
 *   left out, and so may the labels
 *   npz("file.npz", "x", "y", "xt", "yt")           names of arrays; without them
 * x_train, y_train, x_test, y_test or x, y
 *   pictures("train", "test")                       folders of a folder for each class; the
 *   test may be left out, and shape = [32, 32, 3] fits the pictures
 */
#include "tools/data.h"
#include "tools/picture.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As it is, else in --data, else in $TENON_DATA. */
const char *data_path(const char *name, const char *folder, char *path) {
    const char *const base[] = {folder, getenv("TENON_DATA")};
    if (file_exists(name) || *name == '/') return name;
    for (int i = 0; i < 2; i++) {
        if (!base[i] || !*base[i]) continue;
        snprintf(path, PATH_MAX, "%s/%s", base[i], name);
        if (file_exists(path)) return path;
    }
    return name;
}

typedef bool Read(const char *path, Tensor *out, char *message);

static bool load_each(const DataSpec *spec, const char *folder, Read *read, DataSet *out,
                      char *message) {
    if (spec->paths != 1 && spec->paths != 2 && spec->paths != 4)
        return fail(message,
                    "%s(...) takes 1 file (examples), 2 (and labels) or 4 (and the "
                    "same to test with), not %u",
                    spec->kind, spec->paths);
    char path[PATH_MAX];
    Tensor *const place[] = {&out->train[0], &out->train[1], &out->test[0],
                             &out->test[1]};
    for (uint32_t i = 0; i < spec->paths; i++)
        if (!read(data_path(spec->path[i], folder, path), place[i], message))
            return false;
    return data_finish(out, spec->paths == 1 ? 1 : 2, 0, message) ||
           fail_at(message, spec->path[0]);
}

/* Grey images have no channel axis in IDX files; here they get one. */
static bool read_idx(const char *path, Tensor *out, char *message) {
    if (!idx_read(path, out, message)) return false;
    if (out->elem == ELEM_u8 && out->rank == 3) out->dim[out->rank++] = 1;
    return true;
}

static bool load_idx(const DataSpec *spec, const char *folder, DataSet *out,
                     char *message) {
    return load_each(spec, folder, read_idx, out, message);
}

static bool load_npy(const DataSpec *spec, const char *folder, DataSet *out,
                     char *message) {
    return load_each(spec, folder, npy_read, out, message);
}

static bool load_arrays(const Bytes *file, const char *const *name, uint32_t names,
                        DataSet *out, char *message) {
    Tensor *const place[] = {&out->train[0], &out->train[1], &out->test[0],
                             &out->test[1]};
    for (uint32_t i = 0; i < names; i++)
        if (!npz_parse(file->at, file->count, name[i], place[i], message)) return false;
    return true;
}

static bool load_npz(const DataSpec *spec, const char *folder, DataSet *out,
                     char *message) {
    static const char *const usual[][4] = {{"x_train", "y_train", "x_test", "y_test"},
                                           {"x", "y"}};
    uint32_t names = spec->paths ? spec->paths - 1 : 0;
    if (spec->paths == 0 || names == 3 || names > 4)
        return fail(message,
                    "npz(...) takes an archive and the names of 0, 1, 2 or 4 arrays");
    char path[PATH_MAX];
    const char *archive = data_path(spec->path[0], folder, path);
    Bytes file;
    if (!file_read(archive, &file, message)) return false;
    bool ok;
    if (names) {
        ok = load_arrays(&file, spec->path + 1, names, out, message);
    } else if (!(ok = load_arrays(&file, usual[0], names = 4, out, message))) {
        data_free(out);
        ok = load_arrays(&file, usual[1], names = 2, out, message);
    }
    bytes_free(&file);
    ok = ok && data_finish(out, names == 1 ? 1 : 2, 0, message);
    return ok || fail_at(message, archive);
}

static bool load_pictures(const DataSpec *spec, const char *folder, DataSet *out,
                          char *message) {
    char train[PATH_MAX], test[PATH_MAX];
    const int64_t *dim = spec->rank ? spec->dim : NULL;
    if (spec->paths < 1 || spec->paths > 2 || (dim && spec->rank != 3))
        return fail(message, "pictures(...) takes a folder to train with, perhaps one to "
                             "test with, and shape = [height, width, channels]");
    const char *first = data_path(spec->path[0], folder, train);
    if (!pictures_by_class(first, NULL, dim, 0, &out->train[0], &out->train[1], message))
        return false;
    if (spec->paths == 2 &&
        !pictures_by_class(data_path(spec->path[1], folder, test), first, dim, 0,
                           &out->test[0], &out->test[1], message))
        return false;
    return data_finish(out, 2, 0, message) || fail_at(message, first);
}

FilesLoad *data_files(const char *kind) {
    static const struct {
        const char *kind;
        FilesLoad *load;
    } rows[] = {{"idx", load_idx},
                {"npy", load_npy},
                {"npz", load_npz},
                {"saved", load_npz},
                {"pictures", load_pictures}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].kind, kind)) return rows[i].load;
    return NULL;
}
