/* Axes and texts of charts. */
#include "report/plot.h"

#include "base/memory.h"
#include "test.h"

static void steps(void)
{
    CHECK_NEAR(plot_step(1, 10), .1, 1e-15);
    CHECK_NEAR(plot_step(37, 6), 5, 1e-12);
    CHECK_NEAR(plot_step(1200, 5), 200, 1e-9);
    CHECK_NEAR(plot_step(.0031, 3), .001, 1e-15);
}

static void places(void)
{
    const struct plot_axis axis = {.low = 10, .high = 20, .from = 300, .to = 100};
    CHECK_NEAR(plot_at(&axis, 10), 300, 0);
    CHECK_NEAR(plot_at(&axis, 15), 200, 0);
    CHECK_NEAR(plot_at(&axis, 99), 100, 0);
    CHECK_NEAR(plot_at(&axis, -1), 300, 0);
    const struct plot_axis decades = {.low = -1, .high = 3, .is_log = true, .from = 0, .to = 400};
    CHECK_NEAR(plot_at(&decades, 10), 200, 1e-4);
    CHECK_NEAR(plot_at(&decades, 0), 0, 0);
}

static void ticks(void)
{
    double found[PLOT_MAX_TICKS];
    const struct plot_axis axis = {.low = -.2, .high = 1, .from = 0, .to = 100};
    CHECK(plot_ticks(&axis, 6, found) == 7);
    CHECK_NEAR(found[0], -.2, 1e-12);
    CHECK(found[1] == 0 && !signbit(found[1]));
    CHECK_NEAR(found[6], 1, 1e-12);
    const struct plot_axis decades = {.low = 0, .high = 2, .is_log = true, .from = 0, .to = 100};
    CHECK(plot_ticks(&decades, 5, found) == 7 && found[1] == 2 && found[6] == 100);
}

static void fitting_text(void)
{
    char out[64];
    CHECK(strcmp(plot_fit_text(17, 1000, "short", out, sizeof out), "short") == 0);
    plot_fit_text(17, 60,
                  "gr\xc3\xbc\xc3\x9f"
                  "e und mehr als das",
                  out, sizeof out);
    CHECK(draw_text_width(17, out) <= 60 && strcmp(out + strlen(out) - 3, "...") == 0);
    CHECK((out[strlen(out) - 4] & 0x80) == 0 || (out[strlen(out) - 4] & 0xc0) == 0x80);
}

/* Dark pixels of a rectangle. */
static int ink_in(const struct image *image, int x1, int y1, int x2, int y2)
{
    int count = 0;
    for (int y = y1; y < y2; y++) {
        for (int x = x1; x < x2; x++) {
            count += image->rgb[((size_t)y * (size_t)image->w + (size_t)x) * 3] < 200;
        }
    }
    return count;
}

static void drawing(void)
{
    struct image image;
    struct error err;
    const double x[] = {0, .5, (double)NAN, 1}, y[] = {0, .5, .9, 1};
    const struct plot_axis across = {.high = 1, .from = 20, .to = 180};
    const struct plot_axis up = {.high = 1, .from = 180, .to = 20};
    const struct plot_line line = {.x = x, .y = y, .count = 4, .width = 2, .color = PLOT_INK};
    CHECK_OK(plot_new(200, 200, &image, &err));
    CHECK(ink_in(&image, 0, 0, 200, 200) == 0);
    plot_line_draw(&image, &across, &up, &line);
    CHECK(ink_in(&image, 95, 95, 105, 105) > 5 && ink_in(&image, 20, 20, 90, 90) == 0);
    CHECK(ink_in(&image, 135, 55, 145, 65) > 5); /* over what is not finite */
    image_free(&image);
    CHECK_OK(plot_new(200, 200, &image, &err));
    plot_text_up(&image, 50, 150, 20, "lllll", PLOT_INK); /* upwards: taller than wide */
    int column = ink_in(&image, 40, 0, 60, 150);
    CHECK(column > 20 && column == ink_in(&image, 0, 0, 200, 200));
    plot_text_up(&image, -5, 3, 20, "over the edges", PLOT_INK);
    plot_text_up(&image, 500, 900, 20, "outside", PLOT_INK);
    image_free(&image);
}

/* A text that could not be drawn whole is not written: the chart knows. */
static void out_of_memory(void)
{
    struct image image;
    struct error err;
    for (long k = 0; k < 30; k++) {
        CHECK_OK(plot_new(200, 200, &image, &err));
        mem_fail_after(k);
        plot_text_up(&image, 50, 150, 20, "l", PLOT_INK);
        mem_fail_after(-1);
        int dark = 0;
        for (size_t i = 0; i < 200 * 200 * 3; i++) {
            dark += image.rgb[i] < 128;
        }
        CHECK_MSG(image.lacks_text == (dark == 0), "allocation %ld: %d dark", k, dark);
        image_free(&image);
    }
}

static const struct test_case cases[] = {
    {"steps", steps},     {"places", places},
    {"ticks", ticks},     {"fitting_text", fitting_text},
    {"drawing", drawing}, {"out_of_memory", out_of_memory},
};

TEST_MAIN(cases)
