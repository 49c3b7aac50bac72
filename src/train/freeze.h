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

/* frozen[layer_count] from the cfg (trainable=0; stopbackward=1: this layer and all below; onlyforward=1: this
 * layer and what reaches the loss through it alone) and
 * `text`, which adds to it; "none" frees every layer, also the cfg's; NULL: only the cfg's. Items
 * are separated by commas: numbers as Darknet counts them and `yolo info` prints them; ranges with
 * both ends; backbone, neck, all-but-heads (net/backbone.h). A number alone is a count: "20" is 0-19,
 * "0" none. ERR_ARG if the text is no such thing, a layer does not exist, or the network lacks that
 * part; ERR_CFG if parts are named of a network without detection heads; ERR_UNSUPPORTED, with path:line, for keys of
 * the cfg that ask for what is not built: train_only_bn=1, and onlyforward=1 where a gradient would have to be cut. */
NODISCARD enum result freeze_resolve(const char *text, const struct network *net, bool *frozen,
                                     struct error *err);

/* Adds the layers that `text` (as above, but for "none"; "heads", too) names to set[layer_count];
 * `option` is for messages. */
NODISCARD enum result layer_set_add(const char *option, const char *text, const struct network *net,
                                    bool *set, struct error *err);

/* stopbackward=N with N > 1 freezes that layer and all below for the first N updates, dont_update=N that layer,
 * burnin_update=K that layer for K times the `burn_in` of the run: adds what they freeze after `updates` updates to
 * frozen[layer_count]. */
void freeze_timed(const struct network *net, uint64_t updates, uint64_t burn_in, bool *frozen);
/* The number of updates, above `updates`, at which such layers are set free; 0: none any more. */
uint64_t freeze_next_change(const struct network *net, uint64_t updates, uint64_t burn_in);

/* The first key of the cfg that freezes layers for a time, or else for good, and its line; NULL: there is none. */
const char *freeze_cfg_key(const struct network *net, bool is_timed, int *line);

struct freeze_totals {
    int layers, frozen_layers; /* that have parameters */
    size_t moving, frozen;     /* values, without statistics */
    size_t statistics;         /* of all layers */
    size_t moving_statistics;  /* that follow the batches */
};

struct freeze_totals freeze_count(const struct network *net, const bool *frozen, enum bn_policy bn);

/* ERR_ARG if no value moves. */
NODISCARD enum result freeze_check_moves(const struct freeze_totals *totals, struct error *err);

/* "0-19,25", "0-104 (backbone)", "none"; cut with "..." if it does not fit. size >= 64. False if
 * there was no memory to find the name, which is then left out. */
bool freeze_describe(const struct network *net, const bool *frozen, char *text, size_t size);

#endif
