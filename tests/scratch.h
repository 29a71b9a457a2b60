/* A folder for the files of one test, and small files in it. */
#ifndef TN_TESTS_SCRATCH_H
#define TN_TESTS_SCRATCH_H

#include <stddef.h>

/* Made anew by scratch_open, removed with all it holds by scratch_close. */
void scratch_open(void);
void scratch_close(void);
/* The path of `name` in it; the last eight answers stay valid. */
const char *scratch_path(const char *name);
const char *scratch_write(const char *name, const void *bytes,
                          size_t count); /* its path */
const char *scratch_text(const char *name, const char *text);

/* The folder of real data, TENON_TEST_DATA, where it has `file`; else NULL, which is said. */
const char *real_data(const char *file);

#endif
