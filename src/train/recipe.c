#include "train/recipe.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ranks.h"
#include "base/memory_limit.h"
#include "base/options.h"
#include "cfg/cfg.h"
#include "layers/yolo_head.h"
#include "train/base_cfg.h"
#include "train/freeze.h"
#include "train/multiscale.h"
#include "train/options.h"
#include "train/step.h"

/* Measured: docs/recipe.md. */
static const float ADAM_RATE = 1e-3f, AWARE_RATE = 1e-5f, EMA = 0.99f, CLIP_NORM = 100.0f;
static const float DARKNET_BN_MOMENTUM = 0.01f;
static const double MEMORY_SHARE = 0.5, FREE_SHARE = 0.8, VALIDATION_SHARE = 0.1;
enum {
    PASSES = 100,
    LEAST_UPDATES = 500,
    LEAST_LOADED_PASSES = 20,
    LEAST_LOADED_UPDATES = 300,
    AWARE_UPDATES = 60, /* of --quantize-aware, at least; and so many passes */
    AWARE_PASSES = 5,
    MOST_WARMUP = 20,
    LEAST_PATIENCE = 10,
    MANY_SAMPLES = 1000, /* without boxes: from here on an update takes more of them */
    VALUE_BATCH = 64,
    LEAST_VALUE_PASSES = 10,
    LEAST_LOADED_VALUE_PASSES = 5,
    STATISTICS_IMAGES = 160, /* how many pictures the running statistics remember */
    CLOSE_MOSAIC = 10
};

const char *const recipe_by_names[RECIPE_BY_COUNT] = {"recipe", "given", "cfg"};

/* ---- numbers ---- */

int recipe_epochs(size_t images, uint64_t images_per_update, bool begins_loaded)
{
    double each = (double)epoch_updates(images, images_per_update);
    double updates = fmax(PASSES * each, LEAST_UPDATES);
    if (begins_loaded) {
        /* Twice as many pictures need more than one and a half times the updates, not twice. */
        updates = fmax(fmax(30.0 * sqrt((double)images), LEAST_LOADED_UPDATES),
                       LEAST_LOADED_PASSES * each);
    }
    return (int)fmin(ceil(updates / each), 1e9);
}

int recipe_value_epochs(size_t samples, uint64_t samples_per_update, bool begins_loaded)
{
    double each = (double)epoch_updates(samples, samples_per_update);
    double updates =
        fmax(fmax(20.0 * sqrt((double)samples), LEAST_UPDATES), LEAST_VALUE_PASSES * each);
    if (begins_loaded) {
        updates = fmax(fmax(10.0 * sqrt((double)samples), LEAST_LOADED_UPDATES),
                       LEAST_LOADED_VALUE_PASSES * each);
    }
    return (int)fmin(ceil(updates / each), 1e9);
}

int recipe_warmup(uint64_t updates)
{
    return updates / 10 < MOST_WARMUP ? (int)(updates / 10) : MOST_WARMUP;
}

/* What a mini-batch takes at the largest size that it may get, by the recipe's own optimiser, which keeps most. */
static double step_bytes_of(const struct network *net, const struct kernels *kernels,
                            const enum layer_mode *modes, int images, int mini_batches)
{
    const struct step_options step = {.net = (struct network *)net, /* only measured */
                                      .kernels = kernels,
                                      .modes = modes,
                                      .batch = images,
                                      .mini_batches = mini_batches,
                                      .optimizer = {.kind = OPTIMIZER_ADAMW, .ema_decay = EMA}};
    const struct layer *head = network_head_layer(net, network_head_count(net) - 1);
    struct multiscale sizes = {
        .step = net->options.resize_step, .base_w = net->size.w, .base_h = net->size.h};
    struct error ignored;
    double bytes = (double)INFINITY;
    bool is_read = !head || cfg_float(head->section, "random", 0.0f, 0.0f, 1e3f, &sizes.random,
                                      &ignored) == OK;
    return is_read && step_measure(&step, multiscale_growth(&sizes), &bytes, &ignored) == OK
               ? bytes
               : (double)INFINITY;
}

int recipe_subdivisions(const struct network *net, const struct kernels *kernels,
                        const char *freeze, int batch, double *bytes)
{
    struct freeze_set set = {0};
    struct error ignored;
    int parts = ranks_count() < batch ? ranks_count() : batch; /* everybody has something to do */
    double most = MEMORY_SHARE * memory_limit(""), now = FREE_SHARE * memory_free_now("");
    most = now > 0.0 && (now < most || !(most > 0.0)) ? now : most;
    most /= ranks_on_host();
    *bytes = (double)INFINITY;
    if (freeze_set_make(net, freeze, BN_AUTO, NULL, &set, &ignored) == OK) {
        for (; parts <= batch; parts++) {
            if (batch % parts != 0) {
                continue;
            }
            *bytes = step_bytes_of(net, kernels, set.modes, batch / parts, parts);
            if (*bytes <= most) {
                break;
            }
        }
    }
    freeze_set_free(&set);
    return parts < batch ? parts : batch;
}

/* ---- the table ---- */

struct chooser {
    struct train_args *args;
    const struct recipe_basis *basis;
    const struct net_options *net;   /* the cfg's */
    const struct net_options *stock; /* the base's; NULL: none */
    bool counts_keys; /* without a base each key of the cfg's [net] counts, else none */
    bool has_boxes;
    struct recipe *recipe;
    bool has_stages, stages_say_rate;
    uint64_t per_update, per_epoch, updates; /* images, updates, of the whole run: 0 with stages */
};

static void add(struct chooser *c, enum recipe_by by, const char *flag, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void add(struct chooser *c, enum recipe_by by, const char *flag, const char *fmt, ...)
{
    struct recipe_choice *choice = &c->recipe->choices[c->recipe->count++];
    va_list args;
    va_start(args, fmt);
    choice->by = by;
    snprintf(choice->flag, sizeof choice->flag, "%s", flag);
    vsnprintf(choice->reason, sizeof choice->reason, fmt, args);
    va_end(args);
}

static void add_number(struct chooser *c, enum recipe_by by, const char *option, double value,
                       const char *reason)
{
    char flag[64];
    snprintf(flag, sizeof flag, "--%s %g", option, value);
    add(c, by, flag, "%s", reason);
}

/* ---- choices ---- */

/* Is a setting the cfg's: otherwise than in its base, or, where such a key counts, in its [net] at all ("a|b")? */
static bool is_of_cfg(const struct chooser *c, bool differs, const char *keys)
{
    const struct cfg_section *net = &c->basis->net->cfg.sections[0];
    bool is_there = false;
    for (size_t i = 0; i < net->option_count; i++) {
        is_there = is_there || word_in(keys, net->options[i].key);
    }
    return c->stock ? differs : c->counts_keys && is_there;
}

static void choose_batch(struct chooser *c)
{
    struct train_args *a = c->args;
    const struct net_options *n = c->net;
    char flag[64];
    bool is_given = a->batch || a->subdivisions;
    const struct net_options *s = c->stock ? c->stock : n;
    bool is_cfg =
        !is_given && is_of_cfg(c, n->batch != s->batch || n->subdivisions != s->subdivisions,
                               "batch|subdivisions");
    enum recipe_by by = a->batch ? RECIPE_BY_COMMAND_LINE
                        : is_cfg ? RECIPE_BY_CFG
                                 : RECIPE_BY_RECIPE;
    int own = c->has_boxes || c->basis->images < MANY_SAMPLES ? RECIPE_BATCH : VALUE_BATCH;
    int batch = a->batch ? a->batch : is_cfg ? n->batch : own;
    int parts = a->subdivisions ? a->subdivisions : is_cfg ? n->subdivisions : 0;
    double bytes = 0.0;
    batch = !a->batch && batch < parts ? parts : batch;
    if (parts == 0) {
        parts = recipe_subdivisions(c->basis->net, c->basis->kernels,
                                    c->has_stages ? NULL : a->stages.run.freeze, batch, &bytes);
    }
    a->batch = batch;
    a->subdivisions = parts;
    c->per_update = update_images(batch, parts);
    c->per_epoch = epoch_updates(c->basis->images, c->per_update > 0 ? c->per_update : 1);
    snprintf(flag, sizeof flag, "--batch %d", batch);
    add(c, by, flag, "%s an update: %" PRIu64 " updates a pass over %zu",
        c->basis->is_table ? "rows" : "pictures", c->per_epoch, c->basis->images);
    snprintf(flag, sizeof flag, "--subdivisions %d", parts);
    if (bytes > 0.0) {
        add(c, RECIPE_BY_RECIPE, flag, "a mini-batch of %d takes %.2g GB, the machine has %.3g",
            batch / parts, bytes / 1e9, memory_limit("") / 1e9);
    } else {
        add(c, is_given ? RECIPE_BY_COMMAND_LINE : RECIPE_BY_CFG, flag, "mini-batches of %d",
            batch / parts);
    }
}

static void choose_optimizer(struct chooser *c)
{
    struct train_args *a = c->args;
    const struct net_options *n = c->net, *s = c->stock ? c->stock : n;
    char flag[64];
    float *rate = &a->stages.run.rate;
    bool is_given = a->optimizer >= 0 || a->momentum >= 0.0f || *rate >= 0.0f || c->stages_say_rate;
    bool is_cfg = !a->quantize_aware &&
                  is_of_cfg(c,
                            n->learning_rate != s->learning_rate || n->momentum != s->momentum ||
                                n->adam != s->adam || n->adam_b1 != s->adam_b1,
                            "learning_rate|momentum|adam|B1");
    enum recipe_by by = is_given ? RECIPE_BY_COMMAND_LINE
                        : is_cfg ? RECIPE_BY_CFG
                                 : RECIPE_BY_RECIPE;
    bool is_chosen = by == RECIPE_BY_RECIPE;
    if (is_chosen) {
        a->optimizer = OPTIMIZER_ADAMW;
    }
    bool has_rate = *rate >= 0.0f || c->stages_say_rate;
    bool is_adam = a->optimizer == OPTIMIZER_ADAM || a->optimizer == OPTIMIZER_ADAMW;
    bool takes_rate = !has_rate && is_adam && !is_cfg;
    *rate = !takes_rate ? *rate : a->quantize_aware ? AWARE_RATE : ADAM_RATE;
    int kind = a->optimizer >= 0 ? a->optimizer : n->adam ? OPTIMIZER_ADAM : OPTIMIZER_SGD;
    snprintf(flag, sizeof flag, "--optimizer %s", optimizer_kind_name((enum optimizer_kind)kind));
    add(c, a->optimizer < 0 && is_given ? RECIPE_BY_CFG : by, flag, "%s",
        is_chosen ? "hardly depends on how a network scales its outputs"
                  : "optimizer, momentum and rate belong together");
    if (c->stages_say_rate) {
        add(c, RECIPE_BY_COMMAND_LINE, "--lr", "the stages say it");
        return;
    }
    bool is_told = is_given && *rate >= 0.0f && !takes_rate;
    add_number(c,
               takes_rate ? RECIPE_BY_RECIPE
               : is_told  ? RECIPE_BY_COMMAND_LINE
                          : RECIPE_BY_CFG,
               "lr", (double)(*rate >= 0.0f ? *rate : n->learning_rate),
               !takes_rate         ? "as said"
               : a->quantize_aware ? "a hundredth of adamw's usual one: there is little to learn"
                                   : "adamw's usual one");
}

static double share(const struct net_options *o, size_t i)
{
    return o->max_batches > 0 ? (double)o->steps[i] / (double)o->max_batches : 0.0;
}

/* Steps that lie at the base's shares of the length, or at 80 and 90 %, as Darknet advises, only follow the length. */
static bool has_own_policy(const struct net_options *n, const struct net_options *s)
{
    static const double advised[] = {0.8, 0.9};
    bool is_same = n->policy == s->policy && n->step_count == s->step_count;
    bool is_advised = n->step_count == 2;
    for (size_t i = 0; is_same && i < n->step_count; i++) {
        double at = share(n, i);
        is_advised = is_advised && fabs(at - advised[i]) < 0.01;
        is_same = n->scales[i] == s->scales[i];
    }
    for (size_t i = 0; is_same && !is_advised && i < n->step_count; i++) {
        is_same = fabs(share(n, i) - share(s, i)) < 0.01 || n->steps[i] == s->steps[i];
    }
    return !is_same;
}

static void choose_policy(struct chooser *c)
{
    int *policy = &c->args->stages.run.policy;
    char flag[64];
    bool is_cfg = is_of_cfg(c, c->stock && has_own_policy(c->net, c->stock), "policy|steps");
    enum recipe_by by = *policy >= 0 ? RECIPE_BY_COMMAND_LINE
                        : is_cfg     ? RECIPE_BY_CFG
                                     : RECIPE_BY_RECIPE;
    if (by == RECIPE_BY_RECIPE) {
        *policy = RATE_COSINE;
    }
    int used = *policy >= 0 ? *policy : (int)c->net->policy;
    snprintf(flag, sizeof flag, "--lr-policy %s", rate_policies[used].name);
    add(c, by, flag, "%s",
        used == RATE_COSINE  ? "ends at almost nothing, whatever the length"
        : used == RATE_STEPS ? "the steps keep their share of the length"
                             : "as said");
}

/* What `yolo init` has written for these pictures was this recipe's: it follows the start. */
static bool is_of_init(const struct chooser *c, int updates)
{
    uint64_t images = update_images(c->net->batch, c->net->subdivisions);
    for (int loaded = 0; images > 0 && loaded < 2; loaded++) {
        uint64_t each = epoch_updates(c->basis->images, images);
        if ((uint64_t)updates == (uint64_t)recipe_epochs(c->basis->images, images, loaded) * each) {
            return true;
        }
    }
    return false;
}

static void choose_length(struct chooser *c)
{
    struct stage_words *w = &c->args->stages;
    const struct recipe_basis *b = c->basis;
    if (c->has_stages) {
        return;
    }
    bool is_given = w->epochs || w->iterations;
    bool is_cfg = is_of_cfg(c,
                            c->stock && c->net->max_batches != c->stock->max_batches &&
                                !is_of_init(c, c->net->max_batches),
                            "max_batches");
    if (c->args->quantize_aware && !is_given) { /* no cfg has it in mind */
        double updates = fmax((double)AWARE_UPDATES, AWARE_PASSES * (double)c->per_epoch);
        w->epochs = (int)fmin(ceil(updates / (double)c->per_epoch), 1e9);
        c->updates = (uint64_t)w->epochs * c->per_epoch;
        add_number(c, RECIPE_BY_RECIPE, "epochs", w->epochs,
                   "a short stage: at least 60 updates and 5 passes");
        return;
    }
    if (!is_given && !is_cfg) {
        w->epochs = c->has_boxes ? recipe_epochs(b->images, c->per_update, b->begins_loaded)
                                 : recipe_value_epochs(b->images, c->per_update, b->begins_loaded);
    }
    c->updates = stage_words_updates(w, c->per_epoch, (uint64_t)c->net->max_batches);
    double passes = (double)c->updates / (double)c->per_epoch;
    if (!is_given && !is_cfg) {
        static const char *const reasons[2][2] = {
            {"from nothing: updates by the root of the number of samples, at least 500 and 10 "
             "passes",
             "from weights: updates by the root of the number of samples, at least 300 and 5 passes"},
            {"from nothing: 100 passes, at least 500 updates",
             "from weights: updates by the root of the number of pictures, at least 300 and 20 "
             "passes"}};
        add_number(c, RECIPE_BY_RECIPE, "epochs", w->epochs,
                   reasons[c->has_boxes][b->begins_loaded]);
        return;
    }
    char flag[64];
    if (w->epochs) {
        snprintf(flag, sizeof flag, "--epochs %d", w->epochs);
    } else {
        snprintf(flag, sizeof flag, "--iters %" PRIu64, c->updates);
    }
    if (b->length_reason) {
        add(c, RECIPE_BY_COMMAND_LINE, flag, "%.3g passes; %s", passes, b->length_reason);
        return;
    }
    add(c, is_given ? RECIPE_BY_COMMAND_LINE : RECIPE_BY_CFG, flag,
        "%" PRIu64 " updates, %.3g passes", c->updates, passes);
}

static void choose_warmup(struct chooser *c)
{
    int *warmup = &c->args->stages.run.warmup;
    bool is_given = *warmup >= 0;
    if (c->has_stages && !is_given) {
        add(c, RECIPE_BY_CFG, "--warmup", "of each stage at most a tenth");
        return;
    }
    bool is_cfg = !is_given && is_of_cfg(c,
                                         c->stock && c->net->burn_in != c->stock->burn_in &&
                                             c->net->burn_in != recipe_warmup(c->updates),
                                         "burn_in");
    int most = (int)fmin((double)c->updates / 10.0, 1e9);
    if (!is_given) {
        *warmup = !is_cfg                  ? recipe_warmup(c->updates)
                  : c->net->burn_in < most ? c->net->burn_in
                                           : most;
    }
    add_number(c,
               is_given ? RECIPE_BY_COMMAND_LINE
               : is_cfg ? RECIPE_BY_CFG
                        : RECIPE_BY_RECIPE,
               "warmup", *warmup,
               is_given                              ? "as said"
               : is_cfg && *warmup < c->net->burn_in ? "burn_in, but at most a tenth of the run"
               : is_cfg                              ? "burn_in"
                                                     : "20 updates, at most a tenth of the run");
}

/* A picture costs about a third of what it costs to train on it. */
static void choose_validation(struct chooser *c)
{
    const struct recipe_basis *b = c->basis;
    int *every = &c->args->validate_every;
    if (b->valid == 0) {
        return;
    }
    bool is_given = *every > 0;
    if (!is_given) {
        double passes = ceil((double)b->valid / 3.0 / VALIDATION_SHARE / (double)b->images);
        *every = (int)fmin(fmax(passes, 1.0) * (double)c->per_epoch, 1e9);
    }
    add_number(c, is_given ? RECIPE_BY_COMMAND_LINE : RECIPE_BY_RECIPE, "val-every", *every,
               "updates; whole passes, at most a tenth of the time");
}

static void choose_patience(struct chooser *c)
{
    int *patience = &c->args->stages.run.patience;
    bool is_plain = !c->has_stages && !c->args->stages.unfreeze_every;
    if (*patience >= 0) {
        add_number(c, RECIPE_BY_COMMAND_LINE, "patience", *patience, "validations");
        return;
    }
    *patience = 0;
    if (is_plain && c->basis->valid > 0) {
        uint64_t validations = c->updates / (uint64_t)c->args->validate_every;
        *patience = validations / 2 > LEAST_PATIENCE ? (int)fmin((double)validations / 2, 1e9)
                                                     : LEAST_PATIENCE;
        add_number(c, RECIPE_BY_RECIPE, "patience", *patience,
                   c->has_boxes ? "half of the run without a better mAP ends it"
                                : "half of the run without a better validation ends it");
    }
}

static void choose_averages(struct chooser *c)
{
    struct train_args *a = c->args;
    bool is_cfg = is_of_cfg(c, c->stock && c->net->ema_alpha != c->stock->ema_alpha, "ema_alpha");
    enum recipe_by by = a->ema >= 0.0f ? RECIPE_BY_COMMAND_LINE
                        : is_cfg       ? RECIPE_BY_CFG
                                       : RECIPE_BY_RECIPE;
    bool is_short = by == RECIPE_BY_RECIPE && a->quantize_aware;
    a->ema = by != RECIPE_BY_RECIPE ? a->ema : is_short ? 0.0f : EMA;
    add_number(
        c, by, "ema", (double)(a->ema >= 0.0f ? a->ema : c->net->ema_alpha),
        is_short ? "so short a stage has no average"
                 : "the weights' average is validated and saved; shorter in the first 900 updates");
}

static void choose_statistics(struct chooser *c)
{
    struct train_args *a = c->args;
    bool is_given = a->bn_momentum >= 0.0f, is_start_given = a->bn_start >= 0;
    if (!is_given) {
        float images = (float)(c->per_update / (uint64_t)a->subdivisions);
        float least = c->basis->begins_loaded ? 0.03f : 0.01f;
        a->bn_momentum = fminf(fmaxf(images / (float)STATISTICS_IMAGES, least), 0.1f);
    }
    if (!is_start_given) {
        a->bn_start = !is_given && !c->basis->begins_loaded;
    }
    add_number(c, is_given ? RECIPE_BY_COMMAND_LINE : RECIPE_BY_RECIPE, "bn-momentum",
               (double)a->bn_momentum,
               "batch norm remembers about the last 160 pictures, or 10 batches");
    add(c, is_start_given ? RECIPE_BY_COMMAND_LINE : RECIPE_BY_RECIPE,
        a->bn_start ? "--bn-start mean" : "--bn-start stored", "%s",
        a->bn_start ? "there is nothing to remember before the first batch"
                    : "goes on from the statistics that are there");
}

static void choose_clip(struct chooser *c)
{
    float *norm = &c->args->clip_norm;
    bool is_given = *norm >= 0.0f;
    *norm = is_given ? *norm : CLIP_NORM;
    add_number(c, is_given ? RECIPE_BY_COMMAND_LINE : RECIPE_BY_RECIPE, "clip-norm", (double)*norm,
               "bounds what a single batch can do");
}

static void choose_anchors(struct chooser *c)
{
    float *overlap = &c->args->assign_iou;
    const struct layer *head;
    bool can = false, is_cfg = false;
    for (int n = 0; (head = network_head_layer(c->basis->net, n)) != NULL; n++) {
        can = can || yolo_head_can_assign(head);
        is_cfg = is_cfg || cfg_find(head->section, "iou_thresh") != NULL;
    }
    if (*overlap >= 0.0f) {
        add_number(c, RECIPE_BY_COMMAND_LINE, "assign-iou", (double)*overlap, "as said");
    } else if (is_cfg) {
        add(c, RECIPE_BY_CFG, "--assign-iou", "the heads have their own iou_thresh");
    } else if (can) {
        *overlap = RECIPE_ASSIGN_IOU;
        add_number(c, RECIPE_BY_RECIPE, "assign-iou", (double)*overlap,
                   "a box trains every anchor that is near, not one");
    }
}

static void choose_mosaic(struct chooser *c)
{
    struct train_args *a = c->args;
    const struct stage_words *w = &a->stages;
    if (a->close_mosaic >= 0) {
        add_number(c, RECIPE_BY_COMMAND_LINE, "close-mosaic", a->close_mosaic, "passes");
        return;
    }
    uint64_t passes = c->per_epoch > 0 ? c->updates / c->per_epoch : 0;
    bool has_mosaic = c->net->mosaic && !w->no_mosaic && !w->no_augment;
    a->close_mosaic = 0;
    if (has_mosaic && passes >= 10) {
        a->close_mosaic = passes / 10 < CLOSE_MOSAIC ? (int)(passes / 10) : CLOSE_MOSAIC;
        add_number(c, RECIPE_BY_RECIPE, "close-mosaic", a->close_mosaic,
                   "the last passes see pictures as they are found");
    }
}

/* mAP@.5 of a few dozen pictures is at its end long before the boxes fit. */
static void choose_best(struct chooser *c)
{
    int *best = &c->args->best;
    if (!c->has_boxes || c->basis->valid == 0) {
        return;
    }
    bool is_given = *best >= 0;
    *best = is_given ? *best : MEASURE_MAP;
    add(c, is_given ? RECIPE_BY_COMMAND_LINE : RECIPE_BY_RECIPE,
        *best == MEASURE_MAP ? "--best map" : "--best map50", "%s",
        *best == MEASURE_MAP ? "best.weights and patience go by mAP@.5:.95"
                             : "best.weights and patience go by mAP@.5");
}

/* ---- all together ---- */

/* What is not settled is the cfg's; the rest is as it always was. */
static void settle_darknet(struct train_args *a)
{
    a->recipe = RECIPE_DARKNET;
    a->clip_norm = a->clip_norm >= 0.0f ? a->clip_norm : 0.0f;
    a->bn_momentum = a->bn_momentum >= 0.0f ? a->bn_momentum : DARKNET_BN_MOMENTUM;
    a->close_mosaic = a->close_mosaic >= 0 ? a->close_mosaic : 0;
    a->stages.run.patience = a->stages.run.patience >= 0 ? a->stages.run.patience : 0;
}

static enum result look_at_stages(struct chooser *c, struct error *err)
{
    const struct string_list *texts = &c->args->stages.stages;
    c->has_stages = texts->count > 0;
    for (size_t i = 0; i < texts->count; i++) {
        struct stage_spec spec = {0};
        enum result result = stage_spec_parse(texts->items[i], &spec, err);
        c->stages_say_rate = c->stages_say_rate || spec.rate >= 0.0f;
        stage_spec_free(&spec);
        if (result != OK) {
            return error_prefix(err, "stage %zu", i + 1);
        }
    }
    return OK;
}

static enum result settle_auto(struct train_args *args, const struct recipe_basis *basis,
                               const struct base_cfg *base, struct recipe *recipe,
                               struct error *err)
{
    struct chooser c = {.args = args,
                        .basis = basis,
                        .net = &basis->net->options,
                        .stock = base->stem ? &base->net.options : NULL,
                        .has_boxes = network_head_count(basis->net) > 0,
                        .recipe = recipe};
    c.counts_keys = !c.stock && !c.has_boxes && args->recipe != RECIPE_AUTO;
    TRY(look_at_stages(&c, err));
    args->recipe = RECIPE_AUTO;
    snprintf(recipe->title, sizeof recipe->title,
             "auto, by %zu %s and a start from %s; %s%s (--recipe darknet: all as the cfg says)",
             basis->images, basis->is_table ? "rows" : "pictures",
             basis->begins_loaded ? "weights" : "random numbers",
             base->stem      ? "of the cfg counts what differs from "
             : c.counts_keys ? "a cfg with layers of its own, of whose [net] each key counts"
                             : "a cfg with layers of its own",
             base->stem ? base->stem : "");
    choose_batch(&c);
    choose_optimizer(&c);
    choose_policy(&c);
    choose_length(&c);
    choose_warmup(&c);
    choose_validation(&c);
    choose_patience(&c);
    choose_averages(&c);
    choose_statistics(&c);
    choose_clip(&c);
    choose_anchors(&c);
    choose_mosaic(&c);
    choose_best(&c);
    return OK;
}

enum result recipe_settle(struct train_args *args, const struct recipe_basis *basis,
                          struct recipe *recipe, struct error *err)
{
    struct base_cfg base = {0};
    if (args->resumes) {
        snprintf(recipe->title, sizeof recipe->title, "as the run began (args.json)");
        return OK;
    }
    enum result result = OK;
    if (args->recipe != RECIPE_DARKNET) {
        result = base_cfg_find(&basis->net->cfg, &base, err);
    }
    bool has_boxes = network_head_count(basis->net) > 0;
    if (result == OK && (args->recipe == RECIPE_AUTO ||
                         (args->recipe != RECIPE_DARKNET && (base.stem || !has_boxes)))) {
        result = settle_auto(args, basis, &base, recipe, err);
    } else if (result == OK) {
        snprintf(
            recipe->title, sizeof recipe->title, "%s",
            args->recipe == RECIPE_DARKNET
                ? "darknet: what is not given is the cfg's"
                : "darknet, since the cfg has layers of its own: what is not given is the cfg's "
                  "(--recipe auto)");
        settle_darknet(args);
    }
    base_cfg_free(&base);
    return result;
}

void recipe_move_steps(const struct train_args *args, struct net_options *options,
                       uint64_t updates_per_epoch)
{
    int policy = args->stages.run.policy >= 0 ? args->stages.run.policy : (int)options->policy;
    bool follows = args->recipe == RECIPE_AUTO || args->fits_time;
    if (!follows || policy != RATE_STEPS || options->max_batches < 1) {
        return;
    }
    uint64_t updates =
        stage_words_updates(&args->stages, updates_per_epoch, (uint64_t)options->max_batches);
    double factor = (double)updates / (double)options->max_batches;
    for (size_t i = 0; i < options->step_count; i++) {
        options->steps[i] = (int)fmin(options->steps[i] * factor, 2e9);
    }
}

cJSON *recipe_json(const struct recipe *recipe)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; array && i < recipe->count; i++) {
        const struct recipe_choice *choice = &recipe->choices[i];
        cJSON *item = cJSON_CreateObject();
        bool is_whole = cJSON_AddStringToObject(item, "choice", choice->flag) &&
                        cJSON_AddStringToObject(item, "by", recipe_by_names[choice->by]) &&
                        cJSON_AddStringToObject(item, "why", choice->reason) &&
                        cJSON_AddItemToArray(array, item);
        if (!is_whole) {
            cJSON_Delete(item);
            cJSON_Delete(array);
            return NULL;
        }
    }
    return array;
}
