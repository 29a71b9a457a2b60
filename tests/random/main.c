/*
 * random_programs [--count N] [--seed S] [--text]: checks N random programs from seed S on,
 * and prints the first that fails, made small.  --text prints programs and checks nothing.
 * They run in children, so that one that crashes is found and shrunk as well: sixteen at a
 * time, which share a library; one by one where something is wrong.
 */
#include "tests/random/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *name;
    RandomProperty *property;
} properties[] = {
    {"passes", random_passes},
    {"compiled", random_run},
    {"compiled for AVX2", random_run_avx2},
    {"as a library", random_library}, /* the last */
};
#define PROPERTIES (sizeof properties / sizeof *properties)
#define BATCH      16

/* 0 when the first properties hold; prints what does not where `aloud`. */
static int check(const RandomCase *program, size_t count, bool aloud) {
    Guard guard;
    Arena arena;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) {
        if (aloud) printf("%s\n", guard.message);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *wrong = properties[i].property(&arena, program);
        if (!wrong) continue;
        if (aloud) printf("%s: %s\n", properties[i].name, wrong);
        return 1;
    }
    arena_free(&arena);
    return 0;
}

static bool fails_in_child(void *context, const RandomCase *program) {
    bool aloud = *(bool *)context;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!aloud && !freopen("/dev/null", "w", stderr)) _exit(2);
        alarm(60);
        int status = check(program, PROPERTIES, aloud);
        fflush(stdout);
        _exit(status);
    }
    int status;
    waitpid(child, &status, 0);
    if (aloud && WIFSIGNALED(status)) printf("signal %d\n", WTERMSIG(status));
    return status != 0;
}

static void print_case(const RandomCase *program) {
    printf("%s", program->text);
    if (program->n) printf("N = %lld\n", (long long)program->n);
    for (uint32_t i = 0; i < program->params; i++) {
        const Array *arg = &program->args[i];
        printf("argument %u:", i);
        for (int64_t k = 0; k < array_count(arg) && k < 24; k++)
            printf(" %.9g", arg->at[k]);
        printf("%s\n", array_count(arg) > 24 ? " ..." : "");
    }
}

static int report(Arena *arena, uint64_t seed, const RandomCase *program) {
    bool aloud = false;
    printf("seed %llu fails; made small:\n", (unsigned long long)seed);
    RandomCase small = random_shrink(arena, program, fails_in_child, &aloud);
    print_case(&small);
    aloud = true;
    fails_in_child(&aloud, &small);
    fflush(stdout);
    if (fork() == 0) { /* making them may be what fails */
        printf("\n%s\n", random_kernels(arena, &small));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    return 1;
}

typedef struct Options {
    uint64_t count, seed;
    bool text, wrong;
} Options;

static Options options_of(int argc, char **argv) {
    Options options = {.count = 1000};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--text"))
            options.text = true;
        else if (more && !strcmp(argv[i], "--count"))
            options.count = strtoull(argv[++i], NULL, 10);
        else if (more && !strcmp(argv[i], "--seed"))
            options.seed = strtoull(argv[++i], NULL, 10);
        else
            options.wrong = true;
    }
    return options;
}

/* 0, 1 when the program fails, 3 when it cannot be made. */
static int run_one(uint64_t seed, bool text) {
    Guard guard;
    Arena arena;
    bool aloud = false;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) {
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, guard.message);
        return 3;
    }
    RandomCase program = random_case(&arena, seed);
    int status = 0;
    if (text)
        printf("# seed %llu\n%s", (unsigned long long)seed, program.text);
    else if (fails_in_child(&aloud, &program))
        status = report(&arena, seed, &program);
    arena_free(&arena);
    return status;
}

static int check_batch(uint64_t seed, uint32_t count) {
    Guard guard;
    Arena arena;
    RandomCase programs[BATCH];
    uint32_t which;
    arena_init(&arena, &guard);
    if (guard_enter(guard)) return 1;
    for (uint32_t i = 0; i < count; i++) {
        programs[i] = random_case(&arena, seed + i);
        if (check(&programs[i], PROPERTIES - 1, false)) return 1;
    }
    int status = random_libraries(&arena, programs, count, &which) != NULL;
    arena_free(&arena);
    return status;
}

/* Whether all is well with these. */
static bool batch_holds(uint64_t seed, uint32_t count) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        alarm(60 * BATCH);
        _exit(check_batch(seed, count));
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

/* The number that fail; a batch that fails as a whole only counts as one. */
static uint64_t run_batch(uint64_t seed, uint32_t count, bool text) {
    uint64_t failed = 0;
    if (!text && batch_holds(seed, count)) return 0;
    for (uint32_t i = 0; i < count; i++) failed += run_one(seed + i, text) != 0;
    if (failed || text) return failed;
    printf("seeds %llu to %llu fail in one library, and not alone\n",
           (unsigned long long)seed, (unsigned long long)(seed + count - 1));
    return 1;
}

int main(int argc, char **argv) {
    const Options options = options_of(argc, argv);
    if (options.wrong) {
        fprintf(stderr, "usage: %s [--count N] [--seed S] [--text]\n", argv[0]);
        return 2;
    }
    uint64_t failed = 0, i = 0;
    while (i < options.count && failed < 3) {
        uint64_t left = options.count - i;
        uint32_t count = left < BATCH ? (uint32_t)left : BATCH;
        failed += run_batch(options.seed + i, count, options.text);
        i += count;
    }
    if (!options.text)
        printf("%llu programs, %llu wrong\n", (unsigned long long)i,
               (unsigned long long)failed);
    return failed != 0;
}
