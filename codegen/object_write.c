/* An object on disk: as it is, archived, or linked by the system's cc; and its header. */
#include "base/file.h"
#include "codegen/object.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef enum Form { FORM_SHARED, FORM_ARCHIVE, FORM_OBJECT, FORM_COUNT } Form;
static const char *const endings[FORM_COUNT] = {".so", ".a", ".o"};

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* FORM_COUNT: none of the three. */
static Form form_of(const char *path) {
    const char *name = base_name(path);
    size_t length = strlen(name);
    int form = 0;
    for (; form < FORM_COUNT; form++) {
        size_t tail = strlen(endings[form]);
        if (length > tail && !strcmp(name + length - tail, endings[form])) break;
    }
    return (Form)form;
}

const char *object_path_name(Arena *arena, const char *path) {
    Form form = form_of(path);
    const char *name = base_name(path);
    if (form == FORM_COUNT) return NULL;
    if (!strncmp(name, "lib", 3) && name[3] != '.') name += 3;
    return arena_string(arena, name, strlen(name) - strlen(endings[form]));
}

static const char *with_ending(Arena *arena, const char *path, const char *ending) {
    size_t stem = strlen(path) - strlen(endings[form_of(path)]);
    return arena_print(arena, "%.*s%s", (int)stem, path, ending);
}

/* FOLDER/name, FOLDER being that of `path`. */
static const char *beside(Arena *arena, const char *path, const char *name) {
    return arena_print(arena, "%.*s%s", (int)(base_name(path) - path), path, name);
}

Status object_path_check(const char *path, char *message) {
    char folder[PATH_MAX] = ".";
    size_t length = (size_t)(base_name(path) - path);
    struct stat facts;
    if (form_of(path) == FORM_COUNT)
        snprintf(message, MESSAGE_BYTES, "'%.200s' does not end in .so, .a or .o", path);
    else if (length >= sizeof folder)
        snprintf(message, MESSAGE_BYTES, "%.100s...: the path is too long", path);
    else {
        if (length) snprintf(folder, sizeof folder, "%.*s", (int)length, path);
        if (stat(folder, &facts) || !S_ISDIR(facts.st_mode))
            snprintf(message, MESSAGE_BYTES, "the folder '%.400s' does not exist",
                     folder);
        else if (!stat(path, &facts) && S_ISDIR(facts.st_mode))
            snprintf(message, MESSAGE_BYTES, "'%.400s' is a folder", path);
        else
            return STATUS_OK;
    }
    return STATUS_INPUT;
}

/* ---- archives --------------------------------------------------------------------------- */

static void put_head(Text *out, const char *name, size_t bytes) {
    text_printf(out, "%-16s%-12d%-6d%-6d%-8o%-10zu`\n", name, 0, 0, 0, 0644, bytes);
}

static void put_big_endian(Text *out, uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8)
        text_add(out, &(char){(char)(number >> shift)}, 1);
}

/* The names that the object exports, each with its NUL; returns their number. */
static uint32_t exported_names(const Object *object, Text *names) {
    const Elf64_Ehdr *e = (const void *)object->at;
    const Elf64_Shdr *head = (const void *)(object->at + e->e_shoff), *table = head;
    while (table->sh_type != SHT_SYMTAB) table++;
    const Elf64_Sym *sym = (const void *)(object->at + table->sh_offset);
    const char *words = (const char *)object->at + head[table->sh_link].sh_offset;
    uint32_t count = 0;
    for (uint64_t i = table->sh_info; i < table->sh_size / sizeof *sym; i++) {
        if (sym[i].st_shndx == SHN_UNDEF) continue;
        text_add(names, words + sym[i].st_name, strlen(words + sym[i].st_name) + 1);
        count++;
    }
    return count;
}

/* An archive of one member, with the index that linkers want.  No times, no owners. */
static Text archive_text(Arena *arena, const Object *object) {
    Text out, names;
    text_init(&out, arena);
    text_init(&names, arena);
    uint32_t count = exported_names(object, &names);
    if (names.length % 2) text_add(&names, "", 1);
    size_t index = 4 + 4 * (size_t)count + names.length;
    text_puts(&out, "!<arch>\n");
    size_t member = out.length + 60 + index;
    put_head(&out, "/", index);
    put_big_endian(&out, count);
    for (uint32_t i = 0; i < count; i++) put_big_endian(&out, (uint32_t)member);
    text_add(&out, names.at, names.length);
    put_head(&out, arena_print(arena, "%.12s.o/", object->name), object->count);
    text_add(&out, (const char *)object->at, object->count);
    if (object->count % 2) text_puts(&out, "\n");
    return out;
}

/* ---- the system's linker ---------------------------------------------------------------- */

static bool write_plain(const char *path, const Object *object) {
    FILE *file = fopen(path, "wbe");
    bool ok = file && fwrite(object->at, 1, object->count, file) == object->count;
    if (file && fclose(file)) ok = false;
    return ok;
}

/* What the child says on its standard error, cut to the message's room. */
static void read_words(int from, char *words, size_t size) {
    char rest[256];
    size_t used = 0;
    for (;;) {
        bool room = used + 1 < size;
        ssize_t got =
            read(from, room ? words + used : rest, room ? size - 1 - used : sizeof rest);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (room) used += (size_t)got;
    }
    while (used && words[used - 1] == '\n') used--;
    words[used] = 0;
}

/* Starts cc; errno's number, ENOENT where there is none. */
static int start_cc(const char *const *words, int error_to, pid_t *child) {
    posix_spawn_file_actions_t actions;
    int wrong = posix_spawn_file_actions_init(&actions);
    if (wrong) return wrong;
    wrong = posix_spawn_file_actions_adddup2(&actions, error_to, STDERR_FILENO);
    if (!wrong)
        wrong = posix_spawn_file_actions_adddup2(&actions, error_to, STDOUT_FILENO);
    if (!wrong)
        wrong = posix_spawnp(child, "cc", &actions, NULL, (char *const *)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return wrong;
}

static Status run_cc(const char *const *words, bool *missing, char *message) {
    int pipes[2], code = 0;
    char said[MESSAGE_BYTES - 64] = "";
    pid_t child;
    if (pipe2(pipes, O_CLOEXEC)) {
        snprintf(message, MESSAGE_BYTES, "cannot start cc: %s", strerror(errno));
        return STATUS_SYSTEM;
    }
    int wrong = start_cc(words, pipes[1], &child);
    close(pipes[1]);
    *missing = wrong == ENOENT || wrong == EACCES;
    if (wrong) {
        close(pipes[0]);
        snprintf(message, MESSAGE_BYTES, "cannot start cc: %s", strerror(wrong));
        return STATUS_SYSTEM;
    }
    read_words(pipes[0], said, sizeof said);
    close(pipes[0]);
    while (waitpid(child, &code, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(code) && !WEXITSTATUS(code)) return STATUS_OK;
    snprintf(message, MESSAGE_BYTES, "cc could not link: %s", *said ? said : "no words");
    return STATUS_SYSTEM;
}

/* Links the object to `fresh`. */
static Status link_object(Arena *arena, const Object *object, const char *path,
                          const char *fresh, bool *missing, char *message) {
    const char *part = arena_print(arena, "%s.o", fresh);
    const char *soname = arena_print(arena, "-soname=%s", base_name(path));
    /* -s: local symbols, among which a linker notes the name of `part`. */
    const char *words[] = {"cc",       "-shared", "-nostdlib", "-Wl,-z,noexecstack,-s",
                           "-Xlinker", soname,    "-o",        fresh,
                           part,       "-lc",     NULL};
    Status status = STATUS_SYSTEM;
    *missing = false;
    if (write_plain(part, object))
        status = run_cc(words, missing, message);
    else
        snprintf(message, MESSAGE_BYTES, "%.300s: cannot be written: %s", path,
                 strerror(errno));
    unlink(part);
    return status;
}

/* ---- all files -------------------------------------------------------------------------- */

static const char *header_path(Arena *arena, const Object *object, const char *path) {
    return beside(arena, path, arena_print(arena, "%s.h", object->name));
}

static Status write_header(const Object *object, const char *header, char *message) {
    const Piece piece = {object->header, strlen(object->header)};
    return file_replace(header, &piece, 1, message) ? STATUS_OK : STATUS_SYSTEM;
}

/* The header first: it is small, and an object without one is of no use. */
static Status write_bytes(Arena *arena, const Object *object, const char *path,
                          const void *bytes, size_t count, char *message) {
    const Piece piece = {bytes, count};
    Status status = write_header(object, header_path(arena, object, path), message);
    if (status != STATUS_OK) return status;
    return file_replace(path, &piece, 1, message) ? STATUS_OK : STATUS_SYSTEM;
}

static Status without_cc(Arena *arena, const Object *object, const char *path,
                         char *message) {
    const char *part = with_ending(arena, path, ".o");
    Status status = write_bytes(arena, object, part, object->at, object->count, message);
    if (status != STATUS_OK) return status;
    snprintf(
        message, MESSAGE_BYTES,
        "there is no C compiler `cc` to link with; the object is left as %.120s with "
        "its header. Where there is one:  cc -shared -o %.120s %.120s",
        part, path, part);
    return STATUS_SYSTEM;
}

static Status write_shared(Arena *arena, const Object *object, const char *path,
                           char *message) {
    bool missing;
    const char *header = header_path(arena, object, path); /* while no file is about */
    /* No word that cc would take for an option ("-x.so") or for a file of them ("@x.so"). */
    const char *fresh = arena_print(arena, "%s%s.%ld.new", *path == '/' ? "" : "./", path,
                                    (long)gettid());
    Status status = link_object(arena, object, path, fresh, &missing, message);
    if (missing) return without_cc(arena, object, path, message);
    if (status == STATUS_OK) status = write_header(object, header, message);
    if (status == STATUS_OK && rename(fresh, path)) {
        snprintf(message, MESSAGE_BYTES, "%.300s: cannot be written: %s", path,
                 strerror(errno));
        status = STATUS_SYSTEM;
    }
    if (status != STATUS_OK) unlink(fresh);
    return status;
}

Status object_write(Arena *arena, const Object *object, const char *path, char *message) {
    Status status = object_path_check(path, message);
    if (status != STATUS_OK) return status;
    switch (form_of(path)) {
    case FORM_SHARED: return write_shared(arena, object, path, message);
    case FORM_ARCHIVE: {
        Text archive = archive_text(arena, object);
        return write_bytes(arena, object, path, archive.at, archive.length, message);
    }
    case FORM_OBJECT:
    case FORM_COUNT: break;
    }
    return write_bytes(arena, object, path, object->at, object->count, message);
}
