#include "train/stages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cfg/cfg.h"
#include "net/features.h"
#include "net/task.h"
#include "net/backbone.h"

enum { MAX_STAGE_LINE = 4096, WARMUP_SHARE = 10 };

static const char *const bn_names[] = {"auto", "eval", "frozen", "train"};

/* One stage, however it was asked for. */
struct request {
    struct freeze_set freeze;      /* taken over */
    const struct stage_spec *said; /* of this stage alone */
    struct stage_spec spec;        /* with what it leaves to the run */
    uint64_t iterations;
    uint64_t offset, length; /* of the schedule: updates of it that lie before, and in all */
    bool keeps_warmup;       /* the cfg's burn_in as it is; else at most a share of the stage */
};

/* ---- one stage ---- */

static enum result settle_schedule(const struct stage_basis *b, const struct request *r,
                                   struct schedule *s, struct error *err)
{
    const struct stage_spec *spec = &r->spec;
    const struct net_options *net = &b->net->options;
    *s = schedule_of_net(net, b->seed);
    s->length = (long)r->length;
    if (s->sgdr_cycle == net->max_batches) { /* the cfg's default */
        s->sgdr_cycle = (int)r->length;
    }
    s->rate = spec->rate >= 0.0f ? spec->rate : s->rate;
    if (!(s->rate > 0)) { /* the cfg's is not: network.c */
        return error_set(err, ERR_ARG, "--lr 0 trains nothing (--freeze holds layers still)");
    }
    s->rate_min = s->rate_min < s->rate ? s->rate_min : s->rate;
    s->policy = spec->policy >= 0 ? (enum rate_policy)spec->policy : s->policy;
    if (spec->warmup >= 0) {
        s->warmup = spec->warmup;
    } else if (!r->keeps_warmup && s->warmup > s->length / WARMUP_SHARE) {
        s->warmup = s->length / WARMUP_SHARE;
    }
    if (s->policy == RATE_STEPS && s->step_count == 0) {
        return error_at(
            err, ERR_ARG, b->net->cfg.path, 0,
            "policy steps needs the cfg's lists steps and scales (or --lr-policy constant)");
    }
    return OK;
}

static const char nothing_scaled[] = "none of these layers is trained, each is frozen or without "
                                     "weights, so there is no rate to scale";

/* "0-9,12=0.1,20-29=.5": the sets end at their factors. *acts: one of their layers is trained. */
static enum result settle_rate_scale(const char *text, const struct network *net,
                                     const bool *frozen, float **scale, bool *acts,
                                     struct error *err)
{
    size_t layers = (size_t)net->layer_count;
    char *copy = mem_strdup(text);
    bool *set = mem_alloc(layers, sizeof *set);
    *scale = mem_alloc(layers, sizeof **scale);
    enum result result = copy && set && *scale ? OK : mem_error(err, "--lr-scale");
    for (size_t i = 0; result == OK && i < layers; i++) {
        (*scale)[i] = 1.0f;
    }
    for (char *at = copy; result == OK && at && *at;) {
        char *equals = strchr(at, '='), *end = equals;
        double factor = equals ? strtod(equals + 1, &end) : 0.0;
        if (!equals || end == equals + 1 || (*end && *end != ',') ||
            !(factor >= 0.0 && factor <= 1e6)) {
            result = error_set(err, ERR_ARG,
                               "--lr-scale %.200s: must be layers=factor, as in 0-9=0.1,10-19=0.5",
                               text);
            break;
        }
        if ((float)factor == 0.0f) {
            result =
                error_set(err, ERR_ARG,
                          "--lr-scale %.200s: a factor of 0 trains nothing (--freeze %.*s keeps "
                          "the layers as they are)",
                          text, (int)(equals - at), at);
            break;
        }
        *equals = '\0';
        memset(set, 0, layers * sizeof *set);
        result = layer_set_add("lr-scale", at, net, set, err);
        for (size_t i = 0; result == OK && i < layers; i++) {
            (*scale)[i] = set[i] ? (float)factor : (*scale)[i];
            *acts = *acts || (set[i] && !frozen[i] && net->layers[i].param_count > 0);
        }
        at = *end ? end + 1 : end;
    }
    mem_free(copy);
    mem_free(set);
    return result;
}

static const char *augment_name(const struct train_stage *stage)
{
    return !stage->augments ? "off" : stage->no_mosaic ? "no-mosaic" : "on";
}

static void write_title(const struct stage_basis *b, struct train_stage *stage)
{
    char frozen[96];
    freeze_describe(b->net, stage->freeze.frozen, frozen, sizeof frozen);
    int used =
        snprintf(stage->title, sizeof stage->title, "freeze=%s bn=%s lr=%g %s %s", frozen,
                 bn_names[stage->freeze.bn], (double)stage->schedule.rate,
                 rate_policies[stage->schedule.policy].name, optimizer_kind_name(b->optimizer));
    if (stage->cache_features > 0 && used > 0 && (size_t)used < sizeof stage->title) {
        snprintf(stage->title + used, sizeof stage->title - (size_t)used, " cache-features=%d",
                 stage->cache_features);
    }
}

/* K of --cache-features where the beginning of the network is frozen; a stage that asks for it itself must be
 * such a one. */
static enum result settle_features(const struct stage_basis *b, const struct request *r,
                                   struct train_stage *stage, struct error *err)
{
    int wanted = r->spec.cache_features;
    struct features features = {0};
    if (wanted > 0 && task_of(b->net) == TASK_RECONSTRUCT) {
        return error_set(err, ERR_ARG,
                         "cache-features=%d: the network's target is the picture itself, which "
                         "kept features lack",
                         wanted);
    }
    enum result result = features_find(b->net, stage->freeze.modes, &features, err);
    stage->cache_features = result == OK && features.kept > 0 ? wanted : 0;
    if (result == OK && features.kept == 0 && r->said->cache_features > 0) {
        result = error_set(
            err, ERR_ARG,
            "cache-features=%d: no layer at the beginning of the network is frozen, so there "
            "are no features to keep (freeze=0-N, and bn other than train)",
            wanted);
    }
    features_free(&features);
    return result;
}

static enum result settle_stage(const struct stage_basis *b, const struct request *r,
                                struct stage_plan *plan, struct train_stage *stage,
                                struct error *err)
{
    const struct stage_spec *spec = &r->spec;
    *stage = (struct train_stage){
        .freeze = r->freeze,
        .schedule_offset = r->offset,
        .iterations = r->iterations,
        .patience = spec->patience,
        .augments = spec->augment != STAGE_AUGMENT_OFF,
        .no_mosaic = spec->augment == STAGE_AUGMENT_NO_MOSAIC,
    };
    TRY(freeze_set_check(&stage->freeze, err));
    TRY(settle_schedule(b, r, &stage->schedule, err));
    TRY(settle_features(b, r, stage, err));
    if (spec->lr_scale) {
        bool acts = false;
        TRY(settle_rate_scale(spec->lr_scale, b->net, stage->freeze.frozen, &stage->rate_scale,
                              &acts, err));
        if (r->said->lr_scale && !acts) {
            return error_set(err, ERR_ARG, "lr-scale=%.200s: %s", spec->lr_scale, nothing_scaled);
        }
        plan->scales_run = plan->scales_run || (acts && !r->said->lr_scale);
    }
    write_title(b, stage);
    return OK;
}

static struct request request_of(const struct stage_basis *b, const struct stage_spec *said)
{
    return (struct request){.said = said, .spec = stage_words_fill(b->words, said)};
}

/* Takes over r->freeze. */
static enum result add_stage(const struct stage_basis *b, struct stage_plan *plan,
                             struct request *r, struct error *err)
{
    enum result result =
        mem_grow((void **)&plan->stages, plan->count, &plan->capacity, sizeof *plan->stages, err);
    if (result != OK) {
        freeze_set_free(&r->freeze);
        return result;
    }
    return settle_stage(b, r, plan, &plan->stages[plan->count++], err);
}

/* The stage in which words and cfg freeze, at this moment of the run; NULL: what the cfg freezes for good. */
static enum result add_frozen(const struct stage_basis *b, struct stage_plan *plan,
                              const struct freeze_time *at, struct request *r, struct error *err)
{
    enum result result =
        freeze_set_make(b->net, r->spec.freeze, (enum bn_policy)r->spec.bn, at, &r->freeze, err);
    if (result != OK) {
        freeze_set_free(&r->freeze);
        return result;
    }
    return add_stage(b, plan, r, err);
}

/* ---- --stage ---- */

/* How far the stages so far go, where each said it in that unit; else -1. */
struct reach {
    long epochs, updates;
};

static enum result span_of(const char *key, const char *text, long *reach, size_t number,
                           long *count, struct error *err)
{
    long first, last;
    if (!stage_span_parse(text, &first, &last)) {
        return error_set(err, ERR_ARG, "%s=%.40s: must be a number, or a span as in 11-20", key,
                         text);
    }
    if (first > 0 && *reach < 0) {
        return error_set(err, ERR_ARG,
                         "%s=%s: a span needs the length of all stages before it in %s, too", key,
                         text, key);
    }
    if (first > 0 && first != *reach + 1) {
        return error_set(err, ERR_ARG, "%s=%s: %s (stage %zu goes to %ld: begin at %ld)", key, text,
                         first <= *reach ? "stages overlap" : "a gap between stages", number - 1,
                         *reach, *reach + 1);
    }
    *count = first > 0 ? last - first + 1 : last;
    *reach = *reach < 0 ? -1 : *reach + *count;
    return OK;
}

static enum result length_of(const struct stage_basis *b, const struct stage_spec *spec,
                             struct reach *reach, size_t number, uint64_t *iterations,
                             struct error *err)
{
    long count;
    if (!spec->epochs == !spec->iters) {
        return error_set(err, ERR_ARG, "%s: how long? (epochs=N or iters=N)",
                         spec->epochs ? "epochs and iters" : "no length");
    }
    if (spec->epochs) {
        TRY(span_of("epochs", spec->epochs, &reach->epochs, number, &count, err));
        *iterations = (uint64_t)count * b->updates_per_epoch;
        reach->updates = -1;
    } else {
        TRY(span_of("iters", spec->iters, &reach->updates, number, &count, err));
        *iterations = (uint64_t)count;
        reach->epochs = -1;
    }
    if (*iterations >= STAGE_TOO_LONG) {
        return error_set(err, ERR_ARG, "%" PRIu64 " updates: too many", *iterations);
    }
    return OK;
}

static enum result add_spec(const struct stage_basis *b, struct stage_plan *plan,
                            const struct stage_spec *spec, struct reach *reach, struct error *err)
{
    size_t number = plan->count + 1;
    struct request r = request_of(b, spec);
    TRY(length_of(b, spec, reach, number, &r.iterations, err));
    r.length = r.iterations;
    int line;
    const char *timed = freeze_cfg_key(b->net, true, &line);
    if (timed && !freeze_frees_all(r.spec.freeze)) {
        return error_at(err, ERR_ARG, b->net->cfg.path, line,
                        "%s=N and --stage both plan the run: take one of them out", timed);
    }
    return add_frozen(b, plan, NULL, &r, err);
}

static bool same_scale(const struct network *net, const float *a, const float *b)
{
    for (int i = 0; i < net->layer_count; i++) {
        if ((a ? a[i] : 1.0f) != (b ? b[i] : 1.0f)) {
            return false;
        }
    }
    return true;
}

/* A stage must have a point. */
static enum result check_new(const struct network *net, const struct train_stage *before,
                             const struct train_stage *stage, size_t number, struct error *err)
{
    bool unfreezes = false, freezes = false;
    for (int i = 0; i < net->layer_count; i++) {
        unfreezes = unfreezes || (before->freeze.frozen[i] && !stage->freeze.frozen[i]);
        freezes = freezes || (!before->freeze.frozen[i] && stage->freeze.frozen[i]);
    }
    bool is_same = before->freeze.bn == stage->freeze.bn &&
                   before->schedule.rate == stage->schedule.rate &&
                   before->schedule.policy == stage->schedule.policy &&
                   before->augments == stage->augments && before->no_mosaic == stage->no_mosaic &&
                   same_scale(net, before->rate_scale, stage->rate_scale);
    if (unfreezes || !is_same) {
        return OK;
    }
    if (freezes) {
        log_warn("stage %zu unfreezes nothing, it only freezes more", number);
        return OK;
    }
    return error_set(err, ERR_ARG,
                     "unfreezes nothing new, and changes nothing else (freeze, bn, lr, policy, "
                     "lr-scale, augment): make it one stage with the one before");
}

static enum result plan_specs(const struct stage_basis *b, struct stage_plan *plan,
                              struct error *err)
{
    const struct string_list *texts = &b->words->stages;
    struct reach reach = {0, 0};
    for (size_t i = 0; i < texts->count; i++) {
        struct stage_spec spec = {0};
        enum result result = stage_spec_parse(texts->items[i], &spec, err);
        if (result == OK) {
            result = add_spec(b, plan, &spec, &reach, err);
        }
        stage_spec_free(&spec);
        if (result == OK && i > 0) {
            result = check_new(b->net, &plan->stages[i - 1], &plan->stages[i], i + 1, err);
        }
        if (result != OK) {
            return error_prefix(err, "stage %zu", i + 1);
        }
    }
    return OK;
}

/* ---- from the run's own options ---- */

static enum result total_length(const struct stage_basis *b, uint64_t *iterations,
                                struct error *err)
{
    const struct stage_words *words = b->words;
    uint64_t most = (uint64_t)b->net->options.max_batches;
    *iterations = stage_words_updates(words, b->updates_per_epoch, most);
    if (*iterations == 0) {
        return error_at(err, ERR_ARG, b->net->cfg.path, 0,
                        "no max_batches in it: how long? (--epochs N, --iters N or --time H)");
    }
    if (*iterations >= STAGE_TOO_LONG) {
        return error_set(err, ERR_ARG, "%" PRIu64 " updates: too many", *iterations);
    }
    return OK;
}

/* What burnin_update counts in: updates of the warm-up. */
static uint64_t run_burn_in(const struct stage_basis *b)
{
    int asked = b->words->run.warmup;
    return (uint64_t)(asked >= 0 ? asked : b->net->options.burn_in);
}

static void warn_without_burn_in(const struct network *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->burnin_update > 0 && l->param_count > 0) {
            log_warn("%s:%d: [%s] burnin_update has no effect: the run has no burn_in",
                     net->cfg.path, cfg_find(l->section, "burnin_update")->line, l->section->name);
        }
    }
}

/* One stage, cut where the cfg's stopbackward=N, dont_update=N and burnin_update=K end; the schedule runs through. */
static enum result plan_plain(const struct stage_basis *b, struct stage_plan *plan,
                              struct error *err)
{
    const char *freeze = b->words->run.freeze;
    struct freeze_time at = {.burn_in = run_burn_in(b)};
    uint64_t total;
    TRY(total_length(b, &total, err));
    if (at.burn_in == 0 && !freeze_frees_all(freeze)) {
        warn_without_burn_in(b->net);
    }
    while (at.updates < total) {
        uint64_t border = freeze_next_change(b->net, freeze, &at);
        uint64_t end = border > 0 && border < total ? border : total;
        struct request r = request_of(b, &stage_spec_unsaid);
        r.iterations = end - at.updates;
        r.offset = at.updates;
        r.length = total;
        r.keeps_warmup = !b->fits_time;
        TRY(add_frozen(b, plan, &at, &r, err));
        at.updates = end;
    }
    return OK;
}

/* ---- --unfreeze-every ---- */

enum { LEVEL_HEAD, LEVEL_NECK, LEVEL_BACKBONE /* its coarsest grid; finer ones follow */ };

/* levels[layer_count] says how late a layer joins: first the heads, then the neck, then the backbone's grids from the
 * coarsest to the finest; -1 for layers without parameters. *count gets the number of levels; none of them is empty. */
static enum result find_levels(const struct network *net, int *levels, int *count,
                               struct error *err)
{
    enum net_part *parts = mem_alloc((size_t)net->layer_count, sizeof *parts);
    if (!parts) {
        return mem_error(err, "gradual unfreezing");
    }
    enum result result = parts_find(net, parts, err);
    for (int i = 0; result == OK && i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        levels[i] = parts[i] == PART_HEAD   ? LEVEL_HEAD
                    : parts[i] == PART_NECK ? LEVEL_NECK
                                            : LEVEL_BACKBONE + (l->out.w > 0 ? l->out.w : 0);
        levels[i] = l->param_count > 0 ? levels[i] : -1;
    }
    mem_free(parts);
    *count = 0;
    for (int floor = 0; result == OK;) { /* number them without gaps */
        int least = -1;
        for (int i = 0; i < net->layer_count; i++) {
            if (levels[i] >= floor && (least < 0 || levels[i] < least)) {
                least = levels[i];
            }
        }
        if (least < 0) {
            break;
        }
        for (int i = 0; i < net->layer_count; i++) {
            levels[i] = levels[i] == least ? *count : levels[i];
        }
        floor = least + 1;
        (*count)++;
    }
    return result;
}

static enum result add_level(const struct stage_basis *b, struct stage_plan *plan,
                             const int *levels, int level, struct request *r, struct error *err)
{
    struct freeze_set *set = &r->freeze;
    *set = (struct freeze_set){.bn = (enum bn_policy)r->spec.bn};
    set->frozen = mem_alloc((size_t)b->net->layer_count, sizeof *set->frozen);
    if (!set->frozen) {
        return mem_error(err, "a stage");
    }
    for (int i = 0; i < b->net->layer_count; i++) {
        set->frozen[i] = levels[i] > level;
    }
    enum result result = freeze_set_settle(b->net, set, err);
    if (result != OK) {
        freeze_set_free(set);
        return result;
    }
    return add_stage(b, plan, r, err);
}

static void warn_own_freezing(const struct network *net)
{
    for (int is_timed = 0; is_timed < 2; is_timed++) {
        int line;
        const char *key = freeze_cfg_key(net, is_timed, &line);
        if (key) {
            log_warn("%s:%d: %s has no effect beside --unfreeze-every, which says what is frozen",
                     net->cfg.path, line, key);
        }
    }
}

static enum result plan_gradual(const struct stage_basis *b, struct stage_plan *plan,
                                const int *levels, int level_count, struct error *err)
{
    warn_own_freezing(b->net);
    const struct stage_words *words = b->words;
    int first = words->unfreeze_from < level_count ? words->unfreeze_from : level_count - 1;
    uint64_t every = (uint64_t)words->unfreeze_every * b->updates_per_epoch;
    uint64_t total, before = every * (uint64_t)(level_count - 1 - first);
    TRY(total_length(b, &total, err));
    if (before >= total) {
        return error_set(
            err, ERR_ARG,
            "--unfreeze-every %d: %d parts join one after the other, which takes more than "
            "%" PRIu64 " epochs (--epochs N, or a smaller --unfreeze-every)",
            words->unfreeze_every, level_count - 1 - first, before / b->updates_per_epoch);
    }
    struct request r = request_of(b, &stage_spec_unsaid);
    r.length = total;
    r.keeps_warmup = !b->fits_time;
    for (int level = first; level < level_count; level++) {
        r.iterations = level == level_count - 1 ? total - r.offset : every;
        TRY(add_level(b, plan, levels, level, &r, err));
        r.offset += every;
    }
    return OK;
}

/* ---- all together ---- */

static enum result write_lines(const struct stage_basis *b, struct stage_plan *plan,
                               struct error *err)
{
    size_t size = plan->count * MAX_STAGE_LINE, used = 0;
    char *text = mem_alloc(size, 1);
    if (!text) {
        return mem_error(err, "stages");
    }
    plan->lines = text;
    for (size_t i = 0; i < plan->count; i++) {
        const struct train_stage *s = &plan->stages[i];
        char frozen[MAX_STAGE_LINE / 2];
        uint64_t scale = 0;
        if (s->rate_scale) {
            scale = state_hash_of(s->rate_scale, (size_t)b->net->layer_count * sizeof(float));
        }
        if (!freeze_describe(b->net, s->freeze.frozen, frozen, sizeof frozen)) {
            return mem_error(err, "stages"); /* a resumed run compares the lines */
        }
        used += (size_t)snprintf(
            text + used, size - used,
            "freeze=%s bn=%s updates=%" PRIu64 " lr=%.9g policy=%s warmup=%ld from=%" PRIu64
            " of=%ld patience=%d augment=%s lr-scale=%" PRIx64 " cache-features=%d\n",
            frozen, bn_names[s->freeze.bn], s->iterations, (double)s->schedule.rate,
            rate_policies[s->schedule.policy].name, s->schedule.warmup, s->schedule_offset,
            s->schedule.length, s->patience, augment_name(s), scale, s->cache_features);
    }
    return OK;
}

/* --cache-features and --lr-scale have to act in some stage. */
static enum result check_acts(const struct stage_basis *b, const struct stage_plan *plan,
                              struct error *err)
{
    const struct stage_spec *run = &b->words->run;
    bool caches = false;
    for (size_t i = 0; i < plan->count; i++) {
        caches = caches || plan->stages[i].cache_features > 0;
    }
    if (run->cache_features > 0 && !caches) {
        return error_set(
            err, ERR_ARG,
            "--cache-features %d: no layer at the beginning of the network is frozen, so there "
            "are no features to keep (--freeze 0-N, and --bn other than train)",
            run->cache_features);
    }
    if (b->limits_features && !caches) {
        return error_set(
            err, ERR_ARG,
            "--cache-features-gb limits what --cache-features K keeps, and nothing is kept");
    }
    if (run->lr_scale && !plan->scales_run) {
        return error_set(err, ERR_ARG, "--lr-scale %.200s: %s", run->lr_scale, nothing_scaled);
    }
    return OK;
}

enum result stage_plan_make(const struct stage_basis *basis, struct stage_plan *plan,
                            struct error *err)
{
    const struct stage_words *words = basis->words;
    if (words->stages.count > 0) {
        TRY(plan_specs(basis, plan, err));
    } else if (words->unfreeze_every > 0) {
        int count = 0, *levels = mem_alloc((size_t)basis->net->layer_count, sizeof *levels);
        enum result result =
            levels ? find_levels(basis->net, levels, &count, err) : mem_error(err, "stages");
        if (result == OK) {
            result = plan_gradual(basis, plan, levels, count, err);
        }
        mem_free(levels);
        TRY(result);
    } else {
        TRY(plan_plain(basis, plan, err));
    }
    TRY(check_acts(basis, plan, err));
    return write_lines(basis, plan, err);
}

void stage_plan_free(struct stage_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        freeze_set_free(&plan->stages[i].freeze);
        mem_free(plan->stages[i].rate_scale);
    }
    mem_free(plan->stages);
    mem_free(plan->lines);
    *plan = (struct stage_plan){0};
}
