/* Validation during training: loss and mAP of the network's present parameters over a data set. */
#ifndef TRAIN_VALIDATE_H
#define TRAIN_VALIDATE_H

#include "data/dataset.h"
#include "net/plan.h"
#include "train/trainer.h"

/* Detections of at least this confidence are counted (Darknet's `detector map`), suppressed at this
 * overlap; also the defaults of `yolo eval`, so that both give the same numbers. */
#define VALIDATE_CONFIDENCE 0.005f
#define VALIDATE_OVERLAP 0.45f

struct validate_options {
    const struct dataset *set;
    const struct kernels *kernels;
    bool letter_box;
    int batch;
    int loader_threads;
};

/* One pass in order, at the network's size, in inference mode, pictures only resized. loss: the
 * mean over pictures; map50: COCO's AP50 (eval/coco.h) of detections above .005, suppressed at IoU
 * .45 by the last head's kind; NaN if the set holds no object. A picture that cannot be read counts
 * as one in which nothing was found. The network is not changed. */
NODISCARD enum result train_validate(const struct validate_options *options, struct network *net,
                                     struct validation *found, struct error *err);

#endif
