/* Training runs of a tiny network on made-up images: what is kept, resumed, refused. */
#include "tests/command.h"
#include "tests/library.h"
#include "tests/scratch.h"
#include "tools/tensor.h"
#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SIDE = 8, TRAIN = 160, TEST = 52, CLASSES = 3 };

/* A row of the image is bright: which one is the class. */
static void write_images(const char *name, int count) {
    static uint8_t bytes[16 + TRAIN * SIDE * SIDE];
    const uint8_t header[16] = {0, 0, 8, 3,    0, 0, 0, (uint8_t)count,
                                0, 0, 0, SIDE, 0, 0, 0, SIDE};
    memcpy(bytes, header, sizeof header);
    for (int i = 0; i < count * SIDE * SIDE; i++) {
        int image = i / (SIDE * SIDE), row = i / SIDE % SIDE;
        int noise = (i * 7919 + image * 31) % 97;
        bytes[16 + i] = (uint8_t)(row == 2 * (image % CLASSES) + 1 ? 150 + noise : noise);
    }
    scratch_write(name, bytes, 16 + (size_t)count * SIDE * SIDE);
}

static void write_labels(const char *name, int count, int classes) {
    uint8_t bytes[8 + TRAIN] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)count};
    for (int i = 0; i < count; i++) bytes[8 + i] = (uint8_t)(i % classes);
    scratch_write(name, bytes, 8 + (size_t)count);
}

/* `width` of the hidden layer and the `rate` differ between tests. */
static void write_model(const char *name, int width, const char *rate) {
    char text[2048];
    snprintf(text, sizeof text,
             "net tiny(x: f32[N, 8, 8, 1]) {\n"
             "    logits = x |> conv(4, 3, pad = 1) |> batch_norm |> relu |> flatten\n"
             "               |> dense(%d) |> relu |> dense(3)\n"
             "}\n"
             "loss clean(x: f32[N, 8, 8, 1], y: i32[N]) =\n"
             "    mean(cross_entropy(tiny(x).logits, y))\n"
             "train plain {\n"
             "    data   = idx(\"x\", \"y\", \"xt\", \"yt\", batch = 16, validate = 32)\n"
             "    loss   = clean\n"
             "    optim  = sgd(rate = %s, momentum = 0.9)\n"
             "    epochs = 4\n"
             "    report = { accuracy: accuracy(tiny) }\n"
             "}\n",
             width, rate);
    scratch_text(name, text);
}

static void set_up(void) {
    scratch_open();
    write_images("x", TRAIN);
    write_labels("y", TRAIN, CLASSES);
    write_images("xt", TEST);
    write_labels("yt", TEST, CLASSES);
    write_model("tiny.tn", 8, "0.05");
}

static void assert_same_file(const char *a, const char *b) {
    char message[MESSAGE_BYTES];
    Bytes x, y;
    ck_assert_msg(file_read(scratch_path(a), &x, message), "%s", message);
    ck_assert_msg(file_read(scratch_path(b), &y, message), "%s", message);
    ck_assert_msg(x.count == y.count && !memcmp(x.at, y.at, x.count), "%s and %s differ",
                  a, b);
    bytes_free(&x);
    bytes_free(&y);
}

static bool same_file(const char *a, const char *b) {
    char message[MESSAGE_BYTES];
    Bytes x, y;
    ck_assert(file_read(scratch_path(a), &x, message));
    ck_assert(file_read(scratch_path(b), &y, message));
    bool same = x.count == y.count && !memcmp(x.at, y.at, x.count);
    bytes_free(&x);
    bytes_free(&y);
    return same;
}

/* The figure of the last line of metrics.jsonl. */
static double metric(const char *path, const char *part, const char *name, int *lines) {
    char line[4096];
    double value = -1;
    FILE *file = fopen(scratch_path(path), "r");
    *lines = 0;
    while (file && fgets(line, sizeof line, file)) {
        json_t *row = json_loads(line, 0, NULL);
        ck_assert_ptr_nonnull(row);
        value = json_number_value(json_object_get(json_object_get(row, part), name));
        json_decref(row);
        ++*lines;
    }
    if (file) fclose(file);
    return value;
}

START_TEST(training_learns_and_keeps) {
    int lines;
    const Result *r = command_run("train tiny.tn --out run --set epochs=6");
    assert_code(r, 0);
    assert_in("epoch 6/6", r->out);
    double accuracy = metric("run/metrics.jsonl", "test", "accuracy", &lines);
    ck_assert_int_eq(lines, 6);
    ck_assert_double_ge(accuracy, 0.9);
    ck_assert(file_exists(scratch_path("run/best.safetensors")));
    r = command_run("eval tiny.tn --weights run/last.safetensors --json");
    assert_code(r, 0);
    json_t *row = json_loads(r->out, 0, NULL);
    ck_assert_ptr_nonnull(row);
    double again =
        json_number_value(json_object_get(json_object_get(row, "test"), "accuracy"));
    ck_assert_double_eq_tol(again, accuracy, 1e-9);
    json_decref(row);
    if (!strstr(r->err, "no plot"))
        ck_assert(file_exists(scratch_path("run/plot.svg")) ||
                  !file_exists("/usr/bin/gnuplot"));
}
END_TEST

/* A report of truths chooses the best epoch, against the loss: the share of misses is largest
 * early. */
START_TEST(truths_choose_the_best_epoch) {
    const char *missed = "report={missed:fn(x,y)=argmax(tiny(x).logits,over=1)!=y}";
    write_model("tiny.tn", 8, "0.002");
    assert_code(command_run("train tiny.tn --out run --set %s", missed), 0);
    double most = 0;
    int lines = 0;
    char line[4096];
    FILE *file = fopen(scratch_path("run/metrics.jsonl"), "r");
    ck_assert_ptr_nonnull(file);
    for (; fgets(line, sizeof line, file); lines++) {
        json_t *row = json_loads(line, 0, NULL);
        double share =
            json_number_value(json_object_get(json_object_get(row, "valid"), "missed"));
        most = share > most ? share : most;
        json_decref(row);
    }
    fclose(file);
    ck_assert_int_eq(lines, 4);
    double last = metric("run/metrics.jsonl", "valid", "missed", &lines);
    ck_assert_msg(most > last, "misses never fell: %g to %g", most, last);
    const Result *r = command_run(
        "eval tiny.tn --weights run/best.safetensors --json --set %s", missed);
    assert_code(r, 0);
    json_t *row = json_loads(r->out, 0, NULL);
    double best =
        json_number_value(json_object_get(json_object_get(row, "valid"), "missed"));
    json_decref(row);
    ck_assert_double_eq_tol(best, most, 1e-9);
}
END_TEST

/* Forward 3 contractions (conv and two dense); backward two for each but the input's own. */
START_TEST(passes_are_explained) {
    const Result *r = command_run("train tiny.tn --explain --out run");
    assert_code(r, 0);
    assert_in("contractions", r->out);
    assert_in("elaborate", r->out);
    ck_assert(!file_exists(scratch_path("run")));
    r = command_run("train tiny.tn --explain --json");
    assert_code(r, 0);
    json_t *rows = json_loads(r->out, 0, NULL);
    ck_assert(json_is_array(rows));
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const char *pass = json_string_value(json_object_get(row, "pass"));
        json_int_t found = json_integer_value(json_object_get(row, "contractions"));
        if (!strcmp(pass, "elaborate")) ck_assert_int_eq(found, 3);
        if (!strcmp(pass, "dce")) ck_assert_int_eq(found, 8);
    }
    ck_assert_uint_ge(i, 8);
    json_decref(rows);
}
END_TEST

static double attack_figure(const Result *r, size_t row, const char *key) {
    json_t *all = json_loads(r->out, 0, NULL);
    ck_assert_ptr_nonnull(all);
    json_t *rows = json_object_get(all, "attack");
    ck_assert_uint_gt(json_array_size(rows), row);
    double value = json_number_value(json_object_get(json_array_get(rows, row), key));
    json_decref(all);
    return value;
}

START_TEST(attacks_are_evaluated) {
    assert_code(command_run("train tiny.tn --out run --set epochs=6"), 0);
    const char *begin = "eval tiny.tn --weights run/last.safetensors";
    const Result *r = command_run("%s --attack pgd(eps=0.2,iters=10)", begin);
    assert_code(r, 0);
    assert_in("robust", r->out);
    assert_in("of 52", r->out);
    r = command_run("%s --attack pgd(iters=10) --eps 0,0.1,0.4 --out adv --json", begin);
    assert_code(r, 0);
    ck_assert_double_eq(attack_figure(r, 0, "robust"), attack_figure(r, 0, "clean"));
    ck_assert_double_ge(attack_figure(r, 0, "clean"), 0.9);
    ck_assert_double_gt(attack_figure(r, 1, "robust"), attack_figure(r, 2, "robust"));
    ck_assert_double_lt(attack_figure(r, 2, "robust"), 0.5);
    ck_assert_double_eq_tol(attack_figure(r, 2, "linf_mean"), 0.4, 1e-5);
    static const char *const files[] = {"attack.json", "curve.csv", "curve.svg",
                                        "adversarial.npy", "adversarial.png"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[64];
        snprintf(path, sizeof path, "adv/%s", files[i]);
        ck_assert_msg(file_exists(scratch_path(path)), "no %s", files[i]);
    }
    Tensor images;
    char message[MESSAGE_BYTES];
    ck_assert_msg(npy_read(scratch_path("adv/adversarial.npy"), &images, message), "%s",
                  message);
    ck_assert(images.rank == 4 && images.dim[0] == TEST && images.dim[3] == 1);
    for (int64_t i = 0; i < tensor_count(&images); i++) {
        const float z = ((const float *)images.data)[i];
        ck_assert(z >= 0 && z <= 1);
    }
    tensor_free(&images);
}
END_TEST

/* The net of the block is attacked as the block calls it: with six units, not the default. */
START_TEST(attacks_know_the_arguments_of_nets) {
    scratch_text(
        "wide.tn",
        "net wide(x: f32[N, 8, 8, 1], deep, units = 4) {\n"
        "    hidden = x |> flatten |> dense(units) |> relu\n"
        "    logits = (if deep { hidden |> dense(5) } else { hidden }) |> dense(3)\n"
        "}\n"
        "fn model(x) = wide(x, true, 6)\n"
        "train plain {\n"
        "    data   = idx(\"x\", \"y\", \"xt\", \"yt\", batch = 16)\n"
        "    loss   = fn(x, y: i32[N]) = mean(cross_entropy(model(x).logits, y))\n"
        "    optim  = sgd(rate = 0.1)\n"
        "    epochs = 1\n"
        "    report = { accuracy: accuracy(model) }\n"
        "}\n");
    assert_code(command_run("train wide.tn --out run"), 0);
    const Result *r = command_run(
        "eval wide.tn --weights run/last.safetensors --attack fgsm(eps=0.1) --json");
    assert_code(r, 0);
    json_t *all = json_loads(r->out, 0, NULL);
    const double told =
        json_number_value(json_object_get(json_object_get(all, "test"), "accuracy"));
    json_decref(all);
    ck_assert_double_eq_tol(attack_figure(r, 0, "clean"), told, 1e-6);
}
END_TEST

/* What goes down the gradient does worse than one step up: said to be masked. */
START_TEST(weak_attacks_are_warned_of) {
    assert_code(command_run("train tiny.tn --out run --set epochs=6"), 0);
    const char *begin = "eval tiny.tn --weights run/last.safetensors --attack";
    const Result *r = command_run(
        "%s fn(f,x,y)=clamp(x-0.4*sign(slope(objective(f,cross_entropy,y),x)),0,1)",
        begin);
    assert_code(r, 0);
    assert_in("a single step of the same length leaves", r->err);
    assert_in("the loss did not rise", r->err);
    static const char *const lines[][2] = {
        {"fgsm", "leaves eps open"},
        {"fgsm(eps=0.1) --eps 0.1", "goes with an attack that leaves eps open"},
        {"fgsm --eps 0.1,x", "--eps takes up to"},
        {"fgsm --eps 0.1,3", "eps is to be at most the width of the range"},
        {"fgsm(eps=0.1,step=2)", "has no parameter `step`"},
        {"fgs(eps=0.1)", "--attack:1:1: error: unknown name `fgs`"},
        {"fgs(eps=0.1)", "did you mean `fgsm`?"},
        {"step", "`step` has a value only while training"},
        {"3", "`attack` is to be a function"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        r = command_run("%s %s", begin, lines[i][0]);
        ck_assert_int_ne(r->code, 0);
        assert_in(lines[i][1], r->err);
    }
    r = command_run("eval tiny.tn --weights run/last.safetensors --eps 0.1");
    assert_code(r, 1);
    assert_in("--eps goes with an attack, and the block `plain` has none", r->err);
}
END_TEST

/* Three steps on each batch: thrice the steps.  The model's own text has no `replay`. */
START_TEST(batches_are_replayed) {
    const char *set[] = {
        "data=idx(\"x\",\"y\",\"xt\",\"yt\",batch=16,validate=32,replay=3)", "replay=3"};
    assert_code(command_run("train tiny.tn --out run --set epochs=2 --set %s", set[_i]),
                0);
    int lines;
    FILE *file = fopen(scratch_path("run/metrics.jsonl"), "r");
    ck_assert_ptr_nonnull(file);
    json_t *row = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
    fclose(file);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "step")), 24);
    json_decref(row);
    ck_assert_double_ge(metric("run/metrics.jsonl", "test", "accuracy", &lines), 0.5);
    ck_assert_int_eq(lines, 2);
}
END_TEST

/* All dimensions hold all of the variance; those of a trained net part its classes. */
START_TEST(spectrum_of_an_embedding) {
    assert_code(command_run("train tiny.tn --out run"), 0);
    command_refused("says no embedding",
                    "spectrum tiny.tn --weights run/last.safetensors");
    const Result *r =
        command_run("spectrum tiny.tn --weights run/last.safetensors --json --set "
                    "embedding=fn(x,y)=tiny(x).logits");
    assert_code(r, 0);
    double before = 0;
    int dimensions = 0;
    for (const char *line = r->out; *line; line = strchr(line, '\n') + 1) {
        json_t *row = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        ck_assert_ptr_nonnull(row);
        double variance = json_number_value(json_object_get(row, "variance"));
        ck_assert_double_ge(variance, before);
        ck_assert_int_eq(json_integer_value(json_object_get(row, "dimensions")),
                         ++dimensions);
        before = variance;
        if (dimensions == 3)
            ck_assert_double_ge(json_number_value(json_object_get(row, "accuracy")), 0.9);
        json_decref(row);
    }
    ck_assert_int_eq(dimensions, 3);
    ck_assert_double_eq_tol(before, 1, 1e-9);
}
END_TEST

/* Each phase has a step of its own; a run goes on from inside of one, with the arguments that
 * it began with. */
START_TEST(phases_run_and_resume) {
    scratch_text(
        "phased.tn",
        "use \"tiny.tn\"\n"
        "train phased(rate = 0.05) {\n"
        "    data = idx(\"x\", \"y\", \"xt\", \"yt\", batch = 16, validate = 32)\n"
        "    loss = clean\n"
        "    state start = params(tiny).logits\n"
        "    phase head { only = params(tiny).logits; epochs = 1\n"
        "                 optim = sgd(rate = rate, momentum = 0.5) }\n"
        "    phase all { optim = adam(rate = cosine(rate)); epochs = 2 }\n"
        "    report = { accuracy: accuracy(tiny) }\n}\n");
    int lines;
    assert_code(command_run("train phased.tn phased(rate=0.02) --out whole"), 0);
    metric("whole/metrics.jsonl", "test", "accuracy", &lines);
    ck_assert_int_eq(lines, 3);
    pid_t child = command_start("train phased.tn phased(rate=0.02) --out parts");
    for (int i = 0; i < 1000 && !file_exists(scratch_path("parts/metrics.jsonl")); i++)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    kill(child, SIGINT);
    command_end(child);
    command_refused("of the train block 'phased(rate=0.02)'",
                    "train phased.tn phased(rate=0.1) --out parts --resume");
    assert_code(command_run("train phased.tn phased(rate=0.02) --out parts --resume"), 0);
    assert_same_file("whole/last.safetensors", "parts/last.safetensors");
}
END_TEST

START_TEST(a_new_run_moves_the_old_one) {
    assert_code(command_run("train tiny.tn --out run --set epochs=1"), 0);
    assert_code(command_run("train tiny.tn --out other --set epochs=1"), 0);
    const Result *r = command_run("train tiny.tn --out run --set epochs=1 --seed 5");
    assert_code(r, 0);
    assert_in("earlier-1", r->err);
    assert_same_file("run/earlier-1/last.safetensors", "other/last.safetensors");
    ck_assert(!same_file("run/last.safetensors", "other/last.safetensors"));
}
END_TEST

/* Edits of what a checkpoint says, of the same length. */
static const char *const places[] = {
    "s/\"epoch\":\"2\"/\"epoch\":\"x\"/",
    "s/\"seed\":\"1\"/\"seed\":\"-\"/",
    "s/\"epoch_step\":\"0\"/\"epoch_step\":\"9\"/",
    "s/\"loss_sum\":\"0x0p+0\"/\"loss_sum\":\"   nan\"/",
    "s/\"loss_sum\":\"0x0p+0\"/\"loss_sum\":\"   inf\"/",
};

START_TEST(places_that_cannot_be_are_refused) {
    assert_code(command_run("train tiny.tn --out run --set epochs=2"), 0);
    ck_assert_int_eq(shell("cp run/last.safetensors was && LC_ALL=C sed -i '%s' "
                           "run/last.safetensors && ! cmp -s was run/last.safetensors",
                           places[_i]),
                     0);
    const Result *r = command_run("train tiny.tn --out run --set epochs=3 --resume");
    assert_code(r, 1);
    assert_in(_i < 2 ? "does not say its" : "is at no step of this run", r->err);
}
END_TEST

START_TEST(resume_reaches_the_same_bits) {
    assert_code(command_run("train tiny.tn --out whole --set epochs=5"), 0);
    assert_code(command_run("train tiny.tn --out parts --set epochs=2"), 0);
    const Result *r = command_run("train tiny.tn --out parts --set epochs=5 --resume");
    assert_code(r, 0);
    assert_in("epoch 3/5", r->out);
    assert_same_file("whole/last.safetensors", "parts/last.safetensors");
    assert_same_file("whole/best.safetensors", "parts/best.safetensors");
    r = command_run("train tiny.tn --out parts --set epochs=5 --resume");
    assert_code(r, 0);
    assert_in("are done", r->err);
}
END_TEST

static void wait_for_lines(const char *path, int wanted) {
    const struct timespec pause = {0, 2000000};
    int lines = 0;
    for (int i = 0; i < 10000 && lines < wanted; i++) {
        FILE *file = fopen(scratch_path(path), "r");
        lines = 0;
        for (int c; file && (c = fgetc(file)) != EOF;) lines += c == '\n';
        if (file) fclose(file);
        nanosleep(&pause, NULL);
    }
}

/* By Ctrl-C after some step, by a kill in whatever it does. */
static const int signals[] = {SIGINT, SIGTERM, SIGKILL};

START_TEST(a_stopped_run_resumes_to_the_same_bits) {
    assert_code(command_run("train tiny.tn --out whole --set epochs=60"), 0);
    pid_t child = command_start("train tiny.tn --out parts --set epochs=60");
    wait_for_lines("parts/metrics.jsonl", 3);
    kill(child, signals[_i]);
    const Result *r = command_end(child);
    if (r->code != 0) ck_assert_int_eq(r->signal, signals[_i]);
    if (r->code != 0 && signals[_i] != SIGKILL) assert_in("--resume goes on", r->err);
    r = command_run("train tiny.tn --out parts --set epochs=60 --resume");
    assert_code(r, 0);
    int lines;
    metric("parts/metrics.jsonl", "test", "accuracy", &lines);
    ck_assert_int_eq(lines, 60);
    assert_same_file("whole/last.safetensors", "parts/last.safetensors");
    assert_same_file("whole/best.safetensors", "parts/best.safetensors");
}
END_TEST

START_TEST(threads_do_not_change_bits) {
    static const int threads[] = {2, 4, 8};
    assert_code(command_run("train tiny.tn --out one --threads 1 --set epochs=2"), 0);
    for (int i = 0; i < 3; i++) {
        char path[64];
        const Result *r = command_run(
            "train tiny.tn --out many%d --threads %d --set epochs=2", i, threads[i]);
        assert_code(r, 0);
        snprintf(path, sizeof path, "many%d/last.safetensors", i);
        assert_same_file("one/last.safetensors", path);
    }
    assert_code(command_run("train tiny.tn --out again --no-cache --set epochs=2"), 0);
    assert_same_file("one/last.safetensors", "again/last.safetensors");
}
END_TEST

START_TEST(a_loss_that_is_no_number_stops) {
    write_model("wild.tn", 8, "1e30");
    const Result *r = command_refused(" became ", "train wild.tn --out run");
    assert_in("at step ", r->err);
    /* Eight steps an epoch: only the last one spoils the weights. */
    write_model("late.tn", 8, "where(step < 7, 0.05, 1e38)");
    command_refused("at step 8 (epoch 1)", "train late.tn --out late");
    assert_code(command_run("eval wild.tn --weights run/last.safetensors"), 0);
}
END_TEST

START_TEST(a_full_disk_leaves_what_was) {
    assert_code(command_run("train tiny.tn --out run --set epochs=2"), 0);
    assert_code(command_run("train tiny.tn --out copy --set epochs=2"), 0);
    const Result *r =
        command_run_limited(1000, "train tiny.tn --out run --set epochs=4 --resume");
    assert_code(r, 1);
    assert_in("cannot be written", r->err);
    assert_same_file("run/last.safetensors", "copy/last.safetensors");
    r = command_run_limited(1000, "train tiny.tn --out fresh");
    assert_code(r, 1);
    assert_in("cannot be written", r->err);
}
END_TEST

START_TEST(other_checkpoints_are_refused) {
    write_model("wide.tn", 9, "0.05");
    assert_code(command_run("train tiny.tn --out run --set epochs=1"), 0);
    const Result *r = command_refused("checkpoint of another net",
                                      "eval wide.tn --weights run/last.safetensors");
    assert_in("f32[256, 8], f32[256, 9] is needed", r->err);
    command_refused("f32[256, 9] is needed",
                    "train wide.tn --weights run/last.safetensors --out other");
    command_refused("f32[256, 9] is needed", "train wide.tn --resume --out run");
    command_refused("seed", "train tiny.tn --resume --out run --seed 9");
    command_refused("no run to resume", "train tiny.tn --resume --out nothing");
    command_refused("not a safetensors file", "eval tiny.tn --weights x");
}
END_TEST

START_TEST(weights_start_a_run) {
    assert_code(command_run("train tiny.tn --out first --set epochs=4"), 0);
    const Result *r =
        command_run("train tiny.tn --weights first/last.safetensors --out second "
                    "--set epochs=1");
    assert_code(r, 0);
    int lines;
    ck_assert_double_ge(metric("second/metrics.jsonl", "test", "accuracy", &lines), 0.8);
}
END_TEST

/* What a data file may suffer: its first byte replaced, or its length changed. */
static const struct {
    int first, longer;
    const char *words;
} defects[] = {
    {7, 0, "is not an IDX file"},
    {0, -1, "is truncated"},
    {0, 1, "trailing garbage"},
};

START_TEST(damaged_data_are_said) {
    char message[MESSAGE_BYTES];
    Bytes file;
    assert_code(command_run("train tiny.tn --out run --set epochs=1"), 0);
    assert_code(command_run("train tiny.tn --out copy --set epochs=1"), 0);
    ck_assert(file_read(scratch_path("xt"), &file, message));
    file.at[0] = (uint8_t)defects[_i].first;
    uint8_t *bytes = calloc(1, file.count + 1);
    memcpy(bytes, file.at, file.count);
    scratch_write("xt", bytes, file.count + (size_t)defects[_i].longer);
    free(bytes);
    bytes_free(&file);
    const Result *r =
        command_refused("tiny.tn:8:", "train tiny.tn --out run --resume --set epochs=2");
    assert_in("xt", r->err);
    assert_in(defects[_i].words, r->err);
    assert_same_file("run/last.safetensors", "copy/last.safetensors");
}
END_TEST

START_TEST(bad_surroundings_are_said) {
    write_labels("y", TRAIN, CLASSES + 1);
    command_refused("labels up to 3, out of range", "train tiny.tn");
    write_labels("y", TRAIN - 1, CLASSES);
    const Result *r = command_refused("160 examples but 159 labels", "train tiny.tn");
    assert_in("tiny.tn:8:", r->err);
    write_labels("y", TRAIN, CLASSES);
    command_refused("cannot be made", "train tiny.tn --out tiny.tn/run");
    command_refused("epochs", "train tiny.tn --set epoch=3");
    remove(scratch_path("xt"));
    command_refused("xt: cannot be opened", "train tiny.tn");
    command_refused("plain", "train tiny.tn plane");
}
END_TEST

/* A loss over `p`, the logits of a net, that comes to no number within an epoch; the message
 * has all the words. */
static const struct {
    const char *rate, *loss, *words[3];
} spoilt[] = {
    {"5.",
     "mean(log(5 + p))",
     {"the loss became NaN", "6:10: error: `log` gives the first NaN", ""}},
    {"1.",
     "mean(exp(1000 * p) / sum(exp(1000 * p)))",
     {"the loss became NaN", "`div` gives the first NaN",
      "note: `exp` gave the infinity"}},
    {"1.", "-mean(p * p)", {"the loss became infinite", "gives the first infinity", ""}},
    {"1.",
     "mean(repeat 9 with a = 100 * p { a * a })",
     {"`mul` gives the first infinity", "in iteration ", " of a repeat"}},
    {"1.",
     "mean(sqrt(p * p * 1e-30 * 1e-30))",
     {"the weights became NaN", "replaying step 1 of epoch 1", "gives the first "}},
};

START_TEST(spoilt_steps_are_replayed) {
    char text[2048];
    bool single = strstr(spoilt[_i].loss, "sqrt") != NULL; /* the last step of an epoch */
    snprintf(
        text, sizeof text,
        "net line(x: f32[N, 3]) {\n"
        "    logits = x |> dense(2)\n"
        "}\n"
        "loss bad(x: f32[N, 3], y: i32[N]) {\n"
        "    let p = line(x).logits\n"
        "    %s\n"
        "}\n"
        "train plain {\n"
        "    data   = synthetic(batch = 8, shape = [3], classes = 2, examples = %d)\n"
        "    loss   = bad\n"
        "    optim  = sgd(rate = %s)\n"
        "    epochs = 1\n"
        "}\n",
        spoilt[_i].loss, single ? 8 : 1600, spoilt[_i].rate);
    scratch_text("bad.tn", text);
    const Result *r = command_refused(spoilt[_i].words[0], "train bad.tn");
    for (int i = 1; i < 3; i++) assert_in(spoilt[_i].words[i], r->err);
}
END_TEST

Suite *suite_train(void);
Suite *suite_train(void) {
    Suite *suite = suite_create("train");
    TCase *t = tcase_create("runs");
    tcase_add_checked_fixture(t, set_up, scratch_close);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, training_learns_and_keeps);
    tcase_add_test(t, truths_choose_the_best_epoch);
    tcase_add_test(t, passes_are_explained);
    tcase_add_test(t, attacks_are_evaluated);
    tcase_add_test(t, attacks_know_the_arguments_of_nets);
    tcase_add_test(t, weak_attacks_are_warned_of);
    tcase_add_test(t, batches_are_replayed);
    tcase_add_test(t, spectrum_of_an_embedding);
    tcase_add_test(t, phases_run_and_resume);
    tcase_add_loop_test(t, places_that_cannot_be_are_refused, 0,
                        sizeof places / sizeof *places);
    tcase_add_test(t, a_new_run_moves_the_old_one);
    tcase_add_test(t, resume_reaches_the_same_bits);
    tcase_add_loop_test(t, a_stopped_run_resumes_to_the_same_bits, 0, 3);
    tcase_add_test(t, threads_do_not_change_bits);
    tcase_add_test(t, a_loss_that_is_no_number_stops);
    tcase_add_loop_test(t, spoilt_steps_are_replayed, 0, sizeof spoilt / sizeof *spoilt);
    tcase_add_test(t, a_full_disk_leaves_what_was);
    tcase_add_test(t, other_checkpoints_are_refused);
    tcase_add_test(t, weights_start_a_run);
    tcase_add_loop_test(t, damaged_data_are_said, 0, 3);
    tcase_add_test(t, bad_surroundings_are_said);
    suite_add_tcase(suite, t);
    return suite;
}
