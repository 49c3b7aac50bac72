#include "data/image.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "data/exif.h"
#include "data/stb.h"

#define STBI_NO_STDIO
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

enum { FILE_MAX_BYTES = 1 << 30, JPEG_QUALITY = 92, SHORT_SIDE_MAX = 65535 };

#define READABLE "JPEG, PNG, BMP, GIF, TGA, PSD and binary PNM can be read"

void image_paste(struct image *to, const struct image *from, int x, int y)
{
    for (int row = 0; row < from->h; row++) {
        memcpy(to->rgb + ((size_t)(y + row) * (size_t)to->w + (size_t)x) * 3,
               from->rgb + (size_t)row * (size_t)from->w * 3, (size_t)from->w * 3);
    }
}

void image_free(struct image *image)
{
    mem_free(image->rgb);
    *image = (struct image){0};
}

enum result image_new(int w, int h, struct image *image, struct error *err)
{
    *image = (struct image){0};
    if (w < 1 || h < 1 || (int64_t)w * h > IMAGE_MAX_PIXELS) {
        return error_set(err, ERR_ARG, "a picture of %d x %d pixels is not possible", w, h);
    }
    unsigned char *rgb = mem_alloc((size_t)w * (size_t)h, 3);
    if (!rgb) {
        return mem_error(err, "picture");
    }
    *image = (struct image){.w = w, .h = h, .rgb = rgb};
    return OK;
}

/* ---- what a file is ---- */

struct kind {
    const char *name;
    int at, length;
    const char *magic;
    int density; /* most pixels a byte of the file can stand for; 0 = cannot be read */
};

/* Densities: a JPEG spends at least a bit on a block of 8 x 8 pixels, 16 of them with the strangest
 * subsampling; deflate reaches 1032 : 1, with 8 pixels a byte; run lengths of TGA and PSD 128
 * pixels in two bytes. A GIF's screen may be any size around a small frame. */
static const struct kind kinds[] = {
    {"JPEG", 0, 3, "\xff\xd8\xff", 8192},
    {"PNG", 0, 4, "\x89PNG", 8256},
    {"GIF", 0, 4, "GIF8", INT_MAX},
    {"PSD", 0, 4, "8BPS", 64},
    {"BMP", 0, 2, "BM", 8},
    {"PNM", 0, 2, "P5", 1},
    {"PNM", 0, 2, "P6", 1},
    {"WebP", 8, 4, "WEBP", 0},
    {"TIFF", 0, 4, "II*\0", 0},
    {"TIFF", 0, 4, "MM\0*", 0},
    {"AVIF", 4, 8, "ftypavif", 0},
    {"HEIF, AVIF or video", 4, 4, "ftyp", 0},
    {"JPEG 2000", 0, 6, "\0\0\0\x0cjP", 0},
    {"JPEG XL", 0, 7, "\0\0\0\x0cJXL", 0},
    {"JPEG XL", 0, 2, "\xff\x0a", 0},
    {"OpenEXR", 0, 4, "\x76\x2f\x31\x01", 0},
    {"Radiance HDR", 0, 2, "#?", 0},
    {"PDF", 0, 4, "%PDF", 0},
};

/* TGA has no mark of its own: what is none of the above may be one. */
static const struct kind tga = {"TGA", 0, 0, "", 64};

static const struct kind *find_kind(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct kind *k = &kinds[i];
        if (size >= (size_t)(k->at + k->length) &&
            memcmp(bytes + k->at, k->magic, (size_t)k->length) == 0) {
            return k;
        }
    }
    return &tga;
}

static enum result broken(const char *path, const struct kind *kind, const char *why,
                          struct error *err)
{
    return error_at(err, ERR_FORMAT, path, 0, "broken %s picture: %s", kind->name, why);
}

static enum result check_pixels(const char *path, int64_t w, int64_t h, struct error *err)
{
    /* Each side first: the product of two big sides could overflow. */
    if (w > IMAGE_MAX_PIXELS || h > IMAGE_MAX_PIXELS || w * h > IMAGE_MAX_PIXELS) {
        return error_at(err, ERR_FORMAT, path, 0,
                        "%lld x %lld pixels are over the limit of %d megapixels", (long long)w,
                        (long long)h, IMAGE_MAX_PIXELS / 1000000);
    }
    return OK;
}

/* ---- PNM (netpbm's pgm and ppm, binary) ----
 *
 * Not left to stb: 2.27 reads behind the end of 16-bit grey ones and takes the wrong byte of all.
 */

struct pnm {
    const unsigned char *bytes;
    size_t size, at;
};

/* The next number of the header; -1 if there is none or it is absurd. */
static int64_t pnm_number(struct pnm *p)
{
    while (p->at < p->size) {
        unsigned char c = p->bytes[p->at];
        if (c == '#') {
            while (p->at < p->size && p->bytes[p->at] != '\n' && p->bytes[p->at] != '\r') {
                p->at++;
            }
        } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
            p->at++;
        } else {
            break;
        }
    }
    int64_t value = -1;
    while (p->at < p->size && p->bytes[p->at] >= '0' && p->bytes[p->at] <= '9') {
        value = (value < 0 ? 0 : value) * 10 + (p->bytes[p->at++] - '0');
        if (value > INT_MAX) {
            return -1;
        }
    }
    return value;
}

/* 16 bits lose their low byte, as stb does with PNG; other depths are stretched to 255. */
static unsigned char pnm_sample(const unsigned char *bytes, bool wide, unsigned depth)
{
    unsigned value = wide ? (unsigned)bytes[0] << 8 | bytes[1] : bytes[0];
    if (depth == 255) {
        return (unsigned char)value;
    }
    if (depth == 65535) {
        return (unsigned char)(value >> 8);
    }
    value = value < depth ? value : depth;
    return (unsigned char)((value * 255 + depth / 2) / depth);
}

static enum result decode_pnm(const char *path, const unsigned char *bytes, size_t size,
                              struct image *image, struct error *err)
{
    const struct kind *kind = find_kind(bytes, size);
    struct pnm p = {.bytes = bytes, .size = size, .at = 2};
    int64_t w = pnm_number(&p);
    int64_t h = pnm_number(&p);
    int64_t depth = pnm_number(&p);
    p.at++; /* exactly one blank */
    if (w < 1 || h < 1 || depth < 1 || depth > 65535) {
        return broken(path, kind, "no width, height and depth in the header", err);
    }
    TRY(check_pixels(path, w, h, err));
    bool wide = depth > 255;
    size_t channels = bytes[1] == '6' ? 3 : 1;
    size_t step = wide ? 2 : 1;
    size_t pixels = (size_t)w * (size_t)h;
    if (p.at > size || (size - p.at) / (channels * step) < pixels) {
        return broken(path, kind, "the file ends too early (truncated?)", err);
    }
    unsigned char *rgb = mem_alloc_raw(pixels, 3);
    if (!rgb) {
        return mem_error(err, path);
    }
    const unsigned char *in = bytes + p.at;
    for (size_t i = 0; i < pixels; i++) {
        for (size_t k = 0; k < 3; k++) {
            size_t from = channels == 3 ? i * 3 + k : i;
            rgb[i * 3 + k] = pnm_sample(in + from * step, wide, (unsigned)depth);
        }
    }
    *image = (struct image){.w = (int)w, .h = (int)h, .rgb = rgb};
    return OK;
}

/* ---- everything else: stb ---- */

/* Fed through callbacks rather than from memory, because stb pads a file that ends early with zeros
 * and calls the grey rest a picture; here it shows that more was asked for than there is. */
struct source {
    const unsigned char *bytes;
    size_t size, at;
    const void *refill; /* stb's own buffer: filling it less than full is normal */
    bool ended_early;
};

static int source_read(void *user, char *data, int size)
{
    struct source *s = user;
    size_t left = s->size - s->at;
    size_t count = left < (size_t)size ? left : (size_t)size;
    if (!s->refill) {
        s->refill = data;
    }
    if (count == 0 || (count < (size_t)size && data != s->refill)) {
        s->ended_early = true;
    }
    memcpy(data, s->bytes + s->at, count);
    s->at += count;
    return (int)count;
}

static void source_skip(void *user, int count)
{
    struct source *s = user;
    if (count < 0) { /* stb gives back bytes it has read ahead */
        size_t back = (size_t) - (int64_t)count;
        s->at -= back < s->at ? back : s->at;
        return;
    }
    if ((size_t)count > s->size - s->at) {
        s->ended_early = true;
        s->at = s->size;
        return;
    }
    s->at += (size_t)count;
}

static int source_at_end(void *user)
{
    const struct source *s = user;
    return s->at >= s->size;
}

/* stb's words for it. Where it gives none, those of its last attempt to see another kind in the
 * file are still there. */
static const char *failure_reason(const struct kind *kind)
{
    const char *reason = stbi_failure_reason();
    bool stale = !reason || !reason[0] || strcmp(reason, "unknown image type") == 0 ||
                 (strcmp(reason, "bad png sig") == 0 && strcmp(kind->name, "PNG") != 0);
    return stale ? "damaged" : reason;
}

static enum result decode_stb(const char *path, const unsigned char *bytes, size_t size,
                              struct image *image, struct error *err)
{
    const struct kind *kind = find_kind(bytes, size);
    int w = 0;
    int h = 0;
    int channels = 0;
    if (stbi_info_from_memory(bytes, (int)size, &w, &h, &channels)) {
        TRY(check_pixels(path, w, h, err));
        /* before memory and time go into it */
        if ((int64_t)w * h / kind->density > (int64_t)size) {
            return broken(path, kind, "the file ends too early (truncated?)", err);
        }
    } else if (kind == &tga) {
        return error_at(err, ERR_FORMAT, path, 0, "not a picture (" READABLE ")");
    } /* else loading fails in the same place, but says why */
    struct source source = {.bytes = bytes, .size = size};
    const stbi_io_callbacks callbacks = {source_read, source_skip, source_at_end};
    stb_memory_refused();
    unsigned char *rgb = stbi_load_from_callbacks(&callbacks, &source, &w, &h, &channels, 3);
    if (rgb && !source.ended_early && w > 0 && h > 0) {
        *image = (struct image){.w = w, .h = h, .rgb = rgb};
        return OK;
    }
    mem_free(rgb);
    if (stb_memory_refused()) {
        return mem_error(err, path);
    }
    if (source.ended_early) {
        return broken(path, kind, "the file ends too early (truncated?)", err);
    }
    return broken(path, kind, failure_reason(kind), err);
}

enum result image_decode(const char *path, const unsigned char *bytes, size_t size,
                         struct image *image, struct error *err)
{
    *image = (struct image){0};
    if (size == 0) {
        return error_at(err, ERR_FORMAT, path, 0, "empty file");
    }
    if (size > FILE_MAX_BYTES) {
        return error_at(err, ERR_FORMAT, path, 0, "over %d bytes", FILE_MAX_BYTES);
    }
    const struct kind *kind = find_kind(bytes, size);
    if (kind->density == 0) {
        return error_at(err, ERR_FORMAT, path, 0, "%s is not supported (" READABLE "; convert it)",
                        kind->name);
    }
    if (strcmp(kind->name, "PNM") == 0) {
        return decode_pnm(path, bytes, size, image, err);
    }
    TRY(decode_stb(path, bytes, size, image, err));
    enum result result = exif_turn(exif_orientation(bytes, size), image, err);
    if (result != OK) {
        image_free(image);
    }
    return result;
}

enum result image_read(const char *path, struct image *image, struct error *err)
{
    *image = (struct image){0};
    if (path_is_dir(path)) {
        return error_at(err, ERR_IO, path, 0, "is a folder, not a picture");
    }
    char *bytes;
    size_t size;
    TRY(file_read(path, FILE_MAX_BYTES, &bytes, &size, err));
    enum result result = image_decode(path, (const unsigned char *)bytes, size, image, err);
    mem_free(bytes);
    return result;
}

enum result image_read_size(const char *path, int *w, int *h, struct error *err)
{
    enum { HEAD = 128 * 1024 }; /* before a JPEG's size there may be a preview of 64 kB */
    int channels;
    unsigned char *head = mem_alloc_raw(HEAD, 1);
    if (!head) {
        return mem_error(err, path);
    }
    FILE *file;
    size_t size = 0;
    if (file_open(path, &file, NULL, NULL) == OK) {
        size = fread(head, 1, HEAD, file);
        fclose(file);
    }
    bool known = size > 0 && find_kind(head, size) != &tga &&
                 stbi_info_from_memory(head, (int)size, w, h, &channels) != 0;
    bool is_on_side = known && exif_orientation(head, size) >= 5;
    mem_free(head);
    if (is_on_side) {
        int stored = *w;
        *w = *h;
        *h = stored;
    }
    if (known) {
        return check_pixels(path, *w, *h, err);
    }
    struct image image;
    TRY(image_read(path, &image, err));
    *w = image.w;
    *h = image.h;
    image_free(&image);
    return OK;
}

/* ---- writing ---- */

/* stb hands over single bytes of a JPEG: gathered here, a locked fwrite per byte would cost more
 * than the transform. Errors stay in the stream until the commit. */
struct sink {
    FILE *stream;
    size_t used;
    unsigned char bytes[16384];
};

static void sink_flush(struct sink *s)
{
    fwrite(s->bytes, 1, s->used, s->stream);
    s->used = 0;
}

static void sink_write(void *user, void *data, int size)
{
    struct sink *s = user;
    size_t count = (size_t)size;
    if (count > sizeof s->bytes - s->used) {
        sink_flush(s);
    }
    if (count > sizeof s->bytes) {
        fwrite(data, 1, count, s->stream);
        return;
    }
    memcpy(s->bytes + s->used, data, count);
    s->used += count;
}

enum writer { WRITE_NONE, WRITE_PNG, WRITE_JPEG, WRITE_BMP, WRITE_TGA };

static enum writer find_writer(const char *path)
{
    static const struct {
        const char *ending;
        enum writer writer;
    } table[] = {
        {".png", WRITE_PNG}, {".jpg", WRITE_JPEG}, {".jpeg", WRITE_JPEG},
        {".bmp", WRITE_BMP}, {".tga", WRITE_TGA},
    };
    const char *dot = strrchr(path_base(path), '.');
    for (size_t i = 0; dot && i < sizeof table / sizeof table[0]; i++) {
        if (strcasecmp(dot, table[i].ending) == 0) {
            return table[i].writer;
        }
    }
    return WRITE_NONE;
}

static bool encode(enum writer writer, struct sink *sink, const struct image *image)
{
    int w = image->w;
    int h = image->h;
    switch (writer) {
    case WRITE_PNG:
        return stbi_write_png_to_func(sink_write, sink, w, h, 3, image->rgb, w * 3);
    case WRITE_JPEG:
        return stbi_write_jpg_to_func(sink_write, sink, w, h, 3, image->rgb, JPEG_QUALITY);
    case WRITE_BMP:
        return stbi_write_bmp_to_func(sink_write, sink, w, h, 3, image->rgb);
    case WRITE_TGA:
        return stbi_write_tga_to_func(sink_write, sink, w, h, 3, image->rgb);
    case WRITE_NONE:
        break;
    }
    return false;
}

enum result image_write(const char *path, const struct image *image, struct error *err)
{
    enum writer writer = find_writer(path);
    if (writer == WRITE_NONE) {
        return error_at(err, ERR_ARG, path, 0,
                        "unknown kind of picture (end the name in .png, .jpg, .bmp or .tga)");
    }
    if ((writer == WRITE_JPEG || writer == WRITE_TGA) &&
        (image->w > SHORT_SIDE_MAX || image->h > SHORT_SIDE_MAX)) {
        return error_at(err, ERR_ARG, path, 0, "%d x %d is too big for this kind (use .png)",
                        image->w, image->h);
    }
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    file.skips_sync = true;
    struct sink sink = {.stream = file.stream};
    if (!encode(writer, &sink, image)) {
        atomic_abandon(&file);
        return mem_error(err, path);
    }
    sink_flush(&sink);
    return atomic_commit(&file, err);
}
