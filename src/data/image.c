#include "data/image.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/memory.h"
#include "data/exif.h"
#include "data/image_kind.h"
#include "data/jpeg.h"
#include "data/stb.h"

#define STBI_NO_STDIO
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

enum {
    FILE_MAX_BYTES = 1 << 30,
    QUALITY = 90, /* of a JPEG */
    SAMPLE_QUALITY = 92,
    SHORT_SIDE_MAX = 65535,
    DEEP = 65535,  /* the largest of 16 bits */
    DIM_LEVEL = 15 /* what 12 bits reach of them, in the upper eight */
};

#define ENDS_EARLY "the file ends too early (truncated?)"

#define READABLE "JPEG, PNG, BMP, GIF, TGA, PSD and binary PNM can be read"

static enum image_jpeg jpeg_decoder;

void image_choose_jpeg(enum image_jpeg decoder)
{
    jpeg_decoder = decoder;
}

enum image_jpeg image_jpeg_chosen(void)
{
    return jpeg_decoder;
}

void image_paste(struct image *to, const struct image *from, int x, int y)
{
    to->lacks_text = to->lacks_text || from->lacks_text;
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

static enum result broken(const char *path, const struct image_kind *kind, const char *why,
                          struct error *err)
{
    return error_at(err, ERR_FORMAT, path, 0, "broken %s picture: %s", kind->name, why);
}

static enum result not_read(const char *path, const char *what, struct error *err)
{
    return error_at(err, ERR_FORMAT, path, 0, "%s is not supported (" READABLE "; convert it)",
                    what);
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

const char image_dim_text[] = "nearly black: of its 16 bits a channel only the upper 8 are used, "
                              "and they hold next to nothing "
                              "(10 or 12 bits of data? scale the values to 16 bits)";

static bool is_nearly_black(const struct image *image)
{
    size_t count = (size_t)image->w * (size_t)image->h * 3;
    for (size_t i = 0; i < count; i++) {
        if (image->rgb[i] > DIM_LEVEL) {
            return false;
        }
    }
    return true;
}

/* ---- PNM (netpbm's pgm and ppm, binary) ----
 *
 * Not left to stb: 2.27 reads behind the end of 16-bit grey ones and takes the wrong byte of all. */

struct pnm {
    const unsigned char *bytes;
    size_t size, at;
    int w, h;
    unsigned depth;
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
    if (depth == DEEP) {
        return (unsigned char)(value >> 8);
    }
    value = value < depth ? value : depth;
    return (unsigned char)((value * 255 + depth / 2) / depth);
}

/* Width, height and depth, checked; .at is then where the samples begin. */
static enum result pnm_header(const char *path, struct pnm *p, struct error *err)
{
    p->at = 2;
    int64_t w = pnm_number(p);
    int64_t h = pnm_number(p);
    int64_t depth = pnm_number(p);
    p->at++; /* exactly one blank */
    if (w < 1 || h < 1 || depth < 1 || depth > DEEP) {
        return broken(path, image_kind_find(p->bytes, p->size),
                      "no width, height and depth in the header", err);
    }
    TRY(check_pixels(path, w, h, err));
    p->w = (int)w;
    p->h = (int)h;
    p->depth = (unsigned)depth;
    return OK;
}

static enum result decode_pnm(const char *path, const unsigned char *bytes, size_t size,
                              struct image *image, struct error *err)
{
    struct pnm p = {.bytes = bytes, .size = size};
    TRY(pnm_header(path, &p, err));
    bool wide = p.depth > 255;
    size_t channels = bytes[1] == '6' ? 3 : 1;
    size_t step = wide ? 2 : 1;
    size_t pixels = (size_t)p.w * (size_t)p.h;
    if (p.at > size || (size - p.at) / (channels * step) < pixels) {
        return broken(path, image_kind_find(bytes, size), ENDS_EARLY, err);
    }
    unsigned char *rgb = mem_alloc_raw(pixels, 3);
    if (!rgb) {
        return mem_error(err, path);
    }
    const unsigned char *in = bytes + p.at;
    for (size_t i = 0; i < pixels; i++) {
        for (size_t k = 0; k < 3; k++) {
            size_t from = channels == 3 ? i * 3 + k : i;
            rgb[i * 3 + k] = pnm_sample(in + from * step, wide, p.depth);
        }
    }
    *image = (struct image){.w = p.w, .h = p.h, .rgb = rgb};
    image->is_dim = p.depth == DEEP && is_nearly_black(image);
    return OK;
}

/* ---- everything else: stb, and libjpeg where it is chosen ---- */

/* Fed through callbacks rather than from memory, because stb pads a file that ends early with zeros
 * and calls the grey rest a picture; here it shows that more was asked for than there is. */
struct source {
    const unsigned char *bytes;
    size_t size, at;
    const void *refill; /* stb's own buffer: filling it less than full is normal */
    bool ended_early;
    int w, h; /* of the picture that was read */
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

struct header {
    const unsigned char *bytes;
    size_t size;
    int w, h;
    bool is_known;
};

static void *read_header(void *ctx)
{
    struct header *h = ctx;
    int channels;
    h->is_known = stbi_info_from_memory(h->bytes, (int)h->size, &h->w, &h->h, &channels) != 0;
    return NULL;
}

/* Width and height as the header states them. The one place where stb's sizes come in: a top-down
 * BMP has a negative height, a PSD may have anything. False if stb makes nothing of the header,
 * which may be cut off; OK with *known. */
static enum result stb_size(const char *path, const struct image_kind *kind,
                            const unsigned char *bytes, size_t size, int *w, int *h, bool *known,
                            struct error *err)
{
    struct header header = {.bytes = bytes, .size = size};
    bool is_refused = stb_call(read_header, &header).is_refused;
    *known = header.is_known;
    if (!*known) {
        return is_refused ? mem_error(err, path) : OK;
    }
    int64_t wide = header.w, high = header.h;
    if (high < 0 && strcmp(kind->name, "BMP") == 0) {
        high = -high;
    }
    if (wide < 1 || high < 1) {
        return broken(path, kind, "no width and height in the header", err);
    }
    TRY(check_pixels(path, wide, high, err));
    *w = (int)wide;
    *h = (int)high;
    return OK;
}

/* Why stb gave no picture. stb sometimes sets no reason; then that of its attempt at another
 * kind is still there. */
static enum result stb_failure(const char *path, const struct image_kind *kind,
                               const unsigned char *bytes, size_t size, bool ended_early,
                               struct error *err)
{
    const char *reason = stbi_failure_reason();
    const char *form = image_kind_unread(kind, bytes, size);
    if (form) {
        return not_read(path, form, err);
    }
    if (ended_early) {
        return broken(path, kind, ENDS_EARLY, err);
    }
    if (reason && (strcmp(reason, "too large") == 0 || strcmp(reason, "outofmem") == 0)) {
        return error_at(err, ERR_FORMAT, path, 0,
                        "too large a picture (at most %d megapixels, half of that with 16 bits a "
                        "channel, %d pixels a side)",
                        IMAGE_MAX_PIXELS / 1000000, STB_MAX_SIDE);
    }
    bool stale = !reason || !reason[0] || strcmp(reason, "unknown image type") == 0 ||
                 (strcmp(reason, "bad png sig") == 0 && strcmp(kind->name, "PNG") != 0);
    return broken(path, kind, stale ? "damaged" : reason, err);
}

/* Which way the stored picture is walked along a row and down a column of the upright one. */
static const struct {
    bool is_transposed, from_right, from_bottom; /* of the stored picture */
} walks[9] = {
    [2] = {false, true, false}, [3] = {false, true, true}, [4] = {false, false, true},
    [5] = {true, false, false}, [6] = {true, false, true}, [7] = {true, true, true},
    [8] = {true, true, false},
};

enum result image_turn(int orientation, struct image *image, struct error *err)
{
    if (orientation < 2 || orientation > 8) {
        return OK;
    }
    bool transposed = walks[orientation].is_transposed;
    size_t w = (size_t)image->w, h = (size_t)image->h;
    size_t out_w = transposed ? h : w, out_h = transposed ? w : h;
    unsigned char *upright = mem_alloc_raw(w * h, 3);
    if (!upright) {
        return mem_error(err, "turning a picture");
    }
    unsigned char *to = upright;
    for (size_t y = 0; y < out_h; y++) {
        for (size_t x = 0; x < out_w; x++) {
            size_t column = transposed ? y : x, row = transposed ? x : y;
            column = walks[orientation].from_right ? w - 1 - column : column;
            row = walks[orientation].from_bottom ? h - 1 - row : row;
            memcpy(to, image->rgb + (row * w + column) * 3, 3);
            to += 3;
        }
    }
    mem_free(image->rgb);
    *image = (struct image){.w = (int)out_w, .h = (int)out_h, .rgb = upright};
    return OK;
}

static void *read_pixels(void *ctx)
{
    struct source *source = ctx;
    const stbi_io_callbacks callbacks = {source_read, source_skip, source_at_end};
    int channels;
    return stbi_load_from_callbacks(&callbacks, source, &source->w, &source->h, &channels, 3);
}

/* False leaves the file to stb, which says what is wrong with it, or reads its four colours. */
static bool decode_jpeg(const unsigned char *bytes, size_t size, int w, int h, struct image *image)
{
    unsigned char *rgb = mem_alloc_raw((size_t)w * (size_t)h, 3);
    if (!rgb || !jpeg_read(bytes, size, w, h, rgb)) {
        mem_free(rgb);
        return false;
    }
    *image = (struct image){.w = w, .h = h, .rgb = rgb};
    return true;
}

static enum result decode(const char *path, const unsigned char *bytes, size_t size,
                          struct image *image, struct error *err)
{
    const struct image_kind *kind = image_kind_find(bytes, size);
    int w = 0;
    int h = 0;
    bool known;
    TRY(stb_size(path, kind, bytes, size, &w, &h, &known, err));
    if (known && !image_kind_can_hold(kind, size, (int64_t)w * h)) {
        return broken(path, kind, ENDS_EARLY, err); /* before memory and time go into it */
    }
    if (!known && kind->is_guess) {
        return error_at(err, ERR_FORMAT, path, 0, "not a picture (" READABLE ")");
    } /* what is not known fails to load in the same place, but says why */
    if (known && kind->decoder == DECODER_JPEG && jpeg_decoder == IMAGE_JPEG_TURBO &&
        decode_jpeg(bytes, size, w, h, image)) {
        return OK;
    }
    struct source source = {.bytes = bytes, .size = size};
    struct stb_outcome outcome = stb_call(read_pixels, &source);
    unsigned char *rgb = outcome.kept;
    w = source.w;
    h = source.h;
    if (!rgb || !known || source.ended_early || w < 1 || h < 1) {
        mem_free(rgb);
        if (outcome.is_refused) {
            return mem_error(err, path);
        }
        return stb_failure(path, kind, bytes, size, source.ended_early, err);
    }
    *image = (struct image){.w = w, .h = h, .rgb = rgb};
    image->is_dim = image_kind_is_deep(kind, bytes, size) && is_nearly_black(image);
    return OK;
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
    const struct image_kind *kind = image_kind_find(bytes, size);
    if (kind->decoder == DECODER_NONE) {
        return not_read(path, kind->name, err);
    }
    if (kind->decoder == DECODER_PNM) {
        return decode_pnm(path, bytes, size, image, err);
    }
    TRY(decode(path, bytes, size, image, err));
    enum result result = image_turn(exif_orientation(bytes, size), image, err);
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

/* From a file's first bytes, where they tell it. */
static enum result head_size(const char *path, const unsigned char *head, size_t size, int *w,
                             int *h, bool *known, struct error *err)
{
    const struct image_kind *kind = image_kind_find(head, size);
    *known = false;
    if (kind->decoder == DECODER_NONE || kind->decoder == DECODER_PNM || kind->is_guess) {
        return OK;
    }
    TRY(stb_size(path, kind, head, size, w, h, known, err));
    if (*known && exif_orientation(head, size) >= 5) {
        int stored = *w;
        *w = *h;
        *h = stored;
    }
    return OK;
}

enum result image_read_size(const char *path, int *w, int *h, struct error *err)
{
    enum { HEAD = 128 * 1024 }; /* before a JPEG's size there may be a preview of 64 kB */
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
    bool known;
    enum result result = head_size(path, head, size, w, h, &known, err);
    mem_free(head);
    if (result != OK || known) {
        return result;
    }
    struct image image;
    TRY(image_read(path, &image, err));
    *w = image.w;
    *h = image.h;
    image_free(&image);
    return OK;
}

/* ---- writing ---- */

/* Errors stay in the stream until the commit. */
static void sink(void *stream, void *data, int size)
{
    fwrite(data, 1, (size_t)size, stream);
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

struct encoding {
    enum writer writer;
    const struct image *image;
    FILE *stream;
    bool is_done;
};

static void *encode(void *ctx)
{
    struct encoding *e = ctx;
    FILE *to = e->stream;
    const unsigned char *rgb = e->image->rgb;
    int w = e->image->w, h = e->image->h, done = 0;
    switch (e->writer) {
    case WRITE_PNG:
        done = stbi_write_png_to_func(sink, to, w, h, 3, rgb, w * 3);
        break;
    case WRITE_BMP:
        done = stbi_write_bmp_to_func(sink, to, w, h, 3, rgb);
        break;
    case WRITE_TGA:
        done = stbi_write_tga_to_func(sink, to, w, h, 3, rgb);
        break;
    case WRITE_JPEG:
    case WRITE_NONE:
        break;
    }
    e->is_done = done != 0;
    return NULL;
}

static bool write_stb(enum writer writer, const struct image *image, FILE *stream)
{
    struct encoding encoding = {.writer = writer, .image = image, .stream = stream};
    return stb_call(encode, &encoding).is_done && encoding.is_done;
}

static enum result write_as(const char *path, const struct image *image, bool is_sample,
                            struct error *err)
{
    enum writer writer = find_writer(path);
    if (image->lacks_text) {
        return mem_error(err, path);
    }
    if (writer == WRITE_NONE) {
        return error_at(err, ERR_ARG, path, 0,
                        "unknown kind of picture (end the name in .png, .jpg, .bmp or .tga)");
    }
    int most = writer == WRITE_JPEG ? JPEG_MOST : writer == WRITE_TGA ? SHORT_SIDE_MAX : INT_MAX;
    if (image->w > most || image->h > most) {
        return error_at(err, ERR_ARG, path, 0, "%d x %d is too big for this kind (use .png)",
                        image->w, image->h);
    }
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    file.skips_sync = true;
    int quality = is_sample ? SAMPLE_QUALITY : QUALITY;
    bool is_done = writer == WRITE_JPEG
                       ? jpeg_write(file.stream, image->rgb, image->w, image->h, quality, is_sample)
                       : write_stb(writer, image, file.stream);
    if (!is_done) {
        atomic_abandon(&file);
        return mem_error(err, path);
    }
    return atomic_commit(&file, err);
}

enum result image_write(const char *path, const struct image *image, struct error *err)
{
    return write_as(path, image, false, err);
}

enum result image_write_sample(const char *path, const struct image *image, struct error *err)
{
    return write_as(path, image, true, err);
}
