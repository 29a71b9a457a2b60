/* The header of a compiled library: its text, that it is C and C++, and that any name will do. */
#include "codegen/c_name.h"
#include "tests/command.h"
#include "tests/library.h"
#include "tests/scratch.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM SOURCE_DIR "/tests/programs/small.tn"

static void compile(const char *library, const char *options) {
    assert_code(command_run("compile " PROGRAM " -o %s %s", library, options), 0);
}

/* But for numbers that follow from how kernels are made: sizes of work, and the hash. */
START_TEST(header_is_golden) {
    const char *golden = SOURCE_DIR "/tests/golden/object/header.txt";
    scratch_open();
    compile("libsmall.o", "--entry plain --entry small --bind N<=64 --cpu x86-64-v3");
    ck_assert_int_eq(shell("sed -E 's/_WORK [0-9]+/_WORK .../; s/0x[0-9a-f]{16}/.../' "
                           "small.h >text"),
                     0);
    if (getenv("UPDATE")) ck_assert_int_eq(shell("cp text '%s'", golden), 0);
    ck_assert_msg(shell("diff -u '%s' text", golden) == 0, "%s", said());
    scratch_close();
}
END_TEST

START_TEST(header_is_c_and_cpp) {
    scratch_open();
    compile("libone.o", "--entry plain");
    compile("libtwo.o", "--entry small --bind N<=64");
    scratch_text("both.c",
                 "#include \"one.h\"\n#include \"two.h\"\n#include \"one.h\"\n"
                 "int use(void);\nint use(void) { return ONE_ABI == TWO_ABI; }\n");
    static const char *const compilers[] = {"cc -std=c99 -pedantic",
                                            "clang-19 -std=c99 -pedantic",
                                            "clang-19 -x c++ -std=c++11"};
    for (int i = 0; i < 3; i++)
        ck_assert_msg(
            shell("%s -Wall -Wextra -Werror -fsyntax-only both.c", compilers[i]) == 0,
            "%s", said());
    scratch_close();
}
END_TEST

/* Words of C and C++, macros, names that meet once changed, and more than anyone has. */
static void write_odd_names(void) {
    char text[2048];
    int used = snprintf(text, sizeof text,
                        "fn odd(int_3: f32[N], int: f32[N], n: f32[N], class: f32[N], "
                        "linux: f32[N], NULL: f32[N], errno: f32[N], _Bool: f32[N], "
                        "work_bytes: f32[N], x_Bool: f32[N]) = int_3 + int\nfn many(");
    for (int i = 0; i < 32; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%sx%d: f32[2, N]",
                         i ? ", " : "", i);
    snprintf(text + used, sizeof text - (size_t)used, ") = x0 + x31\n");
    scratch_text("odd.tn", text);
}

START_TEST(header_names_are_free) {
    static const char *const compilers[] = {"cc", "cc -std=c99 -pedantic",
                                            "clang-19 -x c++ -std=c++20"};
    scratch_open();
    write_odd_names();
    for (int i = 0; i < 2; i++)
        assert_code(command_run("compile odd.tn -o lib%s.o --entry odd --entry many "
                                "--bind N<=9",
                                i ? "object" : "runtime"),
                    0);
    scratch_text("use.c",
                 "#include <errno.h>\n#include <stdio.h>\n#include \"object.h\"\n"
                 "#include \"runtime.h\"\n#include \"tenon_runtime.h\"\n"
                 "int use(object_odd_in *, runtime_odd_in *);\n");
    for (int i = 0; i < 3; i++)
        ck_assert_msg(shell("%s -I" SOURCE_DIR
                            "/include -Wall -Werror -fsyntax-only use.c",
                            compilers[i]) == 0,
                      "%s", said());
    ck_assert_int_eq(shell("grep -c 'int64_t n; /. N: 1 to 9 ./' object.h"), 0);
    ck_assert_str_eq(said(), "2\n");
    scratch_close();
}
END_TEST

/* Inside of a library there are functions of these names. */
static const char *const inner_names[] = {"object", "entry", "text", "order"};

START_TEST(names_of_the_runtime_are_free) {
    char library[64], name[64];
    scratch_open();
    snprintf(library, sizeof library, "lib%s.so", inner_names[_i]);
    compile(library, "");
    Library l = library_open(scratch_path(library), inner_names[_i]);
    ck_assert_int_eq(l.init(l.state, 1), TN_OK);
    snprintf(name, sizeof name, "%s_plain_step", inner_names[_i]);
    ck_assert_ptr_nonnull(library_entry(&l, name));
    library_close(&l);
    scratch_close();
}
END_TEST

START_TEST(names_are_those_that_c_has) {
    ck_assert(is_c_identifier("a") && is_c_identifier("_a9") && is_c_identifier("Net_1"));
    ck_assert(!is_c_identifier("") && !is_c_identifier("9a") && !is_c_identifier("a b"));
    ck_assert(!is_c_identifier("class") && !is_c_identifier("restrict"));
    ck_assert(!is_c_identifier("__a") && !is_c_identifier("_Bool"));
    ck_assert(is_c_identifier("clas") && is_c_identifier("int_"));
    ck_assert_ptr_null(c_prefix_fault("tnt"));
    ck_assert_ptr_nonnull(c_prefix_fault("tn"));
}
END_TEST

Suite *suite_header(void);
Suite *suite_header(void) {
    Suite *suite = suite_create("header");
    TCase *tcase = tcase_create("header");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, header_is_golden);
    tcase_add_test(tcase, header_is_c_and_cpp);
    tcase_add_test(tcase, header_names_are_free);
    tcase_add_loop_test(tcase, names_of_the_runtime_are_free, 0,
                        sizeof inner_names / sizeof *inner_names);
    tcase_add_test(tcase, names_are_those_that_c_has);
    suite_add_tcase(suite, tcase);
    return suite;
}
