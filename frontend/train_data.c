/* The data of a training block: what it says of them, and inputs of entries from them. */
#include "frontend/train.h"

/* ---- settings ------------------------------------------------------------------------- */

static bool data_argument(Training *t, const char *name, const Ast *value) {
    DataSpec *data = &t->block->data;
    int64_t *number = NULL;
    if (!strcmp(name, "augment")) {
        t->augment = value;
        return true;
    }
    if (!strcmp(name, "batch")) number = &data->batch;
    if (!strcmp(name, "validate")) number = &data->validate;
    if (!strcmp(name, "replay")) number = &data->replay;
    if (!strcmp(name, "examples")) number = &data->examples;
    if (!strcmp(name, "classes")) number = &data->classes;
    const Value v = elab_expression(&t->e, t->env, value);
    if (number && v.kind == VALUE_int && v.integer >= 0) {
        *number = v.integer;
        return true;
    }
    if (!strcmp(name, "shape"))
        return want_dims(&t->e, &v, value->span, data->dim, &data->rank) &&
               data->rank < MAX_RANK;
    elab_error(&t->e, value->span, "`%s` of the data is to be a whole number, found %s",
               name, elab_words(&t->e, &v));
    return false;
}

static bool has_argument(const Ast *data, const char *name) {
    for (uint32_t i = 0; i < data->call.args.count; i++) {
        const char *own = data->call.args.at[i].name;
        if (own && !strcmp(own, name)) return true;
    }
    return false;
}

/* Settings from outside for arguments that the call leaves out. */
static bool read_left_out(Training *t, const Ast *data) {
    static const char *const name[] = {"batch",   "validate", "replay", "examples",
                                       "classes", "shape",    "augment"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        const Ast *set =
            has_argument(data, name[i]) ? NULL : train_setting(t->l, name[i]);
        if (set && !data_argument(t, name[i], set)) return false;
    }
    return true;
}

static bool read_data(Training *t) {
    const Ast *data = training_field(t, "data");
    DataSpec *spec = &t->block->data;
    VEC(const char *) paths = {0};
    spec->kind = data->call.callee->text;
    spec->span = data->span;
    for (uint32_t i = 0; i < data->call.args.count; i++) {
        const AstArg *arg = &data->call.args.at[i];
        const Ast *set = arg->name ? train_setting(t->l, arg->name) : NULL;
        if (arg->name && !data_argument(t, arg->name, set ? set : arg->value))
            return false;
        if (!arg->name) vec_push(t->l->arena, &paths, arg->value->text);
    }
    if (!read_left_out(t, data)) return false;
    spec->paths = paths.count;
    spec->path = paths.at;
    if (spec->batch >= 1) return true;
    elab_error(&t->e, data->span, "the data need a batch: %s(batch = 100)", spec->kind);
    return false;
}

/* Random numbers in place of a data set: for timing. */
static void describe_synthetic(TrainBlock *block) {
    const DataSpec *spec = &block->data;
    DataInfo *info = &block->info;
    *info = (DataInfo){.train_count = spec->examples ? spec->examples : spec->batch,
                       .test_count = spec->batch,
                       .fields = 2,
                       .classes = (uint32_t)spec->classes};
    info->field[0] = (DataField){"x", ELEM_f32, spec->rank, {0}};
    for (uint32_t i = 0; i < spec->rank; i++) info->field[0].dim[i] = spec->dim[i];
    info->field[1] = (DataField){"y", ELEM_i32, 0, {0}};
}

static bool find_data(Training *t) {
    TrainBlock *block = t->block;
    const DataLookup *lookup = t->l->options ? t->l->options->lookup : NULL;
    char message[512] = "no data sets are known here";
    if (!strcmp(block->data.kind, "synthetic")) {
        describe_synthetic(block);
    } else if (!lookup ||
               !lookup->find(lookup->context, &block->data, &block->info, message)) {
        elab_error(&t->e, block->data.span, "%s", message);
        return false;
    }
    int64_t left = block->info.train_count - block->data.validate;
    if (left >= block->data.batch) return true;
    elab_error(&t->e, block->data.span, "a batch of %lld from %lld examples",
               (long long)block->data.batch, (long long)block->info.train_count);
    if (block->data.validate)
        elab_hint(&t->e, "`validate` holds %lld of them back",
                  (long long)block->data.validate);
    return false;
}

bool train_data(Training *t) {
    return read_data(t) && find_data(t);
}

/* ---- inputs --------------------------------------------------------------------------- */

/* Field i of the data as a port, one in a run. */
static Value data_port(Training *t, uint32_t i) {
    const DataField *field = &t->block->info.field[i];
    const Value known = run_input(&t->e, field->name);
    if (known.kind == VALUE_tensor) return known;
    Type type = type_scalar(field->elem);
    type.dim[type.rank++] = t->block->data.batch;
    for (uint32_t k = 0; k < field->rank; k++) type.dim[type.rank++] = field->dim[k];
    if (type_count(&t->e.module->dims, &type) == DIM_OVERFLOW) {
        elab_error(&t->e, t->block->data.span,
                   "a batch of %s has more elements than 2^46", type_text(&t->e, &type));
        return value_unknown;
    }
    if (!elab_within_memory(&t->e, &type, t->block->data.span)) return value_unknown;
    return run_port(&t->e, field->name, ROLE_INPUT, type, t->block->data.span, -1);
}

/* Bytes are pictures where a float is wanted: 0..255 become 0..1. */
static Value convert(Training *t, Value v, Elem elem) {
    Elem had = tensor_type(&v)->elem;
    if (had == elem) return v;
    v = elab_cast(&t->e, v, elem, t->block->data.span);
    if (had != ELEM_u8 || !elem_is_float(elem)) return v;
    return elab_binary(&t->e, BINARY_mul, v, value_real(1.0 / 255), t->block->data.span);
}

static Elem wanted_elem(Training *t, const Closure *f, uint32_t i, Elem otherwise) {
    const AstType *type = NULL;
    uint32_t k = 0;
    for (uint32_t p = 0; f && f->function && p < f->params; p++) {
        if (f->bound && f->bound[p].kind != VALUE_missing) continue;
        if (k++ == i) type = f->function->param[p].type;
    }
    type = unit_type(t->l->unit, type);
    if (type) return type->elem;
    return i == 0 ? ELEM_f32 : otherwise == ELEM_u8 ? ELEM_i32 : otherwise;
}

Value train_call(Training *t, const Closure *f, bool augment, Span span) {
    const DataInfo *info = &t->block->info;
    Value arg[4];
    for (uint32_t i = 0; i < info->fields; i++) {
        Value v = data_port(t, i);
        if (v.kind != VALUE_tensor) return v;
        arg[i] = convert(t, v, wanted_elem(t, f, i, info->field[i].elem));
    }
    if (augment && t->augment) {
        Value how = elab_expression(&t->e, t->env, t->augment);
        if (how.kind != VALUE_function) {
            elab_error(&t->e, t->augment->span, "`augment` is to be a function, found %s",
                       elab_words(&t->e, &how));
            return value_unknown;
        }
        arg[0] = elab_call(&t->e, how.function, arg, 1, t->augment->span);
    }
    return elab_call(&t->e, f, arg, info->fields, span);
}
