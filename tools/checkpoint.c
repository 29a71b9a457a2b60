/* Checkpoints: the slots of a state block by name, in a safetensors file. */
#include "tools/checkpoint.h"
#include "base/alloc.h"
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
    size_t length = strlen(word); /* a file may call a tensor "" */
    for (const char *at = words; length && (at = strstr(at, word)); at += length)
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

static bool wants_all(const Slot *slot) {
    return slot != NULL;
}

static bool wants_weights(const Slot *slot) {
    return !is_of_training(slot->role);
}

static bool spares_none(const Archive *archive, const char *name) {
    return archive == NULL && name == NULL;
}

static bool spares_training(const Archive *archive, const char *name) {
    return has_word(archive->training, name);
}

bool checkpoint_pair(const Archive *archive, const Layout *layout, CheckpointUse use,
                     Pairing *out, char *message) {
    static const PairingRules resume = {true, wants_all, spares_none};
    const PairingRules weights = {archive->ours, wants_weights, spares_training};
    return pairing_make(archive, layout, use == CHECKPOINT_RESUME ? &resume : &weights,
                        out, message);
}

/* As many words about what disagrees as the message has room for. */
static bool complain(const Archive *archive, const Pairing *p, char *message) {
    char text[MESSAGE_BYTES - 140], words[320];
    uint32_t count = p->faults + p->extras, said = 0;
    size_t used = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < p->count + p->extras; i++) {
        bool extra = i >= p->count;
        if (!extra && p->pair[i].fault == PAIR_FITS) continue;
        if (extra)
            snprintf(words, sizeof words, "'%.100s' is not in this net",
                     p->extra[i - p->count]->name);
        else
            pair_text(&p->pair[i], words, sizeof words);
        if (used + strlen(words) + 3 > sizeof text) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                 used ? "; " : "", words);
        said++;
    }
    return fail(message, "%s of another net, %u tensor%s disagree%s: %s%s",
                archive->ours ? "is a checkpoint" : "holds the weights", count,
                count > 1 ? "s" : "", count > 1 ? "" : "s", text,
                said < count ? "; `tenon weights` lists all" : "");
}

static bool fill(const Pairing *p, void *state, char *message) {
    for (uint32_t i = 0; i < p->count; i++) {
        const Pair *pair = &p->pair[i];
        if (!pair_read(pair, (char *)state + pair->slot->offset, message)) return false;
    }
    return true;
}

static bool take(const Archive *archive, const Layout *layout, CheckpointUse use,
                 void *state, char *message) {
    Pairing pairing;
    if (!checkpoint_pair(archive, layout, use, &pairing, message)) return false;
    bool ok = !pairing.faults && !pairing.extras;
    void *fresh = ok ? mem_alloc((size_t)layout->bytes) : NULL;
    if (!ok)
        complain(archive, &pairing, message);
    else if (!fresh)
        ok = fail(message, "memory ended while a checkpoint was read");
    if (ok) {
        memcpy(fresh, state, (size_t)layout->bytes);
        ok = fill(&pairing, fresh, message);
    }
    if (ok) memcpy(state, fresh, (size_t)layout->bytes);
    mem_free(fresh);
    pairing_free(&pairing);
    return ok;
}

bool checkpoint_read(const char *path, const Layout *layout, CheckpointUse use,
                     void *state, json_t **meta, char *message) {
    Archive archive;
    if (!archive_read(path, &archive, message)) return false;
    bool ok = take(&archive, layout, use, state, message);
    if (ok && meta) *meta = archive.meta ? json_deep_copy(archive.meta) : json_object();
    archive_free(&archive);
    return ok || fail_at(message, path);
}
