/*
 * The programs of examples/embed, built and run as their comments say, on a small data set in
 * Fashion-MNIST's files: training in C reaches the bits of `tenon train`; a PNG and a test set
 * are classified by a library that carries the weights.
 */
#include "base/file.h"
#include "tests/command.h"
#include "tests/library.h"
#include "tests/scratch.h"
#include "tools/safetensors.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { TRAIN = 700, TEST = 53, SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10 };

#define EXAMPLES SOURCE_DIR "/examples/embed/"

static uint8_t images[TRAIN * PIXELS], labels[TRAIN];

/* Noise, and a bright bar where the label says. */
static void draw(int count) {
    uint32_t seed = 1;
    for (int i = 0; i < count; i++) {
        labels[i] = (uint8_t)((unsigned)i * 7 % CLASSES);
        for (int p = 0; p < PIXELS; p++) {
            seed = seed * 1664525u + 1013904223u;
            bool bar = p / SIDE / 2 == labels[i] + 2;
            images[i * PIXELS + p] = bar ? 255 : (uint8_t)(seed >> 26);
        }
    }
}

static void write_idx(const char *name, uint32_t rank, const uint8_t *bytes,
                      uint32_t count) {
    static uint8_t file[16 + sizeof images];
    const uint32_t dim[] = {count, SIDE, SIDE};
    size_t each = rank == 1 ? 1 : PIXELS, head = 4 + 4 * rank;
    memset(file, 0, head);
    file[2] = 8;
    file[3] = (uint8_t)rank;
    for (uint32_t d = 0; d < rank; d++) {
        file[6 + 4 * d] = (uint8_t)(dim[d] >> 8);
        file[7 + 4 * d] = (uint8_t)dim[d];
    }
    memcpy(file + head, bytes, each * count);
    scratch_write(name, file, head + each * count);
}

static void write_data(void) {
    draw(TRAIN);
    write_idx("train-images-idx3-ubyte", 3, images, TRAIN);
    write_idx("train-labels-idx1-ubyte", 1, labels, TRAIN);
    write_idx("t10k-images-idx3-ubyte", 3, images, TEST);
    write_idx("t10k-labels-idx1-ubyte", 1, labels, TEST);
}

#define DATA                                                                             \
    "idx(\\\"train-images-idx3-ubyte\\\", \\\"train-labels-idx1-ubyte\\\", "             \
    "\\\"t10k-images-idx3-ubyte\\\", \\\"t10k-labels-idx1-ubyte\\\", batch = 300)"

/* A folder with the data, lenet.tn on it, and what `tenon train` makes of both. */
static void write_model(void) {
    ck_assert_msg(shell("sed \"s/fashion_mnist(batch = 300)/" DATA "/\" " SOURCE_DIR
                        "/examples/lenet.tn >lenet.tn") == 0,
                  "%s", said());
}

static void open_folder(void) {
    scratch_open();
    write_data();
    write_model();
    const Result *r =
        command_run("train lenet.tn --set epochs=10 --seed 1 --threads 1 --out run");
    assert_code(r, 0);
}

static void build(const char *program, const char *libraries) {
    ck_assert_msg(shell("cc -O2 -Wall -Wextra -Werror -I. " EXAMPLES
                        "%s.c -L. %s -Wl,-rpath,. -o %s",
                        program, libraries, program) == 0,
                  "%s", said());
}

static Bytes slurp(const char *name) {
    Bytes bytes;
    char message[MESSAGE_BYTES];
    ck_assert_msg(file_read(scratch_path(name), &bytes, message), "%s", message);
    return bytes;
}

START_TEST(training_in_c_reaches_the_same_bits) {
    open_folder();
    const Result *r = command_run("compile lenet.tn -o liblenet.so --set epochs=10");
    assert_code(r, 0);
    build("train", "-llenet");
    ck_assert_msg(shell("./train . 10 weights.bin") == 0, "%s", said());
    assert_in("epoch 10: loss", said());
    Library l = library_open(scratch_path("liblenet.so"), "lenet");
    Bytes state = slurp("weights.bin"), file = slurp("run/last.safetensors");
    ck_assert_uint_eq(state.count, l.state_size());
    SafeTensors tensors;
    char message[MESSAGE_BYTES];
    ck_assert_msg(safetensors_parse(file.at, file.count, &tensors, message), "%s",
                  message);
    int64_t count;
    l.params(&count);
    ck_assert_int_eq(count, tensors.count);
    for (uint32_t i = 0; i < tensors.count; i++) {
        const SafeTensor *t = &tensors.tensor[i];
        const tn_param *param = library_param(&l, t->name);
        ck_assert_uint_eq((size_t)param->bytes, t->bytes);
        ck_assert_msg(!memcmp(state.at + param->offset, t->data, t->bytes), "%s differs",
                      t->name);
    }
    safetensors_free(&tensors);
    bytes_free(&state);
    bytes_free(&file);
    library_close(&l);
    scratch_close();
}
END_TEST

/* The script that compares both on real data: an epoch of each for every round. */
START_TEST(both_ways_of_training_are_timed) {
    double seconds[2] = {0}, ratio = 0;
    scratch_open();
    write_data();
    write_model();
    ck_assert_msg(shell("TENON=" TENON_COMMAND " MODEL=lenet.tn sh " EXAMPLES
                        "compare.sh . 2 3 >times") == 0,
                  "%s", said());
    ck_assert_int_eq(shell("tail -1 times"), 0);
    ck_assert_int_eq(sscanf(said(),
                            "least: train.c %lf s, tenon train %lf s an epoch, ratio %lf",
                            &seconds[0], &seconds[1], &ratio),
                     3);
    ck_assert_double_gt(seconds[0], 0);
    ck_assert_double_eq_tol(ratio, seconds[0] / seconds[1], 0.2 * ratio);
    ck_assert_int_eq(shell("head -1 times | wc -w"), 0);
    ck_assert_int_eq(atoi(said()), 2 * 2 * 3);
    ck_assert_int_ne(shell("TENON=" TENON_COMMAND " sh " EXAMPLES "compare.sh nowhere"),
                     0);
    scratch_close();
}
END_TEST

/* ---- a library with weights ------------------------------------------------------------- */

static size_t put_chunk(uint8_t *out, const char *type, const uint8_t *bytes,
                        uint32_t count) {
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(count >> (24 - 8 * i));
    memcpy(out + 4, type, 4);
    memcpy(out + 8, bytes, count);
    uint32_t sum = (uint32_t)crc32(0, out + 4, count + 4);
    for (int i = 0; i < 4; i++) out[8 + count + i] = (uint8_t)(sum >> (24 - 8 * i));
    return count + 12;
}

/* A grey picture of side x side pixels. */
static void write_png(const char *name, const uint8_t *pixels, int side) {
    static const uint8_t magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t head[13] = {0, 0, 0, (uint8_t)side, 0, 0, 0, (uint8_t)side, 8};
    uint8_t rows[SIDE * (SIDE + 1)], packed[2048], file[4096];
    uLongf count = sizeof packed;
    for (int y = 0; y < side; y++) {
        rows[y * (side + 1)] = 0;
        memcpy(rows + y * (side + 1) + 1, pixels + y * side, (size_t)side);
    }
    ck_assert_int_eq(compress(packed, &count, rows, (uLong)(side * (side + 1))), Z_OK);
    memcpy(file, magic, sizeof magic);
    size_t at = sizeof magic;
    at += put_chunk(file + at, "IHDR", head, sizeof head);
    at += put_chunk(file + at, "IDAT", packed, (uint32_t)count);
    at += put_chunk(file + at, "IEND", packed, 0);
    scratch_write(name, file, at);
}

static void make_fashion(void) {
    open_folder();
    const Result *r =
        command_run("compile lenet.tn -o libfashion.so --entry lenet --bind "
                    "N<=512 --weights run/best.safetensors");
    assert_code(r, 0);
}

static const char *const names[CLASSES] = {"T-shirt", "trouser",   "pullover", "dress",
                                           "coat",    "sandal",    "shirt",    "sneaker",
                                           "bag",     "ankle boot"};

START_TEST(a_png_is_classified) {
    make_fashion();
    build("classify", "-lfashion -lpng");
    for (int i = 0; i < 4; i++) {
        char line[64];
        write_png("picture.png", images + i * PIXELS, SIDE);
        ck_assert_msg(shell("./classify picture.png") == 0, "%s", said());
        snprintf(line, sizeof line, "picture.png: %s\n", names[labels[i]]);
        ck_assert_str_eq(said(), line);
    }
    write_png("small.png", images, SIDE - 1);
    ck_assert_int_ne(shell("./classify small.png"), 0);
    assert_in("is not of 28 x 28 pixels", said());
    ck_assert_int_ne(shell("./classify lenet.tn"), 0);
    ck_assert_int_ne(shell("./classify missing.png"), 0);
    scratch_close();
}
END_TEST

/* Batches of any size from Python: the accuracy that training reported. */
START_TEST(python_finds_the_accuracy_of_training) {
    make_fashion();
    ck_assert_msg(shell("python3 " EXAMPLES "accuracy.py ./libfashion.so .") == 0, "%s",
                  said());
    int right = -1, all = 0;
    ck_assert_int_eq(sscanf(said(), "%d of %d", &right, &all), 2);
    ck_assert_int_eq(all, TEST);
    Bytes metrics = slurp("run/metrics.jsonl");
    double best = 0;
    for (const char *at = (char *)metrics.at; (at = strstr(at, "\"accuracy\":")); at++) {
        double accuracy = strtod(at + 11, NULL);
        if (accuracy > best) best = accuracy;
    }
    ck_assert_double_eq_tol(best, (double)right / TEST, 1e-6);
    ck_assert_double_gt(best, 0.9);
    bytes_free(&metrics);
    ck_assert_int_ne(shell("python3 " EXAMPLES "accuracy.py"), 0);
    scratch_close();
}
END_TEST

Suite *suite_embed(void);
Suite *suite_embed(void) {
    Suite *suite = suite_create("embed");
    TCase *tcase = tcase_create("embed");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, training_in_c_reaches_the_same_bits);
    tcase_add_test(tcase, both_ways_of_training_are_timed);
    tcase_add_test(tcase, a_png_is_classified);
    tcase_add_test(tcase, python_finds_the_accuracy_of_training);
    suite_add_tcase(suite, tcase);
    return suite;
}
