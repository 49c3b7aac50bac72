#include "train/validate.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "kernels/elementwise.h"
#include "net/added_heads.h"
#include "run/detect.h"
#include "train/step.h"
#include "train/validation_share.h"

struct pass {
    const struct validate_options *o;
    const struct network *net;
    enum layer_mode *modes;
    struct plan *plan;
    struct loader *loader;
    struct validated *found;
    struct validation_share share;
    struct batch_loss *losses; /* [batches] */
    int w, h;                  /* of the network's input; size_of is given no network */
};

static void size_of(void *ctx, uint64_t mini_batch, int *w, int *h)
{
    const struct pass *pass = ctx;
    (void)mini_batch;
    *w = pass->w;
    *h = pass->h;
}

void validate_modes(const struct network *net, enum layer_mode *modes)
{
    for (int i = 0; i < net->layer_count; i++) {
        bool has_loss = net->layers[i].has_loss && !added_heads_is_old(net, i);
        modes[i] = has_loss ? MODE_FROZEN : MODE_INFER;
    }
}

static enum result open_pass(struct pass *pass, struct network *net, struct error *err)
{
    pass->modes = mem_alloc((size_t)net->layer_count, sizeof *pass->modes);
    if (!pass->modes) {
        return mem_error(err, "validation");
    }
    validate_modes(net, pass->modes);
    pass->losses = mem_alloc(pass->share.batches, sizeof *pass->losses);
    if (!pass->losses) {
        return mem_error(err, "validation");
    }
    struct plan_options plan = {
        .batch = pass->o->batch, .modes = pass->modes, .quant = pass->o->quant};
    TRY(plan_build(net, pass->o->kernels, &plan, &pass->plan, err));
    struct loader_options loader = {.set = pass->o->set,
                                    .augment = {.is_off = true,
                                                .letter_box = pass->o->letter_box,
                                                .crops = pass->o->task != TASK_DETECT},
                                    .batch = pass->o->batch,
                                    .channels = net->size.c,
                                    .first_sample = pass->share.first,
                                    .end_sample = pass->share.end,
                                    .in_order = true,
                                    .threads = pass->o->loader_threads,
                                    .size_of = size_of,
                                    .size_ctx = pass};
    if (pass->share.first < pass->share.end) {
        TRY(loader_open(&loader, &pass->loader, err));
    }
    if (pass->o->task == TASK_CLASSIFY) {
        return class_tally_init(&pass->found->tally, pass->o->set->class_count, err);
    }
    if (pass->o->task != TASK_DETECT) {
        return value_tally_init(&pass->found->errors, task_values(net), err);
    }
    return eval_set_of_dataset(pass->o->set, pass->o->names, (size_t)network_head(net)->classes,
                               &pass->found->set, err);
}

static void close_pass(struct pass *pass)
{
    loader_close(pass->loader);
    plan_free(pass->plan);
    mem_free(pass->modes);
    mem_free(pass->losses);
}

static enum result take_detections(struct pass *pass, int n, size_t picture,
                                   const struct image_fit *fit, struct error *err)
{
    const struct head_info *head = network_head(pass->net);
    struct detect_options options = {.threshold = VALIDATE_CONFIDENCE,
                                     .iou_threshold = VALIDATE_OVERLAP,
                                     .nms_kind = head->nms_kind,
                                     .beta_nms = head->beta_nms};
    struct detection_list list = {0};
    enum result result = detect_find(pass->plan, n, &options, fit, &list, err);
    for (size_t i = 0; result == OK && i < list.count; i++) {
        const struct detection *d = &list.items[i];
        struct box_xyxy_px box = detect_box_px(&d->box, fit->image_w, fit->image_h);
        struct eval_detection found = eval_detection_of(&box, d->class_id, d->confidence);
        result = eval_set_add(&pass->found->set, picture, &found, err);
    }
    detection_list_free(&list);
    return result;
}

static void take_classes(struct pass *pass, const struct batch *batch, int n, size_t sample)
{
    struct class_tally *tally = &pass->found->tally;
    size_t truth = (size_t)pass->o->set->samples[sample].class_id;
    if (batch->sample_index[n] == LOADER_NO_SAMPLE) {
        class_tally_add_unread(tally, truth);
    } else {
        class_tally_add(tally, truth,
                        tensor_at(plan_output(pass->plan, pass->net->layer_count - 1), n, 0, 0));
    }
}

/* Against the targets, or, without any, the input itself. */
static void take_values(struct pass *pass, const struct batch *batch, int n)
{
    const struct tensor *out = plan_output(pass->plan, pass->net->layer_count - 1);
    const struct truth_set *truths = &batch->truths[n];
    size_t c = (size_t)out->c;
    for (int y = 0; y < out->h; y++) {
        for (int x = 0; x < out->w; x++) {
            size_t first = ((size_t)y * (size_t)out->w + (size_t)x) * c;
            const float *truth =
                truths->values ? truths->values + first : tensor_at(&batch->input, n, y, x);
            value_tally_add(&pass->found->errors, first, c, truth, tensor_at(out, n, y, x));
        }
    }
}

static enum result take_image(struct pass *pass, const struct batch *batch, int n, size_t picture,
                              struct error *err)
{
    pass->found->failures += batch->sample_index[n] == LOADER_NO_SAMPLE;
    if (pass->o->task != TASK_DETECT) {
        bool is_read = batch->sample_index[n] != LOADER_NO_SAMPLE;
        const struct validate_sight sight = {picture, pass->o->set->sample_count, &batch->input,
                                             plan_output(pass->plan, pass->net->layer_count - 1),
                                             n};
        if (pass->o->see && is_read) {
            pass->o->see(pass->o->ctx, &sight);
        }
        if (pass->o->task == TASK_CLASSIFY) {
            take_classes(pass, batch, n, picture);
        } else if (is_read) {
            take_values(pass, batch, n);
        }
        return OK;
    }
    struct eval_set *set = &pass->found->set;
    const struct image_fit *fit = &batch->fits[n];
    if (batch->sample_index[n] == LOADER_NO_SAMPLE) { /* its objects are missed */
        set->pictures[picture].has_failed = true;
        return eval_set_size(set, picture, 1, 1, err);
    }
    TRY(eval_set_size(set, picture, fit->image_w, fit->image_h, err));
    return take_detections(pass, n, picture, fit, err);
}

static enum result run_pass(struct pass *pass, struct error *err)
{
    size_t count = pass->o->set->sample_count;
    struct batch_loss *loss = pass->losses + pass->share.first_batch;
    struct batch batch;
    if (!pass->loader) {
        return OK;
    }
    for (size_t done = pass->share.first;; done += (size_t)batch.images) {
        TRY(loader_next(pass->loader, &batch, err));
        if (pass->o->is_stopped && pass->o->is_stopped()) {
            return error_set(err, ERR_INTERRUPTED, "interrupted after %zu of %zu", done, count);
        }
        if (batch.images == 0) {
            return OK;
        }
        op_copy(pass->o->kernels, &batch.input, plan_input(pass->plan));
        const struct step_input input = {.truths = batch.truths, .images = batch.images};
        struct loss_parts parts = step_loss(pass->plan, &input);
        *loss++ = (struct batch_loss){loss_parts_total(&parts), (size_t)batch.images};
        for (int n = 0; n < batch.images; n++) {
            TRY(take_image(pass, &batch, n, done + (size_t)n, err));
        }
        log_progress("validation: %zu of %zu", done + (size_t)batch.images, count);
    }
}

static double or_nan(double number)
{
    return number >= 0.0 ? number : (double)NAN;
}

static double mean_loss(const struct pass *pass)
{
    double loss = 0.0, images = 0.0;
    for (size_t i = 0; i < pass->share.batches; i++) {
        loss += pass->losses[i].loss;
        images += (double)pass->losses[i].images;
    }
    return images > 0.0 ? loss / images : (double)NAN;
}

static enum result measure(const struct validate_options *options, double loss,
                           struct validated *found, struct error *err)
{
    found->figures = (struct validation){.map50 = (double)NAN,
                                         .map = (double)NAN,
                                         .top1 = (double)NAN,
                                         .top5 = (double)NAN,
                                         .loss = loss};
    if (options->task == TASK_CLASSIFY) {
        struct class_numbers all = class_tally_all(&found->tally);
        found->figures.top1 = or_nan(all.recall);
        found->figures.top5 = or_nan(all.top);
    }
    if (options->task != TASK_DETECT || (options->is_shared && ranks_own() > 0)) {
        return OK;
    }
    const struct evaluation_options figures = {.threshold = -1.0};
    TRY(evaluation_measure(&found->set, &figures, &found->evaluation, err));
    const double *numbers = found->evaluation.all.numbers;
    found->figures.map50 = or_nan(numbers[COCO_AP50]);
    found->figures.map = or_nan(numbers[COCO_AP]);
    return OK;
}

static struct validation_work work_of(const struct validate_options *o)
{
    return (struct validation_work){.pictures = o->set->sample_count,
                                    .batch = (size_t)o->batch,
                                    .is_shared = o->is_shared,
                                    .is_divided =
                                        o->task == TASK_DETECT || o->task == TASK_CLASSIFY};
}

enum result train_validate(const struct validate_options *options, struct network *net,
                           struct validated *found, struct error *err)
{
    struct pass pass = {
        .o = options, .net = net, .found = found, .w = net->size.w, .h = net->size.h};
    const struct validation_work work = work_of(options);
    pass.share = validation_share_of(&work);
    enum result result = open_pass(&pass, net, err);
    if (result == OK) {
        result = run_pass(&pass, err);
    }
    if (result == OK && options->is_shared) {
        bool has_boxes = options->task == TASK_DETECT, has_classes = options->task == TASK_CLASSIFY;
        struct validation_part part = {.losses = pass.losses,
                                       .failures = found->failures,
                                       .set = has_boxes ? &found->set : NULL,
                                       .tally = has_classes ? &found->tally : NULL};
        result = validation_gather(&work, &part, err);
        found->failures = part.failures;
    }
    log_progress("%s", "");
    double loss = result == OK ? mean_loss(&pass) : (double)NAN;
    close_pass(&pass);
    TRY(result);
    TRY(measure(options, loss, found, err));
    if (options->is_shared) {
        ranks_broadcast(&found->figures, sizeof found->figures);
    }
    return OK;
}

void validated_free(struct validated *found)
{
    evaluation_free(&found->evaluation);
    eval_set_free(&found->set);
    class_tally_free(&found->tally);
    value_tally_free(&found->errors);
    *found = (struct validated){0};
}
