/* The training loss of [Gaussian_yolo] (Choi et al. 2019, arXiv:1904.04620): that of [yolo]
 * (yolo_loss.c) with uncertainties. For each of the outputs v = x, y, w, h with uncertainty sigma
 * and target t,
 *
 *   N(v, sigma) = exp(-((t - v) / d)^2 / 2) / (d sqrt(2 pi)),   d = sigma + 0.3
 *   G(v, sigma) = -ln(N + 1e-9) / 2 * (2 - w h of the truth)
 *
 * the box part is  iou_normalizer * sum of G, sigma a constant (iou_loss=mse; else the overlap
 * loss)
 *                + uc_normalizer  * sum of G, v a constant.
 *
 * N near 0 (a hopeless prediction) has no slope: the paper's 1e-9 sees to that. */
#include <math.h>

#include "layers/yolo_private.h"

static const double SQRT_2_PI = 2.50662827463100050242;
static const double DEVIATION_FLOOR = 0.3;
static const double DENSITY_FLOOR = 1e-9;

struct likelihood {
    double value, by_v, by_sigma;
};

static struct likelihood negative_log(double v, double sigma, double target)
{
    double deviation = sigma + DEVIATION_FLOOR;
    double distance = (target - v) / deviation;
    double density = exp(-distance * distance / 2) / (deviation * SQRT_2_PI);
    double share = density / (density + DENSITY_FLOOR);
    struct likelihood g = {.value = -log(density + DENSITY_FLOOR) / 2};
    if (density > 0) { /* else 0 times a distance that may be infinite */
        g.by_v = -share * distance / deviation / 2;
        g.by_sigma = share * (1 - distance * distance) / deviation / 2;
    }
    return g;
}

static double coordinate_loss(const struct yolo_head *head, const struct coordinates *c,
                              struct coordinate_gradient *gradient)
{
    const struct yolo_options *o = c->options;
    double normalizer = o->iou_loss == LOSS_MSE ? (double)o->iou_normalizer : 0;
    double sum = 0;
    for (int k = 0; k < BOX_VALUES; k++) {
        double v = (double)c->slot[head->box[k]];
        double sigma = (double)c->slot[head->box[k] + head->sigma];
        struct likelihood g = negative_log(v, sigma, c->target[k]);
        double slope = k < BOX_W ? yolo_xy_slope(o, v) : 1;
        sum += (normalizer + head->uc_normalizer) * c->scale * g.value;
        gradient->box[k] += normalizer * c->scale * g.by_v * slope;
        gradient->sigma[k] += head->uc_normalizer * c->scale * g.by_sigma * logistic_slope(sigma);
    }
    return sum;
}

static struct yolo_head gaussian_head(const struct layer *l)
{
    const struct gaussian_state *s = l->state;
    static const double sides[] = {[POINT_LEFT_TOP] = 0.5, [POINT_RIGHT_BOTTOM] = -0.5};
    return (struct yolo_head){
        .options = &s->options,
        .entries = GAUSSIAN_CLASSES + s->options.info.classes,
        .box = {GAUSSIAN_X, GAUSSIAN_Y, GAUSSIAN_W, GAUSSIAN_H},
        .sigma = 1,
        .objectness = GAUSSIAN_OBJECTNESS,
        .classes = GAUSSIAN_CLASSES,
        .side = sides[s->point],
        .uc_normalizer = (double)s->uc_normalizer,
        .coordinate_loss = coordinate_loss,
    };
}

size_t gaussian_loss_scratch(const struct layer *l, int batch)
{
    struct yolo_head head = gaussian_head(l);
    return yolo_head_scratch(&head, l, batch);
}

void gaussian_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                   struct loss_parts *parts)
{
    struct yolo_head head = gaussian_head(l);
    yolo_head_loss(&head, l, e, truths, parts);
}
