/* Drawing: exact shapes where they are exact, and never a byte outside the picture. */
#include "report/draw.h"

#include "base/memory.h"
#include "test.h"

static struct error err;
static const struct color white = {255, 255, 255};
static const struct color red = {200, 10, 20};

/* A picture between two guard bands that nobody may touch. */
struct guarded {
    struct image image;
    unsigned char *block;
    size_t band, size;
};

static struct guarded make_guarded(int w, int h, unsigned char value)
{
    struct guarded g = {.band = 4096 + (size_t)w * 3 * 8, .size = (size_t)w * (size_t)h * 3};
    g.block = malloc(2 * g.band + g.size);
    memset(g.block, 0xa5, 2 * g.band + g.size);
    memset(g.block + g.band, value, g.size);
    g.image = (struct image){.w = w, .h = h, .rgb = g.block + g.band};
    return g;
}

static bool guards_hold(const struct guarded *g)
{
    for (size_t i = 0; i < g->band; i++) {
        if (g->block[i] != 0xa5 || g->block[g->band + g->size + i] != 0xa5) {
            return false;
        }
    }
    return true;
}

static bool is_color(const struct image *image, int x, int y, struct color c)
{
    const unsigned char *p = image->rgb + ((size_t)y * image->w + x) * 3;
    return p[0] == c.r && p[1] == c.g && p[2] == c.b;
}

static int count_color(const struct image *image, struct color c)
{
    int count = 0;
    for (int i = 0; i < image->w * image->h; i++) {
        count += is_color(image, i % image->w, i / image->w, c);
    }
    return count;
}

static void fill_exact(void)
{
    struct guarded g = make_guarded(20, 10, 0);
    draw_fill(&g.image, 3, 2, 7, 5, red, 1);
    CHECK(count_color(&g.image, red) == 4 * 3);
    CHECK(is_color(&g.image, 3, 2, red) && is_color(&g.image, 6, 4, red));
    CHECK(!is_color(&g.image, 7, 4, red) && !is_color(&g.image, 6, 5, red));
    draw_fill(&g.image, 10, 0, 11, 1, white, 0.5f);
    CHECK_NEAR(g.image.rgb[10 * 3], 127.5, 1);
    draw_fill(&g.image, 12, 0, 13, 1, white, NAN);
    draw_fill(&g.image, 12, 0, 13, 1, white, -1);
    draw_fill(&g.image, 9, 9, 2, 2, white, 1); /* inside out: nothing */
    CHECK(g.image.rgb[12 * 3] == 0 && count_color(&g.image, white) == 0);
    draw_fill(&g.image, -1000000, -5, 1000000, 50, white, 7);
    CHECK(count_color(&g.image, white) == 200);
    CHECK(guards_hold(&g));
    free(g.block);
}

static void frame_exact(void)
{
    struct guarded g = make_guarded(30, 20, 0);
    draw_frame(&g.image, 5, 4, 15, 12, 2, red);
    CHECK(count_color(&g.image, red) == 10 * 8 - 6 * 4);
    CHECK(is_color(&g.image, 5, 4, red) && is_color(&g.image, 14, 11, red));
    CHECK(!is_color(&g.image, 7, 6, red) && !is_color(&g.image, 15, 11, red));
    CHECK(!is_color(&g.image, 4, 4, red) && is_color(&g.image, 6, 8, red));
    draw_frame(&g.image, 20, 4, 23, 7, 9, white); /* wider than the box: the box is full */
    CHECK(count_color(&g.image, white) == 9);
    draw_frame(&g.image, -10, -10, 40, 30, 3, white); /* wholly outside the picture */
    CHECK(count_color(&g.image, white) == 9);
    CHECK(guards_hold(&g));
    free(g.block);
}

static void lines(void)
{
    struct guarded g = make_guarded(40, 40, 0);
    draw_line(&g.image, 5, 10.5f, 35, 10.5f, 1, white);
    for (int x = 6; x < 34; x++) {
        CHECK(is_color(&g.image, x, 10, white));
        CHECK(g.image.rgb[(9 * 40 + x) * 3] == 0 && g.image.rgb[(11 * 40 + x) * 3] == 0);
    }
    draw_line(&g.image, 20.5f, 15, 20.5f, 35, 3, red);
    for (int y = 16; y < 34; y++) {
        CHECK(is_color(&g.image, 19, y, red) && is_color(&g.image, 20, y, red) &&
              is_color(&g.image, 21, y, red));
        CHECK(g.image.rgb[(y * 40 + 18) * 3] == 0 && g.image.rgb[(y * 40 + 22) * 3] == 0);
    }
    draw_line(&g.image, 1, 21, 15, 35, 2, white); /* x + 20 = y, without gaps */
    for (int x = 2; x < 14; x++) {
        CHECK(is_color(&g.image, x, x + 20, white));
    }
    CHECK(guards_hold(&g));
    free(g.block);
}

static double ink(const struct image *image)
{
    double sum = 0;
    for (int i = 0; i < image->w * image->h * 3; i++) {
        sum += image->rgb[i];
    }
    return sum / 255 / 3;
}

static void text_is_there(void)
{
    struct guarded g = make_guarded(200, 40, 0);
    draw_text(&g.image, 10, 5, 24, "dog 0.98", white);
    double solid = ink(&g.image);
    CHECK_MSG(solid > 150 && solid < 900, "%g pixels of ink", solid);
    /* it stays in its line and width */
    float width = draw_text_width(24, "dog 0.98");
    CHECK_MSG(width > 80 && width < 130, "%g wide", (double)width);
    for (int y = 0; y < 40; y++) {
        for (int x = 0; x < 200; x++) {
            bool inside = y >= 5 && y < 29 && x >= 9 && (float)x < 11 + width;
            CHECK_MSG(inside || g.image.rgb[(y * 200 + x) * 3] == 0, "ink at %d,%d", x, y);
        }
    }
    CHECK(guards_hold(&g));
    free(g.block);
    CHECK(draw_text_width(24, "") == 0);
    CHECK_NEAR(draw_text_width(48, "dog 0.98"), 2 * width, 0.1);
    CHECK(draw_text_width(24, "AV") <
          draw_text_width(24, "A") + draw_text_width(24, "V")); /* kerned */
    CHECK(draw_text_width(24, "iii") < draw_text_width(24, "mmm"));
}

static void text_of_any_bytes(void)
{
    /* what is no UTF-8 is one replacement mark a byte; the end of the text is never passed */
    float mark = draw_text_width(32, "\xef\xbf\xbd");
    CHECK(mark > 5);
    static const struct {
        const char *text;
        int marks;
    } cases[] = {
        {"\xff", 1},         {"\x80\x80", 2},     {"\xc3", 1},         {"\xe2\x82", 2},
        {"\xf0\x9f\x98", 3}, {"\xc0\xaf", 2},     {"\xed\xa0\x80", 3}, {"\xf4\x90\x80\x80", 4},
        {"\xf8\x88\x80", 3}, {"\xe0\x80\x80", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_NEAR(draw_text_width(32, cases[i].text), (float)cases[i].marks * mark, 0.01);
    }
    CHECK_NEAR(draw_text_width(32, "\xc3\xbc"), draw_text_width(32, "u"), 1); /* one character */
    CHECK_NEAR(draw_text_width(32, "\n\t\x7f"), draw_text_width(32, "   "), 0.01);
    struct guarded g = make_guarded(60, 40, 0);
    draw_text(&g.image, 2, 2, 24, "\xe6\x97\xa5", white); /* not in the font: a box */
    CHECK(ink(&g.image) > 20);
    char all[256];
    for (int i = 0; i < 255; i++) {
        all[i] = (char)(i + 1);
    }
    all[255] = 0;
    for (int x = -3000; x < 100; x += 37) {
        draw_text(&g.image, (float)x, (float)(x % 50), 24, all, white);
    }
    CHECK(guards_hold(&g));
    free(g.block);
}

static void colors_differ(void)
{
    for (int i = 0; i < 80; i++) {
        struct color a = draw_class_color(i);
        CHECK(a.r + a.g + a.b > 150 && a.r + a.g + a.b < 720); /* neither black nor white */
        for (int j = 0; j < i; j++) {
            struct color b = draw_class_color(j);
            int apart = abs(a.r - b.r) + abs(a.g - b.g) + abs(a.b - b.b);
            int limit = i < 12 ? 50 : i - j < 8 ? 40 : 3;
            CHECK_MSG(apart >= limit, "classes %d and %d: %d apart", j, i, apart);
        }
        struct color again = draw_class_color(i);
        CHECK(a.r == again.r && a.g == again.g && a.b == again.b);
    }
    draw_class_color(-1);
    draw_class_color(2147483647);
}

/* Frame and label of class 3. */
static void draw_cat(struct image *image, const struct box_xyxy_px *box, const char *text)
{
    struct draw_labels labels = {.image = image};
    draw_box(image, box, draw_class_color(3));
    draw_label(&labels, box, draw_class_color(3), text);
}

static void labelled_box_looks(void)
{
    struct guarded g = make_guarded(400, 300, 0);
    draw_cat(&g.image, &(struct box_xyxy_px){100, 100, 200, 200}, "cat 0.50");
    struct color c = draw_class_color(3);
    CHECK(is_color(&g.image, 100, 150, c) && is_color(&g.image, 199, 150, c));
    CHECK(is_color(&g.image, 150, 199, c) && is_color(&g.image, 101, 98, c));
    CHECK(!is_color(&g.image, 150, 150, c));
    free(g.block);
    /* a tab that would leave the picture is inside it instead: as much of its colour as elsewhere
     */
    static const struct box_xyxy_px places[] = {
        {150, 100, 250, 200}, {0, 0, 100, 100},     {300, 0, 400, 100},
        {-40, -30, 60, 70},   {340, 200, 440, 300}, {-10, -10, 410, 310},
    };
    int first = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        g = make_guarded(400, 300, 0);
        draw_cat(&g.image, &places[i], "cat 0.50");
        int tab = count_color(&g.image, c);
        first = i == 0 ? tab : first;
        CHECK_MSG(tab > first / 2, "place %zu: %d pixels, %d in the middle", i, tab, first);
        CHECK(guards_hold(&g));
        free(g.block);
    }
}

static void boxes_anywhere(void)
{
    static const int sizes[][2] = {{1, 1}, {20, 20}, {2, 300}, {300, 2}, {100, 80}, {333, 77}};
    static const float values[] = {-1e30f, -INFINITY, NAN,   -20, -0.4f, 0,
                                   0.5f,   3,         17.2f, 99,  1e9f,  INFINITY};
    int count = (int)(sizeof values / sizeof values[0]);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct guarded g = make_guarded(sizes[s][0], sizes[s][1], 90);
        for (int i = 0; i < count * count * count * count; i += 7) {
            float x1 = values[i % count];
            float y1 = values[i / count % count];
            float x2 = values[i / count / count % count];
            float y2 = values[i / count / count / count % count];
            bool plain = i % 3;
            draw_cat(&g.image, &(struct box_xyxy_px){x1, y1, x2, y2},
                     plain ? "x 1" : "a rather long label 0.99");
            draw_frame(&g.image, x1, y1, x2, y2, i - 5000, red);
            draw_line(&g.image, x1, y1, x2, y2, x2, red);
            if (i % 5 == 0) {
                draw_text(&g.image, x1, y1, y2 < 200 ? y2 : 200, "any", red);
            }
        }
        draw_cat(&g.image, &(struct box_xyxy_px){0, 0, 5, 5}, "");
        draw_cat(&g.image, &(struct box_xyxy_px){0, 0, 5, 5}, NULL);
        CHECK(guards_hold(&g));
        free(g.block);
    }
}

static bool is_apart(const struct draw_rect *a, const struct draw_rect *b)
{
    return a->left >= b->right || a->right <= b->left || a->top >= b->bottom || a->bottom <= b->top;
}

/* Crowds of boxes: labels lie inside the picture and apart, the first is never left out. */
static void labels_leave_room(void)
{
    static const int sizes[][2] = {{60, 40}, {200, 150}, {1000, 700}, {90, 800}, {2000, 60}};
    unsigned seed = 5;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int w = sizes[s][0];
        int h = sizes[s][1];
        struct guarded g = make_guarded(w, h, 90);
        struct draw_labels labels = {.image = &g.image};
        for (int i = 0; i < 2 * DRAW_LABELS_MAX; i++) {
            float x = (float)w * (0.5f + 0.6f * test_noise(&seed));
            float y = (float)h * (0.5f + 0.6f * test_noise(&seed));
            float side = (float)w * (0.1f + 0.1f * test_noise(&seed));
            draw_label(&labels, &(struct box_xyxy_px){x, y, x + side, y + side}, red, "dog 0.9");
            CHECK_MSG(labels.count > 0, "%d x %d: no label at all", w, h);
        }
        CHECK_MSG(s != 2 || labels.count > 100, "%zu labels in a large picture", labels.count);
        for (size_t i = 0; i < labels.count; i++) {
            const struct draw_rect *r = &labels.taken[i];
            CHECK(r->left >= 0 && r->top >= 0 && r->right <= w && r->bottom <= h);
            for (size_t j = 0; j < i; j++) {
                CHECK_MSG(is_apart(r, &labels.taken[j]), "%d x %d: %zu and %zu", w, h, i, j);
            }
        }
        CHECK(guards_hold(&g));
        free(g.block);
    }
}

static void out_of_memory(void)
{
    struct image image, whole;
    int lacking = 0;
    CHECK_OK(image_new(100, 50, &whole, &err));
    draw_text(&whole, 5, 5, 20, "dog", white);
    CHECK(ink(&whole) > 50 && !whole.lacks_text);
    for (long k = 0; k < 60; k++) { /* all of it, or a picture that is not written */
        CHECK_OK(image_new(100, 50, &image, &err));
        mem_fail_after(k);
        draw_text(&image, 5, 5, 20, "dog", white);
        mem_fail_after(-1);
        lacking += image.lacks_text;
        CHECK(image.lacks_text ? image_write("never.png", &image, &err) == ERR_MEMORY
                               : memcmp(image.rgb, whole.rgb, 100 * 50 * 3) == 0);
        image_free(&image);
    }
    CHECK(lacking > 2);
    image_free(&whole);
    CHECK_OK(image_new(100, 50, &image, &err));
    for (long k = 0; k < 40; k++) { /* letters that take big blocks */
        mem_fail_after(k);
        draw_text(&image, -400, -400, 1900, "@g8", white);
        mem_fail_after(-1);
    }
    image_free(&image);
}

static const struct test_case cases[] = {
    {"fill_exact", fill_exact},
    {"frame_exact", frame_exact},
    {"lines", lines},
    {"text_is_there", text_is_there},
    {"text_of_any_bytes", text_of_any_bytes},
    {"colors_differ", colors_differ},
    {"labelled_box_looks", labelled_box_looks},
    {"boxes_anywhere", boxes_anywhere},
    {"labels_leave_room", labels_leave_room},
    {"out_of_memory", out_of_memory},
};
TEST_MAIN(cases)
