/* What is installed: headers that C99 and C++ take, a library that shows its API and nothing
 * else, pages and completions that know every verb and option, and packages by which another
 * project finds it all. */
#include "tests/scratch.h"
#include "tools/command.h"
#include <check.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the last command printed, on both ways. */
static char output[1 << 17];

static int slurp(const char *path, char *to, size_t size) {
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(to, 1, size - 1, file) : 0;
    to[got] = 0;
    return file ? fclose(file) : -1;
}

/* A line of the shell, in the scratch folder; its exit code. */
__attribute__((format(printf, 1, 2))) static int shell(const char *format, ...) {
    char words[4096], line[6144];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    snprintf(line, sizeof line, "cd %s && { %s\n} >out 2>&1", scratch_path(""), words);
    int status = system(line); // NOLINT(bugprone-command-processor)
    ck_assert_int_eq(slurp(scratch_path("out"), output, sizeof output), 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define assert_shell(...) ck_assert_msg(shell(__VA_ARGS__) == 0, "%s", output)
#define assert_has(text, words)                                                          \
    ck_assert_msg(strstr((text), (words)) != NULL, "'%s' is not in:\n%s", (words), (text))

static void start(void) {
    scratch_open();
}

/* ---- headers and library ----------------------------------------------------------------- */

static const char *const headers[] = {"tenon.h", "tenon_runtime.h", "tenon_object.h"};

START_TEST(headers_are_c99_and_cpp) {
    const char *name = headers[_i];
    char text[128];
    snprintf(text, sizeof text, "#include <%s>\n#include <%s>\nint none;\n", name, name);
    scratch_text("a.c", text);
    assert_shell("%s -std=c99 -pedantic -Wall -Wextra -Wconversion -Wstrict-prototypes "
                 "-Werror -fsyntax-only -I%s/include a.c",
                 BUILD_CC, SOURCE_DIR);
    assert_shell("c++ -std=c++11 -pedantic -Wall -Wextra -Wconversion -Werror "
                 "-fsyntax-only -I%s/include -x c++ a.c",
                 SOURCE_DIR);
}
END_TEST

/* "tn_name" of the next call-like word in a header; NULL: none. */
static const char *next_function(const char **at, char name[64]) {
    while ((*at = strstr(*at, "tn_"))) {
        const char *begin = *at;
        size_t length = 0;
        while (isalnum((unsigned char)begin[length]) || begin[length] == '_') length++;
        *at += length;
        bool whole = begin[-1] == ' ' || begin[-1] == '*';
        if (begin[length] != '(' || !whole || length >= 64) continue;
        snprintf(name, 64, "%.*s", (int)length, begin);
        return name;
    }
    return NULL;
}

START_TEST(the_library_shows_its_api_only) {
    static char header[1 << 16];
    char name[64], line[80];
    int functions = 0;
    assert_shell("nm -D --defined-only --format=posix %s/libtenon.so", BUILD_DIR);
    for (const char *at = output; *at; at = strchr(at, '\n') + 1)
        ck_assert_msg(!strncmp(at, "tn_", 3) || !strncmp(at, "TENON_0 ", 8), "%.60s", at);
    for (int i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/include/%s", SOURCE_DIR, headers[i]);
        ck_assert_int_eq(slurp(path, header, sizeof header), 0);
        for (const char *at = header; next_function(&at, name);) {
            if (!strcmp(name, "tn_task") || !strcmp(name, "tn_entry")) continue;
            snprintf(line, sizeof line, "\n%s@@TENON_0 T", name);
            ck_assert_msg(strstr(output, line + 1) != NULL, "%s is not exported", name);
            functions++;
        }
    }
    ck_assert_int_gt(functions, 35);
    assert_shell("readelf -d %s/libtenon.so", BUILD_DIR);
    assert_has(output, "Library soname: [libtenon.so.0]");
}
END_TEST

/* ---- pages ------------------------------------------------------------------------------- */

typedef struct Row {
    const char *word, *argument, *verbs, *help;
} Row;

static const char *const verbs[] = {
#define VERB(name, arguments, fewest, most, what) #name,
#include "tools/verbs.def"
#undef VERB
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static const Row rows[] = {
#define OPTION(field, kind, word, argument, verbs, help) {word, argument, verbs, help},
#include "tools/options.def"
#undef OPTION
};
enum { ROWS = sizeof rows / sizeof *rows };

static bool is_of(const Row *row, const char *verb) {
    char words[256], spaced[64];
    snprintf(words, sizeof words, " %s ", row->verbs);
    snprintf(spaced, sizeof spaced, " %s ", verb);
    return strstr(words, spaced) != NULL;
}

START_TEST(man_pages_are_whole) {
    static const char *const pages[] = {"tenon.1", "libtenon.3"};
    for (int i = 0; i < 2; i++) {
        assert_shell("groff -man -ww -z -Tascii %s/pages/%s", BUILD_DIR, pages[i]);
        ck_assert_str_eq(output, ""); /* no warning */
    }
    assert_shell("groff -man -Tascii -P-cbou -rLL=200n %s/pages/tenon.1", BUILD_DIR);
    for (int v = 0; v < VERBS; v++) {
        char title[64];
        snprintf(title, sizeof title, "\n   tenon %s ", verbs[v]);
        assert_has(output, title);
        for (int i = 0; i < ROWS; i++)
            if (is_of(&rows[i], verbs[v]))
                assert_has(strstr(output, title), rows[i].word);
    }
    static char header[1 << 16];
    char name[64];
    assert_shell("groff -man -Tascii -P-cbou -rLL=200n %s/pages/libtenon.3", BUILD_DIR);
    ck_assert_int_eq(slurp(SOURCE_DIR "/include/tenon.h", header, sizeof header), 0);
    for (const char *at = strchr(header, '#'); next_function(&at, name);)
        assert_has(output, name);
    assert_has(output, "'s data is not a multiple of its element's size");
}
END_TEST

/* What bash offers for the last of the words. */
static void complete(const char *words) {
    assert_shell("bash -c '. %s/pages/tenon.bash; COMP_WORDS=(%s); "
                 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tenon; "
                 "echo \" ${COMPREPLY[*]} \"'",
                 BUILD_DIR, words);
}

START_TEST(bash_completes) {
    char word[64];
    complete("tenon \"\"");
    for (int v = 0; v < VERBS; v++) {
        snprintf(word, sizeof word, " %s ", verbs[v]);
        assert_has(output, word);
    }
    for (int v = 0; v < VERBS; v++) {
        snprintf(word, sizeof word, "tenon %s -", verbs[v]);
        complete(word);
        for (int i = 0; i < ROWS; i++) {
            snprintf(word, sizeof word, " %s ", rows[i].word);
            bool offered = strstr(output, word) != NULL, own = false;
            for (int k = 0; k < ROWS; k++) /* a word may stand in several rows */
                own |= !strcmp(rows[k].word, rows[i].word) && is_of(&rows[k], verbs[v]);
            ck_assert_msg(offered == own, "%s %s: %s", verbs[v], rows[i].word, output);
        }
    }
    complete("tenon emit --after f");
    ck_assert_str_eq(output, " fuse \n");
    complete("tenon emit pl");
    ck_assert_str_eq(output, " plan \n");
    scratch_text("some.tn", "");
    scratch_text("some.txt", "");
    scratch_text("some.npy", "");
    complete("tenon check so");
    ck_assert_str_eq(output, " some.tn \n");
    complete("tenon run some.tn f --weights some.n");
    ck_assert_str_eq(output, " some.npy \n");
}
END_TEST

START_TEST(zsh_completes) {
    static char text[1 << 16];
    char word[64];
    assert_shell("if command -v zsh; then zsh -n %s/pages/_tenon; fi", BUILD_DIR);
    ck_assert_int_eq(slurp(BUILD_DIR "/pages/_tenon", text, sizeof text), 0);
    ck_assert_int_eq(strncmp(text, "#compdef tenon\n", 15), 0);
    for (int v = 0; v < VERBS; v++) {
        snprintf(word, sizeof word, "\n    %s)\n", verbs[v]);
        assert_has(text, word);
        const char *from = strstr(text, word), *to = strstr(from, ";;");
        for (int i = 0; i < ROWS; i++) {
            if (!is_of(&rows[i], verbs[v])) continue;
            snprintf(word, sizeof word, "%s[", rows[i].word);
            const char *at = strstr(from, word);
            ck_assert_msg(at && at < to, "%s %s", verbs[v], rows[i].word);
        }
    }
}
END_TEST

/* ---- packages ---------------------------------------------------------------------------- */

static void install(void) {
    assert_shell("%s --install %s --prefix prefix", CMAKE, BUILD_DIR);
}

static const char points[] = "loss after 300 steps: below 0.1\n"
                             "(-1, 0): moon 0\n"
                             "(2, 0.5): moon 1\n"
                             "(0, 1): moon 0\n"
                             "(1, -0.5): moon 1\n";

START_TEST(a_cmake_project_finds_it) {
    static const char *const files[] = {"include/tenon.h",
                                        "include/tenon_runtime.h",
                                        "include/tenon_object.h",
                                        "share/man/man1/tenon.1",
                                        "share/man/man3/libtenon.3",
                                        "share/bash-completion/completions/tenon",
                                        "share/zsh/vendor-completions/_tenon",
                                        "bin/tenon"};
    install();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_shell("test -s prefix/%s", files[i]);
    assert_shell("prefix/bin/tenon --version");
    ck_assert_str_eq(output, "tenon " TENON_VERSION "\n");
    assert_shell("%s -B consumer -DCMAKE_C_COMPILER=%s -DCMAKE_PREFIX_PATH=$PWD/prefix "
                 "-DCMAKE_C_FLAGS='-Wall -Wextra -Werror' %s/examples/consumer && "
                 "%s --build consumer",
                 CMAKE, BUILD_CC, SOURCE_DIR, CMAKE);
    assert_shell("consumer/moons %s/examples/consumer/moons.tn", SOURCE_DIR);
    ck_assert_str_eq(output, points);
    ck_assert_int_eq(shell("consumer/moons none.tn"), 1);
    assert_has(output, "TN_STATUS_FILE: none.tn");
}
END_TEST

/* The first block of `kind` in a document, and the `text` block that follows it. */
static void snippet(const char *document, const char *kind, char *code, char *shown) {
    static char text[1 << 16];
    char mark[32];
    ck_assert_int_eq(slurp(document, text, sizeof text), 0);
    snprintf(mark, sizeof mark, "\n```%s\n", kind);
    const char *at = strstr(text, mark);
    ck_assert_ptr_nonnull(at);
    at += strlen(mark);
    const char *end = strstr(at, "\n```");
    sprintf(code, "%.*s\n", (int)(end - at), at);
    at = strstr(end, "```text\n") + 8;
    end = strstr(at, "```");
    sprintf(shown, "%.*s", (int)(end - at), at);
}

START_TEST(pkg_config_finds_it) {
    static char code[1 << 14], shown[1 << 12];
    install();
    snippet(SOURCE_DIR "/docs/c-api.md", "c", code, shown);
    scratch_text("points.c", code);
    assert_shell(
        "export PKG_CONFIG_PATH=$(dirname $(find $PWD/prefix -name tenon.pc)) && "
        "%s -std=c99 -pedantic -Wall -Wextra -Werror points.c "
        "$(pkg-config --cflags --libs tenon) "
        "-Wl,-rpath,$(pkg-config --variable=libdir tenon) -o points",
        BUILD_CC);
    assert_shell("./points");
    ck_assert_str_eq(output, shown);
}
END_TEST

START_TEST(a_deb_holds_it) {
    assert_shell("%s --config %s/CPackConfig.cmake -B deb", CPACK, BUILD_DIR);
    assert_shell("dpkg-deb --info deb/tenon_" TENON_VERSION "_*.deb");
    assert_has(output, "Package: tenon\n");
    assert_has(output, "libllvm19");
    assert_shell("dpkg-deb -x deb/tenon_*.deb root && root/usr/bin/tenon --version");
    ck_assert_str_eq(output, "tenon " TENON_VERSION "\n");
    assert_shell("test -s root/usr/share/man/man3/libtenon.3 && "
                 "test -e $(find root/usr/lib -name libtenon.so.0)");
}
END_TEST

Suite *suite_package(void);
Suite *suite_package(void) {
    Suite *suite = suite_create("package");
    TCase *tcase = tcase_create("package");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, start, scratch_close);
    tcase_add_loop_test(tcase, headers_are_c99_and_cpp, 0, 3);
    tcase_add_test(tcase, the_library_shows_its_api_only);
    tcase_add_test(tcase, man_pages_are_whole);
    tcase_add_test(tcase, bash_completes);
    tcase_add_test(tcase, zsh_completes);
    tcase_add_test(tcase, a_cmake_project_finds_it);
    tcase_add_test(tcase, pkg_config_finds_it);
    tcase_add_test(tcase, a_deb_holds_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
