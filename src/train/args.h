/* The options of `yolo train`: from the command line, to args.json and back. */
#ifndef TRAIN_ARGS_H
#define TRAIN_ARGS_H

#include "run/model.h"
#include "base/options.h"
#include "train/stage_words.h"

#include <cjson/cJSON.h>

enum recipe_kind { RECIPE_UNSAID = -1, RECIPE_AUTO, RECIPE_DARKNET };

/* -1, or 0 where 0 can mean nothing else: not given, the cfg's value holds. */
struct train_args {
    struct model_args model; /* its data: the .data file */

    /* What trains, how fast and how long; stages that have begun are compared with the resumed run's. */
    struct stage_words stages;

    /* What else changes the numbers; a resumed run must have the same. */
    int batch, subdivisions;
    int optimizer; /* enum optimizer_kind */
    float momentum, decay, clip_norm, ema, bn_momentum;
    int validate_every;
    int seed;

    /* The same; what is not given is settled by recipe_settle (train/recipe.h). */
    int recipe; /* enum recipe_kind */
    float assign_iou;
    int bn_start;     /* 0 stored, 1 mean */
    int close_mosaic; /* epochs */
    int best;         /* enum train_measure: MEASURE_MAP50 or MEASURE_MAP */

    bool quantize_aware; /* trains as int8 computes (train/quantize_aware.h) */

    /* Of the classes that the weights know. */
    const char *weights_names; /* a file */
    const char *weights_cfg;   /* the network of --weights */
    const char *images;        /* the folder of a COCO file's pictures; NULL: looked for */
    bool add_classes;

    /* What does not. */
    float hours;
    bool has_new_time; /* --time beside --resume */
    bool fits_time;    /* the length is what --time had room for: in args.json as "time_fit" */
    int checkpoint_every, log_every, cache_mb, loader_threads;
    float cache_features_gb;
    bool limits_features; /* it was given on this command line */
    const char *out;
    bool dry_run, show_batch, no_pictures;

    /* Of data without boxes. */
    bool standardizes;
    const char *class_weights; /* "auto", "dog=2,cat=.5" */

    bool resumes;
    const char *resume;  /* the folder; NULL: the newest */
    const char *unused;  /* where the help page's row for --resume points */
    bool has_new_stages; /* --stage or --stages beside --resume */
    int argc;            /* the words but --resume; only with it */
    char **argv;
    cJSON *loaded; /* args.json: owns strings above */
};

/* Parse a command line. With --resume it may hold only what can be given anew. ERR_ARG for what contradicts itself. argv
 * is reordered and must outlive args. Free with train_args_free, also after an error. */
NODISCARD enum result train_args_parse(struct train_args *args, int argc, char **argv, bool *done,
                                       struct error *err);
void train_args_free(struct train_args *args);

/* Everything that was set, by the options' names. NULL if out of memory. */
cJSON *train_args_json(const struct train_args *args);

/* After a --resume: read from folder/args.json everything that was not given anew. */
NODISCARD enum result train_args_load(struct train_args *args, const char *folder,
                                      struct error *err);
/* After that: write the stages that were given anew into folder/args.json. */
NODISCARD enum result train_args_keep_stages(const struct train_args *args, const char *folder,
                                             struct error *err);

/* The kernels that the resumed run has used last; NULL: not known. */
const char *train_args_isa(const struct train_args *args);
/* Note in folder/args.json that the run goes on with others after so many updates. */
NODISCARD enum result train_args_keep_isa(const struct train_args *args, const char *folder,
                                          uint64_t iteration, const char *isa, struct error *err);

/* Everybody's (base/ranks.h) words become those of process 0, which has settled what was not given: of a run that begins. */
NODISCARD enum result train_args_share(struct train_args *args, struct error *err);

/* For the fingerprint: lines "key=value" of all that changes the numbers, but for the stages, and `more` lines behind them.
 * Freed with mem_free; NULL if out of memory. */
char *train_args_fingerprint(const struct train_args *args, const char *more);

#endif
