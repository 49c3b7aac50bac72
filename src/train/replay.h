/* Training from kept features (`cache-features K` of a stage).
 *
 * While the beginning of the network is frozen, what it makes of an image never changes. So the first K epochs of the
 * stage train as ever, and write down its outputs, the truths and the picture's number (train/feature_cache.h). Every
 * further epoch replays one of these K, in an order of its own, and needs neither pictures nor the frozen layers. Image
 * number k of the run is
 *
 *   in epoch e = (k - first) / pictures < K   sample k, as without features
 *   later                                     sample first + (e mod K) * pictures + p_e((k - first) mod pictures)
 *
 * where `first` is the first image of the stage and p_e a permutation of the pictures, another one for each e. This is
 * fixed, whether records are there or not: a mini-batch that misses a record goes through the loader, which makes the
 * very same samples (loader_options.source_of). So a kill, a damaged file or a full disk cost time and change no bit. */
#ifndef TRAIN_REPLAY_H
#define TRAIN_REPLAY_H

#include "data/loader.h"
#include "net/features.h"
#include "train/checkpoint.h"

struct replay_options {
    const char *folder;        /* of the run; outlives the replay */
    const struct network *net; /* at the size it is trained at */
    const struct kernels *kern;
    const enum layer_mode *modes; /* [layer_count] */
    const struct dataset *set;
    struct augment_options augment; /* the stage's */
    int mini_batch;
    uint64_t seed, first_sample; /* of the stage */
    int variants;                /* K */
    struct train_fingerprint fingerprint;
};

/* What the features of a stage take. */
struct replay_size {
    char layers[256];       /* "layers 23, 27" */
    uint64_t picture_bytes; /* one variant of one picture */
    uint64_t pictures;
    int variants;
    uint64_t bytes; /* of the whole file; UINT64_MAX if that does not fit a number */
};

/* Only net, modes, set, augment and variants are read. ERR_ARG if nothing is frozen at the
 * beginning of the network; ERR_MEMORY. */
NODISCARD enum result replay_measure(const struct replay_options *options, struct replay_size *size,
                                     struct error *err);

/* "layers 23, 27: 1.04 MB a picture, 300 pictures x 10 variants = 3.1 GB in DIR, 51 GB free". */
void replay_describe(const struct replay_size *size, const char *folder, char *text,
                     size_t text_size);

/* ERR_ARG if the file would take more than limit_bytes or nine tenths of what is free for the
 * folder (which need not exist yet); the hint is the largest number of variants that fits. */
NODISCARD enum result replay_check(const struct replay_size *size, const char *folder,
                                   uint64_t limit_bytes, struct error *err);

struct replay;

/* A file that cannot be made is a warning: the replay then goes through the loader throughout.
 * ERR_ARG as replay_measure; ERR_MEMORY. The network's frozen parameters have their values. */
NODISCARD enum result replay_open(const struct replay_options *options, struct replay **replay,
                                  struct error *err);
/* The file stays, for a resumed run. NULL is accepted. */
void replay_close(struct replay *replay);

/* Which sample image number k of the run is; the loader's source_of, ctx = replay. */
uint64_t replay_source(void *ctx, uint64_t k);

/* If all of images k ... k + images - 1 are in the file: true, and the batch's truths, sample_index
 * and images (no input), valid until the next call. */
bool replay_fetch(struct replay *replay, uint64_t k, int images, struct batch *batch);

/* Run the batch that begins at image k forward: from features if replay_fetch gave it, else from the plan's input, and
 * then write its records. If that fails, warn and remove the file. */
void replay_forward(struct replay *replay, struct plan *plan, uint64_t k,
                    const struct batch *batch);

/* Run one layer of the fetched batch again: in order from 0 after plan_begin. False if the layer is left out. For a
 * batch of the loader this is plan_forward_layer. */
bool replay_forward_layer(const struct replay *replay, struct plan *plan, int layer);

#endif
