/* Training batches: decoding and augmenting on other threads, beside the computation.
 *
 * Sample number k of a run is a pure function of (seed, k): epoch k / count, the picture by that epoch's
 * permutation, all random draws from (seed, epoch, index). So the bytes do not depend on the number of
 * threads, and a run can be resumed at any k. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/dataset.h"
#include "kernels/tensor.h"

struct augment_options {
    bool is_off;             /* only resize: validation, --no-augment */
    bool letter_box;
    float jitter, resize;    /* of the last head */
    bool flip, mosaic, mixup, mosaic_bound; /* cutmix is mosaic for detection, as in Darknet */
    float hue, saturation, exposure;
    float blur, gaussian_noise;
    size_t max_truths;       /* per picture; the last head's `max` */
};

struct loader_options {
    const struct dataset *set; /* outlives the loader */
    struct augment_options augment;
    int batch;               /* images per mini-batch */
    int channels;
    uint64_t seed;
    uint64_t first_sample;   /* k of the first image */
    bool in_order;           /* no shuffling, one pass, then end */
    int threads;             /* workers; 0 = 1 */
    size_t cache_bytes;      /* decoded pictures kept in memory, at most */
    /* Network size of mini-batch number m (counted from sample 0): a pure function. */
    void (*size_of)(void *ctx, uint64_t mini_batch, int *w, int *h);
    void *size_ctx;
};

struct batch {
    struct tensor input;             /* [images, h, w, channels], values in [0, 1], dense */
    const struct truth_set *truths;  /* [images], fractions of the network input */
    const size_t *sample_index;      /* [images], which sample of the set (the first, for a mosaic) */
    int images;                      /* < batch only at the end of an in_order pass; 0 = the end */
    uint64_t mini_batch;
};

struct loader;
NODISCARD enum result loader_open(const struct loader_options *options, struct loader **loader,
                                  struct error *err);
/* The next batch, valid until the next call. A picture that cannot be read is replaced by the next one of
 * the permutation and reported once; ERR_IO only if no picture of the set can be read. */
NODISCARD enum result loader_next(struct loader *loader, struct batch *batch, struct error *err);
void loader_close(struct loader *loader);

#endif
