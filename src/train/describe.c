#include "train/describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/parallel.h"
#include "base/ranks.h"
#include "base/text.h"
#include "layers/yolo_head.h"
#include "train/batch_source.h"
#include "train/memory_need.h"
#include "train/rank_sum.h"
#include "train/time_fit.h"

/* Learning rate times iou_normalizer: on small nets .015 learned well, and at .045 the boxes
 * collapsed. */
static const float BOX_RATE = 0.02f;

static void say(bool to_stdout, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(bool to_stdout, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (to_stdout) {
        puts(text_mask(line));
    } else {
        log_info("%s", line);
    }
}

static void describe_length(const struct training *t, size_t stage, bool to_stdout)
{
    const struct train_stage *s = &t->plan.stages[stage];
    uint64_t images = training_images_per_update(t);
    long end = (long)(s->schedule_offset + s->iterations);
    say(to_stdout, "length    %" PRIu64 " updates of %" PRIu64 " pictures (%d x %d), %.1f epochs",
        s->iterations, images, t->options.subdivisions, t->options.mini_batch,
        (double)s->iterations * (double)images / (double)t->train.sample_count);
    say(to_stdout, "rate      %g, policy %s, warm-up %ld updates, %g at the end; %s",
        (double)s->schedule.rate, rate_policies[s->schedule.policy].name, s->schedule.warmup,
        (double)schedule_rate(&s->schedule, end), optimizer_kind_name(t->options.optimizer.kind));
}

/* Does the run end by its length, or by the clock? */
static void describe_time(const struct training *t, bool to_stdout)
{
    char limit[32];
    hours_describe(t->options.time_limit_s / 3600.0, limit, sizeof limit);
    if (t->time_fit.text[0]) {
        say(to_stdout, "time      %s (the clock ends the run after %s)", t->time_fit.text, limit);
    } else if (t->options.time_limit_s > 0.0) {
        say(to_stdout, "time      the clock ends the run after %s; the rate falls by the length%s",
            limit, t->options.resumes ? "" : " (--time alone makes that fit)");
    }
}

/* With other processes: what travels in an update. Statistics go with each mini-batch. */
static void describe_others(const struct training *t, const struct freeze_totals *f, bool to_stdout)
{
    double others = ranks_count() - 1.0;
    double gradient = rank_sum_sent(t->options.subdivisions, sizeof(float) * (double)f->moving);
    double statistics =
        others * training_mini_batches(t) * sizeof(float) * (double)f->moving_statistics;
    if (others > 0.0) {
        say(to_stdout,
            "processes %d, %d of them on this host with %d threads each; in an update a process makes "
            "up to %d of %d mini-batches, and this one sends %.3g MB",
            ranks_count(), ranks_on_host(), parallel_threads(), training_mini_batches(t),
            t->options.subdivisions, (gradient + statistics) / 1e6);
    }
}

static void describe_stage(const struct training *t, size_t stage, bool to_stdout)
{
    const struct freeze_totals *f = &t->plan.stages[stage].freeze.totals;
    char frozen[160];
    if (t->plan.count > 1) {
        say(to_stdout, "-- stage %zu of %zu: %s", stage + 1, t->plan.count,
            t->plan.stages[stage].title);
    }
    freeze_describe(&t->model.net, t->plan.stages[stage].freeze.frozen, frozen, sizeof frozen);
    say(to_stdout, "frozen    layers %s: %d of %d with parameters, %zu values", frozen,
        f->frozen_layers, f->layers, f->frozen);
    say(to_stdout, "trained   %zu values, %zu of %zu statistics follow the batches", f->moving,
        f->moving_statistics, f->statistics);
    describe_length(t, stage, to_stdout);
    describe_others(t, f, to_stdout);
}

static bool is_loaded(const struct training *t, int layer)
{
    return t->begin.loaded[layer] == layer_values(&t->model.net.layers[layer]);
}

/* Which layers got their values from the weights file, which some of them, and which begin anew: for whoever comes from
 * other classes or a cut file. Layers without parameters go with the one before. */
static void describe_loaded(const struct training *t, bool to_stdout)
{
    enum { TAKEN, PARTLY, ANEW, WAYS };
    static const char *const words[WAYS] = {"taken", "partly", "anew"};
    const struct network *net = &t->model.net;
    bool *set = mem_alloc((size_t)net->layer_count, sizeof *set);
    size_t values[WAYS] = {0};
    for (int way = TAKEN; set && way < WAYS; way++) {
        char layers[160];
        for (int i = 0; i < net->layer_count; i++) {
            size_t all = layer_values(&net->layers[i]), taken = t->begin.loaded[i];
            int own = taken == all ? TAKEN : taken > 0 ? PARTLY : ANEW;
            set[i] = all > 0 ? own == way : way == TAKEN && i > 0 && set[i - 1];
            values[way] += set[i] && all > 0 ? (way == ANEW ? all : taken) : 0;
        }
        freeze_describe(net, set, layers, sizeof layers);
        if (way == TAKEN &&
            (values[TAKEN] == 0 || t->model.net.loaded_layers == net->layer_count)) {
            break;
        }
        if (values[way] > 0) {
            say(to_stdout, "  %-7s layers %s: %zu values", words[way], layers, values[way]);
        }
    }
    mem_free(set);
    for (size_t i = 0; i < 2 && t->begin.kept[0][0]; i++) {
        if (t->begin.kept[i][0]) {
            say(to_stdout, "%s", t->begin.kept[i]);
        }
    }
}

static void describe_recipe(const struct recipe *recipe, bool to_stdout)
{
    say(to_stdout, "recipe    %s", recipe->title);
    for (size_t i = 0; i < recipe->count; i++) {
        const struct recipe_choice *choice = &recipe->choices[i];
        say(to_stdout, "  %-20s %-7s %s", choice->flag, recipe_by_names[choice->by],
            choice->reason);
    }
}

static void describe_memory(const struct training *t, bool to_stdout)
{
    struct memory_need need;
    struct error ignored;
    double have = memory_free_now("");
    if (t->progress.stage < t->plan.count && memory_need_measure(t, &need, &ignored) == OK) {
        say(to_stdout,
            "memory    %.3g GB: parameters %.2g, a step %.2g, validation %.2g, pictures %.2g; %.3g GB "
            "are free",
            need.total / 1e9, need.parameters / 1e9, need.step / 1e9, need.validation / 1e9,
            need.pictures / 1e9, have / 1e9);
    }
}

static void describe_weights(const struct training *t, bool to_stdout)
{
    char text[400] = "";
    size_t used = 0, count = t->train.class_weights ? t->train.class_count : 0;
    for (size_t k = 0; k < count && used + 80 < sizeof text; k++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.40s %.3g", k ? ", " : "",
                                 t->model.names[k], (double)t->train.class_weights[k]);
        if (used + 80 >= sizeof text && k + 1 < count) {
            snprintf(text + used, sizeof text - used, ", ...");
        }
    }
    if (count > 0) {
        say(to_stdout, "weights   of the classes in the training loss: %s", text);
    }
}

/* How unlike the classes are in number. */
static void describe_classes(const struct dataset *set, char *text, size_t size)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t k = 0; k < set->class_count; k++) {
        size_t count = 0;
        for (size_t i = 0; i < set->sample_count; i++) {
            count += set->samples[i].class_id == (int)k;
        }
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    snprintf(text, size, ", %zu to %zu of each of %zu classes", least, most, set->class_count);
}

void training_describe(const struct training *t, bool to_stdout)
{
    char valid[96] = "no valid= set, so no validation and no best.weights";
    if (t->has_valid) {
        snprintf(valid, sizeof valid, "validation on %zu every %" PRIu64 " updates",
                 t->valid.sample_count, t->options.validate_every);
    }
    const struct model *model = &t->model;
    const char *names = model->names_path[0]                   ? model->names_path
                        : t->train.values && model->name_count ? "of the data"
                                                               : "none (class_0...)";
    if (model->name_count > 0) {
        say(to_stdout, "network   %s, %dx%d, %zu classes, names %s", model->cfg_path,
            model->net.size.w, model->net.size.h, model->name_count, names);
    } else {
        say(to_stdout, "network   %s, %dx%d, %s, %zu values", model->cfg_path, model->net.size.w,
            model->net.size.h, task_name(model->task), task_values(&model->net));
    }
    char objects[96] = "";
    if (model->head) {
        snprintf(objects, sizeof objects, ", %zu objects", dataset_count_boxes(&t->train));
    } else if (t->train.sample_count > 0 && t->train.samples[0].class_id >= 0) {
        describe_classes(&t->train, objects, sizeof objects);
    }
    say(to_stdout, "data      %s: %zu %s%s%s; %s", t->data.path, t->train.sample_count,
        t->train.features ? "rows" : "pictures", objects,
        t->scale.count > 0 ? ", features standardised" : "", valid);
    describe_weights(t, to_stdout);
    if (t->train.left_out_count + t->valid.left_out_count > 0) {
        say(to_stdout,
            "left out  %zu pictures to train on, %zu to validate on: label lines that cannot be used",
            t->train.left_out_count, t->valid.left_out_count);
    }
    say(to_stdout, "start     %s", t->begin.text);
    describe_loaded(t, to_stdout);
    if (t->quant_text[0]) {
        say(to_stdout, "int8      %s", t->quant_text);
    }
    describe_recipe(&t->recipe, to_stdout);
    if (t->advice.text[0]) {
        say(to_stdout, "freezing  %s", t->advice.text);
    }
    describe_time(t, to_stdout);
    describe_memory(t, to_stdout);
    for (size_t i = 0; i < t->plan.count; i++) {
        describe_stage(t, i, to_stdout);
    }
}

enum result training_check_features(const struct training *t, const char *folder, float limit_gb,
                                    bool to_stdout, struct error *err)
{
    for (size_t i = t->progress.stage; i < t->plan.count; i++) {
        const struct train_stage *stage = &t->plan.stages[i];
        struct replay_size size;
        char text[1024], where[32] = "";
        if (stage->cache_features == 0) {
            continue;
        }
        if (t->plan.count > 1) {
            snprintf(where, sizeof where, "stage %zu, ", i + 1);
        }
        TRY(batch_source_measure(&t->options, stage, &size, err));
        replay_describe(&size, folder, text, sizeof text);
        say(to_stdout, "features  %sof %s", where, text);
        TRY(replay_check(&size, folder, (uint64_t)((double)limit_gb * 1e9), err));
        if (t->options.random > 0.0f && stage->augments) {
            say(to_stdout,
                "features  %sall pictures at %dx%d: no multi-scale (random=) while features are "
                "kept",
                where, t->model.net.size.w, t->model.net.size.h);
        }
    }
    return OK;
}

static void warn_unloaded(const struct training *t, const struct train_stage *stage)
{
    const struct network *net = &t->model.net;
    int first = -1, count = 0;
    for (int i = 0; i < net->layer_count; i++) {
        if (stage->freeze.frozen[i] && !is_loaded(t, i)) {
            first = first < 0 ? i : first;
            count++;
        }
    }
    if (count == 1) {
        log_warn("layer %d is frozen, but no weights were loaded into it: it stays random", first);
    } else if (count > 1) {
        log_warn("%d frozen layers, the first of them layer %d, have no loaded weights: they stay "
                 "random",
                 count, first);
    }
}

static void warn_stage(const struct training *t, size_t stage)
{
    const struct train_stage *s = &t->plan.stages[stage];
    const struct freeze_totals *totals = &t->plan.stages[stage].freeze.totals;
    char where[32] = "";
    if (t->plan.count > 1) {
        snprintf(where, sizeof where, "stage %zu: ", stage + 1);
    }
    warn_unloaded(t, s);
    if (s->freeze.bn == BN_TRAIN && totals->frozen_layers > 0) {
        log_warn("%s--bn train: the stored statistics of frozen batch norms move with the batches; "
                 "what the "
                 "layers learned drifts although their weights keep (--bn auto keeps both)",
                 where);
    }
    if (t->options.mini_batch < 8 && totals->moving_statistics > 0 &&
        t->model.net.loaded_layers > 0) {
        log_info("hint: %sbatch norm with mini-batches of %d is noisy; --bn eval keeps the loaded "
                 "statistics",
                 where, t->options.mini_batch);
    }
    if (s->schedule.warmup > 0 && s->schedule.warmup >= s->schedule.length) {
        log_warn(
            "%sthe warm-up of %ld updates is as long as the run (%ld): the rate never gets to %g "
            "(--warmup N)",
            where, s->schedule.warmup, s->schedule.length, (double)s->schedule.rate);
    }
    if (s->cache_features > 1 && !s->augments) {
        log_info("hint: %swithout augmentation all %d variants of a picture are the same: "
                 "cache-features=1 does it",
                 where, s->cache_features);
    }
    double epochs = (double)s->iterations * (double)training_images_per_update(t) /
                    (double)t->train.sample_count;
    if (s->cache_features > 0 && epochs <= (double)s->cache_features) {
        log_warn("%scache-features=%d keeps the first %d epochs, but there are only %.1f: nothing "
                 "would be "
                 "trained from them",
                 where, s->cache_features, s->cache_features, epochs);
    }
    if (!t->has_valid && s->patience > 0) {
        log_warn("%s--patience has nothing to wait for: %s has no valid= set", where, t->data.path);
    }
}

/* Overlap losses have long gradients: where they weigh much at a high rate, boxes shrink to
 * nothing. */
static void warn_boxes(const struct training *t)
{
    const struct network *net = &t->model.net;
    float rate = 0.0f;
    for (size_t i = 0; i < t->plan.count; i++) {
        float own = t->plan.stages[i].schedule.rate;
        rate = own > rate ? own : rate;
    }
    const struct layer *head;
    for (int n = 0; (head = network_head_layer(net, n)) != NULL; n++) {
        float weight = yolo_head_overlap_weight(head);
        if (weight * rate > BOX_RATE) {
            log_warn("%s:%d: iou_normalizer %g at a rate of %g: boxes may collapse; watch IoU in "
                     "the log "
                     "(published cfgs have .07)",
                     t->model.cfg_path, head->section->line, (double)weight, (double)rate);
            return;
        }
    }
}

static void warn_validation(const struct training *t)
{
    if (!t->has_valid && t->options.validate_every > 0) {
        log_warn("--val-every has nothing to measure on: %s has no valid= set", t->data.path);
    }
}

void training_warn(const struct training *t)
{
    if (!t->options.resumes) {
        warn_boxes(t);
        warn_validation(t);
    }
    for (size_t i = 0; i < t->plan.count && !t->options.resumes; i++) {
        warn_stage(t, i);
    }
}
