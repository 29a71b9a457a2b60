/* Diagnostics: collected as values, rendered with the source line and a caret. */
#include "base/diag.h"
#include <stdio.h>

void diag_init(Diag *diag, Arena *arena) {
    *diag = (Diag){.arena = arena};
}

uint32_t diag_source(Diag *diag, const char *path, const char *text, size_t length) {
    Source source = {path, text, length};
    vec_push(diag->arena, &diag->sources, source);
    return diag->sources.count;
}

static void add_message(Diag *diag, Severity severity, Span span, const char *format,
                        va_list args) {
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) bug(diag->arena, "bad format \"%s\"", format);
    char *text = arena_alloc(diag->arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, args);
    Message message = {severity, span, text, NULL};
    vec_push(diag->arena, &diag->messages, message);
    if (severity == SEVERITY_ERROR) diag->errors++;
}

void diag_error(Diag *diag, Span span, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_message(diag, SEVERITY_ERROR, span, format, args);
    va_end(args);
}

void diag_warning(Diag *diag, Span span, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_message(diag, SEVERITY_WARNING, span, format, args);
    va_end(args);
}

void diag_note(Diag *diag, Span span, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_message(diag, SEVERITY_NOTE, span, format, args);
    va_end(args);
}

void diag_hint(Diag *diag, const char *format, ...) {
    if (!diag->messages.count) bug(diag->arena, "a hint without a message");
    char words[512];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    diag->messages.at[diag->messages.count - 1].hint =
        arena_string(diag->arena, words, strlen(words));
}

static const Source *span_source(const Diag *diag, Span span) {
    return span.source && span.source <= diag->sources.count
               ? &diag->sources.at[span.source - 1]
               : NULL;
}

/* UTF-8 continuation bytes do not start a code point. */
static bool starts_point(char c) {
    return ((unsigned char)c & 0xC0) != 0x80;
}

Location diag_location(const Diag *diag, Span span) {
    const Source *source = span_source(diag, span);
    if (!source) return (Location){"", 0, 0};
    Location at = {source->path, 1, 1};
    for (size_t i = 0; i < span.begin && i < source->length; i++) {
        if (source->text[i] == '\n') {
            at.line++;
            at.column = 1;
        } else if (starts_point(source->text[i])) {
            at.column++;
        }
    }
    return at;
}

/* Bytes [begin, end) of the line that holds the span's begin. */
static void find_line(const Source *source, Span span, size_t *begin, size_t *end) {
    size_t at = span.begin < source->length ? span.begin : source->length;
    *begin = *end = at;
    while (*begin > 0 && source->text[*begin - 1] != '\n') --*begin;
    while (*end < source->length && source->text[*end] != '\n') ++*end;
}

/* A control byte in a source would disturb the terminal. */
static void render_bytes(const char *bytes, size_t length, Text *out) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char shown = (c < ' ' && c != '\t') || c == 127 ? '?' : bytes[i];
        text_add(out, &shown, 1);
    }
}

#define LINE_SHOWN 200 /* bytes of a source line */

static void render_line(const Source *source, Span span, Text *out) {
    size_t begin, end;
    find_line(source, span, &begin, &end);
    size_t at = span.begin < end ? span.begin : end;
    if (at - begin > LINE_SHOWN / 2) begin = at - LINE_SHOWN / 2;
    while (begin < at && !starts_point(source->text[begin])) begin++;
    if (end - begin > LINE_SHOWN) end = begin + LINE_SHOWN;
    text_puts(out, "    ");
    render_bytes(source->text + begin, end - begin, out);
    text_puts(out, "\n    ");
    for (size_t i = begin; i < at; i++) /* tabs stay tabs, so that the caret lines up */
        if (starts_point(source->text[i]))
            text_puts(out, source->text[i] == '\t' ? "\t" : " ");
    text_puts(out, "^");
    for (size_t i = at + 1; i < span.end && i < end; i++)
        if (starts_point(source->text[i])) text_puts(out, "~");
    text_puts(out, "\n");
}

void diag_render(const Diag *diag, Text *out) {
    static const char *const words[] = {"error", "warning", "note"}; /* by Severity */
    for (uint32_t i = 0; i < diag->messages.count; i++) {
        const Message *message = &diag->messages.at[i];
        const Source *source = span_source(diag, message->span);
        if (source) {
            Location at = diag_location(diag, message->span);
            text_printf(out, "%s:%u:%u: ", at.path, at.line, at.column);
        }
        text_printf(out, "%s: %s\n", words[message->severity], message->text);
        if (source) render_line(source, message->span, out);
        if (message->hint) text_printf(out, "    hint: %s\n", message->hint);
    }
}

#define WORD_MAX 64

/* Edits (insert, drop, replace, swap neighbours) between two words of at most WORD_MAX
 * bytes. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb) {
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++) above[j] = j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *old = before;
        before = above;
        above = row;
        row = old;
    }
    return above[nb];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count) {
    size_t length = strlen(word), best = length / 3 + 1;
    const char *nearest = NULL;
    if (length > WORD_MAX) return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(candidates[i]);
        if (other > WORD_MAX) continue;
        size_t distance = edit_distance(word, length, candidates[i], other);
        /* A candidate of which nothing remains is not near. */
        if (distance <= best && distance < length && (!nearest || distance < best)) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
