/* From words (train/stage_words.h) and cfg to the stages of the run: those of --stage and --stages; or those of
 * --unfreeze-every; or one stage from --freeze, --epochs and so on, cut where the cfg sets layers free
 * (stopbackward=N, dont_update=N, burnin_update=K). */
#ifndef TRAIN_STAGES_H
#define TRAIN_STAGES_H

#include "train/freeze.h"
#include "train/options.h"
#include "train/stage_words.h"

struct stage_plan {
    struct train_stage *stages; /* [count] */
    size_t count, capacity;
    bool scales_run; /* the run's --lr-scale names a layer that is trained */
    char *lines;     /* one a stage, everything that changes its numbers: for the fingerprint */
};

struct stage_basis {
    const struct stage_words *words;
    const struct network *net;
    uint64_t seed, updates_per_epoch;
    bool fits_time;                /* the length is --time's: the cfg's burn_in is cut to a share */
    bool limits_features;          /* --cache-features-gb was given */
    enum optimizer_kind optimizer; /* for titles */
};

/* ERR_ARG in one line, with the stage's number, for what cannot be or would do nothing: sets that do not exist,
 * everything frozen, no length, spans that overlap, a stage that changes nothing. *plan must be zeroed; free with
 * stage_plan_free, also after an error. It points into the network. */
NODISCARD enum result stage_plan_make(const struct stage_basis *basis, struct stage_plan *plan,
                                      struct error *err);
void stage_plan_free(struct stage_plan *plan);

#endif
