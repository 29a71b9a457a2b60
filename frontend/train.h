/* Inside of train_build: what its parts share. */
#ifndef TN_FRONTEND_TRAIN_H
#define TN_FRONTEND_TRAIN_H

#include "frontend/builtin.h"
#include "frontend/load.h"

/* Sites of random numbers, so that no two entries draw the same: see SITES_INIT. */
#define SITES_REPORT (1 << 21)
#define SITES_ATTACK (1 << 22)

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

/* train_report.c */
typedef struct Reporting {
    const char *name;
    const Ast *value; /* NULL: the loss, or that there is no embedding */
    Run *run;
    Value total;
    bool rises;
} Reporting;
bool train_report(Training *t, Reporting *report, uint32_t number);
void run_move_last(Run *run, const char *port); /* among its inputs */
Func *train_report_finish(Training *t, const Reporting *report);
bool train_embedding(Training *t, Reporting *embedding);
Func *train_embedding_finish(Training *t, const Reporting *embedding);

/* train_attack.c: the block's attack, where one is wanted and there is one; else report->run
 * stays NULL. */
bool train_attack(Training *t, Reporting *report);
void train_attack_finish(Training *t, const Reporting *report);

#endif
