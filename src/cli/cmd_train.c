/* yolo train: the order of things. Options are in train_args.c, what they come to in train_setup.c,
 * the loop in train/trainer.c. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "kernels/elementwise.h"
#include "cli/cmd.h"
#include "base/interrupt.h"
#include "report/batch_draw.h"
#include "report/train_chart.h"
#include "train/setup.h"
#include "train/step.h"
#include "train/validate.h"
#include "train/runlog.h"

enum { SHOWN_BATCHES = 3, TIMED_STEPS = 2, VALIDATION_BATCH = 4 };

/* At least so far apart, and at most so large a share of the time, lie the drawings of the chart. */
static const double REDRAW_SECONDS = 5.0, REDRAW_SHARE = 0.005;
static const char *const RUNS = "runs/train";

/* What the trainer's callbacks know. */
struct session {
    struct training *t;
    double drawn, cost; /* when last, and how long it took */
    bool has_chart_failed;
};

/* ---- callbacks ---- */

static enum result validate(void *ctx, struct network *net, struct validation *found,
                            struct error *err)
{
    const struct training *t = ((struct session *)ctx)->t;
    struct validate_options options = {.set = &t->valid,
                                       .kernels = t->options.kern,
                                       .letter_box = t->options.augment.letter_box,
                                       .batch = VALIDATION_BATCH,
                                       .loader_threads = t->options.loader_threads};
    return train_validate(&options, net, found, err);
}

static void draw_chart(struct session *session, const char *folder)
{
    struct error err;
    double start = clock_seconds();
    if (train_chart_draw(folder, &err) != OK && !session->has_chart_failed) {
        session->has_chart_failed = true;
        log_warn("no chart: %s", err.text);
    }
    session->drawn = clock_seconds();
    session->cost = session->drawn - start;
}

static void redraw(void *ctx, const char *folder)
{
    struct session *session = ctx;
    double since = clock_seconds() - session->drawn;
    if (since > REDRAW_SECONDS && since * REDRAW_SHARE > session->cost) {
        draw_chart(session, folder);
    }
}

static bool should_stop(void *ctx)
{
    (void)ctx;
    return interrupt_pending();
}

/* ---- batches before the training ---- */

static void size_of(void *ctx, uint64_t mini_batch, int *w, int *h)
{
    const struct training *t = ctx;
    (void)mini_batch;
    *w = t->model.net.size.w;
    *h = t->model.net.size.h;
}

/* The trainer's own batches, but for multi-scale: at the cfg's size. */
static enum result open_loader(struct training *t, struct loader **loader, struct error *err)
{
    struct loader_options options = {.set = &t->train,
                                     .augment = t->options.augment,
                                     .batch = t->options.mini_batch,
                                     .channels = t->model.net.size.c,
                                     .seed = t->options.seed,
                                     .threads = t->options.loader_threads,
                                     .cache_bytes = t->options.cache_bytes,
                                     .size_of = size_of,
                                     .size_ctx = t};
    options.augment.is_off = !t->plan.stages[0].augments;
    options.augment.mosaic = options.augment.mosaic && !t->plan.stages[0].no_mosaic;
    return loader_open(&options, loader, err);
}

static enum result show_batches(struct training *t, const char *folder, struct error *err)
{
    struct loader *loader = NULL;
    enum result result = open_loader(t, &loader, err);
    for (int i = 0; result == OK && i < SHOWN_BATCHES; i++) {
        char prefix[MODEL_PATH + 32];
        struct batch batch;
        snprintf(prefix, sizeof prefix, "%s/batch%d_", folder, i + 1);
        result = loader_next(loader, &batch, err);
        if (result == OK) {
            result = batch_draw(&batch, (const char *const *)t->model.names, t->model.name_count,
                                prefix, err);
        }
    }
    loader_close(loader);
    if (result == OK) {
        log_info("the first %d batches, as pictures: %s/batch1_00.jpg ...", SHOWN_BATCHES, folder);
    }
    return result;
}

/* Milliseconds of a mini-batch, reading included, and bytes. */
struct cost {
    double ms;
    size_t bytes;
};

static enum result measure(struct training *t, const struct train_stage *stage, bool from_features,
                           struct cost *cost, struct error *err)
{
    struct train_step_options options = {.net = &t->model.net,
                                         .kernels = t->options.kern,
                                         .frozen = stage->frozen,
                                         .bn = stage->bn,
                                         .batch = t->options.mini_batch,
                                         .optimizer = t->options.optimizer,
                                         .from_features = from_features};
    struct train_step step = {0};
    struct loader *loader = NULL;
    struct batch batch = {0};
    double start = 0.0;
    enum result result = train_step_open(&options, &step, err);
    if (result == OK) {
        result = open_loader(t, &loader, err);
    }
    for (int i = -1; result == OK && i < TIMED_STEPS; i++) { /* the first one warms up */
        start = i == 0 ? clock_seconds() : start;
        if (i < 0 || !from_features) {
            result = loader_next(loader, &batch, err);
        }
        if (result == OK) {
            op_copy(t->options.kern, &batch.input, plan_input(step.plan));
            (void)train_step_run(&step, batch.truths, batch.images);
        }
    }
    cost->ms = (clock_seconds() - start) * 1e3 / TIMED_STEPS;
    cost->bytes =
        step.bytes + network_param_floats(&t->model.net, t->model.net.layer_count, NULL) * 4;
    loader_close(loader);
    train_step_close(&step);
    return result;
}

struct estimate {
    double hours, updates;
};

/* A line a stage, and one for nothing frozen to compare with; added to *sum. STAGE_ENDLESS updates
 * take what is left of --time. */
static void print_estimate(const struct training *t, const char *what, uint64_t updates,
                           const struct cost *cost, struct estimate *sum)
{
    double update = cost->ms * t->options.subdivisions;
    double hours = update * (double)updates / 3.6e6;
    char count[64] = "";
    if (updates == STAGE_ENDLESS) {
        double spent = t->progress.seconds / 3600.0 + sum->hours;
        hours = fmax(t->options.time_limit_s / 3600.0 - spent, 0.0);
        updates = (uint64_t)(hours * 3.6e6 / update);
        snprintf(count, sizeof count, " for about %" PRIu64 " updates", updates);
    }
    printf("%-9s %.0f ms an update, %.1f %s%s; %.0f MB\n", what, update,
           hours < 1.0 ? hours * 60.0 : hours, hours < 1.0 ? "minutes" : "hours", count,
           (double)cost->bytes / 1e6);
    fflush(stdout);
    sum->hours += hours;
    sum->updates += (double)updates;
}

/* How many updates of the stage train from pictures; those behind train from features. */
static uint64_t unreplayed_updates(const struct training *t, const struct train_stage *stage)
{
    uint64_t images = (uint64_t)stage->cache_features * t->train.sample_count;
    uint64_t filling = epoch_updates(images, training_images_per_update(t));
    return stage->cache_features > 0 && filling < stage->iterations ? filling : stage->iterations;
}

static enum result estimate_stage(struct training *t, size_t number, struct estimate *sum,
                                  struct error *err)
{
    const struct train_stage *stage = &t->plan.stages[number];
    uint64_t unreplayed = unreplayed_updates(t, stage);
    uint64_t replayed = stage->iterations - unreplayed;
    struct cost cost;
    char what[32] = "estimate";
    if (t->plan.count > 1) {
        snprintf(what, sizeof what, "stage %zu", number + 1);
    }
    TRY(measure(t, stage, false, &cost, err));
    print_estimate(t, what, unreplayed, &cost, sum);
    if (replayed > 0) {
        bool is_endless = stage->iterations == STAGE_ENDLESS;
        TRY(measure(t, stage, true, &cost, err));
        print_estimate(t, "features", is_endless ? STAGE_ENDLESS : replayed, &cost, sum);
    }
    return OK;
}

static enum result estimate(struct training *t, struct error *err)
{
    struct estimate sum = {0}, all = {0};
    bool is_frozen = false;
    for (size_t i = 0; i < t->plan.count; i++) {
        TRY(estimate_stage(t, i, &sum, err));
        is_frozen = is_frozen || t->plan.details[i].totals.frozen > 0;
    }
    if (is_frozen) {
        struct cost cost;
        bool *nothing = mem_alloc((size_t)t->model.net.layer_count, sizeof *nothing);
        if (!nothing) {
            return mem_error(err, "training");
        }
        struct train_stage unfrozen = {.frozen = nothing, .bn = t->plan.stages[0].bn};
        enum result result = measure(t, &unfrozen, false, &cost, err);
        mem_free(nothing);
        TRY(result);
        print_estimate(t, "unfrozen", (uint64_t)sum.updates, &cost, &all);
        printf("freezing  saves %.0f %% of the time\n",
               all.hours > 0.0 ? 100.0 * (1.0 - sum.hours / all.hours) : 0.0);
    }
    if (t->has_valid) {
        printf("valid     not in these times: validation of %zu pictures every %" PRIu64
               " updates\n",
               t->valid.sample_count, t->options.validate_every);
    }
    return OK;
}

static enum result dry_run(const struct train_args *args, struct training *t, struct error *err)
{
    const char *where = args->resumes ? args->resume : args->out ? args->out : RUNS;
    training_describe(t, true);
    TRY(training_check_features(t, where, args->cache_features_gb, true, err));
    fflush(stdout); /* the rest takes a while */
    TRY(estimate(t, err));
    if (args->show_batch) {
        char folder[MODEL_PATH];
        if (args->out) {
            snprintf(folder, sizeof folder, "%s", args->out);
            TRY(dir_make(folder, err));
        } else {
            TRY(run_folder_new(RUNS, folder, sizeof folder, err));
        }
        TRY(show_batches(t, folder, err));
    }
    return OK;
}

/* ---- the run ---- */

static void say_end(const struct train_outcome *outcome, const char *folder)
{
    if (outcome->was_interrupted) {
        log_info("interrupted after %" PRIu64 " updates; go on with: yolo train --resume %s",
                 outcome->iterations, folder);
        return;
    }
    log_info("%" PRIu64 " updates; the latest weights are in %s/last.weights", outcome->iterations,
             folder);
    if (isfinite(outcome->best_map)) {
        log_info("the best of the validations, mAP@.5 %.4f, in %s/best.weights", outcome->best_map,
                 folder);
    }
    log_info("use them with: yolo detect --run %s picture.jpg", folder);
    if (outcome->diverged) {
        log_error(
            "the training diverged three times; %s holds the last good state (a lower --lr, a "
            "longer --warmup, or --clip-norm may help; train.log says where it happened)",
            folder);
    }
}

/* A failed run that left a checkpoint is not lost. */
static enum result hint_resume(enum result result, const char *folder, struct error *err)
{
    char state[MODEL_PATH];
    bool is_trouble_outside = result == ERR_IO || result == ERR_MEMORY;
    if (is_trouble_outside && path_join(state, sizeof state, folder, "last.state") &&
        path_exists(state)) {
        return error_hint(err, "once that is mended: yolo train --resume %s", folder);
    }
    return result;
}

static enum result run_training(struct training *t, const char *folder, int *status,
                                struct error *err)
{
    struct session session = {.t = t};
    struct train_outcome outcome;
    struct train_options *o = &t->options;
    o->folder = folder;
    o->validate = t->has_valid ? validate : NULL;
    o->redraw = redraw;
    o->should_stop = should_stop;
    o->ctx = &session;
    interrupt_catch();
    TRY(hint_resume(trainer_run(o, &outcome, err), folder, err));
    draw_chart(&session, folder);
    say_end(&outcome, folder);
    printf("%s\n", folder);
    *status = outcome.diverged          ? STATUS_DIVERGED
              : outcome.was_interrupted ? STATUS_INTERRUPTED
                                        : STATUS_OK;
    return OK;
}

/* A run that goes on with other kernels says so, and keeps in args.json since when. */
static enum result note_isa(const struct train_args *args, struct training *t, const char *folder,
                            struct error *err)
{
    const char *before = train_args_isa(args), *now = kernels_isa(t->model.kernels);
    bool is_over = t->progress.stage >= t->plan.count;
    if (is_over || !before || strcmp(before, now) == 0) {
        return OK;
    }
    snprintf(
        t->warning, sizeof t->warning,
        "the run has used %.20s kernels, this machine uses %s: it goes on, but not bit for bit",
        before, now);
    t->options.warning = t->warning;
    return train_args_keep_isa(args, folder, t->progress.iteration, now, err);
}

/* Stages given anew are kept in args.json once it is sure that they fit what has begun. */
static enum result keep_stages(const struct train_args *args, const struct training *t,
                               const char *folder, struct error *err)
{
    struct checkpoint c;
    if (!args->has_new_stages) {
        return OK;
    }
    if (t->options.resumes) {
        enum result result = checkpoint_open(folder, &c, err);
        if (result == OK) {
            result = checkpoint_check(&c, &t->options.fingerprint, err);
        }
        checkpoint_close(&c);
        TRY(result);
    }
    return train_args_keep_stages(args, folder, err);
}

static enum result train(struct train_args *args, struct training *t, int *status,
                         struct error *err)
{
    char folder[MODEL_PATH];
    if (args->resumes) {
        if (args->resume) {
            snprintf(folder, sizeof folder, "%s", args->resume);
        } else {
            TRY(run_folder_last(RUNS, folder, sizeof folder, err));
        }
        TRY(train_args_load(args, folder, err));
        TRY(run_folder_lock(folder, &t->lock, err));
    }
    TRY(training_open(args, t, err));
    if (args->dry_run) {
        training_warn(t);
        return dry_run(args, t, err);
    }
    training_describe(t, false);
    const char *where = args->resumes ? folder : args->out ? args->out : RUNS;
    TRY(training_check_features(t, where, args->cache_features_gb, false, err));
    training_warn(t);
    if (args->resumes) {
        TRY(note_isa(args, t, folder, err));
        TRY(keep_stages(args, t, folder, err));
    } else {
        TRY(training_make_folder(args, t, folder, sizeof folder, err));
        struct error why;
        if (args->show_batch && show_batches(t, folder, &why) != OK) {
            log_warn("not all of the first batches as pictures: %s", why.text);
        }
    }
    return run_training(t, folder, status, err);
}

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    struct train_args args;
    struct training training = {0};
    bool done = false;
    enum result result = train_args_parse(&args, argc, argv, &done, err);
    if (result == OK && !done) {
        result = train(&args, &training, status, err);
    }
    training_close(&training);
    train_args_free(&args);
    return result;
}

const struct command cmd_train = {
    .name = "train",
    .aliases = "",
    .summary = "train or fine-tune on labelled pictures; freezing; resume",
    .run = run,
};
