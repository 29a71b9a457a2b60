/* The prelude's files, embedded when the command is built (prelude/embed.cmake). */
#ifndef TN_FRONTEND_PRELUDE_H
#define TN_FRONTEND_PRELUDE_H

#include <stddef.h>

typedef struct PreludeFile {
    const char *path, *text; /* path NULL: the end */
    size_t length;
} PreludeFile;
extern const PreludeFile prelude_files[];

#endif
