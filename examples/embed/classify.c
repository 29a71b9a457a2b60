/*
 * Says what a picture shows: a grey PNG of 28 x 28 pixels, and a network whose weights are in
 * the library.
 *
 *     tenon train ../lenet.tn --out run
 *     tenon compile ../lenet.tn -o libfashion.so --entry lenet --bind 'N<=512' \
 *         --weights run/best.safetensors
 *     cc -O2 classify.c -L. -lfashion -lpng -Wl,-rpath,. -o classify
 *     ./classify picture.png
 */
#include "fashion.h"
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, CLASSES = 10, FEATURES = 500 };

static const char *const names[CLASSES] = {"T-shirt", "trouser",   "pullover", "dress",
                                           "coat",    "sandal",    "shirt",    "sneaker",
                                           "bag",     "ankle boot"};

/* The picture's pixels, 0 to 1; 0: said why not. */
static int read_picture(const char *path, float x[SIDE * SIDE]) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    png_byte grey[SIDE * SIDE];
    if (png_image_begin_read_from_file(&image, path)) {
        image.format = PNG_FORMAT_GRAY;
        if (image.width != SIDE || image.height != SIDE)
            snprintf(image.message, sizeof image.message, "is not of 28 x 28 pixels");
        else if (png_image_finish_read(&image, NULL, grey, 0, NULL)) {
            for (int i = 0; i < SIDE * SIDE; i++) x[i] = (float)grey[i] / 255;
            return 1;
        }
    }
    fprintf(stderr, "%s: %s\n", path, image.message);
    png_image_free(&image);
    return 0;
}

int main(int argc, char **argv) {
    float x[SIDE * SIDE], features[FEATURES], logits[CLASSES];
    void *state = aligned_alloc(64, fashion_state_size());
    void *work = aligned_alloc(64, fashion_work_size(1));
    const fashion_lenet_in in = {.x = x, .n = 1};
    const fashion_lenet_out out = {.features = features, .logits = logits};
    if (!state || !work) return perror("classify"), 1;
    int code = fashion_check(FASHION_ABI);
    if (!code) code = fashion_init(state, 0);
    for (int i = 1; i < argc && !code; i++) {
        if (!read_picture(argv[i], x)) return 1;
        code = fashion_lenet(state, work, &in, &out, NULL);
        int best = 0;
        for (int k = 1; k < CLASSES; k++)
            if (logits[k] > logits[best]) best = k;
        printf("%s: %s\n", argv[i], names[best]);
    }
    if (code) fprintf(stderr, "fashion: %s\n", fashion_error(code));
    free(state);
    free(work);
    return code != TN_OK;
}
