/* From a file to entries that can be called: what the verbs and the C API (tools/api/)
 * stand on.  Sessions neither print nor exit; session_run.c does, for the verbs. */
#ifndef TN_TOOLS_SESSION_H
#define TN_TOOLS_SESSION_H

#include "codegen/backend.h"
#include "frontend/program.h"
#include "passes/pass.h"
#include "tools/clock.h"
#include "tools/command.h"
#include "tools/data.h"
#include "tools/tensor.h"

#define MAX_PORTS 64 /* inputs, and outputs, of an entry that the command can call */

typedef struct Callable {
    const char *name;
    const Func *func;
    const Plan *plan;
    tn_entry *entry;
    double first_s; /* share of the compile time */
} Callable;

/* All of it is the caller's and lives as long as the session. */
typedef struct SessionSettings {
    const char *text; /* of the program; NULL: the file's */
    size_t length;
    const char *cpu, *data; /* NULL: this processor; the usual folders of data sets */
    const char *cache;      /* folder of compiled objects, NULL: none */
    int threads;            /* 0: the processor's */
    bool no_winograd;       /* all convolutions directly */
    bool library;           /* wanted code is called through a shared object */
    bool with_init;         /* entries get an init of their own */
    bool with_attack;       /* train blocks get the entry of their attack */
    double greatest_eps;    /* of attacks that leave it open, 0: unknown */
    uint32_t bindings, sets;
    const Binding *binding;
    const char *const (*set)[2]; /* fields of train blocks: name, source text */
} SessionSettings;

typedef struct SessionLibrary SessionLibrary;

typedef struct Session {
    Guard guard;
    Arena arena, scratch;
    Diag diag;
    char failure[2 * MESSAGE_BYTES]; /* what went wrong outside of the program; or "" */
    SessionSettings settings;
    const Options *options; /* the verb's; NULL in the C API */
    const char *path;       /* of the program */
    void *context;          /* the body's own */
    Target target;
    PassWatch *watch; /* of session_passes; NULL: nobody */
    void *watcher;
    DataShelf shelf;
    DataLookup lookup;
    ProgramOptions program_options; /* as long as the program */
    Program *program;
    bool is_graph; /* the file was the graph's own text: entries only, made already */
    VEC(Func *) wanted; /* entries that session_compile makes callable */
    const Func *init;   /* of them: the first values of a train block, or NULL */
    const Layout *layout;
    const Plan **plan; /* [wanted.count] */
    Jit *jit;
    SessionLibrary *library; /* one of the two */
    tn_pool *pool;           /* NULL with one thread */
    tn_parallel parallel;    /* used when there is a pool, or `timed` */
    bool timed;
    void *state, *work; /* blocks for the largest entry */
    struct {
        double frontend, passes, plan, code; /* seconds spent in each */
    } spent;
} Session;

Session *session_open(const char *path,
                      const SessionSettings *settings); /* NULL: memory */
void session_close(Session *session);                   /* or NULL */

/* Runs `body`; memory that ends and invariants that break come back here as a status.
 * Where it is not STATUS_OK, `failure` or `diag` has words. */
typedef Status SessionBody(Session *session);
Status session_guard(Session *session, SessionBody *body);

/* session_run.c: opens a session for a verb, runs `body` in it and prints what went wrong on
 * stderr. */
Status session_run(const Options *options, const char *path, SessionBody *body,
                   void *context);

/* Keeps the words as the session's failure; returns `status`. */
Status session_fail(Session *session, Status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Loads the program.  `data`: whether train blocks are elaborated, and on data sets that are
 * loaded or only described.  `more` are bindings besides the settings'; OPEN and LIST keep
 * the dimensions that no binding names as symbols, and LIST describes data too. */
typedef enum SessionData {
    DATA_NONE,
    DATA_OPEN,
    DATA_LIST,
    DATA_DESCRIBE,
    DATA_LOAD
} SessionData;
Status session_load(Session *session, SessionData data, const Binding *more,
                    uint32_t count);
/* The text alone, as a source of `diag`.  false: said. */
bool session_source(Session *session, uint32_t *source);

/* An entry, or a train block with all its entries, is to be compiled.  NULL: reported. */
const Entry *session_want_entry(Session *session, const char *name);
const TrainBlock *session_train(Session *session, const char *name); /* not wanted yet */
const TrainBlock *session_want_train(Session *session, const char *name);
bool session_names_train(const Session *session, const char *name);
void session_want(Session *session, Func *func);
void session_want_init(Session *session, Func *init); /* the first values of a block */
/* By either name; none: the first train block, else the first entry. */
Status session_want_named(Session *session, const char *name);

/* The passes, up to and including `last` (NULL: all). */
Status session_passes(Session *session, const char *last);
/* Passes, layout and plans of what is wanted. */
Status session_plan(Session *session);
/* All of it, and code, pool, state (zero) and work. */
Status session_compile(Session *session);

/* levels.c: the text of what is wanted at a level: "ast", "graph" (after the pass `after`,
 * NULL: before all), "groups", "loops", "plan", "llvm", "asm". */
Status session_emit(Session *session, const char *level, const char *after, Text *out);
const char *level_name(uint32_t i); /* NULL beyond the last */
bool level_known(const char *name);
bool pass_known(const char *name, const char **near); /* near: may be NULL */

Callable session_entry(Session *session, const Func *func);
/* Ports with the role, in order; returns their number. */
uint32_t func_inputs(const Func *func, const Port *port[MAX_PORTS]);
uint32_t func_outputs(const Func *func, const Port *port[MAX_PORTS]);

/* `n` is used where the entry has a run-time dimension. */
Status session_call(Session *session, const Callable *callable, const void *const *in,
                    void *const *out, int64_t n);
/* The state block from the block's init entry, or from --weights, or both. */
Status session_init(Session *session, const Func *init, int64_t seed);
Status session_weights(Session *session, const char *path);

/* session_library.c: a shared object in place of the JIT.  It is on the disk as long as the
 * session, in a folder below TMPDIR. */
typedef struct LibraryTimes {
    double open,
        init; /* seconds: of loading it and making a state; of the second alone */
} LibraryTimes;
Status session_library_compile(Session *session, int threads); /* and a state */
Status session_library_init(Session *session, int64_t seed);
void *session_library_state(const Session *session);
tn_entry *session_library_entry(const Session *session, const Func *func);
/* The least times of `rounds`; entries that were looked up before are gone. */
Status session_library_time(Session *session, uint32_t rounds, LibraryTimes *best);
void session_library_free(Session *session);

/* Where compiled objects are kept, NULL when nowhere; made when it is not there. */
const char *cache_folder(Arena *arena);
int processor_count(void);
int session_threads(const Session *session);
double session_compile_seconds(const Session *session); /* from text to code */

#endif
