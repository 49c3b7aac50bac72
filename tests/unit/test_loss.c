/* Losses of the detection heads: by hand, which predictor answers for what, and in corners. */
#include "base/parallel.h"
#include "layers/yolo_head.h"
#include "loss_rig.h"

/* By hand: one cell, one slot. Raw zeros: o = p = x = y = 1/2, size = anchor. */

static void test_one_slot(void)
{
    const char *text =
        "[yolo]\nclasses=2\nnum=1\nanchors=.5,.5\nobj_normalizer=3\ncls_normalizer=.5\n"
        "iou_normalizer=.2\n";
    CHECK(rig_open(1, 1, 7, 1, text));
    rig_truth(0, 1, 0.25f, 0.5f, 0.5f, 1.0f);
    rig_run();
    double factor = 0.2 * (2 - 0.5);
    const double want[7] = {factor * (0.5 - 0.25), 0,    0,    -factor * log(2),
                            3 * (0.5 - 1),         0.25, -0.25};
    for (size_t i = 0; i < 7; i++) {
        CHECK_MSG(fabs(rig_gradient(i) - want[i]) <= 1e-6, "channel %zu: %.9g, expected %.9g", i,
                  rig_gradient(i), want[i]);
    }
    CHECK_NEAR(rig.parts.objectness, 3 * log(2), 1e-6);
    CHECK_NEAR(rig.parts.classes, 0.5 * 2 * log(2), 1e-6);
    double x_part = log(2) - (-0.25 * log(0.25) - 0.75 * log(0.75));
    CHECK_NEAR(rig.parts.box, factor * (x_part + log(2) * log(2) / 2), 1e-6);
    CHECK_NEAR(rig.parts.iou_sum, 0.125 / (0.25 + 0.5 - 0.125), 1e-6);
    CHECK(rig.parts.assignments == 1 && rig.parts.truths == 1);
    rig_close();
}

static void test_gain(void)
{
    /* IoU of 1/2 x 1/2 within 1/2 x 1: 1/2, dIoU/dh = 1; h = e^v / 2: dIoU/dv = 1/2. */
    const char *text =
        "[yolo]\nclasses=1\nnum=1\nanchors=.5,.5\niou_loss=iou\niou_normalizer=.01\n";
    CHECK(rig_open(1, 1, 6, 1, text));
    rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 1.0f);
    rig_run();
    CHECK_NEAR(rig.parts.box, 0.01 * BOX_LOSS_GAIN * 0.5, 1e-7);
    CHECK_NEAR(rig_gradient(3), -0.01 * BOX_LOSS_GAIN * 0.5, 1e-7);
    rig_close();
    /* new_coords: h = 4 v^2 / 2, at v = 1/2: dh/dv = 2. */
    text =
        "[yolo]\nclasses=1\nnum=1\nanchors=.5,.5\niou_loss=iou\niou_normalizer=.01\nnew_coords=1\n"
        "max_delta=.05\n";
    CHECK(rig_open(1, 1, 6, 1, text));
    rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 1.0f);
    for (size_t i = 0; i < 6; i++) {
        rig.in[i] = 0.5f;
    }
    rig_run();
    CHECK_NEAR(rig.parts.box, 0.01 * BOX_LOSS_GAIN_NEW_COORDS * 0.5, 1e-7);
    CHECK_NEAR(rig_gradient(3), -0.05, 1e-7); /* clipped: 0.08 without max_delta */
    rig_close();
}

/* Two cells side by side, two slots; the truth belongs to slot 0 of cell 0, and slot 1 of cell 0
 * predicts about the same box. Gradient of that slot's objectness, whose output is 1/2. */
static double neighbour(const char *keys, float class_logit)
{
    char text[256];
    snprintf(text, sizeof text, "[yolo]\nclasses=1\nnum=2\nanchors=.5,.5, .7,.7\n%s", keys);
    if (!rig_open(2, 1, 12, 1, text)) {
        return (double)NAN;
    }
    rig_truth(0, 0, 0.25f, 0.5f, 0.25f, 0.5f);
    rig.in[6 + 5] = class_logit;
    rig_run();
    double gradient = rig_gradient(6 + 4), other_cell = rig_gradient(12 + 4);
    bool is_right = rig.parts.assignments == 1 && fabs(rig_gradient(4) + 0.5) <= 1e-6 &&
                    fabs(other_cell - 0.5) <= 1e-6;
    rig_close();
    return is_right ? gradient : (double)NAN;
}

static void test_ignoring(void)
{
    double iou = 0.25 / 0.49;
    CHECK_NEAR(neighbour("ignore_thresh=.5\n", 0), 0, 0);
    CHECK_NEAR(neighbour("ignore_thresh=.52\n", 0), 0.5, 1e-6);
    CHECK_NEAR(neighbour("ignore_thresh=.5\n", -2), 0.5, 1e-6); /* no class output above 0.25 */
    CHECK_NEAR(neighbour("ignore_thresh=.5\n", -1), 0, 0);
    CHECK(rig_open(2, 1, 12, 1,
                   "[yolo]\nclasses=1\nnum=2\nanchors=.5,.5, .7,.7\nobjectness_smooth=1\n"));
    rig_truth(0, 0, 0.25f, 0.5f, 0.25f, 0.5f);
    rig_run();
    CHECK_NEAR(rig_gradient(4), 0.5 - 1, 1e-6); /* a perfect box: its IoU is 1 */
    CHECK_NEAR(rig_gradient(6 + 4), 0.5 - iou, 1e-6);
    rig_close();
    CHECK(
        rig_open(2, 1, 12, 1, "[yolo]\nclasses=1\nnum=2\nanchors=.5,.5, .7,.7\ntruth_thresh=.5\n"));
    rig_truth(0, 0, 0.25f, 0.5f, 0.25f, 0.5f);
    rig_run();
    CHECK(rig.parts.assignments == 2 && rig.parts.truths == 1);
    CHECK_NEAR(rig_gradient(6 + 4), 0.5 - 1, 1e-6);
    rig_close();
}

static void test_several_anchors(void)
{
    /* Shapes .25 x .5 and .35 x .7 of the net overlap by .51: above iou_thresh both are assigned.
     */
    const char *text = "[yolo]\nclasses=1\nnum=2\nanchors=.5,.5, .7,.7\niou_thresh=.5\n";
    CHECK(rig_open(2, 1, 12, 1, text));
    rig_truth(0, 0, 0.25f, 0.5f, 0.25f, 0.5f);
    rig_run();
    CHECK(rig.parts.assignments == 2);
    double one = rig_gradient(6 + 2);
    CHECK_NEAR(one, 0.75 * (2 - 0.125) * log(1.4), 1e-6);
    rig_truth(0, 0, 0.25f, 0.5f, 0.25f, 0.5f); /* twice the same label: the mean is that of one */
    rig_run();
    CHECK(rig.parts.assignments == 4 && rig.parts.truths == 2);
    CHECK_NEAR(rig_gradient(6 + 2), one, 1e-6);
    rig_close();
    text = "[yolo]\nclasses=1\nnum=2\nanchors=.5,.5, .7,.7\niou_thresh=.52\n";
    CHECK(rig_open(2, 1, 12, 1, text));
    rig_truth(0, 0, 0.25f, 0.5f, 0.25f, 0.5f);
    rig_run();
    CHECK(rig.parts.assignments == 1);
    rig_close();
}

static void test_two_classes(void)
{
    /* Two labels of different classes on one predictor: both classes are right. */
    CHECK(rig_open(1, 1, 8, 1, "[yolo]\nclasses=3\nnum=1\nanchors=.5,.5\n"));
    rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 0.5f);
    rig_truth(0, 2, 0.5f, 0.5f, 0.5f, 0.5f);
    rig_run();
    CHECK_NEAR(rig_gradient(5), -0.5, 1e-6);
    CHECK_NEAR(rig_gradient(6), 0.5, 1e-6);
    CHECK_NEAR(rig_gradient(7), -0.5, 1e-6);
    rig_close();
}

/* Labels that no head can learn from change nothing; those on the border belong to the last cell.
 */
static void check_odd_truths(const char *section, int channels)
{
    CHECK(rig_open(3, 2, channels, 1, section));
    static const float good[4] = {0.5f, 0.5f, 0.2f, 0.2f};
    rig_run();
    double empty = rig.parts.objectness;
    CHECK(empty > 0 && rig.parts.box == 0 && rig.parts.classes == 0);
    for (int k = 0; k < 4; k++) {
        float box[4];
        memcpy(box, good, sizeof box);
        box[k] = k < 2 ? 1.01f : 0.0f;
        rig_truth(0, 0, box[0], box[1], box[2], box[3]);
        box[k] = k < 2 ? -0.01f : -0.2f;
        rig_truth(0, 0, box[0], box[1], box[2], box[3]);
        box[k] = NAN;
        rig_truth(0, 0, box[0], box[1], box[2], box[3]);
    }
    rig_truth(0, -1, good[0], good[1], good[2], good[3]);
    rig_truth(0, 2, good[0], good[1], good[2], good[3]);
    rig_run();
    CHECK(rig.parts.truths == 0 && rig.parts.assignments == 0);
    CHECK(rig.parts.objectness == empty && rig.parts.box == 0);
    rig.sets[0].count = 0;
    rig_truth(0, 1, 1.0f, 1.0f, 0.2f, 0.2f);
    rig_truth(0, 1, 0.0f, 0.0f, 0.2f, 0.2f);
    rig_run();
    CHECK(rig.parts.truths == 2 && rig.parts.assignments == 2);
    size_t c = (size_t)channels;
    for (size_t i = 0; i < rig_floats(); i++) {
        CHECK(isfinite(rig_gradient(i)));
        bool is_assigned = i / c == 0 || i / c == 5;
        CHECK_MSG(i % c < c - 3 || (rig_gradient(i) < 0) == (is_assigned && i % c != c - 2),
                  "value %zu: %g", i, rig_gradient(i));
    }
    rig_close();
}

static void test_odd_truths(void)
{
    check_odd_truths("[yolo]\nclasses=2\nnum=1\nanchors=.5,.5\niou_loss=ciou\n", 7);
    check_odd_truths("[Gaussian_yolo]\nclasses=2\nnum=1\nanchors=.5,.5\n", 11);
    check_odd_truths("[region]\nclasses=2\nnum=1\nanchors=.5,.5\nsoftmax=1\n", 7);
}

static void test_limit_of_truths(void)
{
    CHECK(rig_open(3, 1, 6, 1, "[yolo]\nclasses=1\nnum=1\nanchors=.5,.5\nmax=2\n"));
    rig_truth(0, 0, 0.1f, 0.5f, 0.5f, 0.5f);
    rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 0.5f);
    rig_truth(0, 0, 0.9f, 0.5f, 0.5f, 0.5f);
    rig_run();
    CHECK(rig.parts.truths == 2 && rig.parts.assignments == 2);
    rig_close();
}

/* One object for every slot of its cell: the loss's own memory holds whatever the mask says. */
static void check_same_anchor(const char *section, int channels)
{
    enum { TRUTHS = 24, SLOTS = 3 };
    CHECK(rig_open(3, 2, channels * SLOTS, 1, section));
    struct yolo_head *o = rig.f.net.layers[0].state;
    for (int i = 0; i < SLOTS; i++) {
        o->mask[i] = 1; /* the one that fits */
    }
    for (int t = 0; t < TRUTHS; t++) {
        rig_truth(0, 0, ((float)t + 0.5f) / TRUTHS, 0.5f, 0.5f, 0.5f);
    }
    rig_run();
    CHECK(rig.parts.truths == TRUTHS && rig.parts.assignments == TRUTHS * SLOTS);
    CHECK(isfinite(rig.parts.box + rig.parts.objectness + rig.parts.classes));
    rig_close();
}

static void test_same_anchor(void)
{
    parallel_set_threads(1); /* no other thread's memory behind it */
    check_same_anchor("[yolo]\nclasses=1\nnum=3\nanchors=.5,.5,1,1,2,2\nmax=24\n", 6);
    check_same_anchor("[Gaussian_yolo]\nclasses=1\nnum=3\nanchors=.5,.5,1,1,2,2\nmax=24\n", 10);
    parallel_set_threads(0);
}

static void test_extreme_inputs(void)
{
    static const char *const sections[] = {
        "[yolo]\nclasses=1\nnum=1\nanchors=.5,.5\niou_loss=iou\n",
        "[yolo]\nclasses=1\nnum=1\nanchors=.5,.5\niou_loss=giou\n",
        "[yolo]\nclasses=1\nnum=1\nanchors=.5,.5\niou_loss=ciou\nfocal_loss=1\n",
        "[yolo]\nclasses=1\nnum=1\nanchors=.5,.5\niou_loss=ciou\nnew_coords=1\nfocal_loss=1\n",
        "[Gaussian_yolo]\nclasses=1\nnum=1\nanchors=.5,.5\n",
        "[region]\nclasses=1\nnum=1\nanchors=.5,.5\nsoftmax=1\nfocal_loss=1\n",
    };
    static const float values[] = {0, -30, 30, -300, 300, -1e30f, 1e30f};
    for (size_t s = 0; s < sizeof sections / sizeof sections[0]; s++) {
        int channels = sections[s][1] == 'G' ? 10 : 6;
        CHECK(rig_open(1, 1, channels, 1, sections[s]));
        rig_truth(0, 0, 0.5f, 0.5f, 0.3f, 0.6f);
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            for (int only = -1; only < channels; only++) {
                for (int c = 0; c < channels; c++) {
                    rig.in[c] = only < 0 || only == c ? values[v] : 0.1f;
                }
                rig_run();
                CHECK(isfinite(rig.parts.box + rig.parts.objectness + rig.parts.classes));
                for (int c = 0; c < channels; c++) {
                    CHECK_MSG(isfinite(rig_gradient((size_t)c)), "channel %d at %g in\n%s", c,
                              (double)values[v], sections[s]);
                }
            }
        }
        for (int c = 0; c < channels; c++) {
            rig.in[c] = NAN;
        }
        rig_run();
        double total = rig.parts.box + rig.parts.objectness + rig.parts.classes;
        CHECK_MSG(isnan(total), "NaN must show; %g in\n%s", total, sections[s]);
        rig_close();
    }
}

static void fill(unsigned seed)
{
    for (size_t i = 0; i < rig_floats(); i++) {
        rig.in[i] = 2 * test_noise(&seed);
    }
    for (int n = 0; n < rig.input.n; n++) {
        for (int i = 0; i < 5; i++) {
            float v[4];
            for (int k = 0; k < 4; k++) {
                v[k] = 0.5f + 0.45f * test_noise(&seed);
            }
            rig_truth(n, i % 3, v[0], v[1], v[2], v[3]);
        }
    }
}

static void test_threads(void)
{
    static float kept[sizeof rig.grad / sizeof rig.grad[0]];
    struct loss_parts parts = {0};
    for (int threads = 1; threads <= 3; threads++) {
        parallel_set_threads(threads);
        CHECK(rig_open(4, 3, 24, 4, YOLO "iou_loss=ciou\niou_thresh=.2\n"));
        fill(3);
        rig_run();
        if (threads == 1) {
            memcpy(kept, rig.grad, sizeof kept);
            parts = rig.parts;
            CHECK(parts.assignments > 20);
        }
        CHECK(memcmp(kept, rig.grad, sizeof kept) == 0);
        CHECK(memcmp(&parts, &rig.parts, sizeof parts) == 0);
        rig_close();
    }
    parallel_set_threads(0);
}

static void test_batch_mates(void)
{
    /* Image 1 alone has the gradient it has among others; the parts add up. */
    static float kept[MAX_FLOATS];
    CHECK(rig_open(4, 3, 24, 2, YOLO "iou_loss=giou\n"));
    fill(7);
    rig_run();
    struct loss_parts both = rig.parts;
    size_t half = rig_floats() / 2;
    for (size_t i = 0; i < half; i++) {
        kept[i] = (float)rig_gradient(half + i);
    }
    rig.e.out.n = rig.input.n = rig.gradient.n = 1;
    rig_run();
    struct loss_parts first = rig.parts;
    memmove(rig.in, rig.in + half, half * sizeof(float));
    rig.sets[0] = rig.sets[1];
    rig_run();
    for (size_t i = 0; i < half; i++) {
        CHECK((float)rig_gradient(i) == kept[i]);
    }
    CHECK_NEAR(both.box, first.box + rig.parts.box, 1e-9);
    CHECK_NEAR(both.objectness, first.objectness + rig.parts.objectness, 1e-9);
    CHECK_NEAR(both.classes, first.classes + rig.parts.classes, 1e-9);
    CHECK(both.truths == first.truths + rig.parts.truths);
    rig_close();
}

static void check_adding(const char *section, int channels)
{
    static double alone[MAX_FLOATS];
    CHECK(rig_open(4, 3, channels, 2, section));
    fill(9);
    rig_run();
    struct loss_parts parts = rig.parts;
    for (size_t i = 0; i < rig_floats(); i++) {
        alone[i] = rig_gradient(i);
    }
    rig.adds = true;
    rig_run();
    for (size_t i = 0; i < rig_floats(); i++) {
        CHECK_NEAR(rig_gradient(i), 2 * alone[i], 1e-5 * fabs(alone[i]));
    }
    CHECK(rig_guarded());
    rig.gradient.data = NULL; /* not wanted */
    rig_run();
    CHECK(memcmp(&parts, &rig.parts, sizeof parts) == 0);
    rig.e.mode = MODE_INFER;
    rig_run();
    CHECK(rig.parts.truths == 0 && rig.parts.objectness == 0);
    rig_close();
}

static void test_adding(void)
{
    check_adding(YOLO, 24);
    check_adding(GAUSSIAN, 36);
    check_adding(REGION "softmax=1\n", 16);
}

static void test_uncertainty(void)
{
    /* Raw zeros, all as it should be: v = t, d = 0.8. -ln(1 / (d sqrt(2 pi))) / 2 four times,
     * scaled; sigma wants to shrink: slope 1 / (2 d) * sigma (1 - sigma). */
    const char *text =
        "[Gaussian_yolo]\nclasses=1\nnum=1\nanchors=.5,.5\niou_normalizer=.5\nuc_normalizer=2\n";
    CHECK(rig_open(1, 1, 10, 1, text));
    rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 0.5f);
    rig_run();
    double scale = 2 - 0.25, value = log(0.8 * sqrt(2 * acos(-1.0))) / 2;
    CHECK_NEAR(rig.parts.box, 4 * scale * (0.5 + 2) * value, 1e-6);
    for (size_t i = 0; i < 8; i++) {
        CHECK_NEAR(rig_gradient(i), i % 2 ? 2 * scale / (2 * 0.8) * 0.25 : 0, 1e-6);
    }
    rig_close();
}

static void test_hopeless(void)
{
    /* w is 40 too large: the density is 0 beside the paper's 1e-9, so there is no slope. */
    const char *text = "[Gaussian_yolo]\nclasses=1\nnum=1\nanchors=.5,.5\n";
    CHECK(rig_open(1, 1, 10, 1, text));
    rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 0.5f);
    rig.in[4] = 40;
    rig_run();
    CHECK_NEAR(rig_gradient(4), 0, 1e-9);
    CHECK_NEAR(rig_gradient(5), 0, 1e-9);
    CHECK(rig_gradient(7) > 0.1);
    /* 6.5 deviations away it is of the order of 1e-9: a share of the slope is left. */
    rig.in[4] = 6.5f * 0.8f;
    rig_run();
    double density = exp(-6.5 * 6.5 / 2) / (0.8 * sqrt(2 * acos(-1.0)));
    double share = density / (density + 1e-9);
    CHECK(share > 0.1 && share < 0.9);
    CHECK_NEAR(rig_gradient(4), 0.75 * 1.75 * share * 6.5 / 0.8 / 2, 1e-4);
    rig_close();
}

static void test_ties(void)
{
    /* Of equal anchors the first has the truth. */
    const char *texts[] = {"[yolo]\nclasses=1\nnum=2\nanchors=.5,.5, .5,.5\n",
                           "[region]\nclasses=1\nnum=2\nanchors=.5,.5, .5,.5\nbias_match=1\n"};
    for (int i = 0; i < 2; i++) {
        CHECK(rig_open(1, 1, 12, 1, texts[i]));
        rig_truth(0, 0, 0.4f, 0.4f, 0.3f, 0.3f);
        rig_run();
        CHECK(rig.parts.assignments == 1);
        CHECK(rig_gradient(4) < 0 && rig_gradient(6 + 4) > 0);
        rig_close();
    }
}

static void test_smooth_takes_best(void)
{
    /* A perfect box, and then a worse truth on the same predictor: its objectness still aims at 1.
     */
    CHECK(rig_open(1, 1, 6, 1,
                   "[yolo]\nclasses=1\nnum=1\nanchors=.5,.5\nobjectness_smooth=1\n"
                   "ignore_thresh=2\n"));
    rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 0.5f);
    rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 0.25f);
    rig_run();
    CHECK_NEAR(rig_gradient(4), 0.5 - 1, 1e-6);
    rig.sets[0].items++; /* the worse one alone, though far below ignore_thresh */
    rig.sets[0].count--;
    rig_run();
    CHECK_NEAR(rig_gradient(4), 0.5 - 0.5, 1e-6);
    rig_close();
}

/* Going downhill ends at the truths from a bad start; but for iou, which does not pull a box that
 * touches nothing. */
static void check_descent(const char *section, int channels, float rate)
{
    CHECK(rig_open(4, 3, channels, 1, section));
    unsigned seed = 21;
    bool is_new = strstr(section, "new_coords=1");
    for (size_t i = 0; i < rig_floats(); i++) {
        rig.in[i] = is_new ? 0.5f + 0.3f * test_noise(&seed) : test_noise(&seed);
    }
    rig_truth(0, 1, 0.31f, 0.37f, 0.23f, 0.31f);
    rig_truth(0, 0, 0.79f, 0.81f, 0.52f, 0.47f);
    rig_run();
    double first = rig.parts.iou_sum;
    const int steps = 3000;
    for (int step = 0; step < steps; step++) {
        float now =
            rate * (float)(steps - step) / (float)steps; /* past the kinks at coinciding edges */
        for (size_t i = 0; i < rig_floats(); i++) {
            rig.in[i] -= now * (float)rig_gradient(i);
        }
        rig_run();
    }
    CHECK_MSG(rig.parts.assignments == 2 && first < 1.6 && rig.parts.iou_sum > 1.98,
              "IoU sum %g at first, %g in the end in\n%s", first, rig.parts.iou_sum, section);
    rig_close();
}

static void test_descent(void)
{
    static const char *const kinds[] = {"mse", "giou", "diou", "ciou"};
    for (size_t i = 0; i < 4 && !test_failed; i++) {
        for (int is_new = 0; is_new < 2 && !test_failed; is_new++) {
            char text[512];
            snprintf(text, sizeof text, YOLO "scale_x_y=%d\niou_loss=%s\nnew_coords=%d\n",
                     1 + is_new, kinds[i], is_new);
            check_descent(text, 24, is_new ? 0.003f : 0.02f);
        }
    }
    check_descent(GAUSSIAN "iou_loss=ciou\n", 36, 0.02f);
    check_descent(REGION "bias_match=1\nsoftmax=1\n", 16, 0.4f);
}

static void test_region_owners(void)
{
    /* The last of two truths on one predictor has it; the slot is chosen by predicted shape, or by
     * anchor with bias_match. */
    const char *text = "[region]\nclasses=2\nnum=2\nanchors=1,1, .5,.5\nsoftmax=1\n%s";
    for (int match = 0; match < 2; match++) {
        char section[256];
        snprintf(section, sizeof section, text, match ? "bias_match=1\n" : "");
        CHECK(rig_open(1, 1, 14, 1, section));
        rig_truth(0, 0, 0.5f, 0.5f, 0.5f, 0.5f);
        rig_truth(0, 1, 0.5f, 0.5f, 0.5f, 0.5f);
        rig.in[2] = rig.in[3] = -logf(2); /* slot 0 predicts 1/2 x 1/2, slot 1 1 x 1 */
        rig.in[9] = rig.in[10] = logf(2);
        rig_run();
        CHECK(rig.parts.truths == 2 && rig.parts.assignments == 1);
        size_t owner = match ? 7 : 0;
        CHECK_NEAR(rig_gradient(owner + 4), (0.5 - 1) * 0.25, 1e-6);
        CHECK_NEAR(rig_gradient(owner + 5), 0.5, 1e-6);
        CHECK_NEAR(rig_gradient(owner + 6), -0.5, 1e-6);
        CHECK_NEAR(rig_gradient(owner + 2), match ? log(2) : 0, 1e-6);
        CHECK(rig_gradient(7 - owner + 5) == 0);
        rig_close();
    }
}

static const struct test_case cases[] = {
    {"one slot by hand", test_one_slot},
    {"gain and max_delta by hand", test_gain},
    {"ignore_thresh, truth_thresh", test_ignoring},
    {"iou_thresh", test_several_anchors},
    {"two classes on one predictor", test_two_classes},
    {"odd labels", test_odd_truths},
    {"max", test_limit_of_truths},
    {"one anchor in every slot", test_same_anchor},
    {"extreme inputs", test_extreme_inputs},
    {"threads", test_threads},
    {"batch mates", test_batch_mates},
    {"adding to gradients", test_adding},
    {"uncertainty by hand", test_uncertainty},
    {"hopeless predictions", test_hopeless},
    {"ties of anchors", test_ties},
    {"objectness_smooth", test_smooth_takes_best},
    {"descent", test_descent},
    {"region: owners", test_region_owners},
};

TEST_MAIN(cases)
