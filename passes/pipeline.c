/*
 * The pipeline: the rows of pipeline.def in order, the module verified after each,
 * scratch memory released.  Stages are set here and nowhere else.
 */
#include "passes/pass.h"

typedef struct Row {
    const char *name;
    bool (*run)(PassContext *cx, Module *module); /* NULL: the row marks `stage` */
    Stage stage;
} Row;

static const Row rows[] = {
#define PASS(name, what) {#name, pass_##name, STAGE_TYPED},
#define STAGE(name)      {NULL, NULL, STAGE_##name},
#include "passes/pipeline.def"
#undef PASS
#undef STAGE
};

static void verify(PassContext *cx, const Module *module, const char *after) {
    const char *wrong = graph_verify(module, cx->scratch);
    if (wrong) bug(module->arena, "after %s: %s", after, wrong);
}

bool pipeline_run(PassContext *cx, Module *module, const char *last) {
    ArenaMark mark = arena_mark(cx->scratch);
    const size_t count = sizeof rows / sizeof *rows;
    for (size_t i = 0; i < count; i++) {
        const Row *row = &rows[i];
        if (!row->run(cx, module)) return false;
        /* Stage marks belong to the pass before them. */
        while (i + 1 < count && !rows[i + 1].run) module->stage = rows[++i].stage;
        verify(cx, module, row->name);
        if (cx->watch) cx->watch(cx->watcher, row->name, module);
        arena_release(cx->scratch, mark);
        if (last && !strcmp(row->name, last)) break;
    }
    return true;
}
