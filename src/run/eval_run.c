#include "run/eval_run.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/interrupt.h"
#include "data/stream.h"

struct item {
    struct infer_slot infer; /* first: compute and destroy see nothing else */
    size_t picture;
};

struct run {
    const struct eval_job *job;
    struct eval_totals *totals;
    struct progress progress;
    size_t next, delivered;
    bool has_failed;
    struct error err; /* why */
};

static int next_item(void *ctx, void *slot, struct error *err)
{
    (void)err;
    struct run *run = ctx;
    struct item *item = slot;
    if (run->next == run->job->set->count || interrupt_pending()) {
        return 0;
    }
    item->picture = run->next++;
    infer_start(&item->infer, run->job->set->pictures[item->picture].path);
    return 1;
}

static enum result load_item(void *ctx, void *slot, int part, int loader, struct error *err)
{
    (void)part, (void)loader,
        (void)err; /* a picture that cannot be read is an item that has failed */
    const struct run *run = ctx;
    struct item *item = slot;
    infer_load(run->job->infer, &item->infer);
    return OK;
}

static void compute_items(void *ctx, void *const *slots, int count)
{
    const struct run *run = ctx;
    infer_compute(run->job->infer, slots, count);
}

/* The objects of a picture that could not be read are missed. */
static enum result take_failure(struct run *run, struct item *item, struct error *err)
{
    struct eval_picture *p = &run->job->set->pictures[item->picture];
    log_error("%s", item->infer.err.text);
    item->infer.record.error = item->infer.err.text;
    p->has_failed = true;
    run->totals->failures++;
    return eval_set_size(run->job->set, item->picture, p->w ? p->w : 1, p->h ? p->h : 1, err);
}

static enum result take_objects(struct run *run, const struct item *item, struct error *err)
{
    const struct result_record *record = &item->infer.record;
    struct eval_set *set = run->job->set;
    TRY(eval_set_size(set, item->picture, record->width, record->height, err));
    for (size_t i = 0; i < record->count; i++) {
        const struct result_object *o = &record->objects[i];
        int class_id = run->job->class_of[o->class_id];
        if (class_id >= 0) {
            struct eval_detection d = eval_detection_of(&o->box, class_id, o->confidence);
            TRY(eval_set_add(set, item->picture, &d, err));
        }
    }
    run->totals->load_ms += record->load_ms;
    run->totals->infer_ms += record->infer_ms;
    run->totals->post_ms += record->post_ms;
    return OK;
}

static void deliver_item(void *ctx, void *slot)
{
    struct run *run = ctx;
    struct item *item = slot;
    if (run->has_failed) {
        return;
    }
    enum result result = item->infer.has_failed ? take_failure(run, item, &run->err)
                                                : take_objects(run, item, &run->err);
    run->has_failed = result != OK;
    progress_step(&run->progress, ++run->delivered);
}

static bool is_stopped(void *ctx)
{
    const struct run *run = ctx;
    return run->has_failed || interrupt_pending();
}

enum result eval_detect(const struct eval_job *job, struct eval_totals *totals, struct error *err)
{
    struct run run = {.job = job, .totals = totals};
    const struct stream_hooks hooks = {
        .ctx = &run,
        .next = next_item,
        .load = load_item,
        .destroy = infer_destroy,
        .is_stopped = is_stopped,
    };
    const struct stream_options options = {
        .slot_bytes = sizeof(struct item),
        .batch = job->infer->batch,
        .loaders = job->infer->helpers,
    };
    const struct stream_work work = {compute_items, deliver_item};
    double start = clock_ms();
    *totals = (struct eval_totals){0};
    progress_begin(&run.progress, "evaluation", job->set->count);
    enum result result = stream_run(&hooks, &options, &work, err);
    progress_end();
    totals->wall_ms = clock_ms() - start;
    if (run.has_failed) {
        *err = run.err;
        return run.err.code;
    }
    if (result == ERR_INTERRUPTED) {
        return error_set(err, ERR_INTERRUPTED, "interrupted after %zu of %zu pictures",
                         run.delivered, job->set->count);
    }
    return result;
}
