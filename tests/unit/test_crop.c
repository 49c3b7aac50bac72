/* A classifier's crops: what is drawn, and that pixels come from where it says. */
#include "data/crop.h"

#include <math.h>

#include "base/memory.h"
#include "data/augment.h"
#include "test.h"

static struct error err;
static const struct distortion no_change = {0, 1, 1};

static struct image noise(int w, int h)
{
    struct image image;
    unsigned state = 5;
    if (image_new(w, h, &image, &err) != OK) {
        abort();
    }
    for (int i = 0; i < w * h * 3; i++) {
        image.rgb[i] = (unsigned char)(int)(128 + 127 * test_noise(&state));
    }
    return image;
}

static float *render(const struct crop *crop, const struct image *image, int w, int h, int c)
{
    float *out = malloc(sizeof *out * (size_t)w * (size_t)h * (size_t)c);
    float *scratch = malloc(sizeof *scratch * crop_scratch(w));
    struct tensor t = {out, 1, h, w, c, (size_t)c};
    crop_render(crop, image, &no_change, &t, 0, scratch);
    free(scratch);
    return out;
}

static struct crop draw(const struct crop_options *o, uint64_t number, int w, int h, int net_w,
                        int net_h, bool flip)
{
    struct rng rng = rng_make(3, number, 0);
    return crop_draw(o, &rng, w, h, net_w, net_h, flip);
}

/* As large as the input, not turned: the picture itself; mirrored; grey. */
static void test_identity(void)
{
    const struct crop_options o = {.aspect = 1, .min_crop = 20, .max_crop = 20};
    struct image image = noise(20, 20);
    for (int flip = 0; flip < 2; flip++) {
        struct crop crop = draw(&o, 1, 20, 20, 20, 20, flip);
        float *rgb = render(&crop, &image, 20, 20, 3), *grey = render(&crop, &image, 20, 20, 1);
        for (int i = 0; i < 400; i++) {
            int x = flip ? 19 - i % 20 : i % 20;
            const unsigned char *p = image.rgb + 3 * (i / 20 * 20 + x);
            for (int k = 0; k < 3; k++) {
                CHECK_NEAR(rgb[3 * i + k], p[k] / 255.0, 1e-5);
            }
            CHECK_NEAR(grey[i], (77 * p[0] + 150 * p[1] + 29 * p[2]) / 256.0 / 255.0, 1e-5);
        }
        free(rgb);
        free(grey);
    }
    image_free(&image);
}

static double length(double x, double y)
{
    return sqrt(x * x + y * y);
}

/* What the six numbers say of scale, shape, angle and place stays within the ranges, and reaches them. */
static void test_ranges(void)
{
    const struct crop_options o = {.angle = 30, .aspect = 1.5f, .min_crop = 40, .max_crop = 60};
    double least_turn = 9, most_turn = -9, least_shape = 9, most_shape = 0;
    int least = 99, most = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        struct crop c = draw(&o, i, 100, 80, 32, 32, false);
        /* Undo: columns are (cos, sin) and (-sin, cos), rows divided by scale * aspect and scale. */
        double t = atan2((double)c.a[1][0], (double)c.a[1][1]);
        double scale = 1 / length((double)c.a[1][0], (double)c.a[1][1]);
        double shape = 1 / length((double)c.a[0][0], (double)c.a[0][1]) / scale;
        double shorter = fmin(100 * shape, 80) * scale;
        CHECK_NEAR(shorter, rint(shorter), 1e-3);
        least_turn = fmin(least_turn, t);
        most_turn = fmax(most_turn, t);
        least_shape = fmin(least_shape, shape);
        most_shape = fmax(most_shape, shape);
        least = (int)rint(shorter) < least ? (int)rint(shorter) : least;
        most = (int)rint(shorter) > most ? (int)rint(shorter) : most;
    }
    const double limit = 30 * 3.14159265358979 / 180;
    CHECK(least == 40 && most == 60);
    CHECK(least_turn >= -limit - 1e-6 && least_turn < -0.95 * limit);
    CHECK(most_turn <= limit + 1e-6 && most_turn > 0.95 * limit);
    CHECK(least_shape >= 1 / 1.5 - 1e-5 && least_shape < 0.68);
    CHECK(most_shape <= 1.5 + 1e-5 && most_shape > 1.47);
}

/* Without turning, crops of a picture that is large enough show nothing but picture. */
static void test_inside(void)
{
    const struct crop_options o = {.aspect = 2, .min_crop = 16, .max_crop = 64};
    for (uint64_t i = 0; i < 2000; i++) {
        struct crop c = draw(&o, i, 50, 90, 16, 12, i % 2);
        for (int corner = 0; corner < 4; corner++) {
            double u = corner % 2 ? 16 : 0, v = corner / 2 ? 12 : 0;
            double x = (double)c.a[0][0] * u + (double)c.a[0][2];
            double y = (double)c.a[1][1] * v + (double)c.a[1][2];
            CHECK_MSG(x > -1e-3 && x < 50 + 1e-3 && y > -1e-3 && y < 90 + 1e-3, "%g %g", x, y);
        }
        CHECK(c.a[0][1] == 0.0f && c.a[1][0] == 0.0f);
    }
}

/* A quarter turn moves pixel (x, y) of a square to (y, n - 1 - x); beyond the picture it is black. */
static void test_turn(void)
{
    struct image image = noise(9, 9);
    const struct crop quarter = {{{0, 1, 0}, {-1, 0, 9}}};
    float *out = render(&quarter, &image, 9, 9, 3);
    for (int i = 0; i < 81; i++) {
        CHECK_NEAR(out[3 * i], image.rgb[3 * ((8 - i % 9) * 9 + i / 9)] / 255.0, 1e-5);
    }
    free(out);
    const struct crop far = {{{1e30f, 0, 3e38f}, {0, 1e30f, -3e38f}}};
    out = render(&far, &image, 9, 9, 3);
    for (int i = 0; i < 243; i++) {
        CHECK(out[i] == 0.0f);
    }
    free(out);
    const struct crop edge = {{{1, 0, -0.5f}, {0, 1, 0}}}; /* half a pixel of black */
    out = render(&edge, &image, 9, 9, 3);
    CHECK_NEAR(out[0], image.rgb[0] / 255.0 / 2, 1e-5);
    free(out);
    image_free(&image);
}

/* Through augment_*: a function of the job's rng, one picture, no boxes; as a classifier's, no mosaic. */
static void test_augment(void)
{
    const struct augment_options o = {.crops = true,
                                      .crop = {7, 1.2f, 10, 20},
                                      .flip = true,
                                      .mosaic = true,
                                      .mixup = true,
                                      .hue = 0.1f,
                                      .saturation = 1.5f,
                                      .exposure = 1.5f};
    struct image image = noise(30, 20);
    float data[3][8 * 8 * 3];
    for (int run = 0; run < 3; run++) {
        struct tensor t = {data[run], 1, 8, 8, 3, 3};
        struct augment_scratch scratch = {0};
        struct truth_list truths = {0};
        struct augment_job job = {.options = &o,
                                  .output = &t,
                                  .rng = rng_make(1, (uint64_t)run / 2, 0),
                                  .scratch = &scratch,
                                  .truths = &truths};
        const struct augment_labels none = {0};
        CHECK(augment_begin(&job) == 1);
        CHECK_OK(augment_add(&job, &image, &none, &err));
        augment_finish(&job);
        CHECK(truths.count == 0);
        augment_scratch_free(&scratch);
        mem_free(truths.items);
    }
    CHECK(memcmp(data[0], data[1], sizeof data[0]) == 0);
    CHECK(memcmp(data[0], data[2], sizeof data[0]) != 0);
    image_free(&image);
}

static const struct test_case cases[] = {
    {"identity", test_identity}, {"ranges", test_ranges},   {"inside", test_inside},
    {"turn", test_turn},         {"augment", test_augment},
};
TEST_MAIN(cases)
