/* safetensors and checkpoints: what is written comes back; what is wrong is refused. */
#include "tests/scratch.h"
#include "tools/checkpoint.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static char message[MESSAGE_BYTES];

#define assert_ok(call) ck_assert_msg((call), "%s", message)
#define assert_says(words)                                                               \
    ck_assert_msg(strstr(message, words) != NULL, "'%s' is not in: %s", words, message)

/* Two weights, one moment, the step: 64 bytes apart. */
static const Slot slots[] = {
    {"dense.weight", ROLE_PARAM, {.elem = ELEM_f32, .rank = 2, .dim = {2, 3}}, 0, 24},
    {"dense.bias", ROLE_PARAM, {.elem = ELEM_f32, .rank = 1, .dim = {3}}, 64, 12},
    {"m.dense.bias", ROLE_OPTIM, {.elem = ELEM_f32, .rank = 1, .dim = {3}}, 128, 12},
    {"step", ROLE_STEP, {.elem = ELEM_i32, .rank = 0}, 192, 4},
};
static const Layout layout = {4, slots, 256};
static const Layout weights_only = {2, slots, 128};

static void fill_state(uint8_t *state) {
    memset(state, 0, 256);
    for (uint32_t i = 0; i < layout.slots; i++)
        for (int64_t b = 0; b < slots[i].bytes; b++)
            state[slots[i].offset + b] = (uint8_t)(3 * b + i + 1);
}

START_TEST(checkpoint_comes_back) {
    uint8_t state[256], back[256] = {0};
    json_t *meta = json_pack("{s:s}", "epoch", "7"), *read = NULL;
    const char *path = scratch_path("a.safetensors");
    fill_state(state);
    assert_ok(checkpoint_write(path, &layout, state, meta, message));
    assert_ok(checkpoint_read(path, &layout, CHECKPOINT_RESUME, back, &read, message));
    ck_assert_mem_eq(back, state, 256);
    ck_assert_str_eq(json_string_value(json_object_get(read, "epoch")), "7");
    json_decref(meta);
    json_decref(read);
}
END_TEST

START_TEST(weights_pass_over_the_optimiser) {
    uint8_t state[256], back[256] = {0};
    const char *path = scratch_path("a.safetensors");
    fill_state(state);
    assert_ok(checkpoint_write(path, &layout, state, NULL, message));
    assert_ok(
        checkpoint_read(path, &weights_only, CHECKPOINT_WEIGHTS, back, NULL, message));
    ck_assert_mem_eq(back, state, 128);
    /* and a file without an optimiser starts a net that has one */
    memset(back, 0, sizeof back);
    assert_ok(checkpoint_write(path, &weights_only, state, NULL, message));
    assert_ok(checkpoint_read(path, &layout, CHECKPOINT_WEIGHTS, back, NULL, message));
    ck_assert_mem_eq(back, state, 128);
    ck_assert_int_eq(back[192], 0);
    ck_assert(!checkpoint_read(path, &layout, CHECKPOINT_RESUME, back, NULL, message));
    assert_says("'m.dense.bias' is missing");
}
END_TEST

START_TEST(checkpoint_of_another_net_is_refused) {
    static const Slot others[] = {
        {"dense.weight", ROLE_PARAM, {.elem = ELEM_f32, .rank = 2, .dim = {2, 4}}, 0, 32},
        {"conv.bias", ROLE_PARAM, {.elem = ELEM_f32, .rank = 1, .dim = {3}}, 64, 12},
    };
    static const Layout other = {2, others, 128};
    uint8_t state[256], back[256];
    const char *path = scratch_path("a.safetensors");
    fill_state(state);
    memset(back, 9, sizeof back);
    assert_ok(checkpoint_write(path, &layout, state, NULL, message));
    ck_assert(!checkpoint_read(path, &other, CHECKPOINT_WEIGHTS, back, NULL, message));
    assert_says("checkpoint of another net, 3 tensors disagree");
    assert_says("'dense.weight' is f32[2, 3], f32[2, 4] is needed");
    assert_says("'conv.bias' is missing");
    assert_says("'dense.bias' is not in this net");
    for (int i = 0; i < 256; i++) ck_assert_int_eq(back[i], 9);
}
END_TEST

START_TEST(checkpoint_refuses_every_prefix) {
    uint8_t state[256];
    Bytes file;
    SafeTensors parsed;
    const char *path = scratch_path("a.safetensors");
    fill_state(state);
    assert_ok(checkpoint_write(path, &layout, state, NULL, message));
    assert_ok(file_read(path, &file, message));
    for (size_t cut = 0; cut < file.count; cut++)
        ck_assert(!safetensors_parse(file.at, cut, &parsed, message));
    for (size_t i = 0; i < file.count; i++) {
        file.at[i] ^= 0x11;
        if (safetensors_parse(file.at, file.count, &parsed, message))
            safetensors_free(&parsed);
        file.at[i] ^= 0x11;
    }
    bytes_free(&file);
}
END_TEST

#define ONE(name, shape, begin, end)                                                     \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin       \
    "," end "]}"

static const struct {
    const char *header;
    size_t data;
    const char *words; /* NULL: right */
} headers[] = {
    {"{" ONE("a", "[2]", "0", "8") "}", 8, NULL},
    {"{" ONE("a", "[]", "0", "4") "," ONE("b", "[0,9]", "4", "4") "}   ", 4, NULL},
    {"{\"__metadata__\":{\"a\":\"b\"}}", 0, NULL},
    {"{" ONE("a", "[2]", "0", "9") "}", 8, "claims bytes 0 to 9 of 8"},
    {"{" ONE("a", "[2]", "-8", "0") "}", 8, "claims bytes"},
    {"{" ONE("a", "[2]", "8", "0") "}", 8, "claims bytes"},
    {"{" ONE("a", "[2]", "0", "9223372036854775807") "}", 8, "claims bytes"},
    {"{" ONE("a", "[2]", "0", "99999999999999999999") "}", 8, "damaged header"},
    {"{" ONE("a", "[3]", "0", "8") "}", 8, "its shape and type need 12"},
    {"{" ONE("a", "[2]", "4", "12") "}", 12, "leaves a hole"},
    {"{" ONE("a", "[2]", "0", "8") "," ONE("b", "[2]", "4", "12") "}", 12, "overlaps"},
    {"{" ONE("a", "[2]", "0", "8") "}", 9, "1 bytes of trailing garbage"},
    {"{" ONE("a", "[2]", "0", "8") "," ONE("a", "[2]", "8", "16") "}", 16,
     "damaged header"},
    {"{" ONE("a", "[-2]", "0", "8") "}", 8, "unusable shape"},
    {"{" ONE("a", "[4294967296,4294967296]", "0", "8") "}", 8, "unusable shape"},
    {"{" ONE("a", "[1,1,1,1,1,1,1,1,2]", "0", "8") "}", 8, "unusable shape"},
    {"{" ONE("a", "2", "0", "8") "}", 8, "unusable shape"},
    {"{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     "unknown type"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown type"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "no data_offsets"},
    {"{\"a\":7}", 8, "unknown type"},
    {"[]", 8, "damaged header"},
    {"{", 8, "damaged header"},
};

START_TEST(safetensors_headers) {
    uint8_t bytes[512] = {0};
    size_t length = strlen(headers[_i].header);
    SafeTensors file;
    bytes[0] = (uint8_t)length;
    bytes[1] = (uint8_t)(length >> 8);
    memcpy(bytes + 8, headers[_i].header, length);
    bool ok = safetensors_parse(bytes, 8 + length + headers[_i].data, &file, message);
    if (!headers[_i].words) {
        assert_ok(ok);
        safetensors_free(&file);
        return;
    }
    ck_assert_msg(!ok, "taken for right: %s", headers[_i].header);
    assert_says(headers[_i].words);
}
END_TEST

/* A limit on the size of files stands for a disk that is full. */
START_TEST(full_disk_leaves_the_old_checkpoint) {
    uint8_t state[256], back[256] = {0};
    const char *path = scratch_path("a.safetensors");
    struct rlimit limit, old;
    fill_state(state);
    assert_ok(checkpoint_write(path, &layout, state, NULL, message));
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){300, old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint8_t other[256] = {1};
    bool ok = checkpoint_write(path, &layout, other, NULL, message);
    setrlimit(RLIMIT_FSIZE, &old);
    ck_assert(!ok);
    assert_says("cannot be written");
    assert_ok(checkpoint_read(path, &layout, CHECKPOINT_RESUME, back, NULL, message));
    ck_assert_mem_eq(back, state, 256);
}
END_TEST

START_TEST(unwritable_place_is_an_error) {
    uint8_t state[256] = {0};
    ck_assert(!checkpoint_write(scratch_path("no/such/folder/a.safetensors"), &layout,
                                state, NULL, message));
    assert_says("cannot be written");
}
END_TEST

Suite *suite_checkpoint(void);
Suite *suite_checkpoint(void) {
    Suite *suite = suite_create("checkpoint");
    TCase *t = tcase_create("safetensors");
    tcase_add_checked_fixture(t, scratch_open, scratch_close);
    tcase_add_test(t, checkpoint_comes_back);
    tcase_add_test(t, weights_pass_over_the_optimiser);
    tcase_add_test(t, checkpoint_of_another_net_is_refused);
    tcase_add_test(t, checkpoint_refuses_every_prefix);
    tcase_add_loop_test(t, safetensors_headers, 0,
                        (int)(sizeof headers / sizeof *headers));
    tcase_add_test(t, full_disk_leaves_the_old_checkpoint);
    tcase_add_test(t, unwritable_place_is_an_error);
    suite_add_tcase(suite, t);
    return suite;
}
