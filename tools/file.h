/* Files of the command: those of base/, and the packed ones. */
#ifndef TN_TOOLS_FILE_H
#define TN_TOOLS_FILE_H

#include "base/file.h"

/* gzip.c: `in` as it is, or expanded where it begins like a gzip file.  More than `limit`
 * bytes are refused: a small file may claim to hold a terabyte. */
#define EXPANDED_LIMIT ((size_t)1 << 34) /* of a data file */
bool gzip_expand(const uint8_t *in, size_t count, size_t limit, Bytes *out,
                 char *message);

#endif
