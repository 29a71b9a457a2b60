/* The header of an object: text that a C programmer needs and no more. */
#include "codegen/header.h"
#include "codegen/embedded.h"
#include "codegen/llvm/key.h"
#include "runtime/object.h"
#include <ctype.h>
#include <stdio.h>

/* ---- names ---------------------------------------------------------------------------- */

static const char *upper(Arena *arena, const char *name) {
    char *copy = arena_print(arena, "%s", name);
    for (char *c = copy; *c; c++) *c = (char)toupper((unsigned char)*c);
    return copy;
}

/* ---- facts ---------------------------------------------------------------------------- */

static PortList ports_of(Arena *arena, const Port *port, uint32_t count, Role role) {
    PortList list = {0, arena_array(arena, const Port *, count + 1)};
    for (uint32_t i = 0; i < count; i++)
        if (port[i].role == role) list.at[list.count++] = &port[i];
    return list;
}

PortList entry_inputs(Arena *arena, const Plan *plan) {
    const Func *f = plan->entry;
    return ports_of(arena, f->params.at, f->params.count, ROLE_INPUT);
}

PortList entry_outputs(Arena *arena, const Plan *plan) {
    const Func *f = plan->entry;
    return ports_of(arena, f->outputs.at, f->outputs.count, ROLE_OUTPUT);
}

int64_t entry_work(const ObjectSpec *spec, const Plan *plan) {
    return plan->work_bytes + (spec->guarded ? OBJECT_GUARD : 0);
}

int64_t object_work(const ObjectSpec *spec) {
    int64_t most = OBJECT_ALIGN; /* a size of 0 says that n is wrong */
    for (uint32_t i = 0; i < spec->entries; i++)
        if (spec->entry[i]->work_bytes > most) most = spec->entry[i]->work_bytes;
    return most;
}

int64_t object_n_max(const ObjectSpec *spec) {
    int64_t most = 0;
    for (uint32_t i = 0; i < spec->entries; i++)
        if (spec->entry[i]->has_n && spec->entry[i]->n_max > most)
            most = spec->entry[i]->n_max;
    return most;
}

static bool changes_state(const Func *f) {
    for (uint32_t i = 0; i < f->outputs.count; i++)
        if (f->outputs.at[i].role != ROLE_OUTPUT) return true;
    return false;
}

static const char *const c_types[ELEM_COUNT] = {
    [ELEM_bool] = "uint8_t", [ELEM_u8] = "uint8_t", [ELEM_i32] = "int32_t",
    [ELEM_f32] = "float",    [ELEM_f64] = "double",
};

/* ---- one entry ------------------------------------------------------------------------ */

typedef struct Writer {
    Arena *arena;
    const ObjectSpec *spec;
    Text out;
    const char *name, *macro; /* of the object: "lenet", "LENET" */
} Writer;

/* Names in C of the ports, then of what stands behind them in the struct. */
static const char **field_names(const Writer *w, const PortList *list) {
    static const char *const behind[] = {"n", "work_bytes"};
    const char **name = arena_array(w->arena, const char *, list->count + 2);
    memcpy(name, behind, sizeof behind);
    for (uint32_t i = 0; i < list->count; i++)
        name[2 + i] = c_field(w->arena, list->at[i]->name, name, 2 + i);
    return name + 2;
}

static void put_fields(Writer *w, const Plan *plan, const PortList *list,
                       const char *is_const) {
    const char *const *name = field_names(w, list);
    for (uint32_t i = 0; i < list->count; i++) {
        const Type *type = &list->at[i]->type;
        text_printf(&w->out, "    %s%s *%s; /* ", is_const, c_types[type->elem], name[i]);
        type_print(&plan->entry->module->dims, type, &w->out);
        if (type->elem == ELEM_bool) text_puts(&w->out, ", each 0 or 1");
        text_puts(&w->out, " */\n");
    }
}

/* What the program calls the run-time dimension; it may be in no input's shape. */
static const char *n_name(const Plan *plan, const PortList *in) {
    const Dims *dims = &plan->entry->module->dims;
    uint32_t symbol;
    int64_t scale, offset;
    for (uint32_t i = 0; i < in->count; i++)
        for (uint32_t d = 0; d < in->at[i]->type.rank; d++) {
            Dim dim = in->at[i]->type.dim[d];
            if (!dim_is_const(dim) && dim_linear(dims, dim, &symbol, &scale, &offset))
                return dims->symbols.at[symbol].name;
        }
    return "the run-time dimension";
}

static void put_structs(Writer *w, const Plan *plan, const char *entry) {
    PortList in = entry_inputs(w->arena, plan), out = entry_outputs(w->arena, plan);
    text_puts(&w->out, "typedef struct {\n");
    put_fields(w, plan, &in, "const ");
    if (plan->has_n)
        text_printf(&w->out, "    int64_t n; /* %s: 1 to %lld */\n", n_name(plan, &in),
                    (long long)plan->n_max);
    text_printf(&w->out,
                "    size_t work_bytes; /* that `work` has; 0: not checked */\n"
                "} %s_%s_in;\n",
                w->name, entry);
    if (!out.count) return;
    text_puts(&w->out, "typedef struct {\n");
    put_fields(w, plan, &out, "");
    text_printf(&w->out, "} %s_%s_out;\n", w->name, entry);
}

static void put_entry(Writer *w, uint32_t number) {
    const Plan *plan = w->spec->entry[number];
    const char *entry = c_spelling(w->arena, plan->name);
    const char *words = w->spec->words ? w->spec->words[number] : NULL;
    text_printf(&w->out, "\n/* %s%s%s.\n * It %s */\n", plan->name, words ? ": " : "",
                words ? words : "",
                changes_state(plan->entry)
                    ? "changes the state."
                    : "leaves the state as it is, so that threads may share it.");
    put_structs(w, plan, entry);
    text_printf(&w->out, "#define %s_%s_WORK %lld /* bytes of work memory */\n", w->macro,
                upper(w->arena, entry), (long long)entry_work(w->spec, plan));
    text_printf(&w->out, "int %s_%s(void *state, void *work, const %s_%s_in *in,\n",
                w->name, entry, w->name, entry);
    int indent = (int)(strlen(w->name) + strlen(entry)) + 6;
    text_printf(&w->out, "%*s", indent, "");
    if (entry_outputs(w->arena, plan).count)
        text_printf(&w->out, "const %s_%s_out *out,", w->name, entry);
    else
        text_puts(&w->out, "const void *out, /* NULL */");
    text_puts(&w->out, "\n");
    text_printf(&w->out, "%*sconst tn_parallel *parallel);\n", indent, "");
}

/* ---- the whole ------------------------------------------------------------------------ */

static void put_list(Writer *w, const PortList *list) {
    const char *const *name = field_names(w, list);
    for (uint32_t i = 0; i < list->count; i++)
        text_printf(&w->out, "%s.%s = %s%s", i ? ", " : "", name[i],
                    list->at[i]->type.rank ? "" : "&", name[i]);
}

/* A program that calls the first entry. */
static void put_example(Writer *w) {
    const char *name = w->name;
    const Plan *plan = w->spec->entry[0];
    const char *entry = c_spelling(w->arena, plan->name);
    PortList in = entry_inputs(w->arena, plan), out = entry_outputs(w->arena, plan);
    text_printf(&w->out,
                " *     void *state = aligned_alloc(64, %s_state_size());\n"
                " *     void *work = aligned_alloc(64, %s_work_size(1));\n"
                " *     int code = %s_check(%s_ABI);\n"
                " *     if (!code) code = %s_init(state, 1);\n"
                " *     %s_%s_in in = {",
                name, name, name, w->macro, name, name, entry);
    put_list(w, &in);
    if (plan->has_n) text_printf(&w->out, "%s.n = 1", in.count ? ", " : "");
    text_puts(&w->out, in.count || plan->has_n ? "};\n" : "0};\n");
    if (out.count) text_printf(&w->out, " *     %s_%s_out out = {", name, entry);
    put_list(w, &out);
    if (out.count) text_puts(&w->out, "};\n");
    text_printf(&w->out,
                " *     if (!code) code = %s_%s(state, work, &in, %s, NULL);\n"
                " *     if (code) fprintf(stderr, \"%%s\\n\", %s_error(code));\n",
                name, entry, out.count ? "&out" : "NULL", name);
}

static void put_top(Writer *w) {
    text_printf(
        &w->out,
        "/*\n"
        " * %s.h: %s, compiled by tenon " TENON_VERSION " for %s.\n"
        " * Needs nothing but libc.\n"
        " *\n"
        " * Arrays are dense and row-major, the last index fastest; pictures are\n"
        " * [n, height, width, channels], as floats 0 to 1, as bytes 0 to 255 for\n"
        " * the same.  State and work lie at multiples of 64 bytes.  Nothing here\n"
        " * allocates, locks or does I/O: calls on different state and work may run\n"
        " * at once.\n"
        " *\n",
        w->name, w->spec->source, w->spec->target->cpu);
    put_example(w);
    text_puts(&w->out, " */\n");
}

/* What every object has. */
static void put_common(Writer *w) {
    const char *name = w->name;
    const char *n = object_n_max(w->spec)
                        ? " and up to n\n * rows; 0 where n is beyond the maximum."
                        : ", whatever n is.";
    text_printf(&w->out,
                "/* Bytes of a state; of work memory that does for every entry%s */\n"
                "size_t %s_state_size(void);\n"
                "size_t %s_work_size(int64_t n);\n\n",
                n, name, name);
    text_printf(
        &w->out,
        "/* Whether this header belongs to the object, and this processor can run "
        "it. */\n"
        "int %s_check(uint64_t abi);\n\n",
        name);
    text_printf(&w->out,
                "/* Makes a state%s; seed: 0 to 2^31 - 1. */\n"
                "int %s_init(void *state, uint64_t seed);\n\n",
                w->spec->weights ? " with the embedded weights" : "", name);
    text_printf(&w->out,
                "/* The arrays of a state, to import and export them. */\n"
                "const tn_param *%s_params(int64_t *count);\n\n"
                "/* Words for a code. */\n"
                "const char *%s_error(int code);\n",
                name, name);
    if (w->spec->order)
        text_printf(&w->out,
                    "\n/* The order in which epoch 0, 1, ... of a training run with this "
                    "seed takes n\n * examples. */\n"
                    "void %s_order(uint64_t seed, int64_t epoch, int64_t n, int64_t "
                    "*order);\n",
                    name);
}

static const char *whole_text(Arena *arena, const ObjectSpec *spec, uint64_t abi) {
    Writer w = {.arena = arena, .spec = spec, .name = spec->name};
    text_init(&w.out, arena);
    w.macro = upper(arena, spec->name);
    put_top(&w);
    text_printf(&w.out, "#ifndef %s_TENON_H\n#define %s_TENON_H\n\n", w.macro, w.macro);
    text_puts(&w.out, embedded_header);
    text_printf(&w.out,
                "#if TN_ABI_VERSION != %d\n"
                "#error \"headers of different releases of tenon\"\n"
                "#endif\n\n"
                "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
                TN_ABI_VERSION);
    text_printf(&w.out, "#define %s_ABI UINT64_C(0x%016llx)\n\n", w.macro,
                (unsigned long long)abi);
    put_common(&w);
    for (uint32_t i = 0; i < spec->entries; i++) put_entry(&w, i);
    text_puts(&w.out, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
    return w.out.at;
}

/* ---- names that meet ------------------------------------------------------------------ */

static const char *const common[] = {"state_size", "work_size", "check", "init",
                                     "params",     "error",     "order", "abi"};
#define COMMON (sizeof common / sizeof *common)

static bool same_letters(const char *a, const char *b) {
    for (; *a && *b; a++, b++)
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
    return *a == *b;
}

/* An entry owns NAME, NAME_in, NAME_out and, in capitals, NAME_WORK. */
static const char *clash(Arena *arena, const ObjectSpec *spec, uint32_t number) {
    static const char *const ends[] = {"", "_in", "_out", "_work"};
    const char *name = c_spelling(arena, spec->entry[number]->name);
    for (size_t i = 0; i < COMMON; i++)
        if (same_letters(common[i], name)) return common[i];
    for (uint32_t other = 0; other < spec->entries; other++) {
        const char *stem = c_spelling(arena, spec->entry[other]->name);
        for (int i = other < number ? 0 : 1; i < 4 && other != number; i++)
            if (same_letters(arena_print(arena, "%s%s", stem, ends[i]), name))
                return spec->entry[other]->name;
    }
    return NULL;
}

static bool check_names(Arena *arena, const ObjectSpec *spec, char *message) {
    const char *fault = c_prefix_fault(spec->name);
    if (fault) {
        snprintf(message, 512, "'%.100s' %s", spec->name, fault);
        return false;
    }
    for (uint32_t i = 0; i < spec->entries; i++) {
        const char *other = clash(arena, spec, i);
        if (!other) continue;
        snprintf(message, 512, "the entry '%.100s' and '%.100s' would have one name in C",
                 spec->entry[i]->name, other);
        return false;
    }
    return true;
}

/* The number of the ABI stands for all that is declared; the words on top may differ. */
const char *header_text(Arena *arena, const ObjectSpec *spec, uint64_t *abi,
                        char *message) {
    if (!check_names(arena, spec, message)) return NULL;
    const char *text = strstr(whole_text(arena, spec, 0), "#ifndef");
    uint64_t hash[2];
    hash_bytes(text, strlen(text), 0, hash);
    *abi = (uint64_t)TN_ABI_VERSION << 32 | (uint32_t)hash[0];
    return whole_text(arena, spec, *abi);
}
