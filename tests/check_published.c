/* Figures of papers, computed again by the examples from the same data. */
#include "tests/command.h"
#include "tests/scratch.h"
#include "tools/tensor.h"
#include <check.h>
#include <math.h>
#include <stdio.h>

/* Element i of result `name` that `run --out r.npy` wrote. */
static double result(const char *name, int64_t i) {
    char file[64], message[MESSAGE_BYTES];
    Tensor t;
    snprintf(file, sizeof file, "r.%s.npy", name);
    ck_assert_msg(npy_read(scratch_path(file), &t, message), "%s", message);
    ck_assert(t.elem == ELEM_f32 && i < tensor_count(&t));
    double value = (double)((float *)t.data)[i];
    tensor_free(&t);
    return value;
}

/* Tanay and Griffin 2018, the page's data at a strength of 1000, for two pairs of digits. */
static const struct {
    const char *pair;
    double angle, distance, margin, train_error, test_error;
} machines[] = {
    {"0,1", 0.710, 2.894, 1.398, 0.133, 0.095},
    {"7,9", 0.797, 1.05, 0.570, 3.600, 3.63},
};

START_TEST(machines_are_the_published_ones) {
    const char *folder = real_data("mnist");
    if (!folder) return;
    const Result *r = command_run(
        "run %s/examples/svm/svm.tn tilt --in %s/mnist/train-images-idx3-ubyte.gz --in "
        "%s/mnist/train-labels-idx1-ubyte.gz --in %s/mnist/t10k-images-idx3-ubyte.gz "
        "--in %s/mnist/t10k-labels-idx1-ubyte.gz --in %s --in 2.6 --out r.npy",
        SOURCE_DIR, folder, folder, folder, folder, machines[_i].pair);
    assert_code(r, 0);
    const int64_t at = 4; /* 10^(2.6 + 0.4) */
    ck_assert_double_le(fabs(result("gap", at)), 1e-3);
    ck_assert_double_eq_tol(acos(result("cosine", at)), machines[_i].angle, 0.01);
    ck_assert_double_eq_tol(result("distance", at), machines[_i].distance, 0.01);
    ck_assert_double_eq_tol(result("margin", at), machines[_i].margin, 0.002);
    ck_assert_double_eq_tol(result("train_error", at), machines[_i].train_error, 0.1);
    ck_assert_double_eq_tol(result("test_error", at), machines[_i].test_error, 0.1);
}
END_TEST

Suite *suite_published(void);
Suite *suite_published(void) {
    Suite *suite = suite_create("published");
    TCase *tcase = tcase_create("published");
    tcase_add_checked_fixture(tcase, scratch_open, scratch_close);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, machines_are_the_published_ones, 0,
                        sizeof machines / sizeof *machines);
    suite_add_tcase(suite, tcase);
    return suite;
}
