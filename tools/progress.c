/* What a person sees of a training run: a line drawn again on a terminal, a line an epoch. */
#include "tools/training.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add_figures(json_t *row, const char *part, const Training *t,
                        const Figures *figures) {
    if (!figures->there) return;
    json_t *values = json_object();
    for (uint32_t r = 0; r < t->block->figures; r++)
        json_object_set_new(values, t->block->figure[r].name,
                            isfinite(figures->value[r]) ? json_real(figures->value[r])
                                                        : json_null());
    json_object_set_new(row, part, values);
}

json_t *progress_row(const Training *t, double loss, const Figures *valid,
                     const Figures *test) {
    double rate = (double)((t->steps - t->from) * t->batch) / fmax(t->epoch_s, 1e-9);
    int64_t step = t->epoch * t->steps;
    json_t *row = json_pack("{s:I, s:I, s:f}", "epoch", (json_int_t)t->epoch, "step",
                            (json_int_t)step, "loss", loss);
    add_figures(row, "valid", t, valid);
    add_figures(row, "test", t, test);
    json_object_set_new(row, "samples_per_s", json_real(rate));
    json_object_set_new(row, "epoch_s", json_real(t->epoch_s));
    json_object_set_new(row, "train_s", json_real(t->seconds));
    return row;
}

static void put_duration(char *text, size_t size, double seconds) {
    long long s = (long long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%lld:%02lld", s / 60, s % 60);
}

/* At most ten times a second, and only where someone can see it. */
void progress_step(const Training *t) {
    static double shown;
    double now = seconds_now();
    if (now - shown < 0.1 || t->session->options->json || !isatty(STDERR_FILENO)) return;
    shown = now;
    int64_t done = t->epoch * t->steps + t->at, all = t->block->epochs * t->steps;
    double rate = (double)((t->at - t->from) * t->batch) / fmax(t->epoch_s, 1e-9);
    char left[32];
    put_duration(left, sizeof left, (double)((all - done) * t->batch) / rate);
    fprintf(stderr,
            "\r\x1b[Kepoch %lld/%lld  step %lld/%lld  loss %.4f  %.0f samples/s  %s left",
            (long long)t->epoch + 1, (long long)t->block->epochs, (long long)t->at,
            (long long)t->steps, t->loss_sum / (double)t->at, rate, left);
    fflush(stderr);
}

void progress_clear(void) {
    if (isatty(STDERR_FILENO)) fputs("\r\x1b[K", stderr);
}

static void print_part(const json_t *row, const char *part) {
    const char *name;
    json_t *value;
    const json_t *values = json_object_get(row, part);
    if (!values) return;
    printf("  %s", part);
    json_object_foreach((json_t *)values, name, value)
        printf(" %s %.4f", name, json_is_null(value) ? NAN : json_number_value(value));
}

void progress_epoch(const Training *t, const json_t *row) {
    progress_clear();
    if (t->session->options->json) {
        json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
    } else {
        printf("epoch %lld/%lld  loss %.4f", (long long)t->epoch,
               (long long)t->block->epochs,
               json_number_value(json_object_get(row, "loss")));
        print_part(row, "valid");
        print_part(row, "test");
        printf("  %.0f samples/s  %.1f s\n",
               json_number_value(json_object_get(row, "samples_per_s")),
               json_number_value(json_object_get(row, "epoch_s")));
    }
    fflush(stdout);
}
