#include "report/train_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/path.h"
#include "base/ranks.h"
#include "report/batch_draw.h"
#include "report/class_report.h"
#include "report/eval_report.h"
#include "report/reconstructions.h"
#include "report/run_pictures.h"
#include "report/score_table.h"
#include "report/train_chart.h"
#include "run/class_scores.h"
#include "train/describe.h"
#include "train/dry_run.h"
#include "train/folder.h"
#include "train/runlog.h"
#include "train/stage_cost.h"

enum { SHOWN_BATCHES = 3 };

/* At least so far apart, and at most so large a share of the time, lie the drawings of the chart. */
static const double REDRAW_SECONDS = 5.0, REDRAW_SHARE = 0.005;
static const char *const RUNS = "runs/train";

/* What the trainer's callbacks know. */
struct session {
    struct training *t;
    struct drawing {
        double at, cost; /* when last, and how long it took */
    } chart, sheet;
    bool has_chart_failed;
    struct validated seen[2]; /* the best, and the latest that is not */
    bool best;                /* which is the best */
    uint64_t best_iteration;
    bool hides_pictures, is_sheet_due; /* of the best */
    struct reconstructions pairs;      /* of the latest validation */
};

static bool leads(void)
{
    return ranks_own() == 0;
}

/* ---- callbacks ---- */

static enum result validate(void *ctx, struct network *net, struct validation *found,
                            struct error *err)
{
    struct session *session = ctx;
    const struct training *t = session->t;
    struct validate_options options = training_validation(t);
    struct validated *seen = &session->seen[!session->best];
    options.is_shared = ranks_count() > 1;
    validated_free(seen);
    if (t->model.task == TASK_RECONSTRUCT && !session->hides_pictures) {
        reconstructions_free(&session->pairs);
        options.see = reconstructions_see;
        options.ctx = &session->pairs;
    }
    enum result result = train_validate(&options, net, seen, err);
    *found = seen->figures;
    return result;
}

/* Enough time since the last drawing, whose cost is a small share of it? */
static bool is_worth_drawing(const struct drawing *drawing)
{
    double since = clock_seconds() - drawing->at;
    return since > REDRAW_SECONDS && since * REDRAW_SHARE > drawing->cost;
}

static void note_drawing(struct drawing *drawing, double start)
{
    drawing->at = clock_seconds();
    drawing->cost = drawing->at - start;
}

static void draw_validation(struct session *session, const char *folder)
{
    struct error err;
    double start = clock_seconds();
    if (run_pictures_val(&session->seen[session->best].evaluation, session->best_iteration, folder,
                         &err) != OK) {
        log_warn("no val_pictures.jpg: %s", err.text);
    }
    session->is_sheet_due = false;
    note_drawing(&session->sheet, start);
}

static enum result write_scores(struct evaluation *evaluation, const char *folder,
                                struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open_in(&file, folder, class_scores_name, err));
    enum result result = eval_print_json(evaluation, file.stream, err);
    return atomic_end(&file, result, err);
}

/* The tables of a classifier as it was at its best. */
static enum result keep_best_values(struct session *session, const char *folder, struct error *err)
{
    const struct training *t = session->t;
    const struct validated *seen = &session->seen[session->best];
    if (t->model.task == TASK_RECONSTRUCT && !session->hides_pictures && !t->train.features) {
        return reconstructions_write(&session->pairs, folder, err);
    }
    if (t->model.task != TASK_CLASSIFY) {
        return OK;
    }
    char below[MODEL_PATH];
    const struct class_report report = {.tally = &seen->tally,
                                        .names = t->model.names,
                                        .loss = seen->figures.loss,
                                        .failures = seen->failures};
    TRY(path_in(below, sizeof below, folder, "best", err));
    TRY(dir_make(below, err));
    return class_report_files(&report, below, err);
}

static enum result keep_best(void *ctx, const char *folder, uint64_t iteration, struct error *err)
{
    struct session *session = ctx;
    session->best = !session->best;
    session->best_iteration = iteration;
    if (session->t->model.task != TASK_DETECT) {
        return keep_best_values(session, folder, err);
    }
    session->is_sheet_due = !session->hides_pictures;
    TRY(write_scores(&session->seen[session->best].evaluation, folder, err));
    if (session->is_sheet_due && is_worth_drawing(&session->sheet)) {
        draw_validation(session, folder);
    }
    return OK;
}

static void draw_chart(struct session *session, const char *folder)
{
    struct error err;
    double start = clock_seconds();
    if (train_chart_draw(folder, &err) != OK && !session->has_chart_failed) {
        session->has_chart_failed = true;
        log_warn("no chart.png: %s", err.text);
    }
    note_drawing(&session->chart, start);
}

static void redraw(void *ctx, const char *folder)
{
    struct session *session = ctx;
    if (is_worth_drawing(&session->chart)) {
        draw_chart(session, folder);
    }
}

static bool should_stop(void *ctx)
{
    (void)ctx;
    return interrupt_pending();
}

/* ---- without a run ---- */

static enum result show_batches(const struct training *t, const char *folder, struct error *err)
{
    struct batch_source *batches = NULL;
    enum result result = stage_trial_batches(t, &t->plan.stages[0], &batches, err);
    for (int i = 0; result == OK && i < SHOWN_BATCHES; i++) {
        char prefix[MODEL_PATH + 32];
        struct batch batch;
        snprintf(prefix, sizeof prefix, "%s/batch%d_", folder, i + 1);
        result = batch_source_next(batches, &batch, err);
        if (result == OK) {
            result = batch_draw(&batch, (const char *const *)t->model.names, t->model.name_count,
                                prefix, err);
        }
    }
    batch_source_close(batches);
    if (result == OK) {
        log_info("the first %d batches, as pictures: %s/batch1_00.jpg ...", SHOWN_BATCHES, folder);
    }
    return result;
}

static void say_pictures(const struct train_args *args, const struct training *t)
{
    const char *beside = !t->has_valid || t->model.task == TASK_CLASSIFY ? ""
                         : t->model.task == TASK_DETECT                  ? " and val_pictures.jpg"
                                                        : " and reconstructions.jpg";
    if (args->no_pictures) {
        printf("pictures  none in the run's folder (--no-pictures)\n");
    } else if (!t->train.features) {
        printf("pictures  train_pictures.jpg%s in the run's folder\n", beside);
    }
}

static enum result dry_run(const struct train_args *args, struct training *t, struct error *err)
{
    const char *where = args->resumes ? args->resume : args->out ? args->out : RUNS;
    training_describe(t, true);
    say_pictures(args, t);
    TRY(training_check_features(t, where, args->cache_features_gb, true, err));
    fflush(stdout); /* the rest takes a while */
    TRY(dry_run_estimate(t, err));
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

static void say_end(enum net_task task, const struct train_outcome *outcome, const char *folder)
{
    char best[64];
    if (outcome->was_interrupted) {
        log_info("interrupted after %" PRIu64 " updates; go on with: yolo train --resume %s",
                 outcome->iterations, folder);
        return;
    }
    log_info("%" PRIu64 " updates; the latest weights are in %s/last.weights", outcome->iterations,
             folder);
    if (isfinite(outcome->best_map)) {
        log_info("the best of the validations, %s, in %s/best.weights",
                 train_score_text(outcome->measure, outcome->best_map, best, sizeof best), folder);
    }
    if (task == TASK_DETECT) {
        score_table_say(folder);
    }
    if (task == TASK_DETECT || task == TASK_CLASSIFY) {
        log_info("use them with: yolo %s --run %s picture.jpg",
                 task == TASK_DETECT ? "detect" : "classify", folder);
    }
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

static enum result run_session(struct session *session, const char *folder,
                               struct train_outcome *outcome, struct error *err)
{
    struct training *t = session->t;
    struct train_options *o = &t->options;
    o->folder = folder;
    o->validate = t->has_valid ? validate : NULL;
    o->keep_best = leads() ? keep_best : NULL;
    o->redraw = leads() ? redraw : NULL;
    o->should_stop = should_stop;
    o->ctx = session;
    interrupt_catch();
    TRY(hint_resume(trainer_run(o, outcome, err), folder, err));
    if (!leads()) {
        return OK;
    }
    draw_chart(session, folder);
    if (session->is_sheet_due) {
        draw_validation(session, folder);
    }
    say_end(t->model.task, outcome, folder);
    return added_prove(&t->added, folder, &t->model, err);
}

static enum result run_training(struct training *t, bool hides_pictures, const char *folder,
                                struct train_outcome *outcome, struct error *err)
{
    struct session session = {.t = t, .hides_pictures = hides_pictures};
    enum result result = run_session(&session, folder, outcome, err);
    validated_free(&session.seen[0]);
    validated_free(&session.seen[1]);
    reconstructions_free(&session.pairs);
    return result;
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

/* Find the run and what it was begun with. */
static enum result find_run(struct train_args *args, struct training *t, char *folder, size_t size,
                            struct error *err)
{
    if (args->resume) {
        snprintf(folder, size, "%s", args->resume);
    } else {
        TRY(run_folder_last(RUNS, folder, size, err));
    }
    TRY(train_args_load(args, folder, err));
    checkpoint_leave_word(folder);
    return leads() ? run_folder_lock(folder, &t->lock, err) : OK;
}

/* What one process does for all: before the first update. */
static enum result begin_run(struct train_args *args, struct training *t, char *folder, size_t size,
                             struct error *err)
{
    struct error why;
    const char *where = args->resumes ? folder : args->out ? args->out : RUNS;
    training_describe(t, false);
    TRY(training_check_features(t, where, args->cache_features_gb, false, err));
    training_warn(t);
    if (args->resumes) {
        TRY(note_isa(args, t, folder, err));
        TRY(keep_stages(args, t, folder, err));
    } else {
        TRY(training_make_folder(args, t, folder, size, err));
        if (args->show_batch && show_batches(t, folder, &why) != OK) {
            log_warn("not all of the first batches as pictures: %s", why.text);
        }
    }
    if (!t->options.resumes && !args->no_pictures && !t->train.features &&
        run_pictures_train(t, folder, &why) != OK) {
        log_warn("no train_pictures.jpg: %s", why.text);
    }
    return OK;
}

/* folder is "" after a dry run. */
static enum result train(struct train_args *args, struct training *t, char *folder, size_t size,
                         struct train_outcome *outcome, struct error *err)
{
    if (args->resumes) {
        TRY(ranks_agree(find_run(args, t, folder, size, err), err));
    }
    TRY(training_open(args, t, err));
    if (args->dry_run) {
        training_warn(t);
        enum result result = leads() ? dry_run(args, t, err) : OK;
        folder[0] = '\0'; /* only now: args->resume may point to it */
        return result;
    }
    TRY(ranks_agree(leads() ? begin_run(args, t, folder, size, err) : OK, err));
    ranks_broadcast(folder, size);
    return run_training(t, args->no_pictures, folder, outcome, err);
}

enum result train_run(struct train_args *args, char *folder, size_t size,
                      struct train_outcome *outcome, struct error *err)
{
    struct training training = {0};
    *outcome = (struct train_outcome){.best_map = (double)NAN};
    folder[0] = '\0';
    enum result result = train(args, &training, folder, size, outcome, err);
    training_close(&training);
    return result;
}
