#include "data/exif.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MARKER_APP1 = 0xe1, MARKER_SCAN = 0xda, TAG_ORIENTATION = 0x0112, ENTRY_BYTES = 12 };

/* A TIFF block, in either byte order. */
struct tiff {
    const unsigned char *bytes;
    size_t size;
    bool is_big;
};

/* `count` (2 or 4) bytes as a number; 0 past the end. */
static uint32_t number_at(const struct tiff *t, size_t at, size_t count)
{
    uint32_t value = 0;
    if (at > t->size || count > t->size - at) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | t->bytes[at + (t->is_big ? i : count - 1 - i)];
    }
    return value;
}

static int tiff_orientation(const unsigned char *bytes, size_t size)
{
    struct tiff t = {bytes, size, size >= 2 && memcmp(bytes, "MM", 2) == 0};
    size_t at = number_at(&t, 4, 4);
    size_t entries = number_at(&t, at, 2);
    for (size_t i = 0; i < entries && at + 2 + (i + 1) * ENTRY_BYTES <= size; i++) {
        size_t entry = at + 2 + i * ENTRY_BYTES;
        if (number_at(&t, entry, 2) == TAG_ORIENTATION) {
            uint32_t value = number_at(&t, entry + 8, 2);
            return value >= 1 && value <= 8 ? (int)value : 1;
        }
    }
    return 1;
}

int exif_orientation(const unsigned char *bytes, size_t size)
{
    size_t at = 2;
    if (size < 4 || bytes[0] != 0xff || bytes[1] != 0xd8) {
        return 1;
    }
    while (size - at >= 4 && bytes[at] == 0xff && bytes[at + 1] != MARKER_SCAN) {
        size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        const unsigned char *segment = bytes + at + 4;
        if (length < 2 || length + 2 > size - at) {
            return 1;
        }
        if (bytes[at + 1] == MARKER_APP1 && length >= 8 && memcmp(segment, "Exif\0\0", 6) == 0) {
            return tiff_orientation(segment + 6, length - 8);
        }
        at += 2 + length;
    }
    return 1;
}
