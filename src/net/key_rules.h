/* A key of a cfg acts, or is refused, or is named as without effect: which keys do not act, and what becomes of them.
 * What steers another machine or another task is passed over without a word. */
#ifndef NET_KEY_RULES_H
#define NET_KEY_RULES_H

#include "cfg/cfg.h"
#include "layers/layer.h"

/* Keys that would change what a layer computes, and are not built: ERR_UNSUPPORTED with path:line. Before the layer is
 * parsed; its kind is known. */
NODISCARD enum result keys_refuse(struct layer *l, struct error *err);

/* Once every layer has read its keys: warns, with path:line and what happens instead, of those that would act in a
 * training and do not (of networks that can be trained: those with a head), and of unknown ones. ERR_CFG if the
 * value of one is no number. */
NODISCARD enum result keys_name(struct cfg *cfg, const struct layer *layers, int count,
                                struct error *err);

#endif
