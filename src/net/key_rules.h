/* A key of a cfg acts, or is refused, or is named as without effect: which keys do not act, and what becomes of them.
 * What steers another machine or another task is passed over without a word. */
#ifndef NET_KEY_RULES_H
#define NET_KEY_RULES_H

#include "cfg/cfg.h"
#include "layers/layer.h"

/* Refuse keys that would change what a layer computes and are not built: ERR_UNSUPPORTED with path:line. For a layer whose
 * kind is known, before it is parsed. */
NODISCARD enum result keys_refuse(struct layer *l, struct error *err);

/* Once every layer has read its keys: warn, with path:line and what happens instead, of keys that would act in a training
 * and do not, if the network has a head and so can be trained; and of unknown keys. ERR_CFG if the value of one is no
 * number. */
NODISCARD enum result keys_name(struct cfg *cfg, const struct layer *layers, int count,
                                struct error *err);

#endif
