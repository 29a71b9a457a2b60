/* Entries of a program as a library for C: what `tenon compile` and the C API do. */
#ifndef TN_TOOLS_LIBRARY_H
#define TN_TOOLS_LIBRARY_H

#include "tools/session.h"

typedef struct LibrarySettings {
    const char *path; /* .so, .a or .o; the header lies beside it */
    const char *name; /* what C names begin with; NULL: the path's, without "lib" */
    /* Nets, losses, functions, train blocks (their step and reports); none: the first block
     * of the file, else its first entry. */
    uint32_t entries;
    const char *const *entry;
    const char *weights; /* a checkpoint whose numbers are embedded; NULL: none */
    bool guarded;        /* calls check that work memory is not overrun */
} LibrarySettings;

typedef struct LibraryFacts {
    const char *name;
    uint32_t entries;
    int64_t object_bytes, state_bytes, work_bytes;
} LibraryFacts;

/* Loads the session's program, compiles what is wanted and writes the files.  `facts` are
 * the session's. */
Status library_build(Session *session, const LibrarySettings *settings,
                     LibraryFacts *facts);

#endif
