/* --add-classes: a training of new classes beside those that the weights know (net/added_heads.h), on pictures in which
 * only the new ones are labelled. The data set's list says which are new, by name. */
#ifndef TRAIN_ADD_CLASSES_H
#define TRAIN_ADD_CLASSES_H

#include "cfg/data_file.h"
#include "data/dataset.h"
#include "net/cfg_edit.h"
#include "run/model.h"
#include "train/stages.h"
#include "train/start.h"

struct added_classes {
    int old_count; /* classes that were known; 0: none are added */
    int *
        class_of; /* [data_count]: the network's number of each class of the data set, -1: known already; owned */
    char **data_names; /* [data_count], owned */
    size_t data_count;
    char cfg_path[MODEL_PATH], weights_path[MODEL_PATH],
        old_names[MODEL_PATH]; /* of the old model */
};

/* Open the old model by `args` and make the new one of it: *model, whose cfg_path and weights_path stay those of the old one,
 * and the new cfg's text. `weights_names`: the old classes, NULL: looked for. ERR_ARG without weights or names; also if
 * no class of the data set is new. *added and *model are zeroed, and to be freed also after an error. */
NODISCARD enum result added_open(const struct model_args *args, const char *weights_names,
                                 const struct data_file *data, struct added_classes *added,
                                 struct model *model, struct cfg_text *cfg, struct error *err);

/* The same of a resumed run, whose model is the new one; args: those of args.json, with the old model. */
NODISCARD enum result added_reopen(const struct model_args *args, const struct data_file *data,
                                   const struct model *model, struct added_classes *added,
                                   struct error *err);
void added_free(struct added_classes *added); /* a zeroed one is fine */

/* Labels by the network's numbers. Says how many boxes of old classes are left out. */
void added_map(const struct added_classes *added, const char *what, struct dataset *set);

/* ERR_ARG if a stage lets something of the old classes move. */
NODISCARD enum result added_check(const struct added_classes *added, const struct network *net,
                                  const struct stage_plan *plan, struct error *err);

/* training_start_load for the new network, from the old cfg and weights. */
NODISCARD enum result added_load(const struct added_classes *added, uint64_t seed,
                                 struct model *model, struct training_start *start,
                                 struct error *err);

/* The proof, read from files once the run has ended: say that every value of the old network stands in the run's
 * last.weights and best.weights, which are loaded into the model for that. ERR_INTERNAL if one does not; an old file that
 * is no longer there is warned about. */
NODISCARD enum result added_prove(const struct added_classes *added, const char *folder,
                                  struct model *model, struct error *err);

#endif
