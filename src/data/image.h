/* 8-bit RGB pictures: reading, writing, and Darknet's ways to the network's input and back. */
#ifndef DATA_IMAGE_H
#define DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "kernels/tensor.h"

struct image {
    int w, h;
    unsigned char *rgb; /* [h][w][3], owned */
    bool is_dim;        /* read from 16 bits a channel, and all but black */
    bool lacks_text;    /* memory ran out while it was drawn on: image_write refuses it */
};

/* What to tell of a picture that is_dim, behind its name. */
extern const char image_dim_text[];

/* Most pixels a picture may have (bombs); checked from the header before decoding. */
enum { IMAGE_MAX_PIXELS = 256 * 1024 * 1024 };

/* Who decodes a JPEG of which libjpeg finds no fault; every other file is stb's in any case, and so are all errors. */
enum image_jpeg {
    IMAGE_JPEG_STB, /* the pixels of Darknet without OpenCV */
    IMAGE_JPEG_TURBO /* those of OpenCV, so of Darknet with it, and of Ultralytics; other by up to 3 of 255 */
};
/* For the whole process, before its first picture; stb without it. */
void image_choose_jpeg(enum image_jpeg decoder);
enum image_jpeg image_jpeg_chosen(void);

/* By content (JPEG, PNG, BMP, GIF first frame, TGA, PSD, PNM); grey, alpha (dropped, as Darknet), palette and 16-bit
 * become 8-bit RGB, the values being those of stbi_load(..., 3), or of libjpeg where that was chosen; a JPEG is turned the way up that its EXIF block
 * states. ERR_IO / ERR_FORMAT with the path and the reason; a file that ends before its picture (a JPEG
 * without its end mark, too) is an error, although stb and so Darknet fill the rest with grey.
 * Thread-safe. */
NODISCARD enum result image_read(const char *path, struct image *image, struct error *err);
/* Width and height alone, as of image_read, from the header where that is possible: far cheaper. */
NODISCARD enum result image_read_size(const char *path, int *w, int *h, struct error *err);
NODISCARD enum result image_decode(const char *path, const unsigned char *bytes, size_t size,
                                   struct image *image, struct error *err);
/* By extension: .png .jpg .jpeg .bmp .tga; written to a temporary file and renamed. */
NODISCARD enum result image_write(const char *path, const struct image *image, struct error *err);
/* The same for pictures to learn from: a JPEG has colours at full resolution. */
NODISCARD enum result image_write_sample(const char *path, const struct image *image,
                                         struct error *err);
NODISCARD enum result image_new(int w, int h, struct image *image, struct error *err);
/* Copy `from` into `to` with its corner at (x, y), where it must fit. */
void image_paste(struct image *to, const struct image *from, int x, int y);
void image_free(struct image *image); /* accepts a zeroed struct */

/* How a picture comes into the network's input. */
enum image_way {
    IMAGE_STRETCH,
    IMAGE_LETTERBOX, /* its shape is kept, grey 0.5 around it (darknet-spec 4.3) */
    IMAGE_CROP       /* its shape is kept, its middle fills the input (darknet-spec 9.5) */
};

/* How a picture was fitted into the network input; what boxes need to find back. */
struct image_fit {
    int image_w, image_h;
    int net_w, net_h;
    /* The whole picture in the input's pixels. Stretch: 0, 0, net_w, net_h; crop: offsets of 0 or less. */
    int offset_x, offset_y, inner_w, inner_h;
};

/* ERR_UNSUPPORTED unless pictures can be fitted into an input of so many channels: 3 or 1. */
NODISCARD enum result image_check_channels(int channels, struct error *err);

/* Fit into image `n` of the channels-last input tensor (c = 3 or 1), values v / 255 in [0, 1], bilinear
 * with aligned corners as Darknet: source x = x * (w_in - 1) / (w_out - 1), horizontal pass first. One channel is stb's luma,
 * (77 r + 150 g + 29 b) >> 8. Channels beyond c up to the stride stay untouched. Thread-safe; serial.
 * ERR_MEMORY only. */
NODISCARD enum result image_to_input(const struct image *image, enum image_way way,
                                     const struct tensor *input, int n, struct image_fit *fit,
                                     struct error *err);

/* A plain resize of the 8-bit picture by the same sampling (thumbnails, crops). */
NODISCARD enum result image_resize(const struct image *image, int w, int h, struct image *out,
                                   struct error *err);

/* Bring a picture that is stored in this orientation the right way up. ERR_MEMORY leaves it as it was. */
NODISCARD enum result image_turn(int orientation, struct image *image, struct error *err);

#endif
