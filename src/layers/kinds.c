#include "layers/kinds.h"

#include <string.h>

const struct layer_ops *const layer_kinds[] = {
    &convolutional_ops,
    &deconvolutional_ops,
    &connected_ops,
    &batchnorm_ops,
    &activation_ops,
    &maxpool_ops,
    &local_avgpool_ops,
    &avgpool_ops,
    &route_ops,
    &shortcut_ops,
    &scale_channels_ops,
    &sam_ops,
    &upsample_ops,
    &reorg_ops,
    &reorg3d_ops,
    &crop_ops,
    &dropout_ops,
    &softmax_ops,
    &cost_ops,
    &region_ops,
    &yolo_ops,
    &gaussian_yolo_ops,
    NULL,
};

const struct layer_ops *layer_find(const char *section_name)
{
    for (size_t i = 0; layer_kinds[i]; i++) {
        if (strcmp(layer_kinds[i]->name, section_name) == 0) {
            return layer_kinds[i];
        }
        const char *const *alias = layer_kinds[i]->aliases;
        for (; alias && *alias; alias++) {
            if (strcmp(*alias, section_name) == 0) {
                return layer_kinds[i];
            }
        }
    }
    return NULL;
}
