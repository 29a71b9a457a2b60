/* Objects into callable code of this process, by ORC's LLJIT. */
#include "base/alloc.h"
#include "codegen/llvm/object.h"
#include <llvm-c/LLJIT.h>
#include <stdio.h>
#include <string.h>

/* A name of ours and the symbol that it stands for. */
typedef struct Alias {
    const char *name, *symbol;
    LLVMOrcExecutorAddress address; /* 0: not asked for yet */
} Alias;

struct Jit {
    Guard guard; /* of the arena, while the jit is made */
    Arena arena;
    LLVMOrcLLJITRef lljit;
    JitFacts facts;
    VEC(Alias) kernels;
    VEC(Alias) entries;
};

static Status orc_failed(LLVMErrorRef error, char *message) {
    char *words = LLVMGetErrorMessage(error);
    snprintf(message, 512, "LLVM's linker: %s", words);
    LLVMDisposeErrorMessage(words);
    return STATUS_SYSTEM;
}

static void add_kernel(Jit *jit, Units *units, const Kernel *kernel) {
    const char *name = arena_string(&jit->arena, kernel->name, strlen(kernel->name));
    const char *symbol = units_kernel(&jit->arena, units, kernel);
    vec_push(&jit->arena, &jit->kernels, (Alias){name, symbol, 0});
}

/* The objects go to the linker, which looks into them when a symbol is asked for. */
static Status link_units(Jit *jit, Units *units, char *message) {
    machine_start(); /* when all objects come from the cache, nothing has yet */
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&jit->lljit, NULL);
    if (error) return orc_failed(error, message);
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(jit->lljit);
    for (uint32_t i = 0; i < units->parts.count; i++) {
        LLVMMemoryBufferRef object = units->parts.at[i].object;
        units->parts.at[i].object = NULL;
        error = LLVMOrcLLJITAddObjectFile(jit->lljit, dylib, object);
        if (error) return orc_failed(error, message);
    }
    return STATUS_OK;
}

/* Code is linked when it is first asked for: here, so that no call waits for it. */
static Status find_entries(Jit *jit, char *message) {
    for (uint32_t i = 0; i < jit->entries.count; i++) {
        Alias *entry = &jit->entries.at[i];
        LLVMErrorRef error =
            LLVMOrcLLJITLookup(jit->lljit, &entry->address, entry->symbol);
        if (error) return orc_failed(error, message);
    }
    return STATUS_OK;
}

static Status build(Jit *jit, const JitOptions *options, Units *units, char *message) {
    Status status = units_compile(&jit->arena, options, units, message);
    jit->facts = (JitFacts){units->parts.count - units->loaded, units->loaded};
    if (status == STATUS_OK) status = link_units(jit, units, message);
    if (status == STATUS_OK) status = find_entries(jit, message);
    units_free(units);
    return status;
}

static void add_steps(Jit *jit, Units *units, const PlanStep *step, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (step[i].kind == STEP_LAUNCH) add_kernel(jit, units, step[i].kernel);
        add_steps(jit, units, step[i].step, step[i].steps);
    }
}

static void add_plan(Jit *jit, Units *units, const Plan *plan) {
    add_steps(jit, units, plan->step, plan->steps);
    const char *name = arena_string(&jit->arena, plan->name, strlen(plan->name));
    const char *symbol = units_plan(&jit->arena, units, plan);
    vec_push(&jit->arena, &jit->entries, (Alias){name, symbol, 0});
}

/* Either list may be empty. */
static Status jit_make(const JitOptions *options, const Plan *const *plans,
                       uint32_t plan_count, const Kernel *const *kernels,
                       uint32_t kernel_count, Jit **out, char *message) {
    *out = NULL;
    Jit *jit = mem_alloc(sizeof *jit);
    if (!jit) {
        snprintf(message, 512, "out of memory");
        return STATUS_MEMORY;
    }
    arena_init(&jit->arena, &jit->guard);
    if (guard_enter(jit->guard)) {
        Status status = jit->guard.status;
        snprintf(message, 512, "%s", jit->guard.message);
        jit_free(jit);
        return status;
    }
    Units units = {0};
    for (uint32_t i = 0; i < plan_count; i++) add_plan(jit, &units, plans[i]);
    for (uint32_t i = 0; i < kernel_count; i++) add_kernel(jit, &units, kernels[i]);
    Status status = build(jit, options, &units, message);
    if (status == STATUS_OK)
        *out = jit;
    else
        jit_free(jit);
    return status;
}

Status jit_new(const JitOptions *options, const Plan *const *plans, uint32_t count,
               Jit **jit, char *message) {
    return jit_make(options, plans, count, NULL, 0, jit, message);
}

Status jit_new_kernels(const JitOptions *options, const Kernel *const *kernels,
                       uint32_t count, Jit **jit, char *message) {
    return jit_make(options, NULL, 0, kernels, count, jit, message);
}

static void *jit_address(const Jit *jit, const Alias *alias, uint32_t count,
                         const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(alias[i].name, name)) continue;
        LLVMOrcExecutorAddress address = alias[i].address;
        if (address) return (void *)(uintptr_t)address;
        LLVMErrorRef error = LLVMOrcLLJITLookup(jit->lljit, &address, alias[i].symbol);
        if (!error) return (void *)(uintptr_t)address;
        LLVMConsumeError(error);
        return NULL;
    }
    return NULL;
}

tn_task *jit_kernel(const Jit *jit, const char *kernel_name) {
    return (tn_task *)jit_address(jit, jit->kernels.at, jit->kernels.count, kernel_name);
}

tn_entry *jit_entry(const Jit *jit, const char *name) {
    return (tn_entry *)jit_address(jit, jit->entries.at, jit->entries.count, name);
}

JitFacts jit_facts(const Jit *jit) {
    return jit->facts;
}

void jit_free(Jit *jit) {
    if (!jit) return;
    if (jit->lljit) {
        LLVMErrorRef error = LLVMOrcDisposeLLJIT(jit->lljit);
        if (error) LLVMConsumeError(error);
    }
    arena_free(&jit->arena);
    mem_free(jit);
}
