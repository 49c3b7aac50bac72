/* From the options of `yolo train` to what the trainer needs: network, data sets, stages. */
#ifndef TRAIN_SETUP_H
#define TRAIN_SETUP_H

#include "cfg/data_file.h"
#include "train/freeze.h"
#include "run/model.h"
#include "train/add_classes.h"
#include "train/args.h"
#include "train/recipe.h"
#include "train/start.h"
#include "train/stages.h"
#include "data/dataset.h"
#include "train/trainer.h"

struct training {
    struct model model;
    struct data_file data;
    struct dataset train, valid;
    bool has_valid;
    struct added_classes added;  /* --add-classes */
    struct training_start begin; /* what the parameters were */
    struct recipe recipe;
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

/* Read and check everything; settles args->model.data and .cfg. A resumed run has the cfg and the names of its folder,
 * args->resume. With a last.state there (options.resumes) it reads no weights; without any trace of training it begins
 * anew. ERR_ARG if there are traces but no last.state, or if the run's time is over. *t must be zeroed; free with
 * training_close, also after an error. */
NODISCARD enum result training_open(struct train_args *args, struct training *t, struct error *err);
void training_close(struct training *t);

uint64_t training_images_per_update(const struct training *t);

/* The memory that the stage's step takes at its largest size. ERR_* if the network cannot be trained so. */
NODISCARD enum result training_measure(const struct training *t, const struct train_stage *stage,
                                       double *bytes, struct error *err);

#endif
