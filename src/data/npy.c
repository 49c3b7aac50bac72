#include "data/npy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"

/* A .npy file: the magic, major and minor version, the header's length (2 bytes, from version 2 on
 * 4), the header (a Python dict literal, padded with blanks and ended by a newline so that the data
 * begins at a multiple of 64), the data. */
static const char magic[] = "\x93NUMPY";
enum {
    MAGIC_BYTES = 6,
    PREFIX_BYTES = 10,
    DATA_ALIGN = 64,
    MAX_RANK = 4, /* of what is read whole */
    MAX_EXTENT = 1 << 24
};

static bool write_header(FILE *stream, const struct tensor *t)
{
    char header[4 * DATA_ALIGN];
    int n = snprintf(header, sizeof header,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d, %d), }", t->n,
                     t->c, t->h, t->w);
    if (n < 0 || (size_t)n >= sizeof header - DATA_ALIGN) {
        return false;
    }
    size_t length = (size_t)n;
    while ((PREFIX_BYTES + length + 1) % DATA_ALIGN != 0) {
        header[length++] = ' ';
    }
    header[length++] = '\n';
    unsigned char prefix[PREFIX_BYTES];
    memcpy(prefix, magic, MAGIC_BYTES);
    prefix[6] = 1;
    prefix[7] = 0;
    prefix[8] = (unsigned char)(length & 0xff);
    prefix[9] = (unsigned char)(length >> 8);
    return fwrite(prefix, 1, sizeof prefix, stream) == sizeof prefix &&
           fwrite(header, 1, length, stream) == length;
}

enum result npy_write(const char *path, const struct tensor *t, struct error *err)
{
    size_t count = (size_t)t->c * (size_t)t->h * (size_t)t->w;
    float *planar = mem_alloc_raw(count, sizeof *planar);
    if (!planar) {
        return mem_error(err, path);
    }
    struct atomic_file file;
    enum result result = atomic_open(&file, path, err);
    file.skips_sync = true;
    if (result != OK) {
        mem_free(planar);
        return result;
    }
    bool written = write_header(file.stream, t);
    for (int i = 0; i < t->n && written; i++) {
        tensor_to_planar(t, i, planar);
        le32_to_host(planar, count);
        written = fwrite(planar, sizeof *planar, count, file.stream) == count;
    }
    mem_free(planar);
    result = written ? OK : error_errno(err, path, "cannot write");
    return atomic_end(&file, result, err);
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\n");
}

/* What stands behind 'key': in the dict, or NULL. */
static const char *dict_value(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *at = strstr(header, quoted);
    if (!at) {
        return NULL;
    }
    at = skip_blanks(at + strlen(quoted));
    return *at == ':' ? skip_blanks(at + 1) : NULL;
}

/* "(1, 3, 416, 416)" to numbers; their count, or -1. */
static int parse_shape(const char *at, int extents[NPY_MAX_RANK])
{
    int count = 0;
    if (!at || *at != '(') {
        return -1;
    }
    at = skip_blanks(at + 1);
    while (*at != ')') {
        char *end;
        if (*at < '0' || *at > '9' || count == NPY_MAX_RANK) {
            return -1;
        }
        long extent = strtol(at, &end, 10);
        if (extent > NPY_MAX_EXTENT) {
            return -1;
        }
        extents[count++] = (int)extent;
        at = skip_blanks(end);
        if (*at == ',') {
            at = skip_blanks(at + 1);
        } else if (*at != ')') {
            return -1;
        }
    }
    return count;
}

enum result npy_read_header(const char *path, char *bytes, size_t size, struct npy_header *header,
                            struct error *err)
{
    const unsigned char *raw = (const unsigned char *)bytes;
    *header = (struct npy_header){0};
    if (size < PREFIX_BYTES + 2 || memcmp(bytes, magic, MAGIC_BYTES) != 0) {
        return error_at(err, ERR_FORMAT, path, 0, "not a .npy file");
    }
    if (raw[6] < 1 || raw[6] > 3) {
        return error_at(err, ERR_UNSUPPORTED, path, 0, ".npy version %d", raw[6]);
    }
    size_t start = raw[6] == 1 ? PREFIX_BYTES : PREFIX_BYTES + 2;
    size_t length = raw[6] == 1 ? (size_t)raw[8] | (size_t)raw[9] << 8 : le32(raw + 8);
    if (length < 2 || length > size - start) {
        return error_at(err, ERR_FORMAT, path, 0, "the .npy header is cut off");
    }
    bytes[start + length - 1] = '\0'; /* the newline */
    const char *descr = dict_value(bytes + start, "descr");
    const char *order = dict_value(bytes + start, "fortran_order");
    if (!descr || !order) {
        return error_at(err, ERR_FORMAT, path, 0,
                        "the .npy header lacks 'descr' or 'fortran_order'");
    }
    descr += *descr == '\'';
    snprintf(header->type, sizeof header->type, "%.*s", (int)strcspn(descr, "'"), descr);
    header->is_fortran = strncmp(order, "False", 5) != 0;
    header->rank = parse_shape(dict_value(bytes + start, "shape"), header->extents);
    header->start = start + length;
    return OK;
}

/* Of what is read whole: few axes, none of them empty, in C order. */
static enum result check_header(const char *path, struct npy_header *header, struct error *err)
{
    bool is_double = strcmp(header->type, "<f8") == 0;
    if (!is_double && strcmp(header->type, "<f4") != 0) {
        return error_at(
            err, ERR_UNSUPPORTED, path, 0,
            "only float32 ('<f4') and float64 are read (in NumPy: array.astype('<f4'))");
    }
    if (header->is_fortran) {
        return error_at(err, ERR_UNSUPPORTED, path, 0,
                        "only C order is read (in NumPy: numpy.ascontiguousarray)");
    }
    for (int i = 0; i < header->rank; i++) {
        if (header->rank > MAX_RANK || header->extents[i] < 1 || header->extents[i] > MAX_EXTENT) {
            header->rank = -1;
        }
    }
    return OK;
}

static void to_floats(const struct npy_header *header, const char *bytes, size_t count, float *out)
{
    if (header->type[2] == '4') {
        memcpy(out, bytes, count * sizeof *out);
        le32_to_host(out, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        double value;
        for (int b = 7; b >= 0; b--) {
            bits = bits << 8 | (unsigned char)bytes[8 * i + (size_t)b];
        }
        memcpy(&value, &bits, sizeof value);
        out[i] = (float)value;
    }
}

/* The header and the data behind it, as floats: *data (mem_free). bytes[size] is zero. `shape` is for people. */
static enum result parse(const char *path, char *bytes, size_t size, const char *shape,
                         struct npy_header *header, float **data, struct error *err)
{
    TRY(npy_read_header(path, bytes, size, header, err));
    TRY(check_header(path, header, err));
    size_t count = 1, wanted, left = size - header->start;
    bool fits = header->rank > 0;
    for (int i = 0; i < header->rank && fits; i++) {
        fits = size_mul(count, (size_t)header->extents[i], &count);
    }
    fits = fits && size_mul(count, header->type[2] == '8' ? 8 : 4, &wanted);
    if (header->rank < 0) {
        return error_at(err, ERR_FORMAT, path, 0, "the shape must be %s", shape);
    }
    if (!fits || wanted != left) {
        return error_at(err, ERR_FORMAT, path, 0, "%zu bytes of data do not fit the shape", left);
    }
    *data = mem_alloc_raw(count, sizeof **data);
    if (!*data) {
        return mem_error(err, path);
    }
    to_floats(header, bytes + header->start, count, *data);
    return OK;
}

/* Before a whole file, which may be anything of any size, goes into memory. */
static enum result check_magic(const char *path, struct error *err)
{
    char head[MAGIC_BYTES] = {0};
    FILE *file;
    TRY(file_open(path, &file, NULL, err));
    bool matches =
        fread(head, 1, sizeof head, file) == sizeof head && memcmp(head, magic, MAGIC_BYTES) == 0;
    fclose(file);
    return matches ? OK : error_at(err, ERR_FORMAT, path, 0, "not a .npy file");
}

static enum result read_array(const char *path, const char *shape, struct npy_header *header,
                              float **data, struct error *err)
{
    char *bytes;
    size_t size;
    *data = NULL;
    TRY(check_magic(path, err));
    TRY(file_read(path, SIZE_MAX / 4, &bytes, &size, err));
    enum result result = parse(path, bytes, size, shape, header, data, err);
    mem_free(bytes);
    return result;
}

enum result npy_read(const char *path, struct npy *array, struct error *err)
{
    static const char shape[] = "(n, c, h, w) or (c, h, w)";
    struct npy_header header;
    float *data;
    *array = (struct npy){0};
    TRY(read_array(path, shape, &header, &data, err));
    if (header.rank != 3 && header.rank != 4) {
        mem_free(data);
        return error_at(err, ERR_FORMAT, path, 0, "the shape must be %s", shape);
    }
    const int *chw = header.extents + (header.rank - 3);
    *array = (struct npy){.n = header.rank == 4 ? header.extents[0] : 1,
                          .c = chw[0],
                          .h = chw[1],
                          .w = chw[2],
                          .data = data};
    return OK;
}

enum result npy_read_table(const char *path, size_t *rows, size_t *columns, float **cells,
                           struct error *err)
{
    struct npy_header header;
    TRY(read_array(path, "(rows, columns)", &header, cells, err));
    if (header.rank != 2) {
        mem_free(*cells);
        *cells = NULL;
        return error_at(err, ERR_FORMAT, path, 0, "the shape must be (rows, columns), not %d long",
                        header.rank);
    }
    *rows = (size_t)header.extents[0];
    *columns = (size_t)header.extents[1];
    return OK;
}

void npy_free(struct npy *array)
{
    mem_free(array->data);
    *array = (struct npy){0};
}
