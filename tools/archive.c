/* Archives: safetensors and .npz behind one face. */
#include "tools/archive.h"
#include "base/alloc.h"
#include <string.h>

SafeTensor archive_view(const char *name, const Tensor *array) {
    SafeTensor view = {.name = name,
                       .stored = stored_of(array->elem),
                       .rank = array->rank,
                       .data = array->data,
                       .bytes = (size_t)tensor_bytes(array)};
    memcpy(view.dim, array->dim, sizeof view.dim);
    return view;
}

static bool parse_npz(Archive *a, char *message) {
    a->form = "npz";
    if (!npz_parse_all(a->file.at, a->file.count, &a->arrays, message)) return false;
    SafeTensor *view = mem_alloc((a->arrays.count + 1) * sizeof *view);
    if (!view) return fail(message, "memory ended");
    for (uint32_t i = 0; i < a->arrays.count; i++)
        view[i] = archive_view(a->arrays.name[i], &a->arrays.tensor[i]);
    a->safe.tensor = view;
    a->safe.count = a->arrays.count;
    a->ours = a->arrays.training != NULL;
    a->training = a->ours ? a->arrays.training : "";
    return true;
}

static bool parse_safetensors(Archive *a, char *message) {
    a->form = "safetensors";
    if (!safetensors_parse(a->file.at, a->file.count, &a->safe, message)) return false;
    const char *format = safetensors_meta(&a->safe, "format");
    a->meta = json_object_get(a->safe.header, "__metadata__");
    const char *training = safetensors_meta(&a->safe, "training");
    a->ours = format && !strcmp(format, "tenon");
    a->training = a->ours && training ? training : "";
    return true;
}

bool archive_parse(Bytes file, Archive *out, char *message) {
    *out = (Archive){.file = file};
    bool zip = file.count > 2 && !memcmp(file.at, "PK", 2);
    bool ok = zip ? parse_npz(out, message) : parse_safetensors(out, message);
    out->tensor = out->safe.tensor;
    out->count = out->safe.count;
    if (!ok) archive_free(out);
    return ok;
}

bool archive_read(const char *path, Archive *out, char *message) {
    Bytes file;
    if (!file_read(path, &file, message)) return false;
    return archive_parse(file, out, message) || fail_at(message, path);
}

void archive_free(Archive *archive) {
    safetensors_free(&archive->safe);
    npz_free(&archive->arrays);
    bytes_free(&archive->file);
    *archive = (Archive){0};
}

bool archive_write(const char *path, const SafeTensor *tensor, uint32_t count,
                   const char *training, char *message) {
    if (path_ends(path, ".npz")) return npz_write(path, tensor, count, training, message);
    json_t *meta = NULL;
    if (training) meta = json_pack("{s:s, s:s}", "training", training, "format", "tenon");
    bool ok = training && !meta ? fail(message, "memory ended")
                                : safetensors_write(path, tensor, count, meta, message);
    json_decref(meta);
    return ok;
}
