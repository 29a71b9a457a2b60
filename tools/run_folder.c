/*
 * The folder of a training run:
 *
 *   metrics.jsonl      one JSON object an epoch
 *   last.safetensors   all state after the last epoch, or where the run was stopped
 *   best.safetensors   the same after the best epoch
 *   plot.svg           loss and figures by epoch
 *   earlier-1/ ...     runs that were there before
 */
#include "tools/training.h"
#include "tools/checkpoint.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kept[] = {"metrics.jsonl", "plot.svg", "best.safetensors",
                                   "last.safetensors"};
#define KEPT (sizeof kept / sizeof *kept)

static const char *path_in(const Training *t, const char *name, char *path) {
    snprintf(path, PATH_MAX, "%s/%s", t->folder, name);
    return path;
}

static Status make_folder(Training *t) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", t->folder);
    for (char *c = path + 1; *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        mkdir(path, 0777);
        *c = '/';
    }
    if (!mkdir(path, 0777) || errno == EEXIST) return STATUS_OK;
    return session_fail(t->session, STATUS_INPUT,
                        "%s: cannot be made: %s; give another folder by --out", t->folder,
                        strerror(errno));
}

/* What another run left is moved, never overwritten. */
static Status move_aside(Training *t) {
    char from[PATH_MAX], to[PATH_MAX], name[64];
    bool there = false;
    int number = 1;
    for (size_t i = 0; i < KEPT; i++)
        there = there || file_exists(path_in(t, kept[i], from));
    if (!there) return STATUS_OK;
    for (;; number++) {
        snprintf(name, sizeof name, "earlier-%d", number);
        if (!mkdir(path_in(t, name, to), 0777)) break;
        if (errno != EEXIST || number == INT_MAX)
            return session_fail(t->session, STATUS_INPUT, "%s: cannot be made: %s", to,
                                strerror(errno));
    }
    for (size_t i = 0; i < KEPT; i++) {
        snprintf(name, sizeof name, "earlier-%d/%s", number, kept[i]);
        rename(path_in(t, kept[i], from), path_in(t, name, to));
    }
    fprintf(stderr, "the earlier run in %s is now in %s/earlier-%d\n", t->folder,
            t->folder, number);
    return STATUS_OK;
}

Status run_folder_open(Training *t) {
    Status status = make_folder(t);
    if (status == STATUS_OK) status = move_aside(t);
    /* The first checkpoint also shows, before any work, that the folder can be written. */
    return status == STATUS_OK ? run_folder_save(t, "last.safetensors") : status;
}

/* Whole numbers that say where the run is and what it runs on. */
typedef struct Fact {
    const char *name;
    int64_t value;
    bool fixed; /* must agree when a run is resumed */
} Fact;
enum { FACT_EPOCH, FACT_AT, FACT_BEST_EPOCH, FACT_SEED, FACT_BATCH, FACT_TRAIN, FACTS };

static void facts_of(const Training *t, Fact fact[FACTS]) {
    fact[FACT_EPOCH] = (Fact){"epoch", t->epoch, false};
    fact[FACT_AT] = (Fact){"epoch_step", t->at, false};
    fact[FACT_BEST_EPOCH] = (Fact){"best_epoch", t->best_epoch, false};
    fact[FACT_SEED] = (Fact){"seed", t->seed, true};
    fact[FACT_BATCH] = (Fact){"batch", t->batch, true};
    fact[FACT_TRAIN] = (Fact){"train_count", t->train_count, true};
}

static void set_text(json_t *meta, const char *name, const char *format, ...) {
    char text[64];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    json_object_set_new(meta, name, json_string(text));
}

/* Reals are written in hexadecimal: a resumed run has the very same ones. */
Status run_folder_save(Training *t, const char *name) {
    char path[PATH_MAX], message[MESSAGE_BYTES];
    Fact fact[FACTS];
    if (!t->folder) return STATUS_OK;
    json_t *meta = json_pack("{s:s}", "block", t->block->name);
    facts_of(t, fact);
    for (int i = 0; i < FACTS; i++)
        set_text(meta, fact[i].name, "%lld", (long long)fact[i].value);
    int64_t step = t->epoch * t->steps + t->at;
    set_text(meta, "step", "%lld", (long long)step);
    set_text(meta, "best", "%a", t->best);
    set_text(meta, "loss_sum", "%a", t->loss_sum);
    bool ok = checkpoint_write(path_in(t, name, path), t->session->layout,
                               t->session->state, meta, message);
    json_decref(meta);
    return ok ? STATUS_OK : session_fail(t->session, STATUS_INPUT, "%s", message);
}

static bool read_whole(const json_t *meta, const char *name, int64_t *value) {
    const char *text = json_string_value(json_object_get(meta, name));
    char *end;
    if (!text) return false;
    *value = strtoll(text, &end, 10);
    return end > text && !*end && *value >= 0 && *value <= INT32_MAX;
}

/* No NaN: nothing that is written is one. */
static bool read_real(const json_t *meta, const char *name, double *value) {
    const char *text = json_string_value(json_object_get(meta, name));
    char *end;
    if (!text) return false;
    *value = strtod(text, &end);
    return end > text && !*end && !isnan(*value);
}

/* The place in the run; a checkpoint of another block, batch or seed does not fit. */
static Status take_place(Training *t, const json_t *meta, const char *path) {
    const char *block = json_string_value(json_object_get(meta, "block"));
    Fact fact[FACTS];
    int64_t value[FACTS];
    facts_of(t, fact);
    if (!block || strcmp(block, t->block->name))
        return session_fail(t->session, STATUS_INPUT,
                            "%s is of the train block '%s', not '%s'", path,
                            block ? block : "?", t->block->name);
    for (int i = 0; i < FACTS; i++) {
        if (!read_whole(meta, fact[i].name, &value[i]))
            return session_fail(t->session, STATUS_INPUT, "%s does not say its %s", path,
                                fact[i].name);
        if (i == FACT_SEED && t->session->options->seed < 0)
            t->seed = value[i];
        else if (fact[i].fixed && value[i] != fact[i].value)
            return session_fail(
                t->session, STATUS_INPUT,
                "%s was trained with %s %lld, not %lld: it cannot be resumed", path,
                fact[i].name, (long long)value[i], (long long)fact[i].value);
    }
    t->epoch = value[FACT_EPOCH];
    t->at = value[FACT_AT];
    t->best_epoch = value[FACT_BEST_EPOCH];
    bool known = t->at < t->steps && read_real(meta, "best", &t->best) &&
                 read_real(meta, "loss_sum", &t->loss_sum) && isfinite(t->loss_sum);
    if (!known)
        return session_fail(t->session, STATUS_INPUT, "%s is at no step of this run",
                            path);
    t->from = t->at;
    return STATUS_OK;
}

/* Lines of epochs that came after the checkpoint are dropped: they are computed again. */
static Status trim_metrics(Training *t) {
    char path[PATH_MAX], message[MESSAGE_BYTES];
    Bytes file;
    if (!file_exists(path_in(t, "metrics.jsonl", path))) return STATUS_OK;
    if (!file_read(path, &file, message))
        return session_fail(t->session, STATUS_INPUT, "%s", message);
    size_t keep = 0;
    for (size_t at = 0; at < file.count;) {
        const uint8_t *end = memchr(file.at + at, '\n', file.count - at);
        if (!end) break;
        size_t length = (size_t)(end - (file.at + at)) + 1;
        json_t *row = json_loadb((const char *)file.at + at, length, 0, NULL);
        bool stays = row && json_integer_value(json_object_get(row, "epoch")) <= t->epoch;
        if (stays) t->seconds = json_number_value(json_object_get(row, "train_s"));
        json_decref(row);
        if (!stays) break;
        keep = at += length;
    }
    const Piece piece = {file.at, keep};
    bool ok = keep == file.count || file_replace(path, &piece, 1, message);
    bytes_free(&file);
    return ok ? STATUS_OK : session_fail(t->session, STATUS_INPUT, "%s", message);
}

Status run_folder_resume(Training *t) {
    char path[PATH_MAX], message[MESSAGE_BYTES];
    json_t *meta = NULL;
    Session *s = t->session;
    path_in(t, "last.safetensors", path);
    if (!file_exists(path))
        return session_fail(
            s, STATUS_INPUT,
            "%s holds no run to resume; without --resume a new one starts", t->folder);
    if (!checkpoint_read(path, s->layout, CHECKPOINT_RESUME, s->state, &meta, message))
        return session_fail(s, STATUS_INPUT, "%s", message);
    Status status = take_place(t, meta, path);
    json_decref(meta);
    if (status == STATUS_OK && t->at)
        tn_order((uint64_t)t->seed, t->epoch, t->train_count, t->order);
    return status == STATUS_OK ? trim_metrics(t) : status;
}

Status run_folder_metrics(Training *t, const json_t *row) {
    char path[PATH_MAX];
    if (!t->folder) return STATUS_OK;
    char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9));
    FILE *file = text ? fopen(path_in(t, "metrics.jsonl", path), "a") : NULL;
    bool ok = file && fprintf(file, "%s\n", text) > 0;
    if (file && fclose(file)) ok = false;
    free(text);
    if (ok) return STATUS_OK;
    return session_fail(t->session, STATUS_INPUT,
                        "%s/metrics.jsonl: cannot be written: %s", t->folder,
                        strerror(errno));
}
