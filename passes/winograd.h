/*
 * Winograd's F(4x4, 3x3): a 3x3 convolution of stride 1 by tiles of 4x4 results, each from 6x6
 * places of the input, with 36 products where the direct strategy has 144:
 *
 *     V = B^T d B,  U = G g G^T,  M[i] = sum over channels of V[i] * U[i],  y = A^T M A
 *
 * for the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, Fast Algorithms for
 * Convolutional Neural Networks, section 4.3).  The i-th products of all tiles are one
 * matrix product.  winograd.c decides, winograd_transform.c has the transforms,
 * lower_winograd.c ties them.
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
    WinogradSide h, w;
    uint32_t channel;        /* axis */
    int64_t channels, pitch; /* pitch: of a row of V, whole vectors */
    AxisList images;         /* axes */
    int64_t tiles;           /* of all images, at their maximum */
    /* Chosen.  `tile` has the register tile, its rows are tiles of a block. */
    Tile tile;
    int64_t block, chunk; /* tiles, panels of a task */
    bool apart;           /* V is made by a kernel of its own, for all tasks */
} Winograd;

/* False where it does not apply or the direct strategy costs less. */
bool winograd_take(const Contract *c, const Target *target, Winograd *out);
/* The same for the contraction `node` of a group, run `runs` times with the same weights. */
bool winograd_applies(const Func *group, Val node, const Target *target, int64_t runs);
void winograd_print(const Winograd *w, Text *out);
/* Elements from a product's matrix to the next, of V and M: no multiple of many lines. */
int64_t winograd_v_step(const Winograd *w);
int64_t winograd_m_step(const Winograd *w);

/* lower_winograd.c */
void lower_winograd(Draft *draft, const Winograd *w);

/* winograd_transform.c: `from` and `to` are square, row by row; new values are named in `b`. */
void winograd_transform_image(Block *b, const Expr *const *from, const Expr **to);
void winograd_transform_weights(Block *b, const Expr *const *from, const Expr **to);
void winograd_transform_result(Block *b, const Expr *const *from, const Expr **to);

#endif
