/* PNG and JPEG files, folders of them, and the verbs that take them. */
#include "tests/command.h"
#include "tests/scratch.h"
#include "tools/picture.h"
#include <check.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <turbojpeg.h>

static char message[MESSAGE_BYTES];

#define COUNT(array)    (int)(sizeof(array) / sizeof *(array))
#define assert_ok(call) ck_assert_msg((call), "%s", message)
#define assert_says(words)                                                               \
    ck_assert_msg(strstr(message, words) != NULL, "'%s' is not in: %s", words, message)

enum { HEIGHT = 6, WIDTH = 4, PIXELS = HEIGHT * WIDTH };

static const char *write_png(const char *name, uint32_t format, int height, int width,
                             const void *pixels) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (uint32_t)width,
                       .height = (uint32_t)height,
                       .format = format};
    const char *path = scratch_path(name);
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    return path;
}

static const char *write_jpeg(const char *name, int format, const uint8_t *pixels) {
    unsigned char *bytes = NULL;
    unsigned long count = 0;
    const bool grey = format == TJPF_GRAY;
    tjhandle writer = tjInitCompress();
    ck_assert_int_eq(tjCompress2(writer, pixels, WIDTH, 0, HEIGHT, format, &bytes, &count,
                                 grey ? TJSAMP_GRAY : TJSAMP_444, 100, 0),
                     0);
    const char *path = scratch_write(name, bytes, count);
    tjFree(bytes);
    tjDestroy(writer);
    return path;
}

static void fill(uint8_t *bytes, int count) {
    for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(40 + 7 * i % 160);
}

/* ---- one file -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t format;
    int channels, read; /* in the file's pixels; in what comes out */
} pngs[] = {
    {"grey", PNG_FORMAT_GRAY, 1, 1},
    {"colour", PNG_FORMAT_RGB, 3, 3},
    {"grey, opaque", PNG_FORMAT_GA, 2, 1},
    {"colour, opaque", PNG_FORMAT_RGBA, 4, 3},
};

START_TEST(png_comes_back) {
    uint8_t pixels[4 * PIXELS];
    Tensor t;
    const int channels = pngs[_i].channels, read = pngs[_i].read;
    fill(pixels, channels * PIXELS);
    for (int i = 0; i < PIXELS && read < channels; i++) pixels[i * channels + read] = 255;
    const char *path = write_png("a.png", pngs[_i].format, HEIGHT, WIDTH, pixels);
    assert_ok(picture_read(path, &t, message));
    ck_assert_uint_eq(t.rank, 3);
    ck_assert_int_eq(t.dim[0], HEIGHT);
    ck_assert_int_eq(t.dim[1], WIDTH);
    ck_assert_int_eq(t.dim[2], read);
    for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < read; c++)
            ck_assert_int_eq(((uint8_t *)t.data)[i * read + c], pixels[i * channels + c]);
    tensor_free(&t);
}
END_TEST

START_TEST(jpeg_comes_back_nearly) {
    uint8_t pixels[3 * PIXELS];
    Tensor t;
    const int channels = _i ? 3 : 1;
    for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < channels; c++)
            pixels[i * channels + c] = (uint8_t)(9 * i + c);
    const char *path = write_jpeg("a.jpg", _i ? TJPF_RGB : TJPF_GRAY, pixels);
    assert_ok(picture_read(path, &t, message));
    ck_assert_int_eq(t.dim[0] * 100 + t.dim[1] * 10 + t.dim[2],
                     HEIGHT * 100 + WIDTH * 10 + channels);
    for (int i = 0; i < PIXELS * channels; i++)
        ck_assert_int_le(abs(((uint8_t *)t.data)[i] - pixels[i]), 4);
    tensor_free(&t);
}
END_TEST

START_TEST(transparent_pixels_are_refused) {
    uint8_t pixels[4 * PIXELS] = {0};
    Tensor t;
    const char *path = write_png("a.png", PNG_FORMAT_RGBA, HEIGHT, WIDTH, pixels);
    ck_assert(!picture_read(path, &t, message));
    assert_says("a.png: has transparent pixels");
}
END_TEST

START_TEST(other_files_are_refused) {
    Tensor t;
    ck_assert(!picture_read(scratch_text("a.png", "GIF89a"), &t, message));
    assert_says("is neither a PNG nor a JPEG file");
    ck_assert(!picture_read(scratch_path("none.png"), &t, message));
    assert_says("none.png: cannot be opened");
}
END_TEST

/* Whatever is cut off or changed: an error, or the same number of pixels. */
START_TEST(damaged_files_are_refused) {
    uint8_t pixels[3 * PIXELS];
    Bytes file;
    Tensor t;
    fill(pixels, sizeof pixels);
    const char *path = _i ? write_jpeg("a", TJPF_RGB, pixels)
                          : write_png("a", PNG_FORMAT_RGB, HEIGHT, WIDTH, pixels);
    assert_ok(file_read(path, &file, message));
    for (size_t cut = 0; cut < file.count / 2; cut++)
        ck_assert_msg(!picture_parse(file.at, cut, &t, message), "cut at %zu", cut);
    for (size_t cut = file.count / 2; cut < file.count; cut++)
        if (picture_parse(file.at, cut, &t, message)) tensor_free(&t);
    for (size_t i = 0; i < file.count; i++) {
        file.at[i] ^= 0x21;
        if (picture_parse(file.at, file.count, &t, message)) tensor_free(&t);
        file.at[i] ^= 0x21;
    }
    bytes_free(&file);
}
END_TEST

/* A header of 33 bytes that promises 2^31 - 1 by 2^31 - 1 pixels. */
START_TEST(a_png_may_not_claim_any_size) {
    static const uint8_t bytes[] = {0x89, 'P',  'N',  'G',  0x0d, 0x0a, 0x1a, 0x0a, 0,
                                    0,    0,    13,   'I',  'H',  'D',  'R',  0x7f, 0xff,
                                    0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 8,    0,    0,
                                    0,    0,    0x56, 0xda, 0x5b, 0x45};
    Tensor t;
    ck_assert(!picture_parse(bytes, sizeof bytes, &t, message));
}
END_TEST

/* ---- fitting --------------------------------------------------------------------------- */

/* A picture of the value 100 stays one, whatever is cut and scaled. */
static const int64_t sizes[][3] = {{6, 4, 1}, {6, 4, 3}, {3, 2, 3}, {12, 8, 3},
                                   {5, 5, 3}, {1, 1, 1}, {4, 9, 1}};

START_TEST(flat_pictures_stay_flat) {
    const int64_t dim[] = {HEIGHT, WIDTH, 1 + 2 * (_i % 2)};
    Tensor t;
    assert_ok(tensor_new(&t, ELEM_u8, 3, dim, message));
    memset(t.data, 100, (size_t)tensor_count(&t));
    assert_ok(picture_fit(&t, sizes[_i / 2], message));
    ck_assert_mem_eq(t.dim, sizes[_i / 2], sizeof sizes[0]);
    for (int64_t i = 0; i < tensor_count(&t); i++)
        ck_assert_int_eq(((uint8_t *)t.data)[i], 100);
    tensor_free(&t);
}
END_TEST

/* Rows of a picture 4 wide: its middle square is rows 1 to 4, of which two by two are one. */
START_TEST(the_middle_is_cut_and_scaled) {
    const int64_t dim[] = {HEIGHT, WIDTH, 1}, square[] = {4, 4, 1}, half[] = {2, 2, 1};
    Tensor t;
    for (int halved = 0; halved < 2; halved++) {
        assert_ok(tensor_new(&t, ELEM_u8, 3, dim, message));
        uint8_t *at = t.data;
        for (int i = 0; i < PIXELS; i++) at[i] = (uint8_t)(40 * (i / WIDTH));
        assert_ok(picture_fit(&t, halved ? half : square, message));
        at = t.data;
        for (int64_t i = 0; i < t.dim[0] && !halved; i++)
            ck_assert_int_eq(at[i * 4], 40 * (1 + i));
        /* a triangle over four pixels: (1, 3, 3, 1) / 8, cut at the border of the picture */
        if (halved) ck_assert_int_eq(at[0], (0 * 1 + 40 * 3 + 80 * 3 + 120) / 8);
        if (halved) ck_assert_int_eq(at[2], (80 * 1 + 120 * 3 + 160 * 3 + 200) / 8);
        tensor_free(&t);
    }
}
END_TEST

START_TEST(colour_becomes_grey) {
    const int64_t dim[] = {1, 1, 3}, grey[] = {1, 1, 1};
    Tensor t;
    assert_ok(tensor_new(&t, ELEM_u8, 3, dim, message));
    memcpy(t.data, "\xff\x00\x00", 3);
    assert_ok(picture_fit(&t, grey, message));
    ck_assert_int_eq(((uint8_t *)t.data)[0], 76); /* 0.299 * 255 */
    assert_ok(picture_fit(&t, dim, message));
    ck_assert_mem_eq(t.data, "LLL", 3);
    tensor_free(&t);
}
END_TEST

/* ---- folders --------------------------------------------------------------------------- */

/* DIR/CLASS/NAME.png of 4 x 4 grey pixels of one value. */
static void put(const char *folder, const char *class, const char *name, int value) {
    char path[256];
    uint8_t pixels[16];
    memset(pixels, value, sizeof pixels);
    mkdir(scratch_path(folder), 0777);
    snprintf(path, sizeof path, "%s/%s", folder, class);
    mkdir(scratch_path(path), 0777);
    snprintf(path, sizeof path, "%s/%s/%s.png", folder, class, name);
    write_png(path, PNG_FORMAT_GRAY, 4, 4, pixels);
}

static const struct {
    const char *classes[3];
    uint32_t most;
    int label[3]; /* of the folders, in the order of reading */
    const char *words;
} folders[] = {
    {{"ant", "bee", "cow"}, 0, {0, 1, 2}, NULL},
    {{"0", "1", "10"}, 0, {0, 1, 10}, NULL},
    {{"2", "7", "ten"}, 0, {0, 1, 2}, NULL},
    {{"0", "1", "10"}, 10, {0}, "10: is class 10, out of range: there are 10"},
    {{"ant", "bee", "cow"}, 2, {0}, "cow: is class 2, out of range: there are 2"},
};

START_TEST(folders_are_classes) {
    Tensor images, labels;
    for (int i = 0; i < 3; i++) put("set", folders[_i].classes[i], "a", 10 * i);
    put("set", folders[_i].classes[1], "b", 11);
    bool ok = pictures_by_class(scratch_path("set"), NULL, NULL, folders[_i].most,
                                &images, &labels, message);
    ck_assert_int_eq(ok, !folders[_i].words);
    if (!ok) {
        assert_says(folders[_i].words);
        return;
    }
    const int32_t *label = labels.data;
    const uint8_t *pixel = images.data;
    ck_assert_int_eq(images.dim[0], 4);
    ck_assert_int_eq(images.dim[3], 1);
    static const int value[] = {0, 10, 11, 20}, class[] = {0, 1, 1, 2};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(label[i], folders[_i].label[class[i]]);
        ck_assert_int_eq(pixel[16 * i + 15], value[i]);
    }
    tensor_free(&images);
    tensor_free(&labels);
}
END_TEST

static void assert_refused(const char *like, const char *words) {
    Tensor images, labels;
    ck_assert(!pictures_by_class(scratch_path("set"), like, NULL, 0, &images, &labels,
                                 message));
    assert_says(words);
}

START_TEST(folders_are_refused) {
    uint8_t pixels[3 * PIXELS];
    fill(pixels, sizeof pixels);
    assert_refused(NULL, "set: is no folder that can be read");
    mkdir(scratch_path("set"), 0777);
    assert_refused(NULL, "set: is an empty folder");
    put("set", "ant", "a", 1);
    put("other", "bee", "a", 1);
    assert_refused(scratch_path("other"), "ant: is a class that is not trained with");
    write_png("set/ant/b.png", PNG_FORMAT_RGB, HEIGHT, WIDTH, pixels);
    assert_refused(NULL, "b.png: is u8[6, 4, 3], the pictures before it are u8[4, 4, 1]");
    scratch_text("set/ant/b.png", "no picture");
    assert_refused(NULL, "b.png: is neither a PNG nor a JPEG file");
    remove(scratch_path("set/ant/b.png"));
    scratch_text("set/notes", "a file");
    assert_refused(NULL, "notes: is a file among folders");
}
END_TEST

/* ---- the command ----------------------------------------------------------------------- */

/* Two classes, dark and bright, of 4 x 4 grey pixels. */
static void write_set(void) {
    uint8_t pixels[3 * PIXELS];
    char name[16];
    scratch_open();
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "%d", i);
        put("train", "dark", name, 10 + 5 * i);
        put("train", "light", name, 200 + 5 * i);
        if (i < 3) put("test", i % 2 ? "dark" : "light", name, i % 2 ? 30 : 222);
    }
    fill(pixels, sizeof pixels);
    write_png("colour.png", PNG_FORMAT_RGB, HEIGHT, WIDTH, pixels);
    put("one", "class", "white", 255);
    scratch_text("broken.png", "\x89PNG\r\n\x1a\n");
    scratch_text("mean.tn", "fn middle(x: f32[N, 4, 4, 1]) = mean(x, over = [1, 2, 3])\n"
                            "fn open(x: f32[N, H, W, C]) = sum(x, over = [1, 2, 3])\n"
                            "fn bytes(x: u8[4, 4, 1]) = max(i32(x))\n"
                            "fn row(x: f32[N]) = sum(x)\n");
    scratch_text("net.tn",
                 "net tiny(x: f32[N, 4, 4, 1]) {\n    logits = x |> flatten |> dense(2)\n"
                 "}\n"
                 "train plain {\n"
                 "    data = pictures(\"train\", \"test\", batch = 4)\n"
                 "    loss = fn(x, y: i32[N]) = mean(cross_entropy(tiny(x).logits, y))\n"
                 "    optim = sgd(rate = 0.5)\n    epochs = 20\n"
                 "    report = { accuracy: accuracy(tiny) }\n}\n");
}

static const CommandLine lines[] = {
    {"run mean.tn middle --in one/class/white.png", 0, "f32[1]\n1\n", ""},
    {"run mean.tn middle --in train/dark", 0, "f32[8]\n0.0392", ""},
    {"run mean.tn bytes --in one/class/white.png", 0, "255", ""},
    {"run mean.tn open --in colour.png", 0, "f32[1]\n", ""},
    {"run mean.tn middle --in colour.png", 1, "",
     "colour.png is f32[1, 6, 4, 3], 'middle' needs f32[1, 4, 4, 1] for 'x'; --fit cuts"},
    {"run mean.tn middle --in colour.png --fit", 0, "f32[1]\n", ""},
    {"run mean.tn open --in colour.png --fit", 1, "", "leaves the size of its pictures"},
    {"run mean.tn row --in colour.png", 1, "", "no pictures"},
    {"run mean.tn middle --in broken.png", 1, "", "broken.png: is a damaged PNG"},
    {"run mean.tn middle --in train", 1, "", "is a folder, a file was expected"},
    {"train net.tn --out r", 0, "", "best"},
};

START_TEST(lines_end_as_they_should) {
    command_check(&lines[_i]);
}
END_TEST

START_TEST(folders_train_and_are_reported_on) {
    assert_code(command_run("train net.tn --out r"), 0);
    const Result *r = command_run("eval net.tn --weights r/last.safetensors --json");
    assert_code(r, 0);
    assert_in("\"accuracy\":1", r->out);
    /* in place of the test part: three pictures, one in the wrong folder */
    put("own", "light", "a", 250);
    put("own", "light", "b", 5);
    put("own", "dark", "a", 5);
    put("own", "dark", "b", 6);
    r = command_run("eval net.tn --weights r/last.safetensors --pictures own --json");
    assert_code(r, 0);
    assert_in("\"accuracy\":0.75", r->out);
    put("other", "grey", "a", 100);
    r = command_run("eval net.tn --weights r/last.safetensors --pictures other");
    assert_code(r, 1);
    assert_in("grey: is a class that is not trained with", r->err);
    uint8_t pixels[3 * PIXELS];
    fill(pixels, sizeof pixels);
    mkdir(scratch_path("wide"), 0777);
    mkdir(scratch_path("wide/dark"), 0777);
    write_png("wide/dark/a.png", PNG_FORMAT_RGB, HEIGHT, WIDTH, pixels);
    r = command_run("eval net.tn --weights r/last.safetensors --pictures wide");
    assert_code(r, 1);
    assert_in("the pictures are u8[6, 4, 3], the network needs u8[4, 4, 1]; --fit",
              r->err);
    r = command_run("eval net.tn --weights r/last.safetensors --pictures wide --fit");
    assert_code(r, 0);
    assert_in("test  loss", r->out);
}
END_TEST

Suite *suite_pictures(void);
Suite *suite_pictures(void) {
    Suite *suite = suite_create("pictures");
    TCase *t = tcase_create("files");
    tcase_add_checked_fixture(t, scratch_open, scratch_close);
    tcase_add_loop_test(t, png_comes_back, 0, COUNT(pngs));
    tcase_add_loop_test(t, jpeg_comes_back_nearly, 0, 2);
    tcase_add_test(t, transparent_pixels_are_refused);
    tcase_add_test(t, other_files_are_refused);
    tcase_add_loop_test(t, damaged_files_are_refused, 0, 2);
    tcase_add_test(t, a_png_may_not_claim_any_size);
    tcase_add_loop_test(t, flat_pictures_stay_flat, 0, 2 * COUNT(sizes));
    tcase_add_test(t, the_middle_is_cut_and_scaled);
    tcase_add_test(t, colour_becomes_grey);
    tcase_add_loop_test(t, folders_are_classes, 0, COUNT(folders));
    tcase_add_test(t, folders_are_refused);
    suite_add_tcase(suite, t);
    t = tcase_create("command");
    tcase_add_checked_fixture(t, write_set, scratch_close);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, lines_end_as_they_should, 0, COUNT(lines));
    tcase_add_test(t, folders_train_and_are_reported_on);
    suite_add_tcase(suite, t);
    return suite;
}
