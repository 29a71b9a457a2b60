/* Picks the verb from the table; prints help. */
#include "tools/command.h"
#include "base/diag.h"
#include "tools/version.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const VerbInfo verbs[] = {
#define VERB(name, arguments, fewest, most, what)                                        \
    {#name, arguments, what, fewest, most, verb_##name},
#include "tools/verbs.def"
#undef VERB
};
#define VERBS (sizeof verbs / sizeof *verbs)

const VerbInfo *verb_find(const char *name) {
    for (size_t i = 0; i < VERBS; i++)
        if (!strcmp(verbs[i].name, name)) return &verbs[i];
    return NULL;
}

void help_print(void) {
    printf("usage: tenon VERB ...\n\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-9s%-25s%s\n", verbs[i].name, verbs[i].arguments, verbs[i].what);
    printf("\n`tenon VERB --help` lists the options of a verb, `tenon --version` the "
           "version.\n");
}

static Status unknown_verb(const char *word) {
    const char *names[VERBS];
    for (size_t i = 0; i < VERBS; i++) names[i] = verbs[i].name;
    const char *near = nearest_word(word, names, VERBS);
    fprintf(stderr, "tenon: there is no verb '%s'", word);
    if (near) fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\n`tenon --help` lists them\n");
    return STATUS_USAGE;
}

/* Memory and system errors are the surroundings', not ours: they count as input. */
static int exit_code(Status status) {
    return status == STATUS_MEMORY || status == STATUS_SYSTEM ? STATUS_INPUT
                                                              : (int)status;
}

int command_main(int argc, char **argv) {
    Options options;
    signal(SIGPIPE, SIG_IGN); /* a reader that left, a file limit: errors of write */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        fprintf(stderr, "usage: tenon VERB ...; `tenon --help` lists the verbs\n");
        return STATUS_USAGE;
    }
    if (!strcmp(argv[1], "--version")) {
        puts(version_text());
        return STATUS_OK;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
        !strcmp(argv[1], "help")) {
        help_print();
        return STATUS_OK;
    }
    const VerbInfo *verb = verb_find(argv[1]);
    if (!verb) return unknown_verb(argv[1]);
    Status status = options_parse(verb, argc - 2, argv + 2, &options);
    if (status != STATUS_OK) return exit_code(status);
    if (options.help)
        help_verb(verb);
    else
        status = verb->run(&options);
    if (fflush(stdout) && status == STATUS_OK) {
        perror("tenon: standard output");
        status = STATUS_INPUT;
    }
    return exit_code(status);
}
