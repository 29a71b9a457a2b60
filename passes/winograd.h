/*
 * Winograd's F(4x4, 3x3): a 3x3 convolution of stride 1 by tiles of 4x4 results, each from 6x6
 * places of the input, with 36 products where the direct strategy has 144:
 *
 *     V = B^T d B,  U = G g G^T,  M[i] = sum over channels of V[i] * U[i],  y = A^T M A
 *
 * for the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, Fast Algorithms for
 * Convolutional Neural Networks, section 4.3).  The i-th products of all tiles are one
 * matrix product.  The gradient with respect to the weights is the algorithm's own:
 *
 *     Z = A dy A^T,  dU[i] = sum over tiles of V[i]^T * Z[i],  dg = G^T dU G
 *
 * winograd.c decides, winograd_transform.c has the transforms, winograd_patch.c applies them
 * to images; lower_winograd.c and lower_winograd_weights.c tie them.
 */
#ifndef TN_PASSES_WINOGRAD_H
#define TN_PASSES_WINOGRAD_H

#include "passes/contract_direct.h"

enum { WINOGRAD_IN = 6, WINOGRAD_OUT = 4, WINOGRAD_TAPS = 3 };
enum { WINOGRAD_PRODUCTS = WINOGRAD_IN * WINOGRAD_IN };

/* One of the two image dimensions: position = row + low + tap, the taps in turned order where
 * they are flipped. */
typedef struct WinogradSide {
    uint32_t axis, tap;
    bool flipped;
    int64_t low;                    /* least position of row 0 */
    int64_t extent, outputs, tiles; /* of the input; of the result */
} WinogradSide;

typedef struct Winograd {
    const Contract *c;
    bool weights; /* the result is a gradient with respect to weights */
    WinogradSide h, w;
    uint32_t channel; /* axis, of A */
    int64_t channels;
    AxisList images; /* axes */
    int64_t tiles;   /* of all images, at their maximum */
    /* Chosen.  `tile` has the register tile, its rows are tiles of a block; channels of A for
     * gradients with respect to weights, its k tiles. */
    Tile tile, join;      /* join: of weights, rows of results whose parts lie together */
    int64_t block, chunk; /* tiles, panels of a task */
    int64_t channel_chunk, pitch; /* channels in a row of V, its length: whole vectors */
    int64_t v_step, m_step, z_step; /* elements from a product's matrix to the next */
    bool apart;                     /* V is made by a kernel of its own, for all tasks */
} Winograd;

/* False where it does not apply or the direct strategy costs less. */
bool winograd_take(const Contract *c, const Target *target, Winograd *out);
/* The same for the contraction `node` of a group, run `runs` times with the same weights. */
bool winograd_applies(const Func *group, Val node, const Target *target, int64_t runs);
void winograd_print(const Winograd *w, Text *out);

/* lower_winograd.c, lower_winograd_weights.c */
void lower_winograd(Draft *draft, const Winograd *w);
void lower_winograd_weights(Draft *draft, const Winograd *w);

/* A kernel in the making. */
typedef struct Tiling {
    Direct d; /* first: what visits panels gets this */
    const Winograd *w;
    Buffer *v, *m, *y, *z;
    const Expr *tiles;         /* of all images */
    const Expr *tile0, *count; /* those of the task, or its block */
    const Expr *channel0;      /* of V */
    const Expr *product;       /* whose matrices are multiplied */
} Tiling;

/* winograd_transform.c */

/* From a square of `from` x `from` to one of `to` x `to`, by the same matrix from both sides. */
typedef struct WinogradTransform {
    void (*line)(Block *b, const Expr *const *from, const Expr **to);
    int64_t from, to;
} WinogradTransform;

extern const WinogradTransform winograd_image, winograd_weights, winograd_result,
    winograd_gradient, winograd_taps;

/* A square whose columns are transformed: [to][from][width].  Loops over columns and over rows
 * keep the code small. */
typedef struct WinogradHalf {
    const WinogradTransform *transform;
    Buffer *buffer;
    int64_t width;
} WinogradHalf;

WinogradHalf winograd_half(const WinogradTransform *t, int64_t width, Block *b);
/* The column `x`, to `to`: its number times width, and what else lies beside. */
void winograd_column(Block *b, const WinogradHalf *h, const Expr *const *x,
                     const Expr *to);
/* The row at `from`, transformed. */
void winograd_row(Block *b, const WinogradHalf *h, const Expr *from, uint32_t lanes,
                  const Expr **y);

/* winograd_patch.c */

/* Square patches of an image and what they are transformed to. */
typedef struct Patch {
    const WinogradTransform *transform;
    int64_t low[2], extent[2]; /* low: place of tile 0; the sides are h, w */
    int64_t pixel;             /* elements from a place to the next */
    const Expr *first;         /* channel */
    int64_t channels;          /* stored up to whole vectors */
    const Buffer *from, *to;
    int64_t step; /* between its 36 values in `to` */
} Patch;

Tiling winograd_tiling(Draft *draft, const Winograd *w, const char *what);
/* lower_winograd.c: the rows [0, rows) of one product and panel, whose sums begin at `sums`. */
void tiling_multiply(Direct *d, Panel *p, const Expr *sums, const Expr *rows, Block *b);
/* A tile's number as image, first row and column of its results. */
void winograd_open_tile(Tiling *m, const Expr *number, Block *b, const Expr **image,
                        const Expr **h, const Expr **w);
/* Transforms the patch of a tile to `to` and places a step apart. */
void winograd_transform_patch(Tiling *m, const Patch *p, const Expr *tile, const Expr *to,
                              Block *b);
/* V of tiles [tile0, tile0 + count), rows from `row0` on; those after the last are it again. */
void winograd_transform_images(Tiling *m, const Expr *row0, Block *b);
Buffer *winograd_zero_line(Arena *arena, int64_t count);

#endif
