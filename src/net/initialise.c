/* Where a training begins that has no weights file. */
#include <math.h>

#include "base/rng.h"
#include "net/network.h"

static const uint64_t stream = 0x696e69740000u; /* apart from a run's other draws */

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
    }
}
