/* The cfg of this program that a cfg was made from: the one with the same layers. What a cfg has otherwise than its base
 * somebody has meant. */
#ifndef TRAIN_BASE_CFG_H
#define TRAIN_BASE_CFG_H

#include "net/network.h"

/* The stems of those that the program knows. */
extern const char *const base_cfg_stems[];
extern const size_t base_cfg_count;
extern const size_t base_cfg_detectors; /* of them the first so many */

struct base_cfg {
    const char *stem;   /* "yolov4-tiny"; NULL: none has these layers */
    struct network net; /* without parameters; only with a stem */
};

/* Sections and their keys are compared, but for [net], all of a head, how many outputs the layer before a head, [softmax] or
 * [cost] has, and keys that only concern training. Free with base_cfg_free, also after an error. */
NODISCARD enum result base_cfg_find(const struct cfg *cfg, struct base_cfg *base,
                                    struct error *err);
void base_cfg_free(struct base_cfg *base);

#endif
