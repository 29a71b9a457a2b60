/* tenon run: an entry on arrays from files or the command line. */
#include "base/alloc.h"
#include "tools/archive.h"
#include "tools/picture.h"
#include "tools/session.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef struct Run {
    Session *session;
    const Entry *entry;
    uint32_t inputs, outputs;
    const Port *in_port[MAX_PORTS], *out_port[MAX_PORTS];
    Tensor in[MAX_PORTS], out[MAX_PORTS];
} Run;

static void run_free(Run *run) {
    for (uint32_t i = 0; i < MAX_PORTS; i++) {
        tensor_free(&run->in[i]);
        tensor_free(&run->out[i]);
    }
}

static const char *type_text(Session *s, const Type *type) {
    Text text;
    text_init(&text, &s->arena);
    type_print(&s->program->module->dims, type, &text);
    return text.at;
}

static Status wrong_shape(Run *run, uint32_t i) {
    char shape[128];
    const Tensor *t = &run->in[i];
    const char *path = run->session->options->in.at[i];
    return session_fail(run->session, STATUS_INPUT, "%s is %s, '%s' needs %s for '%s'%s",
                        path, shape_text(t->elem, t->rank, t->dim, shape, sizeof shape),
                        run->entry->name, type_text(run->session, &run->in_port[i]->type),
                        run->in_port[i]->name,
                        pictures_are(path) ? "; --fit cuts and scales pictures" : "");
}

/* Pictures are numbers in [0, 1], as they are in training. */
static Status read_pictures(Run *run, uint32_t i) {
    char message[MESSAGE_BYTES];
    Session *s = run->session;
    const Type *type = &run->in_port[i]->type;
    const Dim *dim = type->dim + (type->rank < 3 ? 0 : type->rank - 3);
    const bool fixed =
        dim_is_const(dim[0]) && dim_is_const(dim[1]) && dim_is_const(dim[2]);
    if (type->rank != 3 && type->rank != 4)
        return session_fail(s, STATUS_INPUT, "'%s' takes %s for '%s', no pictures",
                            run->entry->name, type_text(s, type), run->in_port[i]->name);
    if (s->options->fit && !fixed)
        return session_fail(s, STATUS_INPUT,
                            "--fit: '%s' leaves the size of its pictures open; --bind "
                            "gives it",
                            run->entry->name);
    if (pictures_as_input(s->options->in.at[i], s->options->fit ? dim : NULL, type->rank,
                          type->elem, &run->in[i], message))
        return run->in[i].rank == type->rank ? STATUS_OK : wrong_shape(run, i);
    return session_fail(s, STATUS_INPUT, "%s", message);
}

/* Numbers that fit are taken in any type, except that bytes never become reals unseen:
 * whether 255 means 1 is the caller's to say. */
static Status read_input(Run *run, uint32_t i) {
    char message[MESSAGE_BYTES];
    Session *s = run->session;
    Tensor *t = &run->in[i];
    const Type *type = &run->in_port[i]->type;
    if (pictures_are(s->options->in.at[i])) return read_pictures(run, i);
    if (!input_read(s->options->in.at[i], run->in_port[i]->name, t, message))
        return session_fail(s, STATUS_INPUT, "%s", message);
    if (!t->rank && type->rank == 1) t->dim[t->rank++] = 1; /* a row of one number */
    if (t->rank != type->rank) return wrong_shape(run, i);
    if (t->elem == ELEM_u8 && elem_is_float(type->elem)) return wrong_shape(run, i);
    if (tensor_convert(t, type->elem, message)) return STATUS_OK;
    return session_fail(s, STATUS_INPUT, "%s: %s", s->options->in.at[i], message);
}

/* Open dimensions take the inputs' extents.  false: an extent that cannot be. */
static bool bind_open(Run *run, Binding *binding, uint32_t *count) {
    const Dims *dims = &run->session->program->module->dims;
    for (uint32_t i = 0; i < run->inputs; i++)
        for (uint32_t d = 0; d < run->in[i].rank; d++) {
            uint32_t symbol;
            int64_t scale, offset, have = run->in[i].dim[d];
            Dim dim = run->in_port[i]->type.dim[d];
            if (dim_is_const(dim) || !dim_linear(dims, dim, &symbol, &scale, &offset))
                continue;
            if (scale < 1 || (have - offset) % scale || (have - offset) / scale < 1)
                return false;
            const char *name = dims->symbols.at[symbol].name;
            bool known = false;
            for (uint32_t b = 0; b < *count; b++)
                known = known || !strcmp(binding[b].name, name);
            if (!known && *count < MAX_LIST)
                binding[(*count)++] = (Binding){name, (have - offset) / scale, false};
        }
    return true;
}

static bool shapes_agree(const Run *run, uint32_t i) {
    for (uint32_t d = 0; d < run->in[i].rank; d++)
        if (run->in[i].dim[d] != run->in_port[i]->type.dim[d]) return false;
    return true;
}

static Status find_entry(Run *run) {
    Session *s = run->session;
    const char *name = s->options->arg.at[1];
    run->entry = session_want_entry(s, name);
    if (!run->entry) return STATUS_INPUT;
    run->inputs = func_inputs(run->entry->func, run->in_port);
    run->outputs = func_outputs(run->entry->func, run->out_port);
    if (s->options->in.count == run->inputs) return STATUS_OK;
    Text names;
    text_init(&names, &s->arena);
    for (uint32_t i = 0; i < run->inputs; i++)
        text_printf(&names, "%s%s: %s", i ? ", " : "", run->in_port[i]->name,
                    type_text(s, &run->in_port[i]->type));
    return session_fail(s, STATUS_USAGE,
                        "'%s' takes %u inputs (%s), %u are given by --in", name,
                        run->inputs, names.length ? names.at : "", s->options->in.count);
}

/* The program is loaded twice: the inputs' extents decide its open dimensions. */
static Status prepare(Run *run) {
    Session *s = run->session;
    Binding *binding = arena_array(&s->arena, Binding, MAX_LIST);
    uint32_t count = 0;
    Status status = session_load(s, DATA_OPEN, NULL, 0);
    if (status == STATUS_OK) status = find_entry(run);
    for (uint32_t i = 0; i < run->inputs && status == STATUS_OK; i++)
        status = read_input(run, i);
    if (status != STATUS_OK) return status;
    if (!bind_open(run, binding, &count))
        return session_fail(s, STATUS_INPUT, "the inputs' extents fit no size of '%s'",
                            run->entry->name);
    status = session_load(s, DATA_NONE, binding, count);
    if (status == STATUS_OK) status = find_entry(run);
    for (uint32_t i = 0; i < run->inputs && status == STATUS_OK; i++)
        if (!shapes_agree(run, i)) status = wrong_shape(run, i);
    return status;
}

static Status load_state(Session *s) {
    const char *param = NULL;
    for (uint32_t i = 0; i < s->layout->slots && !param; i++)
        if (s->layout->slot[i].role == ROLE_PARAM) param = s->layout->slot[i].name;
    if (s->options->weights) return session_weights(s, s->options->weights);
    if (!param) return STATUS_OK;
    return session_fail(s, STATUS_INPUT,
                        "the network has parameters ('%s', ...); give a checkpoint by "
                        "--weights FILE.safetensors",
                        param);
}

static Status compute(Run *run) {
    Session *s = run->session;
    const void *in[MAX_PORTS];
    void *out[MAX_PORTS];
    char message[MESSAGE_BYTES];
    for (uint32_t i = 0; i < run->inputs; i++) in[i] = run->in[i].data;
    for (uint32_t i = 0; i < run->outputs; i++) {
        const Type *type = &run->out_port[i]->type;
        if (!tensor_new(&run->out[i], type->elem, type->rank, type->dim, message))
            return session_fail(s, STATUS_MEMORY, "%s", message);
        out[i] = run->out[i].data;
    }
    Callable callable = session_entry(s, run->entry->func);
    return session_call(s, &callable, in, out, 0);
}

static void print_tensor(const char *name, const Tensor *tensor) {
    char shape[128], message[MESSAGE_BYTES];
    Tensor wide = *tensor;
    const int64_t count = tensor_count(tensor);
    printf("%s: %s\n", name,
           shape_text(tensor->elem, tensor->rank, tensor->dim, shape, sizeof shape));
    if (!tensor_new(&wide, tensor->elem, tensor->rank, tensor->dim, message)) return;
    memcpy(wide.data, tensor->data, (size_t)tensor_bytes(tensor));
    if (tensor_convert(&wide, ELEM_f64, message)) {
        int64_t row = tensor->rank ? tensor->dim[tensor->rank - 1] : 1;
        for (int64_t i = 0; i < count; i++)
            printf("%.9g%c", ((double *)wide.data)[i], (i + 1) % row ? ' ' : '\n');
    }
    tensor_free(&wide);
}

/* All results under their names. */
static Status write_archive(Run *run, const char *path) {
    char message[MESSAGE_BYTES];
    SafeTensor tensor[MAX_PORTS];
    for (uint32_t i = 0; i < run->outputs; i++)
        tensor[i] = archive_view(run->out_port[i]->name, &run->out[i]);
    if (npz_write(path, tensor, run->outputs, NULL, message)) return STATUS_OK;
    return session_fail(run->session, STATUS_INPUT, "%s", message);
}

/* One result goes to --out; several to files beside it, named by the results, or together
 * into an .npz. */
static Status write_outputs(Run *run) {
    const char *path = run->session->options->out;
    char message[MESSAGE_BYTES], file[PATH_MAX];
    if (path && path_ends(path, ".npz")) return write_archive(run, path);
    for (uint32_t i = 0; i < run->outputs; i++) {
        if (!path) {
            print_tensor(run->out_port[i]->name, &run->out[i]);
            continue;
        }
        size_t stem = strlen(path);
        if (path_ends(path, ".npy")) stem -= 4;
        snprintf(file, sizeof file, "%s", path);
        if (run->outputs > 1)
            snprintf(file, sizeof file, "%.*s.%s.npy", (int)stem, path,
                     run->out_port[i]->name);
        if (!npy_write(file, &run->out[i], message))
            return session_fail(run->session, STATUS_INPUT, "%s", message);
    }
    return STATUS_OK;
}

static Status run_body(Session *s) {
    Run *run = arena_new(&s->arena, Run);
    run->session = s;
    Status status = prepare(run);
    if (status == STATUS_OK) status = session_compile(s);
    if (status == STATUS_OK) status = load_state(s);
    if (status == STATUS_OK) status = compute(run);
    if (status == STATUS_OK) status = write_outputs(run);
    run_free(run);
    return status;
}

Status verb_run(const Options *options) {
    return session_run(options, options->arg.at[0], run_body, NULL);
}
