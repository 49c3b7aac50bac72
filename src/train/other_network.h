/* Weights of another network: every layer that fits is taken. */
#ifndef TRAIN_OTHER_NETWORK_H
#define TRAIN_OTHER_NETWORK_H

#include "net/network.h"

/* From `weights`, which belong to the network of `cfg`, the layers of `net` (allocated) that stand there at the same number, of the same
 * kind and with parameters of the same shapes; loaded[layer_count] gets how many values each layer got, others keep theirs.
 * Tasks and later layers may be others. ERR_FORMAT if no layer fits, or the file is not of that cfg. */
NODISCARD enum result other_network_load(const char *weights, const char *cfg, struct network *net,
                                         size_t *loaded, struct error *err);

#endif
