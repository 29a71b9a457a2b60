/* Names of entries and train blocks in a session of the C API. */
#include "tools/api/api.h"
#include <string.h>

static Status refuse(ApiCall *call, tn_status failed) {
    call->failed = failed;
    return STATUS_INPUT;
}

static bool has_entry(const Program *program, const char *name) {
    for (uint32_t i = 0; i < program->entries; i++)
        if (!strcmp(program->entry[i].name, name)) return true;
    return false;
}

static const char *train_named(const Program *program, const char *name, bool whole) {
    for (uint32_t i = 0; i < program->trains; i++) {
        const char *train = program->train[i].name;
        size_t length = strlen(train);
        if (strncmp(train, name, length)) continue;
        if (whole ? !name[length] : name[length] == '_') return train;
    }
    return NULL;
}

static const Func *of_train(const TrainBlock *block, const char *name) {
    if (!strcmp(block->init->name, name)) return block->init;
    for (uint32_t i = 0; i < block->phases; i++)
        if (!strcmp(block->phase[i].step->name, name)) return block->phase[i].step;
    return strcmp(block->report->name, name) ? NULL : block->report;
}

const Func *api_func(Session *s, ApiCall *call, const char *name) {
    const char *train =
        has_entry(s->program, name) ? NULL : train_named(s->program, name, false);
    if (train) {
        const TrainBlock *block = session_train(s, train);
        if (!block) return NULL;
        const Func *func = of_train(block, name);
        if (func) return func;
    }
    if (!has_entry(s->program, name)) call->failed = TN_STATUS_ENTRY;
    const Entry *entry = session_want_entry(s, name); /* says what is near */
    return entry ? entry->func : NULL;
}

/* The symbol without a size of an input; NULL: none. */
static const char *open_symbol(const Func *func) {
    const Dims *dims = &func->module->dims;
    for (uint32_t i = 0; i < func->params.count; i++) {
        const Type *type = &func->params.at[i].type;
        for (uint32_t d = 0; d < type->rank; d++) {
            uint32_t symbol;
            int64_t scale, offset;
            if (dim_is_const(type->dim[d])) continue;
            if (!dim_linear(dims, type->dim[d], &symbol, &scale, &offset))
                return "a dimension";
            if (!dims->symbols.at[symbol].max) return dims->symbols.at[symbol].name;
        }
    }
    return NULL;
}

/* A mistake that only an open dimension makes is that of leaving it open. */
static const char *unbound(const Dims *dims) {
    for (uint32_t i = 0; i < dims->symbols.count; i++)
        if (!dims->symbols.at[i].max) return dims->symbols.at[i].name;
    return NULL;
}

Status api_want(Session *s, ApiCall *call, const char *name) {
    const Program *p = s->program;
    uint32_t before = s->wanted.count;
    if (name && !has_entry(p, name) && !train_named(p, name, true))
        call->failed = TN_STATUS_ENTRY;
    if (!p->entries && !p->trains) call->failed = TN_STATUS_ENTRY;
    if (session_want_named(s, name) != STATUS_OK) {
        const char *open = unbound(&p->module->dims);
        if (call->failed || !open) return STATUS_INPUT;
        session_fail(s, STATUS_INPUT, "the dimension `%s` is open: bind it", open);
        return refuse(call, TN_STATUS_OPEN);
    }
    for (uint32_t i = before; i < s->wanted.count; i++) {
        const char *open = open_symbol(s->wanted.at[i]);
        if (!open) continue;
        session_fail(s, STATUS_INPUT, "the dimension `%s` of '%s' is open: bind it", open,
                     s->wanted.at[i]->name);
        return refuse(call, TN_STATUS_OPEN);
    }
    return STATUS_OK;
}

/* The default is what session_want_named takes without a name. */
Func *api_init(const Program *p, const char *name) {
    if (!name) name = p->trains ? p->train[0].name : p->entry[0].name;
    for (uint32_t i = 0; i < p->trains; i++)
        if (!strcmp(p->train[i].name, name)) return p->train[i].init;
    for (uint32_t i = 0; i < p->entries; i++)
        if (!strcmp(p->entry[i].name, name)) return p->entry[i].init;
    return NULL;
}

tn_status api_names(tn_context *context, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!names || !names[i])
            return api_fail(context, TN_STATUS_NULL, "name %zu is NULL", i);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(names[i], names[k]))
                return api_fail(context, TN_STATUS_ENTRY, "'%s' is named twice",
                                names[i]);
    }
    return TN_STATUS_OK;
}
