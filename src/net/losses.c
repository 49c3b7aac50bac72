#include "net/losses.h"

#include "base/log.h"
#include "cfg/cfg.h"
#include "layers/kinds.h"
#include "layers/value_loss.h"

static int readers_of(const struct layer *layers, int count, int layer)
{
    int readers = 0;
    for (int i = layer + 1; i < count; i++) {
        for (int k = 0; k < layers[i].input_count; k++) {
            readers += layers[i].inputs[k] == layer;
        }
    }
    return readers;
}

/* Its backward asks layer_backward_activation. */
static bool can_go_by_logit(const struct layer *l)
{
    return l->ops == &convolutional_ops || l->ops == &deconvolutional_ops ||
           l->ops == &connected_ops || l->ops == &activation_ops;
}

static enum result settle_cost(struct layer *layers, int count, struct layer *cost,
                               struct error *err)
{
    enum cost_type type = cost_type_of(cost);
    struct layer *before = cost->inputs[0] == LAYER_IMAGE ? NULL : &layers[cost->inputs[0]];
    bool is_softmax = before && before->ops == &softmax_ops;
    if (is_softmax && (type == COST_CE || !softmax_is_mute(before))) {
        if (type != COST_CE && type != COST_SSE) {
            return cfg_error(
                cost->section, cfg_find(cost->section, "type"), err,
                "layer %d: the [softmax] before it has a loss of its own (noloss=1 there leaves it to "
                "the [cost])",
                cost->index);
        }
        before->has_loss = true;
        before->loss_scale = cost->loss_scale;
        return OK;
    }
    cost->has_loss = true;
    bool by_logit = type == COST_BCE && before && before->act == ACT_LOGISTIC &&
                    can_go_by_logit(before) && readers_of(layers, count, before->index) == 1;
    if (by_logit) {
        cost->by_logit = before->by_logit = true;
    }
    return OK;
}

/* Of a [cost] in the middle, or beside heads. */
static void warn_idle(const struct layer *layers, int count, bool has_heads)
{
    for (int i = 0; i < count; i++) {
        const struct layer *l = &layers[i];
        if (l->ops == &cost_ops && (has_heads || i < count - 1)) {
            log_warn("%s:%d: [cost] layer %d has no effect: %s", l->section->path, l->section->line,
                     i,
                     has_heads ? "the detection heads have the loss" : "only one at the end has");
        }
    }
}

enum result losses_settle(struct layer *layers, int count, struct error *err)
{
    struct layer *last = &layers[count - 1];
    bool has_heads = false;
    for (int i = 0; i < count; i++) {
        layers[i].has_loss = layers[i].ops->head != NULL;
        has_heads = has_heads || layers[i].has_loss;
    }
    warn_idle(layers, count, has_heads);
    if (!has_heads && last->ops == &cost_ops) {
        return settle_cost(layers, count, last, err);
    }
    if (!has_heads && last->ops == &softmax_ops && !softmax_is_mute(last)) {
        last->has_loss = true;
        last->loss_scale = 1;
    }
    return OK;
}
