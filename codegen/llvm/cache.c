/*
 * One file an object, named by the hash of its whole key: this build of the compiler,
 * LLVM, the processor, the kernel.  The key is stored too and compared, so that no
 * collision and no damage (length, checksum) can ever hand out other code.
 */
#include "codegen/llvm/cache.h"
#include "base/alloc.h"
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Header {
    char magic[8];
    uint64_t key_bytes, object_bytes, checksum[2];
} Header;

static const char magic[8] = "tnobj 1";

/* What every key begins with. */
typedef struct Origin {
    char tenon[16];
    uint8_t build[32]; /* the build id that the linker gave this program */
    uint32_t llvm[3];
    char cpu[64];
    char features[1024];
} Origin;

static void copy_build_id(const struct dl_phdr_info *info, const ElfW(Phdr) * p,
                          void *to) {
    const char *at = (const char *)(info->dlpi_addr + p->p_vaddr), *end = at + p->p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
        const ElfW(Nhdr) *note = (const void *)at;
        const char *name = at + sizeof *note, *data = name + ((note->n_namesz + 3) & ~3u);
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            !memcmp(name, "GNU", 4))
            memcpy(to, data, note->n_descsz < 32 ? note->n_descsz : 32);
        at = data + ((note->n_descsz + 3) & ~3u);
    }
}

/* Looks for the object that holds this code: a program or a shared library. */
static int find_build_id(struct dl_phdr_info *info, size_t size, void *to) {
    uintptr_t here = (uintptr_t)&magic;
    bool inside = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + p->p_vaddr;
        inside |= p->p_type == PT_LOAD && here >= at && here < at + p->p_memsz;
    }
    for (int i = 0; inside && i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            copy_build_id(info, &info->dlpi_phdr[i], to);
    return inside;
}

static void origin_fill(Origin *origin, const Target *target) {
    memset(origin, 0, sizeof *origin);
    snprintf(origin->tenon, sizeof origin->tenon, "%s", TENON_VERSION);
    dl_iterate_phdr(find_build_id, origin->build);
    LLVMGetVersion(&origin->llvm[0], &origin->llvm[1], &origin->llvm[2]);
    memcpy(origin->cpu, target->cpu, strlen(target->cpu));
    memcpy(origin->features, target->features, strlen(target->features));
}

/* FOLDER/0123...cdef.o */
static bool entry_path(char *path, size_t size, const char *folder, const Origin *origin,
                       const Key *key) {
    uint64_t of_origin[2], of_key[2];
    hash_bytes(origin, sizeof *origin, 0, of_origin);
    hash_bytes(key->at, key->length, of_origin[0], of_key);
    return snprintf(path, size, "%s/%016llx%016llx.o", folder,
                    (unsigned long long)of_key[0],
                    (unsigned long long)of_key[1]) < (int)size;
}

/* The whole file, or NULL. */
static char *read_file(const char *path, size_t *bytes) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return NULL;
    struct stat facts;
    char *data = NULL;
    if (!fstat(file, &facts) && facts.st_size > 0)
        data = mem_alloc((size_t)facts.st_size);
    *bytes = data ? (size_t)facts.st_size : 0;
    for (size_t done = 0; data && done < *bytes;) {
        ssize_t n = read(file, data + done, *bytes - done);
        if (n > 0) done += (size_t)n;
        if (n > 0) continue;
        mem_free(data);
        data = NULL;
    }
    close(file);
    return data;
}

static LLVMMemoryBufferRef entry_object(const char *data, size_t bytes,
                                        const Origin *origin, const Key *key) {
    Header header;
    size_t before = sizeof header + sizeof *origin + key->length;
    if (bytes < before) return NULL;
    memcpy(&header, data, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) || header.key_bytes != key->length ||
        header.object_bytes != bytes - before ||
        memcmp(data + sizeof header, origin, sizeof *origin) ||
        memcmp(data + sizeof header + sizeof *origin, key->at, key->length))
        return NULL;
    uint64_t checksum[2];
    hash_bytes(data + before, header.object_bytes, 0, checksum);
    if (memcmp(checksum, header.checksum, sizeof checksum)) return NULL;
    return LLVMCreateMemoryBufferWithMemoryRangeCopy(data + before, header.object_bytes,
                                                     "cached");
}

LLVMMemoryBufferRef cache_get(const char *folder, const Target *target, const Key *key) {
    char path[4096];
    Origin origin;
    origin_fill(&origin, target);
    if (!entry_path(path, sizeof path, folder, &origin, key)) return NULL;
    size_t bytes;
    char *data = read_file(path, &bytes);
    if (!data) return NULL;
    LLVMMemoryBufferRef object = entry_object(data, bytes, &origin, key);
    mem_free(data);
    return object;
}

static void make_folders(const char *path) {
    char part[4096];
    size_t length = strlen(path);
    if (length >= sizeof part) return;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] && path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = 0;
        mkdir(part, 0777);
    }
}

static bool write_entry(FILE *file, const Origin *origin, const Key *key,
                        LLVMMemoryBufferRef object) {
    const char *at = LLVMGetBufferStart(object);
    Header header = {.key_bytes = key->length, .object_bytes = LLVMGetBufferSize(object)};
    memcpy(header.magic, magic, sizeof magic);
    hash_bytes(at, header.object_bytes, 0, header.checksum);
    return fwrite(&header, sizeof header, 1, file) == 1 &&
           fwrite(origin, sizeof *origin, 1, file) == 1 &&
           fwrite(key->at, 1, key->length, file) == key->length &&
           fwrite(at, 1, header.object_bytes, file) == header.object_bytes;
}

/* Written beside its place and renamed, so that a reader sees a whole entry or none. */
void cache_put(const char *folder, const Target *target, const Key *key,
               LLVMMemoryBufferRef object) {
    char path[4096], fresh[4128];
    Origin origin;
    origin_fill(&origin, target);
    if (!entry_path(path, sizeof path, folder, &origin, key)) return;
    snprintf(fresh, sizeof fresh, "%s.XXXXXX", path);
    int handle = mkstemp(fresh);
    if (handle < 0) {
        make_folders(folder);
        snprintf(fresh, sizeof fresh, "%s.XXXXXX", path);
        handle = mkstemp(fresh);
    }
    if (handle < 0) return;
    FILE *file = fdopen(handle, "wb");
    bool right = file && write_entry(file, &origin, key, object);
    if (file)
        right &= fclose(file) == 0;
    else
        close(handle);
    if (!right || rename(fresh, path)) unlink(fresh);
}
