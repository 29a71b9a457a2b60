/* Files: the prelude, the one asked for and those that it uses; and the table of their names. */
#include "frontend/load.h"
#include "frontend/prelude.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define FILE_LIMIT (16 << 20) /* bytes of one source */

static void add_entry(Loaded *l, Unit *unit, UnitEntry entry) {
    for (uint32_t i = 0; i < unit->entries.count; i++) {
        const UnitEntry *had = &unit->entries.at[i];
        if (!same_name(had->name, entry.name)) continue;
        diag_error(l->diag, entry.span, "`%s` is defined twice", entry.name);
        diag_note(l->diag, had->span, "it was defined here");
        return;
    }
    vec_push(l->arena, &unit->entries, entry);
}

static void add_names(Loaded *l, Unit *unit, const AstFile *file) {
    for (uint32_t i = 0; i < file->functions.count; i++) {
        const AstFunction *f = file->functions.at[i];
        add_entry(l, unit, (UnitEntry){f->name, f->span, .function = f});
    }
    for (uint32_t i = 0; i < file->lets.count; i++) {
        const Ast *let = file->lets.at[i];
        add_entry(l, unit,
                  (UnitEntry){let->define.name, let->define.name_span, .constant = let});
    }
    for (uint32_t i = 0; i < file->aliases.count; i++) {
        const AstAlias *alias = &file->aliases.at[i];
        add_entry(l, unit, (UnitEntry){alias->name, alias->span, .alias = alias->type});
    }
}

static void load_prelude(Loaded *l) {
    l->prelude = arena_new(l->arena, Unit);
    for (const PreludeFile *file = prelude_files; file->path; file++) {
        uint32_t source = diag_source(l->diag, file->path, file->text, file->length);
        add_names(l, l->prelude, ast_parse(l->arena, l->diag, source));
        l->prelude_sources = source;
    }
}

/* NULL: reported at `span`. */
static char *read_file(Loaded *l, const char *path, Span span, size_t *length) {
    struct stat facts;
    char *text = NULL;
    int wrong = stat(path, &facts) ? errno : 0;
    if (!wrong && !S_ISREG(facts.st_mode)) wrong = EINVAL;
    if (!wrong && facts.st_size > FILE_LIMIT) wrong = EFBIG;
    if (!wrong) {
        text =
            arena_alloc(l->arena, (size_t)facts.st_size + 1); /* before a file is open */
        FILE *in = fopen(path, "rb");
        wrong = in ? 0 : errno;
        if (in) *length = fread(text, 1, (size_t)facts.st_size, in);
        if (in && (ferror(in) || *length != (size_t)facts.st_size)) wrong = EIO;
        if (in) fclose(in);
    }
    if (!wrong) return text;
    diag_error(l->diag, span, "cannot read %s: %s", path,
               wrong == EINVAL ? "it is no plain file" : strerror(wrong));
    return NULL;
}

static const char *beside(Loaded *l, const char *path, const char *used) {
    const char *slash = strrchr(path, '/');
    if (!slash || *used == '/') return used;
    return arena_print(l->arena, "%.*s/%s", (int)(slash - path), path, used);
}

static bool is_open_already(Loaded *l, const char *path, Span span) {
    for (uint32_t i = 0; i < l->open.count; i++) {
        if (strcmp(l->open.at[i], path)) continue;
        Text chain;
        text_init(&chain, l->arena);
        for (uint32_t k = i; k < l->open.count; k++)
            text_printf(&chain, "%s uses ", l->open.at[k]);
        diag_error(l->diag, span, "files use each other in a circle: %s%s", chain.at,
                   path);
        diag_hint(l->diag, "put what both need into a third file");
        return true;
    }
    return false;
}

#define USE_DEPTH 50

static void load_text(Loaded *l, const char *path, const char *text, size_t length);

static void load_user_file(Loaded *l, const char *path, Span span) {
    size_t length = 0;
    if (is_open_already(l, path, span)) return;
    for (uint32_t i = 0; i < l->paths.count; i++)
        if (!strcmp(l->paths.at[i], path)) return;
    if (l->open.count >= USE_DEPTH) {
        diag_error(l->diag, span, "`use` goes more than %d files deep", USE_DEPTH);
        return;
    }
    const char *text = read_file(l, path, span, &length);
    if (text) load_text(l, path, text, length);
}

static void load_text(Loaded *l, const char *path, const char *text, size_t length) {
    uint32_t source = diag_source(l->diag, path, text, length);
    AstFile *file = ast_parse(l->arena, l->diag, source);
    vec_push(l->arena, &l->paths, path);
    vec_push(l->arena, &l->open, path);
    for (uint32_t i = 0; i < file->trains.count; i++) /* its own before those it uses */
        vec_push(l->arena, &l->trains, file->trains.at[i]);
    for (uint32_t i = 0; i < file->uses.count; i++)
        load_user_file(l, beside(l, path, file->uses.at[i].path), file->uses.at[i].span);
    l->open.count--;
    vec_push(l->arena, &l->files, file);
    add_names(l, l->unit, file);
}

bool load_files(Loaded *l, const char *path, const char *text, size_t length) {
    path = arena_string(l->arena, path, strlen(path));
    load_prelude(l);
    l->unit = arena_new(l->arena, Unit);
    l->unit->parent = l->prelude;
    if (text)
        load_text(l, path, arena_string(l->arena, text, length), length);
    else
        load_user_file(l, path, (Span){0});
    return l->diag->errors == 0;
}
