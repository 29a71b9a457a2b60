/* Winograd's F(4x4, 3x3): the transforms, each a matrix from both sides: of the
 * columns to memory of the task, and of its rows. */
#include "passes/winograd.h"

static const Expr *plus(Block *b, const Expr *x, const Expr *y) {
    return block_let(b, "w", expr_scalar(b->arena, OP_add, x, y));
}

static const Expr *minus(Block *b, const Expr *x, const Expr *y) {
    return block_let(b, "w", expr_scalar(b->arena, OP_sub, x, y));
}

/* factor * x + y */
static const Expr *scaled(Block *b, double factor, const Expr *x, const Expr *y) {
    const Expr *number = expr_num(b->arena, ELEM_f32, x->lanes, factor);
    return block_let(b, "w", expr_fma(b->arena, number, x, y));
}

static const Expr *times(Block *b, const Expr *x, double factor) {
    const Expr *number = expr_num(b->arena, ELEM_f32, x->lanes, factor);
    return block_let(b, "w", expr_scalar(b->arena, OP_mul, x, number));
}

/* B^T: rows (4 0 -5 0 1 0), (0 -4 -4 1 1 0), (0 4 -4 -1 1 0), (0 -2 -1 2 1 0),
 * (0 2 -1 -2 1 0), (0 4 0 -5 0 1). */
static void image_line(Block *b, const Expr *const *d, const Expr **to) {
    const Expr *even = scaled(b, -4, d[2], d[4]);
    const Expr *odd = scaled(b, -4, d[1], d[3]);
    const Expr *even2 = minus(b, d[4], d[2]), *odd2 = minus(b, d[3], d[1]);
    to[0] = scaled(b, 4, d[0], scaled(b, -5, d[2], d[4]));
    to[1] = plus(b, even, odd);
    to[2] = minus(b, even, odd);
    to[3] = scaled(b, 2, odd2, even2);
    to[4] = scaled(b, -2, odd2, even2);
    to[5] = scaled(b, 4, d[1], scaled(b, -5, d[3], d[5]));
}

/* G: rows (6 0 0), (-4 -4 -4), (-4 4 -4), (1 2 4), (1 -2 4), (0 0 24), all by 24. */
static void weight_line(Block *b, const Expr *const *g, const Expr **to) {
    const Expr *ends = times(b, plus(b, g[0], g[2]), -1.0 / 6);
    const Expr *far = scaled(b, 1.0 / 24, g[0], times(b, g[2], 1.0 / 6));
    to[0] = times(b, g[0], 0.25);
    to[1] = scaled(b, -1.0 / 6, g[1], ends);
    to[2] = scaled(b, 1.0 / 6, g[1], ends);
    to[3] = scaled(b, 1.0 / 12, g[1], far);
    to[4] = scaled(b, -1.0 / 12, g[1], far);
    to[5] = g[2];
}

/* A^T: rows (1 1 1 1 1 0), (0 1 -1 2 -2 0), (0 1 1 4 4 0), (0 1 -1 8 -8 1). */
static void result_line(Block *b, const Expr *const *m, const Expr **to) {
    const Expr *sum = plus(b, m[1], m[2]), *difference = minus(b, m[1], m[2]);
    const Expr *sum2 = plus(b, m[3], m[4]);
    const Expr *difference2 = minus(b, m[3], m[4]);
    to[0] = plus(b, plus(b, m[0], sum), sum2);
    to[1] = scaled(b, 2, difference2, difference);
    to[2] = scaled(b, 4, sum2, sum);
    to[3] = plus(b, scaled(b, 8, difference2, difference), m[5]);
}

/* A: rows (1 0 0 0), (1 1 1 1), (1 -1 1 -1), (1 2 4 8), (1 -2 4 -8), (0 0 0 1). */
static void gradient_line(Block *b, const Expr *const *d, const Expr **to) {
    const Expr *even = plus(b, d[0], d[2]), *odd = plus(b, d[1], d[3]);
    const Expr *even2 = scaled(b, 4, d[2], d[0]);
    const Expr *odd2 = scaled(b, 4, d[3], d[1]);
    to[0] = d[0];
    to[1] = plus(b, even, odd);
    to[2] = minus(b, even, odd);
    to[3] = scaled(b, 2, odd2, even2);
    to[4] = scaled(b, -2, odd2, even2);
    to[5] = d[3];
}

/* G^T, the columns of G. */
static void tap_line(Block *b, const Expr *const *m, const Expr **to) {
    const Expr *sum = plus(b, m[1], m[2]), *difference = minus(b, m[2], m[1]);
    const Expr *sum2 = plus(b, m[3], m[4]);
    const Expr *difference2 = minus(b, m[3], m[4]);
    const Expr *near = times(b, sum, -1.0 / 6);
    to[0] = scaled(b, 0.25, m[0], scaled(b, 1.0 / 24, sum2, near));
    to[1] = scaled(b, 1.0 / 12, difference2, times(b, difference, 1.0 / 6));
    to[2] = plus(b, scaled(b, 1.0 / 6, sum2, near), m[5]);
}

const WinogradTransform winograd_image = {image_line, WINOGRAD_IN, WINOGRAD_IN};
const WinogradTransform winograd_weights = {weight_line, WINOGRAD_TAPS, WINOGRAD_IN};
const WinogradTransform winograd_result = {result_line, WINOGRAD_IN, WINOGRAD_OUT};
const WinogradTransform winograd_gradient = {gradient_line, WINOGRAD_OUT, WINOGRAD_IN};
const WinogradTransform winograd_taps = {tap_line, WINOGRAD_IN, WINOGRAD_TAPS};

WinogradHalf winograd_half(const WinogradTransform *t, int64_t width, Block *b) {
    Buffer *buffer = buffer_local(b->arena, "half", ELEM_f32, t->to * t->from * width);
    block_local(b, buffer);
    return (WinogradHalf){t, buffer, width};
}

void winograd_column(Block *b, const WinogradHalf *h, const Expr *const *x,
                     const Expr *to) {
    const Expr *y[WINOGRAD_IN];
    h->transform->line(b, x, y);
    for (int64_t i = 0; i < h->transform->to; i++) {
        const Expr *place = expr_int(b->arena, i * h->transform->from * h->width);
        block_store(b, h->buffer, expr_add(b->arena, to, place), y[i], 1, NULL);
    }
}

void winograd_row(Block *b, const WinogradHalf *h, const Expr *from, uint32_t lanes,
                  const Expr **y) {
    const Expr *x[WINOGRAD_IN];
    for (int64_t j = 0; j < h->transform->from; j++) {
        const Expr *at = expr_add(b->arena, from, expr_int(b->arena, j * h->width));
        x[j] = block_let(b, "x", expr_load(b->arena, h->buffer, at, lanes, 1, NULL));
    }
    h->transform->line(b, x, y);
}
