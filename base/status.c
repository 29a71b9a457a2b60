/* Guards: unwinding with a status and a message. */
#include "base/status.h"
#include <stdio.h>

void guard_raise(Guard *guard, Status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(guard->message, sizeof guard->message, format, args);
    va_end(args);
    guard->status = status;
    longjmp(guard->env, 1);
}
