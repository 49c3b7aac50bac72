/* The detection heads: decoding by hand, strict thresholds, order, refusals. The head reads the
 * image, so the grid is the network input. */
#include "base/memory.h"
#include "fixture.h"

static const double CLOSE = 1e-6;

enum { MAX_FLOATS = 256 };

/* Run one head on planar values and collect its detections. */
static bool detect(struct fixture *f, const char *isa, const float *planar, float threshold,
                   struct detection_list *list)
{
    if (!fixture_plan(f, isa, 1, false)) {
        return false;
    }
    fixture_run(f, 1, planar);
    return plan_detect(f->plan, 0, threshold, list, &f->err) == OK;
}

static bool box_is(const struct detection *d, double cx, double cy, double w, double h)
{
    const struct box_cxcywh_norm *b = &d->box;
    bool same = fabs((double)b->cx - cx) <= CLOSE && fabs((double)b->cy - cy) <= CLOSE &&
                fabs((double)b->w - w) <= CLOSE * (1 + w) &&
                fabs((double)b->h - h) <= CLOSE * (1 + h);
    if (!same) {
        printf("  box %.8g %.8g %.8g %.8g, expected %.8g %.8g %.8g %.8g\n", (double)b->cx,
               (double)b->cy, (double)b->w, (double)b->h, cx, cy, w, h);
    }
    return same;
}

static const char *const TWO_SLOTS =
    "[yolo]\nclasses=2\nnum=3\nmask=1,2\nanchors=9,9, 1,.5, .25,.75\nscale_x_y=1.2\n";

static void test_yolo_zero(void)
{
    struct fixture f;
    float zeros[MAX_FLOATS] = {0};
    CHECK_MSG(fixture_open(&f, 2, 1, 14, TWO_SLOTS), "%s", f.err.text);
    for (int i = 0; i < ISA_COUNT; i++) {
        struct detection_list list = {0};
        if (!detect(&f, ISA_NAMES[i], zeros, 0.2f, &list)) {
            CHECK_MSG(!f.err.text[0], "%s", f.err.text);
            continue;
        }
        CHECK(list.count == 8);
        for (size_t k = 0; k < 8; k++) { /* cells, then slots, then classes */
            const struct detection *d = &list.items[k];
            CHECK(d->class_id == (int)(k % 2) && d->candidate == (int)(k / 2));
            CHECK_NEAR(d->confidence, 0.25, CLOSE);
            CHECK_NEAR(d->objectness, 0.5, CLOSE);
            double cx = k < 4 ? 0.25 : 0.75;
            CHECK(k / 2 % 2 == 0 ? box_is(d, cx, 0.5, 0.5, 0.5) : box_is(d, cx, 0.5, 0.125, 0.75));
        }
        detection_list_free(&list);
        CHECK(detect(&f, ISA_NAMES[i], zeros, 0.25f, &list) && list.count == 0);
        detection_list_free(&list);
    }
    fixture_close(&f);
}

static void test_yolo_values(void)
{
    struct fixture f;
    const float raw[7] = {-100, logf(3), 1, -2, 20, -logf(4), 2};
    CHECK(fixture_open(&f, 1, 1, 7, "[yolo]\nclasses=2\nnum=1\nanchors=.5,.25\nscale_x_y=1.2\n"));
    for (int i = 0; i < ISA_COUNT; i++) {
        struct detection_list list = {0};
        if (!detect(&f, ISA_NAMES[i], raw, 0.15f, &list)) {
            CHECK_MSG(!f.err.text[0], "%s", f.err.text);
            continue;
        }
        const float *out = plan_output(f.plan, 0)->data;
        CHECK_NEAR(out[0], -0.1, CLOSE); /* logistic(-inf) = 0; 1.2 * 0 - 0.1 */
        CHECK_NEAR(out[1], 0.8, CLOSE);  /* 1.2 * 0.75 - 0.1 */
        CHECK(out[2] == 1.0f && out[3] == -2.0f);
        CHECK(list.count == 2);
        CHECK(box_is(&list.items[0], -0.1, 0.8, 0.5 * exp(1), 0.25 * exp(-2)));
        CHECK_NEAR(list.items[0].confidence, 0.2, CLOSE);
        CHECK_NEAR(list.items[1].confidence, 1 / (1 + exp(-2)), CLOSE);
        CHECK(list.items[1].class_id == 1 && list.items[1].candidate == 0);
        detection_list_free(&list);
    }
    fixture_close(&f);
}

static void test_yolo_new_coords(void)
{
    struct fixture f;
    const float raw[6] = {0.5f, 0.75f, 0.5f, 0.25f, 0.5f, 0.5f};
    struct detection_list list = {0};
    CHECK(fixture_open(&f, 1, 1, 6,
                       "[yolo]\nclasses=1\nnum=1\nanchors=.5,.25\nscale_x_y=2.0\nnew_coords=1\n"));
    CHECK(detect(&f, NULL, raw, 0.2f, &list));
    CHECK(list.count == 1);
    CHECK(box_is(&list.items[0], 0.5, 1.0, 0.5, 0.0625)); /* w = .5 gives the anchor itself */
    CHECK(list.items[0].confidence == 0.25f);             /* nothing is activated twice */
    detection_list_free(&list);
    CHECK(detect(&f, NULL, raw, 0.25f, &list) && list.count == 0); /* strictly above */
    fixture_close(&f);
}

static void test_yolo_not_a_number(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 3, 2, 6, "[yolo]\nclasses=1\nnum=1\nanchors=1,1\nnew_coords=1\n"));
    float raw[36];
    for (int i = 0; i < 36; i++) {
        raw[i] = 0.9f;
    }
    raw[4 * 6 + 0] = NAN;       /* objectness of cell 0 */
    raw[5 * 6 + 1] = NAN;       /* class of cell 1 */
    raw[2 * 6 + 2] = NAN;       /* width of cell 2 */
    raw[0 * 6 + 3] = INFINITY;  /* x of cell 3 */
    raw[4 * 6 + 4] = -INFINITY; /* objectness of cell 4 */
    struct detection_list list = {0};
    CHECK(detect(&f, NULL, raw, 0.0f, &list));
    CHECK(list.count == 1 && list.items[0].candidate == 5);
    CHECK_NEAR(list.items[0].box.cx, (2 + 0.9) / 3, CLOSE);
    CHECK_NEAR(list.items[0].box.cy, (1 + 0.9) / 2, CLOSE);
    detection_list_free(&list);
    fixture_close(&f);
}

/* Two heads of one network: candidate numbers go on, and the last one decides the suppression. */
static void test_two_heads(void)
{
    struct fixture f;
    const float raw[6] = {0, 0, 0, 0, 2, 2};
    struct detection_list list = {0};
    CHECK(fixture_open(&f, 1, 1, 6,
                       "[yolo]\nclasses=1\nnum=1\nanchors=1,1\nnms_kind=diounms\n"
                       "[upsample]\nstride=1\n"
                       "[yolo]\nclasses=1\nnum=1\nanchors=2,2\nnms_kind=greedynms\nbeta_nms=.7\n"));
    CHECK(detect(&f, NULL, raw, 0.1f, &list));
    CHECK(list.count == 2 && list.items[0].candidate == 0 && list.items[1].candidate == 1);
    CHECK(network_head(&f.net)->nms_kind == NMS_GREEDY);
    CHECK_NEAR(network_head(&f.net)->beta_nms, 0.7, CLOSE);
    CHECK(f.net.layers[0].ops->head(&f.net.layers[0])->nms_kind == NMS_DIOU);
    CHECK_NEAR(f.net.layers[0].ops->head(&f.net.layers[0])->beta_nms, 0.6, CLOSE);
    detection_list_free(&list);
    fixture_close(&f);
}

static void test_region(void)
{
    struct fixture f;
    float raw[MAX_FLOATS] = {0};
    /* 2 x 1 cells, 1 anchor, 2 classes; planar [7][1][2] */
    raw[0 * 2 + 1] = logf(3); /* x of cell 1: logistic .75 */
    raw[2 * 2 + 1] = 1;
    raw[4 * 2 + 1] = logf(4); /* objectness .8; cell 0 has .5 */
    raw[5 * 2 + 1] = logf(3); /* classes .75, .25 */
    struct detection_list list = {0};
    CHECK_MSG(fixture_open(&f, 2, 1, 7,
                           "[region]\nclasses=2\ncoords=4\nnum=1\nsoftmax=1\nanchors=.5,.25\n"),
              "%s", f.err.text);
    CHECK(detect(&f, NULL, raw, 0.24f, &list));
    CHECK(list.count == 3); /* .5 * .5 twice, .8 * .75, not .8 * .25 */
    CHECK(box_is(&list.items[0], 0.25, 0.5, 0.25, 0.25)); /* anchors in cells */
    CHECK(box_is(&list.items[2], 1.75 / 2, 0.5, 0.25 * exp(1), 0.25));
    CHECK_NEAR(list.items[2].confidence, 0.6, CLOSE);
    CHECK(list.items[2].objectness == 1.0f && list.items[2].candidate == 1);
    CHECK(network_head(&f.net)->nms_kind == NMS_DEFAULT);
    detection_list_free(&list);
    fixture_close(&f);
    CHECK(fixture_open(&f, 2, 1, 7, "[region]\nclasses=2\nnum=1\nanchors=.5,.25\n"));
    CHECK(detect(&f, NULL, raw, 0.24f, &list)); /* raw classes: only .8 * ln 3 */
    CHECK(list.count == 1);
    CHECK_NEAR(list.items[0].confidence, 0.8 * log(3), CLOSE);
    detection_list_free(&list);
    fixture_close(&f);
}

static void check_gaussian(const char *point, double cx, double cy)
{
    struct fixture f;
    char text[256];
    const float l3 = logf(3); /* logistic(ln 3) = .75, of -ln 3 .25 */
    const float raw[11] = {0, -l3, l3, -l3, 0, l3, 1, l3, logf(4), 100, -100};
    snprintf(text, sizeof text,
             "[Gaussian_yolo]\nclasses=2\nnum=1\nanchors=.5,.25\nscale_x_y=1.2\n"
             "nms_kind=cornersnms\n%s",
             point);
    struct detection_list list = {0};
    CHECK_MSG(fixture_open(&f, 1, 1, 11, text), "%s", f.err.text);
    CHECK(detect(&f, NULL, raw, 0.3f, &list));
    CHECK(list.count == 1);
    CHECK(box_is(&list.items[0], cx, cy, 0.5, 0.25 * exp(1)));
    CHECK_NEAR(list.items[0].objectness, 0.8, CLOSE);
    CHECK_NEAR(list.items[0].confidence, 0.8 * 0.5, CLOSE); /* mean sigma .5 */
    CHECK(network_head(&f.net)->nms_kind == NMS_CORNERS);
    detection_list_free(&list);
    CHECK(detect(&f, NULL, raw, 0.41f, &list) && list.count == 0);
    fixture_close(&f);
}

static void test_gaussian(void)
{
    double h = 0.25 * exp(1);
    check_gaussian("", 0.5, 0.8);
    check_gaussian("yolo_point=left_top\n", 0.75, 0.8 + h / 2);
    check_gaussian("yolo_point=right_bottom\n", 0.25, 0.8 - h / 2);
}

static void test_refusals(void)
{
    static const char *const conv = "[convolutional]\nfilters=21\nsize=1\nactivation=linear\n";
    static const struct {
        const char *head, *part;
    } rows[] = {
        {"[yolo]\nclasses=3\nnum=3\nanchors=1,1,2,2,3,3\n",
         "t.cfg:6: [yolo] layer 1 at line 9 needs 24 input channels, 3 anchors x (3 classes + 5), "
         "but gets 21 (set filters=24 here)"},
        {"[yolo]\nclasses=2\nnum=3\nanchors=1,1,2,2,3\n", "t.cfg:12: [yolo] anchors: 5 numbers"},
        {"[yolo]\nclasses=2\nnum=3\n",
         "t.cfg:9: [yolo] layer 1: anchors= is missing; num=3 needs 6 numbers"},
        {"[yolo]\nclasses=2\nnum=3\nanchors=1,1,2,2,3,0\n", "number 6 is 0"},
        {"[yolo]\nclasses=2\nnum=2\nmask=0,1,2\nanchors=1,1,2,2\n",
         "t.cfg:12: [yolo] mask: anchor 2 does not exist (num=2: 0 to 1)"},
        {"[yolo]\nclasses=2\nnum=4\nmask=3,1,3\nanchors=1,1,2,2,3,3,4,4\n",
         "t.cfg:12: [yolo] mask: anchor 3 is listed twice"},
        {"[Gaussian_yolo]\nclasses=2\nnum=4\nmask=2,1,1\nanchors=1,1,2,2,3,3,4,4\n",
         "t.cfg:12: [Gaussian_yolo] mask: anchor 1 is listed twice"},
        {"[yolo]\nclasses=0\n", "t.cfg:10: "},
        {"[yolo]\nclasses=2\nnum=3\nanchors=1,1,2,2,3,3\nnms_kind=softnms\n",
         "t.cfg:13: [yolo] nms_kind: unknown value 'softnms' (one of default, greedynms, diounms)"},
        {"[yolo]\nclasses=2\nnum=3\nanchors=1,1,2,2,3,3\niou_loss=siou\n", "mse, iou, giou"},
        {"[yolo]\nclasses=2\nnum=3\nanchors=1,1,2,2,3,3\ncounters_per_class=1\n", "for classes=2"},
        {"[yolo]\nclasses=2\nnum=3\nanchors=1,1,2,2,3,3\nignore_thresh=x\n", "t.cfg:13: "},
        {"[region]\nclasses=3\nnum=3\nanchors=1,1,2,2,3,3\n", "needs 24 input channels"},
        {"[region]\nclasses=2\nnum=3\nanchors=1,1\n", "t.cfg:12: [region] anchors: 2 numbers"},
        {"[region]\nclasses=2\nnum=3\n", "anchors= is missing"},
        {"[Gaussian_yolo]\nclasses=2\nnum=3\nanchors=1,1,2,2,3,3\n", "(2 classes + 9)"},
        {"[Gaussian_yolo]\nclasses=2\nnum=3\nanchors=1,1,2,2,3,3\nyolo_point=top\n", "left_top"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", conv, rows[i].head);
        CHECK_MSG(fixture_refuses(4, 4, 3, text, ERR_CFG, rows[i].part), "row %zu", i);
    }
    CHECK(fixture_refuses(1, 1, 6, "[region]\nclasses=1\nanchors=1,1\ntree=t\n", ERR_UNSUPPORTED,
                          "t.cfg:8: "));
    CHECK(fixture_refuses(1, 1, 6, "[region]\ncoords=5\n", ERR_UNSUPPORTED, "t.cfg:6: "));
    CHECK(fixture_refuses(1, 1, 6, "[yolo]\nclasses=1\nanchors=1,1\nmap=m\n", ERR_UNSUPPORTED,
                          "t.cfg:8: "));
}

/* What stands behind a head works on its output, not in it. */
static void test_followers(void)
{
    static const char *const followers[] = {
        "", /* the head alone */
        "[activation]\nactivation=logistic\n",
        "[activation]\nactivation=mish\n[activation]\nactivation=relu\n",
        "[dropout]\nprobability=.5\n[activation]\nactivation=tanh\n",
        "[batchnorm]\n",
        "[softmax]\n",
        "[sam]\nfrom=-2\n",
        "[shortcut]\nfrom=-2\nactivation=linear\n",
        "[avgpool]\n[scale_channels]\nfrom=-2\n",
        "[yolo]\nclasses=2\nnum=2\nanchors=1,1,2,2\n",
        "[route]\nlayers=-1\n[softmax]\n",
    };
    static const char *const heads[] = {
        "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n[yolo]\nclasses=2\nnum=2\nanchors=1,1,2,2\n",
        "[convolutional]\nfilters=22\nsize=1\nactivation=linear\n[Gaussian_yolo]\nclasses=2\nnum=2\nanchors=1,1,2,2\n",
        "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n[region]\nclasses=2\nnum=2\nanchors=1,1,2,2\n",
    };
    enum { SIDE = 3, PIXELS = SIDE * SIDE, MOST = 22 * PIXELS };
    for (size_t k = 0; k < sizeof heads / sizeof heads[0]; k++) {
        float alone[MOST] = {0};
        for (size_t i = 0; i < sizeof followers / sizeof followers[0]; i++) {
            char text[512];
            struct fixture f;
            float image[PIXELS * 2];
            unsigned state = 3;
            if (k == 1 && strstr(followers[i], "[yolo]")) { /* other channels */
                continue;
            }
            snprintf(text, sizeof text, "%s%s", heads[k], followers[i]);
            CHECK_MSG(fixture_open(&f, SIDE, SIDE, 2, text), "%s", f.err.text);
            for (size_t j = 0; j < f.net.layers[0].params[1].count; j++) {
                f.net.layers[0].params[1].data[j] = test_noise(&state);
            }
            for (int j = 0; j < PIXELS * 2; j++) {
                image[j] = test_noise(&state);
            }
            CHECK(fixture_plan(&f, "scalar", 1, false));
            fixture_run(&f, 1, image);
            const struct tensor *out = plan_output(f.plan, 1);
            for (int p = 0; p < PIXELS; p++) {
                float *kept = &alone[p * out->c];
                const float *got = tensor_at(out, 0, p / SIDE, p % SIDE);
                if (i == 0) {
                    memcpy(kept, got, (size_t)out->c * sizeof(float));
                }
                CHECK_MSG(memcmp(kept, got, (size_t)out->c * sizeof(float)) == 0, "head %zu: %s", k,
                          followers[i]);
            }
            fixture_close(&f);
        }
    }
}

/* Every allocation of reading and decoding may fail. */
static void test_out_of_memory(void)
{
    bool passed = false;
    int failures = 0;
    for (long k = 0; k < 400 && !passed; k++) {
        struct fixture f;
        struct detection_list list = {0};
        float zeros[MAX_FLOATS] = {0};
        mem_fail_after(k);
        bool opened = fixture_open(&f, 2, 1, 14, TWO_SLOTS);
        passed = opened && detect(&f, NULL, zeros, 0.1f, &list);
        mem_fail_after(-1);
        if (!passed) {
            failures++;
            CHECK_MSG(f.err.code == ERR_MEMORY, "allocation %ld: %s", k, f.err.text);
        }
        detection_list_free(&list);
        fixture_close(&f);
    }
    CHECK(passed && failures > 5);
}

static const struct test_case cases[] = {
    {"layers behind a head", test_followers},
    {"yolo_zero", test_yolo_zero},
    {"yolo_values", test_yolo_values},
    {"yolo_new_coords", test_yolo_new_coords},
    {"yolo_not_a_number", test_yolo_not_a_number},
    {"two_heads", test_two_heads},
    {"region", test_region},
    {"gaussian", test_gaussian},
    {"refusals", test_refusals},
    {"out_of_memory", test_out_of_memory},
};

TEST_MAIN(cases)
