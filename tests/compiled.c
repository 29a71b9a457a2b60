/* Programs as compiled code computes them (compiled.h). */
#include "tests/compiled.h"
#include "tests/fixture.h"
#include "tools/session.h"
#include <check.h>

static Status compile_f(Session *s) {
    Status status = session_load(s, DATA_NONE, NULL, 0);
    const Entry *entry = status ? NULL : session_want_entry(s, "f");
    s->context = (void *)entry;
    return entry ? session_compile(s) : STATUS_INPUT;
}

static size_t padded(const Array *array) {
    return (size_t)array_count(array) * sizeof(double) + 64;
}

/* Bytes of the element type from the numbers, or back. */
static void *pack(const Array *array) {
    char *bytes = arena_alloc(&arena, padded(array));
    for (int64_t i = 0; i < array_count(array); i++) {
        if (array->elem == ELEM_f32)
            ((float *)bytes)[i] = (float)array->at[i];
        else if (array->elem == ELEM_i32)
            ((int32_t *)bytes)[i] = (int32_t)array->at[i];
        else
            ck_abort_msg("an input of another type");
    }
    return bytes;
}

static void unpack(const void *bytes, const Array *to) {
    for (int64_t i = 0; i < array_count(to); i++)
        to->at[i] = to->elem == ELEM_i32 ? ((const int32_t *)bytes)[i]
                                         : (double)((const float *)bytes)[i];
}

Array *run_compiled(const char *text, int threads, Array (*input)(const Port *port)) {
    const SessionSettings settings = {
        .text = text, .length = strlen(text), .threads = threads};
    Session *s = session_open("test.tn", &settings);
    ck_assert_msg(session_guard(s, compile_f) == STATUS_OK, "%s", s->failure);
    const Entry *entry = s->context;
    const Port *port[MAX_PORTS];
    const void *in[MAX_PORTS];
    void *out[MAX_PORTS];
    const uint32_t inputs = func_inputs(entry->func, port);
    for (uint32_t i = 0; i < inputs; i++) {
        const Array array = input(port[i]);
        in[i] = pack(&array);
    }
    const uint32_t outputs = func_outputs(entry->func, port);
    Array *result = arena_array(&arena, Array, outputs);
    for (uint32_t i = 0; i < outputs; i++) {
        const Type *type = &port[i]->type;
        result[i] = array_new(&arena, type->elem, type->rank, type->dim);
        out[i] = arena_alloc(&arena, padded(&result[i]));
    }
    const Callable callable = session_entry(s, entry->func);
    ck_assert_int_eq(session_call(s, &callable, in, out, 0), STATUS_OK);
    for (uint32_t i = 0; i < outputs; i++) unpack(out[i], &result[i]);
    session_close(s);
    return result;
}
