/* Data sets: .data files, lists, label files with all their faults, COCO JSON. */
#include "data/dataset.h"

#include <stdarg.h>
#include <sys/stat.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "capture.h"
#include "data/label_path.h"
#include "test.h"

static struct error err;
static char root[] = "/tmp/test_dataset_XXXXXX";

/* ---- files ---- */

static const char *in_root(const char *name)
{
    static char paths[8][4096];
    static unsigned turn;
    static bool made;
    if (!made && !mkdtemp(root)) {
        perror(root);
    }
    made = true;
    char *path = paths[turn++ % 8];
    path_join(path, sizeof paths[0], root, name);
    return path;
}

static const char *put_bytes(const char *name, const void *bytes, size_t size)
{
    const char *path = in_root(name);
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", (int)(path_base(path) - path), path);
    FILE *f = dir_make(folder, &err) == OK ? fopen(path, "wb") : NULL;
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        perror(path);
        abort();
    }
    return path;
}

static const char *put(const char *name, const char *text)
{
    return put_bytes(name, text, strlen(text));
}

/* ---- faults as they come ---- */

struct seen {
    enum label_fault fault;
    char path[1024];
    int line;
    char text[1024];
};

static struct seen seen[64];
static size_t seen_count;

static void see(void *ctx, enum label_fault fault, const char *path, int line, const char *text)
{
    if (ctx == &seen_count && seen_count < 64) {
        struct seen *s = &seen[seen_count++];
        s->fault = fault;
        s->line = line;
        snprintf(s->path, sizeof s->path, "%s", path);
        snprintf(s->text, sizeof s->text, "%s", text);
    }
}

static enum result open_set(const char *path, size_t classes, struct dataset *set)
{
    seen_count = 0;
    struct dataset_source source = {
        .path = path, .class_count = classes, .sink = see, .sink_ctx = &seen_count};
    return dataset_open(&source, set, &err);
}

static bool was_seen(enum label_fault fault, const char *path, int line, const char *text)
{
    for (size_t i = 0; i < seen_count; i++) {
        const struct seen *s = &seen[i];
        if (s->fault == fault && s->line == line && strcmp(s->path, path) == 0 &&
            strstr(s->text, text)) {
            return true;
        }
    }
    for (size_t i = 0; i < seen_count; i++) {
        printf("    fault %d %s:%d: %s\n", (int)seen[i].fault, seen[i].path, seen[i].line,
               seen[i].text);
    }
    return false;
}

static bool error_is(const char *path, const char *text)
{
    bool fits = strncmp(err.text, path, strlen(path)) == 0 && strstr(err.text, text);
    if (!fits) {
        printf("    error: %s\n", err.text);
    }
    return fits;
}

/* A set of one picture whose label file is `text`; the label's path is *label. */
static enum result open_label(const void *text, size_t size, size_t classes, const char **label,
                              struct dataset *set)
{
    static int number;
    char name[64];
    char line[4200];
    snprintf(name, sizeof name, "faults/%d.JPG", ++number);
    snprintf(line, sizeof line, "%s\n", put(name, "not looked at"));
    snprintf(name, sizeof name, "faults/%d.txt", number);
    *label = put_bytes(name, text, size);
    return open_set(put("faults.txt", line), classes, set);
}

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
        {"0 0.5 0.5 0.5 0.5 0.9", FAULT_NOT_NUMBERS, "6 numbers instead of 5", false},
        {"0 0.5 0.5 0.5 0.5 x", FAULT_NOT_NUMBERS, "\"x\" is no number", false},
        {"dog 0.5 0.5 0.5 0.5", FAULT_NOT_NUMBERS, "\"dog\" is no number", false},
        {"0,0.5,0.5,0.5,0.5", FAULT_NOT_NUMBERS, "is no number", false},
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

    size_t huge = 2 * 1024 * 1024;
    char *text = mem_alloc(huge, 1);
    memset(text, '\n', huge);
    CHECK_OK(open_label(text, huge, 3, &label, &set));
    CHECK(seen_count == 1 && was_seen(FAULT_NOT_NUMBERS, label, 0, "over the limit"));
    mem_free(text);
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

/* ---- lists and folders ---- */

static void test_lists(void)
{
    put("list/images/b.JPG", "");
    put("list/images/a.jpg", "");
    put("list/labels/a.txt", "0 .5 .5 .5 .5\n");
    put("list/labels/orphan.txt", "0 .5 .5 .5 .5\n");
    const char *list = put("list/train.lst", "images/b.JPG\r\n\n images/a.jpg \nimages/gone.jpg\n"
                                             "images/\x01.jpg\nimages/a.jpg");
    struct dataset set;
    CHECK_OK(open_set(list, 1, &set));
    CHECK(set.sample_count == 3 && seen_count == 4);
    CHECK(was_seen(FAULT_ORPHAN_LABEL, in_root("list/labels/orphan.txt"), 0, "no picture"));
    CHECK(strcmp(set.samples[0].image_path, in_root("list/images/b.JPG")) == 0);
    CHECK(!set.samples[0].label_path && set.samples[0].truth_count == 0);
    CHECK(was_seen(FAULT_NO_LABEL, set.samples[0].image_path, 0, "list/labels/b.txt"));
    CHECK(was_seen(FAULT_NO_IMAGE, list, 4, "images/gone.jpg does not exist"));
    CHECK(was_seen(FAULT_NO_IMAGE, list, 5, "control characters"));
    CHECK(set.samples[1].truth_count == 1 && set.samples[2].truth_count == 1);
    dataset_free(&set);

    CHECK_OK(open_set(in_root("list/images"), 1, &set)); /* a folder, by name */
    CHECK(set.sample_count == 2 && strstr(set.samples[0].image_path, "a.jpg"));
    CHECK(set.samples[0].truth_count == 1);
    dataset_free(&set);
}

static void test_unusable_sets(void)
{
    struct dataset set;
    const char *path = in_root("nothing.txt");
    CHECK(open_set(path, 1, &set) == ERR_ARG && error_is(path, "no such file"));
    dataset_free(&set);
    path = put("empty.txt", "\n\n");
    CHECK(open_set(path, 1, &set) == ERR_FORMAT && error_is(path, "no pictures"));
    dataset_free(&set);
    path = put("gone.txt", "a/b.jpg\na/c.jpg\n");
    CHECK(open_set(path, 1, &set) == ERR_FORMAT && error_is(path, "none of the 2 pictures exists"));
    dataset_free(&set);
    path = put("binary.txt", "\x01\n\x02\n\x03\n\x04\n\x05\n\x06\n\x07\n\x08\n\x01\n\x0e\n\x0f\n");
    CHECK(open_set(path, 1, &set) != OK);
    dataset_free(&set);
}

/* ---- COCO ---- */

#define CATEGORIES "\"categories\": [{\"id\": 7, \"name\": \"b\"}, {\"id\": 3, \"name\": \"a\"}]"
#define IMAGES                                                                                     \
    "\"images\": [{\"id\": 42, \"file_name\": \"x.jpg\", \"width\": 200, \"height\": 100},"        \
    "{\"id\": 5, \"file_name\": \"gone.jpg\", \"width\": 10, \"height\": 10},"                     \
    "{\"id\": 9, \"file_name\": \"y.jpg\", \"width\": 10, \"height\": 10}]"

static enum result open_coco(const char *text, size_t classes, const char **path,
                             struct dataset *set)
{
    put("coco/x.jpg", "");
    put("coco/y.jpg", "");
    *path = put("coco/all.json", text);
    return open_set(*path, classes, set);
}

static void test_coco(void)
{
    const char *path;
    struct dataset set;
    CHECK_OK(
        open_coco("{\"info\": {}, " CATEGORIES "," IMAGES ", \"annotations\": ["
                  "{\"id\": 1, \"image_id\": 42, \"category_id\": 7, \"bbox\": [20, 10, 40, 20],"
                  " \"area\": 123.5, \"iscrowd\": 0, \"segmentation\": [[1, 2, 3]]},"
                  "{\"id\": 2, \"image_id\": 42, \"category_id\": 3, \"bbox\": [0, 0, 200, 100],"
                  " \"iscrowd\": 1},"
                  "{\"id\": 3, \"image_id\": 42, \"category_id\": 3, \"bbox\": [5, 5, 0, 9]},"
                  "{\"id\": 4, \"image_id\": 5, \"category_id\": 3, \"bbox\": [0, 0, 1, 1]},"
                  "{\"id\": 5, \"image_id\": 77, \"category_id\": 3, \"bbox\": [0, 0, 1, 1]},"
                  "{\"id\": 6, \"image_id\": 9, \"category_id\": 8, \"bbox\": [0, 0, 1, 1]},"
                  "{\"id\": 7, \"image_id\": 9, \"category_id\": 3, \"bbox\": [5, 5, 10, 1]}]}",
                  2, &path, &set));
    CHECK(set.sample_count == 2 && set.class_count == 2);
    CHECK(set.category_ids[0] == 3 && set.category_ids[1] == 7);
    const struct sample *s = &set.samples[0];
    CHECK(s->coco_id == 42 && s->image_w == 200 && s->image_h == 100 && s->truth_count == 2);
    CHECK(s->truths[0].class_id == 1 && s->truths[1].class_id == 0);
    CHECK_NEAR(s->truths[0].box.cx, 0.2, 1e-6);
    CHECK_NEAR(s->truths[0].box.cy, 0.2, 1e-6);
    CHECK_NEAR(s->truths[0].box.w, 0.2, 1e-6);
    CHECK_NEAR(s->truths[0].box.h, 0.2, 1e-6);
    CHECK(s->areas[0] == 123.5 && s->areas[1] == 20000);
    CHECK(s->is_crowd && !s->is_crowd[0] && s->is_crowd[1]);
    CHECK(set.samples[1].truth_count == 1 && !set.samples[1].is_crowd);
    CHECK_NEAR(set.samples[1].truths[0].box.w, 0.5, 1e-6);
    CHECK(seen_count == 5);
    CHECK(was_seen(FAULT_ZERO_SIZE, path, 1, "annotations[2]: "));
    CHECK(was_seen(FAULT_NO_IMAGE, path, 1, "images[1]: "));
    CHECK(was_seen(FAULT_NO_IMAGE, path, 1, "annotations[4]: no image of id 77"));
    CHECK(was_seen(FAULT_CLASS_RANGE, path, 1, "annotations[5]: no category of id 8"));
    CHECK(was_seen(FAULT_CLIPPED, path, 1, "annotations[6]: "));
    dataset_free(&set);
}

/* A wrong annotation costs only itself; its neighbours before and behind are taken. */
static void test_coco_annotations(void)
{
    static const struct {
        const char *rest, *text;
    } table[] = {
        {"\"image_id\": 9, \"category_id\": 3", "bbox: is missing"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": null", "bbox: is null"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": []", "bbox: is empty"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3]", "bbox: is not an array of 4"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3, 4, 5]",
         "bbox: is not an array of 4"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": \"1 2 3 4\"",
         "bbox: is not an array of 4"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": {\"x\": [1]}",
         "bbox: is not an array of 4"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, null, 3, [4]]",
         "bbox[1]: is not a finite number"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3, 1e999]",
         "bbox[3]: is not a finite number"},
        {"\"image_id\": null, \"category_id\": 3, \"bbox\": [1, 2, 3, 4]",
         "image_id: is not a whole number"},
        {"\"category_id\": 3, \"bbox\": [1, 2, 3, 4]", "image_id: is missing"},
        {"\"image_id\": 9, \"category_id\": \"3\", \"bbox\": [1, 2, 3, 4]",
         "category_id: is not a whole number"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3, 4], \"iscrowd\": \"no\"",
         "iscrowd: is neither"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3, 4], \"area\": []",
         "area: is not a number"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *path;
        struct dataset set;
        char json[2048], text[128];
        snprintf(json, sizeof json,
                 "{" CATEGORIES "," IMAGES ", \"annotations\": ["
                 "{\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 1, 2, 2], \"area\": null, "
                 "\"iscrowd\": null},\n"
                 "{%s},\n{\"image_id\": 9, \"category_id\": 7, \"bbox\": [2, 2, 4, 4]}]}",
                 table[i].rest);
        CHECK_MSG(open_coco(json, 2, &path, &set) == OK, "%s: %s", table[i].text, err.text);
        snprintf(text, sizeof text, "annotations[1].%s", table[i].text);
        CHECK_MSG(was_seen(FAULT_ANNOTATION, path, 2, text), "%s", text);
        CHECK(set.faults[FAULT_ANNOTATION] == 1 && set.samples[1].truth_count == 2);
        CHECK(set.samples[1].areas[0] == 4 && set.samples[1].truths[1].class_id == 1);
        dataset_free(&set);
    }
}

/* Where the file gives no size, the picture's counts. */
static void test_coco_sizes(void)
{
    static const char *const sizes[] = {"", ", \"width\": null, \"height\": null",
                                        ", \"width\": 0, \"height\": 0", ", \"width\": 10",
                                        ", \"width\": \"10\", \"height\": -3"};
    static const char ppm[13 + 20 * 10 * 3] = "P6 20 10 255\n";
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *path;
        struct dataset set;
        char json[1024];
        snprintf(json, sizeof json,
                 "{" CATEGORIES ", \"images\": [{\"id\": 1, \"file_name\": \"size.ppm\"%s},\n"
                 "{\"id\": 2, \"file_name\": \"x.jpg\"}], \"annotations\": ["
                 "{\"image_id\": 1, \"category_id\": 3, \"bbox\": [5, 5, 10, 5]}]}",
                 sizes[i]);
        put_bytes("coco/size.ppm", ppm, sizeof ppm);
        capture_begin();
        enum result result = open_coco(json, 2, &path, &set);
        capture_end();
        CHECK_MSG(result == OK, "%s: %s", sizes[i], err.text);
        CHECK(set.sample_count == 1 && set.samples[0].image_w == 20 &&
              set.samples[0].image_h == 10);
        CHECK_NEAR(set.samples[0].truths[0].box.w, .5, 1e-6);
        CHECK_NEAR(set.samples[0].truths[0].box.cy, .75, 1e-6);
        CHECK(was_seen(FAULT_NO_IMAGE, path, 2, "images[1]: no width and height, and "));
        dataset_free(&set);
    }
}

static void test_coco_broken(void)
{
#define ONE(annotation) "{" CATEGORIES "," IMAGES ", \"annotations\": [" annotation "]}"
    static const struct {
        const char *json, *text;
    } table[] = {
        {"", ":1: not valid JSON"},
        {"{\n\"a\": 1,\n}", ":3: not valid JSON"},
        {"[]", "not a JSON object"},
        {"{}", "no \"categories\""},
        {"{" CATEGORIES "}", "no \"images\""},
        {"{" CATEGORIES "," IMAGES "}", "no \"annotations\""},
        {"{" CATEGORIES ",\"images\": 3}", ":1: images: not an array"},
        {"{\"categories\": [{\"id\": 1}, {}]}", "categories[1].id: is missing"},
        {"{\"categories\": [{\"id\": \"1\"}]}", "categories[0].id: is not a whole number"},
        {"{\"categories\": [{\"id\": 1}, {\"id\": 1}]}", "categories: the id 1 is given twice"},
        {"{\"categories\": [{\"id\": 1}],\"images\": [], \"annotations\": []}",
         "1 categories, but 2 classes are expected"},
        {"{" CATEGORIES ",\"images\": [7]}", ":1: images[0]: not a JSON object"},
        {"{" CATEGORIES ",\"images\": [{\"id\": 1, \"width\": 0}]}",
         "images[0].file_name: is missing"},
        {"{" CATEGORIES ",\"images\": [{\"id\": 1, \"width\": 1, \"height\": 1}]}",
         "images[0].file_name: is missing"},
        {"{" CATEGORIES
         ",\"images\": [{\"id\": 1, \"width\": 1, \"height\": 1, \"file_name\": 3}]}",
         "images[0].file_name: is not a text"},
        {"{" CATEGORIES ",\"images\": [{\"id\": 1.5}]}", "images[0].id: is not a whole number"},
        {ONE("{\"image_id\": 42}"), "annotations[0].category_id: is missing"},
        {ONE("{\"image_id\": 42, \"category_id\": 3}"), "annotations[0].bbox: is missing"},
        {ONE("{\"image_id\": 42, \"category_id\": 3, \"bbox\": [1, 2, 3]}"),
         "annotations[0].bbox: is not an array of 4 numbers"},
        {ONE("{\"image_id\": 42, \"category_id\": 3, \"bbox\": [1, 2, 3, 1e999]}"),
         "annotations[0].bbox[3]: is not a finite number"},
        {ONE("{\"image_id\": 42, \"category_id\": 3, \"bbox\": [1, 2, 3, 4], \"iscrowd\": \"no\"}"),
         "annotations[0].iscrowd: is neither 0 nor 1"},
        {ONE("{\"image_id\": 42, \"category_id\": 3, \"bbox\": [1, 2, 3, 4], \"area\": []}"),
         "annotations[0].area: is not a number"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *path;
        struct dataset set;
        enum result result = open_coco(table[i].json, 2, &path, &set);
        CHECK_MSG(result == ERR_FORMAT, "%s: %d", table[i].text, (int)result);
        CHECK_MSG(error_is(path, table[i].text), "%s", table[i].text);
        dataset_free(&set);
    }
}

/* ---- .data ---- */

static void test_data_file(void)
{
    put("d/train.txt", "");
    put("d/my names.txt", "a\n");
    const char *path = put("d/x.data", "# comment\r\nclasses= 3\r\n train = train.txt\r\n"
                                       "valid=gone.txt\n\nnames =  my names.txt \nbackup=out\n"
                                       "train=other.txt\ntop=5\nvalidd=3\n; more");
    struct data_file file;
    capture_begin();
    enum result result = data_file_read(path, &file, &err);
    capture_end();
    CHECK_MSG(result == OK, "%s", err.text);
    CHECK(file.classes == 3);
    CHECK(strcmp(file.train, in_root("d/train.txt")) == 0);
    CHECK(strcmp(file.names, in_root("d/my names.txt")) == 0);
    CHECK(strcmp(file.backup, in_root("d/out")) == 0);
    CHECK(strcmp(file.valid, "gone.txt") == 0);
    CHECK_MSG(strstr(captured, "x.data:8: train is given again; line 3 counts"), "%s", captured);
    CHECK(strstr(captured, "x.data:10: unknown key validd (did you mean valid?)"));
    CHECK_OK(data_file_need(&file, DATA_TRAIN, &err));
    CHECK(data_file_need(&file, DATA_VALID, &err) == ERR_FORMAT);
    char tried[9000];
    snprintf(tried, sizeof tried, "%s:4: valid: no such file (tried %s, gone.txt)", path,
             in_root("d/gone.txt"));
    CHECK_MSG(strcmp(err.text, tried) == 0, "%s", err.text);
    data_file_free(&file);
}

static void test_data_file_broken(void)
{
    static const struct {
        const char *text, *error;
    } table[] = {
        {"[net]\n", ":1: \"[net]\": key = value"},
        {"classes=1\ntrain=\n", ":2: train has no value"},
        {"classes=many\n", ":1: classes: \"many\""},
        {"classes=0\n", ":1: classes"},
        {"=x\n", ":1: "},
    };
    struct data_file file;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *path = put("broken.data", table[i].text);
        CHECK(data_file_read(path, &file, &err) == ERR_FORMAT);
        CHECK(error_is(path, table[i].error));
        data_file_free(&file);
    }
    CHECK(data_file_read(in_root("no.data"), &file, &err) == ERR_ARG);
    data_file_free(&file);
    const char *path = put("few.data", "labels=a.txt\nnames=b.txt\n");
    CHECK_OK(data_file_read(path, &file, &err));
    CHECK(strcmp(file.names, "b.txt") == 0);
    CHECK(data_file_need(&file, DATA_TRAIN, &err) == ERR_FORMAT && error_is(path, "train"));
    data_file_free(&file);
}

/* ---- real sets ---- */

static void test_shared_sets(void)
{
    char path[4096];
    struct dataset set;
    if (!shared_path("data/coco128/train.txt", path, sizeof path)) {
        SKIP("no shared data (set YOLO_SHARED)");
    }
    CHECK_OK(open_set(path, 80, &set));
    size_t boxes = 0;
    size_t duplicates = set.faults[FAULT_DUPLICATE];
    size_t no_label = set.faults[FAULT_NO_LABEL];
    for (size_t i = 0; i < set.sample_count; i++) {
        boxes += set.samples[i].truth_count;
    }
    CHECK(set.sample_count == 102);
    dataset_free(&set);
    CHECK(shared_path("data/coco128/val.txt", path, sizeof path));
    CHECK_OK(open_set(path, 80, &set));
    for (size_t i = 0; i < set.sample_count; i++) {
        boxes += set.samples[i].truth_count;
    }
    duplicates += set.faults[FAULT_DUPLICATE];
    CHECK(set.faults[FAULT_ORPHAN_LABEL] == 2);
    CHECK(set.sample_count == 26 && no_label + set.faults[FAULT_NO_LABEL] == 2);
    CHECK_MSG(boxes + duplicates == 929, "%zu boxes, %zu duplicates", boxes, duplicates);
    dataset_free(&set);
    CHECK(shared_path("data/aquarium/train.txt", path, sizeof path));
    CHECK_OK(open_set(path, 7, &set));
    CHECK(set.sample_count == 448);
    CHECK(set.faults[FAULT_NOT_NUMBERS] == 0 && set.faults[FAULT_CLASS_RANGE] == 0);
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
    {"log", test_log},
    {"lists", test_lists},
    {"unusable_sets", test_unusable_sets},
    {"coco", test_coco},
    {"coco_annotations", test_coco_annotations},
    {"coco_sizes", test_coco_sizes},
    {"coco_broken", test_coco_broken},
    {"data_file", test_data_file},
    {"data_file_broken", test_data_file_broken},
    {"shared_sets", test_shared_sets},
};
TEST_MAIN(cases)
