/* How fast this machine multiplies and adds: the limit that a convolution's rate is held against. */
#ifndef KERNELS_PEAK_H
#define KERNELS_PEAK_H

#include "kernels/kernels.h"

/* Floating-point operations a second of multiply-adds in registers alone, on all of parallel_for's threads at once: the best of
 * a few bursts, some 20 ms together. Each product and each sum counts, as in network_flops. It is measured, so that clock
 * rates and neighbours are in it. */
double kernels_peak(const struct kernels *kern);

#endif
