/* Where a training begins that has no weights file. */
#include <math.h>

#include "base/rng.h"
#include "net/network.h"

static const uint64_t stream = 0x696e69740000u; /* apart from a run's other draws */

/* Nearly all predictors see no object. Told so from the start they need not unlearn one half each, which would
 * drown the first hundreds of updates (Lin et al. 2017, arXiv:1708.02002, section 4.1). */
static const double OBJECT_PRIOR = 0.01;

static void set_prior(const struct network *net, const struct layer *head)
{
    const struct head_info *info = head->ops->head(head);
    int feeding = head->inputs[0];
    if (feeding == LAYER_IMAGE) {
        return;
    }
    const struct layer *l = &net->layers[feeding];
    const struct param *biases = layer_param(l, "biases");
    if (!biases || biases->count != (size_t)info->slots * (size_t)info->entries) {
        return;
    }
    for (int s = 0; s < info->slots; s++) {
        biases->data[s * info->entries + info->objectness] =
            (float)log(OBJECT_PRIOR / (1.0 - OBJECT_PRIOR));
    }
}

void network_initialise(struct network *net, uint64_t seed)
{
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].param_count; k++) {
            struct param *param = &net->layers[i].params[k];
            if (param->fan_in == 0) {
                continue;
            }
            struct rng rng = rng_make(seed ^ stream, (uint64_t)i, (uint64_t)k);
            float limit = sqrtf(2.0f / (float)param->fan_in);
            for (size_t j = 0; j < param->count; j++) {
                param->data[j] = rng_uniform(&rng, -limit, limit);
            }
        }
        if (net->layers[i].ops->head) {
            set_prior(net, &net->layers[i]);
        }
    }
}
