#include "train/frozen_bytes.h"

#include "base/memory.h"
#include "train/stateio.h"

static uint64_t hash_of(const struct param *p)
{
    return state_hash_of(p->data, p->count * sizeof *p->data);
}

static bool keeps(bool is_frozen, enum bn_policy bn, const struct param *p)
{
    if (p->is_statistic) {
        return bn == BN_EVAL || bn == BN_FROZEN || (is_frozen && bn == BN_AUTO);
    }
    return is_frozen || (p->is_affine && bn == BN_FROZEN);
}

enum result frozen_bytes_take(struct frozen_bytes *proof, const struct network *net,
                              const bool *frozen, enum bn_policy bn, struct error *err)
{
    frozen_bytes_free(proof);
    proof->net = net;
    proof->tensors = mem_alloc((size_t)net->layer_count * LAYER_MAX_PARAMS, sizeof *proof->tensors);
    if (!proof->tensors) {
        return mem_error(err, "hashes of the frozen layers");
    }
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        size_t before = proof->count;
        for (int k = 0; k < l->param_count; k++) {
            if (keeps(frozen[i], bn, &l->params[k])) {
                proof->tensors[proof->count++] =
                    (struct frozen_tensor){i, k, hash_of(&l->params[k])};
                proof->values += l->params[k].count;
            }
        }
        proof->layers += l->param_count > 0 && proof->count == before + (size_t)l->param_count;
    }
    return OK;
}

void frozen_bytes_free(struct frozen_bytes *proof)
{
    mem_free(proof->tensors);
    *proof = (struct frozen_bytes){0};
}

uint64_t frozen_bytes_hash(const struct frozen_bytes *proof)
{
    struct state_hash all = {0};
    for (size_t i = 0; i < proof->count; i++) {
        state_hash_add(&all, &proof->tensors[i].hash, sizeof proof->tensors[i].hash);
    }
    return state_hash_value(&all);
}

size_t frozen_bytes_changed(const struct frozen_bytes *proof, const struct frozen_tensor **first)
{
    size_t bytes = 0;
    *first = NULL;
    for (size_t i = 0; i < proof->count; i++) {
        const struct frozen_tensor *t = &proof->tensors[i];
        const struct param *p = &proof->net->layers[t->layer].params[t->param];
        if (hash_of(p) != t->hash) {
            *first = *first ? *first : t;
            bytes += p->count * sizeof *p->data;
        }
    }
    return bytes;
}
