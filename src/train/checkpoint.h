/* What a training run leaves in its folder, so that it can be continued bit for bit, whenever it was killed:
 *
 *   last.state      everything that a resumed run needs: progress, all parameters and running statistics of the
 *                   network, the optimiser's state, the moving averages. It is one file, replaced by one rename:
 *                   there is nothing that it could disagree with.
 *   last.weights    what to detect with at that moment: the averages if there are any, else the parameters
 *   best.weights    the same at the best validation so far
 *   rollback.state  the last.state before an interrupt's, until the next one
 *
 * They are written in the order best.weights, last.state, last.weights. A run that is killed in between has either a
 * best.weights that its state does not know yet (the resumed run comes to it again), or a last.weights that is one
 * checkpoint older than its state (resuming writes it anew from the state). Each file is always a whole one, the old
 * or the new. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/network.h"
#include "net/quant.h"
#include "train/optimizer.h"
#include "train/stateio.h"

/* The line in a fingerprint's options of a run whose mini-batches are summed along train/sum_tree.h. Older programs summed
 * one after the other, with other bits. */
#define CHECKPOINT_SUM_LINE "mini-batch-sums=tree\n"

/* Sums since the last row of results.csv. */
struct row_sums {
    struct loss_parts parts;
    uint64_t updates;
    double gradient_norm;
};

struct train_progress {
    uint64_t seed;            /* of the run */
    uint64_t iteration;       /* updates made */
    uint64_t images_seen;     /* for the .weights header: with what the start weights had seen */
    uint64_t samples;         /* drawn from the loader by this run: its first_sample when resumed */
    uint64_t mini_batches;    /* run */
    uint32_t stage;           /* from 0; one beyond the last: all are done */
    uint64_t stage_iteration; /* updates made in it */
    uint64_t stage_first_sample; /* `samples` when it began */
    uint64_t frozen_hash;        /* of what keeps still in it, from train/frozen_bytes.h */
    double best_map;             /* by options.h's measure; NaN: not validated yet */
    uint64_t best_iteration;
    double stage_best_map;             /* what patience compares with; NaN as above */
    uint64_t validations_without_gain; /* in this stage, since stage_best_map */
    double average_loss;               /* running; NaN before the first update */
    double rate_factor;                /* on every rate: halved by each roll-back */
    uint32_t rollbacks;
    double seconds; /* of training, over all sessions */
    struct row_sums sums;
};

/* What must be the same when a run is resumed. */
struct train_fingerprint {
    uint64_t cfg;     /* state_hash_of the file's bytes */
    uint64_t dataset; /* of the list of pictures, in order */
    /* Lines "key=value" of everything that changes the numbers, but for the stages; at most 64 KiB. */
    const char *options;
    /* A line a stage; stages that have not begun may be others; at most 1 MiB. */
    const char *stages;
};

struct checkpoint_content {
    const struct train_progress *progress;
    const struct train_fingerprint *fingerprint;
    struct network *net; /* its values are exchanged with the averages while .weights are written */
    struct optimizer *optimizer; /* not exchanged */
    const struct quantization
        *quant; /* beside NAME.weights NAME.int8 is written, with the hash of those; or NULL */
};

/* Write last.state and last.weights into the folder. After ERR_IO (disk full) the files not yet
 * replaced are the old ones, no temporary file is left, and the network is as before. */
NODISCARD enum result checkpoint_save(const char *folder, const struct checkpoint_content *content,
                                      struct error *err);
/* The same where an interrupt fell. An uninterrupted run has no checkpoint there, so it is no place to go back to: the
 * checkpoint before it stays as rollback.state. */
NODISCARD enum result checkpoint_save_interrupted(const char *folder,
                                                  const struct checkpoint_content *content,
                                                  struct error *err);
/* Write best.weights: before last.state knows of it, and while the optimiser still has the averages that were
 * validated. */
NODISCARD enum result checkpoint_save_best(const char *folder,
                                           const struct checkpoint_content *content,
                                           struct error *err);

/* Make the next checkpoint_open of the folder read the last checkpoint that no interrupt made. */
NODISCARD enum result checkpoint_go_back(const char *folder, struct error *err);

/* The folder has a checkpoint: from here on that is said if a process of the training is lost (base/ranks.h). */
void checkpoint_leave_word(const char *folder);

/* A checkpoint being read. In order: open; check; restore_network; then plan and optimizer_new for
 * the stage that progress names; restore_optimizer; close. */
struct checkpoint {
    struct train_progress progress;
    struct train_fingerprint fingerprint; /* options belong to the checkpoint */
    struct state_reader reader;
    char folder[4096];
};

/* How many stages the run had when the checkpoint was written. */
size_t checkpoint_stages(const struct checkpoint *checkpoint);

/* Opens folder/last.state and verifies it whole. ERR_FORMAT in words if it is cut off, damaged, of
 * another version or something else. *checkpoint needs no preparation; close it also after an
 * error. */
NODISCARD enum result checkpoint_open(const char *folder, struct checkpoint *checkpoint,
                                      struct error *err);
void checkpoint_close(struct checkpoint *checkpoint);

/* ERR_ARG that says what differs: the cfg, the pictures, the first option with both values, or a stage that
 * has begun. */
NODISCARD enum result checkpoint_check(const struct checkpoint *checkpoint,
                                       const struct train_fingerprint *now, struct error *err);

/* Put parameters and statistics into an allocated network, seen and loaded_layers too. ERR_FORMAT if the network is
 * another one; then nothing has changed. */
NODISCARD enum result checkpoint_restore_network(struct checkpoint *checkpoint, struct network *net,
                                                 struct error *err);
/* Restore the optimiser's state; `net` is the restored one. Then compare last.weights with it, write it anew, with a
 * warning, if they disagree, and remove temporary files that a killed run left in the folder. quant: the content's. */
NODISCARD enum result checkpoint_restore_optimizer(struct checkpoint *checkpoint,
                                                   struct network *net, struct optimizer *optimizer,
                                                   const struct quantization *quant,
                                                   struct error *err);

/* The quantisation beside last.weights, which may be older than these by a moment. */
extern const char checkpoint_quant_name[];

#endif
