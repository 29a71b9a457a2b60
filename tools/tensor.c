/* Arrays in memory and the number formats that files use for them. */
#include "tools/tensor.h"
#include "base/alloc.h"
#include <stdio.h>
#include <string.h>

const StoredInfo stored_info[STORED_COUNT] = {
#define STORED(name, bytes, elem, npy, safetensors, idx)                                 \
    {#name, bytes, ELEM_##elem, npy, safetensors, idx},
#include "tools/stored.def"
#undef STORED
};

Stored stored_of(Elem elem) {
    static const Stored stored[ELEM_COUNT] = {
        [ELEM_bool] = STORED_bool, [ELEM_u8] = STORED_u8,   [ELEM_i32] = STORED_i32,
        [ELEM_f32] = STORED_f32,   [ELEM_f64] = STORED_f64,
    };
    return stored[elem];
}

static uint32_t elem_size(Elem elem) {
    return stored_info[stored_of(elem)].bytes;
}

int64_t tensor_elements(uint32_t rank, const int64_t *dim) {
    int64_t count = 1;
    bool empty = false;
    for (uint32_t i = 0; i < rank; i++) {
        if (dim[i] < 0 || dim[i] > DIM_LIMIT) return -1;
        empty = empty || dim[i] == 0;
    }
    if (empty) return 0;
    for (uint32_t i = 0; i < rank; i++) {
        if (count > DIM_LIMIT / dim[i]) return -1;
        count *= dim[i];
    }
    return count;
}

int64_t tensor_count(const Tensor *tensor) {
    return tensor_elements(tensor->rank, tensor->dim);
}

int64_t tensor_bytes(const Tensor *tensor) {
    return tensor_count(tensor) * (int64_t)elem_size(tensor->elem);
}

bool tensor_new(Tensor *tensor, Elem elem, uint32_t rank, const int64_t *dim,
                char *message) {
    *tensor = (Tensor){.elem = elem, .rank = rank};
    for (uint32_t i = 0; i < rank; i++) tensor->dim[i] = dim[i];
    if (tensor_count(tensor) < 0) return fail(message, "holds too many elements");
    tensor->data = mem_alloc((size_t)tensor_bytes(tensor));
    if (tensor->data) return true;
    return fail(message, "memory ended: %lld bytes are needed",
                (long long)tensor_bytes(tensor));
}

void tensor_free(Tensor *tensor) {
    mem_free(tensor->data);
    *tensor = (Tensor){0};
}

const char *stored_text(Stored stored, uint32_t rank, const int64_t *dim, char *buffer,
                        size_t size) {
    size_t used = (size_t)snprintf(buffer, size, "%s[", stored_info[stored].name);
    for (uint32_t i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(buffer + used, size - used, i ? ", %lld" : "%lld",
                                 (long long)dim[i]);
    if (used < size) snprintf(buffer + used, size - used, "]");
    return buffer;
}

const char *shape_text(Elem elem, uint32_t rank, const int64_t *dim, char *buffer,
                       size_t size) {
    return stored_text(stored_of(elem), rank, dim, buffer, size);
}

static uint64_t load_bits(const uint8_t *in, uint32_t bytes, bool big_endian) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < bytes; i++)
        bits |= (uint64_t)in[big_endian ? bytes - 1 - i : i] << 8 * i;
    return bits;
}

static float half_value(uint32_t half) {
    uint32_t sign = half >> 15, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31) {
        uint32_t bits = sign << 31 | 255u << 23 | fraction << 13;
        float value;
        memcpy(&value, &bits, 4);
        return value;
    }
    float value = exponent ? (float)(fraction + 1024) : (float)fraction;
    for (uint32_t e = exponent ? exponent : 1; e < 25; e++) value *= 0.5f;
    for (uint32_t e = 25; e < exponent; e++) value *= 2;
    return sign ? -value : value;
}

static bool is_signed(Stored stored) {
    return stored == STORED_i8 || stored == STORED_i16 || stored == STORED_i32 ||
           stored == STORED_i64;
}

/* The sign bit of a type narrower than 64 bits; 0 where `bits` already is the value. */
static uint64_t sign_bit(Stored stored) {
    if (stored == STORED_i8) return UINT64_C(1) << 7;
    if (stored == STORED_i16) return UINT64_C(1) << 15;
    return stored == STORED_i32 ? UINT64_C(1) << 31 : 0;
}

static bool read_integers(Stored stored, bool big_endian, const uint8_t *in,
                          int64_t count, int32_t *out, char *message) {
    uint32_t bytes = stored_info[stored].bytes;
    uint64_t sign = sign_bit(stored);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = load_bits(in + i * bytes, bytes, big_endian);
        int64_t value = (int64_t)((bits ^ sign) - sign);
        bool fits = value >= INT32_MIN && value <= INT32_MAX &&
                    (is_signed(stored) || bits <= INT32_MAX);
        if (!fits)
            return fail(message, "element %lld does not fit into 32 bits", (long long)i);
        out[i] = (int32_t)value;
    }
    return true;
}

static void read_reals(Stored stored, bool big_endian, const uint8_t *in, int64_t count,
                       void *out) {
    uint32_t bytes = stored_info[stored].bytes;
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = load_bits(in + i * bytes, bytes, big_endian);
        if (stored == STORED_f64) {
            memcpy((double *)out + i, &bits, 8);
        } else if (stored == STORED_f16) {
            ((float *)out)[i] = half_value((uint32_t)bits);
        } else {
            uint32_t word = (uint32_t)bits << (stored == STORED_bf16 ? 16 : 0);
            memcpy((float *)out + i, &word, 4);
        }
    }
}

bool stored_read(Stored stored, bool big_endian, const uint8_t *in, int64_t count,
                 void *out, char *message) {
    const StoredInfo *info = &stored_info[stored];
    bool same = stored == stored_of(info->elem);
    if (info->elem == ELEM_bool) {
        for (int64_t i = 0; i < count; i++) ((uint8_t *)out)[i] = in[i] != 0;
    } else if (same && (!big_endian || info->bytes == 1)) {
        if (count) memcpy(out, in, (size_t)count * info->bytes);
    } else if (info->elem == ELEM_i32) {
        return read_integers(stored, big_endian, in, count, out, message);
    } else {
        read_reals(stored, big_endian, in, count, out);
    }
    return true;
}

static double element(const Tensor *tensor, int64_t i) {
    switch (tensor->elem) {
    case ELEM_bool:
    case ELEM_u8: return ((const uint8_t *)tensor->data)[i];
    case ELEM_i32: return ((const int32_t *)tensor->data)[i];
    case ELEM_f32: return ((const float *)tensor->data)[i];
    case ELEM_f64: return ((const double *)tensor->data)[i];
    case ELEM_COUNT: break;
    }
    return 0;
}

static bool put_element(Tensor *tensor, int64_t i, double value) {
    bool whole = value >= INT32_MIN && value <= INT32_MAX && value == (int32_t)value;
    switch (tensor->elem) {
    case ELEM_bool: ((uint8_t *)tensor->data)[i] = value != 0; return true;
    case ELEM_u8:
        if (!whole || value < 0 || value > 255) return false;
        ((uint8_t *)tensor->data)[i] = (uint8_t)value;
        return true;
    case ELEM_i32:
        if (!whole) return false;
        ((int32_t *)tensor->data)[i] = (int32_t)value;
        return true;
    case ELEM_f32: ((float *)tensor->data)[i] = (float)value; return true;
    case ELEM_f64: ((double *)tensor->data)[i] = value; return true;
    case ELEM_COUNT: break;
    }
    return false;
}

bool tensor_convert(Tensor *tensor, Elem elem, char *message) {
    if (tensor->elem == elem) return true;
    Tensor fresh;
    if (!tensor_new(&fresh, elem, tensor->rank, tensor->dim, message)) return false;
    for (int64_t i = 0, n = tensor_count(tensor); i < n; i++) {
        double value = element(tensor, i);
        if (put_element(&fresh, i, value)) continue;
        tensor_free(&fresh);
        return fail(message, "element %lld is %g, not a whole number that fits",
                    (long long)i, value);
    }
    tensor_free(tensor);
    *tensor = fresh;
    return true;
}
