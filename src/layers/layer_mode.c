#include "layers/layer.h"

const struct mode_rules mode_rules[MODE_COUNT] = {
    [MODE_INFER] = {"infer", .keeps_backward = false},
    [MODE_FROZEN] = {"frozen", .keeps_backward = true},
    [MODE_AFFINE_FROZEN] = {"bn frozen", .moves_weights = true, .is_training = true,
                            .keeps_backward = true},
    [MODE_TUNE] = {"bn eval", .moves_weights = true, .moves_affine = true, .is_training = true,
                   .keeps_backward = true},
    [MODE_TRAIN] = {"train", .moves_weights = true, .moves_affine = true, .uses_batch = true,
                    .is_training = true, .keeps_backward = true},
    [MODE_ADAPT] = {"frozen, statistics move", .uses_batch = true, .keeps_backward = true},
};

bool mode_moves(enum layer_mode mode, const struct param *param)
{
    if (param->is_statistic) {
        return false;
    }
    return param->is_affine ? mode_rules[mode].moves_affine : mode_rules[mode].moves_weights;
}
