/* Data files: every format, and every defect that a file may have. */
#include "base/alloc.h"
#include "tests/scratch.h"
#include "tools/data.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

static char message[MESSAGE_BYTES];

/* Where an assertion fails, the loader's own words are worth more than "false". */
#define assert_ok(call) ck_assert_msg((call), "%s", message)
#define assert_says(words)                                                               \
    ck_assert_msg(strstr(message, words) != NULL, "'%s' is not in: %s", words, message)

static void small_image_file(uint8_t *bytes, size_t *count) {
    static const uint8_t header[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3};
    memcpy(bytes, header, sizeof header);
    for (int i = 0; i < 12; i++) bytes[sizeof header + (size_t)i] = (uint8_t)(10 * i);
    *count = sizeof header + 12;
}

static size_t compress_gzip(const uint8_t *in, size_t count, uint8_t *out, size_t room) {
    z_stream stream = {0};
    ck_assert_int_eq(
        deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
        Z_OK);
    stream.next_in = (Bytef *)in;
    stream.avail_in = (uInt)count;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

START_TEST(idx_reads_plain_and_gzip) {
    uint8_t plain[64], packed[128];
    size_t count;
    small_image_file(plain, &count);
    size_t packed_count = compress_gzip(plain, count, packed, sizeof packed);
    const char *path[] = {scratch_write("a.idx", plain, count),
                          scratch_write("a.idx.gz", packed, packed_count)};
    for (int i = 0; i < 2; i++) {
        Tensor t;
        assert_ok(idx_read(path[i], &t, message));
        ck_assert_int_eq(t.elem, ELEM_u8);
        ck_assert_uint_eq(t.rank, 3);
        ck_assert_int_eq(t.dim[0] * 100 + t.dim[1] * 10 + t.dim[2], 223);
        ck_assert_int_eq(((uint8_t *)t.data)[11], 110);
        tensor_free(&t);
    }
}
END_TEST

/* The value -2 (or 0.5 for floats) in every element type of IDX. */
static const struct {
    uint8_t bytes[16];
    size_t count;
    Elem elem;
    double value;
} idx_types[] = {
    {{0, 0, 0x08, 0, 200}, 5, ELEM_u8, 200},
    {{0, 0, 0x09, 0, 0xfe}, 5, ELEM_i32, -2},
    {{0, 0, 0x0B, 0, 0xff, 0xfe}, 6, ELEM_i32, -2},
    {{0, 0, 0x0C, 0, 0xff, 0xff, 0xff, 0xfe}, 8, ELEM_i32, -2},
    {{0, 0, 0x0D, 0, 0x3f, 0, 0, 0}, 8, ELEM_f32, 0.5},
    {{0, 0, 0x0E, 0, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0}, 12, ELEM_f64, 0.5},
};

START_TEST(idx_reads_every_type) {
    Tensor t;
    assert_ok(idx_parse(idx_types[_i].bytes, idx_types[_i].count, &t, message));
    ck_assert_int_eq(t.elem, idx_types[_i].elem);
    assert_ok(tensor_convert(&t, ELEM_f64, message));
    ck_assert(*(double *)t.data == idx_types[_i].value);
    tensor_free(&t);
}
END_TEST

static const struct {
    const char *name;
    int at; /* byte to overwrite, -1: none */
    uint8_t byte;
    int longer; /* bytes to add or to cut */
    const char *words;
} idx_defects[] = {
    {"magic", 0, 1, 0, "is not an IDX file"},
    {"type", 2, 0x77, 0, "is not an IDX file"},
    {"rank", 3, 200, 0, "dimensions"},
    {"header", -1, 0, -20, "truncated within its header"},
    {"empty", -1, 0, -28, "is not an IDX file"},
    {"short", -1, 0, -1, "is truncated"},
    {"garbage", -1, 0, 3, "3 bytes of trailing garbage"},
    {"huge", 4, 0xff, 0, "is truncated"},
};

START_TEST(idx_refuses_defects) {
    uint8_t bytes[64] = {0};
    size_t count;
    small_image_file(bytes, &count);
    if (idx_defects[_i].at >= 0) bytes[idx_defects[_i].at] = idx_defects[_i].byte;
    const char *path = scratch_write(idx_defects[_i].name, bytes,
                                     count + (size_t)idx_defects[_i].longer);
    Tensor t;
    ck_assert(!idx_read(path, &t, message));
    assert_says(idx_defects[_i].words);
    assert_says(path);
}
END_TEST

/* Every prefix of a gzip file and every changed byte of it is refused or read, never a
 * crash; a prefix is never taken for the whole. */
START_TEST(gzip_survives_damage) {
    uint8_t plain[64], packed[128], bad[128];
    size_t count;
    Bytes out;
    small_image_file(plain, &count);
    size_t size = compress_gzip(plain, count, packed, sizeof packed);
    for (size_t cut = 2; cut < size; cut++) {
        ck_assert(!gzip_expand(packed, cut, 1 << 20, &out, message));
        assert_says("truncated");
    }
    for (size_t i = 2; i < size; i++) {
        memcpy(bad, packed, size);
        bad[i] ^= 0x55;
        if (gzip_expand(bad, size, 1 << 20, &out, message)) bytes_free(&out);
    }
    memcpy(bad, packed, size);
    bad[size] = 'x';
    ck_assert(!gzip_expand(bad, size + 1, 1 << 20, &out, message));
    assert_says("trailing garbage");
}
END_TEST

START_TEST(gzip_keeps_its_limit) {
    static uint8_t zeros[100000], packed[2000];
    size_t size = compress_gzip(zeros, sizeof zeros, packed, sizeof packed);
    Bytes out;
    ck_assert(!gzip_expand(packed, size, 99999, &out, message));
    assert_says("more than 99999 bytes");
    assert_ok(gzip_expand(packed, size, 100000, &out, message));
    ck_assert_uint_eq(out.count, sizeof zeros);
    bytes_free(&out);
}
END_TEST

START_TEST(cifar_transposes_planes) {
    static uint8_t bytes[2 * CIFAR_RECORD], images[2 * 3072];
    int32_t labels[2];
    bytes[0] = 3;
    bytes[CIFAR_RECORD] = 9;
    bytes[1 + 5] = 11;           /* red of pixel 5 */
    bytes[1 + 1024 + 5] = 22;    /* green */
    bytes[1 + 2048 + 1023] = 33; /* blue of the last pixel */
    assert_ok(cifar_parse(bytes, sizeof bytes, images, labels, message));
    ck_assert_int_eq(labels[0], 3);
    ck_assert_int_eq(labels[1], 9);
    ck_assert_int_eq(images[15], 11);
    ck_assert_int_eq(images[16], 22);
    ck_assert_int_eq(images[3071], 33);
    bytes[CIFAR_RECORD] = 10;
    ck_assert(!cifar_parse(bytes, sizeof bytes, images, labels, message));
    assert_says("record 1 has the label 10");
    ck_assert(!cifar_parse(bytes, sizeof bytes - 1, images, labels, message));
    assert_says("truncated");
    ck_assert(!cifar_parse(bytes, 0, images, labels, message));
}
END_TEST

/* One array of one element in a version 1 file. */
static size_t npy_file(uint8_t *bytes, const char *dict, const void *data, size_t count) {
    size_t length = strlen(dict);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, dict, length);
    memcpy(bytes + 10 + length, data, count);
    return 10 + length + count;
}

static const struct {
    const char *type;
    uint8_t bytes[8];
    size_t count;
    Elem elem;
    double value;
} npy_types[] = {
    {"|b1", {7}, 1, ELEM_bool, 1},
    {"|u1", {200}, 1, ELEM_u8, 200},
    {"|i1", {0xfe}, 1, ELEM_i32, -2},
    {"<u2", {1, 2}, 2, ELEM_i32, 513},
    {">u2", {2, 1}, 2, ELEM_i32, 513},
    {"<i2", {0xfe, 0xff}, 2, ELEM_i32, -2},
    {"<i4", {0xfe, 0xff, 0xff, 0xff}, 4, ELEM_i32, -2},
    {"<i8", {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, ELEM_i32, -2},
    {"<u8", {5}, 8, ELEM_i32, 5},
    {"<f2", {0, 0x38}, 2, ELEM_f32, 0.5},
    {"<f2", {0, 0xc4}, 2, ELEM_f32, -4},
    {"<f2", {1, 0}, 2, ELEM_f32, 5.9604644775390625e-8},
    {"<f2", {0xff, 0x7b}, 2, ELEM_f32, 65504},
    {"<f4", {0, 0, 0, 0x3f}, 4, ELEM_f32, 0.5},
    {">f4", {0x3f, 0, 0, 0}, 4, ELEM_f32, 0.5},
    {"<f8", {0, 0, 0, 0, 0, 0, 0xe0, 0x3f}, 8, ELEM_f64, 0.5},
};

START_TEST(npy_reads_every_type) {
    uint8_t bytes[256];
    char dict[128];
    snprintf(dict, sizeof dict,
             "{'descr': '%s', 'fortran_order': False, 'shape': (1,), }\n",
             npy_types[_i].type);
    size_t size = npy_file(bytes, dict, npy_types[_i].bytes, npy_types[_i].count);
    Tensor t;
    assert_ok(npy_parse(bytes, size, &t, message));
    ck_assert_int_eq(t.elem, npy_types[_i].elem);
    assert_ok(tensor_convert(&t, ELEM_f64, message));
    ck_assert(*(double *)t.data == npy_types[_i].value);
    tensor_free(&t);
}
END_TEST

START_TEST(npy_turns_columns_into_rows) {
    static const uint8_t columns[] = {1, 4, 2, 5, 3, 6};
    uint8_t bytes[256];
    size_t size = npy_file(
        bytes, "{\"shape\": (2, 3), 'fortran_order': True, 'descr': '|u1'}", columns, 6);
    Tensor t;
    assert_ok(npy_parse(bytes, size, &t, message));
    for (int i = 0; i < 6; i++) ck_assert_int_eq(((uint8_t *)t.data)[i], i + 1);
    tensor_free(&t);
}
END_TEST

#define DICT(type, order, shape)                                                         \
    "{'descr': " type ", 'fortran_order': " order ", 'shape': " shape ", }"

static const struct {
    const char *dict;
    size_t count;
    const char *words;
} npy_defects[] = {
    {DICT("'|O'", "False", "(1,)"), 1, "convert it with astype"},
    {DICT("'<U7'", "False", "(1,)"), 1, "convert it with astype"},
    {DICT("'<c8'", "False", "(1,)"), 8, "convert it with astype"},
    {DICT("[('a', '<f4')]", "False", "(1,)"), 4, "holds records"},
    {DICT("'<f4'", "Maybe", "(1,)"), 4, "damaged header"},
    {DICT("'<f4'", "False", "(1"), 4, "damaged"},
    {DICT("'<f4'", "False", "(-1,)"), 4, "damaged shape"},
    {DICT("'<f4'", "False", "(99999999999999999999,)"), 4, "too large"},
    {DICT("'<f4'", "False", "(70000000, 70000000)"), 4, "more elements than"},
    {DICT("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), 4, "more than 8 dimensions"},
    {DICT("'<f4'", "False", "(2,)"), 4, "is truncated"},
    {DICT("'<f4'", "False", "(1,)"), 6, "2 bytes of trailing garbage"},
    {DICT("'<i8'", "False", "(1,)"), 8, "does not fit"},
    {"{'descr': '<f4', 'shape': (1,)}", 4, "lacks"},
    {"{'descr': '<f4', 'descr': '<f4'}", 4, "damaged header"},
    {"", 0, "damaged header"},
    {"{'descr", 0, "damaged header"},
};

START_TEST(npy_refuses_defects) {
    static const uint8_t data[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    uint8_t bytes[256];
    size_t size = npy_file(bytes, npy_defects[_i].dict, data, npy_defects[_i].count);
    Tensor t;
    ck_assert(!npy_parse(bytes, size, &t, message));
    assert_says(npy_defects[_i].words);
}
END_TEST

START_TEST(npy_refuses_every_prefix) {
    uint8_t bytes[256];
    size_t size = npy_file(bytes, DICT("'<f4'", "False", "(1,)"), "abcd", 4);
    for (size_t cut = 0; cut < size; cut++) {
        Tensor t;
        ck_assert(!npy_parse(bytes, cut, &t, message));
    }
}
END_TEST

START_TEST(npy_writes_what_it_reads) {
    const int64_t dims[][3] = {{0}, {7}, {2, 3}, {2, 3, 4}, {0, 5}};
    const uint32_t ranks[] = {0, 1, 2, 3, 2};
    Tensor t, back;
    assert_ok(tensor_new(&t, (Elem)(_i % ELEM_COUNT), ranks[_i / ELEM_COUNT],
                         dims[_i / ELEM_COUNT], message));
    for (int64_t i = 0; i < tensor_bytes(&t); i++)
        ((uint8_t *)t.data)[i] = t.elem == ELEM_bool ? i % 2 : (uint8_t)(7 * i);
    const char *path = scratch_path("x.npy");
    assert_ok(npy_write(path, &t, message));
    assert_ok(npy_read(path, &back, message));
    ck_assert_int_eq(back.elem, t.elem);
    ck_assert_uint_eq(back.rank, t.rank);
    ck_assert_mem_eq(back.dim, t.dim, sizeof t.dim);
    ck_assert_mem_eq(back.data, t.data, (size_t)tensor_bytes(&t));
    tensor_free(&t);
    tensor_free(&back);
}
END_TEST

static const char *write_npz(const char *name) {
    static uint8_t x[256], y[256];
    static const uint8_t pixels[] = {1, 2, 3, 4, 5, 6};
    static const uint8_t labels[] = {0, 1, 1};
    size_t x_size = npy_file(x, DICT("'|u1'", "False", "(3, 2)"), pixels, 6);
    size_t y_size = npy_file(y, DICT("'|u1'", "False", "(3,)"), labels, 3);
    const char *path = scratch_path(name);
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    ck_assert_ptr_nonnull(zip);
    zip_file_add(zip, "x.npy", zip_source_buffer(zip, x, x_size, 0), 0);
    zip_file_add(zip, "y.npy", zip_source_buffer(zip, y, y_size, 0), 0);
    ck_assert_int_eq(zip_close(zip), 0);
    return path;
}

START_TEST(npz_reads_arrays_by_name) {
    const char *path = write_npz("a.npz");
    Tensor t;
    assert_ok(npz_read(path, "y", &t, message));
    ck_assert_int_eq(((uint8_t *)t.data)[2], 1);
    tensor_free(&t);
    ck_assert(!npz_read(path, "z", &t, message));
    assert_says("it holds x, y");
    path = scratch_text("b.npz", "this is no archive");
    ck_assert(!npz_read(path, "y", &t, message));
    assert_says("is not a .npz file");
}
END_TEST

START_TEST(npz_survives_damage) {
    Bytes file;
    assert_ok(file_read(write_npz("a.npz"), &file, message));
    for (size_t i = 0; i < file.count; i++) {
        Tensor t;
        file.at[i] ^= 0x41;
        if (npz_parse(file.at, file.count, "x", &t, message)) tensor_free(&t);
        file.at[i] ^= 0x41;
        if (npz_parse(file.at, i, "x", &t, message)) tensor_free(&t);
    }
    bytes_free(&file);
}
END_TEST

static void write_idx(const char *name, uint32_t rank, const uint32_t *dim,
                      uint8_t modulo) {
    static uint8_t bytes[1 << 20];
    size_t at = 4, elements = 1;
    bytes[2] = 8;
    bytes[3] = (uint8_t)rank;
    for (uint32_t i = 0; i < rank; i++, at += 4) {
        for (int b = 0; b < 4; b++)
            bytes[at + (size_t)b] = (uint8_t)(dim[i] >> (24 - 8 * b));
        elements *= dim[i];
    }
    for (size_t i = 0; i < elements; i++) bytes[at + i] = (uint8_t)(i % modulo);
    scratch_write(name, bytes, at + elements);
}

static void write_mnist(const char *folder, uint32_t n, uint8_t classes) {
    static const char *const part[] = {"train", "t10k"};
    char name[128];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%s-images-idx3-ubyte", folder, part[i]);
        write_idx(name, 3, (uint32_t[]){n, 28, 28}, 251);
        snprintf(name, sizeof name, "%s/%s-labels-idx1-ubyte", folder, part[i]);
        write_idx(name, 1, (uint32_t[]){n}, classes);
    }
}

START_TEST(data_finds_sets_by_name) {
    static const char *const places[] = {"fashion-mnist", "d/fashion_mnist", "plain"};
    DataSpec spec = {.kind = "fashion_mnist", .batch = 3};
    DataSet set;
    for (int i = 0; i < 3; i++) {
        write_mnist(places[i], 30, 10);
        const char *folder =
            i == 0 ? scratch_path("") : scratch_path(i == 1 ? "d" : "plain");
        assert_ok(data_load(&spec, folder, &set, message));
        ck_assert_int_eq(set.info.train_count, 30);
        ck_assert_uint_eq(set.info.classes, 10);
        ck_assert_uint_eq(set.info.field[0].rank, 3);
        ck_assert_int_eq(set.info.field[0].dim[2], 1);
        ck_assert_int_eq(set.info.field[1].elem, ELEM_i32);
        ck_assert_int_eq(((int32_t *)set.train[1].data)[13], 3);
        data_free(&set);
    }
}
END_TEST

START_TEST(data_does_not_mix_up_sets) {
    write_mnist("only/mnist", 10, 10);
    setenv("TENON_DATA", scratch_path("only"), 1);
    DataSpec spec = {.kind = "mnist"};
    DataSet set;
    assert_ok(data_load(&spec, NULL, &set, message));
    data_free(&set);
    /* MNIST's own folder is no place for Fashion-MNIST, though the files are named alike.
     */
    DataSpec other = {.kind = "fashion_mnist"};
    if (data_load(&other, scratch_path("only/mnist"), &set, message)) {
        ck_assert_int_eq(set.info.train_count, 60000); /* Debian's package */
        data_free(&set);
    } else {
        assert_says("--data");
    }
    DataSpec unknown = {.kind = "cifar_10"};
    ck_assert(!data_load(&unknown, NULL, &set, message));
    assert_says("no data set 'cifar_10', did you mean cifar10");
}
END_TEST

START_TEST(data_checks_labels_and_counts) {
    DataSet set;
    DataSpec spec = {.kind = "mnist"};
    write_mnist("high/mnist", 30, 12);
    ck_assert(!data_load(&spec, scratch_path("high"), &set, message));
    assert_says("label 10 is 10, out of range: classes are numbered from 0 to 9");
    data_free(&set);
    write_mnist("few/mnist", 30, 10);
    write_idx("few/mnist/train-labels-idx1-ubyte", 1, (uint32_t[]){29}, 10);
    ck_assert(!data_load(&spec, scratch_path("few"), &set, message));
    assert_says("30 examples but 29 labels");
    data_free(&set);
    write_mnist("gone/mnist", 30, 10);
    remove(scratch_path("gone/mnist/t10k-labels-idx1-ubyte"));
    ck_assert(!data_load(&spec, scratch_path("gone"), &set, message));
    assert_says("is missing");
    data_free(&set);
    write_mnist("size/mnist", 30, 10);
    write_idx("size/mnist/train-images-idx3-ubyte", 3, (uint32_t[]){30, 28, 27}, 10);
    ck_assert(!data_load(&spec, scratch_path("size"), &set, message));
    assert_says("u8[30, 28, 27]");
    data_free(&set);
}
END_TEST

START_TEST(data_reads_named_files) {
    write_idx("x", 3, (uint32_t[]){6, 4, 5}, 100);
    write_idx("y", 1, (uint32_t[]){6}, 3);
    DataSet set;
    const char *idx[] = {"x", "y"}, *npz[] = {write_npz("a.npz")};
    DataSpec spec = {.kind = "idx", .paths = 2, .path = idx};
    assert_ok(data_load(&spec, scratch_path(""), &set, message));
    ck_assert_uint_eq(set.info.classes, 3);
    ck_assert_int_eq(set.info.test_count, 0);
    ck_assert_uint_eq(set.info.field[0].rank, 3);
    data_free(&set);
    DataSpec zip = {.kind = "npz", .paths = 1, .path = npz};
    assert_ok(data_load(&zip, NULL, &set, message));
    ck_assert_int_eq(set.info.train_count, 3);
    ck_assert_int_eq(set.info.field[1].elem, ELEM_i32);
    data_free(&set);
    const char *missing[] = {"nowhere", "y"};
    DataSpec bad = {.kind = "npy", .paths = 2, .path = missing};
    ck_assert(!data_load(&bad, scratch_path(""), &set, message));
    assert_says("nowhere: cannot be opened");
    bad.paths = 3;
    ck_assert(!data_load(&bad, scratch_path(""), &set, message));
    assert_says("takes 1 file");
}
END_TEST

/* Each allocation in turn finds no memory: said every time, and nothing else breaks. */
START_TEST(data_survives_the_end_of_memory) {
    write_idx("x", 3, (uint32_t[]){6, 4, 5}, 100);
    write_idx("y", 1, (uint32_t[]){6}, 3);
    const char *idx[] = {"x", "y"}, *npz[] = {write_npz("a.npz")};
    const char *folder = scratch_path("");
    const DataSpec spec[] = {{.kind = "idx", .paths = 2, .path = idx},
                             {.kind = "npz", .paths = 1, .path = npz}};
    for (int i = 0; i < 2; i++) {
        long n = 0;
        for (bool ok = false; !ok; n++) {
            DataSet set;
            ck_assert_int_lt(n, 1000);
            message[0] = 0;
            mem_fail_at(n);
            ok = data_load(&spec[i], folder, &set, message);
            mem_fail_at(-1);
            if (!ok) assert_says("memory ended");
            data_free(&set);
        }
        ck_assert_int_gt(n, 2);
    }
}
END_TEST

START_TEST(data_gathers_batches) {
    Tensor t;
    const int64_t dim[] = {5, 3};
    assert_ok(tensor_new(&t, ELEM_u8, 2, dim, message));
    for (int i = 0; i < 15; i++) ((uint8_t *)t.data)[i] = (uint8_t)i;
    uint8_t out[12];
    data_gather(&t, (const int64_t[]){4, 0, 2}, 3, 4, out);
    ck_assert_mem_eq(out, "\x0c\x0d\x0e\0\1\2\6\7\x8\6\7\x8", 12);
    tensor_free(&t);
}
END_TEST

/* The real sets, where a folder is named that has them. */
START_TEST(data_reads_the_real_sets) {
    static const struct {
        const char *kind, *probe;
        int64_t train;
    } sets[] = {{"mnist", "mnist", 60000}, {"cifar10", "cifar10", 50000}};
    const char *folder = real_data(sets[_i].probe);
    if (!folder) return;
    DataSpec spec = {.kind = sets[_i].kind};
    DataSet set;
    DataInfo info;
    assert_ok(data_load(&spec, folder, &set, message));
    ck_assert(data_describe(sets[_i].kind, &info));
    ck_assert_int_eq(set.info.train_count, info.train_count);
    ck_assert_int_eq(set.info.test_count, info.test_count);
    for (uint32_t i = 0; i < info.fields; i++)
        ck_assert_mem_eq(&set.info.field[i].dim, &info.field[i].dim,
                         sizeof info.field[i].dim);
    data_free(&set);
}
END_TEST

Suite *suite_data(void);
Suite *suite_data(void) {
    Suite *suite = suite_create("data");
    TCase *t = tcase_create("formats");
    tcase_add_checked_fixture(t, scratch_open, scratch_close);
    tcase_set_timeout(t, 60);
#define COUNT(rows) (int)(sizeof rows / sizeof *rows)
    tcase_add_test(t, idx_reads_plain_and_gzip);
    tcase_add_loop_test(t, idx_reads_every_type, 0, COUNT(idx_types));
    tcase_add_loop_test(t, idx_refuses_defects, 0, COUNT(idx_defects));
    tcase_add_test(t, gzip_survives_damage);
    tcase_add_test(t, gzip_keeps_its_limit);
    tcase_add_test(t, cifar_transposes_planes);
    tcase_add_loop_test(t, npy_reads_every_type, 0, COUNT(npy_types));
    tcase_add_test(t, npy_turns_columns_into_rows);
    tcase_add_loop_test(t, npy_refuses_defects, 0, COUNT(npy_defects));
    tcase_add_test(t, npy_refuses_every_prefix);
    tcase_add_loop_test(t, npy_writes_what_it_reads, 0, 5 * ELEM_COUNT);
    tcase_add_test(t, npz_reads_arrays_by_name);
    tcase_add_test(t, npz_survives_damage);
    tcase_add_test(t, data_finds_sets_by_name);
    tcase_add_test(t, data_does_not_mix_up_sets);
    tcase_add_test(t, data_checks_labels_and_counts);
    tcase_add_test(t, data_reads_named_files);
    tcase_add_test(t, data_survives_the_end_of_memory);
    tcase_add_test(t, data_gathers_batches);
    tcase_add_loop_test(t, data_reads_the_real_sets, 0, 2);
    suite_add_tcase(suite, t);
    return suite;
}
