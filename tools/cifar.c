/* CIFAR-10's binary records: a label byte, then the red, green and blue planes. */
#include "tools/tensor.h"

enum { SIDE = 32, PIXELS = SIDE * SIDE, CLASSES = 10 };

bool cifar_parse(const uint8_t *bytes, size_t count, uint8_t *images, int32_t *labels,
                 char *message) {
    if (count == 0 || count % CIFAR_RECORD)
        return fail(message,
                    "is not a CIFAR-10 file, or truncated, or has trailing garbage: "
                    "%zu bytes are not a whole number of %d-byte records",
                    count, CIFAR_RECORD);
    for (size_t i = 0; i < count / CIFAR_RECORD; i++) {
        const uint8_t *record = bytes + i * CIFAR_RECORD;
        if (record[0] >= CLASSES)
            return fail(message,
                        "record %zu has the label %d, classes are 0 to %d; the "
                        "file is damaged or another data set",
                        i, record[0], CLASSES - 1);
        labels[i] = record[0];
        uint8_t *image = images + i * 3 * PIXELS;
        for (int p = 0; p < PIXELS; p++)
            for (int c = 0; c < 3; c++) image[3 * p + c] = record[1 + c * PIXELS + p];
    }
    return true;
}
