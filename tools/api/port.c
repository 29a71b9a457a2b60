/* Types and ports as the C API shows them. */
#include "tools/api/api.h"

typedef struct ElemRow {
    tn_elem elem;
    tn_dtype dtype;
} ElemRow;

static ElemRow elem_row(Elem elem) {
    switch (elem) {
    case ELEM_bool: return (ElemRow){TN_BOOL, {6, 8, 1}};
    case ELEM_u8: return (ElemRow){TN_U8, {1, 8, 1}};
    case ELEM_i32: return (ElemRow){TN_I32, {0, 32, 1}};
    case ELEM_f32: return (ElemRow){TN_F32, {2, 32, 1}};
    case ELEM_f64: return (ElemRow){TN_F64, {2, 64, 1}};
    case ELEM_COUNT: break;
    }
    return (ElemRow){TN_BOOL, {255, 0, 0}};
}

tn_elem api_elem(Elem elem) {
    return elem_row(elem).elem;
}

tn_dtype api_dtype(Elem elem) {
    return elem_row(elem).dtype;
}

const char *api_dtype_name(const tn_dtype *dtype) {
    for (int i = 0; i < ELEM_COUNT; i++) {
        const tn_dtype ours = api_dtype((Elem)i);
        if (ours.code == dtype->code && ours.bits == dtype->bits &&
            ours.lanes == dtype->lanes)
            return elem_name((Elem)i);
    }
    return NULL;
}

static Elem elem_of(tn_elem elem) {
    for (int i = 0; i < ELEM_COUNT; i++)
        if (elem_row((Elem)i).elem == elem) return (Elem)i;
    return ELEM_COUNT;
}

tn_array tn_array_of(tn_elem elem, void *data, int32_t ndim, int64_t *shape) {
    return (tn_array){.data = data,
                      .device = {1, 0},
                      .ndim = ndim,
                      .dtype = api_dtype(elem_of(elem)),
                      .shape = shape};
}

static tn_role role_of(Role role) {
    switch (role) {
    case ROLE_INPUT: return TN_ROLE_INPUT;
    case ROLE_PARAM: return TN_ROLE_PARAM;
    case ROLE_STATE: return TN_ROLE_STATE;
    case ROLE_OPTIM: return TN_ROLE_OPTIM;
    case ROLE_SEED: return TN_ROLE_SEED;
    case ROLE_STEP: return TN_ROLE_STEP;
    case ROLE_OUTPUT: break;
    }
    return TN_ROLE_OUTPUT;
}

/* -1 where a symbol has no maximum. */
static int64_t extent(const Dims *dims, Dim dim) {
    uint32_t symbol;
    int64_t scale, offset;
    if (dim_is_const(dim)) return dim;
    if (!dim_linear(dims, dim, &symbol, &scale, &offset)) return -1;
    return dims->symbols.at[symbol].max ? dim_max(dims, dim) : -1;
}

tn_port api_port(const Dims *dims, Arena *arena, const Port *port) {
    Text text;
    text_init(&text, arena);
    type_print(dims, &port->type, &text);
    tn_port out = {.name = port->name,
                   .role = role_of(port->role),
                   .elem = api_elem(port->type.elem),
                   .dtype = api_dtype(port->type.elem),
                   .ndim = (int32_t)port->type.rank,
                   .text = text.at};
    for (uint32_t d = 0; d < port->type.rank; d++)
        out.shape[d] = extent(dims, port->type.dim[d]);
    return out;
}

ApiPlace api_place(Session *s, const char *name, const Type *type) {
    const Dims *dims = &s->program->module->dims;
    Text text;
    text_init(&text, &s->arena);
    type_print(dims, type, &text);
    return (ApiPlace){.name = name, .text = text.at, .type = type, .dims = dims};
}
