/* The figures of an attack: accuracies with their interval, norms, classes, and signs that the
 * gradient does not show the way (Athalye et al. 2018; Carlini et al. 2019). */
#include "base/alloc.h"
#include "tools/attack.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static bool fooled(const Attack *a, int64_t i) {
    return a->column[COLUMN_right][i] != 0 && a->column[COLUMN_held][i] == 0;
}

/* Over the examples that the attack turned; 0 where it turned none. */
static void norms(const Attack *a, Column column, double *mean, double *median) {
    float *all = mem_alloc((size_t)a->count * sizeof *all);
    int64_t count = 0;
    double sum = 0;
    *mean = *median = 0;
    if (!all) return;
    for (int64_t i = 0; i < a->count; i++) {
        if (!fooled(a, i)) continue;
        sum += (double)a->column[column][i];
        all[count++] = a->column[column][i];
    }
    if (count) {
        qsort(all, (size_t)count, sizeof *all, ascending);
        *mean = sum / (double)count;
        *median = ((double)all[(count - 1) / 2] + (double)all[count / 2]) / 2;
    }
    mem_free(all);
}

/* Wilson's interval for `k` of `n`, 95 %. */
static void interval(int64_t k, int64_t n, double *low, double *high) {
    const double z = 1.959963984540054, share = (double)k / (double)n, m = (double)n;
    const double middle = (share + z * z / (2 * m)) / (1 + z * z / m);
    const double half =
        z / (1 + z * z / m) * sqrt(share * (1 - share) / m + z * z / (4 * m * m));
    *low = fmax(0, middle - half);
    *high = fmin(1, middle + half);
}

void attack_figures(const Attack *a, double eps, AttackFigures *f) {
    *f = (AttackFigures){.eps = eps, .count = a->count};
    for (int64_t i = 0; i < a->count; i++) {
        if (a->column[COLUMN_right][i] == 0) continue;
        const bool held = a->column[COLUMN_held][i] != 0;
        f->right++;
        f->held += held;
        f->once += a->column[COLUMN_once][i] != 0;
        f->flat += a->column[COLUMN_steepest][i] == 0;
        f->sunk += held && a->column[COLUMN_after][i] <= a->column[COLUMN_before][i];
    }
    interval(f->held, f->count, &f->low, &f->high);
    norms(a, COLUMN_l2, &f->l2_mean, &f->l2_median);
    norms(a, COLUMN_linf, &f->linf_mean, &f->linf_median);
}

static double share(int64_t k, int64_t n) {
    return n ? (double)k / (double)n : 0;
}

typedef struct ClassCount {
    int64_t count, right, held;
} ClassCount;

/* Counts of class k; false past the last. */
static bool class_count(const Attack *a, int32_t k, ClassCount *out) {
    *out = (ClassCount){0};
    bool more = false;
    for (int64_t i = 0; i < a->count; i++) {
        const bool right = a->column[COLUMN_right][i] != 0;
        more |= a->label[i] >= k;
        if (a->label[i] != k) continue;
        out->count++;
        out->right += right;
        out->held += right && a->column[COLUMN_held][i] != 0;
    }
    return more;
}

json_t *attack_row(const Attack *a, const AttackFigures *f) {
    json_t *row =
        json_pack("{s:I, s:f, s:f, s:[ff], s:f, s:f, s:f, s:f, s:f, s:f}", "examples",
                  (json_int_t)f->count, "clean", share(f->right, f->count), "robust",
                  share(f->held, f->count), "interval", f->low, f->high, "success",
                  share(f->right - f->held, f->right), "single_step",
                  share(f->once, f->count), "l2_mean", f->l2_mean, "l2_median",
                  f->l2_median, "linf_mean", f->linf_mean, "linf_median", f->linf_median);
    if (!isnan(f->eps)) json_object_set_new(row, "eps", json_real(f->eps));
    json_t *classes = json_array();
    ClassCount c;
    for (int32_t k = 0; class_count(a, k, &c); k++)
        json_array_append_new(classes, json_pack("{s:i, s:I, s:f, s:f}", "class", k,
                                                 "examples", (json_int_t)c.count, "clean",
                                                 share(c.right, c.count), "robust",
                                                 share(c.held, c.count)));
    json_object_set_new(row, "classes", classes);
    return row;
}

void attack_print(const Attack *a, const AttackFigures *f) {
    if (!isnan(f->eps)) printf("eps %g\n", f->eps);
    printf("clean   %.4f of %lld\n", share(f->right, f->count), (long long)f->count);
    printf("robust  %.4f   95 %%: %.4f to %.4f\n", share(f->held, f->count), f->low,
           f->high);
    printf("success %.4f of those that were right\n",
           share(f->right - f->held, f->right));
    printf("norms of the successes: L2 mean %.4f median %.4f, L-inf mean %.4f median "
           "%.4f\n",
           f->l2_mean, f->l2_median, f->linf_mean, f->linf_median);
    printf("class  examples   clean  robust\n");
    ClassCount c;
    for (int32_t k = 0; class_count(a, k, &c); k++)
        if (c.count)
            printf("%5d %9lld  %.4f  %.4f\n", k, (long long)c.count,
                   share(c.right, c.count), share(c.held, c.count));
}

/* ---- signs of gradient masking ----------------------------------------------------------- */

/* Each with what it was seen at; a warning needs more than chance. */
static void warn_one(const AttackFigures *f) {
    const double flat = share(f->flat, f->right), sunk = share(f->sunk, f->held);
    const double error = 2 * sqrt((double)(f->held + f->once) + 1) / (double)f->count;
    if (flat > 0.02)
        fprintf(stderr,
                "warning: the gradient is zero at %.1f %% of the examples: a saturated "
                "softmax or a masked gradient; raise = margin or dlr may see more\n",
                100 * flat);
    if (share(f->held - f->once, f->count) > error)
        fprintf(
            stderr,
            "warning: a single step of the same length leaves %.2f %% right, the attack "
            "%.2f %%: gradients may be masked, or the attack is too weak\n",
            100 * share(f->once, f->count), 100 * share(f->held, f->count));
    if (sunk > 0.1)
        fprintf(
            stderr,
            "warning: the loss did not rise at %.1f %% of the examples that held: it is "
            "flat along the attack\n",
            100 * sunk);
}

void attack_warn(const AttackFigures *f, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (isnan(f[i].eps) || f[i].eps > 0) warn_one(&f[i]);
    for (uint32_t i = 1; i < count; i++)
        if (f[i].eps > f[i - 1].eps && f[i].low > f[i - 1].high)
            fprintf(stderr,
                    "warning: more examples hold at eps %g than at %g: gradients may be "
                    "masked\n",
                    f[i].eps, f[i - 1].eps);
}
