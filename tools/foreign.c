/* Pairing slots with the tensors of a file, PyTorch's foremost. */
#include "tools/foreign.h"
#include "base/alloc.h"
#include <stdio.h>
#include <string.h>

#define KEY_BYTES 256

static const struct {
    const char *theirs, *ours;
} tails[] = {
#define TAIL(theirs, ours) {theirs, ours},
#define AXES(rank, ...)
#define SPARE(words)
#include "tools/foreign.def"
#undef TAIL
#undef AXES
#undef SPARE
};

static const struct {
    uint32_t rank;
    uint8_t axis[MAX_RANK];
} weight_axes[] = {
#define TAIL(theirs, ours)
#define AXES(rank, ...) {rank, {__VA_ARGS__}},
#define SPARE(words)
#include "tools/foreign.def"
#undef TAIL
#undef AXES
#undef SPARE
};

static const char *const spares[] = {
#define TAIL(theirs, ours)
#define AXES(rank, ...)
#define SPARE(words) words,
#include "tools/foreign.def"
#undef TAIL
#undef AXES
#undef SPARE
};

#define ROWS(table) (sizeof(table) / sizeof *(table))

/* ---- names ----------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool parts_words(char c) {
    return c == '.' || c == '_' || c == '/';
}

/* `name` ends in `tail`, at the border of a word. */
static bool ends_in(const char *name, size_t length, const char *tail) {
    size_t size = strlen(tail);
    if (length < size || memcmp(name + length - size, tail, size)) return false;
    return length == size || name[length - size - 1] == '.';
}

/* The name in words parted by dots; false: too long to be anybody's. */
static bool split_words(const char *name, char key[KEY_BYTES]) {
    size_t length = 0;
    for (const char *at = name; *at; at++) {
        bool before = length && key[length - 1] != '.';
        bool border = before && is_digit(*at) != is_digit(key[length - 1]);
        if (length + 2 >= KEY_BYTES) return false;
        if (before && (parts_words(*at) || border)) key[length++] = '.';
        if (!parts_words(*at)) key[length++] = *at;
    }
    key[length] = 0;
    return true;
}

/* The words of a name in the one form that both sides are compared in. */
static bool name_key(const char *name, char key[KEY_BYTES]) {
    if (!split_words(name, key)) return false;
    size_t length = strlen(key);
    for (size_t i = 0; i < ROWS(tails); i++) {
        if (!ends_in(key, length, tails[i].theirs)) continue;
        size_t stem = length - strlen(tails[i].theirs);
        snprintf(key + stem, KEY_BYTES - stem, "%s", tails[i].ours);
        break;
    }
    return true;
}

static bool is_spare(const char *name) {
    char key[KEY_BYTES];
    if (!split_words(name, key)) return false;
    for (size_t i = 0; i < ROWS(spares); i++)
        if (ends_in(key, strlen(key), spares[i])) return true;
    return false;
}

/* Bytes of an outermost word, its dot included, that all names of the file begin with. */
static size_t shared_prefix(const Archive *archive) {
    if (!archive->count) return 0;
    const char *first = archive->tensor[0].name, *dot = strchr(first, '.');
    size_t length = dot ? (size_t)(dot - first) + 1 : 0;
    for (uint32_t i = 1; i < archive->count && length; i++)
        if (strncmp(archive->tensor[i].name, first, length)) length = 0;
    return length;
}

/* Tensors by name; `taken` marks those that a slot has. */
typedef struct Finder {
    const Archive *archive;
    bool *taken;
    size_t prefix; /* bytes of their names that are passed over */
} Finder;

static void find_exact(Finder *f, Pair *pair) {
    for (uint32_t i = 0; i < f->archive->count; i++) {
        if (strcmp(f->archive->tensor[i].name, pair->slot->name)) continue;
        pair->tensor = &f->archive->tensor[i];
        f->taken[i] = true;
    }
}

static void find_by_rule(Finder *f, Pair *pair) {
    char ours[KEY_BYTES], theirs[KEY_BYTES];
    if (pair->tensor || !name_key(pair->slot->name, ours)) return;
    for (uint32_t i = 0; i < f->archive->count; i++) {
        const SafeTensor *t = &f->archive->tensor[i];
        if (f->taken[i] || !name_key(t->name + f->prefix, theirs)) continue;
        if (strcmp(ours, theirs)) continue;
        f->taken[i] = true;
        if (pair->tensor) pair->fault = PAIR_UNSURE;
        if (!pair->tensor) pair->tensor = t;
    }
}

static uint32_t count_found(const Pairing *p) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < p->count; i++) found += p->pair[i].tensor != NULL;
    return found;
}

static void find_all(Pairing *p, Finder *f, bool exact) {
    for (uint32_t i = 0; i < p->count; i++) find_exact(f, &p->pair[i]);
    if (exact) return;
    for (uint32_t i = 0; i < p->count; i++) find_by_rule(f, &p->pair[i]);
    if (count_found(p) || !(f->prefix = shared_prefix(f->archive))) return;
    for (uint32_t i = 0; i < p->count; i++) find_by_rule(f, &p->pair[i]);
}

/* ---- axes and types -------------------------------------------------------------------- */

/* How PyTorch orders the axes of this slot's tensor; NULL: as we do. */
static const uint8_t *torch_axes(const Slot *slot) {
    char key[KEY_BYTES];
    const char *dot = strrchr(slot->name, '.');
    if (!name_key(dot ? dot + 1 : slot->name, key) || strcmp(key, "weight")) return NULL;
    for (size_t i = 0; i < ROWS(weight_axes); i++)
        if (weight_axes[i].rank == slot->type.rank) return weight_axes[i].axis;
    return NULL;
}

static bool same_dims(const Pair *pair, const uint8_t *axes) {
    const Type *type = &pair->slot->type;
    bool same = type->rank == pair->tensor->rank;
    for (uint32_t d = 0; d < type->rank && same; d++)
        same = type->dim[d] == pair->tensor->dim[axes ? axes[d] : d];
    return same;
}

/* One order for the whole file where that is enough, else for each tensor what fits: square
 * ones alone do not tell. */
static bool ours_fits_better(const Pairing *p) {
    uint32_t plain = 0, torch = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const Pair *pair = &p->pair[i];
        if (!pair->tensor) continue;
        plain += same_dims(pair, NULL);
        torch += same_dims(pair, torch_axes(pair->slot));
    }
    return plain > torch;
}

static void settle_axes(Pair *pair, bool plain) {
    const uint8_t *first = plain ? NULL : torch_axes(pair->slot);
    const uint8_t *second = plain ? torch_axes(pair->slot) : NULL;
    pair->axes = !same_dims(pair, first) && same_dims(pair, second) ? second : first;
}

static PairFault find_fault(const Pair *pair) {
    Elem have = stored_info[pair->tensor->stored].elem, want = pair->slot->type.elem;
    if (!same_dims(pair, pair->axes)) return PAIR_SHAPE;
    bool same = have == want || (elem_is_float(have) && elem_is_float(want));
    return same ? PAIR_FITS : PAIR_TYPE;
}

static void settle(Pairing *p, bool exact) {
    bool plain = exact || ours_fits_better(p);
    for (uint32_t i = 0; i < p->count; i++) {
        Pair *pair = &p->pair[i];
        if (!pair->tensor) pair->fault = PAIR_MISSING;
        if (pair->tensor && !exact) settle_axes(pair, plain);
        if (pair->tensor && pair->fault == PAIR_FITS) pair->fault = find_fault(pair);
        p->faults += pair->fault != PAIR_FITS;
    }
}

/* ---- pairings -------------------------------------------------------------------------- */

static void collect_extras(Pairing *p, const Finder *f, const PairingRules *rules) {
    for (uint32_t i = 0; i < f->archive->count; i++) {
        const SafeTensor *t = &f->archive->tensor[i];
        if (f->taken[i] || rules->spare(f->archive, t->name)) continue;
        if (rules->exact || !is_spare(t->name)) p->extra[p->extras++] = t;
    }
}

bool pairing_make(const Archive *archive, const Layout *layout, const PairingRules *rules,
                  Pairing *out, char *message) {
    Finder f = {.archive = archive, .taken = mem_alloc(archive->count + 1)};
    *out = (Pairing){.pair = mem_alloc((layout->slots + 1) * sizeof *out->pair),
                     .extra = mem_alloc((archive->count + 1) * sizeof *out->extra)};
    bool ok = f.taken && out->pair && out->extra;
    if (ok) {
        for (uint32_t i = 0; i < layout->slots; i++)
            if (rules->wants(&layout->slot[i]))
                out->pair[out->count++] = (Pair){.slot = &layout->slot[i]};
        find_all(out, &f, rules->exact);
        settle(out, rules->exact);
        collect_extras(out, &f, rules);
    } else {
        pairing_free(out);
        fail(message, "memory ended");
    }
    mem_free(f.taken);
    return ok;
}

void pairing_free(Pairing *pairing) {
    mem_free(pairing->pair);
    mem_free(pairing->extra);
    *pairing = (Pairing){0};
}

void pair_dims(const Pair *pair, int64_t dim[MAX_RANK]) {
    const Type *type = &pair->slot->type;
    for (uint32_t d = 0; d < type->rank; d++)
        dim[pair->axes ? pair->axes[d] : d] = type->dim[d];
}

const char *pair_text(const Pair *pair, char *buffer, size_t size) {
    const Slot *slot = pair->slot;
    const SafeTensor *t = pair->tensor;
    char have[96], want[96];
    int64_t dim[MAX_RANK];
    pair_dims(pair, dim);
    shape_text(slot->type.elem, slot->type.rank, dim, want, sizeof want);
    if (t) stored_text(t->stored, t->rank, t->dim, have, sizeof have);
    switch (pair->fault) {
    case PAIR_FITS:
    case PAIR_SHAPE:
    case PAIR_TYPE:
        snprintf(buffer, size, "'%.100s' is %s, %s is needed", t->name, have, want);
        break;
    case PAIR_MISSING:
        snprintf(buffer, size, "'%.100s' is missing, %s is needed", slot->name, want);
        break;
    case PAIR_UNSURE:
        snprintf(buffer, size, "several tensors could be '%.100s', '%.100s' is one",
                 slot->name, t->name);
        break;
    }
    return buffer;
}

/* ---- numbers --------------------------------------------------------------------------- */

/* `in` has the tensor's axes, `out` the slot's. */
static void permute(const Pair *pair, size_t bytes, const char *in, char *out) {
    const Type *type = &pair->slot->type;
    size_t stride[MAX_RANK], theirs[MAX_RANK], step = bytes;
    int64_t index[MAX_RANK] = {0};
    for (uint32_t d = type->rank; d-- > 0;) {
        theirs[d] = step;
        step *= (size_t)pair->tensor->dim[d];
    }
    for (uint32_t d = 0; d < type->rank; d++) stride[d] = theirs[pair->axes[d]];
    for (int64_t i = 0, n = tensor_elements(type->rank, type->dim); i < n; i++) {
        size_t from = 0;
        for (uint32_t d = 0; d < type->rank; d++) from += (size_t)index[d] * stride[d];
        memcpy(out + (size_t)i * bytes, in + from, bytes);
        for (uint32_t d = type->rank; d-- > 0;) {
            if (++index[d] < type->dim[d]) break;
            index[d] = 0;
        }
    }
}

bool pair_read(const Pair *pair, void *out, char *message) {
    const SafeTensor *t = pair->tensor;
    const Elem have = stored_info[t->stored].elem, want = pair->slot->type.elem;
    int64_t count = tensor_elements(t->rank, t->dim);
    if (!pair->axes && have == want) {
        bool ok = stored_read(t->stored, false, t->data, count, out, message);
        return ok || fail_at(message, t->name);
    }
    Tensor plain;
    if (!tensor_new(&plain, have, t->rank, t->dim, message)) return false;
    bool ok = stored_read(t->stored, false, t->data, count, plain.data, message) &&
              tensor_convert(&plain, want, message);
    const size_t bytes = stored_info[stored_of(want)].bytes;
    if (ok && pair->axes) permute(pair, bytes, plain.data, out);
    if (ok && !pair->axes) memcpy(out, plain.data, (size_t)tensor_bytes(&plain));
    tensor_free(&plain);
    return ok || fail_at(message, t->name);
}
