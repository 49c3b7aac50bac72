/* The loss of [Gaussian_yolo]'s coordinates (Choi et al. 2019, arXiv:1904.04620); the rest of its loss is that
 * of [yolo] (yolo_loss.c). For each of the outputs v = x, y, w, h with uncertainty sigma and target t,
 *
 *   N(v, sigma) = exp(-((t - v) / d)^2 / 2) / (d sqrt(2 pi)),   d = sigma + 0.3
 *   G(v, sigma) = -ln(N + 1e-9) / 2 * (2 - w h of the truth)
 *
 * the box part is
 *
 *     iou_normalizer * sum of G, sigma a constant     (iou_loss=mse; else the overlap loss takes its place)
 *   + uc_normalizer  * sum of G, v a constant
 *
 * N near 0 (a hopeless prediction) has no slope: the paper's 1e-9 sees to that. */
#include <math.h>

#include "layers/yolo_loss.h"

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

double gaussian_loss(const struct yolo_head *head, const struct coordinates *c,
                     struct coordinate_gradient *gradient)
{
    double normalizer = head->iou_loss == LOSS_MSE ? (double)head->iou_normalizer : 0;
    double uc_normalizer = (double)head->uc_normalizer;
    double sum = 0;
    for (int k = 0; k < BOX_VALUES; k++) {
        double v = (double)c->values[head->box[k]];
        double sigma = (double)c->values[head->box[k] + head->sigma];
        struct likelihood g = negative_log(v, sigma, c->target[k]);
        double slope = k < BOX_W ? yolo_xy_slope(head, v) : 1;
        sum += (normalizer + uc_normalizer) * c->scale * g.value;
        gradient->box[k] += normalizer * c->scale * g.by_v * slope;
        gradient->sigma[k] += uc_normalizer * c->scale * g.by_sigma * logistic_slope(sigma);
    }
    return sum;
}
