/* Inside of program.h: a program with all that its parts share. */
#ifndef TN_FRONTEND_LOAD_H
#define TN_FRONTEND_LOAD_H

#include "frontend/elaborate.h"
#include "frontend/program.h"

typedef struct Loaded {
    Program program; /* first: a Program * is a Loaded * */
    Arena *arena;
    Diag *diag;
    Unit *prelude, *unit;
    uint32_t prelude_sources;
    VEC(const AstFile *) files; /* the user's */
    VEC(const AstTrain *) trains;
    VEC(Entry) entries;
    VEC(TrainBlock) blocks;
    VEC(TrainBlock *) called;      /* with arguments */
    VEC(const char *) paths, open; /* read already; being read */
    const ProgramOptions *options;
    VEC(AstArg) settings; /* --set, parsed */
    uint32_t bodies;
} Loaded;

/* load.c */
/* From `text` where it is not NULL. */
bool load_files(Loaded *loaded, const char *path, const char *text, size_t length);

/* resolve.c: names of every function of a file, without elaborating; false: one leads back
 * to itself, so that nothing of the file can be elaborated. */
bool resolve_file(Loaded *loaded, const AstFile *file);
/* check.c: every function of a file elaborated alone, with rigid dimensions. */
void check_file(Loaded *loaded, const AstFile *file);
/* check_train.c: the fields of training blocks. */
bool read_settings(Loaded *loaded);
bool check_train(Loaded *loaded, const AstTrain *train);
bool check_train_call(Loaded *loaded, const AstTrain *train, const AstArgs *args,
                      Span span);
const Ast *train_setting(Loaded *loaded, const char *name); /* --set; NULL: none */

/* entry.c */
Elab entry_elab(Loaded *loaded, Module *module);
Run *run_new(Elab *e, Models *models);
Func *run_finish(Elab *e, Run *run, const char *name);
bool is_entry(const AstFunction *function);
/* Whether an input that a call brings has the dimension `name`. */
bool entry_has_dim(const Unit *unit, const AstFunction *function, const char *name);
/* *init, where it is wanted: what gives the entry's state its first values. */
Func *entry_build(Loaded *loaded, const AstFunction *function, Func **init);

/* init.c: the entry NAME_init(seed: i32[]) of all slots of the models; and of the seed and
 * the step where there are such.  NULL: reported. */
#define SITES_INIT (1 << 20) /* of random numbers, so that no two entries draw the same */
Func *init_build(Elab *e, Models *models, const char *name, bool seed, bool step,
                 Span span);

/* train.c */
typedef struct TrainCall {
    const AstTrain *ast;
    const AstArgs *args; /* NULL: by its name alone */
    const char *word;    /* that names of its entries begin with */
} TrainCall;
bool train_build(Loaded *loaded, const TrainCall *call, TrainBlock *block);

#endif
