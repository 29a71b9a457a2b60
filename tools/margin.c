/* Maximal margins (margin.h): min |w|^2 / 2 + C sum of max(0, 1 - y w.x), the offset as the
 * weight of a constant feature. */
#include "tools/margin.h"
#include "base/alloc.h"
#include <math.h>

#define SWEEPS 40
#define COST   1.0

static double score(const double *w, const double *x, uint32_t width) {
    double sum = w[width];
    for (uint32_t k = 0; k < width; k++) sum += w[k] * x[k];
    return sum;
}

/* One sweep over the dual variables of class `class`; the largest change. */
static double sweep(const Points *p, int32_t class, const double *norm, double *alpha,
                    double *w) {
    double most = 0;
    for (int64_t i = 0; i < p->rows; i++) {
        const double *x = p->at + i * p->stride;
        const double y = p->label[i] == class ? 1 : -1;
        const double slope = y * score(w, x, p->width) - 1;
        const double moved = fmin(fmax(alpha[i] - slope / norm[i], 0), COST);
        const double by = (moved - alpha[i]) * y;
        alpha[i] = moved;
        for (uint32_t k = 0; k < p->width; k++) w[k] += by * x[k];
        w[p->width] += by;
        most = fmax(most, fabs(by));
    }
    return most;
}

static void train_class(const Points *p, int32_t class, const double *norm, double *alpha,
                        double *w) {
    for (int64_t i = 0; i < p->rows; i++) alpha[i] = 0;
    for (uint32_t k = 0; k <= p->width; k++) w[k] = 0;
    for (int s = 0; s < SWEEPS; s++)
        if (sweep(p, class, norm, alpha, w) < 1e-3) return;
}

static double share_right(const Points *p, uint32_t classes, const double *w) {
    int64_t right = 0;
    for (int64_t i = 0; i < p->rows; i++) {
        const double *x = p->at + i * p->stride;
        uint32_t best = 0;
        double most = -INFINITY;
        for (uint32_t c = 0; c < classes; c++) {
            const double at = score(w + c * (p->width + 1), x, p->width);
            if (at > most) most = at, best = c;
        }
        right += (int32_t)best == p->label[i];
    }
    return (double)right / (double)p->rows;
}

double margin_accuracy(const Points *train, const Points *test, uint32_t classes) {
    const uint32_t width = train->width;
    double *alpha = mem_alloc((size_t)train->rows * sizeof *alpha);
    double *norm = mem_alloc((size_t)train->rows * sizeof *norm);
    double *w = mem_alloc((size_t)classes * (width + 1) * sizeof *w);
    double share = -1;
    if (alpha && norm && w) {
        for (int64_t i = 0; i < train->rows; i++) {
            const double *x = train->at + i * train->stride;
            norm[i] = 1;
            for (uint32_t k = 0; k < width; k++) norm[i] += x[k] * x[k];
        }
        for (uint32_t c = 0; c < classes; c++)
            train_class(train, (int32_t)c, norm, alpha, w + c * (width + 1));
        share = share_right(test, classes, w);
    }
    mem_free(alpha);
    mem_free(norm);
    mem_free(w);
    return share;
}
