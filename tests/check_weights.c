/* Weights of other frameworks: names, axes, types, forms; and trained networks by them. */
#include "tests/command.h"
#include "tests/library.h"
#include "tests/scratch.h"
#include "tools/checkpoint.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char message[MESSAGE_BYTES];

#define COUNT(array)    (int)(sizeof(array) / sizeof *(array))
#define assert_ok(call) ck_assert_msg((call), "%s", message)
#define assert_says(words)                                                               \
    ck_assert_msg(strstr(message, words) != NULL, "'%s' is not in: %s", words, message)

/* ---- names ----------------------------------------------------------------------------- */

static bool wants_all(const Slot *slot) {
    return slot->role == ROLE_PARAM;
}
static bool spares_none(const Archive *archive, const char *name) {
    return archive->count == 0 && !name;
}

/* Names of ours and of a file, and of each of ours the number of the file's that fills it. */
static const struct {
    const char *ours[3], *theirs[3];
    int pair[3], extras;
} names[] = {
    {{"fc.weight"}, {"fc.weight"}, {0}, 0},
    {{"bn1.scale", "bn1.shift"}, {"bn1.weight", "bn1.bias"}, {0, 1}, 0},
    {{"bn1.mean", "bn1.var"}, {"bn1.running_mean", "bn1.running_var"}, {0, 1}, 0},
    {{"bn.mean", "bn.var"}, {"bn/moving_mean", "bn/moving_variance"}, {0, 1}, 0},
    {{"bn.scale", "bn.shift"}, {"bn/gamma", "bn/beta"}, {0, 1}, 0},
    {{"fc.weight"}, {"fc/kernel"}, {0}, 0},
    {{"layer1.0.conv1.weight"}, {"layer1.0.conv1.weight"}, {0}, 0},
    {{"net0_conv.0.weight", "net0_conv.1.weight"},
     {"net0_conv1_weight", "net0_conv0_weight"},
     {1, 0},
     0},
    {{"fc1.weight", "fc11.weight"}, {"fc.11.weight", "fc.1.weight"}, {1, 0}, 0},
    {{"fc.weight", "fc.bias"}, {"module.fc.weight", "module.fc.bias"}, {0, 1}, 0},
    {{"bn.scale"}, {"bn.weight", "bn.num_batches_tracked"}, {0}, 0},
    {{"fc.weight"}, {"fc.weight", "fc.bias"}, {0}, 1},
    {{"fc.weight", "fc.bias"}, {"fc.weight"}, {0, -1}, 0},
    {{"fc.weight", "fc.scale"}, {"fc.weight"}, {0, -1}, 0},
    {{"fc.weight"}, {"afc.weight"}, {-1}, 1},
    {{"aweight"}, {"weight"}, {-1}, 1},
    {{"w.scale"}, {"w.gamma", "w_weight"}, {-2}, 0}, /* either */
};

START_TEST(names_agree_by_rule) {
    Slot slot[3] = {0};
    SafeTensor tensor[3] = {0};
    Layout layout = {.slot = slot, .bytes = 1};
    Archive archive = {.tensor = tensor};
    const PairingRules rules = {false, wants_all, spares_none};
    Pairing p;
    const char *const *ours = names[_i].ours, *const *theirs = names[_i].theirs;
    const Type vector = {.elem = ELEM_f32, .rank = 1, .dim = {4}};
    for (; layout.slots < 3 && ours[layout.slots]; layout.slots++)
        slot[layout.slots] =
            (Slot){.name = ours[layout.slots], .role = ROLE_PARAM, .type = vector};
    for (; archive.count < 3 && theirs[archive.count]; archive.count++)
        tensor[archive.count] =
            (SafeTensor){theirs[archive.count], STORED_f32, 1, {4}, NULL, 16};
    assert_ok(pairing_make(&archive, &layout, &rules, &p, message));
    ck_assert_uint_eq(p.extras, (unsigned)names[_i].extras);
    for (uint32_t i = 0; i < layout.slots; i++) {
        int want = names[_i].pair[i];
        int got = p.pair[i].fault == PAIR_UNSURE ? -2
                  : p.pair[i].tensor             ? (int)(p.pair[i].tensor - tensor)
                                                 : -1;
        ck_assert_msg(got == want, "'%s' is filled by %d", ours[i], got);
        ck_assert_int_eq(p.pair[i].fault == PAIR_FITS, want >= 0);
    }
    pairing_free(&p);
}
END_TEST

/* ---- axes and types -------------------------------------------------------------------- */

/* One slot and one tensor: the permutation that is chosen, or the fault. */
static const struct {
    const char *name;
    Elem elem;
    uint32_t rank;
    int64_t ours[4];
    Stored stored;
    uint32_t their_rank;
    int64_t theirs[4];
    PairFault fault;
    bool turned;
} axes[] = {
    {"c.weight", ELEM_f32, 4, {5, 3, 2, 7}, STORED_f32, 4, {7, 2, 5, 3}, PAIR_FITS, true},
    {"c.weight",
     ELEM_f32,
     4,
     {5, 3, 2, 7},
     STORED_f32,
     4,
     {5, 3, 2, 7},
     PAIR_FITS,
     false},
    {"c.weight", ELEM_f32, 4, {3, 3, 3, 3}, STORED_f32, 4, {3, 3, 3, 3}, PAIR_FITS, true},
    {"c.weight",
     ELEM_f32,
     4,
     {5, 3, 2, 7},
     STORED_f32,
     4,
     {7, 2, 3, 5},
     PAIR_SHAPE,
     true},
    {"d.weight", ELEM_f32, 2, {4, 6}, STORED_f32, 2, {6, 4}, PAIR_FITS, true},
    {"d.weight", ELEM_f32, 2, {4, 6}, STORED_f32, 2, {4, 6}, PAIR_FITS, false},
    {"d.weight", ELEM_f32, 2, {4, 4}, STORED_f32, 2, {4, 4}, PAIR_FITS, true},
    {"d.table", ELEM_f32, 2, {4, 4}, STORED_f32, 2, {4, 4}, PAIR_FITS, false},
    {"d.table", ELEM_f32, 2, {4, 6}, STORED_f32, 2, {6, 4}, PAIR_SHAPE, false},
    {"d.weight", ELEM_f32, 2, {4, 6}, STORED_f32, 1, {24}, PAIR_SHAPE, true},
    {"d.bias", ELEM_f32, 1, {4}, STORED_f64, 1, {4}, PAIR_FITS, false},
    {"d.bias", ELEM_f32, 1, {4}, STORED_f16, 1, {4}, PAIR_FITS, false},
    {"d.bias", ELEM_f32, 1, {4}, STORED_bf16, 1, {4}, PAIR_FITS, false},
    {"d.bias", ELEM_f32, 1, {4}, STORED_i32, 1, {4}, PAIR_TYPE, false},
    {"d.count", ELEM_i32, 1, {4}, STORED_i64, 1, {4}, PAIR_FITS, false},
    {"d.count", ELEM_i32, 1, {4}, STORED_f32, 1, {4}, PAIR_TYPE, false},
};

START_TEST(axes_are_found) {
    Slot slot = {.name = axes[_i].name, .role = ROLE_PARAM};
    slot.type = (Type){.elem = axes[_i].elem, .rank = axes[_i].rank};
    SafeTensor tensor = {
        axes[_i].name, axes[_i].stored, axes[_i].their_rank, {0}, NULL, 0};
    for (int d = 0; d < 4; d++) {
        slot.type.dim[d] = axes[_i].ours[d];
        tensor.dim[d] = axes[_i].theirs[d];
    }
    const Layout layout = {1, &slot, 64};
    const Archive archive = {.tensor = &tensor, .count = 1};
    const PairingRules rules = {false, wants_all, spares_none};
    Pairing p;
    assert_ok(pairing_make(&archive, &layout, &rules, &p, message));
    ck_assert_int_eq(p.pair[0].fault, axes[_i].fault);
    ck_assert_int_eq(p.pair[0].axes != NULL, axes[_i].turned);
    pairing_free(&p);
}
END_TEST

/* Every element of a filter is where its four indices say. */
START_TEST(filters_are_turned) {
    enum { KH = 2, KW = 3, I = 4, O = 5 };
    float file[O][I][KH][KW], state[KH][KW][I][O];
    const Type type = {.elem = ELEM_f32, .rank = 4, .dim = {KH, KW, I, O}};
    const Slot slot = {"c.weight", ROLE_PARAM, type, 0, sizeof state};
    const SafeTensor tensor = {
        "c.weight", STORED_f32, 4, {O, I, KH, KW}, (const uint8_t *)file, sizeof file};
    const Layout layout = {1, &slot, sizeof state};
    for (size_t i = 0; i < sizeof file / sizeof(float); i++)
        ((float *)file)[i] = (float)i + 0.5F;
    const char *path = scratch_path("w.safetensors");
    assert_ok(archive_write(path, &tensor, 1, NULL, message));
    assert_ok(checkpoint_read(path, &layout, CHECKPOINT_WEIGHTS, state, NULL, message));
    for (int o = 0; o < O; o++)
        for (int i = 0; i < I; i++)
            for (int h = 0; h < KH; h++)
                for (int w = 0; w < KW; w++)
                    ck_assert(state[h][w][i][o] == file[o][i][h][w]);
}
END_TEST

/* ---- files ----------------------------------------------------------------------------- */

static const float square[4] = {1, 2, 3, 4};
static const SafeTensor square_weight = {
    "fc.weight", STORED_f32, 2, {2, 2}, (const uint8_t *)square, sizeof square};
static const Slot square_slot = {
    "fc.weight", ROLE_PARAM, {.elem = ELEM_f32, .rank = 2, .dim = {2, 2}}, 0, 16};
static const Layout square_layout = {1, &square_slot, 64};

/* A square matrix does not tell its order: who wrote the file decides. */
static const struct {
    const char *name;
    bool ours;
    float second; /* element [0][1] in our order */
} forms[] = {
    {"a.safetensors", false, 3},
    {"a.safetensors", true, 2},
    {"a.npz", false, 3},
    {"a.npz", true, 2},
};

START_TEST(files_tell_who_wrote_them) {
    float state[16] = {0};
    Archive archive;
    const char *path = scratch_path(forms[_i].name);
    assert_ok(
        archive_write(path, &square_weight, 1, forms[_i].ours ? "" : NULL, message));
    assert_ok(archive_read(path, &archive, message));
    ck_assert_int_eq(archive.ours, forms[_i].ours);
    ck_assert_uint_eq(archive.count, 1);
    ck_assert_str_eq(archive.tensor[0].name, "fc.weight");
    ck_assert_mem_eq(archive.tensor[0].data, square, sizeof square);
    archive_free(&archive);
    assert_ok(
        checkpoint_read(path, &square_layout, CHECKPOINT_WEIGHTS, state, NULL, message));
    ck_assert(state[1] == forms[_i].second);
}
END_TEST

START_TEST(npz_files_are_equal_when_their_arrays_are) {
    Bytes a, b;
    assert_ok(npz_write(scratch_path("a.npz"), &square_weight, 1, "", message));
    sleep(2); /* the resolution of a zip archive's times */
    assert_ok(npz_write(scratch_path("b.npz"), &square_weight, 1, "", message));
    assert_ok(file_read(scratch_path("a.npz"), &a, message));
    assert_ok(file_read(scratch_path("b.npz"), &b, message));
    ck_assert_uint_eq(a.count, b.count);
    ck_assert_mem_eq(a.at, b.at, a.count);
    bytes_free(&a);
    bytes_free(&b);
}
END_TEST

START_TEST(npz_refuses_every_prefix) {
    Bytes file;
    NpzArrays arrays;
    assert_ok(npz_write(scratch_path("a.npz"), &square_weight, 1, "", message));
    assert_ok(file_read(scratch_path("a.npz"), &file, message));
    for (size_t cut = 0; cut < file.count; cut++)
        ck_assert(!npz_parse_all(file.at, cut, &arrays, message));
    for (size_t i = 0; i < file.count; i++) {
        file.at[i] ^= 0x11;
        if (npz_parse_all(file.at, file.count, &arrays, message)) npz_free(&arrays);
        file.at[i] ^= 0x11;
    }
    bytes_free(&file);
}
END_TEST

START_TEST(weights_of_another_net_are_listed) {
    static const float three[3] = {1, 2, 3};
    const SafeTensor tensor[] = {
        {"fc.weight", STORED_f32, 2, {1, 3}, (const uint8_t *)three, sizeof three},
        {"fc.gain", STORED_f32, 1, {3}, (const uint8_t *)three, sizeof three}};
    float state[16] = {7};
    const char *path = scratch_path("a.safetensors");
    assert_ok(archive_write(path, tensor, 2, NULL, message));
    ck_assert(
        !checkpoint_read(path, &square_layout, CHECKPOINT_WEIGHTS, state, NULL, message));
    assert_says("holds the weights of another net, 2 tensors disagree");
    assert_says("'fc.weight' is f32[1, 3], f32[2, 2] is needed");
    assert_says("'fc.gain' is not in this net");
    ck_assert(state[0] == 7);
}
END_TEST

START_TEST(bf16_has_no_npz) {
    const SafeTensor tensor = {"a", STORED_bf16, 1, {2}, (const uint8_t *)square, 4};
    ck_assert(!npz_write(scratch_path("a.npz"), &tensor, 1, NULL, message));
    assert_says("'a' is bf16");
}
END_TEST

START_TEST(unwritable_npz_is_an_error) {
    ck_assert(!npz_write(scratch_path("no/such/a.npz"), &square_weight, 1, "", message));
    assert_says("cannot be written");
}
END_TEST

/* ---- the command ----------------------------------------------------------------------- */

static const char net_text[] = "net model(x: f32[N, 3]) {\n"
                               "    let fc = x |> dense(2)\n"
                               "    score = fc\n"
                               "}\n"
                               "fn raw(x: f32[N, 3]) = x + 1\n";

static const float fc_weight[] = {1, 2, 3, 4, 5, 6}, fc_bias[] = {10, 20};
static const SafeTensor fc[] = {
    {"module.fc.weight", STORED_f32, 2, {2, 3}, (const uint8_t *)fc_weight, 24},
    {"module.fc.bias", STORED_f32, 1, {2}, (const uint8_t *)fc_bias, 8}};

static void write_model(void) {
    static const float x[] = {1, 0, 0, 0, 1, 1};
    const Tensor tensor = {ELEM_f32, 2, {2, 3}, (void *)x};
    scratch_open();
    scratch_text("net.tn", net_text);
    assert_ok(archive_write(scratch_path("w.safetensors"), fc, 2, NULL, message));
    assert_ok(archive_write(scratch_path("w.npz"), fc, 2, NULL, message));
    assert_ok(archive_write(scratch_path("short.npz"), fc, 1, NULL, message));
    assert_ok(npy_write(scratch_path("x.npy"), &tensor, message));
    scratch_text("text.safetensors", "not a file of tensors");
    scratch_text("wrong.tn", "net model(x: f32[N, 3]) {\n    let fc = x |> dense(5)\n"
                             "    score = fc\n}\n");
}

static const CommandLine lines[] = {
    {"weights", 2, "", "needs FILE"},
    {"weights nowhere.npz", 1, "", "nowhere.npz: cannot be opened"},
    {"weights text.safetensors", 1, "", "is truncated or not a safetensors file"},
    {"weights w.safetensors", 0, "safetensors, 2 tensors, 8 numbers", ""},
    {"weights w.npz", 0, "f32[2, 3]", ""},
    {"weights w.npz net.tn", 0, "fc.weight", ""},
    {"weights w.npz net.tn", 0, "from module.fc.weight f32[2, 3]", ""},
    {"weights w.npz net.tn model", 0, "fits net.tn", ""},
    {"weights w.npz net.tn modle", 1, "", "modle"},
    {"weights w.npz wrong.tn", 1,
     "! 'module.fc.weight' is f32[2, 3], f32[5, 3] is needed",
     "w.npz does not fit wrong.tn"},
    {"weights short.npz net.tn", 1, "! 'fc.bias' is missing, f32[2] is needed", "fit"},
    {"weights w.npz net.tn --json", 0,
     "{\"slot\":\"fc.weight\",\"shape\":[3,2],\"fault\":\"none\",\"tensor\":\"module.fc."
     "weight\"}",
     ""},
    {"weights short.npz net.tn --json", 1, "\"fits\":false", "fit"},
    {"weights w.npz --json", 0,
     "{\"name\":\"module.fc.bias\",\"dtype\":\"f32\",\"shape\":[2]}", ""},
    {"weights w.npz net.tn raw", 1, "", "does not fit"},
    {"weights w.npz --out no/such.npz", 1, "", "cannot be written"},
    {"run net.tn model --in x.npy --weights w.npz", 0, "11 24\n15 31\n", ""},
    {"run net.tn model --in x.npy --weights w.safetensors", 0, "11 24\n15 31\n", ""},
    {"run wrong.tn model --in x.npy --weights w.npz", 1, "", "weights of another net"},
};

START_TEST(lines_end_as_they_should) {
    command_check(&lines[_i]);
}
END_TEST

/* Each form from each: as it is, and as the model has it. */
START_TEST(files_are_converted) {
    static const char *const forms[] = {"safetensors", "npz"};
    const char *from = forms[_i & 1], *to = forms[_i >> 1 & 1];
    const char *model = _i & 4 ? "net.tn" : "";
    const Result *r = command_run("weights w.%s %s --out to.%s", from, model, to);
    assert_code(r, 0);
    r = command_run("weights to.%s", to);
    assert_in(_i & 4 ? "f32[3, 2]" : "f32[2, 3]", r->out);
    assert_in(_i & 4 ? " of tenon, 2 tensors" : "module.fc.weight", r->out);
    r = command_run("run net.tn model --in x.npy --weights to.%s", to);
    assert_code(r, 0);
    assert_in("11 24\n15 31\n", r->out);
}
END_TEST

/* A copy of a checkpoint still tells which of its tensors are training's. */
START_TEST(copies_of_checkpoints_are_weights) {
    static const char *const forms[] = {"npz", "safetensors"};
    ck_assert_int_eq(shell("cp " SOURCE_DIR "/tests/programs/small.tn ."), 0);
    assert_code(command_run("train small.tn --out run --threads 1"), 0);
    assert_code(command_run("weights run/last.safetensors --out a.%s", forms[_i]), 0);
    assert_code(command_run("weights a.%s --out b.%s", forms[_i], forms[!_i]), 0);
    const Result *r = command_run("weights b.%s small.tn small", forms[!_i]);
    assert_code(r, 0);
    assert_in("fits small.tn", r->out);
}
END_TEST

/* A tensor without a name, in a file that says which are training's. */
START_TEST(a_tensor_without_a_name_is_no_word) {
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"tenon\",\"training\":\"seed step\"},"
        "\"\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";
    ck_assert_int_eq(shell("printf '\\%o\\0\\0\\0\\0\\0\\0\\0%s' >w.safetensors",
                           (int)strlen(header), header),
                     0);
    const Result *r =
        command_run("weights w.safetensors " SOURCE_DIR "/tests/programs/small.tn small");
    assert_code(r, 1);
    assert_in("'' f32[0] is not in this net", r->out);
}
END_TEST

/* ---- trained networks ------------------------------------------------------------------ */

/* Examples of the test set that each net gets right, of 10 000, and how many of them may go
 * the other way by rounding. */
static const struct {
    const char *program, *block, *weights, *set;
    double right, off;
} trained[] = {
    {"resnet20", "plain", "cifar10_resnet20", "cifar10", .9173, .0003},
    {"resnet56", "deep", "cifar10_resnet56", "cifar10", .9339, .0003},
    {"smallcnn", "plain", "mnist_trades_smallcnn", "mnist", .9948, .0003},
};

/* Each case twice: in the process, and from a shared object that carries the weights. */
static const char *const ways[] = {"", "--library"};

START_TEST(trained_networks_reach_their_accuracy) {
    char file[128];
    const char *way = ways[_i % 2];
    _i /= 2;
    snprintf(file, sizeof file, "models/%s.safetensors", trained[_i].weights);
    const char *folder = real_data(file);
    if (!folder) return;
    const Result *r = command_run(
        "eval %s/examples/%s.tn %s --weights %s/%s --data %s --json %s", SOURCE_DIR,
        trained[_i].program, trained[_i].block, folder, file, folder, way);
    assert_code(r, 0);
    json_t *row = json_loads(r->out, 0, NULL);
    const json_t *test = json_object_get(row, "test");
    double accuracy = json_real_value(json_object_get(test, "accuracy"));
    ck_assert_msg(accuracy > trained[_i].right - trained[_i].off &&
                      accuracy < trained[_i].right + trained[_i].off,
                  "%s: %g", trained[_i].program, accuracy);
    json_decref(row);
}
END_TEST

START_TEST(resnet56_fits) {
    const char *folder = real_data("models/cifar10_resnet56.safetensors");
    if (!folder) return;
    const Result *r = command_run("weights %s/models/cifar10_resnet56.safetensors "
                                  "%s/examples/resnet56.tn",
                                  folder, SOURCE_DIR);
    assert_code(r, 0);
    assert_in("fits", r->out);
    r = command_run("weights %s/models/cifar10_resnet20.safetensors "
                    "%s/examples/resnet56.tn",
                    folder, SOURCE_DIR);
    assert_code(r, 1);
    assert_in("180 tensors disagree", r->out);
}
END_TEST

/* Pairs of input and output that other programs made: each number of ours is as near as
 * `off` times the larger of it and 1. */
static const struct {
    const char *program, *weights, *pair;
    float off;
} pairs[] = {
    {"squeezenet", "squeezenet1.1", "0", 1e-4F},
    {"squeezenet", "squeezenet1.1", "1", 1e-4F},
    {"squeezenet", "squeezenet1.1", "2", 1e-4F},
    {"efficientnet_lite0", "efficientnet_lite0", "bird", 1e-4F},
    {"efficientnet_lite0", "efficientnet_lite0", "cat", 1e-4F},
    {"efficientnet_lite0", "efficientnet_lite0", "Chicken", 1e-4F},
};

START_TEST(networks_repeat_outputs) {
    Tensor want, got;
    char file[128], path[512];
    const char *way = ways[_i % 2];
    _i /= 2;
    snprintf(file, sizeof file, "models/%s", pairs[_i].weights);
    const char *folder = real_data(file);
    if (!folder) return;
    const Result *r = command_run(
        "run %s/examples/%s.tn planes --weights %s/%s/weights.safetensors "
        "--in %s/%s/test_data_set/%s/input_0.npy --out y.npy %s",
        SOURCE_DIR, pairs[_i].program, folder, file, folder, file, pairs[_i].pair, way);
    assert_code(r, 0);
    snprintf(path, sizeof path, "%s/%s/test_data_set/%s/output_0.npy", folder, file,
             pairs[_i].pair);
    assert_ok(npy_read(path, &want, message));
    assert_ok(npy_read(scratch_path("y.npy"), &got, message));
    ck_assert_int_eq(tensor_count(&want), 1000);
    ck_assert_int_eq(tensor_count(&got), 1000);
    const float *a = want.data, *b = got.data;
    for (int i = 0; i < 1000; i++)
        ck_assert_msg(fabsf(a[i] - b[i]) <= pairs[_i].off * fmaxf(1, fabsf(a[i])),
                      "%d: %g for %g", i, (double)b[i], (double)a[i]);
    tensor_free(&want);
    tensor_free(&got);
}
END_TEST

Suite *suite_weights(void);
Suite *suite_weights(void) {
    Suite *suite = suite_create("weights");
    TCase *t = tcase_create("rules");
    tcase_add_checked_fixture(t, scratch_open, scratch_close);
    tcase_add_loop_test(t, names_agree_by_rule, 0, COUNT(names));
    tcase_add_loop_test(t, axes_are_found, 0, COUNT(axes));
    tcase_add_test(t, filters_are_turned);
    tcase_add_loop_test(t, files_tell_who_wrote_them, 0, COUNT(forms));
    tcase_add_test(t, npz_files_are_equal_when_their_arrays_are);
    tcase_add_test(t, npz_refuses_every_prefix);
    tcase_add_test(t, weights_of_another_net_are_listed);
    tcase_add_test(t, bf16_has_no_npz);
    tcase_add_test(t, unwritable_npz_is_an_error);
    suite_add_tcase(suite, t);
    t = tcase_create("command");
    tcase_add_checked_fixture(t, write_model, scratch_close);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, lines_end_as_they_should, 0, COUNT(lines));
    tcase_add_loop_test(t, files_are_converted, 0, 8);
    suite_add_tcase(suite, t);
    t = tcase_create("files of ours");
    tcase_add_checked_fixture(t, scratch_open, scratch_close);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, copies_of_checkpoints_are_weights, 0, 2);
    tcase_add_test(t, a_tensor_without_a_name_is_no_word);
    suite_add_tcase(suite, t);
    t = tcase_create("trained networks");
    tcase_add_checked_fixture(t, scratch_open, scratch_close);
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, trained_networks_reach_their_accuracy, 0, 2 * COUNT(trained));
    tcase_add_test(t, resnet56_fits);
    tcase_add_loop_test(t, networks_repeat_outputs, 0, 2 * COUNT(pairs));
    suite_add_tcase(suite, t);
    return suite;
}
