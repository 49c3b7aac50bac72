/* Overlaps of boxes and their gradients: by hand, by differences, and where formulas break down. */
#include "layers/box_loss.h"
#include "test.h"

static const char *const KINDS[] = {"mse", "iou", "giou", "diou", "ciou"};
static const enum box_loss OVERLAPS[] = {LOSS_IOU, LOSS_GIOU, LOSS_DIOU, LOSS_CIOU};
enum { OVERLAP_COUNT = 4 };

static double loss_of(enum box_loss kind, const double *p, const double *t)
{
    struct box_loss_result r;
    box_loss_evaluate(kind, p, t, &r);
    return r.loss;
}

static const double FOUR_OVER_PI2 = 0.40528473456935108578;

static double aspect(const double *p, const double *t)
{
    double d = atan(t[2] / t[3]) - atan(p[2] / p[3]);
    return FOUR_OVER_PI2 * d * d;
}

static void test_values_by_hand(void)
{
    /* 2 x 2 at 0 against 2 x 4 at (1, 0): I = 2, U = 10, hull 3 x 4. */
    const double p[4] = {0, 0, 2, 2}, t[4] = {1, 0, 2, 4};
    struct box_loss_result r;
    box_loss_evaluate(LOSS_IOU, p, t, &r);
    CHECK_NEAR(r.iou, 0.2, 1e-15);
    CHECK_NEAR(r.loss, 0.8, 1e-15);
    CHECK_NEAR(loss_of(LOSS_MSE, p, t), 0.8, 1e-15);
    CHECK_NEAR(loss_of(LOSS_GIOU, p, t), 0.8 + (12.0 - 10.0) / 12.0, 1e-15);
    CHECK_NEAR(loss_of(LOSS_DIOU, p, t), 0.8 + 1.0 / 25.0, 1e-15);
    double v = aspect(p, t);
    CHECK_NEAR(v, FOUR_OVER_PI2 * pow(atan(0.5) - atan(1.0), 2), 1e-15);
    CHECK_NEAR(loss_of(LOSS_CIOU, p, t), 0.84 + v * v / (0.8 + v + 1e-6), 1e-15);
}

static void test_gradient_by_hand(void)
{
    /* IoU = I / (X + 8 - I). Along x: dI = 2, U = 10: (2 * 10 + 2 * 2) / 100. Along w: the right
     * edge moves by half: dI = 1, dX = 2: (1 * 10 - 2 * (2 - 1)) / 100; both y edges are inside:
     * dI/dh = 1. */
    const double p[4] = {0, 0, 2, 2}, t[4] = {1, 0, 2, 4};
    struct box_loss_result r;
    box_loss_evaluate(LOSS_IOU, p, t, &r);
    CHECK_NEAR(r.gradient[0], -0.24, 1e-15);
    CHECK_NEAR(r.gradient[1], 0, 1e-15);
    CHECK_NEAR(r.gradient[2], -0.08, 1e-15);
    CHECK_NEAR(r.gradient[3], -0.08, 1e-15);
}

/* Derivative of the loss along number k; CIoU's alpha stays that of p. */
static double difference(enum box_loss kind, const double *p, const double *t, int k)
{
    const double h = 1e-6;
    double above[4], below[4];
    memcpy(above, p, sizeof above);
    memcpy(below, p, sizeof below);
    above[k] += h;
    below[k] -= h;
    if (kind != LOSS_CIOU) {
        return (loss_of(kind, above, t) - loss_of(kind, below, t)) / (2 * h);
    }
    double v = aspect(p, t), alpha = v / (loss_of(LOSS_IOU, p, t) + v + 1e-6);
    return difference(LOSS_DIOU, p, t, k) + alpha * (aspect(above, t) - aspect(below, t)) / (2 * h);
}

static void test_differences(void)
{
    unsigned seed = 5;
    int apart = 0;
    for (int i = 0; i < 4000; i++) {
        double p[4], t[4];
        for (int k = 0; k < 2; k++) {
            p[k] = 0.6 * (double)test_noise(&seed);
            t[k] = 0.6 * (double)test_noise(&seed);
            p[2 + k] = 0.55 + 0.5 * (double)test_noise(&seed);
            t[2 + k] = 0.55 + 0.5 * (double)test_noise(&seed);
        }
        for (int n = 0; n < OVERLAP_COUNT; n++) {
            struct box_loss_result r;
            box_loss_evaluate(OVERLAPS[n], p, t, &r);
            apart += r.iou <= 0;
            for (int k = 0; k < 4; k++) {
                double want = difference(OVERLAPS[n], p, t, k);
                CHECK_MSG(fabs(r.gradient[k] - want) <= 1e-6 * (1 + fabs(want)),
                          "%s, pair %d, number %d: %.9g, differences say %.9g", KINDS[OVERLAPS[n]],
                          i, k, r.gradient[k], want);
            }
        }
    }
    CHECK(apart > 1000 && apart < 15000);
}

static void test_apart(void)
{
    /* Truth to the right and above: only the enclosing terms pull, and in its direction. */
    const double p[4] = {0, 0, 1, 1}, t[4] = {3, -5, 1, 1};
    struct box_loss_result r;
    box_loss_evaluate(LOSS_IOU, p, t, &r);
    for (int k = 0; k < 4; k++) {
        CHECK(r.gradient[k] == 0);
    }
    CHECK(r.iou == 0 && r.loss == 1);
    for (int n = 1; n < OVERLAP_COUNT; n++) {
        box_loss_evaluate(OVERLAPS[n], p, t, &r);
        CHECK(r.gradient[0] < 0 && r.gradient[1] > 0);
    }
}

static void test_perfect(void)
{
    const double p[4] = {0.3, 0.7, 0.2, 0.4};
    for (int n = 0; n < OVERLAP_COUNT; n++) {
        struct box_loss_result r;
        box_loss_evaluate(OVERLAPS[n], p, p, &r);
        CHECK_NEAR(r.loss, 0, 1e-15);
        CHECK_NEAR(r.iou, 1, 1e-15);
        for (int k = 0; k < 4; k++) {
            CHECK_NEAR(r.gradient[k], 0, 1e-12);
        }
    }
}

static void test_degenerate(void)
{
    static const double boxes[][4] = {
        {0.5, 0.5, 0, 0},        {0.5, 0.5, 0, 0.3},       {0.5, 0.5, -0.2, 0.3},
        {0.5, 0.5, -1, -1},      {0.4, 0.4, 1e43, 1e43},   {0.4, 0.4, 1e-44, 1e43},
        {1e30, -1e30, 0.1, 0.1}, {0.5, 0.5, 1e-44, 1e-44}, {0.6, 0.5, 0.2, 0.2},
    };
    const double t[4] = {0.5, 0.5, 0.2, 0.2};
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        for (int n = 0; n < OVERLAP_COUNT; n++) {
            struct box_loss_result r;
            box_loss_evaluate(OVERLAPS[n], boxes[i], t, &r);
            CHECK_MSG(isfinite(r.loss) && r.iou >= 0 && r.iou <= 1, "box %zu, %s", i,
                      KINDS[OVERLAPS[n]]);
            for (int k = 0; k < 4; k++) {
                CHECK_MSG(isfinite(r.gradient[k]), "box %zu, %s, number %d: %g", i,
                          KINDS[OVERLAPS[n]], k, r.gradient[k]);
            }
        }
    }
    const double nan_box[4] = {(double)NAN, 0.5, 0.1, 0.1};
    CHECK(isnan(loss_of(LOSS_DIOU, nan_box, t)));
}

static void test_units(void)
{
    /* Overlaps have no unit: in pixels the loss is the same and the gradient 608 times smaller. */
    const double p[4] = {0.4, 0.5, 0.3, 0.2}, t[4] = {0.45, 0.42, 0.25, 0.3};
    double p_px[4], t_px[4];
    for (int k = 0; k < 4; k++) {
        p_px[k] = 608 * p[k];
        t_px[k] = 608 * t[k];
    }
    for (int n = 0; n < OVERLAP_COUNT; n++) {
        struct box_loss_result a, b;
        box_loss_evaluate(OVERLAPS[n], p, t, &a);
        box_loss_evaluate(OVERLAPS[n], p_px, t_px, &b);
        CHECK_NEAR(a.loss, b.loss, 1e-12);
        for (int k = 0; k < 4; k++) {
            CHECK_NEAR(a.gradient[k], 608 * b.gradient[k], 1e-10);
        }
    }
}

static const struct test_case cases[] = {
    {"values by hand", test_values_by_hand},
    {"gradient by hand", test_gradient_by_hand},
    {"differences", test_differences},
    {"boxes apart", test_apart},
    {"perfect prediction", test_perfect},
    {"degenerate boxes", test_degenerate},
    {"units", test_units},
};

TEST_MAIN(cases)
