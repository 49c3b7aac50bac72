/* Batch normalisation with stored statistics, as one multiply-add a channel:
 *
 *   scale = gamma / sqrt(max(variance, 0) + 1e-5)      shift = beta - mean * scale
 *
 * in double, rounded once (Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 2; epsilon inside the
 * root as in Darknet's GPU path). Published weight files contain variances a hair below zero; these
 * count as zero. */
#ifndef LAYERS_BATCHNORM_H
#define LAYERS_BATCHNORM_H

#include "kernels/conv.h"
#include "layers/layer.h"

/* From the layer's parameters biases, scales, rolling_mean, rolling_variance; [count of biases]
 * each. */
void batchnorm_fold(const struct layer *l, float *scale, float *shift);

/* What a forward pass that keeps for backward used, [c] each. */
struct batchnorm_used {
    float *mean, *inv_std, *scale, *shift;
};

/* Saved floats: z, dense, then what was used; and their places in e->saved, z shaped as e->out. */
size_t batchnorm_saved_floats(size_t pixels, int channels);
struct tensor batchnorm_saved_z(const struct exec *e);
struct batchnorm_used batchnorm_saved_used(const struct exec *e);

/* Scratch bytes of the two functions below. */
size_t batchnorm_scratch_bytes(size_t pixels, int channels);

/* Of a mini-batch that was recorded (exec.record): floats, and moving the running statistics by it as the forward pass would
 * have done. */
size_t batchnorm_record_floats(size_t channels);
void batchnorm_move(const struct layer *l, const struct exec *e, const float *record);

/* Fill `used` for this pass over z: the batch's statistics, moving the running ones, where the layer's mode
 * says uses_batch; else the stored statistics, read only. The running variance takes the unbiased estimate,
 * normalisation the biased one (darknet-spec 2.3, as cuDNN). */
void batchnorm_settle(const struct layer *l, const struct exec *e, const struct tensor *z,
                      const struct batchnorm_used *used);

/* y = act(scale z + shift). dout becomes dz in place; gamma's and beta's gradients are added where
 * wanted. With stored statistics dz = scale du; with the batch's the full backward pass. */
void batchnorm_backward(const struct layer *l, const struct exec *e, enum activation act,
                        const struct tensor *z, const struct batchnorm_used *used);

#endif
