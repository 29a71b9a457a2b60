/* Random programs: evaluator before against evaluator after the passes. */
#include "tests/random/check.h"
#include "passes/pass.h"
#include <math.h>

Module *random_parse(Arena *arena, const char *text) {
    Diag *diag = arena_new(arena, Diag);
    diag_init(diag, arena);
    uint32_t source = diag_source(diag, "program", text, strlen(text));
    Module *module = graph_parse(arena, diag, source);
    if (module) return module;
    bug(arena, "%s", diag->messages.at[0].text);
}

RandomCase random_case(Arena *arena, uint64_t seed) {
    Diag *diag = arena_new(arena, Diag);
    diag_init(diag, arena);
    RandomProgram program = random_program(arena, diag, seed);
    if (diag->messages.count) bug(arena, "%s", diag->messages.at[0].text);
    Text text;
    text_init(&text, arena);
    graph_print(program.module, &text);
    return (RandomCase){
        text.at,      program.entry->params.count, program.entry->results.count,
        program.args, program.tolerance,           program.symbols[0]};
}

static Func *entry_of(Arena *arena, const Module *module) {
    Func *entry = module_find(module, "main");
    if (!entry) bug(arena, "no entry");
    return entry;
}

/* The evaluator knows everything but grad. */
Array *random_evaluate(Arena *arena, Module *module, const RandomCase *program) {
    int64_t symbols[4] = {program->n};
    Array *results = arena_array(arena, Array, program->results);
    Target target = {.vector_bytes = 32};
    Arena scratch;
    arena_init(&scratch, arena->guard);
    PassContext cx = {&scratch, &target};
    if (module->stage == STAGE_TYPED && !pipeline_run(&cx, module, "autodiff"))
        bug(arena, "no gradients");
    arena_free(&scratch);
    eval_func(entry_of(arena, module), program->args, symbols, arena, results);
    return results;
}

static double largest(const Array *array) {
    double most = 0;
    for (int64_t i = 0; i < array_count(array); i++)
        most = fmax(most, fabs(array->at[i]));
    return most;
}

const char *random_compare(Arena *arena, const Array *want, const Array *got,
                           uint32_t result, double tolerance) {
    if (tolerance < 0) tolerance = -tolerance * largest(want) + 1e-6;
    for (int64_t i = 0; i < array_count(want); i++) {
        double error = fabs(want->at[i] - got->at[i]);
        if (error <= tolerance || (isnan(want->at[i]) && isnan(got->at[i]))) continue;
        return arena_print(arena,
                           "result %u, element %lld: %.9g, not %.9g (tolerance %.3g)",
                           result, (long long)i, got->at[i], want->at[i], tolerance);
    }
    return NULL;
}

/* NULL, or what is wrong after the passes up to `last`. */
static const char *check_until(Arena *arena, const RandomCase *program, const Array *want,
                               const char *last) {
    Target target = {
        .vector_bytes = 32, .registers = 16, .l1_bytes = 32 << 10, .l2_bytes = 1 << 20};
    Module *module = random_parse(arena, program->text);
    Arena scratch;
    arena_init(&scratch, arena->guard);
    PassContext cx = {&scratch, &target};
    if (!pipeline_run(&cx, module, last)) return "the pipeline refuses the program";
    arena_free(&scratch);
    const Array *got = random_evaluate(arena, module, program);
    for (uint32_t i = 0; i < program->results; i++) {
        /* Folded constants are rounded to their type. */
        double tolerance = program->tolerance[i];
        if (tolerance >= 0) tolerance += 1e-10;
        const char *wrong = random_compare(arena, &want[i], &got[i], i, tolerance);
        if (wrong) return wrong;
    }
    return NULL;
}

const char *random_passes(Arena *arena, const RandomCase *program) {
    static const char *const names[] = {
#define PASS(name, what) #name,
#define STAGE(name)
#include "passes/pipeline.def"
#undef PASS
#undef STAGE
    };
    const Array *want =
        random_evaluate(arena, random_parse(arena, program->text), program);
    const size_t count = sizeof names / sizeof *names;
    if (!check_until(arena, program, want, names[count - 1])) return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *wrong = check_until(arena, program, want, names[i]);
        if (wrong) return arena_print(arena, "after %s: %s", names[i], wrong);
    }
    return NULL;
}
