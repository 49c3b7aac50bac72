/* Where a stage's mini-batches come from: the loader, or features kept of earlier epochs
 * (train/replay.h); and at which size. */
#ifndef TRAIN_BATCH_SOURCE_H
#define TRAIN_BATCH_SOURCE_H

#include "data/loader.h"
#include "net/plan.h"
#include "train/multiscale.h"
#include "train/replay.h"
#include "train/options.h"

struct batch_source_options {
    const struct train_options *run;
    const struct train_stage *stage;
    struct net_size base;  /* the cfg's: multi-scale varies it, features are made at it */
    uint64_t first_sample; /* of the stage */
    uint64_t next_sample;  /* the first image to come */
    bool is_trial;         /* pictures at the base size, nothing is kept */
};

struct batch_source;

/* The sizes of the stage's mini-batches. Features are made at the base size only. */
struct multiscale batch_source_sizes(const struct train_options *run,
                                     const struct train_stage *stage, const struct net_size *base);

/* With features the network has its base size and its values. */
NODISCARD enum result batch_source_open(const struct batch_source_options *options,
                                        struct batch_source **source, struct error *err);
void batch_source_close(struct batch_source *source); /* NULL is accepted */

/* The next mini-batch, or the next of this process's share of the updates', valid until the next call. From features it has no input (input.data NULL).
 * Errors as loader_next. */
NODISCARD enum result batch_source_next(struct batch_source *source, struct batch *batch,
                                        struct error *err);

/* Run the latest batch forward, from the plan's input or from features. A step's forward; ctx is the source. */
void batch_source_forward(void *source, struct plan *plan, int images);
/* Run one layer of the latest batch again, in order from 0 after plan_begin; false if the layer is left out. */
bool batch_source_forward_layer(const struct batch_source *source, struct plan *plan, int layer);

/* replay_measure for a stage with cache_features. The network has its base size. */
NODISCARD enum result batch_source_measure(const struct train_options *run,
                                           const struct train_stage *stage,
                                           struct replay_size *size, struct error *err);

#endif
