/* Inside of train_build: what its parts share. */
#ifndef TN_FRONTEND_TRAIN_H
#define TN_FRONTEND_TRAIN_H

#include "frontend/builtin.h"
#include "frontend/load.h"

/* Sites of random numbers, so that no two entries draw the same: see SITES_INIT. */
#define SITES_REPORT    (1 << 21)
#define SITES_ATTACK    (1 << 22)
#define SITES_EMBEDDING (3 << 21)

typedef struct Training {
    Loaded *l;
    const AstTrain *ast;
    const AstArgs *args;   /* of the call `finetune(...)`; NULL: by name alone */
    const AstTrain *phase; /* of the step under construction; NULL: none, or a report */
    TrainBlock *block;
    const char *word; /* that names of its entries begin with */
    Model own;        /* the block's state */
    Models models;
    Elab e;
    Env env;            /* parameters, `let` and `state`, in the run under construction */
    const Ast *augment; /* NULL: none */
} Training;

/* train.c */
const Ast *training_field(Training *t,
                          const char *name); /* the phase's, else the block's */
bool training_function(Training *t, const char *name, Span *span, const Closure **f);
void training_bind(Training *t); /* t->env anew, in the run under construction */

/* train_data.c: the data set, and entries' inputs from it. */
bool train_data(Training *t);
/* Calls f with the data of a batch. */
Value train_call(Training *t, const Closure *f, bool augment, Span span);

/* train_step.c */
typedef struct Step {
    const char *name; /* of the phase */
    const AstTrain *phase;
    int64_t epochs_before, epochs;
    Run *run;
    Value loss;
} Step;
bool train_step(Training *t, Step *step);
Func *train_step_finish(Training *t, const Step *step, const char *name);

/* Something that is computed from a batch in evaluation mode; without a run there is none. */
typedef struct Measure {
    Run *run;
    Value value;
} Measure;

/* train_report.c */
typedef struct Reporting {
    const char *name;
    const Ast *ast; /* NULL: the loss */
    Value total;
    bool rises;
} Reporting;
typedef struct Report {
    Run *run; /* of all figures: what they share is computed once */
    uint32_t figures;
    Reporting *figure;
} Report;
void train_report_list(Training *t, Report *report);
bool train_report(Training *t, Report *report);
void train_report_finish(Training *t, const Report *report);
Run *measure_begin(Training *t, int64_t sites);
void run_move_last(Run *run, const char *port); /* among its inputs */

/* train_embedding.c */
bool train_embedding(Training *t, Measure *embedding);
void train_embedding_finish(Training *t, const Measure *embedding);

/* train_attack.c: the block's attack, where one is wanted and there is one. */
bool train_attack(Training *t, Measure *attack);
void train_attack_finish(Training *t, const Measure *attack);

#endif
