/* Reading whole files; replacing files atomically. */
#include "base/file.h"
#include "base/alloc.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool fail(char *message, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(message, MESSAGE_BYTES, format, list);
    va_end(list);
    return false;
}

bool fail_at(char *message, const char *path) {
    char words[MESSAGE_BYTES];
    size_t place = strnlen(path, 200), left = MESSAGE_BYTES - place - 3;
    size_t length = strnlen(message, left);
    memcpy(words, message, length);
    memcpy(message, path, place);
    memcpy(message + place, ": ", 2);
    memcpy(message + place + 2, words, length);
    message[place + 2 + length] = 0;
    return false;
}

void bytes_free(Bytes *bytes) {
    mem_free(bytes->at);
    *bytes = (Bytes){0};
}

bool file_exists(const char *path) {
    return !access(path, F_OK);
}

/* A pipe has no size before it ends: the block grows. */
static bool read_all(int file, size_t guess, Bytes *out, char *message) {
    size_t room = guess + 1;
    *out = (Bytes){mem_alloc(room), 0};
    while (out->at) {
        ssize_t got = read(file, out->at + out->count, room - out->count);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            bytes_free(out);
            return fail(message, "cannot be read: %s", strerror(errno));
        }
        if (got == 0) return true;
        out->count += (size_t)got;
        if (out->count < room) continue;
        uint8_t *wider = mem_resize(out->at, room, 2 * room);
        if (!wider) bytes_free(out);
        if (wider) out->at = wider;
        room *= 2;
    }
    return fail(message, "memory ended while the file was read");
}

bool file_read(const char *path, Bytes *out, char *message) {
    struct stat facts;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &facts)) {
        fail(message, "cannot be opened: %s", strerror(errno));
        if (file >= 0) close(file);
        return fail_at(message, path);
    }
    bool ok = S_ISDIR(facts.st_mode)
                  ? fail(message, "is a folder, a file was expected")
                  : read_all(file, (size_t)facts.st_size, out, message);
    close(file);
    return ok || fail_at(message, path);
}

static bool write_all(int file, const Piece *piece) {
    const char *at = piece->at;
    size_t left = piece->count;
    while (left) {
        ssize_t put = write(file, at, left < (1u << 30) ? left : 1u << 30);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        at += put;
        left -= (size_t)put;
    }
    return true;
}

/* The rename itself reaches the disk with its folder.  Best effort: some file systems
 * refuse to sync a folder. */
static void sync_folder(const char *path) {
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    fsync(folder);
    close(folder);
}

bool path_ends(const char *path, const char *end) {
    size_t length = strlen(path), tail = strlen(end);
    return length > tail && !strcmp(path + length - tail, end);
}

/* A thread writes one file at a time, so its number names the new one. */
bool file_replace(const char *path, const Piece *piece, uint32_t pieces, char *message) {
    char fresh[PATH_MAX];
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.%ld.new", path, (long)gettid()) >=
        sizeof fresh)
        return fail(message, "%.200s...: the path is too long", path);
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        fail(message, "cannot be written: %s", strerror(errno));
        return fail_at(message, path);
    }
    bool ok = true;
    for (uint32_t i = 0; i < pieces && ok; i++) ok = write_all(file, &piece[i]);
    ok = ok && !fsync(file);
    int why = errno;
    if (close(file) && ok) ok = false, why = errno;
    if (ok && rename(fresh, path)) ok = false, why = errno;
    if (ok) {
        sync_folder(path);
        return true;
    }
    unlink(fresh);
    fail(message,
         "cannot be written: %s; free some space or choose another place. "
         "What was there before is as it was",
         strerror(why));
    return fail_at(message, path);
}
