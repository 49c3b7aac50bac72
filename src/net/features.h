/* What the frozen beginning of a network hands to the rest: it can be computed once and kept.
 *
 * Layers in MODE_INFER depend on the image alone. Of those that something else reads, some are kept
 * (their outputs are the image's features), some follow from the kept ones at no cost (routes,
 * views, upsampling) and run again, and all others need not run at all:
 *
 *       skip ... keep --> run (route) --> moving layers ... --> head
 *                keep ----------------^
 *
 * A layer is filled or run at its own turn, when its buffer is its own in the plan's liveness, so
 * in-place layers, views and placed concatenations see what they see in a whole forward, bit for
 * bit. */
#ifndef NET_FEATURES_H
#define NET_FEATURES_H

#include <stddef.h>

#include "net/plan.h"

enum feature_role { FEATURE_SKIP, FEATURE_KEEP, FEATURE_RUN };

struct features {
    struct feature_layer {
        enum feature_role role;
        size_t offset; /* FEATURE_KEEP: floats into the features of an image */
    } * layers;        /* [layer_count] */
    int layer_count;
    int kept;      /* how many layers are */
    size_t floats; /* of one image: the kept outputs one behind the other, [h, w, c] without gaps */
};

/* For the network at its current size under these modes[layer_count]. kept == 0: there is no frozen
 * prefix (no layer with parameters is in MODE_INFER, or the image itself is read above it).
 * ERR_MEMORY only; free with features_free. */
NODISCARD enum result features_find(const struct network *net, const enum layer_mode *modes,
                                    struct features *features, struct error *err);
void features_free(struct features *features); /* a zeroed one is fine */

/* "layers 23, 27". */
void features_describe(const struct features *features, char *text, size_t size);

/* rows[images]: where the features of each image are, or go. The plan is of the same network, size
 * and modes. */

/* plan_forward, writing the features down on the way; rows[i] NULL: not those of image i. */
void features_record(const struct features *features, struct plan *plan, int images,
                     float *const *rows);

/* plan_forward from features: the same values in every layer that is not in MODE_INFER, so in every
 * head that has a loss. The image and the outputs of skipped layers are undefined. */
void features_forward(const struct features *features, struct plan *plan, int images,
                      const float *const *rows);

/* One layer of features_forward, in order from 0 after plan_begin. */
void features_forward_layer(const struct features *features, struct plan *plan, int layer,
                            const float *const *rows);

#endif
