/* Stages as the user writes them: --stage "freeze=0-19 epochs=10 lr=1e-3", and files of the same. */
#ifndef TRAIN_STAGE_SPEC_H
#define TRAIN_STAGE_SPEC_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/error.h"
#include "base/options.h"

enum stage_augment { STAGE_AUGMENT_ON, STAGE_AUGMENT_OFF, STAGE_AUGMENT_NO_MOSAIC };

/* -1 or NULL: not said, the run's own setting holds. Strings belong to the spec. */
struct stage_spec {
    const char *freeze;
    int bn;                     /* enum bn_policy */
    const char *epochs, *iters; /* "10", or "11-20": which ones, from 1, both ends included */
    float rate;
    int policy; /* enum rate_policy */
    int warmup;
    int patience;
    int augment; /* enum stage_augment */
    int cache_features;
    const char *lr_scale;
    char *words; /* owns the strings above */
};

extern const struct stage_spec stage_spec_unsaid;

/* For help pages: the keys. */
#define STAGE_KEYS                                                                                 \
    "freeze, bn, epochs, iters, lr, policy, warmup, patience, augment, lr-scale, cache-features"

/* Read one stage. ERR_ARG names the word that is wrong. Free with stage_spec_free, also after an error. */
NODISCARD enum result stage_spec_parse(const char *text, struct stage_spec *spec,
                                       struct error *err);
void stage_spec_free(struct stage_spec *spec); /* a zeroed one is fine */

/* A length or the range of it: "10" gives first 0, last 10; "11-20" gives first 11, last 20. False if it
 * is neither, or empty, or beyond a thousand million. */
bool stage_span_parse(const char *text, long *first, long *last);

/* A plan file: a JSON array of objects with the keys of a stage. Appends their texts to the list; the
 * strings belong to *owner (cJSON_Delete), which stays NULL after an error. ERR_IO, ERR_FORMAT with the place. */
NODISCARD enum result stage_file_read(const char *path, struct string_list *list, cJSON **owner,
                                      struct error *err);

#endif
