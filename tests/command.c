/* Children that run the command, with their output in files of the scratch folder. */
#include "tests/command.h"
#include "tests/scratch.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void redirect(const char *name, int to) {
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || dup2(file, to) < 0) _exit(99);
}

static pid_t start(long bytes, const char *format, va_list list) {
    char words[4096], *argv[128] = {TENON_COMMAND};
    int count = 1;
    vsnprintf(words, sizeof words, format, list);
    for (char *word = strtok(words, " "); word && count < 127; word = strtok(NULL, " "))
        argv[count++] = word;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child) return child;
    if (chdir(scratch_path(""))) _exit(98);
    redirect("stdout", 1);
    redirect("stderr", 2);
    setenv("TENON_DATA", scratch_path(""), 1);
    setenv("XDG_CACHE_HOME", scratch_path("cache"), 1);
    struct rlimit limit = {(rlim_t)bytes, (rlim_t)bytes};
    if (bytes && setrlimit(RLIMIT_FSIZE, &limit)) _exit(97);
    execv(TENON_COMMAND, argv);
    _exit(96);
}

static void slurp(const char *name, char *buffer, size_t size) {
    FILE *file = fopen(scratch_path(name), "rb");
    size_t got = file ? fread(buffer, 1, size - 1, file) : 0;
    buffer[got] = 0;
    if (file) fclose(file);
}

const Result *command_end(pid_t child) {
    static Result result;
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    slurp("stdout", result.out, sizeof result.out);
    slurp("stderr", result.err, sizeof result.err);
    return &result;
}

pid_t command_start(const char *format, ...) {
    va_list list;
    va_start(list, format);
    pid_t child = start(0, format, list);
    va_end(list);
    return child;
}

const Result *command_run(const char *format, ...) {
    va_list list;
    va_start(list, format);
    pid_t child = start(0, format, list);
    va_end(list);
    return command_end(child);
}

const Result *command_run_limited(long bytes, const char *format, ...) {
    va_list list;
    va_start(list, format);
    pid_t child = start(bytes, format, list);
    va_end(list);
    return command_end(child);
}

const Result *command_refused(const char *words, const char *format, ...) {
    va_list list;
    va_start(list, format);
    pid_t child = start(0, format, list);
    va_end(list);
    const Result *r = command_end(child);
    assert_code(r, 1);
    assert_in(words, r->err);
    return r;
}

void command_check(const CommandLine *line) {
    const Result *r = command_run("%s", line->words);
    assert_code(r, line->code);
    assert_in(line->out, r->out);
    assert_in(line->err, r->err);
}
