/* The run of `yolo detect` and `yolo classify`: pictures through a network, results to stdout and files. */
#ifndef REPORT_DETECT_RUN_H
#define REPORT_DETECT_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/shard.h"
#include "results/results.h"
#include "run/infer.h"

/* Borrows everything; must outlive the run. */
struct detect_run_options {
    const struct model_args *model;
    struct infer_args infer; /* but for its classes, and whether pictures are kept */
    bool only_classifies;    /* a detector is an error */
    /* The first option that was given and acts on boxes only: an error with a classifier. NULL: none. */
    const char *box_option;
    const char *classes;       /* those wanted (class_filter_parse); NULL: all */
    const char *const *inputs; /* [input_count], as for inputs_open */
    size_t input_count;
    struct shard shard; /* of them all in a row, one that cannot be read being one, too */

    enum result_format format;
    const char *annotations; /* RESULT_COCO: where ids come from; else NULL */
    const char *out;         /* output folder, made if something is saved */
    bool saves_pictures;     /* of a detector */
    bool saves_crops, saves_confidence;
    int voc_first_pixel;         /* of results_write_voc */
    bool skips_existing;         /* inputs whose annotated picture exists */
    const char *const *excluded; /* [excluded_count] folders to leave out, whoever names them */
    size_t excluded_count;
};

/* Whether, with a detector, anything goes into the output folder. */
bool detect_writes_files(const struct detect_run_options *options);

struct detect_totals {
    struct infer_times times; /* of the pictures that were read and delivered */
    size_t objects;           /* in them */
    size_t failures; /* inputs that could not be read, or results that could not be saved */
    size_t skipped;  /* --skip-existing */
    size_t all;      /* of a share: the inputs of all shares together */
    size_t pictures, crops, labels; /* files written */
    double wall_ms;                 /* of the whole run */
    bool is_of_classes;             /* the model is a classifier */
    bool has_begun;                 /* model and inputs are open */
    bool is_reader_gone;            /* stdout was closed: the run stopped early */
};

/* Open model and inputs, and run to the end. OK also if some inputs failed: totals say. ERR_INTERRUPTED: everything
 * delivered has been written. ERR_IO: stdout takes no more. Once pictures are read, what stands on stdout is valid
 * in its format in every case. *totals must be zeroed. */
NODISCARD enum result detect_run(const struct detect_run_options *options,
                                 struct detect_totals *totals, struct error *err);

#endif
