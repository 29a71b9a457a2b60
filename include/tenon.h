/*
 * tenon.h: the compiler as a library.  C99 and C++; link with -ltenon.
 *
 *     tn_context *context = tn_context_new();
 *     tn_program *program = NULL;
 *     tn_model *model = NULL;
 *     if (tn_program_load(context, "lenet.tn", &program) == TN_STATUS_OK &&
 *         tn_program_bind(program, "N", 1) == TN_STATUS_OK &&
 *         tn_model_compile(program, (const char *[]){"lenet"}, 1, &model) == TN_STATUS_OK &&
 *         tn_model_load_weights(model, "lenet.safetensors") == TN_STATUS_OK)
 *         tn_model_call(model, "lenet", in, 1, out, 2);
 *     fputs(tn_context_error(context), stderr);
 *     tn_context_free(context);
 *
 * A context holds options and the words of the last error; a program is a text that was
 * loaded; a model is machine code for some of its entries, with the parameters they work on.
 *
 * Threads: a context, and all that was made from it, is used by one thread at a time.
 * Different contexts may be used by different threads at the same time.  In the child of a
 * fork they work on, models of before the fork with one thread.
 *
 * Errors are values: every function that can fail returns a tn_status; the library neither
 * prints nor exits.  A failed call leaves its arguments as they were, except where its
 * description says otherwise.  Memory that ends is TN_STATUS_MEMORY, with one exception: LLVM
 * ends the process when its own memory ends, inside of tn_model_compile,
 * tn_program_compile and tn_program_emit.
 *
 * Ownership: what a function ending in _free takes is the caller's; every other pointer that
 * the library gives belongs to the object it came from.  Strings are UTF-8 and end in NUL.
 */
#ifndef TENON_H
#define TENON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ---------------------------------------------------------------------------- */

/* What a call returns.  Numbers never change their meaning; those below 32 are also what
 * compiled objects return (tenon_object.h). */
typedef enum tn_status {
    TN_STATUS_OK = 0,
    TN_STATUS_NULL = 1,  /* a pointer that must not be NULL is */
    TN_STATUS_RANGE = 3, /* a run-time dimension, a seed or an index is out of range */
    TN_STATUS_CPU = 4,   /* this processor lacks what the code was compiled for */
    TN_STATUS_STATE = 6, /* parameters have no values yet */
    TN_STATUS_ALIGNMENT = 8, /* an array's data is not a multiple of its element's size */
    TN_STATUS_PROGRAM = 32,  /* the text has mistakes: see tn_context_diagnostic */
    TN_STATUS_OPTION = 33,   /* an option, level or value is unknown or out of range */
    TN_STATUS_ENTRY = 34,    /* no entry or train block of that name, or not compiled */
    TN_STATUS_OPEN = 35,     /* a dimension of the entry was not bound */
    TN_STATUS_NAME = 36,     /* the state has no slot of that name */
    TN_STATUS_COUNT = 37,    /* too few or too many arrays */
    TN_STATUS_DTYPE = 38,    /* an array has another element type */
    TN_STATUS_SHAPE = 39,    /* an array has another shape or number of dimensions */
    TN_STATUS_STRIDES = 40,  /* an array is not dense and row-major */
    TN_STATUS_DEVICE = 41,   /* an array does not lie in the CPU's memory */
    TN_STATUS_OVERLAP = 42,  /* a result lies over another array of the call */
    TN_STATUS_FILE = 43,     /* a file cannot be read or written */
    TN_STATUS_WEIGHTS = 44,  /* a file's weights are damaged, or not those of the model */
    TN_STATUS_MEMORY = 45,   /* memory ended */
    TN_STATUS_SYSTEM = 46,   /* the system refused something else, such as a thread */
    TN_STATUS_BUG = 47       /* an invariant of the library is broken: please report it */
} tn_status;

/* "TN_STATUS_SHAPE"; "TN_STATUS_UNKNOWN" for a number that is none. */
const char *tn_status_name(tn_status status);
/* One line of words for it, such as the comment above; "" for a number that is none. */
const char *tn_status_text(tn_status status);

/* The version of the library that runs, "MAJOR.MINOR.PATCH". */
const char *tn_version(void);

/* ---- arrays ---------------------------------------------------------------------------- */

#define TN_MAX_RANK 8

/* The element types of tensors. */
typedef enum tn_elem { TN_BOOL, TN_U8, TN_I32, TN_F32, TN_F64 } tn_elem;

/* DLPack's DLDataType: code 0 signed, 1 unsigned, 2 float, 6 bool; bits; lanes 1. */
typedef struct tn_dtype {
    uint8_t code, bits;
    uint16_t lanes;
} tn_dtype;

/* DLPack's DLDevice: type 1 is the CPU, the only one that is taken. */
typedef struct tn_device {
    int32_t type, id;
} tn_device;

/*
 * An array, in the memory layout of DLPack's DLTensor (dlpack.h, version 1.0): a pointer to
 * one may be given as a pointer to the other.  The library only looks at it during the call.
 */
typedef struct tn_array {
    void *data; /* the caller's; with byte_offset a multiple of the element's size */
    tn_device device;
    int32_t ndim; /* 0 (a scalar) to TN_MAX_RANK */
    tn_dtype dtype;
    int64_t *shape;   /* [ndim]; may be NULL where ndim is 0 */
    int64_t *strides; /* [ndim], in elements; NULL: dense and row-major, which is all that
                         is taken; the stride of a dimension of extent 1 is free */
    uint64_t byte_offset;
} tn_array;

/* A dense row-major array over `data` in the CPU's memory.  Both pointers are kept, not what
 * they point to; `shape` is [ndim].  An element type out of range gives dtype code 255. */
tn_array tn_array_of(tn_elem elem, void *data, int32_t ndim, int64_t *shape);

/* ---- context --------------------------------------------------------------------------- */

typedef struct tn_context tn_context;

/* A context with the defaults of the setters below; NULL when memory ends. */
tn_context *tn_context_new(void);
/* Frees it with all its programs and models.  NULL is taken. */
void tn_context_free(tn_context *context);

/* The processor to compile for, by LLVM's name ("x86-64-v3", "znver3"); NULL or "native":
 * the one this runs on, the default.  TN_STATUS_OPTION: no such processor. */
tn_status tn_context_set_cpu(tn_context *context, const char *cpu);
/* Threads that compile and that serve a call, 1 to 1024; 0: as many as this process may use
 * at once, the default.  Results do not depend on it. */
tn_status tn_context_set_threads(tn_context *context, int threads);
/* Whether 3x3 convolutions may be computed by Winograd's tiles, the default: about twice as
 * fast, with errors of up to 1e-4 of the results' root mean square, directly 1e-5.  0: none;
 * else 1. */
tn_status tn_context_set_winograd(tn_context *context, int allowed);
/* A folder where compiled kernels are kept and found again, made when it is not there; NULL:
 * none, the default.  Processes may share it.  A folder that cannot be written is no error:
 * nothing is kept. */
tn_status tn_context_set_cache(tn_context *context, const char *folder);
/* A folder in which the data sets of train blocks are looked for that name files; NULL: as
 * the command does, the default. */
tn_status tn_context_set_data(tn_context *context, const char *folder);

/* What the last call on this context, or on something made from it, had to say when it
 * failed; "" after a call that did not.  Valid until the next call. */
const char *tn_context_error(const tn_context *context);

typedef enum tn_severity {
    TN_SEVERITY_ERROR,
    TN_SEVERITY_WARNING,
    TN_SEVERITY_NOTE
} tn_severity;

/* A message about a program.  Valid until the next load, compile or emit. */
typedef struct tn_diagnostic {
    tn_severity severity;
    const char *path; /* of the file; "" where no place is known */
    uint32_t line,
        column; /* from 1, the column in code points; 0 where no place is known */
    const char *message;
    const char *hint; /* NULL: none */
} tn_diagnostic;

/* The number of messages of the last load, compile, signature or emit. */
size_t tn_context_diagnostics(const tn_context *context);
/* Message number i.  TN_STATUS_RANGE: there are fewer. */
tn_status tn_context_diagnostic(const tn_context *context, size_t i, tn_diagnostic *out);
/* All of them as the command prints them, with the source line and a caret; "" for none. */
const char *tn_context_diagnostics_text(const tn_context *context);

/* ---- program --------------------------------------------------------------------------- */

typedef struct tn_program tn_program;

/*
 * Loads and checks a program, and the files it uses, from a file; `*program` is NULL where
 * that fails.  A path that ends in ".graph" holds the text of a graph (`tenon emit graph`).
 * TN_STATUS_PROGRAM: see the diagnostics.  TN_STATUS_FILE: cannot be read.
 */
tn_status tn_program_load(tn_context *context, const char *path, tn_program **program);
/* The same from `length` bytes of text, which are copied.  `path` is the name that messages
 * give it; files that it uses are looked for beside it. */
tn_status tn_program_parse(tn_context *context, const char *path, const char *text,
                           size_t length, tn_program **program);
/* Frees the program and every model made from it.  NULL is taken. */
void tn_program_free(tn_program *program);

/* Gives a dimension that entries leave open a size, for signatures and models made from now
 * on; a later call replaces it.  size: 1 to 2^46, TN_STATUS_OPTION beyond. */
tn_status tn_program_bind(tn_program *program, const char *dimension, int64_t size);
/* The same, and the dimension stays open until a call: any size from 1 to `most`.  It must be
 * the outermost one of inputs, and an entry has at most one. */
tn_status tn_program_bind_most(tn_program *program, const char *dimension, int64_t most);
/* Another value for a field of train blocks, as source text: "epochs", "3".  Mistakes in
 * it, unknown names included, are told by the next call that reads the program. */
tn_status tn_program_set(tn_program *program, const char *field, const char *value);

/* What an array of an entry is to its caller. */
typedef enum tn_role {
    TN_ROLE_INPUT,
    TN_ROLE_OUTPUT,
    TN_ROLE_PARAM, /* trained */
    TN_ROLE_STATE, /* carried from call to call, such as statistics */
    TN_ROLE_OPTIM, /* the optimiser's own */
    TN_ROLE_SEED,  /* of every random op, i32[] */
    TN_ROLE_STEP   /* number of training steps taken, i32[] */
} tn_role;

typedef struct tn_port {
    const char *name; /* "x"; of a slot of the state the path, "conv1.weight" */
    tn_role role;
    tn_elem elem;
    tn_dtype dtype; /* the same, as in tn_array */
    int32_t ndim;
    int64_t shape[TN_MAX_RANK]; /* -1: open; the maximum where bound by bind_most */
    const char *text;           /* "f32[N, 28, 28, 1]" */
} tn_port;

/* The arrays of an entry, in the order in which a call takes them, and its state. */
typedef struct tn_signature {
    const char *name;
    size_t inputs, outputs, slots;
    const tn_port *input, *output, *slot;
} tn_signature;

/* Some epochs of a train block; a block without phases has one. */
typedef struct tn_phase {
    const char
        *step; /* the entry: takes a batch of each field of the data, gives the loss */
    int64_t epochs;
} tn_phase;

/* A train block: fields of the text, and the names of its entries. */
typedef struct tn_train {
    const char *name;
    const char *data; /* kind of the data set: "fashion_mnist" */
    int64_t batch, epochs;
    size_t phases; /* one after the other */
    const tn_phase *phase;
    const char
        *report; /* the entry that takes a batch and how many of its rows count, and
                           gives the loss and each reported figure, summed over those */
} tn_train;

/* The number of entries (nets, losses and functions that can be called), and their names;
 * NULL beyond the last. */
size_t tn_program_entries(const tn_program *program);
const char *tn_program_entry(const tn_program *program, size_t i);
/* The same for train blocks. */
size_t tn_program_trains(const tn_program *program);
const char *tn_program_train(const tn_program *program, size_t i);

/* The arrays of an entry, those of train blocks included.  `*signature` is valid until the
 * next bind, set or free of the program. */
tn_status tn_program_signature(tn_program *program, const char *entry,
                               const tn_signature **signature);
/* What a train block holds; NULL name: the first.  Valid as long.  TN_STATUS_FILE: its data
 * set is named by files, and they cannot be read. */
tn_status tn_program_train_block(tn_program *program, const char *name,
                                 const tn_train **train);

/*
 * The text of an entry or train block at a level of the compiler: "ast", "graph", "groups",
 * "loops", "plan", "llvm" or "asm".  name NULL: the first train block, else the first entry.
 * `after` names the pass after which the graph is printed, NULL: before all; other levels
 * take NULL only.  `*text` belongs to the program until the next emit.
 */
tn_status tn_program_emit(tn_program *program, const char *level, const char *name,
                          const char *after, const char **text);

/*
 * Writes entries and train blocks as a library for C that needs nothing but libc: by the end
 * of `path` a shared object (.so, linked by the system's cc), an archive (.a) or an object
 * (.o), and beside it a header NAME.h that describes it.  names, count: as for
 * tn_model_compile.  c_name: what its names begin with, NULL: the file's name without "lib".
 * weights: a safetensors file whose parameters are embedded, NULL: none.
 * TN_STATUS_OPTION: another end, or no C identifier; TN_STATUS_FILE: the folder is missing, or
 * a file cannot be read; TN_STATUS_WEIGHTS, _ENTRY, _OPEN, _PROGRAM as elsewhere;
 * TN_STATUS_SYSTEM: no cc, or the disk is full; older files are as they were.
 */
tn_status tn_program_compile(tn_program *program, const char *path, const char *c_name,
                             const char *const *names, size_t count, const char *weights);

/* ---- model ----------------------------------------------------------------------------- */

typedef struct tn_model tn_model;

/*
 * Machine code for entries and train blocks of a program, `names`, with one state block that
 * they share and work memory.  count 0: the first train block, else the first entry.  Takes
 * tenths of seconds to seconds; milliseconds when the cache has it.
 * TN_STATUS_ENTRY, TN_STATUS_OPEN, TN_STATUS_PROGRAM: what the names, the dimensions and the
 * text lack; TN_STATUS_MEMORY also where state and work are more than the machine has.
 */
tn_status tn_model_compile(tn_program *program, const char *const *names, size_t count,
                           tn_model **model);
/* NULL is taken. */
void tn_model_free(tn_model *model);

/* Bytes of its state, and of its work memory. */
size_t tn_model_state_bytes(const tn_model *model);
size_t tn_model_work_bytes(const tn_model *model);

/* Sets the state to its first values, those of `tenon train --seed` where a train block was
 * compiled; the same seed gives the same bits.  seed: 0 to 2^31 - 1.  TN_STATUS_ENTRY: the
 * entries of a .graph file have no first values. */
tn_status tn_model_init(tn_model *model, int64_t seed);

/*
 * Calls a compiled entry: `in` are its inputs, `out` its outputs, in the signature's order,
 * and as many.  Inputs are not written; results overwrite the memory of `out`, which lies
 * over no other array; the state changes where the entry says so.  Every array is checked
 * before anything is written: TN_STATUS_NULL, _ALIGNMENT, _COUNT, _DTYPE, _SHAPE, _STRIDES,
 * _DEVICE, _OVERLAP, _RANGE; tn_context_error names the array, and what was expected and
 * found.  TN_STATUS_STATE: parameters were not set by init, write or load_weights.
 */
tn_status tn_model_call(tn_model *model, const char *entry, const tn_array *in,
                        size_t inputs, const tn_array *out, size_t outputs);

/* The slots of the state: parameters and what else is carried from call to call. */
size_t tn_model_slots(const tn_model *model);
/* Slot number i, valid as long as the model.  TN_STATUS_RANGE: there are fewer. */
tn_status tn_model_slot(const tn_model *model, size_t i, tn_port *slot);
/* Copies a slot into an array, or an array into it.  Element type and shape are the slot's;
 * errors as for a call, and TN_STATUS_NAME. */
tn_status tn_model_read(tn_model *model, const char *slot, const tn_array *to);
tn_status tn_model_write(tn_model *model, const char *slot, const tn_array *from);

/* Parameters and statistics from a safetensors file, by name; what only training needs is
 * neither asked for nor minded.  TN_STATUS_FILE: cannot be read;
 * TN_STATUS_WEIGHTS: is damaged, or has other names or shapes.  The state is as it was then. */
tn_status tn_model_load_weights(tn_model *model, const char *path);
/* Every slot to a safetensors file, which replaces an older one in one step. */
tn_status tn_model_save_weights(tn_model *model, const char *path);

#ifdef __cplusplus
}
#endif
#endif
