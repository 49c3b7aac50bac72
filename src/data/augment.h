/* From labelled pictures to one training input: crop, flip, colours, mosaic, mixup; boxes move with the pixels.
 * Classifiers have crops of their own, without mosaic and mixup (data/crop.h).
 *
 * Ranges and rules are AlexeyAB's Darknet's (its OpenCV path). Differences: hue wraps round where Darknet's
 * 8-bit arithmetic stops at 0; letter_box works with mosaic; in a mosaic a box always is clipped to what can
 * be seen of it (Darknet's mosaic_bound=1; without that key Darknet keeps boxes that lie under other tiles);
 * the limit of truths is applied after shuffling and dropping; mosaic, mixup, blur and noise are drawn for each
 * sample, not for a share of the batch. Pixels outside the picture have its mean colour. */
#ifndef DATA_AUGMENT_H
#define DATA_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/rng.h"
#include "data/crop.h"
#include "data/image.h"
#include "kernels/tensor.h"
#include "layers/box.h"

struct augment_options {
    bool
        crops; /* as classifiers do, by `crop`; without augmentation the picture's middle. No boxes, no letter_box */
    struct crop_options crop;
    bool is_off; /* only resize: validation, --no-augment */
    bool letter_box;
    float jitter, resize;            /* of the last head */
    bool flip, mosaic, mixup;        /* mosaic goes before mixup */
    float hue, saturation, exposure; /* 0, 1, 1: none */
    float blur, gaussian_noise; /* 0: none; blur 1: only the background; noise is sigma of 255 */
    size_t max_truths;          /* per input; the last head's `max`; 0 = no limit */
};

/* Growing list of truths; owns items. */
struct truth_list {
    struct truth *items;
    size_t count, capacity;
};

/* Memory of one thread, kept from sample to sample. Zero it, free it with augment_scratch_free. */
struct augment_scratch {
    float *blocks[3];
    size_t floats[3];
};
void augment_scratch_free(struct augment_scratch *scratch);

enum { AUGMENT_MAX_PICTURES = 4 };

/* One sample in the making. The caller fills the first group. */
struct augment_job {
    const struct augment_options *options;
    const struct tensor *output; /* dense, c = 3 or 1; image `image` of it is filled */
    int image;
    struct rng rng; /* everything random is drawn from here */
    struct augment_scratch *scratch;
    struct truth_list *truths; /* fractions of the output; emptied by augment_begin */

    int pictures, next; /* how many it takes, how many it has got */
    int cut_x, cut_y;   /* mosaic: where the four tiles meet */
};

/* The labels of a picture; those of crowds are left out. */
struct augment_labels {
    const struct truth *truths;
    const bool *is_crowd; /* NULL: none */
    size_t count;
};

/* Decides what becomes of the sample; returns how many pictures it takes: 1, 2 (mixup) or 4 (mosaic). */
int augment_begin(struct augment_job *job);

/* Exactly so many calls, each with a picture; it may be freed afterwards. ERR_MEMORY only. */
NODISCARD enum result augment_add(struct augment_job *job, const struct image *image,
                                  const struct augment_labels *labels, struct error *err);

/* After the last picture: shuffles the truths and applies max_truths. */
void augment_finish(struct augment_job *job);

/* The way without augmentation (is_off): image_to_input, the truths moved by its fit, those under one pixel
 * and crowds dropped. ERR_MEMORY only. */
NODISCARD enum result augment_none(const struct augment_options *options, const struct image *image,
                                   const struct augment_labels *labels, const struct tensor *output,
                                   int n, struct truth_list *truths, struct image_fit *fit,
                                   struct error *err);

#endif
