/* Winograd's F(4x4, 3x3): the transforms, each a matrix from both sides. */
#include "passes/winograd.h"

/* One column: `from` of n elements to `to` of m, neighbours `step` apart. */
typedef void Line(Block *b, const Expr *const *from, const Expr **to, uint32_t from_step,
                  uint32_t to_step);

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
static void image_line(Block *b, const Expr *const *d, const Expr **to, uint32_t s,
                       uint32_t t) {
    const Expr *even = scaled(b, -4, d[2 * s], d[4 * s]);
    const Expr *odd = scaled(b, -4, d[s], d[3 * s]);
    const Expr *even2 = minus(b, d[4 * s], d[2 * s]), *odd2 = minus(b, d[3 * s], d[s]);
    to[0] = scaled(b, 4, d[0], scaled(b, -5, d[2 * s], d[4 * s]));
    to[t] = plus(b, even, odd);
    to[2 * t] = minus(b, even, odd);
    to[3 * t] = scaled(b, 2, odd2, even2);
    to[4 * t] = scaled(b, -2, odd2, even2);
    to[5 * t] = scaled(b, 4, d[s], scaled(b, -5, d[3 * s], d[5 * s]));
}

/* G: rows (6 0 0), (-4 -4 -4), (-4 4 -4), (1 2 4), (1 -2 4), (0 0 24), all by 24. */
static void weight_line(Block *b, const Expr *const *g, const Expr **to, uint32_t s,
                        uint32_t t) {
    const Expr *ends = times(b, plus(b, g[0], g[2 * s]), -1.0 / 6);
    const Expr *far = scaled(b, 1.0 / 24, g[0], times(b, g[2 * s], 1.0 / 6));
    to[0] = times(b, g[0], 0.25);
    to[t] = scaled(b, -1.0 / 6, g[s], ends);
    to[2 * t] = scaled(b, 1.0 / 6, g[s], ends);
    to[3 * t] = scaled(b, 1.0 / 12, g[s], far);
    to[4 * t] = scaled(b, -1.0 / 12, g[s], far);
    to[5 * t] = g[2 * s];
}

/* A^T: rows (1 1 1 1 1 0), (0 1 -1 2 -2 0), (0 1 1 4 4 0), (0 1 -1 8 -8 1). */
static void result_line(Block *b, const Expr *const *m, const Expr **to, uint32_t s,
                        uint32_t t) {
    const Expr *sum = plus(b, m[s], m[2 * s]), *difference = minus(b, m[s], m[2 * s]);
    const Expr *sum2 = plus(b, m[3 * s], m[4 * s]);
    const Expr *difference2 = minus(b, m[3 * s], m[4 * s]);
    to[0] = plus(b, plus(b, m[0], sum), sum2);
    to[t] = scaled(b, 2, difference2, difference);
    to[2 * t] = scaled(b, 4, sum2, sum);
    to[3 * t] = plus(b, scaled(b, 8, difference2, difference), m[5 * s]);
}

/* A: rows (1 0 0 0), (1 1 1 1), (1 -1 1 -1), (1 2 4 8), (1 -2 4 -8), (0 0 0 1). */
static void gradient_line(Block *b, const Expr *const *d, const Expr **to, uint32_t s,
                          uint32_t t) {
    const Expr *even = plus(b, d[0], d[2 * s]), *odd = plus(b, d[s], d[3 * s]);
    const Expr *even2 = scaled(b, 4, d[2 * s], d[0]);
    const Expr *odd2 = scaled(b, 4, d[3 * s], d[s]);
    to[0] = d[0];
    to[t] = plus(b, even, odd);
    to[2 * t] = minus(b, even, odd);
    to[3 * t] = scaled(b, 2, odd2, even2);
    to[4 * t] = scaled(b, -2, odd2, even2);
    to[5 * t] = d[3 * s];
}

/* G^T, the columns of G. */
static void tap_line(Block *b, const Expr *const *m, const Expr **to, uint32_t s,
                     uint32_t t) {
    const Expr *sum = plus(b, m[s], m[2 * s]), *difference = minus(b, m[2 * s], m[s]);
    const Expr *sum2 = plus(b, m[3 * s], m[4 * s]);
    const Expr *difference2 = minus(b, m[3 * s], m[4 * s]);
    const Expr *near = times(b, sum, -1.0 / 6);
    to[0] = scaled(b, 0.25, m[0], scaled(b, 1.0 / 24, sum2, near));
    to[t] = scaled(b, 1.0 / 12, difference2, times(b, difference, 1.0 / 6));
    to[2 * t] = plus(b, scaled(b, 1.0 / 6, sum2, near), m[5 * s]);
}

/* Columns, then rows: from n x n to m x m. */
static void both_sides(Block *b, Line *line, uint32_t n, uint32_t m,
                       const Expr *const *from, const Expr **to) {
    const Expr *half[WINOGRAD_PRODUCTS];
    for (uint32_t i = 0; i < n; i++) line(b, from + i, half + i, n, n);
    for (uint32_t i = 0; i < m; i++) line(b, half + i * n, to + i * m, 1, 1);
}

void winograd_transform_image(Block *b, const Expr *const *from, const Expr **to) {
    both_sides(b, image_line, WINOGRAD_IN, WINOGRAD_IN, from, to);
}

void winograd_transform_weights(Block *b, const Expr *const *from, const Expr **to) {
    both_sides(b, weight_line, WINOGRAD_TAPS, WINOGRAD_IN, from, to);
}

void winograd_transform_result(Block *b, const Expr *const *from, const Expr **to) {
    both_sides(b, result_line, WINOGRAD_IN, WINOGRAD_OUT, from, to);
}

void winograd_transform_gradient(Block *b, const Expr *const *from, const Expr **to) {
    both_sides(b, gradient_line, WINOGRAD_OUT, WINOGRAD_IN, from, to);
}

void winograd_transform_taps(Block *b, const Expr *const *from, const Expr **to) {
    both_sides(b, tap_line, WINOGRAD_IN, WINOGRAD_TAPS, from, to);
}
