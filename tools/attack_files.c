/* What `eval --attack --out DIR` keeps: figures, the curve over eps, the attacked inputs. */
#include "tools/attack.h"
#include "tools/picture.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the curve ----------------------------------------------------------------------------- */

static double robust(const AttackFigures *f) {
    return (double)f->held / (double)f->count;
}

static void put_csv(FILE *out, const AttackFigures *f, uint32_t count) {
    fprintf(out, "eps,examples,clean,robust,low,high,single_step,l2_mean,l2_median,"
                 "linf_mean,linf_median\n");
    for (uint32_t i = 0; i < count; i++) {
        if (!isnan(f[i].eps)) fprintf(out, "%.9g", f[i].eps);
        fprintf(out, ",%lld,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g\n",
                (long long)f[i].count, (double)f[i].right / (double)f[i].count,
                robust(&f[i]), f[i].low, f[i].high,
                (double)f[i].once / (double)f[i].count, f[i].l2_mean, f[i].l2_median,
                f[i].linf_mean, f[i].linf_median);
    }
}

enum { WIDTH = 640, HEIGHT = 400, EDGE = 60 };

static double place_x(double eps, double most) {
    return EDGE + (WIDTH - 2 * EDGE) * (most > 0 ? eps / most : 0);
}
static double place_y(double part) {
    return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * part;
}

static void put_axes(FILE *out, double most) {
    for (int i = 0; i <= 5; i++) {
        const double part = i / 5.0, x = place_x(part * most, most), y = place_y(part);
        fprintf(out,
                "<path d='M%d %.1fH%d' stroke='#ddd'/>\n"
                "<text x='%d' y='%.1f' text-anchor='end'>%d %%</text>\n"
                "<text x='%.1f' y='%d' text-anchor='middle'>%.3g</text>\n",
                EDGE, y, WIDTH - EDGE, EDGE - 6, y + 4, 20 * i, x, HEIGHT - EDGE + 18,
                part * most);
    }
    fprintf(out,
            "<text x='%d' y='%d' text-anchor='middle'>eps</text>\n"
            "<text x='%d' y='30' text-anchor='middle'>accuracy under attack, 95 %% "
            "interval</text>\n",
            WIDTH / 2, HEIGHT - 16, WIDTH / 2);
}

/* The interval as a band, the share as a line with points. */
static void put_svg(FILE *out, const AttackFigures *f, uint32_t count) {
    double most = 0;
    for (uint32_t i = 0; i < count; i++) most = fmax(most, f[i].eps);
    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
            "font-family='sans-serif' font-size='12'>\n<rect width='100%%' "
            "height='100%%' fill='#fff'/>\n",
            WIDTH, HEIGHT);
    put_axes(out, most);
    fprintf(out, "<path fill='#4878d0' fill-opacity='0.2' d='");
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', place_x(f[i].eps, most),
                place_y(f[i].high));
    for (uint32_t i = count; i-- > 0;)
        fprintf(out, "L%.1f %.1f", place_x(f[i].eps, most), place_y(f[i].low));
    fprintf(out, "Z'/>\n<path fill='none' stroke='#4878d0' stroke-width='2' d='");
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', place_x(f[i].eps, most),
                place_y(robust(&f[i])));
    fprintf(out, "'/>\n");
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "<circle cx='%.1f' cy='%.1f' r='3' fill='#4878d0'/>\n",
                place_x(f[i].eps, most), place_y(robust(&f[i])));
    fprintf(out, "</svg>\n");
}

/* ---- the inputs ---------------------------------------------------------------------------- */

enum { ACROSS = 10, PAIRS = 4 };

static uint8_t byte_of(float x) {
    return (uint8_t)(x <= 0 ? 0 : x >= 1 ? 255 : x * 255 + 0.5f);
}

/* The pixel as the net was given it, or as it was attacked. */
static uint8_t pixel(const Attack *a, int64_t at, bool attacked) {
    const Tensor *clean = &a->t->data->test[0];
    if (attacked) return byte_of(((const float *)a->image.data)[at]);
    return clean->elem == ELEM_u8 ? ((const uint8_t *)clean->data)[at]
                                  : byte_of(((const float *)clean->data)[at]);
}

/* Rows of ten, each as it was and below it as it was attacked. */
static Status put_sheet(const Attack *a, const char *path) {
    const int64_t *dim = a->image.dim;
    const int64_t h = dim[1], w = dim[2], c = dim[3];
    char message[MESSAGE_BYTES];
    Tensor sheet;
    if (!tensor_new(&sheet, ELEM_u8, 3, (int64_t[]){2 * PAIRS * h, ACROSS * w, c},
                    message))
        return session_fail(a->t->session, STATUS_MEMORY, "%s", message);
    uint8_t *to = sheet.data;
    for (int64_t i = 0; i < sheet.dim[0] * sheet.dim[1] * c; i++) {
        const int64_t y = i / (ACROSS * w * c), x = i / c % (ACROSS * w);
        const int64_t image = y / (2 * h) * ACROSS + x / w;
        const int64_t from = ((image * h + y % h) * w + x % w) * c + i % c;
        to[i] = image < a->count ? pixel(a, from, y / h % 2) : 255;
    }
    const bool ok = picture_write(path, &sheet, message);
    tensor_free(&sheet);
    return ok ? STATUS_OK : session_fail(a->t->session, STATUS_INPUT, "%s", message);
}

/* ---- the folder ---------------------------------------------------------------------------- */

typedef void Put(FILE *out, const AttackFigures *f, uint32_t count);

static Status put_file(const Attack *a, const char *name, Put *put,
                       const AttackFigures *f, uint32_t count) {
    Session *s = a->t->session;
    const char *path = arena_print(&s->arena, "%s/%s", s->options->out, name);
    FILE *out = fopen(path, "w");
    if (out) put(out, f, count);
    const bool ok = out && !ferror(out);
    if ((!out || fclose(out) == 0) && ok) return STATUS_OK;
    return session_fail(s, STATUS_INPUT, "%s: cannot be written", path);
}

static Status keep_inputs(const Attack *a) {
    Session *s = a->t->session;
    char message[MESSAGE_BYTES];
    const char *folder = s->options->out;
    const char *path = arena_print(&s->arena, "%s/adversarial.npy", folder);
    if (!npy_write(path, &a->image, message))
        return session_fail(s, STATUS_INPUT, "%s", message);
    const int64_t *dim = a->image.dim;
    if (a->image.rank != 4 || (dim[3] != 1 && dim[3] != 3)) return STATUS_OK;
    return put_sheet(a, arena_print(&s->arena, "%s/adversarial.png", folder));
}

Status attack_keep(const Attack *a, const AttackFigures *f, uint32_t count,
                   const json_t *rows) {
    Session *s = a->t->session;
    const char *folder = s->options->out;
    if (!folder) return STATUS_OK;
    mkdir(folder, 0777);
    Status status = put_file(a, "curve.csv", put_csv, f, count);
    if (status == STATUS_OK && a->grid)
        status = put_file(a, "curve.svg", put_svg, f, count);
    const char *path = arena_print(&s->arena, "%s/attack.json", folder);
    if (status == STATUS_OK &&
        json_dump_file(rows, path, JSON_INDENT(1) | JSON_REAL_PRECISION(9)))
        status = session_fail(s, STATUS_INPUT, "%s: cannot be written", path);
    return status == STATUS_OK ? keep_inputs(a) : status;
}
