#include "layers/yolo_head.h"

#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "cfg/cfg.h"
#include "kernels/activate.h"
#include "kernels/elementwise.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static enum result parse_box_loss(struct layer *l, const char *key, enum box_loss fallback,
                                  enum box_loss *kind, struct error *err)
{
    static const struct cfg_word words[] = {{"mse", LOSS_MSE},
                                            {"iou", LOSS_IOU},
                                            {"giou", LOSS_GIOU},
                                            {"diou", LOSS_DIOU},
                                            {"ciou", LOSS_CIOU}};
    int word;
    TRY(cfg_choice(l->section, key, words, COUNT(words), (int)fallback, &word, err));
    *kind = (enum box_loss)word;
    return OK;
}

static enum result parse_nms(struct layer *l, bool knows_corners, struct head_info *info,
                             struct error *err)
{
    static const struct cfg_word words[] = {{"default", NMS_DEFAULT},
                                            {"greedynms", NMS_GREEDY},
                                            {"diounms", NMS_DIOU},
                                            {"cornersnms", NMS_CORNERS}};
    size_t count = COUNT(words) - !knows_corners;
    int word;
    TRY(cfg_float(l->section, "beta_nms", 0.6f, 0.0f, 1e6f, &info->beta_nms, err));
    TRY(cfg_choice(l->section, "nms_kind", words, count, NMS_DEFAULT, &word, err));
    info->nms_kind = (enum nms_kind)word;
    return OK;
}

static enum result parse_mask(struct layer *l, struct yolo_head *o, struct error *err)
{
    size_t count;
    TRY(cfg_ints(l->section, "mask", &o->mask, &count, err));
    if (count == 0) {
        mem_free(o->mask);
        o->mask = mem_alloc((size_t)o->anchor_count, sizeof *o->mask);
        if (!o->mask) {
            return mem_error(err, "reading the network");
        }
        for (int i = 0; i < o->anchor_count; i++) {
            o->mask[i] = i;
        }
        o->info.slots = o->anchor_count;
        return OK;
    }
    if (count > HEAD_MAX_ANCHORS) {
        return cfg_error(l->section, cfg_find(l->section, "mask"), err, "more than %d anchors",
                         (int)HEAD_MAX_ANCHORS);
    }
    o->info.slots = (int)count;
    for (int i = 0; i < o->info.slots; i++) {
        if (o->mask[i] < 0 || o->mask[i] >= o->anchor_count) {
            return cfg_error(l->section, cfg_find(l->section, "mask"), err,
                             "anchor %d does not exist (num=%d: 0 to %d)", o->mask[i],
                             o->anchor_count, o->anchor_count - 1);
        }
        for (int earlier = 0; earlier < i; earlier++) {
            if (o->mask[earlier] == o->mask[i]) {
                return cfg_error(l->section, cfg_find(l->section, "mask"), err,
                                 "anchor %d is listed twice: an object would train both copies",
                                 o->mask[i]);
            }
        }
    }
    return OK;
}

static enum result parse_counters(struct layer *l, struct yolo_head *o, struct error *err)
{
    size_t count;
    TRY(cfg_ints(l->section, "counters_per_class", &o->class_counters, &count, err));
    if (count == 0) {
        mem_free(o->class_counters);
        o->class_counters = NULL;
        return OK;
    }
    if (count != (size_t)o->info.classes) {
        return cfg_error(l->section, cfg_find(l->section, "counters_per_class"), err,
                         "%zu numbers for classes=%d", count, o->info.classes);
    }
    return OK;
}

static enum result parse_loss(struct layer *l, struct yolo_head *o, struct error *err)
{
    struct cfg_section *s = l->section;
    TRY(parse_box_loss(l, "iou_loss", LOSS_MSE, &o->iou_loss, err));
    TRY(parse_box_loss(l, "iou_thresh_kind", LOSS_IOU, &o->iou_thresh_kind, err));
    TRY(cfg_float(s, "iou_normalizer", 0.75f, 0.0f, 1e6f, &o->iou_normalizer, err));
    TRY(cfg_float(s, "obj_normalizer", 1.0f, 0.0f, 1e6f, &o->obj_normalizer, err));
    TRY(cfg_float(s, "cls_normalizer", 1.0f, 0.0f, 1e6f, &o->cls_normalizer, err));
    TRY(cfg_float(s, "delta_normalizer", 1.0f, 0.0f, 1e6f, &o->delta_normalizer, err));
    TRY(cfg_float(s, "ignore_thresh", 0.5f, 0.0f, 1e6f, &o->ignore_thresh, err));
    TRY(cfg_float(s, "truth_thresh", 1.0f, 0.0f, 1e6f, &o->truth_thresh, err));
    TRY(cfg_float(s, "iou_thresh", 1.0f, 0.0f, 1e6f, &o->iou_thresh, err));
    TRY(cfg_float(s, "max_delta", FLT_MAX, 0.0f, FLT_MAX, &o->max_delta, err));
    TRY(cfg_float(s, "label_smooth_eps", 0.0f, 0.0f, 1.0f, &o->label_smooth_eps, err));
    TRY(cfg_bool(s, "objectness_smooth", false, &o->objectness_smooth, err));
    TRY(cfg_bool(s, "focal_loss", false, &o->focal_loss, err));
    TRY(cfg_float(s, "jitter", 0.2f, 0.0f, 1.0f, &o->jitter, err));
    TRY(cfg_float(s, "resize", 1.0f, 0.0f, 1e3f, &o->resize, err));
    TRY(cfg_float(s, "random", 0.0f, 0.0f, 1e3f, &o->random, err));
    return parse_counters(l, o, err);
}

enum result yolo_head_parse(struct layer *l, bool knows_corners, struct error *err)
{
    struct yolo_head *o = l->state;
    TRY(head_parse(l, err));
    TRY(head_parse_range(l, err));
    TRY(cfg_int(l->section, "num", 1, 1, HEAD_MAX_ANCHORS, &o->anchor_count, err));
    TRY(head_parse_anchors(l, o->anchor_count, &o->anchors, err));
    TRY(parse_mask(l, o, err));
    TRY(cfg_float(l->section, "scale_x_y", 1.0f, 1e-3f, 1e3f, &o->scale_x_y, err));
    TRY(parse_nms(l, knows_corners, &o->info, err));
    TRY(parse_loss(l, o, err));
    return layer_read_previous(l, err);
}

void yolo_head_destroy(struct layer *l)
{
    struct yolo_head *o = l->state;
    mem_free(o->anchors);
    mem_free(o->mask);
    mem_free(o->class_counters);
}

/* What becomes of the channels of a cell, an array each: the logistic of everything but w and h, then x and y scaled. */
struct squashing {
    float *chosen, *scale, *shift;
};

static struct squashing squashing_of(const struct yolo_head *o, int channels, float *scratch)
{
    struct squashing s = {scratch, scratch + channels, scratch + 2 * channels};
    for (int c = 0; c < channels; c++) {
        int value = c % o->info.entries;
        bool is_size = value == o->box[BOX_W] || value == o->box[BOX_H];
        bool is_centre = value == o->box[BOX_CX] || value == o->box[BOX_CY];
        s.chosen[c] = !o->new_coords && !is_size;
        s.scale[c] = is_centre ? o->scale_x_y : 1.0f;
        s.shift[c] = is_centre ? -0.5f * (o->scale_x_y - 1.0f) : 0.0f;
    }
    return s;
}

size_t yolo_head_scratch_bytes(const struct layer *l)
{
    return 3 * (size_t)l->out.c * sizeof(float);
}

struct head_job {
    const struct exec *e;
    struct squashing squashing;
};

static void forward_row(void *ctx, size_t row, int thread)
{
    (void)thread;
    const struct head_job *job = ctx;
    const struct squashing *s = &job->squashing;
    struct tensor cells = job->e->out;
    cells.data += row * (size_t)cells.w * cells.stride;
    cells.n = cells.h = 1;
    op_squash(job->e->kernels, s->chosen, s->scale, s->shift, &cells);
}

void yolo_head_forward(const struct layer *l, const struct exec *e)
{
    const struct yolo_head *o = l->state;
    struct head_job job = {e, squashing_of(o, e->out.c, e->scratch)};
    if (e->inputs[0].data != e->out.data) {
        op_copy(e->kernels, &e->inputs[0], &e->out);
    }
    parallel_for((size_t)e->out.n * (size_t)e->out.h, forward_row, &job);
}

static float decoded_size(const struct yolo_head *o, float v, float anchor, int net_size)
{
    double raw = (double)v;
    double factor = o->new_coords ? 4.0 * raw * raw : exp(raw);
    return (float)(factor * (double)anchor / net_size);
}

float yolo_head_decode(const struct layer *l, const struct tensor *out, int cell, int k,
                       const float *values, struct box_cxcywh_norm *box)
{
    const struct yolo_head *o = l->state;
    const float *anchor = &o->anchors[2 * o->mask[k]];
    float side = (float)o->side, sigma = 0.0f;
    box->w = decoded_size(o, values[o->box[BOX_W]], anchor[0], l->net->w);
    box->h = decoded_size(o, values[o->box[BOX_H]], anchor[1], l->net->h);
    box->cx = ((float)(cell % out->w) + values[o->box[BOX_CX]]) / (float)out->w + side * box->w;
    box->cy = ((float)(cell / out->w) + values[o->box[BOX_CY]]) / (float)out->h + side * box->h;
    for (int v = 0; v < BOX_VALUES && o->sigma; v++) {
        sigma += values[o->box[v] + o->sigma];
    }
    return 1.0f - sigma / 4.0f;
}

bool yolo_head_can_assign(const struct layer *l)
{
    return l->ops->decode == yolo_head_decode;
}

bool yolo_head_assign(struct layer *l, float overlap)
{
    if (!yolo_head_can_assign(l)) {
        return false;
    }
    ((struct yolo_head *)l->state)->iou_thresh = overlap;
    return true;
}

float yolo_head_overlap_weight(const struct layer *l)
{
    const struct yolo_head *o = l->state;
    return yolo_head_can_assign(l) && o->iou_loss != LOSS_MSE ? o->iou_normalizer : 0.0f;
}
