/* The `tenon` command as a child process. */
#ifndef TN_TESTS_COMMAND_H
#define TN_TESTS_COMMAND_H

#include <sys/types.h>

typedef struct Result {
    int code;   /* of the exit, -1: ended by `signal` */
    int signal; /* 0: none */
    char out[1 << 16], err[1 << 16];
} Result;

/* Arguments in one string, parted by blanks; runs in the scratch folder, with its data and
 * its own object cache.  The result is static. */
const Result *command_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with limits: files of at most `bytes` bytes (0: no limit). */
const Result *command_run_limited(long bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, which has to end with exit code 1 and `words` in its message. */
const Result *command_refused(const char *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Starts it only; command_end waits. */
pid_t command_start(const char *format, ...) __attribute__((format(printf, 1, 2)));
const Result *command_end(pid_t child);

/* A line of words for the command: the exit code, and a part of what it prints. */
typedef struct CommandLine {
    const char *words;
    int code;
    const char *out, *err;
} CommandLine;
void command_check(const CommandLine *line);

/* Assertions that show what the command said. */
#define assert_code(result, wanted)                                                      \
    ck_assert_msg((result)->code == (wanted),                                            \
                  "exit code %d (signal %d), out: %s err: %s", (result)->code,           \
                  (result)->signal, (result)->out, (result)->err)
#define assert_in(words, text)                                                           \
    ck_assert_msg(strstr((text), (words)) != NULL, "'%s' is not in: %s", (words), (text))

#endif
