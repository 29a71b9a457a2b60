/* Growing strings. */
#include "base/text.h"
#include <stdio.h>
#include <string.h>

void text_init(Text *text, Arena *arena) {
    *text = (Text){.arena = arena, .at = ""};
}

static void text_reserve(Text *text, size_t more) {
    if (text->capacity && text->length + more + 1 <= text->capacity) return;
    size_t capacity = 2 * (text->length + more) + 64;
    char *at = arena_alloc(text->arena, capacity);
    memcpy(at, text->at, text->length);
    text->at = at;
    text->capacity = capacity;
}

void text_add(Text *text, const char *bytes, size_t length) {
    text_reserve(text, length);
    memcpy(text->at + text->length, bytes, length);
    text->length += length;
    text->at[text->length] = 0;
}

void text_puts(Text *text, const char *string) {
    text_add(text, string, strlen(string));
}

void text_printf(Text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) bug(text->arena, "bad format \"%s\"", format);
    text_reserve(text, (size_t)length);
    va_start(args, format);
    vsnprintf(text->at + text->length, (size_t)length + 1, format, args);
    va_end(args);
    text->length += (size_t)length;
}
