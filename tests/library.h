/* A compiled library under test: opened, with its functions by name. */
#ifndef TN_TESTS_LIBRARY_H
#define TN_TESTS_LIBRARY_H

#include "tenon_object.h"

typedef int LibraryEntry(void *state, void *work, const void *in, const void *out,
                         const tn_parallel *parallel);

typedef struct Library {
    void *handle;
    size_t (*state_size)(void);
    size_t (*work_size)(int64_t n);
    int (*check)(uint64_t abi);
    int (*init)(void *state, uint64_t seed);
    const tn_param *(*params)(int64_t *count);
    const char *(*error)(int code);
    void (*order)(uint64_t seed, int64_t epoch, int64_t n, int64_t *order); /* or NULL */
    void *state, *work;                                                     /* owned */
} Library;

/* Opens PATH, whose names begin with `name`, and makes its blocks. */
Library library_open(const char *path, const char *name);
void library_close(Library *library);
LibraryEntry *library_entry(const Library *library, const char *symbol);
const tn_param *library_param(const Library *library, const char *name);

/* A shell command in the scratch folder; its status.  Words go to the file "said". */
int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *said(void); /* static */

#endif
