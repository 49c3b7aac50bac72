#include "train/trainer.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/ranks.h"
#include "base/rng.h"
#include "kernels/elementwise.h"
#include "train/feature_cache.h"
#include "train/batch_source.h"
#include "train/runlog.h"
#include "train/stage_report.h"
#include "train/step.h"
#include "train/frozen_bytes.h"
#include "train/divergence.h"
#include "train/pace.h"

enum { MAX_ROLLBACKS = 3 };

/* A loss this many times the running average is divergence, not noise. */
static const double DIVERGENCE = 1e4;
/* Mean overlap of predictions with their objects; one with anchors at all near is far above. */
static const double COLLAPSED_IOU = 0.01;

/* Columns of results.csv: of every task, of detectors, of classifiers. */
enum { OF_ALL, OF_BOXES, OF_CLASSES };
static const struct column {
    const char *name;
    int use;
} columns[] = {{"iteration", OF_ALL},
               {"epoch", OF_ALL},
               {"stage", OF_ALL},
               {"rate", OF_ALL},
               {"loss", OF_ALL},
               {"box", OF_BOXES},
               {"objectness", OF_BOXES},
               {"classes", OF_BOXES},
               {"iou", OF_BOXES},
               {"gradient_norm", OF_ALL},
               {"val_loss", OF_ALL},
               {"map50", OF_BOXES},
               {"map50_95", OF_BOXES},
               {"top1", OF_CLASSES},
               {"top5", OF_CLASSES},
               {"frozen_values", OF_ALL},
               {"frozen_bytes_changed", OF_ALL},
               {"images_per_s", OF_ALL},
               {"seconds", OF_ALL}};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* What the others must know of a process's share of an update. */
struct word {
    int bad;        /* its first mini-batch whose loss is unusable; INT_MAX: none */
    bool stops;     /* a signal came */
    double seconds; /* of the run so far */
    size_t pictures[DIVERGENCE_PICTURES];
    char reason[512];
};

struct trainer {
    const struct train_options *o;
    struct train_progress progress;
    const struct train_stage *stage;
    struct step step;
    struct batch_source *source;
    struct runlog *log;
    const char *columns[COLUMNS]; /* those of the task */
    struct net_size base;         /* the cfg's */
    struct pace pace;
    struct validation found;   /* the latest, until it is in a row */
    struct frozen_bytes proof; /* what keeps in the stage */
    double session_start, seconds_before;
    size_t pictures[DIVERGENCE_PICTURES]; /* the first of this update */
    bool told_collapse;
    char reason[512];   /* what made an update bad */
    struct word *words; /* [ranks_count] */
    size_t *word_bytes; /* the same */
    double seconds;     /* when the latest update was over, by the clock of process 0 */
};

static bool leads(void)
{
    return ranks_own() == 0;
}

static uint64_t images_per_update(const struct train_options *o)
{
    return (uint64_t)o->mini_batch * (uint64_t)o->subdivisions;
}

static double seconds_so_far(const struct trainer *t)
{
    return t->seconds_before + clock_seconds() - t->session_start;
}

static bool has_boxes(const struct trainer *t)
{
    return network_head_count(t->o->net) > 0;
}

static bool is_shown(const struct trainer *t, const struct column *column)
{
    return column->use == OF_ALL || (column->use == OF_BOXES && has_boxes(t)) ||
           (column->use == OF_CLASSES && t->o->task == TASK_CLASSIFY);
}

static const char *const measure_names[] = {[MEASURE_MAP50] = "mAP@.5",
                                            [MEASURE_MAP] = "mAP@.5:.95",
                                            [MEASURE_TOP1] = "top-1",
                                            [MEASURE_LOSS] = "validation loss"};

/* More is better. */
static double score_of(enum train_measure measure, const struct validation *found)
{
    const double scores[] = {[MEASURE_MAP50] = found->map50,
                             [MEASURE_MAP] = found->map,
                             [MEASURE_TOP1] = found->top1,
                             [MEASURE_LOSS] = -found->loss};
    return scores[measure];
}

const char *train_score_text(enum train_measure measure, double score, char *text, size_t size)
{
    bool is_loss = measure == MEASURE_LOSS;
    snprintf(text, size, is_loss ? "%s %.6g" : "%s %.4f", measure_names[measure],
             is_loss ? -score : score);
    return text;
}

/* ---- stages ---- */

static enum result open_source(struct trainer *t, struct error *err)
{
    struct batch_source_options options = {.run = t->o,
                                           .stage = t->stage,
                                           .base = t->base,
                                           .first_sample = t->progress.stage_first_sample,
                                           .next_sample = t->progress.samples};
    batch_source_close(t->source);
    t->source = NULL;
    return batch_source_open(&options, &t->source, err);
}

/* Make plan, optimiser and batches of the stage that progress names. */
static enum result enter_stage(struct trainer *t, struct error *err)
{
    size_t stage = t->progress.stage; /* one beyond the last: the run is finished */
    t->stage = &t->o->stages[stage < t->o->stage_count ? stage : t->o->stage_count - 1];
    struct step_options step = {.net = t->o->net,
                                .kernels = t->o->kern,
                                .modes = t->stage->freeze.modes,
                                .batch = t->o->mini_batch,
                                .mini_batches = t->o->subdivisions,
                                .is_shared = true,
                                .quant = t->o->quant,
                                .optimizer = t->o->optimizer};
    step.optimizer.rate_scale = t->stage->rate_scale;
    TRY(step_open(&step, &t->step, err));
    if (t->stage->cache_features > 0) {
        TRY(step_resize(&t->step, t->base.w, t->base.h, err));
    } else {
        feature_cache_remove(t->o->folder);
    }
    TRY(frozen_bytes_take(&t->proof, t->o->net, t->stage->freeze.frozen, t->stage->freeze.bn, err));
    t->progress.frozen_hash = frozen_bytes_hash(&t->proof);
    pace_enter(&t->pace, clock_seconds());
    return open_source(t, err);
}

static void announce_stage(const struct trainer *t)
{
    runlog_say(t->log, "stage %u of %zu: %s; %llu updates of %llu images; %zu values move; %.0f MB",
               t->progress.stage + 1, t->o->stage_count, t->stage->title,
               (unsigned long long)t->stage->iterations,
               (unsigned long long)images_per_update(t->o), optimizer_values(t->step.optimizer),
               (double)step_bytes(&t->step) / 1e6);
    if (t->stage->cache_features > 0) {
        runlog_say(
            t->log,
            "what the frozen layers make of the first %d epochs is kept in %s/%s, and trained "
            "from after that",
            t->stage->cache_features, t->o->folder, feature_cache_name);
    }
    stage_report_table(t->log, t->o->net, t->stage->freeze.modes);
}

/* ---- one update ---- */

/* Copy the batch's input into the plan, at its size; a batch of features has none. */
static enum result take_input(struct trainer *t, const struct batch *batch, struct error *err)
{
    if (!batch->input.data) {
        return OK;
    }
    TRY(step_resize(&t->step, batch->input.w, batch->input.h, err));
    op_copy(t->o->kern, &batch->input, plan_input(t->step.plan));
    return OK;
}

/* The share of a mini-batch, after `before` others, in the running statistics. */
static float bn_momentum_of(const struct train_options *o, uint64_t before)
{
    float share = 1.0f / (float)(before + 1);
    return o->bn_mean_first && share > o->bn_momentum ? share : o->bn_momentum;
}

/* Mini-batch number `number` of the update. *is_bad: its loss is unusable. */
static enum result run_mini_batch(struct trainer *t, int number, bool *is_bad, struct error *err)
{
    struct batch batch;
    TRY(batch_source_next(t->source, &batch, err));
    TRY(take_input(t, &batch, err));
    size_t place = (size_t)number * (size_t)t->o->mini_batch;
    for (int n = 0; n < batch.images && place + (size_t)n < DIVERGENCE_PICTURES; n++) {
        t->pictures[place + (size_t)n] = batch.sample_index[n];
    }
    uint64_t before = t->progress.mini_batches + (uint64_t)number;
    struct rng rng = rng_make(t->o->seed, 0x64726f70 /* "drop" */, before);
    const struct step_input input = {.truths = batch.truths,
                                     .images = batch.images,
                                     .seed = rng_next(&rng),
                                     .bn_momentum = bn_momentum_of(t->o, before),
                                     .forward = batch_source_forward,
                                     .ctx = t->source};
    struct loss_parts parts = step_loss(t->step.plan, &input);
    double loss = loss_parts_total(&parts) / batch.images;
    double usual = t->progress.average_loss > 1.0 ? t->progress.average_loss : 1.0;
    if (!(loss <= DIVERGENCE * usual)) {
        *is_bad = true;
        divergence_of_batch(t->o, t->step.plan, t->source, &batch, t->reason, sizeof t->reason);
        return OK;
    }
    step_backward(&t->step, batch.images, &parts);
    return OK;
}

/* ---- with other processes ---- */

/* Everybody hears everybody's word. */
static void hear_all(struct trainer *t, const struct word *own)
{
    t->words[ranks_own()] = *own;
    for (int r = 0; r < ranks_count(); r++) {
        t->word_bytes[r] = sizeof *own;
    }
    ranks_gather(t->words, t->word_bytes);
}

/* What all know of the update: returns the first mini-batch that is bad, with its reason; `bad` is the own one. */
static int hear_of_update(struct trainer *t, int bad)
{
    struct word own = {.bad = bad, .seconds = seconds_so_far(t)};
    memcpy(own.pictures, t->pictures, sizeof own.pictures);
    memcpy(own.reason, t->reason, sizeof own.reason);
    hear_all(t, &own);
    bad = INT_MAX;
    for (int r = 0; r < ranks_count(); r++) {
        const struct word *w = &t->words[r];
        struct sum_share share = sum_tree_share(t->o->subdivisions, ranks_count(), r);
        for (int n = 0; n < DIVERGENCE_PICTURES; n++) {
            int number = n / t->o->mini_batch;
            bool is_made = share.first <= number && number < share.end;
            t->pictures[n] = is_made ? w->pictures[n] : t->pictures[n];
        }
        if (w->bad < bad) {
            bad = w->bad;
            memcpy(t->reason, w->reason, sizeof t->reason);
        }
    }
    t->seconds = t->words[0].seconds;
    return bad;
}

/* Has anybody got a signal? */
static bool should_stop(struct trainer *t)
{
    struct word own = {.stops = t->o->should_stop && t->o->should_stop(t->o->ctx)};
    bool stops = false;
    hear_all(t, &own);
    for (int r = 0; r < ranks_count(); r++) {
        stops = stops || t->words[r].stops;
    }
    return stops;
}

static void share_parameters(struct network *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->param_count; k++) {
            ranks_broadcast(l->params[k].data, l->params[k].count * sizeof(float));
        }
    }
}

static void note_update(struct trainer *t, double norm)
{
    const struct loss_parts *sum = &t->step.sum;
    double loss = loss_parts_total(sum) / (double)images_per_update(t->o);
    struct train_progress *p = &t->progress;
    p->average_loss = isnan(p->average_loss) ? loss : 0.9 * p->average_loss + 0.1 * loss;
    p->iteration++;
    p->stage_iteration++;
    loss_parts_add(&p->sums.parts, sum);
    p->sums.updates++;
    p->sums.gradient_norm += norm;
}

/* The rate of the stage's update with that number, from 1. */
static float rate_of(const struct trainer *t, uint64_t update)
{
    uint64_t n = t->stage->schedule_offset + update;
    return (float)((double)schedule_rate(&t->stage->schedule, (long)n) * t->progress.rate_factor);
}

static enum result run_update(struct trainer *t, bool *is_bad, struct error *err)
{
    double start = clock_seconds();
    step_begin(&t->step);
    int bad = INT_MAX;
    for (int i = t->step.share.first; i < t->step.share.end && bad == INT_MAX; i++) {
        TRY(run_mini_batch(t, i, is_bad, err));
        bad = *is_bad ? i : bad;
    }
    struct train_progress *p = &t->progress;
    p->samples += images_per_update(t->o);
    p->images_seen += images_per_update(t->o);
    p->mini_batches += (uint64_t)t->o->subdivisions;
    step_exchange(&t->step);
    *is_bad = hear_of_update(t, bad) != INT_MAX;
    if (*is_bad) {
        return OK;
    }
    double norm = step_update(&t->step, rate_of(t, t->progress.stage_iteration + 1));
    if (!isfinite(norm)) {
        *is_bad = true;
        divergence_of_gradients(t->o, t->step.plan, t->pictures, images_per_update(t->o), t->reason,
                                sizeof t->reason);
        return OK;
    }
    note_update(t, norm);
    pace_update(&t->pace, clock_seconds() - start);
    return OK;
}

/* ---- saving, validating, logging ---- */

/* Prove by hashes that nothing frozen has moved, before anything is saved; ERR_INTERNAL if something has. */
static enum result prove_frozen(struct trainer *t, struct error *err)
{
    const struct frozen_tensor *first;
    size_t changed = frozen_bytes_changed(&t->proof, &first);
    if (changed == 0) {
        return OK;
    }
    const struct layer *l = &t->o->net->layers[first->layer];
    return error_set(
        err, ERR_INTERNAL,
        "update %llu: %s of layer %d [%s] moved although it is frozen; nothing was saved "
        "since, the last checkpoint stands",
        (unsigned long long)t->progress.iteration, l->params[first->param].role, first->layer,
        l->ops->name);
}

/* Save by one of checkpoint.h's functions. */
static enum result save(struct trainer *t,
                        enum result (*write)(const char *folder,
                                             const struct checkpoint_content *content,
                                             struct error *err),
                        struct error *err)
{
    if (!leads()) {
        return OK;
    }
    t->progress.seconds = seconds_so_far(t);
    struct checkpoint_content content = {.progress = &t->progress,
                                         .fingerprint = &t->o->fingerprint,
                                         .quant = t->o->quant,
                                         .net = t->o->net,
                                         .optimizer = t->step.optimizer};
    return write(t->o->folder, &content, err);
}

static void say_validation(const struct trainer *t)
{
    const struct train_progress *p = &t->progress;
    const struct validation *found = &t->found;
    char what[80] = "", best[64];
    if (t->o->task == TASK_DETECT) {
        snprintf(what, sizeof what, "mAP@.5 %.4f, mAP@.5:.95 %.4f, ", found->map50, found->map);
    } else if (t->o->task == TASK_CLASSIFY) {
        snprintf(what, sizeof what, "top-1 %.4f, top-5 %.4f, ", found->top1, found->top5);
    }
    runlog_say(t->log, "%llu: %s%svalidation loss %.*f; best %s at %llu",
               (unsigned long long)p->iteration, t->o->quant ? "int8 " : "", what,
               t->o->task == TASK_DETECT ? 3 : 5, found->loss,
               train_score_text(t->o->measure, p->best_map, best, sizeof best),
               (unsigned long long)p->best_iteration);
}

/* Validate at the cfg's size, with the averages in place of the live values if there are any. */
static enum result validate(struct trainer *t, bool *is_best, struct error *err)
{
    struct network *net = t->o->net;
    int w = net->size.w, h = net->size.h;
    double start = clock_seconds();
    TRY(step_resize(&t->step, t->base.w, t->base.h, err));
    optimizer_swap_ema(t->step.optimizer);
    enum result result = t->o->validate(t->o->ctx, net, &t->found, err);
    optimizer_swap_ema(t->step.optimizer);
    TRY(result);
    TRY(step_resize(&t->step, w, h, err));
    pace_validation(&t->pace, clock_seconds() - start);
    struct train_progress *p = &t->progress;
    double score = score_of(t->o->measure, &t->found);
    *is_best = isnan(p->best_map) || score >= p->best_map;
    if (*is_best) {
        p->best_map = score;
        p->best_iteration = p->iteration;
    }
    if (isnan(p->stage_best_map) || score > p->stage_best_map) {
        p->stage_best_map = score;
        p->validations_without_gain = 0;
    } else {
        p->validations_without_gain++;
    }
    say_validation(t);
    return OK;
}

/* Images since the last row of results.csv; NaN if there are none. */
static double images_since_row(const struct trainer *t)
{
    uint64_t updates = t->progress.sums.updates;
    return updates ? (double)(updates * images_per_update(t->o)) : (double)NAN;
}

/* Forget what was measured since the last row. */
static void forget_findings(struct trainer *t)
{
    t->found = (struct validation){.map50 = (double)NAN,
                                   .map = (double)NAN,
                                   .top1 = (double)NAN,
                                   .top5 = (double)NAN,
                                   .loss = (double)NAN};
}

/* Of what is frozen, in a row: none, where that was proved since the row before, now or at a checkpoint of any session; else
 * NaN. */
static double changed_bytes(const struct trainer *t, bool is_proved)
{
    uint64_t n = t->progress.iteration, before = n - t->progress.sums.updates;
    uint64_t every = t->o->checkpoint_every;
    return is_proved || (every > 0 && n / every > before / every) ? 0.0 : (double)NAN;
}

static enum result write_row(struct trainer *t, bool is_proved, struct error *err)
{
    const struct train_progress *p = &t->progress;
    const struct row_sums *y = &p->sums;
    double images = images_since_row(t);
    double assignments = y->parts.assignments ? (double)y->parts.assignments : (double)NAN;
    double per_second = (double)(t->pace.row_updates * images_per_update(t->o)) /
                        (clock_seconds() - t->pace.row_started);
    double values[COLUMNS - 1] = {
        (double)p->samples / (double)t->o->set->sample_count,
        (double)p->stage + 1,
        (double)rate_of(t, t->progress.stage_iteration),
        loss_parts_total(&y->parts) / images,
        y->parts.box / images,
        y->parts.objectness / images,
        y->parts.classes / images,
        y->parts.iou_sum / assignments,
        y->updates ? y->gradient_norm / (double)y->updates : (double)NAN,
        t->found.loss,
        t->found.map50,
        t->found.map,
        t->found.top1,
        t->found.top5,
        (double)t->proof.values,
        changed_bytes(t, is_proved),
        per_second,
        seconds_so_far(t),
    };
    double row[COLUMNS - 1];
    size_t count = 0;
    for (size_t i = 1; i < COLUMNS; i++) {
        if (is_shown(t, &columns[i])) {
            row[count++] = values[i - 1];
        }
    }
    TRY(t->log ? runlog_row(t->log, p->iteration, row, err) : OK);
    if (y->updates && !has_boxes(t)) {
        runlog_say(t->log, "%llu: loss %.5f, rate %.3g, %.1f img/s",
                   (unsigned long long)p->iteration, values[3], values[2], per_second);
    } else if (y->updates) {
        runlog_say(
            t->log,
            "%llu: loss %.3f (box %.3f, objectness %.3f, classes %.3f), IoU %.3f, rate %.3g, "
            "%.1f img/s",
            (unsigned long long)p->iteration, values[3], values[4], values[5], values[6], values[7],
            values[2], per_second);
    }
    if (values[7] < COLLAPSED_IOU && !t->told_collapse && leads()) {
        t->told_collapse = true;
        log_warn(
            "IoU %.3f: the boxes have collapsed and will hardly come back (a lower --lr, or a smaller "
            "iou_normalizer in the cfg's heads; published ones have .07)",
            values[7]);
    }
    t->progress.sums = (struct row_sums){0};
    pace_row(&t->pace, clock_seconds());
    forget_findings(t);
    if (t->o->redraw) {
        t->o->redraw(t->o->ctx, t->o->folder);
    }
    return OK;
}

static uint64_t updates_left(const struct trainer *t)
{
    uint64_t left = t->stage->iterations - t->progress.stage_iteration;
    for (size_t s = t->progress.stage + 1; s < t->o->stage_count; s++) {
        left += t->o->stages[s].iterations;
    }
    return left;
}

static uint64_t validations_left(const struct trainer *t, uint64_t updates)
{
    uint64_t every = t->o->validate ? t->o->validate_every : 0, now = t->progress.iteration;
    return every > 0 ? (now + updates) / every - now / every : 0;
}

/* What is left of the updates or of the time, whichever ends first. */
static double seconds_left(const struct trainer *t)
{
    uint64_t updates = updates_left(t);
    double left = pace_left(&t->pace, updates, validations_left(t, updates));
    double of_time = fmax(t->o->time_limit_s - seconds_so_far(t), 0.0);
    return t->o->time_limit_s > 0.0 && of_time < left ? of_time : left;
}

static void show_progress(const struct trainer *t)
{
    const struct loss_parts *parts = &t->progress.sums.parts;
    double images = images_since_row(t);
    double update = t->pace.update;
    char left[32];
    progress_duration(seconds_left(t), left, sizeof left);
    if (pace_is_settled(&t->pace)) {
        runlog_say(t->log, "about %s left: %.3g s an update; %.0f MB of memory so far", left,
                   update, memory_peak() / 1e6);
    }
    char of_what[96] = "";
    if (has_boxes(t)) {
        snprintf(of_what, sizeof of_what, " (box %.2f, objectness %.2f, classes %.2f)",
                 parts->box / images, parts->objectness / images, parts->classes / images);
    }
    log_progress("%llu/%llu  %s left  %.0f MB  %.1f img/s  loss %.3f%s  rate %.3g",
                 (unsigned long long)t->progress.iteration,
                 (unsigned long long)(t->progress.iteration + updates_left(t)), left,
                 memory_peak() / 1e6, update > 0.0 ? (double)images_per_update(t->o) / update : 0.0,
                 t->progress.average_loss, of_what,
                 (double)rate_of(t, t->progress.stage_iteration));
}

static bool is_due(uint64_t every, uint64_t iteration)
{
    return every > 0 && iteration % every == 0;
}

/* ---- going back ---- */

/* Enter the stage whose state the checkpoint holds, of a run that had so many. One that had finished and has got further
 * stages goes on with the first of those. */
static enum result restore_stage(struct trainer *t, struct checkpoint *c, uint64_t stages_then,
                                 struct error *err)
{
    bool is_beyond = c->progress.stage >= stages_then && stages_then > 0;
    t->progress = c->progress;
    step_close(&t->step);
    if (is_beyond) {
        t->progress.stage = (uint32_t)stages_then - 1;
    }
    TRY(ranks_agree(enter_stage(t, err), err));
    enum result result =
        leads() ? checkpoint_restore_optimizer(c, t->o->net, t->step.optimizer, t->o->quant, err)
                : OK;
    TRY(ranks_agree(result, err));
    optimizer_share(t->step.optimizer);
    if (t->progress.frozen_hash != c->progress.frozen_hash) {
        return error_at(
            err, ERR_FORMAT, t->o->folder, 0,
            "the frozen layers in last.state are not what they were when the stage began");
    }
    t->progress.stage = c->progress.stage;
    return is_beyond && t->progress.stage < t->o->stage_count ? enter_stage(t, err) : OK;
}

static enum result read_state(struct trainer *t, struct checkpoint *c, struct error *err)
{
    TRY(checkpoint_open(t->o->folder, c, err));
    TRY(checkpoint_check(c, &t->o->fingerprint, err));
    TRY(checkpoint_restore_network(c, t->o->net, err));
    return c->progress.stage <= t->o->stage_count
               ? OK
               : error_at(err, ERR_ARG, t->o->folder, 0, "the run was in stage %u of %zu",
                          c->progress.stage + 1, t->o->stage_count);
}

/* Process 0 reads parameters, optimiser and progress from folder/last.state, everybody gets them and enters the stage. */
static enum result restore(struct trainer *t, struct error *err)
{
    struct checkpoint c = {0};
    enum result result = ranks_agree(leads() ? read_state(t, &c, err) : OK, err);
    if (result == OK) {
        uint64_t stages = leads() ? checkpoint_stages(&c) : 0;
        ranks_broadcast(&stages, sizeof stages);
        ranks_broadcast(&c.progress, sizeof c.progress);
        share_parameters(t->o->net);
        result = restore_stage(t, &c, stages, err);
    }
    checkpoint_close(&c);
    return result;
}

/* Go back to the last checkpoint that an undisturbed run has, too; undoes what came since. */
static enum result go_back(struct trainer *t, struct error *err)
{
    TRY(leads() ? checkpoint_go_back(t->o->folder, err) : OK);
    TRY(restore(t, err));
    forget_findings(t); /* they are of what is undone */
    return t->log ? runlog_cut(t->log, t->progress.iteration, err) : OK;
}

/* Go back to the last checkpoint, and on from there at half the rate, past the pictures at which it happened. */
static enum result roll_back(struct trainer *t, struct error *err)
{
    uint64_t update = images_per_update(t->o);
    uint64_t samples = (t->progress.samples + update - 1) / update * update;
    uint64_t at = t->progress.iteration + 1;
    uint32_t rollbacks = t->progress.rollbacks + 1;
    TRY(go_back(t, err));
    t->progress.rollbacks = rollbacks;
    t->progress.rate_factor *= 0.5;
    t->progress.samples = samples;
    t->progress.mini_batches = samples / (uint64_t)t->o->mini_batch;
    runlog_say(t->log, "%llu: %s; back to update %llu, rate halved", (unsigned long long)at,
               t->reason, (unsigned long long)t->progress.iteration);
    TRY(open_source(t, err));
    pace_row(&t->pace, clock_seconds());
    return save(t, checkpoint_save, err);
}

/* ---- the run ---- */

static bool stage_is_over(const struct trainer *t)
{
    return t->progress.stage_iteration >= t->stage->iterations ||
           (t->stage->patience > 0 &&
            t->progress.validations_without_gain >= (uint64_t)t->stage->patience);
}

static enum result next_stage(struct trainer *t, struct error *err)
{
    t->progress.stage++;
    t->progress.stage_iteration = 0;
    t->progress.stage_first_sample = t->progress.samples;
    t->progress.stage_best_map = (double)NAN;
    t->progress.validations_without_gain = 0;
    if (t->progress.stage < t->o->stage_count) {
        const struct train_stage *before = t->stage;
        TRY(enter_stage(t, err));
        stage_report_change(t->log, t->o->net, before->freeze.frozen, t->stage->freeze.frozen);
        announce_stage(t);
    }
    return OK;
}

/* After an update: validation, rows, checkpoints, the end of the stage. *is_bad: the update made something unusable, of
 * which nothing was saved. */
static enum result after_update(struct trainer *t, bool is_last, bool *is_bad, struct error *err)
{
    uint64_t n = t->progress.iteration;
    bool is_best = false;
    bool ends_stage = t->progress.stage_iteration >= t->stage->iterations;
    bool is_validated =
        t->o->validate && (is_due(t->o->validate_every, n) || ends_stage || is_last);
    bool is_checkpoint = is_due(t->o->checkpoint_every, n);
    show_progress(t);
    bool is_proved = is_checkpoint || is_validated || ends_stage || is_last;
    if (is_proved) {
        TRY(prove_frozen(t, err));
    }
    if (is_validated) {
        TRY(validate(t, &is_best, err));
        if (!isfinite(t->found.loss)) {
            *is_bad = true;
            snprintf(t->reason, sizeof t->reason,
                     "the validation loss at update %llu is not finite", (unsigned long long)n);
            return OK;
        }
    }
    if (is_validated || is_due(t->o->log_every, n) || ends_stage || is_last) {
        TRY(write_row(t, is_proved, err));
    }
    bool is_over = stage_is_over(t);
    if (is_checkpoint || is_over || is_last) {
        stage_report_frozen(t->log, &t->proof);
    }
    if (is_over && !ends_stage) {
        runlog_say(t->log, "no better %s in %d validations: stage %u of %zu ends early",
                   measure_names[t->o->measure], t->stage->patience, t->progress.stage + 1,
                   t->o->stage_count);
    }
    if (is_best) {
        TRY(save(t, checkpoint_save_best, err));
        if (t->o->keep_best) {
            TRY(t->o->keep_best(t->o->ctx, t->o->folder, n, err));
        }
    }
    if (is_over) {
        TRY(next_stage(t, err));
    }
    if (is_best || is_over || is_last || is_checkpoint) {
        TRY(save(t, checkpoint_save, err));
    }
    return OK;
}

static void say_late(const struct trainer *t)
{
    if (!t->o->fits_time || t->progress.stage >= t->o->stage_count) {
        runlog_say(t->log, "the time is over after %.0f s", seconds_so_far(t));
        return;
    }
    runlog_say(
        t->log,
        "the time is over after %.0f s, far beyond --time: updates took longer than those that "
        "were measured, and %llu are left (yolo train --resume %s --time H goes on with them)",
        seconds_so_far(t), (unsigned long long)updates_left(t), t->o->folder);
}

static enum result run_all(struct trainer *t, struct train_outcome *outcome, struct error *err)
{
    while (t->progress.stage < t->o->stage_count) {
        bool is_bad = false, is_late = false;
        TRY(run_update(t, &is_bad, err));
        if (!is_bad) {
            is_late = t->o->time_limit_s > 0.0 && t->seconds >= t->o->time_limit_s;
            TRY(after_update(t, is_late, &is_bad, err));
        }
        if (is_bad && t->progress.rollbacks + 1 >= MAX_ROLLBACKS) {
            runlog_say(t->log, "%llu: %s", (unsigned long long)t->progress.iteration + 1,
                       t->reason);
            outcome->diverged = true;
            return go_back(t, err);
        }
        if (is_bad) {
            TRY(roll_back(t, err));
            continue;
        }
        /* Only now: a checkpoint between an update and what is due behind it would lose that for good. */
        outcome->was_interrupted = t->progress.stage < t->o->stage_count && should_stop(t);
        if (outcome->was_interrupted) {
            TRY(prove_frozen(t, err));
            return save(t, checkpoint_save_interrupted, err);
        }
        if (is_late) {
            say_late(t);
            return OK;
        }
    }
    return OK;
}

struct run {
    struct trainer *trainer;
    struct train_outcome *outcome;
    struct error *err;
    enum result result;
};

static void run_in_team(void *ctx)
{
    struct run *run = ctx;
    run->result = run_all(run->trainer, run->outcome, run->err);
}

static enum result make_room(struct trainer *t, struct error *err)
{
    t->words = mem_alloc((size_t)ranks_count(), sizeof *t->words);
    t->word_bytes = mem_alloc((size_t)ranks_count(), sizeof *t->word_bytes);
    return t->words && t->word_bytes ? OK : mem_error(err, "training");
}

static enum result begin(struct trainer *t, struct error *err)
{
    t->base = t->o->net->size;
    TRY(ranks_agree(make_room(t, err), err));
    t->session_start = clock_seconds();
    forget_findings(t);
    t->progress = (struct train_progress){.seed = t->o->seed,
                                          .images_seen = t->o->net->seen,
                                          .best_map = (double)NAN,
                                          .stage_best_map = (double)NAN,
                                          .average_loss = (double)NAN,
                                          .rate_factor = 1.0};
    if (t->o->resumes) {
        TRY(restore(t, err));
        t->seconds_before = t->progress.seconds;
    } else {
        ranks_broadcast(&t->progress, sizeof t->progress);
        share_parameters(t->o->net);
        TRY(enter_stage(t, err));
        TRY(save(t, checkpoint_save, err)); /* there is always something to go back to */
    }
    size_t count = 0;
    for (size_t i = 0; i < COLUMNS; i++) {
        if (is_shown(t, &columns[i])) {
            t->columns[count++] = columns[i].name;
        }
    }
    if (leads()) {
        TRY(runlog_open(t->o->folder, t->columns, count, t->progress.iteration, &t->log, err));
    }
    if (t->o->warning && leads()) {
        runlog_warn(t->log, "%s", t->o->warning);
    }
    if (t->progress.stage < t->o->stage_count) {
        announce_stage(t);
    }
    return OK;
}

enum result trainer_run(const struct train_options *options, struct train_outcome *outcome,
                        struct error *err)
{
    struct trainer t = {.o = options};
    *outcome = (struct train_outcome){.best_map = (double)NAN, .measure = options->measure};
    enum result result = ranks_agree(begin(&t, err), err);
    if (result == OK) {
        struct run run = {&t, outcome, err, OK};
        checkpoint_leave_word(t.o->folder);
        log_mute(false);
        parallel_team(run_in_team, &run);
        result = run.result;
        if (result != OK && ranks_count() > 1) { /* the others wait for this one */
            log_error("%s", err->text);
            ranks_abort(1);
        }
    }
    batch_source_close(t.source);
    if (result == OK && (outcome->diverged || t.progress.stage >= options->stage_count)) {
        feature_cache_remove(options->folder);
    }
    outcome->iterations = t.progress.iteration;
    outcome->best_map = t.progress.best_map;
    runlog_close(t.log);
    step_close(&t.step);
    frozen_bytes_free(&t.proof);
    mem_free(t.words);
    mem_free(t.word_bytes);
    return result;
}
