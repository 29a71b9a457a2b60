/* tenon eval --attack: an attack on the test part, its figures and what is kept of it. */
#ifndef TN_TOOLS_ATTACK_H
#define TN_TOOLS_ATTACK_H

#include "tools/training.h"

#define MAX_EPS 64

/* What attack_report (frontend/prelude/attacks.tn) gives for each example. ORDER */
typedef enum Column {
    COLUMN_right,
    COLUMN_held,
    COLUMN_l2,
    COLUMN_linf,
    COLUMN_before,
    COLUMN_after,
    COLUMN_steepest,
    COLUMN_once,
    COLUMNS
} Column;

typedef struct Attack {
    Training *t;
    Callable entry;
    int64_t count; /* examples of the test part */
    uint32_t grid; /* values of eps; 0: the method has its own */
    double eps[MAX_EPS];
    float *column[COLUMNS]; /* [count] of the last eps; owned */
    int32_t *label;         /* [count]; owned */
    Tensor image;           /* the attacked inputs of the last eps; owned */
} Attack;

/* Shares are of 1; a norm is of the examples that were right and are not any more. */
typedef struct AttackFigures {
    double eps; /* NAN: the method's own */
    int64_t count, right, held, once, flat, sunk;
    double low, high; /* 95 % interval of the share that holds (Wilson) */
    double l2_mean, l2_median, linf_mean, linf_median;
} AttackFigures;

/* attack.c: the values of --eps, none where it is not given. */
Status attack_grid(Session *session, double eps[MAX_EPS], uint32_t *count);
/* Whether the options of an attack fit the block's. */
Status attack_check(const Training *training);
/* Prints the figures, or gives them as *rows where that is not NULL; the caller
 * drops them. */
Status attack_run(Training *t, json_t **rows);

/* attack_figures.c */
void attack_figures(const Attack *attack, double eps, AttackFigures *out);
json_t *attack_row(const Attack *attack, const AttackFigures *f); /* classes included */
void attack_print(const Attack *attack, const AttackFigures *f);
void attack_warn(const AttackFigures *f, uint32_t count); /* signs of gradient masking */

/* attack_files.c: curve.csv, curve.svg, adversarial.npy, adversarial.png in --out. */
Status attack_keep(const Attack *attack, const AttackFigures *f, uint32_t count,
                   const json_t *rows);

#endif
