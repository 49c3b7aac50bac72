/* What the kinds that need no header of their own keep of their sections: for those who write a network down in
 * another form (exchange/). The state of a layer begins with it; the meaning is told in each kind's file. */
#ifndef LAYERS_SETTINGS_H
#define LAYERS_SETTINGS_H

#include "kernels/pool.h"
#include "layers/conv_unit.h"

/* [deconvolutional] */
struct deconv_state {
    struct conv_unit unit; /* of the equivalent convolution; first */
    int stride;
};

/* [maxpool], [local_avgpool] */
struct pool_state {
    struct pool_geometry geometry;
    int padding;        /* of both sides together */
    int depth_channels; /* 0: spatial */
};

struct route_state {
    int groups, group_id;
};

enum { SHORTCUT_MAX_SOURCES = 64 };
enum shortcut_weighting { WEIGHT_NONE, WEIGHT_PER_FEATURE, WEIGHT_PER_CHANNEL };
enum shortcut_normalization { NORMALIZE_NONE, NORMALIZE_RELU, NORMALIZE_SOFTMAX };

struct shortcut_state {
    enum activation act;
    enum shortcut_weighting weighting;
    enum shortcut_normalization normalization;
};

/* One factor for every source and channel, [input_count][out.c]. Only with a weighting. */
void shortcut_factors(const struct layer *l, float *factors);

/* [scale_channels], [sam] */
struct gate_state {
    enum activation act;
    bool is_per_pixel;
};

struct upsample_state {
    int stride;
    float factor;
};

/* [reorg], [reorg3d] */
struct reorg_state {
    int stride;
    bool is_reverse;
};

struct crop_state {
    int h, w;
    bool keeps_values;
};

struct softmax_state {
    int groups;
    float temperature;
    bool is_per_pixel, is_mute;
};

#endif
