/* What is written from the tables of verbs and options, while the project is built. */
#ifndef TN_TOOLS_PAGES_H
#define TN_TOOLS_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct VerbRow {
    const char *name, *arguments, *what;
} VerbRow;
extern const VerbRow verb_rows[];
extern const size_t verb_count;

typedef struct OptionRow {
    const char *kind, *word, *argument, *verbs, *help;
} OptionRow;
extern const OptionRow option_rows[];
extern const size_t option_count;

extern const char *const pass_names[]; /* NULL behind the last */
bool option_is_of(const OptionRow *option, const char *verb);
bool option_repeats(const OptionRow *option); /* may be given more than once */

/* What an argument is, by its word in the table: FILE.npy, DIR, PASS, ... */
typedef enum ArgumentKind {
    ARGUMENT_NONE,
    ARGUMENT_FILE,
    ARGUMENT_FOLDER,
    ARGUMENT_PASS,
    ARGUMENT_OTHER
} ArgumentKind;
ArgumentKind argument_kind(const OptionRow *option);

/* The pages; `source` is the C header that a page is drawn from. */
void page_command(FILE *out);
bool page_library(FILE *out, FILE *source);
void page_bash(FILE *out);
void page_zsh(FILE *out);

#endif
