/* Reading PNG (libpng) and JPEG (libturbojpeg). */
#include "tools/picture.h"
#include "base/alloc.h"
#include <png.h>
#include <string.h>
#include <turbojpeg.h>

/* A few bytes may claim any size: no memory is taken for more pixels than a camera has. */
#define MOST_PIXELS ((int64_t)1 << 26)

static bool is_png(const uint8_t *bytes, size_t count) {
    return count >= 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8);
}

static bool is_jpeg(const uint8_t *bytes, size_t count) {
    return count >= 3 && !memcmp(bytes, "\xff\xd8\xff", 3);
}

bool picture_is(const uint8_t *bytes, size_t count) {
    return is_png(bytes, count) || is_jpeg(bytes, count);
}

static bool new_picture(Tensor *out, int64_t height, int64_t width, int64_t channels,
                        char *message) {
    const int64_t dim[] = {height, width, channels};
    if (height < 1 || width < 1) return fail(message, "has no pixels");
    if (height > MOST_PIXELS / width)
        return fail(message, "claims %lld x %lld pixels, more than can be meant",
                    (long long)height, (long long)width);
    return tensor_new(out, ELEM_u8, 3, dim, message);
}

/* ---- PNG ------------------------------------------------------------------------------- */

/* Takes the last channel away; false where a pixel is not opaque. */
static bool drop_alpha(Tensor *t) {
    const int64_t pixels = t->dim[0] * t->dim[1], channels = t->dim[2];
    uint8_t *at = t->data;
    for (int64_t i = 0; i < pixels; i++) {
        if (at[(i + 1) * channels - 1] != 255) return false;
        memmove(at + i * (channels - 1), at + i * channels, (size_t)channels - 1);
    }
    t->dim[2] = channels - 1;
    return true;
}

static bool read_png(png_image *image, Tensor *out, char *message) {
    const bool colour = image->format & PNG_FORMAT_FLAG_COLOR;
    const bool alpha = image->format & PNG_FORMAT_FLAG_ALPHA;
    image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    image->format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    if (alpha) image->format |= PNG_FORMAT_FLAG_ALPHA;
    if (!new_picture(out, image->height, image->width, (colour ? 3 : 1) + alpha, message))
        return false;
    if (!png_image_finish_read(image, NULL, out->data, 0, NULL))
        return fail(message, "is a damaged PNG: %s", image->message);
    if (!alpha || drop_alpha(out)) return true;
    return fail(message, "has transparent pixels; put it on a background first");
}

static bool parse_png(const uint8_t *bytes, size_t count, Tensor *out, char *message) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    *out = (Tensor){0};
    bool ok = png_image_begin_read_from_memory(&image, bytes, count)
                  ? read_png(&image, out, message)
                  : fail(message, "is a damaged PNG: %s", image.message);
    png_image_free(&image);
    if (!ok) tensor_free(out);
    return ok;
}

/* ---- JPEG ------------------------------------------------------------------------------ */

static bool read_jpeg(tjhandle reader, const uint8_t *bytes, size_t count, Tensor *out,
                      char *message) {
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
    int width, height, sampling, space;
    if (tjDecompressHeader3(reader, bytes, (unsigned long)count, &width, &height,
                            &sampling, &space))
        return fail(message, "is a damaged JPEG: %s", tjGetErrorStr2(reader));
    if (space == TJCS_CMYK || space == TJCS_YCCK)
        return fail(message, "is a JPEG of four inks (CMYK); save it as RGB");
    const bool grey = space == TJCS_GRAY;
    if (!new_picture(out, height, width, grey ? 1 : 3, message)) return false;
    if (!tjDecompress2(reader, bytes, (unsigned long)count, out->data, width, 0, height,
                       grey ? TJPF_GRAY : TJPF_RGB, flags))
        return true;
    return fail(message, "is a damaged JPEG: %s", tjGetErrorStr2(reader));
}

static bool parse_jpeg(const uint8_t *bytes, size_t count, Tensor *out, char *message) {
    tjhandle reader = tjInitDecompress();
    *out = (Tensor){0};
    bool ok = reader ? read_jpeg(reader, bytes, count, out, message)
                     : fail(message, "memory ended");
    if (reader) tjDestroy(reader);
    if (!ok) tensor_free(out);
    return ok;
}

bool picture_parse(const uint8_t *bytes, size_t count, Tensor *out, char *message) {
    if (is_png(bytes, count)) return parse_png(bytes, count, out, message);
    if (is_jpeg(bytes, count)) return parse_jpeg(bytes, count, out, message);
    return fail(message, "is neither a PNG nor a JPEG file");
}

bool picture_read(const char *path, Tensor *out, char *message) {
    Bytes file;
    if (!file_read(path, &file, message)) return false;
    bool ok = picture_parse(file.at, file.count, out, message);
    bytes_free(&file);
    return ok || fail_at(message, path);
}

/* ---- writing --------------------------------------------------------------------------- */

bool picture_write(const char *path, const Tensor *picture, char *message) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)picture->dim[1],
                       .height = (png_uint_32)picture->dim[0],
                       .format = picture->dim[2] == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    if (png_image_write_to_file(&image, path, 0, picture->data, 0, NULL)) return true;
    return fail(message, "%s: cannot be written: %s", path, image.message);
}
