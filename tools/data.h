/* Data sets: a training part and a test part, each a few arrays with examples as rows. */
#ifndef TN_TOOLS_DATA_H
#define TN_TOOLS_DATA_H

#include "frontend/program.h"
#include "tools/tensor.h"

#define MAX_FIELDS 4

typedef struct DataSet {
    DataInfo info;
    Tensor train[MAX_FIELDS],
        test[MAX_FIELDS]; /* [info.fields]; a test of 0 rows: none */
} DataSet;

/* Loads what `spec` names.  `folder` is --data, NULL: not given. */
bool data_load(const DataSpec *spec, const char *folder, DataSet *out, char *message);
void data_free(DataSet *data);

/* What a set that is known by name looks like, without a look at the disk. */
bool data_describe(const char *kind, DataInfo *info);

/* Rows order[0..count) of `field` into `out`, which has room for `batch` rows; the rest
 * repeats the last row. */
void data_gather(const Tensor *field, const int64_t *order, int64_t count, int64_t batch,
                 void *out);

/* The program_load callback; keeps the sets it has loaded. */
typedef struct DataShelf {
    const char *folder;
    bool describe;        /* known sets by name are described only, never loaded */
    const char *pictures; /* folder that stands for every set's test part, NULL: none */
    bool fit;             /* those pictures are fitted */
    double seconds;       /* spent in loading */
    uint32_t count;
    struct {
        const char *key; /* owned, from mem_alloc */
        DataSet set;
    } book[8];
} DataShelf;
bool data_find(void *shelf, const DataSpec *spec, DataInfo *info, char *message);
const DataSet *data_shelf_get(const DataShelf *shelf, const DataSpec *spec);
void data_shelf_free(DataShelf *shelf);

/* data_named.c: the sets known by name. */
typedef struct NamedSet {
    const char *name;
    bool (*load)(const char *folder, DataSet *out, char *message);
    const char *probe; /* a file of the set, perhaps with ".gz" behind it */
    DataInfo info;
    const char *remedy;
} NamedSet;
const NamedSet *data_named(const char *kind);
bool data_named_load(const NamedSet *named, const char *folder, DataSet *out,
                     char *message);

/* data_files.c: the sets whose files the program names, and where such a file is: `path` has
 * room for PATH_MAX bytes. */
const char *data_path(const char *name, const char *folder, char *path);
typedef bool FilesLoad(const DataSpec *spec, const char *folder, DataSet *out,
                       char *message);
FilesLoad *data_files(const char *kind); /* NULL: no such kind */

/* data_pictures.c: the set's description, no training part, and the shelf's pictures as its
 * test part. */
bool data_pictures(const DataShelf *shelf, const DataSpec *spec, DataSet *out,
                   char *message);

/* data_synthetic.c */
bool data_synthetic(const DataSpec *spec, DataSet *out, char *message);

/* data.c: agreement of the arrays and the facts about them; classes 0 means: count them.
 */
bool data_finish(DataSet *data, uint32_t fields, uint32_t classes, char *message);

#endif
