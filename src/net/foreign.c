#include "net/foreign.h"

#include <float.h>
#include <string.h>

#include "base/log.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Of [net]: they steer a GPU's memory and arithmetic, charts, printing, tracking, or the crops of
 * classifiers. */
static const char *const silent_net_keys[] = {
    "min_crop",
    "max_crop",
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

struct foreign_key {
    const char *section; /* NULL: of every layer */
    const char *key;
    float off;        /* the value that does nothing */
    const char *what; /* happens instead */
};

static const char without[] = "is not built here: training goes without it";

static const struct foreign_key foreign_keys[] = {
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
    {"net", "cutmix", 0, "has no effect: it is for classifiers, in Darknet too"},
    {"net", "angle", 0, "has no effect: pictures are not turned in training"},
    {"net", "aspect", 1, "has no effect: the heads' jitter and resize change shapes in training"},
    {"net", "label_smooth_eps", 0, "has no effect: the heads' own label_smooth_eps acts"},
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

static bool is_in_section(const struct foreign_key *key, const char *name, bool is_net)
{
    if (is_net || !key->section) {
        return is_net == (key->section && strcmp(key->section, "net") == 0);
    }
    bool is_conv = strcmp(name, "conv") == 0 && strcmp(key->section, "convolutional") == 0;
    return is_conv || strcmp(key->section, name) == 0;
}

static enum result check_key(struct cfg_section *section, const struct foreign_key *key,
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

enum result foreign_keys_check(struct cfg *cfg, bool can_train, struct error *err)
{
    for (size_t s = 0; s < cfg->section_count; s++) {
        struct cfg_section *section = &cfg->sections[s];
        pass_over(section, s == 0 ? silent_net_keys : silent_head_keys,
                  s == 0 ? COUNT(silent_net_keys) : COUNT(silent_head_keys));
        for (size_t i = 0; i < COUNT(foreign_keys); i++) {
            if (is_in_section(&foreign_keys[i], section->name, s == 0)) {
                TRY(check_key(section, &foreign_keys[i], can_train, err));
            }
        }
    }
    return OK;
}
