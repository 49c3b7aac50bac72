/* The training loss of [region] (YOLOv2, darknet-spec 2.19): the gradients are Darknet's, which
 * here are those of a function. o, x, y: logistic outputs; w, h: raw.
 *
 *   objectness  no truth:  noobject_scale * o^2 / 2, nothing if the predicted box has IoU > thresh
 *                          with a truth
 *               assigned:  object_scale * (t - o)^2 / 2, t = 1, or with rescore the box's IoU
 *   classes     assigned:  softmax=1: -class_scale * ln p_c, with focal_loss
 *                          -class_scale * (1 - p_c)^2 ln(p_c) / 2; c is the truth's class
 *                          softmax=0: class_scale * sum of (p_k - [k = c])^2 / 2 on the raw values
 *   box         assigned:  coord_scale * [(x - tx)^2 + (y - ty)^2 + (w - ln tw)^2 + (h - ln th)^2]
 * / 2
 *
 * A truth goes to the anchor of its cell whose shape (bias_match=0: whose predicted shape) fits
 * best; of several truths for one predictor the last one has it. */
#include <math.h>

#include "layers/box_loss.h"
#include "layers/region_private.h"

enum { FREE = -1, IGNORED = -2 };

struct work {
    const struct region_state *s;
    const struct tensor *out;
    struct head_image *image;
    int *owners; /* [cells][slots]: the truth, FREE or IGNORED */
};

struct place {
    int x, y, slot;
    const float *values;
    float *gradient; /* NULL: not wanted */
    int *owner;
};

static int entries(const struct region_state *s)
{
    return REGION_CLASSES + s->info.classes;
}

static struct place place_of(const struct work *work, int y, int x, int slot)
{
    int offset = slot * entries(work->s);
    float *gradient = head_gradient_at(work->image, y, x);
    size_t cell = (size_t)y * (size_t)work->out->w + (size_t)x;
    return (struct place){
        .x = x,
        .y = y,
        .slot = slot,
        .values = tensor_at(work->out, work->image->image, y, x) + offset,
        .gradient = gradient ? gradient + offset : NULL,
        .owner = &work->owners[cell * (size_t)work->s->slots + (size_t)slot],
    };
}

static void decode(const struct work *work, const struct place *at, double box[BOX_VALUES])
{
    const float *anchor = &work->s->anchors[2 * at->slot];
    box[BOX_CX] = (at->x + (double)at->values[REGION_X]) / work->out->w;
    box[BOX_CY] = (at->y + (double)at->values[REGION_Y]) / work->out->h;
    box[BOX_W] = bounded_exp((double)at->values[REGION_W]) * (double)anchor[0] / work->out->w;
    box[BOX_H] = bounded_exp((double)at->values[REGION_H]) * (double)anchor[1] / work->out->h;
}

static void box_values(const struct box_cxcywh_norm *box, double values[BOX_VALUES])
{
    values[BOX_CX] = (double)box->cx;
    values[BOX_CY] = (double)box->cy;
    values[BOX_W] = (double)box->w;
    values[BOX_H] = (double)box->h;
}

static double iou_of(const double a[BOX_VALUES], const double b[BOX_VALUES])
{
    struct box_loss_result r;
    box_loss_evaluate(LOSS_IOU, a, b, &r);
    return r.iou;
}

static void match_predictor(struct work *work, const struct place *at)
{
    double box[BOX_VALUES];
    decode(work, at, box);
    const struct box_cxcywh_norm predicted = {(float)box[BOX_CX], (float)box[BOX_CY],
                                              (float)box[BOX_W], (float)box[BOX_H]};
    *at->owner = FREE;
    for (int t = 0; t < work->image->truth_count; t++) {
        const struct truth *truth = &work->image->truths[t];
        if (box_iou(&predicted, &truth->box) > work->s->ignore_thresh &&
            truth_is_usable(truth, work->s->info.classes)) {
            *at->owner = IGNORED;
        }
    }
}

static void assign_truth(struct work *work, int t)
{
    const struct region_state *s = work->s;
    double truth[BOX_VALUES];
    box_values(&work->image->truths[t].box, truth);
    int x = truth_cell(truth[BOX_CX], work->out->w);
    int y = truth_cell(truth[BOX_CY], work->out->h);
    truth[BOX_CX] = truth[BOX_CY] = 0;
    int *owner = NULL;
    double best = -1;
    for (int slot = 0; slot < s->slots; slot++) {
        struct place at = place_of(work, y, x, slot);
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
            owner = at.owner;
        }
    }
    if (owner) {
        *owner = t;
    }
}

static void add_gradient(const struct place *at, int entry, double slope)
{
    if (at->gradient) {
        at->gradient[entry] += (float)slope;
    }
}

/* scale * (p - t)^2 / 2 for an output of a logistic. */
static double add_squashed(const struct place *at, int entry, double scale, double target)
{
    double p = (double)at->values[entry];
    struct term term = term_half_square(p, target);
    add_gradient(at, entry, scale * term.slope * logistic_slope(p));
    return scale * term.value;
}

static double add_raw(const struct place *at, int entry, double scale, double target)
{
    struct term term = term_half_square((double)at->values[entry], target);
    add_gradient(at, entry, scale * term.slope);
    return scale * term.value;
}

static double add_box(const struct work *work, const struct place *at,
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

static double add_softmax(const struct work *work, const struct place *at, int class_id)
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

static double add_classes(const struct work *work, const struct place *at, int class_id)
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

static void add_terms(struct work *work, const struct place *at)
{
    const struct region_state *s = work->s;
    struct loss_parts *parts = &work->image->parts;
    if (*at->owner == FREE) {
        parts->objectness += add_squashed(at, REGION_OBJECTNESS, (double)s->noobject_scale, 0);
    }
    if (*at->owner < 0) {
        return;
    }
    const struct truth *t = &work->image->truths[*at->owner];
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

static void for_every_place(struct work *work, void (*visit)(struct work *, const struct place *))
{
    for (int y = 0; y < work->out->h; y++) {
        for (int x = 0; x < work->out->w; x++) {
            for (int slot = 0; slot < work->s->slots; slot++) {
                struct place at = place_of(work, y, x, slot);
                visit(work, &at);
            }
        }
    }
}

static void image_loss(const void *ctx, struct head_image *image)
{
    struct work work = {.s = ctx, .out = &image->e->out, .image = image, .owners = image->work};
    for_every_place(&work, match_predictor);
    for (int t = 0; t < image->truth_count; t++) {
        if (truth_is_usable(&image->truths[t], work.s->info.classes)) {
            image->parts.truths++;
            assign_truth(&work, t);
        }
    }
    for_every_place(&work, add_terms);
}

static size_t work_bytes(const struct layer *l)
{
    const struct region_state *s = l->state;
    return (size_t)l->out.h * (size_t)l->out.w * (size_t)s->slots * sizeof(int);
}

size_t region_loss_scratch(const struct layer *l, int batch)
{
    return head_loss_scratch(batch, work_bytes(l));
}

void region_loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                 struct loss_parts *parts)
{
    const struct region_state *s = l->state;
    const struct head_job job = {
        .image_loss = image_loss,
        .head = s,
        .max_truths = s->max_truths,
        .work_bytes = work_bytes(l),
    };
    head_loss_run(&job, l, e, truths, parts);
}
