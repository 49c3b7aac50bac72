/* How long a plan takes, whole and layer by layer. */
#ifndef RUN_BENCH_H
#define RUN_BENCH_H

#include "net/plan.h"

/* Milliseconds. */
struct timing {
    double median, min, max;
};

struct bench_runs {
    int batch;  /* images at a time */
    int count;  /* measured runs */
    int warmup; /* runs before them */
};

/* Sorts the samples. */
struct timing timing_of(double *samples, int count);

/* Noise in [0, 1): a picture with all frequencies, the same on every run. */
void bench_fill_input(const struct tensor *input);

/* Forward passes of noise, in a team. layer_ms[layers] gets the medians of the layers. ERR_MEMORY. */
NODISCARD enum result bench_forward(struct plan *plan, int layers, const struct bench_runs *runs,
                                    struct timing *whole, double *layer_ms, struct error *err);

#endif
