/* Calls into a compiled object: everything that a caller may get wrong is checked here. */
#include "runtime/object.h"
#include <stdbool.h>
#include <string.h>

/* The first words of a state. */
typedef struct Head {
    char magic[8];
    uint64_t abi_version, layout;
} Head;

static const char magic[8] = "tenon st";
#define CANARY 0xC5

static Head head_of(const ObjectInfo *object) {
    Head head = {.abi_version = object->abi >> 32, .layout = object->layout};
    memcpy(head.magic, magic, sizeof magic);
    return head;
}

static bool is_aligned(const void *at, uint64_t bytes) {
    return ((uintptr_t)at & (bytes - 1)) == 0;
}

static int check_block(const void *block) {
    if (!block) return TN_ERROR_NULL;
    return is_aligned(block, OBJECT_ALIGN) ? TN_OK : TN_ERROR_ALIGNMENT;
}

static int check_cpu(const ObjectInfo *object) {
    uint64_t have[CPU_WORDS];
    object_cpu(have);
    for (int i = 0; i < CPU_WORDS; i++)
        if (object->cpu[i] & ~have[i]) return TN_ERROR_CPU;
    return TN_OK;
}

int64_t object_state_size(const ObjectInfo *object) {
    return object->state_bytes;
}

int64_t object_work_size(int64_t n, const ObjectInfo *object) {
    if (object->n_max && (n < 1 || n > object->n_max)) return 0;
    return object->work_bytes + (object->guarded ? OBJECT_GUARD : 0);
}

const tn_param *object_params(int64_t *count, const ObjectInfo *object) {
    if (count) *count = object->params;
    return object->param;
}

int object_check(uint64_t abi, const ObjectInfo *object) {
    return abi == object->abi ? check_cpu(object) : TN_ERROR_ABI;
}

/* First values, on zeros. */
static int run_inits(char *base, int32_t seed, const ObjectInfo *object) {
    const void *const in[] = {&seed};
    memset(base, 0, (size_t)object->state_bytes);
    for (int64_t i = 0; i < object->inits; i++) {
        int code = object->init[i].run(base + OBJECT_STATE_HEAD, base + object->scratch,
                                       (const void *)in, NULL, NULL);
        if (code != TN_OK) return code;
    }
    return TN_OK;
}

/* The embedded numbers, and zeros between them where nothing else was written. */
static void copy_weights(char *base, bool zeros, const ObjectInfo *object) {
    int64_t at = 0;
    for (int64_t i = 0; i < object->weights; i++) {
        const ObjectWeight *weight = &object->weight[i];
        if (zeros) memset(base + at, 0, (size_t)(weight->offset - at));
        memcpy(base + weight->offset, weight->data, (size_t)weight->bytes);
        at = weight->offset + weight->bytes;
    }
    if (zeros) memset(base + at, 0, (size_t)(object->state_bytes - at));
}

int object_init(void *state, uint64_t seed, const ObjectInfo *object) {
    int code = check_block(state);
    if (code == TN_OK) code = check_cpu(object);
    if (code == TN_OK && seed > INT32_MAX) code = TN_ERROR_RANGE;
    if (code == TN_OK && object->inits) code = run_inits(state, (int32_t)seed, object);
    if (code != TN_OK) return code;
    copy_weights(state, !object->inits, object);
    Head head = head_of(object);
    memcpy(state, &head, sizeof head);
    return TN_OK;
}

static int check_arrays(const void *array, int64_t count, const uint8_t *align) {
    if (count && !array) return TN_ERROR_NULL;
    const void *const *at = array;
    for (int64_t i = 0; i < count; i++) {
        if (!at[i]) return TN_ERROR_NULL;
        if (!is_aligned(at[i], align[i])) return TN_ERROR_ARRAY;
    }
    return TN_OK;
}

/* Word `index` of the in struct. */
static int64_t number(const void *in, int64_t index) {
    int64_t value;
    memcpy(&value, (const char *)in + index * (int64_t)sizeof value, sizeof value);
    return value;
}

static int check_numbers(const void *in, const ObjectEntry *entry) {
    int64_t at = entry->inputs;
    if (!in) return entry->n_max ? TN_ERROR_NULL : TN_OK;
    if (entry->n_max) {
        int64_t n = number(in, at++);
        if (n < 1 || n > entry->n_max) return TN_ERROR_RANGE;
    }
    uint64_t stated = (uint64_t)number(in, at);
    uint64_t needed =
        (uint64_t)entry->work_bytes + (entry->object->guarded ? OBJECT_GUARD : 0);
    return stated && stated < needed ? TN_ERROR_WORK : TN_OK;
}

static int check_call(const void *state, const void *work, const void *in,
                      const void *out, const ObjectEntry *entry) {
    int code = check_block(state);
    if (code == TN_OK && (entry->work_bytes || entry->object->guarded))
        code = check_block(work);
    if (code != TN_OK) return code;
    Head head = head_of(entry->object);
    if (memcmp(state, &head, sizeof head) != 0) return TN_ERROR_STATE;
    code = check_arrays(in, entry->inputs, entry->align);
    if (code == TN_OK)
        code = check_arrays(out, entry->outputs, entry->align + entry->inputs);
    return code == TN_OK ? check_numbers(in, entry) : code;
}

static bool is_untouched(const unsigned char *guard) {
    for (int i = 0; i < OBJECT_GUARD; i++)
        if (guard[i] != CANARY) return false;
    return true;
}

int object_call(void *state, void *work, const void *in, const void *out,
                const tn_parallel *parallel, const ObjectEntry *entry) {
    int code = check_call(state, work, in, out, entry);
    if (code == TN_OK && parallel && !parallel->run) code = TN_ERROR_NULL;
    if (code != TN_OK) return code;
    unsigned char *guard =
        entry->object->guarded ? (unsigned char *)work + entry->work_bytes : NULL;
    if (guard) memset(guard, CANARY, OBJECT_GUARD);
    code = entry->run((char *)state + OBJECT_STATE_HEAD, work, in, out, parallel);
    if (code == TN_OK && guard && !is_untouched(guard)) return TN_ERROR_OVERRUN;
    return code;
}
