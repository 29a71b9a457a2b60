/* Whether an array of the caller's is what a place takes. */
#include "tools/api/api.h"
#include <stdio.h>
#include <string.h>

void *api_data(const tn_array *array) {
    return (char *)array->data + array->byte_offset;
}

static int64_t bytes_of(const tn_array *array) {
    int64_t count = array->dtype.bits / 8;
    for (int32_t d = 0; d < array->ndim; d++) count *= array->shape[d];
    return count;
}

bool api_overlap(const tn_array *a, const tn_array *b) {
    uintptr_t x = (uintptr_t)api_data(a), y = (uintptr_t)api_data(b);
    return x < y + (uintptr_t)bytes_of(b) && y < x + (uintptr_t)bytes_of(a);
}

/* "f32[32, 10]"; of an element type that we lack "float16[32, 10]". */
static const char *words(const tn_array *array, char *out, size_t size) {
    static const char *const kinds[] = {"int",    "uint",    "float", "opaque",
                                        "bfloat", "complex", "bool"};
    const tn_dtype *t = &array->dtype;
    const char *known = api_dtype_name(t);
    size_t used = 0;
    if (known)
        used = (size_t)snprintf(out, size, "%s[", known);
    else if (t->code < sizeof kinds / sizeof *kinds && t->lanes != 1)
        used = (size_t)snprintf(out, size, "%s%dx%d[", kinds[t->code], t->bits, t->lanes);
    else if (t->code < sizeof kinds / sizeof *kinds)
        used = (size_t)snprintf(out, size, "%s%d[", kinds[t->code], t->bits);
    else
        used = (size_t)snprintf(out, size, "(dtype code %d)[", t->code);
    for (int32_t d = 0; d < array->ndim && used < size; d++)
        used += (size_t)snprintf(out + used, size - used, d ? ", %lld" : "%lld",
                                 (long long)array->shape[d]);
    if (used < size) snprintf(out + used, size - used, "]");
    return out;
}

static tn_status wrong(tn_context *context, const ApiPlace *place, const tn_array *array,
                       tn_status status) {
    char found[256];
    return api_fail(context, status, "'%s' is %s, %s is needed", place->name,
                    words(array, found, sizeof found), place->text);
}

/* The first extent that tells the run-time dimension decides it. */
static bool extent_is(const ApiPlace *place, Dim dim, int64_t have, int64_t *n) {
    uint32_t symbol;
    int64_t scale, offset;
    if (dim_is_const(dim)) return have == dim;
    if (!dim_linear(place->dims, dim, &symbol, &scale, &offset) || scale < 1)
        return false;
    if (have < offset || (have - offset) % scale) return false;
    if (*n == API_UNKNOWN) *n = (have - offset) / scale;
    return scale * *n + offset == have;
}

static tn_status check_range(tn_context *context, const ApiPlace *place, int64_t n) {
    for (uint32_t d = 0; d < place->type->rank; d++) {
        uint32_t symbol;
        int64_t scale, offset;
        if (dim_is_const(place->type->dim[d])) continue;
        if (!dim_linear(place->dims, place->type->dim[d], &symbol, &scale, &offset))
            continue;
        const Symbol *s = &place->dims->symbols.at[symbol];
        if (n < 1 || n > s->max)
            return api_fail(context, TN_STATUS_RANGE,
                            "'%s' has %s = %lld, out of 1 to %lld", place->name, s->name,
                            (long long)n, (long long)s->max);
    }
    return TN_STATUS_OK;
}

static tn_status check_shape(tn_context *context, const ApiPlace *place,
                             const tn_array *array, int64_t *n) {
    if (array->ndim < 0 || array->ndim > TN_MAX_RANK)
        return api_fail(context, TN_STATUS_SHAPE, "'%s' has %d dimensions, %s is needed",
                        place->name, array->ndim, place->text);
    if (array->ndim && !array->shape)
        return api_fail(context, TN_STATUS_NULL, "'%s' has no shape", place->name);
    const tn_dtype need = api_dtype(place->type->elem), *have = &array->dtype;
    if (need.code != have->code || need.bits != have->bits || need.lanes != have->lanes)
        return wrong(context, place, array, TN_STATUS_DTYPE);
    if (array->ndim != (int32_t)place->type->rank)
        return wrong(context, place, array, TN_STATUS_SHAPE);
    for (int32_t d = 0; d < array->ndim; d++)
        if (!extent_is(place, place->type->dim[d], array->shape[d], n))
            return wrong(context, place, array, TN_STATUS_SHAPE);
    return check_range(context, place, *n);
}

static tn_status check_strides(tn_context *context, const ApiPlace *place,
                               const tn_array *array) {
    int64_t dense = 1;
    for (int32_t d = array->ndim; array->strides && d-- > 0;) {
        if (array->shape[d] != 1 && array->strides[d] != dense)
            return api_fail(context, TN_STATUS_STRIDES,
                            "'%s' has stride %lld in dimension %d, dense and row-major "
                            "would be %lld",
                            place->name, (long long)array->strides[d], d,
                            (long long)dense);
        dense *= array->shape[d];
    }
    return TN_STATUS_OK;
}

tn_status api_check(tn_context *context, const ApiPlace *place, const tn_array *array,
                    int64_t *n) {
    if (!array->data)
        return api_fail(context, TN_STATUS_NULL, "'%s' has no data", place->name);
    if (array->device.type != 1)
        return api_fail(
            context, TN_STATUS_DEVICE,
            "'%s' lies on a device of type %d, the CPU's memory (1) is needed",
            place->name, array->device.type);
    tn_status status = check_shape(context, place, array, n);
    if (status == TN_STATUS_OK) status = check_strides(context, place, array);
    if (status != TN_STATUS_OK) return status;
    uint32_t bytes = elem_bytes(place->type->elem);
    if ((uintptr_t)api_data(array) % bytes == 0) return TN_STATUS_OK;
    return api_fail(context, TN_STATUS_ALIGNMENT, "'%s' lies at %p, no multiple of %u",
                    place->name, api_data(array), bytes);
}
