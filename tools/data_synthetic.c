/* synthetic(batch = 128, shape = [28, 28, 1], classes = 10): numbers without meaning, the same
 * in every run; for timing and for trying a program out. */
#include "tools/data.h"
#include <string.h>

/* Steele, Lea and Flood's SplitMix64: number `i` of stream `stream`. */
static uint64_t mixed(uint64_t stream, uint64_t i) {
    uint64_t z = (stream << 40) + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool fill_part(const DataSpec *spec, int64_t rows, uint64_t stream, Tensor *x,
                      Tensor *y, char *message) {
    int64_t dim[MAX_RANK] = {rows};
    for (uint32_t i = 0; i < spec->rank; i++) dim[i + 1] = spec->dim[i];
    if (!tensor_new(x, ELEM_f32, spec->rank + 1, dim, message) ||
        !tensor_new(y, ELEM_i32, 1, dim, message))
        return false;
    float *number = x->data;
    int32_t *label = y->data;
    uint64_t classes = spec->classes > 0 ? (uint64_t)spec->classes : 1;
    int64_t count = tensor_bytes(x) / (int64_t)sizeof *number;
    for (int64_t i = 0; i < count; i++)
        number[i] = (float)(mixed(stream, (uint64_t)i) >> 40) * 0x1p-24f;
    for (int64_t i = 0; i < rows; i++)
        label[i] = (int32_t)(mixed(stream + 1, (uint64_t)i) % classes);
    return true;
}

bool data_synthetic(const DataSpec *spec, DataSet *out, char *message) {
    int64_t rows = spec->examples > 0 ? spec->examples : spec->batch;
    return fill_part(spec, rows, 0, &out->train[0], &out->train[1], message) &&
           fill_part(spec, spec->batch, 2, &out->test[0], &out->test[1], message) &&
           data_finish(out, 2, (uint32_t)spec->classes, message);
}
