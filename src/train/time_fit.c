#include "train/time_fit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "train/batch_source.h"
#include "train/stage_cost.h"
#include "train/validate.h"

enum { WARMING_PICTURES = 4, TRIED_PICTURES = 32, TRIED_SIZES = 200, RESIZE_EVERY = 10 };

const double TIME_FIT_SLACK = 1.1;
/* Checkpoints, charts and a machine that is not always as fast. */
static const double RESERVE = 0.03;
/* A slow network's validation is measured on fewer pictures: this many seconds of it. */
static const double ENOUGH_SECONDS = 5.0;

/* Seconds of a stage's updates: those from pictures, and those behind them from features. */
struct piece {
    double picture, feature;
    uint64_t filling, wanted;
};

struct fit {
    struct training *t;
    double validation; /* seconds of one; 0: none */
};

/* ---- measuring ---- */

/* Of a stage's sizes: mean pixels by those of the network's. */
static double mean_share(const struct training *t, const struct train_stage *stage)
{
    const struct net_size *size = &t->model.net.size;
    const struct multiscale sizes = batch_source_sizes(&t->options, stage, size);
    double sum = 0.0;
    for (uint64_t i = 0; i < TRIED_SIZES; i++) {
        int w, h;
        multiscale_size(&sizes, i * RESIZE_EVERY, &w, &h);
        sum += (double)w * (double)h;
    }
    return sum / TRIED_SIZES / ((double)size->w * (double)size->h);
}

static enum result measure_validation(struct fit *fit, struct error *err)
{
    const struct training *t = fit->t;
    if (!t->has_valid || t->options.validate_every == 0) {
        return OK;
    }
    struct dataset part = t->valid; /* borrowed */
    struct validate_options options = training_validation(t);
    double seconds = 0.0;
    options.set = &part;
    for (int warm = 0; warm < 2; warm++) {
        size_t most = warm && seconds * TRIED_PICTURES / WARMING_PICTURES < ENOUGH_SECONDS
                          ? TRIED_PICTURES
                          : WARMING_PICTURES;
        part.sample_count = most < t->valid.sample_count ? most : t->valid.sample_count;
        double start = clock_seconds();
        struct validated found = {0};
        enum result result = train_validate(&options, &fit->t->model.net, &found, err);
        validated_free(&found);
        TRY(result);
        seconds = clock_seconds() - start;
    }
    fit->validation = seconds * (double)t->valid.sample_count / (double)part.sample_count;
    return OK;
}

static enum result measure_piece(struct fit *fit, const struct train_stage *stage,
                                 struct piece *piece, struct error *err)
{
    struct stage_cost cost;
    struct training *t = fit->t;
    double seconds = training_mini_batches(t) * mean_share(t, stage) / 1000.0;
    *piece = (struct piece){.filling = stage_filling(t, stage), .wanted = stage->iterations};
    TRY(stage_cost_measure(t, stage, false, &cost, err));
    piece->picture = piece->feature = cost.ms * seconds;
    if (piece->filling < piece->wanted) {
        TRY(stage_cost_measure(t, stage, true, &cost, err));
        piece->feature = cost.ms * seconds;
    }
    double more = fit->validation > 0.0 ? fit->validation / (double)t->options.validate_every : 0.0;
    piece->picture += more;
    piece->feature += more;
    return OK;
}

static double seconds_of(const struct fit *fit, const struct piece *piece, uint64_t updates)
{
    uint64_t filling = updates < piece->filling ? updates : piece->filling;
    return (double)filling * piece->picture + (double)(updates - filling) * piece->feature +
           fit->validation; /* the stage's last update is validated, too */
}

/* ---- fitting ---- */

static uint64_t most_updates(const struct fit *fit, const struct piece *piece, double seconds)
{
    double left = seconds - fit->validation;
    double updates = left / piece->picture;
    if (updates > (double)piece->filling) {
        updates = (double)piece->filling +
                  (left - (double)piece->filling * piece->picture) / piece->feature;
    }
    return updates < 1.0 ? 0 : updates >= (double)piece->wanted ? piece->wanted : (uint64_t)updates;
}

void hours_describe(double hours, char *text, size_t size)
{
    if (hours < 1.0 / 60.0) {
        snprintf(text, size, "%.3g seconds", hours * 3600.0);
    } else if (hours < 1.0) {
        snprintf(text, size, "%.3g minutes", hours * 60.0);
    } else {
        snprintf(text, size, "%.4g hours", hours);
    }
}

static void describe(const struct fit *fit, const char *what, double update)
{
    struct time_fit *found = &fit->t->time_fit;
    char validation[64] = "", one[32], all[32];
    hours_describe(update / 3600.0, one, sizeof one);
    hours_describe(fit->validation / 3600.0, all, sizeof all);
    if (fit->validation > 0.0) {
        snprintf(validation, sizeof validation, ", a validation %s", all);
    }
    found->update = update;
    found->validation = fit->validation;
    snprintf(found->text, sizeof found->text, "%s: an update takes about %s%s", what, one,
             validation);
}

/* One plan: what is cut out of it at the beginning (stopbackward=N, --unfreeze-every) keeps its length, the last stage
 * takes the rest. */
static enum result fit_plain(struct train_args *args, struct fit *fit, double budget,
                             struct error *err)
{
    struct piece piece = {0};
    uint64_t total = 0, got = 0;
    char what[96], hours[32];
    double left = budget;
    for (size_t i = 0; i < fit->t->plan.count; i++) {
        TRY(measure_piece(fit, &fit->t->plan.stages[i], &piece, err));
        got = most_updates(fit, &piece, left);
        left -= seconds_of(fit, &piece, got);
        total += got;
        if (got < piece.wanted) {
            break;
        }
    }
    hours_describe((double)args->hours, hours, sizeof hours);
    if (total == 0) {
        char update[32], validation[32];
        hours_describe(piece.picture / 3600.0, update, sizeof update);
        hours_describe(fit->validation / 3600.0, validation, sizeof validation);
        error_set(err, ERR_ARG,
                  "--time: an update takes about %s and a validation %s, so not one fits into %s",
                  update, validation, hours);
        return error_hint(err, "more --time, a smaller --batch, or --iters N");
    }
    args->stages.iterations = (int)(total < STAGE_TOO_LONG ? total : STAGE_TOO_LONG - 1);
    args->fits_time = true;
    snprintf(what, sizeof what, "as many updates as fit into %s", hours);
    describe(fit, what, (budget - left) / (double)total);
    return OK;
}

static double scaled_seconds(const struct fit *fit, const struct piece *pieces, double share,
                             uint64_t *lengths)
{
    double seconds = 0.0;
    for (size_t i = 0; i < fit->t->plan.count; i++) {
        double updates = floor((double)pieces[i].wanted * share);
        lengths[i] = updates < 1.0 ? 1 : (uint64_t)updates;
        seconds += seconds_of(fit, &pieces[i], lengths[i]);
    }
    return seconds;
}

/* Each stage its share, if all together take longer. */
static enum result fit_pieces(struct train_args *args, struct fit *fit, double budget,
                              const struct piece *pieces, uint64_t *lengths, struct error *err)
{
    char what[128], hours[32], all[32];
    uint64_t updates = 0;
    double seconds = scaled_seconds(fit, pieces, 1.0, lengths), low = 0.0, high = 1.0;
    bool fits = seconds <= budget;
    hours_describe((double)args->hours, hours, sizeof hours);
    hours_describe(seconds / 3600.0, all, sizeof all);
    snprintf(what, sizeof what, "the stages take about %s of %s as they are", all, hours);
    for (int i = 0; !fits && i < 60; i++) {
        double share = (low + high) / 2.0;
        seconds = scaled_seconds(fit, pieces, share, lengths);
        *(seconds <= budget ? &low : &high) = share;
    }
    if (!fits) {
        seconds = scaled_seconds(fit, pieces, low, lengths);
        snprintf(what, sizeof what, "the stages take %s, so they are cut to %.3g %% to fit into %s",
                 all, 100.0 * low, hours);
    }
    for (size_t i = 0; i < fit->t->plan.count; i++) {
        updates += lengths[i];
    }
    describe(fit, what, seconds / (double)updates);
    args->fits_time = !fits;
    return fits ? OK : stage_words_set_lengths(&args->stages, lengths, err);
}

static enum result fit_staged(struct train_args *args, struct fit *fit, double budget,
                              struct error *err)
{
    size_t count = fit->t->plan.count;
    struct piece *pieces = mem_alloc(count, sizeof *pieces);
    uint64_t *lengths = mem_alloc(count, sizeof *lengths);
    enum result result = pieces && lengths ? OK : mem_error(err, "--time");
    for (size_t i = 0; result == OK && i < count; i++) {
        result = measure_piece(fit, &fit->t->plan.stages[i], &pieces[i], err);
    }
    if (result == OK) {
        result = fit_pieces(args, fit, budget, pieces, lengths, err);
    }
    mem_free(pieces);
    mem_free(lengths);
    return result;
}

struct task {
    struct train_args *args;
    struct fit fit;
    enum result result;
    struct error *err;
};

static enum result measure_and_fit(struct train_args *args, struct fit *fit, struct error *err)
{
    double budget = (double)args->hours * 3600.0 * (1.0 - RESERVE);
    TRY(measure_validation(fit, err));
    return args->stages.stages.count > 0 ? fit_staged(args, fit, budget, err)
                                         : fit_plain(args, fit, budget, err);
}

static void run_task(void *ctx)
{
    struct task *task = ctx;
    task->result = measure_and_fit(task->args, &task->fit, task->err);
}

enum result time_fit_stages(struct train_args *args, struct training *t, struct error *err)
{
    struct task task = {.args = args, .fit = {.t = t}, .err = err};
    parallel_team(run_task, &task); /* as the trainer, whose updates and validations share one */
    return task.result;
}
