/* Validation during training: loss of the network's present parameters over a data set, mAP of a detector, top-1 and
 * top-5 of a classifier. */
#ifndef TRAIN_VALIDATE_H
#define TRAIN_VALIDATE_H

#include "data/dataset.h"
#include "eval/class_tally.h"
#include "eval/evaluation.h"
#include "eval/value_tally.h"
#include "net/plan.h"
#include "train/trainer.h"

/* Detections of at least this confidence are counted (Darknet's `detector map`), suppressed at this
 * overlap; also the defaults of `yolo eval`, so that both give the same numbers. */
#define VALIDATE_CONFIDENCE 0.005f
#define VALIDATE_CONFIDENCE_WORD "0.005"
#define VALIDATE_OVERLAP 0.45f

/* A sample without boxes, as the network has seen it. */
struct validate_sight {
    size_t sample, samples;              /* which of how many */
    const struct tensor *input, *output; /* image n of both */
    int n;
};

struct validate_options {
    const struct dataset *set;
    enum net_task task;
    char *const *names; /* of the network's classes */
    const struct kernels *kernels;
    const struct quantization *quant; /* on bytes, as --precision int8 computes; NULL: in fp32 */
    bool letter_box;
    int batch;
    int loader_threads;
    bool
        is_shared; /* each process (base/ranks.h) takes its share of the pictures; only process 0 gets more than figures */
    bool (*is_stopped)(void); /* ends it with ERR_INTERRUPTED; NULL: never */
    void (*see)(void *ctx,
                const struct validate_sight *sight); /* every sample that was read; or NULL */
    void *ctx;
};

/* What a validation saw and what that comes to. Refers to the set of its options. */
struct validated {
    struct validation figures;
    struct class_tally tally;     /* of a classifier, else zeroed */
    struct value_tally errors;    /* of a network that gives values, else zeroed */
    size_t failures;              /* samples that could not be read */
    struct eval_set set;          /* of a detector: truths and detections of each picture */
    struct evaluation evaluation; /* thresholds where F1 is best; points to set */
};

/* One pass in order, at the network's size, in inference mode, pictures only resized (their middles, but for detectors).
 * loss: the mean over pictures; map50 and map: COCO's AP50 and AP (eval/coco.h) of detections above .005,
 * suppressed at IoU .45 by the last head's kind; NaN if the set holds no object. A picture that
 * cannot be read counts as one in which nothing was found. The network is not changed. *found must
 * be zeroed and stay where it is; validated_free also after an error. */
NODISCARD enum result train_validate(const struct validate_options *options, struct network *net,
                                     struct validated *found, struct error *err);
void validated_free(struct validated *found);

/* modes[layer_count] of its plan: inference throughout, but where a loss is wanted the layer is only frozen. Losses of old
 * classes that others were added to are not: nobody has labelled these. */
void validate_modes(const struct network *net, enum layer_mode *modes);

#endif
