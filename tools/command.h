/* The command line: verbs and their options. */
#ifndef TN_TOOLS_COMMAND_H
#define TN_TOOLS_COMMAND_H

#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

#define MAX_LIST 64

typedef struct List {
    uint32_t count;
    const char *at[MAX_LIST];
} List;

typedef struct Options {
    const char *verb;
    List arg; /* what is no option, in order */
    List set, bind, in, entry;
    int64_t threads, seed, examples;
    double seconds;
    const char *weights, *data, *pictures, *out, *name, *after, *results, *compare, *cpu,
        *attack, *eps;
    bool fit, guarded, resume, explain, kernels, tiles, profile, jsonl, json, no_cache,
        library, no_winograd, help;
} Options;

typedef Status Verb(const Options *options);
typedef struct VerbInfo {
    const char *name, *arguments, *what;
    int fewest, most;
    Verb *run;
} VerbInfo;

#define VERB(name, ...) Verb verb_##name;
#include "tools/verbs.def"
#undef VERB

const VerbInfo *verb_find(const char *name); /* NULL: none */

/* Fills `options` from the words after the verb.  STATUS_USAGE, said on stderr, when they
 * are wrong. */
Status options_parse(const VerbInfo *verb, int argc, char **argv, Options *options);
void help_print(void);
void help_verb(const VerbInfo *verb);

/* The whole command; returns its exit code. */
int command_main(int argc, char **argv);

#endif
