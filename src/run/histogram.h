/* How the values of a channel are distributed, and which range of them bytes should span. */
#ifndef RUN_HISTOGRAM_H
#define RUN_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/tensor.h"

enum { HISTOGRAM_BINS = 512 };

/* Of [-reach, reach), which doubles where a value lies outside: nothing is read twice. Zeroed = empty. */
struct histogram {
    float reach; /* a power of two; 0: nothing but zeros so far */
    float least, most;
    uint32_t zeros; /* while there is no reach */
    uint32_t bins[HISTOGRAM_BINS];
};

/* Each channel's values to its own, h[t->c]. Values that are not finite are left out. */
void histogram_add(struct histogram *h, const struct tensor *t);

/* The range with the least sum of squared errors on 255 steps: rounding within it, clipping beyond it. It holds 0. */
void histogram_range(const struct histogram *h, double *low, double *high);

#endif
