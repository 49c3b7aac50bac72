/* Every kind of layer, one object a file: a new kind is one line here and one in kinds.c. */
#ifndef LAYERS_KINDS_H
#define LAYERS_KINDS_H

#include "layers/layer.h"

extern const struct layer_ops convolutional_ops;   /* conv.c */
extern const struct layer_ops deconvolutional_ops; /* deconv.c */
extern const struct layer_ops connected_ops;       /* connected.c */
extern const struct layer_ops batchnorm_ops;       /* batchnorm.c */
extern const struct layer_ops activation_ops;      /* activate.c */
extern const struct layer_ops maxpool_ops;         /* pool.c */
extern const struct layer_ops local_avgpool_ops;   /* pool.c */
extern const struct layer_ops avgpool_ops;         /* avgpool.c */
extern const struct layer_ops route_ops;           /* route.c */
extern const struct layer_ops shortcut_ops;        /* shortcut.c */
extern const struct layer_ops scale_channels_ops;  /* scale_channels.c */
extern const struct layer_ops sam_ops;             /* scale_channels.c */
extern const struct layer_ops upsample_ops;        /* upsample.c */
extern const struct layer_ops reorg_ops;           /* reorg.c */
extern const struct layer_ops reorg3d_ops;         /* reorg.c */
extern const struct layer_ops crop_ops;            /* crop.c */
extern const struct layer_ops dropout_ops;         /* dropout.c */
extern const struct layer_ops softmax_ops;         /* softmax.c */
extern const struct layer_ops cost_ops;            /* cost.c */
extern const struct layer_ops region_ops;          /* region.c */
extern const struct layer_ops yolo_ops;            /* yolo.c */
extern const struct layer_ops gaussian_yolo_ops;   /* gaussian_yolo.c */

/* All kinds, NULL-terminated. */
extern const struct layer_ops *const layer_kinds[];

/* By section name or alias; NULL if unknown. */
const struct layer_ops *layer_find(const char *section_name);

#endif
