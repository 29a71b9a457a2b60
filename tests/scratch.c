/* The tests' own folder under $TMPDIR or /tmp. */
#include "tests/scratch.h"
#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX / 2];

void scratch_open(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/tenon-test-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *facts, int kind,
                      struct FTW *where) {
    (void)facts, (void)kind, (void)where;
    return remove(path);
}

void scratch_close(void) {
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *name) {
    static char paths[8][PATH_MAX];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

const char *scratch_write(const char *name, const void *bytes, size_t count) {
    const char *path = scratch_path(name);
    char parents[PATH_MAX];
    snprintf(parents, sizeof parents, "%s", path);
    for (char *c = parents + strlen(folder) + 1; *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        mkdir(parents, 0777);
        *c = '/';
    }
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

const char *scratch_text(const char *name, const char *text) {
    return scratch_write(name, text, strlen(text));
}

const char *real_data(const char *file) {
    const char *folder = getenv("TENON_TEST_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "", file);
    if (folder && !access(path, R_OK)) return folder;
    fprintf(stderr, "skipped: no %s in TENON_TEST_DATA\n", file);
    return NULL;
}
