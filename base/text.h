/* A growing string in an arena; what every printer writes to. */
#ifndef TN_BASE_TEXT_H
#define TN_BASE_TEXT_H

#include "base/arena.h"

typedef struct Text {
    Arena *arena;
    char *at; /* always ends in NUL once written to */
    size_t length, capacity;
} Text;

void text_init(Text *text, Arena *arena);
void text_add(Text *text, const char *bytes, size_t length);
void text_puts(Text *text, const char *string);
void text_printf(Text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
