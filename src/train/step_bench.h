/* How long training steps take on noise and random boxes: `yolo bench --train`. */
#ifndef TRAIN_STEP_BENCH_H
#define TRAIN_STEP_BENCH_H

#include "run/bench.h"
#include "run/model.h"
#include "train/freeze.h"

struct step_bench_options {
    struct bench_runs runs;
    bool by_layers;     /* the parts' times as well */
    const char *freeze; /* as --freeze, or NULL */
    bool from_features; /* of the frozen layers, made in a run before the measured ones */
};

struct step_times {
    struct timing step;
    struct freeze_totals totals;
    size_t bytes;           /* beside the parameters */
    char features[256];     /* from_features: "layers 23, 27" */
    size_t features_floats; /* of an image */
    /* by_layers, else NULL: medians in ms of each layer, [layer_count]; free with step_times_free. */
    double *forward_ms, *backward_ms;
    double loss_ms, update_ms;
    const char **algorithms; /* plan_algorithm of each */
};

void step_times_free(struct step_times *times); /* a zeroed one is fine */

/* ERR_CFG for a network without a loss; ERR_ARG for a set that freeze_set_make or freeze_set_check refuse, or that has no
 * features. */
NODISCARD enum result step_bench(struct model *model, const struct step_bench_options *options,
                                 struct step_times *times, struct error *err);

#endif
