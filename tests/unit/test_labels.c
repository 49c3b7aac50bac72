/* Label files: where they lie, their lines in every notation, and all their faults. */
#include <time.h>

#include "data/label_line.h"
#include "data/label_path.h"
#include "dataset_rig.h"

/* ---- label paths ---- */

static void test_label_path(void)
{
    static const struct {
        const char *image;
        int which;
        const char *label; /* NULL: no such candidate */
    } table[] = {
        {"a/b.jpg", 0, "a/b.txt"},
        {"a/b.JPG", 0, "a/b.txt"},
        {"b.tar.jpeg", 0, "b.tar.txt"},
        {"a.b/c", 0, "a.b/c.txt"},
        {"a/.jpg", 0, "a/.jpg.txt"},
        {"a/b.jpg", 1, NULL},
        {"a/b.jpg", 2, NULL},
        {"images/b.jpg", 1, "labels/b.txt"},
        {"/d/images/train/b.png", 1, "/d/labels/train/b.txt"},
        {"/images/x/images/b.png", 1, "/images/x/labels/b.txt"},
        {"myimages/b.png", 1, NULL},
        {"/images/train2017/images/b.png", 2, "/labels/train2017/images/b.txt"},
        {"VOC/JPEGImages/b.jpg", 2, "VOC/labels/b.txt"},
        {"JPEGImages/JPEGImages/b.jpg", 2, "labels/JPEGImages/b.txt"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char path[4096] = "";
        bool found = label_path_candidate(table[i].image, table[i].which, path, sizeof path);
        CHECK_MSG(found == (table[i].label != NULL), "%s %d", table[i].image, table[i].which);
        CHECK_MSG(!found || strcmp(path, table[i].label) == 0, "%s", path);
    }
    char *endless = mem_alloc(5001, 1);
    memset(endless, 'x', 5000);
    char path[4096];
    CHECK(!label_path_candidate(endless, 0, path, sizeof path));
    mem_free(endless);
}

static void test_label_path_nest(void)
{
    static const char *const table[][2] = {
        {"a.jpg", "a.jpg"},
        {"images/a.jpg", "images_/a.jpg"},
        {"x/images/y/images/a.jpg", "x/images_/y/images_/a.jpg"},
        {"./images//images_/a.jpg", "./images_//images__/a.jpg"},
        {"images___", "images____"},
        {"images.d/my_images/images_x/image/a.jpg", "images.d/my_images/images_x/image/a.jpg"},
        {"", ""},
    };
    char path[64];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CHECK(label_path_nest(table[i][0], path, sizeof path) && strcmp(path, table[i][1]) == 0);
        CHECK(label_path_unnest(table[i][1], path, sizeof path) && strcmp(path, table[i][0]) == 0);
    }
    CHECK(label_path_unnest("images/a.jpg", path, sizeof path) &&
          strcmp(path, "images/a.jpg") == 0);
    CHECK(label_path_nest("images/a.jpg", path, 14) && !label_path_nest("images/a.jpg", path, 13));
}

static void test_label_path_order(void)
{
    const char *image = put("order/images/a.jpg", "");
    put("order/labels/a.txt", "");
    char found[4096];
    CHECK(label_path_find(image, found, sizeof found));
    CHECK(strstr(found, "order/labels/a.txt"));
    put("order/images/a.txt", "");
    CHECK(label_path_find(image, found, sizeof found));
    CHECK(strstr(found, "order/images/a.txt"));
    CHECK(!label_path_find("nowhere/a.jpg", found, sizeof found));
}

/* ---- label files ---- */

static void test_good_labels(void)
{
    const char *label;
    struct dataset set;
    const char text[] = "\xef\xbb\xbf"
                        "0 0.5 0.5 0.25 0.5\r\n"
                        "\r\n"
                        "   \n"
                        " 2\t0.25  0.75 5e-1 .5 \n"
                        "1 1.0 0.5 0.00005 0.1\n" /* rounding may stick out that far */
                        "2.0 0.1 0.1 0.1 0.1";
    CHECK_OK(open_label(text, sizeof text - 1, 3, &label, &set));
    CHECK(seen_count == 0 && set.sample_count == 1 && set.class_count == 3);
    const struct sample *s = &set.samples[0];
    CHECK(s->truth_count == 4 && !s->is_crowd && !s->areas && s->coco_id == -1);
    CHECK(strcmp(s->label_path, label) == 0);
    CHECK(s->truths[0].class_id == 0 && s->truths[0].box.cx == 0.5f && s->truths[0].box.w == 0.25f);
    CHECK(s->truths[0].box.cy == 0.5f && s->truths[0].box.h == 0.5f);
    CHECK(s->truths[1].class_id == 2 && s->truths[1].box.cy == 0.75f && s->truths[1].box.w == 0.5f);
    CHECK(s->truths[2].class_id == 1 && s->truths[2].box.cx < 1 && s->truths[2].box.w > 0);
    CHECK(s->truths[3].class_id == 2);
    dataset_free(&set);
    CHECK(set.sample_count == 0 && !set.samples);
}

static void test_label_faults(void)
{
    static const struct {
        const char *line;
        enum label_fault fault;
        const char *text;
        bool kept;
    } table[] = {
        {"0 0.5 0.5 0.5", FAULT_NOT_NUMBERS, "4 numbers instead of 5", false},
        {"0 0.5 0.5 0.5 0.5 1.9", FAULT_NOT_NUMBERS, "6 numbers instead of 5 (the sixth", false},
        {"0 0.5 0.5 0.5 0.5 0.5 0.5 0.5", FAULT_NOT_NUMBERS, "8 numbers instead of 5", false},
        {"0 0.5 0.5 0.5 0.5 x", FAULT_NOT_NUMBERS, "\"x\" is no number", false},
        {"dog 0.5 0.5 0.5 0.5", FAULT_NOT_NUMBERS, "\"dog\" is no number", false},
        {"0,0.5,0.5,0.5,0.5", FAULT_NOT_NUMBERS, "is no number (blanks, not commas", false},
        {"0 nan 0.5 0.5 0.5", FAULT_NOT_NUMBERS, "\"nan\"", false},
        {"0 0.5 inf 0.5 0.5", FAULT_NOT_NUMBERS, "\"inf\"", false},
        {"0 0.5 0.5 -1e999 0.5", FAULT_NOT_NUMBERS, "\"-1e999\"", false},
        {"3 0.5 0.5 0.5 0.5", FAULT_CLASS_RANGE, "class 3, but there are 3 (0 to 2)", false},
        {"-1 0.5 0.5 0.5 0.5", FAULT_CLASS_RANGE, "class -1", false},
        {"0.5 0.5 0.5 0.5 0.5", FAULT_CLASS_RANGE, "class 0.5", false},
        {"1e300 0.5 0.5 0.5 0.5", FAULT_CLASS_RANGE, "class 1e+300", false},
        {"0 0.5 0.5 0 0.5", FAULT_ZERO_SIZE, "a box of 0 x 0.5", false},
        {"0 0.5 0.5 0.5 -0.5", FAULT_ZERO_SIZE, "a box of 0.5 x -0.5", false},
        {"0 0.5 0.5 1e-60 0.5", FAULT_ZERO_SIZE, "a box of", false},
        {"0 1.5 0.5 0.5 0.5", FAULT_OUTSIDE, "outside the picture", false},
        {"0 0.5 -0.25 0.5 0.5", FAULT_OUTSIDE, "outside the picture", false},
        {"0 320 200 40 40", FAULT_OUTSIDE, "(pixels?", false},
        {"0 20 20 80 80", FAULT_OUTSIDE, "(pixels?",
         false}, /* it would be cut to the whole picture */
        {"0 10 10 40 10 40 40", FAULT_OUTSIDE, "(pixels?", false},
        {"0 1e300 1e300 1e300 1e300", FAULT_ZERO_SIZE, "", false},
        {"0 0.9 0.5 0.4 0.5", FAULT_CLIPPED, "cut at the picture's border", true},
        {"0 0.125 0.125 0.0625 0.0625", FAULT_DUPLICATE, "again", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[256];
        int size =
            snprintf(text, sizeof text, "0 0.125 0.125 0.0625 0.0625\n\n%s\r\n2 0.5 0.5 0.5 0.5\n",
                     table[i].line);
        const char *label;
        struct dataset set;
        CHECK_OK(open_label(text, (size_t)size, 3, &label, &set));
        if (strncmp(table[i].line, "0 1e300", 7) == 0) { /* whatever it is called, it is left out */
            CHECK(seen_count == 1 && set.samples[0].truth_count == 2);
            dataset_free(&set);
            continue;
        }
        CHECK_MSG(seen_count == 1, "%s: %zu faults", table[i].line, seen_count);
        CHECK_MSG(was_seen(table[i].fault, label, 3, table[i].text), "%s", table[i].line);
        CHECK(set.faults[table[i].fault] == 1);
        CHECK_MSG(set.samples[0].truth_count == (table[i].kept ? 3u : 2u), "%s", table[i].line);
        CHECK(set.samples[0].truths[set.samples[0].truth_count - 1].class_id == 2);
        dataset_free(&set);
    }
}

static void test_clipping(void)
{
    const char *label;
    struct dataset set;
    const char text[] = "0 0.9 0.5 0.4 0.5\n0 0.5 0.5 3 3\n";
    CHECK_OK(open_label(text, sizeof text - 1, 0, &label, &set));
    CHECK(set.class_count == 1 && set.faults[FAULT_CLIPPED] == 2);
    const struct truth *t = set.samples[0].truths;
    CHECK_NEAR(t[0].box.cx, 0.85, 1e-6);
    CHECK_NEAR(t[0].box.w, 0.3, 1e-6);
    CHECK_NEAR(t[0].box.h, 0.5, 1e-6);
    CHECK(t[1].box.cx == 0.5f && t[1].box.w == 1 && t[1].box.h == 1);
    dataset_free(&set);
}

static void test_whole_files(void)
{
    const char *label;
    struct dataset set;
    CHECK_OK(open_label("", 0, 3, &label, &set));
    CHECK(was_seen(FAULT_EMPTY_LABEL, label, 0, "no boxes") && set.samples[0].truth_count == 0);
    dataset_free(&set);
    CHECK_OK(open_label("\n \r\n", 4, 3, &label, &set));
    CHECK(was_seen(FAULT_EMPTY_LABEL, label, 0, "no boxes"));
    dataset_free(&set);

    unsigned char noise[4096];
    unsigned state = 5;
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (unsigned char)(int)(128 + 127 * test_noise(&state));
    }
    noise[0] = '\n';
    noise[1] = 0;
    CHECK_OK(open_label(noise, sizeof noise, 3, &label, &set));
    CHECK(seen_count == 1 && was_seen(FAULT_NOT_NUMBERS, label, 2, "not a text file"));
    dataset_free(&set);

    size_t huge = LABEL_MAX_BYTES + 1;
    char *text = mem_alloc(huge, 1);
    memset(text, '\n', huge);
    CHECK_OK(open_label(text, huge, 3, &label, &set));
    CHECK(seen_count == 1 && was_seen(FAULT_NOT_NUMBERS, label, 0, "over the limit"));
    mem_free(text);
    dataset_free(&set);
}

/* Confidences are dropped, polygons and oriented boxes become boxes; each is told once. */
static void test_label_forms(void)
{
    static const char text[] =
        "0 0.5 0.5 0.25 0.5 0.875\n"
        "1 0.5 0.5 0.5 0.5 1\n"
        "2 0.25 0.25 0.75 0.5 0.5 0.75\n"             /* a triangle */
        "1 0.5 0.25 0.75 0.5 0.5 0.75 0.25 0.5\n"     /* a square on its corner */
        "2 0 0 0.125 0 0.125 0.5 0 0.5 0.0625 0.25\n" /* five points */
        "0 0.5 0.5 0.125 0.125\n";
    static const struct truth want[] = {
        {{0.5f, 0.5f, 0.25f, 0.5f}, 0},      {{0.5f, 0.5f, 0.5f, 0.5f}, 1},
        {{0.5f, 0.5f, 0.5f, 0.5f}, 2},       {{0.5f, 0.5f, 0.5f, 0.5f}, 1}, /* again: left out */
        {{0.0625f, 0.25f, 0.125f, 0.5f}, 2}, {{0.5f, 0.5f, 0.125f, 0.125f}, 0},
    };
    const char *label;
    struct dataset set;
    CHECK_OK(open_label(text, sizeof text - 1, 3, &label, &set));
    const struct sample *s = &set.samples[0];
    CHECK(s->truth_count == 5 && s->is_mended && !s->is_unusable);
    for (size_t i = 0, k = 0; i < 6 && s->truth_count == 5; i++) {
        if (i != 3) {
            const struct truth *t = &s->truths[k++];
            CHECK_MSG(t->class_id == want[i].class_id && t->box.cx == want[i].box.cx &&
                          t->box.cy == want[i].box.cy && t->box.w == want[i].box.w &&
                          t->box.h == want[i].box.h,
                      "line %zu", i + 1);
        }
    }
    CHECK(set.faults[FAULT_CONFIDENCE] == 2 && set.faults[FAULT_POLYGON] == 3);
    CHECK(seen_count == 3 && was_seen(FAULT_DUPLICATE, label, 4, "again"));
    CHECK(was_seen(FAULT_CONFIDENCE, label, 1, "(2 such lines in the set)"));
    CHECK(was_seen(FAULT_POLYGON, label, 3, "(3 such lines in the set)"));
    dataset_free(&set);
}

/* The search for boxes given twice is no longer the more boxes there are. */
static void test_many_boxes(void)
{
    enum { SIDE = 300, COUNT = SIDE * SIDE, LINE = 40 };
    const char *label;
    struct dataset set;
    char *text = mem_alloc((size_t)COUNT * LINE + LINE, 1);
    size_t used = 0;
    for (int i = 0; i < COUNT; i++) {
        used += (size_t)snprintf(text + used, LINE, "0 %.4f %.4f .001 .001\n",
                                 (i % SIDE + 1) * 0.003, (i / SIDE + 1) * 0.003);
    }
    used += (size_t)snprintf(text + used, LINE, "0 .003 .003 .001 .001\n");
    clock_t start = clock();
    CHECK_OK(open_label(text, used, 1, &label, &set));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CHECK(set.samples[0].truth_count == COUNT && set.faults[FAULT_DUPLICATE] == 1);
    CHECK(was_seen(FAULT_DUPLICATE, label, COUNT + 1, "again"));
    CHECK_MSG(seconds < 2, "%.1f s", seconds);
    dataset_free(&set);
    mem_free(text);
}

/* A line that shows something unknown spoils its picture; one that marks no part of it does not. */
static void test_unusable_pictures(void)
{
    static const struct {
        const char *line;
        bool is_unusable;
    } table[] = {
        {"0 0.5 0.5 0.1 0.1", false},
        {"0 0.5 0.5 0.1 0.1 0.3", false},
        {"0 0.5 0.5 0 0.1", false},
        {"0 1.5 0.5 0.1 0.1", false},
        {"0 0.95 0.5 0.2 0.2", false},
        {"", false},
        {"0 0.5 0.5 0.1", true},
        {"x 0.5 0.5 0.1 0.1", true},
        {"0,0.5,0.5,0.1,0.1", true},
        {"3 0.5 0.5 0.1 0.1", true},
        {"0 0.5 0.5 0.1 -0.1", true},
        {"0 320 200 40 40", true},
        {"0 20 20 80 80", true},
        {"0 0.5 0.5 0.1 0.1 7", true},
        {"\x01", true},
        {"0 .5 .5 .2 .2 .5 .5 2 .6 .6 2 .7 .7", true},
    };
    enum { LINES = sizeof table / sizeof table[0] };
    char list[8192] = "";
    for (size_t i = 0; i < LINES; i++) {
        char name[64];
        snprintf(name, sizeof name, "spoilt/%zu.jpg", i);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s\n", put(name, ""));
        snprintf(name, sizeof name, "spoilt/%zu.txt", i);
        put(name, table[i].line);
    }
    const char *path = put("spoilt.txt", list);
    struct dataset set;
    CHECK_OK(open_set(path, 3, &set));
    CHECK(set.sample_count == LINES && set.left_out_count == 0);
    for (size_t i = 0; i < LINES; i++) {
        CHECK_MSG(set.samples[i].is_unusable == table[i].is_unusable, "%s", table[i].line);
    }
    CHECK(dataset_count_boxes(&set) == 3);
    dataset_free(&set);
    struct dataset_source source = {
        .path = path, .class_count = 3, .sink = see, .leaves_out = true};
    capture_begin();
    enum result result = dataset_open(&source, &set, &err);
    capture_end();
    CHECK(result == OK && set.sample_count == 6 && set.left_out_count == LINES - 6);
    CHECK_MSG(
        strstr(captured, "spoilt.txt: 10 of 16 pictures have label lines that cannot be used"),
        "%s", captured);
    for (size_t i = 0; i < set.sample_count; i++) {
        CHECK(!set.samples[i].is_unusable);
        CHECK(i == 0 || strcmp(set.samples[i - 1].image_path, set.samples[i].image_path) < 0);
    }
    dataset_free(&set);
}

/* Without a sink: the first five of a kind, then how many. */
static void test_log(void)
{
    char text[4096] = "";
    for (int i = 0; i < 12; i++) {
        strcat(text, "0 0.5 0.5 0 0\n");
    }
    char list[4200];
    snprintf(list, sizeof list, "%s\n", put("log/a.jpg", ""));
    const char *label = put("log/a.txt", text);
    struct dataset set;
    struct dataset_source source = {.path = put("log.txt", list), .class_count = 1};
    capture_begin();
    enum result result = dataset_open(&source, &set, &err);
    capture_end();
    CHECK(result == OK && set.faults[FAULT_ZERO_SIZE] == 12);
    char line[4300];
    snprintf(line, sizeof line, "%s:5: a box of 0 x 0", label);
    CHECK_MSG(strstr(captured, line), "%s", captured);
    snprintf(line, sizeof line, "%s:6:", label);
    CHECK(!strstr(captured, line));
    CHECK(strstr(captured, "12 boxes without area in all"));
    dataset_free(&set);
}

static const struct test_case cases[] = {
    {"label_path", test_label_path},
    {"label_path_nest", test_label_path_nest},
    {"label_path_order", test_label_path_order},
    {"good_labels", test_good_labels},
    {"label_faults", test_label_faults},
    {"clipping", test_clipping},
    {"whole_files", test_whole_files},
    {"label_forms", test_label_forms},
    {"many_boxes", test_many_boxes},
    {"unusable_pictures", test_unusable_pictures},
    {"log", test_log},
};
TEST_MAIN(cases)
