/* A program as text at any level. */
#include "frontend/ast.h"
#include "tools/session.h"
#include <string.h>

static Status emit_ast(Session *s, const char *after, Text *out) {
    uint32_t source;
    if (!session_source(s, &source)) return STATUS_INPUT;
    ast_print(ast_parse(&s->arena, &s->diag, source), out);
    return s->diag.errors ? STATUS_INPUT : STATUS_OK;
}

static Status emit_graph(Session *s, const char *after, Text *out) {
    Status status = after ? session_passes(s, after) : STATUS_OK;
    if (status == STATUS_OK) graph_print(s->program->module, out);
    return status;
}

static Status emit_groups(Session *s, const char *after, Text *out) {
    Status status = session_passes(s, "fuse");
    if (status == STATUS_OK) graph_print(s->program->module, out);
    return status;
}

/* A kernel is printed where it is first launched. */
static void print_loops(const PlanStep *step, uint32_t steps, const Kernel **seen,
                        uint32_t *count, Text *out) {
    for (uint32_t i = 0; i < steps; i++) {
        print_loops(step[i].step, step[i].steps, seen, count, out);
        if (step[i].kind != STEP_LAUNCH) continue;
        bool again = false;
        for (uint32_t k = 0; k < *count; k++) again = again || seen[k] == step[i].kernel;
        if (again) continue;
        seen[(*count)++] = step[i].kernel;
        loop_print(step[i].kernel, out);
    }
}

static uint32_t count_launches(const PlanStep *step, uint32_t steps) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < steps; i++)
        count +=
            (step[i].kind == STEP_LAUNCH) + count_launches(step[i].step, step[i].steps);
    return count;
}

static Status emit_loops(Session *s, const char *after, Text *out) {
    Status status = session_plan(s);
    for (uint32_t i = 0; i < s->wanted.count && status == STATUS_OK; i++) {
        const Plan *plan = s->plan[i];
        uint32_t launches = count_launches(plan->step, plan->steps), count = 0;
        const Kernel **seen = arena_array(&s->arena, const Kernel *, launches + 1);
        print_loops(plan->step, plan->steps, seen, &count, out);
    }
    return status;
}

static void print_place(const Place *place, Text *out) {
    static const char *const names[] = {"state", "work", "in", "out", "const"};
    text_puts(out, names[place->space]);
    if (place->space == SPACE_IN || place->space == SPACE_OUT)
        text_printf(out, "[%u]", place->index);
    if (place->offset || place->space == SPACE_STATE || place->space == SPACE_WORK)
        text_printf(out, "+%lld", (long long)place->offset);
    text_printf(out, ":%lld", (long long)place->bytes);
}

static void print_steps(const PlanStep *step, uint32_t steps, int depth, Text *out) {
    for (uint32_t i = 0; i < steps; i++) {
        text_printf(out, "%*s", 2 * depth, "");
        if (step[i].kind == STEP_REPEAT)
            text_printf(out, "repeat %lld", (long long)step[i].count);
        else
            text_puts(out, step[i].kind == STEP_COPY ? "copy" : step[i].kernel->name);
        for (uint32_t a = 0; a < step[i].args; a++) {
            text_puts(out, a ? ", " : " ");
            print_place(&step[i].arg[a], out);
        }
        if (step[i].label) text_printf(out, "   # %s", step[i].label);
        text_puts(out, "\n");
        print_steps(step[i].step, step[i].steps, depth + 1, out);
    }
}

static Status emit_plan(Session *s, const char *after, Text *out) {
    Status status = session_plan(s);
    if (status != STATUS_OK) return status;
    text_printf(out, "state %lld bytes\n", (long long)s->layout->bytes);
    for (uint32_t i = 0; i < s->layout->slots; i++) {
        const Slot *slot = &s->layout->slot[i];
        text_printf(out, "  +%lld %s: ", (long long)slot->offset, slot->name);
        type_print(&s->program->module->dims, &slot->type, out);
        text_puts(out, "\n");
    }
    for (uint32_t i = 0; i < s->wanted.count; i++) {
        const Plan *p = s->plan[i];
        text_printf(out, "plan %s: work %lld bytes, at least %lld\n", p->name,
                    (long long)p->work_bytes, (long long)p->lower_bound);
        print_steps(p->step, p->steps, 1, out);
    }
    return STATUS_OK;
}

static Status emit_code(Session *s, EmitLevel level, Text *out) {
    Status status = session_plan(s);
    char message[MESSAGE_BYTES] = "";
    const JitOptions options = {.target = &s->target, .threads = 1};
    for (uint32_t i = 0; i < s->wanted.count && status == STATUS_OK; i++) {
        status = backend_emit(&options, s->plan[i], level, out, message);
        if (status != STATUS_OK) session_fail(s, status, "%s", message);
    }
    return status;
}

static Status emit_llvm(Session *s, const char *after, Text *out) {
    return emit_code(s, EMIT_LLVM, out);
}
static Status emit_asm(Session *s, const char *after, Text *out) {
    return emit_code(s, EMIT_ASM, out);
}

static const struct {
    const char *name;
    Status (*emit)(Session *session, const char *after, Text *out);
} levels[] = {
    {"ast", emit_ast},     {"graph", emit_graph}, {"groups", emit_groups},
    {"loops", emit_loops}, {"plan", emit_plan},   {"llvm", emit_llvm},
    {"asm", emit_asm},
};
#define LEVELS (sizeof levels / sizeof *levels)

const char *level_name(uint32_t i) {
    return i < LEVELS ? levels[i].name : NULL;
}

static size_t level_find(const char *name) {
    size_t i = 0;
    while (i < LEVELS && strcmp(levels[i].name, name)) i++;
    return i;
}

bool level_known(const char *name) {
    return level_find(name) < LEVELS;
}

Status session_emit(Session *s, const char *level, const char *after, Text *out) {
    return levels[level_find(level)].emit(s, after, out);
}

bool pass_known(const char *word, const char **near) {
    static const char *const names[] = {
#define PASS(name, what) #name,
#define STAGE(name)
#include "passes/pipeline.def"
#undef PASS
#undef STAGE
    };
    size_t count = sizeof names / sizeof *names;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], word)) return true;
    *near = nearest_word(word, names, count);
    return false;
}
