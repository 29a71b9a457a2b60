/* A program: load, resolve, check; entries and training blocks on demand. */
#include "frontend/load.h"

Program *program_load(Arena *arena, Diag *diag, const char *path,
                      const ProgramOptions *options) {
    return program_load_text(arena, diag, path, NULL, 0, options);
}

Program *program_load_text(Arena *arena, Diag *diag, const char *path, const char *text,
                           size_t length, const ProgramOptions *options) {
    Loaded *l = arena_new(arena, Loaded);
    *l = (Loaded){.arena = arena, .diag = diag, .options = options};
    l->program.module = module_new(arena, diag);
    if (!load_files(l, path, text, length) || !read_settings(l)) return NULL;
    bool ends = true;
    for (uint32_t i = 0; i < l->files.count; i++) ends &= resolve_file(l, l->files.at[i]);
    if (!ends) return NULL;
    for (uint32_t i = 0; i < l->files.count; i++) check_file(l, l->files.at[i]);
    for (uint32_t i = 0; i < l->trains.count; i++) check_train(l, l->trains.at[i]);
    if (diag->errors) return NULL;
    for (uint32_t i = 0; i < l->unit->entries.count; i++) {
        const AstFunction *f = l->unit->entries.at[i].function;
        if (f && is_entry(f)) vec_push(arena, &l->entries, (Entry){f->name, NULL});
    }
    for (uint32_t i = 0; i < l->trains.count; i++)
        vec_push(
            arena, &l->blocks,
            (TrainBlock){.name = l->trains.at[i]->name, .span = l->trains.at[i]->span});
    l->program.entries = l->entries.count;
    l->program.entry = l->entries.at;
    l->program.trains = l->blocks.count;
    l->program.train = l->blocks.at;
    return &l->program;
}

static const char *near_name(const Loaded *l, const char *name, bool trains) {
    uint32_t count = trains ? l->blocks.count : l->entries.count;
    const char **names = arena_array(l->arena, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        names[i] = trains ? l->blocks.at[i].name : l->entries.at[i].name;
    return nearest_word(name, names, count);
}

static void unknown(Loaded *l, const char *what, const char *name, bool trains) {
    diag_error(l->diag, (Span){0}, "no %s `%s` in this file", what, name);
    const char *near = near_name(l, name, trains);
    if (near) diag_hint(l->diag, "did you mean `%s`?", near);
}

const Entry *program_entry(Program *program, const char *name) {
    Loaded *l = (Loaded *)program;
    for (uint32_t i = 0; i < l->entries.count; i++) {
        Entry *entry = &l->entries.at[i];
        if (strcmp(entry->name, name)) continue;
        const Unit *home;
        if (!entry->func)
            entry->func =
                entry_build(l, unit_find(l->unit, name, &home)->function,
                            l->options && l->options->with_init ? &entry->init : NULL);
        return entry->func ? entry : NULL;
    }
    unknown(l, "entry", name, false);
    return NULL;
}

const TrainBlock *program_train(Program *program, const char *name) {
    Loaded *l = (Loaded *)program;
    for (uint32_t i = 0; i < l->blocks.count; i++) {
        TrainBlock *block = &l->blocks.at[i];
        if (name && strcmp(block->name, name)) continue;
        if (!block->step && !train_build(l, l->trains.at[i], block)) return NULL;
        return block;
    }
    if (name)
        unknown(l, "training block", name, true);
    else
        diag_error(l->diag, (Span){0}, "this file has no training block");
    return NULL;
}
