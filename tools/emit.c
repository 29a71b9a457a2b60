/* tenon emit: a program as text at any level. */
#include "tools/session.h"
#include <stdio.h>
#include <string.h>

static Status emit_body(Session *s) {
    const List *arg = &s->options->arg;
    const char *level = arg->at[0];
    Text out;
    text_init(&out, &s->arena);
    Status status = STATUS_OK;
    if (strcmp(level, "ast")) { /* the only one of the text alone */
        status = session_load(s, DATA_DESCRIBE, NULL, 0);
        if (status == STATUS_OK)
            status = session_want_named(s, arg->count > 2 ? arg->at[2] : NULL);
    }
    if (status == STATUS_OK) status = session_emit(s, level, s->options->after, &out);
    if (status == STATUS_OK && out.length) fwrite(out.at, 1, out.length, stdout);
    return status;
}

Status verb_emit(const Options *options) {
    const char *level = options->arg.at[0], *near = NULL;
    if (!level_known(level)) {
        fprintf(stderr, "tenon emit: there is no level '%s'; levels are", level);
        for (uint32_t i = 0; level_name(i); i++) fprintf(stderr, " %s", level_name(i));
        fputc('\n', stderr);
        return STATUS_USAGE;
    }
    if (options->after && strcmp(level, "graph")) {
        fprintf(stderr, "tenon emit: --after goes with the level graph\n");
        return STATUS_USAGE;
    }
    if (options->after && !pass_known(options->after, &near)) {
        fprintf(stderr, "tenon emit: there is no pass '%s'%s%s\n", options->after,
                near ? "; the nearest is " : "", near ? near : "");
        return STATUS_USAGE;
    }
    return session_run(options, options->arg.at[1], emit_body, NULL);
}
