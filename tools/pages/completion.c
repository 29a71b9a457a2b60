/* What bash and zsh offer where a word of the command is wanted. */
#include "tools/pages/pages.h"
#include "tools/session.h"
#include <string.h>

static void put_passes(FILE *out) {
    for (size_t i = 0; pass_names[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", pass_names[i]);
}

static void put_levels(FILE *out) {
    for (uint32_t i = 0; level_name(i); i++)
        fprintf(out, "%s%s", i ? " " : "", level_name(i));
}

/* ---- bash -------------------------------------------------------------------------------- */

/* A row of `case $verb:$last`: the options whose argument is of a kind, and the answer. */
static void put_answer(FILE *out, ArgumentKind kind, const char *answer) {
    bool any = false;
    for (size_t v = 0; v < verb_count; v++)
        for (size_t i = 0; i < option_count; i++) {
            const OptionRow *option = &option_rows[i];
            if (argument_kind(option) != kind || !option_is_of(option, verb_rows[v].name))
                continue;
            fprintf(out, "%s%s:%s", any ? "|" : "    ", verb_rows[v].name, option->word);
            any = true;
        }
    if (any) fprintf(out, ")\n        %s\n        return ;;\n", answer);
}

static void put_options(FILE *out, const char *verb) {
    fprintf(out, "    %s) words=\"", verb);
    bool any = false;
    for (size_t i = 0; i < option_count; i++) {
        if (!option_is_of(&option_rows[i], verb)) continue;
        fprintf(out, "%s%s", any ? " " : "", option_rows[i].word);
        any = true;
    }
    fputs("\" ;;\n", out);
}

void page_bash(FILE *out) {
    fputs(
        "# bash completion for tenon, written from the tables of its verbs and options\n"
        "_tenon() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    local verb=${COMP_WORDS[1]} words=\n"
        "    COMPREPLY=()\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        words=\"--help --version",
        out);
    for (size_t i = 0; i < verb_count; i++) fprintf(out, " %s", verb_rows[i].name);
    fputs("\"\n        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
          "        return\n"
          "    fi\n"
          "    case $verb:$last in\n",
          out);
    put_answer(out, ARGUMENT_FILE, "COMPREPLY=($(compgen -f -- \"$current\"))");
    put_answer(out, ARGUMENT_FOLDER, "COMPREPLY=($(compgen -d -- \"$current\"))");
    fputs("    emit:--after)\n        COMPREPLY=($(compgen -W \"", out);
    put_passes(out);
    fputs("\" -- \"$current\"))\n        return ;;\n", out);
    put_answer(out, ARGUMENT_OTHER, ":");
    fputs("    esac\n    case $verb in\n", out);
    for (size_t i = 0; i < verb_count; i++) put_options(out, verb_rows[i].name);
    fputs(
        "    esac\n"
        "    if [ \"$verb\" = emit ] && [ \"$COMP_CWORD\" -eq 2 ]; then words=\"$words ",
        out);
    put_levels(out);
    fputs("\"; fi\n"
          "    case $current in\n"
          "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
          "    *)  COMPREPLY=($(compgen -W \"$words\" -- \"$current\")\n"
          "                   $(compgen -f -X '!*.tn' -- \"$current\")\n"
          "                   $(compgen -f -X '!*.graph' -- \"$current\")\n"
          "                   $(compgen -d -- \"$current\")) ;;\n"
          "    esac\n"
          "}\n"
          "complete -o filenames -F _tenon tenon\n",
          out);
}

/* ---- zsh --------------------------------------------------------------------------------- */

/* Within single quotes and brackets of _arguments. */
static void put_quoted(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void put_zsh_option(FILE *out, const OptionRow *option) {
    fprintf(out, "            '%s%s[", option_repeats(option) ? "*" : "", option->word);
    put_quoted(out, option->help);
    fputc(']', out);
    if (*option->argument) {
        fputc(':', out);
        put_quoted(out, option->argument);
        fputc(':', out);
    }
    switch (argument_kind(option)) {
    case ARGUMENT_FILE: fputs("_files", out); break;
    case ARGUMENT_FOLDER: fputs("_files -/", out); break;
    case ARGUMENT_PASS:
        fputc('(', out);
        put_passes(out);
        fputc(')', out);
        break;
    case ARGUMENT_NONE:
    case ARGUMENT_OTHER: break;
    }
    fputs("' \\\n", out);
}

static void put_zsh_verb(FILE *out, const VerbRow *verb) {
    fprintf(out, "    %s)\n        _arguments \\\n", verb->name);
    for (size_t i = 0; i < option_count; i++)
        if (option_is_of(&option_rows[i], verb->name))
            put_zsh_option(out, &option_rows[i]);
    if (!strcmp(verb->name, "emit")) {
        fputs("            '1:level:(", out);
        put_levels(out);
        fputs(")' \\\n", out);
    }
    fputs("            '*:model:_files -g \"*.(tn|graph)\"' ;;\n", out);
}

void page_zsh(FILE *out) {
    fputs("#compdef tenon\n"
          "# zsh completion for tenon, written from the tables of its verbs and options\n"
          "_tenon() {\n"
          "    local -a verbs=(\n",
          out);
    for (size_t i = 0; i < verb_count; i++) {
        fprintf(out, "        '%s:", verb_rows[i].name);
        put_quoted(out, verb_rows[i].what);
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe verb verbs\n"
          "        return\n"
          "    fi\n"
          "    local verb=$words[2]\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $verb in\n",
          out);
    for (size_t i = 0; i < verb_count; i++) put_zsh_verb(out, &verb_rows[i]);
    fputs("    esac\n}\n_tenon \"$@\"\n", out);
}
