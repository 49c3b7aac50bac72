#include "data/image_kind.h"

#include <string.h>

#include "base/fileio.h"

/* Densities: a JPEG spends at least a bit on a block of 8 x 8 pixels, 16 of them with the strangest
 * subsampling; deflate reaches 1032 : 1, with 8 pixels a byte; LZW's longest string of 4096 pixels
 * takes over a byte; run lengths of TGA and PSD 128 pixels in two bytes. A GIF's screen may be any
 * size around a small frame: one of 16 megapixels costs no harm. */
static const struct image_kind kinds[] = {
    {"JPEG", 0, 3, "\xff\xd8\xff", DECODER_JPEG, 8192, 0, false},
    {"PNG", 0, 4, "\x89PNG", DECODER_STB, 8256, 0, false},
    {"GIF", 0, 4, "GIF8", DECODER_STB, 4096, 1 << 24, false},
    {"PSD", 0, 4, "8BPS", DECODER_STB, 64, 0, false},
    {"BMP", 0, 2, "BM", DECODER_STB, 8, 0, false},
    {"PNM", 0, 2, "P5", DECODER_PNM, 1, 0, false},
    {"PNM", 0, 2, "P6", DECODER_PNM, 1, 0, false},
    {"WebP", 8, 4, "WEBP", DECODER_NONE, 0, 0, false},
    {"TIFF", 0, 4, "II*\0", DECODER_NONE, 0, 0, false},
    {"TIFF", 0, 4, "MM\0*", DECODER_NONE, 0, 0, false},
    {"AVIF", 4, 8, "ftypavif", DECODER_NONE, 0, 0, false},
    {"HEIF, AVIF or video", 4, 4, "ftyp", DECODER_NONE, 0, 0, false},
    {"JPEG 2000", 0, 6, "\0\0\0\x0cjP", DECODER_NONE, 0, 0, false},
    {"JPEG XL", 0, 7, "\0\0\0\x0cJXL", DECODER_NONE, 0, 0, false},
    {"JPEG XL", 0, 2, "\xff\x0a", DECODER_NONE, 0, 0, false},
    {"OpenEXR", 0, 4, "\x76\x2f\x31\x01", DECODER_NONE, 0, 0, false},
    {"Radiance HDR", 0, 2, "#?", DECODER_NONE, 0, 0, false},
    {"PDF", 0, 4, "%PDF", DECODER_NONE, 0, 0, false},
};

static const struct image_kind tga = {"TGA", 0, 0, "", DECODER_STB, 64, 0, true};

const struct image_kind *image_kind_find(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct image_kind *k = &kinds[i];
        if (size >= (size_t)(k->at + k->length) &&
            memcmp(bytes + k->at, k->magic, (size_t)k->length) == 0) {
            return k;
        }
    }
    return &tga;
}

bool image_kind_can_hold(const struct image_kind *kind, size_t size, int64_t pixels)
{
    return pixels <= kind->spare || pixels / kind->density <= (int64_t)size;
}

static bool is_named(const struct image_kind *kind, const char *name)
{
    return strcmp(kind->name, name) == 0;
}

/* Big-endian numbers at an offset; 0 behind the end. */
static unsigned be16_at(const unsigned char *bytes, size_t size, size_t at)
{
    return at + 2 <= size ? (unsigned)bytes[at] << 8 | bytes[at + 1] : 0;
}

static uint32_t be32_at(const unsigned char *bytes, size_t size, size_t at)
{
    return (uint32_t)be16_at(bytes, size, at) << 16 | be16_at(bytes, size, at + 2);
}

/* By the frame header (SOFn, ITU T.81 B.2.2): length, bits of a sample, height, width. */
static const char *unread_jpeg(const unsigned char *bytes, size_t size)
{
    enum { FIRST_FRAME = 0xc0, LAST_FRAME = 0xcf, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc, SCAN = 0xda };
    size_t at = 2;
    while (at + 4 <= size && bytes[at] == 0xff) {
        int marker = bytes[at + 1];
        if (marker == 0xff) { /* a fill byte */
            at++;
            continue;
        }
        if (marker == SCAN) {
            break;
        }
        if (marker < FIRST_FRAME || marker > LAST_FRAME || marker == DHT || marker == JPG ||
            marker == DAC) {
            at += 2 + (size_t)be16_at(bytes, size, at + 2);
            continue;
        }
        return marker > JPG          ? "JPEG with arithmetic coding"
               : marker > 0xc3       ? "hierarchical JPEG"
               : marker == 0xc3      ? "lossless JPEG"
               : at + 9 > size       ? NULL
               : bytes[at + 4] == 12 ? "JPEG of 12 bits a sample"
               : bytes[at + 5] == 0 && bytes[at + 6] == 0
                   ? "JPEG that states its height behind the picture"
                   : NULL;
    }
    return NULL;
}

static const char *unread_bmp(const unsigned char *bytes, size_t size)
{
    enum { OLD = 16, SHORT = 40, MASKS = 52, LONG = 64 };
    uint32_t header = size >= 18 ? le32(bytes + 14) : 0;
    if (header == OLD || header == MASKS || header == LONG) {
        return "BMP with a header of this length";
    }
    if (header < SHORT || size < 34) {
        return NULL;
    }
    unsigned bits = bytes[28] | (unsigned)bytes[29] << 8;
    uint32_t packing = le32(bytes + 30);
    return packing == 1 || packing == 2   ? "run-length coded BMP"
           : packing == 4 || packing == 5 ? "BMP around a JPEG or PNG"
           : bits == 2 || bits == 64      ? "BMP of this many bits a pixel"
                                          : NULL;
}

/* Head of 26 bytes: version at 4, channels at 12, depth at 22, colour mode at 24; then three
 * sections with their lengths, then how the picture is packed. */
static const char *unread_psd(const unsigned char *bytes, size_t size)
{
    enum { HEAD = 26, RGB = 3, MOST_CHANNELS = 16, ZIP = 2 };
    if (size < HEAD) {
        return NULL;
    }
    unsigned depth = be16_at(bytes, size, 22);
    if (be16_at(bytes, size, 4) == 2) {
        return "PSB";
    }
    if (be16_at(bytes, size, 24) != RGB) {
        return "PSD in another colour mode than RGB";
    }
    if (depth == 1 || depth == 32) {
        return "PSD of this many bits a channel";
    }
    if (be16_at(bytes, size, 12) > MOST_CHANNELS) {
        return "PSD of over 16 channels";
    }
    uint64_t at = HEAD;
    for (int section = 0; section < 3 && at < size; section++) {
        at += 4 + (uint64_t)be32_at(bytes, size, (size_t)at);
    }
    return at < size && be16_at(bytes, size, (size_t)at) >= ZIP ? "PSD packed by ZIP" : NULL;
}

const char *image_kind_unread(const struct image_kind *kind, const unsigned char *bytes,
                              size_t size)
{
    return is_named(kind, "JPEG")  ? unread_jpeg(bytes, size)
           : is_named(kind, "BMP") ? unread_bmp(bytes, size)
           : is_named(kind, "PSD") ? unread_psd(bytes, size)
                                   : NULL;
}

bool image_kind_is_deep(const struct image_kind *kind, const unsigned char *bytes, size_t size)
{
    enum { PNG_DEPTH = 24, PSD_DEPTH = 22 };
    return (is_named(kind, "PNG") && size > PNG_DEPTH && bytes[PNG_DEPTH] == 16) ||
           (is_named(kind, "PSD") && be16_at(bytes, size, PSD_DEPTH) == 16);
}
