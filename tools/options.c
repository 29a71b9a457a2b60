/* The options of the verbs, from their table. */
#include "base/diag.h"
#include "tools/command.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum OptionKind {
    KIND_FLAG,
    KIND_TEXT,
    KIND_NUMBER,
    KIND_SEED,
    KIND_REAL,
    KIND_LIST,
    KIND_PAIR
} OptionKind;

typedef struct OptionInfo {
    const char *word, *argument, *verbs, *help;
    OptionKind kind;
    size_t field; /* offset in Options */
} OptionInfo;

static const OptionInfo table[] = {
#define OPTION(field, kind, word, argument, verbs, help)                                 \
    {word, argument, verbs, help, KIND_##kind, offsetof(Options, field)},
#include "tools/options.def"
#undef OPTION
};
#define ROWS (sizeof table / sizeof *table)

static bool takes(const OptionInfo *option, const char *verb) {
    size_t length = strlen(verb);
    for (const char *at = option->verbs; (at = strstr(at, verb)); at += length)
        if ((at == option->verbs || at[-1] == ' ') && (!at[length] || at[length] == ' '))
            return true;
    return false;
}

void help_verb(const VerbInfo *verb) {
    printf("usage: tenon %s %s [options]\n%s\n\n", verb->name, verb->arguments,
           verb->what);
    for (size_t i = 0; i < ROWS; i++) {
        if (!takes(&table[i], verb->name)) continue;
        char left[64];
        snprintf(left, sizeof left, "%s %s", table[i].word, table[i].argument);
        printf("  %-22s%s\n", left, table[i].help);
    }
    if (!strcmp(verb->name, "emit"))
        printf("\nLEVEL: ast graph groups loops plan llvm asm\n");
}

/* "tenon train: words" and where to look. */
__attribute__((format(printf, 2, 3))) static Status usage(const char *verb,
                                                          const char *format, ...) {
    va_list list;
    va_start(list, format);
    fprintf(stderr, "tenon %s: ", verb);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n`tenon %s --help` lists the options\n", verb);
    va_end(list);
    return STATUS_USAGE;
}

static Status unknown_option(const char *verb, const char *word) {
    const char *words[ROWS];
    size_t count = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (takes(&table[i], verb)) words[count++] = table[i].word;
    const char *near = nearest_word(word, words, count);
    if (!near) return usage(verb, "there is no option '%s'", word);
    return usage(verb, "there is no option '%s'; did you mean '%s'?", word, near);
}

static bool read_whole(const char *text, int64_t least, int64_t *out) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < least || value > INT32_MAX) return false;
    *out = value;
    return true;
}

static bool read_real(const char *text, double *out) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value <= 0) return false;
    *out = value;
    return true;
}

static bool add(List *list, const char *text) {
    if (list->count == MAX_LIST) return false;
    list->at[list->count++] = text;
    return true;
}

static bool is_pair(const char *text) {
    const char *equal = strchr(text, '=');
    return equal && equal > text && equal[1];
}

static bool is_full(const OptionInfo *option, const Options *options) {
    if (option->kind != KIND_LIST && option->kind != KIND_PAIR) return false;
    const List *list = (const void *)((const char *)options + option->field);
    return list->count == MAX_LIST;
}

static bool store(const OptionInfo *option, const char *value, Options *options) {
    void *field = (char *)options + option->field;
    switch (option->kind) {
    case KIND_FLAG: *(bool *)field = true; return true;
    case KIND_TEXT: *(const char **)field = value; return true;
    case KIND_NUMBER: return read_whole(value, 1, field);
    case KIND_SEED: return read_whole(value, 0, field);
    case KIND_REAL: return read_real(value, field);
    case KIND_LIST: return add(field, value);
    case KIND_PAIR: return is_pair(value) && add(field, value);
    }
    return false;
}

/* "--word" or "--word=value"; the value, NULL when it is in the next word. */
static const OptionInfo *match(const char *verb, const char *word, const char **value) {
    for (size_t i = 0; i < ROWS; i++) {
        size_t length = strlen(table[i].word);
        if (strncmp(word, table[i].word, length) || !takes(&table[i], verb)) continue;
        if (word[length] && word[length] != '=') continue;
        *value = word[length] ? word + length + 1 : NULL;
        return &table[i];
    }
    return NULL;
}

static Status check_count(const VerbInfo *verb, const Options *options) {
    int count = (int)options->arg.count;
    if (options->help || options->kernels || options->tiles) return STATUS_OK;
    if (count < verb->fewest || (verb->most == 0 && count == 0))
        return usage(verb->name, "needs %s", verb->arguments);
    if (verb->most >= 0 && count > verb->most)
        return usage(verb->name, "'%s' is one argument too many",
                     options->arg.at[verb->most]);
    return STATUS_OK;
}

Status options_parse(const VerbInfo *verb, int argc, char **argv, Options *options) {
    *options = (Options){.verb = verb->name, .seed = -1, .seconds = 3};
    for (int i = 0; i < argc; i++) {
        const char *value = NULL;
        if (argv[i][0] != '-' || !argv[i][1]) {
            if (!add(&options->arg, argv[i])) return usage(verb->name, "too many words");
            continue;
        }
        const OptionInfo *option = match(verb->name, argv[i], &value);
        if (!option) return unknown_option(verb->name, argv[i]);
        if (option->kind == KIND_FLAG && value)
            return usage(verb->name, "%s takes no value", option->word);
        if (option->kind != KIND_FLAG && !value) {
            if (i + 1 == argc) return usage(verb->name, "%s needs a value", option->word);
            value = argv[++i];
        }
        if (is_full(option, options))
            return usage(verb->name, "%s may stand %d times at most", option->word,
                         MAX_LIST);
        if (!store(option, value, options))
            return usage(verb->name, "%s takes %s, not '%s'", option->word,
                         option->argument, value ? value : "");
    }
    return check_count(verb, options);
}
