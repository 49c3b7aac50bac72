/* What the losses of all detection heads share. Losses are computed in double from the head's float
 * output, image by image; images run in parallel and their sums are added in order, so no result
 * depends on the number of threads. */
#ifndef LAYERS_HEAD_LOSS_H
#define LAYERS_HEAD_LOSS_H

#include "layers/head.h"

/* A term of the loss: its value and its derivative with respect to one number. */
struct term {
    double value, slope;
};

/* Binary cross-entropy -t ln p - (1 - t) ln(1 - p); slope with respect to p's logit: p - t. The value
 * takes p as within [1e-8, 1 - 1e-8] and so never exceeds 18.5; the slope takes it as it is. */
struct term term_cross_entropy(double p, double t);
/* (p - t)^2 / 2; slope with respect to p. */
struct term term_half_square(double p, double t);
/* Half the focal loss of Lin et al. 2017 (arXiv:1708.02002) with gamma 2: -(1 - q)^2 ln(q) / 2, where
 * q = p if is_positive, else 1 - p. Slope with respect to p's logit, or to p itself. */
struct term term_focal(double p, bool is_positive, bool by_logit);

/* p (1 - p): the derivative of the logistic where it gave p. */
double logistic_slope(double p);
/* p within [1e-8, 1 - 1e-8], for logarithms: floats near 1 are about that far apart. NaN stays. */
double probability(double p);
/* e^v with |v| <= 100, so that areas and their squares stay finite. NaN stays. */
double bounded_exp(double v);

/* True if the head learns from the label: a class of its own, centre within [0, 1], both sizes positive and finite. */
bool truth_is_usable(const struct truth *truth, const struct head_info *head);
/* The cell of a position in [0, 1] on a grid: the last one for 1. */
int truth_cell(double position, int cells);

/* The loss of one image on its way. */
struct head_image {
    const struct layer *l;
    const struct exec
        *e; /* out: the head's output of the mini-batch; input_grads[0] of its shape, or no data */
    int image;                  /* its number in the mini-batch */
    const struct truth *truths; /* boxes as fractions of the network's input; not all are usable */
    int truth_count;            /* at most max_truths */
    void *work; /* work_bytes, 64-byte aligned, undefined; no other image's meanwhile */
    struct loss_parts parts; /* zero at first; the image's sums */
};

/* ops->plan of a head whose loss works in work_bytes for an image: the output is its own, or lies over the input
 * where nothing else reads that; scratch for all images of the mini-batch. */
void head_loss_plan(const struct plan_limits *limits, size_t work_bytes, struct layer_plan *p);

/* ops->loss: writes zeros to the gradient where it is not added to, runs the images, adds up their parts
 * in the images' order. truths: one set an image. Only in modes that keep for backward; elsewhere (no layer
 * below the head moves, so its loss is of no use) it does nothing. Allocates nothing, cannot fail. */
void head_loss_run(void (*image_loss)(struct head_image *image), size_t work_bytes,
                   const struct layer *l, const struct exec *e, const struct truth_set *truths,
                   struct loss_parts *parts);

/* One predictor box of one cell. */
struct head_place {
    int x, y, slot; /* column and row of the cell on the head's grid; predictor box of the cell */
    size_t index;   /* of the image's predictor boxes, below head_place_count */
    const float *values; /* [entries], as the head's forward pass left them */
    float *gradient;     /* [entries], dL/dinput, to be added to; NULL: not wanted */
};

/* Predictor boxes of an image: height * width * slots. */
size_t head_place_count(const struct layer *l);
struct head_place head_place_of(const struct head_image *image, int y, int x, int slot);

/* What an image's loss consists of; ctx is the caller's. Cells run row by row, slots innermost. */
struct head_steps {
    void (*match)(void *ctx, const struct head_place *at); /* first, for every predictor box */
    void (*assign)(void *ctx, int truth); /* then for every usable truth, in their order */
    void (*add_terms)(void *ctx,
                      const struct head_place *at); /* at last, for every predictor box */
};
void head_image_run(struct head_image *image, const struct head_steps *steps, void *ctx);

#endif
