/* Units to objects: emit, optimise lightly, generate code; several threads at once. */
#include "codegen/llvm/object.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* The loops come in their final shape, so all that is left is to clean up addresses. */
static const char *const pass_list = "function(early-cse,instcombine,simplifycfg)";

static pthread_once_t targets_once = PTHREAD_ONCE_INIT;

static void targets_start(void) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

Status machine_new(const Target *target, Machine *machine) {
    pthread_once(&targets_once, targets_start);
    *machine = (Machine){.triple = LLVMGetDefaultTargetTriple()};
    LLVMTargetRef found;
    char *words = NULL;
    if (LLVMGetTargetFromTriple(machine->triple, &found, &words)) {
        LLVMDisposeMessage(words);
        machine_free(machine);
        return STATUS_SYSTEM;
    }
    machine->handle = LLVMCreateTargetMachine(found, machine->triple, target->cpu,
                                              target->features, LLVMCodeGenLevelDefault,
                                              LLVMRelocPIC, LLVMCodeModelSmall);
    return machine->handle ? STATUS_OK : STATUS_SYSTEM;
}

void machine_free(Machine *machine) {
    if (machine->handle) LLVMDisposeTargetMachine(machine->handle);
    LLVMDisposeMessage(machine->triple);
}

const char *units_kernel(Arena *arena, Units *units, const Kernel *kernel) {
    Unit unit = {.kernel = kernel, .key = kernel_key(arena, kernel)};
    for (uint32_t i = 0; i < units->list.count; i++) {
        const Unit *u = &units->list.at[i];
        if (u->kernel && u->key.length == unit.key.length &&
            !memcmp(u->key.at, unit.key.at, unit.key.length))
            return arena_string(arena, u->symbol, strlen(u->symbol));
    }
    snprintf(unit.symbol, sizeof unit.symbol, "tn_%016llx%016llx",
             (unsigned long long)unit.key.hash[0], (unsigned long long)unit.key.hash[1]);
    vec_push(arena, &units->list, unit);
    return arena_string(arena, unit.symbol, strlen(unit.symbol));
}

void units_free(Units *units) {
    for (uint32_t i = 0; i < units->list.count; i++) {
        if (units->list.at[i].object) LLVMDisposeMemoryBuffer(units->list.at[i].object);
        units->list.at[i].object = NULL;
    }
}

void unit_emit(Emitter *e, const Unit *unit) {
    kernel_emit(e, unit->kernel, unit->symbol);
}

static Status failed(char *message, const char *what, char *words) {
    snprintf(message, 512, "%s: %s", what, words ? words : "no reason given");
    LLVMDisposeMessage(words);
    return STATUS_BUG;
}

Status unit_optimise(Emitter *e, const Machine *machine, char *message) {
    LLVMSetTarget(e->module, machine->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine->handle);
    LLVMSetModuleDataLayout(e->module, layout);
    LLVMDisposeTargetData(layout);
    char *words = NULL;
    if (LLVMVerifyModule(e->module, LLVMReturnStatusAction, &words))
        return failed(message, "the emitted LLVM IR is wrong", words);
    LLVMDisposeMessage(words);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(e->module, pass_list, machine->handle, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error) return STATUS_OK;
    char *text = LLVMGetErrorMessage(error);
    snprintf(message, 512, "LLVM's passes: %s", text);
    LLVMDisposeErrorMessage(text);
    return STATUS_BUG;
}

static Status unit_generate(Emitter *e, Unit *unit, const Machine *machine,
                            char *message) {
    unit_emit(e, unit);
    Status status = unit_optimise(e, machine, message);
    if (status != STATUS_OK) return status;
    char *words = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine->handle, e->module, LLVMObjectFile,
                                            &words, &unit->object))
        return failed(message, "LLVM's code generation", words);
    return STATUS_OK;
}

static Status unit_compile(const Target *target, Unit *unit, const Machine *machine,
                           char *message) {
    Guard guard;
    Arena scratch;
    Emitter e;
    arena_init(&scratch, &guard);
    emitter_begin(&e, &scratch, target, unit->symbol);
    Status status;
    if (guard_enter(guard)) {
        snprintf(message, 512, "%s", guard.message);
        status = guard.status;
    } else {
        status = unit_generate(&e, unit, machine, message);
    }
    emitter_end(&e);
    arena_free(&scratch);
    return status;
}

/* What the compiling threads share: the next unit to take, and the first failure. */
typedef struct Work {
    const Target *target;
    Units *units;
    atomic_uint next;
    pthread_mutex_t lock;
    Status status;
    char *message;
} Work;

static void work_fail(Work *work, Status status, const char *message) {
    pthread_mutex_lock(&work->lock);
    if (work->status == STATUS_OK) {
        work->status = status;
        snprintf(work->message, 512, "%s", message);
    }
    pthread_mutex_unlock(&work->lock);
}

static void *work_run(void *context) {
    Work *work = context;
    Machine machine;
    char message[512] = "no code generator for this machine";
    Status status = machine_new(work->target, &machine);
    if (status != STATUS_OK) {
        work_fail(work, status, message);
        return NULL;
    }
    uint32_t count = work->units->list.count;
    for (uint32_t i;
         status == STATUS_OK && (i = atomic_fetch_add(&work->next, 1)) < count;) {
        Unit *unit = &work->units->list.at[i];
        if (!unit->object) status = unit_compile(work->target, unit, &machine, message);
    }
    if (status != STATUS_OK) work_fail(work, status, message);
    machine_free(&machine);
    return NULL;
}

#define THREADS_MAX 64

Status units_compile(const JitOptions *options, Units *units, char *message) {
    Work work = {.target = options->target, .units = units, .message = message};
    pthread_mutex_init(&work.lock, NULL);
    pthread_t thread[THREADS_MAX];
    int want = options->threads < THREADS_MAX ? options->threads : THREADS_MAX,
        started = 0;
    if ((uint32_t)want > units->list.count) want = (int)units->list.count;
    while (started + 1 < want && !pthread_create(&thread[started], NULL, work_run, &work))
        started++;
    work_run(&work);
    for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&work.lock);
    if (work.status != STATUS_OK) units_free(units);
    return work.status;
}
