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

static Status check_body(Session *s) {
    Status status = session_load(s, DATA_NONE, NULL, 0);
    if (s->options->json) {
        print_json(&s->diag);
        s->diag.messages.count = 0; /* said */
    } else if (status == STATUS_OK) {
        printf("%s: %u entries, %u train blocks, no mistakes\n", s->path,
               s->program->entries, s->program->trains);
    }
    return status;
}

Status verb_check(const Options *options) {
    return session_run(options, options->arg.at[0], check_body, NULL);
}
