#include "train/validate.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "kernels/elementwise.h"
#include "run/detect.h"
#include "eval/coco.h"
#include "eval/eval_set.h"
#include "train/step.h"

struct pass {
    const struct validate_options *o;
    const struct network *net;
    enum layer_mode *modes;
    struct plan *plan;
    struct loader *loader;
    struct coco_metrics metrics;
    double loss;
    size_t images; /* read */
    struct eval_truth *truths;
    size_t truth_capacity;
    struct eval_detection *detections;
    size_t detection_capacity;
    int w, h; /* of the network's input; size_of is given no network */
};

static void size_of(void *ctx, uint64_t mini_batch, int *w, int *h)
{
    const struct pass *pass = ctx;
    (void)mini_batch;
    *w = pass->w;
    *h = pass->h;
}

/* Inference throughout; heads are only frozen, not in inference: their losses are wanted. */
static enum result open_pass(struct pass *pass, struct network *net, struct error *err)
{
    pass->modes = mem_alloc((size_t)net->layer_count, sizeof *pass->modes);
    if (!pass->modes) {
        return mem_error(err, "validation");
    }
    for (int i = 0; i < net->layer_count; i++) {
        pass->modes[i] = net->layers[i].ops->loss ? MODE_FROZEN : MODE_INFER;
    }
    struct plan_options plan = {.batch = pass->o->batch, .modes = pass->modes};
    TRY(plan_build(net, pass->o->kernels, &plan, &pass->plan, err));
    struct loader_options loader = {.set = pass->o->set,
                                    .augment = {.is_off = true, .letter_box = pass->o->letter_box},
                                    .batch = pass->o->batch,
                                    .channels = net->size.c,
                                    .in_order = true,
                                    .threads = pass->o->loader_threads,
                                    .size_of = size_of,
                                    .size_ctx = pass};
    TRY(loader_open(&loader, &pass->loader, err));
    return coco_metrics_init(&pass->metrics, (size_t)network_head(net)->classes, err);
}

static void close_pass(struct pass *pass)
{
    loader_close(pass->loader);
    plan_free(pass->plan);
    coco_metrics_free(&pass->metrics);
    mem_free(pass->modes);
    mem_free(pass->truths);
    mem_free(pass->detections);
}

static enum result collect_truths(struct pass *pass, const struct sample *sample,
                                  const struct image_fit *fit, struct eval_image *image,
                                  struct error *err)
{
    while (pass->truth_capacity < sample->truth_count) {
        TRY(mem_grow((void **)&pass->truths, pass->truth_capacity, &pass->truth_capacity,
                     sizeof *pass->truths, err));
    }
    image->truths = pass->truths;
    image->truth_count = eval_truths_of_sample(sample, fit->image_w, fit->image_h,
                                               pass->metrics.class_count, pass->truths);
    return OK;
}

static enum result collect_detections(struct pass *pass, int n, const struct image_fit *fit,
                                      struct eval_image *image, struct error *err)
{
    const struct head_info *head = network_head(pass->net);
    struct detect_options options = {.threshold = VALIDATE_CONFIDENCE,
                                     .iou_threshold = VALIDATE_OVERLAP,
                                     .nms_kind = head->nms_kind,
                                     .beta_nms = head->beta_nms};
    struct detection_list list = {0};
    enum result result = detect_find(pass->plan, n, &options, fit, &list, err);
    size_t count = 0;
    for (; result == OK && count < list.count; count++) {
        const struct detection *d = &list.items[count];
        result = mem_grow((void **)&pass->detections, count, &pass->detection_capacity,
                          sizeof *pass->detections, err);
        if (result == OK) {
            struct box_xyxy_px box = detect_box_px(&d->box, fit->image_w, fit->image_h);
            pass->detections[count] = eval_detection_of(&box, d->class_id, d->confidence);
        }
    }
    detection_list_free(&list);
    image->detections = pass->detections;
    image->detection_count = count;
    return result;
}

/* The objects of a picture that could not be read are missed. */
static enum result add_unread(struct pass *pass, int64_t id, struct error *err)
{
    const struct sample *sample = &pass->o->set->samples[id];
    const struct image_fit unit = {.image_w = 1, .image_h = 1};
    struct eval_image image = {.id = id};
    TRY(collect_truths(pass, sample, &unit, &image, err));
    return coco_metrics_add(&pass->metrics, &image, err);
}

static enum result add_image(struct pass *pass, const struct batch *batch, int n, int64_t id,
                             struct error *err)
{
    if (batch->sample_index[n] == LOADER_NO_SAMPLE) {
        return add_unread(pass, id, err);
    }
    struct eval_image image = {.id = id};
    const struct sample *sample = &pass->o->set->samples[batch->sample_index[n]];
    TRY(collect_truths(pass, sample, &batch->fits[n], &image, err));
    TRY(collect_detections(pass, n, &batch->fits[n], &image, err));
    return coco_metrics_add(&pass->metrics, &image, err);
}

static enum result run_pass(struct pass *pass, struct error *err)
{
    size_t count = pass->o->set->sample_count;
    struct batch batch;
    for (size_t done = 0;; done += (size_t)batch.images) {
        TRY(loader_next(pass->loader, &batch, err));
        if (batch.images == 0) {
            return OK;
        }
        pass->images += (size_t)batch.images;
        op_copy(pass->o->kernels, &batch.input, plan_input(pass->plan));
        const struct step_input input = {.truths = batch.truths, .images = batch.images};
        struct loss_parts parts = step_loss(pass->plan, &input);
        pass->loss += loss_parts_total(&parts);
        for (int n = 0; n < batch.images; n++) {
            TRY(add_image(pass, &batch, n, (int64_t)done + n, err));
        }
        log_progress("validation: %zu of %zu", done + (size_t)batch.images, count);
    }
}

enum result train_validate(const struct validate_options *options, struct network *net,
                           struct validation *found, struct error *err)
{
    struct pass pass = {.o = options, .net = net, .w = net->size.w, .h = net->size.h};
    enum result result = open_pass(&pass, net, err);
    if (result == OK) {
        result = run_pass(&pass, err);
    }
    if (result == OK) {
        double numbers[COCO_NUMBER_COUNT];
        coco_metrics_overall(&pass.metrics, numbers);
        double ap = numbers[COCO_AP50];
        found->map50 = ap >= 0.0 ? ap : (double)NAN;
        found->loss = pass.images ? pass.loss / (double)pass.images : (double)NAN;
    }
    log_progress("%s", "");
    close_pass(&pass);
    return result;
}
