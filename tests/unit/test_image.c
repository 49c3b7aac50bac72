/* Pictures: reading (against stb itself), broken files, writing, and the way into the network's
 * input. */
#include "data/image.h"

#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stb/stb_image.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/memory.h"
#include "picture_bytes.h"

static struct image noise_image(int w, int h, unsigned seed)
{
    struct image image;
    if (image_new(w, h, &image, &err) == OK) {
        for (int i = 0; i < w * h * 3; i++) {
            image.rgb[i] = (unsigned char)(int)(128 + 127 * test_noise(&seed));
        }
    }
    return image;
}

static void png_kinds(void)
{
    struct bytes b = make_png(1, 1, 8, 2, "\0\x01\x02\x03", 4);
    CHECK(decodes_to(&b, 1, 1, (const unsigned char *)"\x01\x02\x03"));
    b = make_png(2, 1, 8, 0, "\0\x07\xf0", 3); /* grey */
    CHECK(decodes_to(&b, 2, 1, (const unsigned char *)"\x07\x07\x07\xf0\xf0\xf0"));
    b = make_png(1, 2, 8, 4, "\0\x07\x00\0\xf0\x80", 6); /* grey and alpha: alpha is dropped */
    CHECK(decodes_to(&b, 1, 2, (const unsigned char *)"\x07\x07\x07\xf0\xf0\xf0"));
    b = make_png(1, 1, 8, 6, "\0\x11\x22\x33\x00", 5); /* RGBA, wholly transparent */
    CHECK(decodes_to(&b, 1, 1, (const unsigned char *)"\x11\x22\x33"));
    b = make_png(1, 1, 16, 2, "\0\x12\xff\x34\x80\x56\x00", 7); /* 16 bits: the high byte */
    CHECK(decodes_to(&b, 1, 1, (const unsigned char *)"\x12\x34\x56"));
    b = make_png(2, 1, 16, 0, "\0\x12\xff\x34\x80", 5);
    CHECK(decodes_to(&b, 2, 1, (const unsigned char *)"\x12\x12\x12\x34\x34\x34"));
    b = make_png(3, 1, 1, 3, "\0\x40", 2); /* palette, 1 bit a pixel: 0 1 0 */
    CHECK(decodes_to(&b, 3, 1, (const unsigned char *)"\x0a\x14\x1e\xc8\xd2\xdc\x0a\x14\x1e"));
}

static void pnm_kinds(void)
{
    struct bytes b = {.size = 0};
    put(&b, "P6\n# made by hand\n2 1\n255\n\x01\x02\x03\xff\xfe\xfd", 32);
    CHECK(decodes_to(&b, 2, 1, (const unsigned char *)"\x01\x02\x03\xff\xfe\xfd"));
    b.size = 0;
    put(&b, "P5 1 2 255 \x09\x80", 13);
    CHECK(decodes_to(&b, 1, 2, (const unsigned char *)"\x09\x09\x09\x80\x80\x80"));
    b.size = 0;
    put(&b, "P5 2 1 65535 \x12\xff\xfe\x01", 17); /* 16 bits, big-endian */
    CHECK(decodes_to(&b, 2, 1, (const unsigned char *)"\x12\x12\x12\xfe\xfe\xfe"));
    b.size = 0;
    put(&b, "P5 3 1 15 \x00\x05\x0f", 13); /* 4 bits, stretched */
    CHECK(decodes_to(&b, 3, 1, (const unsigned char *)"\0\0\0\x55\x55\x55\xff\xff\xff"));
}

/* Which pictures are told to be nearly black: 16 bits a channel, of which nothing reaches the upper
 * eight. */
static void dim_pictures(void)
{
    static const struct {
        const char *name;
        int depth, type; /* of a PNG; depth 0: the bytes are a file */
        const char *bytes;
        size_t size;
        bool is_dim;
    } cases[] = {
        {"12 of 16 bits", 16, 2, "\0\x0f\xff\x00\x80\x01\x00", 7, true},
        {"8 of 16 bits, grey", 16, 0, "\0\x00\xff", 3, true},
        {"13 of 16 bits", 16, 2, "\0\x0f\xff\x10\x00\x01\x00", 7, false},
        {"8 bits", 8, 2, "\0\x0f\x00\x01", 4, false},
        {"PNM of 16 bits", 0, 0, "P5 1 1 65535 \x0f\xff", 15, true},
        {"PNM of 12 bits", 0, 0, "P5 1 1 4095 \x00\xff", 14, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes b = {.size = 0};
        if (cases[i].depth > 0) {
            b = make_png(1, 1, cases[i].depth, cases[i].type, cases[i].bytes, cases[i].size);
        } else {
            put(&b, cases[i].bytes, cases[i].size);
        }
        struct image image;
        CHECK_OK(image_decode("made", b.data, b.size, &image, &err));
        CHECK_MSG(image.is_dim == cases[i].is_dim, "%s", cases[i].name);
        image_free(&image);
    }
}

static void gif_first_frame(void)
{
    static const unsigned char gif[] =
        "GIF89a\x01\0\x01\0\x80\0\0\xff\x80\x40\0\0\0!\xf9\x04\0\0\0\0\0,"
        "\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
    struct bytes b = {.size = 0};
    put(&b, gif, sizeof gif - 1);
    CHECK(decodes_to(&b, 1, 1, (const unsigned char *)"\xff\x80\x40"));
}

static void same_as_stb(void)
{
    const char *shared = getenv("YOLO_SHARED");
    char path[4096];
    static const char *const names[] = {"dog.jpg", "eagle.jpg", "kite.jpg"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/data/photos/%s", shared ? shared : "../shared", names[i]);
        if (!path_exists(path)) {
            SKIP("no shared photos (YOLO_SHARED)");
        }
        struct image image;
        CHECK_OK(image_read(path, &image, &err));
        char *bytes;
        size_t size;
        CHECK_OK(file_read(path, 1 << 30, &bytes, &size, &err));
        int w, h, c;
        unsigned char *rgb =
            stbi_load_from_memory((unsigned char *)bytes, (int)size, &w, &h, &c, 3);
        struct image want = {.w = w, .h = h, .rgb = rgb};
        CHECK(rgb && same_image(&image, &want));
        mem_free(bytes);
        stbi_image_free(rgb);
        image_free(&image);
    }
}

/* ---- the other decoder of JPEGs ---- */

/* The largest difference of a value. */
static int farthest(const struct image *a, const struct image *b)
{
    int most = 0;
    for (int i = 0; i < a->w * a->h * 3; i++) {
        int d = abs(a->rgb[i] - b->rgb[i]);
        most = d > most ? d : most;
    }
    return most;
}

static int decode_by(enum image_jpeg decoder, const char *path, struct image *image)
{
    image_choose_jpeg(decoder);
    enum result result = image_read(path, image, &err);
    image_choose_jpeg(IMAGE_JPEG_STB);
    return result;
}

/* Smooth, as pictures are: of noise the colours between two samples are each decoder's own. Its sides are no multiples of a block. */
static struct image smooth_image(int w, int h)
{
    struct image image;
    if (image_new(w, h, &image, &err) == OK) {
        for (int i = 0; i < w * h; i++) {
            int x = i % w, y = i / w;
            image.rgb[3 * i] = (unsigned char)(255 * x / w);
            image.rgb[3 * i + 1] = (unsigned char)(255 * y / h);
            image.rgb[3 * i + 2] = (unsigned char)(128 + (x * y / 16) % 64);
        }
    }
    return image;
}

static void turbo_is_near_stb(void)
{
    struct image image = smooth_image(181, 133);
    for (int is_sample = 0; is_sample <= 1; is_sample++) {
        struct image by_stb, by_turbo;
        const char *path = in_folder("two.jpg");
        CHECK_OK(is_sample ? image_write_sample(path, &image, &err)
                           : image_write(path, &image, &err));
        CHECK_OK(decode_by(IMAGE_JPEG_STB, path, &by_stb));
        CHECK_OK(decode_by(IMAGE_JPEG_TURBO, path, &by_turbo));
        int most = farthest(&by_stb, &by_turbo);
        CHECK_MSG(most >= 1 && most <= 3, "sample %d: %d", is_sample, most);
        image_free(&by_stb);
        image_free(&by_turbo);
    }
    image_free(&image);
}

static void check_same(const char *path, const unsigned char *bytes, size_t size, const char *what,
                       size_t at)
{
    struct image by_stb, by_turbo;
    enum result wanted = image_decode(path, bytes, size, &by_stb, &err);
    char words[sizeof err.text];
    memcpy(words, err.text, sizeof words);
    image_choose_jpeg(IMAGE_JPEG_TURBO);
    enum result result = image_decode(path, bytes, size, &by_turbo, &err);
    image_choose_jpeg(IMAGE_JPEG_STB);
    CHECK_MSG(result == wanted &&
                  (wanted == OK ? same_image(&by_stb, &by_turbo) : strcmp(err.text, words) == 0),
              "%s at %zu of %zu: %s, not %s", what, at, size, err.text, words);
    image_free(&by_stb);
    image_free(&by_turbo);
}

/* Where libjpeg only warns, the file is stb's, which refuses it or (2.30) makes something of it. */
static void faults_are_stbs(void)
{
    struct image image = smooth_image(61, 47);
    const char *path = in_folder("fault.jpg");
    char *text;
    size_t size;
    CHECK_OK(image_write(path, &image, &err));
    CHECK_OK(file_read(path, 1 << 20, &text, &size, &err));
    unsigned char *bytes = (unsigned char *)text;
    for (size_t cut = 0; cut < size; cut++) {
        check_same(path, bytes, cut, "cut", cut);
    }
    size_t scan = 2;
    while (!(bytes[scan - 2] == 0xff && bytes[scan - 1] == 0xda)) {
        scan++;
    }
    for (size_t at = scan + 10; at + 2 < size; at++) { /* a marker that does not belong there */
        const unsigned char kept[2] = {bytes[at], bytes[at + 1]};
        bytes[at] = 0xff, bytes[at + 1] = 0xd3;
        check_same(path, bytes, size, "marker", at);
        bytes[at] = kept[0], bytes[at + 1] = kept[1];
    }
    mem_free(text);
    image_free(&image);
}

/* ---- broken files ---- */

static bool fails(const char *path, enum result code, const char *text)
{
    struct image image = {.w = 1, .h = 1};
    memset(&err, 0, sizeof err);
    enum result result = image_read(path, &image, &err);
    bool right = result == code && err.code == code && strstr(err.text, text) &&
                 strstr(err.text, path) && !strchr(err.text, '\n') && !image.rgb;
    if (!right) {
        printf("  result %d, \"%s\"; wanted %d with \"%s\"\n", result, err.text, code, text);
    }
    if (result == OK) {
        image_free(&image);
    }
    return right;
}

static void broken_files(void)
{
    CHECK(fails("/no/such/file.jpg", ERR_IO, "No such file"));
    CHECK(fails("/tmp", ERR_IO, "folder"));
    CHECK(fails("/dev/null", ERR_FORMAT, "regular"));
    static const struct {
        const char *name, *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        {"empty.jpg", "", 0, "empty file"},
        {"one.jpg", "\xff", 1, "not a picture"},
        {"text.jpg", "this is only text, and long enough for a header", 47, "not a picture"},
        {"zeros.png", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32,
         "not a picture"},
        {"soi.jpg", "\xff\xd8\xff", 3, "broken JPEG"},
        {"soi_eoi.jpg", "\xff\xd8\xff\xd9", 4, "broken JPEG"},
        {"signature.png", "\x89PNG\r\n\x1a\n", 8, "broken PNG"},
        {"half_signature.png", "\x89PNG", 4, "broken PNG"},
        {"head.gif", "GIF89a\x05\0\x05\0\0\0\0", 13, "broken GIF"},
        {"head.bmp", "BM\x46\0\0\0\0\0\0\0\x36\0\0\0", 14, "broken BMP"},
        {"head.psd", "8BPS\0\x01", 6, "broken PSD"},
        {"head.ppm", "P6 4 4 255 abc", 14, "ends too early"},
        {"none.ppm", "P6", 2, "broken PNM"},
        {"zero.ppm", "P6 0 4 255 abc", 14, "broken PNM"},
        {"minus.ppm", "P6 -4 4 255 abc", 15, "broken PNM"},
        {"deep.ppm", "P5 1 1 65536 abc", 16, "broken PNM"},
        {"bomb.ppm", "P6 999999 999999 255 abc", 24, "megapixels"},
        {"huge.ppm", "P6 99999999999999999999 1 255 abc", 33, "broken PNM"},
        {"wide.tga", "\0\0\x0a\0\0\0\0\0\0\0\0\0\xff\x3f\xff\x3f\x18\0", 18, "ends too early"},
        {"photo.webp", "RIFF\x10\0\0\0WEBPVP8 ", 16, "WebP is not supported"},
        {"scan.tif", "II*\0\x08\0\0\0", 8, "TIFF is not supported"},
        {"phone.heic",
         "\0\0\0\x18"
         "ftypheic",
         12, "not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = in_folder(cases[i].name);
        CHECK(put_file(path, cases[i].bytes, cases[i].size));
        CHECK_MSG(fails(path, ERR_FORMAT, cases[i].text), "%s", cases[i].name);
    }
    const char *path = in_folder("bomb.png");
    struct bytes bomb = make_png(17000, 17000, 8, 2, "\0", 1);
    CHECK(put_file(path, bomb.data, bomb.size));
    CHECK(fails(path, ERR_FORMAT, "megapixels"));
    bomb = make_png(60000, 60000, 8, 2, "\0", 1);
    CHECK(put_file(path, bomb.data, bomb.size));
    CHECK(fails(path, ERR_FORMAT, "large"));
    bomb = make_png(100, 100, 8, 2, "\0", 1); /* fewer bytes inside than the header promises */
    CHECK(put_file(path, bomb.data, bomb.size));
    CHECK(fails(path, ERR_FORMAT, "broken PNG"));
    if (getuid() != 0) {
        CHECK(chmod(path, 0) == 0);
        CHECK(fails(path, ERR_IO, "denied"));
    }
}

/* Whatever the kind, a file cut anywhere is an error, and the whole file is none, also with junk
 * behind. */
static void truncated_files(void)
{
    static const char *const names[] = {"cut.jpg", "cut.png", "cut.bmp", "cut.tga"};
    struct image image = noise_image(37, 23, 5);
    for (size_t i = 0; i < 4; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s", in_folder(names[i]));
        CHECK_OK(image_write(path, &image, &err));
        char *bytes;
        size_t size;
        CHECK_OK(file_read(path, 1 << 20, &bytes, &size, &err));
        /* stb stops at a PNG's IEND name, before its checksum */
        size_t needed = i == 1 ? size - 4 : i == 3 ? size - 26 : size;
        for (size_t cut = 0; cut < needed; cut++) {
            struct image got;
            enum result result = image_decode(path, (unsigned char *)bytes, cut, &got, &err);
            CHECK_MSG(result == ERR_FORMAT, "%s cut at %zu of %zu: result %d", names[i], cut, size,
                      result);
        }
        char *longer = mem_alloc(size + 1000, 1);
        memcpy(longer, bytes, size);
        struct image got;
        CHECK_OK(image_decode(path, (unsigned char *)longer, size + 1000, &got, &err));
        CHECK(i == 0 || same_image(&got, &image));
        image_free(&got);
        mem_free(longer);
        mem_free(bytes);
    }
    image_free(&image);
}

/* Random damage may or may not be noticed; it must not crash (build with VARIANT=asan). */
static void damaged_files(void)
{
    static const char *const names[] = {"bad.jpg", "bad.png", "bad.bmp", "bad.tga"};
    struct image image = noise_image(31, 17, 9);
    unsigned state = 77;
    for (size_t i = 0; i < 4; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s", in_folder(names[i]));
        CHECK_OK(image_write(path, &image, &err));
        char *bytes;
        size_t size;
        CHECK_OK(file_read(path, 1 << 20, &bytes, &size, &err));
        char *copy = mem_alloc(size, 1);
        for (int round = 0; round < 2000; round++) {
            memcpy(copy, bytes, size);
            for (int k = 0; k <= round % 4; k++) {
                size_t range = round % 2 ? size : 80; /* headers deserve more */
                float at = (test_noise(&state) + 1) / 2 * (float)(range < size ? range : size);
                copy[(size_t)at] = (char)(int)(127 * test_noise(&state));
            }
            struct image got;
            if (image_decode(path, (unsigned char *)copy, size, &got, &err) == OK) {
                CHECK(got.rgb && got.w > 0 && got.h > 0);
                image_free(&got);
            } else {
                CHECK(!got.rgb && err.text[0]);
            }
        }
        mem_free(copy);
        mem_free(bytes);
    }
    image_free(&image);
}

static void out_of_memory(void)
{
    struct bytes kinds[] = {
        make_png(2, 1, 8, 0, "\0\x07\xf0", 3), make_png(3, 1, 1, 3, "\0\x40", 2),
        make_png(1, 1, 16, 2, "\0\x12\xff\x34\x80\x56\x00", 7),
        make_bmp(1, -2, 24, 0, "\x03\x02\x01\0\x06\x05\x04\0", 8), make_gif(3, 2)};
    static const int least[] = {3, 3, 3, 1, 3};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct bytes *b = &kinds[i];
        int refused = 0;
        for (long k = 0; k < 30;
             k++) { /* a failure while stb only asks what it is may be harmless */
            struct image image;
            mem_fail_after(k);
            enum result result = image_decode("made", b->data, b->size, &image, &err);
            mem_fail_after(-1);
            CHECK_MSG(result == OK ? image.rgb != NULL : result == ERR_MEMORY && !image.rgb,
                      "kind %zu, allocation %ld: result %d", i, k, result);
            refused += result != OK;
            image_free(&image);
        }
        CHECK_MSG(refused >= least[i] && refused < 30, "kind %zu: %d failures", i, refused);
    }
}

/* At every allocation of an encoder: an error, and the old file stays. */
static void out_of_memory_while_writing(void)
{
    static const char *const names[] = {"m.png", "m.jpg", "m.bmp", "m.tga"};
    struct image image = noise_image(120, 90, 11); /* many of the PNG's lists grow */
    struct image flat;
    CHECK_OK(image_new(5, 5, &flat, &err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s", in_folder(names[i]));
        CHECK_OK(image_write(path, &flat, &err));
        char *before, *after;
        size_t size, size_after;
        CHECK_OK(file_read(path, 1 << 20, &before, &size, &err));
        bool is_written = false;
        long refused = 0;
        for (long k = 0; !is_written; k += k < 50 ? 1 : 97) {
            mem_fail_after(k);
            enum result result = image_write(path, &image, &err);
            mem_fail_after(-1);
            is_written = result == OK;
            CHECK_MSG(is_written || (result == ERR_MEMORY && strstr(err.text, path)),
                      "%s, allocation %ld: %s", names[i], k, err.text);
            refused += !is_written;
        }
        CHECK_MSG(refused >= (i == 0 ? 100 : 0), "%s: %ld failures", names[i], refused);
        CHECK_OK(image_write(path, &flat, &err));
        CHECK_OK(file_read(path, 1 << 20, &after, &size_after, &err));
        CHECK(size == size_after && memcmp(before, after, size) == 0);
        mem_free(before);
        mem_free(after);
    }
    image_free(&flat);
    image_free(&image);
}

/* ---- writing ---- */

static void written_reads_back(void)
{
    static const char *const exact[] = {"a.png", "b.BMP", "c.tga"};
    struct image image = noise_image(29, 41, 3);
    for (size_t i = 0; i < 3; i++) {
        const char *path = in_folder(exact[i]);
        CHECK_OK(image_write(path, &image, &err));
        struct image got;
        CHECK_OK(image_read(path, &got, &err));
        CHECK_MSG(same_image(&image, &got), "%s", path);
        image_free(&got);
    }
    for (int i = 0; i < 29 * 41; i++) { /* smooth, so that JPEG comes close */
        image.rgb[3 * i] = (unsigned char)(i % 29 * 8);
        image.rgb[3 * i + 1] = (unsigned char)(i / 29 * 6);
        image.rgb[3 * i + 2] = 100;
    }
    const char *path = in_folder("d.jpeg");
    CHECK_OK(image_write(path, &image, &err));
    struct image got;
    CHECK_OK(image_read(path, &got, &err));
    CHECK(got.w == 29 && got.h == 41);
    for (int i = 0; i < 29 * 41 * 3; i++) {
        CHECK_NEAR(got.rgb[i], image.rgb[i], 12);
    }
    image_free(&got);
    CHECK(image_write(in_folder("e.xyz"), &image, &err) == ERR_ARG);
    CHECK(image_write(in_folder("png"), &image, &err) == ERR_ARG);
    CHECK(image_write("/no/such/folder/a.png", &image, &err) == ERR_IO);
    CHECK(!path_exists(in_folder("e.xyz")));
    image_free(&image);
}

/* Columns of two colours in turn: at half the resolution they are one. The file is longer than the encoder's buffer. */
static void samples_keep_their_colours(void)
{
    struct image image, got;
    char *bytes;
    size_t size;
    const char *path = in_folder("colours.jpg");
    CHECK_OK(image_new(640, 480, &image, &err));
    for (int i = 0; i < 640 * 480; i++) {
        image.rgb[3 * i + i % 2 * 2] = 200;
        image.rgb[3 * i + 1] = (unsigned char)(i / 640 / 2);
    }
    for (int is_sample = 0; is_sample <= 1; is_sample++) {
        CHECK_OK(is_sample ? image_write_sample(path, &image, &err)
                           : image_write(path, &image, &err));
        CHECK_OK(image_read(path, &got, &err));
        CHECK_OK(file_read(path, 1 << 24, &bytes, &size, &err));
        CHECK_MSG(size > 20000, "%zu bytes", size);
        int most = farthest(&image, &got);
        CHECK_MSG(is_sample ? most < 25 : most > 60, "sample %d: %d", is_sample, most);
        image_free(&got);
        mem_free(bytes);
    }
    image_free(&image);
}

static void long_sides_are_refused(void)
{
    static const struct {
        const char *name;
        int side;
        enum result result;
    } cases[] = {{"wide.jpg", 65500, OK},
                 {"wider.jpg", 65501, ERR_ARG},
                 {"wide.tga", 65535, OK},
                 {"wider.tga", 65536, ERR_ARG}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct image image;
        CHECK_OK(image_new(cases[i].side, 1, &image, &err));
        const char *path = in_folder(cases[i].name);
        CHECK_MSG(image_write(path, &image, &err) == cases[i].result, "%s: %s", path, err.text);
        CHECK(path_exists(path) == (cases[i].result == OK));
        image_free(&image);
    }
}

static void sizes_are_checked(void)
{
    struct image image;
    CHECK(image_new(0, 5, &image, &err) == ERR_ARG && !image.rgb);
    CHECK(image_new(5, -1, &image, &err) == ERR_ARG && !image.rgb);
    CHECK(image_new(1 << 20, 1 << 20, &image, &err) == ERR_ARG && !image.rgb);
    image_free(&image);
}

/* ---- to the network's input ---- */

/* Darknet's resize_image after darknet-spec 4.3: a whole picture across, then down; planar, in
 * float. */
static void darknet_resize(const struct image *in, int k, int w, int h, float *out)
{
    float *part = malloc(sizeof *part * (size_t)w * (size_t)in->h);
    float scale_x = (float)(in->w - 1) / (float)(w - 1);
    float scale_y = (float)(in->h - 1) / (float)(h - 1);
    for (int y = 0; y < in->h; y++) {
        for (int x = 0; x < w; x++) {
            const unsigned char *row = in->rgb + (size_t)y * in->w * 3 + k;
            if (x == w - 1 || in->w == 1) {
                part[y * w + x] = (float)(row[(in->w - 1) * 3] / 255.0);
                continue;
            }
            float sx = (float)x * scale_x;
            int at = (int)sx;
            float d = sx - (float)at;
            part[y * w + x] =
                (1 - d) * (float)(row[at * 3] / 255.0) + d * (float)(row[at * 3 + 3] / 255.0);
        }
    }
    for (int y = 0; y < h; y++) {
        float sy = (float)y * scale_y;
        int at = y == h - 1 || in->h == 1 ? in->h - 1 : (int)sy;
        float d = y == h - 1 || in->h == 1 ? 0 : sy - (float)at;
        for (int x = 0; x < w; x++) {
            float v = (1 - d) * part[at * w + x];
            out[y * w + x] = d > 0 ? v + d * part[(at + 1) * w + x] : v;
        }
    }
    free(part);
}

static const int sizes[][4] = {
    /* picture w, h, input w, h */
    {7, 5, 13, 11}, {64, 48, 32, 32}, {33, 57, 33, 57}, {100, 3, 16, 64}, {1, 1, 8, 8},
    {1, 9, 4, 4},   {9, 1, 4, 4},     {50, 40, 1, 1},   {5, 5, 1, 7},     {773, 512, 416, 416},
};

static void stretch_is_darknets(void)
{
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int w = sizes[s][2];
        int h = sizes[s][3];
        if (w == 1 || h == 1) {
            continue; /* Darknet divides by zero */
        }
        struct image image = noise_image(sizes[s][0], sizes[s][1], (unsigned)s);
        float *data = malloc(sizeof *data * (size_t)w * h * 3);
        float *want = malloc(sizeof *want * (size_t)w * h);
        struct tensor input = {data, 1, h, w, 3, 3};
        struct image_fit fit;
        CHECK_OK(image_to_input(&image, IMAGE_STRETCH, &input, 0, &fit, &err));
        for (int k = 0; k < 3; k++) {
            darknet_resize(&image, k, w, h, want);
            for (int i = 0; i < w * h; i++) {
                CHECK_MSG(data[i * 3 + k] == want[i], "size %zu value %d,%d: %.9g not %.9g", s, i,
                          k, (double)data[i * 3 + k], (double)want[i]);
            }
        }
        free(want);
        free(data);
        image_free(&image);
    }
}

static double sample(const struct image *m, double x, double y, int k)
{
    int x0 = (int)floor(x);
    int y0 = (int)floor(y);
    int x1 = x0 + 1 < m->w ? x0 + 1 : x0;
    int y1 = y0 + 1 < m->h ? y0 + 1 : y0;
    double dx = x - x0;
    double dy = y - y0;
    const unsigned char *p = m->rgb + k;
    double top = p[(y0 * m->w + x0) * 3] * (1 - dx) + p[(y0 * m->w + x1) * 3] * dx;
    double low = p[(y1 * m->w + x0) * 3] * (1 - dx) + p[(y1 * m->w + x1) * 3] * dx;
    return top * (1 - dy) + low * dy;
}

/* Where output i of `out` looks on an axis of `in`: aligned corners; one output shows the last. */
static double position(int i, int in, int out)
{
    return out > 1 ? (double)i * (in - 1) / (out - 1) : in - 1;
}

/* Any channels, strides, ways: against bilinear sampling in double; neighbours stay untouched.
 */
static void fit_is_bilinear(void)
{
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0] * 6; s++) {
        const int *size = sizes[s / 6];
        int c = s & 1 ? 1 : 3;
        enum image_way way = s / 2 % 3;
        int w = size[2];
        int h = size[3];
        int stride = c + (int)(s % 3);
        struct image image = noise_image(size[0], size[1], (unsigned)s);
        size_t total = (size_t)2 * w * h * stride;
        float *data = malloc(sizeof *data * total);
        for (size_t i = 0; i < total; i++) {
            data[i] = -7;
        }
        struct tensor input = {data, 2, h, w, c, (size_t)stride};
        struct image_fit fit;
        CHECK_OK(image_to_input(&image, way, &input, 1, &fit, &err));
        CHECK(fit.image_w == size[0] && fit.image_h == size[1] && fit.net_w == w && fit.net_h == h);
        if (way == IMAGE_CROP) { /* its middle, one side whole */
            CHECK((fit.inner_w == w && fit.inner_h >= h) || (fit.inner_h == h && fit.inner_w >= w));
            CHECK(fit.offset_x == -((fit.inner_w - w) / 2));
            CHECK(fit.offset_y == -((fit.inner_h - h) / 2));
        }
        for (size_t i = 0; i < total; i++) {
            size_t pixel = i / stride % ((size_t)w * h);
            int k = (int)(i % stride);
            if (i < total / 2 || k >= c) {
                CHECK(data[i] == -7.0f);
                continue;
            }
            int x = (int)(pixel % w) - fit.offset_x;
            int y = (int)(pixel / w) - fit.offset_y;
            if (x < 0 || y < 0 || x >= fit.inner_w || y >= fit.inner_h) {
                CHECK(way == IMAGE_LETTERBOX && data[i] == 0.5f);
                continue;
            }
            double sx = position(x, size[0], fit.inner_w);
            double sy = position(y, size[1], fit.inner_h);
            if (c == 3) {
                CHECK_NEAR(data[i], sample(&image, sx, sy, k) / 255, 2e-4);
            } else {
                double grey = (77 * sample(&image, sx, sy, 0) + 150 * sample(&image, sx, sy, 1) +
                               29 * sample(&image, sx, sy, 2)) /
                              256 / 255;
                CHECK_NEAR(data[i], grey, 1.0 / 255 + 2e-4); /* luma is cut to a whole number */
            }
        }
        free(data);
        image_free(&image);
    }
}

static bool fits(int w, int h, int net, int x, int y, int inner_w, int inner_h)
{
    struct image image;
    struct image_fit fit;
    float *data = malloc(sizeof *data * (size_t)net * net);
    struct tensor input = {data, 1, net, net, 1, 1};
    bool right = image_new(w, h, &image, &err) == OK &&
                 image_to_input(&image, IMAGE_LETTERBOX, &input, 0, &fit, &err) == OK &&
                 fit.offset_x == x && fit.offset_y == y && fit.inner_w == inner_w &&
                 fit.inner_h == inner_h;
    if (right) { /* the corners of the inner part and back */
        double back_x = (double)(fit.inner_w - 1 + fit.offset_x - fit.offset_x) / fit.inner_w * w;
        right = back_x >= 0 && back_x < w && data[(net * y + x)] == 0.0f &&
                data[net * (y + inner_h - 1) + x + inner_w - 1] == 0.0f;
    }
    image_free(&image);
    free(data);
    return right;
}

static void letterbox_geometry(void)
{
    CHECK(fits(768, 576, 416, 0, 52, 416, 312));
    CHECK(fits(576, 768, 416, 52, 0, 312, 416));
    CHECK(fits(773, 512, 416, 0, 70, 416, 275));
    CHECK(fits(500, 500, 416, 0, 0, 416, 416));
    CHECK(fits(3, 1, 10, 0, 3, 10, 3));
    CHECK(fits(10000, 1, 32, 0, 15, 32, 1)); /* Darknet's formula gives height 0 */
    CHECK(fits(1, 10000, 32, 15, 0, 1, 32));
}

static void resize_pictures(void)
{
    struct image image = noise_image(20, 30, 4);
    struct image out;
    CHECK_OK(image_resize(&image, 20, 30, &out, &err));
    CHECK(same_image(&image, &out));
    image_free(&out);
    CHECK_OK(image_resize(&image, 47, 11, &out, &err));
    for (int i = 0; i < 47 * 11 * 3; i++) {
        int x = i / 3 % 47;
        int y = i / 3 / 47;
        double want = sample(&image, position(x, 20, 47), position(y, 30, 11), i % 3);
        CHECK_NEAR(out.rgb[i], want, 0.501);
    }
    image_free(&out);
    CHECK(image_resize(&image, 0, 5, &out, &err) == ERR_ARG && !out.rgb);
    for (long k = 0; k < 3; k++) {
        mem_fail_after(k);
        CHECK(image_resize(&image, 5, 5, &out, &err) == ERR_MEMORY && !out.rgb);
    }
    mem_fail_after(-1);
    image_free(&image);
}

static const struct test_case cases[] = {
    {"png_kinds", png_kinds},
    {"pnm_kinds", pnm_kinds},
    {"dim_pictures", dim_pictures},
    {"gif_first_frame", gif_first_frame},
    {"same_as_stb", same_as_stb},
    {"turbo_is_near_stb", turbo_is_near_stb},
    {"faults_are_stbs", faults_are_stbs},
    {"broken_files", broken_files},
    {"truncated_files", truncated_files},
    {"damaged_files", damaged_files},
    {"out_of_memory", out_of_memory},
    {"out_of_memory_while_writing", out_of_memory_while_writing},
    {"written_reads_back", written_reads_back},
    {"samples_keep_their_colours", samples_keep_their_colours},
    {"long_sides_are_refused", long_sides_are_refused},
    {"sizes_are_checked", sizes_are_checked},
    {"stretch_is_darknets", stretch_is_darknets},
    {"fit_is_bilinear", fit_is_bilinear},
    {"letterbox_geometry", letterbox_geometry},
    {"resize_pictures", resize_pictures},
};
TEST_MAIN(cases)
