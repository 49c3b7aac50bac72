/* Flat arrays of count floats, for optimisers; any alignment, fastest at 64 bytes; arrays do not
 * overlap. Work is cut by the count alone, so no result depends on the number of threads. */
#ifndef KERNELS_VECTORS_H
#define KERNELS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>

struct kernels;

/* Summed in double. */
double vec_sum_squares(const struct kernels *kern, size_t count, const float *x);
bool vec_all_finite(const struct kernels *kern, size_t count, const float *x);
/* average += weight * (x - average): an exponential moving average of decay 1 - weight. */
void vec_lerp(const struct kernels *kern, size_t count, float weight, const float *x,
              float *average);

/* sum += x. */
void vec_accumulate(size_t count, const float *x, float *sum);

/* v = momentum v + scale g + decay w;  w -= rate v. */
struct sgd_step {
    float rate, momentum, decay;
    float scale; /* of the gradient: 1 / images, times a clipping factor */
};
struct sgd_arrays {
    float *w, *v;
    const float *g;
};
void vec_sgd_step(const struct kernels *kern, size_t count, const struct sgd_step *s,
                  const struct sgd_arrays *x);

/* Adam (Kingma & Ba 2015, arXiv:1412.6980) and AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101):
 *   h = scale g (+ decay w)   m += (1 - beta1) (h - m)   v = beta2 v + (1 - beta2) h^2
 *   w -= rate / correction1 * m / (sqrt(v / correction2) + epsilon)
 * Decoupled decay leaves h alone and multiplies w by 1 - rate * decay first. */
struct adam_step {
    double rate, beta1, beta2, epsilon, decay;
    double scale;
    double correction1, correction2; /* 1 - beta1^t, 1 - beta2^t; t = 1 at the first step */
    bool decoupled;
};
struct adam_arrays {
    float *w, *m, *v;
    const float *g;
};
void vec_adam_step(const struct kernels *kern, size_t count, const struct adam_step *s,
                   const struct adam_arrays *x);

#endif
