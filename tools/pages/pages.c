/* Writes a man page or a shell's completion: the tables, and the choice of a page. */
#include "tools/pages/pages.h"
#include <string.h>

const VerbRow verb_rows[] = {
#define VERB(name, arguments, fewest, most, what) {#name, arguments, what},
#include "tools/verbs.def"
#undef VERB
};
const size_t verb_count = sizeof verb_rows / sizeof *verb_rows;

const OptionRow option_rows[] = {
#define OPTION(field, kind, word, argument, verbs, help)                                 \
    {#kind, word, argument, verbs, help},
#include "tools/options.def"
#undef OPTION
};
const size_t option_count = sizeof option_rows / sizeof *option_rows;

const char *const pass_names[] = {
#define PASS(name, what) #name,
#define STAGE(name)
#include "passes/pipeline.def"
#undef PASS
#undef STAGE
    NULL};

bool option_is_of(const OptionRow *option, const char *verb) {
    size_t length = strlen(verb);
    for (const char *at = option->verbs; (at = strstr(at, verb)); at += length)
        if ((at == option->verbs || at[-1] == ' ') && (!at[length] || at[length] == ' '))
            return true;
    return false;
}

bool option_repeats(const OptionRow *option) {
    return !strcmp(option->kind, "LIST") || !strcmp(option->kind, "PAIR");
}

ArgumentKind argument_kind(const OptionRow *option) {
    const char *word = option->argument;
    if (!*word) return ARGUMENT_NONE;
    static const char *const files[] = {"FILE", "PATH", "INPUT", "LIB"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strncmp(word, files[i], strlen(files[i]))) return ARGUMENT_FILE;
    if (!strcmp(word, "DIR")) return ARGUMENT_FOLDER;
    return strcmp(word, "PASS") ? ARGUMENT_OTHER : ARGUMENT_PASS;
}

static const struct {
    const char *name;
    void (*write)(FILE *out);
} pages[] = {{"tenon.1", page_command}, {"tenon.bash", page_bash}, {"_tenon", page_zsh}};

static bool page_write(const char *name, FILE *out, const char *header) {
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(pages[i].name, name)) continue;
        pages[i].write(out);
        return true;
    }
    FILE *source = strcmp(name, "libtenon.3") || !header ? NULL : fopen(header, "r");
    bool right = source && page_library(out, source);
    if (source) fclose(source);
    return right;
}

/* FOLDER NAME HEADER */
int main(int argc, char **argv) {
    char path[4096];
    if (argc != 4) return 2;
    snprintf(path, sizeof path, "%s/%s", argv[1], argv[2]);
    FILE *out = fopen(path, "w");
    bool right = out && page_write(argv[2], out, argv[3]);
    if (out) right &= fclose(out) == 0;
    if (!right) perror(path);
    return right ? 0 : 1;
}
