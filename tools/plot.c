/* plot.svg of a run: losses on the left axis, the other figures on the right; by gnuplot. */
#include "tools/training.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool program_there(const char *name) {
    const char *path = getenv("PATH");
    char file[PATH_MAX];
    while (path && *path) {
        size_t length = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)length, path, name);
        if (!access(file, X_OK)) return true;
        path += length + (path[length] == ':');
    }
    return false;
}

/* 'text' as gnuplot quotes it. */
static void put_quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', out);
        if (*text != '\n') fputc(*text, out);
    }
    fputc('\'', out);
}

/* A line of the plot: key `name`, or `part`.`name` where part is not NULL. */
typedef struct Curve {
    const char *part, *name;
    bool right;
} Curve;

static void put_data(FILE *out, const json_t *rows, const Curve *curve) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        json_t *from = curve->part ? json_object_get(row, curve->part) : row;
        json_t *value = json_object_get(from, curve->name);
        if (!json_is_number(value)) continue;
        fprintf(out, "%lld %.9g\n",
                (long long)json_integer_value(json_object_get(row, "epoch")),
                json_number_value(value));
    }
    fprintf(out, "e\n");
}

static uint32_t list_curves(const Training *t, Curve *curve) {
    static const char *const parts[] = {"valid", "test"};
    bool there[] = {t->block->data.validate > 0, t->data->info.test_count > 0};
    uint32_t count = 0;
    curve[count++] = (Curve){NULL, "loss", false};
    for (int p = 0; p < 2; p++)
        for (uint32_t r = 0; r < t->block->figures && there[p]; r++)
            curve[count++] = (Curve){parts[p], t->block->figure[r].name, r > 0};
    return count;
}

static void put_script(FILE *out, const Training *t, const json_t *rows,
                       const char *path) {
    Curve curve[2 * MAX_FIGURES + 1];
    uint32_t count = list_curves(t, curve);
    fprintf(out,
            "set terminal svg size 800,480 dynamic background '#ffffff'\nset output ");
    put_quoted(out, path);
    fprintf(out, "\nset title ");
    put_quoted(out, t->block->name);
    fprintf(out, " noenhanced\nset key outside bottom center horizontal noenhanced\n"
                 "set grid lc rgb '#dddddd'\nset xlabel 'epoch'\nset ylabel 'loss'\n");
    if (t->epoch <= 20) fprintf(out, "set xtics 1\n");
    if (t->block->figures > 1)
        fprintf(out, "set y2label 'figures'\nset y2tics\nset ytics nomirror\n");
    fprintf(out, "plot ");
    for (uint32_t i = 0; i < count; i++) {
        char title[160];
        snprintf(title, sizeof title, "%s %s", curve[i].part ? curve[i].part : "training",
                 curve[i].name);
        fprintf(out,
                "%s'-' using 1:2 axes x1y%d with linespoints pt 7 ps 0.4 lw 2 title ",
                i ? ", " : "", curve[i].right ? 2 : 1);
        put_quoted(out, title);
    }
    fprintf(out, "\n");
    for (uint32_t i = 0; i < count; i++) put_data(out, rows, &curve[i]);
}

static json_t *read_rows(const char *path) {
    char message[MESSAGE_BYTES];
    Bytes file;
    json_t *rows = json_array();
    if (!file_read(path, &file, message)) return rows;
    for (size_t at = 0; at < file.count;) {
        const uint8_t *end = memchr(file.at + at, '\n', file.count - at);
        size_t length = end ? (size_t)(end - (file.at + at)) + 1 : file.count - at;
        json_t *row = json_loadb((const char *)file.at + at, length, 0, NULL);
        if (row) json_array_append_new(rows, row);
        at += length;
    }
    bytes_free(&file);
    return rows;
}

void run_folder_plot(Training *t) {
    char metrics[PATH_MAX], fresh[PATH_MAX], path[PATH_MAX];
    if (!t->folder) return;
    if (!program_there("gnuplot")) {
        fprintf(stderr, "no plot.svg: gnuplot is not installed\n");
        return;
    }
    snprintf(metrics, sizeof metrics, "%s/metrics.jsonl", t->folder);
    snprintf(fresh, sizeof fresh, "%s/plot.svg.new", t->folder);
    snprintf(path, sizeof path, "%s/plot.svg", t->folder);
    json_t *rows = read_rows(metrics);
    FILE *gnuplot = json_array_size(rows) ? popen("gnuplot 2>/dev/null", "w") : NULL;
    if (gnuplot) {
        put_script(gnuplot, t, rows, fresh);
        if (pclose(gnuplot) || rename(fresh, path)) {
            unlink(fresh);
            fprintf(stderr, "no plot.svg: gnuplot failed\n");
        }
    }
    json_decref(rows);
}
