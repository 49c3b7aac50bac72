#include "run/infer.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/parallel.h"
#include "eval/class_tally.h"

enum {
    MAX_HELPERS = 8,  /* that only load */
    LANE_PICTURES = 2 /* a lane's at least: the last ones keep only some of the threads busy */
};

const struct option fit_options[] = {
    {"letterbox|letter-box", OPTION_SET, 0, FIT_LETTERBOX, 0, NULL,
     "keep each picture's shape, grey borders (default: what the cfg says)", 0},
    {"stretch", OPTION_SET, 0, FIT_STRETCH, 0, NULL,
     "fit each picture into the input whatever its shape", 0},
    {0},
};

enum image_way infer_way(int fit, const struct network *net)
{
    enum net_task task = task_of(net);
    bool is_cropped = task != TASK_DETECT && task != TASK_NONE;
    if (fit != FIT_AS_CFG) {
        return fit == FIT_LETTERBOX ? IMAGE_LETTERBOX : IMAGE_STRETCH;
    }
    return is_cropped ? IMAGE_CROP : net->options.letter_box ? IMAGE_LETTERBOX : IMAGE_STRETCH;
}

static enum result open_thresholds(const struct model *model, const char *run,
                                   const struct infer_args *args, struct infer *infer,
                                   struct error *err)
{
    const struct thresholds_source source = {.text = args->confidence,
                                             .rest = args->rest_confidence,
                                             .run = run,
                                             .names = model->names,
                                             .count = model->name_count};
    return thresholds_open(&source, &infer->thresholds, err);
}

static enum result open_detector(struct model *model, const char *run,
                                 const struct infer_args *args, struct infer *infer,
                                 struct error *err)
{
    TRY(open_thresholds(model, run, args, infer, err));
    infer->options = (struct detect_options){
        .threshold = infer->thresholds.least,
        .thresholds = infer->thresholds.of_class,
        .iou_threshold = args->iou,
        .agnostic = args->agnostic,
        .max_detections = args->max_detections,
        .classes = args->classes,
        .nms_kind = model->head->nms_kind,
        .beta_nms = model->head->beta_nms,
    };
    return OK;
}

static void open_classifier(const struct model *model, const struct infer_args *args,
                            struct infer *infer)
{
    size_t top = (size_t)args->top;
    infer->top = top > 0 && top < model->name_count ? top : model->name_count;
    infer->options.classes = args->classes;
}

/* ---- lanes ---- */

static void close_lanes(struct infer *infer)
{
    for (int i = 0; infer->lanes && i < infer->helpers; i++) {
        plan_free(infer->lanes[i]);
    }
    mem_free(infer->lanes);
    infer->lanes = NULL;
}

/* As much again must be left to the pictures: also of the address space, which may be limited. */
static bool has_memory_for(const struct plan *lane, int count)
{
    struct plan_memory m = plan_memory(lane);
    size_t need = 2 * (m.activation_bytes + m.scratch_bytes) * (size_t)count;
    double have = memory_free_now("");
    void *room = have == 0.0 || (double)need <= have ? mem_alloc_raw(need, 1) : NULL;
    mem_free(room);
    return room != NULL;
}

/* Without memory for all of them there are none. */
static void build_lanes(void *ctx)
{
    struct infer *infer = ctx;
    struct error err;
    infer->lanes = mem_alloc((size_t)infer->helpers, sizeof infer->lanes[0]);
    bool is_built = infer->lanes != NULL;
    for (int i = 0; is_built && i < infer->helpers; i++) {
        is_built = model_plan_beside(infer->model, infer->plan, &infer->lanes[i], &err) == OK &&
                   (i > 0 || has_memory_for(infer->lanes[0], infer->helpers));
    }
    if (is_built) {
        plan_only_lend(infer->plan);
    } else {
        close_lanes(infer);
    }
}

size_t infer_many(void)
{
    return LANE_PICTURES * (size_t)parallel_threads();
}

void infer_expect(struct infer *infer, size_t pictures)
{
    int loaders = infer->helpers, threads = parallel_threads();
    if (infer->may_have_lanes && pictures >= infer_many()) {
        infer->helpers = threads;
        parallel_alone(build_lanes, infer);
        infer->helpers = infer->lanes ? threads : loaders;
    }
}

enum result infer_open(struct model *model, const char *run, const struct infer_args *args,
                       struct infer *infer, struct error *err)
{
    if (!model->head && model->task != TASK_CLASSIFY) {
        return error_at(err, ERR_CFG, model->cfg_path, 0,
                        "the network has no [yolo] or [region] layer and does not end with "
                        "[softmax], so it finds neither boxes nor classes");
    }
    TRY(model_check_pictures(&model->net, err));
    if (model->head) {
        TRY(open_detector(model, run, args, infer, err));
    } else {
        open_classifier(model, args, infer);
    }
    infer->batch = args->batch > 0 ? args->batch : 1;
    TRY(model_plan(model, infer->batch, false, &infer->plan, err));
    int helpers = parallel_threads() / 2;
    infer->helpers = helpers < 1 ? 1 : helpers > MAX_HELPERS ? MAX_HELPERS : helpers;
    infer->model = model;
    infer->may_have_lanes = args->batch == 0 && parallel_threads() > 1;
    infer->keeps_pictures = args->keeps_pictures;
    infer->way = infer_way(args->fit, &model->net);
    return OK;
}

void infer_close(struct infer *infer)
{
    close_lanes(infer);
    plan_free(infer->plan);
    infer->plan = NULL;
    thresholds_free(&infer->thresholds);
}

void infer_start(struct infer_slot *slot, const char *path)
{
    slot->has_failed = false;
    slot->list.count = 0;
    slot->record = (struct result_record){.image = path};
}

/* ---- decode and fit ---- */

static enum result need_pixels(const struct infer *infer, struct infer_slot *slot,
                               struct tensor *fitted, struct error *err)
{
    *fitted = *plan_input(infer->plan);
    fitted->n = 1;
    fitted->stride = (size_t)fitted->c;
    if (!slot->pixels) {
        slot->pixels = mem_alloc_raw(tensor_pixels(fitted) * fitted->stride, sizeof(float));
        if (!slot->pixels) {
            return mem_error(err, slot->record.image);
        }
    }
    fitted->data = slot->pixels;
    return OK;
}

static enum result load(const struct infer *infer, struct infer_slot *slot,
                        const struct tensor *fitted, struct error *err)
{
    TRY(image_read(slot->record.image, &slot->picture, err));
    if (slot->picture.is_dim) {
        log_warn("%s: %s", slot->record.image, image_dim_text);
    }
    slot->record.width = slot->picture.w;
    slot->record.height = slot->picture.h;
    return image_to_input(&slot->picture, infer->way, fitted, 0, &slot->fit, err);
}

void infer_drop_picture(struct infer_slot *slot)
{
    image_free(&slot->picture);
    slot->picture = (struct image){0};
}

/* ---- the network, and what it found ---- */

static void copy_input(const struct infer_slot *slot, const struct tensor *input, int n)
{
    size_t pixels = (size_t)input->h * (size_t)input->w, channels = (size_t)input->c;
    float *to = tensor_at(input, n, 0, 0);
    if (input->stride == channels) {
        memcpy(to, slot->pixels, pixels * channels * sizeof(float));
        return;
    }
    for (size_t i = 0; i < pixels; i++) {
        memcpy(to + i * input->stride, slot->pixels + i * channels, channels * sizeof(float));
    }
}

static enum result need_objects(struct infer_slot *slot, size_t count, struct error *err)
{
    if (count > slot->object_capacity) {
        mem_free(slot->objects);
        slot->object_capacity = 0;
        slot->objects = mem_alloc(count, sizeof slot->objects[0]);
        if (!slot->objects) {
            return mem_error(err, slot->record.image);
        }
        slot->object_capacity = count;
    }
    slot->record.objects = slot->objects;
    slot->record.count = count;
    return OK;
}

static enum result find_classes(const struct infer *infer, const struct plan *plan,
                                struct infer_slot *slot, int n, struct error *err)
{
    const struct network *net = &infer->model->net;
    const float *scores = tensor_at(plan_output(plan, net->layer_count - 1), n, 0, 0);
    if (!slot->best) {
        slot->best = mem_alloc(infer->top, sizeof *slot->best);
        if (!slot->best) {
            return mem_error(err, slot->record.image);
        }
    }
    size_t count = class_best(scores, infer->model->name_count, infer->options.classes, slot->best,
                              infer->top);
    TRY(need_objects(slot, count, err));
    for (size_t i = 0; i < count; i++) {
        slot->objects[i] = (struct result_object){.class_id = (int)slot->best[i],
                                                  .confidence = scores[slot->best[i]]};
    }
    return OK;
}

static enum result find_objects(const struct infer *infer, const struct plan *plan,
                                struct infer_slot *slot, int n, struct error *err)
{
    if (infer->top > 0) {
        return find_classes(infer, plan, slot, n, err);
    }
    TRY(detect_find(plan, n, &infer->options, &slot->fit, &slot->list, err));
    size_t count = slot->list.count;
    TRY(need_objects(slot, count, err));
    for (size_t i = 0; i < count; i++) {
        const struct detection *d = &slot->list.items[i];
        slot->objects[i] = (struct result_object){
            .class_id = d->class_id,
            .confidence = d->confidence,
            .box = detect_box_px(&d->box, slot->record.width, slot->record.height),
        };
    }
    return OK;
}

/* Image n of a forward pass that took so long for each. */
static void finish(const struct infer *infer, const struct plan *plan, struct infer_slot *slot,
                   int n, double forward_ms)
{
    double start = clock_ms();
    slot->has_failed = find_objects(infer, plan, slot, n, &slot->err) != OK;
    slot->record.infer_ms = forward_ms;
    slot->record.post_ms = clock_ms() - start;
}

void infer_load(const struct infer *infer, struct infer_slot *slot, int helper)
{
    struct plan *lane = infer->lanes ? infer->lanes[helper] : NULL;
    struct tensor fitted;
    double start = clock_ms();
    if (slot->has_failed) {
        return;
    }
    if (lane) {
        fitted = *plan_input(lane);
    } else {
        slot->has_failed = need_pixels(infer, slot, &fitted, &slot->err) != OK;
    }
    slot->has_failed = slot->has_failed || load(infer, slot, &fitted, &slot->err) != OK;
    slot->record.load_ms = clock_ms() - start;
    if (slot->has_failed || !infer->keeps_pictures) {
        infer_drop_picture(slot);
    }
    if (lane && !slot->has_failed) {
        start = clock_ms();
        plan_forward(lane, 1);
        finish(infer, lane, slot, 0, clock_ms() - start);
    }
}

void infer_compute(const struct infer *infer, void *const *slots, int count)
{
    double start = clock_ms();
    int images = 0;
    if (infer->lanes) {
        return;
    }
    for (int i = 0; i < count; i++) {
        const struct infer_slot *slot = slots[i];
        if (!slot->has_failed) {
            copy_input(slot, plan_input(infer->plan), images++);
        }
    }
    if (images == 0) {
        return;
    }
    plan_forward(infer->plan, images);
    double forward_ms = (clock_ms() - start) / images;
    for (int i = 0, n = 0; i < count; i++) {
        struct infer_slot *slot = slots[i];
        if (!slot->has_failed) {
            finish(infer, infer->plan, slot, n++, forward_ms);
        }
    }
}

void infer_add_times(const struct infer *infer, const struct result_record *record,
                     struct infer_times *times)
{
    times->images++;
    times->load_ms += record->load_ms;
    times->infer_ms += record->infer_ms;
    times->post_ms += record->post_ms;
    times->lanes = infer->lanes ? infer->helpers : 1;
}

void infer_say_times(const struct infer_times *times, double wall_ms)
{
    double images = (double)times->images;
    char lanes[48] = "";
    if (times->images == 0) {
        return;
    }
    if (times->lanes > 1) {
        snprintf(lanes, sizeof lanes, ", %d at a time", times->lanes);
    }
    log_info("ms an image: load %.1f, infer %.1f, post %.1f%s; %.1f images/s",
             times->load_ms / images, times->infer_ms / images, times->post_ms / images, lanes,
             images * 1e3 / wall_ms);
}

void infer_destroy(void *ctx, void *item)
{
    struct infer_slot *slot = item;
    (void)ctx;
    infer_drop_picture(slot);
    mem_free(slot->pixels);
    mem_free(slot->best);
    detection_list_free(&slot->list);
    mem_free(slot->objects);
}
