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

enum result frozen_bytes_take(struct frozen_bytes *still, const struct network *net,
                              const bool *frozen, enum bn_policy bn, struct error *err)
{
    frozen_bytes_free(still);
    still->net = net;
    still->tensors = mem_alloc((size_t)net->layer_count * LAYER_MAX_PARAMS, sizeof *still->tensors);
    if (!still->tensors) {
        return mem_error(err, "hashes of the frozen layers");
    }
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        size_t before = still->count;
        for (int k = 0; k < l->param_count; k++) {
            if (keeps(frozen[i], bn, &l->params[k])) {
                still->tensors[still->count++] =
                    (struct frozen_tensor){i, k, hash_of(&l->params[k])};
                still->values += l->params[k].count;
            }
        }
        still->layers += l->param_count > 0 && still->count == before + (size_t)l->param_count;
    }
    return OK;
}

void frozen_bytes_free(struct frozen_bytes *still)
{
    mem_free(still->tensors);
    *still = (struct frozen_bytes){0};
}

uint64_t frozen_bytes_hash(const struct frozen_bytes *still)
{
    struct state_hash all = {0};
    for (size_t i = 0; i < still->count; i++) {
        state_hash_add(&all, &still->tensors[i].hash, sizeof still->tensors[i].hash);
    }
    return state_hash_value(&all);
}

size_t frozen_bytes_changed(const struct frozen_bytes *still, const struct frozen_tensor **first)
{
    size_t bytes = 0;
    *first = NULL;
    for (size_t i = 0; i < still->count; i++) {
        const struct frozen_tensor *t = &still->tensors[i];
        const struct param *p = &still->net->layers[t->layer].params[t->param];
        if (hash_of(p) != t->hash) {
            *first = *first ? *first : t;
            bytes += p->count * sizeof *p->data;
        }
    }
    return bytes;
}
