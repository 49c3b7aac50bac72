/* Gradients of the detection losses, element by element: against PyTorch's derivatives of an
 * independent implementation (tests/tools/make_loss_golden.py, which also tells the file format),
 * and by differences of the losses' own values. */
#include "base/fileio.h"
#include "loss_rig.h"
#include "golden_file.h"

/* Golden values. */

static const char *take_text(struct reader *in, char *text, size_t size)
{
    const int *length = take(in, 1);
    if (!length || *length < 0 || (size_t)*length >= size || (size_t)*length > in->size - in->at) {
        return NULL;
    }
    memcpy(text, in->data + in->at, (size_t)*length);
    text[*length] = 0;
    in->at += (size_t)*length;
    return text;
}

static bool is_close(double got, double want, double scale)
{
    return fabs(got - want) <= 2e-5 * (scale + fabs(want));
}

static bool open_golden(struct reader *in, char *text, size_t size)
{
    if (!take_text(in, text, size)) {
        return false;
    }
    const int *sizes = take(in, 5);
    if (!sizes || !rig_open(sizes[0], sizes[1], sizes[2], sizes[3], text)) {
        return false;
    }
    for (int i = 0; i < sizes[4]; i++) {
        const int *where = take(in, 2);
        const float *box = take(in, 4);
        if (!where || !box || where[0] >= MAX_IMAGES) {
            return false;
        }
        rig_truth(where[0], where[1], box[0], box[1], box[2], box[3]);
    }
    const float *values = take(in, rig_floats());
    if (values) {
        memcpy(rig.in, values, rig_floats() * sizeof(float));
    }
    return values;
}

static void check_golden(struct reader *in)
{
    char text[1024];
    bool opened = open_golden(in, text, sizeof text);
    CHECK_MSG(opened, "unreadable case");
    const float *parts = take(in, 6);
    const float *gradient = take(in, rig_floats());
    CHECK(parts && gradient);
    rig_run();
    const double got[] = {
        rig.parts.box,     rig.parts.objectness,          rig.parts.classes,
        rig.parts.iou_sum, (double)rig.parts.assignments, (double)rig.parts.truths};
    for (int i = 0; i < 6; i++) {
        CHECK_MSG(is_close(got[i], (double)parts[i], 1), "part %d: %.9g, expected %.9g in\n%s", i,
                  got[i], (double)parts[i], text);
    }
    for (size_t i = 0; i < rig_floats(); i++) {
        CHECK_MSG(is_close(rig_gradient(i), (double)gradient[i], 0.1),
                  "pixel %zu channel %zu: %.9g, expected %.9g in\n%s", i / (size_t)rig.input.c,
                  i % (size_t)rig.input.c, rig_gradient(i), (double)gradient[i], text);
    }
    CHECK(rig_guarded());
}

static void test_golden(void)
{
    struct reader in = {0};
    struct error err;
    CHECK_MSG(file_read("tests/golden/loss.bin", 1 << 20, &in.data, &in.size, &err) == OK, "%s",
              err.text);
    const char *magic = take(&in, 1);
    CHECK(magic && memcmp(in.data, "LOSS", 4) == 0);
    const int *count = take(&in, 1);
    CHECK(count && *count >= 20);
    for (int i = 0, n = *count; i < n && !test_failed; i++) {
        check_golden(&in);
        rig_close();
    }
    CHECK(in.at == in.size);
    mem_free(in.data);
}

/* Differences. Every number belongs to one part: x, y, w, h and sigmas to the box part, the
 * objectness to its own, the rest to the classes. Targets are constants of the gradient, so only
 * the own part is differentiated; alpha is, too, so that CIoU is left to the golden values. */

enum part { PART_BOX, PART_OBJECTNESS, PART_CLASSES };

static double part_at(size_t i, float value, enum part part)
{
    float kept = rig.in[i];
    rig.in[i] = value;
    rig_run();
    rig.in[i] = kept;
    return part == PART_BOX          ? rig.parts.box
           : part == PART_OBJECTNESS ? rig.parts.objectness
                                     : rig.parts.classes;
}

/* Four points: exact to the fourth order. Steps are powers of two, so that nothing is lost in
 * adding. Overlaps have kinks where edges meet: if one is near, the estimates differ and the slope
 * may be anything between those on either side. */
static bool slope_matches(size_t i, enum part part, double got, int *kinks)
{
    const float h = 1.0f / 128, v = rig.in[i];
    double value = part_at(i, v, part);
    double above = (part_at(i, v + h, part) - value) / (double)h;
    double below = (value - part_at(i, v - h, part)) / (double)h;
    double far = (part_at(i, v + 2 * h, part) - part_at(i, v - 2 * h, part)) / (4 * (double)h);
    double near = (above + below) / 2, want = (4 * near - far) / 3;
    double limit = 1e-3 * (0.5 + fabs(want));
    if (fabs(near - far) <= 10 * limit && fabs(above - below) <= 0.05 * (0.1 + fabs(want))) {
        above = below = want;
    } else {
        ++*kinks;
        limit *= 20; /* the one-sided slopes are of first order only */
    }
    if (got >= fmin(above, below) - limit && got <= fmax(above, below) + limit) {
        return true;
    }
    printf("  %.9g, differences say %.9g to %.9g\n", got, below, above);
    return false;
}

/* Of a slot with `box` box numbers, those that the gradient takes for constants. */
enum constants { NO_CONSTANTS, SIGMAS, BOX_NUMBERS };

static bool is_constant(enum constants constants, int entry, int box)
{
    return entry < box && constants != NO_CONSTANTS && entry % 2 == (constants == SIGMAS);
}

struct difference_test {
    const char *section;
    int slots, box; /* channels of a slot: box numbers, objectness, three classes */
    bool is_probability;
    enum constants constants;
};

static void check_differences(const struct difference_test *test)
{
    const int box = test->box, entries = box + 1 + 3, images = 2;
    const char *section = test->section;
    unsigned seed = 11;
    CHECK(rig_open(4, 3, test->slots * entries, images, section));
    for (size_t i = 0; i < rig_floats(); i++) { /* multiples of 1/64 */
        float noise = roundf(64 * test_noise(&seed)) / 64;
        rig.in[i] = test->is_probability ? 0.5f + 0.375f * noise : noise;
    }
    rig_truth(0, 1, 0.31f, 0.37f, 0.23f, 0.31f);
    rig_truth(0, 2, 0.33f, 0.39f, 0.27f, 0.28f);
    rig_truth(0, 0, 0.79f, 0.81f, 0.52f, 0.47f);
    rig_truth(1, 1, 0.58f, 0.14f, 0.34f, 0.53f);
    rig_run();
    CHECK(rig.parts.assignments >= 3);
    float kept[sizeof rig.grad / sizeof rig.grad[0]];
    memcpy(kept, rig.grad, sizeof kept);
    int pushed = 0, kinks = 0;
    for (size_t i = 0; i < rig_floats(); i++) {
        int entry = (int)(i % (size_t)entries);
        enum part part = entry < box ? PART_BOX : entry == box ? PART_OBJECTNESS : PART_CLASSES;
        memcpy(rig.grad, kept, sizeof kept);
        double got = rig_gradient(i);
        pushed += fabs(got) > 1e-3;
        CHECK_MSG(is_constant(test->constants, entry, box) ? got == 0
                                                           : slope_matches(i, part, got, &kinks),
                  "value %zu (entry %d): %.9g in\n%s", i, entry, got, section);
    }
    CHECK_MSG(pushed > 24 && kinks < 8, "%d gradients are not 0, %d kinks", pushed, kinks);
}

static void test_differences_yolo(void)
{
    static const char *const keys[] = {
        "iou_loss=mse\nscale_x_y=1.2\n",
        "iou_loss=iou\nscale_x_y=1.05\n",
        "iou_loss=giou\nlabel_smooth_eps=.1\n",
        "iou_loss=diou\nfocal_loss=1\niou_thresh=.2\n",
        ("iou_loss=diou\nobjectness_smooth=1\nignore_thresh=.2\ncls_normalizer=.5\n"
         "obj_normalizer=3\n"),
        "iou_loss=giou\ncounters_per_class=5,10,20\niou_thresh=.1\niou_thresh_kind=diou\n",
        "iou_loss=mse\ntruth_thresh=.3\ndelta_normalizer=.5\n",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !test_failed; i++) {
        for (int is_new = 0; is_new < 2 && !test_failed; is_new++) {
            char text[512];
            snprintf(text, sizeof text, YOLO "%snew_coords=%d\n", keys[i], is_new);
            const struct difference_test test = {text, 3, 4, is_new, NO_CONSTANTS};
            check_differences(&test);
            rig_close();
        }
    }
}

static void test_differences_gaussian(void)
{
    /* With both normalizers the value holds two terms, each constant in the other's variable. */
    static const struct {
        const char *keys;
        enum constants constants;
    } rows[] = {
        {"iou_loss=mse\nuc_normalizer=0\nscale_x_y=1.1\n", SIGMAS},
        {"iou_loss=mse\niou_normalizer=0\n", BOX_NUMBERS},
        {"iou_loss=giou\nyolo_point=left_top\nuc_normalizer=0\n", SIGMAS},
        {"iou_loss=diou\nyolo_point=right_bottom\nuc_normalizer=0\n", SIGMAS},
        {"iou_loss=diou\niou_normalizer=0\niou_thresh=.3\n", BOX_NUMBERS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !test_failed; i++) {
        char text[512];
        snprintf(text, sizeof text, GAUSSIAN "%s", rows[i].keys);
        const struct difference_test test = {text, 3, 8, false, rows[i].constants};
        check_differences(&test);
        rig_close();
    }
}

static void test_differences_region(void)
{
    static const char *const keys[] = {
        "softmax=1\nbias_match=1\nobject_scale=5\n",
        "softmax=1\nrescore=1\nfocal_loss=1\nclass_scale=2\n",
        "softmax=0\ncoord_scale=2\nnoobject_scale=.5\nthresh=.3\n",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !test_failed; i++) {
        char text[512];
        snprintf(text, sizeof text, REGION "%s", keys[i]);
        const struct difference_test test = {text, 2, 4, false, NO_CONSTANTS};
        check_differences(&test);
        rig_close();
    }
}

static const struct test_case cases[] = {
    {"golden values", test_golden},
    {"differences: yolo", test_differences_yolo},
    {"differences: Gaussian_yolo", test_differences_gaussian},
    {"differences: region", test_differences_region},
};

TEST_MAIN(cases)
