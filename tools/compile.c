/* tenon compile: entries as a shared object, an archive or an object, with a header. */
#include "tools/library.h"
#include <stdio.h>

static Status compile_body(Session *s) {
    const Options *o = s->options;
    const LibrarySettings settings = {.path = o->out,
                                      .name = o->name,
                                      .entries = o->entry.count,
                                      .entry = o->entry.at,
                                      .weights = o->weights,
                                      .guarded = o->guarded};
    LibraryFacts facts;
    Status status = library_build(s, &settings, &facts);
    if (status != STATUS_OK) return status;
    fprintf(stderr, "%s, %s.h: %u entr%s, %.1f kB of code and data, %.1f MB of state, ",
            o->out, facts.name, facts.entries, facts.entries == 1 ? "y" : "ies",
            1e-3 * (double)facts.object_bytes, 1e-6 * (double)facts.state_bytes);
    fprintf(stderr, "%.1f MB of work\n", 1e-6 * (double)facts.work_bytes);
    return STATUS_OK;
}

Status verb_compile(const Options *options) {
    if (!options->out) {
        fprintf(stderr, "tenon compile: needs -o, as in -o libmodel.so\n");
        return STATUS_USAGE;
    }
    return session_run(options, options->arg.at[0], compile_body, NULL);
}
