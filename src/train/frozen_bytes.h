/* The proof that what is frozen keeps still: hashes of every tensor that may not move in a stage, taken when it
 * begins and compared whenever the run is saved. Computed from the values themselves, so it also catches what no
 * rule foresaw. */
#ifndef TRAIN_FROZEN_BYTES_H
#define TRAIN_FROZEN_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/modes.h"

struct frozen_tensor {
    int layer, param;
    uint64_t hash;
};

struct frozen_bytes {
    const struct network *net;
    struct frozen_tensor *tensors; /* [count], owned */
    size_t count;
    size_t values; /* floats in them */
    int layers;    /* of which nothing moves */
};

/* Everything of the network that may not move when frozen[layer_count] is frozen under `bn`: whole frozen layers, the
 * stored statistics that trained ones normalise with, what bn=frozen keeps. Read from what was asked for and not from
 * the modes it was turned into: a second, independent reading of the table in docs/freezing.md. Takes a zeroed
 * *still, or an earlier one, which is freed first. */
NODISCARD enum result frozen_bytes_take(struct frozen_bytes *still, const struct network *net,
                                        const bool *frozen, enum bn_policy bn, struct error *err);
void frozen_bytes_free(struct frozen_bytes *still); /* a zeroed one is fine */

/* One value for all of them. */
uint64_t frozen_bytes_hash(const struct frozen_bytes *still);

/* Bytes in tensors that are not what they were (0: nothing moved); *first names the first of them. */
size_t frozen_bytes_changed(const struct frozen_bytes *still, const struct frozen_tensor **first);

#endif
