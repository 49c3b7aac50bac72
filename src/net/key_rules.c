#include "net/key_rules.h"

#include <float.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Of [net]: they steer a GPU's memory and arithmetic, charts, printing, tracking. */
static const char *const silent_net_keys[] = {
    "loss_scale",
    "use_cuda_graph",
    "optimized_memory",
    "workspace_size_limit_MB",
    "max_chart_loss",
    "show_receptive_field",
    "seen",
    "seq_scales",
    "augment_speed",
    "sequential_subdivisions",
};

/* Of heads: printing; or without effect in Darknet's region layers, too. */
static const char *const silent_head_keys[] = {"show_details", "log", "sqrt", "absolute",
                                               "mask_scale"};

/* ---- named ---- */

struct named_key {
    const char *
        section; /* its kind; NULL: every layer; of_detectors, of_others: [net] of networks with heads, without */
    const char *key;
    float off;        /* the value that does nothing */
    const char *what; /* happens instead */
};

static const char without[] = "is not built here: training goes without it";

static const char of_detectors[] = "net of detectors", of_others[] = "net of others";

static const struct named_key named_keys[] = {
    {"net", "track", 0, without},
    {"net", "dynamic_minibatch", 0, without},
    {"net", "contrastive", 0, without},
    {"net", "contrastive_jit_flip", 0, without},
    {"net", "contrastive_color", 0, without},
    {"net", "unsupervised", 0, without},
    {"net", "weights_reject_freq", 0, without},
    {"net", "equidistant_point", 0, without},
    {"net", "badlabels_rejection_percentage", 0, without},
    {"net", "num_sigmas_reject_badlabels", 0, without},
    {"net", "attention", 0, without},
    {"net", "adversarial_lr", 0, without},
    {"net", "mosaic_bound", 0, without},
    {of_detectors, "cutmix", 0, "has no effect: it is for classifiers, in Darknet too"},
    {of_others, "cutmix", 0, without},
    {of_others, "mosaic", 0, "has no effect: it is for detectors"},
    {of_others, "mixup", 0, "has no effect: it is for detectors here"},
    {of_detectors, "angle", 0, "has no effect: pictures are not turned in training"},
    {of_detectors, "aspect", 1,
     "has no effect: the heads' jitter and resize change shapes in training"},
    {of_detectors, "label_smooth_eps", 0, "has no effect: the heads' own label_smooth_eps acts"},
    {"net", "try_fix_nan", 0, "has no effect: an update that is not finite is undone"},
    {"net", "max_epochs", 0, "has no effect: max_batches says how long"},
    {NULL, "clip", 0, "is not built here: weights are not clamped (--clip-norm limits gradients)"},
    {"convolutional", "cbn", 0, "is not built here: batch norm takes one mini-batch's statistics"},
    {"convolutional", "grad_centr", 0, without},
    {"convolutional", "coordconv", 0, "has no effect, in Darknet neither"},
    {"dropout", "dropblock", 0, "is not built: plain dropout"},
    {"dropout", "dropblock_size_rel", 0, "has no effect: plain dropout has no blocks"},
    {"dropout", "dropblock_size_abs", 0, "has no effect: plain dropout has no blocks"},
    {"crop", "flip", 0, without},
    {"crop", "angle", 0, without},
    {"crop", "saturation", 1, without},
    {"crop", "exposure", 1, without},
    {"crop", "shift", 0, without},
};

static void pass_over(struct cfg_section *section, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)cfg_find(section, keys[i]);
    }
}

/* `kind`: the layer's; NULL: [net]. */
static bool is_for(const struct named_key *key, const char *kind, bool has_heads)
{
    if (key->section == of_detectors || key->section == of_others) {
        return !kind && (key->section == of_detectors) == has_heads;
    }
    bool is_net = key->section && strcmp(key->section, "net") == 0;
    return kind ? !is_net && (!key->section || strcmp(key->section, kind) == 0) : is_net;
}

static enum result name_key(struct cfg_section *section, const struct named_key *key,
                            bool can_train, struct error *err)
{
    const struct cfg_option *option = cfg_find(section, key->key);
    float value;
    TRY(cfg_float(section, key->key, key->off, -FLT_MAX, FLT_MAX, &value, err));
    if (can_train && value != key->off) {
        log_warn("%s:%d: [%s] %s %s", section->path, option->line, section->name, key->key,
                 key->what);
    }
    return OK;
}

/* How a network is trained, which is what most keys are for. */
struct uses {
    bool can_train, has_heads;
};

static enum result name_keys(struct cfg_section *section, const char *kind, const struct uses *uses,
                             struct error *err)
{
    pass_over(section, kind ? silent_head_keys : silent_net_keys,
              kind ? COUNT(silent_head_keys) : COUNT(silent_net_keys));
    for (size_t i = 0; i < COUNT(named_keys); i++) {
        if (is_for(&named_keys[i], kind, uses->has_heads)) {
            TRY(name_key(section, &named_keys[i], uses->can_train, err));
        }
    }
    return OK;
}

/* Keys of weights on a layer that has none. */
static void name_weightless(const struct layer *l)
{
    static const char *const keys[] = {"dont_update", "burnin_update"};
    for (size_t k = 0; k < COUNT(keys) && l->param_count == 0; k++) {
        const struct cfg_option *option = cfg_find(l->section, keys[k]);
        if (option) {
            log_warn("%s:%d: [%s] %s has no effect: the layer has no weights", l->section->path,
                     option->line, l->section->name, keys[k]);
        }
    }
}

enum result keys_name(struct cfg *cfg, const struct layer *layers, int count, struct error *err)
{
    struct uses uses = {false, false};
    for (int i = 0; i < count; i++) {
        uses.has_heads = uses.has_heads || layers[i].ops->head;
        uses.can_train = uses.can_train || layers[i].has_loss;
    }
    TRY(name_keys(&cfg->sections[0], NULL, &uses, err));
    for (int i = 0; i < count; i++) {
        TRY(name_keys(layers[i].section, layers[i].ops->name, &uses, err));
    }
    cfg_warn_unused(cfg);
    for (int i = 0; i < count; i++) {
        name_weightless(&layers[i]);
    }
    return OK;
}

/* ---- refused ---- */

static const struct refused_key {
    const char *kind, *key;
    const char *what; /* the key asks for, whatever its value; NULL: a switch, 0 is off */
} refused_keys[] = {
    {"convolutional", "antialiasing", NULL},
    {"convolutional", "flipped", NULL},
    {"convolutional", "binary", NULL},
    {"convolutional", "xnor", NULL},
    {"convolutional", "bin_output", NULL},
    {"convolutional", "assisted_excitation", NULL},
    {"convolutional", "sway", NULL},
    {"convolutional", "rotate", NULL},
    {"convolutional", "stretch", NULL},
    {"convolutional", "stretch_sway", NULL},
    {"convolutional", "share_index", ""},
    {"maxpool", "antialiasing", NULL},
    {"maxpool", "maxpool_zero_nonmax", NULL},
    {"local_avgpool", "antialiasing", NULL},
    {"reorg", "reverse", NULL},
    {"softmax", "tree", "= (hierarchical classes)"},
    {"region", "tree", "= (hierarchical classes)"},
    {"region", "map", "= (remapped classes)"},
    {"yolo", "map", "= (remapped classes)"},
    {"Gaussian_yolo", "map", "= (remapped classes)"},
};

static enum result refuse_key(struct layer *l, const struct refused_key *key, struct error *err)
{
    const struct cfg_option *option = cfg_find(l->section, key->key);
    char asked[64] = "";
    if (!option) {
        return OK;
    }
    if (key->what) {
        snprintf(asked, sizeof asked, "%s%s", key->key, key->what);
    } else {
        int value;
        TRY(cfg_int(l->section, key->key, 0, INT_MIN, INT_MAX, &value, err));
        if (value == 0) {
            return OK;
        }
        snprintf(asked, sizeof asked, "%s=%d", key->key, value);
    }
    return error_at(err, ERR_UNSUPPORTED, l->section->path, option->line,
                    "[%s] layer %d: %s is not supported", l->section->name, l->index, asked);
}

enum result keys_refuse(struct layer *l, struct error *err)
{
    for (size_t i = 0; i < COUNT(refused_keys); i++) {
        if (strcmp(refused_keys[i].kind, l->ops->name) == 0) {
            TRY(refuse_key(l, &refused_keys[i], err));
        }
    }
    return OK;
}
