#include "net/modes.h"

static bool has_batch_norm(const struct layer *l)
{
    for (int k = 0; k < l->param_count; k++) {
        if (l->params[k].is_statistic) {
            return true;
        }
    }
    return false;
}

/* Something before it is not what inference would give. */
static bool is_reached_by_training(const struct layer *l, const enum layer_mode *modes)
{
    for (int k = 0; k < l->input_count; k++) {
        if (l->inputs[k] != LAYER_IMAGE && modes[l->inputs[k]] != MODE_INFER) {
            return true;
        }
    }
    return false;
}

static enum layer_mode moving_mode(const struct layer *l, enum bn_policy bn)
{
    if (!has_batch_norm(l) || bn == BN_AUTO || bn == BN_TRAIN) {
        return MODE_TRAIN;
    }
    return bn == BN_EVAL ? MODE_TUNE : MODE_AFFINE_FROZEN;
}

void modes_resolve(const struct network *net, const bool *frozen, enum bn_policy bn,
                   enum layer_mode *modes)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        bool is_reached = is_reached_by_training(l, modes);
        bool acts = l->param_count > 0 || l->ops->acts_in_training;
        if (!frozen[i] && (acts || is_reached)) {
            modes[i] = moving_mode(l, bn);
        } else if (frozen[i] && bn == BN_TRAIN && has_batch_norm(l)) {
            modes[i] = MODE_ADAPT;
        } else {
            modes[i] = is_reached ? MODE_FROZEN : MODE_INFER;
        }
    }
}
