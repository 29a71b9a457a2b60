/* tenon weights: what a file of tensors holds, whether a model takes it, and the same tensors
 * in another form. */
#include "base/alloc.h"
#include "tools/checkpoint.h"
#include "tools/session.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef struct Listing {
    const char *path;
    Archive archive;
    bool has_model;
    const Layout *layout;
    Pairing pairing; /* with a model */
} Listing;

/* Names come from a file: what steers terminals is not printed. */
static const char *clean(const char *name, char buffer[128]) {
    size_t length = strnlen(name, 127);
    for (size_t i = 0; i < length; i++)
        buffer[i] = (unsigned char)name[i] < ' ' || name[i] == 127 ? '?' : name[i];
    buffer[length] = 0;
    return buffer;
}

static void print_row(const char *name, const char *type, const char *more) {
    char shown[128];
    printf("  %-40s %s%s\n", clean(name, shown), type, more);
}

static void print_tensors(const Archive *a) {
    char type[96];
    for (uint32_t i = 0; i < a->count; i++) {
        const SafeTensor *t = &a->tensor[i];
        print_row(t->name, stored_text(t->stored, t->rank, t->dim, type, sizeof type),
                  "");
    }
}

static void print_pairs(const Pairing *p) {
    char ours[96], theirs[96], more[256], words[320], name[128];
    for (uint32_t i = 0; i < p->count; i++) {
        const Pair *pair = &p->pair[i];
        const SafeTensor *t = pair->tensor;
        if (pair->fault != PAIR_FITS) continue;
        const Type *type = &pair->slot->type;
        shape_text(type->elem, type->rank, type->dim, ours, sizeof ours);
        stored_text(t->stored, t->rank, t->dim, theirs, sizeof theirs);
        bool same = !strcmp(t->name, pair->slot->name) && !strcmp(ours, theirs);
        snprintf(more, sizeof more, "  from %s %s", clean(t->name, name), theirs);
        print_row(pair->slot->name, ours, same ? "" : more);
    }
    for (uint32_t i = 0; i < p->count; i++)
        if (p->pair[i].fault != PAIR_FITS)
            printf("! %s\n", clean(pair_text(&p->pair[i], words, sizeof words), name));
    for (uint32_t i = 0; i < p->extras; i++) {
        const SafeTensor *t = p->extra[i];
        stored_text(t->stored, t->rank, t->dim, theirs, sizeof theirs);
        printf("! '%s' %s is not in this net\n", clean(t->name, name), theirs);
    }
}

static void print_listing(const Listing *l, const char *model) {
    const Archive *a = &l->archive;
    int64_t numbers = 0;
    for (uint32_t i = 0; i < a->count; i++)
        numbers += tensor_elements(a->tensor[i].rank, a->tensor[i].dim);
    printf("%s: %s%s, %u tensors, %lld numbers\n", l->path, a->form,
           a->ours ? " of tenon" : "", a->count, (long long)numbers);
    if (!l->has_model) {
        print_tensors(a);
        return;
    }
    const uint32_t wrong = l->pairing.faults + l->pairing.extras;
    print_pairs(&l->pairing);
    if (wrong)
        printf("does not fit %s: %u tensor%s disagree%s\n", model, wrong,
               wrong > 1 ? "s" : "", wrong > 1 ? "" : "s");
    else
        printf("fits %s\n", model);
}

static json_t *shape_json(uint32_t rank, const int64_t *dim) {
    json_t *shape = json_array();
    for (uint32_t d = 0; d < rank; d++)
        json_array_append_new(shape, json_integer(dim[d]));
    return shape;
}

static json_t *tensor_json(const SafeTensor *t) {
    return json_pack("{s:s, s:s, s:o}", "name", t->name, "dtype",
                     stored_info[t->stored].name, "shape", shape_json(t->rank, t->dim));
}

static json_t *pair_json(const Pair *pair) {
    static const char *const faults[] = {[PAIR_FITS] = "none",
                                         [PAIR_MISSING] = "missing",
                                         [PAIR_UNSURE] = "unsure",
                                         [PAIR_SHAPE] = "shape",
                                         [PAIR_TYPE] = "dtype"};
    const Type *type = &pair->slot->type;
    json_t *row =
        json_pack("{s:s, s:o, s:s}", "slot", pair->slot->name, "shape",
                  shape_json(type->rank, type->dim), "fault", faults[pair->fault]);
    if (pair->tensor) json_object_set_new(row, "tensor", json_string(pair->tensor->name));
    return row;
}

static void print_json(const Listing *l) {
    const Archive *a = &l->archive;
    json_t *all =
        json_pack("{s:s, s:s, s:b}", "file", l->path, "form", a->form, "tenon", a->ours);
    json_t *tensors = json_array();
    for (uint32_t i = 0; i < a->count; i++)
        json_array_append_new(tensors, tensor_json(&a->tensor[i]));
    json_object_set_new(all, "tensors", tensors);
    if (a->meta) json_object_set(all, "metadata", (json_t *)a->meta);
    if (l->has_model) {
        const Pairing *p = &l->pairing;
        json_t *slots = json_array(), *extras = json_array();
        for (uint32_t i = 0; i < p->count; i++)
            json_array_append_new(slots, pair_json(&p->pair[i]));
        for (uint32_t i = 0; i < p->extras; i++)
            json_array_append_new(extras, json_string(p->extra[i]->name));
        json_object_set_new(all, "slots", slots);
        json_object_set_new(all, "extra", extras);
        json_object_set_new(all, "fits", json_boolean(!p->faults && !p->extras));
    }
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

/* ---- the model ------------------------------------------------------------------------- */

/* The state of what is named; else of the first train block, else of the first entry that has
 * any. */
static Status find_layout(Session *s, const char *name, const Layout **layout) {
    const Program *p = s->program;
    if (name || p->trains) {
        Status status = session_want_named(s, name);
        if (status == STATUS_OK) *layout = layout_state(&s->arena, p->module);
        return status;
    }
    *layout = NULL;
    for (uint32_t i = 0; i < p->entries && !(*layout && (*layout)->slots); i++) {
        if (!session_want_entry(s, p->entry[i].name)) return STATUS_INPUT;
        *layout = layout_state(&s->arena, p->module);
    }
    if (*layout && (*layout)->slots) return STATUS_OK;
    return session_fail(s, STATUS_INPUT, "%s has no parameters", s->path);
}

static Status pair_up(Session *s, Listing *l) {
    char message[MESSAGE_BYTES];
    const List *arg = &s->options->arg;
    Status status = session_load(s, DATA_LIST, NULL, 0);
    if (status == STATUS_OK)
        status = find_layout(s, arg->count > 2 ? arg->at[2] : NULL, &l->layout);
    if (status != STATUS_OK) return status;
    l->has_model = true;
    if (checkpoint_pair(&l->archive, l->layout, CHECKPOINT_WEIGHTS, &l->pairing, message))
        return STATUS_OK;
    return session_fail(s, STATUS_MEMORY, "%s", message);
}

/* ---- another form ---------------------------------------------------------------------- */

/* The tensors as the model names and lays them out. */
static bool write_slots(const Listing *l, const char *path, char *message) {
    const Pairing *p = &l->pairing;
    SafeTensor *tensor = mem_alloc((p->count + 1) * sizeof *tensor);
    uint8_t *state = mem_alloc((size_t)l->layout->bytes);
    bool ok = tensor && state;
    if (!ok) fail(message, "memory ended");
    for (uint32_t i = 0; i < p->count && ok; i++) {
        const Slot *slot = p->pair[i].slot;
        ok = pair_read(&p->pair[i], state + slot->offset, message);
        tensor[i] = (SafeTensor){.name = slot->name,
                                 .stored = stored_of(slot->type.elem),
                                 .rank = slot->type.rank,
                                 .data = state + slot->offset,
                                 .bytes = (size_t)slot->bytes};
        for (uint32_t d = 0; d < slot->type.rank; d++)
            tensor[i].dim[d] = slot->type.dim[d];
    }
    ok = ok && archive_write(path, tensor, p->count, "", message);
    mem_free(tensor);
    mem_free(state);
    return ok;
}

static Status convert(Session *s, const Listing *l) {
    const Archive *a = &l->archive;
    const char *path = s->options->out, *training = a->ours ? a->training : NULL;
    char message[MESSAGE_BYTES];
    bool ok = l->has_model ? write_slots(l, path, message)
                           : archive_write(path, a->tensor, a->count, training, message);
    return ok ? STATUS_OK : session_fail(s, STATUS_INPUT, "%s", message);
}

static Status list(Session *s, Listing *l) {
    bool has_model = s->options->arg.count > 1;
    Status status = has_model ? pair_up(s, l) : STATUS_OK;
    if (status != STATUS_OK) return status;
    bool fits = !l->pairing.faults && !l->pairing.extras;
    if (s->options->json)
        print_json(l);
    else
        print_listing(l, has_model ? s->path : NULL);
    if (!fits)
        return session_fail(s, STATUS_INPUT, "%s does not fit %s", l->path, s->path);
    return s->options->out ? convert(s, l) : STATUS_OK;
}

static Status weights_body(Session *s) {
    char message[MESSAGE_BYTES];
    Listing *l = s->context;
    l->path = s->options->arg.at[0];
    if (!archive_read(l->path, &l->archive, message))
        return session_fail(s, STATUS_INPUT, "%s", message);
    return list(s, l);
}

Status verb_weights(const Options *options) {
    Listing listing = {0};
    const char *model = options->arg.count > 1 ? options->arg.at[1] : "";
    Status status = session_run(options, model, weights_body, &listing);
    pairing_free(&listing.pairing);
    archive_free(&listing.archive);
    return status;
}
