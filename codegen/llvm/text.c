/* What the backend makes of a plan, as text: every distinct kernel, then the driver. */
#include "codegen/llvm/object.h"
#include <stdio.h>

static Status assembly(Emitter *e, const Machine *machine, Text *out, char *message) {
    LLVMMemoryBufferRef buffer;
    char *words = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine->handle, e->module, LLVMAssemblyFile,
                                            &words, &buffer)) {
        snprintf(message, 512, "LLVM's code generation: %s", words);
        LLVMDisposeMessage(words);
        return STATUS_BUG;
    }
    text_add(out, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    return STATUS_OK;
}

static Status unit_text(Emitter *e, const Machine *machine, EmitLevel level, Text *out,
                        char *message) {
    Status status = unit_optimise(e, machine, message);
    if (status != STATUS_OK) return status;
    if (level == EMIT_ASM) return assembly(e, machine, out, message);
    char *ir = LLVMPrintModuleToString(e->module);
    text_puts(out, ir);
    LLVMDisposeMessage(ir);
    return STATUS_OK;
}

/* LLVM's things are freed before memory that ends is reported to the caller's guard. */
static Status unit_write(const JitOptions *options, const Units *units, const Unit *unit,
                         const Machine *machine, EmitLevel level, Text *out,
                         char *message) {
    Guard *outer = out->arena->guard, guard;
    out->arena->guard = &guard;
    Emitter e;
    emitter_begin(&e, out->arena, options->target, unit->symbol);
    Status status;
    if (guard_enter(guard)) {
        status = guard.status;
        snprintf(message, 512, "%s", guard.message);
    } else {
        text_printf(out, "%s %s\n", level == EMIT_ASM ? "#" : ";",
                    unit->kernel ? unit->kernel->name : unit->plan->name);
        unit_emit(&e, units, unit);
        status = unit_text(&e, machine, level, out, message);
    }
    emitter_end(&e);
    out->arena->guard = outer;
    return status;
}

static Status units_text(const JitOptions *options, const Units *units, EmitLevel level,
                         Text *out, char *message) {
    Machine machine;
    Status status = machine_new(options->target, &machine);
    for (uint32_t i = 0; status == STATUS_OK && i < units->list.count; i++)
        status =
            unit_write(options, units, &units->list.at[i], &machine, level, out, message);
    machine_free(&machine);
    return status;
}

Status backend_emit(const JitOptions *options, const Plan *plan, EmitLevel level,
                    Text *out, char *message) {
    Units units = {0};
    units_plan(out->arena, &units, plan);
    return units_text(options, &units, level, out, message);
}

Status backend_emit_kernel(const JitOptions *options, const Kernel *kernel,
                           EmitLevel level, Text *out, char *message) {
    Units units = {0};
    units_kernel(out->arena, &units, kernel);
    return units_text(options, &units, level, out, message);
}
