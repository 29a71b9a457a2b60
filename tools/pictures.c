/* Folders of pictures: all in one array, with the classes that their folders are. */
#include "base/alloc.h"
#include "tools/picture.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Names in a folder, sorted by bytes. */
typedef struct Names {
    uint32_t count;
    struct dirent **at; /* the C library's */
} Names;

static int is_shown(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool names_read(const char *path, Names *names, char *message) {
    int count = scandir(path, &names->at, is_shown, by_bytes);
    names->count = count > 0 ? (uint32_t)count : 0;
    if (count > 0) return true;
    if (count == 0) free(names->at); /* NOLINT(bugprone-unsafe-functions): scandir's */
    names->at = NULL;
    fail(message, count ? "is no folder that can be read" : "is an empty folder");
    return fail_at(message, path);
}

static void names_free(Names *names) {
    for (uint32_t i = 0; i < names->count; i++) free(names->at[i]);
    free(names->at);
    *names = (Names){0};
}

static bool is_folder(const char *path) {
    struct stat facts;
    return !stat(path, &facts) && S_ISDIR(facts.st_mode);
}

/* "folder/name"; false, said: too long. */
static bool path_join(const char *folder, const char *name, char path[PATH_MAX],
                      char *message) {
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX) return true;
    return fail(message, "%.200s...: the path is too long", folder);
}

/* Pictures of one size in one block, which grows. */
typedef struct Stack {
    int64_t dim[3], count, room;
    uint8_t *pixels;
    int32_t *label;
    const int64_t *fit; /* NULL: as they are */
} Stack;

static bool stack_grow(Stack *s, char *message) {
    if (s->count < s->room) return true;
    int64_t room = s->room ? 2 * s->room : 16;
    const size_t one = (size_t)(s->dim[0] * s->dim[1] * s->dim[2]);
    uint8_t *pixels = mem_resize(s->pixels, (size_t)s->room * one, (size_t)room * one);
    if (pixels) s->pixels = pixels;
    int32_t *label = mem_resize(s->label, (size_t)s->room * sizeof *label,
                                (size_t)room * sizeof *label);
    if (label) s->label = label;
    if (!pixels || !label)
        return fail(message, "memory ended after %lld pictures", (long long)s->count);
    s->room = room;
    return true;
}

static bool stack_push(Stack *s, const Tensor *picture, int32_t label, char *message) {
    char a[96], b[96];
    if (!s->count) memcpy(s->dim, picture->dim, sizeof s->dim);
    if (memcmp(s->dim, picture->dim, sizeof s->dim))
        return fail(
            message,
            "is %s, the pictures before it are %s; all are to be alike, or are to "
            "be fitted to a shape",
            shape_text(ELEM_u8, 3, picture->dim, a, sizeof a),
            shape_text(ELEM_u8, 3, s->dim, b, sizeof b));
    if (!stack_grow(s, message)) return false;
    const size_t one = (size_t)(s->dim[0] * s->dim[1] * s->dim[2]);
    memcpy(s->pixels + (size_t)s->count * one, picture->data, one);
    s->label[s->count++] = label;
    return true;
}

static bool stack_read(Stack *s, const char *path, int32_t label, char *message) {
    Tensor picture;
    if (!picture_read(path, &picture, message)) return false;
    bool ok = (!s->fit || picture_fit(&picture, s->fit, message)) &&
              stack_push(s, &picture, label, message);
    tensor_free(&picture);
    return ok || fail_at(message, path);
}

static bool stack_read_folder(Stack *s, const char *folder, int32_t label,
                              char *message) {
    Names names;
    char path[PATH_MAX];
    if (!names_read(folder, &names, message)) return false;
    bool ok = true;
    for (uint32_t i = 0; i < names.count && ok; i++)
        ok = path_join(folder, names.at[i]->d_name, path, message) &&
             stack_read(s, path, label, message);
    names_free(&names);
    return ok;
}

/* The block becomes the tensor's. */
static void stack_take(Stack *s, Tensor *images) {
    *images =
        (Tensor){ELEM_u8, 4, {s->count, s->dim[0], s->dim[1], s->dim[2]}, s->pixels};
    s->pixels = NULL;
}

static void stack_free(Stack *s) {
    mem_free(s->pixels);
    mem_free(s->label);
}

bool pictures_read(const char *path, const int64_t dim[3], Tensor *out, char *message) {
    Stack s = {.fit = dim};
    bool ok = is_folder(path) ? stack_read_folder(&s, path, 0, message)
                              : stack_read(&s, path, 0, message);
    if (ok) stack_take(&s, out);
    stack_free(&s);
    return ok;
}

bool pictures_are(const char *path) {
    uint8_t first[8];
    FILE *file = is_folder(path) ? NULL : fopen(path, "rb");
    if (!file) return is_folder(path);
    size_t count = fread(first, 1, sizeof first, file);
    fclose(file);
    return picture_is(first, count);
}

/* Bytes as training has them: f32(byte) * (1 / 255). */
static void scale_bytes(Tensor *t) {
    const float unit = (float)(1.0 / 255);
    for (int64_t i = 0, n = tensor_count(t); i < n; i++)
        if (t->elem == ELEM_f32)
            ((float *)t->data)[i] *= unit;
        else
            ((double *)t->data)[i] *= 1.0 / 255;
}

bool pictures_as_input(const char *path, const int64_t dim[3], uint32_t rank, Elem elem,
                       Tensor *out, char *message) {
    if (!pictures_read(path, dim, out, message)) return false;
    if (rank == 3 && out->dim[0] == 1) {
        out->rank = 3;
        memmove(out->dim, out->dim + 1, 3 * sizeof *out->dim);
    }
    if (!elem_is_float(elem)) return true;
    if (!tensor_convert(out, elem, message)) {
        tensor_free(out);
        return fail_at(message, path);
    }
    scale_bytes(out);
    return true;
}

/* ---- classes --------------------------------------------------------------------------- */

static bool whole_number(const char *name, long *value) {
    char *end;
    *value = strtol(name, &end, 10);
    return *name >= '0' && *name <= '9' && !*end && *value <= INT32_MAX;
}

static bool all_numbers(const Names *names) {
    long value;
    for (uint32_t i = 0; i < names->count; i++)
        if (!whole_number(names->at[i]->d_name, &value)) return false;
    return true;
}

/* The number of the class `name`; -1: there is none. */
static int64_t find_class(const Names *known, const char *name) {
    long label;
    if (all_numbers(known)) return whole_number(name, &label) ? label : -1;
    for (uint32_t i = 0; i < known->count; i++)
        if (!strcmp(known->at[i]->d_name, name)) return i;
    return -1;
}

static bool read_class(Stack *s, const char *path, int64_t label, uint32_t classes,
                       char *message) {
    bool ok = false;
    if (!is_folder(path))
        fail(message, "is a file among folders; a class is a folder of pictures");
    else if (label < 0)
        fail(message, "is a class that is not trained with");
    else if (classes && label >= classes)
        fail(message, "is class %lld, out of range: there are %u", (long long)label,
             classes);
    else
        ok = true;
    if (!ok) return fail_at(message, path);
    return stack_read_folder(s, path, (int32_t)label, message);
}

static bool read_classes(Stack *s, const char *folder, const Names *known,
                         uint32_t classes, char *message) {
    Names names;
    char path[PATH_MAX];
    if (!names_read(folder, &names, message)) return false;
    bool ok = true;
    for (uint32_t i = 0; i < names.count && ok; i++) {
        const char *name = names.at[i]->d_name;
        ok = path_join(folder, name, path, message) &&
             read_class(s, path, find_class(known, name), classes, message);
    }
    names_free(&names);
    return ok;
}

bool pictures_by_class(const char *path, const char *like, const int64_t dim[3],
                       uint32_t classes, Tensor *images, Tensor *labels, char *message) {
    Names known;
    Stack s = {.fit = dim};
    if (!names_read(like ? like : path, &known, message)) return false;
    bool ok = read_classes(&s, path, &known, classes, message);
    names_free(&known);
    ok = ok && tensor_new(labels, ELEM_i32, 1, &s.count, message);
    if (ok) {
        memcpy(labels->data, s.label, (size_t)s.count * sizeof *s.label);
        stack_take(&s, images);
    }
    stack_free(&s);
    return ok;
}
