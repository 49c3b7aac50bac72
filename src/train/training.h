/* Everything that a training is made of, once it is settled (train/setup.h). */
#ifndef TRAIN_TRAINING_H
#define TRAIN_TRAINING_H

#include "cfg/data_file.h"
#include "data/dataset.h"
#include "data/table_set.h"
#include "run/model.h"
#include "train/add_classes.h"
#include "train/args.h"
#include "train/freeze.h"
#include "train/recipe.h"
#include "train/stages.h"
#include "train/start.h"
#include "train/trainer.h"
#include "train/validate.h"

/* What --time without a length came to (train/time_fit.h). */
struct time_fit {
    char text[320];            /* "" = --time did not settle the length */
    double update, validation; /* seconds, as measured */
};

/* What --freeze auto has found (train/freeze_advice.h). */
struct freeze_finding {
    char text[512];   /* the plan and the reason; "" = nobody asked */
    char length[128]; /* where the run's length comes from, if that is changed; else "" */
    double loss_free, loss_kept; /* NaN: not tried */
};

struct training {
    struct model model;
    struct data_file data;
    struct dataset train, valid;
    bool has_valid;
    struct feature_scale
        scale; /* --standardize: what was done to the features of both; count 0: nothing */
    struct added_classes added;  /* --add-classes */
    struct training_start begin; /* what the parameters were */
    struct quantization quant;   /* --quantize-aware: options.quant */
    char quant_text[512];        /* where its steps are from; "" = not asked for */
    struct recipe recipe;
    struct time_fit time_fit;
    struct freeze_finding advice;
    struct stage_plan plan;
    struct train_options options;   /* but for folder and callbacks */
    struct train_progress progress; /* of the run that is resumed; else zero */
    char bundled_data[MODEL_PATH];  /* "" if --data was given */
    char warning[160];              /* options.warning */
    char *fingerprint;
    FILE *lock;     /* on the run's folder */
    char *cfg_text; /* the file's bytes */
    size_t cfg_size;
};

uint64_t training_images_per_update(const struct training *t);

/* The most mini-batches of an update that a process (base/ranks.h) makes. */
int training_mini_batches(const struct training *t);

/* How the validation set is judged. */
struct validate_options training_validation(const struct training *t);

/* The memory that the stage's step takes at its largest size, with so many pictures in a mini-batch; parameters, too.
 * ERR_* if the network cannot be trained so. */
NODISCARD enum result training_measure(const struct training *t, const struct train_stage *stage,
                                       int images, double *bytes, struct error *err);

#endif
