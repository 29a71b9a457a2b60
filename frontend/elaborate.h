/*
 * The partial evaluator: runs a program's functions over compile-time values and writes what
 * is left, the tensor work, into graph functions.
 *
 *     elaborate.c          expressions, blocks, static if
 *     elaborate_call.c     binding arguments, calls
 *     elaborate_shape.c    types and shape patterns
 *     elaborate_operator.c arithmetic on numbers and dimensions, operators, @
 *     elaborate_align.c    promotion and broadcasting
 *     elaborate_frame.c    graph functions under construction, what they capture, repeat
 *     elaborate_net.c      parameters, state, layers and their paths, optimisers
 *     elaborate_every.c    next, every, after epoch
 *     elaborate_grad.c     grad, trees of parameters
 *     builtin_attack.c     regions under an adversary
 *     builtin*.c           the primitives, table builtin.def
 */
#ifndef TN_FRONTEND_ELABORATE_H
#define TN_FRONTEND_ELABORATE_H

#include "frontend/value.h"
#include "ir/build.h"

#define CALL_DEPTH   120     /* nested calls */
#define WORK_LIMIT   2000000 /* expressions and calls run for one function or entry */
#define NODE_DEPTH   4000 /* nested expressions over all calls: what 8 MB of stack take */
#define TENSOR_LIMIT ((int64_t)1 << 37) /* bytes of one tensor; beyond it is a mistake */

/* ---- frames ------------------------------------------------------------------------- */

/* What a graph function under construction takes from outside: a placeholder node here, to
 * become a parameter, and the tensor that it stands for in the frame around. */
typedef struct Import {
    Val inner, outer;
} Import;

struct Frame {
    Frame *parent; /* NULL: an entry's own */
    Func *func;    /* not in the module; copied into it by frame_finish */
    VEC(Import) imports;
    Val round;     /* i32[]: number of the round, NO_VAL where this is no loop's body */
    int64_t count; /* of rounds */
    Val turn;      /* i32[]: of all loops around, where frame_turn was asked for it */
};

/* ---- models --------------------------------------------------------------------------- */

/* One tensor of the state block. */
typedef struct Slot {
    const char *path; /* canonical: layers inside a `let` carry #number */
    const char *name; /* as ports have it; set by model_names */
    Role role;
    Type type;
    const Ast *init; /* its first value, in `env`; NULL for optimiser slots with `fill` */
    Env env;
    struct Model *model;
    uint32_t of;                  /* optimiser slots: the parameter's slot */
    const struct CallSite *calls; /* for messages about `init` */
} Slot;

/* The one model that a net's name means in an entry. */
typedef struct Model {
    const AstFunction *net;
    const char *name;
    Env env; /* the arguments of its first call */
} Model;

typedef struct Models {
    VEC(Model *) models;
    VEC(Slot) slots;
    bool is_complete; /* a first pass has found them all */
} Models;

/* ---- runs ------------------------------------------------------------------------------ */

typedef struct RunPort { /* a parameter of the entry */
    const char *name;
    Role role;
    Type type;
    Span span;
    int32_t slot;    /* -1: none */
    Val placeholder; /* in the root frame */
} RunPort;

typedef struct RunSlot {
    Value value; /* as the entry got it; VALUE_missing: not asked for yet */
    Value copy;  /* what grad differentiates by; VALUE_missing: none */
    Value now;   /* after the calls so far: threaded state */
    bool changed;
} RunSlot;

/* One entry under construction. */
typedef struct Run {
    Frame *root;
    Models *models;
    VEC(RunPort) ports;
    VEC(RunSlot) slots; /* in step with models->slots */
    Value seed, step, next_step;
    Val *map;          /* set by run_finish: from the root frame to the entry */
    int64_t sites;     /* random sites so far */
    bool wants_copies; /* parameters are read through `copy` */
    Value valid;       /* reports: i32[], how many examples count; else missing */
    Dim batch;
    bool missed_params; /* params() was asked before the model was known */
    const NameBinding
        *schedule; /* step, epoch, steps_per_epoch, epochs in training blocks */
    int64_t begin; /* the step at which the phase of the training block begins */
    VEC(struct Late) late;
} Run;

/* ---- instances: a net or optimiser while its body runs ---------------------------------- */

typedef struct InstanceState {
    const char *name;
    int32_t slot;   /* -1: the parameter that an optimiser moves */
    Value next;     /* VALUE_missing until `next` */
    const Ast *set; /* where it was set */
} InstanceState;

typedef struct LetCount {
    const char *name;
    uint32_t count;
} LetCount;

typedef struct Instance {
    const AstFunction *function;
    Model *model;
    const char *path; /* canonical, "" for the model itself */
    const char *let;  /* the statement of the body that runs; "" in none */
    VEC(LetCount) lets;
    VEC(InstanceState) states;
    const Value *tree; /* parameters given by with(); NULL: its own */
    int32_t of;        /* optimisers: the slot they move; nets: -1 */
} Instance;

/* A statement that waits until the optimiser has moved the parameters. */
typedef struct Late {
    const Ast *ast; /* next, every */
    Env env;
    Instance instance;
} Late;

/* What an `every` sets, in its frame. */
typedef struct Change {
    uint32_t slot;
    Val val;
} Change;
typedef VEC(Change) Changes;
typedef VEC(uint32_t) SlotList;

typedef struct Results {
    VEC(Field) fields;
} Results;

typedef struct CallSite { /* newest first */
    Span span;
    const char *name; /* of the function called; NULL: a literal */
    const struct CallSite *next;
} CallSite;

/* While grad by a net's parameters runs: the net stands for itself with these. */
typedef struct Override {
    const AstFunction *net;
    const Value *tree;
    const struct Override *next;
} Override;

typedef struct Elab {
    Arena *arena;
    Diag *diag;
    Module *module;
    const Unit *unit;
    uint32_t prelude_sources; /* sources 1..n are the prelude's */
    Frame *frame;
    Run *run;
    Instance *instance;
    Results *results;
    Changes *changes;      /* of the `every` whose statements run; NULL: none do */
    bool late;             /* the optimiser has moved the parameters */
    const CallSite *calls; /* in the arena: slots keep them */
    const Override *overrides;
    const Span *places; /* of the arguments of the call that begins; NULL: unknown */
    uint32_t depth;     /* of calls */
    uint32_t work;      /* expressions evaluated so far */
    uint32_t nodes;     /* of expressions under evaluation */
    bool told;          /* the last mistake was known already */
    uint32_t bodies;    /* loop bodies so far: their names */
    bool training;
    bool fixed;           /* states stay what they are: within an attack */
    const char *attacked; /* name of the function under attack, NULL outside */
    bool checking;        /* a function alone, with rigid dimensions */
    const AstFunction
        *body; /* whose statements run: names of layers come from its lets */
} Elab;

/* elaborate.c */
bool elab_work(Elab *e,
               Span span); /* counts one piece of work; false: too much, reported */
Value elab_expression(Elab *e, Env env, const Ast *ast);
Value elab_block(Elab *e, Env env, const Ast *block); /* names results into e->results */
const Value *env_find(const Env *env, const char *name);
Env env_bind(Elab *e, Env env, const char *name, Value value);
const UnitEntry *unit_find(const Unit *unit, const char *name, const Unit **home);
Span elab_span(const Elab *e,
               Span span); /* the user's place where `span` is the prelude's */
void elab_error(Elab *e, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void elab_warning(Elab *e, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void elab_take_back(Elab *e, uint32_t messages, uint32_t errors, bool all);
void elab_hint(Elab *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *elab_words(Elab *e,
                       const Value *v); /* "f32[N, 10]", "the number 3", "a list" */
const char *type_text(Elab *e, const Type *type);
const char *dim_text(Elab *e, Dim dim);

/* elaborate_frame.c */
bool elab_within_memory(Elab *e, const Type *type, Span span);
Frame *frame_new(Elab *e, Frame *parent);
Val frame_placeholder(Elab *e, Frame *frame, const Type *type, Span span);
Val frame_use(Elab *e, const Tensor *tensor);
/* In e->frame, the number of this round among all rounds of all loops around it: NO_VAL outside
 * of loops. */
Val frame_turn(Elab *e, Span span); /* in e->frame */
/* A parameter or result of a body, by its place in the frame. */
typedef struct FramePort {
    const char *name;
    Val val;
} FramePort;
/* The frame as a body of the module, named by the word and a number: parameters are `param`
 * and then what the frame took from outside, frame->imports. */
Func *frame_body(Elab *e, Frame *frame, const char *word, const FramePort *param,
                 uint32_t params, const FramePort *result, uint32_t results, Span span);
void frame_finish(Elab *e, Frame *frame, Func *to, const Val *outer_params, Val *map);
Val elab_emit(Elab *e, Op op, const Val *arg, uint32_t args, const Attr *attr,
              uint32_t attrs, Span span); /* NO_VAL: refused and reported */
Value elab_tensor(Elab *e, Val val);      /* unknown for NO_VAL */
const Type *tensor_type(const Value *v);
Builder elab_builder(Elab *e, Span span);
Value elab_repeat(Elab *e, Env env, const Ast *ast);

/* resolve.c: whether the name has a meaning without a definition; reported as unknown. */
bool resolve_word(Elab *e, const char *name, Span span);

/* elaborate_operator.c, elaborate_align.c */
Value elab_binary(Elab *e, BinaryOp op, Value a, Value b, Span span);
Value elab_negate(Elab *e, Value a, Span span);
Value elab_scalar(Elab *e, Op op, const Value *arg, uint32_t args, Span span);
Value elab_cast(Elab *e, Value v, Elem elem, Span span);
/* As a tensor; numbers become constants of `like`'s element type (f32 where it has none). */
Value elab_to_tensor(Elab *e, Value v, Elem elem, Span span);
bool elab_align(Elab *e, Value *v, uint32_t count, const char *what, Span span);
bool elab_align_from(Elab *e, Value *v, uint32_t count, uint32_t first, const char *what,
                     Span span);
/* By numpy's rule; `what` wants that type, says the message. */
Value elab_expand(Elab *e, Value v, const Type *to, const char *what, Span span);
Elem elab_common_elem(const Value *v, uint32_t count);
Value elab_mismatch(Elab *e, const char *what, const Type *a, const Type *b, uint32_t i,
                    uint32_t k,
                    Span span); /* dimensions i and k differ; always unknown */
Value elab_matmul(Elab *e, Value a, Value b, Span span);
bool elab_truth(Elab *e, const Value *v, Span span, bool *truth); /* false: not known */

/* elaborate_call.c */
Value elab_call_ast(Elab *e, Env env, const Ast *ast);
Value elab_call(Elab *e, const Closure *closure, const Value *arg, uint32_t args,
                Span span);
Value elab_apply(Elab *e, const Closure *closure, const Value *all, Span span);
const Closure *closure_of(Elab *e, const AstFunction *function, Env env);
const Closure *closure_builtin(Elab *e, const Builtin *builtin);
const char *closure_name(const Closure *closure);
const char *closure_param(Elab *e, const Closure *closure, uint32_t i);
uint32_t closure_missing(Elab *e, const Closure *closure); /* required and still open */
const char *closure_first_missing(Elab *e, const Closure *closure); /* NULL: none */
Value elab_body(Elab *e, const AstFunction *function, Env env);

/* elaborate_shape.c */
const AstType *unit_type(const Unit *unit,
                         const AstType *type); /* aliases followed, or NULL */
const char *pattern_text(Elab *e, const AstType *ast);
bool elab_dim(Elab *e, const Value *v, Span span, const char *what, Dim *dim);
bool elab_type(Elab *e, Env env, const AstType *ast, Type *type); /* all known */
/* Binds the names of `ast` to the dimensions of `type`; false: reported. */
bool elab_unify(Elab *e, Env *env, const AstType *ast, const Type *type, const char *what,
                Span span);

/* elaborate_net.c */
Value elab_net(Elab *e, const Closure *closure, Env env, Span span);
Value elab_statement_param(Elab *e, Env *env, const Ast *ast);
const char *instance_layer(Elab *e); /* the path of the next layer */
bool elab_optimiser(Elab *e, const Closure *c, uint32_t slot, Value w, Value g,
                    Span span);
Value run_slot(Elab *e, uint32_t slot);
Value run_input(const Elab *e, const char *name); /* VALUE_missing: none yet */
Value run_seed(Elab *e);
Value run_step(Elab *e);
Value run_port(Elab *e, const char *name, Role role, Type type, Span span, int32_t slot);
void models_name(Elab *e, Models *models);

RunSlot *run_slot_at(Elab *e, uint32_t slot);
Value slot_first(Elab *e, const Slot *slot); /* its first value */

/* elaborate_every.c */
Value elab_next(Elab *e, Env env, const Ast *ast);
Value elab_prime(Elab *e, const Ast *ast);
Value elab_every(Elab *e, Env env, const Ast *ast);
void elab_late(Elab *e); /* what nets keep for after the optimiser */
void elab_late_block(Elab *e, Env env, const Ast *every); /* of a training block */
/* The slots that the leaves of a tree of parameters or state are; false: one is none. */
bool elab_slots(Elab *e, const Value *tree, SlotList *slots);

/* elaborate_grad.c */
Value elab_grad_call(Elab *e, const Closure *closure, const Value *all, Span span);
Value tree_map(Elab *e, const Value *tree, Value (*leaf)(Elab *, void *, Value),
               void *context);
Value elab_params(Elab *e, const Closure *net, Span span);

/* builtin.c */
typedef Value BuiltinCall(Elab *e, const Value *arg, Span span);
struct Builtin {
    const char *name;
    const char *signature; /* "x, over?, keep?": ? may be left out */
    BuiltinCall *call;
};
uint32_t builtin_arity(const Builtin *builtin);
const Builtin *builtin_find(const char *name);
const Builtin *builtin_at(uint32_t i); /* NULL past the end */
const char *builtin_param(Arena *arena, const Builtin *builtin, uint32_t i,
                          bool *optional);

#endif
