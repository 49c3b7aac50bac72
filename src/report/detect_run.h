/* The run of `yolo detect`: pictures through a plan, results to stdout and files. */
#ifndef REPORT_DETECT_RUN_H
#define REPORT_DETECT_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "run/infer.h"
#include "results/results.h"
#include "data/inputs.h"

/* What the options came to. Borrows everything; must outlive the run. */
struct detect_job {
    const struct infer *infer;
    struct inputs *inputs;

    enum result_format format;
    struct coco_ids *ids;            /* RESULT_COCO, else NULL */
    const char *out;                 /* output folder */
    const struct input_guard *guard; /* inputs that lie in it */
    bool saves_pictures, saves_crops, saves_confidence;
    int voc_first_pixel;         /* of results_write_voc */
    bool skips_existing;         /* inputs whose annotated picture exists */
    bool is_out_in_inputs;       /* a folder argument holds the output folder: leave that out */
    const char *const *excluded; /* [excluded_count] folders to leave out, whoever names them */
    size_t excluded_count;
};

struct detect_totals {
    size_t images;   /* read and delivered */
    size_t objects;  /* in them */
    size_t failures; /* inputs that could not be read, or results that could not be saved */
    size_t skipped;  /* --skip-existing */
    size_t pictures, crops, labels;             /* files written */
    double load_ms, infer_ms, post_ms, wall_ms; /* sums over images; wall: of the whole run */
    bool is_reader_gone;                        /* stdout was closed: the run stopped early */
};

/* Run to the end. OK also if some inputs failed: totals say. ERR_INTERRUPTED: everything delivered
 * has been written. ERR_IO: stdout takes no more. In every case what stands on stdout is valid in
 * its format. */
NODISCARD enum result detect_run(const struct detect_job *job, struct detect_totals *totals,
                                 struct error *err);

#endif
