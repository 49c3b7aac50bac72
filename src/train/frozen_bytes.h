/* The proof that frozen values keep still: hashes of every tensor that may not move in a stage, taken when the stage
 * begins and compared whenever the run is saved. They are computed from the values themselves, so they also catch what
 * no rule foresaw. */
#ifndef TRAIN_FROZEN_BYTES_H
#define TRAIN_FROZEN_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/modes.h"

struct frozen_tensor {
    int layer, param;
    bool is_whole; /* else only rows of classes that the head above is not for */
    size_t values; /* that keep */
    uint64_t hash;
};

struct frozen_bytes {
    const struct network *net;
    struct frozen_tensor *tensors; /* [count], owned */
    size_t count;
    size_t values; /* floats in them */
    int layers;    /* in which nothing moves */
};

/* Take the hashes of everything that may not move when frozen[layer_count] is frozen under `bn`: whole frozen layers,
 * the stored statistics that trained layers normalise with, what bn=frozen keeps, rows of classes that a head is not for. This reads what was asked for, and not
 * the modes that it became: a second, independent reading of the table in docs/freezing.md. *proof is zeroed, or an
 * earlier one, which is freed first. */
NODISCARD enum result frozen_bytes_take(struct frozen_bytes *proof, const struct network *net,
                                        const bool *frozen, enum bn_policy bn, struct error *err);
void frozen_bytes_free(struct frozen_bytes *proof); /* a zeroed one is fine */

/* One hash for all tensors. */
uint64_t frozen_bytes_hash(const struct frozen_bytes *proof);

/* Bytes of the tensors that have changed; 0: nothing moved. *first names the first of them. */
size_t frozen_bytes_changed(const struct frozen_bytes *proof, const struct frozen_tensor **first);

#endif
