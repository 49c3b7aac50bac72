/* Training batches: decoding and augmenting on other threads, beside the computation.
 *
 * Sample number k of a run is a pure function of (seed, k): epoch k / count, the picture by that epoch's
 * permutation, all random draws from (seed, epoch, k % count). So the bytes do not depend on the number of
 * threads, and a run can be resumed at any k. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/augment.h"
#include "data/dataset.h"
#include "data/image.h"
#include "kernels/tensor.h"

/* Of every `group` mini-batches those numbered [first, end) in it; group 0: all. */
struct loader_share {
    int group, first, end;
};
/* The first mini-batch from this number on that is in the share, which is not empty. */
uint64_t loader_share_next(const struct loader_share *share, uint64_t mini_batch);

struct loader_options {
    const struct dataset *set; /* outlives the loader */
    struct augment_options augment;
    int batch;    /* images per mini-batch */
    int channels; /* 3 or 1; any for tables, whose features fill the input */
    uint64_t seed;
    uint64_t first_sample; /* k of the first image */
    /* Which sample image number k is; a pure function, called from the workers. NULL: sample k. Not with
     * in_order. */
    uint64_t (*source_of)(void *ctx, uint64_t k);
    void *source_ctx;
    struct loader_share share; /* others are left to other processes. Not with in_order */
    uint64_t
        end_sample; /* in_order: images from number k = this one on are left to others; 0: none */
    uint64_t mosaic_end; /* images from number k = this one on are no mosaics; 0: no such end */
    bool in_order;       /* no shuffling, one pass, then end */
    int threads;         /* workers; 0 = 1 */
    size_t cache_bytes;  /* decoded pictures kept in memory, at most */
    /* Network size of mini-batch number m (counted from sample 0: m = k / batch of its first image): a
     * pure function. Called from the workers, one at a time. */
    void (*size_of)(void *ctx, uint64_t mini_batch, int *w, int *h);
    void *size_ctx;
};

struct batch {
    struct tensor input; /* [images, h, w, channels], values in [0, 1], dense */
    const struct truth_set
        *truths;                /* [images], fractions of the network input, no crowds; or values */
    const size_t *sample_index; /* [images], which sample of the set (the first, for a mosaic) */
    const struct image_fit *fits; /* [images], with augment.is_off: the way back to the picture */
    int images;                   /* < batch only at the end of an in_order pass; 0 = the end */
    uint64_t mini_batch;
};

/* sample_index of a picture that could not be read: its input is grey, it has no truths. Only in_order:
 * there a replacement would count twice. */
#define LOADER_NO_SAMPLE SIZE_MAX

struct loader;
NODISCARD enum result loader_open(const struct loader_options *options, struct loader **loader,
                                  struct error *err);
/* The next batch, valid until the next call. A picture that cannot be read is replaced by the next one of
 * the permutation and reported once; ERR_IO only if no picture of the set can be read. After an error
 * the loader only can be closed. */
NODISCARD enum result loader_next(struct loader *loader, struct batch *batch, struct error *err);
void loader_close(struct loader *loader); /* NULL is accepted */

/* The order of an epoch: order[i] = which of `count` samples comes i-th. */
void loader_permutation(uint64_t seed, uint64_t epoch, size_t count, uint32_t *order);

#endif
