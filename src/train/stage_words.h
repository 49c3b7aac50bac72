/* What the user says of stages: --freeze and its like for the whole run, --stage "freeze=0-19 epochs=10 lr=1e-3",
 * --stages FILE, --unfreeze-every. What it comes to: train/stages.h. */
#ifndef TRAIN_STAGE_WORDS_H
#define TRAIN_STAGE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/error.h"
#include "base/options.h"

enum stage_augment { STAGE_AUGMENT_ON, STAGE_AUGMENT_OFF, STAGE_AUGMENT_NO_MOSAIC };

/* One stage. -1 or NULL: not said, the run's own setting holds. */
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
    char *words; /* owns the strings above; NULL: they are borrowed */
};

extern const struct stage_spec stage_spec_unsaid;

/* The whole run. */
struct stage_words {
    struct stage_spec
        run; /* for every stage that does not say otherwise, but for its length; -1: the cfg's holds */
    int epochs, iterations; /* 0: not said */
    bool no_augment, no_mosaic;
    struct string_list
        stages;             /* --stage, and what --stages holds; empty: the rest is the one stage */
    const char *stage_file; /* --stages */
    int unfreeze_every;     /* epochs; 0: no gradual unfreezing */
    int unfreeze_from;      /* -1, or what joins first: heads, neck, backbone */
    cJSON *plan; /* owns strings of stages: what stage_file holds, or what was made of them */
};

/* A command line without any. */
extern const struct stage_words stage_words_unsaid;

/* Of `yolo train`, and what of it may be given beside --resume: target struct stage_words. */
extern const struct option stage_words_options[], stage_words_new_options[];

/* After parsing: the file of --stages joins the list, and what contradicts itself is ERR_ARG. is_resumed: the stages
 * are given anew, beside a run's own words. */
NODISCARD enum result stage_words_finish(struct stage_words *words, bool is_resumed,
                                         struct error *err);
void stage_words_free(struct stage_words *words);

/* Updates of a run without stages: as said, else `otherwise` (the cfg's max_batches). */
uint64_t stage_words_updates(const struct stage_words *words, uint64_t updates_per_epoch,
                             uint64_t otherwise);

/* These texts in place of the stages that there are. */
NODISCARD enum result stage_words_set(struct stage_words *words, const char *const *texts,
                                      size_t count, struct error *err);

/* Give every stage of the list that many updates in place of the length that it says. */
NODISCARD enum result stage_words_set_lengths(struct stage_words *words, const uint64_t *updates,
                                              struct error *err);

/* The stage `spec` with what it leaves to the run; borrows all strings. */
struct stage_spec stage_words_fill(const struct stage_words *words, const struct stage_spec *spec);

/* Read one --stage. ERR_ARG names the word that is wrong. Free with stage_spec_free, also after an error. */
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
