/* What a .tn file becomes: entries in a module, and the training blocks around them. */
#ifndef TN_FRONTEND_PROGRAM_H
#define TN_FRONTEND_PROGRAM_H

#include "ir/graph.h"

/* What a data set looks like; the caller looks it up when a train block or an entry needs
 * it. */
typedef struct DataField {
    const char *name; /* "x", "y" */
    Elem elem;        /* as in memory; u8 images become f32 in [0, 1] inside the entry */
    uint32_t rank;    /* of one example */
    int64_t dim[MAX_RANK];
} DataField;
typedef struct DataInfo {
    int64_t train_count, test_count;
    uint32_t fields, classes; /* classes: 0 unknown */
    DataField field[4];
} DataInfo;

/* data = fashion_mnist(batch = 300, validate = 5000), idx("a.gz", "b.gz", ...), ... */
typedef struct DataSpec {
    const char *kind; /* "fashion_mnist", "mnist", "cifar10", "idx", "npy", "npz", ... */
    uint32_t paths;
    const char *const *path; /* string arguments, in order */
    int64_t batch, validate;
    int64_t replay;            /* steps taken on each batch; 0: one */
    int64_t examples, classes; /* of "synthetic", random numbers for timing: */
    uint32_t rank;             /* x is f32 of shape `dim`, y i32 below `classes`; */
    int64_t dim[MAX_RANK];     /* the frontend describes it and asks no lookup */
    Span span;
} DataSpec;

typedef struct DataLookup {
    void *context;
    /* false: `message` (512 bytes) says why, and the frontend reports it at the spec's
     * span. */
    bool (*find)(void *context, const DataSpec *spec, DataInfo *info, char *message);
} DataLookup;

/* One reported figure: the sum over the examples divided by their number. */
typedef struct Figure {
    const char *name;
    bool
        rises; /* it counts truths, as accuracy does: the best checkpoint has most of them */
} Figure;

/* Epochs with a step of their own; a block without phases is one. */
typedef struct Phase {
    const char *name;
    int64_t epochs;
    Func *step; /* state ports, fields -> state ports (aliased), loss: f32[] */
} Phase;

typedef struct TrainBlock {
    const char *name;
    Span span;
    bool awaits; /* a parameter has no default: only a call can be elaborated */
    DataSpec data;
    DataInfo info;
    int64_t epochs; /* of all phases */
    Func *init;     /* seed: i32[] (input) -> every slot of the state block */
    Func *step;     /* of the first phase */
    uint32_t phases;
    const Phase *phase; /* in their order */
    /* State ports, the data's fields, valid: i32[] -> the sum of each figure, f32[], in
     * their order; examples from `valid` on (the padding of the last batch) count nothing. */
    Func *report;
    uint32_t figures;
    const Figure *figure; /* the loss over held-out data first */
    /* With an attack: state ports, fields, eps: f32[] where the method leaves it open ->
     * what attack_report of the prelude gives, f32 for each example.  Else NULL. */
    Func *attack;
    bool attack_by_eps;
    Func *embedding; /* state ports, fields -> embedding: f32[batch, D]; NULL: none */
} TrainBlock;

/* An expression that `run` may call: a net or loss with tensor parameters only. */
typedef struct Entry {
    const char *name;
    Func *func;
    Func *init; /* with_init: seed: i32[] (input) -> every slot that `func` reads */
} Entry;

typedef struct Binding {
    const char *name; /* "N" */
    int64_t value;
    bool is_max; /* run-time dimension with this maximum */
} Binding;

typedef struct ProgramOptions {
    uint32_t bindings;
    const Binding *binding; /* of dimensions that stay open in the file */
    bool keep_open;         /* others become symbols: enough to see an entry's ports by */
    bool with_init;         /* entries get an init of their own */
    bool with_attack;       /* train blocks get the entry of their attack */
    double greatest_eps;    /* that an attack with open eps will be given; 0: unknown */
    uint32_t settings; /* --set epochs=3: name and source text of a train block's field */
    const char *const (*setting)[2];
    const DataLookup *lookup; /* NULL: train blocks are checked but not elaborated */
} ProgramOptions;

typedef struct Program {
    Module *module;
    uint32_t entries, trains;
    const Entry *entry;
    const TrainBlock *train;
} Program;

/*
 * Parses and checks the file at `path` and the files it uses, every function and net once
 * with rigid dimensions.  All mistakes go to `diag`.  NULL when there are errors.
 */
Program *program_load(Arena *arena, Diag *diag, const char *path,
                      const ProgramOptions *options);
/* The same from text in memory, under the name `path`; NULL: from the file. */
Program *program_load_text(Arena *arena, Diag *diag, const char *path, const char *text,
                           size_t length, const ProgramOptions *options);

/* Whether a binding of `name` reaches an input of any entry. */
bool program_has_dim(const Program *program, const char *name);

/* Elaborates on demand: an entry by name (NULL: unknown or wrong, see diag), or a block.
 */
const Entry *program_entry(Program *program, const char *name);
/* `name` is a block's name, or a call of it such as `finetune(rate = 0.1)`; NULL: the first. */
const TrainBlock *program_train(Program *program, const char *name);

#endif
