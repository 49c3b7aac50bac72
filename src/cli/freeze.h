/* Which layers are frozen: --freeze and the cfg's own keys. */
#ifndef CLI_FREEZE_H
#define CLI_FREEZE_H

#include <stdbool.h>
#include <stddef.h>

#include "net/modes.h"

/* For help pages. */
#define FREEZE_HELP "layers that keep still: 0-19, or 0-19,25, or 20 (the first 20), or none"

/* frozen[layer_count] from the cfg (trainable=0; stopbackward=1: this layer and all below) and
 * `text`, which adds to it; "none" frees every layer, also the cfg's; NULL: only the cfg's. Numbers
 * are Darknet's, as `yolo info` prints; ranges include both ends; a number alone is a count: "20"
 * is 0-19, "0" none. ERR_ARG if the text is no such thing, or a layer does not exist. */
NODISCARD enum result freeze_resolve(const char *text, const struct network *net, bool *frozen,
                                     struct error *err);

/* ERR_UNSUPPORTED at the first stopbackward=N with N > 1: frozen for a time only. */
NODISCARD enum result freeze_check_timed(const struct network *net, struct error *err);

struct freeze_totals {
    int layers, frozen_layers; /* that have parameters */
    size_t moving, frozen;     /* values, without statistics */
    size_t statistics;         /* of all layers */
    size_t moving_statistics;  /* that follow the batches */
};

struct freeze_totals freeze_count(const struct network *net, const bool *frozen, enum bn_policy bn);

/* ERR_ARG if no value moves. */
NODISCARD enum result freeze_check_moves(const struct freeze_totals *totals, struct error *err);

/* "0-19,25", "none"; cut with "..." if it does not fit. */
void freeze_describe(const bool *frozen, int layer_count, char *text, size_t size);

#endif
