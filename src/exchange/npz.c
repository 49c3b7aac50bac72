/* NumPy's .npz: a ZIP archive of .npy arrays, stored or deflated. The list of entries at its end counts; sizes in the
 * entries' own headers may be absent. */
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "data/npy.h"
#include "data/stb.h"
#include "exchange/tensors.h"

enum {
    END_BYTES = 22,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    MAX_COMMENT = 65535,
    STORED = 0,
    DEFLATED = 8,
    MAX_NAME = 512
};

struct archive {
    const char *path;
    char *bytes;
    size_t size;
};

static unsigned le16(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (unsigned)b[0] | (unsigned)b[1] << 8;
}

static size_t le32_at(const char *bytes)
{
    return le32((const unsigned char *)bytes);
}

static bool is_signed(const char *bytes, const char *signature)
{
    return memcmp(bytes, signature, 4) == 0;
}

static enum result cut_off(const struct archive *a, size_t at, const char *what, struct error *err)
{
    return error_at(err, ERR_FORMAT, a->path, 0, "byte %zu: %s (cut off?)", at, what);
}

/* The last record; NULL: there is none. */
static const char *find_end(const struct archive *a)
{
    for (size_t back = END_BYTES; back <= a->size && back <= END_BYTES + MAX_COMMENT; back++) {
        if (is_signed(a->bytes + a->size - back, "PK\5\6")) {
            return a->bytes + a->size - back;
        }
    }
    return NULL;
}

struct entry {
    char name[MAX_NAME];
    unsigned method, flags;
    size_t packed, whole, local;
};

/* Where the entry's bytes begin; 0: its own header is not there, or they do not fit into the file. */
static size_t data_offset(const struct archive *a, const struct entry *e)
{
    if (e->local > a->size || a->size - e->local < LOCAL_BYTES ||
        !is_signed(a->bytes + e->local, "PK\3\4")) {
        return 0;
    }
    const char *header = a->bytes + e->local;
    size_t start = e->local + LOCAL_BYTES + le16(header + 26) + le16(header + 28);
    return start <= a->size && e->packed <= a->size - start ? start : 0;
}

/* The values of an array that lies at bytes[size], which may be written to. */
static enum result add_array(const struct archive *a, const struct entry *e, char *bytes,
                             size_t size, struct tensor_list *list, struct error *err)
{
    static const struct {
        const char *name;
        enum tensor_type type;
    } types[] = {{"<f4", TENSOR_F32}, {"<f8", TENSOR_F64}, {"<f2", TENSOR_F16}};
    struct npy_header header;
    char name[MAX_NAME];
    snprintf(name, sizeof name, "%.*s", (int)(strlen(e->name) - strlen(".npy")), e->name);
    if (npy_read_header(a->path, bytes, size, &header, err) != OK) {
        return error_prefix(err, "%.100s", name);
    }
    struct tensor_entry t = {.name = name,
                             .type = TENSOR_OTHER,
                             .is_fortran = header.is_fortran,
                             .rank = header.rank,
                             .bytes = (const unsigned char *)bytes + header.start,
                             .eps = -1};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        t.type = strcmp(header.type, types[i].name) == 0 ? types[i].type : t.type;
    }
    if (header.rank < 0) {
        return error_at(err, ERR_FORMAT, a->path, 0,
                        "%.100s: no shape, or one of more than %d axes", name, (int)NPY_MAX_RANK);
    }
    if (t.type == TENSOR_OTHER && header.type[1] != 'i' && header.type[1] != 'u' &&
        header.type[1] != 'b') {
        return error_at(err, ERR_UNSUPPORTED, a->path, 0,
                        "%.100s: type %s is not read (in NumPy: array.astype('<f4'))", name,
                        header.type);
    }
    for (int i = 0; i < header.rank; i++) {
        t.dims[i] = (size_t)header.extents[i];
    }
    return tensors_add(a->path, list, &t, size - header.start, err);
}

static enum result add_entry(const struct archive *a, const struct entry *e,
                             struct tensor_list *list, struct error *err)
{
    size_t start = data_offset(a, e), length = strlen(e->name);
    if (length < 4 || strcmp(e->name + length - 4, ".npy") != 0) {
        return OK;
    }
    if (start == 0) {
        return cut_off(a, e->local, "an entry that is not where the archive's list says", err);
    }
    if (e->flags & 1) {
        return error_at(err, ERR_UNSUPPORTED, a->path, 0, "%.100s is encrypted", e->name);
    }
    if (e->method == STORED && e->packed == e->whole) {
        return add_array(a, e, a->bytes + start, e->whole, list, err);
    }
    if (e->method != DEFLATED) {
        return error_at(err, ERR_UNSUPPORTED, a->path, 0, "%.100s: compression %u is not known",
                        e->name, e->method);
    }
    /* Deflate cannot make more than 1032 bytes of one: no memory for lengths that lie. */
    if (e->whole / 1032 > e->packed) {
        return error_at(err, ERR_FORMAT, a->path, 0, "%.100s: %zu bytes cannot come of %zu",
                        e->name, e->whole, e->packed);
    }
    char *whole = tensors_memory(list, e->whole + 1);
    if (!whole) {
        return mem_error(err, a->path);
    }
    if (!stb_inflate(a->bytes + start, e->packed, whole, e->whole)) {
        return error_at(err, ERR_FORMAT, a->path, 0, "%.100s: its compressed bytes are damaged",
                        e->name);
    }
    return add_array(a, e, whole, e->whole, list, err);
}

enum result npz_read(const char *path, char *bytes, size_t size, struct tensor_list *list,
                     struct error *err)
{
    struct archive a = {path, bytes, size};
    const char *end = find_end(&a);
    if (!end) {
        return error_at(err, ERR_FORMAT, path, 0,
                        size > 4 && is_signed(bytes, "PK\3\4")
                            ? "the archive's list of entries is missing (cut off?)"
                            : "not a .npz archive");
    }
    size_t count = le16(end + 10), at = le32_at(end + 16), last = (size_t)(end - bytes);
    if (count == 0xffff || at == 0xffffffff) {
        return error_at(err, ERR_UNSUPPORTED, path, 0,
                        "an archive of more than 4 GB or 65534 arrays");
    }
    for (size_t i = 0; i < count; i++) {
        if (at > last || last - at < CENTRAL_BYTES || !is_signed(bytes + at, "PK\1\2")) {
            return cut_off(&a, at, "the archive's list of entries ends early", err);
        }
        const char *c = bytes + at;
        size_t name = le16(c + 28), rest = name + le16(c + 30) + le16(c + 32);
        if (rest > last - at - CENTRAL_BYTES) {
            return cut_off(&a, at, "a name that runs past the archive's list", err);
        }
        struct entry e = {.method = le16(c + 10),
                          .flags = le16(c + 8),
                          .packed = le32_at(c + 20),
                          .whole = le32_at(c + 24),
                          .local = le32_at(c + 42)};
        if (name >= sizeof e.name || memchr(c + CENTRAL_BYTES, 0, name)) {
            return cut_off(&a, at, "a name that is none", err);
        }
        memcpy(e.name, c + CENTRAL_BYTES, name);
        TRY(add_entry(&a, &e, list, err));
        at += CENTRAL_BYTES + rest;
    }
    return OK;
}
