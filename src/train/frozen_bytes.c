#include "train/frozen_bytes.h"

#include "base/memory.h"
#include "net/class_rows.h"
#include "train/stateio.h"

/* Of what keeps: the whole tensor, or what lies between the runs that move. */
static uint64_t hash_of(const struct network *net, const struct frozen_tensor *t)
{
    const struct param *p = &net->layers[t->layer].params[t->param];
    struct state_hash hash = {0};
    size_t at = 0, first, end = 0;
    while (!t->is_whole && class_rows_next(net, t->layer, p, &first, &end)) {
        state_hash_add(&hash, p->data + at, (first - at) * sizeof *p->data);
        at = end;
    }
    state_hash_add(&hash, p->data + at, (p->count - at) * sizeof *p->data);
    return state_hash_value(&hash);
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
        int whole = 0;
        for (int k = 0; k < l->param_count; k++) {
            bool is_whole = keeps(frozen[i], bn, &l->params[k]);
            size_t moving = is_whole                    ? 0
                            : l->params[k].is_statistic ? l->params[k].count
                                                        : class_rows_moving(net, i, &l->params[k]);
            if (moving < l->params[k].count) {
                struct frozen_tensor *t = &proof->tensors[proof->count++];
                *t = (struct frozen_tensor){.layer = i, .param = k, .is_whole = is_whole};
                t->hash = hash_of(net, t);
                t->values = l->params[k].count - moving;
                proof->values += t->values;
                whole += is_whole;
            }
        }
        proof->layers += l->param_count > 0 && whole == l->param_count;
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
        if (hash_of(proof->net, t) != t->hash) {
            *first = *first ? *first : t;
            bytes += t->values * sizeof(float);
        }
    }
    return bytes;
}
