/* The data sets that are known by name, and where they are looked for. */
#include "tools/data.h"
#include "base/alloc.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "folder/name", or with ".gz" behind it. */
static bool file_in(const char *folder, const char *name, char *path) {
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    if (file_exists(path)) return true;
    snprintf(path, PATH_MAX, "%s/%s.gz", folder, name);
    return file_exists(path);
}

static bool read_idx_in(const char *folder, const char *name, uint32_t rank, Tensor *out,
                        char *message) {
    char path[PATH_MAX], shape[96];
    if (!file_in(folder, name, path)) {
        fail(message, "is missing");
        return fail_at(message, path);
    }
    if (!idx_read(path, out, message)) return false;
    bool right = out->elem == ELEM_u8 && out->rank == rank &&
                 (rank == 1 || (out->dim[1] == 28 && out->dim[2] == 28));
    if (right && rank == 1) return true;
    if (right) {
        out->dim[out->rank++] = 1;
        return true;
    }
    fail(message, "holds %s, %s were expected",
         shape_text(out->elem, out->rank, out->dim, shape, sizeof shape),
         rank == 1 ? "u8 labels" : "u8[n, 28, 28] images");
    return fail_at(message, path);
}

static bool load_mnist(const char *folder, DataSet *out, char *message) {
    return read_idx_in(folder, "train-images-idx3-ubyte", 3, &out->train[0], message) &&
           read_idx_in(folder, "train-labels-idx1-ubyte", 1, &out->train[1], message) &&
           read_idx_in(folder, "t10k-images-idx3-ubyte", 3, &out->test[0], message) &&
           read_idx_in(folder, "t10k-labels-idx1-ubyte", 1, &out->test[1], message);
}

static bool read_cifar(const char *folder, const char *const *name, uint32_t names,
                       Tensor *images, Tensor *labels, char *message) {
    Bytes file[5] = {0};
    int64_t records = 0, at = 0;
    bool ok = true;
    char path[PATH_MAX];
    for (uint32_t i = 0; i < names && ok; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        ok = file_read(path, &file[i], message);
        if (ok) records += (int64_t)(file[i].count / CIFAR_RECORD);
    }
    const int64_t dim[] = {records, 32, 32, 3};
    ok = ok && tensor_new(images, ELEM_u8, 4, dim, message) &&
         tensor_new(labels, ELEM_i32, 1, dim, message);
    for (uint32_t i = 0; i < names && ok; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        ok = cifar_parse(file[i].at, file[i].count, (uint8_t *)images->data + at * 3072,
                         (int32_t *)labels->data + at, message) ||
             fail_at(message, path);
        at += (int64_t)(file[i].count / CIFAR_RECORD);
    }
    for (uint32_t i = 0; i < names; i++) bytes_free(&file[i]);
    return ok;
}

static bool load_cifar10(const char *folder, DataSet *out, char *message) {
    static const char *const train[] = {"data_batch_1.bin", "data_batch_2.bin",
                                        "data_batch_3.bin", "data_batch_4.bin",
                                        "data_batch_5.bin"};
    static const char *const test[] = {"test_batch.bin"};
    return read_cifar(folder, train, 5, &out->train[0], &out->train[1], message) &&
           read_cifar(folder, test, 1, &out->test[0], &out->test[1], message);
}

#define IMAGES(train, h, w, c)                                                           \
    {                                                                                    \
        train, 10000, 2, 10, {                                                           \
            {"x", ELEM_u8, 3, {h, w, c}}, {                                              \
                "y", ELEM_i32, 0, {                                                      \
                    0                                                                    \
                }                                                                        \
            }                                                                            \
        }                                                                                \
    }
#define MNIST_PROBE "train-images-idx3-ubyte"

static const NamedSet named_sets[] = {
    {"fashion_mnist", load_mnist, MNIST_PROBE, IMAGES(60000, 28, 28, 1),
     "install Debian's package dataset-fashion-mnist"},
    {"mnist", load_mnist, MNIST_PROBE, IMAGES(60000, 28, 28, 1),
     "put its four IDX files (train-images-idx3-ubyte.gz, ...) there"},
    {"cifar10", load_cifar10, "data_batch_1.bin", IMAGES(50000, 32, 32, 3),
     "unpack cifar-10-binary.tar.gz and name its folder"},
};
#define NAMED_SETS (sizeof named_sets / sizeof *named_sets)

/* Names are equal when they differ in '_' and '-' only. */
static bool same_name(const char *a, const char *b) {
    for (; *a && *b; a++, b++) {
        bool dash = (*a == '_' || *a == '-') && (*b == '_' || *b == '-');
        if (*a != *b && !dash) return false;
    }
    return *a == *b;
}

const NamedSet *data_named(const char *kind) {
    for (size_t i = 0; i < NAMED_SETS; i++)
        if (same_name(named_sets[i].name, kind)) return &named_sets[i];
    return NULL;
}

/* DIR/name with either sign; or DIR, unless its own name is that of another set: MNIST's
 * files have the same names as Fashion-MNIST's. */
static bool find_folder(const NamedSet *named, const char *base, char *folder) {
    char dashed[64], file[PATH_MAX];
    snprintf(dashed, sizeof dashed, "%s", named->name);
    for (char *c = dashed; *c; c++)
        if (*c == '_') *c = '-';
    const char *const names[] = {named->name, dashed};
    for (int i = 0; i < 2; i++) {
        snprintf(folder, PATH_MAX, "%s/%s", base, names[i]);
        if (file_in(folder, named->probe, file)) return true;
    }
    snprintf(folder, PATH_MAX, "%s", base);
    char *slash = strrchr(folder, '/');
    if (slash && !slash[1] && slash > folder) *slash = 0, slash = strrchr(folder, '/');
    const NamedSet *other = data_named(slash ? slash + 1 : folder);
    return (!other || other == named) && file_in(folder, named->probe, file);
}

bool data_named_load(const NamedSet *named, const char *folder, DataSet *out,
                     char *message) {
    const char *const base[] = {folder, getenv("TENON_DATA"), "/usr/share/datasets"};
    char found[PATH_MAX], tried[256] = "";
    for (int i = 0; i < 3; i++) {
        if (!base[i] || !*base[i]) continue;
        size_t used = strlen(tried);
        snprintf(tried + used, sizeof tried - used, "%s%.100s", used ? ", " : "",
                 base[i]);
        if (!find_folder(named, base[i], found)) continue;
        if (!named->load(found, out, message)) return false;
        if (data_finish(out, 2, named->info.classes, message)) return true;
        return fail_at(message, found);
    }
    return fail(message,
                "the data set '%s' is not in %s; %s, or give its folder by --data "
                "DIR or in TENON_DATA",
                named->name, tried, named->remedy);
}
