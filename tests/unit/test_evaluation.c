/* What an evaluation is made from and into: sets of truths, saved results, calibration, joining.
 * The metrics themselves are in test_metrics.c. */
#include "eval/evaluation.h"

#include <unistd.h>

#include "base/path.h"
#include "base/memory.h"
#include "capture.h"
#include "report/eval_charts.h"
#include "data/image.h"
#include "eval/confusion.h"
#include "results/results_file.h"
#include "test.h"

static char root[] = "/tmp/test_evaluation_XXXXXX";
static struct error err;

static const char *put(const char *name, const char *text)
{
    static char paths[4][256];
    static unsigned turn;
    static bool made;
    if (!made && !mkdtemp(root)) {
        perror(root);
    }
    made = true;
    char *path = paths[turn++ % 4];
    path_join(path, sizeof paths[0], root, name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    return path;
}

#define AT(x)                                                                                      \
    {                                                                                              \
        x, 0, 10, 10                                                                               \
    }

/* ---- sets ---- */

static const char truth_text[] =
    "{\"annotations\": ["
    "{\"image_id\": 30, \"category_id\": 8, \"bbox\": [-5, 1.1, 20.3, 0], \"area\": 3.5},\n"
    "{\"image_id\": 20, \"category_id\": 2, \"bbox\": [1, 2, 3, 4], \"iscrowd\": 1}],\n"
    "\"images\": [{\"id\": 30, \"file_name\": \"a/x.jpg\", \"width\": 100, \"height\": 50},"
    "{\"id\": 20, \"file_name\": \"b/x.jpg\"}, {\"id\": 10}],"
    "\"categories\": [{\"id\": 8, \"name\": \"Dog\"}, {\"id\": 2, \"name\": \"airplane\"}]}";

static enum result open_truth(struct eval_set *set)
{
    const struct eval_source source = {.path = put("truth.json", truth_text)};
    return eval_set_open(&source, set, &err);
}

static void coco_set(void)
{
    struct eval_set set;
    ptrdiff_t found;
    CHECK_OK(open_truth(&set));
    CHECK(set.count == 3 && set.class_count == 2 && set.is_coco && set.has_names);
    CHECK(strcmp(set.names[0], "airplane") == 0 && strcmp(set.names[1], "Dog") == 0);
    CHECK(set.pictures[0].id == 10 && !set.pictures[0].path && set.pictures[0].truth_count == 0);
    size_t last = eval_set_find_id(&set, 30);
    CHECK(last == 2 && set.pictures[last].truth_count == 1 && set.pictures[last].w == 100);
    const struct eval_truth *t = &set.pictures[last].truths[0];
    CHECK(t->box.x == -5 && t->box.y == 1.1 && t->box.w == 20.3 && t->box.h == 0); /* as written */
    CHECK(t->area == 3.5 && t->class_id == 1 && !t->ignore);
    CHECK(set.pictures[1].truths[0].ignore && set.pictures[1].truths[0].area == 12);
    CHECK(eval_set_find_id(&set, 31) == SIZE_MAX);
    CHECK_OK(eval_set_find_path(&set, "/somewhere/a/x.jpg", &found, &err));
    CHECK(found == 2);
    CHECK_OK(eval_set_find_path(&set, "b/x.jpg", &found, &err));
    CHECK(found == 1);
    CHECK_OK(eval_set_find_path(&set, "x.jpg", &found, &err));
    CHECK(found == EVAL_TWO_PICTURES);
    CHECK_OK(eval_set_find_path(&set, "y.jpg", &found, &err));
    CHECK(found == EVAL_NO_PICTURE);
    CHECK_OK(eval_set_find_path(&set, "folder/", &found, &err));
    CHECK(found == EVAL_NO_PICTURE);
    eval_set_free(&set);
}

static void list_set(void)
{
    put("one.jpg", "");
    put("two.jpg", "");
    put("one.txt", "1 0.5 0.5 0.2 0.4\n1 0.5 0.5 0 0.1\n0 0.1 0.1 0.1 0.1 0.75\n");
    put("three.jpg", "");
    put("three.txt", "1 0.5 0.5 0.2 0.4\n7 0.5 0.5 0.1 0.1\n");
    put("two.txt", "");
    static char *const names[] = {"a", "b"};
    const struct eval_source source = {
        .path = put("list.txt", "three.jpg\none.jpg\ntwo.jpg\ngone.jpg\n"),
        .names = names,
        .class_count = 2};
    struct eval_set set;
    capture_begin();
    enum result result = eval_set_open(&source, &set, &err);
    capture_end();
    CHECK_MSG(result == OK, "%s", err.text);
    CHECK(set.count == 2 && set.fault_count == 3 && set.class_count == 2 && !set.is_coco);
    CHECK(set.data.left_out_count == 1 && eval_set_leaves_out(&set, "x/three.jpg"));
    CHECK(!eval_set_leaves_out(&set, "x/one.jpg"));
    CHECK(eval_set_image(&set, 0).truth_count == 0); /* the size is not known yet */
    CHECK_OK(eval_set_size(&set, 0, 200, 100, &err));
    struct eval_image image = eval_set_image(&set, 0);
    CHECK(image.truth_count == 2 && image.truths[0].class_id == 1);
    CHECK_NEAR(image.truths[0].box.x, 80, 1e-5);
    CHECK_NEAR(image.truths[0].box.y, 30, 1e-5);
    CHECK_NEAR(image.truths[0].area, 40 * 40, 1e-3);
    CHECK_OK(eval_set_size(&set, 0, 200, 100, &err));
    CHECK(eval_set_image(&set, 0).truth_count == 2);
    eval_set_free(&set);
}

/* ---- saved results ---- */

static enum result read_results(struct eval_set *set, const char *text,
                                struct results_counts *counts)
{
    const char *path = put("results.json", text);
    static const struct share_head none;
    const struct results_source source = {&path, 1, &none};
    return results_files_read(&source, set, counts, &err);
}

static void results_of_three_kinds(void)
{
    struct eval_set set;
    struct results_counts counts;
    CHECK_OK(open_truth(&set));
    CHECK_OK(read_results(&set,
                          "[{\"score\": 0.25, \"image_id\": 20, \"bbox\": [1, 2, 3, 4],"
                          " \"category_id\": 8, \"segmentation\": [[1]]}]",
                          &counts));
    CHECK(counts.detections == 1 && counts.records == 0);
    const struct eval_detection *d = set.pictures[1].detections;
    CHECK(d->box.x == 1 && d->box.h == 4 && d->score == .25 && d->class_id == 1);
    /* a record a line, objects before the picture; Darknet's word for an airplane */
    CHECK_OK(read_results(&set,
                          "{\"objects\": [{\"class_id\": 4, \"name\": \"aeroplane\","
                          " \"confidence\": 0.5, \"box\": {\"x1\": 1, \"y1\": 2, \"x2\": 11,"
                          " \"y2\": 22}}], \"image\": \"/data/a/x.jpg\"}\n"
                          "{\"image\": \"b/x.jpg\", \"error\": \"broken\"}\n",
                          &counts));
    CHECK(counts.detections == 1 && counts.records == 2 && counts.failures == 1);
    d = set.pictures[2].detections;
    CHECK(d->class_id == 0 && d->box.w == 10 && d->box.h == 20 && set.pictures[1].has_failed);
    eval_set_free(&set);
    CHECK_OK(open_truth(&set));
    CHECK_OK(
        read_results(&set,
                     "[{\"frame_id\": 1, \"filename\": \"a/x.jpg\", \"objects\": [{\"class_id\":"
                     " 16, \"name\": \"dog\", \"relative_coordinates\": {\"center_x\": 0.5,"
                     " \"center_y\": 0.5, \"width\": 0.2, \"height\": 0.4}, \"confidence\":"
                     " 0.75}]}]",
                     &counts));
    d = set.pictures[2].detections;
    CHECK(counts.records == 1 && d->class_id == 1);
    CHECK_NEAR(d->box.x, 40, 1e-12);
    CHECK_NEAR(d->box.y, 15, 1e-12);
    CHECK_NEAR(d->box.w, 20, 1e-12);
    CHECK(read_results(&set,
                       "[{\"image\": \"b/x.jpg\", \"objects\": [{\"class_id\": 0, \"name\":"
                       " \"unicorn\", \"confidence\": 1, \"box\": {\"x1\": 1, \"y1\": 1, \"x2\": 2,"
                       " \"y2\": 2}}]}]",
                       &counts) == ERR_FORMAT);
    CHECK_MSG(strstr(err.text, ":1: [0].objects[0]: the truth has no category \"unicorn\""), "%s",
              err.text);
    eval_set_free(&set);
}

/* ---- figures ---- */

static const struct eval_truth truths[] = {{AT(0), 100, 0, false},
                                           {AT(20), 100, 0, false},
                                           {AT(40), 100, 1, false},
                                           {AT(60), 100, 0, true}};
static const struct eval_detection detections[] = {
    {AT(0), .95, 0}, {AT(100), .92, 0}, {AT(40), .62, 0}, {AT(60), .5, 0}, {AT(20), .05, 0}};
static const struct eval_image picture = {1, truths, 4, detections, 5};

static void calibration_by_hand(void)
{
    struct coco_metrics m;
    struct calibration c;
    CHECK_OK(coco_metrics_init(&m, 2, NULL));
    CHECK_OK(coco_metrics_add(&m, &picture, NULL));
    calibration_measure(&m, &c);
    CHECK(c.count == 4); /* the one on the crowd does not count */
    CHECK(c.bins[9].count == 2 && c.bins[9].hits == 1 && c.bins[6].count == 1);
    CHECK(c.bins[0].count == 1 && c.bins[0].hits == 1 && c.bins[5].count == 0);
    CHECK_NEAR(c.bins[9].confidence, .935, 1e-12);
    CHECK_NEAR(c.bins[9].precision, .5, 1e-12);
    CHECK_NEAR(c.ece, (2 * .435 + .62 + .95) / 4, 1e-12);
    CHECK_NEAR(c.mce, .95, 1e-12);
    coco_metrics_free(&m);
}

static void joining(void)
{
    ptrdiff_t partners[5];
    CHECK_OK(confusion_join(&picture, 2, .5, .1, partners, &err));
    CHECK(partners[0] == 0 && partners[1] == CONFUSION_ALONE && partners[2] == 2);
    CHECK(partners[3] == CONFUSION_LEFT_OUT && partners[4] == CONFUSION_LEFT_OUT);
    CHECK_OK(confusion_join(&picture, 2, .5, 0, partners, &err));
    CHECK(partners[4] == 1);
}

static void threshold_of_a_curve(void)
{
    struct coco_metrics m;
    struct pr_curve curve;
    CHECK_OK(coco_metrics_init(&m, 2, NULL));
    CHECK_OK(coco_metrics_add(&m, &picture, NULL));
    CHECK_OK(pr_curve_build(&m, 0, 0, &curve, NULL));
    CHECK(pr_curve_at(&curve, .95).hits == 0 && pr_curve_at(&curve, .95).score == .95);
    CHECK(pr_curve_at(&curve, .94).hits == 1 && pr_curve_at(&curve, .92).misses == 0);
    struct pr_point all = pr_curve_at(&curve, 0);
    CHECK(all.hits == 2 && all.misses == 2 && all.recall == 1);
    pr_curve_free(&curve);
    coco_metrics_free(&m);
}

static enum result measure_all(struct eval_set *set, double threshold, struct evaluation *e)
{
    const struct evaluation_options options = {.threshold = threshold,
                                               .has_map = true,
                                               .rules = MAP_DARKNET,
                                               .map_iou = .5,
                                               .absent_is_zero = true};
    return evaluation_measure(set, &options, e, &err);
}

static void figures(void)
{
    struct eval_set set;
    struct evaluation e;
    CHECK_OK(open_truth(&set));
    const struct eval_detection wrong = {.box = AT(500), .score = .5, .class_id = 0};
    CHECK_OK(eval_set_add(&set, 0, &wrong, &err));
    CHECK_OK(measure_all(&set, -1, &e));
    CHECK(e.images == 3 && e.all.truths == 1 && e.all.detections == 1 && e.rows[0].truths == 0);
    CHECK(e.rows[0].numbers[COCO_AP] == -1 && e.rows[1].numbers[COCO_AP] == 0);
    CHECK(e.all.numbers[COCO_AP] == 0 && e.all.map_ap == 0 && e.map_threshold == .25);
    CHECK(e.all.counts.misses == 1 && e.all.counts.lost == 1);
    evaluation_free(&e);
    CHECK_OK(measure_all(&set, .6, &e));
    CHECK(e.all.threshold == .6 && e.all.counts.misses == 0 && e.map_threshold == .6);
    evaluation_free(&e);
    eval_set_free(&set);
}

static enum result everything(struct eval_set *set, struct evaluation *e)
{
    struct results_counts counts;
    *e = (struct evaluation){0};
    TRY(open_truth(set));
    TRY(read_results(set,
                     "{\"image\": \"a/x.jpg\", \"objects\": [{\"class_id\": 0, \"name\": \"dog\","
                     " \"confidence\": 1, \"box\": {\"x1\": 1, \"y1\": 1, \"x2\": 2, \"y2\": 2}}]}",
                     &counts));
    return measure_all(set, -1, e);
}

/* ---- charts ---- */

/* Dark pixels of a grey in [x1, x2) x [y1, y2): text and the lines of means, no grid and no frame.
 */
static int dark_pixels(const struct image *image, int x1, int y1, int x2, int y2)
{
    int count = 0;
    for (int y = y1; y < y2 && y < image->h; y++) {
        for (int x = x1; x < x2; x++) {
            count += image->rgb[((size_t)y * (size_t)image->w + (size_t)x) * 3] < 60;
        }
    }
    return count;
}

/* Middle of the field, its lower edge, and the legend. */
static enum result look_at(const char *path, int dark[3])
{
    struct image image;
    TRY(image_read(path, &image, &err));
    int middle = image.h > 400 ? (92 + 770) / 2 : (84 + image.h - 44) / 2;
    dark[0] = dark_pixels(&image, 300, middle - 10, 700, middle + 10);
    dark[1] = dark_pixels(&image, 200, 766, 800, 775);
    dark[2] = dark_pixels(&image, 910, 90, image.w, 700);
    image_free(&image);
    return OK;
}

static void charts_without_objects(void)
{
    const struct eval_source source = {
        .path = put("bare.json",
                    "{\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}],"
                    "\"annotations\": [], \"categories\": [{\"id\": 1, \"name\": \"x\"}]}")};
    struct eval_set set;
    struct results_counts counts;
    struct evaluation e;
    struct eval_ranking ranking;
    CHECK_OK(eval_set_open(&source, &set, &err));
    CHECK_OK(read_results(&set,
                          "[{\"image_id\": 1, \"category_id\": 1, \"score\": 0.7,"
                          " \"bbox\": [0, 0, 5, 5]}]",
                          &counts));
    CHECK_OK(measure_all(&set, -1, &e));
    CHECK_OK(eval_rank(&e, &ranking, &err));
    CHECK(ranking.count == 0);
    const char *path = put("chart.png", "");
    for (int i = 0; i < 3; i++) {
        CHECK_OK(i == 0   ? eval_draw_pr(&e, &ranking, path, &err)
                 : i == 1 ? eval_draw_confidence(&e, &ranking, path, &err)
                          : eval_draw_classes(&e, &ranking, path, &err));
        int dark[3];
        CHECK_OK(look_at(path, dark));
        CHECK_MSG(dark[0] > 100, "chart %d says nothing", i);
        CHECK_MSG(dark[1] == 0 && dark[2] == 0, "chart %d has a line or legend", i);
    }
    mem_free(ranking.classes);
    evaluation_free(&e);
    eval_set_free(&set);
}

/* Red of the pixel in the middle of a bin at a height; the field is (96, 770) to (774, 92). */
static int red_at(const struct image *image, int bin, double height)
{
    int x = 96 + (int)((bin + .5) * 67.8), y = 770 - (int)(height * 678);
    return image->rgb[((size_t)y * (size_t)image->w + (size_t)x) * 3];
}

/* A bar is as high as the share that is right, and what lies above the confidence is told from what is missing. */
static void calibration_chart(void)
{
    struct evaluation e = {.calibration = {.count = 30, .ece = .4, .mce = .7}};
    struct image image;
    const char *path = put("chart.png", "");
    e.calibration.bins[2] = (struct calibration_bin){10, 9, .25, .9}; /* too modest */
    e.calibration.bins[7] = (struct calibration_bin){20, 6, .75, .3}; /* too sure */
    CHECK_OK(eval_draw_calibration(&e, path, &err));
    CHECK_OK(image_read(path, &image, &err));
    int right = red_at(&image, 2, .1), higher = red_at(&image, 2, .6),
        lower = red_at(&image, 7, .5);
    CHECK(right == red_at(&image, 7, .1) && right < 120);
    CHECK_MSG(higher != right && lower != right && lower != higher, "%d %d %d", right, higher,
              lower);
    CHECK(red_at(&image, 2, .95) == 255 && red_at(&image, 7, .85) == 255);
    CHECK(dark_pixels(&image, 96, 830, image.w, 855) > 50); /* what the colours mean, below */
    image_free(&image);
}

static void out_of_memory(void)
{
    long failed = 0;
    for (long k = 0;; k++) {
        struct eval_set set;
        struct evaluation e;
        mem_fail_after(k);
        enum result result = everything(&set, &e);
        mem_fail_after(-1);
        evaluation_free(&e);
        eval_set_free(&set);
        if (result == OK) {
            break;
        }
        failed++;
        CHECK_MSG(result == ERR_MEMORY, "allocation %ld: %d %s", k, (int)result, err.text);
    }
    CHECK_MSG(failed > 20, "%ld", failed);
}

static const struct test_case cases[] = {
    {"coco_set", coco_set},
    {"list_set", list_set},
    {"results_of_three_kinds", results_of_three_kinds},
    {"calibration_by_hand", calibration_by_hand},
    {"joining", joining},
    {"threshold_of_a_curve", threshold_of_a_curve},
    {"figures", figures},
    {"charts_without_objects", charts_without_objects},
    {"calibration_chart", calibration_chart},
    {"out_of_memory", out_of_memory},
};

TEST_MAIN(cases)
