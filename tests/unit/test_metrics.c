/* Detection metrics: against tests/golden/metrics (pycocotools, and Darknet's and VOC's
 * definitions done plainly: tests/tools/make_metrics_golden.py), against Cartucho/mAP's own
 * example, and by hand. */
#include "test.h"

#include <dirent.h>

#include "base/memory.h"
#include "capture.h"
#include "eval/coco.h"
#include "eval/confusion.h"
#include "eval/mean_ap.h"
#include "eval/pr_curve.h"

#define GOLDEN "tests/golden/metrics/cases.txt"

enum { MAX_OBJECTS = 1000, MAX_CLASSES = 80, MAX_NUMBERS = 24 };

/* ------------------------------------------------------------------------------------ golden
 * cases */

static struct {
    char name[64];
    size_t class_count;
    struct coco_metrics coco;
    struct map_metrics darknet, voc;
    struct eval_image image;
    bool has_image;
    bool seen[MAX_CLASSES];
    double means[MAX_CLASSES]; /* m lines of one rule and number of points */
    bool open;
} now;

static struct eval_truth truths[MAX_OBJECTS];
static struct eval_detection detections[MAX_OBJECTS];

/* One value against its number in the file (ten digits). */
static void near_value(const char *what, int class_id, size_t i, double found, double wanted)
{
    CHECK_MSG(fabs(found - wanted) <= 1e-9 * fabs(wanted) + 1e-10,
              "case %s, %s, class %d, number %zu: %.12g, expected %.12g", now.name, what, class_id,
              i, found, wanted);
}

static void near_values(const char *what, int class_id, const double *found, const double *wanted,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        near_value(what, class_id, i, found[i], wanted[i]);
    }
}

static void flush_image(void)
{
    struct error err = {0};
    if (!now.has_image) {
        return;
    }
    now.has_image = false;
    CHECK_MSG(coco_metrics_add(&now.coco, &now.image, &err) == OK, "%s", err.text);
    CHECK_MSG(map_metrics_add(&now.darknet, &now.image, &err) == OK, "%s", err.text);
    CHECK_MSG(map_metrics_add(&now.voc, &now.image, &err) == OK, "%s", err.text);
}

/* Classes that have no c line have -1 everywhere. */
static void end_case(void)
{
    for (size_t k = 0; now.open && k < now.class_count; k++) {
        double numbers[COCO_NUMBER_COUNT];
        coco_metrics_class(&now.coco, k, numbers);
        for (size_t i = 0; i < COCO_NUMBER_COUNT && !now.seen[k]; i++) {
            near_value("unlisted", (int)k, i, numbers[i], -1);
        }
    }
    coco_metrics_free(&now.coco);
    map_metrics_free(&now.darknet);
    map_metrics_free(&now.voc);
    now.open = false;
}

static void begin_case(const char *line)
{
    end_case();
    memset(&now, 0, sizeof now);
    CHECK(sscanf(line, "case %63s %zu", now.name, &now.class_count) == 2);
    CHECK(now.class_count > 0 && now.class_count <= MAX_CLASSES);
    CHECK_OK(coco_metrics_init(&now.coco, now.class_count, NULL));
    CHECK_OK(map_metrics_init(&now.darknet, now.class_count, MAP_DARKNET, .5, NULL));
    CHECK_OK(map_metrics_init(&now.voc, now.class_count, MAP_VOC, .5, NULL));
    now.open = true;
}

static void add_object(char kind, const double *v, size_t count)
{
    struct eval_box box = {v[1], v[2], v[3], v[4]};
    if (kind == 'i') {
        flush_image();
        now.image = (struct eval_image){(int64_t)v[0], truths, 0, detections, 0};
        now.has_image = true;
    } else if (kind == 't') {
        CHECK(count == 7 && now.image.truth_count < MAX_OBJECTS);
        truths[now.image.truth_count++] = (struct eval_truth){box, v[5], (int)v[0], v[6] > 0};
    } else {
        CHECK(count == 6 && now.image.detection_count < MAX_OBJECTS);
        detections[now.image.detection_count++] = (struct eval_detection){box, v[5], (int)v[0]};
    }
}

static void check_class_numbers(const double *v)
{
    double numbers[COCO_NUMBER_COUNT];
    now.seen[(size_t)v[0]] = true;
    coco_metrics_class(&now.coco, (size_t)v[0], numbers);
    near_values("numbers", (int)v[0], numbers, v + 1, COCO_NUMBER_COUNT);
}

static void check_curve(char kind, const double *v)
{
    struct coco_curve curve;
    double found[2 * 11];
    coco_metrics_curve(&now.coco, (size_t)v[0], COCO_AREA_ALL, COCO_MAX_DETECTIONS, &curve);
    if (kind == 'r') {
        near_values("recall", (int)v[0], curve.recall, v + 1, COCO_IOUS);
    } else if (kind == 'p') {
        for (size_t t = 0; t < COCO_IOUS; t++) {
            found[t] = 0;
            for (size_t i = 0; i < COCO_RECALLS; i++) {
                found[t] += curve.precision[t][i] / COCO_RECALLS;
            }
        }
        near_values("mean precision", (int)v[0], found, v + 1, COCO_IOUS);
    } else {
        for (size_t i = 0; i < 11; i++) {
            found[i] = curve.precision[0][10 * i];
            found[11 + i] = curve.precision[5][10 * i];
        }
        near_values("precision", (int)v[0], found, v + 1, 22);
    }
}

/* "m RULES POINTS CLASS AP" and "M RULES POINTS ALL PRESENT" */
static void check_map(const char *line)
{
    char rules[16];
    int points;
    double a, b, found;
    CHECK(sscanf(line + 1, "%15s %d %lf %lf", rules, &points, &a, &b) == 4);
    struct map_metrics *m = strcmp(rules, "voc") == 0 ? &now.voc : &now.darknet;
    if (line[0] == 'm') {
        now.means[(size_t)a] = b;
        return;
    }
    for (size_t k = 0; k < now.class_count; k++) {
        CHECK_OK(map_metrics_class(m, k, (enum map_points)points, &found, NULL));
        near_value(rules, (int)k, (size_t)points, found, now.means[k]);
        now.means[k] = 0;
    }
    CHECK_OK(map_metrics_mean(m, (enum map_points)points, true, &found, NULL));
    near_value(rules, -1, (size_t)points, found, a);
    CHECK_OK(map_metrics_mean(m, (enum map_points)points, false, &found, NULL));
    near_value(rules, -1, (size_t)points, found, b);
}

static void check_counts(const double *v)
{
    struct map_counts c;
    if (v[0] < 0) {
        CHECK_OK(map_metrics_total(&now.darknet, .25, &c, NULL));
    } else {
        CHECK_OK(map_metrics_counts(&now.darknet, (size_t)v[0], .25, &c, NULL));
    }
    double found[] = {(double)c.hits, (double)c.misses, (double)c.lost, c.average_iou};
    near_values("counts", (int)v[0], found, v + 1, 4);
}

static size_t read_numbers(const char *text, double *numbers)
{
    size_t count = 0;
    for (char *end; count < MAX_NUMBERS; text = end, count++) {
        numbers[count] = strtod(text, &end);
        if (end == text) {
            break;
        }
    }
    return count;
}

static void golden_line(const char *line)
{
    double v[MAX_NUMBERS] = {0};
    if (strncmp(line, "case ", 5) == 0) {
        begin_case(line);
    } else if (strncmp(line, "stats ", 6) == 0) {
        double numbers[COCO_NUMBER_COUNT];
        flush_image();
        CHECK(read_numbers(line + 6, v) == COCO_NUMBER_COUNT);
        coco_metrics_overall(&now.coco, numbers);
        near_values("overall", -1, numbers, v, COCO_NUMBER_COUNT);
    } else if (line[0] == 'm' || line[0] == 'M') {
        check_map(line);
    } else {
        size_t count = read_numbers(line + 1, v);
        switch (line[0]) {
        case 'i':
        case 't':
        case 'd':
            add_object(line[0], v, count);
            break;
        case 'c':
            CHECK(count == 13);
            check_class_numbers(v);
            break;
        case 'p':
        case 'r':
        case 'q':
            CHECK(count == (line[0] == 'q' ? 23u : 11u));
            check_curve(line[0], v);
            break;
        case 'n':
            CHECK(count == 5);
            check_counts(v);
            break;
        default:
            CHECK_MSG(false, "%s", line);
        }
    }
}

static void golden(void)
{
    char line[1024];
    size_t cases = 0;
    FILE *file = fopen(GOLDEN, "r");
    CHECK_MSG(file, "no " GOLDEN " (run from the repository)");
    while (!test_failed && fgets(line, sizeof line, file)) {
        cases += line[0] == 'c' && line[1] == 'a';
        golden_line(line);
    }
    fclose(file);
    end_case();
    CHECK_MSG(test_failed || cases >= 20, "%zu cases", cases);
}

/* ----------------------------------------------------------------------------------
 * Cartucho/mAP */

static const struct {
    const char *name;
    double ap; /* percent, as the tool of the fixture's commit computes it on these files */
} published[] = {
    {"backpack", 22.7272727273},
    {"bed", 85.9375},
    {"book", 17.5230566535},
    {"bookcase", 14.2857142857},
    {"bottle", 23.4848484848},
    {"bowl", 31.8571428571},
    {"cabinetry", 7.9326923077},
    {"chair", 53.8434622003},
    {"coffeetable", 4.5454545455},
    {"countertop", 19.0476190476},
    {"cup", 42.5003297356},
    {"diningtable", 39.6557093303},
    {"doll", 0},
    {"door", 20.6896551724},
    {"heater", 7.6923076923},
    {"nightstand", 71.4285714286},
    {"person", 42.8571428571},
    {"pictureframe", 17.7083333333},
    {"pillow", 13.0123456790},
    {"pottedplant", 62.3125437781},
    {"remote", 73.2142857143},
    {"shelf", 0},
    {"sink", 16.3265306122},
    {"sofa", 90.4761904762},
    {"tap", 1.3888888889},
    {"tincan", 0},
    {"tvmonitor", 63.25},
    {"vase", 18.75},
    {"wastecontainer", 45.4545454545},
    {"windowblind", 23.5294117647},
};

enum { PUBLISHED = sizeof published / sizeof published[0] };

static int published_class(const char *name)
{
    for (size_t i = 0; i < PUBLISHED; i++) {
        if (strcmp(published[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* "name left top right bottom" or "name score left top right bottom", the last pixel counted in;
 * classes without truths are left out, as the tool does. */
static size_t read_fixture(const char *path, bool scored)
{
    char line[256], name[64];
    size_t count = 0;
    FILE *file = fopen(path, "r");
    while (file && count < MAX_OBJECTS && fgets(line, sizeof line, file)) {
        double v[MAX_NUMBERS] = {0};
        int used = 0;
        if (sscanf(line, "%63s%n", name, &used) != 1 || published_class(name) < 0) {
            continue;
        }
        read_numbers(line + used, v);
        const double *c = scored ? v + 1 : v;
        struct eval_box box = {c[0], c[1], c[2] - c[0] + 1, c[3] - c[1] + 1};
        if (scored) {
            detections[count++] = (struct eval_detection){box, v[0], published_class(name)};
        } else {
            truths[count++] = (struct eval_truth){box, box.w * box.h, published_class(name), false};
        }
    }
    if (file) {
        fclose(file);
    }
    return count;
}

static void fixture(void)
{
    char folder[4096], path[8192];
    struct dirent **files;
    struct map_metrics m;
    double found;
    if (!shared_path("data/map-fixture/ground-truth", folder, sizeof folder)) {
        SKIP("no shared data (set YOLO_SHARED)");
    }
    int count = scandir(folder, &files, NULL, alphasort);
    CHECK(count == 85 + 2);
    CHECK_OK(map_metrics_init(&m, PUBLISHED, MAP_VOC, .5, NULL));
    for (int i = 0; i < count; i++) {
        struct eval_image image = {.id = i, .truths = truths, .detections = detections};
        snprintf(path, sizeof path, "%s/%s", folder, files[i]->d_name);
        image.truth_count = files[i]->d_name[0] == '.' ? 0 : read_fixture(path, false);
        snprintf(path, sizeof path, "%s/../detection-results/%s", folder, files[i]->d_name);
        image.detection_count = files[i]->d_name[0] == '.' ? 0 : read_fixture(path, true);
        CHECK_OK(map_metrics_add(&m, &image, NULL));
        free(files[i]);
    }
    free(files);
    for (size_t k = 0; k < PUBLISHED; k++) {
        CHECK_OK(map_metrics_class(&m, k, MAP_AREA, &found, NULL));
        CHECK_MSG(fabs(100 * found - published[k].ap) <= 1e-8, "%s: %.12g", published[k].name,
                  100 * found);
    }
    CHECK_OK(map_metrics_mean(&m, MAP_AREA, false, &found, NULL));
    CHECK_NEAR(100 * found, 31.0477185009, 1e-8);
    map_metrics_free(&m);
}

/* --------------------------------------------------------------------------------------- by
 * hand */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define AT(x)                                                                                      \
    {                                                                                              \
        x, 0, 10, 10                                                                               \
    }

/* Six detections of four truths: hit .9, miss .8, hit .7, miss and hit .6, hit .5; one crowd
 * match. */
static const struct eval_truth six_truths[] = {
    {AT(0), 100, 0, false},  {AT(20), 100, 0, false}, {AT(40), 100, 0, false},
    {AT(60), 100, 1, false}, {AT(80), 100, 0, true},
};
static const struct eval_detection six_detections[] = {
    {AT(0), .9, 0},  {AT(200), .8, 0}, {AT(20), .7, 0},  {AT(220), .6, 0},
    {AT(60), .6, 1}, {AT(40), .5, 0},  {AT(80), .95, 0},
};
static const struct eval_image six = {1, six_truths, COUNT(six_truths), six_detections,
                                      COUNT(six_detections)};

static void curve_by_hand(void)
{
    static const double want[][5] = {
        /* score, hits, misses, precision, recall */
        {.9, 1, 0, 1, .25},  {.8, 1, 1, .5, .25},   {.7, 2, 1, 2. / 3, .5},
        {.6, 3, 2, .6, .75}, {.5, 4, 2, 4. / 6, 1},
    };
    struct coco_metrics m;
    struct pr_curve curve;
    struct pr_best best;
    CHECK_OK(coco_metrics_init(&m, 2, NULL));
    CHECK_OK(coco_metrics_add(&m, &six, NULL));
    CHECK_OK(pr_curve_build(&m, PR_ALL_CLASSES, 0, &curve, NULL));
    CHECK(curve.count == COUNT(want) && curve.truth_count == 4);
    for (size_t i = 0; i < curve.count; i++) {
        const struct pr_point *p = &curve.points[i];
        CHECK_NEAR(p->score, want[i][0], 0);
        CHECK_NEAR(p->hits, want[i][1], 0);
        CHECK_NEAR(p->misses, want[i][2], 0);
        CHECK_NEAR(p->precision, want[i][3], 1e-15);
        CHECK_NEAR(p->recall, want[i][4], 1e-15);
        CHECK_NEAR(p->f1, 2 * want[i][3] * want[i][4] / (want[i][3] + want[i][4]), 1e-15);
    }
    CHECK(pr_curve_best(&curve, &best));
    CHECK_NEAR(best.point.f1, .8, 1e-15);
    CHECK_NEAR(best.threshold, .25, 1e-15);
    pr_curve_free(&curve);
    CHECK_OK(pr_curve_build(&m, 1, 0, &curve, NULL));
    CHECK(curve.count == 1 && pr_curve_best(&curve, &best));
    CHECK_NEAR(best.point.f1, 1, 0);
    CHECK_NEAR(best.threshold, .3, 1e-15);
    pr_curve_free(&curve);
    coco_metrics_free(&m);
}

static void curve_without_anything(void)
{
    struct eval_image image = {1, NULL, 0, six_detections, COUNT(six_detections)};
    struct coco_metrics m;
    struct pr_curve curve;
    struct pr_best best;
    CHECK_OK(coco_metrics_init(&m, 2, NULL));
    CHECK_OK(pr_curve_build(&m, PR_ALL_CLASSES, 9, &curve, NULL));
    CHECK(curve.count == 0 && !pr_curve_best(&curve, &best));
    pr_curve_free(&curve);
    CHECK_OK(coco_metrics_add(&m, &image, NULL));
    CHECK_OK(pr_curve_build(&m, 0, 9, &curve, NULL));
    CHECK(curve.count == 6 && !pr_curve_best(&curve, &best));
    CHECK_NEAR(best.threshold, 0, 0);
    CHECK_NEAR(curve.points[5].recall, 0, 0);
    pr_curve_free(&curve);
    coco_metrics_free(&m);
}

/* Counts and best threshold against a plain trial of every score of many random outcomes. */
static void curve_best_is_best(void)
{
    static struct eval_truth t[40];
    static struct eval_detection d[60];
    unsigned seed = 5;
    for (int round = 0; round < 50; round++) {
        struct coco_metrics m;
        struct pr_curve curve;
        struct pr_best best;
        double top = 0;
        for (int i = 0; i < 60; i++) {
            double x = 20. * i;
            d[i] =
                (struct eval_detection){AT(x), (double)(int)(10 * test_noise(&seed)) / 16 + 1, 0};
            if (i < 40) {
                t[i] = (struct eval_truth){AT(x + (test_noise(&seed) > 0 ? 0 : 8)), 100, 0, false};
            }
        }
        struct eval_image image = {round, t, 40, d, 60};
        CHECK_OK(coco_metrics_init(&m, 1, NULL));
        CHECK_OK(coco_metrics_add(&m, &image, NULL));
        CHECK_OK(pr_curve_build(&m, 0, 0, &curve, NULL));
        CHECK(pr_curve_best(&curve, &best));
        for (int i = 0; i < 60; i++) {
            size_t hits = 0, kept = 0, over = 0;
            for (int k = 0; k < 60; k++) {
                bool hit = k < 40 && t[k].box.x <= d[k].box.x;
                kept += d[k].score >= d[i].score;
                hits += d[k].score >= d[i].score && hit;
                over += d[k].score > best.threshold;
            }
            double f1 = 2 * (double)hits / (double)(kept + 40);
            top = f1 > top ? f1 : top;
            CHECK(over == best.point.hits + best.point.misses);
        }
        CHECK_NEAR(best.point.f1, top, 1e-14);
        pr_curve_free(&curve);
        coco_metrics_free(&m);
    }
}

static void confusion_by_hand(void)
{
    static const struct eval_truth t[] = {
        {AT(0), 100, 0, false},   {AT(100), 100, 1, false},         {AT(200), 100, 2, false},
        {AT(300), 100, 0, false}, {{400, 0, 100, 100}, 1, 1, true},
    };
    static const struct eval_detection d[] = {
        {AT(3), .9, 0},   /* IoU 7/13 with the first truth: loses it to the next */
        {AT(1), .3, 1},   /* so (0, 1) */
        {AT(100), .5, 1}, /* (1, 1) */
        {AT(200), .2, 2}, /* not above the threshold: (2, background) */
        {AT(304), .9, 0}, /* IoU 6/14 < .45: (0, background), (background, 0) */
        {AT(410), .9, 1}, /* in the crowd */
        {AT(410), .9, 2}, /* in another class's crowd: (background, 2) */
    };
    static const size_t want[4][4] = {
        {0, 1, 0, 1},
        {0, 1, 0, 0},
        {0, 0, 0, 1},
        {2, 0, 1, 0},
    };
    struct eval_image image = {1, t, COUNT(t), d, COUNT(d)};
    struct confusion matrix;
    CHECK_OK(confusion_init(&matrix, 3, CONFUSION_IOU, .2, NULL));
    CHECK_OK(confusion_add(&matrix, &image, NULL));
    CHECK_OK(confusion_add(&matrix, &image, NULL));
    for (size_t g = 0; g < 4; g++) {
        for (size_t k = 0; k < 4; k++) {
            CHECK_MSG(confusion_count(&matrix, g, k) == 2 * want[g][k], "[%zu][%zu] = %zu", g, k,
                      confusion_count(&matrix, g, k));
        }
    }
    confusion_free(&matrix);
}

/* Darknet: at a threshold the first in the array has the truth, in AP the best score has it. */
static void darknet_by_hand(void)
{
    static const struct eval_truth t[] = {{AT(0), 100, 0, false}, {AT(50), 100, 0, true}};
    static const struct eval_detection d[] = {
        {AT(2), .1, 0}, {AT(0), .9, 0}, {AT(50), .8, 0}, {AT(90), 0, 0}};
    struct eval_image image = {1, t, COUNT(t), d, COUNT(d)};
    struct map_metrics m;
    struct map_counts counts;
    double ap;
    CHECK_OK(map_metrics_init(&m, 3, MAP_DARKNET, .5, NULL));
    CHECK_OK(map_metrics_add(&m, &image, NULL));
    CHECK(m.classes[0].count == 2 && m.classes[0].truth_count == 1);
    CHECK_OK(map_metrics_class(&m, 0, MAP_AREA, &ap, NULL));
    CHECK_NEAR(ap, 1, 0);
    CHECK_OK(map_metrics_counts(&m, 0, .25, &counts, NULL));
    CHECK(counts.hits == 0 && counts.misses == 1 && counts.lost == 1);
    CHECK_OK(map_metrics_counts(&m, 0, .05, &counts, NULL));
    CHECK(counts.hits == 1 && counts.misses == 1 && counts.lost == 0);
    CHECK_NEAR(counts.average_iou, 8. / 12 / 2, 1e-15);
    CHECK_NEAR(counts.f1, 2. / 3, 1e-15);
    CHECK_OK(map_metrics_mean(&m, MAP_AREA, true, &ap, NULL));
    CHECK_NEAR(ap, 1. / 3, 1e-15);
    map_metrics_free(&m);
}

/* Two truths overlapped alike: the first in the array has the detection, the next one stays
 * free. */
static void equal_overlap(void)
{
    static const struct eval_truth t[] = {{AT(0), 100, 0, false}, {AT(4), 100, 0, false}};
    static const struct eval_detection d[] = {{AT(2), .9, 0}, {AT(4), .8, 0}};
    struct eval_image image = {1, t, COUNT(t), d, COUNT(d)};
    for (int rules = MAP_DARKNET; rules <= MAP_VOC; rules++) {
        struct map_metrics m;
        double ap;
        CHECK_OK(map_metrics_init(&m, 1, (enum map_rules)rules, .5, NULL));
        CHECK_OK(map_metrics_add(&m, &image, NULL));
        CHECK_OK(map_metrics_class(&m, 0, MAP_AREA, &ap, NULL));
        CHECK_NEAR(ap, 1, 0);
        map_metrics_free(&m);
    }
}

/* ----------------------------------------------------------------------------------------
 * faults */

static void bad_input(void)
{
    static const struct {
        struct eval_detection detection;
        const char *text;
    } faults[] = {
        {{{0, 0, (double)NAN, 1}, 1, 0},
         "image 9, detection 1: a coordinate is not a finite number"},
        {{{(double)INFINITY, 0, 1, 1}, 1, 0},
         "image 9, detection 1: a coordinate is not a finite number"},
        {{{0, 0, 1, -1}, 1, 0}, "image 9, detection 1: width or height is negative"},
        {{{0, 0, 1, 1}, (double)NAN, 0}, "image 9, detection 1: the score is not a finite number"},
        {{{0, 0, 1, 1}, 1, 2}, "image 9, detection 1: there is no such class"},
        {{{0, 0, 1, 1}, 1, -1}, "image 9, detection 1: there is no such class"},
    };
    struct eval_detection d[2] = {{AT(0), 1, 0}};
    struct eval_image image = {9, NULL, 0, d, 2};
    struct coco_metrics coco;
    struct map_metrics map;
    struct confusion matrix;
    CHECK_OK(coco_metrics_init(&coco, 2, NULL));
    CHECK_OK(map_metrics_init(&map, 2, MAP_VOC, .5, NULL));
    CHECK_OK(confusion_init(&matrix, 2, .45, .25, NULL));
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct error err = {0};
        d[1] = faults[i].detection;
        CHECK(coco_metrics_add(&coco, &image, &err) == ERR_FORMAT);
        CHECK_MSG(strcmp(err.text, faults[i].text) == 0, "%s", err.text);
        CHECK(map_metrics_add(&map, &image, &err) == ERR_FORMAT);
        CHECK(confusion_add(&matrix, &image, &err) == ERR_FORMAT);
    }
    struct eval_truth bad_truth = {AT(0), (double)NAN, 0, false};
    image = (struct eval_image){9, &bad_truth, 1, NULL, 0};
    CHECK(coco_metrics_add(&coco, &image, NULL) == ERR_FORMAT);
    CHECK(coco.classes[0].count == 0 && map.classes[0].count == 0);
    CHECK(confusion_count(&matrix, 2, 0) == 0);
    coco_metrics_free(&coco);
    map_metrics_free(&map);
    confusion_free(&matrix);
}

static enum result measure_all(struct error *err)
{
    struct coco_metrics coco = {0};
    struct map_metrics map = {0};
    struct confusion matrix = {0};
    struct pr_curve curve = {0};
    struct map_counts counts;
    double value;
    enum result results[] = {
        coco_metrics_init(&coco, 2, err),
        map_metrics_init(&map, 2, MAP_DARKNET, .5, err),
        confusion_init(&matrix, 2, .45, .25, err),
    };
    enum result result = results[0] ? results[0] : results[1] ? results[1] : results[2];
    if (result == OK) {
        result = coco_metrics_add(&coco, &six, err);
    }
    if (result == OK) {
        result = map_metrics_add(&map, &six, err);
    }
    if (result == OK) {
        result = confusion_add(&matrix, &six, err);
    }
    if (result == OK) {
        result = pr_curve_build(&coco, PR_ALL_CLASSES, 0, &curve, err);
    }
    if (result == OK) {
        result = map_metrics_mean(&map, MAP_AREA, true, &value, err);
    }
    if (result == OK) {
        result = map_metrics_total(&map, .25, &counts, err);
    }
    pr_curve_free(&curve);
    coco_metrics_free(&coco);
    map_metrics_free(&map);
    confusion_free(&matrix);
    return result;
}

/* Every allocation fails in turn: reported, nothing lost or freed twice (ASan watches). */
static void out_of_memory(void)
{
    long k = 0;
    for (; k < 200; k++) {
        struct error err = {0};
        mem_fail_after(k);
        enum result result = measure_all(&err);
        mem_fail_after(-1);
        if (result == OK) {
            break;
        }
        CHECK(result == ERR_MEMORY && strstr(err.text, "out of memory"));
    }
    CHECK_MSG(k > 20 && k < 200, "%ld allocations", k);
}

static const struct test_case cases[] = {
    {"golden", golden},
    {"fixture", fixture},
    {"curve_by_hand", curve_by_hand},
    {"curve_without_anything", curve_without_anything},
    {"curve_best_is_best", curve_best_is_best},
    {"confusion_by_hand", confusion_by_hand},
    {"darknet_by_hand", darknet_by_hand},
    {"equal_overlap", equal_overlap},
    {"bad_input", bad_input},
    {"out_of_memory", out_of_memory},
};

TEST_MAIN(cases)
