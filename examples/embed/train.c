/*
 * Trains LeNet with nothing but libc and what tenon made of lenet.tn:
 *
 *     tenon compile ../lenet.tn -o liblenet.so
 *     cc -O2 train.c -L. -llenet -Wl,-rpath,. -o train
 *     ./train FOLDER 10 weights.bin         # FOLDER: Fashion-MNIST's four files, unpacked
 *
 * The weights are those of `tenon train ../lenet.tn --seed 1`, bit for bit.
 */
#include "lenet.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 300, PIXELS = 28 * 28, SEED = 1 };

/* A file of the MNIST family behind its head; *count: of its bytes. */
static uint8_t *load(const char *folder, const char *name, long head, long *count) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) exit((perror(path), 1));
    *count = ftell(file) - head;
    uint8_t *bytes = *count > 0 ? malloc((size_t)*count) : NULL;
    if (!bytes || fseek(file, head, SEEK_SET) ||
        fread(bytes, 1, (size_t)*count, file) != (size_t)*count)
        exit((fprintf(stderr, "%s: cannot be read\n", path), 1));
    fclose(file);
    return bytes;
}

static void check(int code) {
    if (code != TN_OK) exit((fprintf(stderr, "lenet: %s\n", lenet_error(code)), 1));
}

static double seconds(void) {
    struct timespec t;
    return timespec_get(&t, TIME_UTC), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: train FOLDER EPOCHS WEIGHTS\n"), 2;
    long pixels, n;
    uint8_t *images = load(argv[1], "train-images-idx3-ubyte", 16, &pixels);
    uint8_t *labels = load(argv[1], "train-labels-idx1-ubyte", 8, &n);
    if (pixels != n * PIXELS) return fprintf(stderr, "not as many images as labels\n"), 1;

    void *state = aligned_alloc(64, lenet_state_size());
    void *work = aligned_alloc(64, lenet_work_size(BATCH));
    int64_t *order = malloc((size_t)n * sizeof *order);
    if (!state || !work || !order) return perror("train"), 1;
    check(lenet_check(LENET_ABI));
    check(lenet_init(state, SEED));

    static uint8_t x[BATCH * PIXELS];
    static int32_t y[BATCH];
    float loss;
    const lenet_plain_step_in in = {.x = x, .y = y};
    const lenet_plain_step_out out = {.loss = &loss};
    for (int epoch = 0; epoch < atoi(argv[2]); epoch++) {
        double sum = 0, start = seconds();
        lenet_order(SEED, epoch, n, order);
        for (const int64_t *at = order; at + BATCH <= order + n; at += BATCH) {
            for (long i = 0; i < BATCH; i++) {
                memcpy(x + i * PIXELS, images + at[i] * PIXELS, PIXELS);
                y[i] = labels[at[i]];
            }
            check(lenet_plain_step(state, work, &in, &out, NULL));
            sum += loss;
        }
        printf("epoch %d: loss %.4f, ", epoch + 1, sum / (double)(n / BATCH));
        printf("%.3f s\n", seconds() - start);
    }
    FILE *file = fopen(argv[3], "wb");
    if (!file || fwrite(state, lenet_state_size(), 1, file) != 1 || fclose(file))
        return perror(argv[3]), 1;
    return 0;
}
