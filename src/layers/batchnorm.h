/* Batch normalisation with stored statistics, as one multiply-add a channel:
 *
 *   scale = gamma / sqrt(max(variance, 0) + 1e-5)      shift = beta - mean * scale
 *
 * in double, rounded once (Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 2; epsilon inside the
 * root as in Darknet's GPU path). Published weight files contain variances a hair below zero; these
 * count as zero. */
#ifndef LAYERS_BATCHNORM_H
#define LAYERS_BATCHNORM_H

#include "layers/layer.h"

/* From the layer's parameters biases, scales, rolling_mean, rolling_variance; [count of biases]
 * each. */
void batchnorm_fold(const struct layer *l, float *scale, float *shift);

#endif
