/* The graph: modules, functions, ports, and nodes typed at birth. */
#include "ir/type_rules.h"

/* ORDER OP: the rows of scalar.def come last in ops.def, after `get`. */
#define type_scalar type_scalar_op
const OpInfo op_info[OP_COUNT] = {
#define OP(name, args, class, type, gradient, until)                                     \
    [OP_##name] = {#name, args, CLASS_##class, STAGE_##until, OP_##name > OP_get},
#include "ir/ops.def"
#undef OP
};

static TypeRule *const type_rules[OP_COUNT] = {
#define OP(name, args, class, type, gradient, until) [OP_##name] = type_##type,
#include "ir/ops.def"
#undef OP
};
#undef type_scalar

const AttrInfo attr_info[ATTR_COUNT] = {
#define ATTR(name, kind) [ATTR_##name] = {#name, ATTR_KIND_##kind},
#include "ir/attr.def"
#undef ATTR
};

bool op_parse(const char *name, Op *op) {
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(op_info[i].name, name)) continue;
        *op = (Op)i;
        return true;
    }
    return false;
}

Module *module_new(Arena *arena, Diag *diag) {
    Module *module = arena_new(arena, Module);
    module->arena = arena;
    module->diag = diag;
    dims_init(&module->dims, arena);
    return module;
}

Func *module_func(Module *module, const char *name, FuncKind kind) {
    Func *func = arena_new(module->arena, Func);
    *func = (Func){.module = module, .kind = kind};
    func->name = arena_string(module->arena, name, strlen(name));
    vec_push(module->arena, &module->funcs, func);
    return func;
}

Func *module_find(const Module *module, const char *name) {
    for (uint32_t i = 0; i < module->funcs.count; i++)
        if (!strcmp(module->funcs.at[i]->name, name)) return module->funcs.at[i];
    return NULL;
}

static const char *copy_name(Arena *arena, const char *name) {
    return name ? arena_string(arena, name, strlen(name)) : "";
}

Val func_param(Func *func, const char *name, Role role, Type type, Span span) {
    Arena *arena = func->module->arena;
    if (func->nodes.count != func->params.count)
        bug(arena, "a parameter of @%s after its nodes", func->name);
    Port port = {copy_name(arena, name), role, type, -1, span};
    Attr index = attr_int(ATTR_index, func->params.count);
    Node node = {.op = OP_param,
                 .attrs = 1,
                 .type = type,
                 .span = span,
                 .attr = arena_copy(arena, &index, sizeof index)};
    vec_push(arena, &func->params, port);
    vec_push(arena, &func->nodes, node);
    return func->nodes.count - 1;
}

void func_result(Func *func, const char *name, Role role, Val value, int32_t alias) {
    Arena *arena = func->module->arena;
    if (value >= func->nodes.count) bug(arena, "result %%%u does not exist", value);
    const Node *node = graph_node(func, value);
    Port port = {copy_name(arena, name), role, node->type, alias, node->span};
    vec_push(arena, &func->results, value);
    vec_push(arena, &func->outputs, port);
}

/* Extents are positive and the whole tensor is within DIM_LIMIT. */
static bool check_extents(const Func *func, const Node *node, const Type *type) {
    Dims *dims = func_dims(func);
    for (uint32_t i = 0; i < type->rank; i++)
        if (type->dim[i] != DIM_OVERFLOW && !dim_at_least(dims, type->dim[i], 1))
            return refuse(func, node, "dimension %u of the result %s may be zero or less",
                          i, type_words(func, type));
    if (type_count(dims, type) != DIM_OVERFLOW) return true;
    return refuse(func, node, "the result %s has too many elements",
                  type_words(func, type));
}

static bool check_operands(const Func *func, const Node *node) {
    const OpInfo *info = &op_info[node->op];
    if (info->args >= 0 && node->args != (uint32_t)info->args)
        return refuse(func, node, "%u operands, %d expected", node->args, info->args);
    for (uint32_t i = 0; i < node->args; i++) {
        if (node->arg[i] >= func->nodes.count)
            bug(func->module->arena, "%s uses %%%u, which does not exist", info->name,
                node->arg[i]);
        if (node->op != OP_get && arg_type(func, node, i)->parts)
            return refuse(func, node, "operand %u is the tuple %s", i,
                          type_words(func, arg_type(func, node, i)));
    }
    return true;
}

bool node_type(const Func *func, const Node *node, Type *out) {
    return check_operands(func, node) && type_rules[node->op](func, node, out) &&
           (out->parts || check_extents(func, node, out));
}

/* Types a node whose operands and attributes live in the module's arena, and appends it. */
static Val append(Func *func, Node *node) {
    if (!node_type(func, node, &node->type)) return NO_VAL;
    const Attr *body = node_attr(node, ATTR_body);
    if (body && func->nesting <= body->func->nesting)
        func->nesting = body->func->nesting + 1;
    vec_push(func->module->arena, &func->nodes, *node);
    return func->nodes.count - 1;
}

static void copy_list(Arena *arena, Attr *attr) {
    switch (attr_info[attr->key].kind) {
    case ATTR_KIND_INTS:
    case ATTR_KIND_DIMS:
        attr->ints = arena_copy(arena, attr->ints, sizeof *attr->ints * attr->count);
        break;
    case ATTR_KIND_REALS:
        attr->reals = arena_copy(arena, attr->reals, sizeof *attr->reals * attr->count);
        break;
    case ATTR_KIND_MAP:
        attr->map = arena_copy(arena, attr->map, sizeof *attr->map);
        break;
    case ATTR_KIND_INT:
    case ATTR_KIND_ELEM:
    case ATTR_KIND_FUNC: break;
    }
}

static const Attr *copy_attrs(Arena *arena, const Attr *from, uint32_t count) {
    Attr *to = arena_array(arena, Attr, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at && to[at - 1].key > from[i].key; at--) to[at] = to[at - 1];
        if (at && to[at - 1].key == from[i].key)
            bug(arena, "the attribute `%s` is given twice", attr_info[from[i].key].name);
        to[at] = from[i];
        copy_list(arena, &to[at]);
    }
    return to;
}

Val graph_emit(Func *func, Op op, const Val *arg, uint32_t args, const Attr *attr,
               uint32_t attrs, Span span) {
    Arena *arena = func->module->arena;
    Node node = {.op = op, .args = args, .attrs = attrs, .span = span};
    node.arg = args ? arena_copy(arena, arg, sizeof *arg * args) : NULL;
    node.attr = attrs ? copy_attrs(arena, attr, attrs) : NULL;
    return append(func, &node);
}

/* Attributes never change, so the new node shares them. */
Val graph_emit_like(Func *func, const Node *like, const Val *arg) {
    Arena *arena = func->module->arena;
    Node node = *like;
    node.arg = node.args ? arena_copy(arena, arg, sizeof *arg * node.args) : NULL;
    Val value = append(func, &node);
    if (value == NO_VAL)
        bug(arena, "%s does not take other operands", op_info[node.op].name);
    return value;
}

const Attr *node_attr(const Node *node, AttrKey key) {
    for (uint32_t i = 0; i < node->attrs; i++)
        if (node->attr[i].key == key) return &node->attr[i];
    return NULL;
}

int64_t node_int(const Node *node, AttrKey key, int64_t otherwise) {
    const Attr *attr = node_attr(node, key);
    return attr ? attr->i : otherwise;
}

Attr attr_ints(AttrKey key, const int64_t *ints, uint32_t count) {
    return (Attr){key, count, {.ints = ints}};
}

Attr attr_reals(AttrKey key, const double *reals, uint32_t count) {
    return (Attr){key, count, {.reals = reals}};
}

Attr attr_map(AttrKey key, const AffineMap *map) {
    return (Attr){key, 0, {.map = map}};
}
Attr attr_func(AttrKey key, Func *func) {
    return (Attr){key, 0, {.func = func}};
}

/* Reals are compared by bits: -0 is not 0, and a NaN is itself. */
bool attr_equal(const Attr *a, const Attr *b) {
    if (a->key != b->key || a->count != b->count) return false;
    switch (attr_info[a->key].kind) {
    case ATTR_KIND_INT:
    case ATTR_KIND_ELEM: return a->i == b->i;
    case ATTR_KIND_INTS:
    case ATTR_KIND_DIMS:
        return !a->count || !memcmp(a->ints, b->ints, sizeof *a->ints * a->count);
    case ATTR_KIND_REALS:
        return !a->count || !memcmp(a->reals, b->reals, sizeof *a->reals * a->count);
    case ATTR_KIND_MAP: return affine_equal(a->map, b->map);
    case ATTR_KIND_FUNC: return a->func == b->func;
    }
    return false;
}

/* FNV-1a. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t bytes) {
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

uint64_t attr_hash(const Attr *a) {
    uint64_t hash = hash_bytes(0xcbf29ce484222325u, &a->key, sizeof a->key);
    switch (attr_info[a->key].kind) {
    case ATTR_KIND_INT:
    case ATTR_KIND_ELEM: return hash_bytes(hash, &a->i, sizeof a->i);
    case ATTR_KIND_INTS:
    case ATTR_KIND_DIMS: return hash_bytes(hash, a->ints, sizeof *a->ints * a->count);
    case ATTR_KIND_REALS: return hash_bytes(hash, a->reals, sizeof *a->reals * a->count);
    case ATTR_KIND_MAP:
        for (uint32_t i = 0; i < a->map->rank; i++) {
            const Affine *form = &a->map->dim[i];
            hash = hash_bytes(hash, form->coefficient,
                              sizeof *form->coefficient * a->map->axes);
            hash = hash_bytes(hash, &form->offset, sizeof form->offset);
            hash = hash_bytes(hash, &form->divisor, sizeof form->divisor);
        }
        return hash;
    case ATTR_KIND_FUNC: return hash_bytes(hash, &a->func, sizeof a->func);
    }
    return hash;
}
