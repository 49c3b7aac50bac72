/* The proof that what is frozen keeps still: hashes of every tensor that may not move in a stage, taken when it
 * begins and compared whenever the run is saved. Computed from the values themselves, so it also catches what no
 * rule foresaw. */
#ifndef TRAIN_STILL_H
#define TRAIN_STILL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/network.h"

struct still_tensor {
    int layer, param;
    uint64_t hash;
};

struct still {
    const struct network *net;
    struct still_tensor *tensors; /* [count], owned */
    size_t count;
    size_t values; /* floats in them */
    int layers;    /* of which nothing moves */
};

/* Everything of the network that neither the optimiser nor batch statistics may move under `modes`: whole frozen
 * layers, and the statistics of trained ones that normalise by the stored ones. Takes a zeroed *still, or an
 * earlier one, which is freed first. */
NODISCARD enum result still_take(struct still *still, const struct network *net,
                                 const enum layer_mode *modes, struct error *err);
void still_free(struct still *still); /* a zeroed one is fine */

/* One value for all of them. */
uint64_t still_hash(const struct still *still);

/* Bytes in tensors that are not what they were (0: nothing moved); *first names the first of them. */
size_t still_changed(const struct still *still, const struct still_tensor **first);

#endif
