/* What a picture file is, told by its first bytes, and what of it is not read here. */
#ifndef DATA_IMAGE_KIND_H
#define DATA_IMAGE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum image_decoder {
    DECODER_NONE,
    DECODER_STB,
    DECODER_JPEG, /* stb, or libjpeg */
    DECODER_PNM
};

struct image_kind {
    const char *name;
    int at, length;
    const char *magic;
    enum image_decoder decoder;
    int density;   /* most pixels a byte of the file can stand for */
    int spare;     /* pixels that may be there without bytes for them */
    bool is_guess; /* it has no mark of its own, and nothing else fits (TGA) */
};

/* Never NULL. */
const struct image_kind *image_kind_find(const unsigned char *bytes, size_t size);

/* Can a file of `size` bytes hold a picture of so many pixels? */
bool image_kind_can_hold(const struct image_kind *kind, size_t size, int64_t pixels);

/* Which valid form of its kind the file is, if it is one that no decoder here reads ("JPEG with
 * arithmetic coding"); NULL: none that is known. */
const char *image_kind_unread(const struct image_kind *kind, const unsigned char *bytes,
                              size_t size);

/* 16 bits a channel, of which stb keeps the upper eight? */
bool image_kind_is_deep(const struct image_kind *kind, const unsigned char *bytes, size_t size);

#endif
