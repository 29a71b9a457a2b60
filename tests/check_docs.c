/*
 * Every fenced snippet of README.md and docs/ holds what it shows:
 *
 *     tn      a program without mistakes; `# name.tn` on its first line leaves it under that
 *             name for the commands that follow in the document
 *     graph   a module that the verifier takes; printing reads back as itself
 *     loop    a kernel, likewise
 *     c       a program whose first line, a comment, is its name: left for the commands
 *     sh      commands that all begin with `tenon`, `cc` or `./`: they end with 0
 *     text    right after such an sh block: its output; a line of ... stands for any lines
 *
 * Commands run in a folder of the document's own that sees the repository's examples/.
 */
#include "frontend/program.h"
#include "ir/loop.h"
#include "tests/scratch.h"
#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static Guard guard;
static Arena arena;
static glob_t documents;

typedef struct Snippet {
    const char *kind, *text;
    int line;
    bool follows; /* nothing but blank lines since the snippet before */
} Snippet;
typedef VEC(Snippet) SnippetList;

/* A document under test, what its last commands printed, and what was found wrong. */
typedef struct Document {
    const char *path;
    const char *output; /* NULL: the snippet before was no command */
    Text wrong;
} Document;

static char *slurp(const char *path) {
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    Text text;
    text_init(&text, &arena);
    text_puts(&text, "");
    char chunk[4096];
    while (!feof(file) && !ferror(file))
        text_add(&text, chunk, fread(chunk, 1, sizeof chunk, file));
    ck_assert_int_eq(fclose(file), 0);
    return text.at;
}

static const char *line_end(const char *line) {
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

static SnippetList snippets_read(const char *text) {
    SnippetList list = {0};
    bool blank = false;
    int number = 1;
    for (const char *line = text, *end; *line; line = end, number++) {
        end = line_end(line);
        if (strncmp(line, "```", 3)) {
            blank = blank && *line == '\n';
            continue;
        }
        Snippet snippet = {.line = number, .follows = blank};
        snippet.kind = arena_string(&arena, line + 3, strcspn(line + 3, "\n"));
        const char *body = end;
        for (; *end && strncmp(end, "```", 3); number++) end = line_end(end);
        snippet.text = arena_string(&arena, body, (size_t)(end - body));
        end = line_end(end);
        number++;
        blank = true;
        vec_push(&arena, &list, snippet);
    }
    return list;
}

static void report_diag(Document *d, const Snippet *s, Diag *diag) {
    text_printf(&d->wrong, "%s:%d:\n", d->path, s->line);
    diag_render(diag, &d->wrong);
}

static void report(Document *d, const Snippet *s, const char *words, const char *shown) {
    text_printf(&d->wrong, "%s:%d: %s\n%s\n", d->path, s->line, words, shown);
}

static void check_tn(Document *d, const Snippet *s) {
    char name[64];
    if (sscanf(s->text, "# %60[a-z0-9_].tn", name) == 1)
        strcat(name, ".tn");
    else
        strcpy(name, "snippet.tn");
    static const ProgramOptions options = {.keep_open = true};
    Diag diag;
    diag_init(&diag, &arena);
    if (!program_load(&arena, &diag, scratch_text(name, s->text), &options))
        report_diag(d, s, &diag);
}

static const char *print_graph(const char *text, Diag *diag) {
    diag_init(diag, &arena);
    Module *module =
        graph_parse(&arena, diag, diag_source(diag, "snippet", text, strlen(text)));
    if (!module) return NULL;
    Text out;
    text_init(&out, &arena);
    graph_print(module, &out);
    return out.at;
}

static const char *print_loop(const char *text, Diag *diag) {
    diag_init(diag, &arena);
    Kernel *kernel =
        loop_parse(&arena, diag, diag_source(diag, "snippet", text, strlen(text)));
    if (!kernel) return NULL;
    const char *wrong = loop_verify(kernel, &arena);
    if (wrong) diag_error(diag, (Span){0}, "%s", wrong);
    Text out;
    text_init(&out, &arena);
    loop_print(kernel, &out);
    return wrong ? NULL : out.at;
}

/* What was printed is read again, since snippets have comments and line breaks. */
static void check_ir(Document *d, const Snippet *s,
                     const char *(*print)(const char *text, Diag *diag)) {
    Diag diag;
    const char *once = print(s->text, &diag);
    const char *twice = once ? print(once, &diag) : NULL;
    if (!twice)
        report_diag(d, s, &diag);
    else if (strcmp(once, twice))
        report(d, s, "prints otherwise the second time", twice);
}
static void check_graph(Document *d, const Snippet *s) {
    check_ir(d, s, print_graph);
}
static void check_loop(Document *d, const Snippet *s) {
    check_ir(d, s, print_loop);
}

/* On the first line: a comment with a name. */
static void check_c(Document *d, const Snippet *s) {
    char name[64];
    if (sscanf(s->text, "/* %60[a-z0-9_].c */", name) != 1) return;
    strcat(name, ".c");
    scratch_text(name, s->text);
}

static bool only_ours(const char *text) {
    bool continued = false;
    for (const char *line = text; *line; line = line_end(line)) {
        if (!continued && strncmp(line, "tenon ", 6) && strncmp(line, "cc ", 3) &&
            strncmp(line, "./", 2))
            return false;
        const char *end = strchr(line, '\n');
        continued = end && end > line && end[-1] == '\\';
    }
    return true;
}

static void check_sh(Document *d, const Snippet *s) {
    if (!only_ours(s->text)) return;
    char command[4096];
    snprintf(command, sizeof command, "cd '%s' && sh -e '%s' >'%s' 2>&1",
             scratch_path(""), scratch_text("script", s->text), scratch_path("output"));
    int code = system(command); /* NOLINT(bugprone-command-processor): a shell is meant */
    d->output = slurp(scratch_path("output"));
    if (code) report(d, s, "the command fails", d->output);
}

static bool matches(const char *shown, const char *real) {
    for (; *shown; shown = line_end(shown)) {
        if (!strncmp(shown, "...\n", 4)) {
            for (;; real = line_end(real)) {
                if (matches(shown + 4, real)) return true;
                if (!*real) return false;
            }
        }
        size_t length = (size_t)(line_end(shown) - shown);
        if (strncmp(shown, real, length)) return false;
        real += length;
    }
    return !*real;
}

static const struct {
    const char *kind;
    void (*check)(Document *d, const Snippet *s);
} kinds[] = {{"tn", check_tn},
             {"graph", check_graph},
             {"loop", check_loop},
             {"c", check_c},
             {"sh", check_sh}};

static void check_snippet(Document *d, const Snippet *s) {
    const char *output = s->follows ? d->output : NULL;
    d->output = NULL;
    if (output && !strcmp(s->kind, "text") && !matches(s->text, output))
        report(d, s, "the command before prints", output);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(s->kind, kinds[i].kind)) kinds[i].check(d, s);
}

static void enter_folder(void) {
    char command[] = TENON_COMMAND, path[8192];
    *strrchr(command, '/') = 0;
    snprintf(path, sizeof path, "%s:%s", command, getenv("PATH"));
    ck_assert_int_eq(setenv("PATH", path, 1), 0);
    ck_assert_int_eq(setenv("XDG_CACHE_HOME", scratch_path("cache"), 1), 0);
    ck_assert_int_eq(symlink(SOURCE_DIR "/examples", scratch_path("examples")), 0);
}

START_TEST(snippets_hold_what_they_show) {
    ck_assert_msg(!guard_enter(guard), "%s", guard.message);
    arena_init(&arena, &guard);
    scratch_open();
    enter_folder();
    Document document = {.path = documents.gl_pathv[_i]};
    text_init(&document.wrong, &arena);
    SnippetList list = snippets_read(slurp(document.path));
    for (uint32_t i = 0; i < list.count; i++) check_snippet(&document, &list.at[i]);
    scratch_close();
    ck_assert_msg(!document.wrong.length, "%s", document.wrong.at);
    arena_free(&arena);
}
END_TEST

START_TEST(three_dots_stand_for_lines) {
    ck_assert(matches("a\nb\n", "a\nb\n"));
    ck_assert(!matches("a\n", "a\nb\n"));
    ck_assert(!matches("a\nb\n", "a\n"));
    ck_assert(matches("a\n...\n", "a\nb\nc\n"));
    ck_assert(matches("a\n...\nc\n", "a\nb\nb\nc\n"));
    ck_assert(!matches("a\n...\nd\n", "a\nb\nc\n"));
}
END_TEST

Suite *suite_docs(void);
Suite *suite_docs(void) {
    Suite *suite = suite_create("docs");
    TCase *tcase = tcase_create("docs");
    glob(SOURCE_DIR "/README.md", 0, NULL, &documents);
    glob(SOURCE_DIR "/docs/*.md", GLOB_APPEND, NULL, &documents);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, snippets_hold_what_they_show, 0, (int)documents.gl_pathc);
    tcase_add_test(tcase, three_dots_stand_for_lines);
    suite_add_tcase(suite, tcase);
    return suite;
}
