/* What a JPEG says of the way up, in good and damaged files, and pictures turned by it. */
#include "data/exif.h"

#include "data/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "test.h"

static struct error err;
static char path[] = "/tmp/test_exif_XXXXXX.jpg";

static void remove_file(void)
{
    unlink(path);
}

/* A JPEG's beginning: an APP0, then EXIF with two entries in either byte order. */
static void orientation(void)
{
    static const unsigned char head[] = "\xff\xd8\xff\xe0\x00\x04zz\xff\xe1\x00\x2e"
                                        "Exif\0\0";
    static const unsigned char big[] = "MM\0*\0\0\0\x08\0\x02"
                                       "\x01\x0f\0\x02\0\0\0\x01\0\0\0\0"
                                       "\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    static const unsigned char little[] = "II*\0\x08\0\0\0\x02\0"
                                          "\x0f\x01\x02\0\x01\0\0\0\0\0\0\0"
                                          "\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0";
    unsigned char bytes[128];
    size_t size = sizeof head - 1 + 38;
    for (int which = 0; which < 2; which++) {
        memcpy(bytes, head, sizeof head - 1);
        memcpy(bytes + sizeof head - 1, which ? little : big, 38);
        CHECK(exif_orientation(bytes, size) == (which ? 8 : 6));
        for (size_t cut = 0; cut < size;
             cut++) { /* exactly as large as it says, for the sanitizer */
            unsigned char *copy = mem_alloc(cut, 1);
            CHECK(copy);
            memcpy(copy, bytes, cut);
            CHECK(exif_orientation(copy, cut) == 1);
            mem_free(copy);
        }
    }
    bytes[sizeof head - 1 + 30] = 9; /* no such orientation */
    CHECK(exif_orientation(bytes, size) == 1);
    memset(bytes + sizeof head - 1 + 4, 0xff, 4); /* a directory far outside */
    CHECK(exif_orientation(bytes, size) == 1);
    bytes[1] = 0xd9;
    CHECK(exif_orientation(bytes, size) == 1);
}

/* Where the stored first row's first and last pixel and the last row's first one are to be seen (CIPA DC-008,
 * "the 0th row is at the ... of the image"): 0 top left, 1 top right, 2 bottom left, 3 bottom right. */
static void turned(void)
{
    static const int corners[9][3] = {
        [1] = {0, 1, 2}, [2] = {1, 0, 3}, [3] = {3, 2, 1}, [4] = {2, 3, 0},
        [5] = {0, 2, 1}, [6] = {1, 3, 0}, [7] = {3, 1, 2}, [8] = {2, 0, 3},
    };
    enum { W = 40, H = 24 };
    static unsigned char file[1 << 16];
    struct image image;
    CHECK_OK(image_new(W, H, &image, &err));
    for (int i = 0; i < W * H; i++) {
        int x = i % W, y = i / W;
        unsigned char *pixel = image.rgb + (size_t)i * 3;
        pixel[0] = x < W / 2 ? 20 : 220; /* a colour for each quarter */
        pixel[1] = y < H / 2 ? 20 : 220;
        pixel[2] = 100;
    }
    int handle = mkstemps(path, 4);
    CHECK(handle >= 0 && close(handle) == 0 && atexit(remove_file) == 0);
    CHECK_OK(image_write(path, &image, &err));
    image_free(&image);
    char *bytes;
    size_t size;
    CHECK_OK(file_read(path, 32000, &bytes, &size, &err));
    for (int orientation = 1; orientation <= 8; orientation++) {
        unsigned char exif[] =
            "\xff\xe1\x00\x22"
            "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0";
        exif[29] = (unsigned char)orientation;
        memcpy(file, bytes, 2);
        memcpy(file + 2, exif, sizeof exif);
        memcpy(file + 2 + sizeof exif, bytes + 2, size - 2);
        FILE *stream = fopen(path, "wb");
        CHECK(stream && fwrite(file, 1, size + sizeof exif, stream) == size + sizeof exif);
        CHECK(fclose(stream) == 0);
        int w, h;
        bool is_turned = orientation >= 5;
        CHECK_OK(image_read_size(path, &w, &h, &err));
        CHECK(w == (is_turned ? H : W) && h == (is_turned ? W : H));
        CHECK_OK(image_read(path, &image, &err));
        CHECK(image.w == w && image.h == h);
        for (int k = 0; k < 3; k++) {
            int corner = corners[orientation][k];
            int x = corner & 1 ? w - 1 : 0, y = corner & 2 ? h - 1 : 0;
            const unsigned char *pixel = image.rgb + ((size_t)y * (size_t)w + (size_t)x) * 3;
            CHECK_MSG((pixel[0] > 120) == (k == 1) && (pixel[1] > 120) == (k == 2),
                      "orientation %d, corner %d", orientation, corner);
        }
        unsigned char *rgb = image.rgb;
        mem_fail_after(0);
        CHECK(image_turn(orientation, &image, &err) == (orientation == 1 ? OK : ERR_MEMORY));
        mem_fail_after(-1);
        CHECK(image.rgb == rgb);
        image_free(&image);
    }
    mem_free(bytes);
}

static const struct test_case cases[] = {
    {"orientation", orientation},
    {"turned", turned},
};

TEST_MAIN(cases)
