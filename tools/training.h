/* A training run: its place in the data, its figures, its folder. */
#ifndef TN_TOOLS_TRAINING_H
#define TN_TOOLS_TRAINING_H

#include "tools/session.h"
#include <jansson.h>

#define MAX_FIGURES 16

/* Means over one part of the data, in the order of the block's figures. */
typedef struct Figures {
    bool there; /* false: that part has no examples */
    double value[MAX_FIGURES];
} Figures;

typedef struct Training {
    Session *session;
    const TrainBlock *block;
    const DataSet *data;
    Callable *phase; /* [block->phases] steps */
    Callable report;
    int64_t seed, batch, train_count, steps; /* steps an epoch */
    int64_t replay;                          /* steps in a row on each batch */
    int64_t epoch, at; /* epochs that are complete, steps of the one under way */
    int64_t from;      /* step at which this process began the epoch */
    double loss_sum;   /* over the `at` steps */
    /* Time spent in steps.  No part of checkpoints: equal runs write equal files. */
    double seconds, epoch_s; /* of all epochs; of this one, from step `from` on */
    double best;             /* see training_score */
    int64_t best_epoch;      /* 1-based; 0: none yet */
    int64_t *order;          /* [train_count] of this epoch; owned */
    void *row[MAX_FIELDS];   /* one batch of each field; owned */
    const char *folder;      /* NULL: nothing is kept */
    void *kept;              /* the state before step `kept_at` of this epoch; owned */
    int64_t kept_at;
} Training;

/* training.c: batches, steps and reports. */
Status training_begin(Training *t, Session *session, const char *block);
void training_end(Training *t);
Status training_step(Training *t, float *loss); /* the next one of the epoch */
/* Examples order[0 .. count) of a part to the rows; the rest of the batch repeats the last. */
void training_gather(Training *t, const Tensor *part, const int64_t *order,
                     int64_t count);
const Callable *training_phase(const Training *t); /* the step of the epoch under way */
bool training_is_finite(const Training *t);        /* all that a checkpoint would hold */
Status training_evaluate(Training *t, Figures *valid, Figures *test);
/* The entry's only output, `width` numbers for each of the part's first `count` examples. */
Status training_rows(Training *t, const Callable *entry, const Tensor *part,
                     int64_t count, size_t width, float *out);
/* What the best checkpoint is chosen by, larger is better: over the validation split, else
 * the test part, the first report that rises, else the negative loss. */
double training_score(const Training *t, const Figures *valid, const Figures *test);

/* run_folder.c: DIR/metrics.jsonl, plot.svg, last.safetensors, best.safetensors. */
Status run_folder_open(Training *t);   /* a fresh run; an earlier one is moved aside */
Status run_folder_resume(Training *t); /* state and place from last.safetensors */
Status run_folder_save(Training *t, const char *name);
Status run_folder_metrics(Training *t, const json_t *row); /* one line */
void run_folder_plot(Training *t);

/* replay.c: before each step; and after one whose loss or state is no number: it is run again
 * in the evaluator, and the session's diagnostics tell which op began it. */
void replay_keep(Training *t);
void replay_step(Training *t);

/* progress.c: what a person sees. */
json_t *progress_row(const Training *t, double loss, const Figures *valid,
                     const Figures *test);
void progress_step(const Training *t);                     /* one line, drawn again */
void progress_epoch(const Training *t, const json_t *row); /* one line that stays */
void progress_clear(void);

/* explain.c: what each pass makes of a block's step; nothing is trained. */
Status explain_body(Session *session);

#endif
