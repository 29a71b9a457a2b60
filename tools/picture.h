/* Pictures: PNG and JPEG files as arrays of bytes, and folders of them. */
#ifndef TN_TOOLS_PICTURE_H
#define TN_TOOLS_PICTURE_H

#include "tools/tensor.h"

/* Whether the bytes begin as a PNG or JPEG file does. */
bool picture_is(const uint8_t *bytes, size_t count);

/* u8[height, width, 1 (grey) or 3 (red, green, blue)].  Refused: transparent pixels, JPEG of
 * four inks, anything damaged. */
bool picture_parse(const uint8_t *bytes, size_t count, Tensor *out, char *message);
bool picture_read(const char *path, Tensor *out, char *message);

/* The same form to a PNG file. */
bool picture_write(const char *path, const Tensor *picture, char *message);

/* Cuts the middle out in the proportions of height dim[0] and width dim[1], scales it (each
 * pixel a weighted mean of those it covers), and makes grey of colour or the reverse where
 * dim[2] says so. */
bool picture_fit(Tensor *picture, const int64_t dim[3], char *message);

/* All pictures of a folder, by name, or the one file: u8[N, height, width, channels].  They
 * are fitted to `dim`; where it is NULL they must be alike. */
bool pictures_read(const char *path, const int64_t dim[3], Tensor *out, char *message);

/* Whether a path is a folder or a file that begins as pictures do. */
bool pictures_are(const char *path);
/* The same as an entry takes them: numbers in [0, 1] where they are to be floats, and one
 * picture without its first axis where `rank` is 3. */
bool pictures_as_input(const char *path, const int64_t dim[3], uint32_t rank, Elem elem,
                       Tensor *out, char *message);

/*
 * A folder for each class with the pictures of it, and their labels i32[N].  Classes are the
 * folders' names: whole numbers where all are, else numbered from 0 by name, among the folders
 * of `like` where that is not NULL.  classes: as many as labels may name; 0: any number.
 */
bool pictures_by_class(const char *path, const char *like, const int64_t dim[3],
                       uint32_t classes, Tensor *images, Tensor *labels, char *message);

#endif
