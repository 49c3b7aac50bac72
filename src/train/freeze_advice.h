/* --freeze auto: whether layers are better frozen, and for how long, by a short trial of both, by memory and by time.
 *
 * The trial: from the weights that the run begins with, a few updates with the backbone frozen and the same updates, of
 * the same pictures, with all layers free, at half the size. Every picture's loss is taken before anything is learnt from
 * it, so the mean over the last updates says which way gets further. Nothing in it depends on the clock. */
#ifndef TRAIN_FREEZE_ADVICE_H
#define TRAIN_FREEZE_ADVICE_H

#include "train/training.h"

struct freeze_evidence {
    bool begins_loaded; /* the backbone knows something */
    bool is_split;      /* there is a backbone below a neck or heads */
    int free_images,
        kept_images;             /* a mini-batch that fits, all free and with the backbone frozen */
    double free_updates;         /* that fit into --time with all layers free; 0: no --time */
    double loss_free, loss_kept; /* of the trial; NaN: there was none */
};

enum freeze_advice { ADVICE_FREE, ADVICE_FIRST, ADVICE_KEEP };

/* What follows from that. why[size]: the reason, for people. */
enum freeze_advice freeze_advice_of(const struct freeze_evidence *evidence, char *why, size_t size);

bool freeze_is_auto(const struct train_args *args);

/* Replace --freeze auto in args->stages by the plan; what was found goes to t->advice. t is settled with nothing frozen,
 * and its network has its values, which are lost. `reload` gives them back: it is called between the two trials. */
NODISCARD enum result freeze_advise(struct train_args *args, const struct train_args *settled,
                                    struct training *t,
                                    enum result (*reload)(const struct train_args *args,
                                                          struct training *t, struct error *err),
                                    struct error *err);

#endif
