/*
 * A plan as one function of the object ABI: checks, then launches, copies and repeats.
 *
 * What arguments are made of lies in an array, the frame: {parallel-for, array of arguments, n,
 * bases...}.  An argument is a word of constant data, its base and the distance from there, so
 * that a launch is a call and few bytes, whatever its kernel takes.
 */
#include "codegen/llvm/driver.h"

enum {
    FRAME_PARALLEL,
    FRAME_ARGS, /* the array that a launch passes, reused by all */
    FRAME_N,
    FRAME_BASES, /* state, work, in pointers, out pointers, constant data */
    BASE_BITS = 16,
};

typedef struct Driver {
    Emitter *e;
    const Plan *plan;
    uint32_t inputs, outputs;
    Value state, work, in, out, parallel, n, frame;
    VEC(const Place *) constants; /* whose data differ */
    Value launch;                 /* void (frame, task, words, tasks) */
    LLVMTypeRef launch_type;
} Driver;

static uint32_t max_args(const PlanStep *step, uint32_t count) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t inner = max_args(step[i].step, step[i].steps);
        if (step[i].args > most) most = step[i].args;
        if (inner > most) most = inner;
    }
    return most;
}

static uint32_t count_role(const Port *port, uint32_t count, Role role) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) found += port[i].role == role;
    return found;
}

static LLVMBasicBlockRef new_block(const Driver *d) {
    return LLVMAppendBasicBlockInContext(d->e->context, d->e->function, "");
}

static Value code(const Driver *d, int value) {
    return LLVMConstInt(d->e->elem[ELEM_i32], (unsigned long long)value, true);
}

/* Returns `error` where `wrong` holds. */
static void check(const Driver *d, Value wrong, int error) {
    LLVMBasicBlockRef fail = new_block(d), go_on = new_block(d);
    LLVMBuildCondBr(d->e->builder, wrong, fail, go_on);
    LLVMPositionBuilderAtEnd(d->e->builder, fail);
    LLVMBuildRet(d->e->builder, code(d, error));
    LLVMPositionBuilderAtEnd(d->e->builder, go_on);
}

static Value is_null(const Driver *d, Value pointer) {
    return LLVMBuildICmp(d->e->builder, LLVMIntEQ, pointer, LLVMConstNull(d->e->pointer),
                         "");
}

static void check_block(const Driver *d, Value block, int64_t bytes) {
    if (!bytes) return;
    check(d, is_null(d, block), TN_ERROR_NULL);
    Value at = LLVMBuildPtrToInt(d->e->builder, block, d->e->i64, "");
    Value low = LLVMBuildAnd(d->e->builder, at, index_const(d->e, 63), "");
    Value off = LLVMBuildICmp(d->e->builder, LLVMIntNE, low, index_const(d->e, 0), "");
    check(d, off, TN_ERROR_ALIGNMENT);
}

/* Entry `index` of an array of pointers (or of int64_t, as n is at its end). */
static Value slot(const Driver *d, Value array, uint32_t index, LLVMTypeRef type) {
    Value at = address(d->e, ELEM_f64, array, index_const(d->e, index));
    return LLVMBuildLoad2(d->e->builder, type, at, "");
}

static void check_pointers(const Driver *d, Value array, uint32_t count) {
    if (count) check(d, is_null(d, array), TN_ERROR_NULL);
    Value any = NULL;
    for (uint32_t i = 0; i < count; i++) {
        Value null = is_null(d, slot(d, array, i, d->e->pointer));
        any = any ? LLVMBuildOr(d->e->builder, any, null, "") : null;
    }
    if (any) check(d, any, TN_ERROR_NULL);
}

static void check_n(Driver *d) {
    d->n = index_const(d->e, 0);
    if (!d->plan->has_n) return;
    if (!d->inputs) check(d, is_null(d, d->in), TN_ERROR_NULL);
    d->n = slot(d, d->in, d->inputs, d->e->i64);
    Value before = LLVMBuildSub(d->e->builder, d->n, index_const(d->e, 1), "");
    Value most = index_const(d->e, d->plan->n_max);
    Value out = LLVMBuildICmp(d->e->builder, LLVMIntUGE, before, most, "");
    check(d, out, TN_ERROR_RANGE);
}

static void checks_emit(Driver *d) {
    const Func *entry = d->plan->entry;
    check_block(d, d->state, d->plan->state_bytes);
    check_block(d, d->work, d->plan->work_bytes);
    d->inputs = count_role(entry->params.at, entry->params.count, ROLE_INPUT);
    check_pointers(d, d->in, d->inputs);
    d->outputs = count_role(entry->outputs.at, entry->outputs.count, ROLE_OUTPUT);
    check_pointers(d, d->out, d->outputs);
    check_n(d);
}

static Value constant_data(const Driver *d, const Place *place) {
    Value data =
        LLVMConstStringInContext2(d->e->context, place->data, (size_t)place->bytes, true);
    Value global = LLVMAddGlobal(d->e->module, LLVMTypeOf(data), "data");
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetAlignment(global, 64);
    return global;
}

/* ---- the frame -------------------------------------------------------------------------- */

static void add_constants(Driver *d, const PlanStep *step, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < step[i].args; j++) {
            const Place *place = &step[i].arg[j];
            if (place->space != SPACE_CONST || bindings_get(&d->e->bound, place->data))
                continue;
            bindings_set(d->e->arena, &d->e->bound, place->data, constant_data(d, place));
            vec_push(d->e->arena, &d->constants, place);
        }
        add_constants(d, step[i].step, step[i].steps);
    }
}

static void frame_set(const Driver *d, uint32_t index, Value value) {
    Value at = address(d->e, ELEM_f64, d->frame, index_const(d->e, index));
    LLVMBuildStore(d->e->builder, value, at);
}

static uint32_t base_of(const Driver *d, const Place *place) {
    uint32_t at = 0;
    switch (place->space) {
    case SPACE_STATE: return 0;
    case SPACE_WORK: return 1;
    case SPACE_IN: return 2 + place->index;
    case SPACE_OUT: return 2 + d->inputs + place->index;
    case SPACE_CONST:
        while (d->constants.at[at]->data != place->data) at++;
        break;
    }
    return 2 + d->inputs + d->outputs + at;
}

static void frame_emit(Driver *d) {
    Emitter *e = d->e;
    add_constants(d, d->plan->step, d->plan->steps);
    uint32_t bases = 2 + d->inputs + d->outputs + d->constants.count;
    if (bases >> BASE_BITS) bug(e->arena, "%u places are too many for a driver", bases);
    LLVMTypeRef args =
        LLVMArrayType2(e->i64, max_args(d->plan->step, d->plan->steps) + 1);
    d->frame =
        LLVMBuildAlloca(e->builder, LLVMArrayType2(e->i64, FRAME_BASES + bases), "");
    frame_set(d, FRAME_PARALLEL, d->parallel);
    frame_set(d, FRAME_ARGS, LLVMBuildAlloca(e->builder, args, ""));
    frame_set(d, FRAME_N, d->n);
    uint32_t at = FRAME_BASES;
    frame_set(d, at++, d->state);
    frame_set(d, at++, d->work);
    for (uint32_t i = 0; i < d->inputs; i++)
        frame_set(d, at++, slot(d, d->in, i, e->pointer));
    for (uint32_t i = 0; i < d->outputs; i++)
        frame_set(d, at++, slot(d, d->out, i, e->pointer));
    for (uint32_t i = 0; i < d->constants.count; i++)
        frame_set(d, at++, bindings_get(&e->bound, d->constants.at[i]->data));
}

static Value place_address(const Driver *d, const Place *place) {
    Value base = slot(d, d->frame, FRAME_BASES + base_of(d, place), d->e->pointer);
    return address(d->e, ELEM_u8, base, index_const(d->e, place->offset));
}

/* ---- launches --------------------------------------------------------------------------- */

/* Arguments from their words; n comes after them. */
static void arguments_emit(Driver *d, Value frame, Value words, Value args) {
    Emitter *e = d->e;
    LLVMBuilderRef b = e->builder;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), body = new_block(d),
                      after = new_block(d);
    Value one = index_const(e, 1), count = slot(d, words, 0, e->i64);
    LLVMBuildBr(b, body);
    LLVMPositionBuilderAtEnd(b, body);
    Value i = LLVMBuildPhi(b, e->i64, ""), next = LLVMBuildAdd(b, i, one, "");
    Value word = LLVMBuildLoad2(b, e->i64, address(e, ELEM_f64, words, next), "");
    Value base = LLVMBuildAnd(b, word, index_const(e, (1 << BASE_BITS) - 1), "");
    base = LLVMBuildAdd(b, base, index_const(e, FRAME_BASES), "");
    base = LLVMBuildLoad2(b, e->pointer, address(e, ELEM_f64, frame, base), "");
    Value offset = LLVMBuildLShr(b, word, index_const(e, BASE_BITS), "");
    LLVMBuildStore(b, address(e, ELEM_u8, base, offset), address(e, ELEM_f64, args, i));
    LLVMAddIncoming(i, (Value[]){index_const(e, 0), next},
                    (LLVMBasicBlockRef[]){before, body}, 2);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntULT, next, count, ""), body, after);
    LLVMPositionBuilderAtEnd(b, after);
    Value n = slot(d, frame, FRAME_N, e->i64);
    LLVMBuildStore(b, n, address(e, ELEM_f64, args, count));
}

/* One range on this thread where there is no parallel-for, or one task.  Drivers of one module
 * share it. */
static void launch_function(Driver *d) {
    Emitter *e = d->e;
    LLVMTypeRef params[] = {e->pointer, e->pointer, e->pointer, e->i64};
    d->launch_type = LLVMFunctionType(e->nothing, params, 4, false);
    d->launch = LLVMGetNamedFunction(e->module, "launch");
    if (d->launch) return;
    d->launch = function_begin(e, "launch", d->launch_type);
    LLVMSetLinkage(d->launch, LLVMInternalLinkage);
    Value frame = LLVMGetParam(d->launch, 0), task = LLVMGetParam(d->launch, 1);
    Value words = LLVMGetParam(d->launch, 2), tasks = LLVMGetParam(d->launch, 3);
    Value parallel = slot(d, frame, FRAME_PARALLEL, e->pointer);
    Value args = slot(d, frame, FRAME_ARGS, e->pointer);
    arguments_emit(d, frame, words, args);
    LLVMBasicBlockRef alone = new_block(d), shared = new_block(d), end = new_block(d);
    Value few = LLVMBuildICmp(e->builder, LLVMIntSLE, tasks, index_const(e, 1), "");
    Value here = LLVMBuildOr(e->builder, is_null(d, parallel), few, "");
    LLVMBuildCondBr(e->builder, here, alone, shared);
    LLVMPositionBuilderAtEnd(e->builder, alone);
    Value range[] = {args, index_const(e, 0), tasks};
    LLVMBuildCall2(e->builder, task_type(e), task, range, 3, "");
    LLVMBuildBr(e->builder, end);
    LLVMPositionBuilderAtEnd(e->builder, shared);
    Value context = slot(d, parallel, 0, e->pointer),
          run = slot(d, parallel, 1, e->pointer);
    LLVMTypeRef run_type = LLVMFunctionType(e->nothing, params, 4, false);
    Value all[] = {context, task, args, tasks};
    LLVMBuildCall2(e->builder, run_type, run, all, 4, "");
    LLVMBuildBr(e->builder, end);
    LLVMPositionBuilderAtEnd(e->builder, end);
    LLVMBuildRetVoid(e->builder);
}

/* How many arguments, and what each is made of. */
static Value words_global(const Driver *d, const PlanStep *step) {
    Emitter *e = d->e;
    Value *word = arena_array(e->arena, Value, step->args + 1);
    word[0] = index_const(e, step->args);
    for (uint32_t i = 0; i < step->args; i++) {
        const Place *place = &step->arg[i];
        int64_t offset = place->offset;
        word[i + 1] = index_const(e, offset << BASE_BITS | base_of(d, place));
    }
    Value data = LLVMConstArray2(e->i64, word, step->args + 1);
    Value global = LLVMAddGlobal(e->module, LLVMTypeOf(data), "words");
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetAlignment(global, 8);
    return global;
}

static void launch_emit(Driver *d, const PlanStep *step) {
    Emitter *e = d->e;
    bindings_set(e->arena, &e->bound, step->kernel->n, d->n);
    memo_clear(e);
    Value tasks = expr_emit(e, step->kernel->tasks);
    Value task = bindings_get(&e->callees, step->kernel);
    if (!task) bug(e->arena, "kernel %s has no code", step->kernel->name);
    if (!step->args) bug(e->arena, "kernel %s has no arguments", step->kernel->name);
    Value call[] = {d->frame, task, words_global(d, step), tasks};
    LLVMBuildCall2(e->builder, d->launch_type, d->launch, call, 4, "");
}

/* ---- other steps ------------------------------------------------------------------------ */

static void copy_emit(Driver *d, const PlanStep *step) {
    LLVMBuilderRef b = d->e->builder;
    Value to = place_address(d, &step->arg[0]), from = place_address(d, &step->arg[1]);
    Value bytes = LLVMBuildMul(b, d->n, index_const(d->e, step->bytes_scale), "");
    bytes = LLVMBuildAdd(b, bytes, index_const(d->e, step->bytes_offset), "");
    LLVMBuildMemCpy(b, to, 1, from, 1, bytes);
}

static void steps_emit(Driver *d, const PlanStep *step, uint32_t count);

/* Goes on to `after` where the byte that says whether to go on is zero. */
static void leave_unless_going(const Driver *d, const PlanStep *step,
                               LLVMBasicBlockRef after) {
    if (step->args < 2) return;
    LLVMBuilderRef b = d->e->builder;
    LLVMBasicBlockRef on = new_block(d);
    LLVMTypeRef byte = LLVMInt8TypeInContext(d->e->context);
    Value going = LLVMBuildLoad2(b, byte, place_address(d, &step->arg[1]), "");
    Value zero = LLVMConstInt(byte, 0, false);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntNE, going, zero, ""), on, after);
    LLVMPositionBuilderAtEnd(b, on);
}

static void repeat_emit(Driver *d, const PlanStep *step) {
    if (step->count < 1) return;
    LLVMBuilderRef b = d->e->builder;
    LLVMTypeRef i32 = d->e->elem[ELEM_i32];
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b), body = new_block(d),
                      after = new_block(d);
    LLVMBuildBr(b, body);
    LLVMPositionBuilderAtEnd(b, body);
    Value i = LLVMBuildPhi(b, i32, "");
    leave_unless_going(d, step, after);
    if (step->args) LLVMBuildStore(b, i, place_address(d, &step->arg[0]));
    steps_emit(d, step->step, step->steps);
    Value next = LLVMBuildAdd(b, i, LLVMConstInt(i32, 1, false), "");
    LLVMAddIncoming(i, (Value[]){code(d, 0), next},
                    (LLVMBasicBlockRef[]){before, LLVMGetInsertBlock(b)}, 2);
    Value end = LLVMConstInt(i32, (unsigned long long)step->count, false);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntULT, next, end, ""), body, after);
    LLVMPositionBuilderAtEnd(b, after);
}

static void steps_emit(Driver *d, const PlanStep *step, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        switch (step[i].kind) {
        case STEP_LAUNCH: launch_emit(d, &step[i]); break;
        case STEP_COPY: copy_emit(d, &step[i]); break;
        case STEP_REPEAT: repeat_emit(d, &step[i]); break;
        }
    }
}

void driver_emit(Emitter *e, const Plan *plan, const char *name) {
    Driver d = {.e = e, .plan = plan};
    launch_function(&d);
    LLVMTypeRef params[] = {e->pointer, e->pointer, e->pointer, e->pointer, e->pointer};
    LLVMTypeRef type = LLVMFunctionType(e->elem[ELEM_i32], params, 5, false);
    Value f = function_begin(e, name, type);
    d.state = LLVMGetParam(f, 0);
    d.work = LLVMGetParam(f, 1);
    d.in = LLVMGetParam(f, 2);
    d.out = LLVMGetParam(f, 3);
    d.parallel = LLVMGetParam(f, 4);
    checks_emit(&d);
    frame_emit(&d);
    steps_emit(&d, plan->step, plan->steps);
    LLVMBuildRet(e->builder, code(&d, TN_OK));
}
