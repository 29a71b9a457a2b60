/* Inside of the C API: what contexts, programs and models are, over sessions. */
#ifndef TN_TOOLS_API_H
#define TN_TOOLS_API_H

#include "tenon.h"
#include "tools/session.h"

struct tn_context {
    char cpu[64], cache[4096], data[4096]; /* "": the default */
    int threads;                           /* 0: the default */
    bool no_winograd;
    char error[2 * MESSAGE_BYTES + 64]; /* of the last call */
    Guard guard;
    Arena report; /* holds the diagnostics of the last call that read a program */
    size_t diagnostics;
    tn_diagnostic *diagnostic;
    const char *text;
    tn_program *programs; /* a list */
};

typedef struct ApiSet {
    const char *at[2]; /* field, value */
} ApiSet;

struct tn_program {
    tn_context *context;
    tn_program *next;
    Guard guard;
    Arena arena; /* text, names and values of what follows */
    const char *path, *text;
    size_t length;
    VEC(Binding) bindings;
    VEC(ApiSet) sets;
    size_t entries, trains;
    const char **entry, **train; /* their names */
    Session *list; /* with open dimensions, for what follows; NULL: bound anew since */
    VEC(const tn_signature *) signatures; /* those asked for; of list's arena */
    VEC(const tn_train *) blocks;
    Session *emitted; /* owns the last text of an emit */
    tn_model *models; /* a list */
};

/* What an array is checked against. */
typedef struct ApiPlace {
    const char *name, *text; /* "x", "f32[N, 28, 28, 1]" */
    const Type *type;
    const Dims *dims;
} ApiPlace;

typedef struct ApiEntry {
    Callable callable;
    uint32_t inputs, outputs;
    const ApiPlace *input, *output;
    bool has_state;
} ApiEntry;

struct tn_model {
    tn_program *program;
    tn_model *next;
    Session *session;
    uint32_t entries, inits;
    ApiEntry *entry;
    const Func **init; /* they set the state, the later ones win */
    ApiPlace *slot;    /* [session->layout->slots], as the next two */
    tn_port *shown;
    bool *written; /* the slot has a value */
};

/* context.c */
/* Begins a call: forgets the words of the last one. */
void api_begin(tn_context *context);
/* Ends one that failed: keeps the words, returns `status`. */
tn_status api_fail(tn_context *context, tn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
tn_status api_missing(tn_context *context, const char *what); /* an argument is NULL */
/* The same from a guard that caught something. */
tn_status api_raised(tn_context *context, const Guard *guard);

/* Whether a file of weights can be read at all. */
tn_status api_readable(tn_context *context, const char *path);

/* Loaders of files answer in words, and all say it in these when memory ends. */
tn_status api_file(const char *words, tn_status otherwise);

/* What a body needs and what it says; the session's `context`. */
typedef struct ApiCall {
    tn_program *program;
    tn_model *model;
    const char *name, *level, *after;
    const char *const *names;
    size_t count;
    const char *path, *weights;
    tn_status failed; /* set by the body where its Status says too little */
    const void *out;
} ApiCall;

/* Runs `body` in the session.  Where `reads`, its diagnostics become the context's. */
tn_status api_run(tn_context *context, Session *session, ApiCall *call, SessionBody *body,
                  bool reads);

/* program.c: a session with the settings of context and program; NULL: memory. */
Session *api_session(tn_program *program);
/* Loads it; dimensions without a binding stay symbols. */
Status api_load(Session *session, ApiCall *call);
/* The list's session goes on from call to call; its messages do not. */
void api_forget(Session *session);
/* Runs `body` in the list's session, which is opened where it is not. */
tn_status api_ask(tn_program *program, ApiCall *call, SessionBody *body);
/* The list's session, opened where it is not. */
tn_status api_list(tn_program *program);
/* Forgets it, and what came from it. */
void api_unlist(tn_program *program);

/* want.c: an entry of the file, or one of a train block's; NULL: reported. */
const Func *api_func(Session *session, ApiCall *call, const char *name);
/* Wants an entry or a train block, which must leave no dimension open. */
Status api_want(Session *session, ApiCall *call, const char *name);

/* An init for what `name` wants; NULL: it has none. */
Func *api_init(const Program *program, const char *name);
/* Names are there, and none is there twice. */
tn_status api_names(tn_context *context, const char *const *names, size_t count);

/* port.c */
tn_elem api_elem(Elem elem);
tn_dtype api_dtype(Elem elem);
const char *api_dtype_name(const tn_dtype *dtype); /* NULL: none of ours */
tn_port api_port(const Dims *dims, Arena *arena, const Port *port);
ApiPlace api_place(Session *session, const char *name, const Type *type);

/* array.c: whether `array` fits.  *n is the run-time dimension, where an array has told. */
#define API_UNKNOWN INT64_MIN
tn_status api_check(tn_context *context, const ApiPlace *place, const tn_array *array,
                    int64_t *n);
void *api_data(const tn_array *array);
bool api_overlap(const tn_array *a, const tn_array *b);

#endif
