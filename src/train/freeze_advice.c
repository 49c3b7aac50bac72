#include "train/freeze_advice.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/elementwise.h"
#include "net/backbone.h"
#include "train/batch_source.h"
#include "train/stage_cost.h"
#include "train/step.h"
#include "train/time_fit.h"

enum {
    TRIAL_UPDATES = 30,
    JUDGED_UPDATES = 10, /* the last of them */
    TRIAL_WARMUP = 6,
    SMALLEST_SIDE = 160, /* which half the size must reach */
    SIDE_STEP = 32,
    NOISY_BATCH = 4,     /* batch norm wants more pictures in a mini-batch */
    LEAST_UPDATES = 100, /* of all layers, below which kept features get further */
    MOST_VARIANTS = 6,
    FIRST_SHARE = 5 /* one part of so many */
};

/* By how much the frozen trial must be ahead: docs/transfer-learning.md has all layers at once as the better way
 * wherever the two were close. */
static const double AHEAD = 0.97;

static const char keep_set[] = "backbone";

/* ---- what follows ---- */

/* What needs no trial. */
static bool is_clear(const struct freeze_evidence *e, enum freeze_advice *advice, char *why,
                     size_t size)
{
    if (!e->begins_loaded) {
        *advice = ADVICE_FREE;
        snprintf(why, size, "from random numbers there is nothing to keep");
    } else if (!e->is_split) {
        *advice = ADVICE_FREE;
        snprintf(why, size, "the network has no backbone to keep");
    } else if (e->free_images < NOISY_BATCH && e->kept_images > e->free_images) {
        *advice = ADVICE_KEEP;
        snprintf(why, size,
                 "of all layers mini-batches of %d fit into the memory, which is too few for batch "
                 "norm; with the backbone frozen %d do",
                 e->free_images, e->kept_images);
    } else if (e->free_updates > 0.0 && e->free_updates < LEAST_UPDATES) {
        *advice = ADVICE_KEEP;
        snprintf(why, size,
                 "only %.0f updates of all layers fit into --time; from kept features many more",
                 e->free_updates);
    } else {
        return false;
    }
    return true;
}

enum freeze_advice freeze_advice_of(const struct freeze_evidence *e, char *why, size_t size)
{
    enum freeze_advice advice = ADVICE_FREE;
    if (is_clear(e, &advice, why, size)) {
        return advice;
    }
    bool is_ahead = isfinite(e->loss_kept) && !(e->loss_kept >= AHEAD * e->loss_free);
    snprintf(why, size,
             "after %d trial updates the loss is %.3g with the backbone frozen and %.3g with all "
             "layers free: %s",
             TRIAL_UPDATES, e->loss_kept, e->loss_free,
             is_ahead ? "what it knows fits these pictures as it is"
                      : "it has to learn these pictures, too");
    return is_ahead ? ADVICE_FIRST : ADVICE_FREE;
}

/* ---- the trial ---- */

struct trial {
    struct training *t;
    const char *freeze;
    double loss;
    enum result result;
    struct error *err;
};

static struct net_size trial_size(const struct network *net)
{
    struct net_size size = net->size;
    int w = size.w / 2 / SIDE_STEP * SIDE_STEP, h = size.h / 2 / SIDE_STEP * SIDE_STEP;
    if (w >= SMALLEST_SIDE && h >= SMALLEST_SIDE) {
        size.w = w;
        size.h = h;
    }
    return size;
}

static enum result run_updates(struct trial *trial, struct step *step, struct batch_source *batches)
{
    const struct train_options *o = &trial->t->options;
    const float rate = o->stages[0].schedule.rate;
    double sum = 0.0;
    uint64_t mini_batches = 0;
    for (int u = 1; u <= TRIAL_UPDATES; u++) {
        step_begin(step);
        for (int i = 0; i < o->subdivisions; i++, mini_batches++) {
            struct batch batch;
            TRY(batch_source_next(batches, &batch, trial->err));
            op_copy(o->kern, &batch.input, plan_input(step->plan));
            const struct step_input input = {.truths = batch.truths,
                                             .images = batch.images,
                                             .seed = o->seed + mini_batches,
                                             .bn_momentum = o->bn_momentum};
            struct loss_parts parts = step_loss(step->plan, &input);
            if (u > TRIAL_UPDATES - JUDGED_UPDATES) {
                sum += loss_parts_total(&parts) / batch.images / o->subdivisions / JUDGED_UPDATES;
            }
            step_backward(step, batch.images, &parts);
        }
        (void)step_update(step, u < TRIAL_WARMUP ? rate * (float)u / TRIAL_WARMUP : rate);
    }
    trial->loss = sum;
    return OK;
}

static enum result run_trial(struct trial *trial)
{
    struct training *t = trial->t;
    struct network *net = &t->model.net;
    struct net_size whole = net->size, size = trial_size(net);
    struct freeze_set set = {0};
    struct step step = {0};
    struct batch_source *batches = NULL;
    enum bn_policy bn = t->options.stages[0].freeze.bn;
    enum result result = freeze_set_make(net, trial->freeze, bn, NULL, &set, trial->err);
    const struct step_options options = {.net = net,
                                         .kernels = t->options.kern,
                                         .modes = set.modes,
                                         .batch = t->options.mini_batch,
                                         .mini_batches = t->options.subdivisions,
                                         .optimizer = t->options.optimizer};
    const struct batch_source_options source = {
        .run = &t->options, .stage = &t->options.stages[0], .base = size, .is_trial = true};
    result = result == OK ? step_open(&options, &step, trial->err) : result;
    result = result == OK ? step_resize(&step, size.w, size.h, trial->err) : result;
    result = result == OK ? batch_source_open(&source, &batches, trial->err) : result;
    result = result == OK ? run_updates(trial, &step, batches) : result;
    batch_source_close(batches);
    if (result == OK) {
        result = step_resize(&step, whole.w, whole.h, trial->err);
    }
    step_close(&step);
    freeze_set_free(&set);
    return result;
}

static void trial_in_team(void *ctx)
{
    struct trial *trial = ctx;
    trial->result = run_trial(trial);
}

static enum result try_set(struct training *t, const char *freeze, double *loss, struct error *err)
{
    struct trial trial = {.t = t, .freeze = freeze, .err = err};
    parallel_team(trial_in_team, &trial);
    *loss = trial.loss;
    return trial.result;
}

/* ---- what a plan costs, in updates of all layers ---- */

/* Of an update with the backbone frozen: its forward pass, and the rest's three. */
static double kept_cost(const struct network *net, const bool *frozen)
{
    double all = 0.0, kept = 0.0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        double flops = l->ops->flops ? l->ops->flops(l) : 0.0;
        all += 3.0 * flops;
        kept += frozen[i] ? flops : 3.0 * flops;
    }
    return all > 0.0 ? kept / all : 1.0;
}

static uint64_t trial_cost(const struct network *net, double kept)
{
    struct net_size size = trial_size(net);
    double share = (double)size.w * size.h / ((double)net->size.w * net->size.h);
    return (uint64_t)ceil(TRIAL_UPDATES * (1.0 + kept) * share);
}

/* ---- evidence ---- */

static enum result look_at_parts(const struct training *t, struct freeze_evidence *e,
                                 struct error *err)
{
    const struct network *net = &t->model.net;
    enum net_part *parts = mem_alloc((size_t)net->layer_count, sizeof *parts);
    if (!parts) {
        return mem_error(err, "--freeze auto");
    }
    enum result result = parts_find(net, parts, err);
    bool has[PART_COUNT] = {false};
    for (int i = 0; result == OK && i < net->layer_count; i++) {
        has[parts[i]] = has[parts[i]] || net->layers[i].param_count > 0;
    }
    e->is_split = has[PART_BACKBONE] && (has[PART_NECK] || has[PART_HEAD]);
    mem_free(parts);
    return result;
}

static enum result look_at_time(const struct train_args *args, struct training *t,
                                struct freeze_evidence *e, struct error *err)
{
    struct stage_cost cost;
    bool is_open = args->hours > 0.0f && !args->stages.epochs && !args->stages.iterations;
    if (!is_open) {
        return OK;
    }
    TRY(stage_cost_measure(t, &t->options.stages[0], false, &cost, err));
    e->free_updates = fmax((double)args->hours * 3.6e6 / (cost.ms * training_mini_batches(t)), 1.0);
    return OK;
}

static void look_at_memory(const struct train_args *args, const struct train_args *settled,
                           const struct training *t, struct freeze_evidence *e)
{
    double bytes;
    int batch = t->options.mini_batch * t->options.subdivisions;
    bool is_given = args->subdivisions > 0 || settled->recipe == RECIPE_DARKNET;
    const struct network *net = &t->model.net;
    e->free_images = e->kept_images = t->options.mini_batch;
    if (!is_given) {
        e->free_images = batch / recipe_subdivisions(net, t->options.kern, "none", batch, &bytes);
        e->kept_images = batch / recipe_subdivisions(net, t->options.kern, keep_set, batch, &bytes);
    }
}

/* ---- the plan ---- */

static enum result write_first(struct train_args *args, const struct train_args *settled,
                               uint64_t updates, double kept, struct error *err)
{
    uint64_t first = updates / FIRST_SHARE > 0 ? updates / FIRST_SHARE : 1;
    uint64_t rest = updates > first ? updates - first : 1;
    char texts[2][96];
    rest += (uint64_t)((double)first * (1.0 - kept)); /* the time that freezing saves */
    snprintf(texts[0], sizeof texts[0], "freeze=%s policy=constant iters=%" PRIu64, keep_set,
             first);
    snprintf(texts[1], sizeof texts[1], "freeze=none iters=%" PRIu64, rest);
    const char *const both[] = {texts[0], texts[1]};
    args->stages.epochs = args->stages.iterations = 0;
    args->stages.run.freeze = NULL;
    args->close_mosaic = settled->close_mosaic; /* it counts in passes of the whole run */
    return stage_words_set(&args->stages, both, 2, err);
}

static enum result write_plan(struct train_args *args, const struct train_args *settled,
                              struct training *t, enum freeze_advice advice, bool was_tried,
                              struct error *err)
{
    struct network *net = &t->model.net;
    struct freeze_set set = {0};
    uint64_t per_update = training_images_per_update(t);
    uint64_t per_epoch = epoch_updates(t->train.sample_count, per_update);
    uint64_t updates =
        stage_words_updates(&settled->stages, per_epoch, (uint64_t)net->options.max_batches);
    bool is_given = args->stages.epochs || args->stages.iterations;
    bool is_timed = args->hours > 0.0f && !is_given;
    enum result result = freeze_set_make(net, keep_set, BN_AUTO, NULL, &set, err);
    double kept = result == OK ? kept_cost(net, set.frozen) : 1.0;
    freeze_set_free(&set);
    TRY(result);
    uint64_t spent = was_tried && !is_given ? trial_cost(net, kept) : 0;
    updates = updates > 2 * spent ? updates - spent : updates;
    if (advice == ADVICE_FIRST) {
        return write_first(args, settled, updates, kept, err);
    }
    args->stages.run.freeze = advice == ADVICE_FREE ? "none" : keep_set;
    if (advice == ADVICE_KEEP) {
        uint64_t variants = updates / per_epoch / 2;
        args->stages.run.cache_features =
            (int)(variants > MOST_VARIANTS ? MOST_VARIANTS : variants);
    } else if (spent > 0 && !is_timed) {
        args->stages.iterations = (int)updates;
        snprintf(t->advice.length, sizeof t->advice.length,
                 "the recipe's length less %" PRIu64 " that the trial of --freeze auto took",
                 spent);
    }
    return OK;
}

bool freeze_is_auto(const struct train_args *args)
{
    return args->stages.run.freeze && strcmp(args->stages.run.freeze, "auto") == 0;
}

enum result freeze_advise(struct train_args *args, const struct train_args *settled,
                          struct training *t,
                          enum result (*reload)(const struct train_args *args, struct training *t,
                                                struct error *err),
                          struct error *err)
{
    static const char *const names[] = {"freeze nothing", "the backbone first, then nothing",
                                        "the backbone throughout, from kept features"};
    struct freeze_evidence e = {.begins_loaded = t->model.weights_path[0] != '\0',
                                .loss_free = (double)NAN,
                                .loss_kept = (double)NAN};
    char why[256];
    TRY(look_at_parts(t, &e, err));
    look_at_memory(args, settled, t, &e);
    enum freeze_advice advice;
    if (!is_clear(&e, &advice, why, sizeof why)) {
        TRY(look_at_time(args, t, &e, err));
    }
    bool needs_trial = !is_clear(&e, &advice, why, sizeof why);
    if (needs_trial) {
        log_info("--freeze auto: %d updates with the backbone frozen, and the same with all layers "
                 "free ...",
                 TRIAL_UPDATES);
        TRY(reload(settled, t, err));
        TRY(try_set(t, keep_set, &e.loss_kept, err));
        TRY(reload(settled, t, err));
        TRY(try_set(t, "none", &e.loss_free, err));
    }
    advice = freeze_advice_of(&e, why, sizeof why);
    t->advice.loss_free = e.loss_free;
    t->advice.loss_kept = e.loss_kept;
    snprintf(t->advice.text, sizeof t->advice.text, "auto: %s; %s", names[advice], why);
    return write_plan(args, settled, t, advice, needs_trial, err);
}
