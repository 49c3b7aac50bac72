/* What `yolo eval` measures: which pictures and truths, by which network or saved results, whose classes. */
#ifndef RUN_EVALUATE_H
#define RUN_EVALUATE_H

#include <limits.h>
#include <stdint.h>

#include "cfg/data_file.h"
#include "eval/eval_set.h"
#include "eval/evaluation.h"
#include "results/share_file.h"
#include "run/infer.h"
#include "run/model.h"
#include "train/validate.h"

struct evaluate_options {
    const struct model_args *model;
    const char
        *data; /* a .data file, a list, a folder or a COCO .json; NULL: model->data, or the run's */
    bool uses_train;    /* the .data file's train= in place of valid= */
    const char *images; /* COCO: the folder of the pictures, or NULL */
    const char *const
        *results; /* [result_count] files of saved detections in place of a network's */
    size_t result_count;
    struct shard
        shard; /* measure these pictures only, and write what was found to `out` (results/share_file.h) */
    const char *out; /* a folder that is made once the sources are known, or NULL */
    /* The first option that was given and acts on boxes only: an error with another network. NULL: none. */
    const char *box_option;
    void (*see)(void *ctx, const struct validate_sight *sight); /* of other networks; or NULL */
    void *ctx;
    struct infer_args infer;
    struct evaluation_options metrics;
};

struct evaluated {
    const char *list;             /* what was measured on: list, folder or .json */
    struct evaluation evaluation; /* of a detector; points into set */
    struct eval_set set;
    bool is_of_values; /* no detector: */
    struct dataset samples;
    struct validated values;
    size_t failures; /* pictures that could not be read */
    double infer_ms; /* of the network on a picture, the mean; 0 without a network */

    const struct evaluate_options *o; /* and what else is borrowed until evaluated_free: */
    char bundled[PATH_MAX], of_run[PATH_MAX];
    struct data_file file; /* if there is a .data file */
    struct model model;
    struct infer infer;
    char **
        names; /* of --names or the .data file, if there is no model, or if its classes are others */
    size_t name_count;
    bool has_own_classes; /* names are those of the set, and not the model's */
    int *class_of;
    float *thresholds;                   /* [set.class_count], if there are some by class */
    struct share_head head;              /* of results that shares have written */
    uint64_t network_hash, weights_hash; /* of a share's network */
    size_t all_pictures;                 /* of all shares together */
    char share[128];                     /* "share 2 of 4: ..."; "" without --shard */
    char share_path[PATH_MAX];           /* what was written */
};

/* OK also if some pictures failed. ERR_ARG for options that contradict what DATA is; ERR_INTERRUPTED. *e must be
 * zeroed; free also after an error. options outlive it. */
NODISCARD enum result evaluate(const struct evaluate_options *options, struct evaluated *e,
                               struct error *err);
/* Free the network; what was measured stays. */
void evaluated_drop_network(struct evaluated *e);
void evaluated_free(struct evaluated *e);

#endif
