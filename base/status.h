/* What can go wrong, as a value; and the guard that carries it out of deep recursion. */
#ifndef TN_BASE_STATUS_H
#define TN_BASE_STATUS_H

#include <setjmp.h>
#include <stdarg.h>

/* The first four are the command's exit codes (ORDER STATUS). */
typedef enum Status {
    STATUS_OK = 0,
    STATUS_INPUT = 1,  /* the user's input is wrong; diagnostics say where */
    STATUS_USAGE = 2,  /* the command line is wrong */
    STATUS_BUG = 3,    /* an invariant of ours is broken */
    STATUS_MEMORY = 4, /* the allocator returned nothing */
    STATUS_SYSTEM = 5, /* a file, a disk, a processor feature */
} Status;

/*
 * A point to return to.  Compiler code allocates from arenas, an arena knows its guard,
 * and memory that ends or an invariant that breaks unwinds to it in one jump; all that
 * was allocated belongs to arenas, so nothing leaks.  A function that owns anything else
 * (a file, an LLVM context) across an arena allocation sets a guard of its own.
 *
 *     Guard guard;
 *     if (guard_enter(guard)) return guard.status;   // came back by guard_raise
 */
typedef struct Guard {
    jmp_buf env;
    Status status;
    char message[512];
} Guard;

#define guard_enter(g) (setjmp((g).env))

_Noreturn void guard_raise(Guard *guard, Status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
