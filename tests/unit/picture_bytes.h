/* Pictures made byte by byte, and a folder for them. */
#ifndef TESTS_PICTURE_BYTES_H
#define TESTS_PICTURE_BYTES_H

#include <stdint.h>
#include <unistd.h>

#include "base/path.h"
#include "data/image.h"
#include "test.h"

static struct error err;
static char folder[] = "/tmp/test_pictures_XXXXXX";

static inline void remove_folder(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        perror(folder);
    }
}

/* A path in a folder of this run's own, made for the first that asks. */
static inline const char *in_folder(const char *name)
{
    static char path[4096];
    static bool made;
    if (!made) {
        made = true;
        if (!mkdtemp(folder) || atexit(remove_folder) != 0) {
            perror(folder);
        }
    }
    path_join(path, sizeof path, folder, name);
    return path;
}

static inline bool put_file(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    bool written = f && fwrite(bytes, 1, size, f) == size;
    return f && fclose(f) == 0 && written;
}

static inline bool same_image(const struct image *a, const struct image *b)
{
    return a->w == b->w && a->h == b->h && memcmp(a->rgb, b->rgb, (size_t)a->w * a->h * 3) == 0;
}

struct bytes {
    unsigned char data[8192];
    size_t size;
};

static inline void put(struct bytes *b, const void *data, size_t size)
{
    if (size <= sizeof b->data - b->size) {
        memcpy(b->data + b->size, data, size);
        b->size += size;
    }
}

static inline void put_be32(struct bytes *b, uint32_t v)
{
    unsigned char bytes[4] = {v >> 24, (v >> 16) & 255, (v >> 8) & 255, v & 255};
    put(b, bytes, 4);
}

static inline void put_chunk(struct bytes *b, const char *name, const void *data, size_t size)
{
    put_be32(b, (uint32_t)size);
    size_t start = b->size;
    put(b, name, 4);
    put(b, data, size);
    uint32_t crc = 0xffffffffu;
    for (size_t i = start; i < b->size; i++) {
        crc ^= b->data[i];
        for (int k = 0; k < 8; k++) {
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
    }
    put_be32(b, ~crc);
}

/* A PNG with one stored deflate block; rows include their filter byte. */
static inline struct bytes make_png(uint32_t w, uint32_t h, int depth, int type, const void *rows,
                                    size_t size)
{
    struct bytes b = {.size = 0};
    struct bytes part = {.size = 0};
    put(&b, "\x89PNG\r\n\x1a\n", 8);
    put_be32(&part, w);
    put_be32(&part, h);
    unsigned char mode[5] = {(unsigned char)depth, (unsigned char)type, 0, 0, 0};
    put(&part, mode, 5);
    put_chunk(&b, "IHDR", part.data, part.size);
    if (type == 3) {
        put_chunk(&b, "PLTE", "\x0a\x14\x1e\xc8\xd2\xdc", 6);
    }
    part.size = 0;
    unsigned char head[7] = {
        0x78, 0x01, 0x01, size & 255, size >> 8 & 255, ~size & 255, ~size >> 8 & 255};
    put(&part, head, 7);
    put(&part, rows, size);
    uint32_t one = 1;
    uint32_t two = 0;
    for (size_t i = 0; i < size; i++) {
        one = (one + ((const unsigned char *)rows)[i]) % 65521;
        two = (two + one) % 65521;
    }
    put_be32(&part, two << 16 | one);
    put_chunk(&b, "IDAT", part.data, part.size);
    put_chunk(&b, "IEND", "", 0);
    return b;
}

static inline void put_le32(struct bytes *b, uint32_t v)
{
    unsigned char bytes[4] = {v & 255, (v >> 8) & 255, (v >> 16) & 255, v >> 24};
    put(b, bytes, 4);
}

/* 24 bits a pixel; a negative height counts rows from the top. */
static inline struct bytes make_bmp(int w, int h, int bits, int packing, const void *rows,
                                    size_t size)
{
    struct bytes b = {.size = 0};
    put(&b, "BM", 2);
    put_le32(&b, (uint32_t)(54 + size));
    put_le32(&b, 0);
    put_le32(&b, 54);
    put_le32(&b, 40);
    put_le32(&b, (uint32_t)w);
    put_le32(&b, (uint32_t)h);
    put_le32(&b, 1 | (uint32_t)bits << 16);
    put_le32(&b, (uint32_t)packing);
    for (int i = 0; i < 5; i++) {
        put_le32(&b, 0);
    }
    put(&b, rows, size);
    return b;
}

static inline struct bytes make_gif(int w, int h)
{
    struct bytes b = {.size = 0};
    static const unsigned char frame[] =
        "\x80\0\0\xff\x80\x40\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
    unsigned char size[4] = {w & 255, w >> 8, h & 255, h >> 8};
    put(&b, "GIF89a", 6);
    put(&b, size, 4);
    put(&b, frame, sizeof frame - 1);
    return b;
}

static inline bool decodes_to(const struct bytes *b, int w, int h, const unsigned char *rgb)
{
    struct image image;
    if (image_decode("made", b->data, b->size, &image, &err) != OK) {
        printf("  %s\n", err.text);
        return false;
    }
    struct image want = {.w = w, .h = h, .rgb = (unsigned char *)rgb};
    bool same = same_image(&image, &want);
    image_free(&image);
    return same;
}

#endif
