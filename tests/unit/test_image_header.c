/* What headers say of a picture's size, and what of valid files is not read here. */
#include "data/image.h"

#include "picture_bytes.h"

static struct bytes make_psd(int w, int h, int channels, int depth, int mode, int packing)
{
    struct bytes b = {.size = 0};
    unsigned char head[14] = {'8', 'B', 'P', 'S', 0, 1, 0,
                              0,   0,   0,   0,   0, 0, (unsigned char)channels};
    unsigned char tail[4] = {0, (unsigned char)depth, 0, (unsigned char)mode};
    put(&b, head, 14);
    put_be32(&b, (uint32_t)h);
    put_be32(&b, (uint32_t)w);
    put(&b, tail, 4);
    for (int i = 0; i < 3; i++) {
        put_be32(&b, 0); /* no sections */
    }
    put(&b, (unsigned char[]){0, (unsigned char)packing}, 2);
    return b;
}

/* Start of image and a frame header of one component. */
static struct bytes make_jpeg(int marker, int bits, int w, int h)
{
    struct bytes b = {.size = 0};
    unsigned char frame[13] = {0xff,
                               (unsigned char)marker,
                               0,
                               11,
                               (unsigned char)bits,
                               h >> 8,
                               h & 255,
                               w >> 8,
                               w & 255,
                               1,
                               1,
                               0x11,
                               0};
    put(&b, "\xff\xd8\xff\xe0\0\x04\0\0\xff\xff", 9);
    put(&b, frame, sizeof frame);
    put(&b, "\xff\xd9", 2);
    return b;
}

static bool has_size(const struct bytes *b, int w, int h)
{
    const char *path = in_folder("size.dat");
    int got_w = 0, got_h = 0;
    bool right = put_file(path, b->data, b->size) &&
                 image_read_size(path, &got_w, &got_h, &err) == OK && got_w == w && got_h == h;
    if (!right) {
        printf("  %d x %d, %s\n", got_w, got_h, err.text);
    }
    return right;
}

static bool is_not_read(const struct bytes *b, const char *text)
{
    struct image image;
    memset(&err, 0, sizeof err);
    bool right = image_decode("made", b->data, b->size, &image, &err) == ERR_FORMAT &&
                 strstr(err.text, text);
    if (!right) {
        printf("  %s; wanted %s\n", err.text, text);
    }
    return right;
}

/* Neither read nor measured, and both in the same words. */
static bool is_refused(const struct bytes *b, const char *text)
{
    const char *path = in_folder("size.dat");
    int w = 0, h = 0;
    memset(&err, 0, sizeof err);
    bool right = put_file(path, b->data, b->size) &&
                 image_read_size(path, &w, &h, &err) == ERR_FORMAT && strstr(err.text, text);
    if (!right) {
        printf("  %d x %d, %s; wanted %s\n", w, h, err.text, text);
    }
    return right && is_not_read(b, text);
}

static void sizes_of_headers(void)
{
    struct bytes b = make_bmp(1, -2, 24, 0, "\x03\x02\x01\0\x06\x05\x04\0", 8);
    CHECK(has_size(&b, 1, 2)); /* from the top */
    CHECK(decodes_to(&b, 1, 2, (const unsigned char *)"\x01\x02\x03\x04\x05\x06"));
    b = make_bmp(1, 2, 24, 0, "\x03\x02\x01\0\x06\x05\x04\0", 8);
    CHECK(has_size(&b, 1, 2));
    CHECK(decodes_to(&b, 1, 2, (const unsigned char *)"\x04\x05\x06\x01\x02\x03"));
    b = make_gif(1, 1);
    CHECK(has_size(&b, 1, 1));
    b = make_gif(100, 50); /* a screen around a smaller frame */
    CHECK(has_size(&b, 100, 50));
    b = make_jpeg(0xc0, 8, 300, 200);
    CHECK(has_size(&b, 300, 200));
    b = make_psd(3, 2, 3, 8, 3, 0);
    CHECK(has_size(&b, 3, 2));
    b.size = 0;
    put(&b, "P5 2 1 255 ab", 13);
    CHECK(has_size(&b, 2, 1));
}

/* Whatever a header says: no memory goes into a picture that its file cannot hold. */
static void sizes_that_are_refused(void)
{
    static const int sides[][2] = {{20000, -20000}, {20000, 20000},   {65536, -65536},
                                   {INT32_MAX, -1}, {1, INT32_MIN},   {INT32_MAX, INT32_MIN},
                                   {16385, -16384}, {INT32_MAX, 1000}};
    struct bytes b;
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        b = make_bmp(sides[i][0], sides[i][1], 24, 0, "abcd", 4);
        CHECK_MSG(is_refused(&b, "over the limit of 268 megapixels"), "BMP %zu", i);
    }
    static const int nothing[][2] = {{0, 5}, {5, 0}, {-5, 5}, {-5, -5}, {INT32_MIN, 1}};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        b = make_bmp(nothing[i][0], nothing[i][1], 24, 0, "abcd", 4);
        CHECK_MSG(is_refused(&b, "broken BMP picture: no width and height"), "BMP %zu", i);
        b = make_psd(nothing[i][0], nothing[i][1], 3, 8, 3, 0);
        CHECK_MSG(is_refused(&b, "broken PSD picture: no width and height"), "PSD %zu", i);
    }
    b = make_psd(5, -5, 3, 8, 3, 0);
    CHECK(is_refused(&b, "broken PSD picture: no width and height"));
    b = make_psd(20000, 20000, 3, 8, 3, 0);
    CHECK(is_refused(&b, "over the limit"));
    b = make_gif(65535, 65535);
    CHECK(is_refused(&b, "over the limit"));
    b = make_gif(0, 5);
    CHECK(is_refused(&b, "broken GIF picture"));
    /* What is within the limit is measured, but not decoded out of nothing. */
    struct bytes small[] = {make_bmp(16000, -16000, 24, 0, "abcd", 4), make_gif(16000, 16000),
                            make_psd(16000, 16000, 3, 8, 3, 0), make_jpeg(0xc0, 8, 16000, 16000),
                            make_png(16000, 16000, 8, 2, "\0", 1)};
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        CHECK(has_size(&small[i], 16000, 16000));
        CHECK_MSG(is_not_read(&small[i], "ends too early"), "%zu", i);
    }
}

/* Valid files of which stb says no, and files beyond its own limits: neither is broken. */
static void not_broken(void)
{
    struct {
        struct bytes bytes;
        const char *text;
    } cases[] = {
        {make_jpeg(0xc9, 8, 30, 20), "JPEG with arithmetic coding is not supported (JPEG, PNG"},
        {make_jpeg(0xca, 8, 30, 20), "JPEG with arithmetic coding is not supported"},
        {make_jpeg(0xc3, 8, 30, 20), "lossless JPEG is not supported"},
        {make_jpeg(0xc5, 8, 30, 20), "hierarchical JPEG is not supported"},
        {make_jpeg(0xc1, 12, 30, 20), "JPEG of 12 bits a sample is not supported"},
        {make_jpeg(0xc0, 8, 30, 0), "states its height behind the picture is not supported"},
        {make_bmp(2, 1, 8, 1, "\x02\x05\0\x01", 4), "run-length coded BMP is not supported"},
        {make_bmp(2, 1, 4, 2, "\x02\x55\0\x01", 4), "run-length coded BMP is not supported"},
        {make_bmp(2, 1, 0, 4, "\xff\xd8\xff\xd9", 4), "BMP around a JPEG or PNG is not supported"},
        {make_psd(2, 1, 3, 8, 4, 0), "PSD in another colour mode than RGB is not supported"},
        {make_psd(2, 1, 3, 32, 3, 0), "PSD of this many bits a channel is not supported"},
        {make_psd(2, 1, 3, 8, 3, 2), "PSD packed by ZIP is not supported"},
        {make_png(20000000, 1, 8, 2, "\0", 1), "too large a picture (at most 268 megapixels"},
        {make_png(20000, 20000, 8, 2, "\0", 1), "megapixels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_MSG(is_not_read(&cases[i].bytes, cases[i].text) && !strstr(err.text, "broken"),
                  "%zu: %s", i, err.text);
    }
    struct bytes b = make_jpeg(0xc4, 8, 30, 20); /* a table where the frame belongs */
    CHECK(is_not_read(&b, "broken JPEG"));
}

static const struct test_case cases[] = {
    {"sizes_of_headers", sizes_of_headers},
    {"sizes_that_are_refused", sizes_that_are_refused},
    {"not_broken", not_broken},
};
TEST_MAIN(cases)
