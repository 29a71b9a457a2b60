/* A folder of pictures in place of a data set's test part. */
#include "tools/data.h"
#include "tools/picture.h"
#include <limits.h>
#include <string.h>

/* What an example of the set looks like, without loading it where that is known. */
static bool describe(const DataShelf *shelf, const DataSpec *spec, DataInfo *info,
                     char *message) {
    DataSet real;
    if (data_describe(spec->kind, info)) return true;
    bool ok = data_load(spec, shelf->folder, &real, message);
    *info = real.info;
    data_free(&real);
    return ok;
}

static bool check_shape(const DataField *field, const Tensor *images, const char *path,
                        char *message) {
    char a[96], b[96];
    if (!memcmp(images->dim + 1, field->dim, 3 * sizeof *field->dim)) return true;
    fail(message,
         "the pictures are %s, the network needs %s; --fit cuts and scales pictures",
         shape_text(ELEM_u8, 3, images->dim + 1, a, sizeof a),
         shape_text(ELEM_u8, 3, field->dim, b, sizeof b));
    return fail_at(message, path);
}

bool data_pictures(const DataShelf *shelf, const DataSpec *spec, DataSet *out,
                   char *message) {
    DataInfo *info = &out->info;
    const DataField *field = info->field;
    if (!describe(shelf, spec, info, message)) return false;
    if (info->fields != 2 || field[0].rank != 3 || field[1].rank ||
        field[1].elem != ELEM_i32 || field[0].elem != ELEM_u8)
        return fail(message, "the data of this block are no pictures with labels");
    char path[PATH_MAX];
    const char *like = NULL; /* whose classes have the numbers that were trained with */
    if (!strcmp(spec->kind, "pictures"))
        like = data_path(spec->path[0], shelf->folder, path);
    if (!pictures_by_class(shelf->pictures, like, shelf->fit ? field[0].dim : NULL,
                           info->classes, &out->test[0], &out->test[1], message))
        return false;
    info->test_count = out->test[0].dim[0];
    return check_shape(&field[0], &out->test[0], shelf->pictures, message);
}
