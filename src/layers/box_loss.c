#include "layers/box_loss.h"

#include <math.h>
#include <stdbool.h>

#include "layers/box.h"

static const double PI = 3.14159265358979323846;
static const double ALPHA_EPSILON = 1e-6;

void box_values(const struct box_cxcywh_norm *box, double values[BOX_VALUES])
{
    values[BOX_CX] = (double)box->cx;
    values[BOX_CY] = (double)box->cy;
    values[BOX_W] = (double)box->w;
    values[BOX_H] = (double)box->h;
}

/* One axis: lengths of the common part and of the hull of two intervals, and their derivatives with
 * respect to the predicted centre and size. */
struct axis {
    double overlap, hull;
    double overlap_by_centre, overlap_by_size;
    double hull_by_centre, hull_by_size;
};

/* 1 if a < b, 0 if a > b, half at a tie. */
static double step(double a, double b)
{
    return a < b ? 1.0 : a > b ? 0.0 : 0.5;
}

static struct axis measure(double centre, double size, double true_centre, double true_size)
{
    double low = centre - size / 2, high = centre + size / 2;
    double true_low = true_centre - true_size / 2, true_high = true_centre + true_size / 2;
    double high_is_inner = step(high, true_high), low_is_inner = step(true_low, low);
    double inner_high = high < true_high ? high : true_high;
    double inner_low = low > true_low ? low : true_low;
    double outer_high = high > true_high ? high : true_high;
    double outer_low = low < true_low ? low : true_low;
    return (struct axis){
        .overlap = inner_high - inner_low,
        .hull = outer_high - outer_low,
        .overlap_by_centre = high_is_inner - low_is_inner,
        .overlap_by_size = (high_is_inner + low_is_inner) / 2,
        .hull_by_centre = low_is_inner - high_is_inner,
        .hull_by_size = 1 - (high_is_inner + low_is_inner) / 2,
    };
}

/* d(a b) for two lengths along x and y. */
static void product_gradient(const double a_by[2], double a, const double b_by[2], double b,
                             double gradient[BOX_VALUES])
{
    gradient[BOX_CX] = a_by[0] * b;
    gradient[BOX_CY] = a * b_by[0];
    gradient[BOX_W] = a_by[1] * b;
    gradient[BOX_H] = a * b_by[1];
}

/* 1 - U / C */
static void add_enclosing(const struct axis *x, const struct axis *y, double all,
                          const double all_by[BOX_VALUES], struct box_loss_result *r)
{
    const double x_by[2] = {x->hull_by_centre, x->hull_by_size};
    const double y_by[2] = {y->hull_by_centre, y->hull_by_size};
    double hull = x->hull * y->hull;
    if (!(hull > 0)) {
        return;
    }
    double hull_by[BOX_VALUES];
    product_gradient(x_by, x->hull, y_by, y->hull, hull_by);
    r->loss += 1 - all / hull;
    for (int k = 0; k < BOX_VALUES; k++) {
        r->gradient[k] -= (all_by[k] - all / hull * hull_by[k]) / hull;
    }
}

/* S / D */
static void add_distance(const struct axis *x, const struct axis *y, double dx, double dy,
                         struct box_loss_result *r)
{
    double diagonal = x->hull * x->hull + y->hull * y->hull;
    if (!(diagonal > 0)) {
        return;
    }
    double ratio = (dx * dx + dy * dy) / diagonal;
    r->loss += ratio;
    r->gradient[BOX_CX] += (2 * dx - ratio * 2 * x->hull * x->hull_by_centre) / diagonal;
    r->gradient[BOX_CY] += (2 * dy - ratio * 2 * y->hull * y->hull_by_centre) / diagonal;
    r->gradient[BOX_W] -= ratio * 2 * x->hull * x->hull_by_size / diagonal;
    r->gradient[BOX_H] -= ratio * 2 * y->hull * y->hull_by_size / diagonal;
}

/* alpha v */
static void add_aspect(double w, double h, double true_w, double true_h, struct box_loss_result *r)
{
    double difference = atan2(true_w, true_h) - atan2(w, h);
    double v = 4 / (PI * PI) * difference * difference;
    double alpha = v / (1 - r->iou + v + ALPHA_EPSILON);
    r->loss += alpha * v;
    double square = w * w + h * h;
    if (square > 0) {
        double v_by_angle = -8 / (PI * PI) * difference;
        r->gradient[BOX_W] += alpha * v_by_angle * (h / square);
        r->gradient[BOX_H] -= alpha * v_by_angle * (w / square);
    }
}

void box_loss_evaluate(enum box_loss kind, const double predicted[BOX_VALUES],
                       const double truth[BOX_VALUES], struct box_loss_result *result)
{
    double w = predicted[BOX_W] < 0 ? 0 : predicted[BOX_W];
    double h = predicted[BOX_H] < 0 ? 0 : predicted[BOX_H];
    struct axis x = measure(predicted[BOX_CX], w, truth[BOX_CX], truth[BOX_W]);
    struct axis y = measure(predicted[BOX_CY], h, truth[BOX_CY], truth[BOX_H]);
    bool is_apart = x.overlap <= 0 || y.overlap <= 0;
    double common = is_apart ? 0 : x.overlap * y.overlap;
    double common_by[BOX_VALUES] = {0};
    if (!is_apart) {
        const double x_by[2] = {x.overlap_by_centre, x.overlap_by_size};
        const double y_by[2] = {y.overlap_by_centre, y.overlap_by_size};
        product_gradient(x_by, x.overlap, y_by, y.overlap, common_by);
    }
    const double area_by[BOX_VALUES] = {0, 0, h, w};
    double all = w * h + truth[BOX_W] * truth[BOX_H] - common;
    double all_by[BOX_VALUES];
    *result = (struct box_loss_result){.iou = common / all};
    result->loss = 1 - result->iou;
    for (int k = 0; k < BOX_VALUES; k++) {
        all_by[k] = area_by[k] - common_by[k];
        result->gradient[k] = -(common_by[k] - result->iou * all_by[k]) / all;
    }
    if (kind == LOSS_GIOU) {
        add_enclosing(&x, &y, all, all_by, result);
    }
    if (kind == LOSS_DIOU || kind == LOSS_CIOU) {
        add_distance(&x, &y, predicted[BOX_CX] - truth[BOX_CX], predicted[BOX_CY] - truth[BOX_CY],
                     result);
    }
    if (kind == LOSS_CIOU) {
        add_aspect(w, h, truth[BOX_W], truth[BOX_H], result);
    }
}
