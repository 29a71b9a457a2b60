/* What every fuzz target of a level of the IR does: any bytes give a value or a message; a
 * value prints as text that gives the same value. */
#ifndef TN_TESTS_FUZZ_ROUND_TRIP_H
#define TN_TESTS_FUZZ_ROUND_TRIP_H

#include "base/diag.h"
#include <stdlib.h>

/* How a level reads and writes its text. */
typedef struct TextForm {
    void *(*parse)(Arena *arena, Diag *diag, uint32_t source);
    void (*print)(const void *value, Text *text);
    bool (*valid)(const void *value, Arena *arena); /* whether the verifier takes it */
} TextForm;

static void *text_form_parse(const TextForm *form, Arena *arena, Diag *diag,
                             const char *text, size_t length) {
    void *value = form->parse(arena, diag, diag_source(diag, "fuzz", text, length));
    if (!value == !diag->errors) abort();
    return value;
}

static const char *text_form_print(const TextForm *form, Arena *arena,
                                   const void *value) {
    Text text;
    text_init(&text, arena);
    form->print(value, &text);
    return text.at;
}

/* The value that was printed and read again; NULL where the bytes hold none. */
static void *round_trip(const TextForm *form, Arena *arena, const uint8_t *data,
                        size_t size) {
    Diag diag;
    Text words;
    diag_init(&diag, arena);
    text_init(&words, arena);
    void *value = text_form_parse(form, arena, &diag,
                                  arena_string(arena, (const char *)data, size), size);
    diag_render(&diag, &words);
    if (!value || !form->valid(value, arena)) return NULL;
    const char *once = text_form_print(form, arena, value);
    void *again = text_form_parse(form, arena, &diag, once, strlen(once));
    if (!again || strcmp(text_form_print(form, arena, again), once)) abort();
    return again;
}

#endif
