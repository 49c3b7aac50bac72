/* Pictures of all kinds, turned as EXIF says. */
#include "fuzz.h"

#include "base/log.h"
#include "data/exif.h"
#include "data/image.h"

enum { MAX_PIXELS = 1 << 18 }; /* larger ones cost time and tell nothing new */

static void decode(const uint8_t *data, size_t size, int w, int h)
{
    static volatile unsigned sink;
    struct image image = {0};
    struct error err;
    if (fuzz_read(image_decode("fuzz.img", data, size, &image, &err), &err)) {
        fuzz_expect(w == 0 || (image.w == w && image.h == h), "the header's size is the picture's");
        unsigned sum = 0;
        for (size_t i = 0; i < (size_t)image.w * (size_t)image.h * 3; i++) {
            sum += image.rgb[i];
        }
        sink = sum;
        (void)sink;
    }
    image_free(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    int w = 0, h = 0;
    log_set_level(LOG_QUIET);
    int orientation = exif_orientation(data, size);
    fuzz_expect(orientation >= 1 && orientation <= 8, "an orientation is 1 to 8");
    bool has_size =
        fuzz_read(image_read_size(fuzz_file("fuzz.img", data, size), &w, &h, &err), &err);
    if (has_size) {
        fuzz_expect(w > 0 && h > 0 && (int64_t)w * h <= IMAGE_MAX_PIXELS,
                    "a size that a picture may have");
        if ((int64_t)w * h > MAX_PIXELS) {
            return 0;
        }
    }
    for (int by = IMAGE_JPEG_STB; by <= IMAGE_JPEG_TURBO; by++) {
        image_choose_jpeg((enum image_jpeg)by);
        decode(data, size, has_size ? w : 0, h);
    }
    return 0;
}
