#include "train/stateio.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"

enum { MAGIC = 8, HEADER = MAGIC + 4, TRAILER = 8 + 8 + MAGIC, CHUNK = 65536 };

static const char head_magic[] = "YOLOSTAT";
static const char tail_magic[] = "ENDSTATE";

/* ---- hash ---- */

/* A bijection of the value for every word and of the word for every value. */
static uint64_t mix(uint64_t value, uint64_t word)
{
    value = (value ^ word) * 0x9e3779b97f4a7c15u;
    return value ^ value >> 32;
}

void state_hash_add(struct state_hash *hash, const void *data, size_t bytes)
{
    const unsigned char *from = data;
    size_t held = hash->bytes % 8;
    hash->bytes += bytes;
    for (; held > 0 && bytes > 0; bytes--) {
        hash->tail[held++] = *from++;
        if (held == 8) {
            hash->value = mix(hash->value, le64(hash->tail));
            held = 0;
        }
    }
    for (; bytes >= 8; bytes -= 8, from += 8) {
        hash->value = mix(hash->value, le64(from));
    }
    if (bytes > 0) {
        memcpy(hash->tail + held, from, bytes);
    }
}

uint64_t state_hash_value(const struct state_hash *hash)
{
    unsigned char last[8] = {0};
    memcpy(last, hash->tail, hash->bytes % 8);
    return mix(mix(hash->value, le64(last)), hash->bytes);
}

uint64_t state_hash_of(const void *data, size_t bytes)
{
    struct state_hash hash = {0};
    state_hash_add(&hash, data, bytes);
    return state_hash_value(&hash);
}

/* ---- writing ---- */

static void put(struct state_writer *w, const void *data, size_t bytes)
{
    if (w->failed_errno) {
        return;
    }
    state_hash_add(&w->hash, data, bytes);
    errno = 0;
    if (fwrite(data, 1, bytes, w->file.stream) != bytes) {
        w->failed_errno = errno ? errno : EIO;
    }
}

enum result state_create(struct state_writer *writer, const char *path, uint32_t version,
                         struct error *err)
{
    writer->hash = (struct state_hash){0};
    writer->failed_errno = 0;
    TRY(atomic_open(&writer->file, path, err));
    put(writer, head_magic, MAGIC);
    state_put_u32(writer, version);
    return OK;
}

void state_put_u32(struct state_writer *writer, uint32_t value)
{
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
    put(writer, bytes, sizeof bytes);
}

void state_put_u64(struct state_writer *writer, uint64_t value)
{
    state_put_u32(writer, (uint32_t)value);
    state_put_u32(writer, (uint32_t)(value >> 32));
}

void state_put_f64(struct state_writer *writer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    state_put_u64(writer, bits);
}

void state_put_text(struct state_writer *writer, const char *text)
{
    size_t length = strlen(text);
    state_put_u64(writer, length);
    put(writer, text, length);
}

void state_put_floats(struct state_writer *writer, const float *values, size_t count)
{
    float chunk[CHUNK / sizeof(float)];
    const size_t room = sizeof chunk / sizeof *chunk;
    for (size_t at = 0; at < count; at += room) {
        size_t part = count - at < room ? count - at : room;
        memcpy(chunk, values + at, part * sizeof *chunk);
        le32_to_host(chunk, part); /* a swap is its own inverse */
        put(writer, chunk, part * sizeof *chunk);
    }
}

enum result state_commit(struct state_writer *writer, struct error *err)
{
    state_put_u64(writer, writer->hash.bytes + TRAILER);
    state_put_u64(writer, state_hash_value(&writer->hash));
    put(writer, tail_magic, MAGIC);
    errno = 0;
    if (!writer->failed_errno && fflush(writer->file.stream) != 0) {
        writer->failed_errno = errno ? errno : EIO;
    }
    if (writer->failed_errno) {
        atomic_abandon(&writer->file);
        errno = writer->failed_errno;
        return error_errno(err, writer->file.path, "cannot write");
    }
    return atomic_commit(&writer->file, err);
}

/* ---- reading ---- */

static enum result read_error(const struct state_reader *r, struct error *err)
{
    if (ferror(r->stream)) {
        return error_errno(err, r->path, "cannot read");
    }
    return error_at(err, ERR_IO, r->path, 0, "became shorter while it was read");
}

static enum result check_head(struct state_reader *r, uint64_t size, uint32_t version,
                              struct error *err)
{
    unsigned char bytes[HEADER] = {0};
    size_t wanted = size < HEADER ? (size_t)size : HEADER;
    if (fread(bytes, 1, wanted, r->stream) != wanted) {
        return read_error(r, err);
    }
    if (size == 0) {
        return error_at(err, ERR_FORMAT, r->path, 0, "the file is empty");
    }
    if (memcmp(bytes, head_magic, wanted < MAGIC ? wanted : MAGIC) != 0) {
        return error_at(err, ERR_FORMAT, r->path, 0, "not a training state");
    }
    if (size >= HEADER && le32(bytes + MAGIC) != version) {
        error_at(err, ERR_FORMAT, r->path, 0,
                 "a training state of version %" PRIu32 "; this program reads version %" PRIu32,
                 le32(bytes + MAGIC), version);
        return error_hint(err, "go on with the program that wrote it, or start from last.weights");
    }
    if (size < HEADER + TRAILER) {
        return error_at(err, ERR_FORMAT, r->path, 0, "cut off after %" PRIu64 " bytes", size);
    }
    return OK;
}

static enum result hash_to_trailer(struct state_reader *r, uint64_t size, struct state_hash *hash,
                                   struct error *err)
{
    unsigned char chunk[CHUNK];
    rewind(r->stream);
    for (uint64_t left = size - TRAILER + 8; left > 0;) {
        size_t part = left < sizeof chunk ? (size_t)left : sizeof chunk;
        if (fread(chunk, 1, part, r->stream) != part) {
            return read_error(r, err);
        }
        state_hash_add(hash, chunk, part);
        left -= part;
    }
    return OK;
}

static enum result check_trailer(struct state_reader *r, uint64_t size, struct error *err)
{
    unsigned char bytes[TRAILER];
    if (fseek(r->stream, -TRAILER, SEEK_END) != 0 ||
        fread(bytes, 1, sizeof bytes, r->stream) != sizeof bytes) {
        return read_error(r, err);
    }
    uint64_t noted = le64(bytes);
    if (memcmp(bytes + 16, tail_magic, MAGIC) != 0 || noted != size) {
        return error_at(err, ERR_FORMAT, r->path, 0,
                        "damaged: its %" PRIu64
                        " bytes do not end as a training state does; it is cut "
                        "off, or something was appended",
                        size);
    }
    struct state_hash hash = {0};
    TRY(hash_to_trailer(r, size, &hash, err));
    if (state_hash_value(&hash) != le64(bytes + 8)) {
        return error_at(err, ERR_FORMAT, r->path, 0, "damaged: its checksum does not match");
    }
    return OK;
}

static enum result open_verified(struct state_reader *r, uint32_t version, struct error *err)
{
    uintmax_t size;
    TRY(file_open(r->path, &r->stream, &size, err));
    TRY(check_head(r, size, version, err));
    TRY(check_trailer(r, size, err));
    if (fseek(r->stream, HEADER, SEEK_SET) != 0) {
        return error_errno(err, r->path, "cannot read");
    }
    r->left = size - HEADER - TRAILER;
    return OK;
}

enum result state_open(struct state_reader *reader, const char *path, uint32_t version,
                       struct error *err)
{
    *reader = (struct state_reader){0};
    if (strlen(path) >= sizeof reader->path) {
        return error_at(err, ERR_IO, path, 0, "path too long");
    }
    strcpy(reader->path, path);
    enum result result = open_verified(reader, version, err);
    if (result != OK) {
        state_close(reader);
    }
    return result;
}

static enum result get(struct state_reader *r, void *data, size_t bytes, struct error *err)
{
    if (bytes > r->left) {
        return error_at(err, ERR_FORMAT, r->path, 0, "holds less than it should");
    }
    if (fread(data, 1, bytes, r->stream) != bytes) {
        return read_error(r, err);
    }
    r->left -= bytes;
    return OK;
}

enum result state_get_u32(struct state_reader *reader, uint32_t *value, struct error *err)
{
    unsigned char bytes[4];
    TRY(get(reader, bytes, sizeof bytes, err));
    *value = le32(bytes);
    return OK;
}

enum result state_get_u64(struct state_reader *reader, uint64_t *value, struct error *err)
{
    unsigned char bytes[8];
    TRY(get(reader, bytes, sizeof bytes, err));
    *value = le64(bytes);
    return OK;
}

enum result state_get_f64(struct state_reader *reader, double *value, struct error *err)
{
    uint64_t bits;
    TRY(state_get_u64(reader, &bits, err));
    memcpy(value, &bits, sizeof *value);
    return OK;
}

enum result state_get_text(struct state_reader *reader, size_t max_bytes, char **text,
                           struct error *err)
{
    uint64_t length;
    TRY(state_get_u64(reader, &length, err));
    if (length > max_bytes || length > reader->left) {
        return error_at(err, ERR_FORMAT, reader->path, 0, "a text of %" PRIu64 " bytes in it",
                        length);
    }
    char *bytes = mem_alloc((size_t)length + 1, 1);
    if (!bytes) {
        return mem_error(err, reader->path);
    }
    enum result result = get(reader, bytes, (size_t)length, err);
    if (result != OK) {
        mem_free(bytes);
        return result;
    }
    *text = bytes;
    return OK;
}

enum result state_get_floats(struct state_reader *reader, float *values, size_t count,
                             struct error *err)
{
    size_t bytes;
    if (!size_mul(count, sizeof *values, &bytes)) {
        return error_at(err, ERR_FORMAT, reader->path, 0, "holds less than it should");
    }
    TRY(get(reader, values, bytes, err));
    le32_to_host(values, count);
    return OK;
}

enum result state_check_end(const struct state_reader *reader, struct error *err)
{
    if (reader->left > 0) {
        return error_at(err, ERR_FORMAT, reader->path, 0, "%" PRIu64 " bytes too many in it",
                        reader->left);
    }
    return OK;
}

void state_close(struct state_reader *reader)
{
    if (reader->stream) {
        fclose(reader->stream);
        reader->stream = NULL;
    }
}
