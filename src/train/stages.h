/* From the options of `yolo train` to the stages of the run. The only place that knows how they are asked for:
 * --stage and --stages; --unfreeze-every; or one stage from --freeze, --epochs and so on, cut where layers
 * with stopbackward=N in the cfg are set free. */
#ifndef TRAIN_STAGES_H
#define TRAIN_STAGES_H

#include "train/freeze.h"
#include "train/args.h"
#include "train/trainer.h"

struct stage_plan {
    struct train_stage *stages; /* [count] */
    size_t count, capacity;
    bool scales_run; /* the run's --lr-scale names a layer that is trained */
    char *lines;     /* one a stage, everything that changes its numbers: for the fingerprint */
};

struct stage_basis {
    const struct train_args *args;
    const struct network *net;
    uint64_t updates_per_epoch;
    enum optimizer_kind optimizer; /* for titles */
};

/* ERR_ARG in one line, with the stage's number, for what cannot be or would do nothing: sets that do not exist,
 * everything frozen, no length, spans that overlap, a stage that changes nothing. *plan must be zeroed; free with
 * stage_plan_free, also after an error. It points into args and the network. */
NODISCARD enum result stage_plan_make(const struct stage_basis *basis, struct stage_plan *plan,
                                      struct error *err);
void stage_plan_free(struct stage_plan *plan);

#endif
