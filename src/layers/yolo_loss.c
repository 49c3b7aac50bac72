/* The training loss of [yolo] and [Gaussian_yolo]: which predictor is responsible for which truth
 * follows darknet-spec section 5; the gradients are the derivatives of the function below (targets,
 * class multipliers and CIoU's alpha are constants).
 *
 *   L = delta_normalizer * sum over predictors of (objectness + classes + box)
 *
 *   objectness   weight * F(o, t)
 *
 *     no truth:                                   weight obj_normalizer, t = 0; no term if the predicted
 *                                                 box has IoU > ignore_thresh with a truth and some class
 *                                                 output > 0.25 (objectness_smooth: a term with t = that IoU)
 *     IoU > truth_thresh with its best truth:     assigned to it; weight obj_normalizer, t = 1
 *                                                 (objectness_smooth: t = IoU^2)
 *     assigned:                                   weight m * obj_normalizer, t = 1 (objectness_smooth: the
 *                                                 largest of t above and the IoU with the assigned truths)
 *
 *   classes      of assigned predictors: cls_normalizer * sum over k of m_k F(p_k, y_k)
 *
 *     y_k = 1 for the classes of the assigned truths, else 0
 *     label_smooth_eps: y (1 - eps) + eps / 2
 *     focal_loss=1:     the focal loss (term_focal) in place of F, without smoothing
 *
 *   box          the mean (iou_thresh < 1; else the sum) over the predictor's truths of
 *
 *     m * iou_normalizer * gain * (1 - overlap)                                        (box_loss.h)
 *
 *     or with iou_loss=mse
 *
 *     m * iou_normalizer * (2 - w h of the truth) * [X(x) + X(y) + Q(w) + Q(h)]
 *
 *       Q(v) = (v - t)^2 / 2 on the raw value
 *       X(x) = s (F(p, q) - F(q, q)), where x = s p - (s - 1) / 2 and s = scale_x_y; q is to the
 *              target what p is to x: the slope is Darknet's x - t
 *
 * F is the binary cross-entropy on the logit, or with new_coords (where the convolution above has
 * done the logistic) half the square (p - t)^2 / 2 on the probability: both have Darknet's slope p - t.
 * m is 1, or with counters_per_class min(max count / count of the truth's class, max_delta).
 * max_delta clips each of the four numbers that one truth adds to the gradient of an overlap loss. */
#include "layers/yolo_loss.h"

#include <math.h>

enum { NONE = -1 };

static const float SOME_CLASS = 0.25f;

struct predictor {
    float target, weight; /* of objectness */
    int first, count;     /* assignments */
};

struct assignment {
    int truth, next; /* next one of the same predictor, or NONE */
};

struct work {
    const struct yolo_head *o;
    const struct layer *l;
    const struct tensor *out;
    struct head_image *image;
    struct predictor *predictors; /* [head_place_count] */
    struct assignment *assignments;
    int assignment_count;
};

/* A truth goes to each slot of its cell at most once, whatever mask and thresholds say, and by truth_thresh
 * a predictor gets one more. */
static size_t assignment_limit(const struct layer *l)
{
    const struct yolo_head *o = l->state;
    size_t repeated = o->truth_thresh < 1.0f ? head_place_count(l) : 0;
    return (size_t)o->info.max_truths * (size_t)o->info.slots + repeated;
}

static struct predictor *predictor_of(const struct work *work, const struct head_place *at)
{
    return &work->predictors[at->index];
}

static const float *anchor_of(const struct work *work, int slot)
{
    return &work->o->anchors[2 * work->o->mask[slot]];
}

/* Width or height as a fraction of the network input, and its derivative with respect to v. */
static struct term decode_size(const struct yolo_head *o, double v, float anchor, int net_size)
{
    double unit = (double)anchor / net_size;
    if (o->new_coords) {
        return (struct term){4 * v * v * unit, 8 * v * unit};
    }
    double size = bounded_exp(v) * unit;
    return (struct term){size, size};
}

static double encode_size(const struct yolo_head *o, double size, float anchor, int net_size)
{
    double ratio = size * net_size / (double)anchor;
    return o->new_coords ? sqrt(ratio / 4) : log(ratio);
}

static void decode(const struct work *work, const struct head_place *at, double box[BOX_VALUES],
                   double size_slope[2])
{
    const struct yolo_head *o = work->o;
    const float *anchor = anchor_of(work, at->slot);
    double w = (double)at->values[o->box[BOX_W]], h = (double)at->values[o->box[BOX_H]];
    struct term width = decode_size(o, w, anchor[0], work->l->net->w);
    struct term height = decode_size(o, h, anchor[1], work->l->net->h);
    double x = (double)at->values[o->box[BOX_CX]], y = (double)at->values[o->box[BOX_CY]];
    box[BOX_CX] = (at->x + x) / work->out->w + o->side * width.value;
    box[BOX_CY] = (at->y + y) / work->out->h + o->side * height.value;
    box[BOX_W] = width.value;
    box[BOX_H] = height.value;
    size_slope[0] = width.slope;
    size_slope[1] = height.slope;
}

static double class_multiplier(const struct yolo_head *o, int class_id)
{
    if (!o->class_counters) {
        return 1;
    }
    int most = 1;
    for (int c = 0; c < o->info.classes; c++) {
        most = o->class_counters[c] > most ? o->class_counters[c] : most;
    }
    int count = o->class_counters[class_id] > 1 ? o->class_counters[class_id] : 1;
    return fmin((double)most / count, (double)o->max_delta);
}

/* Assigning. */

/* False if the predictor has the truth already. */
static bool assign(struct work *work, struct predictor *p, int truth)
{
    int *link = &p->first;
    while (*link != NONE) {
        if (work->assignments[*link].truth == truth) {
            return false;
        }
        link = &work->assignments[*link].next;
    }
    *link = work->assignment_count++;
    work->assignments[*link] = (struct assignment){.truth = truth, .next = NONE};
    p->count++;
    return true;
}

static bool has_some_class(const struct work *work, const struct head_place *at)
{
    const float *classes = at->values + work->o->info.objectness + 1;
    for (int c = work->o->info.first_class; c < work->o->info.class_end; c++) {
        if (classes[c] > SOME_CLASS) {
            return true;
        }
    }
    return false;
}

static void match_predictor(void *ctx, const struct head_place *at)
{
    struct work *work = ctx;
    const struct yolo_head *o = work->o;
    double box[BOX_VALUES], unused[2];
    decode(work, at, box, unused);
    const struct box_cxcywh_norm predicted = {(float)box[BOX_CX], (float)box[BOX_CY],
                                              (float)box[BOX_W], (float)box[BOX_H]};
    float best_iou = 0.0f;
    int best = NONE;
    for (int t = 0; t < work->image->truth_count; t++) {
        const struct truth *truth = &work->image->truths[t];
        float iou = box_iou(&predicted, &truth->box);
        if (iou > best_iou && truth_is_usable(truth, &o->info)) {
            best_iou = iou;
            best = t;
        }
    }
    struct predictor *p = predictor_of(work, at);
    *p = (struct predictor){.target = 0.0f, .weight = o->obj_normalizer, .first = NONE};
    if (best_iou > o->ignore_thresh && has_some_class(work, at)) {
        p->weight = o->objectness_smooth ? o->obj_normalizer : 0.0f;
        p->target = best_iou;
    }
    if (o->truth_thresh < 1.0f && best_iou > o->truth_thresh) {
        p->weight = o->obj_normalizer;
        p->target = o->objectness_smooth ? best_iou * best_iou : 1.0f;
        assign(work, p, best);
    }
}

static void assign_place(struct work *work, const struct head_place *at, int truth)
{
    const struct yolo_head *o = work->o;
    struct predictor *p = predictor_of(work, at);
    assign(work, p, truth);
    p->weight = (float)class_multiplier(o, work->image->truths[truth].class_id) * o->obj_normalizer;
    if (o->objectness_smooth) {
        double box[BOX_VALUES], true_box[BOX_VALUES], unused[2];
        decode(work, at, box, unused);
        box_values(&work->image->truths[truth].box, true_box);
        struct box_loss_result r;
        box_loss_evaluate(LOSS_IOU, box, true_box, &r);
        p->target = fmaxf(p->target, (float)r.iou);
    } else {
        p->target = 1.0f;
    }
}

/* Overlap of the truth's and an anchor's shapes, both at one centre. */
static double shape_overlap(const struct work *work, enum box_loss kind, int anchor,
                            const double truth[BOX_VALUES])
{
    const double shape[BOX_VALUES] = {0, 0, (double)work->o->anchors[2 * anchor] / work->l->net->w,
                                      (double)work->o->anchors[2 * anchor + 1] / work->l->net->h};
    const double centred[BOX_VALUES] = {0, 0, truth[BOX_W], truth[BOX_H]};
    struct box_loss_result r;
    box_loss_evaluate(kind, shape, centred, &r);
    return 1 - r.loss;
}

static double clamp_unit(double v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

/* Where the truth's point (centre or corner) lies, as a fraction of the picture. */
static double true_point(const struct work *work, const double truth[BOX_VALUES], int axis)
{
    return clamp_unit(truth[axis] - work->o->side * truth[BOX_W + axis]);
}

static void assign_truth(void *ctx, int t)
{
    struct work *work = ctx;
    const struct yolo_head *o = work->o;
    double truth[BOX_VALUES];
    box_values(&work->image->truths[t].box, truth);
    int x = truth_cell(true_point(work, truth, 0), work->out->w);
    int y = truth_cell(true_point(work, truth, 1), work->out->h);
    int best = 0;
    double best_overlap = -1;
    for (int a = 0; a < o->anchor_count; a++) {
        double overlap = shape_overlap(work, LOSS_IOU, a, truth);
        if (overlap > best_overlap) {
            best_overlap = overlap;
            best = a;
        }
    }
    for (int slot = 0; slot < o->info.slots; slot++) {
        int a = o->mask[slot];
        bool is_close = o->iou_thresh < 1.0f &&
                        shape_overlap(work, o->iou_thresh_kind, a, truth) > (double)o->iou_thresh;
        if (a == best || is_close) {
            struct head_place at = head_place_of(work->image, y, x, slot);
            assign_place(work, &at, t);
        }
    }
}

/* The parts and their gradients. */

static void add_gradient(const struct work *work, const struct head_place *at, int entry,
                         double slope)
{
    if (at->gradient) {
        at->gradient[entry] += (float)((double)work->o->delta_normalizer * slope);
    }
}

static void add_objectness(struct work *work, const struct head_place *at)
{
    const struct predictor *p = predictor_of(work, at);
    if (p->weight > 0.0f) {
        double o = (double)at->values[work->o->info.objectness], weight = (double)p->weight;
        struct term term = work->o->new_coords ? term_half_square(o, (double)p->target)
                                               : term_cross_entropy(o, (double)p->target);
        work->image->parts.objectness += weight * term.value;
        add_gradient(work, at, work->o->info.objectness, weight * term.slope);
    }
}

static struct term class_term(const struct yolo_head *o, double p, bool is_positive)
{
    if (o->focal_loss) {
        return term_focal(p, is_positive, !o->new_coords);
    }
    double eps = (double)o->label_smooth_eps;
    double target = (is_positive ? 1 - eps : 0) + eps / 2;
    return o->new_coords ? term_half_square(p, target) : term_cross_entropy(p, target);
}

static void add_classes(struct work *work, const struct head_place *at)
{
    const struct yolo_head *o = work->o;
    for (int c = o->info.first_class; c < o->info.class_end; c++) {
        bool is_positive = false;
        for (int i = predictor_of(work, at)->first; i != NONE; i = work->assignments[i].next) {
            is_positive =
                is_positive || work->image->truths[work->assignments[i].truth].class_id == c;
        }
        int entry = work->o->info.objectness + 1 + c;
        double weight = (double)o->cls_normalizer * (is_positive ? class_multiplier(o, c) : 1);
        struct term term = class_term(o, (double)at->values[entry], is_positive);
        work->image->parts.classes += weight * term.value;
        add_gradient(work, at, entry, weight * term.slope);
    }
}

double yolo_xy_slope(const struct yolo_head *o, double output)
{
    double scale = (double)o->scale_x_y;
    double p = (output + (scale - 1) / 2) / scale;
    return scale * (o->new_coords ? 1 : logistic_slope(p));
}

static double clip(double v, double limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

/* factor * (1 - overlap), with the chain from the box to the raw inputs. */
static double overlap_loss(const struct work *work, const struct head_place *at, double factor,
                           const struct box_loss_result *r, struct coordinate_gradient *gradient)
{
    const struct yolo_head *o = work->o;
    double box[BOX_VALUES], size_slope[2];
    decode(work, at, box, size_slope);
    const int cells[2] = {work->out->w, work->out->h};
    for (int axis = 0; axis < 2; axis++) {
        double output = (double)at->values[o->box[axis]];
        double by_centre = factor * r->gradient[axis];
        double by_size = factor * r->gradient[BOX_W + axis] + o->side * by_centre;
        double limit = (double)o->max_delta;
        gradient->box[axis] += clip(by_centre * yolo_xy_slope(o, output) / cells[axis], limit);
        gradient->box[BOX_W + axis] += clip(by_size * size_slope[axis], limit);
    }
    return factor * r->loss;
}

static struct coordinates coordinates_of(const struct work *work, const struct head_place *at,
                                         const double truth[BOX_VALUES])
{
    const float *anchor = anchor_of(work, at->slot);
    const struct net_size *net = work->l->net;
    return (struct coordinates){
        .values = at->values,
        .target = {true_point(work, truth, 0) * work->out->w - at->x,
                   true_point(work, truth, 1) * work->out->h - at->y,
                   encode_size(work->o, truth[BOX_W], anchor[0], net->w),
                   encode_size(work->o, truth[BOX_H], anchor[1], net->h)},
        .scale = 2 - truth[BOX_W] * truth[BOX_H],
    };
}

static void add_box(struct work *work, const struct head_place *at, const struct truth *t)
{
    const struct yolo_head *o = work->o;
    struct coordinate_gradient gradient = {0};
    struct box_loss_result r;
    double box[BOX_VALUES], truth[BOX_VALUES], unused[2];
    decode(work, at, box, unused);
    box_values(&t->box, truth);
    box_loss_evaluate(o->iou_loss, box, truth, &r);
    double multiplier = class_multiplier(o, t->class_id);
    double value = 0;
    if (o->iou_loss != LOSS_MSE) {
        double gain = o->new_coords ? BOX_LOSS_GAIN_NEW_COORDS : BOX_LOSS_GAIN;
        double factor = multiplier * (double)o->iou_normalizer * gain;
        value += overlap_loss(work, at, factor, &r, &gradient);
    }
    if (o->iou_loss == LOSS_MSE || o->sigma) {
        struct coordinates c = coordinates_of(work, at, truth);
        c.scale *= multiplier;
        value += o->coordinate_loss(o, &c, &gradient);
    }
    double share = o->iou_thresh < 1.0f ? 1.0 / predictor_of(work, at)->count : 1.0;
    work->image->parts.box += share * value;
    work->image->parts.iou_sum += r.iou;
    work->image->parts.assignments++;
    for (int k = 0; k < BOX_VALUES; k++) {
        add_gradient(work, at, o->box[k], share * gradient.box[k]);
        if (o->sigma) {
            add_gradient(work, at, o->box[k] + o->sigma, share * gradient.sigma[k]);
        }
    }
}

static void add_terms(void *ctx, const struct head_place *at)
{
    struct work *work = ctx;
    add_objectness(work, at);
    if (predictor_of(work, at)->count > 0) {
        for (int i = predictor_of(work, at)->first; i != NONE; i = work->assignments[i].next) {
            add_box(work, at, &work->image->truths[work->assignments[i].truth]);
        }
        add_classes(work, at);
    }
}

static void image_loss(struct head_image *image)
{
    static const struct head_steps steps = {match_predictor, assign_truth, add_terms};
    struct predictor *predictors = image->work;
    struct work work = {
        .o = image->l->state,
        .l = image->l,
        .out = &image->e->out,
        .image = image,
        .predictors = predictors,
        .assignments = (void *)(predictors + head_place_count(image->l)),
    };
    head_image_run(image, &steps, &work);
    double all = (double)work.o->delta_normalizer;
    image->parts.box *= all;
    image->parts.objectness *= all;
    image->parts.classes *= all;
}

static size_t work_bytes(const struct layer *l)
{
    return head_place_count(l) * sizeof(struct predictor) +
           assignment_limit(l) * sizeof(struct assignment);
}

void yolo_loss_plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    size_t scratch = yolo_head_scratch_bytes(l);
    head_loss_plan(limits, work_bytes(l), p);
    p->scratch_bytes = p->scratch_bytes > scratch ? p->scratch_bytes : scratch;
}

void yolo_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
               struct loss_parts *parts)
{
    head_loss_run(image_loss, work_bytes(l), l, e, truths, parts);
}

double yolo_square_loss(const struct yolo_head *o, const struct coordinates *c,
                        struct coordinate_gradient *gradient)
{
    double factor = c->scale * (double)o->iou_normalizer, scale = (double)o->scale_x_y;
    double sum = 0;
    for (int k = 0; k < BOX_VALUES; k++) {
        double value = (double)c->values[o->box[k]], target = c->target[k];
        struct term term = term_half_square(value, target);
        if (k < BOX_W) {
            double p = (value + (scale - 1) / 2) / scale;
            double q = clamp_unit((target + (scale - 1) / 2) / scale);
            term = o->new_coords ? term_half_square(p, q) : term_cross_entropy(p, q);
            if (!o->new_coords) {
                term.value -= term_cross_entropy(q, q).value;
            }
            term.value *= scale;
            term.slope *= scale;
        }
        sum += factor * term.value;
        gradient->box[k] += factor * term.slope;
    }
    return sum;
}
