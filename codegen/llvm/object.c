/* Units: which there are, their symbols, their LLVM IR and its light optimisation. */
#include "codegen/llvm/object.h"
#include "codegen/llvm/driver.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* The loops come in their final shape, so all that is left is to clean up addresses. */
static const char *const pass_list = "function(early-cse,simplifycfg)";

static pthread_once_t targets_once = PTHREAD_ONCE_INIT;

static void targets_start(void) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

void machine_start(void) {
    pthread_once(&targets_once, targets_start);
}

Status machine_new(const Target *target, Machine *machine) {
    machine_start();
    *machine = (Machine){.triple = LLVMGetDefaultTargetTriple()};
    LLVMTargetRef found;
    char *words = NULL;
    if (LLVMGetTargetFromTriple(machine->triple, &found, &words)) {
        LLVMDisposeMessage(words);
        machine_free(machine);
        return STATUS_SYSTEM;
    }
    machine->handle = LLVMCreateTargetMachine(found, machine->triple, MACHINE_CPU,
                                              target->features, LLVMCodeGenLevelDefault,
                                              LLVMRelocPIC, LLVMCodeModelSmall);
    return machine->handle ? STATUS_OK : STATUS_SYSTEM;
}

void machine_free(Machine *machine) {
    if (machine->handle) LLVMDisposeTargetMachine(machine->handle);
    LLVMDisposeMessage(machine->triple);
    *machine = (Machine){0};
}

static const Unit *find_equal(const Units *units, const Key *key) {
    for (uint32_t i = 0; i < units->list.count; i++) {
        const Key *other = &units->list.at[i].key;
        if (other->length == key->length && !memcmp(other->at, key->at, key->length))
            return &units->list.at[i];
    }
    return NULL;
}

static const char *unit_symbol(Arena *arena, Units *units, Unit *unit,
                               const char *prefix) {
    const Unit *equal = find_equal(units, &unit->key);
    if (!equal) {
        unsigned long long high = unit->key.hash[0], low = unit->key.hash[1];
        unit->symbol = arena_print(arena, "%s%016llx%016llx", prefix, high, low);
        vec_push(arena, &units->list, *unit);
        equal = unit;
    }
    return equal->symbol;
}

static const char *name_of(const void *context, const Kernel *kernel) {
    const Units *units = context;
    for (uint32_t i = 0; i < units->names.count; i++)
        if (units->names.at[i].kernel == kernel) return units->names.at[i].symbol;
    return NULL;
}

const char *units_kernel(Arena *arena, Units *units, const Kernel *kernel) {
    const char *symbol = name_of(units, kernel);
    if (symbol) return symbol;
    Unit unit = {.kernel = kernel, .key = kernel_key(arena, kernel)};
    symbol = unit_symbol(arena, units, &unit, "tn_kernel_");
    vec_push(arena, &units->names, (KernelName){kernel, symbol});
    return symbol;
}

static void add_kernels(Arena *arena, Units *units, const PlanStep *step,
                        uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (step[i].kind == STEP_LAUNCH) units_kernel(arena, units, step[i].kernel);
        add_kernels(arena, units, step[i].step, step[i].steps);
    }
}

const char *units_plan(Arena *arena, Units *units, const Plan *plan) {
    add_kernels(arena, units, plan->step, plan->steps);
    Unit unit = {.plan = plan, .key = plan_key(arena, plan, name_of, units)};
    return unit_symbol(arena, units, &unit, "tn_entry_");
}

void units_glue(Arena *arena, Units *units, const Glue *glue) {
    Unit unit = {.glue = glue, .key = glue_key(arena, glue)};
    unit_symbol(arena, units, &unit, "tn_glue_");
}

static void declare_kernels(Emitter *e, const Units *units, const PlanStep *step,
                            uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        declare_kernels(e, units, step[i].step, step[i].steps);
        if (step[i].kind != STEP_LAUNCH) continue;
        const char *symbol = name_of(units, step[i].kernel);
        Value f = LLVMGetNamedFunction(e->module, symbol);
        if (!f) f = LLVMAddFunction(e->module, symbol, task_type(e));
        bindings_set(e->arena, &e->callees, step[i].kernel, f);
    }
}

void unit_emit(Emitter *e, const Units *units, const Unit *unit) {
    if (unit->kernel) {
        kernel_emit(e, unit->kernel, unit->symbol);
        return;
    }
    if (unit->glue) {
        glue_emit(e, unit->glue);
        return;
    }
    declare_kernels(e, units, unit->plan->step, unit->plan->steps);
    driver_emit(e, unit->plan, unit->symbol);
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
