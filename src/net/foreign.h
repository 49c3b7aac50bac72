/* Keys of Darknet's cfg files that nothing here reads: what steers another machine or another task
 * is passed over, what would change a training is named, so that no key is without effect and
 * without a word. */
#ifndef NET_FOREIGN_H
#define NET_FOREIGN_H

#include "cfg/cfg.h"

/* Marks them as used; if `can_train`, warns, with path:line and what happens instead, of each that
 * has another value than the one that switches it off. ERR_CFG if such a value is no number. */
NODISCARD enum result foreign_keys_check(struct cfg *cfg, bool can_train, struct error *err);

#endif
