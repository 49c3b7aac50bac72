/* Overlaps, mapping back and suppression, by hand. */
#include "run/detect.h"
#include "base/memory.h"
#include "test.h"

static const double CLOSE = 1e-6;

enum { MANY = 400 };

static struct detection make(float cx, float w, float confidence, int class_id, int candidate)
{
    return (struct detection){.box = {cx, 0.5f, w, 0.2f},
                              .class_id = class_id,
                              .confidence = confidence,
                              .objectness = 1,
                              .candidate = candidate};
}

static bool fill(struct detection_list *list, const struct detection *items, size_t count)
{
    struct error err;
    for (size_t i = 0; i < count; i++) {
        if (detection_list_add(list, &items[i], &err) != OK) {
            return false;
        }
    }
    return true;
}

/* Suppress a copy of items; true if exactly `want` candidate numbers remain, in that order. */
static bool remain(const struct detect_options *o, const struct detection *items, size_t count,
                   const int *want, size_t want_count)
{
    struct detection_list list = {0};
    struct error err;
    bool same = fill(&list, items, count) && detect_suppress(&list, o, &err) == OK &&
                list.count == want_count;
    for (size_t i = 0; i < list.count; i++) {
        same = same && list.items[i].candidate == want[i];
    }
    if (!same) {
        printf("  remaining:");
        for (size_t i = 0; i < list.count; i++) {
            printf(" %d", list.items[i].candidate);
        }
        printf("\n");
    }
    detection_list_free(&list);
    return same;
}

static void test_iou(void)
{
    struct box_cxcywh_norm a = {0.5f, 0.5f, 0.5f, 0.5f}, b = {0.5f, 0.5f, 0.25f, 0.5f};
    CHECK(box_iou(&a, &b) == 0.5f && box_iou(&b, &a) == 0.5f && box_iou(&a, &a) == 1.0f);
    struct box_cxcywh_norm beside = {1.0f, 0.5f, 0.5f, 0.5f}, corner = {0.75f, 0.75f, 0.5f, 0.5f};
    CHECK(box_iou(&a, &beside) == 0.0f); /* touching is not overlapping */
    CHECK_NEAR(box_iou(&a, &corner), 1.0 / 7, CLOSE);
    struct box_cxcywh_norm empty = {0.5f, 0.5f, 0, 0};
    CHECK(box_iou(&a, &empty) == 0.0f && box_iou(&empty, &empty) == 0.0f);
    struct box_cxcywh_norm negative = {0.5f, 0.5f, -0.5f, -0.5f};
    CHECK(box_iou(&a, &negative) == 0.0f && box_iou(&negative, &negative) == 0.0f);
}

static void test_diou(void)
{
    struct box_cxcywh_norm a = {0.5f, 0.5f, 0.2f, 0.2f}, b = {0.55f, 0.5f, 0.2f, 0.2f};
    double share = 0.0025 / (0.25 * 0.25 + 0.2 * 0.2);
    CHECK_NEAR(box_iou(&a, &b), 0.6, CLOSE);
    CHECK_NEAR(box_diou(&a, &b, 1.0f), 0.6 - share, CLOSE);
    CHECK_NEAR(box_diou(&a, &b, 0.6f), 0.6 - pow(share, 0.6), CLOSE);
    CHECK_NEAR(box_diou(&a, &a, 0.6f), 1.0, CLOSE);
    struct box_cxcywh_norm point = {0.5f, 0.5f, 0, 0};
    CHECK(box_diou(&point, &point, 0.6f) == 0.0f);
    struct box_cxcywh_norm far = {0.9f, 0.5f, 0.2f, 0.2f};
    CHECK_NEAR(box_diou(&a, &far, 1.0f), -0.16 / (0.36 + 0.04), CLOSE);
}

/* IoU .6, greedy .492, DIoU .576. */
static void test_kinds(void)
{
    const struct detection two[2] = {make(0.5f, 0.2f, 0.9f, 0, 0), make(0.55f, 0.2f, 0.8f, 0, 1)};
    const int first[1] = {0}, both[2] = {0, 1};
    struct detect_options o = {.threshold = 0.1f, .iou_threshold = 0.55f};
    CHECK(remain(&o, two, 2, first, 1));
    o.nms_kind = NMS_CORNERS;
    CHECK(remain(&o, two, 2, first, 1));
    o.nms_kind = NMS_GREEDY;
    o.beta_nms = 1.0f; /* means nothing to greedynms */
    CHECK(remain(&o, two, 2, both, 2));
    o.iou_threshold = 0.45f;
    CHECK(remain(&o, two, 2, first, 1));
    o = (struct detect_options){
        .threshold = 0.1f, .iou_threshold = 0.55f, .nms_kind = NMS_DIOU, .beta_nms = 1.0f};
    CHECK(remain(&o, two, 2, first, 1));
    o.beta_nms = 0.6f;
    CHECK(remain(&o, two, 2, both, 2));
}

static void test_strictness(void)
{
    struct detection two[2] = {make(0.5f, 0.5f, 0.9f, 0, 0), make(0.5f, 0.25f, 0.8f, 0, 1)};
    two[0].box.h = two[1].box.h = 0.5f;
    const int first[1] = {0}, both[2] = {0, 1};
    struct detect_options o = {.threshold = 0.1f, .iou_threshold = 0.5f};
    CHECK(remain(&o, two, 2, both, 2)); /* equal is not above */
    o.iou_threshold = 0.49f;
    CHECK(remain(&o, two, 2, first, 1));
    two[1] = two[0];
    two[1].candidate = 1;
    o.iou_threshold = 1.0f; /* keeps even twins */
    CHECK(remain(&o, two, 2, both, 2));
    o.threshold = 0.9f;
    CHECK(remain(&o, two, 2, NULL, 0));
    o.threshold = 0.89f;
    two[0].objectness = 0.5f;
    const int second[1] = {1};
    CHECK(remain(&o, two, 2, second, 1));
}

static void test_classes(void)
{
    /* same place: classes 1, 0, 1; and class 2 elsewhere */
    const struct detection items[4] = {
        make(0.5f, 0.2f, 0.7f, 1, 0),
        make(0.5f, 0.2f, 0.8f, 0, 1),
        make(0.5f, 0.2f, 0.9f, 1, 2),
        make(0.1f, 0.1f, 0.3f, 2, 3),
    };
    const int by_class[3] = {2, 1, 3}, agnostic[2] = {2, 3}, filtered[2] = {1, 3}, best[1] = {2};
    struct detect_options o = {.threshold = 0.1f, .iou_threshold = 0.45f};
    CHECK(remain(&o, items, 4, by_class, 3));
    o.agnostic = true;
    CHECK(remain(&o, items, 4, agnostic, 2));
    const bool wanted[3] = {true, false, true};
    o.classes = wanted; /* an unwanted class does not suppress */
    CHECK(remain(&o, items, 4, filtered, 2));
    o = (struct detect_options){.threshold = 0.1f, .iou_threshold = 0.45f, .max_detections = 1};
    CHECK(remain(&o, items, 4, best, 1));
}

/* 0 suppresses 1; 1 overlaps 2 but is gone, so 2 stays. */
static void test_chain(void)
{
    const struct detection items[3] = {make(0.60f, 0.2f, 0.5f, 0, 2), make(0.50f, 0.2f, 0.9f, 0, 0),
                                       make(0.55f, 0.2f, 0.7f, 0, 1)};
    const int want[2] = {0, 2};
    struct detect_options o = {.threshold = 0.1f, .iou_threshold = 0.5f};
    CHECK(remain(&o, items, 3, want, 2));
}

static void test_ties(void)
{
    const struct detection items[4] = {make(0.1f, 0.1f, 0.5f, 1, 5), make(0.9f, 0.1f, 0.5f, 0, 9),
                                       make(0.5f, 0.1f, 0.5f, 1, 2), make(0.51f, 0.1f, 0.5f, 1, 7)};
    const int want[3] = {9, 2, 5}; /* class, then candidate; 2 beats its equal 7 */
    struct detect_options o = {.threshold = 0.1f, .iou_threshold = 0.5f};
    CHECK(remain(&o, items, 4, want, 3));
}

/* Does the better box a make b go? Darknet's rule. */
static bool beats(const struct detect_options *o, const struct detection *a,
                  const struct detection *b)
{
    float exponent = nms_exponent(o->nms_kind, o->beta_nms);
    return (o->agnostic || a->class_id == b->class_id) &&
           (exponent < 0 ? box_iou(&a->box, &b->box) : box_diou(&a->box, &b->box, exponent)) >
               o->iou_threshold;
}

/* The rule written down plainly: how many stay in `want`, best first. */
static size_t by_the_rule(const struct detect_options *o, const struct detection *items, int *want)
{
    bool gone[MANY] = {false};
    size_t count = 0;
    for (;;) {
        int best = -1;
        for (int i = 0; i < MANY; i++) {
            if (!gone[i] && items[i].confidence > o->threshold &&
                (best < 0 || items[i].confidence > items[best].confidence)) {
                best = i;
            }
        }
        if (best < 0) {
            return count;
        }
        want[count++] = best;
        for (int i = 0; i < MANY; i++) {
            gone[i] = gone[i] || i == best || beats(o, &items[best], &items[i]);
        }
    }
}

/* Random boxes, some of them empty, turned inside out or without numbers; more stay than are compared at a time. */
static void test_random(void)
{
    static const enum nms_kind kinds[] = {NMS_DEFAULT, NMS_GREEDY, NMS_DIOU};
    static struct detection items[MANY];
    unsigned seed = 11;
    for (int i = 0; i < MANY; i++) {
        items[i] = make(0.5f + 0.3f * test_noise(&seed), 0.2f + 0.1f * test_noise(&seed),
                        0.5f + 0.4f * test_noise(&seed), i % 2, i);
        items[i].box.cy = 0.5f + 0.4f * test_noise(&seed);
        items[i].box.h = i % 50 == 1 ? 0.0f : i % 50 == 2 ? -0.2f : i % 50 == 3 ? NAN : 0.1f;
    }
    for (int k = 0; k < 6; k++) {
        struct detect_options o = {.threshold = 0.2f,
                                   .iou_threshold = 0.45f,
                                   .nms_kind = kinds[k / 2],
                                   .beta_nms = 0.9f,
                                   .agnostic = k % 2 > 0};
        int want[MANY];
        size_t count = by_the_rule(&o, items, want);
        CHECK_MSG(count > 150 && count < MANY - 50, "%zu stay", count);
        CHECK(remain(&o, items, MANY, want, count));
        o.max_detections = 70; /* the best of them */
        CHECK(remain(&o, items, MANY, want, 70));
    }
}

static void test_arguments(void)
{
    struct detection_list list = {0};
    struct error err;
    struct detect_options o = {.threshold = 0.1f, .iou_threshold = 0.5f};
    CHECK_OK(detect_suppress(&list, &o, &err)); /* nothing found */
    CHECK(list.count == 0);
    o.iou_threshold = NAN;
    CHECK(detect_suppress(&list, &o, &err) == ERR_ARG);
    o.iou_threshold = 0.5f;
    o.threshold = -1;
    CHECK(detect_suppress(&list, &o, &err) == ERR_ARG);
}

static void test_to_image(void)
{
    struct detection one = make(0.5f, 0.25f, 0.5f, 0, 0);
    one.box = (struct box_cxcywh_norm){0.5f, 0.25f, 0.25f, 0.25f};
    struct detection_list list = {.items = &one, .count = 1};
    struct image_fit stretch = {640, 480, 416, 416, 0, 0, 416, 416};
    detect_to_image(&list, &stretch);
    CHECK(one.box.cx == 0.5f && one.box.cy == 0.25f && one.box.w == 0.25f && one.box.h == 0.25f);
    struct image_fit wide = {100, 50, 416, 416, 0, 104, 416, 208};
    detect_to_image(&list, &wide);
    CHECK_NEAR(one.box.cx, 0.5, CLOSE);
    CHECK_NEAR(one.box.cy, 0.0, CLOSE);
    CHECK_NEAR(one.box.w, 0.25, CLOSE);
    CHECK_NEAR(one.box.h, 0.5, CLOSE);
    one.box = (struct box_cxcywh_norm){0.5f, 0.5f, 0.25f, 0.5f};
    struct image_fit tall = {30, 91, 200, 100, 84, 0, 33, 100}; /* odd margin: 167 / 2, not 83 */
    detect_to_image(&list, &tall);
    CHECK_NEAR(one.box.cx, 0.5, CLOSE);
    CHECK_NEAR(one.box.w, 0.25 * 200 / 33, 1e-5);
    CHECK(one.box.cy == 0.5f && one.box.h == 0.5f);
}

static void test_box_px(void)
{
    struct box_cxcywh_norm inside = {0.5f, 0.25f, 0.5f, 0.25f}, outside = {0.0f, 1.0f, 0.5f, 0.5f};
    struct box_xyxy_px a = detect_box_px(&inside, 200, 80), b = detect_box_px(&outside, 200, 80);
    CHECK(a.x1 == 50 && a.x2 == 150 && a.y1 == 10 && a.y2 == 30);
    CHECK(b.x1 == 0 && b.x2 == 50 && b.y1 == 60 && b.y2 == 80);
}

static const struct test_case cases[] = {
    {"iou", test_iou},
    {"diou", test_diou},
    {"kinds", test_kinds},
    {"classes", test_classes},
    {"strictness", test_strictness},
    {"chain", test_chain},
    {"ties", test_ties},
    {"random", test_random},
    {"arguments", test_arguments},
    {"to_image", test_to_image},
    {"box_px", test_box_px},
};

TEST_MAIN(cases)
