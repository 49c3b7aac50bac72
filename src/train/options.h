/* What a training is: its stages, and everything that they share. */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/loader.h"
#include "net/task.h"
#include "train/checkpoint.h"
#include "train/freeze.h"
#include "train/optimizer.h"
#include "train/schedule.h"

/* A stage has fewer updates. */
enum { STAGE_TOO_LONG = 1000000000 };

/* One stage: what is frozen, how batch norm behaves, at which rates, how long. */
struct train_stage {
    char title[256];          /* for people: "freeze=0-19 lr=0.001" */
    struct freeze_set freeze; /* the modes of its layers are here and nowhere else */
    float *rate_scale;        /* [layer_count], factors on the rate; NULL: all 1 */
    struct schedule schedule;
    uint64_t schedule_offset; /* updates of the schedule that lie before the stage */
    uint64_t iterations;      /* updates */
    int patience; /* validations without a better mAP that end the stage early; 0: none */
    bool augments, no_mosaic;
    /* Variants of each picture whose frozen features are kept and replayed (train/replay.h); 0: none. Such a stage has
     * no multi-scale. */
    int cache_features;
};

/* What the best parameters have most of; of a loss the least. Those of detectors are --best's words, in this order. */
enum train_measure { MEASURE_MAP50, MEASURE_MAP, MEASURE_TOP1, MEASURE_LOSS };

/* What a validation found; NaN: not measured. */
struct validation {
    double map50, map; /* of detectors: mAP@.5, mAP@.5:.95 */
    double top1, top5; /* of classifiers */
    double loss;
};

struct train_options {
    const char *folder;         /* exists */
    struct network *net;        /* parameters allocated and loaded */
    enum net_task task;         /* the model's (run/model.h) */
    enum train_measure measure; /* decides which parameters are the best */
    const struct kernels *kern;
    const struct dataset *set;
    struct augment_options augment;
    float random; /* multi-scale: 0 = off, 1 = 1.4, else the factor (darknet-spec 8.6) */
    int resize_step;
    struct optimizer_options optimizer;
    const struct quantization
        *quant; /* trains and validates as int8 computes by it; NULL: in fp32 */
    const struct train_stage *stages;
    size_t stage_count;
    int mini_batch, subdivisions; /* an update takes mini_batch * subdivisions images */
    float bn_momentum;
    bool
        bn_mean_first; /* the first mini-batches count alike in the statistics: max(bn_momentum, 1 / (n + 1)) */
    uint64_t close_mosaic; /* updates at the end of the last stage whose pictures are no mosaics */
    uint64_t seed;
    int loader_threads;
    size_t cache_bytes;
    uint64_t validate_every, checkpoint_every, log_every; /* updates; 0 = never */
    double time_limit_s;                                  /* 0 = none */
    bool fits_time; /* the stages were made to fit, so the limit is beyond what was asked for */
    bool resumes;   /* continue from folder/last.state */
    const char *warning; /* for train.log, too, once it is open; NULL: none */
    struct train_fingerprint fingerprint;

    /* All may be NULL. The network has its cfg's size, holds the values to be judged, and is not to be changed. */
    enum result (*validate)(void *ctx, struct network *net, struct validation *found,
                            struct error *err);
    /* What was validated last is the best so far, and in best.weights. */
    enum result (*keep_best)(void *ctx, const char *folder, uint64_t iteration, struct error *err);
    void (*redraw)(void *ctx, const char *folder); /* results.csv has new rows */
    bool (*should_stop)(void *ctx);                /* a signal came: save and return */
    void *ctx;
};

#endif
