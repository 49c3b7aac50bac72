/* What a training of a new cfg will take, for people, before anything is written. */
#ifndef DOCTOR_INIT_COST_H
#define DOCTOR_INIT_COST_H

#include "kernels/kernels.h"
#include "net/cfg_edit.h"

/* Of steps on one picture and on `many` (at least 2), in milliseconds. */
struct init_timing {
    int many;
    double one, all;
};

/* Of a step on so many pictures of that size, in milliseconds: what the two have in common (the optimiser, packing weights) is
 * paid once. */
double init_cost_of(const struct init_timing *timing, double pictures);

/* Seconds of an update of so many pictures on this machine, all layers trained: steps on one picture and on a few are measured, at a
 * smaller size where the network is large. `path` is for messages. */
NODISCARD enum result init_cost_measure(const char *path, const struct cfg_text *text,
                                        const struct kernels *kernels, int images, double *seconds,
                                        struct error *err);

#endif
