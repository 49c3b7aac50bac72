/* Which layers have a loss. */
#ifndef NET_LOSSES_H
#define NET_LOSSES_H

#include "layers/layer.h"

/* All heads; without any, [softmax] or [cost] at the end, one of them. That of a [softmax] without noloss=1 is its
 * cross-entropy, and a [cost] behind it gives its scale but no second loss (Darknet adds both: twice the gradient). Sets
 * has_loss, loss_scale and by_logit of layers whose shapes are known. ERR_CFG at a [cost] whose type does not go with the
 * layer before it. */
NODISCARD enum result losses_settle(struct layer *layers, int count, struct error *err);

#endif
