/* The training loss of [region] (YOLOv2, darknet-spec 2.19): the gradients are Darknet's, which
 * here are those of a function. o, x, y: logistic outputs; w, h: raw.
 *
 *   objectness   no truth:    noobject_scale * o^2 / 2; nothing if the predicted box has IoU > thresh
 *                             with a truth
 *                assigned:    object_scale * (t - o)^2 / 2, t = 1, or with rescore the box's IoU
 *
 *   classes      softmax=1:   class_scale * -ln p_c, c the truth's class
 *   (assigned)                focal_loss=1: class_scale * -(1 - p_c)^2 ln(p_c) / 2
 *                softmax=0:   class_scale * sum of (p_k - [k = c])^2 / 2 on the raw values
 *
 *   box          coord_scale * [(x - tx)^2 + (y - ty)^2 + (w - ln tw)^2 + (h - ln th)^2] / 2
 *   (assigned)
 *
 * A truth goes to the anchor of its cell whose shape (bias_match=0: whose predicted shape) fits
 * best; of several truths for one predictor the last one has it. */
#include "layers/region_loss.h"

#include <math.h>

#include "layers/box_loss.h"

enum { FREE = -1, IGNORED = -2 };

struct work {
    const struct region_state *s;
    const struct tensor *out;
    struct head_image *image;
    int *owners; /* [head_place_count]: the truth, FREE or IGNORED */
};

static void decode(const struct work *work, const struct head_place *at, double box[BOX_VALUES])
{
    const float *anchor = &work->s->anchors[2 * at->slot];
    box[BOX_CX] = (at->x + (double)at->values[REGION_X]) / work->out->w;
    box[BOX_CY] = (at->y + (double)at->values[REGION_Y]) / work->out->h;
    box[BOX_W] = bounded_exp((double)at->values[REGION_W]) * (double)anchor[0] / work->out->w;
    box[BOX_H] = bounded_exp((double)at->values[REGION_H]) * (double)anchor[1] / work->out->h;
}

static double iou_of(const double a[BOX_VALUES], const double b[BOX_VALUES])
{
    struct box_loss_result r;
    box_loss_evaluate(LOSS_IOU, a, b, &r);
    return r.iou;
}

static void match_predictor(void *ctx, const struct head_place *at)
{
    struct work *work = ctx;
    double box[BOX_VALUES];
    decode(work, at, box);
    const struct box_cxcywh_norm predicted = {(float)box[BOX_CX], (float)box[BOX_CY],
                                              (float)box[BOX_W], (float)box[BOX_H]};
    int *owner = &work->owners[at->index];
    *owner = FREE;
    for (int t = 0; t < work->image->truth_count; t++) {
        const struct truth *truth = &work->image->truths[t];
        if (box_iou(&predicted, &truth->box) > work->s->ignore_thresh &&
            truth_is_usable(truth, &work->s->info)) {
            *owner = IGNORED;
        }
    }
}

static void assign_truth(void *ctx, int t)
{
    struct work *work = ctx;
    const struct region_state *s = work->s;
    double truth[BOX_VALUES];
    box_values(&work->image->truths[t].box, truth);
    int x = truth_cell(truth[BOX_CX], work->out->w);
    int y = truth_cell(truth[BOX_CY], work->out->h);
    truth[BOX_CX] = truth[BOX_CY] = 0;
    int *owner = NULL;
    double best = -1;
    for (int slot = 0; slot < s->info.slots; slot++) {
        struct head_place at = head_place_of(work->image, y, x, slot);
        double shape[BOX_VALUES];
        decode(work, &at, shape);
        shape[BOX_CX] = shape[BOX_CY] = 0;
        if (s->bias_match) {
            shape[BOX_W] = (double)s->anchors[2 * slot] / work->out->w;
            shape[BOX_H] = (double)s->anchors[2 * slot + 1] / work->out->h;
        }
        double iou = iou_of(shape, truth);
        if (iou > best) {
            best = iou;
            owner = &work->owners[at.index];
        }
    }
    if (owner) {
        *owner = t;
    }
}

static void add_gradient(const struct head_place *at, int entry, double slope)
{
    if (at->gradient) {
        at->gradient[entry] += (float)slope;
    }
}

/* scale * (p - t)^2 / 2 for an output of a logistic. */
static double add_squashed(const struct head_place *at, int entry, double scale, double target)
{
    double p = (double)at->values[entry];
    struct term term = term_half_square(p, target);
    add_gradient(at, entry, scale * term.slope * logistic_slope(p));
    return scale * term.value;
}

static double add_raw(const struct head_place *at, int entry, double scale, double target)
{
    struct term term = term_half_square((double)at->values[entry], target);
    add_gradient(at, entry, scale * term.slope);
    return scale * term.value;
}

static double add_box(const struct work *work, const struct head_place *at,
                      const double truth[BOX_VALUES])
{
    const float *anchor = &work->s->anchors[2 * at->slot];
    int w = work->out->w, h = work->out->h;
    double scale = (double)work->s->coord_scale;
    return add_squashed(at, REGION_X, scale, truth[BOX_CX] * w - at->x) +
           add_squashed(at, REGION_Y, scale, truth[BOX_CY] * h - at->y) +
           add_raw(at, REGION_W, scale, log(truth[BOX_W] * w / (double)anchor[0])) +
           add_raw(at, REGION_H, scale, log(truth[BOX_H] * h / (double)anchor[1]));
}

static double add_softmax(const struct work *work, const struct head_place *at, int class_id)
{
    const struct region_state *s = work->s;
    double p = (double)at->values[REGION_CLASSES + class_id];
    double q = probability(p);
    double scale = (double)s->class_scale, value = -log(q);
    if (s->focal_loss) { /* slope: -dL/dp * p */
        scale *= (1 - q) * (1 - q - 2 * q * log(q)) / 2;
        value *= (1 - q) * (1 - q) / 2;
    }
    for (int c = 0; c < s->info.classes; c++) {
        int entry = REGION_CLASSES + c;
        add_gradient(at, entry, scale * ((double)at->values[entry] - (c == class_id)));
    }
    return (double)s->class_scale * value;
}

static double add_classes(const struct work *work, const struct head_place *at, int class_id)
{
    const struct region_state *s = work->s;
    if (s->has_softmax) {
        return add_softmax(work, at, class_id);
    }
    double sum = 0;
    for (int c = 0; c < s->info.classes; c++) {
        sum += add_raw(at, REGION_CLASSES + c, (double)s->class_scale, c == class_id);
    }
    return sum;
}

static void add_terms(void *ctx, const struct head_place *at)
{
    struct work *work = ctx;
    const struct region_state *s = work->s;
    struct loss_parts *parts = &work->image->parts;
    int owner = work->owners[at->index];
    if (owner == FREE) {
        parts->objectness += add_squashed(at, REGION_OBJECTNESS, (double)s->noobject_scale, 0);
    }
    if (owner < 0) {
        return;
    }
    const struct truth *t = &work->image->truths[owner];
    double box[BOX_VALUES], truth[BOX_VALUES];
    decode(work, at, box);
    box_values(&t->box, truth);
    double iou = iou_of(box, truth);
    double target = s->rescore ? iou : 1;
    parts->objectness += add_squashed(at, REGION_OBJECTNESS, (double)s->object_scale, target);
    parts->box += add_box(work, at, truth);
    parts->classes += add_classes(work, at, t->class_id);
    parts->iou_sum += iou;
    parts->assignments++;
}

static void image_loss(struct head_image *image)
{
    static const struct head_steps steps = {match_predictor, assign_truth, add_terms};
    struct work work = {
        .s = image->l->state, .out = &image->e->out, .image = image, .owners = image->work};
    head_image_run(image, &steps, &work);
}

static size_t work_bytes(const struct layer *l)
{
    return head_place_count(l) * sizeof(int);
}

void region_loss_plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    head_loss_plan(limits, work_bytes(l), p);
}

void region_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                 struct loss_parts *parts)
{
    head_loss_run(image_loss, work_bytes(l), l, e, truths, parts);
}
