/* Opening compiled libraries; running tools of the system on them. */
#include "tests/library.h"
#include "tests/scratch.h"
#include <check.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *symbol(const Library *l, const char *name, const char *end) {
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", name, *end ? "_" : "", end);
    return dlsym(l->handle, text);
}

/* Through memory: ISO C has no cast from data to function. */
#define SYMBOL(field, name, end)                                                         \
    do {                                                                                 \
        void *at_ = symbol(&l, name, end);                                               \
        memcpy(&(field), &at_, sizeof at_);                                              \
    } while (0)

Library library_open(const char *path, const char *name) {
    Library l = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    ck_assert_msg(l.handle != NULL, "%s", l.handle ? "" : dlerror());
    SYMBOL(l.state_size, name, "state_size");
    SYMBOL(l.work_size, name, "work_size");
    SYMBOL(l.check, name, "check");
    SYMBOL(l.init, name, "init");
    SYMBOL(l.params, name, "params");
    SYMBOL(l.error, name, "error");
    SYMBOL(l.order, name, "order");
    ck_assert(l.state_size && l.work_size && l.check && l.init && l.params && l.error);
    l.state = aligned_alloc(64, l.state_size());
    l.work = aligned_alloc(64, l.work_size(1) + 128);
    ck_assert(l.state && l.work);
    return l;
}

void library_close(Library *l) {
    free(l->state);
    free(l->work);
    dlclose(l->handle);
}

LibraryEntry *library_entry(const Library *library, const char *name) {
    const Library l = *library;
    LibraryEntry *entry;
    SYMBOL(entry, name, "");
    ck_assert_msg(entry != NULL, "no %s", name);
    return entry;
}

const tn_param *library_param(const Library *l, const char *name) {
    int64_t count;
    const tn_param *param = l->params(&count);
    for (int64_t i = 0; i < count; i++)
        if (!strcmp(param[i].name, name)) return &param[i];
    ck_abort_msg("no parameter %s", name);
}

int shell(const char *format, ...) {
    char words[4096], all[8192];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    snprintf(all, sizeof all, "cd '%s' && { %s; } >said 2>&1", scratch_path(""), words);
    return system(all); /* NOLINT(bugprone-command-processor): a shell is meant */
}

const char *said(void) {
    static char text[1 << 14];
    FILE *file = fopen(scratch_path("said"), "rb");
    size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[got] = 0;
    if (file) fclose(file);
    return text;
}
