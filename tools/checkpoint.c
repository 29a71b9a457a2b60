/* Checkpoints: the slots of a state block by name, in a safetensors file. */
#include "tools/checkpoint.h"
#include "base/alloc.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Slots that a file of weights need not have. */
static bool is_of_training(Role role) {
    return role == ROLE_OPTIM || role == ROLE_SEED || role == ROLE_STEP;
}

/* "momentum.conv1.weight step ...": lets a reader of weights know what to pass over. */
static json_t *training_names(const Layout *layout) {
    size_t room = 1, used = 0;
    for (uint32_t i = 0; i < layout->slots; i++) room += strlen(layout->slot[i].name) + 1;
    char *names = mem_alloc(room);
    if (!names) return NULL;
    for (uint32_t i = 0; i < layout->slots; i++)
        if (is_of_training(layout->slot[i].role))
            used += (size_t)snprintf(names + used, room - used, used ? " %s" : "%s",
                                     layout->slot[i].name);
    json_t *text = json_string(names);
    mem_free(names);
    return text;
}

static bool has_word(const char *words, const char *word) {
    size_t length = strlen(word);
    for (const char *at = words; at && (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (!at[length] || at[length] == ' '))
            return true;
    return false;
}

bool checkpoint_write(const char *path, const Layout *layout, const void *state,
                      const json_t *meta, char *message) {
    SafeTensor *tensor = mem_alloc(layout->slots * sizeof *tensor);
    json_t *all = meta ? json_copy((json_t *)meta) : json_object();
    json_t *names = training_names(layout);
    bool ok = tensor && all && names;
    if (!ok) fail(message, "memory ended while a checkpoint was written");
    json_object_set_new(all, "training", names);
    json_object_set_new(all, "format", json_string("tenon"));
    for (uint32_t i = 0; i < layout->slots && ok; i++) {
        const Slot *slot = &layout->slot[i];
        SafeTensor *t = &tensor[i];
        *t = (SafeTensor){.name = slot->name,
                          .stored = stored_of(slot->type.elem),
                          .rank = slot->type.rank,
                          .data = (const uint8_t *)state + slot->offset};
        for (uint32_t d = 0; d < t->rank; d++) t->dim[d] = slot->type.dim[d];
        t->bytes =
            (size_t)tensor_elements(t->rank, t->dim) * stored_info[t->stored].bytes;
    }
    ok = ok && safetensors_write(path, tensor, layout->slots, all, message);
    json_decref(all);
    mem_free(tensor);
    return ok;
}

/* Words about all that disagrees, cut where the message is full. */
typedef struct Complaint {
    char text[MESSAGE_BYTES];
    size_t used;
    uint32_t count;
} Complaint;

static void complain(Complaint *c, const char *format, ...) {
    va_list list;
    c->count++;
    if (c->used > 380) return;
    if (c->used) c->used += (size_t)snprintf(c->text + c->used, 4, "; ");
    va_start(list, format);
    size_t room = sizeof c->text - c->used;
    size_t length = (size_t)vsnprintf(c->text + c->used, room, format, list);
    va_end(list);
    c->used += length < room ? length : room - 1;
}

static bool same_shape(const Slot *slot, const SafeTensor *t) {
    bool same =
        stored_info[t->stored].elem == slot->type.elem && t->rank == slot->type.rank;
    for (uint32_t d = 0; d < t->rank && same; d++) same = t->dim[d] == slot->type.dim[d];
    return same;
}

static bool is_asked(const Slot *slot, CheckpointUse use) {
    return use == CHECKPOINT_RESUME || !is_of_training(slot->role);
}

static const Slot *slot_find(const Layout *layout, const char *name) {
    for (uint32_t i = 0; i < layout->slots; i++)
        if (!strcmp(layout->slot[i].name, name)) return &layout->slot[i];
    return NULL;
}

static void compare(const Layout *layout, const SafeTensors *file, CheckpointUse use,
                    Complaint *c) {
    const char *training = safetensors_meta(file, "training");
    for (uint32_t i = 0; i < layout->slots; i++) {
        const Slot *slot = &layout->slot[i];
        const SafeTensor *t = safetensors_find(file, slot->name);
        char a[96], b[96];
        if (!is_asked(slot, use)) continue;
        if (!t)
            complain(c, "'%s' is missing", slot->name);
        else if (!same_shape(slot, t))
            complain(
                c, "'%s' is %s, %s is needed", slot->name,
                shape_text(stored_info[t->stored].elem, t->rank, t->dim, a, sizeof a),
                shape_text(slot->type.elem, slot->type.rank, slot->type.dim, b,
                           sizeof b));
    }
    for (uint32_t i = 0; i < file->count; i++) {
        const char *name = file->tensor[i].name;
        if (slot_find(layout, name)) continue;
        if (use == CHECKPOINT_WEIGHTS && has_word(training, name)) continue;
        complain(c, "'%s' is not in this net", name);
    }
}

static bool fill(const Layout *layout, const SafeTensors *file, CheckpointUse use,
                 void *state, char *message) {
    for (uint32_t i = 0; i < layout->slots; i++) {
        const Slot *slot = &layout->slot[i];
        const SafeTensor *t = safetensors_find(file, slot->name);
        if (!t || !is_asked(slot, use)) continue;
        if (!stored_read(t->stored, false, t->data, tensor_elements(t->rank, t->dim),
                         (char *)state + slot->offset, message))
            return fail_at(message, slot->name);
    }
    return true;
}

static bool take(const SafeTensors *file, const Layout *layout, CheckpointUse use,
                 void *state, char *message) {
    Complaint c = {.used = 0};
    compare(layout, file, use, &c);
    if (c.count)
        return fail(message, "is a checkpoint of another net, %u tensor%s disagree%s: %s",
                    c.count, c.count > 1 ? "s" : "", c.count > 1 ? "" : "s", c.text);
    void *fresh = mem_alloc((size_t)layout->bytes);
    if (!fresh) return fail(message, "memory ended while a checkpoint was read");
    memcpy(fresh, state, (size_t)layout->bytes);
    bool ok = fill(layout, file, use, fresh, message);
    if (ok) memcpy(state, fresh, (size_t)layout->bytes);
    mem_free(fresh);
    return ok;
}

bool checkpoint_read(const char *path, const Layout *layout, CheckpointUse use,
                     void *state, json_t **meta, char *message) {
    Bytes bytes;
    SafeTensors file;
    if (!file_read(path, &bytes, message)) return false;
    bool ok = safetensors_parse(bytes.at, bytes.count, &file, message);
    if (ok) {
        ok = take(&file, layout, use, state, message);
        if (ok && meta) {
            json_t *all = json_object_get(file.header, "__metadata__");
            *meta = all ? json_deep_copy(all) : json_object();
        }
        safetensors_free(&file);
    }
    bytes_free(&bytes);
    return ok || fail_at(message, path);
}
