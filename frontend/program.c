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
    for (uint32_t i = 0; i < l->trains.count; i++) {
        const AstTrain *train = l->trains.at[i];
        TrainBlock block = {.name = train->name, .span = train->span};
        for (uint32_t k = 0; k < train->params; k++)
            block.awaits |= !train->param[k].value;
        vec_push(arena, &l->blocks, block);
    }
    l->program.entries = l->entries.count;
    l->program.entry = l->entries.at;
    l->program.trains = l->blocks.count;
    l->program.train = l->blocks.at;
    return &l->program;
}

bool program_has_dim(const Program *program, const char *name) {
    const Loaded *l = (const Loaded *)program;
    for (uint32_t i = 0; i < l->unit->entries.count; i++) {
        const AstFunction *f = l->unit->entries.at[i].function;
        if (f && is_entry(f) && entry_has_dim(l->unit, f, name)) return true;
    }
    return false;
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

/* ---- training blocks -------------------------------------------------------------------- */

static TrainBlock *find_block(Loaded *l, const char *name, uint32_t *number) {
    for (*number = 0; *number < l->blocks.count; ++*number)
        if (!strcmp(l->blocks.at[*number].name, name)) return &l->blocks.at[*number];
    unknown(l, "training block", name, true);
    return NULL;
}

/* `finetune(rate = 0.1)`: a block of its own for each text. */
static const TrainBlock *called_block(Loaded *l, const char *text) {
    uint32_t number;
    for (uint32_t i = 0; i < l->called.count; i++)
        if (!strcmp(l->called.at[i]->name, text)) return l->called.at[i];
    text = arena_string(l->arena, text, strlen(text));
    uint32_t source = diag_source(l->diag, "the training block", text, strlen(text));
    const Ast *ast = ast_parse_expression(l->arena, l->diag, source);
    if (l->diag->errors) return NULL;
    if (ast->kind != AST_call || ast->call.callee->kind != AST_name) {
        diag_error(l->diag, ast->span, "a training block is called as name(argument)");
        return NULL;
    }
    const TrainBlock *plain = find_block(l, ast->call.callee->text, &number);
    const AstTrain *train = plain ? l->trains.at[number] : NULL;
    if (!train || !check_train_call(l, train, &ast->call.args, ast->span)) return NULL;
    TrainBlock *block = arena_new(l->arena, TrainBlock);
    *block = (TrainBlock){.name = text, .span = train->span};
    const TrainCall call = {
        train, &ast->call.args,
        arena_print(l->arena, "%s_%u", train->name, l->called.count + 1)};
    if (!train_build(l, &call, block)) return NULL;
    vec_push(l->arena, &l->called, block);
    return block;
}

const TrainBlock *program_train(Program *program, const char *name) {
    Loaded *l = (Loaded *)program;
    uint32_t number = 0;
    if (name && strchr(name, '(')) return called_block(l, name);
    if (!name && !l->blocks.count) {
        diag_error(l->diag, (Span){0}, "this file has no training block");
        return NULL;
    }
    TrainBlock *block = name ? find_block(l, name, &number) : &l->blocks.at[0];
    if (!block || block->step) return block;
    const AstTrain *train = l->trains.at[number];
    const TrainCall call = {train, NULL, train->name};
    bool ok = check_train_call(l, train, NULL, (Span){0}) && train_build(l, &call, block);
    return ok ? block : NULL;
}
