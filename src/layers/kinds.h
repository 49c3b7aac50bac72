/* Every kind of layer: a new one is a line of LAYER_KINDS and a file with its object. */
#ifndef LAYERS_KINDS_H
#define LAYERS_KINDS_H

#include "layers/layer.h"

/* All of them: NAME is the object NAME_ops. */
#define LAYER_KINDS(KIND)                                                                          \
    KIND(convolutional)   /* conv.c */                                                             \
    KIND(deconvolutional) /* deconv.c */                                                           \
    KIND(connected)       /* connected.c */                                                        \
    KIND(batchnorm)       /* batchnorm.c */                                                        \
    KIND(activation)      /* activate.c */                                                         \
    KIND(maxpool)         /* pool.c */                                                             \
    KIND(local_avgpool)   /* pool.c */                                                             \
    KIND(avgpool)         /* avgpool.c */                                                          \
    KIND(route)           /* route.c */                                                            \
    KIND(shortcut)        /* shortcut.c */                                                         \
    KIND(scale_channels)  /* scale_channels.c */                                                   \
    KIND(sam)             /* scale_channels.c */                                                   \
    KIND(upsample)        /* upsample.c */                                                         \
    KIND(reorg)           /* reorg.c */                                                            \
    KIND(reorg3d)         /* reorg.c */                                                            \
    KIND(crop)            /* crop.c */                                                             \
    KIND(dropout)         /* dropout.c */                                                          \
    KIND(softmax)         /* softmax.c */                                                          \
    KIND(cost)            /* cost.c */                                                             \
    KIND(region)          /* region.c */                                                           \
    KIND(yolo)            /* yolo.c */                                                             \
    KIND(gaussian_yolo)   /* gaussian_yolo.c */

#define LAYER_KIND_DECLARE(name) extern const struct layer_ops name##_ops;
LAYER_KINDS(LAYER_KIND_DECLARE)

/* In the order of LAYER_KINDS, NULL-terminated. */
extern const struct layer_ops *const layer_kinds[];

/* By section name or alias; NULL if unknown. */
const struct layer_ops *layer_find(const char *section_name);

#endif
