/* Input sizes of a multi-scale training. */
#ifndef TRAIN_MULTISCALE_H
#define TRAIN_MULTISCALE_H

#include <stdint.h>

struct multiscale {
    float random; /* 0 = the base size throughout, 1 = 1.4, else the factor (darknet-spec 8.6) */
    int step;     /* sizes are multiples of it */
    int base_w, base_h;
    uint64_t seed;
};

/* The size during an update: a new draw every ten updates, a pure function of the seed and the update. */
void multiscale_size(const struct multiscale *m, uint64_t update, int *w, int *h);

/* How many times the pixels of the base size the largest one has; at least 1, as a run begins with the base size. */
double multiscale_growth(const struct multiscale *m);

#endif
