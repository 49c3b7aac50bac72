/* What the parameters of a training begin with: random numbers, a checkpoint, or a weights file, of which the rows of
 * classes with the same name are kept where the classes are others. */
#ifndef TRAIN_START_H
#define TRAIN_START_H

#include "run/model.h"

enum { START_TEXT = 512 };

struct training_start {
    size_t *loaded; /* [layer_count]: values from the weights file; owned */
    char text[START_TEXT];
    char kept[2]
             [START_TEXT]; /* what became of the classes of the weights file; "": nothing to say */
};

/* Fill the allocated parameters of the model from model->weights_path, "" = random numbers; *start is zeroed.
 * `weights_cfg`: the network of the file, of which all layers that fit are taken (train/other_network.h); NULL: where the file does
 * not fit the model, that of the run in whose folder it lies.
 * `weights_names`: the classes of the file; NULL: looked for (model_find_weights_names). ERR_ARG where that list has no
 * use; ERR_FORMAT if it has not as many names as the file has classes, or if no number of classes fits. Free with
 * training_start_free, also after an error. */
NODISCARD enum result training_start_load(struct model *model, const char *weights_cfg,
                                          const char *weights_names, uint64_t seed,
                                          struct training_start *start, struct error *err);
void training_start_free(struct training_start *start);

#endif
