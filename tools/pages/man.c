/* The man pages: tenon(1) from the tables, libtenon(3) from the comments of tenon.h. */
#include "tools/pages/pages.h"
#include <ctype.h>
#include <string.h>

/* As it is: no escapes, no requests, and a hyphen that can be copied as one. */
static void put(FILE *out, const char *text) {
    if (*text == '.' || *text == '\'') fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
}

static void put_verb(FILE *out, const VerbRow *verb) {
    fprintf(out, ".SS \"tenon %s ", verb->name);
    for (const char *at = verb->arguments; *at; at++)
        if (*at != '"') fputc(*at, out);
    fputs("\"\n", out);
    put(out, verb->what);
    fputs(".\n", out);
    for (size_t i = 0; i < option_count; i++) {
        const OptionRow *option = &option_rows[i];
        if (!option_is_of(option, verb->name)) continue;
        fputs(".TP\n\\fB", out);
        put(out, option->word);
        fputs("\\fR", out);
        if (*option->argument) {
            fputs(" \\fI", out);
            put(out, option->argument);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        put(out, option->help);
        fputc('\n', out);
    }
}

void page_command(FILE *out) {
    fputs(".TH TENON 1 \"\" \"tenon " TENON_VERSION "\" \"User Commands\"\n"
          ".SH NAME\ntenon \\- compile networks, losses and training\n"
          ".SH SYNOPSIS\n.B tenon\n.I VERB\n.RI [ ARGUMENTS ]\n.RI [ OPTIONS ]\n.br\n"
          ".B tenon \\-\\-version\n"
          ".SH DESCRIPTION\n"
          "Compiles small text files that describe networks, losses and training to code "
          "for this processor, and runs, trains, times or prints what it made.  A\n"
          ".I MODEL.tn\nmay also be the text of a graph,\n.IR MODEL.graph ,\nas\n"
          ".B tenon emit graph\nprints it.\n.PP\nAn option and its argument are two "
          "words, or one with a = between them.\n.SH VERBS\n",
          out);
    for (size_t i = 0; i < verb_count; i++) put_verb(out, &verb_rows[i]);
    fputs(".SH EXIT STATUS\n.TP\n0\nAll went well.\n.TP\n1\nThe input is wrong: a "
          "program, a file, a full disk, a loss that is not a number.\n.TP\n2\nThe "
          "command line is wrong.\n.TP\n3\nA mistake of tenon's own.\n"
          ".SH ENVIRONMENT\n.TP\n.B TENON_DATA\nWhere data sets are looked for after "
          "\\fB\\-\\-data\\fR and before\n.IR /usr/share/datasets .\n"
          ".TP\n.B XDG_CACHE_HOME\nCompiled kernels are kept in its folder\n"
          ".IR tenon ;\n~/.cache where it is not set.\n"
          ".SH SEE ALSO\n.BR libtenon (3)\n",
          out);
}

/* ---- libtenon(3) ------------------------------------------------------------------------- */

typedef struct Section {
    char comment[8192], code[2048];
} Section;

static void append(char *to, size_t size, const char *text) {
    size_t used = strlen(to);
    snprintf(to + used, size - used, "%s", text);
}

/* A comment's text: without its marks, lines kept. */
static void put_comment(FILE *out, const char *comment) {
    bool example = false;
    for (const char *line = comment; *line;) {
        size_t length = strcspn(line, "\n");
        char words[512];
        snprintf(words, sizeof words, "%.*s", (int)length, line);
        line += length + (line[length] == '\n');
        char *at = words, *end = strstr(words, "*/");
        if (end) *end = 0;
        at += strspn(at, " ");
        at += strspn(at, "/*");
        bool deep = !strncmp(at, "     ", 5);
        for (char *tail = at + strlen(at); tail > at && isspace((unsigned char)tail[-1]);)
            *--tail = 0;
        if (deep != example) fputs(deep ? ".PP\n.EX\n" : ".EE\n", out);
        example = deep;
        if (!deep) at += strspn(at, " ");
        if (*at || example) {
            put(out, at);
            fputc('\n', out);
        } else if (line[0] && line != comment) {
            fputs(".PP\n", out);
        }
    }
    if (example) fputs(".EE\n", out);
}

static void put_section(FILE *out, const Section *s) {
    fputs(".PP\n.nf\n", out);
    for (const char *line = s->code; *line;) {
        size_t length = strcspn(line, "\n");
        char words[512];
        snprintf(words, sizeof words, "%.*s", (int)length, line);
        fputs("\\fB", out);
        put(out, words);
        fputs("\\fR\n", out);
        line += length + (line[length] == '\n');
    }
    fputs(".fi\n", out);
    if (*s->comment) fputs(".RS\n", out);
    put_comment(out, s->comment);
    if (*s->comment) fputs(".RE\n", out);
}

/* The next comment, or declaration with the comment before it.  false: the end. */
static bool next_section(FILE *source, Section *s) {
    char line[512];
    int depth = 0;
    bool comment = false;
    *s = (Section){{0}, {0}};
    while (fgets(line, sizeof line, source)) {
        bool opens = !strncmp(line, "/*", 2);
        if (opens || comment) {
            if (opens) s->comment[0] = 0;
            append(s->comment, sizeof s->comment, line);
            comment = !strstr(line, "*/");
            continue;
        }
        if (*line == '#' || !strncmp(line, "extern", 6)) continue;
        if (*line == '\n' && !depth) {
            s->comment[0] = 0; /* it spoke of what follows it at once */
            continue;
        }
        append(s->code, sizeof s->code, line);
        for (const char *at = line; *at; at++) depth += (*at == '{') - (*at == '}');
        if (depth < 0) return false; /* of extern "C" */
        if (!depth && strchr(line, ';')) return true;
    }
    return false;
}

bool page_library(FILE *out, FILE *source) {
    Section s = {{0}, {0}};
    char line[512];
    fputs(
        ".TH LIBTENON 3 \"\" \"tenon " TENON_VERSION "\" \"Library Functions\"\n"
        ".SH NAME\nlibtenon \\- the tenon compiler as a library\n"
        ".SH SYNOPSIS\n.nf\n.B #include <tenon.h>\n.fi\n.PP\n"
        "Link with \\fI\\-ltenon\\fR; \\fBpkg\\-config \\-\\-cflags \\-\\-libs tenon\\fR "
        "and CMake's \\fBfind_package(tenon)\\fR know how.\n.SH DESCRIPTION\n",
        out);
    while (fgets(line, sizeof line, source)) {
        append(s.comment, sizeof s.comment, line);
        if (strstr(line, "*/")) break;
    }
    put_comment(out, s.comment);
    fputs(".SH TYPES AND FUNCTIONS\n", out);
    while (next_section(source, &s)) put_section(out, &s);
    fputs(".SH SEE ALSO\n.BR tenon (1)\n", out);
    return !ferror(source);
}
