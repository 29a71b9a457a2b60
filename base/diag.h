/* Messages for the user: source, place, words, hint.  Values, never printed here. */
#ifndef TN_BASE_DIAG_H
#define TN_BASE_DIAG_H

#include "base/text.h"
#include "base/vec.h"
#include <stdbool.h>

typedef struct Source {
    const char *path;
    const char *text; /* NUL after length bytes */
    size_t length;
} Source;

/* Bytes [begin, end) of source number `source` of the Diag.  All zero: no place. */
typedef struct Span {
    uint32_t source; /* 1-based; 0 is no place */
    uint32_t begin, end;
} Span;

typedef enum Severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE } Severity;

typedef struct Message {
    Severity severity;
    Span span;
    const char *text;
    const char *hint; /* NULL: none */
} Message;

typedef struct Diag {
    Arena *arena; /* owns sources and messages */
    VEC(Source) sources;
    VEC(Message) messages;
    uint32_t errors;
} Diag;

void diag_init(Diag *diag, Arena *arena);
uint32_t diag_source(Diag *diag, const char *path, const char *text, size_t length);

void diag_error(Diag *diag, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_warning(Diag *diag, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_note(Diag *diag, Span span, const char *format, ...) /* about the last error */
    __attribute__((format(printf, 3, 4)));
void diag_hint(Diag *diag, const char *format, ...) /* of the last message */
    __attribute__((format(printf, 2, 3)));

typedef struct Location {
    const char *path;
    uint32_t line, column; /* 1-based; column counts code points */
} Location;
Location diag_location(const Diag *diag, Span span);

/* All messages as  path:line:column: error: words / source line / caret / hint. */
void diag_render(const Diag *diag, Text *out);

/* The candidate nearest to `word` by edit distance, or NULL when none is near. */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

#endif
