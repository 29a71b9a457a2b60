/* Pictures cut and scaled to the size that a network takes. */
#include "base/alloc.h"
#include "tools/picture.h"
#include <math.h>
#include <string.h>

/* From a stretch [begin, begin + length) of a line to `count` pixels. */
typedef struct Line {
    int64_t from, count; /* pixels of the line before and after */
    double begin, length;
} Line;

/* The weights of a triangle as wide as the pixels that one of the result covers, or as two of
 * them where the line grows. */
typedef struct Taps {
    int64_t first, count;
    double *weight; /* room for all of the line */
} Taps;

static void find_taps(const Line *line, int64_t at, Taps *taps) {
    const double scale = line->length / (double)line->count,
                 reach = scale > 1 ? scale : 1;
    const double centre = line->begin + ((double)at + 0.5) * scale;
    int64_t first = (int64_t)floor(centre - reach), last = (int64_t)ceil(centre + reach);
    double total = 0;
    taps->first = first < 0 ? 0 : first;
    taps->count = 0;
    for (int64_t i = taps->first; i < line->from && i <= last; i++) {
        double far = fabs((double)i + 0.5 - centre) / reach;
        double weight = far < 1 ? 1 - far : 0;
        taps->weight[taps->count++] = weight;
        total += weight;
    }
    for (int64_t i = 0; i < taps->count; i++) taps->weight[i] /= total;
}

/* in[outer, line->from, inner] to out[outer, line->count, inner]. */
static void scale_axis(const Line *line, int64_t outer, int64_t inner, double *weight,
                       const float *in, float *out) {
    Taps taps = {.weight = weight};
    for (int64_t at = 0; at < line->count; at++) {
        find_taps(line, at, &taps);
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < inner; i++) {
                const float *from = in + (o * line->from + taps.first) * inner + i;
                double sum = 0;
                for (int64_t t = 0; t < taps.count; t++)
                    sum += taps.weight[t] * (double)from[t * inner];
                out[(o * line->count + at) * inner + i] = (float)sum;
            }
    }
}

/* Colour to grey by ITU-R BT.601's weights, grey to three equal channels. */
static void convert_channels(const uint8_t *in, int64_t pixels, int64_t from, int64_t to,
                             float *out) {
    static const float luma[] = {0.299F, 0.587F, 0.114F};
    for (int64_t i = 0; i < pixels; i++) {
        const uint8_t *p = in + i * from;
        const float grey = from == 1 ? (float)p[0]
                                     : luma[0] * (float)p[0] + luma[1] * (float)p[1] +
                                           luma[2] * (float)p[2];
        for (int64_t c = 0; c < to; c++)
            out[i * to + c] = from == to ? (float)p[c] : grey;
    }
}

/* The largest stretch in the middle with the proportions that are wanted. */
static void cut_middle(const Tensor *picture, const int64_t dim[3], Line *rows,
                       Line *columns) {
    double height = (double)picture->dim[0], width = (double)picture->dim[1];
    const double aspect = (double)dim[1] / (double)dim[0];
    const double wide = fmin(width, height * aspect);
    const double high = fmin(height, width / aspect);
    *rows = (Line){picture->dim[0], dim[0], (height - high) / 2, high};
    *columns = (Line){picture->dim[1], dim[1], (width - wide) / 2, wide};
}

static bool scale(Tensor *picture, Tensor *fresh, const int64_t dim[3]) {
    const int64_t height = picture->dim[0], width = picture->dim[1], c = dim[2];
    const int64_t longer = height > width ? height : width;
    float *whole = mem_alloc((size_t)(height * width * c) * sizeof *whole);
    float *thin = mem_alloc((size_t)(height * dim[1] * c) * sizeof *thin);
    float *small = mem_alloc((size_t)(dim[0] * dim[1] * c) * sizeof *small);
    double *weight = mem_alloc((size_t)longer * sizeof *weight);
    bool ok = whole && thin && small && weight;
    if (ok) {
        Line rows, columns;
        cut_middle(picture, dim, &rows, &columns);
        convert_channels(picture->data, height * width, picture->dim[2], c, whole);
        scale_axis(&columns, height, c, weight, whole, thin);
        scale_axis(&rows, 1, dim[1] * c, weight, thin, small);
        for (int64_t i = 0; i < dim[0] * dim[1] * c; i++)
            ((uint8_t *)fresh->data)[i] = (uint8_t)lrintf(fmaxf(0, fminf(255, small[i])));
    }
    mem_free(whole);
    mem_free(thin);
    mem_free(small);
    mem_free(weight);
    return ok;
}

bool picture_fit(Tensor *picture, const int64_t dim[3], char *message) {
    Tensor fresh;
    if (!memcmp(picture->dim, dim, 3 * sizeof *dim)) return true;
    if (dim[0] < 1 || dim[1] < 1 || (dim[2] != 1 && dim[2] != 3))
        return fail(message, "[%lld, %lld, %lld] is no picture's shape",
                    (long long)dim[0], (long long)dim[1], (long long)dim[2]);
    if (!tensor_new(&fresh, ELEM_u8, 3, dim, message)) return false;
    if (!scale(picture, &fresh, dim)) {
        tensor_free(&fresh);
        return fail(message, "memory ended while a picture was scaled");
    }
    tensor_free(picture);
    *picture = fresh;
    return true;
}
