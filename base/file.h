/* Files as blocks of memory, and files replaced in one step. */
#ifndef TN_BASE_FILE_H
#define TN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every loader fills `message`, this many bytes, with what is wrong and what helps. */
#define MESSAGE_BYTES 512

/* Both return false, so that a loader may say  return fail(...);  */
bool fail(char *message, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool fail_at(char *message, const char *path); /* puts "path: " before the message */

typedef struct Bytes {
    uint8_t *at; /* owned, from mem_alloc */
    size_t count;
} Bytes;

bool file_read(const char *path, Bytes *out, char *message);
bool file_exists(const char *path);
bool path_ends(const char *path, const char *end); /* in ".npz", behind a name */
void bytes_free(Bytes *bytes);

/* One piece of a file that is written. */
typedef struct Piece {
    const void *at;
    size_t count;
} Piece;

/* Writes the pieces to a new file beside `path`, forces it to the disk and renames it:
 * the old file stays whole until the new one is. */
bool file_replace(const char *path, const Piece *piece, uint32_t pieces, char *message);

#endif
