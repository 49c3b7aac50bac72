#include "train/base_cfg.h"

#include <string.h>

#include "base/options.h"
#include "layers/kinds.h"
#include "run/model.h"

const char *const base_cfg_stems[] = {
    "yolov4-tiny", "yolov4-tiny-3l", "yolov4",           "yolov3-tiny", "yolov3",
    "yolov4-csp",  "yolov4-p5",      "yolov4x-mish",     "tabletop",    "mnist",
    "mnist-dense", "mnist-encoder",  "mnist-autoencoder"};
const size_t base_cfg_count = sizeof base_cfg_stems / sizeof base_cfg_stems[0];
const size_t base_cfg_detectors = 9;

static bool is_head(const struct cfg_section *section)
{
    const struct layer_ops *kind = layer_find(section->name);
    return kind && kind->head;
}

static bool is_loss(const struct cfg_section *section)
{
    const struct layer_ops *kind = layer_find(section->name);
    return kind && (kind->head || kind == &softmax_ops || kind == &cost_ops);
}

/* Of layers that are no heads. */
static bool is_of_training(const char *key)
{
    return word_in("stopbackward|onlyforward|dont_update|burnin_update|learning_rate", key);
}

static const char *value_of(const struct cfg_section *section, const char *key)
{
    for (size_t i = 0; i < section->option_count; i++) {
        if (strcmp(section->options[i].key, key) == 0) {
            return section->options[i].value;
        }
    }
    return NULL;
}

/* Every key of a layer stands in the other one with the same value; not how many outputs a loss has. */
static bool is_within(const struct cfg_section *a, const struct cfg_section *b, bool feeds_loss)
{
    for (size_t i = 0; i < a->option_count; i++) {
        const char *key = a->options[i].key, *other = value_of(b, key);
        if (is_of_training(key) || (feeds_loss && word_in("filters|output", key))) {
            continue;
        }
        if (!other || strcmp(a->options[i].value, other) != 0) {
            return false;
        }
    }
    return true;
}

static bool has_same_layers(const struct cfg *a, const struct cfg *b)
{
    if (a->section_count != b->section_count) {
        return false;
    }
    for (size_t i = 1; i < a->section_count; i++) {
        const struct cfg_section *x = &a->sections[i], *y = &b->sections[i];
        bool feeds_loss = i + 1 < a->section_count && is_loss(&a->sections[i + 1]);
        if (strcmp(x->name, y->name) != 0) {
            return false;
        }
        if (!is_head(x) && (!is_within(x, y, feeds_loss) || !is_within(y, x, feeds_loss))) {
            return false;
        }
    }
    return true;
}

enum result base_cfg_find(const struct cfg *cfg, struct base_cfg *base, struct error *err)
{
    *base = (struct base_cfg){0};
    for (size_t i = 0; i < base_cfg_count; i++) {
        char path[MODEL_PATH];
        struct cfg other = {0};
        struct error why;
        if (!model_find_own("cfg", base_cfg_stems[i], "cfg", path)) {
            continue;
        }
        enum result result = cfg_read(path, &other, &why);
        bool is_same = result == OK && has_same_layers(cfg, &other);
        cfg_free(&other);
        if (result == ERR_MEMORY) {
            *err = why;
            return result;
        }
        if (is_same) {
            base->stem = base_cfg_stems[i];
            return network_read(path, 0, 0, &base->net, err);
        }
    }
    return OK;
}

void base_cfg_free(struct base_cfg *base)
{
    network_free(&base->net);
    *base = (struct base_cfg){0};
}
