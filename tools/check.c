/* tenon check: every mistake of a file. */
#include "tools/session.h"
#include <jansson.h>
#include <stdio.h>

static json_t *message_json(const Diag *diag, const Message *message) {
    static const char *const words[] = {"error", "warning", "note"}; /* by Severity */
    json_t *row = json_pack("{s:s, s:s}", "severity", words[message->severity], "message",
                            message->text);
    if (message->span.source) {
        Location at = diag_location(diag, message->span);
        json_object_set_new(row, "path", json_string(at.path));
        json_object_set_new(row, "line", json_integer(at.line));
        json_object_set_new(row, "column", json_integer(at.column));
    }
    if (message->hint) json_object_set_new(row, "hint", json_string(message->hint));
    return row;
}

/* One object a message and line. */
static void print_json(const Diag *diag) {
    for (uint32_t i = 0; i < diag->messages.count; i++) {
        json_t *row = message_json(diag, &diag->messages.at[i]);
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(row);
    }
}

/* Data that are not here are no mistake of the file. */
typedef struct Probe {
    DataShelf *shelf;
    bool absent;
} Probe;

static bool find_or_miss(void *context, const DataSpec *spec, DataInfo *info,
                         char *message) {
    Probe *probe = context;
    if (data_find(probe->shelf, spec, info, message)) return true;
    probe->absent = data_named(spec->kind) || data_files(spec->kind);
    return false;
}

/* Elaborates a block as far as it goes without a call of it or its data; NULL, or why it does
 * not. */
static const char *check_block(Session *s, const TrainBlock *block) {
    Probe probe = {.shelf = &s->shelf};
    const uint32_t messages = s->diag.messages.count, errors = s->diag.errors;
    if (block->awaits) return "it awaits arguments";
    s->lookup = (DataLookup){&probe, find_or_miss};
    session_train(s, block->name);
    if (!probe.absent) return NULL;
    s->diag.messages.count = messages;
    s->diag.errors = errors;
    return "its data are not here";
}

static Status check_body(Session *s) {
    const char *unknown[MAX_LIST] = {0};
    s->settings.with_attack = true;
    Status status = session_load(s, DATA_DESCRIBE, NULL, 0);
    const uint32_t trains = status == STATUS_OK ? s->program->trains : 0;
    for (uint32_t i = 0; i < trains && i < MAX_LIST; i++)
        unknown[i] = check_block(s, &s->program->train[i]);
    if (s->diag.errors) status = STATUS_INPUT;
    if (s->options->json) {
        print_json(&s->diag);
        s->diag.messages.count = 0; /* said */
    } else if (status == STATUS_OK) {
        printf("%s: %u entries, %u train blocks, no mistakes\n", s->path,
               s->program->entries, trains);
        for (uint32_t i = 0; i < trains && i < MAX_LIST; i++)
            if (unknown[i])
                printf("not checked: %s, %s\n", s->program->train[i].name, unknown[i]);
    }
    return status;
}

Status verb_check(const Options *options) {
    return session_run(options, options->arg.at[0], check_body, NULL);
}
