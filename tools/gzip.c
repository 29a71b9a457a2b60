/* Expanding gzip data in memory, with an upper limit. */
#include "base/alloc.h"
#include "tools/file.h"
#include <string.h>
#include <zlib.h>

static bool copy_plain(const uint8_t *in, size_t count, Bytes *out, char *message) {
    *out = (Bytes){mem_alloc(count), count};
    if (!out->at) return fail(message, "memory ended while the file was read");
    memcpy(out->at, in, count);
    return true;
}

/* zlib counts in 32 bits, so input and output are handed over in slices. */
#define SLICE ((size_t)1 << 30)

typedef struct Expansion {
    z_stream stream;
    const uint8_t *in, *in_end;
    Bytes out;
    size_t room, limit;
} Expansion;

static bool make_room(Expansion *e, char *message) {
    if (e->out.count < e->room) return true;
    if (e->room > e->limit)
        return fail(message, "expands to more than %zu bytes", e->limit);
    size_t wider = 2 * e->room < e->limit ? 2 * e->room : e->limit + 1;
    uint8_t *at = mem_resize(e->out.at, e->room, wider);
    if (!at) return fail(message, "memory ended while the file was expanded");
    e->out.at = at;
    e->room = wider;
    return true;
}

/* Runs to the end of all members: gzip files may be joined.  Zeros after the last one are
 * padding of tapes; anything else is not ours. */
static bool expand(Expansion *e, char *message) {
    for (;;) {
        if (!make_room(e, message)) return false;
        size_t in = (size_t)(e->in_end - e->in), out = e->room - e->out.count;
        e->stream.next_in = (Bytef *)e->in;
        e->stream.avail_in = (uInt)(in < SLICE ? in : SLICE);
        e->stream.next_out = e->out.at + e->out.count;
        e->stream.avail_out = (uInt)(out < SLICE ? out : SLICE);
        int code = inflate(&e->stream, Z_NO_FLUSH);
        e->in = e->stream.next_in;
        e->out.count = (size_t)(e->stream.next_out - e->out.at);
        if (code == Z_MEM_ERROR)
            return fail(message, "memory ended while the file was expanded");
        if (code == Z_STREAM_END) {
            if (e->in == e->in_end && e->out.count > e->limit)
                return fail(message, "expands to more than %zu bytes", e->limit);
            if (e->in == e->in_end) return true;
            if (*e->in != 0x1f)
                return fail(message, "%zd bytes of trailing garbage after the gzip data",
                            e->in_end - e->in);
            inflateReset(&e->stream);
            continue;
        }
        if (code == Z_BUF_ERROR && e->in == e->in_end && e->out.count < e->room)
            return fail(message, "the gzip data is truncated; download the file again");
        if (code != Z_OK && code != Z_BUF_ERROR)
            return fail(message, "the gzip data is damaged (%s); download the file again",
                        e->stream.msg ? e->stream.msg : "zlib");
    }
}

bool gzip_expand(const uint8_t *in, size_t count, size_t limit, Bytes *out,
                 char *message) {
    if (count < 2 || in[0] != 0x1f || in[1] != 0x8b)
        return copy_plain(in, count, out, message);
    /* The last four bytes are the size modulo 2^32: a hint, never trusted. */
    size_t guess = 1 << 16;
    if (count >= 18) {
        const uint8_t *t = in + count - 4;
        guess =
            (size_t)t[0] | (size_t)t[1] << 8 | (size_t)t[2] << 16 | (size_t)t[3] << 24;
        if (guess / 1100 > count || guess == 0) guess = 1 << 16;
    }
    if (guess > limit) guess = limit;
    Expansion e = {.in = in, .in_end = in + count, .room = guess + 1, .limit = limit};
    e.out = (Bytes){mem_alloc(e.room), 0};
    if (!e.out.at) return fail(message, "memory ended while the file was expanded");
    if (inflateInit2(&e.stream, 16 + MAX_WBITS) != Z_OK) {
        bytes_free(&e.out);
        return fail(message, "memory ended while the file was expanded");
    }
    bool ok = expand(&e, message);
    inflateEnd(&e.stream);
    if (ok)
        *out = e.out;
    else
        bytes_free(&e.out);
    return ok;
}
