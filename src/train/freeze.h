/* Which layers are frozen: --freeze and the cfg's own keys. */
#ifndef TRAIN_FREEZE_H
#define TRAIN_FREEZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/modes.h"

/* For help pages. */
#define FREEZE_HELP                                                                                \
    "layers that keep still: 0-19, or 0-19,25, or 20 (the first 20), or backbone, neck, "          \
    "all-but-heads, or backbone,110-112, or none"

struct freeze_totals {
    int layers, frozen_layers; /* that have parameters */
    size_t moving, frozen;     /* values, without statistics */
    size_t statistics;         /* of all layers */
    size_t moving_statistics;  /* that follow the batches */
};

/* What is frozen in a stage, and the modes that follow from it. Whoever needs a layer's mode reads it here. */
struct freeze_set {
    bool *frozen; /* [layer_count] */
    enum bn_policy bn;
    enum layer_mode *modes; /* [layer_count] */
    struct freeze_totals totals;
};

/* A moment of a run, for keys of the cfg that freeze layers for a time. */
struct freeze_time {
    uint64_t updates; /* made so far */
    uint64_t burn_in; /* updates of the run's warm-up, in which burnin_update=K counts */
};

/* Make the set that the cfg and `text` ask for.
 *
 *   trainable=0       freezes its layer
 *   stopbackward=1    its layer and all below
 *   onlyforward=1     its layer and what reaches the loss through it alone
 *   with `at`, too:
 *   stopbackward=N    N > 1: its layer and all below for the first N updates
 *   dont_update=N     its layer for the first N updates
 *   burnin_update=K   its layer for K times the burn_in
 *
 * `text` adds to that; "none" frees every layer, also the cfg's; NULL adds nothing. Items are separated by commas:
 * numbers as Darknet counts them and `yolo info` prints them; ranges with both ends; backbone, neck, all-but-heads
 * (net/backbone.h). A number alone is a count: "20" is 0-19, "0" none.
 *
 * ERR_ARG if the text is no such thing, a layer does not exist, or the network lacks that part; ERR_CFG if parts are
 * named of a network without detection heads; ERR_UNSUPPORTED, with path:line, for keys of the cfg that ask for what
 * is not built: train_only_bn=1, and onlyforward=1 where a gradient would have to be cut. Free the set with
 * freeze_set_free, also after an error. */
NODISCARD enum result freeze_set_make(const struct network *net, const char *text,
                                      enum bn_policy bn, const struct freeze_time *at,
                                      struct freeze_set *set, struct error *err);
/* Modes and totals of a set whose `frozen` and `bn` are given. ERR_MEMORY. */
NODISCARD enum result freeze_set_settle(const struct network *net, struct freeze_set *set,
                                        struct error *err);
void freeze_set_free(struct freeze_set *set); /* a zeroed one is fine */

/* ERR_ARG if no value moves. */
NODISCARD enum result freeze_set_check(const struct freeze_set *set, struct error *err);

/* Whether `text` is "none": nothing of the cfg's own freezing holds then. */
bool freeze_frees_all(const char *text);

/* After how many updates, more than at->updates, the cfg next sets layers free that it froze for a time. 0: it does not,
 * or `text` is "none". */
uint64_t freeze_next_change(const struct network *net, const char *text,
                            const struct freeze_time *at);

/* Adds the layers that `text` (as above, but for "none"; "heads", too) names to set[layer_count];
 * `option` is for messages. */
NODISCARD enum result layer_set_add(const char *option, const char *text, const struct network *net,
                                    bool *set, struct error *err);

/* The first key of the cfg that freezes layers for a time, or else for good, and its line; NULL: there is none. */
const char *freeze_cfg_key(const struct network *net, bool is_timed, int *line);

/* "0-19,25", "0-104 (backbone)", "none"; cut with "..." if it does not fit. size >= 64. False if
 * there was no memory to find the name, which is then left out. */
bool freeze_describe(const struct network *net, const bool *frozen, char *text, size_t size);

#endif
