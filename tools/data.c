/* Data sets in memory: agreement of their arrays, batches, and the shelf of loaded ones.
 */
#include "tools/data.h"
#include "base/alloc.h"
#include "tools/clock.h"
#include <stdio.h>
#include <string.h>

static const char *const field_names[MAX_FIELDS] = {"x", "y", "z", "w"};

bool data_describe(const char *kind, DataInfo *info) {
    const NamedSet *named = data_named(kind);
    if (named) *info = named->info;
    return named != NULL;
}

bool data_load(const DataSpec *spec, const char *folder, DataSet *out, char *message) {
    const NamedSet *named = data_named(spec->kind);
    FilesLoad *load = data_files(spec->kind);
    *out = (DataSet){0};
    if (named) return data_named_load(named, folder, out, message);
    if (load) return load(spec, folder, out, message);
    if (!strcmp(spec->kind, "synthetic")) return data_synthetic(spec, out, message);
    static const char *const kinds[] = {"fashion_mnist", "mnist", "cifar10", "idx",
                                        "npy",           "npz",   "pictures"};
    const char *near = nearest_word(spec->kind, kinds, sizeof kinds / sizeof *kinds);
    return fail(
        message,
        "there is no data set '%s'%s%s; known are fashion_mnist, mnist, cifar10, and "
        "files by idx(...), npy(...), npz(...), pictures(...)",
        spec->kind, near ? ", did you mean " : "", near ? near : "");
}

void data_free(DataSet *data) {
    for (uint32_t i = 0; i < MAX_FIELDS; i++) {
        tensor_free(&data->train[i]);
        tensor_free(&data->test[i]);
    }
}

void data_gather(const Tensor *field, const int64_t *order, int64_t count, int64_t batch,
                 void *out) {
    size_t row = (size_t)(tensor_bytes(field) / field->dim[0]);
    for (int64_t i = 0; i < batch; i++) {
        int64_t from = order[i < count ? i : count - 1];
        memcpy((char *)out + (size_t)i * row, (char *)field->data + (size_t)from * row,
               row);
    }
}

/* Classes are whole numbers from 0; `classes` is raised to what the labels need when it
 * is not known. */
static bool check_labels(const Tensor *labels, const char *part, uint32_t known,
                         uint32_t *classes, char *message) {
    const int32_t *at = labels->data;
    if (labels->elem != ELEM_i32 || labels->rank != 1) return true;
    char range[32] = "0 on";
    if (known) snprintf(range, sizeof range, "0 to %u", known - 1);
    for (int64_t i = 0; i < labels->dim[0]; i++) {
        if (at[i] < 0 || (known && (uint32_t)at[i] >= known))
            return fail(message,
                        "%s label %lld is %d, out of range: classes are numbered "
                        "from %s; correct or remove that example",
                        part, (long long)i, at[i], range);
        if ((uint32_t)at[i] >= *classes) *classes = (uint32_t)at[i] + 1;
    }
    return true;
}

static bool same_rows(const Tensor *a, const Tensor *b) {
    bool same = a->elem == b->elem && a->rank == b->rank;
    for (uint32_t d = 1; d < a->rank && same; d++) same = a->dim[d] == b->dim[d];
    return same;
}

/* Numbers as the compiler takes them: f64 becomes f32, a vector of bytes is labels. */
static bool settle_type(Tensor *tensor, uint32_t field, char *message) {
    if (tensor->elem == ELEM_f64) return tensor_convert(tensor, ELEM_f32, message);
    bool labels = field == 1 && tensor->rank == 1;
    if (labels && (tensor->elem == ELEM_u8 || tensor->elem == ELEM_bool))
        return tensor_convert(tensor, ELEM_i32, message);
    return true;
}

static bool check_field(DataSet *data, uint32_t i, char *message) {
    Tensor *train = &data->train[i], *test = &data->test[i];
    char a[96], b[96];
    if (train->rank == 0 || (test->data && test->rank == 0))
        return fail(message, "array %u is a single number, examples were expected",
                    i + 1);
    if (!settle_type(train, i, message)) return false;
    if (test->data && !settle_type(test, i, message)) return false;
    if (train->dim[0] != data->train[0].dim[0])
        return fail(message, "there are %lld examples but %lld labels to train with",
                    (long long)data->train[0].dim[0], (long long)train->dim[0]);
    if (!test->data) return true;
    if (test->dim[0] != data->test[0].dim[0])
        return fail(message, "there are %lld examples but %lld labels to test with",
                    (long long)data->test[0].dim[0], (long long)test->dim[0]);
    if (same_rows(train, test)) return true;
    return fail(message, "an example to train with is %s, one to test with is %s",
                shape_text(train->elem, train->rank - 1, train->dim + 1, a, sizeof a),
                shape_text(test->elem, test->rank - 1, test->dim + 1, b, sizeof b));
}

bool data_finish(DataSet *data, uint32_t fields, uint32_t classes, char *message) {
    DataInfo *info = &data->info;
    *info = (DataInfo){.fields = fields, .classes = classes};
    for (uint32_t i = 0; i < fields; i++) {
        const Tensor *train = &data->train[i];
        if (!check_field(data, i, message)) return false;
        DataField *field = &info->field[i];
        *field = (DataField){field_names[i], train->elem, train->rank - 1, {0}};
        for (uint32_t d = 1; d < train->rank; d++) field->dim[d - 1] = train->dim[d];
    }
    info->train_count = data->train[0].dim[0];
    info->test_count = data->test[0].data ? data->test[0].dim[0] : 0;
    if (info->train_count == 0)
        return fail(message, "there are no examples to train with");
    if (fields < 2) return true;
    return check_labels(&data->train[1], "training", classes, &info->classes, message) &&
           (!data->test[1].data ||
            check_labels(&data->test[1], "test", classes, &info->classes, message));
}

/* Sets are told apart by kind, paths and what is made up; batch and split are cut later. */
static void key_write(const DataSpec *spec, char *key, size_t size) {
    size_t used = (size_t)snprintf(key, size, "%s", spec->kind);
    for (uint32_t i = 0; i < spec->paths && used < size; i++)
        used += (size_t)snprintf(key + used, size - used, "\n%s", spec->path[i]);
    if (used < size)
        used += (size_t)snprintf(key + used, size - used, "\n%lld %lld",
                                 (long long)spec->examples, (long long)spec->classes);
    for (uint32_t i = 0; i < spec->rank && used < size; i++)
        used +=
            (size_t)snprintf(key + used, size - used, " %lld", (long long)spec->dim[i]);
}

const DataSet *data_shelf_get(const DataShelf *shelf, const DataSpec *spec) {
    char key[2048];
    key_write(spec, key, sizeof key);
    for (uint32_t i = 0; i < shelf->count; i++)
        if (!strcmp(shelf->book[i].key, key)) return &shelf->book[i].set;
    return NULL;
}

bool data_find(void *context, const DataSpec *spec, DataInfo *info, char *message) {
    DataShelf *shelf = context;
    const DataSet *have = data_shelf_get(shelf, spec);
    if (!have && shelf->describe && data_describe(spec->kind, info)) return true;
    if (!have) {
        char key[2048];
        if (shelf->count == sizeof shelf->book / sizeof *shelf->book)
            return fail(message, "a program uses at most %u data sets", shelf->count);
        DataSet *set = &shelf->book[shelf->count].set;
        double start = seconds_now();
        *set = (DataSet){0};
        bool ok = shelf->pictures ? data_pictures(shelf, spec, set, message)
                                  : data_load(spec, shelf->folder, set, message);
        shelf->seconds += seconds_now() - start;
        if (!ok) {
            data_free(set);
            return false;
        }
        key_write(spec, key, sizeof key);
        char *copy = mem_alloc(strlen(key) + 1);
        if (!copy) {
            data_free(set);
            return fail(message, "memory ended");
        }
        shelf->book[shelf->count++].key = memcpy(copy, key, strlen(key) + 1);
        have = set;
    }
    *info = have->info;
    return true;
}

void data_shelf_free(DataShelf *shelf) {
    for (uint32_t i = 0; i < shelf->count; i++) {
        data_free(&shelf->book[i].set);
        mem_free((void *)shelf->book[i].key);
    }
    shelf->count = 0;
}
